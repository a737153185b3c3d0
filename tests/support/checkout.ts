import { GuardedFolder } from "./guarded_folder.ts";
import { shell } from "./shell.ts";

const REPOSITORY = new URL("../..", import.meta.url).pathname;
const PROGRAM = ["deno.json", "deno.lock", "main.ts", "src", "static", "migrations", "tools"];

/** A copy of the program's files in a temporary folder, as somebody has it who just fetched the repository. Remove it by `dispose`. */
export async function make_checkout(): Promise<GuardedFolder> {
  const folder = new GuardedFolder("checkout");
  await shell(
    "copy the program",
    'to=$1 && shift && cd "$1" && shift && cp -r "$@" "$to"',
    folder.path,
    REPOSITORY,
    ...PROGRAM,
  );
  return folder;
}
