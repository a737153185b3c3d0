import type { Cards, Series } from "./board.ts";
import type { BoardCard, DomainBoard } from "./domain_board.ts";
import { figure_number, quantile_within, type Totals } from "./figure.ts";
import { declared_figure, figure_of, integer, totals_of } from "./measures.ts";

/** A board's series and cards out of summed measures, wherever they were summed: cells or states. Pure. */

/** Sums of a bucket as SQL gives them: measures by name, and the bucket's start `t` in seconds, as text. */
export type BucketRow = Readonly<Record<string, string | null>>;

/** The columns of a series; `buckets` in ascending order. */
export function series_of(board: DomainBoard, buckets: readonly BucketRow[]): Series {
  const columns = board.series.map((name) => {
    const figure = figure_of(board, name);
    // Hundreds of rows, four times a second: sums of one bucket are divided as doubles (right to the last digit below 2^53).
    const value = (row: BucketRow): number =>
      figure.kind === "total"
        ? Number(row[figure.measure] ?? 0) / figure.per
        : figure_number(figure, totals_of(board, row)) ?? 0;
    return [name, buckets.map(value)] as const;
  });
  return { ...Object.fromEntries(columns), t: buckets.map((row) => integer(row.t)) };
}

/**
 * The cards of totals.
 * @param now how many states have each key of the board's `now` dimension; null: unknown, as of a past period
 * @param quantiles by card; null where nothing is counted, or they are not known
 */
export function cards_of(
  board: DomainBoard,
  totals: Totals,
  now: ReadonlyMap<string, number> | null,
  quantiles: ReadonlyMap<string, number | null>,
): Cards {
  const value_of_card = (card: BoardCard): number | null => {
    if ("now" in card) return now === null ? null : now.get(card.now) ?? 0;
    const figure = declared_figure(board, card.figure);
    return figure.kind === "quantile"
      ? quantile_within(figure, totals, quantiles.get(card.name) ?? null, figure.per)
      : figure_number(figure, totals);
  };
  return Object.fromEntries(board.cards.map((card) => [card.name, value_of_card(card)]));
}
