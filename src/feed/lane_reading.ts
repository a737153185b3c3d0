import { type Queryable, snapshot } from "../database/mod.ts";
import { read_head } from "../event_log/mod.ts";
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
  read_states_board,
  read_states_breakdowns,
  read_states_cards,
  read_states_figures,
  read_states_series,
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
    const { series, cards, breakdowns } = await read_states_board(reading, board, states, filter, window, days);
    const condition = condition_of_cells(board, filter, window.grain);
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
    const comparison = comparisons[view.compare], states = present_states(source.board);
    const cards = [];
    let compared: Series | null = null;
    for (const name of COMPARISONS) {
      const read = async () => {
        const read = await read_compared_figures(
          reading,
          source,
          { view, window },
          comparisons[name],
          name === view.compare,
        );
        compared = read.series ?? compared;
        return read.cards;
      };
      cards.push(
        [name, await read_stretch(reading, source.board, states, comparisons[name], cut_s(window), read)] as const,
      );
    }
    const series = compared ?? await read_compared_series(reading, source, { view, window }, comparison);
    return {
      log_id,
      position,
      cards: Object.fromEntries(cards) as Record<ComparisonName, Compared["cards"][ComparisonName]>,
      series: present_series(source, { view, window }, comparison, series),
    };
  });
}

/**
 * Reads a comparison's cards, where the log knows anything of its stretch, and since when.
 * @param states all states: those whose times the log is asked by
 * @param cut what the stretch is cut by, seconds
 */
export async function read_stretch(
  reading: Queryable,
  board: SnapshotSource["board"],
  states: StatesRelation,
  { stretch }: Comparison,
  cut: number,
  read: () => Promise<Cards>,
): Promise<ComparedCards> {
  const { from_s, to_s } = stretch;
  if (from_s === to_s) return { ...stretch, since_s: null, least_base: LEAST_BASE, cards: {} };
  const { before_s, first_s } = await read_begin(reading, board, states, from_s, to_s, cut);
  const whole = before_s !== null || first_s === from_s;
  const since_s = whole ? null : first_s ?? to_s;
  return { ...stretch, since_s, least_base: LEAST_BASE, cards: since_s === to_s ? {} : await read() };
}

/**
 * How long nothing may have happened before a stretch that lies in the log, seconds. Further back there may be one stray event, of a wrong
 * clock: that is no beginning of a log.
 */
const LONGEST_SILENCE_S = 7 * 86_400;

/** Where events lie around the beginning of a stretch, by their minute or five, seconds: the last one before it, the first in it. */
async function read_begin(
  reading: Queryable,
  board: SnapshotSource["board"],
  states: StatesRelation,
  from_s: number,
  to_s: number,
  cut: number,
): Promise<{ readonly before_s: number | null; readonly first_s: number | null }> {
  const { tables: { cells }, whole: { dimension, key }, measures, facts, dates } = board;
  // A cell stays when all that it counted was taken back.
  const counts = measures.flatMap(({ name, kind }) => kind === "count" ? [`${name} > 0`] : []).join(" or ");
  const within = (from: string, to: string) => `>= to_timestamp(${from}::bigint) and $at < to_timestamp(${to}::bigint)`;
  const parameters = new Parameters(states.values);
  const [silent, from, to] = [from_s - LONGEST_SILENCE_S, from_s, to_s].map((value) => parameters.add(value));
  const find = (found: string, from: string, to: string) => {
    if (is_present(board, states)) {
      const place = `grain = '${
        cut < 300 ? "1m" : "5m"
      }' and dimension = '${dimension}' and key = '${key}' and (${counts})`;
      return `(select ${found}(bucket) from ${cells} where ${place} and bucket ${
        within(from, to).replace("$at", "bucket")
      })`;
    }
    // By each column that dates a fact: the first or last row of a range of its index.
    const own = dates.map((date) => {
      const at = `states.${date}`;
      const dated = facts.map((fact) => `${fact.counts} and ${fact.at} = ${at}`).join(" or ");
      return `(select ${at} as at from ${states.sql} states where ${at} ${
        within(from, to).replace("$at", at)
      } and (${dated})
        order by 1 ${found === "max" ? "desc" : "asc"} limit 1)`;
    });
    return `(select ${found}(at) from (${own.join(" union all ")}) dated)`;
  };
  const [row] = await reading.query<{ before_s: string | null; first_s: string | null }>(
    `select floor(extract(epoch from ${find("max", silent!, from!)}) / ${cut})::bigint * ${cut} as before_s,
       floor(extract(epoch from ${find("min", from!, to!)}) / ${cut})::bigint * ${cut} as first_s`,
    parameters.values,
  );
  const seconds = (value: string | null | undefined) => value === null || value === undefined ? null : Number(value);
  return { before_s: seconds(row?.before_s), first_s: seconds(row?.first_s) };
}

/** The series of a comparison, moved into the present. */
export function present_series(
  { board, days }: Pick<SnapshotSource, "board" | "days">,
  { view, window }: Watched,
  comparison: Comparison,
  series: Series,
): Compared["series"] {
  const columns = board.compared_series.map((name) => [name, series[name] ?? []] as const);
  const t = series.t.map((t) => present_of(t, window, comparison, days));
  return { name: view.compare, shift_s: comparison.shift_s, t, ...Object.fromEntries(columns) };
}

/** A comparison's cards; and where its series is shown and read from states, that, in the same reading. */
async function read_compared_figures(
  reading: Queryable,
  { board, days }: LaneSource,
  { view: { filter }, window }: Watched,
  { stretch, window: then }: Comparison,
  is_shown: boolean,
): Promise<{ readonly cards: Cards; readonly series: Series | null }> {
  if (stretch.from_s === stretch.to_s) return { cards: {}, series: null };
  const condition = condition_of_cells(board, filter, window.grain), states = present_states(board);
  if (condition === null && is_shown) {
    return await read_states_figures(reading, board, states, filter, stretch, then, days);
  }
  const whole = condition !== null && (keeps_sketches(board, condition.dimension) || too_long_for_states(stretch));
  if (!whole) return { cards: await read_states_cards(reading, board, states, filter, stretch, days), series: null };
  const within = { from_us: stretch.from_s * 1e6, to_us: stretch.to_s * 1e6, finest_s: cut_s(window) };
  const tiles = tiles_of(board, condition.dimension, within, days);
  const totals = await read_cell_totals(reading, board, condition, tiles);
  const quantiles = await read_quantiles(reading, board, days, condition, within);
  return { cards: cards_of(board, totals, null, quantiles), series: null };
}

async function read_compared_series(
  reading: Queryable,
  { board, days }: LaneSource,
  { view: { filter }, window }: Watched,
  comparison: Comparison,
): Promise<Series> {
  const condition = condition_of_cells(board, filter, window.grain);
  return condition === null
    ? await read_states_series(reading, board, present_states(board), filter, comparison.window, days)
    : (await read_cell_figures(reading, board, condition, comparison.window)).series;
}
