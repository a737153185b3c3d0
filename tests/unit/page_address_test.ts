import assert from "node:assert/strict";
import { format_address as write, parse_address as parse, view_query } from "../../static/address.js";
import { list_query } from "../../static/listing.js";
import { note_of } from "../../static/arrival.js";
import { PLAIN } from "../../static/state.js";
import { count_then, in_order, moved, ordered } from "../../static/panels.js";
import { toggle_key as toggle, with_condition } from "../../static/filter.js";
import { days_later, from_wall, to_wall } from "../../static/dialog.js";
import { GRAINS, grains_of, next_grain } from "../../static/grains.js";
import { RANGE_NAMES, span_fault, STEP_S, VIEW_GRAINS } from "../../src/feed/mod.ts";
import { TRIP_DIMENSIONS } from "../../src/domains/trips/trip.ts";
import { DECLARED } from "../support/page_frames.ts";

const parse_address = (search: string) => parse(search, DECLARED);
const format_address = (address: object) => write(address, DECLARED);
const toggle_key = (filter: object[], dimension: string, key: string, excluded: boolean) =>
  toggle(filter, { dimension, key, excluded }, DECLARED);

const TO_MS = Date.UTC(2024, 4, 25, 23, 59);
const CITY = { dimension: "city", keys: ["Boston", "Chicago & more"], excluded: false };

Deno.test("an address says what differs from the default, and reads back the same", () => {
  assert.deepEqual(parse_address(""), PLAIN);
  assert.equal(format_address(PLAIN), "");
  assert.equal(format_address({ ...PLAIN, paused: true }), "?paused=1");
  const full = {
    ...PLAIN,
    range: "24h",
    to_ms: TO_MS,
    filter: [CITY, { dimension: "driver", keys: ["unknown"], excluded: true }],
    compare: "previous",
    paused: true,
    theme: "dark",
    as_of: { position: 1_234 },
  };
  assert.equal(
    format_address(full),
    "?range=24h&to=2024-05-25T23:59:00Z&city=Boston&city=Chicago+%26+more&not_driver=unknown&compare=previous" +
      "&as_of_position=1234&paused=1&theme=dark",
  );
  const custom = { ...PLAIN, range: null, from_ms: TO_MS - 60_000, to_ms: TO_MS };
  assert.equal(format_address(custom), "?from=2024-05-25T23:58:00Z&to=2024-05-25T23:59:00Z");
  const one_to = { ...PLAIN, to_ms: TO_MS };
  assert.equal(format_address(one_to), "?range=1h&to=2024-05-25T23:59:00Z");
  const then = { ...PLAIN, as_of: { ms: TO_MS + 250 } };
  assert.equal(format_address(then), "?as_of=2024-05-25T23:59:00.250Z");
  for (const address of [PLAIN, full, custom, one_to, then, { ...PLAIN, range: "30d" }]) {
    assert.deepEqual(parse_address(format_address(address)), address);
  }
});

Deno.test("an address says what is shown by arrival: the newest events, or a range of recorded time", () => {
  const last = { ...PLAIN, order: "arrival", last: 200 }, few = { ...last, last: 20 };
  assert.equal(format_address(last), "?last=200&order=arrival");
  const ranged = { ...PLAIN, order: "arrival" }, hours = { ...ranged, range: "6h" };
  assert.equal(format_address(ranged), "?range=1h&order=arrival", "an hour is not what is meant without a range");
  const custom = { ...ranged, range: null, from_ms: TO_MS - 60_000, to_ms: TO_MS };
  const then = { ...few, as_of: { position: 3 } };
  for (const address of [last, few, ranged, hours, custom, then, { ...ranged, to_ms: TO_MS }]) {
    assert.deepEqual(parse_address(format_address(address)), address);
  }
  assert.deepEqual(parse_address("?order=arrival"), last);
  for (const wrong of ["0", "201", "-3", "x", "1.5", ""]) {
    assert.deepEqual(parse_address(`?order=arrival&last=${wrong}`), last, wrong);
  }
  assert.deepEqual(parse_address("?order=arrival&last=20&range=6h"), hours, "a range counts");
  assert.deepEqual(parse_address("?order=sideways&last=20"), PLAIN);
  assert.deepEqual(view_query(few), [["last", "20"], ["order", "arrival"]]);
});

Deno.test("an address says which window slides over the charts; the feed is not asked for it", () => {
  const rolling = { ...PLAIN, range: "24h", rolling: "1h" };
  assert.equal(format_address(rolling), "?range=24h&rolling=1h");
  assert.deepEqual(parse_address("?range=24h&rolling=1h"), rolling);
  assert.deepEqual(parse_address("?rolling=2h"), PLAIN);
  assert.deepEqual(view_query(parse_address("?range=24h&rolling=1h")), [["range", "24h"]]);
});

Deno.test("an address says which list is open, of what and in which order, and the order of panels and of their rows", () => {
  const keys = { ...PLAIN, list: { of: "keys", name: "city", sort: "-change", find: "a&b", offset: 50 } };
  const items = { ...PLAIN, filter: [CITY], list: { of: "items", name: "revenue", within: ["city", "A=B"] } };
  const segments = { ...PLAIN, list: { of: "segments", name: "driver", sort: "last", find: "best", offset: 50 } };
  const panels = { ...PLAIN, panels: ["driver", "city"] };
  assert.equal(format_address(keys), "?keys=city&sort=-change&find=a%26b&after=50");
  const sorted = { ...panels, sorted: { city: "revenue", driver: "key", status: "change" } };
  assert.equal(format_address(panels), "?panels=driver,city");
  assert.equal(format_address({ ...PLAIN, sorted: { city: "key" } }), "?sorted=city%3Dkey");
  for (
    const address of [keys, items, segments, panels, sorted, { ...panels, list: { of: "items", name: "completed" } }]
  ) {
    assert.deepEqual(parse_address(format_address(address)), address);
  }
  for (
    const wrong of [
      "keys=town",
      "segments=town&find=best",
      "items=a%20b",
      "sort=-trips",
      "after=3",
      "panels=town",
      "within=city=A",
      "sorted=city",
      "sorted=city=trips",
      "sorted=town=key",
    ]
  ) {
    assert.deepEqual(parse_address(`?${wrong}`), PLAIN, wrong);
  }
  // The feed is asked for the same view; a list within a key is of that key, whatever the filter says of its dimension.
  assert.deepEqual(view_query(parse_address(format_address(keys))), view_query(parse_address("")));
  assert.deepEqual(list_query(items).pairs, [["range", "1h"], ["city", "A=B"], ["figure", "revenue"]]);
  assert.deepEqual(list_query(segments).pairs.slice(1), [["dimension", "driver"], ["sort", "last"], [
    "segment",
    "best",
  ]]);
  assert.deepEqual(list_query(keys).page, [["limit", "50"], ["offset", "50"]]);
});

Deno.test("panels are in the order of the reader, a press moves one by a place, and no further than there are", () => {
  const all = ["a", "b", "c"];
  assert.deepEqual(ordered(["c", "x", "c"], all), ["c", "a", "b"]);
  assert.deepEqual(moved([], all, "b", -1), ["b", "a", "c"]);
  assert.deepEqual(moved(["b", "a"], all, "b", 1), ["a", "b", "c"]);
  assert.deepEqual([moved([], all, "a", -1), moved([], all, "c", 1), moved([], all, "x", 1)], [all, all, all]);
});

Deno.test("rows of a panel are the greatest by what they are sorted by, those that are kept, and all others in one", () => {
  const row = (key: string | null, trips: number, revenue: number) => ({ key, trips, revenue });
  // As the feed has them: the greatest three by count, then two by amount, then the rest of seven keys.
  const rows = [row("10", 9, 1), row("9", 8, 2), row("C", 7, 3), row("D", 2, 90), row("E", 1, 80), row(null, 3, 4)];
  const names = { count: "trips", amount: "revenue" };
  const asked = { most: 3, kept: [] as string[], words: (key: string) => key, growth: () => null as number | null };
  const put = (more: object = {}) => in_order(rows, names, { ...asked, ...more });
  const keys = (more: object = {}) => put(more).map(({ key }: { key: string | null }) => key);
  assert.deepEqual(keys(), ["10", "9", "C", null]);
  assert.deepEqual(put().at(-1), row(null, 6, 174), "what is not shown is among all others");
  assert.deepEqual(keys({ by: "revenue" }), ["D", "E", "C", null]);
  assert.deepEqual(put({ by: "revenue" }).at(-1), row(null, 20, 7));
  assert.deepEqual(keys({ by: "key" }), ["9", "10", "C", null], "numbers as numbers");
  const growth = ({ key }: { key: string }) => ({ C: 1.5, "10": 0.9 })[key] ?? null;
  assert.deepEqual(keys({ by: "change", growth }), ["C", "10", "9", null], "what is not known last");
  assert.deepEqual(keys({ kept: ["E"] }), ["10", "9", "C", "E", null], "a key that is filtered by keeps its row");
  assert.deepEqual(keys({ most: 16 }), ["10", "9", "C", "D", "E", null]);
  assert.deepEqual(in_order(rows.slice(0, 5), names, { ...asked, most: 5 }).length, 5, "nothing is left: no row of it");
  assert.deepEqual(in_order([], names, asked), []);
  assert.equal(rows[0]!.key, "10", "what is known stays as it was");
});

Deno.test("what a key counted then is known of those that are told, and of others where all are", () => {
  const counts = JSON.parse('{"A":3,"__proto__":4}');
  assert.deepEqual(["A", "__proto__", "B", "constructor", null].map((key) => count_then({ counts, all: true }, key)), [
    ...[3, 4, 0, 0, null],
  ]);
  assert.equal(count_then({ counts, all: false }, "B"), null);
  assert.equal(count_then(undefined, "A"), null);
});

Deno.test("what a board by arrival is of is said in words", () => {
  const said = (last: number | null, events: number | null, as_of: object | null = null) =>
    note_of(last, events === null ? null : { events }, as_of, { one: "trip", many: "trips" }).split(". ")[0];
  assert.equal(said(200, 200), "By arrival: the 200 newest events");
  assert.equal(said(200, 200, { position: 9 }), "By arrival: the 200 newest events of then");
  assert.equal(said(200, 57), "By arrival: all 57 events there are");
  assert.equal(said(200, 1), "By arrival: the only event there is");
  assert.equal(said(1, 1), "By arrival: the newest event");
  assert.equal(said(null, 12_345), "By arrival: what was recorded in this range, 12,345 events");
  assert.equal(said(null, null), "By arrival");
});

Deno.test("what an address says wrongly becomes the default, what is unknown is left alone", () => {
  assert.deepEqual(parse_address("?range=2y&to=soon&paused=yes&theme=pink&as_of=1&as_of_position=-4&utm=x"), PLAIN);
  assert.deepEqual(parse_address("?range=constructor&city=&city=+&not_driver="), PLAIN);
  assert.equal(parse_address("?from=2024-05-26T00:00:00Z&to=2024-05-25T23:59:00Z").range, "1h", "reversed ends");
  assert.equal(parse_address("?to=2024-05-25T19:59:00-04:00").to_ms, TO_MS);
  assert.equal(parse_address("?to=2024-05-26T01:59:00+02:00").to_ms, TO_MS, "a plus sign that reads as a space");
  assert.equal(parse_address("?to=2024-05-25T23:59").to_ms, null, "a time without a zone");
});

Deno.test("a filter has one condition a dimension, its keys sorted, each once, at most 20", () => {
  const { filter } = parse_address("?driver=b&driver=a&driver=b&not_driver=c&not_city=x");
  assert.deepEqual(filter, [
    { dimension: "city", keys: ["x"], excluded: true },
    { dimension: "driver", keys: ["a", "b"], excluded: false },
  ]);
  const many = Array.from({ length: 30 }, (_, i) => `city=${i}`).join("&");
  assert.equal(parse_address(`?${many}`).filter[0]?.keys.length, 20);
});

Deno.test("the page filters by the dimensions of the catalog", () => {
  assert.deepEqual(
    DECLARED.dimensions.map(({ name }) => name).sort(),
    TRIP_DIMENSIONS.map(({ name }) => name as string).filter((name) => name !== "none").sort(),
  );
});

Deno.test("the feed is asked for the view only", () => {
  const query = view_query(parse_address("?paused=1&theme=dark&city=A"));
  assert.deepEqual(query, [["range", "1h"], ["city", "A"]]);
});

Deno.test("a press on a key filters by it, again takes it away, in the other sense turns it over", () => {
  const one = toggle_key([], "city", "A", false);
  assert.deepEqual(one, [{ dimension: "city", keys: ["A"], excluded: false }]);
  const two = toggle_key(toggle_key(one, "city", "B", false), "status", "completed", true);
  assert.deepEqual(two, [
    { dimension: "status", keys: ["completed"], excluded: true },
    { dimension: "city", keys: ["A", "B"], excluded: false },
  ]);
  assert.deepEqual(toggle_key(one, "city", "A", false), []);
  assert.deepEqual(toggle_key(one, "city", "A", true), [{ dimension: "city", keys: ["A"], excluded: true }]);
  assert.deepEqual(
    with_condition(two, { dimension: "city", keys: [], excluded: false }, DECLARED).map((c: { dimension: string }) =>
      c.dimension
    ),
    [
      "status",
    ],
  );
  assert.equal(one.length, 1, "a filter is not changed in place");
});

Deno.test("the clocks of a form are those of the zone, also when they change", () => {
  const zone = "America/New_York";
  const noon = Date.UTC(2026, 6, 1, 16);
  assert.equal(to_wall(noon, zone), "2026-07-01T12:00:00");
  assert.equal(from_wall("2026-07-01T12:00", zone), noon);
  const twice = Date.UTC(2026, 10, 1, 5, 30); // 01:30 comes twice on this day.
  assert.equal(from_wall("2026-11-01T01:30", zone), twice);
  assert.equal(to_wall(twice + 3_600_000, zone), "2026-11-01T01:30:00");
  const skipped = from_wall("2026-03-08T02:30:00", zone);
  assert.equal(to_wall(skipped ?? 0, zone), "2026-03-08T03:30:00");
  assert.equal(from_wall("", zone), null);
  for (const hour of [0, 3, 12, 23]) {
    const wall = `2026-03-08T${String(hour).padStart(2, "0")}:15:00`;
    assert.equal(to_wall(from_wall(wall, zone) ?? 0, zone), wall);
  }
});

Deno.test("an address names a grain, and ranges of the calendar, which have no end of their own", () => {
  const quarters = { ...PLAIN, range: "24h", grain: "15m" }, today = { ...PLAIN, range: "today" };
  assert.equal(format_address(quarters), "?range=24h&grain=15m");
  assert.equal(format_address({ ...PLAIN, grain: "5m" }), "?grain=5m");
  for (const address of [quarters, today, { ...PLAIN, range: "week", grain: "1d" }, { ...PLAIN, range: "5m" }]) {
    assert.deepEqual(parse_address(format_address(address)), address);
  }
  assert.deepEqual(parse_address("?range=today&to=2024-05-25T23:59:00Z"), today);
  for (const wrong of ["2m", "toString", "", "1M"]) assert.deepEqual(parse_address(`?grain=${wrong}`), PLAIN);
});

Deno.test("the page offers the grains of a range that the server takes, and no others", () => {
  const ranges = [...RANGE_NAMES.map((range) => [range, null] as const), ...[60, 7_200, 86_400, 777_600, 34_560_000]];
  for (const each of ranges) {
    const [range, length_s] = typeof each === "number" ? [null, each] : each;
    const address = { last: undefined, range, from_ms: 0, to_ms: (length_s ?? 0) * 1_000 };
    const span = range === null
      ? { range: "custom", from_s: 0, to_s: length_s! } as const
      : { range, to_s: null } as const;
    const taken = VIEW_GRAINS.filter((grain) => span_fault({ ...span, grain }) === null);
    assert.deepEqual(grains_of(address), taken, `${range ?? length_s}`);
  }
  assert.deepEqual(Object.entries(GRAINS).map(([name, { step_s }]) => [name, step_s]), Object.entries(STEP_S));
  assert.deepEqual(grains_of({ ...PLAIN, last: 20 }), []);
});

Deno.test("the key g goes through the grains that fit, and comes back to what is usual", () => {
  let address: { grain: string | null } & typeof PLAIN = { ...PLAIN, range: "24h", grain: null };
  const seen: (string | null)[] = [];
  for (let i = 0; i < 5; i++) {
    address = { ...address, grain: next_grain(address, "5m") };
    seen.push(address.grain);
  }
  assert.deepEqual(seen, ["15m", "1h", "1d", null, "15m"]);
});

Deno.test("so many days later the clocks of a zone show the same, whatever they did in between", () => {
  const at = (text: string) => Date.parse(text);
  assert.equal(days_later(at("2026-03-28T23:00:00Z"), 1, "Europe/Berlin"), at("2026-03-29T22:00:00Z"));
  assert.equal(days_later(at("2026-03-29T22:00:00Z"), -7, "Europe/Berlin"), at("2026-03-22T23:00:00Z"));
});
