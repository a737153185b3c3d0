import { Buffer } from "node:buffer";
import { promisify } from "node:util";
import { constants, createGunzip, zstdCompress } from "node:zlib";
import snappy from "snappyjs";
import { unpack_zstd } from "../../../files/mod.ts";
import { pack_lz4, unpack_lz4 } from "./lz4.ts";

/** What lies in a record batch whose checksum is right cannot be read: asking again cannot help. */
export class UnreadableRecords extends Error {
  override readonly name = "UnreadableRecords";
}

/** How many bytes gzip gives at once. */
const PIECE_BYTES = 256 << 10;

/** The most bytes that come of one piece, whatever the codec: a snappy block is unpacked whole. */
export const MOST_PIECE_BYTES = 64 << 20;

/**
 * Unpacks the records of a batch piece by piece, so that memory holds one piece however much comes of it. The pieces are
 * the caller's.
 * @param codec by Kafka's numbers: 0 none, 1 gzip, 2 snappy, 3 lz4, 4 zstd
 * @throws UnreadableRecords where the bytes are not of this codec, cut off, or a block of theirs is too large
 */
export async function* unpack(codec: number, packed: Uint8Array): AsyncGenerator<Uint8Array> {
  try {
    switch (codec) {
      case 0:
        return yield packed;
      case 1:
        return yield* through(createGunzip({ chunkSize: PIECE_BYTES }), packed);
      case 2:
        return yield* unpack_snappy(packed, MOST_PIECE_BYTES);
      case 3:
        return yield* unpack_lz4(packed);
      case 4:
        return yield* unpack_zstd(alone(packed));
    }
  } catch (error) {
    const said = error instanceof Error ? error.message : String(error);
    throw new UnreadableRecords(`cannot unpack ${CODEC_NAMES[codec]}: ${said}`, { cause: error });
  }
  throw new Error(`unpack: codec ${codec} is none of Kafka's`);
}

const CODEC_NAMES = ["none", "gzip", "snappy", "lz4", "zstd"];

async function* alone(packed: Uint8Array): AsyncGenerator<Uint8Array> {
  yield packed;
}

/** What an unpacking stream makes of some bytes; off the main thread. Leaving early ends the stream. */
async function* through(stream: ReturnType<typeof createGunzip>, packed: Uint8Array): AsyncGenerator<Uint8Array> {
  stream.end(packed);
  for await (const piece of stream) yield piece as Uint8Array;
}

/** Of what is cut so many bytes are kept. */
export const FIRST_BYTES = 1024;

const NOTHING = new Uint8Array();

/** The unpacked bytes of a batch, of which one piece and the begin of a record before it are at hand. */
export class UnpackedBytes {
  readonly #pieces: AsyncGenerator<Uint8Array>;
  readonly #between: () => Promise<void>;
  bytes: Uint8Array = NOTHING;
  at = 0;
  #before = 0;
  #pulled = false;

  /** @param between called between pieces, which may take a while; ends the reading by rejecting */
  constructor(codec: number, packed: Uint8Array, between: () => Promise<void>) {
    this.#pieces = unpack(codec, packed);
    this.#between = between;
  }

  /** How many bytes were read so far. */
  get place(): number {
    return this.#before + this.at;
  }

  /** The length of the record that begins here, when all of it is at hand: then reading goes on at its first byte. */
  record_length(): number | null {
    const { at } = this;
    const length = this.#varint();
    if (length !== null && length <= this.bytes.length - this.at) return length;
    this.at = at;
    return null;
  }

  /** As `record_length`, and fetches what is missing of the record; of one that is longer than `most` only its begin. */
  async fetch_record(most: number): Promise<number> {
    let length: number | null;
    for (let { at } = this; (length = this.#varint()) === null; at = this.at) {
      this.at = at;
      await this.#fetch(this.bytes.length - at + 1);
    }
    if (length <= most) await this.#fetch(length);
    return length;
  }

  /** Goes past some bytes at hand; gives where they begin. */
  pass(count: number): number {
    const { at } = this;
    this.at += count;
    return at;
  }

  /** A number that may not be at hand yet. */
  async number(): Promise<number> {
    let value = 0;
    for (let scale = 1, bytes = 0;; scale *= 128) {
      await this.#fetch(1);
      const byte = this.bytes[this.at++]!;
      value += (byte & 127) * scale;
      if (byte < 128) return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
      if (++bytes === LONGEST_VARLONG) throw new UnreadableRecords("a number has no end");
    }
  }

  /** Goes past bytes that are not all at hand. Gives a copy of the first ones, and shows all of them, piece by piece. */
  async pass_over(count: number, show: (bytes: Uint8Array) => void = () => {}): Promise<Uint8Array> {
    const first = new Uint8Array(Math.min(count, FIRST_BYTES));
    for (let done = 0; done < count;) {
      await this.#fetch(1);
      const piece = this.bytes.subarray(this.at, this.at + count - done);
      if (done < first.length) first.set(piece.subarray(0, first.length - done), done);
      show(piece);
      this.at += piece.length;
      done += piece.length;
    }
    return first;
  }

  /** Ends the unpacking. */
  async close(): Promise<void> {
    await this.#pieces.return(undefined);
  }

  /** The length that stands here; null when its end is not at hand. */
  #varint(): number | null {
    let value = 0;
    for (let shift = 0; this.at < this.bytes.length; shift += 7) {
      const byte = this.bytes[this.at++]!;
      value |= (byte & 127) << shift;
      if (byte < 128) {
        const length = value >>> 1 ^ -(value & 1);
        if (length < 0) throw new UnreadableRecords(`a record of ${length} bytes`);
        return length;
      }
      if (shift === 28) throw new UnreadableRecords("the length of a record has no end");
    }
    return null;
  }

  /** Has so many bytes at hand, those that are there included. */
  async #fetch(count: number): Promise<void> {
    const rest = this.bytes.length - this.at;
    if (rest >= count) return;
    const parts = rest === 0 ? [] : [this.bytes.subarray(this.at)];
    for (let have = rest; have < count;) {
      if (this.#pulled) await this.#between();
      this.#pulled = true;
      const { done, value } = await this.#pieces.next();
      if (done) throw new UnreadableRecords("the records are cut off");
      parts.push(value);
      have += value.length;
    }
    this.#before += this.at;
    this.bytes = parts.length === 1 ? parts[0]! : Buffer.concat(parts);
    this.at = 0;
  }
}

const LONGEST_VARLONG = 10;

/** Packs the records of one Kafka record batch; `unpack` reads it. */
export type Pack = (records: Uint8Array) => Promise<Buffer>;

/** snappyjs brings no types. */
const compress_snappy: (from: Uint8Array) => Uint8Array = snappy.compress;

const SNAPPY_BLOCK = 32 << 10;

/** Snappy in the Java frame, which every reader knows. */
export const pack_snappy: Pack = (records) => {
  const parts: Uint8Array[] = [SNAPPY_JAVA_HEAD];
  for (let at = 0; at < records.length; at += SNAPPY_BLOCK) {
    const block = compress_snappy(records.subarray(at, at + SNAPPY_BLOCK));
    const length = Buffer.alloc(4);
    length.writeUInt32BE(block.length);
    parts.push(length, block);
  }
  return Promise.resolve(Buffer.concat(parts));
};

/** LZ4, in the frame that Kafka uses since message format 2. */
export const pack_lz4_frame: Pack = (records) => Promise.resolve(pack_lz4(records));

const zstd: (from: Uint8Array, options: { params: Record<number, number> }) => Promise<Buffer> = promisify(
  zstdCompress,
);

/** Zstandard, by `node:zlib`, off the main thread. */
export const pack_zstd: Pack = (records) => zstd(records, { params: { [constants.ZSTD_c_compressionLevel]: 3 } });

/**
 * Snappy, unpacked. Our own because the pure libraries on npm check neither that references and lengths stay inside nor
 * that the length a block states is the one it has.
 */

/** Java producers put snappy into a frame of their own: this head, two versions, then blocks behind their lengths. */
export const SNAPPY_JAVA_HEAD = Uint8Array.of(0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00, 0, 0, 0, 1, 0, 0, 0, 1);
const MAGIC_BYTES = 8;

/**
 * Unpacks the Java frame, block by block, or one bare block, as librdkafka and Go write it.
 * @param most the largest block, in bytes unpacked
 * @throws when the bytes are no snappy, are cut off, point outside themselves, or a block would be larger
 */
export function* unpack_snappy(packed: Uint8Array, most: number): Generator<Uint8Array> {
  if (!SNAPPY_JAVA_HEAD.subarray(0, MAGIC_BYTES).every((byte, at) => packed[at] === byte)) {
    return yield unpack_block(packed, most);
  }
  const view = new DataView(packed.buffer, packed.byteOffset, packed.byteLength);
  for (let at = SNAPPY_JAVA_HEAD.length; at !== packed.length;) {
    if (at + 4 > packed.length) throw new Error(`snappy is cut off at byte ${packed.length}`);
    const from = at + 4;
    at = from + view.getUint32(at);
    if (at > packed.length) throw new Error(`snappy is cut off at byte ${packed.length}`);
    yield unpack_block(packed.subarray(from, at), most);
  }
}

/** A copy of 64 bytes takes 3: no block grows to more than that, whatever length it states. */
const MOST_GROWTH = 22;

function unpack_block(from: Uint8Array, most: number): Uint8Array {
  let at = 0;
  const next = (): number => at < from.length ? from[at++]! : outside(at);
  /** A little-endian number of some bytes. */
  const number = (bytes: number): number => {
    let value = 0;
    for (let i = 0; i < bytes; i++) value += next() * 2 ** (8 * i);
    return value;
  };
  let stated = 0;
  for (let scale = 1;; scale *= 128) {
    const byte = next();
    stated += (byte & 127) * scale;
    if (byte < 128) break;
    if (scale === 2 ** 28) throw new Error("snappy states no length");
  }
  if (stated > most) throw new Error(`a snappy block of ${stated} bytes, at most ${most} are unpacked`);
  if (stated > MOST_GROWTH * from.length) throw new Error(`snappy states ${stated} bytes, packed in ${from.length}`);
  const to = new Uint8Array(stated);
  let end = 0;
  while (at < from.length) {
    const tag = from[at++]!;
    const kind = tag & 3;
    if (kind === 0) {
      const short = tag >> 2;
      const length = 1 + (short < 60 ? short : number(short - 59));
      if (at + length > from.length || end + length > stated) outside(at);
      to.set(from.subarray(at, at + length), end);
      at += length;
      end += length;
      continue;
    }
    const length = kind === 1 ? 4 + (tag >> 2 & 7) : 1 + (tag >> 2);
    const distance = kind === 1 ? (tag >> 5) * 256 + next() : number(kind === 2 ? 2 : 4);
    if (distance === 0 || distance > end || end + length > stated) outside(at);
    // Byte by byte: a copy may overlap what it makes.
    for (const copy_end = end + length; end < copy_end; end++) to[end] = to[end - distance]!;
  }
  if (end !== stated) throw new Error(`snappy states ${stated} bytes and has ${end}`);
  return to;
}

function outside(at: number): never {
  throw new Error(`snappy byte ${at} points outside the data`);
}
