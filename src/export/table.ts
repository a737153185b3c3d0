/**
 * What a column holds: text, JSON as text, whole numbers, sums beyond them, floating numbers, amounts in micros, times in microseconds; lists of
 * the latter two.
 */
export type ColumnKind = "text" | "json" | "whole" | "sum" | "number" | "amount" | "time" | "amounts" | "times";

/** A column of a table that is exported. */
export interface ExportColumn {
  readonly name: string;
  readonly kind: ColumnKind;
  /** Whether a row may have none. */
  readonly nullable: boolean;
}

/** A value; whole numbers also as their digits. */
export type ExportValue = string | number | readonly string[] | null;
/** A row: a value for each column. */
export type ExportRow = readonly ExportValue[];

/** How tables are written. */
export type TableFormat = "ndjson" | "csv" | "parquet";
/** How a table is written: as text also packed by gzip; Parquet always is by zstd. */
export interface TableForm {
  readonly format: TableFormat;
  readonly gzip: boolean;
}

/** A table on its way into a file. */
export interface TableWriter {
  /** Its next rows. */
  put(rows: readonly ExportRow[]): Promise<void>;
  /** Writes what is left. The file is not finished by that. */
  end(): Promise<void>;
}
