import denojson from "../../deno.json" with { type: "json" };
import { GuardedFolder, KILL_TREE } from "./guarded_folder.ts";
import { shell } from "./shell.ts";
import { test_environment } from "./test_stages.ts";
import { until } from "./until.ts";

const REPOSITORY = new URL("../..", import.meta.url).pathname.replace(/\/$/, "");

/** A task of deno.json that runs the program. */
export type Task = "archive" | "backup" | "restore" | "dev" | "export" | "open" | "start" | "tacho";

/** How the program is run. */
export interface ProgramOptions {
  /** Its settings. Of the test's own environment it sees what names no deployment (PATH, HOME, …). */
  readonly env?: Readonly<Record<string, string>>;
  /** Further arguments, as behind `deno task`. */
  readonly args?: readonly string[];
  /** Another command than a task's, run as it stands: what follows `deno`. */
  readonly command?: readonly string[];
  /** The folder it runs in: the repository unless given. */
  readonly folder?: string;
}

/** What follows `deno` in a task, exactly as deno.json has it. Throws when the task is no plain `deno run`. */
export function task_command(task: Task): string[] {
  const [program, ...words] = denojson.tasks[task].split(" ");
  if (program !== "deno" || words[0] !== "run" || !words.includes("main.ts")) {
    throw new Error(`read task ${JSON.stringify(task)}: expected "deno run … main.ts", got "${denojson.tasks[task]}"`);
  }
  return words;
}

/** How a program ended, and what it said. */
export interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * The real program as a process of its own, started as a task starts it. It does not outlive the process that owns it, and
 * what it writes is kept apart by stream. `await using` kills it.
 */
export class TachoProgram implements AsyncDisposable {
  readonly #guarded = new GuardedFolder("program");
  readonly #child: Deno.ChildProcess;
  /** The exit code; 128 and the signal's number when a signal ended it. */
  readonly ended: Promise<number>;
  #code: number | null = null;

  private constructor(task: Task, { env = {}, args = [], command, folder = REPOSITORY }: ProgramOptions) {
    // By where it really is: through each link anew Deno would compile all of the program anew.
    const placed = (word: string) => word === "main.ts" ? Deno.realPathSync(`${folder}/main.ts`) : word;
    const words = [Deno.execPath(), ...(command ?? task_command(task).map(placed)), ...args];
    const script = 'echo $$ >"$1/pid" && log=$1 && cd "$2" && shift 2 && exec "$@" >"$log/stdout" 2>"$log/stderr"';
    this.#child = new Deno.Command("sh", {
      args: ["-c", script, "sh", this.#guarded.path, folder, ...words],
      clearEnv: true,
      env: test_environment(Deno.env.toObject(), { NO_COLOR: "1", PORT: "0", ...env }),
      stdin: "null",
      stdout: "null",
      stderr: "inherit",
    }).spawn();
    this.ended = this.#child.status.then(({ code }) => {
      // The number may be given to another process now: the guard must not kill that one. What is killed at once has written none.
      try {
        Deno.removeSync(`${this.#guarded.path}/pid`);
      } catch (error) {
        if (!(error instanceof Deno.errors.NotFound)) throw error;
      }
      return this.#code = code;
    });
  }

  /** Starts a task and does not wait for anything. */
  static spawn(task: Task, options: ProgramOptions = {}): TachoProgram {
    return new TachoProgram(task, options);
  }

  /** Starts a task that serves, and waits until its page can be opened; throws with what it said when it ends before. */
  static async serve(task: "dev" | "open" | "start", options: ProgramOptions = {}): Promise<ServingProgram> {
    const program = new TachoProgram(task, options);
    try {
      const url = await until("the program says where its page is", () => {
        if (!program.running) return "ended";
        return /http:\/\/127\.0\.0\.1:\d+\//.exec(program.output)?.[0] ?? null;
      }, 60_000);
      if (url === "ended") throw new Error(`it ended with exit code ${await program.ended}`);
      return Object.assign(program, { url });
    } catch (cause) {
      const error = new Error(`start task ${task}\n${program.output.slice(-4_000)}`, { cause });
      await program[Symbol.asyncDispose]();
      throw error;
    }
  }

  get running(): boolean {
    return this.#code === null;
  }

  get pid(): number {
    return this.#child.pid;
  }

  get stdout(): string {
    return this.#read("stdout");
  }

  get stderr(): string {
    return this.#read("stderr");
  }

  /** All it said: first its data, then the rest. */
  get output(): string {
    return this.stdout + this.stderr;
  }

  #read(stream: "stdout" | "stderr"): string {
    try {
      return Deno.readTextFileSync(`${this.#guarded.path}/${stream}`);
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return "";
      throw error;
    }
  }

  /** kill -9; resolves when it is gone. It does nothing more from the call on, however long a busy machine takes to find its children. */
  async kill_nine(): Promise<void> {
    try {
      this.signal("SIGSTOP");
    } catch (error) {
      // It has ended just now.
      if (!(error instanceof Deno.errors.NotFound || error instanceof TypeError)) throw error;
    }
    if (this.running) await shell("kill tacho", `${KILL_TREE}\nkill_tree "$1"`, String(this.pid));
    await this.ended;
  }

  /** Asks it to end and gives the exit code. */
  term(signal: "SIGTERM" | "SIGINT" = "SIGTERM"): Promise<number> {
    this.signal(signal);
    return this.ended;
  }

  /** Sends a signal, if it runs. */
  signal(signal: Deno.Signal): void {
    if (this.running) this.#child.kill(signal);
  }

  /** Waits for something that this program has to bring about; when that fails, what it last said is in the error. */
  async brings<T>(about: Promise<T>): Promise<T> {
    try {
      return await about;
    } catch (cause) {
      throw new Error(`the program last said\n${this.output.slice(-2_000)}`, { cause });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill_nine();
    await this.#guarded.dispose();
  }
}

/** A program whose page can be opened at `url`, which ends with a slash. */
export type ServingProgram = TachoProgram & { readonly url: string };

/** Runs a task to its end. */
export async function run_tacho(args: readonly string[], options: ProgramOptions = {}): Promise<Ended> {
  await using program = TachoProgram.spawn("tacho", { ...options, args });
  const code = await program.ended;
  return { code, stdout: program.stdout, stderr: program.stderr };
}

/** Runs a verb that must succeed; throws with what it said otherwise. */
export async function run_verb(args: readonly string[], options: ProgramOptions = {}): Promise<Ended> {
  const ended = await run_tacho(args, options);
  if (ended.code === 0) return ended;
  throw new Error(`tacho ${args.join(" ")}: exit code ${ended.code}\n${ended.stderr.slice(-4_000)}`);
}

/** Asks a page's server for JSON; throws unless it answers 200. */
export async function get_json(url: string): Promise<unknown> {
  const response = await fetch(url);
  const text = await response.text();
  if (response.status !== 200) throw new Error(`GET ${url}: ${response.status} ${text.slice(0, 500)}`);
  return JSON.parse(text);
}

/** Whether the program says that database and ingest work. */
export async function is_ready(url: string): Promise<boolean> {
  const response = await fetch(`${url}readyz`);
  await response.body?.cancel();
  return response.status === 200;
}
