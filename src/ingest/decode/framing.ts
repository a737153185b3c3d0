import { shown } from "../../domains/mod.ts";

/**
 * What other programs put around JSON, or send in its stead: taken off where a mapping says that it is there, and named where it keeps a
 * message from being read. Pure.
 */

const OPENING_BRACE = 0x7b;

/** What serializers of schema registries put before a value: a magic byte and the number of its schema; for Apicurio's one of eight bytes, and Glue's a UUID. */
const REGISTRIES: readonly { readonly bytes: number; readonly begins: (bytes: Uint8Array) => boolean }[] = [
  { bytes: 5, begins: ([magic]) => magic === 0 },
  { bytes: 9, begins: ([magic, ...id]) => magic === 0 && id.slice(0, 4).every((byte) => byte === 0) },
  { bytes: 18, begins: ([version, compression]) => version === 3 && compression === 0 },
];

/**
 * What is behind that which the serializer of a schema registry puts before JSON; null where there is none.
 * @param begins whether JSON of the kind that is looked for begins with this byte
 */
export function behind_registry(
  bytes: Uint8Array,
  begins = (byte: number): boolean => byte === OPENING_BRACE,
): Uint8Array | null {
  if (bytes[0] === OPENING_BRACE) return null;
  const framing = REGISTRIES.find((each) =>
    bytes.length > each.bytes && begins(bytes[each.bytes]!) && each.begins(bytes.subarray(0, each.bytes))
  );
  return framing === undefined ? null : bytes.subarray(framing.bytes);
}

/** Whether a key that a serializer wrote as JSON begins so: an object, a text or a number. */
export const begins_key = (byte: number): boolean =>
  byte === OPENING_BRACE || byte === 0x22 || (byte >= 0x30 && byte <= 0x39);

const encoder = new TextEncoder();
/** A byte order mark is three bytes like any other where bytes are counted. */
const any_utf8 = new TextDecoder("utf-8", { ignoreBOM: true });
const BROKEN = "\ufffd", BROKEN_BYTES = [0xef, 0xbf, 0xbd];

/** The first byte that is no UTF-8, and where it is, as a sentence goes on. */
export function no_utf8(bytes: Uint8Array): string {
  const text = any_utf8.decode(bytes);
  let at = 0, from = 0;
  for (let broken = text.indexOf(BROKEN); broken >= 0; broken = text.indexOf(BROKEN, from + 1)) {
    at += encoder.encode(text.slice(from, broken)).length;
    from = broken;
    // One that was sent is a character, of which what follows is counted on.
    if (!BROKEN_BYTES.every((byte, i) => bytes[at + i] === byte)) break;
  }
  const byte = bytes[at]?.toString(16).padStart(2, "0") ?? "";
  return `the byte 0x${byte} in place ${at + 1} of ${bytes.length}, behind ${shown(text.slice(0, from).slice(-20))}`;
}

const UTF_16 = "UTF-16 text";

/** Kinds of bytes that are not JSON, by how they begin. */
const OTHERS: readonly (readonly [readonly number[], string])[] = [
  [[0x1f, 0x8b], "gzip"],
  [[0x28, 0xb5, 0x2f, 0xfd], "zstd"],
  [[0x04, 0x22, 0x4d, 0x18], "lz4"],
  [[0xff, 0xfe], UTF_16],
  [[0xfe, 0xff], UTF_16],
  [[0xc3, 0x01], "Avro with a fingerprint of its schema"],
  [[0x4f, 0x62, 0x6a, 0x01], "an Avro file"],
];

/** What bytes are that should be JSON, and what can be done about it, as a sentence goes on; null where that is not known. */
export function framing_of(bytes: Uint8Array): string | null {
  // As all but strange ones begin: they are spared the rest.
  if (bytes[0] === OPENING_BRACE) return bytes[1] === 0 ? UTF_16 : null;
  if (bytes[0] === 0 && bytes[1] === OPENING_BRACE && bytes[2] === 0) return UTF_16;
  const is_json = behind_registry(bytes) !== null;
  if (is_json || (bytes[0] === 0 && bytes.length >= 5)) {
    const schema = bytes[0] === 0
      ? `magic byte 0, schema id ${new DataView(bytes.buffer, bytes.byteOffset).getUint32(1)}`
      : "AWS Glue";
    return is_json
      ? `schema-registry framing (${schema}) around JSON: a mapping with "framing": "schema_registry" reads it`
      : `schema-registry framing (${schema}) around what is no JSON, such as Avro or Protobuf: have it written as JSON, or convert the topic`;
  }
  return OTHERS.find(([begin]) => begin.every((byte, at) => bytes[at] === byte))?.[1] ?? null;
}

/** A list or an object that was made text twice, as producers do that hand a serializer what is text already: the text of it; any other text as it is. */
export function within_json(text: string): string {
  if (!text.startsWith('"') || !/^"\s*[{[]/.test(text)) return text;
  try {
    const inner: unknown = JSON.parse(text);
    return typeof inner === "string" ? inner : text;
  } catch (error) {
    if (error instanceof SyntaxError) return text;
    throw error;
  }
}

/** Whether a record is what Kafka Connect's JSON converter puts around one. */
export const is_connect_envelope = (record: Readonly<Record<string, unknown>>): boolean =>
  "payload" in record && "schema" in record && Object.keys(record).length === 2;

/** The record in such an envelope; null where there is no envelope, or no record in it. */
export function connect_payload(record: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> | null {
  const { payload } = record;
  return is_connect_envelope(record) && typeof payload === "object" && !Array.isArray(payload)
    ? payload as Readonly<Record<string, unknown>> | null
    : null;
}

/** The name and the remedy of that envelope, as a sentence goes on. */
export const CONNECT_ENVELOPE =
  'a Kafka Connect envelope (schema, payload): set schemas.enable=false in its JSON converter, or let a mapping with "framing": "connect" read it';
