import { z } from "zod";
import {
  canonical_json,
  type Domain,
  type Fault,
  is_blank,
  JsonFault,
  parse_json,
  parse_record_json,
  shown,
  type StreamNames,
  type Validation,
} from "../../domains/mod.ts";
import { expected_time, format_time, parse_time } from "../../kpi/mod.ts";
import {
  type BareEvent,
  type DeclaredMapping,
  read_csv_line,
  shown_value,
  type SourceRecord,
  unfit_field,
  with_message,
} from "../../mapping/mod.ts";
import type { Coordinates, SourceBatch, SourceMessage } from "../message_source.ts";
import {
  bare_envelope,
  type Envelope,
  is_binary_event,
  is_object,
  is_whole_in_value,
  metadata_json,
  read_base64,
  read_envelope,
  read_text,
} from "./envelope.ts";
import { begins_key, behind_registry, CONNECT_ENVELOPE, connect_payload, is_connect_envelope } from "./framing.ts";
import { type DecodedEvent, PlainEvents } from "./plain_event.ts";

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
function told_of_envelope(record: SourceRecord, { name, framing }: DeclaredMapping, fault: Fault): Fault {
  if (framing === "connect" || !is_connect_envelope(record)) return fault;
  const detail = `expected a record for the mapping ${name}, got ${CONNECT_ENVELOPE}; by it as it is: ${fault.detail}`;
  return { reason: "unsupported_framing", path: fault.path, detail };
}

/** What is wrong with an event that was made from a record, told by the record's field where there is one. */
function trace_fault(mapping: DeclaredMapping, record: SourceRecord, event_type: string, fault: Fault): Fault {
  if (fault.path === null) return { ...fault, path: unfit_field(record) };
  // Decoding names an event's time as CloudEvents do.
  const source = mapping.source_of(record, event_type, fault.path === "time" ? "occurred_at" : fault.path);
  if (source === null) return fault;
  return { ...fault, path: source.field, detail: `${fault.detail}; ${source.field} is ${shown_value(source.value)}` };
}

/** A source message after decoding: an event (one of several where its topic has a mapping), or what is wrong with it. */
export interface Decoded {
  readonly message: SourceMessage;
  readonly outcome: DecodedEvent | NoEvent | { readonly fault: Fault; readonly stage?: "append" };
}

/**
 * A message that is no event, and no fault: a tombstone, which has no value and says on a compacted topic that a key is gone, or one whose
 * record its mapping skips on purpose.
 */
interface NoEvent {
  readonly no_event: "tombstone" | "skipped";
}

/** What decoding refuses beyond the domain's schemas. */
export interface DecodeLimits {
  /** Event times later than this after the time of reading are refused; after the broker's time, where that is later. */
  readonly future_limit_ms: number;
  readonly max_message_bytes: number;
}

/** The limits of a reading, and when it was, milliseconds since the Unix epoch. */
export interface DecodeTerms extends DecodeLimits {
  readonly read_ms: number;
}

const refused = (reason: string, path: string | null, detail: string) => ({ fault: { reason, path, detail } });

type Parser = Pick<Domain, "parse" | "fields" | "event_types" | "noun" | "stream_column">;

const PLAIN = new WeakMap<Parser, PlainEvents>();

/** The reader of a domain's plain events: one, since it learns. */
function plain_events(domain: Parser): PlainEvents {
  let plain = PLAIN.get(domain);
  if (plain === undefined) PLAIN.set(domain, plain = new PlainEvents(domain));
  return plain;
}

const TOMBSTONE: NoEvent = { no_event: "tombstone" };
const SKIPPED: NoEvent = { no_event: "skipped" };

/** The name of the header that states a fault. */
export const FAULT_HEADER = "tacho-fault";

const stated_schema = z.object({
  reason: z.string().regex(/^[a-z][a-z0-9_]{0,99}$/),
  path: z.string().max(500).nullable(),
  detail: z.string().max(10_000),
});
const kept_text = (text: string): string => text.replaceAll("\0", "").toWellFormed();

/**
 * The fault that whoever sent a message found in it, as the header `tacho-fault` has it: JSON of a `Fault`, or plain words. Null when the
 * message has no such header.
 */
export function stated_fault({ headers }: SourceMessage): Fault | null {
  const header = headers[FAULT_HEADER];
  if (header === undefined) return null;
  const text = kept_text(new TextDecoder().decode(header));
  const words = { reason: "faulty_at_source", path: null, detail: text.slice(0, 10_000) };
  try {
    const stated = stated_schema.safeParse(JSON.parse(text));
    if (!stated.success) return words;
    const { reason, path, detail } = stated.data;
    return { reason, path: path === null ? null : kept_text(path), detail: kept_text(detail) };
  } catch (error) {
    if (error instanceof SyntaxError) return words;
    throw error;
  }
}

/** What is known of a message before its value is read: what is wrong with it, or that it has none; null: it is to be read. */
const known_unread = (message: SourceMessage, { max_message_bytes }: DecodeLimits) => {
  const stated = stated_fault(message);
  if (stated !== null) return { fault: stated };
  // A CloudEvent in headers needs no data.
  if (message.value === null && !is_binary_event(message)) return TOMBSTONE;
  const size = message.value?.length ?? 0;
  return size > max_message_bytes
    ? refused("too_large", null, `expected at most ${max_message_bytes} bytes, got ${size}`)
    : null;
};

/** Decodes one message. Pure: the same message read at the same time gives the same outcome. */
export function decode_message(
  domain: Parser,
  terms: DecodeTerms,
  message: SourceMessage,
): Decoded["outcome"] {
  const known = known_unread(message, terms);
  if (known !== null) return known;
  if (message.value !== null && is_whole_in_value(message)) {
    const event = plain_events(domain).read(message, message.value, latest_time_us(message, terms));
    if (event !== null) return event;
  }
  return decode_thoroughly(domain, terms, message);
}

/** Decodes one message that is not known unread, however it is written: what is plain comes to the same by `PlainEvents`. */
export function decode_thoroughly(
  domain: Parser,
  terms: DecodeTerms,
  message: SourceMessage,
): DecodedEvent | { readonly fault: Fault } {
  const envelope = read_envelope(message, domain);
  if (!envelope.ok) return { fault: envelope.fault };
  return decode_event(domain, terms, message, envelope.value);
}

/** Where a message lies, and what is said of its time. */
type Taken = Coordinates & Pick<SourceMessage, "timestamp_ms" | "timestamp_is_brokers">;

/** A broker's clock that is further ahead of ours is believed as little as a producer's: the log cannot forget what it let in. */
const BELIEVED_AHEAD_MS = 86_400_000;

/**
 * The time that event times are held against, milliseconds: when the message was read, or when the broker took it, where its clock is
 * ahead of ours by a day at most. A record's time that its producer stamped says nothing: it may be 1970 or 2090, in seconds, or none (-1).
 */
const present_ms = ({ timestamp_ms, timestamp_is_brokers }: Taken, read_ms: number): number =>
  timestamp_is_brokers === true && timestamp_ms > read_ms && timestamp_ms <= read_ms + BELIEVED_AHEAD_MS
    ? timestamp_ms
    : read_ms;

/** The latest event time that is admitted, microseconds. */
const latest_time_us = (message: Taken, { read_ms, future_limit_ms }: DecodeTerms): number =>
  (present_ms(message, read_ms) + future_limit_ms) * 1000;

/** What is wrong with a time that no clock shows yet. */
function in_future(message: Taken, { read_ms, future_limit_ms }: DecodeTerms, time: string) {
  const now_ms = present_ms(message, read_ms);
  const whose = now_ms === read_ms ? "when it was read" : "when the broker took it";
  return refused(
    "time_in_future",
    "time",
    `expected a time at most ${Math.round(future_limit_ms / 60_000)} min after ${
      format_time(now_ms * 1000)
    }, ${whose}; ` +
      `got ${JSON.stringify(time.slice(0, 60))}`,
  );
}

function decode_event(
  domain: Pick<Domain, "parse" | "fields" | "stream_column">,
  terms: DecodeTerms,
  message: Taken,
  envelope: Envelope,
): DecodedEvent | { readonly fault: Fault } {
  const { stream_id, event_id, type, schema_version, time, data, depth, attributes } = envelope;
  const parsed_time = parse_time(time);
  if (!parsed_time.ok) {
    const reason = parsed_time.why === "malformed" ? "malformed_time" : "time_without_zone";
    return refused(reason, "time", `expected ${expected_time(time)}, got ${JSON.stringify(time.slice(0, 60))}`);
  }
  if (parsed_time.us > latest_time_us(message, terms)) return in_future(message, terms, time);
  const payload = domain.parse(type, schema_version, data);
  if (!payload.ok) return { fault: payload.fault };
  // The log may hold such from before they were refused: reading it back does not ask.
  const blank = domain.fields(type, schema_version)?.find(({ name, required }) => required && is_blank(data[name]));
  if (blank !== undefined) {
    const detail = `expected ${blank.name}, which ${type} requires; got ${shown(data[blank.name])}`;
    return refused("invalid_field", blank.name, detail);
  }
  try {
    return {
      event: {
        stream_id: storable(stream_id, domain.stream_column),
        event_id: storable(event_id, "event_id"),
        type,
        schema_version,
        occurred_at_us: parsed_time.us,
        payload: payload.value,
        data: canonical_json(data, depth),
        attributes,
      },
      metadata: metadata_json(message, attributes === null ? null : canonical_json(attributes)),
    };
  } catch (error) {
    if (!(error instanceof JsonFault)) throw error;
    const field = unfit_field({ ...attributes, ...data });
    return refused(error.reason, null, field === null ? error.message : `${error.message} in ${field}`);
  }
}

function storable(id: string, name: string): string {
  if (!id.includes("\0") && id.isWellFormed()) return id;
  throw new JsonFault("text_not_storable", `expected ${name} without NUL and lone surrogates, got ${shown(id)}`);
}

/** An event that a mapping made, as it was made and as it was decoded. */
interface MappedEvent {
  readonly bare: BareEvent;
  readonly decoded: DecodedEvent;
}

/** Decodes the events that a mapping makes of a record, in the order of their times, none where it skips it; one faulty event and the whole record is. */
export function decode_record(
  domain: Parser,
  terms: DecodeTerms,
  message: Taken,
  mapping: DeclaredMapping,
  given: SourceRecord,
): Validation<readonly MappedEvent[]> {
  const record = mapping.framing === "connect" ? connect_payload(given) ?? given : given;
  const mapped = mapping.map(record);
  if (!mapped.ok) return { ok: false, fault: told_of_envelope(record, mapping, mapped.fault) };
  const events: MappedEvent[] = [];
  for (const bare of mapped.value) {
    const envelope = bare_envelope(bare, domain);
    const outcome = envelope.ok ? decode_event(domain, terms, message, envelope.value) : envelope;
    if ("fault" in outcome) {
      const fault = trace_fault(mapping, record, String(bare.type), outcome.fault);
      return { ok: false, fault: told_of_envelope(record, mapping, fault) };
    }
    const decoded = mapping.enriched === null ? outcome : { ...outcome, enriched: mapping.enriched };
    events.push({ bare, decoded });
  }
  return { ok: true, value: events };
}

/** Decodes a message of a topic with a mapping: its events, or one fault for the whole message. */
function decode_mapped(
  domain: Parser,
  terms: DecodeTerms,
  message: SourceMessage,
  mapping: DeclaredMapping,
): readonly Decoded["outcome"][] {
  const known = known_unread(message, terms);
  if (known !== null) return [known];
  const record = read_record(message, mapping, domain);
  if (!record.ok) return [record];
  if (record.value === null) return [TOMBSTONE];
  const events = decode_record(domain, terms, message, mapping, record.value);
  if (!events.ok) return [events];
  return events.value.length === 0 ? [SKIPPED] : events.value.map(({ decoded }) => decoded);
}

/**
 * Decodes batches, in their order.
 * @param mappings of the topics that have one: a message there may come to several events, which follow one another
 */
export function decode_batches(
  domain: Parser,
  terms: DecodeTerms,
  batches: readonly SourceBatch[],
  mappings?: TopicMappings,
): Decoded[] {
  const decoded: Decoded[] = [];
  for (const { topic, messages } of batches) {
    const mapping = mappings?.get(topic);
    for (const message of messages) {
      if (mapping === undefined) {
        decoded.push({ message, outcome: decode_message(domain, terms, message) });
        continue;
      }
      for (const outcome of decode_mapped(domain, terms, message, mapping)) {
        decoded.push({ message, outcome });
      }
    }
  }
  return decoded;
}
