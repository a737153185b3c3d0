import assert from "node:assert/strict";
import { card_figures, spark_path } from "../../static/figures.js";
import { cards_of } from "../support/page_frames.ts";

const column = [2, 4, 6, 1];
const columns = {
  running: 3,
  trips: column,
  completed: column,
  canceled: [0, 0, 0, 0],
  revenue: [20, 20, 90, 5],
  distance_km: column,
};

Deno.test("cards say value, unit and what it means", () => {
  const cards = { ...cards_of(1_234), canceled: 66, tips: 90 };
  const figures = card_figures(cards, columns, 60, "USD");
  assert.deepEqual(Object.keys(figures), [
    "trips",
    "in_progress",
    "completed",
    "canceled",
    "revenue",
    "average_fare",
    "average_distance",
    "fare_range",
  ]);
  assert.equal(figures.completed.value, 1_234);
  assert.equal(figures.completed.sub, "4 per minute", "the running minute is not averaged in");
  assert.deepEqual(figures.completed.spark, [2, 4, 6]);
  assert.match(figures.canceled.unit, /^5[.,]1 %$/);
  assert.equal(figures.revenue.unit, "USD");
  assert.deepEqual(figures.average_fare.spark, [10, 5, 15]);
  assert.match(figures.fare_range.unit, /^– 15[.,]00$/);
  assert.match(card_figures({ ...cards, conflicts: 2 }, columns, 60, "USD").completed.sub, /^2 after a cancellation/);
});

Deno.test("cards without trips say so without dividing by zero", () => {
  const none = { running: -1, trips: [], completed: [], canceled: [], revenue: [], distance_km: [] };
  const figures = card_figures(cards_of(0), none, 60, "USD");
  assert.deepEqual([figures.average_fare.value, figures.average_fare.text], [null, "–"]);
  assert.deepEqual([figures.canceled.unit, figures.completed.sub, figures.fare_range.sub], ["", "", ""]);
  assert.ok(!JSON.stringify(figures).includes("NaN"));
});

Deno.test("a sparkline starts at zero and needs two points", () => {
  assert.equal(spark_path([0, 10], 22), "M0.0 22.0L100.0 2.0");
  assert.equal(spark_path([5], 22), "");
  assert.equal(spark_path([0, 0], 22), "");
});
