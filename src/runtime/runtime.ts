/** The clock port: the only way time enters the shell. Pure modules get times as arguments. */
export interface Clock {
  /** Milliseconds since the Unix epoch. */
  now_ms(): number;
}

/** The system's clock. */
export const system_clock: Clock = { now_ms: () => Date.now() };

/** What all that works through time shares: one value, handed down from the verb. */
export interface Runtime {
  readonly clock: Clock;
  /** In [0, 1): jitters waits. */
  readonly random: () => number;
  readonly logger: Logger;
  /** Aborted by the wish to end: finish what is under way, then end. */
  readonly signal: AbortSignal;
}

/** How much a line matters, least first. */
export type Level = "debug" | "info" | "warn" | "error";
/** What a line says beside its message, by name; null and undefined are left out. */
export type Fields = Readonly<Record<string, unknown>>;

/** Writes one line a happening to stderr: time, level, message, fields as key=value. Data never goes through it. */
export interface Logger {
  log(level: Level, message: string, fields?: Fields): void;
}

const RANK: Record<Level, number> = { debug: 0, info: 1, warn: 2, error: 3 };

/**
 * Text of others (ids, headers, paths, errors) as it may be shown on a terminal or in a line: characters that move the cursor, break the
 * line, change its direction or stand for none are written out as `\u{…}`.
 */
export function printable(text: string): string {
  return UNPRINTABLE.test(text)
    ? text.replace(UNPRINTABLES, (each) => `\\u{${each.codePointAt(0)!.toString(16)}}`)
    : text;
}
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u;
const UNPRINTABLES = new RegExp(UNPRINTABLE, "gu");

/** JSON text whose strings hold no such characters, with the same meaning: JSON escapes only some of them by itself. */
export function printable_json(json: string): string {
  const escaped = (each: string) =>
    Array.from({ length: each.length }, (_, i) => `\\u${each.charCodeAt(i).toString(16).padStart(4, "0")}`).join("");
  return json.replace(UNPRINTABLES, (each) => each === "\n" ? each : escaped(each));
}

const shown = (value: unknown): string => {
  const text = value instanceof Error ? value.message : typeof value === "string" ? value : JSON.stringify(value);
  if (text === undefined) return "undefined";
  return printable_json(/^[^\s"=]+$/.test(text) && !UNPRINTABLE.test(text) ? text : JSON.stringify(text));
};

/** Formats one log line, without the line break. */
export function format_line(now_ms: number, level: Level, message: string, fields: Fields = {}): string {
  const pairs = Object.entries(fields).filter(([, value]) => value !== undefined && value !== null);
  const tail = pairs.map(([key, value]) => ` ${key}=${shown(value)}`).join("");
  return `${new Date(now_ms).toISOString()} ${level.padEnd(5)} ${printable(message)}${tail}`;
}

const encoder = new TextEncoder();

/**
 * Writes text to stderr. What cannot be written (the terminal was closed, the reader of a pipe went away, the disk behind a file is full) is
 * left out: there is nowhere to say so, and what was at work must go on, or end, as it would have.
 */
export function write_stderr(text: string): void {
  const bytes = encoder.encode(text);
  try {
    for (let at = 0; at < bytes.length;) at += Deno.stderr.writeSync(bytes.subarray(at));
  } catch {
    // See above.
  }
}

/**
 * A logger to stderr.
 * @param least the lowest level that is written
 * @param now_ms the clock
 */
export function stderr_logger(least: Level, now_ms: () => number): Logger {
  return {
    log(level, message, fields) {
      if (RANK[level] < RANK[least]) return;
      write_stderr(format_line(now_ms(), level, message, fields) + "\n");
    },
  };
}
