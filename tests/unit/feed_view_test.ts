import assert from "node:assert/strict";
import { days_in, tile } from "../../src/kpi/mod.ts";
import {
  absolute_fault,
  type Filter,
  type Span,
  span_fault,
  type View,
  view_key,
  window_at,
} from "../../src/feed/figures/view.ts";

const NOON_MS = Date.UTC(2026, 2, 1, 12, 0, 30);
const UTC = days_in("UTC");
const s = (text: string): number => Date.parse(text) / 1000;
const key = (span: Span, filter: Filter = [], compare: "weekday" | "previous" = "weekday") =>
  view_key({ ...span, filter, compare }, UTC);
const us = (text: string): number => Date.parse(text) * 1000;

Deno.test("a following view ends with the running bucket and is a whole number of buckets long", () => {
  const window = window_at({ range: "1h", to_s: null }, NOON_MS, UTC);
  assert.deepEqual(window, {
    from_s: Date.UTC(2026, 2, 1, 11, 1) / 1000,
    to_s: Date.UTC(2026, 2, 1, 12, 1) / 1000,
    step_s: 60,
    grain: "1m",
  });
  assert.equal(window_at({ range: "30d", to_s: null }, NOON_MS, UTC).to_s, Date.UTC(2026, 2, 1, 13) / 1000);
});

Deno.test("an absolute range has the grain of its length and is widened to whole buckets, days by the business zone", () => {
  const berlin = days_in("Europe/Berlin");
  const window = (from: string, to: string) => {
    const { from_s, to_s, grain } = window_at({ range: "custom", from_s: s(from), to_s: s(to) }, 0, berlin);
    return [grain, new Date(from_s * 1000).toISOString(), new Date(to_s * 1000).toISOString()];
  };
  const from = "2026-03-01T10:03:30Z";
  assert.deepEqual(window(from, "2026-03-01T12:03:30Z"), [
    "1m",
    "2026-03-01T10:03:00.000Z",
    "2026-03-01T12:04:00.000Z",
  ]);
  assert.deepEqual(window(from, "2026-03-01T12:03:31Z")[0], "5m");
  assert.deepEqual(window(from, "2026-03-02T22:05:00Z"), [
    "1h",
    "2026-03-01T10:00:00.000Z",
    "2026-03-02T23:00:00.000Z",
  ]);
  assert.deepEqual(window("2026-03-01T10:00:00Z", "2026-03-02T22:00:00Z")[0], "5m");
  assert.deepEqual(window("2026-03-01T10:00:00Z", "2026-04-15T10:00:00Z")[0], "1h");
  assert.deepEqual(window("2026-03-01T10:00:00Z", "2026-04-15T10:00:01Z"), [
    "1d",
    "2026-02-28T23:00:00.000Z",
    "2026-04-15T22:00:00.000Z",
  ]);
});

Deno.test("an absolute range that is empty, reversed or longer than 400 days is refused", () => {
  assert.equal(absolute_fault(0, 400 * 86_400), null);
  for (const [from_s, to_s] of [[5, 5], [6, 5], [0, 400 * 86_400 + 1]] as const) {
    assert.match(absolute_fault(from_s, to_s) ?? "", /^expected /);
  }
});

Deno.test("fixed ends within one bucket are one view, apart from the following one", () => {
  const at = Date.UTC(2026, 2, 1, 12) / 1000;
  assert.equal(key({ range: "6h", to_s: at - 299 }), key({ range: "6h", to_s: at }));
  assert.notEqual(key({ range: "6h", to_s: at + 1 }), key({ range: "6h", to_s: at }));
  assert.notEqual(key({ range: "6h", to_s: null }), key({ range: "6h", to_s: at }));
  const absolute = { range: "custom", from_s: at, to_s: at + 3_600 } as const;
  assert.equal(key(absolute), key({ ...absolute, from_s: at + 59 }));
  assert.notEqual(key(absolute), key({ range: "1h", to_s: at + 3_600 }), "hello says what was asked for");
});

Deno.test("views are one by their filters and comparisons too", () => {
  const hour = { range: "1h", to_s: null } as const;
  const bonn = [{ dimension: "city", keys: ["Bonn"], excluded: false }];
  assert.equal(key(hour, bonn), key(hour, structuredClone(bonn)));
  const keys = [
    key(hour),
    key(hour, bonn),
    key(hour, [{ ...bonn[0]!, excluded: true }]),
    key(hour, [{ ...bonn[0]!, dimension: "driver" }]),
    key(hour, [], "previous"),
  ];
  assert.equal(new Set(keys).size, keys.length);
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

Deno.test("stretches that lie apart are pieces of then, and no coarse bucket reaches into them", () => {
  const apart = [["2026-02-27T00:00:00Z", "2026-03-01T10:05:00Z"], ["2026-03-01T22:50:00Z", "2026-03-01T22:55:00Z"]]
    .map(([from, to]) => ({ from_us: us(from!), to_us: us(to!) }));
  const range = [us("2026-03-01T10:00:00Z"), us("2026-03-03T00:00:00Z")] as const;
  const tiles = tile(...range, ["5m", "1h", "1d"], days_in("UTC"), apart);
  assert.deepEqual(tiles.map(({ grain, from_us, to_us }) => [grain, (to_us - from_us) / 60e6]), [
    ["then", 5],
    ["5m", 55],
    ["1h", 11 * 60],
    ["5m", 50],
    ["then", 5],
    ["5m", 5],
    ["1h", 60],
    ["1d", 1440],
  ]);
  assert.ok(tiles.every(({ from_us }, i) => from_us === (tiles[i - 1]?.to_us ?? range[0])), "each instant once");
  assert.deepEqual(tile(...range, [], days_in("UTC"), apart), []);
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

Deno.test("a range by a grain of one's own has whole buckets of it, days those of the business zone", () => {
  const berlin = days_in("Europe/Berlin");
  const told = (span: Span & Pick<View, "grain">, now: string) => {
    const { from_s, to_s, step_s, grain } = window_at(span, Date.parse(now), berlin);
    return [grain, step_s, ...[from_s, to_s].map((s) => new Date(s * 1000).toISOString().slice(0, 16))];
  };
  const now = "2026-03-30T12:07:30Z";
  assert.deepEqual(told({ range: "6h", to_s: null, grain: "1m" }, now), [
    "1m",
    60,
    "2026-03-30T06:08",
    "2026-03-30T12:08",
  ]);
  assert.deepEqual(told({ range: "24h", to_s: null, grain: "15m" }, now), [
    "15m",
    900,
    "2026-03-29T12:15",
    "2026-03-30T12:15",
  ]);
  // The clocks were put forward on 29 March.
  assert.deepEqual(told({ range: "7d", to_s: null, grain: "1d" }, now), [
    "1d",
    86_400,
    "2026-03-23T23:00",
    "2026-03-30T22:00",
  ]);
  const custom = { range: "custom", from_s: s("2026-03-30T10:03:30Z"), to_s: s("2026-03-30T12:03:30Z") } as const;
  assert.deepEqual(told({ ...custom, grain: "15m" }, now), ["15m", 900, "2026-03-30T10:00", "2026-03-30T12:15"]);
});

Deno.test("today, yesterday and the week since Monday are whole days of the business zone, by any grain", () => {
  const told = (zone: string, span: Span & Pick<View, "grain">, now: string) => {
    const { from_s, to_s, grain } = window_at(span, Date.parse(now), days_in(zone));
    return [grain, ...[from_s, to_s].map((s) => new Date(s * 1000).toISOString().slice(0, 16))];
  };
  // A Sunday of 23 hours.
  const sunday = "2026-03-29T12:07:30Z", berlin = "Europe/Berlin";
  const today = { range: "today", to_s: null } as const;
  assert.deepEqual(told(berlin, today, sunday), ["5m", "2026-03-28T23:00", "2026-03-29T22:00"]);
  assert.deepEqual(told(berlin, { range: "yesterday", to_s: null }, "2026-03-30T12:00:00Z"), [
    "5m",
    "2026-03-28T23:00",
    "2026-03-29T22:00",
  ]);
  assert.deepEqual(told(berlin, { range: "week", to_s: null }, sunday), ["1h", "2026-03-22T23:00", "2026-03-29T22:00"]);
  assert.deepEqual(told(berlin, { range: "week", to_s: null, grain: "1d" }, sunday), [
    "1d",
    "2026-03-22T23:00",
    "2026-03-29T22:00",
  ]);
  // Days of India begin within an hour: what has hours is widened.
  assert.deepEqual(told("Asia/Kolkata", today, sunday), ["5m", "2026-03-28T18:30", "2026-03-29T18:30"]);
  assert.deepEqual(told("Asia/Kolkata", { ...today, grain: "1h" }, sunday), [
    "1h",
    "2026-03-28T18:00",
    "2026-03-29T19:00",
  ]);
});

Deno.test("whole days that begin inside an hour are not widened by a grain that nobody chose", () => {
  const now = Date.parse("2026-03-29T12:07:30Z"), [first, fifth] = ["2026-03-22T18:30:00Z", "2026-03-27T18:30:00Z"];
  const told = (zone: string, span: Span & Pick<View, "grain">) => {
    const { from_s, to_s, grain } = window_at(span, now, days_in(zone));
    return [grain, ...[from_s, to_s].map((s) => new Date(s * 1000).toISOString().slice(0, 16))];
  };
  const stretch = (from: string, to: string): Span => ({
    ...{ range: "custom", from_s: Date.parse(from) / 1000, to_s: Date.parse(to) / 1000 },
  });
  const week = { range: "week", to_s: null } as const, kolkata = "Asia/Kolkata";
  assert.deepEqual(told(kolkata, week), ["15m", "2026-03-22T18:30", "2026-03-29T18:30"]);
  assert.deepEqual(told("Asia/Kathmandu", week), ["15m", "2026-03-22T18:15", "2026-03-29T18:15"]);
  assert.deepEqual(told(kolkata, stretch(first, fifth)), ["15m", "2026-03-22T18:30", "2026-03-27T18:30"]);
  const weeks = stretch("2026-03-01T18:30:00Z", "2026-03-29T18:30:00Z");
  assert.deepEqual(told(kolkata, weeks), ["1d", "2026-03-01T18:30", "2026-03-29T18:30"]);
  // What is of no whole days is widened as ever.
  assert.deepEqual(told("Europe/Berlin", stretch(first, fifth)), ["1h", "2026-03-22T18:00", "2026-03-27T19:00"]);
});

Deno.test("a grain that makes too many buckets of its range, or not one, is refused, and the words say how many it would be", () => {
  const day = (days: number) => ({ range: "custom", from_s: 0, to_s: days * 86_400 } as const);
  const fault = (view: Span & Pick<View, "grain">) => span_fault(view)?.detail ?? null;
  const following = (range: "5m" | "6h" | "24h" | "30d" | "today" | "week", grain: View["grain"]) =>
    fault({ range, to_s: null, ...grain && { grain } });
  for (
    const [range, grain] of [["6h", "1m"], ["today", "5m"], ["week", "15m"], ["30d", "1h"], ["24h", "1d"]] as const
  ) {
    assert.equal(following(range, grain), null, `${range} by ${grain}`);
  }
  assert.match(
    following("24h", "1m")!,
    /^expected a coarser grain .*: of 1m it has 1440 buckets, at most 360 are told$/,
  );
  assert.match(following("30d", "15m")!, /2880 buckets, at most 960/);
  assert.match(following("week", "5m")!, /coarser/);
  assert.match(following("5m", "15m")!, /^expected a finer grain/);
  assert.equal(fault({ ...day(3), grain: "5m" }), null);
  assert.match(fault({ ...day(4), grain: "5m" })!, /coarser/);
  assert.equal(fault({ ...day(400), grain: "1d" }), null);
  assert.match(fault({ range: "last", last: 5, to_s: null, grain: "1m" })!, /^expected no grain/);
  assert.match(fault({ range: "today", to_s: 5 })!, /^expected no end/);
});

Deno.test("views of one range by two grains are two", () => {
  const of = (view: Span & Pick<View, "grain">) => view_key({ ...view, filter: [], compare: "weekday" }, UTC);
  for (const to_s of [null, s("2026-03-01T12:00:00Z")]) {
    const keys = [undefined, "1m", "5m", "15m"].map((grain) =>
      of({ range: "6h", to_s, ...grain && { grain: grain as "1m" } })
    );
    assert.equal(new Set(keys).size, keys.length);
  }
  assert.notEqual(of({ range: "today", to_s: null }), of({ range: "24h", to_s: null }));
});
