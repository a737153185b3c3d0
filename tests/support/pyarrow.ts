import { is_file } from "./program.ts";
import { shell } from "./shell.ts";

/** A Python that reads Parquet by the library of Apache Arrow: what others make of what the program writes. */

let found: string | null | undefined;

/** The path of a Python on PATH that has pyarrow; null when none has. */
export function find_pyarrow(): string | null {
  if (found !== undefined) return found;
  const paths = (Deno.env.get("PATH") ?? "").split(":").filter((folder) => folder.startsWith("/"))
    .map((folder) => `${folder}/python3`).filter(is_file);
  return found = paths.find((path) =>
    new Deno.Command("sh", {
      args: ["-c", '"$1" -c "import pyarrow.parquet"', "sh", path],
      stdout: "null",
      stderr: "null",
    }).outputSync().success
  ) ?? null;
}

/** Runs a Python script that prints JSON; its arguments are `sys.argv[1:]`. */
export async function run_python(script: string, ...values: string[]): Promise<unknown> {
  const python = find_pyarrow();
  if (python === null) throw new Error("run Python: no python3 on PATH has pyarrow");
  return JSON.parse(
    await shell(
      "run Python",
      'python=$1 script=$2; shift 2; exec "$python" -c "$script" "$@"',
      python,
      script,
      ...values,
    ),
  );
}
