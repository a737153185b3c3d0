import assert from "node:assert/strict";
import {
  type Database,
  DatabaseUnreachable,
  FILLING,
  make_sketches,
  may_pass,
  migrate,
  read_unfilled,
  require_filled,
} from "../../src/database/mod.ts";
import { TRIPS } from "../../src/domains/trips/mod.ts";
import { Overtaken, read_head, settle_deployment } from "../../src/event_log/mod.ts";
import { days_in } from "../../src/kpi/mod.ts";
import { find_read_model, sketches_anew } from "../../src/projection/mod.ts";
import { Pipeline } from "../../src/ingest/mod.ts";
import { lacking_of } from "../../src/verbs/filling.ts";
import { ALL_CELLS } from "../support/all_cells.ts";
import { tacho_test } from "../support/available.ts";
import { open_embedded_copy } from "../support/embedded.ts";
import { hold } from "../support/hold.ts";
import { feed, migrated, READ_MS, TEST_DOMAIN, TEST_TIME_ZONE, trip_pipeline } from "../support/trip_pipeline.ts";
import {
  batch,
  BEGUN_MS,
  COUNTED,
  fill,
  killed_after,
  LATER,
  MIGRATIONS,
  upgrade_from,
  with_databases,
} from "../support/upgraded_trips.ts";
import { until } from "../support/until.ts";
import { verified } from "../support/verified_log.ts";

/** A time some days after the trips begin, in which clocks change. */
const at = (trip: number, minutes: number) =>
  new Date(BEGUN_MS + (trip * 7919 % 20_000) * 13_000 + minutes * 60_000).toISOString();
/** Completed trips; some without a duration, of several cities and fares. */
const completed = (trip: number, event_id: string, data: Record<string, unknown> = {}) => ({
  event_id,
  trip_id: `T-${trip}`,
  type: "trip.completed",
  occurred_at: at(trip, 0),
  fare: ["0", "0.000001", 12.5, "1000000000000", (trip * 1.37).toFixed(2)][trip % 5],
  city: `c${trip % 3}`,
  ...(trip % 4 === 0 ? {} : { duration_min: trip % 90 }),
  ...data,
});
const many = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => completed(from + i, "c"));
const numbers = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i);

const told = (trip: number, type: string, minutes: number, data: Record<string, unknown> = {}) => ({
  event_id: type,
  trip_id: `T-${trip}`,
  type: `trip.${type}`,
  occurred_at: at(trip, minutes),
  ...data,
});
/** Trips with and without a request, before the start or after it, begun, canceled or completed, by drivers. */
const whole = (trip: number): unknown[] => [
  ...trip % 5 === 0
    ? []
    : [told(trip, "requested", trip % 11 === 0 ? 9 : trip % 500 / 250, { passenger_id: `P${trip}` })],
  told(trip, "started", 4, { city: `c${trip % 3}`, pickup_zone: `Z${trip % 7}` }),
  ...trip % 7 === 0 ? [told(trip, "canceled", 9)] : trip % 2 === 0 ? [] : [
    told(trip, "completed", 20, {
      fare: (trip * 1.37).toFixed(2),
      driver_id: `D${trip % 9}`,
      duration_min: trip % 40,
    }),
  ],
];
/** What changes trips that there are, in all that they count: fares, ends, keys, requests that come late, trips that are taken back. */
const changed = (trip: number): unknown =>
  [
    told(trip, "fare_adjusted", 90, { fare: "3.21" }),
    told(trip, "completed", 30, { fare: "7", driver_id: `D${trip % 4}`, event_id: "again" }),
    told(trip, "requested", 1, { event_id: "late", city: "elsewhere" }),
    told(trip, "voided", 95),
    told(trip, "started", 2, { event_id: "earlier" }),
    told(trip, "canceled", 40, { event_id: "off" }),
  ][trip % 6];

/** All that a log's tables say, but which position a cell was seen from. */
const tables = async (database: Database) => {
  const rows = async (sql: string) => (await database.query<{ row: string }>(sql)).map(({ row }) => row);
  return {
    trips: await rows("select t::text as row from trips t order by trip_id"),
    cells: await rows(`select (to_jsonb(c) - 'first_position')::text as row from ${ALL_CELLS} c
      order by grain, dimension, bucket, key`),
    sketches: await rows(`select s::text as row from trip_sketches s where bins <> '{}'
      order by grain, dimension, bucket, key, sketch`),
  };
};

const LACKED: Readonly<Record<string, readonly string[]>> = {
  sketches: ["sketches", "later_measure", "kept_measures", "totals", "later_value"],
  voids_and_fares: ["later_measure", "kept_measures", "totals", "later_value"],
  kept_measures: ["kept_measures", "totals", "later_value"],
  totals: ["totals", "later_value"],
  waiting: ["later_value"],
};

/** What comes while a log is filled in, and after: each as a batch of its own. */
const ROUNDS = {
  b: numbers(0, 120).map(changed),
  c: [...numbers(100, 200).map(changed), ...numbers(240, 260).flatMap(whole)],
  d: numbers(190, 260).map(changed),
  e: numbers(255, 280).flatMap(whole),
};

tacho_test({
  name:
    "a log from before any migration that asks for it takes events in while it is filled in, killed between any two pieces, and ends as one that was never without",
  needs: ["postgres"],
  limit_ms: 300_000,
  fn: () =>
    with_databases(async (open, create) => {
      const fresh = await open((await create(migrated)).url), old = await open((await create(migrated)).url);
      const first = batch("a", numbers(0, 240).flatMap(whole));
      for (const log of [fresh, old]) await feed(trip_pipeline(log, undefined, LATER), [first]);
      await feed(
        trip_pipeline(fresh, undefined, LATER),
        Object.entries(ROUNDS).map(([topic, events]) => batch(topic, events)),
      );
      const wanted = await tables(fresh);
      await old.execute("delete from trip_sketches where sketch = 'waiting_ms'");
      for (const [before, names] of Object.entries(LACKED)) {
        const { url, superuser_url } = await create(), database = await open(url);
        await upgrade_from(before, old, database, await open(superuser_url, 1));
        assert.deepEqual((await read_unfilled(database)).names, names);
        await assert.rejects(require_filled(database), /this database is being filled in \(.*; 0 %\)/);

        const lacking = await lacking_of(database, TRIPS, TEST_DOMAIN);
        assert.deepEqual(lacking?.told.includes("Average waiting"), true, `${lacking?.told}`);
        const pipeline = new Pipeline({
          ...{ database, ...COUNTED, limits: LATER, lacking: lacking! },
          ...{ code_version: "test", cache_streams: 50_000, now_ms: () => READ_MS },
        });
        const next = async (topic: keyof typeof ROUNDS) => {
          pipeline.forget(await read_head(database));
          await feed(pipeline, [batch(topic, ROUNDS[topic])]);
        };
        await next("b");
        await assert.rejects(fill(database, killed_after(2)), /^Error: killed$/);
        await next("c");
        await assert.rejects(fill(database, killed_after(3)), /^Error: killed$/);
        await next("d");
        // Planned for the tables that lack something, it is not for those that lack nothing.
        const last = batch("e", ROUNDS.e), advance = { topic: "e", partition: 0, from: null, to: last.next_offset };
        pipeline.forget(await read_head(database));
        const planned = await pipeline.plan([last], [advance], "test");
        await fill(database);
        assert.deepEqual((await read_unfilled(database)).names, []);
        await assert.rejects(pipeline.append(planned), Overtaken);
        await next("e");
        assert.deepEqual(await tables(database), wanted, `from before ${before}`);
        assert.deepEqual((await verified(database)).faults, []);
        // Nothing is left beside it, and nobody fills it in again.
        assert.equal(await find_read_model(database, FILLING), null);
        const [beside] = await database.query(
          "select count(*)::int as tables from pg_tables where tablename like '%fill%'",
        );
        assert.deepEqual(beside, { tables: 0 });
        await fill(database, killed_after(1));
      }
    }),
});

tacho_test({
  name:
    "several programs that fill a log in at once, one of which ends in the middle, end with all of it, counted once",
  needs: ["postgres"],
  fn: () =>
    with_databases(async (open, create) => {
      const fresh = await open((await create(migrated)).url), old = await open((await create(migrated)).url);
      for (const log of [fresh, old]) {
        await feed(trip_pipeline(log, undefined, LATER), [batch("a", numbers(0, 200).flatMap(whole))]);
      }
      const { url, superuser_url } = await create(), database = await open(url), other = await open(url, 3);
      const superuser = await open(superuser_url);
      await upgrade_from("waiting", old, database, superuser);
      const died = new AbortController();
      const dying = fill(await open(url, 3), {
        signal: died.signal,
        begun: () => () => died.abort(new Error("died")),
      }).catch((error) => error);
      const both = [database, other].map((each) => fill(each));
      await Promise.all([...both, dying]);
      assert.deepEqual(await tables(database), await tables(fresh));
      assert.deepEqual((await verified(database)).faults, []);
      const [head] = await database.query("select read_model from log_head");
      assert.deepEqual(head, { read_model: 1 }, "it is switched in once");
    }),
});

tacho_test({
  name: "a program of an earlier version that is still filling tables in where they are ends at the next piece",
  needs: ["postgres"],
  fn: () =>
    with_databases(async (open, create) => {
      const database = await open((await create(migrated)).url);
      await assert.rejects(
        database.query("select name, checkpoint from schema_migrations where name = 'waiting'"),
        /column "checkpoint" does not exist/,
      );
    }),
});

/** A pipeline as versions before the sketches had it. */
const earlier_pipeline = (database: Database, time_zone: string) =>
  new Pipeline({
    database,
    domain: { ...TEST_DOMAIN, tables: { ...TEST_DOMAIN.tables, sketches: null } },
    days: days_in(time_zone),
    limits: LATER,
    code_version: "earlier",
    cache_streams: 50_000,
    now_ms: () => Date.UTC(2026, 2, 1, 12),
  });

for (const time_zone of [TEST_TIME_ZONE, "Asia/Kolkata"]) {
  tacho_test({
    name: `what a program without sketches left beside one with them is mended while others append, in ${time_zone}`,
    needs: ["postgres"],
    fn: () =>
      with_databases(async (open, create) => {
        const database = await open((await create()).url, 4);
        await migrate(database, MIGRATIONS);
        await settle_deployment(database, { time_zone, currency: "USD" });
        const now = trip_pipeline(database, undefined, LATER, new Map(), time_zone);
        const faults = async () => (await verified(database, {}, { days: days_in(time_zone) })).faults;
        await feed(now, [batch("a", many(0, 600))]);
        // New trips, other fares and other cities, none of which reach a sketch.
        await feed(earlier_pipeline(database, time_zone) as unknown as typeof now, [
          batch("b", [
            ...many(600, 1_200),
            ...Array.from({ length: 300 }, (_, i) => completed(i * 2, "d", { fare: "77.70", city: "elsewhere" })),
          ]),
        ]);
        assert.notDeepEqual(await faults(), []);
        const correction = (trip: number) => ({
          event_id: "z",
          trip_id: `T-${trip}`,
          type: "trip.fare_adjusted",
          occurred_at: new Date(BEGUN_MS + 90 * 86_400_000).toISOString(),
          fare: "1.23",
        });
        now.forget({ watermark_us: null, forgotten: null });
        await assert.rejects(
          feed(now, [batch("harmed", [correction(700)])]),
          /would hold -1 values/,
          "this is what the harm costs",
        );

        let pieces = 0;
        const anew = sketches_anew({ domain: TEST_DOMAIN, days: days_in(time_zone) }, 100);
        const mending = make_sketches(database, anew, { working: () => () => void pieces++ });
        // Met where it is awaited, also when what goes on beside fails first.
        mending.catch(() => {});
        const beside = trip_pipeline(database, undefined, LATER, new Map(), time_zone);
        for (let i = 0; i < 30; i++) await feed(beside, [batch(`c${i}`, many(1_200 + 20 * i, 1_220 + 20 * i))]);
        await mending;
        assert.ok(pieces >= 12, `${pieces} pieces`);
        assert.deepEqual(await faults(), []);
        now.forget({ watermark_us: null, forgotten: null });
        await feed(now, [batch("d", Array.from({ length: 1_200 }, (_, i) => correction(i)))]);
        assert.deepEqual(await faults(), []);
      }),
  });
}

tacho_test({
  name: "an embedded database that lacks something is filled in, too, over its one connection",
  async fn() {
    const database = await open_embedded_copy();
    try {
      await settle_deployment(database, { time_zone: TEST_TIME_ZONE, currency: "USD" });
      await feed(trip_pipeline(database, undefined, LATER), [batch("a", many(0, 60))]);
      const before = await tables(database);
      await database.script(
        "delete from trip_sketches; update schema_migrations set filled = false where name = 'sketches'",
      );
      await fill(database, { bound: { events: 25, changes: 10_000 } });
      assert.ok(before.sketches.length > 100);
      assert.deepEqual(await tables(database), before);
      assert.deepEqual((await verified(database)).faults, []);
    } finally {
      await database.close();
    }
  },
});

tacho_test({
  name: "who finds another migrating, or in its way, says so and since when, waits, and goes on when it can",
  needs: ["postgres"],
  fn: () =>
    with_databases(async (open, create) => {
      const { url } = await create();
      const [other, database] = [await open(url), await open(url)];
      await migrate(database, MIGRATIONS.slice(0, 7));
      const told: [string, number | null][] = [];
      const before_ms = Date.now() - 60_000;
      const held_up = async (statement: string, why: RegExp) => {
        const release = await hold(other, statement);
        const migrating = migrate(database, MIGRATIONS.slice(0, 8), {
          waiting: (reason, since_ms) => void told.push([reason, since_ms]),
        });
        await until("it says that it waits", () => told.some(([reason]) => why.test(reason)));
        await release();
        return (await migrating).map(({ version }) => version);
      };
      assert.deepEqual(await held_up("select pg_advisory_xact_lock(727374121)", /^another process migrates$/), [8]);
      const undo = () =>
        database.script(
          "delete from schema_migrations where version = 8; drop index trips_dated_idx, trips_open_idx, batches_recorded_at_idx",
        );
      await undo();
      const [first] = await other.query<{ locked: string }>("select hashtext(current_schema())::text as locked");
      told.length = 0;
      const same_log = `select pg_advisory_xact_lock(727374121, ${first!.locked})`;
      assert.deepEqual(await held_up(same_log, /^another process migrates$/), [8]);
      assert.ok(told.every(([, since_ms]) => since_ms !== null && since_ms > before_ms), JSON.stringify(told));
      await undo();
      assert.deepEqual(await held_up("select 1 from log_head for update", /^other transactions hold locks/), [8]);
    }),
});

tacho_test({
  name: "a role that may not fill in what is missing says that the owner has to, and goes on when that is done",
  needs: ["postgres"],
  fn: () =>
    with_databases(async (open, create) => {
      const { url, superuser_url } = await create(migrated);
      const [owner, superuser] = [await open(url), await open(superuser_url)];
      const role = `reader_${crypto.randomUUID().replaceAll("-", "")}`;
      await superuser.script(`create role ${role} login`);
      await owner.query("select grant_to_program($1)", [role]);
      await feed(trip_pipeline(owner, undefined, LATER), [batch("a", many(0, 60))]);
      const program = await open(url.replace("tacho@", `${role}@`));
      await owner.execute("update schema_migrations set filled = false where name = 'sketches'");
      const heard: (string | null)[] = [];
      const waiting = fill(program, { beside: true, trouble: (reason) => void heard.push(reason) });
      await until("it waits", () => heard.length > 0);
      assert.match(heard[0]!, /the owner of the tables has to fill it in: `tacho migrate`/);
      await fill(owner);
      await waiting;
      assert.equal(heard.at(-1), null);
      assert.deepEqual((await verified(owner)).faults, []);
      await superuser.script(`drop owned by ${role}; drop role ${role}`);
    }),
});

Deno.test("what may pass is waited for; what would fail again is not: a statement that took too long, a right that is missing", () => {
  const said = (code: string) => Object.assign(new Error(), { severity: "ERROR", code });
  const passing = ["08006", "40P01", "40001", "53100", "53300", "55P03", "57P01", "57P03", "58030", "25006"];
  const lasting = ["57014", "42501", "42P01", "42601", "0A000", "P0001", "TA001", "TA002", "22012", "23505", "55000"];
  assert.deepEqual(passing.filter((code) => !may_pass(said(code))), []);
  assert.deepEqual(lasting.filter((code) => may_pass(said(code))), []);
  assert.ok(may_pass(new DatabaseUnreachable("connect", new Error("refused"))));
  assert.ok(!may_pass(new Error("08006")));
});
