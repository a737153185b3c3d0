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
