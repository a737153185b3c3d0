import { createHash } from "node:crypto";
import { FAULT_HEADER } from "../../decode/mod.ts";
import { NO_HEADERS, type SourceMessage, type TopicPartition } from "../../message_source.ts";
import { FIRST_BYTES, MOST_PIECE_BYTES, unpack, UnpackedBytes, UnreadableRecords } from "./codecs.ts";

/** CRC-32C (Castagnoli), four bytes a step: the checksum of Kafka's record batches. Neither Deno nor `node:zlib` has this one. */
const TABLES = tables();

/** The checksum of some bytes, as an unsigned 32-bit number. */
export function crc32c(bytes: Uint8Array): number {
  const [first, second, third, fourth] = TABLES;
  const in_fours = bytes.length & ~3;
  let crc = -1;
  let at = 0;
  for (; at < in_fours; at += 4) {
    crc ^= bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
    crc = fourth[crc & 0xff]! ^ third[(crc >>> 8) & 0xff]! ^ second[(crc >>> 16) & 0xff]! ^ first[crc >>> 24]!;
  }
  for (; at < bytes.length; at++) crc = first[(crc ^ bytes[at]!) & 0xff]! ^ (crc >>> 8);
  return ~crc >>> 0;
}

/** What each byte does to the checksum, alone and with one to three zero bytes behind it. */
function tables(): readonly [Int32Array, Int32Array, Int32Array, Int32Array] {
  const first = new Int32Array(256).map((_, byte) => {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
    return crc;
  });
  const followed = (table: Int32Array) => table.map((crc) => first[crc & 0xff]! ^ (crc >>> 8));
  const second = followed(first);
  const third = followed(second);
  return [first, second, third, followed(third)];
}

/** A message as Kafka kept it before 0.11, in format 0 or 1. */
interface OldMessage {
  readonly offset: number;
  readonly magic: 0 | 1;
  readonly attributes: number;
  /** -1 in format 0, which has none. */
  readonly timestamp_ms: number;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  /** Where the next one begins. */
  readonly end: number;
}

/**
 * Reads the message that begins at a byte.
 * @throws RangeError where it goes on behind the end
 */
export function read_old_message(bytes: Uint8Array, at: number): OldMessage {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const end = at + 12 + view.getInt32(at + 8);
  const magic = view.getInt8(at + 16);
  if (magic !== 0 && magic !== 1) throw new UnreadableRecords(`a message of format ${magic}`);
  let place = at + (magic === 0 ? 18 : 26);
  const field = (): Uint8Array | null => {
    const length = view.getInt32(place);
    const from = place + 4;
    place = from + Math.max(0, length);
    if (place > end || end > bytes.length) throw new RangeError(`a message ends at byte ${end} of ${bytes.length}`);
    return length < 0 ? null : bytes.subarray(from, place);
  };
  const key = field();
  const value = field();
  return {
    offset: Number(view.getBigInt64(at)),
    magic,
    attributes: view.getInt8(at + 17),
    timestamp_ms: magic === 0 ? -1 : Number(view.getBigInt64(at + 18)),
    key,
    value,
    end,
  };
}

/**
 * Unpacks a message that holds several, or is one.
 * @param last_offset of the last of them; in format 1 packed ones count from the first
 * @throws UnreadableRecords
 */
async function read_message_set(
  packed: Uint8Array,
  codec: number,
  format: 0 | 1,
  last_offset: number,
): Promise<OldMessage[]> {
  const pieces: Uint8Array[] = [];
  let size = 0;
  for await (const piece of unpack(codec, packed)) {
    size += piece.length;
    if (size > MOST_PIECE_BYTES) throw new UnreadableRecords(`more than ${MOST_PIECE_BYTES} bytes come of it`);
    pieces.push(piece);
  }
  const bytes = new Uint8Array(size);
  let filled = 0;
  for (const piece of pieces) {
    bytes.set(piece, filled);
    filled += piece.length;
  }
  const messages: OldMessage[] = [];
  try {
    for (let at = 0; at < size; at = messages.at(-1)!.end) messages.push(read_old_message(bytes, at));
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new UnreadableRecords("the messages are cut off", { cause: error });
  }
  const shift = format === 1 && messages.length > 0 ? last_offset - messages.at(-1)!.offset : 0;
  return messages.map((message) => ({ ...message, offset: message.offset + shift }));
}

/** A record batch of a fetch answer, its checksum right, its records packed. */
export interface RecordBatch extends TopicPartition {
  /** 2; 0 and 1 are those of before Kafka 0.11. */
  readonly format: 0 | 1 | 2;
  readonly base_offset: number;
  readonly last_offset: number;
  /** By Kafka's numbers. */
  readonly codec: number;
  readonly timestamp_is_brokers: boolean;
  readonly base_timestamp_ms: number;
  readonly max_timestamp_ms: number;
  /** How many records it states. */
  readonly count: number;
  readonly records: Uint8Array;
}

/** What reading records is bounded by. */
export interface RecordLimits {
  /** Records with more bytes are cut while they are unpacked. */
  readonly most_bytes: number;
  /** Called between pieces of one batch, which may take a while; ends the reading by rejecting. */
  readonly between: () => Promise<void>;
}

/** Where JavaScript's dates end, in the year 275760. A producer may put any 64-bit integer there, and PostgreSQL stores no later instant than in 294276. */
const GREATEST_TIMESTAMP_MS = 8.64e15;

/**
 * Reads the messages of a batch from an offset on, in order, a run of them for each piece that is unpacked: memory holds one piece and one record,
 * however much comes of the batch.
 *
 * Nothing that a producer packs stops the reading: a record larger than `most_bytes` is cut (first bytes, length and SHA-256), and what of a batch
 * cannot be read is one message at the first offset that could not; both state their fault, as the header `tacho-fault` has it.
 */
export async function* read_records(
  batch: RecordBatch,
  from_offset: number,
  limits: RecordLimits,
): AsyncGenerator<SourceMessage[]> {
  if (batch.format !== 2) return yield await read_old(batch, from_offset);
  const bytes = new UnpackedBytes(batch.codec, batch.records, limits.between);
  let next_offset = batch.base_offset;
  let messages: SourceMessage[] = [];
  try {
    for (let count = batch.count; count > 0; count--) {
      let length = bytes.record_length();
      if (length === null) {
        // The piece is used up but for the begin of a record.
        if (messages.length > 0) yield messages;
        messages = [];
        length = await bytes.fetch_record(limits.most_bytes);
      }
      const message = length > limits.most_bytes
        ? await read_long_record(batch, bytes, length, limits.most_bytes)
        : read_record(batch, bytes.bytes, bytes.pass(length), bytes.at);
      if (message.offset < next_offset || message.offset > batch.last_offset) {
        throw new UnreadableRecords(
          `expected an offset from ${next_offset} to ${batch.last_offset}, got ${message.offset}`,
        );
      }
      next_offset = message.offset + 1;
      if (message.offset >= from_offset) messages.push(message);
    }
  } catch (error) {
    if (!(error instanceof UnreadableRecords)) throw error;
    const offset = Math.max(next_offset, from_offset);
    // Behind the last offset nothing can be missing.
    if (offset <= batch.last_offset) messages.push(unreadable(batch, offset, error.message));
  } finally {
    await bytes.close();
  }
  if (messages.length > 0) yield messages;
}

/** Reads the messages of a batch of before Kafka 0.11, which is small. */
async function read_old(batch: RecordBatch, from_offset: number): Promise<SourceMessage[]> {
  const { topic, partition, format, codec, records, last_offset, timestamp_is_brokers, max_timestamp_ms } = batch;
  try {
    const messages = await read_message_set(records, codec, format === 0 ? 0 : 1, last_offset);
    return messages.filter(({ offset }) => offset >= from_offset).map(({ offset, key, value, timestamp_ms }) => ({
      topic,
      partition,
      offset,
      key,
      value,
      headers: NO_HEADERS,
      timestamp_ms: within_dates(timestamp_is_brokers ? max_timestamp_ms : timestamp_ms),
      timestamp_is_brokers,
    }));
  } catch (error) {
    if (!(error instanceof UnreadableRecords)) throw error;
    return [unreadable(batch, Math.max(batch.base_offset, from_offset), error.message)];
  }
}

/** Reads a record that lies in `bytes` from `at` to `end`. */
function read_record(batch: RecordBatch, bytes: Uint8Array, at: number, end: number): SourceMessage {
  // Attributes, which nobody uses.
  at++;
  const varint = (): number => {
    let value = 0;
    for (let shift = 0; at < end; shift += 7) {
      const byte = bytes[at++]!;
      value |= (byte & 127) << shift;
      if (byte < 128) return value >>> 1 ^ -(value & 1);
      if (shift === 28) break;
    }
    throw new UnreadableRecords("a number within a record has no end");
  };
  const field = (length: number): Uint8Array => {
    if (length < 0 || length > end - at) throw new UnreadableRecords(`a field of ${length} bytes in ${end - at}`);
    return bytes.subarray(at, at += length);
  };
  const optional_field = (): Uint8Array | null => {
    const length = varint();
    return length === -1 ? null : field(length);
  };
  let delta = 0;
  for (let scale = 1;; scale *= 128) {
    if (at >= end || scale > 2 ** 63) throw new UnreadableRecords("a time within a record has no end");
    const byte = bytes[at++]!;
    delta += (byte & 127) * scale;
    if (byte < 128) break;
  }
  delta = delta % 2 === 0 ? delta / 2 : -(delta + 1) / 2;
  const offset = batch.base_offset + varint();
  const key = optional_field();
  const value = optional_field();
  const header_count = varint();
  if (header_count < 0) throw new UnreadableRecords(`${header_count} headers`);
  let headers = NO_HEADERS;
  if (header_count > 0) {
    const found: [string, Uint8Array][] = [];
    for (let left = header_count; left > 0; left--) {
      const name = utf8.decode(field(varint()));
      const header = optional_field();
      if (header !== null) found.push([name, header]);
    }
    // Not by assignment: a header may be called "__proto__". A repeated one keeps its last value.
    headers = Object.fromEntries(found);
  }
  if (at !== end) throw new UnreadableRecords(`a record ends ${end - at} bytes before its length says`);
  return placed(batch, offset, delta, { key, value, headers });
}

const utf8 = new TextDecoder("utf-8", { ignoreBOM: true });

/** What a record holds as a message of its batch; `delta` is its time after that of the batch. */
const placed = (
  { topic, partition, timestamp_is_brokers, base_timestamp_ms, max_timestamp_ms }: RecordBatch,
  offset: number,
  delta: number,
  { key, value, headers }: Pick<SourceMessage, "key" | "value" | "headers">,
): SourceMessage => {
  const timestamp_ms = within_dates(timestamp_is_brokers ? max_timestamp_ms : base_timestamp_ms + delta);
  return { topic, partition, offset, key, value, headers, timestamp_ms, timestamp_is_brokers };
};

const within_dates = (ms: number): number => Math.min(Math.max(ms, -GREATEST_TIMESTAMP_MS), GREATEST_TIMESTAMP_MS);

/** Reads a record that is too long to be held: its key and value are cut, its headers left out. */
async function read_long_record(
  batch: RecordBatch,
  bytes: UnpackedBytes,
  length: number,
  most_bytes: number,
): Promise<SourceMessage> {
  const end = bytes.place + length;
  // Attributes, which nobody uses.
  await bytes.pass_over(1);
  const delta = await bytes.number();
  const offset = batch.base_offset + await bytes.number();
  const key_length = await bytes.number();
  const key = key_length === -1 ? null : await bytes.pass_over(field_length(key_length, length));
  const value_length = await bytes.number();
  const hash = createHash("sha256");
  const value = value_length === -1
    ? null
    : await bytes.pass_over(field_length(value_length, length), (piece) => hash.update(piece));
  const header_bytes = await pass_headers(bytes, length);
  if (bytes.place !== end) {
    throw new UnreadableRecords(`a record ends ${end - bytes.place} bytes before its length says`);
  }
  const parts = `key ${Math.max(0, key_length)}, value ${Math.max(0, value_length)}, headers ${header_bytes}`;
  const detail =
    `expected at most ${most_bytes} bytes to be held, got a record of ${length} bytes (${parts}); only the first ` +
    `${FIRST_BYTES} bytes of key and value are kept, SHA-256 of the whole value: ${hash.digest("hex")}`;
  const headers = stated({ reason: "too_large", path: null, detail });
  return placed(batch, offset, delta, { key, value, headers });
}

/** The length of a field in a record of some length. */
function field_length(length: number, record_length: number): number {
  if (length < 0 || length > record_length) throw new UnreadableRecords(`a field of ${length} bytes`);
  return length;
}

/** Goes past the headers of a record; gives their bytes. */
async function pass_headers(bytes: UnpackedBytes, record_length: number): Promise<number> {
  const count = await bytes.number();
  if (count < 0 || count > record_length) throw new UnreadableRecords(`${count} headers`);
  let sum = 0;
  for (let parts = 2 * count; parts > 0; parts--) {
    const length = await bytes.number();
    if (length === -1) continue;
    await bytes.pass_over(field_length(length, record_length));
    sum += length;
  }
  return sum;
}

/** What stands for the rest of a batch that cannot be read. */
function unreadable(
  { last_offset, codec, records, ...batch }: RecordBatch,
  offset: number,
  why: string,
): SourceMessage {
  const hash = createHash("sha256").update(records).digest("hex");
  const detail =
    `the records at offsets ${offset} to ${last_offset} cannot be read: ${why}. Their batch, packed with codec ${codec}, has ` +
    `${records.length} bytes, of which the first ${
      Math.min(FIRST_BYTES, records.length)
    } are kept; SHA-256 of all: ${hash}`;
  return {
    topic: batch.topic,
    partition: batch.partition,
    offset,
    key: null,
    value: records.slice(0, FIRST_BYTES),
    headers: stated({ reason: "unreadable_batch", path: null, detail }),
    timestamp_ms: within_dates(batch.max_timestamp_ms),
    timestamp_is_brokers: batch.timestamp_is_brokers,
  };
}

const stated = (fault: { readonly reason: string; readonly path: null; readonly detail: string }) => ({
  [FAULT_HEADER]: new TextEncoder().encode(JSON.stringify(fault)),
});
