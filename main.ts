/** From this version on imports of text, by which migrations and page come in, and Temporal are there without a flag. */
const LEAST_DENO = [2, 9, 0];
const deno = Deno.version.deno.split(".").map((part) => parseInt(part));
const differs = LEAST_DENO.findIndex((least, i) => deno[i] !== least);
if (differs >= 0 && !(deno[differs]! > LEAST_DENO[differs]!)) {
  const least = LEAST_DENO.join(".");
  console.error(
    `tacho: needs Deno ${least} or newer, this is ${Deno.version.deno}; \`npx -y deno@${least} task …\` runs it`,
  );
  Deno.exit(2);
}
// Only now: an earlier version cannot even load it.
const { program } = await import("./src/command_line/mod.ts");

/** `deno task dev -- --domains all` passes on the `--` that ends the options of the task, not those of the verb. */
const given = Deno.args.filter((text, i) => !(text === "--" && i === 1 && Deno.args[2]?.startsWith("--")));

if (import.meta.main) await program.parseAsync(["deno", "tacho", ...given]);
