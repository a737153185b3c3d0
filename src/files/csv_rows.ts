import Papa from "papaparse";
import { faulty_row, FileError, type FileRow, type RowBatch } from "./record_file.ts";
import type { TextPiece } from "./text_pieces.ts";

/** Text is parsed in portions of this size, in characters: a row at the end of one is parsed again with the next. */
const PORTION = 1 << 20;
/** A row longer than this, in characters, is most likely a quote that nobody closed; it must not take all memory. */
const LONGEST_ROW = 8 << 20;
const REPLACED = "\ufffd";

/** The part of papaparse's parser that is used; the package comes without types. */
interface Parsed {
  readonly data: string[][];
  readonly errors: readonly { readonly message: string; readonly row: number }[];
  readonly meta: { readonly cursor: number };
}
interface Dialect {
  readonly delimiter: string;
  readonly newline: string;
}

/** The rows of CSV text whose first row names the columns. Commas, semicolons, tabs or bars; quoted fields may span lines. */
export async function* csv_rows(path: string, pieces: AsyncIterable<TextPiece>): AsyncGenerator<RowBatch> {
  let dialect: Dialect | null = null;
  let columns: readonly string[] | null = null;
  let line = 1;
  let rest = "", share = 0;

  const rows_of = (last: boolean): FileRow[] => {
    dialect ??= dialect_of(rest);
    const { data, errors, meta }: Parsed = new Papa.Parser(dialect).parse(rest, 0, !last);
    const faulty = new Map(errors.map(({ row, message }) => [row, message]));
    const spans_lines = rest.includes('"');
    const replaced = rest.includes(REPLACED);
    const rows: FileRow[] = [];
    for (const [i, fields] of data.entries()) {
      const at = line;
      line += spans_lines ? fields.reduce((lines, field) => lines + breaks_in(field, dialect!.newline), 1) : 1;
      if (fields.length === 1 && fields[0]!.trim() === "") continue;
      if (columns === null) columns = named(path, fields);
      else rows.push(row_of(at, columns, fields, faulty.get(i) ?? null, replaced));
    }
    rest = last ? "" : rest.slice(meta.cursor);
    if (rest.length > LONGEST_ROW) {
      throw new FileError(
        `read ${JSON.stringify(path)}: expected the row that begins on line ${line} to end within ${LONGEST_ROW} ` +
          "characters; is a quote not closed?",
      );
    }
    return rows;
  };

  for await (const piece of pieces) {
    rest += piece.text;
    share = piece.share;
    if (rest.length >= PORTION) yield { rows: rows_of(false), share };
  }
  if (rest !== "") yield { rows: rows_of(true), share: 1 };
}

/** Field values as one row of CSV. */
export const csv_text = (fields: readonly unknown[]): string => Papa.unparse([fields]);

function dialect_of(text: string): Dialect {
  const { meta } = Papa.parse(text, { preview: 20 });
  return { delimiter: meta.delimiter, newline: meta.linebreak };
}

function named(path: string, header: readonly string[]): readonly string[] {
  const columns = header.map((name) => name.trim());
  const twice = columns.find((name, i) => columns.indexOf(name) !== i);
  if (twice === undefined) return columns;
  throw new FileError(
    `read ${JSON.stringify(path)}: expected different columns in line 1, got ${JSON.stringify(twice)} twice`,
  );
}

function row_of(
  line: number,
  columns: readonly string[],
  fields: readonly string[],
  problem: string | null,
  replaced: boolean,
): FileRow {
  const fault = (reason: string, detail: string) => faulty_row(line, csv_text(fields), reason, detail);
  if (problem !== null) return fault("malformed_csv", `expected a row of CSV, got: ${problem}`);
  if (fields.length !== columns.length) {
    return fault("malformed_csv", `expected ${columns.length} values as in the header, got ${fields.length}`);
  }
  if (replaced && fields.some((field) => field.includes(REPLACED))) {
    return fault("invalid_utf8", "expected UTF-8 text, got other bytes");
  }
  const record: Record<string, unknown> = {};
  for (let i = 0; i < columns.length; i++) record[columns[i]!] = fields[i];
  return { line, record };
}

function breaks_in(field: string, newline: string): number {
  let count = 0;
  for (let at = field.indexOf(newline); at >= 0; at = field.indexOf(newline, at + newline.length)) count++;
  return count;
}
