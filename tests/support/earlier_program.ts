import { GuardedFolder } from "./guarded_folder.ts";
import { shell } from "./shell.ts";
import { type ServingProgram, TachoProgram, task_command } from "./tacho_program.ts";

/** Earlier versions of the program, out of this repository's history, with the packages of this one. */

const REPOSITORY = new URL("../..", import.meta.url).pathname.replace(/\/$/, "");

/** Why the version of a commit cannot be run here; null when it can. */
export async function earlier_absence(commit: string): Promise<string | null> {
  const found = await shell(
    "look for the earlier version",
    'git -C "$1" cat-file -t "$2" 2>/dev/null || echo absent',
    REPOSITORY,
    commit,
  );
  return found === "commit" ? null : `commit ${commit.slice(0, 7)} is not in this checkout's history`;
}

/** An earlier version: its tasks, run from its own files. */
export interface EarlierVersion extends AsyncDisposable {
  /** Starts a task of it that serves, and waits until its page can be opened. */
  serve(task: "dev" | "start", env: Readonly<Record<string, string>>): Promise<ServingProgram>;
}

/** Takes out the version of a commit. `await using` removes its files. */
export async function take_earlier(commit: string): Promise<EarlierVersion> {
  const folder = new GuardedFolder("earlier");
  try {
    await shell(
      "take out the earlier version",
      'git -C "$1" archive "$2" | tar -x -C "$3" && ln -s "$1/node_modules" "$3/node_modules"',
      REPOSITORY,
      commit,
      folder.path,
    );
  } catch (error) {
    await folder.dispose();
    throw error;
  }
  return {
    serve(task, env) {
      const [run, ...words] = task_command(task);
      const command = [run!, "--node-modules-dir=manual", ...words];
      return TachoProgram.serve(task, { env, folder: folder.path, command });
    },
    [Symbol.asyncDispose]: () => folder.dispose(),
  };
}
