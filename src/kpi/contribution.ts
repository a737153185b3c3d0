import { format_time } from "./event_time.ts";
import type { Grain } from "./windows.ts";

/** An integer: `number` while it is safe (|n| < 2^53), `bigint` past it. Comparison between the two is exact. */
export type Integer = number | bigint;

/** The value of the least or greatest, or of the first or last by (event time, event id); of several of one time and id, the least or greatest. */
type Extreme = "min" | "max" | "first" | "last";

/**
 * A measure of a cell. Extremes name the state column they are recomputed from when one is taken back. A sketch is how the values of facts are
 * distributed (see `sketch.ts`): its bins lie in a table of their own, under the sketch's name.
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
