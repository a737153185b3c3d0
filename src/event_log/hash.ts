/**
 * A 53-bit hash of an event id, kept as a bigint in the database and as a safe `number` here: two multiply-xorshift lanes
 * over UTF-16 code units. It only has to make accidental hits within one stream rare; a hit is always compared in full.
 */
export function hash_event_id(id: string): number {
  let low = 0x9e3779b9 | 0, high = 0x85ebca6b | 0;
  for (let i = 0; i < id.length; i++) {
    const unit = id.charCodeAt(i);
    low = Math.imul(low ^ unit, 0x2c1b3c6d);
    high = Math.imul(high ^ unit, 0x297a2d39);
  }
  low = Math.imul(low ^ (low >>> 15) ^ high, 0x7feb352d);
  high = Math.imul(high ^ (high >>> 13) ^ low, 0x846ca68b);
  low ^= low >>> 16;
  high ^= high >>> 15;
  return (high & 0x1fffff) * 0x100000000 + (low >>> 0);
}
