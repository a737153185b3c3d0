import assert from "node:assert/strict";
import fc from "fast-check";
import { type Database, open_database } from "../../src/database/mod.ts";
import { Cursors } from "../../src/ingest/mod.ts";
import { tacho_test } from "../support/available.ts";
import { make_http_side } from "../support/http_side.ts";
import { shared_postgres } from "../support/postgres.ts";
import { trip_event } from "../support/random_trips.ts";
import { feed, message, migrated, trip_pipeline } from "../support/trip_pipeline.ts";

/** The list of trips in pages, while events arrive. */

interface Page {
  readonly as_of_position: number;
  readonly trips: readonly { readonly trip_id: string; readonly position: number }[];
  readonly next_cursor: string | null;
}

async function with_database(work: (database: Database) => Promise<void>): Promise<void> {
  const { url } = await (await shared_postgres()).create_database(migrated);
  const database = await open_database({ url, data_dir: null, connections: 4 });
  try {
    await work(database);
  } finally {
    await database.close();
  }
}

/** Reads pages of the list on a database, and appends events to its log. */
async function make_list(database: Database, topic = "trips") {
  const { get } = await make_http_side(database);
  const pipeline = trip_pipeline(database), cursors = new Cursors();
  let offset = 0;
  return {
    async append(events: readonly unknown[]): Promise<void> {
      if (events.length === 0) return;
      const messages = events.map((event, i) => message(offset + i, event));
      const from_offset = offset;
      offset += events.length;
      await feed(pipeline, [{ topic, partition: 0, from_offset, next_offset: offset, messages }], cursors);
    },
    async page(query: string, cursor: string | null = null): Promise<Page> {
      const answer = await get(`/api/v1/trips?${query}${cursor === null ? "" : `&cursor=${cursor}`}`);
      const text = await answer.text();
      assert.equal(answer.status, 200, text);
      return JSON.parse(text);
    },
  };
}

const FILTERS = [
  "",
  "city=Chicago",
  "not_city=unknown",
  "status=in_progress&status=requested",
  "not_status=completed&driver=D1",
];

tacho_test({
  name: "pages read while trips come and change are the one list that there was at the first of them, each trip once",
  needs: ["postgres"],
  fn: () =>
    with_database(async (database) => {
      let run = 0;
      const events = fc.array(trip_event, { minLength: 3, maxLength: 30 });
      await fc.assert(
        fc.asyncProperty(
          events,
          fc.array(events, { minLength: 1, maxLength: 4 }),
          fc.constantFrom(...FILTERS),
          fc.integer({ min: 1, max: 4 }),
          async (before, later, filter, limit) => {
            const meanwhile = [...later];
            // Runs share the database: trips of a run have names of their own, in a city or not.
            const mark = `${++run}`;
            const list = await make_list(database, mark);
            const own = (all: readonly { trip_id: string }[]) =>
              all.map((event) => ({ ...event, trip_id: `${mark}/${event.trip_id}` }));
            await list.append(own(before));
            const whole = await list.page(`limit=500&${filter}`);
            const seen: Page["trips"][number][] = [];
            let page: Page | null = null;
            do {
              page = await list.page(`limit=${limit}&${filter}`, page?.next_cursor ?? null);
              assert.equal(page.as_of_position, whole.as_of_position);
              assert.ok(page.next_cursor === null || page.trips.length === limit, "a page is full or the last");
              seen.push(...page.trips);
              await list.append(own(meanwhile.shift() ?? []));
            } while (page.next_cursor !== null && seen.length < 30);
            assert.deepEqual(seen, whole.trips.slice(0, seen.length));
            if (page.next_cursor === null) assert.equal(seen.length, whole.trips.length);
          },
        ),
        { numRuns: 40, endOnFailure: true },
      );
    }),
});

tacho_test({
  name: "a rare filter far back in the log gives full pages, as of the first one, whatever has changed since",
  needs: ["postgres"],
  fn: () =>
    with_database(async (database) => {
      const list = await make_list(database);
      const started = (trip_id: string, more: Record<string, unknown>) => ({
        trip_id,
        event_id: "start",
        type: "trip.started",
        occurred_at: "2026-03-01T09:00:00Z",
        ...more,
      });
      const of_driver = Array.from({ length: 7 }, (_, i) => `rare-${i}`);
      await list.append(of_driver.map((id) => started(id, { driver_id: "D77" })));
      // Farther than the log is looked through for one page: other trips, written as they stand after ingest.
      await database.script(`
        insert into events (position, stream_id, revision, event_id, type, schema_version, occurred_at, recorded_at, data, metadata)
        select 7 + n, 'other-' || n, 1, 'start', 'trip.started', 1, '2026-03-01T09:00Z', now(), '{"driver_id":"D1"}', '{}'
        from generate_series(1, 60000) n;
        insert into trips (trip_id, revision, status, driver_id, last_occurred_at, last_event_id, positions, event_hashes)
        select 'other-' || n, 1, 'in_progress', 'D1', '2026-03-01T09:00Z', 'start', array[7 + n], array[n]
        from generate_series(1, 60000) n`);
      await database.execute("update log_head set position = 60007");
      const ids = ({ trips }: Page) => trips.map(({ trip_id }) => trip_id);
      const first = await list.page("driver=D77&limit=3");
      assert.deepEqual([first.as_of_position, ids(first)], [60_007, ["rare-6", "rare-5", "rare-4"]]);
      // One of those to come ends, one goes to another driver, one comes to this one.
      const later = { event_id: "later", type: "trip.completed", occurred_at: "2026-03-01T09:30:00Z", fare: "5" };
      await list.append([
        { trip_id: "rare-3", ...later },
        { trip_id: "rare-2", ...later, driver_id: "D5" },
        { trip_id: "other-1", ...later, driver_id: "D77" },
        started("new", { driver_id: "D77" }),
      ]);
      const second = await list.page("driver=D77&limit=3", first.next_cursor);
      assert.deepEqual(ids(second), ["rare-3", "rare-2", "rare-1"]);
      assert.deepEqual(second.trips.map(({ position }) => position), [4, 3, 2]);
      const third = await list.page("driver=D77&limit=3", second.next_cursor);
      assert.deepEqual([ids(third), third.next_cursor], [["rare-0"], null]);
      assert.deepEqual(ids(await list.page("driver=D77")), [
        "new",
        "other-1",
        "rare-3",
        "rare-6",
        "rare-5",
        "rare-4",
        "rare-1",
        "rare-0",
      ]);
      assert.deepEqual(await list.page("driver=nobody"), { as_of_position: 60_011, trips: [], next_cursor: null });
    }),
});
