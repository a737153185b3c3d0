import { type Queryable, snapshot } from "../database/mod.ts";
import { read_head } from "../event_log/mod.ts";
import type { Days } from "../kpi/mod.ts";
import type { Cards, Compared, ComparedCards, LaneFigures, Line, Series, Watched, WindowFigures } from "./board.ts";
import { cards_of } from "./board_figures.ts";
import { tiles_of } from "./breakdown.ts";
import { read_cell_figures, read_cell_totals, read_changed_buckets } from "./cells.ts";
import {
  type Comparison,
  type ComparisonName,
  COMPARISONS,
  comparisons_of,
  cut_s,
  LEAST_BASE,
  present_of,
} from "./comparison.ts";
import type { Condition } from "./filter.ts";
import { read_lines } from "./lines.ts";
import { read_quantiles } from "./quantiles.ts";
import { mark_series, read_revised } from "./revision.ts";
import { changed_since } from "./series_changes.ts";
import type { SnapshotSource } from "./snapshot.ts";
import {
  cards_lacking,
  condition_of_cells,
  keeps_sketches,
  TOO_LONG_FOR_STATES,
  too_long_for_states,
} from "./source.ts";
import {
  type BoardParts,
  is_long,
  read_states_board,
  read_states_breakdowns,
  read_states_figures,
} from "./states_board.ts";
import { is_present, Parameters, present_states, type StatesRelation } from "./states_relation.ts";

/** What the slow lane reads: figures that no cell holds, and comparisons. */

/** Longest time that one statement of the lane may take. */
export const LANE_TIMEOUT_MS = 2_000;

/** What a reading of the lane needs. */
export interface LaneSource extends SnapshotSource {
  /** Longest time of a statement; `LANE_TIMEOUT_MS` when absent. */
  readonly lane_timeout_ms?: number;
}

/** Runs reads that see one moment, none of which may take long. */
function bounded<T>(source: LaneSource, work: (reading: Queryable) => Promise<T>): Promise<T> {
  return snapshot(source.database, async (reading) => {
    await reading.execute(`set local statement_timeout = ${source.lane_timeout_ms ?? LANE_TIMEOUT_MS}`);
    return await work(reading);
  });
}

/**
 * Reads what no cell says of a view: without a filter the breakdowns of dimensions that keep no windows; with one all
 * breakdowns, what is so now, and the newest states; and series and cards where no cells answer the filter.
 * @param last what was read of this view before
 */
export function read_lane_figures(
  source: LaneSource,
  { view: { filter }, window }: Watched,
  last: LaneFigures | null,
  now_ms: number,
): Promise<LaneFigures> {
  const { board, days } = source;
  return bounded(source, async (reading) => {
    const { log_id, position, watermark_us } = await read_head(reading);
    const before = last?.log_id === log_id ? last : null;
    const states = present_states(board);
    const too_long = too_long_for_states(window);
    const answer: LaneFigures = {
      log_id,
      position,
      read_ms: now_ms,
      window,
      own: null,
      cards: {},
      breakdowns: [],
      lines: null,
      missing: too_long && filter.length > 0 ? TOO_LONG_FOR_STATES : null,
    };
    if (filter.length === 0) {
      if (too_long) return answer;
      const listed = board.states_breakdowns;
      return {
        ...answer,
        breakdowns: await read_states_breakdowns(reading, board, states, filter, window, days, listed),
      };
    }
    const lines = lines_since(await read_lines(reading, board, states, filter, position), position, before);
    if (too_long) return { ...answer, lines };
    const condition = condition_of_cells(board, filter, window.grain);
    // Of what cells answer only that is computed which they do not have.
    const parts: BoardParts | undefined = condition === null
      ? undefined
      : keeps_sketches(board, condition.dimension)
      ? { by: "none", quantiles: false }
      : { by: "all", quantiles: true };
    const read = await read_states_board(reading, board, states, filter, window, days, parts);
    const { series, cards, breakdowns } = read;
    if (condition !== null) {
      const lacking = cards_lacking(board, condition).map((name) => [name, cards[name] ?? null] as const);
      return { ...answer, cards: Object.fromEntries(lacking), breakdowns, lines };
    }
    const buckets = await read_changed_buckets(reading, board, window);
    const newest_s = watermark_us === null ? null : watermark_us / 1e6;
    const revised_ms = await read_revised(reading, days, window, buckets, newest_s, null);
    const marked = mark_series(series, { ...buckets, revised_ms });
    const own: WindowFigures = {
      window,
      cards,
      ...changed_since(marked, position, window.from_s, before?.own ?? null),
    };
    return { ...answer, own, breakdowns, lines };
  });
}

function lines_since(list: readonly Line[], position: number, before: LaneFigures | null): LaneFigures["lines"] {
  const last = before?.lines ?? null;
  return last !== null && JSON.stringify(last.list) === JSON.stringify(list) ? last : { list, changed_at: position };
}

/**
 * Reads a view's comparisons: from the cells of its filter, or from states where there are none.
 * @param until_ms how far the window's figures have come, see `reached_ms`
 */
export function read_compared(source: LaneSource, { view, window }: Watched, until_ms: number): Promise<Compared> {
  const comparisons = comparisons_of(window, until_ms, source.days);
  return bounded(source, async (reading) => {
    const { log_id, position } = await read_head(reading);
    const states = present_states(source.board);
    return { log_id, position, ...await read_comparisons(reading, source, { view, window }, states, comparisons) };
  });
}

/**
 * Reads the cards of all comparisons, where the log knows anything of their stretches, and since when; and the series of the one that is
 * shown. Of the present from the cells of the filter where these have them, all else from states in one statement.
 * @param states all states: as they stand, or as they stood
 */
export async function read_comparisons(
  reading: Queryable,
  { board, days }: Pick<SnapshotSource, "board" | "days">,
  { view, window }: Watched,
  states: StatesRelation,
  comparisons: Readonly<Record<ComparisonName, Comparison>>,
): Promise<Pick<Compared, "cards" | "series">> {
  const { filter } = view, shown = comparisons[view.compare], cut = cut_s(window);
  const condition = is_present(board, states) ? condition_of_cells(board, filter, window.grain) : null;
  const compared = new Map<ComparisonName, ComparedCards>(), computed: ComparisonName[] = [];
  for (const name of COMPARISONS) {
    const { stretch } = comparisons[name], { from_s, to_s } = stretch;
    const since_s = from_s === to_s ? null : await read_since(reading, board, states, stretch, cut);
    let cards: Cards = {};
    if (from_s < to_s && since_s !== to_s) {
      if (condition === null || !keeps_sketches(board, condition.dimension) && !too_long_for_states(stretch)) {
        computed.push(name);
      } else cards = await read_cell_cards(reading, board, days, condition, stretch, cut);
    }
    compared.set(name, { from_s, to_s, since_s, least_base: LEAST_BASE, cards });
  }
  const own = condition === null ? shown.window : null;
  let columns: Series | null = condition === null
    ? null
    : (await read_cell_figures(reading, board, condition, shown.window)).series;
  // Each of long ones may take as long as a statement may.
  const readings = is_long(window) ? computed.map((name) => [name]) : [computed];
  for (const names of readings) {
    const stretches = names.map((name) => comparisons[name].stretch);
    const wanted = names.includes(view.compare) || readings.length === 1 ? own : null;
    const { cards, series } = await read_states_figures(reading, board, states, filter, stretches, wanted, days);
    names.forEach((name, i) => compared.set(name, { ...compared.get(name)!, cards: cards[i]! }));
    if (wanted !== null) columns = series;
  }
  columns ??= (await read_states_figures(reading, board, states, filter, [], own, days)).series;
  return {
    cards: Object.fromEntries(compared) as Record<ComparisonName, ComparedCards>,
    series: present_series({ board, days }, { view, window }, shown, columns),
  };
}

/**
 * How long nothing may have happened before a stretch that lies in the log, seconds. Further back there may be one stray event, of a wrong
 * clock: that is no beginning of a log.
 */
const LONGEST_SILENCE_S = 7 * 86_400;
/** Where there is something nearly always: that little is looked through first. */
const NEAR_S = 3_600;

/** Since when the log holds a stretch, seconds: null where it lies wholly in it, the stretch's end where nothing of it does. */
async function read_since(
  reading: Queryable,
  board: SnapshotSource["board"],
  states: StatesRelation,
  { from_s, to_s }: Comparison["stretch"],
  cut: number,
): Promise<number | null> {
  const first = (from_s: number, to_s: number) => read_first(reading, board, states, from_s, to_s, cut);
  for (const silence_s of [NEAR_S, LONGEST_SILENCE_S]) {
    if (await first(from_s - silence_s, from_s) !== null) return null;
  }
  const first_s = await first(from_s, Math.min(from_s + NEAR_S, to_s)) ?? await first(from_s, to_s);
  return first_s === from_s ? null : first_s ?? to_s;
}

/** Where the first event of a stretch lies, by its minute or five, seconds; null where there is none. */
async function read_first(
  reading: Queryable,
  board: SnapshotSource["board"],
  states: StatesRelation,
  from_s: number,
  to_s: number,
  cut: number,
): Promise<number | null> {
  const { tables: { cells }, whole: { dimension, key }, measures, facts, dates } = board;
  // A cell stays when all that it counted was taken back.
  const counts = measures.flatMap(({ name, kind }) => kind === "count" ? [`${name} > 0`] : []).join(" or ");
  const parameters = new Parameters(states.values);
  const [from, to] = [from_s, to_s].map((value) => `to_timestamp(${parameters.add(value)}::bigint)`);
  const within = (at: string) => `${at} >= ${from} and ${at} < ${to}`;
  // Each column that dates a fact by its own index.
  const firsts = is_present(board, states)
    ? [
      `select min(bucket) as at from ${cells} where grain = '${cut < 300 ? "1m" : "5m"}' and dimension = '${dimension}'
        and key = '${key}' and (${counts}) and ${within("bucket")}`,
    ]
    : dates.map((date) => {
      const at = `states.${date}`;
      const dated = facts.map((fact) => `${fact.counts} and ${fact.at} = ${at}`).join(" or ");
      return `select min(${at}) as at from ${states.sql} states where ${within(at)} and (${dated})`;
    });
  const [row] = await reading.query<{ first_s: string | null }>(
    `select floor(extract(epoch from min(at)) / ${cut})::bigint * ${cut} as first_s from (${
      firsts.join(" union all ")
    }) firsts`,
    parameters.values,
  );
  return row?.first_s == null ? null : Number(row.first_s);
}

/** The series of a comparison, moved into the present. */
function present_series(
  { board, days }: Pick<SnapshotSource, "board" | "days">,
  { view, window }: Watched,
  comparison: Comparison,
  series: Series,
): Compared["series"] {
  const columns = board.compared_series.map((name) => [name, series[name] ?? []] as const);
  const t = series.t.map((t) => present_of(t, window, comparison, days));
  return { name: view.compare, shift_s: comparison.shift_s, t, ...Object.fromEntries(columns) };
}

/** The cards of a stretch from the cells of a condition. */
async function read_cell_cards(
  reading: Queryable,
  board: SnapshotSource["board"],
  days: Days,
  condition: Condition,
  { from_s, to_s }: Comparison["stretch"],
  cut: number,
): Promise<Cards> {
  const within = { from_us: from_s * 1e6, to_us: to_s * 1e6, finest_s: cut };
  const totals = await read_cell_totals(reading, board, condition, tiles_of(board, condition.dimension, within, days));
  return cards_of(board, totals, null, await read_quantiles(reading, board, days, condition, within));
}
