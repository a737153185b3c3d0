import { ExactNumber, JsonFault, parse_json } from "../domains/mod.ts";
import { faulty_row, FileError, type FileRow, LONGEST_ROW, OverlongLine, type RowBatch } from "./record_file.ts";
import { no_utf8, type TextPiece } from "./text_pieces.ts";

/** The rows of newline-delimited JSON: an object a line, blank lines aside. Numbers that a double cannot hold are `ExactNumber`s. */
export async function* ndjson_rows(path: string, pieces: AsyncIterable<TextPiece>): AsyncGenerator<RowBatch> {
  const overlong = new OverlongLine();
  let line = 1;
  let first = true;
  let rest = "";
  const rows_of = (text: string, last: boolean): FileRow[] => {
    const rows: FileRow[] = [];
    let from = 0;
    while (from < text.length || (last && overlong.begun)) {
      const break_at = text.indexOf("\n", from);
      const ends = break_at >= 0 || last;
      const to = break_at < 0 ? text.length : break_at;
      if (overlong.begun || to - from > LONGEST_ROW) {
        overlong.take(text, from, to);
        if (ends) rows.push(overlong.row(line));
      } else if (!ends) break;
      else {
        const each = text.slice(from, to);
        if (each.trim() !== "") {
          if (first) must_be_lines(path, line, each.trim());
          first = false;
          rows.push(row_of(line, each.endsWith("\r") ? each.slice(0, -1) : each));
        }
      }
      from = to + 1;
      if (ends) line++;
    }
    rest = text.slice(from);
    return rows;
  };
  for await (const { text, share } of pieces) {
    if (!text.includes("\n") && rest.length + text.length <= LONGEST_ROW && !overlong.begun) rest += text;
    else yield { rows: rows_of(rest + text, false), share };
  }
  const rows = rows_of(rest, true);
  if (rows.length > 0) yield { rows, share: 1 };
}

/** Refuses a document of JSON in the place of lines, of which each piece would be a faulty row. Throws FileError. */
function must_be_lines(path: string, line: number, text: string): void {
  if (text !== "{" && !text.startsWith("[")) return;
  const got = text === "{" ? "one over several lines" : "an array";
  throw new FileError(
    `read ${JSON.stringify(path)}: expected a JSON object on each line, got ${got} on line ${line}; ` +
      `jq -c ${text === "{" ? "." : "'.[]'"} makes lines of it`,
  );
}

function row_of(line: number, text: string): FileRow {
  const fault = (reason: string, detail: string) => faulty_row(line, text, reason, detail);
  if (!text.isWellFormed()) return fault("invalid_utf8", no_utf8(text));
  try {
    const value = parse_json(text);
    if (typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof ExactNumber)) {
      return { line, record: value as Record<string, unknown> };
    }
    return fault("not_an_object", `expected a JSON object, got ${JSON.stringify(text.slice(0, 60))}`);
  } catch (error) {
    if (error instanceof JsonFault) return fault(error.reason, error.message);
    throw error;
  }
}
