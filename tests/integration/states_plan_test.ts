import assert from "node:assert/strict";
import { open_database, snapshot } from "../../src/database/mod.ts";
import { trips_board } from "../../src/domains/trips/mod.ts";
import { past_states, present_states } from "../../src/feed/mod.ts";
import { read_lines } from "../../src/feed/lines.ts";
import { tacho_test } from "../support/available.ts";
import { shared_postgres } from "../support/postgres.ts";
import { migrated, TEST_DOMAIN } from "../support/trip_pipeline.ts";

const TRIPS = 20_000;
/** Trips of one event each. */
const FILL = `
  insert into trips (trip_id, revision, status, requested_at, completed_at, city, fare_micros, last_occurred_at, last_event_id, positions, event_hashes)
  select 'T' || n, 1, 'completed', at, at + interval '10 minutes', 'Chicago', 1, at, 'e', array[n::bigint], array[n::bigint]
  from (select n, timestamptz '2026-03-01T00:00:00Z' + n * interval '86 seconds' as at from generate_series(1, ${TRIPS}) n) trips;
  insert into events (position, stream_id, revision, event_id, type, schema_version, occurred_at, recorded_at, data, metadata)
  select n, 'T' || n, 1, 'e', 'trip.completed', 1, now(), now(), '{}', '{}' from generate_series(${TRIPS} - 5100, ${TRIPS}) n;
  analyze trips;
  analyze events;`;

tacho_test({
  name: "what changed since, and the newest trips of now and then, are found without reading all trips",
  needs: ["postgres"],
  async fn() {
    const { url } = await (await shared_postgres()).create_database(migrated);
    const database = await open_database({ url, data_dir: null, connections: 1 });
    try {
      await database.script(FILL);
      const past = past_states(TEST_DOMAIN, trips_board);
      await snapshot(database, async (reading) => {
        const scans = async () => {
          const [row] = await reading.query("select pg_stat_get_xact_numscans('trips'::regclass)::integer as scans");
          return Number(row?.scans);
        };
        const before = await scans();
        const then = { position: TRIPS - 10, relation: await past(reading, TRIPS - 10, TRIPS) };
        for (const { position, relation } of [{ position: TRIPS, relation: present_states(trips_board) }, then]) {
          for (const filter of [[], [{ dimension: "city", keys: ["Chicago"], excluded: false }]]) {
            const lines = await read_lines(reading, trips_board, relation, filter, position);
            assert.deepEqual([lines.length, lines[0]?.position], [20, position]);
          }
        }
        assert.equal(await scans() - before, 0);
      });
    } finally {
      await database.close();
    }
  },
});
