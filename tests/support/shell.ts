/**
 * Runs a shell script to its end and gives what it wrote to stdout, trimmed. Everything outside is started through `sh`, so that the tests need the permission to run
 * one program, whatever the paths of the others are on this machine.
 * @param script the script; its arguments are `$1`, `$2`, …
 * @throws Error with what was being done, the exit code and the end of stderr
 */
export async function shell(doing: string, script: string, ...values: string[]): Promise<string> {
  const command = new Deno.Command("sh", {
    args: ["-c", script, "sh", ...values],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  });
  const { code, stdout, stderr } = await command.output();
  const text = new TextDecoder();
  if (code !== 0) {
    throw new Error(`${doing}: exit code ${code}\n${(text.decode(stderr) + text.decode(stdout)).slice(-4_000)}`);
  }
  return text.decode(stdout).trim();
}
