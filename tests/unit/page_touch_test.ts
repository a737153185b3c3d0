import assert from "node:assert/strict";
import { panned, pinched } from "../../static/touch.js";

const VIEW = { from_s: 1_000, to_s: 4_600, step_s: 60 };

Deno.test("a finger moves the stretch by what it went, and no further than to now", () => {
  assert.deepEqual(panned(VIEW, 100, 400, 4_600), { from_s: 100, to_s: 3_700 });
  assert.deepEqual(panned(VIEW, -100, 400, 4_600), { from_s: 1_000, to_s: 4_600 }, "nothing is after now");
  assert.deepEqual(panned(VIEW, -100, 400, 5_000), { from_s: 1_400, to_s: 5_000 });
  assert.deepEqual(panned(VIEW, -400, 400, 100_000), { from_s: 4_600, to_s: 8_200 });
});

const PINCHES: readonly [before: [number, number], after: [number, number]][] = [
  [[100, 200], [50, 250]],
  [[50, 250], [100, 200]],
  [[100, 200], [150, 350]],
];

Deno.test("two fingers keep what is under them, look no closer than four buckets and no further than is allowed", () => {
  const limits = { width: 360, latest_s: 100_000, longest_s: 86_400 };
  const at = (px: number, { from_s, to_s }: { from_s: number; to_s: number }) => from_s + px / 360 * (to_s - from_s);
  for (const [before, after] of PINCHES) {
    const next = pinched(VIEW, before, after, limits);
    for (const i of [0, 1]) {
      assert.ok(Math.abs(at(before[i]!, VIEW) - at(after[i]!, next)) <= 2, `${before} to ${after}`);
    }
  }
  const closest = pinched(VIEW, [179, 180], [0, 360], limits);
  assert.equal(closest.to_s - closest.from_s, 4 * 60);
  const widest = pinched(VIEW, [0, 360], [180, 180], limits);
  assert.equal(widest.to_s - widest.from_s, 86_400);
  assert.ok(pinched(VIEW, [100, 200], [10, 20], { ...limits, latest_s: 4_600 }).to_s <= 4_600);
});
