import type { Statement } from "../../database/mod.ts";
import {
  type BoardCard,
  type BoardFigure,
  decimal_text,
  type DistinctFigure,
  type DomainBoard,
  has_gaps,
  type QuantileFigure,
  type SummedFigure,
  table_names,
} from "../../domains/mod.ts";
import { column_measures, date_column, is_dated, is_extreme, is_least } from "../../kpi/mod.ts";
import type { ViewGrain } from "./view.ts";

/** Figures out of summed measures, wherever they were summed. Exact: integers all the way, one rounding at the end. Pure. */

/** The measures of a set of cells, by column; a min or max is null where nothing was counted. */
export type Totals = Readonly<Record<string, bigint | null>>;

/** Sums of a bucket as SQL gives them: measures by name, and the bucket's start `t` in seconds, as text. */
export type BucketRow = Readonly<Record<string, string | null>>;

/**
 * Columns by name: `t` holds bucket starts (ascending, seconds), the others the figures of the same buckets. Absent buckets are zero; what is
 * not known of nothing (`has_gaps`) is null there, a gap.
 */
export type Series = Readonly<Record<string, readonly (number | null)[]>> & { readonly t: readonly number[] };

/** Card values by name; null where there is nothing to divide or compare, or the value is not known. */
export type Cards = Readonly<Record<string, number | null>>;

const DECIMALS = 6;

/** `numerator / denominator`, rounded half up to an integer. The denominator is positive. */
export function divide_half_up(numerator: bigint, denominator: bigint): bigint {
  const doubled = numerator * 2n + denominator;
  const quotient = doubled / (denominator * 2n);
  return doubled < 0n && doubled % (denominator * 2n) !== 0n ? quotient - 1n : quotient;
}

/** The measures that a figure is made of. */
export const measures_in = (figure: SummedFigure): readonly string[] =>
  figure.kind === "mean" ? [figure.measure, ...[figure.count].flat()] : [figure.measure];

/** A figure in units of 10^-`decimals`, rounded half up; null when it is a mean over nothing, or the extreme of nothing, and where it is unknown. */
function scaled(figure: SummedFigure, totals: Totals, decimals: number): bigint | null {
  if (figure.unknown) return null;
  const value = totals[figure.measure] ?? null;
  const count = figure.kind === "mean"
    ? [figure.count].flat().reduce((sum, name) => sum + (totals[name] ?? 0n), 0n)
    : 1n;
  if (value === null || count === 0n) return null;
  // A percent has a hundredth of a unit.
  return divide_half_up(value * 10n ** BigInt(decimals) * 100n, count * BigInt(Math.round(figure.per * 100)));
}

/** A figure as a number in its unit, rounded half up from the exact quotient. */
export function figure_number(figure: SummedFigure, totals: Totals, decimals = DECIMALS): number | null {
  const value = scaled(figure, totals, decimals);
  if (value === null) return null;
  const units = Number(value);
  // Past 2^53 units a double has not all of them, and dividing it would round twice: a digit of the quotient would be another one.
  return Number.isSafeInteger(units) ? units / 10 ** decimals : Number(decimal_text(value, decimals, 0));
}

/** A figure as decimal text with at least `least` and at most 6 decimals. */
export function figure_text(figure: SummedFigure, totals: Totals, least: number): string | null {
  const value = scaled(figure, totals, DECIMALS);
  return value === null ? null : decimal_text(value, DECIMALS, least);
}

/** The sum that a figure is of, or that a mean divides, as a figure of its own. What a percent is a share of is counted. */
export const sum_figure = ({ unit, measure, per }: SummedFigure): SummedFigure => ({
  ...{ kind: "total", unit, measure },
  per: unit === "percent" ? 1 : per,
});

/** That sum as decimal text, money with two decimals at least. */
export const sum_text = (figure: SummedFigure, totals: Totals): string =>
  figure_text(sum_figure(figure), totals, figure.unit === "money" ? 2 : 0) ?? "0";

/**
 * A quantile as a number in its unit, rounded half up.
 * @param value what stands for the bin that holds it (`value_of`), in the sketch's unit; null over nothing
 */
export function quantile_number(figure: QuantileFigure, value: number | null): number | null {
  return value === null || figure.unknown ? null : scaled_quantile(figure, value) / 10 ** DECIMALS;
}

/** A quantile as decimal text with at least `least` and at most 6 decimals. */
export function quantile_text(figure: QuantileFigure, value: number | null, least: number): string | null {
  return value === null || figure.unknown
    ? null
    : decimal_text(BigInt(scaled_quantile(figure, value)), DECIMALS, least);
}

/**
 * A quantile stands for its bin and may be 2 % off, but is never below the least of its values or above the greatest.
 * @param per how many of the measures' unit make one of the value's
 */
export function quantile_within(
  { within }: QuantileFigure,
  totals: Totals,
  value: number | null,
  per: number,
): number | null {
  const [min, max] = [within?.min, within?.max].map((name) => name === undefined ? null : totals[name] ?? null);
  if (value === null || min == null || max == null) return value;
  return Math.min(Math.max(value, Number(min) / per), Number(max) / per);
}

const scaled_quantile = ({ per }: QuantileFigure, value: number): number => Math.round(value / per * 10 ** DECIMALS);

/**
 * A statement that is prepared once a connection; not of boards as of before, nor of other currencies than the usual one: there are thousands of
 * codes that may be asked for.
 */
export const prepared = (
  { currency, by_currency, unsettled }: DomainBoard,
  name: string,
  text: string,
): Statement => currency === by_currency && unsettled === undefined ? { name, text } : { text };

/** The dimension of that name; null when the board has none. */
export function dimension_of(board: DomainBoard, name: string) {
  return board.dimensions.find((dimension) => dimension.name === name) ?? null;
}

/** The select list that makes one row of many cells (named `cells`): every measure added up, or its extreme, under its own name. */
export function sum_columns(board: DomainBoard): string {
  return column_measures(board.measures).map((measure) => {
    const { name, kind } = measure;
    if (!is_dated(kind)) return `${is_extreme(kind) ? kind : "sum"}(cells.${name}) as ${name}`;
    const order = is_least(kind) ? "" : " desc", date = `cells.${date_column(measure)}`;
    return `(array_agg(cells.${name} order by ${date}${order}, cells.${name}${order})
      filter (where cells.${name} is not null))[1] as ${name}`;
  }).join(", ");
}

/** The bucket, of a series' grain, that a cell lies in: a quarter of an hour is made of three cells of 5 minutes. */
export const bucket_of_cell = (grain: ViewGrain): string =>
  grain === "15m" ? "date_bin('15 minutes', bucket, to_timestamp(0))" : "bucket";

/** Totals of such a row. Sums over no cells are 0, extremes over none are null. */
export function totals_of(board: DomainBoard, row: Readonly<Record<string, unknown>>): Totals {
  return Object.fromEntries(
    column_measures(board.measures).map(({ name, kind }) => {
      const value = row[name] ?? null;
      const nothing = is_extreme(kind) ? null : 0n;
      return [name, value === null ? nothing : BigInt(String(value))];
    }),
  );
}

/** The declared figure of that name, which is a sum or mean of measures. Throws when the board declares no such: a fault of the declaration. */
export function figure_of(board: DomainBoard, name: string): SummedFigure {
  const figure = declared_figure(board, name);
  if (!("measure" in figure)) {
    throw new Error(`find figure ${JSON.stringify(name)}: expected a sum, it is of kind ${figure.kind}`);
  }
  return figure;
}

/** The declared figure of that name, of any kind. Throws when the board declares none. */
export function declared_figure(board: DomainBoard, name: string): BoardFigure {
  const figure = Object.hasOwn(board.figures, name) ? board.figures[name] : undefined;
  if (figure === undefined) {
    throw new Error(
      `find figure ${JSON.stringify(name)}: ${table_names(board).cells} declares ${
        Object.keys(board.figures).join(", ")
      }`,
    );
  }
  return figure;
}

/** An integer that SQL gave as text (bigint columns). */
export function integer(value: unknown): number {
  const number = Number(value);
  if (value === null || value === undefined || !Number.isSafeInteger(number)) {
    throw new Error(`read an integer: expected one below 2^53, got ${JSON.stringify(value)}`);
  }
  return number;
}

/** The quantiles among a board's cards, by the card's name. */
export function quantile_cards(board: DomainBoard): Map<string, QuantileFigure> {
  const cards = new Map<string, QuantileFigure>();
  for (const card of board.cards) {
    const figure = "figure" in card ? declared_figure(board, card.figure) : null;
    if (figure?.kind === "quantile") cards.set(card.name, figure);
  }
  return cards;
}

const sums_in = (figure: SummedFigure, row: BucketRow): Totals =>
  Object.fromEntries(measures_in(figure).map((name) => [name, BigInt(row[name] ?? 0)]));

/** The columns of a series; `buckets` in ascending order. */
export function series_of(board: DomainBoard, buckets: readonly BucketRow[]): Series {
  const columns = board.series.map((name) => {
    const figure = figure_of(board, name);
    // Hundreds of rows, four times a second: sums of one bucket are divided as doubles (right to the last digit below 2^53).
    const nothing = has_gaps(board, name) ? null : 0;
    const value = (row: BucketRow): number | null => {
      if (figure.unknown) return null;
      if (figure.kind !== "total") return figure_number(figure, sums_in(figure, row)) ?? nothing;
      const total = row[figure.measure] ?? null;
      return total === null ? nothing : Number(total) / figure.per;
    };
    return [name, buckets.map(value)] as const;
  });
  return { ...Object.fromEntries(columns), t: buckets.map((row) => integer(row.t)) };
}

/**
 * Rows of a distinct count with what it is of each bucket, `value`: how many keys they are, or what they have of a measure an hour and a key, of the
 * bucket whole, also of one that runs. Rounded half up from the exact quotient.
 */
export const with_distinct = (
  { each_hour }: DistinctFigure,
  rows: readonly BucketRow[],
  length_us: (start_us: number) => number,
): BucketRow[] =>
  rows.map((row) => {
    const { t = null, keys = null, amount = null } = row;
    if (each_hour === undefined) return { ...row, value: keys };
    const over = BigInt(keys!) * BigInt(length_us(Number(t) * 1e6)) * BigInt(each_hour.per);
    const value = divide_half_up(BigInt(amount ?? 0) * 3_600_000_000n * 10n ** BigInt(DECIMALS), over);
    return { ...row, value: `${Number(value) / 10 ** DECIMALS}` };
  });

/** Windows that slide over a series, and their length, seconds. */
export const ROLLING_S = { "1h": 3_600, "24h": 86_400 } as const;

/** How the values of a measure in several buckets are one, of those from the first to the last in time. */
function merged_measure(board: DomainBoard, name: string, rows: readonly BucketRow[]): string | null {
  const kind = board.measures.find((measure) => measure.name === name)?.kind;
  const told = rows.flatMap((row) => row[name] ?? []);
  if (is_dated(kind)) return told.at(is_least(kind) ? 0 : -1) ?? null;
  const values = told.map(BigInt);
  if (!is_extreme(kind)) return `${values.reduce((sum, value) => sum + value, 0n)}`;
  if (values.length === 0) return null;
  return `${values.reduce((best, value) => (is_least(kind) ? value < best : value > best) ? value : best)}`;
}

/**
 * Buckets of which each is what the window that ends with it has: what adds up added up, of extremes the extreme, of firsts and lasts those of the
 * whole window. A bucket whose window has no bucket of the given is left out.
 * @param rows buckets, ascending, from a window's length before the first one that is wanted
 * @param wanted whole buckets, seconds; `length_s` a multiple of their width
 */
export function rolling_rows(
  board: DomainBoard,
  figure: SummedFigure,
  rows: readonly BucketRow[],
  { from_s, to_s, step_s }: { readonly from_s: number; readonly to_s: number; readonly step_s: number },
  length_s: number,
): BucketRow[] {
  const names = measures_in(figure), rolled: BucketRow[] = [];
  // Blocks as long as the window: what one ends with and the next begins with is one window, each merged once.
  const size = length_s / step_s, first_s = from_s - length_s + step_s;
  const by_start = new Map(rows.map((row) => [Number(row.t), row]));
  const merge = (of: readonly (BucketRow | null)[]): BucketRow | null => {
    const there = of.filter((row) => row !== null);
    return there.length === 0
      ? null
      : Object.fromEntries(names.map((name) => [name, merged_measure(board, name, there)]));
  };
  const at = (i: number) => by_start.get(first_s + i * step_s) ?? null;
  const count = (to_s - first_s) / step_s;
  const upward: (BucketRow | null)[] = [], downward: (BucketRow | null)[] = Array(count).fill(null);
  for (let i = 0; i < count; i++) upward.push(i % size === 0 ? merge([at(i)]) : merge([upward[i - 1]!, at(i)]));
  for (let i = count - 1; i >= 0; i--) {
    downward[i] = i % size === size - 1 || i === count - 1 ? merge([at(i)]) : merge([at(i), downward[i + 1]!]);
  }
  for (let last = size - 1; last < count; last++) {
    const first = last - size + 1;
    const row = first % size === 0 ? upward[last]! : merge([downward[first]!, upward[last]!]);
    if (row !== null) rolled.push({ ...row, t: `${first_s + last * step_s}` });
  }
  return rolled;
}

/** What the value of a card of now is kept by: its status key, or as an age its own name. */
export const now_key = (card: { readonly name: string; readonly now: string; readonly since?: string }): string =>
  card.since === undefined ? card.now : `since ${card.name}`;

/**
 * The cards of totals.
 * @param now how many states have each key of the board's `now` dimension, and ages (`now_key`); null: unknown, as of a past period
 * @param unsummed by card what is no sum: quantiles, distinct counts; null where nothing is counted, or they are not known
 */
export function cards_of(
  board: DomainBoard,
  totals: Totals,
  now: ReadonlyMap<string, number> | null,
  unsummed: ReadonlyMap<string, number | null>,
): Cards {
  const value_of_card = (card: BoardCard): number | null => {
    if ("now" in card) return now === null ? null : now.get(now_key(card)) ?? (card.since === undefined ? 0 : null);
    const figure = declared_figure(board, card.figure);
    if ("measure" in figure) return figure_number(figure, totals);
    const value = figure.unknown ? null : unsummed.get(card.name) ?? null;
    return figure.kind === "quantile" ? quantile_within(figure, totals, value, figure.per) : value;
  };
  return Object.fromEntries(board.cards.map((card) => [card.name, value_of_card(card)]));
}

/** SQL for a column `key` as it is told: of a person its id, unless it is forgotten. */
export const shown_key_sql = ({ persons = [] }: DomainBoard, dimension: string): string =>
  persons.includes(dimension)
    ? `coalesce((select person_id from persons where dimension = '${dimension}' and alias = key), key)`
    : "key";

/** SQL for the keys that name what an array of text has: of persons also the aliases of those that these are the ids of. */
export const keys_of_sql = ({ persons = [] }: DomainBoard, dimension: string, keys: string): string =>
  persons.includes(dimension)
    ? `(${keys} || array(select alias from persons where dimension = '${dimension}' and person_id = any (${keys})))`
    : keys;
