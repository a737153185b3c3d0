import { read_time } from "./event_time.ts";
import { event_type_named, read_fields, read_text, type TripEventType } from "./fields.ts";
import {
  canonical_text,
  Fault,
  fault_of_text,
  HEADER_UTF8,
  is_blank,
  is_object,
  type Json,
  type JsonObject,
  read_json,
  read_utf8,
} from "./json.ts";
import type { OracleOptions, SourceMessage } from "./source_message.ts";

/** A trip event as a message states it. Its data is kept as canonical JSON text, which is compact and easy to compare. */
export type TripEvent = { trip_id: string; event_id: string; type: TripEventType; time_us: number; data_text: string };

/** The envelope of a message, whichever of the three shapes it came in. */
type Envelope = {
  source: Json | undefined;
  id: Json | undefined;
  type: Json | undefined;
  trip_id: Json | undefined;
  time: Json | undefined;
  schema_version: Json | undefined;
  is_cloud_event: boolean;
  data: JsonObject;
};

const LONGEST_TRIP_ID = 200;
const LONGEST_EVENT_ID = 500;
const JSON_CONTENT = /^[^;]*[/+]json\s*(;|$)/i;
const SPACE_OR_CONTROL = /[\s\p{Cc}]/u;

/** Whether a message says no more than that its key is gone. */
export const is_tombstone = ({ value, headers }: SourceMessage): boolean =>
  value === null && !Object.hasOwn(headers, "tacho-fault") && !is_binary(headers);

/** Whether the attributes are headers: not where the content type says that the value has them. */
const is_binary = (headers: SourceMessage["headers"]): boolean =>
  attributes_of(headers).has("specversion") && !/^\s*application\/cloudevents/i.test(content_type_of(headers));

const content_type_of = (headers: SourceMessage["headers"]): string => {
  const name = Object.keys(headers).find((name) => name.toLowerCase() === "content-type");
  return name === undefined ? "" : new TextDecoder().decode(headers[name]);
};

/** The trip event in a message, or the fault for which the message is quarantined. */
export function decode_message(message: SourceMessage, options: OracleOptions): TripEvent | Fault {
  if (Object.hasOwn(message.headers, "tacho-fault")) return new Fault("a fault that its sender states");
  if (message.value !== null && message.value.length > options.max_message_bytes) return new Fault("too large");
  const envelope = open_envelope(message);
  if (envelope instanceof Fault) return envelope;

  const trip_id = read_id(envelope.trip_id, "trip id", LONGEST_TRIP_ID);
  if (trip_id instanceof Fault) return trip_id;
  const event_id = read_event_id(envelope);
  if (event_id instanceof Fault) return event_id;
  if (typeof envelope.type !== "string") return new Fault("no event type");
  const type = event_type_named(envelope.type);
  if (type === null) return new Fault(`unknown event type "${envelope.type}"`);
  if (!is_blank(envelope.schema_version) && envelope.schema_version !== 1 && envelope.schema_version !== "1") {
    return new Fault("unknown schema version");
  }

  const time_us = read_time(envelope.time ?? null, "event time");
  if (time_us instanceof Fault) return time_us;
  const clocks_ms = [
    options.read_ms,
    ...message.timestamp_is_brokers && message.timestamp_ms - options.read_ms <= 24 * 3_600_000
      ? [message.timestamp_ms]
      : [],
  ];
  const latest_us = 1000 * (Math.max(...clocks_ms) + options.future_limit_ms);
  if (time_us > latest_us) return new Fault("event time in the future");

  const fields = read_fields(type, envelope.data, options.currency);
  if (fields instanceof Fault) return fields;
  return { trip_id, event_id, type, time_us, data_text: canonical_text(envelope.data) };
}

function open_envelope(message: SourceMessage): Envelope | Fault {
  if (is_binary(message.headers)) return open_binary(message);
  const format = /^\s*application\/cloudevents([^;\s]*)/i.exec(content_type_of(message.headers))?.[1];
  if (format !== undefined && format.toLowerCase() !== "+json") return new Fault("CloudEvents in another format");
  const body = read_body(message.value ?? new Uint8Array());
  if (body instanceof Fault) return body;
  return Object.hasOwn(body, "specversion") ? open_structured(body, message.key) : open_bare(body);
}

function read_body(bytes: Uint8Array): JsonObject | Fault {
  const text = read_utf8(bytes, "value");
  if (text instanceof Fault) return text;
  const outer = read_json(text);
  const body = typeof outer === "string" && /^\s*[{[]/.test(outer) ? read_json(outer) : outer;
  if (body instanceof Fault) return body;
  return is_object(body) ? body : new Fault("not an object");
}

/** CloudEvents, structured: attributes and data in one JSON object. */
function open_structured(body: JsonObject, key: Uint8Array | null): Envelope | Fault {
  if (body.specversion !== "1.0") return new Fault("specversion is not 1.0");
  let data: Json | Fault = body.data ?? {};
  if (!is_blank(body.data_base64)) {
    if (!is_blank(body.data)) return new Fault("data and data_base64");
    if (typeof body.data_base64 !== "string" || !BASE64.test(body.data_base64.replace(/[\t\n\f\r ]/g, ""))) {
      return new Fault("data_base64 is no base64");
    }
    const text = read_utf8(Uint8Array.from(atob(body.data_base64), (byte) => byte.charCodeAt(0)), "data_base64");
    data = text instanceof Fault ? text : read_json(text);
  } else if (typeof data === "string" && data.trim() !== "") data = read_json(data);
  if (data instanceof Fault) return data;
  if (!is_object(data)) return new Fault("data is not an object");
  const content = fault_of_content_type(body.datacontenttype);
  if (content) return content;
  return {
    source: body.source,
    id: body.id,
    type: body.type,
    trip_id: trip_named(body.subject, body.partitionkey, key),
    time: body.time,
    schema_version: body.schemaversion,
    is_cloud_event: true,
    data,
  };
}

/** CloudEvents, binary: attributes in headers, the value is the data. */
function open_binary(message: SourceMessage): Envelope | Fault {
  const attributes: JsonObject = {};
  for (const [name, bytes] of Object.entries(message.headers)) {
    const is_content_type = name.toLowerCase() === "content-type";
    if (!is_content_type && !CE_HEADER.test(name)) continue;
    const text = read_utf8(bytes, `header ${name}`, HEADER_UTF8);
    if (text instanceof Fault) return text;
    const fault = fault_of_text(text) ?? (is_content_type ? fault_of_content_type(text) : null);
    if (fault) return fault;
  }
  for (const [name, bytes] of attributes_of(message.headers)) {
    attributes[`ce_${name}`] = String(read_utf8(bytes, name, HEADER_UTF8));
  }
  if (attributes.ce_specversion !== "1.0") return new Fault("specversion is not 1.0");
  if (!is_blank(attributes.ce_data_base64)) return new Fault("data_base64 is not read");
  const content = fault_of_content_type(attributes.ce_datacontenttype);
  if (content) return content;
  const data = message.value === null || message.value.length === 0 ? {} : read_body(message.value);
  if (data instanceof Fault) return data;
  return {
    source: attributes.ce_source,
    id: attributes.ce_id,
    type: attributes.ce_type,
    trip_id: trip_named(attributes.ce_subject, attributes.ce_partitionkey, message.key),
    time: attributes.ce_time,
    schema_version: attributes.ce_schemaversion,
    is_cloud_event: true,
    data,
  };
}

const CE_HEADER = /^ce[_-]/i;
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}(?:==)?|[A-Za-z0-9+/]{3}=?)?$/;

/** The CloudEvents attributes in headers, in whatever spelling; that of the Kafka binding goes before others, of which the first. */
function attributes_of(headers: SourceMessage["headers"]): Map<string, Uint8Array> {
  const names = Object.keys(headers).filter((name) => CE_HEADER.test(name));
  const spelled = names.toSorted((a, b) => Number(is_of_binding(b)) - Number(is_of_binding(a)));
  const found = new Map<string, Uint8Array>();
  for (const name of spelled) {
    const attribute = name.slice(3).toLowerCase();
    if (!found.has(attribute)) found.set(attribute, headers[name]!);
  }
  return found;
}

const is_of_binding = (name: string): boolean => name === name.toLowerCase() && name.startsWith("ce_");

/** What names the trip: the subject, else the partition key, else the message's key. */
function trip_named(
  subject: Json | undefined,
  partition_key: Json | undefined,
  key: Uint8Array | null,
): Json | undefined {
  if (!is_blank(subject)) return subject;
  if (!is_blank(partition_key)) return partition_key;
  const text = key === null ? "" : read_utf8(key, "key", HEADER_UTF8);
  return text instanceof Fault || fault_of_text(text) !== null ? undefined : text;
}

/** Bare JSON: seven names are the envelope, all others are the data. */
function open_bare(body: JsonObject): Envelope {
  const { event_id, type, trip_id, occurred_at, schema_version, correlation_id: _c, causation_id: _d, ...data } = body;
  return {
    source: undefined,
    id: event_id,
    type,
    trip_id,
    time: occurred_at,
    schema_version,
    is_cloud_event: false,
    data,
  };
}

function fault_of_content_type(raw: Json | undefined): Fault | null {
  if (is_blank(raw)) return null;
  return typeof raw === "string" && JSON_CONTENT.test(raw) ? null : new Fault("data is not JSON");
}

/** CloudEvents identify an event by source and id together; a source without whitespace keeps the pair unambiguous. */
function read_event_id(envelope: Envelope): string | Fault {
  const id = read_id(envelope.id, "event id", LONGEST_EVENT_ID);
  if (id instanceof Fault || !envelope.is_cloud_event) return id;
  if (typeof envelope.source !== "string" || envelope.source === "") return new Fault("no source");
  if (SPACE_OR_CONTROL.test(envelope.source)) return new Fault("source contains whitespace or control characters");
  return read_text(`${envelope.source} ${id}`, "source and id", LONGEST_EVENT_ID);
}

function read_id(raw: Json | undefined, what: string, longest: number): string | Fault {
  return raw === undefined || is_blank(raw) ? new Fault(`no ${what}`) : read_text(raw, what, longest);
}
