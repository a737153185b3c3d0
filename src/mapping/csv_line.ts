import type { Validation } from "../domains/mod.ts";
import type { SourceRecord } from "./definition.ts";

/** A row of CSV in a text: its values and where the next one begins; why it is none; or null: it does not end in this text. */
export type CsvRow =
  | { readonly fields: readonly string[]; readonly end: number }
  | { readonly broken: string }
  | null;

/** How CSV is written. */
export interface CsvForm {
  readonly delimiter: string;
  /** What ends a row, outside quotes; carriage returns before a line feed belong to it. */
  readonly line_break: "\n" | "\r";
  /** What stands before a quote that is a character of a value in quotes: another quote, or the backslash that MySQL and Spark write. */
  readonly escape: '"' | "\\";
}

const PLAIN: CsvForm = { delimiter: ",", line_break: "\n", escape: '"' };

/**
 * Reads the row of CSV that begins at a place of a text. Values in quotes may have delimiters, line breaks and doubled quotes; white space
 * around values and their quotes is none of them. A quote within a value that is not quoted is a character.
 * @param last whether the text ends with the document: then its end ends a row
 */
export function read_csv_row(
  text: string,
  from: number,
  last: boolean,
  { delimiter, line_break, escape }: CsvForm,
): CsvRow {
  const fields: string[] = [];
  for (let at = from;;) {
    let end: number;
    let quote = at;
    while (text[quote] === " ") quote++;
    if (text[quote] === '"') {
      const closing = closing_quote(text, quote + 1, escape);
      if (closing === null) return last ? { broken: "Quoted field unterminated" } : null;
      const written = text.slice(quote + 1, closing);
      fields.push(escape === '"' ? written.replaceAll('""', '"') : written.replaceAll(/\\(["\\])|"(")/g, "$1$2"));
      end = closing + 1;
      while (text[end] === " ") end++;
      if (line_break === "\n") { while (text[end] === "\r") end++; }
      if (end >= text.length) return last ? { fields, end: text.length } : null;
      if (text[end] !== delimiter && text[end] !== line_break) {
        return { broken: "Trailing quote on quoted field is malformed" };
      }
    } else {
      const row_end = text.indexOf(line_break, at);
      if (row_end < 0 && !last) return null;
      const next = text.indexOf(delimiter, at);
      end = row_end < 0 ? text.length : row_end;
      if (next >= 0 && next < end) end = next;
      fields.push(text.slice(at, end).trim());
      if (end >= text.length) return { fields, end: text.length };
    }
    if (text[end] === line_break) return { fields, end: end + 1 };
    at = end + 1;
  }
}

/** Where the quote is that closes a value; null when none does. */
function closing_quote(text: string, from: number, escape: '"' | "\\"): number | null {
  for (let at = text.indexOf('"', from), seen = from; at >= 0; at = text.indexOf('"', seen)) {
    let backslashes = 0;
    while (escape === "\\" && at - backslashes > seen && text[at - backslashes - 1] === "\\") backslashes++;
    if (backslashes % 2 === 0 && text[at + 1] !== '"') return at;
    seen = at + (backslashes % 2 === 0 ? 2 : 1);
  }
  return null;
}

/** Reads a message that is one CSV line, by the columns that its mapping states. */
export function read_csv_line(text: string, columns: readonly string[]): Validation<SourceRecord> {
  const row = read_csv_row(text, 0, true, PLAIN)!;
  let got: string;
  if ("broken" in row) got = row.broken;
  else if (text.slice(row.end).trim() !== "") got = `${text.trimEnd().split("\n").length} lines`;
  else if (row.fields.length !== columns.length) got = `${row.fields.length} values`;
  else return { ok: true, value: Object.fromEntries(columns.map((column, i) => [column, row.fields[i]])) };
  const detail = `expected one CSV line with the ${columns.length} columns ${columns.join(",")}, got ${got}`;
  return { ok: false, fault: { reason: "malformed_csv", path: null, detail } };
}
