import { Buffer } from "node:buffer";
import { crc32c } from "../../src/ingest/kafka/records/record_batch.ts";

/** A record as a test writes it. */
export interface WrittenRecord {
  readonly key?: Uint8Array | null;
  readonly value?: Uint8Array | null;
  readonly headers?: readonly (readonly [string, Uint8Array | null])[];
  /** Offset and time after those of its batch. */
  readonly offset_delta?: number;
  readonly time_delta?: number;
}

/** A record batch of format 2 as a test writes it; `packed` stands for records that are packed, or that are none. */
export interface WrittenBatch {
  readonly base_offset: number;
  readonly records?: readonly WrittenRecord[];
  readonly packed?: Uint8Array;
  readonly codec?: number;
  /** Further attributes: 8 the broker's time, 16 transactional, 32 control. */
  readonly attributes?: number;
  readonly producer_id?: number;
  readonly last_offset_delta?: number;
  readonly count?: number;
  readonly base_timestamp_ms?: number;
  readonly max_timestamp_ms?: number;
  readonly magic?: number;
  readonly checksum?: number;
}

export const LOG_APPEND_TIME = 8, TRANSACTIONAL = 16, CONTROL = 32;

/** An integer, big endian. */
export function int(bits: 8 | 16 | 32 | 64, value: number | bigint): Uint8Array<ArrayBuffer> {
  const view = new DataView(new ArrayBuffer(bits / 8));
  if (bits === 64) view.setBigInt64(0, BigInt(value));
  else view[`setInt${bits}`](0, Number(value));
  return new Uint8Array(view.buffer);
}

/** A number as records have it, of any size. */
export function varint(value: number): Uint8Array<ArrayBuffer> {
  let rest = BigInt(value) < 0n ? -2n * BigInt(value) - 1n : 2n * BigInt(value);
  const bytes: number[] = [];
  for (; rest >= 128n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128);
  return Uint8Array.from([...bytes, Number(rest)]);
}

/** Bytes one after another. */
export function joined(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

const field = (bytes: Uint8Array | null | undefined): Uint8Array[] =>
  bytes == null ? [varint(-1)] : [varint(bytes.length), bytes];

/** A record with its length before it. */
export function write_record(record: WrittenRecord, index = 0): Uint8Array<ArrayBuffer> {
  const { key, value, headers = [], offset_delta = index, time_delta = 0 } = record;
  const body = joined(
    int(8, 0),
    varint(time_delta),
    varint(offset_delta),
    ...field(key),
    ...field(value),
    varint(headers.length),
    ...headers.flatMap(([name, header]) => [...field(Buffer.from(name)), ...field(header)]),
  );
  return joined(varint(body.length), body);
}

/** The records of a batch, unpacked. */
export const write_records = (records: readonly WrittenRecord[]): Uint8Array<ArrayBuffer> =>
  joined(...records.map(write_record));

/** A record batch as it lies in an answer. */
export function write_batch(batch: WrittenBatch): Uint8Array<ArrayBuffer> {
  const { base_offset, records = [], codec = 0, attributes = 0, producer_id = -1, magic = 2 } = batch;
  const { count = records.length, base_timestamp_ms = 0, max_timestamp_ms = base_timestamp_ms } = batch;
  const { packed = write_records(records), last_offset_delta = Math.max(0, count - 1) } = batch;
  const body = joined(
    int(16, codec | attributes),
    int(32, last_offset_delta),
    int(64, base_timestamp_ms),
    int(64, max_timestamp_ms),
    int(64, producer_id),
    int(16, 0),
    int(32, 0),
    int(32, count),
    packed,
  );
  const checksum = batch.checksum ?? crc32c(body);
  return joined(int(64, base_offset), int(32, 9 + body.length), int(32, 0), int(8, magic), int(32, checksum | 0), body);
}

/** The end of a producer's transaction in a partition. */
export const write_marker = (offset: number, producer_id: number, type: "abort" | "commit"): Uint8Array<ArrayBuffer> =>
  write_batch({
    base_offset: offset,
    attributes: TRANSACTIONAL | CONTROL,
    producer_id,
    records: [{ key: joined(int(16, 0), int(16, type === "abort" ? 0 : 1)), value: joined(int(16, 0), int(32, 0)) }],
  });

/** What a partition has in an answer. */
export interface WrittenPartition {
  readonly batches: readonly Uint8Array[];
  /** [producer id, first offset] each. */
  readonly aborted?: readonly (readonly [number, number])[];
  readonly high_watermark?: number;
  readonly last_stable_offset?: number;
  readonly error_code?: number;
}

/** The answer to a fetch of topic `trips`, partitions 0 and on, as the versions from 4 on have it. */
export function write_answer(version: number, partitions: readonly WrittenPartition[]): Uint8Array<ArrayBuffer> {
  const each = partitions.map(({ batches, aborted = [], high_watermark = 9, ...rest }, partition) => {
    const { last_stable_offset = high_watermark, error_code = 0 } = rest;
    const records = joined(...batches);
    return joined(
      int(32, partition),
      int(16, error_code),
      int(64, high_watermark),
      int(64, last_stable_offset),
      ...version >= 5 ? [int(64, 0)] : [],
      int(32, aborted.length === 0 ? -1 : aborted.length),
      ...aborted.flatMap(([producer_id, first_offset]) => [int(64, producer_id), int(64, first_offset)]),
      ...version >= 11 ? [int(32, -1)] : [],
      int(32, records.length),
      records,
    );
  });
  const head = version >= 7 ? joined(int(32, 0), int(16, 0), int(32, 0)) : int(32, 0);
  return joined(head, int(32, 1), int(16, 5), Buffer.from("trips"), int(32, partitions.length), ...each);
}
