import assert from "node:assert/strict";
import { open_database, snapshot } from "../../src/database/mod.ts";
import { trips_board } from "../support/trip_board.ts";
import {
  figures_of_states,
  type Filter,
  past_states,
  present_states,
  read_lines,
  read_past_board,
  whole_question,
  type Window,
  window_at,
} from "../../src/feed/figures/mod.ts";
import { tacho_test } from "../support/available.ts";
import { shared_postgres } from "../support/postgres.ts";
import { days_in } from "../../src/kpi/mod.ts";
import { migrated, TEST_DOMAIN } from "../support/trip_pipeline.ts";

const TRIPS = 20_000;
/** Positions from one trip to the next, so that the log has several blocks of them. */
const APART = 20;
/** Trips of one event each. */
const FILL = `
  insert into trips (trip_id, revision, status, requested_at, completed_at, city, fare_micros, last_occurred_at, last_event_id, positions, event_hashes)
  select 'T' || n, 1, 'completed', at, at + interval '10 minutes', 'Chicago', 1, at, 'e', array[n::bigint * ${APART}], array[n::bigint]
  from (select n, timestamptz '2026-03-01T00:00:00Z' + n * interval '86 seconds' as at from generate_series(1, ${TRIPS}) n) trips;
  insert into events (position, stream_id, revision, event_id, type, schema_version, occurred_at, recorded_at, data, metadata)
  select n * ${APART}, 'T' || n, 1, 'e', 'trip.completed', 1, now(), now(), '{}', '{}' from generate_series(1, ${TRIPS}) n;
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
      const past = past_states(TEST_DOMAIN);
      await snapshot(database, async (reading) => {
        const scans = async () => {
          const [row] = await reading.query("select pg_stat_get_xact_numscans('trips'::regclass)::integer as scans");
          return Number(row?.scans);
        };
        const before = await scans();
        const head = TRIPS * APART;
        // However long ago: among the last ones, blocks of positions before that, at the beginning.
        const then = await Promise.all([head - 10 * APART, head / 2, APART].map(async (position) => (
          { position, relation: await past(reading, position, head) }
        )));
        assert.equal(await scans() - before, 0, "what changed since");
        for (const { position, relation } of [{ position: head, relation: present_states(trips_board) }, then[0]!]) {
          for (const filter of [[], [{ dimension: "city", keys: ["Chicago"], excluded: false }]]) {
            const lines = await read_lines(reading, trips_board, relation, filter, { position });
            assert.deepEqual([lines.length, lines[0]?.position], [40, position]);
          }
        }
        assert.equal(await scans() - before, 0);
      });
    } finally {
      await database.close();
    }
  },
});

const DAYS = days_in("UTC");
const MANY = 40_000;
/** Trips from the middle of March on, a minute apart. */
const many = (columns: string, values: string, at: string) => `
  insert into trips (trip_id, revision, status, ${columns}, driver_id, city, payment_method, last_occurred_at, last_event_id, positions, event_hashes)
  select 'T' || n, 1, 'completed', ${values}, 'D' || floor(300 * (n * 7919 % 1000 / 1000.0) ^ 3), 'C' || floor(10 * (n * 7907 % 1000 / 1000.0) ^ 2),
    (array['card', 'cash'])[1 + n % 2], at, 'e', array[n::bigint], array[n::bigint]
  from (select n, ${at} as at from generate_series(1, ${MANY}) n) trips;`;
const EVEN = "timestamptz '2026-03-01T00:00:00Z' + n * interval '1 minute'";
const LOADS = {
  "no producer tells requests":
    many("started_at, completed_at, fare_micros", "at, at + interval '9 minutes', n", EVEN) + "analyze trips",
  "every time is told, each of some trips": many(
    "requested_at, started_at, completed_at, canceled_at, voided_at",
    "case when n % 3 > 0 then at end, case when n % 5 > 0 then at end, at, case when n % 7 = 0 then at end, case when n % 50 = 0 then at end",
    EVEN,
  ) + "analyze trips",
  "most trips are of one day, some of other years": many(
    "started_at, completed_at",
    "at, at + interval '9 minutes'",
    `case when n % 10 > 0 then timestamptz '2026-03-25T00:00:00Z' + n * interval '2 seconds'
      when n % 1000 = 0 then timestamptz '2026-03-01T00:00:00Z' + (n - ${
      MANY / 2
    }) * interval '1 hour' else ${EVEN} end`,
  ) + "analyze trips",
  "statistics are from when there were no trips": "analyze trips;" +
    many("started_at, completed_at", "at, at + interval '9 minutes'", EVEN),
};
const FILTERS: Filter[] = [
  [],
  [{ dimension: "city", keys: ["C1"], excluded: false }],
  [{ dimension: "city", keys: ["C1"], excluded: true }, {
    dimension: "payment_method",
    keys: ["cash"],
    excluded: false,
  }],
  [{ dimension: "driver", keys: ["D1", "unknown"], excluded: false }],
];

/** Cards but those of how things are now, which are of all trips. */
const FIGURES = trips_board.cards.filter((card) => "figure" in card);
const IN_RANGE = `select count(*) as trips from trips where ${
  ["requested_at", "started_at", "completed_at", "canceled_at", "voided_at"].map((at) =>
    `${at} >= to_timestamp($1::bigint) and ${at} < to_timestamp($2::bigint)`
  ).join(" or ")
}`;

const a_week_before = ({ from_s, to_s }: Window) => ({ from_s: from_s - 7 * 86_400, to_s: to_s - 7 * 86_400 });

for (const [load, script] of Object.entries(LOADS)) {
  tacho_test({
    name: `no board of a bounded range reads all trips, now or as of before, where ${load}`,
    needs: ["postgres"],
    async fn() {
      const { url } = await (await shared_postgres()).create_database(migrated);
      const database = await open_database({ url, data_dir: null, connections: 1 });
      try {
        await database.script(`alter table trips set (autovacuum_enabled = off); ${script}`);
        await snapshot(database, async (reading) => {
          const counted = async (what: string) => {
            const [row] = await reading.query(`select pg_stat_get_xact_${what}('trips'::regclass)::integer as found`);
            return Number(row?.found);
          };
          const scans = () => counted("numscans");
          const present = present_states(trips_board);
          // Nothing has changed since: the states as of the position before the last.
          const then = { position: MANY - 1, newest_event_ms: Date.UTC(2026, 2, 20), now_ms: Date.UTC(2026, 2, 20) };
          const past = await past_states(TEST_DOMAIN)(reading, then.position, MANY);
          let most_read = 0;
          for (const range of ["15m", "1h", "24h"] as const) {
            for (const filter of FILTERS) {
              const view = { range, to_s: then.now_ms / 1000, filter, compare: "weekday" } as const;
              const window = window_at(view, then.now_ms, DAYS);
              const before = await scans();
              const question = whole_question({ board: trips_board, days: DAYS }, { view, window });
              const fetched = await counted("tuples_fetched");
              await figures_of_states(reading, { ...question, wants: { ...question.wants, cards: FIGURES } }, present);
              const read = await counted("tuples_fetched") - fetched,
                [row] = await reading.query(IN_RANGE, [
                  window.from_s,
                  window.to_s,
                ]);
              most_read = Math.max(most_read, read);
              // Each once, and once for each breakdown that leaves a condition out.
              const crossed = trips_board.breakdowns.filter((each) =>
                filter.some(({ dimension }) => dimension === each.dimension)
              );
              const most = Number(row?.trips) * (1 + crossed.length);
              assert.ok(read <= most, `${read} trips read for a board of ${row?.trips}, at most ${most}`);
              await figures_of_states(reading, question, present);
              const wants = { series: true, stretches: [window, a_week_before(window)], cards: trips_board.cards };
              await figures_of_states(reading, { ...question, wants }, present);
              assert.equal(await scans() - before, 0, `now, ${range}, ${JSON.stringify(filter)}`);
              await read_past_board(reading, { board: trips_board, days: DAYS }, { view, window }, past, then);
              assert.equal(await scans() - before, 0, `as of before, ${range}, ${JSON.stringify(filter)}`);
            }
          }
          assert.ok(most_read > 100, `${most_read} trips read at most`);
        });
      } finally {
        await database.close();
      }
    },
  });
}
