import { Readable } from "node:stream";
import { constants, createGunzip, createZstdDecompress } from "node:zlib";
import type { Packing } from "./record_file.ts";

/** What packed files hold, unpacked piece by piece, so that it takes no more memory than what is not packed. */

/** How many bytes are unpacked at once. */
const PIECE = 256 << 10;

/** The packing that the first bytes of a file show, hexadecimal; null for none. A file of zstd may begin with what is to be skipped. */
export const packing_of = (head: string): Packing | null =>
  head.startsWith("1f8b") ? "gzip" : /^(28b52ffd|5[0-9a-f]2a4d18)/.test(head) ? "zstd" : null;

/**
 * Unpacks a file of any number of members or frames one behind the other.
 * @throws Error where they are not of that packing, cut off, or damaged; of zstd it says where
 */
export const unpacked = (blocks: AsyncIterable<Uint8Array>, packing: Packing): AsyncGenerator<Uint8Array> =>
  packing === "gzip" ? unpack_gzip(blocks) : unpack_zstd(blocks);

/** By Node's gunzip, as the one of the web platform stops at the end of the first member. */
async function* unpack_gzip(blocks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const source = Readable.from(blocks);
  const gunzip = createGunzip({ chunkSize: PIECE });
  source.on("error", (error) => gunzip.destroy(error));
  source.pipe(gunzip);
  try {
    yield* gunzip;
  } finally {
    source.destroy();
    gunzip.destroy();
  }
}

/**
 * Unpacks zstd. Node's stream does so, but stops at the end of a frame unless a piece ends there, takes what is cut off for whole, and in Deno throws
 * where nobody can catch it once a fault comes after more than it gives at once, or in a piece that has to wait. So the frames are walked
 * through, and it gets a block of one at a time, of which come 128 KiB at most.
 */
export async function* unpack_zstd(packed: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const walk = new FrameWalk();
  const params = { [constants.ZSTD_d_windowLogMax]: WINDOW_LOG };
  // What comes of a block waits for nobody.
  const options = { chunkSize: PIECE, highWaterMark: 4 * PIECE, params };
  const unpacking = createZstdDecompress(options);
  try {
    for await (const piece of walk.pieces_of(packed)) {
      await new Promise<void>((resolve, reject) => {
        unpacking.once("error", reject);
        unpacking.write(piece, (error) => {
          unpacking.off("error", reject);
          error ? reject(error) : resolve();
        });
      }).catch((cause) => {
        const said = cause instanceof Error ? cause.message : String(cause);
        throw new Error(`what ends at byte ${walk.at}: ${said}`, { cause });
      });
      for (let bytes; (bytes = unpacking.read() as Uint8Array | null) !== null;) yield bytes;
    }
    walk.require_all(unpacking.bytesWritten);
  } finally {
    unpacking.destroy();
  }
}

/** The farthest that zstd may refer back, as a power of two: 128 MiB, which `zstd` reads without an option, and which is held in memory. */
const WINDOW_LOG = 27;

const FRAME = 0xfd2fb528;
/** Of these sixteen the last digit is anything. */
const SKIPPED = 0x184d2a50;
/** Bytes that a header of a frame begins with: its mark, and what tells how long the header is. */
const DESCRIBED = 5;
const BLOCK_HEADER = 3;
const REPEATED_BYTE = 1, RESERVED = 3;

/** What a frame is read of: its mark, how it is described, the rest of its header, headers of blocks, a checksum; or how much is skipped. */
type Part = "mark" | "description" | "header" | "block" | "checksum" | "skipped";

/** Follows zstd from frame to frame and block to block, by the lengths in it alone (RFC 8878). */
class FrameWalk {
  #part: Part = "mark";
  /** What is there of the part, and how long it is. */
  readonly #held: number[] = [];
  #length = 4;
  /** Bytes of content to go past before the next part. */
  #content = 0;
  #has_checksum = false;
  /** Bytes that are passed; where the frame began that they are in, and which it is. */
  #at = 0;
  #began_at = 0;
  #frame = 1;

  /** Bytes that are passed. */
  get at(): number {
    return this.#at;
  }

  /** Some bytes after the others, cut where a block or a frame ends. Throws Error where they are no zstd, or end within a frame. */
  async *pieces_of(packed: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const bytes of packed) {
      for (let from = 0; from < bytes.length;) {
        const to = this.#pass(bytes, from);
        yield bytes.subarray(from, to);
        from = to;
      }
    }
    if (this.#at > this.#began_at) throw this.#fault(`expected it to go on, it is cut off at byte ${this.#at}`);
  }

  /** Throws Error where the unpacker has not taken all that was passed. */
  require_all(taken: number): void {
    if (taken !== this.#at) throw new Error(`expected ${this.#at} bytes to be unpacked, got ${taken}`);
  }

  /** Goes on to the end of a block or a frame, or of the bytes. @returns where that is */
  #pass(bytes: Uint8Array, from: number): number {
    let at = from;
    for (let ended = false; at < bytes.length && !ended;) {
      if (this.#content > 0) {
        const passed = Math.min(this.#content, bytes.length - at);
        this.#content -= passed;
        at += passed;
        ended = this.#content === 0;
      } else {
        this.#held.push(bytes[at++]!);
        if (this.#held.length === this.#length) ended = this.#read();
      }
    }
    this.#at += at - from;
    if (this.#part === "mark" && this.#held.length === 0 && this.#content === 0) {
      this.#began_at = this.#at;
      this.#frame++;
    }
    return at;
  }

  /** Reads the part that is there, and knows by it what comes next. @returns whether a block or a frame ends with it */
  #read(): boolean {
    const held = this.#held;
    switch (this.#part) {
      case "mark": {
        const mark = number_of(held);
        if (mark === FRAME) return this.#longer("description", DESCRIBED);
        if ((mark & ~0xf) === SKIPPED) return this.#next("skipped", 4);
        throw this.#fault(`expected a frame of zstd, got the bytes ${Uint8Array.from(held).toHex()}`);
      }
      case "description":
        return this.#longer("header", DESCRIBED + lengths_of(held[4]!).reduce((sum, length) => sum + length));
      case "header":
        this.#require_readable();
        this.#has_checksum = (held[4]! & 4) !== 0;
        return this.#next("block", BLOCK_HEADER);
      case "block": {
        const header = number_of(held), kind = header >> 1 & 3, size = header >> 3;
        if (kind === RESERVED) throw this.#fault("a block of an unknown kind");
        if ((header & 1) === 0) this.#next("block", BLOCK_HEADER);
        else this.#next(this.#has_checksum ? "checksum" : "mark", 4);
        this.#content = kind === REPEATED_BYTE ? 1 : size;
        return this.#content === 0;
      }
      case "skipped":
        this.#content = number_of(held);
        this.#next("mark", 4);
        return this.#content === 0;
      case "checksum":
        this.#next("mark", 4);
        return true;
    }
  }

  /** Throws where a frame wants more than is given: memory, or a dictionary. */
  #require_readable(): void {
    const description = this.#held[4]!, [window, dictionary, size] = lengths_of(description);
    const most = 2 ** WINDOW_LOG, part = (from: number, length: number) => this.#held.slice(from, from + length);
    const named = number_of(part(DESCRIBED + window, dictionary));
    if (named !== 0) throw this.#fault(`it needs the dictionary ${named}, and none are read`);
    // What is of one segment refers back as far as it is long.
    const byte = this.#held[DESCRIBED]!;
    const wanted = window === 0
      ? number_of(part(DESCRIBED + dictionary, size)) + (size === 2 ? 256 : 0)
      : 2 ** (10 + (byte >> 3)) * (1 + (byte & 7) / 8);
    if (wanted > most) throw this.#fault(`it refers back by up to ${wanted} bytes, at most ${most} are held`);
  }

  #longer(part: Part, length: number): false {
    this.#part = part;
    this.#length = length;
    return false;
  }

  #next(part: Part, length: number): false {
    this.#held.length = 0;
    return this.#longer(part, length);
  }

  #fault(what: string): Error {
    return new Error(`frame ${this.#frame}, which begins at byte ${this.#began_at}: ${what}`);
  }
}

/** How many bytes a header has by its description: for the window, for the name of a dictionary, for the size of the content. */
function lengths_of(description: number): readonly [window: number, dictionary: number, size: number] {
  const is_one_segment = (description & 0x20) !== 0;
  const size = [is_one_segment ? 1 : 0, 2, 4, 8][description >> 6]!;
  return [is_one_segment ? 0 : 1, [0, 1, 2, 4][description & 3]!, size];
}

/** A number, its lowest byte first. */
const number_of = (bytes: readonly number[]): number => bytes.reduceRight((sum, byte) => sum * 256 + byte, 0);
