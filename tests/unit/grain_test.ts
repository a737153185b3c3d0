import assert from "node:assert/strict";
import fc from "fast-check";
import { grain_for } from "../../src/feed/live/grain.ts";
import { STEP_S, VIEW_GRAINS, type ViewGrain, window_at } from "../../src/feed/figures/view.ts";
import { days_in } from "../../src/kpi/mod.ts";

/** How wide buckets are when nobody chooses: by how much there is. */

const NOW_S = Date.UTC(2026, 2, 1, 12, 0, 30) / 1000;
const DAY = window_at({ range: "24h", to_s: null }, NOW_S * 1000, days_in("UTC"));
const all = () => true;
const of_day = (counted: number, before: ViewGrain | null = null, first_s = DAY.from_s) =>
  grain_for(DAY, { counted, first_s }, NOW_S, all, before);

Deno.test("a day is told in 5 minutes where these have four each, in wider buckets where they have fewer, in no wider than hours", () => {
  for (
    const [counted, grain] of [
      ...[[1_000_000, "5m"], [288 * 4, "5m"], [280 * 4, "15m"], [96 * 4, "15m"], [90 * 4, "1h"], [24, "1h"]],
      ...[[12, "1h"], [11, "5m"], [1, "5m"], [0, "5m"]],
    ] as const
  ) assert.equal(of_day(counted), grain, `${counted} a day`);
});

Deno.test("what there is to come, and what was before the first, leaves no bucket empty", () => {
  // Ten minutes of a new log, two a second.
  assert.equal(of_day(1_200, null, NOW_S - 600), "5m");
  assert.equal(of_day(50, null, NOW_S - 6 * 3_600), "1h");
  // Half of today is over.
  const today = window_at({ range: "today", to_s: null }, NOW_S * 1000, days_in("UTC"));
  assert.equal(grain_for(today, { counted: 600, first_s: today.from_s }, NOW_S, all, null), "5m");
  assert.equal(grain_for(today, { counted: 600, first_s: today.from_s }, today.to_s, all, null), "15m");
  // Nothing has passed of it.
  assert.equal(grain_for(DAY, { counted: 20, first_s: NOW_S + 60 }, NOW_S, all, null), "5m");
  assert.equal(grain_for(DAY, { counted: 20, first_s: null }, NOW_S, all, null), "5m");
});

Deno.test("a grain in use stays until there is clearly too little or enough for a finer one", () => {
  const quarter = 86_400 / STEP_S["15m"], five = 86_400 / STEP_S["5m"];
  for (const counted of [quarter * 4, quarter * 2, five * 4, five * 5.9]) assert.equal(of_day(counted, "15m"), "15m");
  assert.equal(of_day(quarter * 1.9, "15m"), "1h");
  assert.equal(of_day(five * 6.1, "15m"), "5m");
  assert.equal(of_day(five * 2.1, "5m"), "5m");
  assert.equal(of_day(five * 1.9, "5m"), "15m");
  assert.equal(of_day(7, "1h"), "1h");
  assert.equal(of_day(5, "1h"), "5m");
  // A choice from before a change of the range is none of it.
  assert.equal(of_day(five * 4, "1m"), "5m");
});

Deno.test("other ranges keep twelve buckets, and take none that the filter's cells do not have", () => {
  const chosen = (
    range: "15m" | "1h" | "6h" | "7d" | "30d",
    counted: number,
    fits: (grain: ViewGrain) => boolean = all,
  ) => {
    const window = window_at({ range, to_s: null }, NOW_S * 1000, days_in("UTC"));
    return grain_for(window, { counted, first_s: window.from_s }, NOW_S, fits, null);
  };
  assert.deepEqual(["15m", "1h", "6h", "7d", "30d"].map((range) => chosen(range as "1h", 20)), [
    ...["1m", "5m", "15m", "1h", "1d"],
  ]);
  assert.equal(chosen("30d", 20, (grain) => grain !== "1d"), "1h");
  assert.equal(chosen("6h", 20, () => false), "5m");
});

Deno.test("however counts waver by a third, a grain changes once at most", () => {
  const waver = fc.array(fc.double({ min: 1, max: 4 / 3, noNaN: true }), { minLength: 2, maxLength: 60 });
  fc.assert(
    fc.property(fc.integer({ min: 9, max: 4_000 }), waver, (least, times) => {
      let grain: ViewGrain | null = null, changes = 0;
      for (const by of times) {
        const next = of_day(Math.round(least * by), grain);
        assert.ok(VIEW_GRAINS.includes(next));
        if (grain !== null && next !== grain) changes++;
        grain = next;
      }
      assert.ok(changes <= 1, `${changes} changes`);
    }),
    { numRuns: 200, seed: 7 },
  );
});
