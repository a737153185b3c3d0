import {
  canonical_json,
  type Fault,
  is_blank,
  JsonFault,
  parse_json,
  parse_record_json,
  type StreamNames,
  type Validation,
} from "../../domains/mod.ts";
import {
  type DeclaredMapping,
  read_csv_line,
  shown_value,
  type SourceRecord,
  unfit_field,
  with_message,
} from "../../mapping/mod.ts";
import { is_binary_event, is_object, read_base64, read_text } from "./envelope.ts";
import { begins_key, behind_registry, CONNECT_ENVELOPE, is_connect_envelope } from "./framing.ts";
import type { SourceMessage } from "../message_source.ts";

/** The mappings of topics whose messages are records of another shape, by topic. */
export type TopicMappings = ReadonlyMap<string, DeclaredMapping>;

/**
 * The record that a message holds: a JSON object, or one CSV line where the mapping states its columns. Null where the framing that the
 * mapping states holds none: such a message is a tombstone.
 */
export function read_record(
  message: SourceMessage,
  mapping: DeclaredMapping,
  named: StreamNames,
): Validation<SourceRecord | null> {
  const record = record_in(message, mapping, named);
  if (!record.ok || record.value === null || !mapping.reads_message) return record;
  const { topic, headers, timestamp_ms } = message;
  return {
    ok: true,
    value: with_message(record.value, { topic, key: key_in(message, mapping, named), headers, timestamp_ms }),
  };
}

/** The key of a message, out of the framing that its mapping states where it is in one. */
function key_in({ key }: SourceMessage, { framing }: DeclaredMapping, named: StreamNames): Uint8Array | null {
  if (key === null || framing === null) return key;
  if (framing === "schema_registry") return behind_registry(key, begins_key) ?? key;
  const text = read_text(key, named);
  if (!text.ok || !text.value.startsWith("{")) return key;
  try {
    const value = parse_json(text.value);
    if (!is_object(value) || !is_connect_envelope(value)) return key;
    return value.payload === null ? null : encoder.encode(canonical_json(value.payload));
  } catch (error) {
    if (error instanceof JsonFault) return key;
    throw error;
  }
}

const encoder = new TextEncoder();

function record_in(
  message: SourceMessage,
  mapping: DeclaredMapping,
  named: StreamNames,
): Validation<SourceRecord | null> {
  const { columns, name, framing } = mapping;
  // A CloudEvent whose attributes are headers needs no data.
  const has_value = message.value !== null && message.value.length > 0;
  if (!has_value && mapping.reads_message && is_binary_event(message)) return { ok: true, value: {} };
  const framed = framing === "schema_registry" && message.value !== null;
  // One that nothing was put before is taken as it is.
  const text = read_text(framed ? behind_registry(message.value) ?? message.value : message.value, named);
  if (!text.ok) return text;
  if (columns !== null && !text.value.trimStart().startsWith("{")) return read_csv_line(text.value, columns);
  let value: unknown;
  try {
    value = parse_record_json(text.value);
  } catch (error) {
    if (!(error instanceof JsonFault)) throw error;
    return { ok: false, fault: { reason: error.reason, path: null, detail: error.message } };
  }
  if (framing === "connect" && is_object(value) && is_connect_envelope(value)) {
    if (value.payload === null) return { ok: true, value: null };
    value = value.payload;
  }
  if (is_object(value)) return with_data(value);
  const detail = `expected the message to be a JSON object, as the mapping ${name} takes it`;
  return { ok: false, fault: { reason: "not_an_object", path: null, detail } };
}

/** A CloudEvent's data in base64 is under `data` as well, for paths; in what lists the record's fields it is what was sent. */
function with_data(record: SourceRecord): Validation<SourceRecord> {
  const { specversion, data, data_base64 } = record;
  if (specversion === undefined || typeof data_base64 !== "string" || !is_blank(data)) {
    return { ok: true, value: record };
  }
  const text = read_base64(data_base64);
  return text.ok
    ? { ok: true, value: Object.defineProperty(record, "data", { value: text.value, enumerable: false }) }
    : text;
}

/** What is wrong with a record, with the likely cause where it came in an envelope that its mapping does not know. */
export function told_of_envelope(record: SourceRecord, { name, framing }: DeclaredMapping, fault: Fault): Fault {
  if (framing === "connect" || !is_connect_envelope(record)) return fault;
  const detail = `expected a record for the mapping ${name}, got ${CONNECT_ENVELOPE}; by it as it is: ${fault.detail}`;
  return { reason: "unsupported_framing", path: fault.path, detail };
}

/** What is wrong with an event that was made from a record, told by the record's field where there is one. */
export function trace_fault(mapping: DeclaredMapping, record: SourceRecord, event_type: string, fault: Fault): Fault {
  if (fault.path === null) return { ...fault, path: unfit_field(record) };
  // Decoding names an event's time as CloudEvents do.
  const source = mapping.source_of(record, event_type, fault.path === "time" ? "occurred_at" : fault.path);
  if (source === null) return fault;
  return { ...fault, path: source.field, detail: `${fault.detail}; ${source.field} is ${shown_value(source.value)}` };
}
