import { plain_array, text_array, type Value } from "../database/mod.ts";
import type { Domain } from "../domains/mod.ts";
import {
  type CellChange,
  type ChangedCell,
  date_column,
  date_text,
  is_dated,
  is_extreme,
  is_least,
  type Measure,
  parted,
} from "../kpi/mod.ts";
import { AT } from "./bucket_time.ts";

/** The columns of tables of cells: what changes are written as, and how they are merged. */

/** A measure, and its place among a domain's. */
export interface PlacedMeasure {
  readonly measure: Measure;
  readonly m: number;
}

/** A column of measures: a measure, or the date of one. */
export interface MeasureColumn {
  readonly name: string;
  readonly type: string;
  /** What a cell without it is given; null: null. */
  readonly nothing: string | null;
  /** What it is when another cell is merged into it, named `c` both: SQL, of the other's columns. */
  readonly merged: (other: (name: string) => string) => string;
  readonly array: (changes: readonly CellChange[]) => Value;
}

/** The columns of a measure. */
export function columns_of({ measure, m }: PlacedMeasure): MeasureColumn[] {
  const { name, kind } = measure;
  if (!is_extreme(kind)) {
    return [{
      name,
      type: kind === "sum" ? "numeric" : "bigint",
      nothing: "0",
      merged: (other) => `c.${name} + ${other(name)}`,
      array(changes) {
        const sums = changes.map((change) => change.sum(m));
        // A measure that is zero in all rows is given as no array at all: most batches have several, and each costs writing and reading a column.
        return sums.every((sum) => Number(sum) === 0) ? null : plain_array(sums);
      },
    }];
  }
  const value = {
    name,
    type: "bigint",
    nothing: null,
    array: (changes: readonly CellChange[]) => side_values(changes, "added", m),
  };
  if (!is_dated(kind)) {
    return [{ ...value, merged: (other) => `${is_least(kind) ? "least" : "greatest"}(c.${name}, ${other(name)})` }];
  }
  const date = date_column(measure);
  const merged = (column: string) => (other: (name: string) => string) => {
    const wins = `(${other(date)}, ${other(name)}) ${is_least(kind) ? "<" : ">"} (c.${date}, c.${name})`;
    return `case when coalesce(${wins}, c.${date} is null) then ${other(column)} else c.${column} end`;
  };
  return [
    { ...value, merged: merged(name) },
    {
      name: date,
      type: "text",
      nothing: null,
      merged: merged(date),
      array: (changes) => side_dates(changes, "added", m),
    },
  ];
}

/** What came or went of a measure, by cell. */
export const side_values = (changes: readonly CellChange[], side: "added" | "removed", m: number): Value =>
  plain_array(changes.map((change) => change[side]?.[m] ?? null));
/** The dates of that. */
export const side_dates = (changes: readonly CellChange[], side: "added" | "removed", m: number): Value =>
  text_array(changes.map((change) => {
    const date = change[`${side}_by`]?.[m] ?? null;
    return date === null ? null : date_text(date);
  }));

/** A column of a table's key: its type as it is given, what that is in SQL, and how it is written out. */
export interface KeyColumn {
  readonly name: string;
  readonly type: string;
  readonly sql: string;
  readonly array: (cells: readonly ChangedCell[]) => Value;
}

export const DIMENSION: KeyColumn = {
  name: "dimension",
  type: "text",
  sql: "u.dimension",
  array: (cells) => plain_array(cells.map(({ dimension }) => dimension)),
};
/** The key of a cell within its dimension. */
const KEY: readonly KeyColumn[] = [
  { name: "key", type: "text", sql: "u.key", array: (cells) => text_array(cells.map(({ key }) => key)) },
];
/** By currency. */
const CURRENCY_KEY: readonly KeyColumn[] = [
  {
    name: "currency",
    type: "text",
    sql: "u.currency",
    array: (cells) => plain_array(cells.map(({ key }) => parted(key).currency)),
  },
  { name: "key", type: "text", sql: "u.key", array: (cells) => text_array(cells.map(({ key }) => parted(key).key)) },
];
const CELL: readonly KeyColumn[] = [
  { name: "grain", type: "text", sql: "u.grain", array: (cells) => plain_array(cells.map(({ grain }) => grain)) },
  {
    name: "bucket",
    type: "bigint",
    sql: AT("u.bucket"),
    array: (cells) => plain_array(cells.map(({ bucket_us }) => bucket_us / 1e6)),
  },
  DIMENSION,
];

type Keyed = Pick<Domain, "by_currency">;

/** What a cell is named by within its dimension and bucket. */
export const key_columns = ({ by_currency }: Keyed): readonly KeyColumn[] =>
  by_currency === undefined ? KEY : CURRENCY_KEY;
/** What it is named by in its table. */
export const cells_key = (domain: Keyed): readonly KeyColumn[] => [...CELL, ...key_columns(domain)];
