import { ExactNumber, JsonFault, parse_record_json } from "../domains/mod.ts";
import {
  break_in,
  CLOSE_OBJECT,
  closes,
  closing,
  DEEPEST,
  end_of_text,
  type Ending,
  LINE_END,
  OPEN_ARRAY,
  OPEN_OBJECT,
  opens,
  QUOTE,
  sooner_end,
  ValueEnd,
} from "./json_ending.ts";
import { faulty_row, type FileRow, LONGEST_ROW, OverlongLine, type RowBatch } from "./record_file.ts";
import { no_text_with_option, type TextPiece } from "./text_pieces.ts";

/** The names that lead to a record list, from the document down: none for documents that are records, or arrays of them. */
type RecordsPath = readonly string[];

/**
 * The records of JSON: an object a line, one document or several one behind the other, over as many lines as they like; of arrays each
 * element, and under a path each object or element there. Memory does not grow with a document. Numbers that a double cannot hold are
 * `ExactNumber`s; the words NaN and Infinity, which JSON has not and Python writes, are null.
 */
export async function* json_rows(pieces: AsyncIterable<TextPiece>, records: RecordsPath): AsyncGenerator<RowBatch> {
  const reading = new JsonReading(records);
  let text = "";
  for await (const piece of pieces) {
    text += piece.text;
    const rows = reading.rows_of(text, false);
    text = text.slice(reading.read_to);
    if (rows.length > 0) yield { rows, share: piece.share };
  }
  const rows = reading.rows_of(text, true);
  if (rows.length > 0) yield { rows, share: 1 };
}

/** White space of JSON, commas between elements, and the marks before the documents of a JSON text sequence and of files put together. */
const BETWEEN = new Set([..." \t\r\n,\x1e\ufeff"].map((text) => text.charCodeAt(0)));
const ENDS_WORD = new Set([..."\n,[]{}"].map((text) => text.charCodeAt(0)));
/** How often what was read as part of a broken record is read again; a file that is broken everywhere must not take for ever. */
const MOST_READ_AGAIN = 1_000;

/** An array or object around the records. */
interface Around {
  readonly opening: number;
  /** How many names of the path lead to what is in it. */
  readonly depth: number;
  readonly line: number;
}

/** Where the reading of a file stands. */
class JsonReading {
  readonly #path: RecordsPath;
  #line = 1;
  #around: Around[] = [];
  /** In an object around the records: how many names of the path lead to the value that comes next, -1: it is passed over; null: a name comes. */
  #value_depth: number | null = null;
  /** The names that the document had and whether the path led anywhere in it. */
  #names: string[] = [];
  #found = false;
  /** A value that has begun and not ended, and how far it is looked at; it is kept as a row, or passed over. */
  #scan: { readonly ending: Ending; readonly keep: boolean; at: number } | null = null;
  readonly #overlong = new OverlongLine();
  #overlong_line = 0;
  /** Whether the record before was a line of its own: then a broken line ends where the next one begins. */
  #lines = false;
  /** The line that was seen to be more or less than an object. */
  #no_row = 0;
  #read_again = 0;
  #rows: FileRow[] = [];
  /** The next end of a line in the text that was given last; its length where there is none. */
  #break_at = 0;
  /** Where the text that was given last is read to: what is behind has to come again, with more. */
  read_to = 0;

  constructor(path: RecordsPath) {
    this.#path = path;
  }

  /** The rows that end in the text. */
  rows_of(text: string, last: boolean): FileRow[] {
    this.#rows = [];
    this.#break_at = break_in(text, 0);
    let at = 0;
    for (;;) {
      const next = this.#scan === null ? this.#step(text, at, last) : this.#go_on(text, at, last);
      if (next === null) break;
      at = next;
    }
    this.read_to = at;
    if (this.#overlong.begun) {
      this.#overlong.take(text, at, text.length);
      this.#pass(text, text.length);
      this.read_to = text.length;
      this.#scan!.at = 0;
    }
    if (last) this.#end();
    return this.#rows;
  }

  /** Reads what stands between records, or begins one; gives where to go on, null where more text is needed. */
  #step(text: string, from: number, last: boolean): number | null {
    let at = from;
    while (at < text.length && BETWEEN.has(text.charCodeAt(at))) at++;
    this.#pass(text, at);
    if (at > from) return at;
    if (at === text.length) return null;
    const unit = text.charCodeAt(at);
    const inside = this.#around.at(-1);
    if (closes(unit)) return this.#close(text, at, unit, last);
    if (inside?.opening === OPEN_OBJECT && this.#value_depth === null) return this.#name(text, at, inside, last);
    const depth = this.#value_depth ?? inside?.depth ?? 0;
    if (this.#around.length === 0) [this.#names, this.#found] = [[], false];
    const is_record = depth === this.#path.length;
    if (is_record) this.#found = true;
    if (is_record && inside === undefined && unit === OPEN_OBJECT) {
      const end = this.#whole_line(text, at, last);
      if (end === null || end > at) return end;
    }
    const in_list = inside?.opening === OPEN_ARRAY && is_record;
    if (depth < 0 || (is_record && unit === OPEN_OBJECT) || (in_list && unit === OPEN_ARRAY)) {
      if (!opens(unit) && unit !== QUOTE) return this.#word(text, at, depth, last);
      this.#scan = { ending: new ValueEnd(text, at, this.#lines && this.#around.length === 0), keep: is_record, at: 0 };
      return at;
    }
    if (!opens(unit)) return this.#word(text, at, depth, last);
    if (this.#around.length === DEEPEST) {
      this.#scan = { ending: new ValueEnd(text, at, false), keep: true, at: 0 };
      return at;
    }
    this.#value_depth = null;
    this.#around.push({ opening: unit, depth, line: this.#line });
    return at + 1;
  }

  /** Takes a line that is an object by itself, which needs no looking at each character; gives where it began where it is none. */
  #whole_line(text: string, at: number, last: boolean): number | null {
    if (this.#no_row === this.#line) return at;
    const end = this.#break_at;
    if (end === text.length && !last && end - at <= LONGEST_ROW) return null;
    const line = end - at > LONGEST_ROW ? "" : text.slice(at, end).trimEnd();
    const row = line.charCodeAt(line.length - 1) === CLOSE_OBJECT ? row_of(this.#line, line) : null;
    if (row === null || (row.record === null && row.fault.reason === "malformed_json")) {
      this.#no_row = this.#line;
      return at;
    }
    this.#lines = true;
    this.#rows.push(row);
    this.#pass(text, end);
    return end;
  }

  /** Reads on in a value to its end. */
  #go_on(text: string, from: number, last: boolean): number | null {
    const scan = this.#scan!;
    const end = scan.ending.find(text, from + scan.at, last);
    scan.at = text.length - from;
    if (!scan.keep) {
      if (end === null) {
        this.#pass(text, text.length);
        scan.at = 0;
        return from === text.length ? null : text.length;
      }
      this.#pass(text, end);
      this.#done();
      return end;
    }
    if (this.#overlong.begun) {
      if (end === null && !last) return null;
      const to = end ?? text.length;
      this.#overlong.take(text, from, to);
      this.#rows.push(this.#overlong.row(this.#overlong_line));
      this.#pass(text, to);
      this.#done();
      return to;
    }
    if (end !== null && end - from <= LONGEST_ROW) {
      const written = text.slice(from, end).trimEnd();
      const row = row_of(this.#line, written);
      const cut = row.record === null && row.fault.reason === "malformed_json" ? this.#cut(text, from, end) : null;
      this.#rows.push(cut === null ? row : row_of(this.#line, text.slice(from, cut).trimEnd()));
      if (this.#around.length === 0) this.#lines = false;
      this.#pass(text, cut ?? end);
      this.#done();
      return cut ?? end;
    }
    if (end === null && !last && text.length - from <= LONGEST_ROW) return null;
    const cut = this.#cut(text, from, Math.min(end ?? text.length, from + LONGEST_ROW));
    if (cut !== null) {
      this.#rows.push(row_of(this.#line, text.slice(from, cut).trimEnd()));
      this.#pass(text, cut);
      this.#done();
      return cut;
    }
    if (text.length - from > LONGEST_ROW) {
      this.#overlong_line = this.#line;
      const to = end ?? text.length;
      this.#overlong.take(text, from, to);
      this.#pass(text, to);
      scan.at = 0;
      if (end === null && !last) return to;
      this.#rows.push(this.#overlong.row(this.#overlong_line));
      this.#done();
      return to;
    }
    const detail = "expected a record to end, the file ends within it: it is cut off";
    this.#rows.push(faulty_row(this.#line, text.slice(from), "truncated", detail));
    this.#pass(text, text.length);
    this.#around = [];
    this.#done();
    return text.length;
  }

  /** Where what was read as one broken record ends sooner, if it does. */
  #cut(text: string, from: number, to: number): number | null {
    if (this.#read_again >= MOST_READ_AGAIN) return null;
    this.#read_again++;
    return sooner_end(text.slice(0, to), from);
  }

  #done(): void {
    this.#scan = null;
    this.#value_depth = null;
  }

  #close(text: string, at: number, unit: number, last: boolean): number | null {
    const { length } = this.#around;
    while (this.#around.length > 0) {
      if (closing(this.#around.pop()!.opening) !== unit) continue;
      this.#value_depth = null;
      if (this.#around.length === 0 && !this.#found) this.#not_there();
      return at + 1;
    }
    // Nothing that it closes was opened. Which of both is wrong nobody knows; what comes are documents.
    this.#value_depth = null;
    return length === 0 ? this.#word(text, at, 0, last) : at;
  }

  /** Reads the name of a value in an object around the records. */
  #name(text: string, at: number, { depth }: Around, last: boolean): number | null {
    if (text.charCodeAt(at) !== QUOTE) return this.#word(text, at, depth, last);
    const [written] = /^"(?:[^"\\\n]|\\.)*"\s*:/.exec(text.slice(at, at + LONGEST_NAME)) ?? [];
    if (written === undefined) {
      if (text.length - at < LONGEST_NAME && !last) return null;
      return this.#word(text, at, depth, last);
    }
    let name: string;
    try {
      name = JSON.parse(written.slice(0, written.lastIndexOf('"') + 1));
    } catch {
      return this.#word(text, at, depth, last);
    }
    if (this.#names.length < 20) this.#names.push(name);
    this.#value_depth = name === this.#path[depth] ? depth + 1 : -1;
    this.#pass(text, at + written.length);
    return at + written.length;
  }

  /** Passes a word, number or text where no record can begin with it; between records it is a row that is none, to the end of its line. */
  #word(text: string, at: number, depth: number, last: boolean): number | null {
    if (this.#around.length === 0) {
      this.#scan = { ending: LINE_END, keep: true, at: 0 };
      return at;
    }
    let end = at + 1;
    if (text.charCodeAt(at) === QUOTE) end = end_of_text(text, at);
    else {
      while (end < text.length && !ENDS_WORD.has(text.charCodeAt(end))) end++;
    }
    if (end === text.length && !last && end - at <= LONGEST_ROW) return null;
    const word = text.slice(at, end).trimEnd();
    // A list that is not there, or null in its place, has no records.
    const says_nothing = depth < 0 || (word === "null" && this.#path.length > 0);
    if (says_nothing) this.#found ||= depth >= 0;
    else {
      this.#found = true;
      this.#rows.push(row_of(this.#line, word.length > LONGEST_ROW ? word.slice(0, LONGEST_ROW) : word));
    }
    this.#value_depth = null;
    this.#pass(text, end);
    return end;
  }

  #not_there(): void {
    const detail = `expected records at ${this.#path.join(".")} of each document, got one with ${
      this.#names.join(", ") || "no fields"
    }`;
    this.#rows.push(faulty_row(this.#line, "", "no_records", detail));
  }

  /** Nothing follows. */
  #end(): void {
    const open = this.#around.at(-1);
    if (open === undefined) return;
    const what = open.opening === OPEN_ARRAY ? "array" : "object";
    const detail = `expected the ${what} that begins on line ${open.line} to end, the file ends: it is cut off`;
    this.#rows.push(faulty_row(this.#line, "", "truncated", detail));
  }

  /** Counts the lines of text that is read. */
  #pass(text: string, to: number): void {
    while (this.#break_at < to) {
      this.#line++;
      this.#break_at = break_in(text, this.#break_at + 1);
    }
  }
}

const LONGEST_NAME = 10_000;

function row_of(line: number, text: string): FileRow {
  const fault = (reason: string, detail: string) => faulty_row(line, text, reason, detail);
  if (!text.isWellFormed()) return fault("invalid_utf8", no_text_with_option(text));
  try {
    const said = parse_record_json(text);
    // What was made JSON text twice, as exports of topics have it, is what it says.
    const value = typeof said === "string" && said.trimStart().startsWith("{") ? parse_record_json(said) : said;
    if (typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof ExactNumber)) {
      return { line, record: value as Record<string, unknown> };
    }
    return fault("not_an_object", `expected a JSON object, got ${JSON.stringify(text.slice(0, 60))}`);
  } catch (error) {
    if (error instanceof JsonFault) return fault(error.reason, error.message);
    throw error;
  }
}

/** Names that record lists have in documents around them, of whatever domain. */
const LIST_NAMES = new Set([
  "data",
  "events",
  "features",
  "items",
  "records",
  "results",
  "rows",
  "value",
]);

/** Nothing deeper is looked at to find where records are. */
const MOST_AROUND = 64;

/** Where the records of a file are, told by its first document. */
interface RecordsFound {
  readonly path: RecordsPath;
  /** Other places that have arrays of objects, as `--records` names them. */
  readonly others: readonly string[];
}

/**
 * Tells where the records are by the beginning of a file: in the one array of objects that has a usual name, in an object that has no id of
 * its own; else the documents are the records.
 */
export function find_records(head: string, lists: readonly string[] = []): RecordsFound {
  const names: string[] = [];
  const found: string[][] = [];
  const open: { is_object: boolean; empty: boolean }[] = [];
  const path: string[] = [];
  let name: string | null = null;
  // One without a closing quote is a token too: otherwise each quote in it would be tried anew, to the end.
  const token = /"(?:[^"\\]|\\.)*"?|[[\]{}:,]|[^\s[\]{}:,"]+/gs;
  for (const [text] of head.matchAll(token)) {
    const inside = open.at(-1);
    if ((inside === undefined && text !== "{") || open.length > MOST_AROUND) break;
    if (text === "{" || text === "[") {
      if (
        text === "{" && inside?.is_object === false && inside.empty && open.slice(0, -1).every((each) => each.is_object)
      ) {
        found.push([...path]);
      }
      if (inside?.is_object) path.push(name ?? "");
      if (inside !== undefined) inside.empty = false;
      open.push({ is_object: text === "{", empty: true });
      name = null;
    } else if (text === "}" || text === "]") {
      open.pop();
      if (open.at(-1)?.is_object) path.pop();
      if (open.length === 0) break;
    } else if (inside!.is_object && name === null && text.startsWith('"')) {
      name = text.slice(1, -1);
      if (open.length === 1) names.push(name);
    } else if (text === ",") name = null;
    else if (text !== ":") inside!.empty = false;
  }
  const is_record = names.some((each) => /(^|_)id$/i.test(each) || each === "specversion");
  const usual = is_record ? [] : found.filter((each) => LIST_NAMES.has(each.at(-1)!) || lists.includes(each.at(-1)!));
  const path_found = usual.length === 1 ? usual[0]! : [];
  return { path: path_found, others: found.filter((each) => each !== path_found).map((each) => each.join(".")) };
}
