import { crc32c } from "./crc32c.ts";

/**
 * A record batch is packed in a way nobody here knows: asking again cannot help. `retriable` is kafkajs's word: it crashes
 * at once.
 */
export class UnknownCodec extends Error {
  override readonly name = "UnknownCodec";
  readonly retriable = false;
}

/** An answer was damaged on its way or at rest: asking again may help. */
export class DamagedAnswer extends Error {
  override readonly name = "DamagedAnswer";
}

/** The codecs that Kafka has: none, gzip, snappy, lz4, zstd. */
const KNOWN_CODECS = 5;
const CODEC_MASK = 7;

/** Where a record batch has its parts, in bytes from its begin. */
const BATCH = { length: 8, body: 12, magic: 16, checksum: 17, attributes: 21, records: 61 } as const;

/**
 * Checks what kafkajs leaves out: that every record batch of a fetch answer has its checksum and a codec we know. Without
 * it a flipped bit becomes another message, and records of an unknown codec are read as if they were not packed.
 * @param version of the fetch request, 4 to 11; the batches of older ones carry no such checksum and are let pass
 * @param answer the bytes behind the correlation id
 * @throws UnknownCodec or DamagedAnswer, with topic, partition and offset where they are known
 */
export function check_fetch_answer(version: number, answer: Uint8Array): void {
  if (version < 4) return;
  try {
    new FetchAnswer(version, answer).check();
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new DamagedAnswer("the answer to a fetch ends in the middle", { cause: error });
  }
}

/** Walks one answer; reading past its end throws a RangeError. */
class FetchAnswer {
  readonly #version: number;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(version: number, bytes: Uint8Array) {
    this.#version = version;
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  check(): void {
    // Throttle time; then an error code and the fetch session's id.
    this.#at = this.#version >= 7 ? 10 : 4;
    let whole = 0;
    let cut: string | null = null;
    for (let topics = this.#int32(); topics > 0; topics--) {
      const topic = this.#string();
      for (let partitions = this.#int32(); partitions > 0; partitions--) {
        const place = `${topic}:${this.#partition()}`;
        const size = this.#int32();
        if (size <= 0) continue;
        const found = this.#batches(place, this.#at + size);
        whole += found;
        if (found === 0) cut = place;
        this.#at += size;
      }
    }
    // Brokers cut off the last batch of a partition at will, but never the first one of an answer.
    if (whole === 0 && cut !== null) throw new DamagedAnswer(`${cut} came without one whole record batch`);
  }

  /** Reads a partition's head, up to the size of its records; gives its number. */
  #partition(): number {
    const partition = this.#int32();
    // Error code, high watermark, last stable offset; log start offset.
    this.#at += 2 + 8 + 8 + (this.#version >= 5 ? 8 : 0);
    const aborted = this.#int32();
    this.#at += 16 * Math.max(0, aborted);
    if (this.#version >= 11) this.#at += 4;
    return partition;
  }

  /** Checks the batches up to `end` and gives how many of them are whole. */
  #batches(place: string, end: number): number {
    if (end > this.#bytes.length) throw new DamagedAnswer(`${place} is cut off`);
    let whole = 0;
    for (let at = this.#at; at + BATCH.records <= end; whole++) {
      const length = this.#view.getInt32(at + BATCH.length);
      // Messages of before Kafka 0.11 carry another checksum.
      if (this.#view.getInt8(at + BATCH.magic) !== 2) return whole + 1;
      const next = at + BATCH.body + length;
      if (next > end) break;
      const offset = `${place} offset ${this.#view.getBigInt64(at)}`;
      if (length < BATCH.records - BATCH.body) throw new DamagedAnswer(`${offset}: a record batch of ${length} bytes`);
      if (this.#view.getUint32(at + BATCH.checksum) !== crc32c(this.#bytes.subarray(at + BATCH.attributes, next))) {
        throw new DamagedAnswer(`${offset}: the record batch does not have the checksum it names`);
      }
      const codec = this.#view.getInt16(at + BATCH.attributes) & CODEC_MASK;
      if (codec >= KNOWN_CODECS) {
        throw new UnknownCodec(`${offset}: the record batch is packed with codec ${codec}, known are 0 to 4`);
      }
      at = next;
    }
    return whole;
  }

  #int32(): number {
    const value = this.#view.getInt32(this.#at);
    this.#at += 4;
    return value;
  }

  #string(): string {
    const length = this.#view.getInt16(this.#at);
    const from = this.#at + 2;
    this.#at = from + Math.max(0, length);
    return new TextDecoder().decode(this.#bytes.subarray(from, this.#at));
  }
}
