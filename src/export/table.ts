import { gzipSync } from "node:zlib";
import { format_time } from "../kpi/mod.ts";
import type { PlacedFile } from "./place.ts";

/** What a column holds: text, JSON as text, whole numbers, numbers, amounts in micros, times in microseconds. */
export type ColumnKind = "text" | "json" | "whole" | "number" | "amount" | "time";

/** A column of a table that is exported. */
export interface ExportColumn {
  readonly name: string;
  readonly kind: ColumnKind;
}

/** A row: a value for each column. */
export type ExportRow = readonly (string | number | bigint | null)[];

/** How tables are written. */
export type TableFormat = "ndjson" | "csv";
/** A table on its way into a file. */
export interface TableWriter {
  /** Its next rows. */
  put(rows: readonly ExportRow[]): Promise<void>;
  /** Writes what is left. The file is not finished by that. */
  end(): Promise<void>;
}

/** How a table is written: as text also packed by gzip. */
export interface TableForm {
  readonly format: TableFormat;
  readonly gzip: boolean;
}

/** What the name of a file of that kind ends in. */
export const file_ending = ({ format, gzip }: TableForm): string => `.${format}${gzip ? ".gz" : ""}`;

/** Writes a table into a file. @param written hears of the bytes */
export function table_writer(
  columns: readonly ExportColumn[],
  { format, gzip }: TableForm,
  file: PlacedFile,
  written: (bytes: number) => void,
): TableWriter {
  const line_of = format === "csv" ? csv_line : json_line;
  const head = format === "csv" ? `${columns.map(({ name }) => name).join(",")}\n` : "";
  return new TextTable((row) => line_of(columns, row), head, gzip, async (bytes) => {
    await file.write(bytes);
    written(bytes.length);
  });
}

/** Text is packed and written in pieces of so many characters. */
const PIECE = 1 << 20;

/** A line a row. Each piece is packed by itself: several behind one another are one gzip to all that read such. */
class TextTable implements TableWriter {
  #text: string;
  constructor(
    readonly line_of: (row: ExportRow) => string,
    head: string,
    readonly gzip: boolean,
    readonly write: (bytes: Uint8Array<ArrayBuffer>) => Promise<void>,
  ) {
    this.#text = head;
  }

  async put(rows: readonly ExportRow[]): Promise<void> {
    for (const row of rows) {
      this.#text += `${this.line_of(row)}\n`;
      if (this.#text.length >= PIECE) await this.end();
    }
  }

  async end(): Promise<void> {
    if (this.#text === "") return;
    const bytes = new TextEncoder().encode(this.#text);
    this.#text = "";
    await this.write(this.gzip ? Uint8Array.from(gzipSync(bytes)) : bytes);
  }
}

/** An amount in micros as decimal text of six decimals. */
export function amount_text(micros: number | bigint): string {
  const value = BigInt(micros), digits = String(value < 0n ? -value : value).padStart(7, "0");
  return `${value < 0n ? "-" : ""}${digits.slice(0, -6)}.${digits.slice(-6)}`;
}

function json_line(columns: readonly ExportColumn[], row: ExportRow): string {
  let line = "{";
  for (let i = 0; i < columns.length; i++) {
    const { name, kind } = columns[i]!, value = row[i]!;
    line += `${i === 0 ? "" : ","}"${name}":${
      value === null
        ? "null"
        : kind === "text"
        ? JSON.stringify(value)
        : kind === "time"
        ? `"${format_time(value as number)}"`
        : kind === "amount"
        ? `"${amount_text(value as number)}"`
        : value
    }`;
  }
  return `${line}}`;
}

/** Text is quoted always: what is read back keeps its white space, and a blank text differs from nothing. */
function csv_line(columns: readonly ExportColumn[], row: ExportRow): string {
  let line = "";
  for (let i = 0; i < columns.length; i++) {
    const { kind } = columns[i]!, value = row[i]!;
    line += (i === 0 ? "" : ",") +
      (value === null
        ? ""
        : kind === "text" || kind === "json"
        ? `"${(value as string).replaceAll('"', '""')}"`
        : kind === "time"
        ? format_time(value as number)
        : kind === "amount"
        ? amount_text(value as number)
        : value);
  }
  return line;
}
