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

/** How far a match may reach back, in bytes. */
const WINDOW = 64 << 10;

/**
 * Unpacks one frame block by block; each block is the caller's, at most 4 MiB.
 * @throws when the bytes are no frame, are cut off, or point outside themselves, and when a block is larger than the frame says
 */
export function* unpack_lz4(packed: Uint8Array): Generator<Uint8Array> {
  const view = new DataView(packed.buffer, packed.byteOffset, packed.byteLength);
  if (packed.length < HEAD.length || view.getUint32(0, true) !== MAGIC) throw new Error("not an lz4 frame");
  const flags = packed[4]!;
  const kind = packed[5]! >> 4 & 7;
  if (kind < SMALLEST_KIND) throw new Error(`lz4 blocks of kind ${kind}, known are ${SMALLEST_KIND} to 7`);
  const block_size = 1 << (8 + 2 * kind);
  const linked = (flags & 0x20) === 0;
  // What earlier blocks left to refer to lies before the block that is being unpacked.
  const scratch = new Uint8Array((linked ? WINDOW : 0) + block_size);
  let window = 0;
  let at = HEAD.length + (flags & 0x08 ? 8 : 0) + (flags & 0x01 ? 4 : 0);
  for (;;) {
    if (at + 4 > packed.length) outside(packed.length);
    const head = view.getUint32(at, true);
    if (head === 0) return;
    const stored = head >= STORED;
    const length = stored ? head - STORED : head;
    const from = at + 4;
    at = from + length;
    if (at > packed.length) outside(packed.length);
    const most = window + block_size;
    let end = window;
    if (stored) {
      if (length > block_size) throw new Error(`an lz4 block of ${length} bytes, the frame says at most ${block_size}`);
      scratch.set(packed.subarray(from, at), window);
      end += length;
    } else {
      end = unpack_block(packed, [from, at], scratch, window, most);
    }
    at += flags & 0x10 ? 4 : 0;
    yield scratch.slice(window, end);
    if (!linked) continue;
    const kept = Math.min(end, WINDOW);
    scratch.copyWithin(0, end - kept, end);
    window = kept;
  }
}

/** Blocks of 64 KiB; each further kind is four times as large. */
const SMALLEST_KIND = 4;

/** Unpacks one block behind `end`, where matches may refer to, up to `most`; gives the new end. */
function unpack_block(
  from: Uint8Array,
  [start, stop]: readonly [start: number, stop: number],
  to: Uint8Array,
  end: number,
  most: number,
): number {
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
    if (at + literals > stop || end + literals > most) outside(at);
    to.set(from.subarray(at, at + literals), end);
    at += literals;
    end += literals;
    if (at === stop) return end;
    if (at + 2 > stop) outside(at);
    const distance = from[at]! | from[at + 1]! << 8;
    at += 2;
    const length = length_of(token & 15) + MIN_MATCH;
    if (distance === 0 || distance > end || end + length > most) outside(at);
    // Byte by byte: a match may overlap what it makes.
    for (const match_end = end + length; end < match_end; end++) to[end] = to[end - distance]!;
  }
  // The last sequence has literals alone, and an empty block is none.
  return outside(stop);
}

function outside(at: number): never {
  throw new Error(`lz4 byte ${at} points outside the data, or the data is cut off`);
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
