import assert from "node:assert/strict";
import { require_board } from "../../src/domains/mod.ts";
import { TRIP_FACTS } from "../../src/domains/trips/trip.ts";
import { segment_of, SEGMENTS } from "../../src/segments/mod.ts";
import { TEST_DOMAIN } from "../support/trip_pipeline.ts";

/** What scores are called, and what may be declared to have such. */

const FIFTHS = [1, 2, 3, 4, 5];

Deno.test("each score has a segment, each segment has scores, and who does better is never in a lesser one", () => {
  const place = (recency: number, frequency: number, value: number) =>
    SEGMENTS.findIndex(({ name }) => name === segment_of({ recency, frequency, value }));
  const found = new Set<number>();
  for (const recency of FIFTHS) {
    for (const frequency of FIFTHS) {
      for (const value of FIFTHS) {
        const own = place(recency, frequency, value);
        found.add(own);
        // By its place: three of who was there lately, then three of who was not, each from much to little.
        assert.equal(own >= 3, recency <= 2);
        assert.equal(own % 3, frequency + value >= 8 ? 0 : frequency + value <= 4 ? 2 : 1);
        assert.equal(own, place(recency, value, frequency), "count and value weigh the same");
        if (frequency < 5) assert.ok(place(recency, frequency + 1, value) <= own);
        if (recency < 5) assert.ok(place(recency + 1, frequency, value) <= own);
      }
    }
  }
  assert.deepEqual([...found].sort(), SEGMENTS.map((_, i) => i));
});

Deno.test("what is declared in segments is read from a column, by sums that one fact adds to", () => {
  const { name, board, dimensions, measures } = TEST_DOMAIN;
  const declare = (segments: typeof board.segments) => () =>
    require_board({ name, dimensions, measures, board: { ...board, ...segments && { segments } }, facts: TRIP_FACTS });
  const usual = { of: ["driver"], count: "completed", value: "revenue" };
  declare(usual)();
  declare(undefined)();
  for (
    const [wrong, words] of [
      [
        { ...usual, of: ["none"] },
        /segments of trips: expected a dimension whose keys are read from a column, got "none"/,
      ],
      [{ ...usual, of: ["nobody"] }, /got "nobody"/],
      [{ ...usual, count: "canceled" }, /expected sums that one fact adds to, got "canceled, revenue"/],
      [{ ...usual, value: "average_fare" }, /got "completed, average_fare"/],
      [{ ...usual, value: "nothing" }, /got "completed, nothing"/],
    ] as const
  ) assert.throws(declare(wrong), words);
});
