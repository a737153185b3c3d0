import Papa from "papaparse";
import { type Fault, JsonFault, parse_json } from "../domains/mod.ts";
import type { SourceRecord } from "../mapping/mod.ts";
import { UsageError } from "./shell.ts";

/** A row of a sample: a record, or what keeps it from being one. Lines count from 1. */
export type SampleRow =
  | { readonly line: number; readonly record: SourceRecord }
  | { readonly line: number; readonly record: null; readonly fault: Fault };

/** The rows of a CSV file with a header, or of newline-delimited JSON; the file is never in memory as a whole. */
export async function* sample_rows(path: string): AsyncGenerator<SampleRow> {
  let columns: readonly string[] | null = null;
  for await (const { line, text } of lines_of(path)) {
    if (text.trim() === "") continue;
    if (columns === null && text.trimStart().startsWith("{")) yield json_row(line, text);
    else {
      const values = Papa.parse<string[]>(text, { delimiter: "," }).data[0] ?? [];
      if (columns === null) columns = values;
      else yield csv_row(line, columns, values);
    }
  }
}

/** A sample line is short: a longer one is no text. */
const LONGEST_LINE = 1 << 20;

async function* lines_of(path: string): AsyncGenerator<{ line: number; text: string }> {
  let file: Deno.FsFile;
  try {
    file = await Deno.open(path);
  } catch (cause) {
    throw new UsageError(`mapping check: cannot open ${JSON.stringify(path)}`, { cause });
  }
  let line = 0, rest = "";
  for await (const piece of file.readable.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + piece).split("\n");
    rest = lines.pop()!;
    for (const text of lines) yield { line: ++line, text };
    if (rest.length > LONGEST_LINE) {
      throw new UsageError(
        `mapping check: expected lines of at most ${LONGEST_LINE} characters in ${path}, line ${line + 1}`,
      );
    }
  }
  yield { line: ++line, text: rest };
}

function json_row(line: number, text: string): SampleRow {
  try {
    const value = parse_json(text);
    if (typeof value === "object" && value !== null && !Array.isArray(value)) {
      return { line, record: value as Record<string, unknown> };
    }
    return faulty(line, "not_an_object", `expected a JSON object, got ${text.slice(0, 60)}`);
  } catch (error) {
    if (error instanceof JsonFault) return faulty(line, error.reason, error.message);
    throw error;
  }
}

const csv_row = (line: number, columns: readonly string[], values: readonly string[]): SampleRow =>
  values.length === columns.length
    ? { line, record: Object.fromEntries(columns.map((column, i) => [column, values[i]])) }
    : faulty(line, "malformed_csv", `expected ${columns.length} values as in the header, got ${values.length}`);

const faulty = (line: number, reason: string, detail: string): SampleRow => ({
  line,
  record: null,
  fault: { reason, path: null, detail },
});
