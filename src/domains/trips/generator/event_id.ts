import { mix32 } from "./random.ts";

const two_32 = 0x1_0000_0000;

/**
 * Sixteen hex digits for a counter (up to 2^53), under a key. A four-round Feistel network, so a bijection: under one key
 * no two counters ever share an id, and neighbouring counters look unrelated.
 */
export function event_id(key: number, counter: number): string {
  let left = Math.floor(counter / two_32) >>> 0;
  let right = counter >>> 0;
  for (let round = 1; round <= 4; round++) {
    const next = (left ^ mix32(right + Math.imul(key ^ round, 0x9e3779b1))) >>> 0;
    left = right;
    right = next;
  }
  return hex8(left) + hex8(right);
}

function hex8(word: number): string {
  return (word + two_32).toString(16).slice(1);
}
