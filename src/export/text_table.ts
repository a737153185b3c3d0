import { gzipSync } from "node:zlib";
import { format_time } from "../kpi/mod.ts";
import type { ColumnKind, ExportColumn, ExportRow, ExportValue, TableWriter } from "./table.ts";

/** Text is packed and written in pieces of so many characters. */
const PIECE = 1 << 20;

/** A line a row. Each piece is packed by itself: several behind one another are one gzip to all that read such. */
export class TextTable implements TableWriter {
  readonly #line_of: (columns: readonly ExportColumn[], row: ExportRow) => string;
  #text: string;

  constructor(
    readonly columns: readonly ExportColumn[],
    format: "ndjson" | "csv",
    readonly gzip: boolean,
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
    await this.write(this.gzip ? Uint8Array.from(gzipSync(bytes)) : bytes);
  }
}

/** An amount in micros as decimal text of six decimals. */
function amount_text(micros: number | string): string {
  const value = BigInt(micros), digits = String(value < 0n ? -value : value).padStart(7, "0");
  return `${value < 0n ? "-" : ""}${digits.slice(0, -6)}.${digits.slice(-6)}`;
}

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
