/**
 * Shell function `kill_tree PID`: kills a process and its children with SIGKILL and returns when all are really gone: a server's children hold
 * shared memory and ports for a moment longer than their parent lives.
 */
export const KILL_TREE = `
kill_tree() {
  children=$(cat /proc/"$1"/task/*/children 2>/dev/null || pgrep -P "$1" || :)
  kill -9 "$1" $children 2>/dev/null || :
  for pid in "$1" $children; do
    while kill -0 "$pid" 2>/dev/null && ! grep -qs '^State:[[:space:]]*Z' "/proc/$pid/status"; do sleep 0.02; done
  done
}`;

// Ctrl-C reaches the whole process group, so the guard must not die of it. What is being killed may still write files while they are removed.
const GUARD = `${KILL_TREE}
trap '' INT TERM HUP
read -r line || :
if [ -s "$1/pid" ]; then kill_tree "$(cat "$1/pid")"; fi
for attempt in 1 2 3 4 5 6 7 8 9; do rm -rf "$1" && break; sleep 0.1; done`;

/**
 * A temporary folder that does not outlive the process that made it, however that ends: a guard, told by a pipe that closes, kills the
 * process whose number stands in the folder's file `pid`, if there is one, and removes the folder.
 */
export class GuardedFolder {
  readonly path: string;
  readonly #guard: Deno.ChildProcess;
  #disposal: Promise<void> | null = null;

  /** @param name what the folder is for; part of its name. Other users may read it: PostgreSQL does not run as root. */
  constructor(name: string) {
    this.path = Deno.makeTempDirSync({ prefix: `tacho_${name}_` });
    Deno.chmodSync(this.path, 0o755);
    this.#guard = new Deno.Command("sh", {
      args: ["-c", GUARD, "sh", this.path],
      stdin: "piped",
      stdout: "null",
      stderr: "null",
    }).spawn();
    // What nobody waits for must not keep a program from ending; whoever waits for it takes the reference back.
    this.#guard.unref();
  }

  /** Kills the process that `pid` names and removes the folder. The second time it waits for the first. */
  dispose(): Promise<void> {
    this.#disposal ??= (async () => {
      this.#guard.ref();
      await this.#guard.stdin.close();
      await this.#guard.status;
    })();
    return this.#disposal;
  }
}
