import { type Queryable, took_too_long } from "../../database/mod.ts";
import {
  type Head,
  type Moment,
  moment_at_position,
  moment_at_time,
  read_head,
  TooMuchChangedSince,
} from "../../event_log/mod.ts";
import { type DomainBoard, in_currency } from "../../domains/mod.ts";
import {
  type Arrived,
  type Asked,
  comparisons_of,
  find_counted,
  is_of_cells,
  is_too_long,
  type PastStates,
  reached_ms,
  read_window,
  type StatesRelation,
  too_long_for_states,
  too_long_words,
  type View,
  type Window,
} from "../../feed/mod.ts";
import type { Clock } from "../../runtime/mod.ts";
import { bad_request, problem, respond } from "../answers.ts";
import type { AsOf } from "../parameters.ts";
import { answer_tagged, type Gate, read_only, STATEMENT_TIMEOUT_MS, unless_too_many } from "../reading.ts";
import type { KpiSource } from "./kpi_routes.ts";

/** Answers that are dear and may be of any moment of the log: how they take turns, what bounds them, and of which moment they are. */

/** What the board is read from. */
export interface BoardSource extends KpiSource {
  readonly currency: string;
  readonly past: PastStates;
}

/** What is read of, as of now or then. */
export interface Then {
  readonly head: Head;
  /** Null: now. */
  readonly moment: Moment | null;
  readonly window: Window;
  readonly now_ms: number;
  /** The answer's entity tag: the same while it would be the same. */
  readonly tag: string;
}

/** How dear readings of a kind take turns, by which name their answers are told apart, and how many of them are read at a time, in words. */
export interface Turn {
  readonly gate: Gate;
  readonly are: string;
  readonly name: string;
  /** How long a statement of theirs may take, milliseconds; as long as of any unless given. */
  readonly most_ms?: number;
}

/** Answers what is asked of a view as of now or then: in its turn, bounded in time, of one moment of the log, and told by an entity tag. */
export async function answer_then(
  source: BoardSource,
  request: Request,
  { view, as_of }: { readonly view: View; readonly as_of: AsOf | null },
  { gate, are, name, most_ms }: Turn,
  answer: (reading: Queryable, then: Then) => Promise<string | Response>,
): Promise<Response> {
  const { database, board, clock, build } = source;
  const found = await gate.run(() =>
    timed(() =>
      read_only(database, async (reading) => {
        if (most_ms !== undefined) await reading.query(`set local statement_timeout = ${most_ms}`);
        const head = await read_head(reading);
        const moment = as_of && await moment_of(reading, as_of, head);
        if (moment instanceof Response) return moment;
        const now_ms = moment === null ? clock.now_ms() : recorded_ms_of(moment, as_of!, clock);
        const window = await read_window(reading, source, view, now_ms), at = moment?.position ?? head.position;
        const minute = Math.floor(now_ms / 60_000);
        const tag = `W/"${head.figures_id}-${at}-${name}-${window.to_s}-${window.grain}-${minute}-${build}"`;
        return await answer_tagged(request, tag, () => answer(reading, { head, moment, window, now_ms, tag }));
      }, board), most_ms)
  );
  return found ?? busy(are, gate.limits.wait_ms);
}

/** What is added up from states under a view, as of now or then; the problem of a range that is too long for that. */
export async function states_then(
  reading: Queryable,
  source: BoardSource,
  view: View,
  { head, moment, window: wanted, now_ms }: Then,
) {
  const { days } = source, board = in_currency(source.board, view.currency), asked = { board, days, kept: head.kept };
  const position = moment?.position ?? head.position;
  if (is_too_long(view, wanted)) return too_long(board);
  await reading.query("select set_config('jit', 'off', true), set_config('work_mem', '64MB', true)");
  const all = await source.past(reading, position, head.position, board), at = { position, now_ms };
  const { watched, states, arrived } = await find_counted(reading, asked, { view, window: wanted }, all, at);
  return { board, position, states, arrived, window: watched.window };
}

function too_long(board: DomainBoard): Response {
  const detail = `expected a shorter range: ${too_long_words(board)}`;
  return bad_request("the range is too long to be added up", [{ path: "to", detail }]);
}

/** What is counted by the keys of a dimension under a view, as of now or then: of which states, and over which stretches. */
export interface KeysThen {
  readonly board: DomainBoard;
  readonly asked: Asked;
  readonly position: number;
  readonly states: StatesRelation;
  /** Null: by event time. */
  readonly arrived: Arrived | null;
  /** In buckets that the dimension keeps; by arrival the view's. */
  readonly window: Window;
  /** Whether it is in no cell and is added up from states. */
  readonly computed: boolean;
  /** The stretch that it is compared with; null: there is none, or it is too long to be added up. */
  readonly earlier: Window | null;
}

/** Finds what is counted by the keys of a dimension; the problem of a range that is too long for its filter. */
export async function keys_then(
  reading: Queryable,
  source: BoardSource,
  { view, dimension }: { readonly view: View; readonly dimension: string },
  { head, moment, window: wanted, now_ms }: Then,
): Promise<KeysThen | Response> {
  const { days } = source, board = in_currency(source.board, view.currency), asked = { board, days, kept: head.kept };
  const position = moment?.position ?? head.position, { filter } = view;
  await reading.query("select set_config('jit', 'off', true)");
  const all = await source.past(reading, position, head.position, board), at = { position, now_ms };
  const { watched, states, arrived } = await find_counted(reading, asked, { view, window: wanted }, all, at);
  const is_computed = (window: Window) => !is_of_cells(asked, { filter, window, dimension }, states);
  const is_too_dear = (window: Window) => is_computed(window) && too_long_for_states(window);
  const { window } = watched;
  if (arrived === null && is_too_dear(window)) return too_long(board);
  const newest_us = moment === null ? head.watermark_us : moment.watermark_us;
  const reached = reached_ms(now_ms, newest_us === null ? null : newest_us / 1000);
  const stretch = arrived === null ? comparisons_of(window, reached, days)[view.compare].stretch : null;
  const before = stretch === null || stretch.to_s <= stretch.from_s ? null : { ...window, ...stretch };
  const earlier = before === null || is_too_dear(before) ? null : before;
  return { board, asked, position, states, arrived, window, computed: is_computed(window), earlier };
}

/** The moment that is asked for, or the problem of one that the log has not come to. */
export async function moment_of(reading: Queryable, asked: AsOf, head: Head): Promise<Moment | Response> {
  if (asked.position === null) return await moment_at_time(reading, asked.at_us!);
  return asked.position > head.position ? not_so_far(head.position) : await moment_at_position(reading, asked.position);
}

/** When a moment was, milliseconds: when its position was recorded, else the time that is asked for, else now. */
export const recorded_ms_of = (moment: Moment, asked: AsOf, clock: Clock): number =>
  Math.floor((moment.recorded_at_us ?? asked.at_us ?? clock.now_ms() * 1000) / 1000);

/** The problem of a position that the log has not come to. */
export function not_so_far(head: number): Response {
  const detail = `expected at most ${head}, where the log ends`;
  return bad_request("the log has not come so far", [{ path: "as_of_position", detail }]);
}

/** Turns what a reading of a board is bounded by into what its client can do. */
export async function timed(
  work: () => Promise<Response>,
  most_ms: number = STATEMENT_TIMEOUT_MS,
): Promise<Response> {
  try {
    return await unless_too_many(work);
  } catch (error) {
    if (error instanceof TooMuchChangedSince) {
      return bad_request("too much has changed since", [{ path: "as_of", detail: error.message }]);
    }
    if (!took_too_long(error)) throw error;
    const limit = `a statement took longer than ${most_ms / 1000} s, the most it may`;
    return problem({ status: 503, title: "Took too long", detail: `${limit}; ask for a shorter range` });
  }
}

/** The problem of one whose turn did not come in time. @param are how many of what are read at a time */
export function busy(are: string, wait_ms: number): Response {
  const detail = `${are} read at a time, and it was not this one's turn within ${wait_ms / 1000} s`;
  return problem({ status: 503, title: "Busy", detail, headers: { "retry-after": "5" } });
}

/** Longest row of a table as CSV is not bounded, but its rows are: by who makes it. A text that a spreadsheet would take for a formula gets an apostrophe. */
export function answer_csv(head: readonly string[], rows: readonly (readonly (string | number | null)[])[]): Response {
  const cell = (value: string | number | null): string => {
    const text = `${value ?? ""}`;
    // Amounts are numbers, of whatever sign.
    const safe = typeof value === "string" && /^[=+\-@\t\r\n]/.test(text) && !/^-?\d+(\.\d+)?$/.test(text)
      ? `'${text}`
      : text;
    return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
  };
  const lines = [head, ...rows].map((row) => `${row.map(cell).join(",")}\r\n`);
  const headers = { "content-type": "text/csv; charset=utf-8", "cache-control": "no-store" };
  return respond(`\ufeff${lines.join("")}`, headers);
}

/** Texts that are like one, the most alike first: at most three, none that is further from it than a third of its letters. */
export function near_of(text: string, among: readonly string[]): string[] {
  const asked = text.trim().toLowerCase().slice(0, 60), most = Math.max(1, Math.floor(asked.length / 3));
  const found = among.flatMap((name) => {
    const like = name.toLowerCase().slice(0, 60);
    if (Math.abs(like.length - asked.length) > most) return [];
    const away = distance(asked, like);
    return away <= most ? [{ name, away }] : [];
  });
  return found.sort((a, b) => a.away - b.away || (a.name < b.name ? -1 : 1)).slice(0, 3).map(({ name }) => name);
}

/** How many letters have to be changed, added or taken away to make one text of another. */
function distance(a: string, b: string): number {
  let before = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const other = before[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      row.push(Math.min(other, before[j]! + 1, row[j - 1]! + 1));
    }
    before = row;
  }
  return before[b.length]!;
}
