import assert from "node:assert/strict";
import fc from "fast-check";
import { open_database } from "../../src/database/mod.ts";
import type { SourceMessage } from "../../src/ingest/mod.ts";
import { ALL_CELLS } from "../support/all_cells.ts";
import { tacho_test } from "../support/available.ts";
import { compare_with_database, oracle } from "../support/oracle/mod.ts";
import { shared_postgres } from "../support/postgres.ts";
import { feed, LIMITS, message, migrated, TEST_TIME_ZONE, trip_pipeline } from "../support/trip_pipeline.ts";

const BROKER_MS = Date.UTC(2026, 2, 9, 12);
const ORACLE = { currency: "USD", time_zone: TEST_TIME_ZONE, ...LIMITS, read_ms: BROKER_MS };

const keys = (...values: (string | null)[]) => fc.constantFrom(...values, undefined);
const amount = fc.oneof(
  fc.integer({ min: 0, max: 10_000 }).map((cents) => (cents / 100).toFixed(2)),
  fc.constantFrom("0", "1000000000000", "999999999999.999999", 12.5, "0.000001"),
);
/** Times around the end of daylight saving time's winter in New York, close together, so that ties and neighbours are common. */
const time = fc.tuple(fc.integer({ min: 0, max: 40 }), fc.constantFrom("", ".5", ".000001"))
  .map(([minutes, fraction]) => {
    const at = new Date(Date.UTC(2026, 2, 8, 4, 40) + minutes * 180_000).toISOString();
    return at.replace(/\.000Z$/, `${fraction}Z`);
  });
const event = fc.record({
  trip_id: fc.constantFrom("T-1", "T-2", "T-3", "T-4"),
  event_id: fc.constantFrom(..."abcdefghijklmnop"),
  occurred_at: time,
  type: fc.constantFrom(
    "trip.requested",
    "trip.started",
    "trip.completed",
    "trip.canceled",
    "trip.fare_adjusted",
    "trip.voided",
    "trip.unknown",
  ),
  fare: fc.oneof({ weight: 4, arbitrary: amount }, fc.constantFrom(undefined, null, " ")),
  tip: fc.option(amount, { nil: undefined }),
  city: keys("Chicago", "Boston", "", null),
  driver_id: keys("D1", "D2"),
  payment_method: keys("card", "cash"),
  pickup_zone: keys("1", "2"),
  pickup_lat: fc.constantFrom(41.88, 41.89, 90, -0, undefined),
  pickup_lon: fc.constantFrom(-87.63, 180, -180, undefined),
  vehicle_type: keys("suv"),
  distance_km: fc.constantFrom(1.5, 0, 12.3456, undefined),
  duration_min: fc.constantFrom(10, 0.5, undefined),
  currency: fc.constantFrom("USD", undefined, undefined, "EUR"),
}, { requiredKeys: ["trip_id", "event_id", "occurred_at", "type"] });

/** Cuts a list into consecutive parts at the given places. */
function cut<T>(items: readonly T[], places: readonly number[]): T[][] {
  const at = [...new Set([0, ...places.map((place) => place % items.length), items.length])].sort((a, b) => a - b);
  return at.slice(1).map((end, i) => items.slice(at[i]!, end));
}

const SELECT_CELLS =
  `select grain, bucket::text as bucket, dimension, key, last_position, trips, requested, started, completed, canceled,
  conflicts, fare_count, fare_sum_micros, fare_min_micros, fare_max_micros, tip_sum_micros, distance_sum_m, distance_count, duration_sum_ms,
  duration_count, voided, voids_waiting, waiting_sum_ms, waiting_count from ${ALL_CELLS} c order by grain, dimension, bucket, key`;
const SELECT_SKETCHES =
  `select grain, bucket::text as bucket, dimension, key, sketch, bins::text as bins, counts::text as counts
  from trip_sketches order by grain, dimension, bucket, key, sketch`;
const SELECT_TRIPS = "select t.*, positions::text, event_hashes::text from trips t order by trip_id";

async function run(
  url: string | null,
  messages: readonly SourceMessage[],
  places: readonly number[],
  time_zone = TEST_TIME_ZONE,
) {
  const database = await open_database({ url, data_dir: null, connections: 3 });
  try {
    let at = 0;
    const batches = cut(messages, places).map((part) => {
      const from_offset = at;
      at += part.length;
      return { topic: "trips", partition: 0, from_offset, next_offset: at, messages: part };
    });
    // Every batch is delivered twice: what lies below the cursor must change nothing.
    await feed(
      trip_pipeline(database, () => BROKER_MS, LIMITS, new Map(), time_zone),
      batches.flatMap((batch) => [batch, batch]),
    );
    const expectation = oracle(messages, {
      ...ORACLE,
      time_zone,
    });
    const differences = await compare_with_database((sql) => database.query(sql), expectation);
    return {
      differences,
      cells: await database.query(SELECT_CELLS),
      sketches: await database.query(SELECT_SKETCHES),
      trips: await database.query(SELECT_TRIPS),
    };
  } finally {
    await database.close();
  }
}

tacho_test({
  name:
    "any events in any order and batching: log, trips, every cell and sketch agree with the oracle, and batching changes no bit",
  needs: ["postgres"],
  async fn() {
    const server = await shared_postgres();
    const property = fc.asyncProperty(
      fc.array(event, { minLength: 1, maxLength: 60 }),
      fc.array(fc.nat(60), { maxLength: 6 }),
      async (events, places) => {
        const messages = events.map((each, offset) => message(offset, each, BROKER_MS));
        const whole = await run((await server.create_database(migrated)).url, messages, []);
        assert.deepEqual(whole.differences, []);
        const parts = await run((await server.create_database(migrated)).url, messages, places);
        assert.deepEqual(parts.differences, []);
        assert.deepEqual(parts.cells, whole.cells);
        assert.deepEqual(parts.sketches, whole.sketches);
        assert.deepEqual(parts.trips, whole.trips);
      },
    );
    await fc.assert(property, { numRuns: Number(Deno.env.get("TACHO_TEST_RUNS") ?? 25) });
  },
});

tacho_test({
  name:
    "in a zone half an hour off, days have their own trips from the first minute on, extremes that were taken back included",
  needs: ["postgres"],
  async fn() {
    const told = (trip: number, type: string, minute: number, fare: number) =>
      message(0, {
        trip_id: `T-${trip}`,
        event_id: type,
        type,
        occurred_at: new Date(Date.UTC(2026, 2, 1, 18, minute)).toISOString(),
        fare,
      }, BROKER_MS);
    // The day begins at 18:30; the least and the greatest fare of each day are then corrected.
    const completed = [[0, 10, 1], [1, 29, 9], [2, 30, 2], [3, 45, 8], [4, 70, 5], [5, 1_469, 4], [
      6,
      1_470,
      6,
    ]] as const;
    const messages = [
      ...completed.map(([trip, minute, fare]) => told(trip, "trip.completed", minute, fare)),
      ...[0, 1, 2, 3, 6].map((trip) => told(trip, "trip.fare_adjusted", 1_500, 5)),
    ].map((each, offset) => ({ ...each, offset }));
    const { url } = await (await shared_postgres()).create_database(migrated);
    assert.deepEqual((await run(url, messages, [7], "Asia/Kolkata")).differences, []);
  },
});

tacho_test({
  name: "any order of arrival ends in the same trips and figures",
  needs: ["postgres"],
  async fn() {
    const server = await shared_postgres();
    const distinct = fc.uniqueArray(event, {
      minLength: 2,
      maxLength: 40,
      selector: (each) => `${each.trip_id} ${each.event_id}`,
    });
    const property = fc.asyncProperty(
      distinct.chain((events) =>
        fc.tuple(fc.constant(events), fc.shuffledSubarray(events, { minLength: events.length }))
      ),
      async ([events, shuffled]) => {
        const figures = async (order: readonly unknown[]) => {
          const messages = order.map((each, offset) => message(offset, each, BROKER_MS));
          const { cells, sketches, trips } = await run((await server.create_database(migrated)).url, messages, [7, 20]);
          const counted = cells.map(({ last_position: _, ...cell }) => cell).filter((cell) =>
            ["trips", "requested", "started", "completed", "canceled", "voided"].some((name) =>
              !["0", null].includes(cell[name as keyof typeof cell] as string | null)
            )
          );
          const sketched = sketches.filter(({ bins }) => bins !== "{}");
          return { counted, sketched, trips: trips.map(({ positions: _, event_hashes: __, ...trip }) => trip) };
        };
        assert.deepEqual(await figures(shuffled), await figures(events));
      },
    );
    await fc.assert(property, { numRuns: Number(Deno.env.get("TACHO_TEST_RUNS") ?? 15) });
  },
});
