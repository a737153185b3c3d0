import { type Fault, JsonFault, parse_json, type Validation } from "../domains/mod.ts";
import { type DeclaredMapping, read_csv_line, shown, type SourceRecord, unfit_field } from "../mapping/mod.ts";
import { is_object, read_text } from "./envelope.ts";
import type { SourceMessage } from "./message_source.ts";

/** The mappings of topics whose messages are records of another shape, by topic. */
export type TopicMappings = ReadonlyMap<string, DeclaredMapping>;

/** The record that a message holds: a JSON object, or one CSV line where the mapping states its columns. */
export function read_record(message: SourceMessage, { columns, name }: DeclaredMapping): Validation<SourceRecord> {
  const text = read_text(message);
  if (!text.ok) return text;
  if (columns !== null && !text.value.trimStart().startsWith("{")) return read_csv_line(text.value, columns);
  try {
    const value = parse_json(text.value);
    if (is_object(value)) return { ok: true, value };
  } catch (error) {
    if (!(error instanceof JsonFault)) throw error;
    return { ok: false, fault: { reason: error.reason, path: null, detail: error.message } };
  }
  const detail = `expected the message to be a JSON object, as the mapping ${name} takes it`;
  return { ok: false, fault: { reason: "not_an_object", path: null, detail } };
}

/** What is wrong with an event that was made from a record, told by the record's field where there is one. */
export function trace_fault(mapping: DeclaredMapping, record: SourceRecord, event_type: string, fault: Fault): Fault {
  if (fault.path === null) return { ...fault, path: unfit_field(record) };
  // Decoding names an event's time as CloudEvents do.
  const source = mapping.source_of(record, event_type, fault.path === "time" ? "occurred_at" : fault.path);
  if (source === null) return fault;
  return { ...fault, path: source.field, detail: `${fault.detail}; ${source.field} is ${shown(source.value)}` };
}
