import assert from "node:assert/strict";
import { tacho_test } from "../support/available.ts";
import { SMALL_BOUND, verified, with_log } from "../support/verified_log.ts";

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
  ["a trip's absence", "delete from trips where trip_id = 'T-9'", /trips "T-9": event 10 of the log is not in it/],
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
    /trip_cells all 1970-01-01T00:00:00.000Z city=Nowhere: trips is 1, the streams say 0/,
  ],
  [
    "a sum in a cell of nothing",
    "insert into trip_cells (grain, bucket, dimension, key, tip_sum_micros, last_position) values ('1h', '2020-01-01', 'city', 'Chicago', 5, 1)",
    /trip_cells 1h 2020-01-01T00:00:00.000Z city=Chicago: tip_sum_micros is 5, the streams say 0/,
  ],
  [
    "a cell's absence",
    "delete from trip_cells where grain = '1d' and dimension = 'status' and key = 'completed'",
    /trip_cells 1d 2026-03-01T05:00:00.000Z status=completed: it is missing/,
  ],
  [
    "cells of a dimension that is not kept",
    "insert into trip_cells (grain, bucket, dimension, key, last_position) values ('all', 'epoch', 'weather', 'rain', 1)",
    /trip_cells all weather: no such cells are kept/,
  ],
  [
    "the position that changed a cell last",
    "update trip_cells set last_position = last_position - 1 where grain = '1h' and dimension = 'city' and key = 'Chicago'",
    /trip_cells 1h .* city=Chicago: last_position is 41, the streams say 42$/,
  ],
  [
    "the position that took the last trip out of a cell",
    "update trip_cells set last_position = 1 where grain = '1m' and dimension = 'status' and key = 'in_progress' and trips = 0",
    /trip_cells 1m .* status=in_progress: last_position is 1, the streams say \d+$/,
  ],
  [
    "the position of a cell that no event touched",
    "insert into trip_cells (grain, bucket, dimension, key, last_position) values ('all', 'epoch', 'city', 'Nowhere', 7)",
    /city=Nowhere: last_position is 7, the streams say null$/,
  ],
  [
    "a total",
    "update trip_totals set completed = completed + 1 where dimension = 'driver'",
    /trip_totals all 1970-01-01T00:00:00.000Z driver=\S+: completed is \d+, the streams say \d+/,
  ],
  [
    "a total's absence",
    "delete from trip_totals where dimension = 'passenger'",
    /trip_totals all 1970-01-01T00:00:00.000Z passenger=\S+: it is missing/,
  ],
  [
    "which event changed a total last",
    "update trip_totals set last_position = last_position - 1 where dimension = 'driver'",
    /trip_totals all .* driver=\S+: last_position is \d+, the streams say \d+/,
  ],
  [
    "a total of a dimension that keeps none",
    "insert into trip_totals values ('city', 'Chicago', 0, 0, 0, 0, 0, 0, 0, 1)",
    /trip_totals all city: no such totals are kept/,
  ],
  [
    "a cell of a dimension that keeps totals",
    "insert into trip_cells (grain, bucket, dimension, key, last_position) values ('all', 'epoch', 'driver', 'D', 1)",
    /trip_cells all driver: no such cells are kept/,
  ],
  [
    "a sketch's bin",
    "update trip_sketches set bins[1] = bins[1] - 1 where grain = '1h' and dimension = 'city' and sketch = 'fare_micros'",
    /trip_sketches 1h .* city=Chicago fare_micros: it holds \{\d+,.*, the streams say \{\d+,/,
  ],
  [
    "a sketch's count",
    "update trip_sketches set counts[2] = counts[2] + 1 where grain = '1d' and dimension = 'none' and sketch = 'fare_micros'",
    /trip_sketches 1d .* none=all fare_micros: it holds/,
  ],
  [
    "a sketch's absence",
    "delete from trip_sketches where grain = '1d' and dimension = 'status' and key = 'completed' and sketch = 'duration_ms'",
    /trip_sketches 1d 2026-03-01T05:00:00.000Z status=completed duration_ms: it is missing/,
  ],
  [
    "a sketch of a key that no trip has",
    "insert into trip_sketches values ('1h', '2020-01-01', 'city', 'Nowhere', 'fare_micros', '{5}', '{1}')",
    /city=Nowhere fare_micros: it holds \{5\} \{1\}, the streams say nothing/,
  ],
  [
    "sketches of a dimension that keeps none",
    "insert into trip_sketches values ('1h', '2020-01-01', 'driver', 'D', 'fare_micros', '{}', '{}')",
    /trip_sketches 1h driver: no such sketches are kept/,
  ],
  [
    "a trip's last event",
    "update trips set last_event_id = 's' where trip_id = 'T-5'",
    /trips "T-5": its last event is "s" at 2026-03-01T10:25:00.000000Z, its events say "c" at 2026-03-01T10:25/,
  ],
  [
    "the hash of one of a trip's event ids",
    "update trips set event_hashes[1] = event_hashes[1] + 1 where trip_id = 'T-5'",
    /trips "T-5": the hash of event 6 is not that of its id/,
  ],
  [
    "a hash too many",
    "alter table trips drop constraint trips_revision_counts_events; update trips set event_hashes = event_hashes || 1::bigint where trip_id = 'T-5'",
    /trips "T-5": it has 3 hashes, its events are 2/,
  ],
  [
    "a trip whose first event is another's",
    "update trips set positions[1] = 7 where trip_id = 'T-5'",
    /trips "T-5": revision 2, event 7 of the log does not begin it/,
  ],
  [
    "a trip's later event",
    "update trips set positions[2] = 27 where trip_id = 'T-5'",
    /trips "T-5": event 27 belongs to "T-6"/,
  ],
  [
    "a trip's forgotten event",
    "update trips set positions = '{6}', event_hashes = event_hashes[1:1], revision = 1 where trip_id = 'T-5'",
    /trips "T-5": event 26 of the log is not in it/,
  ],
  [
    "a trip without events",
    `insert into trips (trip_id, revision, status, last_occurred_at, last_event_id, positions, event_hashes)
      values ('T-99', 0, 'requested', 'epoch', 'x', '{}', '{}')`,
    /trips "T-99": revision 0/,
  ],
  [
    "an event without a batch",
    "insert into events select 43, 'T-99', 1, 'z', type, schema_version, occurred_at, recorded_at, data, metadata from events where position = 1",
    /event 43, after the last batch, belongs to no batch/,
  ],
  [
    "a batch that the head does not count",
    `insert into batches select 3, kind, 43, 42, 0, 0, 0, 0, 0, '[]', note, recorded_at, content_hash, link from batches where batch = 2`,
    /batch 3 is there, the head counts 2 batches/,
  ],
  [
    "a batch that does not account for what it read",
    `alter table batches drop constraint batches_account_for_all_read;
      update batches set messages_read = messages_read + 1 where batch = 2`,
    /batch 2 read 19 messages and accounts for 17 \+ 1 \+ 0/,
  ],
  [
    "a batch that names other positions than it admitted",
    `alter table batches drop constraint batches_positions_match_admitted;
      update batches set first_position = 27 where batch = 2`,
    /batch 2 begins at position 27, expected 26/,
  ],
  [
    "the head's link",
    "update log_head set link = decode(repeat('01', 32), 'hex')",
    /the head's link is not that of batch 2/,
  ],
  [
    "a batch's cursor that does not go on where the one before left off",
    `update batches set cursors = '[{"from":24,"partition":0,"to":43,"topic":"trips"}]' where batch = 2`,
    /batch 2: the cursor of trips\/0 goes on from 24, the batches before left it at 25/,
  ],
  [
    "a cursor",
    "update source_cursors set next_offset = next_offset + 1",
    /the cursor of trips\/0 stands at 44, the batches left it at 43/,
  ],
  [
    "a cursor below zero",
    "alter table source_cursors drop constraint source_cursors_offset_is_not_negative; update source_cursors set next_offset = -1",
    /the cursor of trips\/0 stands at -1/,
  ],
  ["a cursor's absence", "delete from source_cursors", /the cursor of trips\/0 is missing, the batches left it at 43/],
  [
    "a cursor too many",
    "insert into source_cursors values ('other', 7, 0, 'test')",
    /the cursor of other\/7 is there, no batch moved it/,
  ],
];

for (const [what, sql, told] of HARM) {
  tacho_test({
    name: `verify finds ${what}, changed by a superuser`,
    needs: ["postgres"],
    fn: () =>
      with_log(async (database, harm) => {
        await harm(sql);
        for (const audit of [{}, { bound: SMALL_BOUND }]) {
          const { faults } = await verified(database, {}, audit);
          assert.ok(faults.some((fault) => told.test(fault)), `expected ${told}, got ${JSON.stringify(faults)}`);
        }
      }),
  });
}
