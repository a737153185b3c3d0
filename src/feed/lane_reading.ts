import { type Queryable, snapshot } from "../database/mod.ts";
import { read_head } from "../event_log/mod.ts";
import type { Cards, Compared, LaneFigures, Line, Series, Watched, WindowFigures } from "./board.ts";
import { cards_of } from "./board_figures.ts";
import { tiles_of } from "./breakdown.ts";
import { read_cell_figures, read_cell_totals, read_changed_buckets } from "./cells.ts";
import { type Comparison, type ComparisonName, COMPARISONS, comparisons_of, cut_s, present_of } from "./comparison.ts";
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
import { read_states_board, read_states_breakdowns, read_states_cards, read_states_series } from "./states_board.ts";
import { present_states } from "./states_relation.ts";

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

/** Reads a view's comparisons: from the cells of its filter, or from states where there are none. */
export function read_compared(source: LaneSource, { view, window }: Watched, now_ms: number): Promise<Compared> {
  const comparisons = comparisons_of(window, now_ms, source.days);
  return bounded(source, async (reading) => {
    const { log_id, position } = await read_head(reading);
    const cards = [];
    for (const name of COMPARISONS) {
      const { stretch } = comparisons[name];
      const of_stretch = await read_compared_cards(reading, source, { view, window }, comparisons[name]);
      cards.push([name, { ...stretch, cards: of_stretch }] as const);
    }
    const comparison = comparisons[view.compare];
    const series = await read_compared_series(reading, source, { view, window }, comparison);
    return {
      log_id,
      position,
      cards: Object.fromEntries(cards) as Record<ComparisonName, Compared["cards"][ComparisonName]>,
      series: present_series(source, { view, window }, comparison, series),
    };
  });
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

async function read_compared_cards(
  reading: Queryable,
  { board, days }: LaneSource,
  { view: { filter }, window }: Watched,
  { stretch }: Comparison,
): Promise<Cards> {
  if (stretch.from_s === stretch.to_s) return {};
  const condition = condition_of_cells(board, filter, window.grain);
  const whole = condition !== null && (keeps_sketches(board, condition.dimension) || too_long_for_states(stretch));
  if (!whole) return await read_states_cards(reading, board, present_states(board), filter, stretch, days);
  const within = { from_us: stretch.from_s * 1e6, to_us: stretch.to_s * 1e6, finest_s: cut_s(window) };
  const tiles = tiles_of(board, condition.dimension, within, days);
  const totals = await read_cell_totals(reading, board, condition, tiles);
  return cards_of(board, totals, null, await read_quantiles(reading, board, days, condition, within));
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
