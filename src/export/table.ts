import { constants, gzipSync, zstdCompressSync } from "node:zlib";
import { decimal_text } from "../domains/mod.ts";
import { format_time } from "../kpi/mod.ts";
import type { SchemaElement } from "hyparquet";
import { ByteWriter } from "hyparquet-writer/src/bytewriter.js";
import { ParquetWriter } from "hyparquet-writer/src/parquet-writer.js";
import { PACKED, type Packing } from "../files/mod.ts";
import type { ExportPlace } from "./place.ts";

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
type ExportValue = string | number | readonly string[] | null;
/** A row: a value for each column. */
export type ExportRow = readonly ExportValue[];

/** How tables are written. */
export type TableFormat = "ndjson" | "csv" | "parquet";
/** How a table is written: as text also packed; Parquet packs itself, by zstd. */
export interface TableForm {
  readonly format: TableFormat;
  readonly packing: Packing | null;
}

/** A table on its way into a file. */
interface TableWriter {
  /** Its next rows. */
  put(rows: readonly ExportRow[]): Promise<void>;
  /** Writes what is left. The file is not finished by that. */
  end(): Promise<void>;
}

/** Text is packed and written in pieces of so many characters. */
const PIECE = 1 << 20;

/** What some text is packed into: a whole gzip member, or zstd frame with a checksum, as gzip has one. */
const PACK: Readonly<Record<Packing, (bytes: Uint8Array) => Uint8Array>> = {
  gzip: (bytes) => gzipSync(bytes),
  zstd: (bytes) => zstdCompressSync(bytes, { chunkSize: PIECE, params: { [constants.ZSTD_c_checksumFlag]: 1 } }),
};

/** A line a row. Each piece is packed by itself: several behind one another are one file to all that read such. */
class TextTable implements TableWriter {
  readonly #line_of: (columns: readonly ExportColumn[], row: ExportRow) => string;
  #text: string;

  constructor(
    readonly columns: readonly ExportColumn[],
    format: "ndjson" | "csv",
    readonly packing: Packing | null,
    readonly write: (bytes: Uint8Array<ArrayBuffer>) => Promise<void>,
  ) {
    this.#line_of = format === "csv" ? csv_line : json_line;
    this.#text = format === "csv" ? `${columns.map(({ name }) => name).join(",")}\n` : "";
  }

  async put(rows: readonly ExportRow[]): Promise<void> {
    for (const row of rows) {
      this.#text += `${this.#line_of(this.columns, row)}\n`;
      if (this.#text.length >= PIECE) await this.end();
    }
  }

  async end(): Promise<void> {
    if (this.#text === "") return;
    const bytes = new TextEncoder().encode(this.#text);
    this.#text = "";
    await this.write(this.packing === null ? bytes : Uint8Array.from(PACK[this.packing](bytes)));
  }
}

/** An amount in micros as decimal text of six decimals. */
const amount_text = (micros: number | string): string => decimal_text(BigInt(micros), 6, 6);

/** A value that is no text, as JSON has it: amounts and times in quotes. */
function json_value(kind: ColumnKind, value: Exclude<ExportValue, null>): string {
  switch (kind) {
    case "text":
      return JSON.stringify(value);
    case "time":
      return `"${format_time(Number(value))}"`;
    case "amount":
      return `"${amount_text(value as string)}"`;
    case "times":
      return `[${(value as readonly string[]).map((each) => json_value("time", each)).join(",")}]`;
    case "amounts":
      return `[${(value as readonly string[]).map((each) => json_value("amount", each)).join(",")}]`;
  }
  return String(value);
}

function json_line(columns: readonly ExportColumn[], row: ExportRow): string {
  let line = "{";
  for (let i = 0; i < columns.length; i++) {
    const { name, kind } = columns[i]!, value = row[i]!;
    line += `${i === 0 ? "" : ","}"${name}":${value === null ? "null" : json_value(kind, value)}`;
  }
  return `${line}}`;
}

const quoted = (text: string): string => `"${text.replaceAll('"', '""')}"`;

/** Text is quoted always: what is read back keeps its white space, and a blank text differs from nothing. */
function csv_value(kind: ColumnKind, value: Exclude<ExportValue, null>): string {
  switch (kind) {
    case "text":
    case "json":
      return quoted(value as string);
    case "time":
      return format_time(Number(value));
    case "amount":
      return amount_text(value as string);
    case "times":
    case "amounts":
      return quoted(json_value(kind, value));
  }
  return String(value);
}

function csv_line(columns: readonly ExportColumn[], row: ExportRow): string {
  let line = "";
  for (let i = 0; i < columns.length; i++) {
    const value = row[i]!;
    line += (i === 0 ? "" : ",") + (value === null ? "" : csv_value(columns[i]!.kind, value));
  }
  return line;
}

/** Rows of a group: so many are held at once, or fewer where they are long. */
const GROUP_ROWS = 50_000;
const GROUP_CHARACTERS = 32 << 20;

type Element = Omit<SchemaElement, "name" | "repetition_type">;

/** Digits of a decimal: as many as PostgreSQL's sums have, and most readers take. */
const DIGITS = 38;
const decimal = (scale: number): Element => ({
  type: "FIXED_LEN_BYTE_ARRAY",
  type_length: 16,
  converted_type: "DECIMAL",
  precision: DIGITS,
  scale,
});
const TEXT: Element = { type: "BYTE_ARRAY", converted_type: "UTF8" };
const TIME: Element = { type: "INT64", logical_type: { type: "TIMESTAMP", isAdjustedToUTC: true, unit: "MICROS" } };
const ELEMENTS: Readonly<Record<ColumnKind, Element>> = {
  text: TEXT,
  json: TEXT,
  whole: { type: "INT64" },
  sum: decimal(0),
  number: { type: "DOUBLE" },
  amount: decimal(6),
  time: TIME,
  amounts: decimal(6),
  times: TIME,
};

const is_list = (kind: ColumnKind): boolean => kind === "times" || kind === "amounts";

/** The schema of a column; of a list, three levels of it, as the format wants. */
function elements_of({ name, kind, nullable }: ExportColumn): SchemaElement[] {
  const repetition_type = nullable ? "OPTIONAL" : "REQUIRED";
  if (!is_list(kind)) return [{ name, repetition_type, ...ELEMENTS[kind] }];
  return [
    { name, repetition_type, converted_type: "LIST", num_children: 1 },
    { name: "list", repetition_type: "REPEATED", num_children: 1 },
    { name: "element", repetition_type: "REQUIRED", ...ELEMENTS[kind] },
  ];
}

/** A value as the library takes it: decimals as whole numbers of their last digit. */
const value_of = (kind: ColumnKind, value: ExportValue): unknown =>
  value === null
    ? null
    : kind === "text" || kind === "json" || kind === "number"
    ? value
    : Array.isArray(value)
    ? value.map(BigInt)
    : BigInt(value as number);

/** Writes a table as Parquet: a group of rows after another, packed by zstd; what is held is one group, and where each lies. */
class ParquetTable implements TableWriter {
  readonly #writer = new ByteWriter(1 << 20);
  readonly #parquet: ParquetWriter;
  #rows: ExportRow[] = [];
  #characters = 0;

  /** @param about what the file says of itself */
  constructor(
    readonly columns: readonly ExportColumn[],
    about: Readonly<Record<string, unknown>>,
    readonly write: (bytes: Uint8Array<ArrayBuffer>) => Promise<void>,
    readonly group_rows = GROUP_ROWS,
  ) {
    this.#parquet = new ParquetWriter({
      writer: this.#writer,
      schema: [{ name: "root", num_children: columns.length }, ...columns.flatMap(elements_of)],
      codec: "ZSTD",
      compressors: { ZSTD: (bytes) => Uint8Array.from(zstdCompressSync(bytes)) },
      kvMetadata: [{ key: "tacho", value: JSON.stringify(about) }],
      createdBy: "tacho",
    });
  }

  async put(rows: readonly ExportRow[]): Promise<void> {
    for (const row of rows) {
      this.#rows.push(row);
      for (const value of row) if (typeof value === "string") this.#characters += value.length;
      if (this.#rows.length === this.group_rows || this.#characters >= GROUP_CHARACTERS) await this.#flush();
    }
  }

  async end(): Promise<void> {
    if (this.#rows.length > 0) await this.#flush();
    await this.#parquet.finish();
    await this.#out();
  }

  async #flush(): Promise<void> {
    const rows = this.#rows;
    const columnData = this.columns.map(({ name, kind }, i) => ({
      name,
      data: rows.map((row) => value_of(kind, row[i]!)),
      offsetIndex: false,
    }));
    await this.#parquet.write({ columnData, rowGroupSize: rows.length });
    this.#rows = [];
    this.#characters = 0;
    await this.#out();
  }

  async #out(): Promise<void> {
    const bytes = this.#writer.getBytes().slice();
    this.#writer.index = 0;
    await this.write(bytes);
  }
}

/** What the name of a file of that kind ends in. */
export const file_ending = ({ format, packing }: TableForm): string =>
  `.${format}${packing === null ? "" : PACKED[packing]}`;

/** What a file of a table is called, what it holds and what it says of itself, where its format has room for that. */
interface TableFile {
  readonly name: string;
  readonly columns: readonly ExportColumn[];
  readonly about: Readonly<Record<string, unknown>>;
}

/**
 * Writes a table into a file that is there whole or not at all.
 * @param rows its rows, some at a time
 * @returns how many rows and bytes it has
 */
export async function write_table(
  place: ExportPlace,
  { format, packing }: TableForm,
  { name, columns, about }: TableFile,
  rows: AsyncIterable<readonly ExportRow[]>,
): Promise<{ readonly rows: number; readonly bytes: number }> {
  const file = await place.begin(name), counted = { rows: 0, bytes: 0 };
  const write = async (bytes: Uint8Array<ArrayBuffer>) => {
    await file.write(bytes);
    counted.bytes += bytes.length;
  };
  try {
    const writer: TableWriter = format === "parquet"
      ? new ParquetTable(columns, about, write)
      : new TextTable(columns, format, packing, write);
    for await (const some of rows) {
      await writer.put(some);
      counted.rows += some.length;
    }
    await writer.end();
    await file.finish();
  } catch (error) {
    await file.abandon();
    throw error;
  }
  return counted;
}
