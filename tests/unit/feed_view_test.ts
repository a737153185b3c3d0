import assert from "node:assert/strict";
import { days_in } from "../../src/kpi/mod.ts";
import { tile } from "../../src/feed/tiles.ts";
import { view_key, window_at } from "../../src/feed/view.ts";

const NOON_MS = Date.UTC(2026, 2, 1, 12, 0, 30);
const us = (text: string): number => Date.parse(text) * 1000;

Deno.test("a following view ends with the running bucket and is a whole number of buckets long", () => {
  const window = window_at({ range: "1h", to_s: null }, NOON_MS);
  assert.deepEqual(window, {
    from_s: Date.UTC(2026, 2, 1, 11, 1) / 1000,
    to_s: Date.UTC(2026, 2, 1, 12, 1) / 1000,
    step_s: 60,
    grain: "1m",
  });
  assert.equal(window_at({ range: "30d", to_s: null }, NOON_MS).to_s, Date.UTC(2026, 2, 1, 13) / 1000);
});

Deno.test("fixed ends within one bucket are one view, apart from the following one", () => {
  const at = Date.UTC(2026, 2, 1, 12) / 1000;
  assert.equal(view_key({ range: "6h", to_s: at - 299 }), view_key({ range: "6h", to_s: at }));
  assert.notEqual(view_key({ range: "6h", to_s: at + 1 }), view_key({ range: "6h", to_s: at }));
  assert.notEqual(view_key({ range: "6h", to_s: null }), view_key({ range: "6h", to_s: at }));
});

Deno.test("a stretch is covered by days in the middle and finer buckets at its edges, each instant once", () => {
  const tiles = tile(us("2026-03-01T10:03:00Z"), us("2026-03-04T01:05:00Z"), ["1m", "5m", "1h", "1d"], days_in("UTC"));
  const shown = tiles.map((
    { grain, from_us, to_us },
  ) => [grain, new Date(from_us / 1000).toISOString(), (to_us - from_us) / 60e6]);
  assert.deepEqual(shown, [
    ["1m", "2026-03-01T10:03:00.000Z", 2],
    ["5m", "2026-03-01T10:05:00.000Z", 55],
    ["1h", "2026-03-01T11:00:00.000Z", 13 * 60],
    ["1d", "2026-03-02T00:00:00.000Z", 2 * 1440],
    ["1h", "2026-03-04T00:00:00.000Z", 60],
    ["5m", "2026-03-04T01:00:00.000Z", 5],
  ]);
});

Deno.test("days of a zone half an hour off are used with minutes but not with hours; a DST day is one tile", () => {
  const kolkata = days_in("Asia/Kolkata");
  const range = [us("2026-03-01T00:00:00Z"), us("2026-03-05T00:00:00Z")] as const;
  assert.deepEqual(tile(...range, ["1h", "1d"], kolkata).map(({ grain }) => grain), ["1h"]);
  assert.deepEqual(tile(...range, ["5m", "1h", "1d"], kolkata).map(({ grain }) => grain), [
    "1h",
    "5m",
    "1d",
    "5m",
    "1h",
  ]);
  const berlin = tile(us("2026-03-28T23:00:00Z"), us("2026-03-29T22:00:00Z"), ["1h", "1d"], days_in("Europe/Berlin"));
  assert.deepEqual(berlin.map(({ grain, from_us, to_us }) => [grain, (to_us - from_us) / 3_600e6]), [["1d", 23]]);
});

Deno.test("the finest grain widens a stretch to whole buckets", () => {
  const [only] = tile(us("2026-03-01T10:03:00Z"), us("2026-03-01T10:04:00Z"), ["5m"], days_in("UTC"));
  assert.deepEqual(only, { grain: "5m", from_us: us("2026-03-01T10:00:00Z"), to_us: us("2026-03-01T10:05:00Z") });
});
