import assert from "node:assert/strict";
import { type Database, open_database } from "../../src/database/mod.ts";
import type { SourceBatch, SourceMessage } from "../../src/ingest/mod.ts";
import { days_in } from "../../src/kpi/mod.ts";
import { type Audit, type Scope, type Verified, verify } from "../../src/projection/mod.ts";
import { with_scratch } from "../../src/sort/mod.ts";
import { shared_postgres, type Template } from "./postgres.ts";
import { feed, message, migrated, TEST_DOMAIN, TEST_TIME_ZONE, trip_pipeline } from "./trip_pipeline.ts";

/** A trip event in bare JSON, of trip `T-<trip>`, at a minute after ten. */
export const event = (trip: number, id: string, type: string, minute: number, data: Record<string, unknown>) => ({
  event_id: id,
  trip_id: `T-${trip}`,
  type,
  occurred_at: `2026-03-01T10:${String(minute).padStart(2, "0")}:00Z`,
  ...data,
});

/** What is in the log: 20 trips, an adjustment, a duplicate, a cancellation after the completion. */
export const MESSAGES = [
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

/** Everything is looked at. */
export const ALL: Scope = { from: 1, share: 1, seed: 0 };
const never = new AbortController().signal;

/** So little is held in memory that even a small log has to go through sorted runs on disk, and events are read by position. */
export const SMALL_BOUND = {
  piece: 50,
  sort: { items: 40, characters: 1 << 20, runs: 3 },
  waiting: { events: 5, characters: 1 << 20 },
};

/** Verifies a log of trips; what exceeds memory goes into a folder that is gone afterwards. */
export async function verified(
  database: Database,
  scope: Partial<Scope> = {},
  audit: Partial<Audit> = {},
): Promise<Verified> {
  const data_dir = await Deno.makeTempDir({ prefix: "tacho_verify_" });
  const of_trips = {
    database,
    domain: TEST_DOMAIN,
    days: days_in(TEST_TIME_ZONE),
    signal: never,
    watch: () => () => {},
  };
  try {
    return await with_scratch(
      data_dir,
      "verify",
      (folder) => verify({ ...of_trips, folder, ...audit }, { ...ALL, ...scope }),
    );
  } finally {
    assert.deepEqual([...Deno.readDirSync(data_dir)], []);
    await Deno.remove(data_dir);
  }
}

/** Messages as a batch of the topic's only partition. */
export const batch_of = (messages: readonly SourceMessage[], from: number, to: number): SourceBatch => ({
  topic: "trips",
  partition: 0,
  from_offset: from,
  next_offset: to,
  messages: messages.slice(from, to),
});

/** Where the second batch begins. */
const MIDDLE = 25;

/** A database whose log has two batches. */
const with_two_batches: Template = {
  name: "two_batches",
  async prepare(url) {
    await migrated.prepare(url);
    const database = await open_database({ url, data_dir: null, connections: 2 });
    await feed(trip_pipeline(database), [batch_of(MESSAGES, 0, MIDDLE), batch_of(MESSAGES, MIDDLE, MESSAGES.length)]);
    await database.close();
  },
};

/** Lends such a database, and a hand that does what a superuser may. */
export async function with_log(
  work: (database: Database, harm: (sql: string) => Promise<void>) => Promise<void>,
  template = with_two_batches,
): Promise<void> {
  const { url, superuser_url } = await (await shared_postgres()).create_database(template);
  const database = await open_database({ url, data_dir: null, connections: 3 });
  const superuser = await open_database({ url: superuser_url, data_dir: null, connections: 1 });
  try {
    // Triggers do not hold back a superuser who turns them off; the chain does.
    await work(database, (sql) => superuser.script(`set session_replication_role = replica; ${sql}`));
  } finally {
    await superuser.close();
    await database.close();
  }
}
