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

/**
 * A folder from which the verbs of `deno task tacho` run as they do in the repository, with a data directory of its own: nothing that they
 * leave is found by another test, or left in the repository. Remove it by `dispose`.
 */
export async function link_checkout(): Promise<GuardedFolder> {
  const folder = new GuardedFolder("linked_checkout");
  await shell(
    "link the program",
    'cd "$1" && from=$2 && shift 2 && for name; do ln -s "$from$name" "$name"; done',
    folder.path,
    REPOSITORY,
    ...PROGRAM,
    "node_modules",
  );
  return folder;
}
