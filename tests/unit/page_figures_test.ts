import assert from "node:assert/strict";
import { card_figures, change_of, spark_path } from "../../static/cards.js";
import { cards_of, DECLARED } from "../support/page_frames.ts";

const column = [2, 4, 6, 1];
const columns = {
  running: 3,
  trips: column,
  completed: column,
  canceled: [0, 0, 0, 0],
  revenue: [20, 10, 0, 5],
  fare_count: [2, 2, 0, 1],
  distance_km: column,
};
const passed = { from_s: 0, to_s: 600 };
const given = {
  declared: DECLARED,
  address: { as_of: null },
  breakdowns: [],
  compared: null,
  columns,
  passed,
  currency: "USD",
};

Deno.test("cards say value and unit", () => {
  const cards = { ...cards_of(1_234), canceled: 66, tips: 90 };
  const figures = card_figures({ ...given, cards });
  assert.deepEqual(Object.keys(figures), DECLARED.cards.map(({ name }) => name));
  assert.equal(figures.completed.value, 1_234);
  assert.deepEqual(figures.completed.spark, [2, 4, 6], "without the running bucket");
  assert.match(figures.canceled.unit, /5[.,]1 %$/);
  const { canceled } = card_figures({ ...given, cards: { ...cards, voided: 3 } });
  assert.match(canceled.unit, /^5[.,]1 %$/);
  assert.equal(canceled.beneath, "3 voided");
  assert.equal(card_figures({ ...given, cards: { ...cards_of(0), voided: 2 } }).canceled.beneath, "2 voided");
  assert.equal(figures.revenue.unit, "USD");
  assert.deepEqual(figures.average_fare.spark, [10, 5, 5], "over the fares that are known; over none it stays");
  assert.match(figures.revenue.beneath, /^\S+ to 15[.,]00 a trip$/);
  assert.match(figures.trips.beneath, /^123[.,]6 a minute$/);
  const conflicts = card_figures({ ...given, cards: { ...cards, conflicts: 2 } }).completed.beneath;
  assert.equal(conflicts, "2 canceled too");
  const known = card_figures({ ...given, cards: { ...cards, fare_p50: 9.5, fare_p95: 36, duration_p50_min: 12 } });
  assert.match(known.average_fare.beneath, /^p50 9[.,]50 · p95 36[.,]00$/);
  assert.match(known.average_distance.beneath, /^14[.,]0 min · p95 –$/, "what a server does not say is not known");
});

Deno.test("how long the oldest has waited stands on the card once that is long", () => {
  const beneath = (oldest_request_min: number | null) =>
    card_figures({ ...given, cards: { ...cards_of(10), oldest_request_min } }).in_progress.beneath;
  assert.deepEqual([null, 0, 3, 15].map(beneath), Array(4).fill("1 requested"));
  assert.equal(beneath(15.54), "1 requested · oldest 16 min");
  assert.match(beneath(4_320), /^1 requested · oldest 4[.,]320 min$/);
  const { in_progress } = card_figures({ ...given, cards: cards_of(10) });
  assert.equal(in_progress.beneath, "1 requested", "a server that does not tell it");
});

Deno.test("cards without trips say so without dividing by zero, cards that are not known say nothing", () => {
  const none = { running: -1, trips: [], completed: [], canceled: [], revenue: [], fare_count: [], distance_km: [] };
  const figures = card_figures({ ...given, cards: cards_of(0), columns: none, passed: { from_s: 0, to_s: 0 } });
  assert.deepEqual([figures.average_fare.value, figures.average_fare.text], [null, "–"]);
  assert.deepEqual([figures.canceled.unit, figures.trips.beneath], ["", "– a minute"]);
  assert.ok(!JSON.stringify(figures).includes("NaN"));
  const unknown: { value: null; text: string }[] = Object.values(card_figures({ ...given, cards: null }));
  assert.ok(unknown.every(({ value, text }) => value === null && text === "–"));
});

Deno.test("a change is a part of what was, of a share in points; better and worse depend on the figure", () => {
  assert.deepEqual(change_of(104.2, 100, 1), { text: "+4.2 %", tone: "good" });
  assert.deepEqual(change_of(90, 100, 1), { text: "−10 %", tone: "bad" });
  assert.deepEqual(change_of(110, 100, -1), { text: "+10 %", tone: "bad" });
  assert.deepEqual(change_of(0.029, 0.033, -1, true), { text: "−0.4 pt", tone: "good" });
  assert.deepEqual(change_of(100.01, 100, 1), { text: "±0.0 %", tone: "" }, "what rounds to nothing is no change");
  assert.deepEqual(change_of(5, 4, 0), { text: "+25 %", tone: "" });
  assert.deepEqual(change_of(2_100, 100, 1), { text: "×21", tone: "good" });
  assert.deepEqual(change_of(12, 0, 1), { text: "from 0", tone: "" }, "there is no part of nothing, and no praise");
  assert.deepEqual(change_of(0, 0, 1), { text: "±0", tone: "" });
  assert.equal(change_of(null, 4, 1), null);
  assert.equal(change_of(4, null, 1), null);
});

Deno.test("cards are held against both comparisons; what is not known is told as such", () => {
  const then = { from_s: 0, to_s: 600, cards: { ...cards_of(10), canceled: 10 } };
  const cards = { ...cards_of(15), canceled: 5 };
  const { completed, canceled, in_progress } = card_figures({ ...given, cards, compared: { weekday: then } });
  assert.deepEqual(completed.changes.map((change: { text: string }) => change.text), ["+50 %", "–"]);
  assert.deepEqual(canceled.changes[0].text, "−25.0 pt");
  assert.equal(canceled.changes[0].tone, "good");
  const previous = card_figures({
    ...given,
    address: { ...given.address, compare: "previous" },
    cards,
    compared: { weekday: then },
  });
  assert.deepEqual(previous.completed.changes.map((change: { text: string }) => change.text), ["–", "+50 %"]);
  assert.deepEqual(in_progress.changes, [], "nobody knows how many were in progress then");
});

Deno.test("a sparkline starts at zero and needs two points", () => {
  assert.equal(spark_path([0, 10], 22), "M0.0 22.0L100.0 2.0");
  assert.equal(spark_path([5], 22), "");
  assert.equal(spark_path([0, 0], 22), "");
});
