import { GuardedFolder, KILL_TREE } from "./guarded_folder.ts";
import { shell } from "./shell.ts";

/**
 * One server program with a temporary folder of its own (data, `server.log`), that can be started, stopped, killed and
 * started again. Neither outlives the process that owns it.
 */
export class ServerProcess {
  readonly folder: string;
  readonly #guarded: GuardedFolder;
  #child: Deno.ChildProcess | null = null;

  /** @param name what to call the server in errors and in its folder's name */
  constructor(readonly name: string) {
    this.#guarded = new GuardedFolder(name);
    this.folder = this.#guarded.path;
  }

  /** Whether the program is running. */
  get running(): boolean {
    return this.#child !== null;
  }

  /** Starts the program in its folder; its output is appended to the log. Throws when it is running already. */
  spawn(command: readonly string[]): void {
    if (this.#child !== null) throw new Error(`start ${this.name}: it is running already`);
    const child = new Deno.Command("sh", {
      args: ["-c", 'cd "$1" && echo $$ >pid && shift && exec "$@" >>server.log 2>&1', "sh", this.folder, ...command],
      stdin: "null",
      stdout: "null",
      stderr: "inherit",
    }).spawn();
    child.unref();
    this.#child = child;
    child.status.then(() => this.#forget(child));
  }

  /** The pid file goes as soon as the process is reaped: the guard must never kill another that was given the same number. */
  #forget(child: Deno.ChildProcess): void {
    if (this.#child !== child) return;
    this.#child = null;
    try {
      Deno.removeSync(`${this.folder}/pid`);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }

  /** Sends a signal and waits until the program has ended; after `timeout_ms` it is killed. Nothing happens when it is not running. */
  async end(signal: Deno.Signal, timeout_ms: number): Promise<void> {
    const child = this.#child;
    if (child === null) return;
    child.ref();
    child.kill(signal);
    const timer = setTimeout(() => child.kill("SIGKILL"), timeout_ms);
    await child.status;
    clearTimeout(timer);
    this.#forget(child);
  }

  /** Kills the program and its children with SIGKILL; resolves when all of them are gone. Nothing happens when it is not running. */
  async kill_nine(): Promise<void> {
    const child = this.#child;
    if (child === null) return;
    child.ref();
    await shell(`kill ${this.name}`, `${KILL_TREE}\nkill_tree "$1"`, String(child.pid));
    await child.status;
    this.#forget(child);
  }

  /** Kills the program and removes its folder. */
  async dispose(): Promise<void> {
    await this.kill_nine();
    await this.#guarded.dispose();
  }

  /** The log so far; empty before the first start. */
  read_log(): string {
    try {
      return Deno.readTextFileSync(`${this.folder}/server.log`);
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return "";
      throw error;
    }
  }
}
