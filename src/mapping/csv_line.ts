import Papa from "papaparse";
import type { Validation } from "../domains/mod.ts";
import type { SourceRecord } from "./mapping.ts";

/** Reads a message that is one CSV line, by the columns that its mapping states. */
export function read_csv_line(text: string, columns: readonly string[]): Validation<SourceRecord> {
  const { data } = Papa.parse<string[]>(text, { delimiter: ",", skipEmptyLines: true });
  const values = data[0] ?? [];
  if (data.length === 1 && values.length === columns.length) {
    return { ok: true, value: Object.fromEntries(columns.map((column, i) => [column, values[i]])) };
  }
  const got = data.length > 1 ? `${data.length} lines` : `${values.length} values`;
  const detail = `expected one CSV line with the ${columns.length} columns ${columns.join(",")}, got ${got}`;
  return { ok: false, fault: { reason: "malformed_csv", path: null, detail } };
}
