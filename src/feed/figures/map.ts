import type { Queryable } from "../../database/mod.ts";
import type { BoardBreakdown, DomainBoard, SummedFigure } from "../../domains/mod.ts";
import { ALL_KEPT, is_kept } from "../../kpi/mod.ts";
import { cover_of, type KeyTotals, read_key_totals, tiles_over } from "./breakdown.ts";
import { dimension_of, figure_number, figure_of } from "./figure.ts";
import type { Asked, Question } from "./question.ts";
import { figures_of_states } from "./states.ts";
import { is_present, present_states, type StatesRelation } from "./states_relation.ts";
import type { Filter, Window } from "./view.ts";

/** What is counted at each place: a figure by the keys of a dimension, of all of them. */

/** Most keys that are read; those with the least are left out. */
export const MOST_PLACES = 20_000;

/** What is counted of a place: what a sum adds up to, what a mean is of and over how many. */
export type PlaceTotals = Pick<KeyTotals, "count" | "amount">;

/** The measures that a figure is over. */
const counts_of = (figure: SummedFigure): readonly string[] =>
  figure.kind === "mean" ? [figure.count].flat() : [figure.measure];

/** A figure of what is counted at a place, or at several together; null for a mean of nothing. Pure. */
export const place_figure = (figure: SummedFigure, { count, amount }: PlaceTotals): number | null =>
  // Under names of their own: what is divided may be among what it is divided by, as where a share is of all.
  figure_number({ ...figure, measure: "amount", ...figure.kind === "mean" ? { count: "count" } : {} }, {
    count,
    amount,
  });

/** Adds places up that have the same name, in the order of the first of each. Pure. */
export function places_by(
  totals: readonly KeyTotals[],
  name_of: (key: string) => string | null,
): Map<string, PlaceTotals> {
  const found = new Map<string, PlaceTotals>();
  for (const { key, count, amount } of totals) {
    const name = key === null ? null : name_of(key);
    if (name === null) continue;
    const before = found.get(name) ?? { count: 0n, amount: 0n };
    found.set(name, { count: before.count + count, amount: before.amount + amount });
  }
  return found;
}

/**
 * Reads what is counted by the keys of a dimension over a window, the greatest first, all beyond `MOST_PLACES` in a last row without a key. As in a
 * panel, the filter's condition on that dimension does not count, unless it keeps no windows in cells. From cells where nothing else is
 * filtered by and the states are as they stand; else computed from states. To be called within a transaction.
 */
export async function read_all_keys(
  reading: Queryable,
  asked: Asked,
  { filter, window, breakdown }: Pick<PlacesAsked, "filter" | "window"> & { readonly breakdown: BoardBreakdown },
  states: StatesRelation,
): Promise<readonly KeyTotals[]> {
  const { board, days } = asked, { dimension } = breakdown;
  if (is_of_cells(asked, { filter, window, dimension }, states)) {
    return await read_key_totals(
      reading,
      board,
      [{ breakdown, ...cover_of(asked, dimension, window) }],
      MOST_PLACES,
    );
  }
  const crossed = keeps_windows(board, dimension);
  const others = filter.filter((condition) => !crossed || condition.dimension !== dimension);
  const wants = { breakdowns: [breakdown], keys: MOST_PLACES };
  const question: Question = { board, days, filter: others, window, wants };
  return (await figures_of_states(reading, question, states)).keys;
}

/** Reads a figure by the keys of a dimension, as `read_all_keys` does. */
export function read_places(
  reading: Queryable,
  asked: Asked,
  { filter, window, dimension, figure }: PlacesAsked & { readonly figure: string },
  states: StatesRelation,
): Promise<readonly KeyTotals[]> {
  const { board } = asked;
  const own: DomainBoard = { ...board, breakdown_row: { ...board.breakdown_row, amount: figure } };
  const breakdown = { dimension, count: counts_of(figure_of(board, figure)).join(" + ") };
  return read_all_keys(reading, { ...asked, board: own }, { filter, window, breakdown }, states);
}

const keeps_windows = (board: DomainBoard, dimension: string): boolean =>
  dimension_of(board, dimension)?.grains.some((grain) => grain !== "all") === true;

/** What is counted at which places: those of a dimension. */
interface PlacesAsked {
  readonly filter: Filter;
  readonly window: Window;
  readonly dimension: string;
}

/** Whether cells say what is counted at places: nothing else is filtered by, and all that it takes are kept. */
export const is_of_cells = (
  asked: Asked,
  { filter, window, dimension }: PlacesAsked,
  states: StatesRelation = present_states(asked.board),
): boolean =>
  is_present(asked.board, states) && keeps_windows(asked.board, dimension) &&
  filter.every((condition) => condition.dimension === dimension) &&
  tiles_over(asked, dimension, window).every(({ grain, from_us }) => is_kept(asked.kept ?? ALL_KEPT, grain, from_us));
