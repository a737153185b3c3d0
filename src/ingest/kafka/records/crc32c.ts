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
