import type { DomainBoard } from "./domain_board.ts";
import { dimension_of } from "./breakdown.ts";
import type { Condition, Filter, FilterFault } from "./filter.ts";
import { quantile_cards } from "./quantiles.ts";
import { DAY_S, LONGEST_FROM_STATES_S, type View, type ViewGrain, type Window } from "./view.ts";

/** Which read model answers a view. Pure. */

/** Where a part of a board comes from: cells, which are kept up to date with every event, or states, which are added up when asked. */
export type Origin = "cells" | "states";

/** Where the parts of a view's board come from. */
export interface Sources {
  /** Of series and cards. */
  readonly cards: Origin;
  readonly breakdowns: Origin;
}

/**
 * The sources of a filter's board at a grain. Cells have one dimension: no condition, or conditions on one dimension that
 * keeps the grain, are answered from them. What crosses two dimensions is not in any cell.
 */
export function sources_of(board: DomainBoard, filter: Filter, grain: ViewGrain): Sources {
  if (filter.length === 0) return { cards: "cells", breakdowns: "cells" };
  return { cards: condition_of_cells(board, filter, grain) === null ? "states" : "cells", breakdowns: "states" };
}

/** The condition on the cells' keys that a filter is; null when no cells of that grain answer it. */
export function condition_of_cells(board: DomainBoard, filter: Filter, grain: ViewGrain): Condition | null {
  const [only, ...others] = filter;
  if (only === undefined) return { dimension: board.whole.dimension, keys: [board.whole.key], excluded: false };
  if (others.length > 0) return null;
  return dimension_of(board, only.dimension)?.grains.includes(grain) ? only : null;
}

/** The cards that the cells of a condition do not have: how things are now crosses it, and not all dimensions keep sketches. */
export function cards_lacking(board: DomainBoard, { dimension }: Condition): string[] {
  const now = dimension === board.whole.dimension || dimension === board.now.dimension;
  const quantiles = quantile_cards(board);
  return board.cards.filter((card) =>
    "now" in card ? !now : quantiles.has(card.name) && !keeps_sketches(board, dimension)
  ).map(({ name }) => name);
}

/** Whether quantiles of a dimension's keys are kept. */
export const keeps_sketches = (board: DomainBoard, dimension: string): boolean =>
  (dimension_of(board, dimension)?.sketches ?? []).length > 0;

/** Whether a window is longer than what is computed from states. */
export const too_long_for_states = ({ from_s, to_s }: Pick<Window, "from_s" | "to_s">): boolean =>
  to_s - from_s > LONGEST_FROM_STATES_S;

/** What is said of a window that is. */
export const TOO_LONG_FOR_STATES =
  `what is filtered by several dimensions, by driver or by passenger, and what crosses a filter, is computed over at most ${
    Math.floor(LONGEST_FROM_STATES_S / DAY_S)
  } days`;

/** What is wrong with a view whose series and cards would have to be computed from too many states; null when nothing is. */
export function states_fault(view: View, window: Window, board: DomainBoard): FilterFault | null {
  if (sources_of(board, view.filter, window.grain).cards === "cells" || !too_long_for_states(window)) return null;
  return { path: "to", detail: `expected a shorter range: ${TOO_LONG_FOR_STATES}` };
}
