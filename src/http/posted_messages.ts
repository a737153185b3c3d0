import { JsonFault, parse_record_json } from "../domains/mod.ts";
import type { Message } from "../ingest/mod.ts";

/**
 * The messages of a request's body, each with the bytes that came in: what is wrong with one of them is for decoding to find. Only a body
 * that cannot be taken apart is refused whole. Pure.
 */

/** The content types of events; a record that goes through a mapping has one of the first two. */
const JSON_TYPE = "application/json";
const NDJSON_TYPE = "application/x-ndjson";
const EVENT_TYPE = "application/cloudevents+json";
const BATCH_TYPE = "application/cloudevents-batch+json";

/** The content types that are taken, the usual one first. */
export const POSTED_TYPES = [JSON_TYPE, NDJSON_TYPE, EVENT_TYPE, BATCH_TYPE] as const;
/** The content types that are taken with a mapping. */
export const MAPPED_TYPES = [JSON_TYPE, NDJSON_TYPE] as const;

/** What a body comes to, or why it is refused: the status and a sentence. */
export type PostedMessages =
  | { readonly ok: true; readonly messages: readonly Message[] }
  | { readonly ok: false; readonly status: 400 | 415; readonly detail: string };

const LINE_BREAK = 10;
const utf8 = new TextDecoder("utf-8", { fatal: true });
const encoder = new TextEncoder();

/**
 * Takes a body apart: an array or lines into messages, a CloudEvent in binary mode into headers and value.
 * @param taken_ms when the request came in, milliseconds since the Unix epoch: event times are held against it
 * @param mapped whether the messages are records that a mapping takes
 */
export function read_posted(
  headers: Headers,
  body: Uint8Array,
  taken_ms: number,
  mapped: boolean,
): PostedMessages {
  const types: readonly string[] = mapped ? MAPPED_TYPES : POSTED_TYPES;
  const given = headers.get("content-type") ?? "";
  const type = /^\s*([^\s;]+)\s*(?:;\s*charset="?utf-8"?\s*)?$/i.exec(given)?.[1]?.toLowerCase() ?? "";
  if (!types.includes(type)) {
    return refused(415, `expected content-type ${types.join(", ")}, in UTF-8; got ${JSON.stringify(given)}`);
  }
  const message = (value: Uint8Array | null): Message => (
    { key: null, value, headers: {}, timestamp_ms: taken_ms }
  );
  // A whole CloudEvent in the body goes before attributes that stand in headers as well.
  const is_whole = type === EVENT_TYPE || type === BATCH_TYPE;
  if (headers.has("ce-specversion") && !is_whole) {
    if (type !== JSON_TYPE || mapped) {
      const where = mapped ? "no mapping" : `content-type ${JSON_TYPE}`;
      return refused(400, `expected ${where} with a CloudEvent in headers (ce-specversion)`);
    }
    const value = body.length === 0 ? null : body;
    if (value !== null && json_text(value, false) === null) return NOT_JSON;
    return { ok: true, messages: [{ ...message(value), headers: event_headers(headers, given) }] };
  }
  if (type === NDJSON_TYPE) return { ok: true, messages: lines_of(body).map(message) };
  const text = json_text(body, mapped);
  if (text === null) return NOT_JSON;
  const is_array = text.trimStart().startsWith("[");
  if ((type === BATCH_TYPE && !is_array) || (type === EVENT_TYPE && is_array)) {
    return refused(400, `expected ${is_array ? "one JSON object" : "a JSON array"} with content-type ${type}`);
  }
  const values = is_array ? members_of(text).map((member) => encoder.encode(member)) : [body];
  return { ok: true, messages: values.map(message) };
}

const refused = (status: 400 | 415, detail: string): PostedMessages => ({ ok: false, status, detail });
const NOT_JSON = refused(400, "expected the body to be JSON in UTF-8; nothing of it was taken");

/** The text of a body when it is JSON, in records for a mapping with NaN or without; null otherwise. */
function json_text(body: Uint8Array, mapped: boolean): string | null {
  let text: string;
  try {
    text = utf8.decode(body);
    if (mapped && /\b(?:NaN|Infinity)\b/.test(text)) parse_record_json(text);
    else JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof TypeError) return null;
    if (!(error instanceof JsonFault)) throw error;
    // Of what is JSON and yet too much for the log decoding says which message it is.
    return error.reason === "malformed_json" ? null : utf8.decode(body);
  }
  return text;
}

/** The lines of a body that are not blank. */
function lines_of(body: Uint8Array): Uint8Array[] {
  const lines: Uint8Array[] = [];
  for (let from = 0; from < body.length;) {
    const end = body.indexOf(LINE_BREAK, from);
    const line = body.subarray(from, end < 0 ? body.length : end);
    if (line.some((byte) => byte > 32)) lines.push(line);
    from += line.length + 1;
  }
  return lines;
}

/** The texts of an array's members, as they stand in JSON that was found well-formed: written anew, numbers would lose digits. */
function members_of(array: string): string[] {
  const members: string[] = [];
  let depth = 0, from = 0;
  const end = (at: number) => {
    const member = array.slice(from, at).trim();
    if (member !== "") members.push(member);
    from = at + 1;
  };
  // A string counts as one mark: what is in it means nothing.
  for (const { 0: mark, index } of array.matchAll(/"(?:[^"\\]+|\\.)*"|[[\]{},]/g)) {
    if (mark === "[" || mark === "{") {
      if (++depth === 1) from = index + 1;
    } else if (mark === "]" || mark === "}") {
      if (--depth === 0) end(index);
    } else if (mark === "," && depth === 1) end(index);
  }
  return members;
}

/** The headers of a CloudEvent in binary mode as the Kafka binding names them; in HTTP values may be in quotes, and what a header cannot hold is percent-encoded. */
function event_headers(headers: Headers, content_type: string): Record<string, Uint8Array> {
  const attributes: Record<string, Uint8Array> = { "content-type": encoder.encode(content_type) };
  for (const [name, value] of headers) {
    if (!name.startsWith("ce-")) continue;
    const [, quoted] = /^"((?:[^"\\]|\\.)*)"$/s.exec(value) ?? [];
    const plain = quoted === undefined ? value : quoted.replaceAll(/\\(.)/gs, "$1");
    const text = plain.replaceAll(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(parseInt(hex, 16)));
    attributes[`ce_${name.slice(3)}`] = Uint8Array.from(text, (unit) => unit.charCodeAt(0));
  }
  return attributes;
}
