import assert from "node:assert/strict";
import { TRIPS } from "../../src/domains/trips/mod.ts";
import type { Database, Queryable, Row, Statement, Value } from "../../src/database/mod.ts";
import { events_between, read_cursors } from "../../src/event_log/mod.ts";
import { Cursors } from "../../src/ingest/mod.ts";
import { BeyondTheLog } from "../../src/projection/mod.ts";
import { read_config, system_clock } from "../../src/runtime/mod.ts";
import { told, verify_verb } from "../../src/verbs/verify.ts";
import { tacho_test } from "../support/available.ts";
import { shared_postgres } from "../support/postgres.ts";
import { silent } from "../support/read_side.ts";
import { feed, message, migrated, TEST_TIME_ZONE, trip_pipeline } from "../support/trip_pipeline.ts";
import { ALL, batch_of, event, MESSAGES, SMALL_BOUND, verified, with_log } from "../support/verified_log.ts";

tacho_test({
  name: "verify finds a log consistent that is, and says what it looked at",
  needs: ["postgres"],
  fn: () =>
    with_log(async (database) => {
      const { cells, most: _, ...rest } = await verified(database);
      assert.deepEqual(rest, {
        archives: [],
        position: 42,
        events: 42,
        batches: 2,
        trusted_batch: 0,
        cursors: 1,
        gaps: [],
        kept: {},
        open_gaps: 0,
        quarantined: 0,
        only_counted: 0,
        streams: 20,
        folded: 20,
        examined: 0,
        faults: [],
      });
      assert.ok(cells > 100);
    }),
});

tacho_test({
  name: "verify goes on after a fault: each place is told by itself, and past twenty it says that there are more",
  needs: ["postgres"],
  fn: () =>
    with_log(async (database, harm) => {
      await harm('update events set data = data || \'{"serial":"y"}\' where position in (7, 30)');
      assert.deepEqual((await verified(database)).faults, [
        "events 1 to 25 (batch 1) are not what was appended: their hash differs",
        "events 26 to 42 (batch 2) are not what was appended: their hash differs",
      ]);
      await harm("update trip_cells set tip_sum_micros = 1");
      const { faults } = await verified(database);
      assert.deepEqual([faults.length, faults.at(-1)], [21, "and more"]);
    }),
});

tacho_test({
  name:
    "verify from a position trusts what lies before: its batches, and the trips without an event after, but for their cells",
  needs: ["postgres"],
  fn: () =>
    with_log(async (database, harm) => {
      const { cells: _, most: _most, ...rest } = await verified(database, { from: 41 });
      assert.deepEqual(rest, {
        archives: [],
        position: 42,
        events: 17,
        batches: 1,
        trusted_batch: 1,
        cursors: 1,
        gaps: [],
        kept: {},
        open_gaps: 0,
        quarantined: 0,
        only_counted: 0,
        streams: 20,
        folded: 2,
        examined: 0,
        faults: [],
      });
      await assert.rejects(verified(database, { from: 43 }), BeyondTheLog);
      await harm(`update events set occurred_at = occurred_at + interval '1 second' where position = 7;
        update trips set vendor_id = 'x' where trip_id = 'T-5'`);
      assert.deepEqual((await verified(database, { from: 41 })).faults, []);
      assert.ok((await verified(database, { from: 25 })).faults.length > 0);
      await harm("update trips set vendor_id = 'x' where trip_id = 'T-3'");
      assert.deepEqual((await verified(database, { from: 41 })).faults, [
        'trips "T-3": vendor_id is x, its events say null',
      ]);
      await harm("update trips set city = 'Boston' where trip_id = 'T-6'");
      const { faults } = await verified(database, { from: 41 });
      assert.ok(faults.some((fault) => /city=Chicago: .*the streams say/.test(fault)), JSON.stringify(faults));
      await harm("update batches set late = late + 1 where batch = 2");
      assert.ok((await verified(database, { from: 41 })).faults.some((fault) => /batch 2 .* link differs/.test(fault)));
    }),
});

tacho_test({
  name: "verify of a sample finds a wrong trip when its seed draws it, a wrong cell or derived column always",
  needs: ["postgres"],
  fn: () =>
    with_log(async (database, harm) => {
      await harm("update trips set vendor_id = 'x' where trip_id = 'T-5'");
      const found: boolean[] = [];
      let folded = 0;
      for (let seed = 0; seed < 10; seed++) {
        const sample = await verified(database, { share: 0.5, seed });
        folded += sample.folded;
        found.push(sample.faults.length > 0);
      }
      assert.deepEqual(
        await verified(database, { share: 0.5, seed: 3 }),
        await verified(database, { share: 0.5, seed: 3 }),
      );
      assert.ok(found.includes(true) && found.includes(false), String(found));
      assert.ok(folded > 60 && folded < 140, `200 trips at 0.5: ${folded}`);
      const missed = found.indexOf(false);
      for (
        const [sql, told] of [
          ["update trips set fare_micros = fare_micros + 1", /fare_micros is .*, the rest of its row says/],
          ["update trip_cells set trips = trips + 1 where grain = '1m'", /trip_cells 1m .*: trips is/],
        ] as const
      ) {
        await harm(sql);
        const { faults } = await verified(database, { share: 0.000001, seed: missed });
        assert.ok(faults.some((fault) => told.test(fault)), `expected ${told}, got ${JSON.stringify(faults)}`);
        await harm("update trips set fare_micros = fare_micros - 1");
      }
    }),
});

tacho_test({
  name: "verify sees one moment: between any two of its reads a batch is appended, and all it reads fits together",
  needs: ["postgres"],
  fn: () =>
    with_log(async (database) => {
      const pipeline = trip_pipeline(database);
      const trips = Array.from({ length: 400 }, (_, i) => {
        const each = event(i % 30, `m${i}`, "trip.completed", i % 60, { fare: i, city: `city ${i % 7}` });
        return message(MESSAGES.length + i, each);
      });
      const cursors = new Cursors(() => read_cursors(database));
      cursors.reset(await read_cursors(database));
      let appended = 0;
      const append_some = async () => {
        const messages = trips.slice(appended, appended += 25);
        if (messages.length === 0) return;
        const { offset } = messages[0]!;
        const batch = { ...batch_of(messages, 0, 25), from_offset: offset, next_offset: offset + messages.length };
        await feed(pipeline, [batch], cursors);
      };
      const meddled = (inner: Queryable): Queryable => ({
        async query<R extends Row>(statement: string | Statement, values?: readonly Value[]) {
          const rows = await inner.query<R>(statement, values);
          await append_some();
          return rows;
        },
        execute: (statement, values) => inner.execute(statement, values),
      });
      const watched: Database = {
        ...database,
        ...meddled(database),
        transaction: (work) => database.transaction((tx) => work({ ...tx, ...meddled(tx) })),
      };
      const { position, faults } = await verified(watched);
      assert.deepEqual([position, faults], [42, []]);
      assert.ok(appended > 200, `appended ${appended} events meanwhile`);
      const after = await verified(database);
      assert.deepEqual([after.position, after.faults], [42 + Math.min(appended, trips.length), []]);
    }),
});

tacho_test({
  name:
    "verify holds no more than its bounds, however large the log is; what exceeds them goes to disk and is gone afterwards",
  needs: ["postgres"],
  fn: () =>
    with_log(async (database) => {
      const add = async (trips: number) => {
        const cursors = new Cursors(() => read_cursors(database));
        const [cursor] = await read_cursors(database);
        cursors.reset([cursor!]);
        const from = cursor!.next_offset;
        // Every trip is begun before the first of them ends.
        const messages = ["trip.started", "trip.completed"].flatMap((type, k) =>
          Array.from({ length: trips }, (_, i) => {
            const id = 100 + from + i;
            return message(from + k * trips + i, event(id, type, type, (i + k) % 60, { city: `city ${id}`, fare: i }));
          })
        );
        const batch = { topic: "trips", partition: 0, from_offset: from, next_offset: from + 2 * trips, messages };
        await feed(trip_pipeline(database), [batch], cursors);
      };
      const found = [];
      for (const trips of [50, 400]) {
        await add(trips);
        const { cells, most, faults } = await verified(database, {}, { bound: SMALL_BOUND });
        assert.deepEqual(faults, []);
        found.push({ cells, most });
      }
      const [small, large] = found;
      assert.ok(large!.cells > 4 * small!.cells, `${small!.cells} and ${large!.cells} cells`);
      assert.ok(large!.most.disk_bytes > 3 * small!.most.disk_bytes, "the larger log takes more of the disk");
      // A page of the log is looked at at once, and a stream is added at once.
      const { events, cells } = large!.most;
      assert.ok(events <= SMALL_BOUND.waiting.events + 2_000, `${events} events waited`);
      assert.ok(cells <= SMALL_BOUND.piece + 100, `${cells} cells and bins in a piece`);
    }),
});

/** Texts that a row in PostgreSQL's text form writes in a way of their own, or that hold what ends a field there. */
const AWKWARD = [
  "a,b",
  "c",
  "(",
  ')"',
  '"',
  "\\",
  "\\N",
  "'",
  " ",
  "x y",
  "\tz\n",
  "\u00a0",
  "\u2003é",
  "null",
  "{1,2}",
];

tacho_test({
  name:
    "verify takes the text of a trip's row for that row alone: awkward texts, numbers and times are known at first sight, and any other is told",
  needs: ["postgres"],
  fn: () =>
    with_log(async (database, harm) => {
      const cursors = new Cursors(() => read_cursors(database));
      cursors.reset(await read_cursors(database));
      const from = MESSAGES.length;
      const messages = AWKWARD.map((text, i) => {
        const next = AWKWARD[(i + 1) % AWKWARD.length]!;
        const data = {
          driver_id: text,
          passenger_id: next,
          city: next + text,
          fare: i / 7 > 1 ? "1.234567" : i,
          tip: "0.1",
        };
        const more = { pickup_lat: -0.1 * i, pickup_lon: 179.12345678901234, distance_km: 1e-3, passenger_count: i };
        const at = {
          occurred_at: `2026-03-01T11:00:0${i % 10}.${"120".repeat(i % 3)}5Z`,
          estimated_dropoff_at: "2026-03-02T00:00:00Z",
        };
        return message(from + i, { ...event(500 + i, `id ${text}`, "trip.completed", 0, { ...data, ...more }), ...at });
      });
      messages.push(
        message(from + messages.length, event(600, "s", "trip.started", 1, { pickup_lat: 1e-7, pickup_lon: 0 })),
      );
      const to = from + messages.length;
      await feed(trip_pipeline(database), [{
        topic: "trips",
        partition: 0,
        from_offset: from,
        next_offset: to,
        messages,
      }], cursors);
      const { faults, examined, streams } = await verified(database);
      // PostgreSQL writes a ten-millionth as 1e-07: that row is looked at column by column.
      assert.deepEqual([faults, examined, streams], [[], 1, 21 + AWKWARD.length]);
      const columns = await database.query<{ name: string; type: string }>(
        `select attname as name, format_type(atttypid, atttypmod) as type from pg_attribute where attrelid = 'trips'::regclass and attnum > 0
          and attname not in ('trip_id', 'revision', 'positions', 'event_hashes', 'last_event_id', 'last_occurred_at', 'status')
          and attgenerated = '' order by attnum`,
      );
      assert.ok(columns.length > 30, `${columns.length} columns`);
      const changed: Record<string, string> = {
        text: "case when $ is null then '' else null end",
        "timestamp with time zone": "coalesce($, 'epoch') + interval '1 microsecond'",
      };
      for (const { name, type } of columns) {
        const value = (changed[type] ?? "coalesce($, 0) + 1").replaceAll("$", name);
        const [before] = await database.query(`select ${name}::text as value from trips where trip_id = 'T-500'`);
        await harm(`update trips set ${name} = ${value} where trip_id = 'T-500'`);
        const { faults } = await verified(database);
        assert.ok(
          faults.some((fault) => fault.startsWith(`trips "T-500": ${name} is `)),
          `${name}: ${JSON.stringify(faults)}`,
        );
        const back = before!.value === null ? "null" : `'${String(before!.value).replaceAll("'", "''")}'`;
        await harm(`update trips set ${name} = ${back} where trip_id = 'T-500'`);
      }
      // What one field has more, the next has less: the texts of both together are the same.
      await harm("update trips set driver_id = 'a', passenger_id = 'b,c' where trip_id = 'T-500'");
      assert.match((await verified(database)).faults.join(), /"T-500": driver_id is a, its events say a,b/);
    }),
});

tacho_test({
  name:
    "verify reads large events in pages that are bounded by their size, with numbers of many digits and gaps at any place",
  needs: ["postgres"],
  fn: () =>
    with_log(async (database, harm) => {
      const cursors = new Cursors(() => read_cursors(database));
      cursors.reset(await read_cursors(database));
      const from = MESSAGES.length, count = 12;
      const random = () => crypto.getRandomValues(new Uint8Array(60_000)).toBase64();
      const messages = Array.from({ length: count }, (_, i) => {
        // What does not compress, so that it is as large in the table: 800 KB.
        const noise = Array.from({ length: 10 }, random).join("");
        return message(
          from + i,
          event(700 + i, `${i}123456789012345678901`, "trip.started", 1, { noise, odometer: 0.1 }),
        );
      });
      for (const [i, each] of messages.entries()) {
        const one = {
          topic: "trips",
          partition: 0,
          from_offset: from + i,
          next_offset: from + i + 1,
          messages: [each],
        };
        await feed(trip_pipeline(database), [one], cursors);
      }
      const last = 42 + count;
      const pages: number[] = [];
      for await (const page of events_between(database, 0, last)) {
        pages.push(page.length);
      }
      assert.ok(pages.length > 1, `pages of ${pages} events`);
      assert.equal(
        pages.reduce((sum, events) => sum + events),
        last,
      );
      const { position, events, faults, examined } = await verified(database);
      assert.deepEqual([position, events, faults, examined], [last, last, [], 0]);
      const border = pages[0]!;
      await harm(`delete from events where position in (${border}, ${border + 1}, ${last})`);
      const gone = (await verified(database)).faults.filter((fault) =>
        /^event \d+ of batch \d+ is missing/.test(fault)
      );
      assert.deepEqual(gone.map((fault) => Number(/\d+/.exec(fault)![0])), [border, border + 1, last]);
    }),
});

tacho_test({
  name: "verify that is stopped fails and says that nothing is known",
  needs: ["postgres"],
  async fn() {
    const { url } = await (await shared_postgres()).create_database(migrated);
    const config = read_config({ DATABASE_URL: url, TACHO_TIME_ZONE: TEST_TIME_ZONE });
    const stopped = AbortSignal.abort(new Error("stopped by a signal"));
    const shell = {
      config,
      shared: config,
      domain: TRIPS,
      clock: system_clock,
      random: () => 0,
      logger: silent,
      signal: stopped,
    };
    await assert.rejects(
      verify_verb(shell, { from: 1, sample: 1 }),
      /stopped by a signal before the end; whether the log is consistent is not known/,
    );
    const { signal } = new AbortController();
    await assert.rejects(verify_verb({ ...shell, signal }, { from: 2, sample: 1 }), /the log ends at 0/);
  },
});

tacho_test({
  name: "verify can be stopped in each of its parts, and leaves nothing on disk then",
  needs: ["postgres"],
  fn: () =>
    with_log(async (database) => {
      for (const stopped_in of ["read", "log", "compare"]) {
        const stop = new AbortController();
        const watch = (part: string) => () => part.startsWith(stopped_in) && stop.abort(new Error(`in ${part}`));
        const audit = { signal: stop.signal, watch, bound: SMALL_BOUND };
        await assert.rejects(verified(database, {}, audit), new RegExp(`^Error: in ${stopped_in}`));
      }
    }),
});

Deno.test("the result of verify says in one line what was and what was not checked", () => {
  const found = {
    position: 42,
    events: 42,
    batches: 2,
    trusted_batch: 0,
    cursors: 1,
    gaps: [],
    open_gaps: 0,
    quarantined: 1,
    only_counted: 0,
    streams: 20,
    folded: 20,
    cells: 100,
    archives: [],
    kept: {},
    faults: [],
  };
  assert.equal(
    told(TRIPS, found, ALL),
    "consistent: 42 events in 2 batches, chain unbroken, 1 cursor where the batches left off, 1 quarantined message as its batches wrote it; 20 trips and 100 cells are what the events make them",
  );
  assert.equal(
    told(TRIPS, { ...found, events: 17, batches: 1, trusted_batch: 1, folded: 2 }, { ...ALL, from: 41 }),
    "consistent as far as checked, at position 42: 17 events in 1 batch, chain unbroken if the stored link of batch 1 is right, " +
      "1 cursor where the batches left off, 1 quarantined message as its batches wrote it; 2 of 20 trips, those with an event from position 41 on, are what their events make them; " +
      "all 100 cells are what the rows of all trips make them; " +
      "not checked: batches 1 to 1, cursors that no later batch moved, which position changed each cell last, " +
      "the other 18 trips against their events",
  );
  assert.match(
    told(TRIPS, { ...found, kept: { "1m": 1_772_323_200e6 } }, ALL),
    /are what the events make them; not checked: cells of 1m before 2026-03-01T00:00:00.000000Z, not kept$/,
  );
  assert.match(
    told(TRIPS, { ...found, gaps: ["t/0 begun at offset 7 at 2026-03-01T12:00:00.000000Z, 7 passed over"] }, ALL),
    /are what the events make them; on record: t\/0 begun at offset 7 at 2026-03-01T12:00:00.000000Z, 7 passed over$/,
  );
  assert.equal(
    told(TRIPS, { ...found, folded: 3, quarantined: 2 }, { from: 1, share: 0.1, seed: 7 }),
    "consistent as far as checked, at position 42: 42 events in 2 batches, chain unbroken, 1 cursor where the batches left off, " +
      "2 quarantined messages as their batches wrote them; " +
      "3 of 20 trips, those in a sample of 0.1 drawn by seed 7, are what their events make them; " +
      "all 100 cells are what the rows of all trips make them; " +
      "not checked: which position changed each cell last, the other 17 trips against their events (a wrong trip had a chance of 0.1 to be found)",
  );
});
