import Papa from "papaparse";
import { type CsvForm, type CsvRow, read_csv_row } from "../mapping/mod.ts";
import { faulty_row, FileError, type FileRow, LONGEST_ROW, OverlongLine, type RowBatch } from "./record_file.ts";
import { no_text_with_option, type TextPiece } from "./text_pieces.ts";

/** Text is parsed in portions of this size, in characters: a row at the end of one is parsed again with the next. */
const PORTION = 1 << 20;
/** Of the first portion, what the delimiter is told by. */
const TELLING = 64 << 10;

/**
 * The rows of CSV text whose first row names the columns. Commas, semicolons, tabs or bars; quoted fields may span lines; each line may end
 * with or without a carriage return. Of a row that is none only its first line is refused: what a stray quote would swallow still comes.
 */
export async function* csv_rows(path: string, pieces: AsyncIterable<TextPiece>): AsyncGenerator<RowBatch> {
  let reading: CsvReading | null = null;
  let text = "", share = 0, enough = PORTION;
  for await (const piece of pieces) {
    text += piece.text;
    share = piece.share;
    if (text.length < enough) continue;
    reading ??= new CsvReading(path, text);
    yield { rows: reading.rows_of(text, false), share };
    text = text.slice(reading.read_to);
    // A row that did not end is parsed again when there is as much again to read.
    enough = text.length + PORTION;
  }
  reading ??= new CsvReading(path, text);
  const rows = reading.rows_of(text, true);
  if (rows.length > 0) yield { rows, share: 1 };
}

/** Field values as one row of CSV. */
export const csv_text = (fields: readonly unknown[]): string => Papa.unparse([fields]);

/** The delimiter that gives the first rows the same number of values; blank lines, the end of the last one too, are no rows. */
const delimiter_of = (text: string): string => Papa.parse(text, { preview: 20, skipEmptyLines: true }).meta.delimiter;

/** Where the reading of a file stands. */
class CsvReading {
  readonly #path: string;
  readonly #form: CsvForm;
  readonly #form_escaped: CsvForm;
  readonly #overlong = new OverlongLine();
  #columns: readonly string[] | null = null;
  /** The names of the first header, by their spelling without capitals; and what they begin with, which spares most values a look. */
  readonly #known = new Map<string, string>();
  readonly #initials = new Set<string | undefined>();
  #names_line = 1;
  /** How many values a row has at least: those of columns without a name at the end may lack. */
  #least = 0;
  #rows_came = false;
  #line = 1;
  /** Excel's own line, in which it says what delimits: `sep=;`, in quotes where another program wrote the file again. */
  #stated: RegExpExecArray | null;
  /** Where the text that was given last is read to: what is behind has to come again, with more. */
  read_to = 0;

  /** @param text the file's first */
  constructor(path: string, text: string) {
    this.#path = path;
    this.#stated = /^(?:[ \t]*[\r\n])*"?sep= ?(.)"?\1*[ \t]*(?:\r*\n|\r)/i.exec(text);
    const delimiter = this.#stated?.[1] ?? delimiter_of(text.slice(0, TELLING));
    this.#form = { delimiter, line_break: line_break_of(text.slice(0, TELLING)), escape: '"' };
    this.#form_escaped = { ...this.#form, escape: "\\" };
  }

  /** The rows that end in the text. */
  rows_of(text: string, last: boolean): FileRow[] {
    const rows: FileRow[] = [];
    let at = 0;
    if (this.#stated !== null) {
      at = this.#stated[0].length;
      this.#line += this.#stated[0].match(/\r*\n|\r/g)!.length;
      this.#stated = null;
    }
    let quote = text.indexOf('"', at);
    while (at < text.length || (last && this.#overlong.begun)) {
      // Files put together keep their byte order marks, each in front of a line.
      if (text.charCodeAt(at) === BYTE_ORDER_MARK && !this.#overlong.begun) at++;
      const break_at = text.indexOf(this.#form.line_break, at);
      const line_end = break_at < 0 ? text.length : break_at;
      if (this.#overlong.begun || line_end - at > LONGEST_ROW) {
        this.#overlong.take(text, at, line_end);
        at = line_end;
        if (break_at < 0 && !last) break;
        if (this.#columns === null) throw this.#no_names("a longer line than rows may have");
        rows.push(this.#overlong.row(this.#line++));
        at++;
        continue;
      }
      if (quote >= 0 && quote < at) quote = text.indexOf('"', at);
      const quoted = quote >= 0 && quote < line_end;
      if (!quoted && break_at < 0 && !last) break;
      const row = quoted ? this.#quoted(text, at, line_end, last) : {
        fields: text.slice(at, line_end).split(this.#form.delimiter).map((field) => field.trim()),
        end: line_end + 1,
      };
      if (row === null && text.length - at <= LONGEST_ROW) break;
      const whole_end = row !== null && "end" in row ? Math.min(row.end, text.length) : line_end + 1;
      const parts = this.#parts(text, at, whole_end, row);
      for (const part of parts) {
        const { row } = this.#row(part.text, 0, part.text.length, part);
        if (row !== null) rows.push(row);
        this.#line += part.text.match(/\r*\n|\r/g)?.length ?? 1;
      }
      if (parts.length > 0) {
        at = whole_end;
        continue;
      }
      const read = this.#row(text, at, line_end, row);
      if (read.row !== null) rows.push(read.row);
      this.#line += read.end > line_end + 1 ? breaks_between(text, at, read.end, this.#form.line_break) : 1;
      at = read.end;
    }
    this.read_to = Math.min(at, text.length);
    return rows;
  }

  /** A row with quotes. One that breaks their rules as they are may follow those of MySQL and Spark. */
  #quoted(text: string, at: number, line_end: number, last: boolean): CsvRow {
    const row = read_csv_row(text, at, last, this.#form);
    if (row === null || !("broken" in row) || !text.slice(at, line_end).includes('\\"')) return row;
    const other = read_csv_row(text, at, last, this.#form_escaped);
    return other !== null && "broken" in other ? row : other;
  }

  /**
   * The rows of a stretch of text, each with its own, where they end otherwise than most lines of the file do: of what was read as a row with too many
   * values, or as none. None where it is no such text.
   */
  #parts(all: string, begin: number, end: number, row: CsvRow) {
    const is_row = row === null || "fields" in row;
    const columns = this.#columns?.length ?? 0;
    if (is_row && (row?.fields.length ?? 0) <= columns) return [];
    const text = all.slice(begin, end);
    const form: CsvForm = { ...this.#form, line_break: this.#form.line_break === "\n" ? "\r" : "\n" };
    const whole = text.trimEnd();
    if (!(is_row ? whole : text).includes(form.line_break)) return [];
    const last_known = (fields: readonly string[]) => fields.findLastIndex((field) => field !== "") + 1;
    let [least, most] = [this.#least, columns];
    const parts: { readonly text: string; readonly fields: readonly string[]; readonly end: number }[] = [];
    for (let from = 0; from < whole.length;) {
      let at = from;
      while (whole[at] === "\r" || whole[at] === "\n" || whole.charCodeAt(at) === BYTE_ORDER_MARK) at++;
      const part = read_csv_row(whole, at, true, form);
      if (part === null || "broken" in part) return [];
      const { fields, end } = part;
      if (this.#columns === null && parts.length === 0) [least, most] = [last_known(fields), fields.length];
      if (fields.length < least || last_known(fields) > most) return [];
      parts.push({ fields, end, text: whole.slice(from, end) });
      from = end;
    }
    return parts.length > (is_row ? 1 : 0) ? parts : [];
  }

  /** What follows has these columns. */
  #take_names(names: readonly string[]): void {
    this.#columns = named(names);
    this.#least = names.findLastIndex((name) => name !== "") + 1;
  }

  /** The name of the first header that a value is, whatever its capitals; undefined when it is none. */
  #name_in(value: string): string | undefined {
    return this.#initials.has(value[0]) ? this.#known.get(value.toLowerCase()) : undefined;
  }

  /**
   * The names of columns where a row has them and no values, as where files were put together: those that there were, or most of them, in
   * another order, with other capitals or others among them. Null for a row of values.
   */
  #names_in(fields: readonly string[]): readonly string[] | null {
    if (this.#name_in(fields[0]!) === undefined && this.#name_in(fields[1] ?? "") === undefined) return null;
    const names = fields.map((field) => this.#name_in(field) ?? field.trim());
    const columns = this.#columns!;
    const same = fields.length === columns.length && named(names).every((name, i) => name === columns[i]);
    const written = names.filter((name) => name !== "");
    const of_first = new Set(written.filter((name) => this.#name_in(name) !== undefined));
    // One or two words may be values that are spelled alike.
    if (written.length < 3) return same && fields.join() === names.join() ? names : null;
    const is_header = same ||
      (of_first.size * 2 > written.length && !written.some((name) => NUMBER.test(name) || VALUE.test(name)));
    return is_header ? names : null;
  }

  #no_names(why: string, line = this.#line): FileError {
    return new FileError(`read ${JSON.stringify(this.#path)}: line ${line}, the names of columns: ${why}`);
  }

  /** The row that begins at a place, null for column names and a blank line; and where the next one begins: of a row that is none, behind its first line. */
  #row(text: string, at: number, line_end: number, row: CsvRow): {
    readonly row: FileRow | null;
    readonly end: number;
  } {
    const first_line = text.slice(at, line_end).replace(/\r$/, "");
    const refused = (reason: string, detail: string, path: string | null = null) => {
      if (this.#columns !== null) {
        return { row: faulty_row(this.#line, first_line, reason, detail, path), end: line_end + 1 };
      }
      throw this.#no_names(detail);
    };
    if (row === null) {
      const detail = `expected a row of at most ${LONGEST_ROW} characters, got a longer one; is a quote not closed?`;
      return refused("malformed_csv", detail);
    }
    if ("broken" in row) return refused("malformed_csv", `expected a row of CSV, got: ${row.broken}`);
    const { fields, end } = row;
    if (fields.every((field) => field === "")) return { row: null, end };
    const unreadable = fields.find((field) => !field.isWellFormed());
    if (this.#columns === null) {
      if (unreadable !== undefined) return refused("invalid_utf8", no_text_with_option(unreadable));
      const numbers = fields.filter((field) => NUMBER.test(field));
      if (numbers.length * 2 > fields.length || fields.some((field) => VALUE.test(field))) {
        throw this.#no_names(`expected names, got values: ${fields.join(", ")}`);
      }
      for (const name of fields) {
        if (name === "") continue;
        this.#known.set(name.toLowerCase(), name);
        for (const all of [name, name.toLowerCase(), name.toUpperCase()]) this.#initials.add(all[0]);
      }
      this.#names_line = this.#line;
      this.#take_names(fields);
      return { row: null, end };
    }
    const columns = this.#columns;
    const again = this.#names_in(fields);
    if (again !== null) {
      this.#take_names(again);
      return { row: null, end };
    }
    const surplus = fields.length > columns.length && !fields.slice(columns.length).every((field) => field === "");
    if (surplus && columns.length === 1 && !this.#rows_came) {
      const detail = `expected names of ${fields.length} columns, as the row below has, got ${columns[0]}`;
      throw this.#no_names(detail, this.#names_line);
    }
    this.#rows_came = true;
    if (surplus || fields.length < this.#least) {
      return refused("malformed_csv", `expected ${columns.length} values as in the header, got ${fields.length}`);
    }
    if (unreadable !== undefined) {
      return refused("invalid_utf8", no_text_with_option(unreadable), columns[fields.indexOf(unreadable)] ?? null);
    }
    const record: Record<string, unknown> = {};
    for (let i = 0; i < columns.length; i++) record[columns[i]!] = fields[i] ?? "";
    return { row: { line: this.#line, record }, end };
  }
}

const BYTE_ORDER_MARK = 0xfeff;

/** What names no column: a date, or a number with decimals; and what names few: a whole number, such as a year. */
const VALUE = /^\d{4}-\d\d-\d\d(?!\d)|^\d{1,2}([/.])\d{1,2}\1\d{2,4}\b|^[+-]?\d+[.,]\d+$/;
const NUMBER = /^[+-]?\d+$/;

/** What ends most rows: line feeds, with carriage returns before them or not, or carriage returns alone. Those in quotes are none. */
function line_break_of(text: string): "\n" | "\r" {
  let quoted = false, feeds = 0, returns = 0;
  for (const [found] of text.matchAll(/"|\r*\n|\r+/g)) {
    if (found === '"') quoted = !quoted;
    else if (quoted) continue;
    else if (found.endsWith("\n")) feeds++;
    else returns++;
  }
  return returns > feeds ? "\r" : "\n";
}

/** The columns by their names; one without a name, or with that of an earlier one, by its place too. */
function named(header: readonly string[]): readonly string[] {
  const names = header.map((name) => name.trim());
  return names.map((name, i) => {
    const first = names.indexOf(name) === i;
    return first ? name : `${name || "column"} (${i + 1})`;
  });
}

function breaks_between(text: string, from: number, to: number, line_break: string): number {
  let count = 0;
  for (let at = text.indexOf(line_break, from); at >= 0 && at < to; at = text.indexOf(line_break, at + 1)) count++;
  return Math.max(count, 1);
}
