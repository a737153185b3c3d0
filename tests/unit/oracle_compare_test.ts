import { PGlite } from "@electric-sql/pglite";
import assert from "node:assert/strict";
import event_log_sql from "../../migrations/0001_event_log.sql" with { type: "text" };
import trips_sql from "../../migrations/0002_trips.sql" with { type: "text" };
import pickup_h3_sql from "../../migrations/0005_pickup_h3.sql" with { type: "text" };
import batch_watermarks_sql from "../../migrations/0006_batch_watermarks.sql" with { type: "text" };
import sketches_sql from "../../migrations/0007_sketches.sql" with { type: "text" };
import corrections_sql from "../../migrations/0011_watermarks_and_corrections.sql" with { type: "text" };
import tombstones_sql from "../../migrations/0012_tombstones.sql" with { type: "text" };
import voids_and_fares_sql from "../../migrations/0013_voids_and_fares.sql" with { type: "text" };
import kept_measures_sql from "../../migrations/0018_kept_measures.sql" with { type: "text" };
import totals_sql from "../../migrations/0019_totals.sql" with { type: "text" };
import waiting_sql from "../../migrations/0039_waiting.sql" with { type: "text" };
import skipped_sql from "../../migrations/0014_skipped.sql" with { type: "text" };
import { example_event, example_messages, EXAMPLE_OPTIONS } from "../support/oracle/example_messages.ts";
import { compare_with_database, oracle, type Query } from "../support/oracle/mod.ts";

/** Four messages: a start, its repeat, one without JSON, and the completion. Offsets 0 to 3. */
const started = example_event("a", "started", "10:00:00", { city: "O'Hare", pickup_zone: 161 });
const completed = example_event("b", "completed", "10:31:00.000001", { fare: "18.60", driver_id: "D1" });
const expectation = oracle(example_messages(started, started, "{", completed), EXAMPLE_OPTIONS);

/** The same content, written by hand; the cells by SQL from a list of what each bucket of 10:00 and 10:31 holds. */
const content_sql = `
update log_head set position = 2, batch = 1, messages_read = 4, duplicates = 1, quarantined = 1;
insert into batches (batch, first_position, last_position, messages_read, admitted, duplicates, quarantined, late, cursors,
  recorded_at, content_hash, link) values (1, 1, 2, 4, 2, 1, 1, 0, '{}', now(), '', '');
insert into events values
  (1, 'T', 1, 'a', 'trip.started', 1, '2026-03-01 10:00:00+00', now(), '{"pickup_zone": 161, "city": "O''Hare"}',
    '{"topic": "trips", "partition": 0, "offset": 0}'),
  (2, 'T', 2, 'b', 'trip.completed', 1, '2026-03-01 10:31:00.000001+00', now(), '{"fare": "18.60", "driver_id": "D1"}',
    '{"topic": "trips", "partition": 0, "offset": "3"}');
insert into source_cursors values ('trips', 0, 4, 'cluster'), ('trips', 1, 0, 'cluster');
insert into quarantine (topic, partition, message_offset, headers, message_value, stage, reason, detail, code_version,
  quarantined_at) values ('trips', 0, 2, '{}', '{', 'decode', 'malformed', '', '0', now());
insert into trips (trip_id, revision, status, started_at, completed_at, driver_id, city, pickup_zone, completion_fare_micros,
  fare_micros, duration_ms, last_occurred_at, last_event_id, positions, event_hashes) values
  ('T', 2, 'completed', '2026-03-01 10:00:00+00', '2026-03-01 10:31:00.000001+00', 'D1', 'O''Hare', '161', 18600000,
    18600000, 1860000, '2026-03-01 10:31:00.000001+00', 'b', '{1,2}', '{7,8}');
insert into trip_cells (grain, bucket, dimension, key, trips, started, completed, fare_count, fare_sum_micros,
  fare_min_micros, fare_max_micros, duration_sum_ms, duration_count, last_position)
select grain, bucket, dimension, key, first, first, last, last, last * 18600000,
  case when last = 1 and keeps_extremes then 18600000 end, case when last = 1 and keeps_extremes then 18600000 end,
  last * 1860000, last, case when last = 1 or dimension in ('status', 'driver') then 2 else 1 end
from (values ('none', 'all', 5, true), ('status', 'completed', 5, true), ('payment_method', 'unknown', 5, true),
    ('vehicle_type', 'unknown', 5, true), ('city', 'O''Hare', 5, true), ('pickup_zone', '161', 4, true),
    ('dropoff_zone', 'unknown', 4, true), ('driver', 'D1', 1, false), ('passenger', 'unknown', 1, false),
    ('pickup_h3', 'unknown', 4, true))
    as dimensions (dimension, key, grains, keeps_extremes)
  join (values ('1m', '2026-03-01 10:00:00+00'::timestamptz, 1, 0, 5), ('1m', '2026-03-01 10:31:00+00', 0, 1, 5),
    ('5m', '2026-03-01 10:00:00+00', 1, 0, 4), ('5m', '2026-03-01 10:30:00+00', 0, 1, 4),
    ('1h', '2026-03-01 10:00:00+00', 1, 1, 3), ('1d', '2026-03-01 00:00:00+00', 1, 1, 2), ('all', 'epoch', 1, 1, 1))
    as buckets (grain, bucket, first, last, rank) on rank <= grains;
insert into trip_cells (grain, bucket, dimension, key, last_position) values ('all', 'epoch', 'status', 'in_progress', 2);
insert into trip_totals select dimension, key, completed, fare_count, fare_sum_micros, distance_sum_m, distance_count, duration_sum_ms,
  duration_count, 2 from trip_cells where dimension in ('driver', 'passenger');
delete from trip_cells where dimension in ('driver', 'passenger');
insert into trip_sketches select grain, bucket, dimension, key, sketch, array[bin], '{1}'
from (values ('none', 'all'), ('status', 'completed'), ('payment_method', 'unknown'), ('vehicle_type', 'unknown'), ('city', 'O''Hare'))
    as dimensions (dimension, key)
  cross join (values ('1m', '2026-03-01 10:31:00+00'::timestamptz), ('5m', '2026-03-01 10:30:00+00'),
    ('1h', '2026-03-01 10:00:00+00'), ('1d', '2026-03-01 00:00:00+00')) as buckets (grain, bucket)
  cross join (values ('fare_micros', 420), ('duration_ms', 362)) as sketches (sketch, bin);
insert into trip_sketches values ('1d', '2026-03-01', 'city', 'unknown', 'fare_micros', '{}', '{}');`;

/** What may be wrong, the statement that makes it so, and the sentences that must say so. */
const faults: [string, string, RegExp[]][] = [
  ["a cell that is off", "update trip_cells set fare_sum_micros = 1 where grain = '1h' and dimension = 'city'", [
    /^cell 1h 2026-03-01T10:00:00Z city=O'Hare fare_sum_micros: expected 18600000, found 1$/,
  ]],
  ["a missing cell", "delete from trip_cells where grain = '1m' and dimension = 'none' and started = 1", [
    /^cell 1m 2026-03-01T10:00:00Z none=all: missing, expected trips 1, started 1$/,
  ]],
  ["a cell too many", "update trip_cells set canceled = 1 where key = 'in_progress'", [
    /^cell all 1970-01-01T00:00:00Z status=in_progress canceled: expected 0, found 1$/,
  ]],
  ["a total that is off", "update trip_totals set fare_sum_micros = 1 where key = 'D1'", [
    /^cell all 1970-01-01T00:00:00Z driver=D1 fare_sum_micros: expected 18600000, found 1$/,
  ]],
  ["a missing total", "delete from trip_totals where key = 'D1'", [/driver=D1: missing, expected completed 1/]],
  ["an extreme left behind", "update trip_cells set fare_min_micros = 0 where key = 'in_progress'", [
    /status=in_progress fare_min_micros: expected null, found 0$/,
  ]],
  [
    "a cell that another event touched last",
    "update trip_cells set last_position = last_position + 1 where grain = '1h' and key in ('O''Hare', 'D1')",
    [/^cell 1h 2026-03-01T10:00:00Z city=O'Hare last_position: expected 2, found 3$/],
  ],
  [
    "a cell that was left, touched too early",
    "update trip_cells set last_position = 1 where key = 'in_progress'",
    [/^cell all 1970-01-01T00:00:00Z status=in_progress last_position: expected 2, found 1$/],
  ],
  [
    "a sketch that is off",
    "update trip_sketches set bins = '{361}' where grain = '1h' and key = 'all' and bins = '{362}'",
    [
      /^sketch duration_ms 1h 2026-03-01T10:00:00Z none=all: expected 362: 1, found 361: 1$/,
    ],
  ],
  [
    "a missing sketch",
    "delete from trip_sketches where grain = '1d' and dimension = 'city' and sketch = 'fare_micros'",
    [
      /^sketch fare_micros 1d 2026-03-01T00:00:00Z city=O'Hare: missing, expected 420: 1$/,
    ],
  ],
  ["a trip that is off", "update trips set city = null, started_at = started_at + interval '1 microsecond'", [
    /^trip "T" city: expected O'Hare, found null$/,
    /^trip "T" started_at: expected 2026-03-01T10:00:00Z, found 2026-03-01T10:00:00.000001Z$/,
  ]],
  ["a cell of the pickup too many", "update trips set pickup_h3 = '882a1072cbfffff'", [
    /^trip "T" pickup_h3: expected null, found 882a1072cbfffff$/,
  ]],
  ["positions that are off", "update trips set positions = '{1,3}'", [
    /positions: expected 1,2 as in the log, found 1,3$/,
  ]],
  ["a missing trip", "delete from trips", [/^trip "T": missing$/]],
  ["a trip too many", "update trips set trip_id = 'U'", [
    /^trip "U": not expected$/,
    /^trip "T": missing$/,
  ]],
  ["a missing event", "delete from events where position = 2", [
    /^event "b" of stream "T": missing in the log$/,
    /^trip "T" positions: expected 1 as in the log, found 1,2$/,
  ]],
  ["a gap", "update events set position = 5 where position = 2", [/^position: expected 2, found 5$/, /positions/]],
  ["another event", "update events set event_id = 'c' where position = 2", [
    /not expected, found at position 2/,
    /missing/,
  ]],
  [
    "an event twice",
    "insert into events select 3, stream_id, 3, event_id, type, schema_version, occurred_at, recorded_at, data, metadata from events where position = 2",
    [
      /^event "b" of stream "T": found twice$/,
      /positions: expected 1,2,3 as in the log, found 1,2$/,
    ],
  ],
  ["revisions that are off", "update events set revision = 3 where position = 2", [/revision: expected 2, found 3$/]],
  ["data that is off", `update events set data = data || '{"city": "X"}' where position = 1`, [
    /data: expected .*O'Hare/,
  ]],
  ["the second message admitted", `update events set metadata = metadata || '{"offset": 1}' where position = 1`, [
    /^event "a" of stream "T" metadata offset: expected 0, found 1$/,
  ]],
  ["a time that is off", "update events set occurred_at = 'epoch' where position = 1", [
    /occurred_at: expected 2026-03-01/,
  ]],
  ["totals that are off", "update batches set messages_read = 5, duplicates = 2", [
    /^batches sum of messages_read: expected 4, found 5$/,
    /^batches sum of duplicates: expected 1, found 2$/,
  ]],
  ["a head that is off", "update log_head set position = 3", [/^log_head position: expected 2, found 3$/]],
  ["a cursor that is off", "update source_cursors set next_offset = next_offset + 1", [
    /^cursor trips\/0: expected 4, found 5$/,
    /^cursor trips\/1: expected 0 or none, found 1$/,
  ]],
  ["quarantine that is off", "update quarantine set message_offset = 1", [
    /^message trips\/0\/2: expected in quarantine \(malformed JSON\), not held$/,
    /^message trips\/0\/1: not expected in quarantine, held for malformed$/,
  ]],
  ["quarantine settled", "update quarantine set status = 'discarded'", [/trips\/0\/2: expected in quarantine/]],
  [
    "everything gone",
    "delete from trip_cells; delete from trip_totals; delete from trips; update log_head set position = 9",
    [
      /^log_head position/,
      /^trip "T": missing$/,
      ...Array.from({ length: 18 }, () => /^cell/),
      /^… \d+ differences in all: log_head 1, trips 1, cells \d+$/,
    ],
  ],
];

Deno.test("the comparison agrees with the right content and names whatever is off", async (t) => {
  const database = new PGlite();
  try {
    await database.exec(
      event_log_sql + trips_sql + pickup_h3_sql + batch_watermarks_sql + sketches_sql + corrections_sql +
        tombstones_sql + voids_and_fares_sql + skipped_sql +
        kept_measures_sql + totals_sql + waiting_sql.slice(0, waiting_sql.indexOf("-- Read models beside")) +
        content_sql,
    );
    await database.exec("set session_replication_role = replica"); // lets the faults past the append-only triggers
    const query: Query = async (sql) => (await database.query<Record<string, unknown>>(sql)).rows;
    await t.step("agreement", async () => {
      assert.deepEqual(await compare_with_database(query, expectation), []);
    });
    for (const [name, sql, sentences] of faults) {
      await t.step(name, async () => {
        await database.exec(`begin; ${sql}`);
        try {
          const found = await compare_with_database(query, expectation);
          assert.equal(found.length, sentences.length, found.join("\n"));
          for (const [n, sentence] of sentences.entries()) assert.match(found[n] ?? "", sentence);
        } finally {
          await database.exec("rollback");
        }
      });
    }
  } finally {
    await database.close();
  }
});
