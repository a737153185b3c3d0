import assert from "node:assert/strict";
import { type Database, open_database } from "../../src/database/mod.ts";
import { ALL_CELLS } from "../support/all_cells.ts";
import { tacho_test } from "../support/available.ts";
import { put_trip } from "../support/board_rows.ts";
import type { FoundEvents } from "../../src/http/mod.ts";
import { json_of, make_http_side } from "../support/http_side.ts";
import { shared_postgres } from "../support/postgres.ts";
import { database_test } from "../support/read_side.ts";
import { feed, message, migrated, TEST_TIME_ZONE, trip_pipeline } from "../support/trip_pipeline.ts";
import { until } from "../support/until.ts";

/** One trip as the API tells it, and the filters of the list. */

const at = (time: string) => `2026-03-01T${time}:00Z`;
/** A trip whose events come in none of the orders that one expects. */
const EVENTS = [
  { event_id: "late cancellation", type: "trip.canceled", occurred_at: at("10:07"), reason: "no show" },
  {
    event_id: "completion",
    type: "trip.completed",
    occurred_at: at("10:20"),
    fare: "12.50",
    driver_id: "D1",
    city: "Chicago",
    distance_km: 2.5,
    note: "NOTE",
  },
  { event_id: "correction", type: "trip.fare_adjusted", occurred_at: at("11:00"), fare: "3000000000.75" },
  { event_id: "start", type: "trip.started", occurred_at: at("10:05"), city: "Boston", vehicle_type: "suv" },
].map((event) =>
  // Digits that no double holds must reach who asks.
  JSON.stringify({ trip_id: "a/1", ...event }).replace('"NOTE"', "12345678901234567890.123")
);

/** A migrated database that has taken these events in, all of one batch, and the API on it. */
async function with_events(events: readonly unknown[], work: (database: Database, get: Get) => Promise<void>) {
  const { url } = await (await shared_postgres()).create_database(migrated);
  const database = await open_database({ url, data_dir: null, connections: 3 });
  try {
    const messages = events.map((event, offset) => message(offset, event));
    const batch = { topic: "trips", partition: 0, from_offset: 0, next_offset: messages.length, messages };
    await feed(trip_pipeline(database), [batch]);
    const { get } = await make_http_side(database, { time_zone: TEST_TIME_ZONE });
    await work(database, get);
  } finally {
    await database.close();
  }
}

type Get = Awaited<ReturnType<typeof make_http_side>>["get"];

tacho_test({
  name:
    "one trip comes with its events, their data untouched, and with what each changed: together what the cells hold",
  needs: ["postgres"],
  fn: () =>
    with_events(EVENTS, async (database, get) => {
      const text = await (await get("/api/v1/trips/a%2F1")).text();
      assert.match(text, /"note": 12345678901234567890\.123/, "digits that a double cannot hold go through");
      const trip = JSON.parse(text);
      assert.deepEqual([trip.fare, trip.status, trip.position, trip.revision], ["3000000000.75", "completed", 4, 4]);
      assert.deepEqual([trip.completed_at, trip.passenger_id], ["2026-03-01T10:20:00.000000Z", null]);
      assert.deepEqual(trip.deployment, { time_zone: TEST_TIME_ZONE, currency: "USD" });
      assert.deepEqual(trip.events.map((event: { event_id: string }) => event.event_id), [
        "late cancellation",
        "completion",
        "correction",
        "start",
      ]);
      assert.deepEqual(trip.events[1].metadata, { topic: "trips", partition: 0, offset: 1 });
      assert.deepEqual(trip.changes.map(({ position, status }: Change) => [position, status.before, status.after]), [
        [1, null, "canceled"],
        [2, "canceled", "completed"],
        [3, "completed", "completed"],
        [4, "completed", "completed"],
      ]);
      assert.deepEqual(trip.changes[2].fields, [
        { name: "adjusted_fare", before: null, after: "3000000000.75" },
        { name: "fare", before: "12.50", after: "3000000000.75" },
      ]);
      assert.deepEqual(trip.changes[3].fields, [
        { name: "started_at", before: null, after: "2026-03-01T10:05:00.000000Z" },
        { name: "vehicle_type", before: null, after: "suv" },
        { name: "duration_min", before: null, after: 15 },
      ]);
      const city = trip.changes[1].cells.filter(({ dimension }: Cell) => dimension === "city");
      assert.deepEqual(
        city,
        [
          {
            dimension: "city",
            key: "unknown",
            bucket: "2026-03-01T10:07:00.000000Z",
            grain: "1m",
            measures: { trips: -1, canceled: -1 },
          },
          {
            dimension: "city",
            key: "Chicago",
            bucket: "2026-03-01T10:07:00.000000Z",
            grain: "1m",
            measures: { trips: 1 },
          },
          {
            dimension: "city",
            key: "Chicago",
            bucket: "2026-03-01T10:20:00.000000Z",
            grain: "1m",
            measures: {
              completed: 1,
              conflicts: 1,
              fare_count: 1,
              fare_sum_micros: 12500000,
              distance_sum_m: 2500,
              distance_count: 1,
            },
          },
        ].sort((a, b) => a.bucket < b.bucket ? -1 : a.bucket > b.bucket ? 1 : a.key < b.key ? -1 : 1),
      );
      await assert_cells(database, trip.changes);
    }),
});

interface Cell {
  readonly dimension: string;
  readonly key: string;
  readonly bucket: string;
  readonly grain: string;
  readonly measures: Readonly<Record<string, number>>;
}
interface Change {
  readonly position: number;
  readonly status: { readonly before: string | null; readonly after: string };
  readonly cells: readonly Cell[];
}

/** The only trip's changes, added up, are the cells that ingest wrote. */
async function assert_cells(database: Database, changes: readonly Change[]): Promise<void> {
  const sums: Record<string, number> = {};
  for (const { dimension, grain, bucket, key, measures } of changes.flatMap(({ cells }) => cells)) {
    for (const [name, sum] of Object.entries(measures)) {
      const cell = `${grain} ${dimension}=${key} ${Date.parse(bucket) / 1000} ${name}`;
      sums[cell] = (sums[cell] ?? 0) + sum;
    }
  }
  const finest =
    "('5m', 'pickup_zone'), ('5m', 'dropoff_zone'), ('5m', 'pickup_h3'), ('all', 'driver'), ('all', 'passenger')," +
    "('1m', 'none'), ('1m', 'status'), ('1m', 'payment_method'), ('1m', 'vehicle_type'), ('1m', 'city')";
  const rows = await database.query<Record<string, unknown>>(
    `select *, extract(epoch from bucket)::bigint as at_s from ${ALL_CELLS} c where (grain, dimension) in (${finest})`,
  );
  const found = rows.flatMap((
    { grain, dimension, key, at_s, bucket: _, last_position: __, first_position: ___, ...measures },
  ) =>
    Object.entries(measures).filter(([name]) => !/_(min|max)_/.test(name))
      .map(([name, sum]) => [`${grain} ${dimension}=${key} ${at_s} ${name}`, Number(sum)] as const)
  );
  const known = (entries: readonly (readonly [string, number])[]) =>
    Object.fromEntries(entries.filter(([, sum]) => sum !== 0).sort());
  assert(found.length > 50);
  assert.deepEqual(known(Object.entries(sums)), known(found));
}

tacho_test({
  name: "a trip as it stood at a position knows nothing of what came later; one that nobody had heard of is not there",
  needs: ["postgres"],
  fn: () =>
    with_events(["{}", ...EVENTS], async (_, get) => {
      const then = await json_of(get("/api/v1/trips/a%2F1?as_of_position=2"));
      assert.deepEqual([then.status, then.fare, then.revision, then.position], ["completed", "12.50", 2, 2]);
      assert.deepEqual([then.as_of_position, then.events.length, then.changes.length], [2, 2, 2]);
      assert.deepEqual([then.started_at, then.duration_min, then.conflict], [null, null, undefined]);
      const now = await json_of(get("/api/v1/trips/a%2F1"));
      const again = await json_of(get("/api/v1/trips/a%2F1?as_of_position=4"));
      assert.deepEqual({ ...again, as_of_position: null }, now, "at its newest event it is what its row says");
      await json_of(get("/api/v1/trips/a%2F1?as_of_position=0"), 404);
      await json_of(get("/api/v1/trips/nobody"), 404);
      const ahead = await json_of(get("/api/v1/trips/a%2F1?as_of_position=5"), 400);
      assert.deepEqual(ahead.errors, [{
        path: "as_of_position",
        detail: "expected at most 4, the log's position now; got 5",
      }]);
    }),
});

tacho_test({
  name: "who watches a trip is answered 304 until that trip has a new event, whatever else the log takes in",
  needs: ["postgres"],
  fn: () =>
    with_events(EVENTS, async (database, get) => {
      const first = await get("/api/v1/trips/a%2F1");
      const tag = { "if-none-match": first.headers.get("etag") ?? "" };
      await put_trip(database, { trip_id: "other", status: "requested", at: at("12:00") });
      assert.equal((await get("/api/v1/trips/a%2F1", tag)).status, 304);
      await put_trip(database, { trip_id: "a/1", status: "completed", at: at("12:00") });
      assert.equal((await get("/api/v1/trips/a%2F1", tag)).status, 200);
    }),
});

database_test(
  "a trip with an event that is refused today is shown, without what its events changed",
  async (database) => {
    const { get } = await make_http_side(database);
    await put_trip(database, { trip_id: "t", status: "in_progress", at: at("10:00") });
    const trip = await json_of(get("/api/v1/trips/t"));
    assert.deepEqual([trip.status, trip.events.length, trip.changes], ["in_progress", 1, null]);
    assert.match(trip.changes_fault, /^event 1 is refused today: expected one of trip\.requested/);
    assert.match((await json_of(get("/api/v1/trips/t?as_of_position=1"), 500)).detail, /^event 1 is refused today/);
  },
);

database_test(
  "trips are filtered by every dimension: one of several keys, all but some, and what nobody named",
  async (database) => {
    const { get } = await make_http_side(database);
    for (
      const [trip_id, city, driver] of [["a", "Chicago", "D1"], ["b", "Boston", null], ["c", null, "D'2"]] as const
    ) {
      await put_trip(database, {
        trip_id,
        status: trip_id === "a" ? "completed" : "requested",
        at: at("10:00"),
        ...city === null ? {} : { city },
      });
      await database.execute("update trips set driver_id = $1 where trip_id = $2", [driver, trip_id]);
    }
    const filtered: readonly (readonly [string, string])[] = [
      ["city=Chicago&city=Boston", "ba"],
      ["not_city=unknown", "ba"],
      ["city=unknown&city=Boston", "cb"],
      ["driver=D%272", "c"],
      ["not_driver=D%272&not_status=completed", "b"],
      ["status=completed&status=canceled", "a"],
      ["pickup_zone=unknown&payment_method=unknown&passenger=unknown&pickup_h3=unknown&vehicle_type=unknown", "cba"],
      ["not_dropoff_zone=unknown", ""],
    ];
    assert.equal((await json_of(get("/api/v1/trips/c"))).driver_id, "D'2", "one trip's SQL is understood here too");
    for (const [query, ids] of filtered) {
      const { trips } = await json_of(get(`/api/v1/trips?${query}`));
      assert.equal(trips.map((trip: { trip_id: string }) => trip.trip_id).join(""), ids, query);
    }
    const wrong: readonly (readonly [string, string])[] = [
      ["status=done", "status"],
      ["city=a&not_city=b", "not_city"],
      ["city=", "city"],
      ["none=all", ""],
      ["limit=1&limit=2", "limit"],
    ];
    for (const [query, path] of wrong) {
      const problem = await json_of(get(`/api/v1/trips?${query}`), 400);
      assert.deepEqual(problem.errors.map((error: { path: string }) => error.path), [path], query);
    }
  },
  { both: true },
);

database_test(
  "events of streams are looked for in topics one stream at a time, ten wait, who asks for the same shares it, and what passes is nobody's to keep",
  async (database) => {
    const ids = Array.from({ length: 20 }, (_, i) => `T-${i}`);
    for (const trip_id of ids) await put_trip(database, { trip_id, status: "completed", at: at("10:20") });
    const waiting = new Map<string, PromiseWithResolvers<FoundEvents>>();
    let most = 0, asked = 0;
    const { get } = await make_http_side(database, {
      look_in_topics({ id }) {
        const found = Promise.withResolvers<FoundEvents>();
        waiting.set(id, found);
        asked++;
        most = Math.max(most, waiting.size);
        return found.promise.finally(() => waiting.delete(id));
      },
    });
    const ask = (id: string) => get(`/api/v1/trips/${id}`);
    const first = ask(ids[0]!);
    await until("it is looked for", () => waiting.size === 1);
    const again = ask(ids[0]!);
    const others = ids.slice(1).map(async (id) => ({ id, answer: await ask(id) }));
    // Those who have no place to wait hear of it at once, while nothing is found yet.
    const told: string[] = [];
    void others.map((each) => each.then(({ id }) => told.push(id)));
    await until("nine are turned away", () => told.length === 9);
    const found = { events: [], complete: false, says: "none", passing: false };
    await until("all others have been looked for", () => {
      for (const each of waiting.values()) each.resolve(found);
      return told.length === 19;
    });
    assert.deepEqual([most, asked], [1, 11]);
    const answers = [await first, await again, ...(await Promise.all(others)).map(({ answer }) => answer)];
    const says = await Promise.all(
      answers.map(async (answer) => (await json_of(Promise.resolve(answer))).topics.says),
    );
    assert.equal(says.filter((said) => said === "none").length, 12);
    for (const [i, { headers }] of answers.entries()) {
      const passes = says[i] !== "none";
      assert.equal(headers.get("etag") === null, passes, says[i]);
      if (passes) assert.match(says[i], /^the topics were not looked into: others look into them now/);
    }
  },
);
