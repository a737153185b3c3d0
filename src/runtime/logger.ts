/** A logger writes one line a happening to stderr: time, level, message, fields as key=value. Data never goes through it. */
export type Level = "debug" | "info" | "warn" | "error";
export type Fields = Readonly<Record<string, unknown>>;

export interface Logger {
  log(level: Level, message: string, fields?: Fields): void;
}

const RANK: Record<Level, number> = { debug: 0, info: 1, warn: 2, error: 3 };

const shown = (value: unknown): string => {
  const text = value instanceof Error ? value.message : typeof value === "string" ? value : JSON.stringify(value);
  return text !== undefined && /^[^\s"=]+$/.test(text) ? text : JSON.stringify(text);
};

/** Formats one log line, without the line break. */
export function format_line(now_ms: number, level: Level, message: string, fields: Fields = {}): string {
  const pairs = Object.entries(fields).filter(([, value]) => value !== undefined && value !== null);
  const tail = pairs.map(([key, value]) => ` ${key}=${shown(value)}`).join("");
  return `${new Date(now_ms).toISOString()} ${level.padEnd(5)} ${message}${tail}`;
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
