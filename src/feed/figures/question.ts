import {
  type BoardBreakdown,
  type BoardCard,
  type BoardFigure,
  type DistinctFigure,
  type DomainBoard,
  in_currency,
  type KeyedChartWords,
} from "../../domains/mod.ts";
import { ALL_KEPT, cells_grain, type Days, type Grain, is_kept, type Kept } from "../../kpi/mod.ts";
import type { KeyTotals } from "./breakdown.ts";
import { type BucketRow, declared_figure, dimension_of, quantile_cards, type Totals } from "./figure.ts";
import {
  type Comparison,
  type ComparisonName,
  COMPARISONS,
  type Condition,
  DAY_S,
  type Filter,
  type FilterFault,
  LONGEST_FROM_STATES_S,
  type View,
  type ViewGrain,
  type Watched,
  type Window,
} from "./view.ts";

/**
 * Questions to the read models, and what they answer. Cells, which are kept up to date with every event, and states, which are added up
 * when asked, answer the same questions with the same figures; here is chosen which are asked what. Pure.
 */

/** A stretch of event time: [from_s, to_s), seconds. */
export type Stretch = Pick<Window, "from_s" | "to_s">;

/** Figures of what a filter counts in a window. */
export interface Question {
  readonly board: DomainBoard;
  readonly days: Days;
  readonly filter: Filter;
  readonly window: Window;
  readonly wants: Wants;
  /** What cells of fine grains are kept; absent: all. */
  readonly kept?: Kept | undefined;
}

/** What of a question is wanted; nothing that is not named. */
export interface Wants {
  /** Whether the buckets of the window are. */
  readonly series?: boolean;
  /** A distinct count, of each bucket of the window; not beside the series. */
  readonly distinct?: DistinctFigure;
  /** What cards are of. */
  readonly stretches?: readonly Stretch[];
  readonly cards?: readonly BoardCard[];
  /** Over the window; a dimension that the filter has a condition on is broken down by all other conditions. */
  readonly breakdowns?: readonly BoardBreakdown[];
  /** Dimensions whose greatest keys have lines in charts; of cells only with the series. */
  readonly keyed?: readonly WantedKeys[];
  /** Conditions whose keys have a row of their own in a breakdown, whatever their place; those of the filter unless given. */
  readonly named?: Filter;
  /** So many other keys have one; as many as on the board unless given. */
  readonly keys?: number;
}

/** What a question is answered with; empty, or null, where it was not wanted. */
export interface Figures {
  /** Sums of the buckets that anything lies in, ascending; of cells with the position that changed each last, `changed_at`. Of a distinct count, its `value`. */
  readonly buckets: readonly BucketRow[];
  /** Of each stretch: its sums, and by card what is no sum: quantiles, null where nothing is counted or they are not kept, and distinct counts. */
  readonly stretches: readonly Sums[];
  /** How many states have each key of the board's `now` dimension now. */
  readonly now: ReadonlyMap<string, number> | null;
  readonly keys: readonly KeyTotals[];
  readonly keyed: readonly KeyedFigures[];
}

/** The charts of a dimension's keys. */
export interface WantedKeys {
  readonly dimension: string;
  /** Keys with lines of their own. */
  readonly top: number;
}

/** A bucket of a key; of all others together where it is null. */
export type KeyedRow = BucketRow & { readonly key: string | null };

/** The greatest keys of a dimension, the greatest first, how many others there are, and the buckets of all of them, ascending. */
export interface KeyedFigures {
  readonly dimension: string;
  readonly keys: readonly string[];
  readonly others: number;
  readonly rows: readonly KeyedRow[];
}

export interface Sums {
  readonly totals: Totals;
  readonly unsummed: ReadonlyMap<string, number | null>;
}

/** The conditions whose keys have a row of their own in the breakdowns of a question. */
export const named_in = ({ filter, wants: { breakdowns = [], named = filter } }: Question): Filter =>
  named.filter((condition) => breakdowns.some(({ dimension }) => dimension === condition.dimension));

/** Whether quantiles are wanted. */
export function asks_quantiles({ board, wants: { cards = [] } }: Question): boolean {
  const quantiles = quantile_cards(board);
  return cards.some(({ name }) => quantiles.has(name));
}

/** The distinct counts among the cards that are wanted, by card. */
export const asked_distinct = ({ board, wants: { cards = [] } }: Question) =>
  cards.flatMap((card) => {
    const figure = "figure" in card ? declared_figure(board, card.figure) : null;
    return figure?.kind === "distinct" ? [[card.name, figure] as const] : [];
  });

/** Whether it is wanted how things are now. */
export const asks_now = ({ wants: { cards = [] } }: Question): boolean => cards.some((card) => "now" in card);

/** What questions are asked about. */
export type Asked = Pick<Question, "board" | "days" | "kept">;

/** What questions of a view are asked about: the board is of its currency. */
export const of_view = <Some extends Asked>(asked: Some, { currency }: Pick<View, "currency">): Some =>
  currency === undefined ? asked : { ...asked, board: in_currency(asked.board, currency) };

/** The charts of a board that have lines by key. */
export const keyed_charts = ({ words }: DomainBoard): readonly KeyedChartWords[] =>
  words.charts.flatMap((chart) => "by" in chart ? [chart] : []);

/** The dimensions of those charts. */
export function keyed_dimensions(board: DomainBoard): WantedKeys[] {
  const charts = Map.groupBy(keyed_charts(board), ({ by }) => by);
  return [...charts].map(([dimension, own]) => ({ dimension, top: Math.max(...own.map(({ top }) => top)) }));
}

/** The breakdown that ranks the keys of a dimension. */
export function breakdown_of(board: DomainBoard, dimension: string): BoardBreakdown {
  const breakdown = board.breakdowns.find((each) => each.dimension === dimension);
  if (breakdown === undefined) {
    throw new Error(`read lines by ${JSON.stringify(dimension)}: no breakdown ranks its keys`);
  }
  return breakdown;
}

/** Whether the cells of a condition say what the keys of a dimension add to each bucket: that it crosses nothing. */
const cells_keep_keys = (board: DomainBoard, { dimension }: Condition, by: string, grain: ViewGrain): boolean =>
  (dimension === board.whole.dimension || dimension === by) &&
  dimension_of(board, by)?.grains.includes(cells_grain(grain)) === true;

/** The whole board of a view, as states answer it. */
export function whole_question(asked: Asked, { view, window }: Watched): Question {
  const { board, days, kept } = of_view(asked, view), { filter } = view;
  const breakdowns = [...board.breakdowns, ...board.states_breakdowns];
  const wants = { series: true, stretches: [window], cards: board.cards, breakdowns, keyed: keyed_dimensions(board) };
  return { board, days, kept, filter, window, wants };
}

/** What cells are asked of a view, whenever the log has moved; null when they do not answer it. */
export function cells_question(asked: Asked, { view, window }: Watched): Question | null {
  if (view.order !== undefined) return null;
  const { board, days, kept } = of_view(asked, view), { filter } = view;
  const condition = kept_condition({ board, kept }, filter, window);
  if (condition === null) return null;
  const lacking = cards_lacking(board, condition, window.grain);
  const cards = board.cards.filter(({ name }) => !lacking.includes(name));
  // Cells have one dimension: nothing is broken down under a filter.
  const breakdowns = filter.length > 0 ? [] : board.breakdowns;
  const keyed = keyed_dimensions(board).filter((each) =>
    cells_keep_keys(board, condition, each.dimension, window.grain)
  );
  return { board, days, kept, filter, window, wants: { series: true, stretches: [window], cards, breakdowns, keyed } };
}

/** What states are asked of a view when there is time: what its cells do not say. Nothing of a window that is too long. */
export function states_question(asked: Asked, watched: Watched): Question {
  const whole = whole_question(asked, watched), { board, filter, window } = whole;
  if (watched.view.order !== undefined) return whole;
  if (too_long_for_states(window)) return { ...whole, wants: {} };
  const condition = kept_condition(whole, filter, window);
  if (condition === null) return whole;
  const keyed = whole.wants.keyed!.filter(({ dimension }) =>
    !cells_keep_keys(board, condition, dimension, window.grain)
  );
  const lacking = cards_lacking(board, condition, window.grain);
  const cards = board.cards.filter(({ name }) => lacking.includes(name));
  const stretches = cards.some((card) => "figure" in card) ? [window] : [];
  const breakdowns = filter.length === 0 ? board.states_breakdowns : whole.wants.breakdowns!;
  return { ...whole, wants: { stretches, cards, breakdowns, keyed } };
}

/** Where the parts of a view's board come from. */
export interface Sources {
  /** Of series and cards. */
  readonly cards: "cells" | "states";
  readonly breakdowns: "cells" | "states";
}

/**
 * The sources of a view's board over a window. Cells have one dimension: no condition, or conditions on one dimension that
 * keeps the grain, are answered from them. What crosses two dimensions is not in any cell, nor when anything arrived, nor what is not kept any more.
 */
export function sources_of(
  asked: Pick<Asked, "board" | "kept">,
  { order, filter }: Pick<View, "order" | "filter">,
  window: Pick<Window, "grain" | "from_s">,
): Sources {
  if (order !== undefined || kept_condition(asked, filter, window) === null) {
    return { cards: "states", breakdowns: "states" };
  }
  return { cards: "cells", breakdowns: filter.length === 0 ? "cells" : "states" };
}

/**
 * The condition on the cells' keys that a filter is over a window; null when no cells answer it: none of that grain have it, or the window begins
 * before what is kept of them.
 */
export const kept_condition = (
  { board, kept = ALL_KEPT }: Pick<Asked, "board" | "kept">,
  filter: Filter,
  { grain, from_s }: Pick<Window, "grain" | "from_s">,
): Condition | null => is_kept(kept, grain, from_s * 1e6) ? condition_of_cells(board, filter, grain) : null;

/** The condition on the cells' keys that a filter is; null when no cells of that grain answer it. */
export function condition_of_cells(board: DomainBoard, filter: Filter, grain: ViewGrain): Condition | null {
  const [only, ...others] = filter;
  if (only === undefined) return { dimension: board.whole.dimension, keys: [board.whole.key], excluded: false };
  if (others.length > 0) return null;
  return dimension_of(board, only.dimension)?.grains.includes(cells_grain(grain)) ? only : null;
}

/** The one key whose sketches of a grain say percentiles under a filter; null where none do. */
export function sketched_key(
  board: DomainBoard,
  filter: Filter,
  grain: ViewGrain,
): { readonly dimension: string; readonly key: string; readonly grain: Grain } | null {
  const condition = condition_of_cells(board, filter, grain);
  if (condition === null || condition.excluded) return null;
  const { dimension, keys: [key, ...others] } = condition;
  const kept = dimension_of(board, dimension)?.sketches?.find((each) => each === grain);
  return kept === undefined || key === undefined || others.length > 0 ? null : { dimension, key, grain: kept };
}

/** The dimensions that keep sketches of a grain. */
export const sketched_dimensions = (board: DomainBoard, grain: ViewGrain): string[] =>
  board.dimensions.filter(({ sketches }) => sketches?.some((each) => each === grain)).map(({ name }) => name);

/** What buckets a figure is made of. */
export const buckets_of = (figure: BoardFigure): Question["wants"] =>
  figure.kind === "distinct" ? { distinct: figure } : { series: true };

/** Whether the cells that are kept say a figure over a window under a filter. */
export function kept_cells_say(
  asked: Pick<Asked, "board" | "kept">,
  figure: BoardFigure,
  filter: Filter,
  window: Window,
): boolean {
  const condition = kept_condition(asked, filter, window);
  return condition !== null && cells_say(asked.board, figure, condition, window.grain);
}

/** Whether the cells of a condition say a figure: keys that are counted may cross it, and not all dimensions keep sketches. */
export function cells_say(board: DomainBoard, figure: BoardFigure, condition: Condition, grain: ViewGrain): boolean {
  if (figure.kind === "distinct") return cells_keep_keys(board, condition, figure.dimension, grain);
  return figure.kind !== "quantile" || keeps_sketches(board, condition.dimension);
}

/** The cards that the cells of a condition do not have; how things are now crosses it, too. */
export function cards_lacking(board: DomainBoard, condition: Condition, grain: ViewGrain): string[] {
  const now = [board.whole.dimension, board.now.dimension].includes(condition.dimension);
  return board.cards.filter((card) =>
    "now" in card ? !now : !cells_say(board, declared_figure(board, card.figure), condition, grain)
  ).map(({ name }) => name);
}

/** Whether quantiles of a dimension's keys are kept. */
export const keeps_sketches = (board: DomainBoard, dimension: string): boolean =>
  (dimension_of(board, dimension)?.sketches ?? []).length > 0;

/** Whether a window is longer than what is computed from states. */
export const too_long_for_states = ({ from_s, to_s }: Pick<Window, "from_s" | "to_s">): boolean =>
  to_s - from_s > LONGEST_FROM_STATES_S;

/** Whether a view's window is: by arrival it is the events that are counted. */
export const is_too_long = ({ order }: Pick<View, "order">, window: Window): boolean =>
  order === undefined && too_long_for_states(window);

/** What is said of a window that is: what its board adds up from states, and over how much at most. */
export function too_long_words({ dimensions }: DomainBoard): string {
  const without_cells = dimensions.filter(({ grains }) => grains.every((grain) => grain === "all"));
  const by = ["by several dimensions", ...without_cells.map(({ name }) => `by ${name.replaceAll("_", " ")}`)].join(
    ", ",
  );
  const most_days = Math.floor(LONGEST_FROM_STATES_S / DAY_S);
  return `what is filtered ${by}, and what crosses a filter, is computed over at most ${most_days} days`;
}

/** What is wrong with a view whose series and cards would have to be computed from too many states; null when nothing is. */
export function states_fault(view: View, window: Window, board: DomainBoard): FilterFault | null {
  // What begins before the cells of its grain that are kept is never so long.
  if (!is_too_long(view, window) || sources_of({ board }, view, window).cards === "cells") return null;
  return { path: "to", detail: `expected a shorter range: ${too_long_words(board)}` };
}

/**
 * What cells are asked of a view and its comparisons together. Of minutes that are not kept over all of that nothing is asked: five minutes do for
 * them. Null where cells do not answer it: where what is not kept would be buckets of its series, or is five minutes.
 */
export function kept_question(
  { board, days, kept = ALL_KEPT }: Asked,
  watched: Watched,
  comparisons: Readonly<Record<ComparisonName, Comparison>>,
): Question | null {
  const { window } = watched;
  const spans = COMPARISONS.flatMap((name) => [comparisons[name].window, comparisons[name].stretch]);
  const from_us = Math.min(...[window, ...spans].map(({ from_s }) => from_s * 1e6));
  const lacks = (grain: ViewGrain) => !is_kept(kept, grain, from_us);
  if (lacks(window.grain) || lacks("5m")) return null;
  const coarser = (grains: readonly Grain[]) => grains.filter((grain) => grain !== "1m");
  const dimensions = !lacks("1m") ? board.dimensions : board.dimensions.map((each) => (
    { ...each, grains: coarser(each.grains), ...each.sketches && { sketches: coarser(each.sketches) } }
  ));
  return cells_question({ board: { ...board, dimensions }, days, kept }, watched);
}
