import fc from "fast-check";
import type { DecodeTerms, SourceMessage } from "../../src/ingest/mod.ts";
import { oracle } from "./oracle/mod.ts";
import { message, TERMS, TEST_TIME_ZONE } from "./trip_pipeline.ts";

/** Trip events for the tests of the engine: few trips, few ids and close times, so that ties, duplicates and late events are common. */
const event = fc.record({
  trip_id: fc.constantFrom(..."ABCDEFGH"),
  event_id: fc.constantFrom(..."abcdefghijkl"),
  occurred_at: fc.integer({ min: 0, max: 30 }).map((minutes) =>
    new Date(Date.UTC(2026, 2, 1, 4, 50) + minutes * 60_000).toISOString()
  ),
  type: fc.constantFrom(
    "trip.requested",
    "trip.started",
    "trip.completed",
    "trip.completed",
    "trip.canceled",
    "trip.fare_adjusted",
    "trip.nonsense",
  ),
  fare: fc.constantFrom("1.00", "2.50", 7, "1000000000000"),
  city: fc.constantFrom("Chicago", "Boston", null),
});

/** Partitions of trip messages; all messages of a trip are in one of them. */
export function partitioned(
  partitions: number,
  options: { readonly maxLength: number },
): fc.Arbitrary<SourceMessage[][]> {
  return fc.array(event, { minLength: 1, ...options }).map((events) => {
    const places: SourceMessage[][] = Array.from({ length: partitions }, () => []);
    for (const each of events) {
      const place = places[each.trip_id.charCodeAt(0) % partitions]!;
      place.push(message(place.length, each));
    }
    return places;
  });
}

/** What the database must hold after these partitions of topic `trips`, by the oracle. */
export function expected(
  partitions: readonly (readonly SourceMessage[])[],
  terms: DecodeTerms = TERMS,
): ReturnType<typeof oracle> {
  const all = partitions.flatMap((messages, partition) =>
    messages.map((each) => ({ ...each, topic: "trips", partition }))
  );
  return oracle(all, { currency: "USD", time_zone: TEST_TIME_ZONE, ...terms });
}

/** A trip from request to completion, with the fields that a test names. */
export function whole_trip(trip_id: string, fields: Readonly<Record<string, unknown>> = {}): Record<string, unknown>[] {
  return [["requested", "a", "10:00"], ["started", "b", "10:05"], ["completed", "c", "10:20"]].map((
    [type, id, at],
  ) => ({
    trip_id,
    event_id: id,
    type: `trip.${type}`,
    occurred_at: `2026-03-01T${at}:00Z`,
    ...type === "completed" ? { fare: "12.50" } : {},
    ...fields,
  }));
}
