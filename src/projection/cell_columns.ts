import { binary_array, type BinaryType, type Value } from "../database/mod.ts";
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
    const type = kind === "sum" ? "numeric" : "bigint";
    return [{
      name,
      type,
      nothing: "0",
      merged: (other) => `c.${name} + ${other(name)}`,
      array(changes) {
        const sums = changes.map((change) => change.sum(m));
        // A measure that is zero in all rows is given as no array at all: most batches have several, and each costs writing and reading a column.
        return sums.every((sum) => Number(sum) === 0) ? null : binary_array(type, sums);
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
  binary_array("bigint", changes.map((change) => change[side]?.[m] ?? null));
/** The dates of that. */
export const side_dates = (changes: readonly CellChange[], side: "added" | "removed", m: number): Value =>
  binary_array(
    "text",
    changes.map((change) => {
      const date = change[`${side}_by`]?.[m] ?? null;
      return date === null ? null : date_text(date);
    }),
  );

/** SQL for the date of a fact as `date_text` writes it: its time, and the id of the event that dates it. */
export const date_sql = (at: string, by: string): string =>
  `(to_char(${at} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') || ' ' || coalesce(${by}, '')) collate "C"`;

/** A column of a table's key: its type, and how it is written out. */
export interface KeyColumn {
  readonly name: string;
  readonly type: string;
  readonly array: (cells: readonly ChangedCell[]) => Value;
}

function key_column(name: string, type: BinaryType, of: (cell: ChangedCell) => string | number): KeyColumn {
  return { name, type, array: (cells) => binary_array(type, cells.map(of)) };
}

/** SQL: whether rows of a table, by its name, are those of what is given as `u`. */
export const same_key = (table: string, key: readonly KeyColumn[]): string =>
  key.map(({ name }) => `${table}.${name} = u.${name}`).join(" and ");

export const DIMENSION = key_column("dimension", "text", ({ dimension }) => dimension);
/** The key of a cell within its dimension. */
const KEY: readonly KeyColumn[] = [key_column("key", "text", ({ key }) => key)];
/** By currency. */
const CURRENCY_KEY: readonly KeyColumn[] = [
  key_column("currency", "text", ({ key }) => parted(key).currency),
  key_column("key", "text", ({ key }) => parted(key).key),
];
const CELL: readonly KeyColumn[] = [
  key_column("grain", "text", ({ grain }) => grain),
  key_column("bucket", "timestamptz", ({ bucket_us }) => bucket_us),
  DIMENSION,
];

type Keyed = Pick<Domain, "by_currency">;

/** What a cell is named by within its dimension and bucket. */
export const key_columns = ({ by_currency }: Keyed): readonly KeyColumn[] =>
  by_currency === undefined ? KEY : CURRENCY_KEY;
/** What it is named by in its table. */
export const cells_key = (domain: Keyed): readonly KeyColumn[] => [...CELL, ...key_columns(domain)];
