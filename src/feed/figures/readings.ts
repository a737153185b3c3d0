import { type Database, plain_array, type Queryable, snapshot, took_too_long } from "../../database/mod.ts";
import { model_tables } from "../../domains/mod.ts";
import { type Kept, same_kept } from "../../kpi/mod.ts";
import { type Head, read_head } from "../../event_log/mod.ts";
import {
  type Board,
  changed_since,
  draw,
  type LaneBoard,
  type NewestLines,
  shown_board,
  type ShownBoard,
} from "./board.ts";
import { type CurrencyCount, read_currencies } from "./breakdown.ts";
import { figures_of_cells } from "./cells.ts";
import { type Compared, read_comparisons } from "./comparisons.ts";
import { keyed_series, with_keyed } from "./keyed.ts";
import { mark_series, type MarkedBuckets, read_marked } from "./corrections.ts";
import {
  type Asked,
  cells_question,
  is_too_long,
  of_view,
  type Question,
  states_question,
  too_long_words,
} from "./question.ts";
import { figures_of_states, type Line, read_lines } from "./states.ts";
import { type Arrived, arrived_states, find_arrived, present_states, type StatesRelation } from "./states_relation.ts";
import { comparisons_of, is_whole, reached_ms, type Watched, type Window, window_of_last } from "./view.ts";

/**
 * Reads boards: what cells say of all watched views, at once and often; what states say of one, when there is time; and the whole board of a
 * view for one who does not follow, as of now or as of a position of the log.
 */

/** Whether two windows cover the same buckets. */
const same_window = (a: Window, b: Window): boolean =>
  a.from_s === b.from_s && a.to_s === b.to_s && a.step_s === b.step_s;

/** What boards are read from. */
export interface FeedSource extends Asked {
  readonly database: Database;
  /** Longest time that one statement of the slow lane may take; `LANE_TIMEOUT_MS` when absent. */
  readonly lane_timeout_ms?: number;
}

/** Longest time that one statement of the lane may take. */
export const LANE_TIMEOUT_MS = 2_000;

/** What is read at one moment from cells and the log: one snapshot of the database, so that all of it belongs to one position. */
export interface Reading {
  /** What cells of fine grains were kept. */
  readonly kept: Kept;
  readonly log_id: string;
  readonly position: number;
  /** The newest event time in the log, milliseconds. */
  readonly newest_event_ms: number | null;
  /** The newest states, newest first; of a domain by currency each board has its own. */
  readonly lines: readonly Line[];
  /** Of a domain by currency: which there are. */
  readonly currencies?: readonly CurrencyCount[];
  /** Boards by view key, of those views that cells answer. */
  readonly boards: ReadonlyMap<string, CellsBoard>;
  /** When positions that subscribers resume from were recorded, milliseconds. */
  readonly recorded_ms: ReadonlyMap<number, number>;
}

/** What was read from cells, and what the marks of late corrections were made from. */
type CellsBoard = Board & { readonly marked: MarkedBuckets; readonly own_lines: NewestLines | null };

/**
 * Reads what is stale of the last reading: nothing but the head when the log did not move and no window slid. All that
 * is read comes from one snapshot of the database, so that series, cards and lines agree.
 * @param watched the watched views, by view key; those that no cells answer are passed over
 * @param resumed positions that subscribers resume from
 */
export async function read_boards(
  source: FeedSource,
  watched: ReadonlyMap<string, Watched>,
  resumed: readonly number[],
  last: Reading | null,
): Promise<Reading> {
  const answered_of = (kept: Kept) =>
    [...watched].filter(([, each]) => cells_question({ ...source, kept }, each) !== null);
  const fresh = (reading: Reading, key: string, { window }: Watched) => {
    const board = reading.boards.get(key);
    return board !== undefined && same_window(board.window, window) ? board : null;
  };
  const head = await read_head(source.database);
  const current = last !== null && is_current(last, head) && resumed.length === 0;
  if (current && answered_of(head.kept).every(([key, each]) => fresh(last, key, each) !== null)) return last;
  return await snapshot(source.database, async (transaction) => {
    const seen = await read_head(transaction);
    const kept = last !== null && is_current(last, seen) ? last : null;
    const newest_s = seen.watermark_us === null ? null : seen.watermark_us / 1e6;
    const goes_on = last !== null && last.log_id === seen.figures_id && !went_back(last, seen);
    const boards = new Map<string, CellsBoard>();
    const asked = { ...source, kept: seen.kept };
    for (const [key, each] of answered_of(seen.kept)) {
      const before = goes_on ? last.boards.get(key) ?? null : null, { position } = seen;
      boards.set(
        key,
        (kept && fresh(kept, key, each)) ?? await read_board(transaction, asked, each, { newest_s, position }, before),
      );
    }
    const { board } = source, whole = board.by_currency === undefined;
    return {
      kept: seen.kept,
      log_id: seen.figures_id,
      position: seen.position,
      newest_event_ms: newest_event_ms(seen),
      boards,
      lines: kept?.lines ??
        (whole ? await read_lines(transaction, board, present_states(board), [], seen) : []),
      ...whole ? {} : { currencies: kept?.currencies ?? await read_currencies(transaction, board) },
      recorded_ms: await read_recorded(transaction, resumed),
    };
  }, model_tables(source.board));
}

const newest_event_ms = ({ watermark_us }: Head): number | null =>
  watermark_us === null ? null : Math.floor(watermark_us / 1000);

/** Event time may have been set back: nothing else moves then. */
const is_current = (last: Reading, head: Head): boolean =>
  same_kept(last.kept, head.kept) &&
  last.log_id === head.figures_id && last.position === head.position && last.newest_event_ms === newest_event_ms(head);

/** Whether event time has gone back since: marks that were made before are not believed then. */
const went_back = (last: Reading, head: Head): boolean =>
  (newest_event_ms(head) ?? -Infinity) < (last.newest_event_ms ?? -Infinity);

async function read_board(
  queryable: Queryable,
  source: FeedSource,
  watched: Watched,
  { newest_s, position }: { readonly newest_s: number | null; readonly position: number },
  before: CellsBoard | null,
): Promise<CellsBoard> {
  const question = cells_question(source, watched)!, own = question.board;
  const figures = await figures_of_cells(queryable, question);
  const board = draw(question, figures), keyed = keyed_series(question, figures, before?.lines_of ?? {});
  const { series, changed_at } = with_keyed(board, keyed);
  // States move between keys as they go on: that is no correction. The whole is asked, and marks what a correction touched.
  const marked = await read_marked(queryable, question, newest_s, before?.marked ?? null);
  const lines = watched.view.filter.length > 0 || own.currency === undefined
    ? null
    : await read_lines(queryable, own, present_states(own), [], { position });
  const whole_at = new Map(marked.t.map((t, i) => [t, marked.changed_at[i]!]));
  const touched = series.t.map((t, i) => changed_at[i]! >= (whole_at.get(t) ?? 0));
  return {
    ...board,
    series: mark_series(series, marked, touched),
    // A mark may change while the bucket's own figures do not.
    changed_at: changed_at.map((at, i) => Math.max(at, whole_at.get(series.t[i]!) ?? at)),
    lines_of: keyed.lines,
    marked,
    own_lines: lines && lines_since(lines, position, before?.own_lines ?? null),
  };
}

async function read_recorded(queryable: Queryable, positions: readonly number[]): Promise<Map<number, number>> {
  if (positions.length === 0) return new Map();
  const rows = await queryable.query<{ position: string; recorded_ms: string }>({
    name: "feed_recorded",
    text: `select position, floor(extract(epoch from recorded_at) * 1000)::bigint as recorded_ms
           from events where position = any($1::bigint[])`,
  }, [plain_array([...new Set(positions)])]);
  return new Map(rows.map((row) => [Number(row.position), Number(row.recorded_ms)]));
}

/** Runs reads that see one moment, none of which may take long. */
function bounded<T>(source: FeedSource, work: (reading: Queryable) => Promise<T>): Promise<T> {
  return snapshot(source.database, work, model_tables(source.board), source.lane_timeout_ms ?? LANE_TIMEOUT_MS);
}

/** A view as states answer it: of which of them, over which window. */
interface Counted {
  readonly watched: Watched;
  readonly states: StatesRelation;
  readonly arrived: Arrived | null;
}

/**
 * Finds what a view counts: by event time all states, by arrival those whose newest event arrived in its range.
 * @param states all of them, as of the position
 * Throws TooManyArrived.
 */
export async function find_counted(
  reading: Queryable,
  { board, days }: Asked,
  watched: Watched,
  states: StatesRelation,
  { position, now_ms }: { readonly position: number; readonly now_ms: number },
): Promise<Counted> {
  const { view } = watched;
  if (view.order === undefined) return { watched, states, arrived: null };
  const arrived = await find_arrived(reading, view.range === "last" ? view : watched.window, position);
  const { oldest_us, newest_us } = arrived;
  const window = view.range !== "last" || oldest_us === null || newest_us === null
    ? watched.window
    : window_of_last({ oldest_us, newest_us }, now_ms, days);
  return { watched: { view, window }, states: arrived_states(board, states, arrived), arrived };
}

/**
 * Reads what no cell says of a view, and its newest lines unless it is of all there is.
 * @param last what was read of this view before
 */
export function read_lane_board(
  given: FeedSource,
  asked: Watched,
  last: LaneBoard | null,
  now_ms: number,
): Promise<LaneBoard> {
  return bounded(given, async (reading) => {
    const { figures_id: log_id, position, watermark_us, kept } = await read_head(reading);
    const source: FeedSource = { ...of_view(given, asked.view), kept };
    const before = last?.log_id === log_id ? last : null;
    const all = present_states(source.board);
    const { watched, states, arrived } = await find_counted(reading, source, asked, all, { position, now_ms });
    const { view, window } = watched, question = states_question(source, watched);
    const lines = is_whole(view)
      ? null
      : await read_lines(reading, source.board, all, view.filter, { position, arrived });
    const { figures, late } = await cards_first(reading, question, states);
    const drawn = draw(question, figures), keyed = keyed_series(question, figures, before?.keyed.lines ?? {});
    // What was not read anew stays as it was.
    const board = late.length === 0 ? drawn : { ...drawn, breakdowns: before?.breakdowns ?? [] };
    let own: Pick<Board, "series" | "changed_at"> = board;
    if (board.known) {
      const newest_s = watermark_us === null ? null : watermark_us / 1e6;
      // What arrived stays where it did: that is not corrected.
      const marked = arrived === null ? await read_marked(reading, question, newest_s, null) : null;
      const known = before?.known && before.window.step_s === window.step_s ? before : null;
      own = with_keyed(
        changed_since(source.board, mark_series(board.series, marked), position, window.from_s, known),
        keyed,
      );
    }
    return {
      ...board,
      ...own,
      lines_of: keyed.lines,
      keyed,
      log_id,
      position,
      read_ms: now_ms,
      lines: lines && lines_since(lines, position, before?.lines ?? null),
      arrived,
      missing: left_out(late) ??
        (view.filter.length > 0 && is_too_long(view, window) ? too_long_words(source.board) : null),
    };
  });
}

/** What states say of a question, cards and series before the breakdowns beside them: where these take too long the figures are there. */
async function cards_first(reading: Queryable, question: Question, states: StatesRelation) {
  const { breakdowns = [], ...wants } = question.wants, late: string[] = [];
  if (!wants.series || breakdowns.length === 0) {
    return { figures: await figures_of_states(reading, question, states), late };
  }
  const figures = await figures_of_states(reading, { ...question, wants }, states);
  const beside = await so_far(
    reading,
    late,
    "breakdowns",
    () => figures_of_states(reading, { ...question, wants: { breakdowns } }, states),
  );
  return { figures: { ...figures, keys: beside?.keys ?? [] }, late };
}

function lines_since(
  list: readonly Line[],
  position: number,
  last: NewestLines | null,
): NewestLines {
  return last !== null && JSON.stringify(last.list) === JSON.stringify(list) ? last : { list, changed_at: position };
}

/**
 * Reads a view's comparisons: from the cells of its filter, or from states where there are none.
 * @param until_ms how far the window's figures have come, see `reached_ms`
 */
export function read_compared(source: FeedSource, watched: Watched, until_ms: number): Promise<Compared> {
  const comparisons = comparisons_of(watched.window, until_ms, source.days);
  return bounded(source, async (reading) => {
    const { figures_id: log_id, position, kept } = await read_head(reading);
    const states = present_states(of_view(source, watched.view).board);
    return { log_id, position, ...await read_comparisons(reading, { ...source, kept }, watched, states, comparisons) };
  });
}

/**
 * Reads a view's board as it is now, from where the live feed reads it. What is computed from states may belong to a later position.
 * Where series and cards come from cells, what cannot be computed in time is left out and the board says so. By arrival it is compared with nothing.
 */
export async function read_whole_board(source: FeedSource, watched: Watched, now_ms: number): Promise<ShownBoard> {
  const reading = await read_boards(source, new Map([["", watched]]), [], null);
  const cells = reading.boards.get("") ?? null;
  const late: string[] = [];
  const in_time = <T>(what: string, read: () => Promise<T>): Promise<T | null> =>
    cells === null ? read() : unless_late(late, what, read);
  const compared = watched.view.order === undefined
    ? await in_time(
      "comparisons",
      () => read_compared(source, watched, reached_ms(now_ms, reading.newest_event_ms)),
    )
    : null;
  const slow = await in_time("breakdowns", () => read_lane_board(source, watched, null, now_ms));
  const lane = { board: slow, compared, tried: true, failed: left_out(late), version: 0, compared_version: 0 };
  const board = shown_board(source.board, watched, reading, { cells, lane, wait: false });
  if (board === null) throw new Error("read a whole board: a view that cells answer was not read from them");
  return board;
}

/** Why a board lacks something; null when it has all. */
export const left_out = (late: readonly string[]): string | null =>
  late.length === 0 ? null : `the ${late.join(" and ")} took too long; take a shorter range`;

/** Reads what may be left out: null when it took too long, and what it was is among what is late. */
export async function unless_late<T>(late: string[], what: string, read: () => Promise<T>): Promise<T | null> {
  try {
    return await read();
  } catch (error) {
    if (!took_too_long(error)) throw error;
    late.push(what);
    return null;
  }
}

/** As `unless_late`, within a transaction: the rest of it goes on. */
export async function so_far<T>(
  reading: Queryable,
  late: string[],
  what: string,
  read: () => Promise<T>,
): Promise<T | null> {
  await reading.query("savepoint so_far");
  const answer = await unless_late(late, what, read);
  if (answer === null) await reading.query("rollback to savepoint so_far");
  return answer;
}
