import assert from "node:assert/strict";
import { cards_of as server_cards } from "../../src/feed/figures/figure.ts";
import { trips_board } from "../support/trip_board.ts";
import { axis_high } from "../../static/beyond.js";
import { card_figures } from "../../static/cards.js";
import { format_zone } from "../../static/format.js";
import { plain } from "../../static/page.js";
import { misleads } from "../../static/state.js";
import { make_unlike } from "../../static/troubles.js";
import { cards_of, DECLARED, health_of, NOW } from "../support/page_frames.ts";

/** What the page must not say: changes against what is not known, axes that hide all but one value, names that turn the writing around. */

const HOUR_S = 3_600;
const [from_s, to_s] = [NOW / 1000 - 2 * HOUR_S, NOW / 1000 - HOUR_S];

/** The cards' changes against then; `then` replaces fields of a comparison with 25 trips. */
function changes(then: Record<string, unknown>, behind = false) {
  const stretch = { from_s, to_s, since_s: null, least_base: 20, cards: cards_of(25), ...then };
  const compared = { weekday: stretch, previous: null };
  const shown = {
    hello: { following: true },
    health: health_of({ lag: behind ? 5 : 0 }),
    reached_ms: NOW - HOUR_S * 1000,
  };
  const page = { shown, zone: () => "UTC" };
  const sight = {
    declared: DECLARED,
    address: { compare: "weekday" },
    cards: cards_of(50),
    compared,
    columns: new Proxy({ running: -1 }, { get: (known, name) => Reflect.get(known, name) ?? [] }),
    passed: { from_s: to_s, to_s: to_s + HOUR_S },
    currency: "USD",
    breakdowns: [],
    misleads: misleads({ compared }, DECLARED),
  };
  const say = (unlike: unknown) => {
    const { completed } = card_figures({ ...sight, unlike });
    const { name, text, tone } = completed.changes[0];
    return { name, text, tone };
  };
  return { ready: say(make_unlike(page, NOW)), before_loaded: say(undefined) };
}

Deno.test("a change is told against what lies wholly in the log and counts enough; else it is said what there was", () => {
  const whole = { name: "weekday", text: "+100 %", tone: "good" };
  assert.deepEqual(changes({}), { ready: whole, before_loaded: whole });
  const nothing = { name: "weekday", text: "–", tone: "" };
  const begun = changes({ since_s: from_s + 600 });
  assert.deepEqual(begun, { ready: { name: "", text: "since 10:10", tone: "" }, before_loaded: nothing });
  assert.deepEqual(changes({ since_s: from_s - 3 * 86_400 }).ready.text, "since 26 Feb");
  assert.deepEqual(changes({ since_s: to_s, cards: {} }), { ready: nothing, before_loaded: nothing });
  const few = changes({ cards: cards_of(3) });
  assert.deepEqual(few, { ready: { name: "weekday", text: "3", tone: "" }, before_loaded: nothing });
  assert.deepEqual(changes({}, true).ready, nothing, "while it catches up the newest figures are not all");
});

Deno.test("an axis serves what is usual, and one value that dwarfs it does not take it away", () => {
  const usual = Array.from({ length: 72 }, (_, i) => 400 + (i * 37) % 200);
  assert.equal(axis_high(usual), Math.max(...usual));
  const high = axis_high([...usual, 1e12, null as unknown as number]);
  assert.ok(high >= Math.max(...usual) && high < 2_000, `${high}`);
  assert.equal(axis_high([1, 1, 1e12]), 1e12, "of few values none is usual");
  assert.equal(axis_high([]), 0);
  assert.equal(axis_high([...usual, 5_000]), 5_000, "a busy hour is on the axis");
});

Deno.test("a percentile is never above the greatest or below the least of its values", () => {
  const totals = Object.fromEntries(trips_board.measures.map(({ name }) => [name, 0n]));
  const extremes = { ...totals, completed: 3n, fare_min_micros: 10_000_000n, fare_max_micros: 36_500_000n };
  const cards = (p50: number, p95: number) => {
    const { fare_p50, fare_p95, duration_p95_min } = server_cards(
      trips_board,
      extremes,
      null,
      new Map([["fare_p50", p50], ["fare_p95", p95], ["duration_p95_min", 99]]),
    );
    return [fare_p50, fare_p95, duration_p95_min];
  };
  assert.deepEqual(cards(9.87, 36.84), [10, 36.5, 99]);
  assert.deepEqual(cards(12, 30), [12, 30, 99]);
  const none = server_cards(trips_board, { ...totals, fare_min_micros: null, fare_max_micros: null }, null, new Map());
  assert.equal(none.fare_p95, null);
});

Deno.test("a zone is told with the offset of the times in sight, with both where clocks change", () => {
  const [winter, summer] = [Date.UTC(2019, 0, 10), Date.UTC(2019, 6, 10)];
  assert.equal(format_zone("America/New_York", summer), "UTC−04:00 New York");
  assert.equal(format_zone("America/New_York", winter, summer), "UTC−05:00/−04:00 New York");
  assert.equal(format_zone("Europe/London", winter, summer), "UTC+00:00/+01:00 London");
  assert.equal(format_zone("Asia/Kathmandu", winter), "UTC+05:45 Kathmandu");
  assert.equal(format_zone("UTC", winter, summer), "UTC");
});

Deno.test("signs that turn the writing around are shown, names in any script are left as they are", () => {
  assert.equal(plain("Chicago\u202egnp.exe"), "Chicago\\u202egnp.exe");
  assert.equal(plain("\u2066a\u2069\u202b"), "\\u2066a\\u2069\\u202b");
  assert.equal(plain("תל אביב القاهرة"), "תל אביב القاهرة");
});
