import { crc32 } from "node:zlib";
import { type Amount, message_bytes } from "../../message_buffer.ts";
import { partition_name, type SourceBatch, type SourceMessage, type TopicPartition } from "../../message_source.ts";
import { crc32c, read_old_message, read_records, type RecordBatch, type RecordLimits } from "./record_batch.ts";

/** What a fetch brought of one partition: something at least. */
interface FetchedBatches extends Pick<FetchedPartition, "batches"> {
  readonly topic: string;
  readonly partition: number;
  /** The offset after all that it covers, whatever was there. */
  readonly next_offset: number;
}

/** A piece of what was fetched, and the bytes of its messages. */
export interface Slice {
  readonly batch: SourceBatch;
  readonly bytes: number;
}

/**
 * Unpacks what was fetched and cuts it into source batches of at most `most`, without holes between them: an inner one ends where the
 * next message begins, the last one after the last offset covered. A message larger than `most.bytes` is a slice of its own.
 * @param from_offset where the first one begins; messages below it are left out
 */
export async function* slices(
  fetched: FetchedBatches,
  from_offset: number,
  most: Amount,
  limits: RecordLimits,
): AsyncGenerator<Slice> {
  const { topic, partition, batches, next_offset } = fetched;
  let from = from_offset;
  let run: SourceMessage[] = [];
  let bytes = 0;
  for (const packed of batches) {
    for await (const messages of read_records(packed, from_offset, limits)) {
      for (const message of messages) {
        const size = message_bytes(message);
        if (run.length > 0 && (run.length >= most.messages || bytes + size > most.bytes)) {
          yield { batch: { topic, partition, from_offset: from, next_offset: message.offset, messages: run }, bytes };
          from = message.offset;
          run = [];
          bytes = 0;
        }
        run.push(message);
        bytes += size;
      }
    }
  }
  yield { batch: { topic, partition, from_offset: from, next_offset, messages: run }, bytes };
}

/** The brokers know no record batches: asking again cannot help. `retriable` is kafkajs's word: it crashes at once. */
export class BrokersTooOld extends Error {
  override readonly name = "BrokersTooOld";
  readonly retriable = false;
}

/** An answer was damaged on its way or at rest: asking again may help. */
export class DamagedAnswer extends Error {
  override readonly name = "DamagedAnswer";
}

/** What a fetch brought of one partition. */
export interface FetchedPartition {
  readonly partition: number;
  readonly error_code: number;
  /** The true end: the next offset to be written. */
  readonly high_watermark: number;
  /** The offset before which every transaction has ended; brokers give nothing from there on. */
  readonly last_stable_offset: number;
  readonly preferred_read_replica: number;
  /** What is data: without control batches and batches of transactions that were aborted. */
  readonly batches: readonly RecordBatch[];
  /** The offset after all that came, whatever it was; null when nothing came. */
  readonly next_offset: number | null;
  /** What was not read, since its first batch is packed in a way that nobody here knows; null when there is nothing of the kind. */
  readonly unknown_codec: UnknownCodec | null;
}

/** A batch that is packed in a way nobody here knows, and the offset after it. */
interface UnknownCodec {
  readonly codec: number;
  readonly next_offset: number;
}

/** The answer to a fetch. */
interface FetchAnswer {
  readonly throttle_ms: number;
  readonly error_code: number;
  readonly session_id: number;
  readonly topics: readonly { readonly topic: string; readonly partitions: readonly FetchedPartition[] }[];
}

/** The oldest version of the fetch request whose answers have record batches: Kafka 0.11. */
const OLDEST_VERSION = 4;

/**
 * Reads the answer to a fetch that asked for what is committed: checks that every record batch has its checksum, of each partition up to the
 * first one whose codec we do not know, and decides which of them are data. kafkajs does neither: a flipped bit becomes another message, and it tells a
 * transaction's end by a message's key.
 * @param version of the fetch request, 4 to 11
 * @param answer the bytes behind the correlation id; the batches refer to them
 * @throws BrokersTooOld or DamagedAnswer, with topic, partition and offset where they are known
 */
export function read_fetch_answer(version: number, answer: Uint8Array): FetchAnswer {
  if (version < OLDEST_VERSION) {
    throw new BrokersTooOld("the brokers are older than Kafka 0.11: they know no record batches");
  }
  try {
    return new AnswerReader(version, answer).read();
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new DamagedAnswer("the answer to a fetch ends in the middle", { cause: error });
  }
}

/** The codecs that Kafka has: none, gzip, snappy, lz4, zstd. */
const KNOWN_CODECS = 5;

/** What a record batch's attributes say, bit by bit. */
const CODEC_MASK = 0x07, LOG_APPEND_TIME = 0x08, TRANSACTIONAL = 0x10, CONTROL = 0x20;

/** Where a record batch has its parts, in bytes from its begin. */
const BATCH = {
  length: 8,
  body: 12,
  /** Of messages of before Kafka 0.11, for all that follows it. */
  old_checksum: 12,
  magic: 16,
  checksum: 17,
  attributes: 21,
  last_offset_delta: 23,
  base_timestamp: 27,
  max_timestamp: 35,
  producer_id: 43,
  count: 57,
  records: 61,
} as const;

/** Walks one answer; reading past its end throws a RangeError. */
class AnswerReader {
  readonly #version: number;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(version: number, bytes: Uint8Array) {
    this.#version = version;
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  read(): FetchAnswer {
    const throttle_ms = this.#int32();
    const [error_code, session_id] = this.#version >= 7 ? [this.#int16(), this.#int32()] : [0, 0];
    let some_whole = false;
    let cut: string | null = null;
    const topics = this.#array(() => {
      const topic = this.#string();
      const partitions = this.#array(() => {
        const { size, ...partition } = this.#partition(topic);
        if (partition.next_offset !== null || partition.unknown_codec !== null) some_whole = true;
        else if (size > 0) cut = partition_name({ topic, partition: partition.partition });
        return partition;
      });
      return { topic, partitions };
    });
    // Brokers cut off the last batch of a partition at will, but never the first one of an answer.
    if (!some_whole && cut !== null) throw new DamagedAnswer(`${cut} came without one whole record batch`);
    return { throttle_ms, error_code, session_id, topics };
  }

  #partition(topic: string): FetchedPartition & { readonly size: number } {
    const partition = this.#int32();
    const error_code = this.#int16();
    const high_watermark = this.#int64();
    const last_stable_offset = this.#int64();
    // Where the log starts.
    if (this.#version >= 5) this.#int64();
    const aborted = this.#array(() => ({ producer_id: this.#big(), first_offset: this.#int64() }));
    const preferred_read_replica = this.#version >= 11 ? this.#int32() : -1;
    const size = Math.max(0, this.#int32());
    const found = this.#batches({ topic, partition }, this.#at + size, new Transactions(aborted));
    this.#at += size;
    return { partition, error_code, high_watermark, last_stable_offset, preferred_read_replica, size, ...found };
  }

  /** Reads the batches up to `end`. */
  #batches(
    place: TopicPartition,
    end: number,
    transactions: Transactions,
  ): Pick<FetchedPartition, "batches" | "next_offset" | "unknown_codec"> {
    if (end > this.#bytes.length) throw new DamagedAnswer(`${partition_name(place)} is cut off`);
    const view = this.#view;
    const batches: RecordBatch[] = [];
    let next_offset: number | null = null;
    for (let at = this.#at; at + BATCH.checksum <= end;) {
      const offset = Number(view.getBigInt64(at));
      const told = `${partition_name(place)} offset ${offset}`;
      const next = at + BATCH.body + view.getInt32(at + BATCH.length);
      if (next > end) break;
      const magic = view.getInt8(at + BATCH.magic);
      if (magic !== 2) {
        // Without it a batch whose format is damaged would pass for one message, and its records would be passed over.
        if (view.getUint32(at + BATCH.old_checksum) !== crc32(this.#bytes.subarray(at + BATCH.magic, next))) {
          throw new DamagedAnswer(`${told}: the message does not have the checksum it names`);
        }
        const message = old_message(this.#bytes.subarray(at, next), next_offset ?? 0, place);
        if (message.codec >= KNOWN_CODECS) {
          return { batches, next_offset, unknown_codec: { codec: message.codec, next_offset: offset + 1 } };
        }
        batches.push(message);
        next_offset = offset + 1;
        at = next;
        continue;
      }
      if (next - at < BATCH.records) throw new DamagedAnswer(`${told}: a record batch of ${next - at} bytes`);
      if (view.getUint32(at + BATCH.checksum) !== crc32c(this.#bytes.subarray(at + BATCH.attributes, next))) {
        throw new DamagedAnswer(`${told}: the record batch does not have the checksum it names`);
      }
      const attributes = view.getInt16(at + BATCH.attributes);
      const codec = attributes & CODEC_MASK;
      const last_offset = offset + view.getInt32(at + BATCH.last_offset_delta);
      if (last_offset < offset) throw new DamagedAnswer(`${told}: a record batch that ends at offset ${last_offset}`);
      if (transactions.is_data(attributes, view.getBigInt64(at + BATCH.producer_id), last_offset)) {
        if (codec >= KNOWN_CODECS) {
          return { batches, next_offset, unknown_codec: { codec, next_offset: last_offset + 1 } };
        }
        batches.push({
          ...place,
          format: 2,
          base_offset: offset,
          last_offset,
          codec,
          timestamp_is_brokers: (attributes & LOG_APPEND_TIME) !== 0,
          base_timestamp_ms: Number(view.getBigInt64(at + BATCH.base_timestamp)),
          max_timestamp_ms: Number(view.getBigInt64(at + BATCH.max_timestamp)),
          count: view.getInt32(at + BATCH.count),
          records: this.#bytes.subarray(at + BATCH.records, next),
        });
      }
      next_offset = last_offset + 1;
      at = next;
    }
    return { batches, next_offset, unknown_codec: null };
  }

  #array<T>(read: () => T): T[] {
    const found: T[] = [];
    for (let left = this.#int32(); left > 0; left--) found.push(read());
    return found;
  }

  #int16(): number {
    return this.#view.getInt16(this.#pass(2));
  }

  #int32(): number {
    return this.#view.getInt32(this.#pass(4));
  }

  #int64(): number {
    return Number(this.#big());
  }

  #big(): bigint {
    return this.#view.getBigInt64(this.#pass(8));
  }

  #string(): string {
    const length = Math.max(0, this.#int16());
    const from = this.#pass(length);
    return new TextDecoder().decode(this.#bytes.subarray(from, from + length));
  }

  #pass(bytes: number): number {
    const at = this.#at;
    this.#at += bytes;
    return at;
  }
}

/**
 * A message of before Kafka 0.11, or the packed one that holds several, as a batch. It is in no transaction.
 * @param least what its first offset is at least, where it holds several
 */
function old_message(bytes: Uint8Array, least: number, place: TopicPartition): RecordBatch {
  const { offset, attributes, timestamp_ms, value, magic } = read_old_message(bytes, 0);
  const codec = attributes & CODEC_MASK;
  return {
    ...place,
    format: magic,
    base_offset: codec === 0 ? offset : least,
    last_offset: offset,
    codec,
    timestamp_is_brokers: (attributes & LOG_APPEND_TIME) !== 0,
    base_timestamp_ms: timestamp_ms,
    max_timestamp_ms: timestamp_ms,
    count: 1,
    records: codec === 0 ? bytes : value ?? new Uint8Array(),
  };
}

interface AbortedTransaction {
  readonly producer_id: bigint;
  /** Of the transaction in this partition; it may lie before what was fetched. */
  readonly first_offset: number;
}

/**
 * Which batches of a partition are data, told one after another in their order. A producer has one transaction at a time: from
 * the first offset of an aborted one to its marker, what it sent in a transaction is none, whoever else writes in between.
 */
class Transactions {
  /** The last one begins first. */
  readonly #to_come: AbortedTransaction[];
  readonly #under_way = new Set<bigint>();

  /** @param aborted all that the answer names for the partition, in any order */
  constructor(aborted: readonly AbortedTransaction[]) {
    this.#to_come = aborted.toSorted((a, b) => b.first_offset - a.first_offset);
  }

  is_data(attributes: number, producer_id: bigint, last_offset: number): boolean {
    for (let next = this.#to_come.at(-1); next !== undefined && next.first_offset <= last_offset;) {
      this.#under_way.add(next.producer_id);
      this.#to_come.pop();
      next = this.#to_come.at(-1);
    }
    if ((attributes & CONTROL) !== 0) {
      // Whichever way it went, the producer's transaction ends here.
      this.#under_way.delete(producer_id);
      return false;
    }
    return (attributes & TRANSACTIONAL) === 0 || !this.#under_way.has(producer_id);
  }
}
