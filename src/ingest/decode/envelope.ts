import {
  canonical_json,
  ExactNumber,
  is_blank,
  JsonFault,
  parse_json,
  shown,
  type StreamNames,
  type Validation,
  whole_number_text,
} from "../../domains/mod.ts";
import { BARE_NAMES } from "../../mapping/mod.ts";
import { CONNECT_ENVELOPE, framing_of, is_connect_envelope, no_utf8, within_json } from "./framing.ts";
import { type Coordinates, NO_HEADERS, type SourceMessage } from "../message_source.ts";

/**
 * The envelopes events come in: CloudEvents 1.0 structured and binary (Kafka protocol binding), and bare JSON with the
 * same names flattened. Pure.
 */
export interface Envelope {
  readonly stream_id: string;
  readonly event_id: string;
  readonly type: string;
  /** The declared schema version, 1 when none is. */
  readonly schema_version: number;
  /** The event's time as the producer wrote it. */
  readonly time: string;
  readonly data: Readonly<Record<string, unknown>>;
  /** How many levels of the message lie above its data. */
  readonly depth: number;
  /** Extension attributes, correlation and causation; null when there are none. */
  readonly attributes: Readonly<Record<string, unknown>> | null;
}

/** The longest ids, in UTF-16 code units. */
export const STREAM_ID_LENGTH = 200;
export const EVENT_ID_LENGTH = 500;
/** Schema versions are below it. */
export const VERSIONS = 32_768;
/** Names of bare JSON that are kept beside the event. */
export const BARE_ATTRIBUTES: readonly string[] = ["correlation_id", "causation_id"];
/** The names of a CloudEvent that are no extension attributes. */
export const CLOUD_EVENT_NAMES: ReadonlySet<string> = new Set([
  "data_base64",
  "specversion",
  "id",
  "source",
  "type",
  "subject",
  "time",
  "datacontenttype",
  "dataschema",
  "data",
]);
/** Where a CloudEvent without a subject names its stream: the extension attribute for the Kafka key, and the key itself. */
const KEY_ATTRIBUTE = "partitionkey";
const NOT_KEPT = ["dataschema", "datacontenttype"];
// deno-lint-ignore no-control-regex -- control characters are what is looked for
const SPACE_OR_CONTROL = /[\s\u0000-\u001f\u007f-\u009f]/;

/** Takes anything, with U+FFFD for what is broken, in a quarter of the time of a strict one. */
const any_utf8 = new TextDecoder();
const utf8 = new TextDecoder("utf-8", { fatal: true });
/** In a header a byte order mark is a character like any other: without it two ids would be one. */
const header_utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

class EnvelopeFault extends Error {
  constructor(readonly reason: string, readonly path: string | null, detail: string) {
    super(detail);
  }
}

function identifier(value: unknown, path: string, length: number, meaning: string): string {
  const text = whole_number_text(value) ?? value;
  if (is_blank(text)) {
    throw new EnvelopeFault(
      `missing_${meaning}`,
      path,
      `expected ${path}, the ${meaning.replaceAll("_", " ")}; got ${shown(value)}`,
    );
  }
  if (typeof text !== "string") {
    throw new EnvelopeFault(`invalid_${meaning}`, path, `expected ${path} to be text, got ${shown(value)}`);
  }
  if (text.length > length) {
    throw new EnvelopeFault(
      `invalid_${meaning}`,
      path,
      `expected ${path} of at most ${length} characters, got ${text.length}`,
    );
  }
  return text;
}

function time_text(value: unknown, path: string): string {
  if (typeof value === "string" && value.trim() !== "") return value;
  throw new EnvelopeFault(
    is_blank(value) ? "missing_time" : "malformed_time",
    path,
    `expected ${path}, an RFC 3339 time with zone; got ${shown(value)}`,
  );
}

function version_of(value: unknown, path: string): number {
  if (is_blank(value)) return 1;
  const version = typeof value === "string" && /^[1-9]\d{0,4}$/.test(value) ? Number(value) : value;
  if (typeof version === "number" && Number.isInteger(version) && version > 0 && version < VERSIONS) return version;
  throw new EnvelopeFault("unknown_version", path, `expected ${path} to be a whole number, got ${shown(value)}`);
}

function name_of(value: unknown, path: string, meaning: string): string {
  if (typeof value === "number" || value instanceof ExactNumber) {
    throw new EnvelopeFault(`invalid_${meaning}`, path, `expected ${path} to be text, got ${value}`);
  }
  return identifier(value, path, EVENT_ID_LENGTH, meaning);
}

/** Whether a parsed value is a JSON object. */
export const is_object = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value) && value.constructor !== undefined
    ? Object.getPrototypeOf(value) === Object.prototype
    : false;

function object_of(value: unknown, path: string | null): Record<string, unknown> {
  if (is_object(value)) return value;
  const what = value === null ? "null" : Array.isArray(value) ? "an array" : `a ${typeof value}`;
  throw new EnvelopeFault("not_an_object", path, `expected ${path ?? "the message"} to be a JSON object, got ${what}`);
}

const without_empty = (attributes: Record<string, unknown>): Record<string, unknown> | null =>
  Object.keys(attributes).length === 0 ? null : attributes;

function text_of(bytes: Uint8Array, path: string | null = null, decoder = utf8): string {
  if (decoder === utf8) {
    const text = any_utf8.decode(bytes);
    if (!text.includes("\ufffd")) return text;
  }
  try {
    return decoder.decode(bytes);
  } catch {
    throw new EnvelopeFault("malformed_utf8", path, `expected UTF-8 text, got ${no_utf8(bytes)}`);
  }
}

/** The text of a header; one that PostgreSQL cannot store is refused, kept or not. */
function header_text(bytes: Uint8Array, header: string): string {
  const text = text_of(bytes, header, header_utf8);
  if (!text.includes("\0")) return text;
  throw new EnvelopeFault("text_not_storable", header, `expected ${header} without NUL, got ${shown(text)}`);
}

function require_json(content_type: unknown, path: string): void {
  if (is_blank(content_type)) return;
  if (typeof content_type === "string" && /^[^/;\s]+\/(?:[^;\s]*\+)?json\s*(?:;|$)/i.test(content_type)) return;
  throw new EnvelopeFault("unsupported_content", path, `expected JSON, got ${shown(content_type)}`);
}

/** The stream that a CloudEvent is about: its subject; without one its partitionkey, which is the Kafka key by the protocol binding; else that key. */
function stream_of(attributes: Record<string, unknown>, key: SourceMessage["key"], named: StreamNames): string {
  const { subject, [KEY_ATTRIBUTE]: partition_key } = attributes;
  if (!is_blank(subject)) return identifier(subject, "subject", STREAM_ID_LENGTH, named.stream_column);
  if (!is_blank(partition_key)) return identifier(partition_key, KEY_ATTRIBUTE, STREAM_ID_LENGTH, named.stream_column);
  const text = key === null ? "" : text_of(key, "key", header_utf8);
  if (!is_blank(text)) return identifier(text, "key", STREAM_ID_LENGTH, named.stream_column);
  throw new EnvelopeFault(
    `missing_${named.stream_column}`,
    "subject",
    `expected subject, ${KEY_ATTRIBUTE} or the message's key, the ${named.noun} id; got subject ${shown(subject)}`,
  );
}

/** The data of a structured CloudEvent: a JSON object, such an object as text, or in base64; and the levels above it. */
function structured_data({ data, data_base64 }: Record<string, unknown>): Pick<Envelope, "depth"> & { data: unknown } {
  if (is_blank(data_base64)) {
    if (typeof data !== "string" || data.trim() === "") return { data, depth: 1 };
    return { data: object_of(parse_json(data), "data"), depth: 0 };
  }
  if (!is_blank(data)) {
    throw new EnvelopeFault("unsupported_content", "data_base64", "expected either data or data_base64, got both");
  }
  return { data: object_of(parse_json(base64_text(data_base64)), "data_base64"), depth: 0 };
}

/** The JSON text that `data_base64` holds. */
export const read_base64 = (value: unknown): Validation<string> => validated(() => base64_text(value));

const base64_text = (value: unknown): string => text_of(base64_bytes(value), "data_base64");

function base64_bytes(value: unknown): Uint8Array {
  try {
    if (typeof value === "string") return Uint8Array.fromBase64(value);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  throw new EnvelopeFault("unsupported_content", "data_base64", `expected base64, got ${shown(value)}`);
}

function cloud_event(
  attributes: Record<string, unknown>,
  data: unknown,
  key: SourceMessage["key"],
  named: StreamNames,
): Envelope {
  if (attributes.specversion !== "1.0") {
    throw new EnvelopeFault(
      "unknown_version",
      "specversion",
      `expected CloudEvents "1.0", got ${shown(attributes.specversion)}`,
    );
  }
  const source = name_of(attributes.source, "source", "event_source");
  if (SPACE_OR_CONTROL.test(source)) {
    throw new EnvelopeFault(
      "invalid_event_source",
      "source",
      `expected a URI reference without white space, got ${shown(source)}`,
    );
  }
  const id = identifier(attributes.id, "id", EVENT_ID_LENGTH, "event_id");
  require_json(attributes.datacontenttype, "datacontenttype");
  // Not kept, and still a message that holds what JSON or PostgreSQL cannot is refused.
  for (const name of NOT_KEPT) canonical_json(attributes[name], 1);
  const event_id = identifier(`${source} ${id}`, "source and id", EVENT_ID_LENGTH, "event_id");
  // Without a prototype an attribute may have any name.
  const rest: Record<string, unknown> = Object.create(null);
  let extended = false;
  for (const name in attributes) {
    if (CLOUD_EVENT_NAMES.has(name)) continue;
    rest[name] = attributes[name];
    extended = true;
  }
  return {
    stream_id: stream_of(attributes, key, named),
    event_id,
    type: name_of(attributes.type, "type", "type"),
    schema_version: version_of(attributes.schemaversion, "schemaversion"),
    time: time_text(attributes.time, "time"),
    data: data === undefined || data === null ? {} : object_of(data, "data"),
    depth: 0,
    attributes: extended ? rest : null,
  };
}

function bare(body: Readonly<Record<string, unknown>>, { stream_column }: StreamNames): Envelope {
  const data: Record<string, unknown> = {};
  for (const name of Object.keys(body)) {
    if (name === stream_column || BARE_NAMES.has(name)) continue;
    if (name === "__proto__") {
      Object.defineProperty(data, name, { value: body[name], enumerable: true, configurable: true, writable: true });
    } else data[name] = body[name];
  }
  const attributes: Record<string, unknown> = {};
  for (const name of BARE_ATTRIBUTES) if (body[name] !== undefined) attributes[name] = body[name];
  return {
    stream_id: identifier(body[stream_column], stream_column, STREAM_ID_LENGTH, stream_column),
    event_id: identifier(body.event_id, "event_id", EVENT_ID_LENGTH, "event_id"),
    type: name_of(body.type, "type", "type"),
    schema_version: version_of(body.schema_version, "schema_version"),
    time: time_text(body.occurred_at, "occurred_at"),
    data,
    depth: 0,
    attributes: without_empty(attributes),
  };
}

/** The attribute that a header holds: the binding writes `ce_id`, others `CE_ID` or, as in HTTP, `ce-id`. Null for another header. */
function attribute_in(header: string): string | null {
  const name = header.toLowerCase();
  return name.startsWith("ce_") || name.startsWith("ce-") ? name.slice(3) : null;
}

/** What the content types of whole CloudEvents begin with, in whatever format. */
const STRUCTURED = /^\s*application\/cloudevents/i;

/** The content type among headers; undefined where there is none. Its bytes may be no text: then it is none of ours. */
function content_type_of(headers: SourceMessage["headers"]): string | undefined {
  for (const header in headers) {
    if (header.toLowerCase() === "content-type") return any_utf8.decode(headers[header]);
  }
  return undefined;
}

/** Whether a message is a CloudEvent in binary mode: its attributes are headers. Where its value is a whole CloudEvent they are copies for filters. */
export function is_binary_event({ headers }: SourceMessage): boolean {
  if (headers === NO_HEADERS) return false;
  for (const header in headers) {
    if (attribute_in(header) === "specversion") return !STRUCTURED.test(content_type_of(headers) ?? "");
  }
  return false;
}

/** Whether a message says to be CloudEvents in another form than one in JSON, in its content type. */
const is_other_format = (content_type: string | undefined): content_type is string =>
  content_type !== undefined && STRUCTURED.test(content_type) &&
  !/^\s*application\/cloudevents\+json\s*(?:;|$)/i.test(content_type);

/** Whether the value of a message, as far as its headers tell, is all that its event is read from. */
export const is_whole_in_value = (message: SourceMessage): boolean =>
  message.headers === NO_HEADERS || (!is_binary_event(message) && !is_other_format(content_type_of(message.headers)));

/** Refuses a message that says to be CloudEvents in another form than one in JSON. */
function require_json_format(headers: SourceMessage["headers"]): void {
  const given = content_type_of(headers);
  if (!is_other_format(given)) return;
  throw new EnvelopeFault(
    "unsupported_content",
    "content-type",
    `expected one CloudEvent a message, as application/cloudevents+json; got ${shown(given)}`,
  );
}

function binary(message: SourceMessage, named: StreamNames): Envelope {
  const attributes: Record<string, unknown> = {};
  for (const [header, bytes] of Object.entries(message.headers)) {
    if (header.toLowerCase() === "content-type") require_json(header_text(bytes, header), "content-type");
    const name = attribute_in(header);
    if (name === null) continue;
    const text = header_text(bytes, header);
    // Of two spellings the binding's own counts.
    if (attributes[name] === undefined || header === `ce_${name}`) attributes[name] = text;
  }
  if (!is_blank(attributes.data_base64)) {
    throw new EnvelopeFault("unsupported_content", "data_base64", "expected the data as the value, got data_base64");
  }
  return cloud_event(attributes, binary_data(message.value), message.key, named);
}

/** The data of a CloudEvent in binary mode; some clients send an empty value where there is none. */
const binary_data = (value: SourceMessage["value"]): unknown =>
  value === null || value.length === 0 ? undefined : object_of(parse_json(json_text(value)), "data");

/** What a reading comes to; faults of the message are values, surprises are thrown on. */
function validated<T>(read: () => T): Validation<T> {
  try {
    return { ok: true, value: read() };
  } catch (error) {
    if (error instanceof EnvelopeFault) {
      return { ok: false, fault: { reason: error.reason, path: error.path, detail: error.message } };
    }
    if (error instanceof JsonFault) {
      return { ok: false, fault: { reason: error.reason, path: null, detail: error.message } };
    }
    throw error;
  }
}

/** The text of bytes that should be JSON; names what they are instead where that is known. */
function json_text(bytes: Uint8Array): string {
  const framing = framing_of(bytes);
  if (framing === null) return within_json(text_of(bytes));
  throw new EnvelopeFault("unsupported_framing", null, `expected JSON in UTF-8, got ${framing}`);
}

function value_text(value: SourceMessage["value"], { noun }: StreamNames): string {
  if (value === null || value.length === 0) {
    throw new EnvelopeFault("empty_value", null, `expected a ${noun} event as JSON, got a message without value`);
  }
  return json_text(value);
}

/** Reads the envelope of a message of a domain; what is wrong with it otherwise. */
export function read_envelope(message: SourceMessage, named: StreamNames): Validation<Envelope> {
  return validated(() => {
    if (is_binary_event(message)) return binary(message, named);
    if (message.headers !== NO_HEADERS) require_json_format(message.headers);
    const body = object_of(parse_json(value_text(message.value, named)), null);
    if (body.specversion === undefined) {
      if (!is_connect_envelope(body)) return bare(body, named);
      throw new EnvelopeFault("unsupported_framing", null, `expected a ${named.noun} event, got ${CONNECT_ENVELOPE}`);
    }
    const { data, depth } = structured_data(body);
    return { ...cloud_event(body, data, message.key, named), depth };
  });
}

/** The text of a message's value, which should be JSON or a line of CSV. */
export const read_text = (value: SourceMessage["value"], named: StreamNames): Validation<string> =>
  validated(() => value_text(value, named));

/** The envelope of an event in bare JSON, already parsed. */
export const bare_envelope = (body: Readonly<Record<string, unknown>>, named: StreamNames): Validation<Envelope> =>
  validated(() => bare(body, named));

let last_topic = "", last_partition = -1, last_place = "";

/**
 * Canonical metadata of an event: where it came from, and the attributes worth keeping.
 * @param attributes in canonical form; null: there are none
 */
export function metadata_json({ topic, partition, offset }: Coordinates, attributes: string | null): string {
  // Messages come in runs from one partition.
  if (topic !== last_topic || partition !== last_partition) {
    last_place = `,"partition":${partition},"topic":${JSON.stringify(topic)}}`;
    last_topic = topic;
    last_partition = partition;
  }
  return (attributes === null ? '{"offset":' : `{"attributes":${attributes},"offset":`) + offset + last_place;
}
