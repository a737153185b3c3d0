import assert from "node:assert/strict";

/** What the work below takes on the machine that measured bounds of tests were written on, two cores of 2026 with nothing else to do, milliseconds. */
const WORK_MS = 400;

/**
 * How many times as long as there the same work takes here and now; 1 where it is no longer. A bound on a time that was measured is stretched by
 * it: what it says holds there, and a slower machine, or one that others use, proves nothing else.
 */
export function slowness(): number {
  const from = performance.now();
  let x = 1;
  const rows: string[] = [];
  for (let i = 0; i < 400_000; i++) {
    x = Math.imul(x ^ (x >>> 15), 0x2c1b3c6d) + i | 0;
    rows[i & 0xfff] = JSON.stringify({ x, at: String(x) });
    if ((i & 0xfff) === 0xfff) JSON.parse(`[${rows.join(",")}]`);
  }
  return Math.max(1, (performance.now() - from) / WORK_MS);
}

/** Fails where something took longer than it may, milliseconds, on a machine as slow as this one is. */
export function assert_within(most_ms: number, ms: number, what: string): void {
  if (ms < most_ms) return;
  const slow = slowness();
  assert.ok(ms < most_ms * slow, `${what}: ${ms} ms, slowness ${slow.toFixed(1)}`);
}
