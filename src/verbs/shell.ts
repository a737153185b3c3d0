import {
  type Config,
  ConfigError,
  environment,
  type Logger,
  printable,
  read_config,
  type Runtime,
  stderr_logger,
  system_clock,
  wait,
  WakeUp,
  write_stderr,
} from "../runtime/mod.ts";
import {
  DatabaseUnreachable,
  DatabaseUnsuitable,
  DataDirectoryInUse,
  is_held_by_others,
  is_other_schema,
  MigrationError,
  sqlstate,
} from "../database/mod.ts";
import type { DeclaredDomain } from "../domains/mod.ts";
import { DeploymentMismatch, LogElsewhere } from "../event_log/mod.ts";
import { PlaceUnusable } from "../export/mod.ts";
import { FileError } from "../files/mod.ts";
import { ReplayRunning } from "../replay/mod.ts";
import { of_domain } from "./domains.ts";
import denojson from "../../deno.json" with { type: "json" };

/** The program's version. */
export const VERSION: string = denojson.version;

/** What has to have a value of a dimension, as the command line says it. */
export interface Condition {
  readonly dimension: string;
  readonly key: string;
}

/** Wrong usage of a verb: the program exits with code 2. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** What every verb is given. A second wish to end ends the process at once. */
export interface Shell extends Runtime {
  /** As it is for its domain. */
  readonly config: Config;
  /** As it is for all domains. */
  readonly shared: Config;
  /** The domain that it works on. */
  readonly domain: DeclaredDomain;
  /** Whether other domains work in this program; absent: none does. */
  readonly beside_others?: boolean;
}

/** One for each of some domains. Of several each line of the log says whose it is. Throws ConfigError where there is no domain of a name. */
export function shells_of(shell: Shell, names: readonly string[]): readonly [Shell, ...Shell[]] {
  const [first, ...others] = names.map((name): Shell => {
    const own = { ...shell, ...of_domain(shell.shared, name) };
    const log: Logger["log"] = (level, message, fields) =>
      shell.logger.log(level, message, { domain: name, ...fields });
    return names.length === 1 ? own : { ...own, logger: { log }, beside_others: true };
  });
  return [first!, ...others];
}

/** Signals so shortly after the first are the same wish: a launcher such as `npx` or `deno task` passes on what the terminal sent to all. */
const ONE_WISH_MS = 1_000;
/** Who is asked to end and has not by then is ended: sooner than supervisors lose patience (30 s), later than a slow transaction takes. */
const ENDED_WITHIN_MS = 20_000;

/** SQLSTATEs of a database that will not let us in or work, however often we ask: wrong password, no such database or role, no right to a table. */
const REFUSED = /^(?:28|3D|42501)/;
/** What the driver says when a login without a password, or TLS, cannot work out. */
const NO_HANDSHAKE = /\bSASL\b|\bSSL\b|certificate/i;

/**
 * Runs a verb: reads the configuration, listens for signals, ends with exit code 0 (done), 1 (failed) or 2 (wrong usage or configuration).
 * @param domain the name of the domain that the verb works on; absent: the first one of the configuration
 * @param env_file a file whose settings are taken where the environment has none
 */
export async function run_verb(
  verb: (shell: Shell) => Promise<void>,
  domain: string | undefined = undefined,
  env_file: string | null = null,
): Promise<never> {
  const stop = listen();
  try {
    const config = read_config(environment(env_file));
    const logger = stderr_logger(config.log_level, system_clock.now_ms);
    const runtime = { clock: system_clock, random: Math.random, logger, signal: stop };
    await verb({ ...runtime, shared: config, ...of_domain(config, domain ?? config.domains[0]!) });
    Deno.exit(0);
  } catch (error) {
    if (stop.aborted && error === stop.reason) Deno.exit(0);
    write_stderr(`tacho: ${told(error)}${hint(error)}\n`);
    Deno.exit(is_wrong_usage(error) ? 2 : 1);
  }
}

/**
 * Listens for the wish to end; gives the signal that it aborts. All signals within a second are one wish; a later one is another, and
 * ends the process with exit code 130. What hangs is ended too, with exit code 1: nothing is lost by that, as by a kill -9.
 */
function listen(): AbortSignal {
  const stop = new AbortController();
  let first_ms = 0;
  const wish = () => {
    if (stop.signal.aborted) {
      if (performance.now() - first_ms > ONE_WISH_MS) Deno.exit(130);
      return;
    }
    first_ms = performance.now();
    stop.abort(new Error("stopped by a signal"));
    setTimeout(() => {
      write_stderr(
        `tacho: what was under way did not end within ${ENDED_WITHIN_MS / 1000} s of the signal; ended by force\n`,
      );
      Deno.exit(1);
    }, ENDED_WITHIN_MS);
  };
  Deno.addSignalListener("SIGINT", wish);
  if (Deno.build.os === "windows") return stop.signal;
  Deno.addSignalListener("SIGTERM", wish);
  // A closed terminal. Without one it is left alone: a program under nohup has to outlive its terminal.
  const streams = [Deno.stdin, Deno.stdout, Deno.stderr];
  if (streams.some((stream) => stream.isTerminal())) Deno.addSignalListener("SIGHUP", wish);
  return stop.signal;
}

/** Who holds the tables for longer than is waited for is given so long. */
const AGAIN_MS = 1_000;

/**
 * Does what keeps others out of tables as soon as nobody holds these for long, and gives what came of it.
 * @param told what is said, once, when somebody does, and of what
 * @param between done before each further try
 */
export async function when_free<T>(
  { logger, signal }: Pick<Shell, "logger" | "signal">,
  [told, of = {}]: readonly [message: string, of?: Readonly<Record<string, string>>],
  work: () => Promise<T>,
  between: () => Promise<unknown> = () => Promise.resolve(),
): Promise<T> {
  for (let said = false;; said = true) {
    try {
      return await work();
    } catch (error) {
      if (!is_held_by_others(error)) throw error;
      if (!said) logger.log("info", told, of);
      await wait(AGAIN_MS, signal);
      await between();
    }
  }
}

/** Whether the log is one of another version or of other settings than this program: another start, or another program, goes on with it. */
export const wants_another_start = (error: unknown): boolean =>
  error instanceof DeploymentMismatch || error instanceof MigrationError || is_other_schema(error);

const is_wrong_usage = (error: unknown): boolean =>
  error instanceof ConfigError || error instanceof UsageError || error instanceof FileError ||
  error instanceof ReplayRunning || error instanceof DataDirectoryInUse || error instanceof PlaceUnusable ||
  error instanceof LogElsewhere || error instanceof Deno.errors.NotCapable || wants_another_start(error) ||
  is_refused(error);

/** Whether the database refuses us for good, whatever was asked of it: waiting for it would not help. */
export const is_refused = (error: unknown): boolean =>
  error instanceof DatabaseUnsuitable ||
  (error instanceof DatabaseUnreachable
    ? NO_HANDSHAKE.test(error.message)
    : REFUSED.test(sqlstate(error) ?? "") || (error instanceof Error && is_refused(error.cause)));

/** The waits between tries of what refuses one of several domains: they double. */
export const REFUSED_WAITS = { first_ms: 1_000, cap_ms: 30_000 } as const;

/** What to do where the system's own words lead nowhere. */
function hint(error: unknown): string {
  // "Run again with the --allow-write flag": a task's flags are not the caller's.
  if (error instanceof Deno.errors.NotCapable) {
    return /^Requires read access/.test(error.message)
      ? "\n  the tasks of deno.json let the program read every file that you name; run main.ts with --allow-read of your own"
      : "\n  the tasks of deno.json let the program write in .tacho/ only; for another TACHO_DATA_DIR run main.ts with your own --allow-read and --allow-write";
  }
  if (error instanceof LogElsewhere) {
    return "\n  what reads tables alone works: tacho serve --read-model flink, tacho export daily, tacho flink status";
  }
  for (let each: unknown = error; each instanceof Error; each = each.cause) {
    if ("code" in each && (each.code === "ENOSPC" || each.code === "EDQUOT")) {
      return "\n  a disk is full, most likely that of TACHO_DATA_DIR: free some, and run the command again";
    }
    if (sqlstate(each) === "42501" && each.message.startsWith("permission denied for table")) {
      return "\n  a role that only reads can `tacho serve --read-only`; other commands want the role that writes the log";
    }
  }
  return "";
}

/** An error and its causes, one after the other; lines after the first are indented, so that none of them passes for one of the log's. */
function told(error: unknown): string {
  const parts: string[] = [];
  for (
    let each: unknown = error;
    each !== undefined && parts.length < 5;
    each = each instanceof Error ? each.cause : undefined
  ) {
    const text = each instanceof Error ? each.message || each.name : String(each);
    // Some say what their cause said.
    if (!parts.at(-1)?.endsWith(text)) parts.push(text);
  }
  return parts.join("\nbecause: ").split("\n").map(printable).map((line, i) =>
    i === 0 || line.startsWith("  ") ? line : `  ${line}`
  )
    .join("\n");
}

/** Writes to stdout, all of it. */
export async function write_out(bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await Deno.stdout.write(bytes.subarray(at));
}

const BAR = 20;

/**
 * Progress of a long operation on stderr: count, rate and, where it is known how much there is, a bar and how long it will take. On a
 * terminal one line that is rewritten; elsewhere a line every ten seconds.
 */
export class ProgressLine {
  readonly #terminal = Deno.stderr.isTerminal();
  readonly #started_ms: number;
  #written_ms: number;
  #done = 0;
  #share: number | null = null;
  /** Said at the end of the line, for instance that the operation is paused. */
  #remark = "";

  constructor(readonly name: string, readonly total: number | null, readonly now_ms: () => number) {
    this.#started_ms = this.#written_ms = now_ms();
  }

  /**
   * Counts items that are done.
   * @param share how much of the whole is done, 0 to 1, where that is known in other ways than by the total
   */
  add(items: number, share: number | null = null): void {
    this.#done += items;
    this.#share = share ?? (this.total === null ? null : this.#done / Math.max(this.total, 1));
    const now_ms = this.now_ms();
    if (now_ms - this.#written_ms < (this.#terminal ? 200 : 10_000)) return;
    this.#written_ms = now_ms;
    this.#write_line();
  }

  /** Says something at the end of the line from now on, and at once. */
  remark(text: string): void {
    this.#remark = text === "" ? "" : ` (${text})`;
    this.#write_line();
  }

  /** Writes a line of its own, above the line of progress. */
  note(text: string): void {
    write_stderr(this.#terminal ? `\r\x1b[K${text}\n` : `${text}\n`);
  }

  /** Writes the last line. */
  end(): void {
    this.#write_line();
    if (this.#terminal) write_stderr("\n");
  }

  #write_line(): void {
    write_stderr(this.#terminal ? `\r${this.#line()}\x1b[K` : `${this.#line()}\n`);
  }

  #line(): string {
    const seconds = Math.max((this.now_ms() - this.#started_ms) / 1000, 0.001);
    const share = this.#share;
    const full = Math.round((share ?? 0) * BAR);
    const bar = share === null ? "" : `[${"#".repeat(full)}${"-".repeat(BAR - full)}] ${Math.floor(share * 100)} %, `;
    const of_total = this.total === null ? "" : ` of ${this.total}`;
    const left = share === null || share === 0 ? "" : `, ${Math.ceil(seconds * (1 / share - 1))} s left`;
    const rate = Math.round(this.#done / seconds);
    return `${printable(this.name)}: ${bar}${this.#done}${of_total}, ${rate}/s${left}${this.#remark}`;
  }
}

/** The space key of a terminal as a switch: pause, go on. Where there is no terminal it is never pressed. */
export class PauseKey implements Disposable {
  readonly #changed = new WakeUp();
  readonly #now_ms: () => number;
  readonly #toggled: (paused: boolean) => void;
  readonly #terminal = Deno.stdin.isTerminal() && Deno.stderr.isTerminal();
  #paused_ms: number | null = null;

  /** @param toggled hears of every change */
  constructor(now_ms: () => number, toggled: (paused: boolean) => void) {
    this.#now_ms = now_ms;
    this.#toggled = toggled;
    if (!this.#terminal) return;
    this.#listen();
    // A shell that brings a stopped program back gives it the terminal as the shell wants it.
    if (Deno.build.os !== "windows") Deno.addSignalListener("SIGCONT", this.#listen);
    void this.#read();
  }

  /** Waits while it is paused; resolves with how long that was in milliseconds, also when the signal aborts. */
  async passed(signal: AbortSignal): Promise<number> {
    const since_ms = this.#paused_ms;
    if (since_ms === null) return 0;
    while (this.#paused_ms !== null && !signal.aborted) await this.#changed.next(signal);
    return this.#now_ms() - since_ms;
  }

  [Symbol.dispose](): void {
    if (!this.#terminal) return;
    if (Deno.build.os !== "windows") Deno.removeSignalListener("SIGCONT", this.#listen);
    Deno.stdin.setRaw(false);
  }

  /** Keys come one by one; Ctrl-C and Ctrl-Z go on being signals. */
  readonly #listen = (): void => Deno.stdin.setRaw(true, { cbreak: true });

  async #read(): Promise<void> {
    const key = new Uint8Array(1);
    while (await Deno.stdin.read(key) !== null) {
      if (key[0] !== 0x20) continue;
      this.#paused_ms = this.#paused_ms === null ? this.#now_ms() : null;
      this.#toggled(this.#paused_ms !== null);
      this.#changed.ring();
    }
  }
}
