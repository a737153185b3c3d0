import { ExactNumber, JsonFault, parse_json } from "../domains/mod.ts";
import { faulty_row, FileError, type FileRow, type RowBatch } from "./record_file.ts";
import type { TextPiece } from "./text_pieces.ts";

/** A line longer than this, in characters, is no record; it must not take all memory. */
const LONGEST_LINE = 8 << 20;

/** The rows of newline-delimited JSON: an object a line, blank lines aside. */
export async function* ndjson_rows(path: string, pieces: AsyncIterable<TextPiece>): AsyncGenerator<RowBatch> {
  let line = 0;
  let rest = "";
  const rows_of = (text: string): FileRow[] => {
    const rows: FileRow[] = [];
    for (const each of text.split("\n")) {
      line++;
      if (each.trim() !== "") rows.push(row_of(line, each.endsWith("\r") ? each.slice(0, -1) : each));
    }
    return rows;
  };
  for await (const { text, share } of pieces) {
    const end = text.lastIndexOf("\n");
    if (end >= 0) {
      const rows = rows_of(rest + text.slice(0, end));
      rest = text.slice(end + 1);
      yield { rows, share };
    } else if ((rest += text).length > LONGEST_LINE) {
      throw new FileError(
        `read ${JSON.stringify(path)}: expected line ${line + 1} to end within ${LONGEST_LINE} characters`,
      );
    }
  }
  if (rest !== "") yield { rows: rows_of(rest), share: 1 };
}

function row_of(line: number, text: string): FileRow {
  const fault = (reason: string, detail: string) => faulty_row(line, text, reason, detail);
  if (text.includes("\ufffd")) return fault("invalid_utf8", "expected UTF-8 text, got other bytes");
  try {
    const value = exact_as_text(parse_json(text));
    if (typeof value === "object" && value !== null && !Array.isArray(value)) {
      return { line, record: value as Record<string, unknown> };
    }
    return fault("not_an_object", `expected a JSON object, got ${JSON.stringify(text.slice(0, 60))}`);
  } catch (error) {
    if (error instanceof JsonFault) return fault(error.reason, error.message);
    throw error;
  }
}

/** Numbers that a double cannot hold as their digits; mappings know no other numbers than doubles. */
function exact_as_text(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (value instanceof ExactNumber) return value.text;
  const members = value as Record<string, unknown>;
  for (const key of Object.keys(members)) {
    const member = members[key];
    if (typeof member === "object" && member !== null) members[key] = exact_as_text(member);
  }
  return members;
}
