import assert from "node:assert/strict";
import { require_board } from "../../src/domains/mod.ts";
import { TRIP_FACTS } from "../../src/domains/trips/trip.ts";
import { item_reason } from "../../src/unusual/mod.ts";
import { trips_board } from "../support/trip_board.ts";
import { TEST_DOMAIN } from "../support/trip_pipeline.ts";

/** How an unusual stream is told, and what may be declared to be held against its kind. */

Deno.test("a stream is told with its value, what is usual of its kind, and whose kind that is", () => {
  const usual = { low: 2_400n, median: 7_340n, high: 17_260n, streams: 6_512 };
  const of_distance = { figure: "average_distance_km", value: 1_234_567n, kind: ["Oslo", "van"], usual };
  assert.equal(
    item_reason(trips_board, "USD", of_distance),
    "distance 1,234.6 km; usually 2.4 to 17.3 (median 7.3) of 6,512 trips, city Oslo, vehicle type van",
  );
  const fare = { low: 9_500_000n, median: 17_300_000n, high: 38_200_000n, streams: 1_240 };
  assert.equal(
    item_reason(trips_board, "EUR", {
      figure: "revenue",
      value: 1_234_412_000_000n,
      kind: ["Berlin", "unknown"],
      usual: fare,
    }),
    "fare 1,234,412.00 EUR; usually 9.50 to 38.20 (median 17.30) of 1,240 trips, city Berlin, vehicle type unknown",
  );
});

Deno.test("what is held against its kind is a sum that one fact adds to, by dimensions of few keys", () => {
  const { name, board, dimensions, measures } = TEST_DOMAIN;
  const declare = (unusual_items: NonNullable<typeof board.unusual_items>) => () =>
    require_board({ name, dimensions, measures, board: { ...board, unusual_items }, facts: TRIP_FACTS });
  const usual = { figure: "revenue", says: "fare", of: ["city"] };
  declare([usual])();
  declare([])();
  for (
    const [wrong, words] of [
      [{ ...usual, figure: "completed" }, /unusual items of trips: expected a figure of a sum .*, got "completed"/],
      [{ ...usual, figure: "fare_p95" }, /got "fare_p95"/],
      [{ ...usual, figure: "max_fare" }, /got "max_fare"/],
      [{ ...usual, figure: "nothing" }, /got "nothing"/],
      [{ ...usual, of: [] }, /expected a dimension, got "none"/],
      [{ ...usual, of: ["city", "driver"] }, /expected a dimension of few keys, read from a column, got "driver"/],
      [{ ...usual, of: ["none"] }, /got "none"/],
    ] as const
  ) assert.throws(declare([wrong]), words);
  const figures = { ...board.figures, unusual: board.figures.revenue! };
  const named = () =>
    require_board({
      ...{ name, dimensions, measures, facts: TRIP_FACTS },
      board: { ...board, figures, unusual_items: [usual] },
    });
  assert.throws(named, /expected no figure of the name that the list of these has, got "unusual"/);
});
