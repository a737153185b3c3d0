import assert from "node:assert/strict";
import { fold_frames } from "../../static/feed.js";
import { marked_places } from "../../static/key_marks.js";
import { press_key } from "../../static/key_legend.js";
import { add_columns, candle_key, COLOURS, level_range, lines_of, shown_keys } from "../../static/keyed.js";
import { PLAIN } from "../../static/state.js";
import { assign_lines } from "../../src/feed/figures/mod.ts";
import { with_others } from "../../src/verbs/parts/health_watch.ts";
import { health_of } from "./../support/page_frames.ts";

/** Lines by key: who has which, what of them is in sight, where they are marked, and that their colours are told apart. */

const CANDLES = { open: "first", high: "most", low: "least", close: "last", volume: "sold" };
const PRICE = { name: "price", by: "ticker", top: 3, gaps: true, candles: CANDLES };
const SOLD = { name: "sold_by", by: "ticker", top: 2, others: true, gaps: false };
const sight_of = (address: Record<string, unknown> = {}) => ({
  address: { ...PLAIN, ...address },
  declared: { dimensions: [{ name: "ticker", label: "ticker" }], series: ["sold"] },
  board: {
    keyed: { ticker: { keys: ["A", null, "C"], others: 4 } },
    buckets: new Map([[0, { "price.0": 2, "price.2": null, "sold_by.0": 5 }]]),
  },
  columns: { x: [0, 60, 120], sold: [5, 0, null] } as Record<string, (number | null)[]>,
});
const only = (...keys: string[]) => ({ filter: [{ dimension: "ticker", keys, excluded: false }] });

Deno.test("a key keeps its line while it is among the greatest, newcomers take what is free by their names", () => {
  assert.deepEqual(assign_lines(["C", "A", "B"], [], 3), ["A", "B", "C"]);
  assert.deepEqual(assign_lines(["Z", "C", "A"], ["A", "B", "C"], 3), ["A", "Z", "C"]);
  assert.deepEqual(assign_lines(["Z"], ["A", "B", "C"], 3), ["Z", null, null]);
  assert.deepEqual(assign_lines([], ["A"], 2), [null, null]);
});

Deno.test("lines have the places that the board says, those that are hidden are not in sight, all others are one", () => {
  const names = (chart: unknown, sight: unknown) =>
    (lines_of(chart as never, sight as never) as { name: string; column: string; hidden: boolean }[])
      .map(({ name, column, hidden }) => [name, column, hidden]);
  assert.deepEqual(names(PRICE, sight_of()), [["A", "price.0", false], ["C", "price.2", false]]);
  assert.deepEqual(names(SOLD, sight_of({ hidden: ["ticker=A", "ticker="] })), [
    ["A", "sold_by.0", true],
    ["4 others", "sold_by.others", true],
  ]);
  assert.deepEqual(shown_keys(SOLD as never, sight_of({ hidden: ["ticker=A", "ticker="] }) as never), []);
  const unknown = { ...sight_of(), board: { keyed: null } };
  assert.deepEqual(names(PRICE, unknown), []);
});

Deno.test("candles are of one key that the filter leaves, and told part by part", () => {
  assert.equal(candle_key(PRICE as never, sight_of(only("A")).address as never), "A");
  assert.equal(candle_key(PRICE as never, sight_of(only("A", "B")).address as never), null);
  assert.equal(candle_key(SOLD as never, sight_of(only("A")).address as never), null);
  const excluded = { filter: [{ dimension: "ticker", keys: ["A"], excluded: true }] };
  assert.equal(candle_key(PRICE as never, sight_of(excluded).address as never), null);
  const parts = shown_keys(PRICE as never, sight_of(only("A")) as never) as { name: string; column: string }[];
  assert.deepEqual(parts.map(({ name, column }) => [name, column]), Object.entries(CANDLES));
});

Deno.test("where nothing was counted a price has a gap and a sum is 0, and what is not known is neither", () => {
  const sight = sight_of();
  add_columns(PRICE as never, sight as never);
  add_columns(SOLD as never, sight as never);
  assert.deepEqual(sight.columns["price.0"], [2, null, null]);
  assert.deepEqual(sight.columns["price.2"], [null, null, null]);
  assert.deepEqual(sight.columns["sold_by.0"], [5, 0, null]);
  assert.deepEqual(sight.columns["sold_by.others"], [0, 0, null]);
});

Deno.test("a tab that joins later has the gaps of lines too", () => {
  const declared = { list: { event: "trade", name: "trades", id: "trade_id" } };
  const hello = { declared, series: { t: [0, 60], "price.0": [2, null] }, trades: [] };
  const frame = ["kpi", { from_s: 0, series: { t: [60, 120], "price.0": [null, 3] } }];
  assert.deepEqual(fold_frames(hello as never, [frame] as never).series, { t: [0, 60, 120], "price.0": [2, null, 3] });
});

Deno.test("what stands alone is marked, and of the others one of so many", () => {
  assert.deepEqual(marked_places([1, null, 2, null, 3, 4, 5, 6, 7], 4, 1), [0, 2, 5]);
  assert.deepEqual(marked_places([1, 2, 3], 0.2, 0), [0, 1, 2]);
});

Deno.test("an axis of levels ends near the lowest and the highest, and is one also of none and of equal ones", () => {
  const [low = 0, high = 0] = level_range(100, 110, 0);
  assert.ok(low > 98 && low < 100 && high > 110 && high < 112);
  assert.deepEqual(level_range(null as never, null as never, 0), [0, 1]);
  assert.deepEqual(level_range(200, 200, 0), [198, 202]);
  assert.equal(level_range(0.5, 100, 0)[0], 0, "prices are not below nothing");
});

Deno.test("a press on a key hides or shows its line; alone it is shown only, and again all", () => {
  const all = ["t=A", "t=B", "t="];
  assert.deepEqual(press_key([], "t=A", false, all), ["t=A"]);
  assert.deepEqual(press_key(["t=A", "o=A"], "t=A", false, all), ["o=A"]);
  assert.deepEqual(press_key(["o=A", "t=A"], "t=A", true, all), ["o=A", "t=B", "t="]);
  assert.deepEqual(press_key(["o=A", "t=B", "t="], "t=A", true, all), ["o=A"]);
});

/** What each kind of sight makes of linear RGB (Machado, Oliveira and Fernandes 2009, severity 1). */
const SIGHTS = [
  [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
  [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
  [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
  [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039]],
];
const XYZ = [
  [0.4124 / 0.9505, 0.3576 / 0.9505, 0.1805 / 0.9505],
  [0.2126, 0.7152, 0.0722],
  [0.0193 / 1.089, 0.1192 / 1.089, 0.9505 / 1.089],
];
const linear = (hex: string) =>
  [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16) / 255).map((part) =>
    part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4
  );
const seen = (rows: number[][], rgb: number[]) =>
  rows.map((row) => Math.min(1, Math.max(0, row.reduce((sum, factor, i) => sum + factor * rgb[i]!, 0))));
function lab(rgb: number[]): [number, number, number] {
  const [x = 0, y = 0, z = 0] = seen(XYZ, rgb).map((t) => t > 0.008856 ? Math.cbrt(t) : 7.787 * t + 16 / 116);
  return [116 * y - 16, 500 * (x - y), 200 * (y - z)];
}

for (
  const [theme, name, ground, others] of [[0, "light", "#fffefb", "#656a66"], [
    1,
    "dark",
    "#15191b",
    "#8b938f",
  ]] as const
) {
  Deno.test(`the eight lines of the ${name} theme and that of all others are told apart by every kind of sight`, () => {
    const colours = [...COLOURS.map((pair) => pair[theme]!), others];
    const light = (hex: string) => seen(XYZ, linear(hex))[1]! + 0.05;
    for (const hex of colours) {
      const [high = 0, low = 1] = [light(hex), light(ground)].sort((a, b) => b - a);
      assert.ok(high / low >= 3, `${hex}: ${(high / low).toFixed(2)} on its ground`);
    }
    for (const rows of SIGHTS) {
      colours.forEach((one, i) =>
        colours.slice(i + 1).forEach((other) => {
          const [a, b] = [one, other].map((hex) => lab(seen(rows, linear(hex))));
          const apart = Math.hypot(...a!.map((part, at) => part - b![at]!));
          assert.ok(apart >= 20, `${one} and ${other}: ${apart.toFixed(1)}`);
        })
      );
    }
  });
}

Deno.test("a domain says of the others which are not open, stopped or behind, and nothing of those that are well", () => {
  const now_ms = health_of().recorded_ms + 61_000;
  const well = health_of() as never;
  const told = with_others(well, [
    ["a", null],
    ["b", health_of({ ingest: { state: "stopped" } }) as never],
    ["c", health_of({ lag: 5 }) as never],
    ["d", well],
  ], now_ms).domains;
  assert.deepEqual(told, [
    { name: "a", state: "not open" },
    { name: "b", state: "stopped" },
    { name: "c", state: "behind" },
  ]);
  assert.equal(with_others(well, [["d", well]], now_ms), well);
});
