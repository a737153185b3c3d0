import type { Board, Line, Reading, Series } from "./board.ts";
import type { Health } from "./health.ts";
import type { View } from "./view.ts";

/** Frames: what subscribers receive, as server-sent events. Pure; absolute values only, so that a frame may come twice. */

/** What is the same in every hello. */
export interface FeedSettings {
  readonly build: string;
  readonly time_zone: string;
  readonly currency: string;
}

/** What a subscriber has: all buckets in [from_s, to_s), as of a position. */
export interface Coverage {
  readonly position: number;
  readonly from_s: number;
  readonly to_s: number;
}

/** A place in a log, as SSE ids name it. */
export interface LogPosition {
  readonly log_id: string;
  readonly position: number;
}

/** Writes an SSE id: `<log id>-<position>`. */
export function format_event_id({ log_id, position }: LogPosition): string {
  return `${log_id}-${position}`;
}

/** Reads an SSE id; null when it is not one of ours. */
export function parse_event_id(id: string): LogPosition | null {
  const match = /^([0-9a-f-]{36})-(\d{1,15})$/.exec(id);
  return match === null ? null : { log_id: match[1]!, position: Number(match[2]) };
}

function encode(event: string, id: LogPosition | null, data: unknown): string {
  // JSON has no line breaks outside strings and escapes those inside: one data line is always enough.
  const id_line = id === null ? "" : `id: ${format_event_id(id)}\n`;
  return `event: ${event}\n${id_line}data: ${JSON.stringify(data)}\n\n`;
}

/** The whole board: the first frame of a subscriber who has nothing. `lines` is the name of the list of lines. */
export function hello_frame(
  reading: Reading,
  board: Board,
  shown: { readonly range: View["range"]; readonly following: boolean; readonly lines: string },
  settings: FeedSettings,
  health: Health,
  now_ms: number,
): string {
  const { window } = board;
  return encode("hello", reading, {
    log_id: reading.log_id,
    position: reading.position,
    now_ms,
    build: settings.build,
    range: shown.range,
    grain: window.grain,
    step_s: window.step_s,
    from_s: window.from_s,
    to_s: window.to_s,
    following: shown.following,
    time_zone: settings.time_zone,
    currency: settings.currency,
    series: board.series,
    cards: board.cards,
    breakdowns: board.breakdowns,
    [shown.lines]: reading.lines,
    health,
    newest_event_ms: reading.newest_event_ms,
  });
}

/** The columns of a series reduced to the buckets that a subscriber lacks: changed since, or outside what it covers. */
export function series_since(board: Board, since: Coverage): Series {
  const { series, changed_at } = board;
  const rows: number[] = [];
  for (let i = 0; i < series.t.length; i++) {
    const t = series.t[i]!;
    if (changed_at[i]! > since.position || t < since.from_s || t >= since.to_s) rows.push(i);
  }
  const pick = (column: readonly number[]): number[] => rows.map((i) => column[i]!);
  const columns = Object.entries(series).map(([name, column]) => [name, pick(column)] as const);
  return { ...Object.fromEntries(columns), t: pick(series.t) };
}

/** What changed since a subscriber's coverage: buckets with their absolute values; cards and breakdowns whole. */
export function kpi_frame(reading: Reading, board: Board, since: Coverage, health: Health, now_ms: number): string {
  return encode("kpi", reading, {
    position: reading.position,
    now_ms,
    from_s: board.window.from_s,
    to_s: board.window.to_s,
    series: series_since(board, since),
    cards: board.cards,
    breakdowns: board.breakdowns,
    health,
    newest_event_ms: reading.newest_event_ms,
  });
}

/** The newest lines that changed after a position, newest first; null when none did. */
export function lines_frame(
  reading: Reading,
  names: { readonly event: string; readonly list: string },
  since_position: number,
): string | null {
  const changed: Line[] = reading.lines.filter((line) => line.position > since_position);
  if (changed.length === 0) return null;
  return encode(names.event, reading, { position: reading.position, [names.list]: changed });
}

/** The heartbeat: says that the feed lives, and how the program is. */
export function heartbeat_frame(now_ms: number, position: number, health: Health): string {
  return encode("hb", null, { now_ms, position, health });
}

/** Tells a subscriber to throw away what it has; a hello follows. */
export function reset_frame(reason: string): string {
  return encode("reset", null, { reason });
}

/** A planned end: the subscriber is to come back after `retry_ms`. */
export function bye_frame(reason: string, retry_ms: number): string {
  return encode("bye", null, { reason, retry_ms });
}
