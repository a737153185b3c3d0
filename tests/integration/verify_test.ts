import assert from "node:assert/strict";
import { type Database, open_database } from "../../src/database/mod.ts";
import { trips_domain } from "../../src/domains/trips/mod.ts";
import { verify_chain } from "../../src/event_log/mod.ts";
import { days_in } from "../../src/kpi/mod.ts";
import { verify_read_models } from "../../src/projection/mod.ts";
import { tacho_test } from "../support/available.ts";
import { shared_postgres } from "../support/postgres.ts";
import { feed, message, migrated, TEST_TIME_ZONE, trip_pipeline } from "../support/trip_pipeline.ts";

const event = (trip: number, id: string, type: string, minute: number, data: Record<string, unknown>) => ({
  event_id: id,
  trip_id: `T-${trip}`,
  type,
  occurred_at: `2026-03-01T10:${String(minute).padStart(2, "0")}:00Z`,
  ...data,
});

const MESSAGES = [
  ...Array.from(
    { length: 20 },
    (_, i) => event(i, "s", "trip.started", i, { city: "Chicago", extra: [1.5, "ä", 1e21, null] }),
  ),
  ...Array.from({ length: 20 }, (_, i) => event(i, "c", "trip.completed", i + 20, { fare: 10 + i, serial: "x" })),
  event(3, "a", "trip.fare_adjusted", 50, { fare: "0.50" }),
  event(3, "s", "trip.started", 3, { city: "Chicago", extra: [1.5, "ä", 1e21, null] }),
].map((each, offset) => message(offset, each));

// A number that no double holds: it has to survive the way into jsonb and back for the chain to hold. And an extension as deep as a
// message may have it: in metadata it lies a level deeper.
MESSAGES.push(
  message(
    MESSAGES.length,
    `{"specversion":"1.0","id":"n","source":"/fleet","subject":"T-0","type":"trip.canceled","time":"2026-03-01T10:55:00Z",
    "data":{"odometer":12345678901234567890.500},"deep":${"[".repeat(63)}${"]".repeat(63)}}`,
  ),
);

async function verify(database: Database) {
  const signal = new AbortController().signal;
  const chain = await verify_chain(database, signal, () => {});
  const models = await verify_read_models(
    database,
    trips_domain({ currency: "USD" }),
    days_in(TEST_TIME_ZONE),
    signal,
    () => {},
  );
  return { chain, models, faults: [...chain.faults, ...models.faults] };
}

async function filled_database() {
  const { url, superuser_url } = await (await shared_postgres()).create_database(migrated);
  const database = await open_database({ url, data_dir: null, connections: 2 });
  const middle = 25;
  const part = (from: number, to: number) => ({
    topic: "trips",
    partition: 0,
    from_offset: from,
    next_offset: to,
    messages: MESSAGES.slice(from, to),
  });
  await feed(trip_pipeline(database), [part(0, middle), part(middle, MESSAGES.length)]);
  return { database, superuser_url };
}

tacho_test({
  name: "verify finds a log consistent that is",
  needs: ["postgres"],
  async fn() {
    const { database } = await filled_database();
    try {
      const { chain, models, faults } = await verify(database);
      assert.deepEqual(faults, []);
      assert.deepEqual([chain.events, chain.batches, models.streams], [42, 2, 20]);
      assert.ok(models.cells > 100);
    } finally {
      await database.close();
    }
  },
});

const HARM: readonly (readonly [what: string, sql: string, told: RegExp])[] = [
  [
    "a byte of an event's data",
    `update events set data = jsonb_set(data, '{city}', '"Chicagp"') where position = 7`,
    /events 1 to 25 .* hash differs/,
  ],
  [
    "an event's time by a microsecond",
    "update events set occurred_at = occurred_at + interval '1 microsecond' where position = 30",
    /events 26 to 42 .* hash differs/,
  ],
  [
    "a digit that no double holds",
    `update events set data = jsonb_set(data, '{odometer}', '12345678901234567890.6') where position = 42`,
    /hash differs/,
  ],
  ["an event's absence", "delete from events where position = 12", /event 12 of batch 1 is missing/],
  [
    "a batch's account",
    "update batches set messages_read = messages_read + 1, duplicates = duplicates + 1 where batch = 2",
    /batch 2 .* link differs/,
  ],
  ["a batch's absence", "delete from batches where batch = 1", /batch 1 is missing/],
  [
    "a message that the head counts as set aside and no batch read",
    "update log_head set messages_read = messages_read + 1, quarantined = quarantined + 1",
    /the head counts quarantined 1, its batches add up to 0/,
  ],
  [
    "a message that the head read and does not account for",
    "update log_head set duplicates = duplicates - 1",
    /the head does not add up: 43 messages read, 42 admitted, 0 duplicates, 0 quarantined/,
  ],
  ["the head's position", "update log_head set position = position + 1", /the head says position 43/],
  [
    "a trip's fare",
    "update trips set fare_micros = fare_micros + 1 where trip_id = 'T-5'",
    /trips "T-5": fare_micros is 15000001, its events say 15000000/,
  ],
  ["a trip's absence", "delete from trips where trip_id = 'T-9'", /its streams hold 40 events, the log holds 42/],
  [
    "a cell's sum",
    "update trip_cells set fare_sum_micros = fare_sum_micros + 1 where grain = 'all' and dimension = 'none'",
    /trip_cells all .* none=all: fare_sum_micros/,
  ],
  [
    "a cell's minimum",
    "update trip_cells set fare_min_micros = 1 where grain = '1h' and dimension = 'city' and key = 'Chicago' and completed > 0",
    /fare_min_micros is 1, the streams say 500000/,
  ],
  [
    "a cell too many",
    "insert into trip_cells (grain, bucket, dimension, key, trips, last_position) values ('all', 'epoch', 'city', 'Nowhere', 1, 1)",
    /cells count something/,
  ],
];

for (const [what, sql, told] of HARM) {
  tacho_test({
    name: `verify finds ${what}, changed by a superuser`,
    needs: ["postgres"],
    async fn() {
      const { database, superuser_url } = await filled_database();
      const superuser = await open_database({ url: superuser_url, data_dir: null, connections: 1 });
      try {
        // Triggers do not hold back a superuser who turns them off; the chain does.
        await superuser.script(`set session_replication_role = replica; ${sql}`);
        const { faults } = await verify(database);
        assert.ok(faults.some((fault) => told.test(fault)), `expected ${told}, got ${JSON.stringify(faults)}`);
      } finally {
        await superuser.close();
        await database.close();
      }
    },
  });
}
