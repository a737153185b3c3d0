import { Buffer } from "node:buffer";

/**
 * LZ4 frames, read and written in full. Our own because the only pure library on npm writes blocks that lz4-java refuses
 * (matches too near the end), skips block checksums in the wrong place and checks no bounds while unpacking.
 * Checksums are passed over: Kafka's record batches carry their own.
 */

const MAGIC = 0x184d2204;
/** Independent blocks of 64 KiB without checksums, the only kind Java reads; the last byte is this descriptor's own checksum. */
const HEAD = Buffer.from([0x04, 0x22, 0x4d, 0x18, 0x60, 0x40, 0x82]);
const BLOCK = 64 << 10;
const STORED = 0x80000000;
const MIN_MATCH = 4;
/** The format wants the last 5 bytes literal, and no match to begin in the last 12. */
const LAST_LITERALS = 5;
const MATCH_LIMIT = 12;

/** Packs bytes into one frame. */
export function pack_lz4(bytes: Uint8Array): Buffer {
  const parts: Uint8Array[] = [HEAD];
  const places = new Uint16Array(1 << 14);
  for (let at = 0; at < bytes.length; at += BLOCK) {
    const block = bytes.subarray(at, at + BLOCK);
    const packed = pack_block(block, places);
    const head = Buffer.alloc(4);
    head.writeUInt32LE(packed === null ? STORED + block.length : packed.length);
    parts.push(head, packed ?? block);
  }
  parts.push(Buffer.alloc(4));
  return Buffer.concat(parts);
}

/**
 * Unpacks one frame.
 * @param most the largest result, in bytes
 * @throws when the bytes are no frame, are cut off, or point outside themselves, and when the result would be larger
 */
export function unpack_lz4(packed: Uint8Array, most: number): Buffer {
  const bytes = Buffer.from(packed.buffer, packed.byteOffset, packed.byteLength);
  const { block_size, blocks } = find_blocks(bytes);
  const bound = blocks.reduce((sum, block) => sum + (block.stored ? block.length : block_size), 0);
  if (bound > most) throw new Error(`cannot unpack lz4: ${bound} bytes may come of it, at most ${most} are allowed`);
  const output = Buffer.alloc(bound);
  let end = 0;
  for (const { at, length, stored } of blocks) {
    if (stored) end += bytes.copy(output, end, at, at + length);
    else end = unpack_block(bytes, at, at + length, output, end);
  }
  return output.subarray(0, end);
}

interface Block {
  readonly at: number;
  readonly length: number;
  readonly stored: boolean;
}

function find_blocks(bytes: Buffer): { readonly block_size: number; readonly blocks: readonly Block[] } {
  if (bytes.length < 11 || bytes.readUInt32LE(0) !== MAGIC) throw new Error("cannot unpack lz4: not a frame");
  const flags = bytes.readUInt8(4);
  const block_size = 1 << (8 + 2 * ((bytes.readUInt8(5) >> 4) & 7));
  let at = 7 + (flags & 0x08 ? 8 : 0) + (flags & 0x01 ? 4 : 0);
  const blocks: Block[] = [];
  for (;;) {
    const head = bytes.readUInt32LE(at);
    if (head === 0) return { block_size, blocks };
    const stored = head >= STORED;
    const length = stored ? head - STORED : head;
    if (at + 4 + length > bytes.length) throw new Error(`cannot unpack lz4: cut off at byte ${bytes.length}`);
    blocks.push({ at: at + 4, length, stored });
    at += 4 + length + (flags & 0x10 ? 4 : 0);
  }
}

/** Unpacks one block behind `end`, where earlier blocks may be referred to; gives the new end. */
function unpack_block(from: Uint8Array, start: number, stop: number, to: Uint8Array, end: number): number {
  let at = start;
  const length_of = (nibble: number): number => {
    let length = nibble;
    if (nibble === 15) {
      let more = 255;
      while (more === 255) length += more = at < stop ? from[at++]! : outside(at);
    }
    return length;
  };
  while (at < stop) {
    const token = from[at++]!;
    const literals = length_of(token >> 4);
    if (at + literals > stop || end + literals > to.length) outside(at);
    to.set(from.subarray(at, at + literals), end);
    at += literals;
    end += literals;
    if (at === stop) return end;
    if (at + 2 > stop) outside(at);
    const distance = from[at]! | from[at + 1]! << 8;
    at += 2;
    const length = length_of(token & 15) + MIN_MATCH;
    if (distance === 0 || distance > end || end + length > to.length) outside(at);
    // Byte by byte: a match may overlap what it makes.
    for (const match_end = end + length; end < match_end; end++) to[end] = to[end - distance]!;
  }
  return end;
}

function outside(at: number): never {
  throw new Error(`cannot unpack lz4: byte ${at} points outside the data`);
}

/** Packs one block of at most 64 KiB, greedily; null when that gains nothing. `places` is scratch, place + 1 by hash. */
function pack_block(from: Uint8Array, places: Uint16Array): Uint8Array | null {
  const view = new DataView(from.buffer, from.byteOffset, from.byteLength);
  const to = new Uint8Array(from.length);
  places.fill(0);
  let end = 0;
  let anchor = 0;
  const put_length = (length: number) => {
    for (length -= 15; length >= 255; length -= 255) to[end++] = 255;
    to[end++] = length;
  };
  const put_literals = (stop: number, match_nibble: number) => {
    const literals = stop - anchor;
    to[end++] = Math.min(literals, 15) << 4 | match_nibble;
    if (literals >= 15) put_length(literals);
    to.set(from.subarray(anchor, stop), end);
    end += literals;
  };
  /** What the literals up to `stop` and a match may need at most. */
  const fits = (stop: number, match: number) => end + (stop - anchor) * 256 / 255 + match / 255 + 16 < to.length;
  for (let at = 0; at < from.length - MATCH_LIMIT;) {
    const word = view.getUint32(at, true);
    const hash = Math.imul(word, 2654435761) >>> 18;
    const place = places[hash]! - 1;
    places[hash] = at + 1;
    if (place < 0 || view.getUint32(place, true) !== word) {
      at++;
      continue;
    }
    let length = MIN_MATCH;
    while (at + length < from.length - LAST_LITERALS && from[at + length] === from[place + length]) length++;
    if (!fits(at, length)) return null;
    put_literals(at, Math.min(length - MIN_MATCH, 15));
    to[end++] = (at - place) & 255;
    to[end++] = (at - place) >> 8;
    if (length - MIN_MATCH >= 15) put_length(length - MIN_MATCH);
    at += length;
    anchor = at;
  }
  if (!fits(from.length, 0)) return null;
  put_literals(from.length, 0);
  return to.subarray(0, end);
}
