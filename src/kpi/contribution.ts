import { format_time } from "./event_time.ts";
import type { Grain } from "./windows.ts";

/** An integer: `number` while it is safe (|n| < 2^53), `bigint` past it. Comparison between the two is exact. */
export type Integer = number | bigint;

/** The value of the least or greatest, or of the first or last by (event time, event id); of several of one time and id, the least or greatest. */
type Extreme = "min" | "max" | "first" | "last";

/**
 * A measure of a cell. Extremes name the state column they are recomputed from when one is taken back. A sketch is how the values of facts are
 * distributed (below): its bins lie in a table of their own, under the sketch's name.
 */
export type Measure =
  | { readonly name: string; readonly kind: "count" | "sum" | "sketch" }
  | { readonly name: string; readonly kind: Extreme; readonly column: string };

/** The measures that cells have columns of: all but sketches, which come after them. */
export const column_measures = (measures: readonly Measure[]): readonly Measure[] =>
  measures.filter(({ kind }) => kind !== "sketch");

/** The sketches among measures. */
export const sketches_among = (measures: readonly Measure[]): readonly Measure[] =>
  measures.filter(({ kind }) => kind === "sketch");

/** Whether a kind of measure is an extreme: merged, and recomputed when it is taken back; all others add up, sketches bin by bin. */
export const is_extreme = (kind: Measure["kind"] | undefined): kind is Extreme =>
  kind === "min" || kind === "max" || is_dated(kind);

/** Whether a kind of measure is an extreme by date: its cell keeps the date beside the value, in a column of its own. */
export const is_dated = (kind: Measure["kind"] | undefined): kind is "first" | "last" =>
  kind === "first" || kind === "last";

/** Whether a kind of measure is of the values that are known: an unknown one is none, and no zero among them. */
export const is_of_values = (kind: Measure["kind"]): boolean => is_extreme(kind) || kind === "sketch";

/** Whether an extreme is the least of what it is told apart by. */
export const is_least = (kind: Measure["kind"]): boolean => kind === "min" || kind === "first";

/** The column of a measure's date. */
export const date_column = ({ name }: Pick<Measure, "name">): string => `${name}_by`;

/** The date of a fact as cells keep it: in collation "C", texts are in the order of (time, event id). */
export const date_text = ({ at_us, by = "" }: Dated): string => `${format_time(at_us)} ${by}`;

/**
 * A dimension of the cells. `column` is the state column it is read from, null for the dimension that holds all.
 * `grains` are the grains it keeps, fine to coarse. A dimension of very many keys keeps `totals` instead of cells: of each key one row in a table
 * of their own, of the measures named here and of all time, its only grain; facts that have none of these do not touch it. `sketches` are those
 * of its grains that keep sketches; absent: none.
 */
export interface Dimension {
  readonly name: string;
  readonly column: string | null;
  readonly grains: readonly Grain[];
  readonly totals?: readonly string[];
  readonly sketches?: readonly Grain[];
}

/** What the cells of a domain are made of. */
export interface CellShape {
  readonly dimensions: readonly Dimension[];
  /** Sketches last. */
  readonly measures: readonly Measure[];
  /**
   * Present where states are of several currencies, whose amounts are never added up: their cells and totals are kept by currency, that of the
   * state's column `currency`, which is never null. It is the code of the one that is shown unless another is asked for.
   */
  readonly by_currency?: string;
}

/** Letters of a currency's code. */
const CODE = 3;

/** The keys of contributions of a domain by currency begin with the code of theirs: parted as the rows of cells have it. */
export const parted = (key: string): { readonly currency: string; readonly key: string } => ({
  currency: key.slice(0, CODE),
  key: key.slice(CODE),
});

/** What a cell is called among those of its bucket, by its key as contributions have it: `city=Chicago`, of a domain by currency `EUR city=Paris`. */
export function cell_name({ by_currency }: Pick<CellShape, "by_currency">, dimension: string, whole: string): string {
  if (by_currency === undefined) return `${dimension}=${whole}`;
  const { currency, key } = parted(whole);
  return `${currency} ${dimension}=${key}`;
}

/** Whether a dimension keeps a measure. */
export const keeps = ({ totals, sketches = [] }: Pick<Dimension, "totals" | "sketches">, measure: Measure): boolean =>
  measure.kind === "sketch" ? sketches.length > 0 : totals === undefined || totals.includes(measure.name);

/** One dated addition to the cells: at this event time, these measures (by index into `CellShape.measures`). */
export interface Fact {
  readonly at_us: number;
  /** The id of the event that dates it; facts without a first or last do without. */
  readonly by?: string;
  readonly measures: readonly number[];
  readonly values: readonly Integer[];
}

/** What a first and a last are told apart by. */
export type Dated = Pick<Fact, "at_us" | "by">;

/**
 * What one state adds to the cells: for each dimension its key, and for each fact slot the fact or null.
 * `keys[i]` belongs to `CellShape.dimensions[i]` (by currency it begins with its code, see `parted`); slots are the same length for every state of a domain.
 */
export interface Contribution {
  readonly keys: readonly string[];
  readonly facts: readonly (Fact | null)[];
}

/** The key of what nobody named. */
export const UNKNOWN = "unknown";

/** Whether two facts have one date. */
export const same_date = (a: Dated, b: Dated): boolean => a.at_us === b.at_us && a.by === b.by;

/** Whether two facts add the same. */
export function same_fact(a: Fact | null, b: Fact | null): boolean {
  if (a === null || b === null) return a === b;
  if (!same_date(a, b) || a.values.length !== b.values.length || a.measures !== b.measures) return false;
  for (let i = 0; i < a.values.length; i++) if (a.values[i] !== b.values[i]) return false;
  return true;
}

/**
 * Sketches: how often each logarithmic bin of values occurs, from which any quantile can be told with a relative error of at most 2 %.
 * Two sketches merge by adding up their bins, and a value is taken back by subtracting it, so that a sketch is a sum like any other.
 * After Charles Masson, Jee E. Rim, Homin K. Lee: DDSketch, a fast and fully-mergeable quantile sketch with relative-error guarantees,
 * PVLDB 12(12), 2019; here without its bound on the number of bins, since all integers that a figure can be fit in `BINS`.
 *
 * Bin 0 holds zero, bin b the integers in (gamma^(b-2), gamma^(b-1)], gamma = 1.02 / 0.98 = 51 / 49. Borders are integers made by exact
 * arithmetic, so that every engine that has them puts a value into the same bin; logarithms only guess.
 */

const GAMMA = { above: 51n, below: 49n } as const;
const GREATEST = 2n ** 63n - 1n;

/** The greatest integer of each bin. Bins between those of small integers are empty: their greatest is that of the bin before. */
const greatest: readonly Integer[] = (() => {
  const all: Integer[] = [0];
  for (let above = 1n, below = 1n, last = 0n; last < GREATEST; above *= GAMMA.above, below *= GAMMA.below) {
    last = above / below;
    all.push(last <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(last) : last);
  }
  return all;
})();

/** How many bins there are: enough for every bigint of a database. */
export const BINS = greatest.length;

const PER_LOG = 1 / Math.log(Number(GAMMA.above) / Number(GAMMA.below));

/** The bin of an integer, from 0 to 2^63 - 1. Throws RangeError for any other number. */
export function bin_of(value: Integer): number {
  if (typeof value === "number" ? !(Number.isSafeInteger(value) && value >= 0) : value < 0n || value > GREATEST) {
    throw new RangeError(`find the bin of ${value}: expected an integer from 0 to 2^63 - 1`);
  }
  if (value <= 1) return Number(value);
  let bin = Math.min(Math.ceil(Math.log(Number(value)) * PER_LOG) + 1, BINS - 1);
  while (value > greatest[bin]!) bin++;
  while (value <= greatest[bin - 1]!) bin--;
  return bin;
}

/** The value that stands for a bin: at most 2 % from every value in it. Cut off after six decimals. */
export function value_of(bin: number): number {
  if (!Number.isInteger(bin) || bin < 0 || bin >= BINS) {
    throw new RangeError(`find the value of bin ${bin}: expected one of 0 to ${BINS - 1}`);
  }
  if (bin === 0) return 0;
  // 2 gamma^e / (gamma + 1) = 0.98 gamma^e, in millionths.
  const exponent = BigInt(bin - 1);
  return Number(980_000n * GAMMA.above ** exponent / GAMMA.below ** exponent) / 1e6;
}

/**
 * Which of `count` values in ascending order, counted from 1, is the quantile `q`: the ceil(q * count)-th, at least the first. Exact for a
 * `q` of at most four decimals and counts below 9e11: 0.55 of 100 is the 55th, though the product of the doubles is more than 55.
 */
export function nearest_rank(count: number, q: number): number {
  return Math.max(Math.ceil(Math.round(q * 10_000) * count / 10_000), 1);
}

/**
 * The quantile of a sketch by nearest rank: what stands for the bin that holds the `nearest_rank`-th value; null of no values.
 * @param bins how many values each bin has, by ascending bin, each bin once
 * @param q from 0 to 1
 */
export function quantile(bins: readonly (readonly [bin: number, count: number])[], q: number): number | null {
  let left = nearest_rank(bins.reduce((sum, [, count]) => sum + count, 0), q);
  for (const [bin, count] of bins) {
    left -= count;
    if (left <= 0) return value_of(bin);
  }
  return null;
}
