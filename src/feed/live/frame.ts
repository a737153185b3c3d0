import { type Declaration, type DomainBoard, table_names } from "../../domains/mod.ts";
import {
  counts_all,
  goes_on,
  type Line,
  meant_grain,
  type Reading,
  type Series,
  type ShownBoard,
  type Sources,
  VIEW_GRAINS,
  type ViewGrain,
} from "../figures/mod.ts";

/** Frames: what subscribers receive, as server-sent events. Pure; absolute values only, so that a frame may come twice. */

/** The state of the program as the page shows it: part of hello, kpi and hb frames. */
export interface Health {
  readonly ingest: {
    readonly state: "starting" | "running" | "paused" | "stopped";
    readonly reason: string | null;
    readonly since_ms: number;
    /** What an operator can do, where it is known. */
    readonly advice?: string;
    /** What messages come from; none: files and HTTP alone feed the log; elsewhere: another program does, this one only reads. */
    readonly source: "generator" | "kafka" | "none" | "elsewhere";
  };
  readonly database: DatabaseHealth;
  /** When the newest batch was recorded; null when none was. */
  readonly recorded_ms: number | null;
  /** Messages that wait at the source; null while unknown. */
  readonly lag: number | null;
  /** Null while unknown. */
  readonly events_per_s: number | null;
  readonly late: number;
  readonly duplicates: number;
  /** Messages held in quarantine now. */
  readonly quarantined: number;
  readonly position: number;
  /** A read model that is made from the log, beside the one that is shown. */
  readonly rebuilding?: {
    readonly name: string;
    readonly percent: number;
    readonly fault: string | null;
    /** Of a log from before this version: what is not known until that one is switched in, which happens by itself. */
    readonly fills?: readonly string[];
  };
  /** Of a program of several domains: the others that are not as they should be. */
  readonly domains?: readonly { readonly name: string; readonly state: "not open" | "stopped" | "behind" }[];
  /** How many rules of alerts fire, and the first of them with since when; absent: none does. */
  readonly alerts?: {
    readonly firing: number;
    readonly named: readonly { readonly name: string; readonly since_ms: number | null }[];
  };
  /** How many things are unusual now; absent: none is. `/api/v1/unusual` says which. */
  readonly unusual?: number;
}

/** Whether the database answers, since when, and why not. */
export interface DatabaseHealth {
  readonly ok: boolean;
  readonly since_ms: number;
  readonly reason: string | null;
  /** It is there, and owes an answer since then; absent when it answers as it should. */
  readonly slow_since_ms?: number;
  /** It answers and takes nothing in: since when and why; absent when it can be written to. */
  readonly read_only?: { readonly since_ms: number; readonly reason: string };
}

/** What makes two healths tell a viewer the same: a change of it is sent at once. */
export function health_state(health: Health): string {
  const { ingest, database, domains, rebuilding, alerts, unusual } = health;
  return JSON.stringify([
    ingest.state,
    ingest.reason,
    ingest.source,
    database.ok,
    database.slow_since_ms !== undefined,
    domains,
    rebuilding,
    alerts,
    unusual,
  ]);
}

/** What is the same in every hello. */
export interface FeedSettings {
  readonly build: string;
  readonly time_zone: string;
  readonly currency: string;
  /** Below which path the board is served; at the root unless given. */
  readonly base?: string;
}

/** What frames are made with. */
export interface FrameSettings extends FeedSettings {
  readonly board: Pick<DomainBoard, "lines" | "tables" | "names">;
  /** What hellos carry, so that whoever listens can draw the board. */
  readonly declared: Declaration;
}

/** What there is to tell at some time: a reading, and the boards of all views by their keys. */
export interface Shown {
  readonly reading: Reading;
  readonly boards: ReadonlyMap<string, ShownBoard>;
  readonly health: Health;
  readonly now_ms: number;
}

/** What a subscriber has: all buckets in [from_s, to_s), so wide, as of a position; the rest as of versions of its board. */
export interface Coverage {
  readonly position: number;
  readonly from_s: number;
  readonly to_s: number;
  readonly step_s: number;
  /** False: no bucket at all, they were not known. */
  readonly known: boolean;
  readonly version: number;
  readonly compared_version: number;
  /** That of lines by key; "" where a board has none. */
  readonly lines_version: string;
}

/** A place in a log, and the grain of what was told of it where nobody chose it and it is not what is meant for the range, as SSE ids name it. */
export interface LogPosition {
  readonly log_id: string;
  readonly position: number;
  readonly wider?: ViewGrain;
}

/** Writes an SSE id: `<log id>-<position>`, or `<log id>-<position>-<grain>`. */
function format_event_id({ log_id, position, wider }: LogPosition): string {
  return `${log_id}-${position}${wider === undefined ? "" : `-${wider}`}`;
}

/** Where a board stands. */
export function position_of({ log_id, position, view, window: { grain } }: ShownBoard): LogPosition {
  const meant = view.grain ?? meant_grain(view) ?? grain;
  return { log_id, position, ...grain === meant ? {} : { wider: grain } };
}

/** Reads an SSE id; null when it is not one of ours. */
export function parse_event_id(id: string): LogPosition | null {
  const match = /^([0-9a-f-]{36}(?:\.\d{1,9})?)-(\d{1,15})(?:-(\d\d?[mhd]))?$/.exec(id);
  const wider = VIEW_GRAINS.find((grain) => grain === match?.[3]);
  if (match === null || match[3] !== undefined && wider === undefined) return null;
  return { log_id: match[1]!, position: Number(match[2]), ...wider && { wider } };
}

function encode(event: string, id: LogPosition | null, data: unknown): string {
  // JSON has no line breaks outside strings and escapes those inside: one data line is always enough.
  const id_line = id === null ? "" : `id: ${format_event_id(id)}\n`;
  return `event: ${event}\n${id_line}data: ${JSON.stringify(data)}\n\n`;
}

/** The whole board: the first frame of a subscriber who has nothing. */
export function hello_frame({ health, now_ms }: Shown, board: ShownBoard, settings: FrameSettings): string {
  return encode("hello", position_of(board), {
    ...board_data(board, settings, now_ms),
    declared: settings.declared,
    build: settings.build,
    health,
  });
}

/** All that is said of a board. `now_ms` is when it was read. */
export function board_data(
  board: ShownBoard,
  settings: Pick<FrameSettings, "time_zone" | "currency" | "board">,
  now_ms: number,
): Record<string, unknown> {
  const { view, window, log_id, position, newest_event_ms } = board;
  return {
    log_id,
    position,
    now_ms,
    range: view.range,
    grain: window.grain,
    step_s: window.step_s,
    from_s: window.from_s,
    to_s: window.to_s,
    following: goes_on(view),
    order: view.order ?? "event_time",
    filter: view.filter,
    compare: view.compare,
    time_zone: settings.time_zone,
    currency: view.currency ?? settings.currency,
    series: board.series,
    ...figures_of(board, settings, now_ms),
    ...compared_series_of(board),
    [settings.board.lines.list]: board.lines,
    newest_event_ms,
  };
}

/** What hello and kpi say whole. */
function figures_of(
  board: ShownBoard,
  settings: Pick<FrameSettings, "board">,
  now_ms: number,
): Record<string, unknown> {
  const { view, sources, states, failed } = board;
  const named = (origin: Sources["cards"]) => origin === "cells" ? "cells" : table_names(settings.board).states;
  return {
    // Nothing is known before the slow lane's first answer: no figure may look like one.
    cards: board.known ? board.cards : null,
    breakdowns: board.breakdowns,
    computed: {
      cards: named(sources.cards),
      breakdowns: named(sources.breakdowns),
      position: states?.position ?? null,
      age_ms: states === null ? null : Math.max(now_ms - states.read_ms, 0),
      failed,
    },
    compared: board.compared?.cards ?? {},
    ...Object.keys(board.lines_of).length === 0 ? {} : { keyed: board.lines_of },
    ...view.order === undefined ? {} : { arrived: arrived_data(board), ...reach_of(board) },
    ...board.currencies === undefined ? {} : { currencies: board.currencies },
  };
}

/** What a board by arrival is of; null while it is not known. */
function arrived_data({ view, arrived }: ShownBoard): Record<string, unknown> | null {
  if (arrived === null) return null;
  const ms = (us: number | null) => us === null ? null : Math.floor(us / 1000);
  const { after, last, events, oldest_us, newest_us } = arrived;
  return {
    last: view.range === "last" ? view.last : null,
    events,
    from_position: events === 0 ? null : after + 1,
    to_position: events === 0 ? null : last,
    oldest_ms: ms(oldest_us),
    newest_ms: ms(newest_us),
  };
}

/** How much of the window of a board by arrival its figures are of: up to the newest event of it, and of the newest ones from the first of them. */
function reach_of({ view, arrived }: ShownBoard): Record<string, unknown> {
  const { oldest_us = null, newest_us = null } = arrived ?? {};
  return {
    ...view.range === "last" && oldest_us !== null ? { since_s: oldest_us / 1e6 } : {},
    reached_ms: newest_us === null ? null : Math.floor(newest_us / 1000),
  };
}

const compared_series_of = ({ compared }: ShownBoard): Record<string, unknown> =>
  compared === null ? {} : { compared_series: compared.series, compared_keys: compared.keys };

/** The columns of a series reduced to the buckets that a subscriber lacks: changed since, or outside what it covers; all where lines are of other keys. */
function series_since(board: ShownBoard, since: Coverage): Series {
  const { series, changed_at } = board;
  const rows: number[] = [];
  const all = !since.known || since.lines_version !== board.lines_version;
  for (let i = 0; i < series.t.length; i++) {
    const t = series.t[i]!;
    if (all || changed_at[i]! > since.position || t < since.from_s || t >= since.to_s) rows.push(i);
  }
  const pick = <T>(column: readonly T[]): T[] => rows.map((i) => column[i]!);
  const columns = Object.entries(series).map(([name, column]) => [name, pick(column)] as const);
  return { ...Object.fromEntries(columns), t: pick(series.t) };
}

/** What changed since a subscriber's coverage: buckets with their absolute values; all else whole. */
export function kpi_frame(
  { health, now_ms }: Shown,
  board: ShownBoard,
  since: Coverage,
  settings: FrameSettings,
): string {
  const { position } = board;
  return encode("kpi", position_of(board), {
    position,
    now_ms,
    from_s: board.window.from_s,
    to_s: board.window.to_s,
    series: series_since(board, since),
    ...figures_of(board, settings, now_ms),
    ...since.compared_version === board.compared_version ? {} : compared_series_of(board),
    health,
    newest_event_ms: board.newest_event_ms,
  });
}

/**
 * The newest lines that changed after a position, newest first; null when none did. Under a filter, by arrival, and of a currency,
 * all of them, to stand in place of those before: a state that changed may not match any more.
 */
export function lines_frame(
  board: ShownBoard,
  { event, list }: DomainBoard["lines"],
  since_position: number,
): string | null {
  if (board.lines_at <= since_position) return null;
  if (!counts_all(board.view)) {
    return encode(event, position_of(board), { position: board.position, replace: true, [list]: board.lines });
  }
  const changed: Line[] = board.lines.filter((line) => line.position > since_position);
  if (changed.length === 0) return null;
  return encode(event, position_of(board), { position: board.position, [list]: changed });
}

/** The heartbeat: says that the feed lives, how the program is, and of which build: who resumes on another one gets no hello. */
export function heartbeat_frame(build: string, now_ms: number, position: number, health: Health): string {
  return encode("hb", null, { build, now_ms, position, health });
}

/** Tells a subscriber to throw away what it has; a hello follows. */
export function reset_frame(reason: string): string {
  return encode("reset", null, { reason });
}

/** A planned end: the subscriber is to come back after `retry_ms`. */
export function bye_frame(reason: string, retry_ms: number): string {
  return encode("bye", null, { reason, retry_ms });
}
