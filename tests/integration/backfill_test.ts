import assert from "node:assert/strict";
import {
  type Backfill,
  type Database,
  DatabaseUnreachable,
  fill,
  may_pass,
  migrate,
  type Migrating,
  migrations_of,
  open_database,
} from "../../src/database/mod.ts";
import { read_deployment, settle_deployment } from "../../src/event_log/mod.ts";
import { days_in } from "../../src/kpi/mod.ts";
import { equal_measure_backfill, sketches_backfill, totals_backfill } from "../../src/projection/mod.ts";
import { Pipeline } from "../../src/ingest/mod.ts";
import { ALL_CELLS } from "../support/all_cells.ts";
import { tacho_test } from "../support/available.ts";
import { copy_rows, LOG_TABLES } from "../support/copied_rows.ts";
import { shared_postgres } from "../support/postgres.ts";
import {
  feed,
  LIMITS,
  message,
  migrated,
  TEST_DOMAIN,
  TEST_TIME_ZONE,
  trip_pipeline,
} from "../support/trip_pipeline.ts";
import { until } from "../support/until.ts";
import { verified } from "../support/verified_log.ts";

const MIGRATIONS = migrations_of("trips");

const BEGUN_MS = Date.UTC(2026, 2, 7, 4, 59);
const LATER = { ...LIMITS, future_limit_ms: 400 * 86_400_000 };

/** Completed trips over three days, in which clocks change; some without a duration, of several cities and fares. */
const completed = (trip: number, event_id: string, data: Record<string, unknown> = {}) => ({
  event_id,
  trip_id: `T-${trip}`,
  type: "trip.completed",
  occurred_at: new Date(BEGUN_MS + (trip * 7919 % 20_000) * 13_000).toISOString(),
  fare: ["0", "0.000001", 12.5, "1000000000000", (trip * 1.37).toFixed(2)][trip % 5],
  city: `c${trip % 3}`,
  ...(trip % 4 === 0 ? {} : { duration_min: trip % 90 }),
  ...data,
});
const batch = (topic: string, events: readonly unknown[]) => ({
  topic,
  partition: 0,
  from_offset: 0,
  next_offset: events.length,
  messages: events.map((each, offset) => message(offset, each)),
});
const many = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => completed(from + i, "c"));

const by_deployment = (piece: number): Backfill =>
  sketches_backfill(async (tx) => {
    const deployment = await read_deployment(tx);
    return deployment === null ? null : { domain: TEST_DOMAIN, days: days_in(deployment.time_zone) };
  }, piece);
const FARES = equal_measure_backfill(TEST_DOMAIN, "fare_count", "completed");
const kept_measures = totals_backfill(TEST_DOMAIN, "0"), totals = totals_backfill(TEST_DOMAIN, "last_position");
const sketches = async (database: Database) =>
  (await database.query(
    "select s::text as sketch from trip_sketches s where bins <> '{}' order by grain, dimension, bucket, key, sketch",
  )).map(({ sketch }) => sketch);

/** Databases of one server that are closed in the end. */
async function with_databases(
  work: (
    open: (url: string, connections?: number) => Promise<Database>,
    create: (template?: typeof migrated) => Promise<{ readonly url: string; readonly superuser_url: string }>,
  ) => Promise<void>,
): Promise<void> {
  const opened: Database[] = [];
  const server = await shared_postgres();
  try {
    await work(
      async (url, connections = 2) => {
        const database = await open_database({ url, data_dir: null, connections });
        opened.push(database);
        return database;
      },
      (template) => server.create_database(template),
    );
  } finally {
    for (const database of opened) await database.close();
  }
}

tacho_test({
  name:
    "a database of 20,000 trips from before the sketches gets them in pieces that are kept: ended between any two it goes on, whatever time limits there are",
  needs: ["postgres"],
  limit_ms: 240_000,
  fn: () =>
    with_databases(async (open, create) => {
      const full = await open((await create(migrated)).url);
      await feed(
        trip_pipeline(full, undefined, LATER),
        [0, 5_000, 10_000, 15_000].map((from) => batch(`t${from}`, many(from, from + 5_000))),
      );
      const { url, superuser_url } = await create();
      const unlimited = await open(url);
      // A limit that no piece keeps.
      const database: Database = {
        ...unlimited,
        transaction: (work) =>
          unlimited.transaction(async (tx) => {
            await tx.execute("set local statement_timeout = 40");
            return await work(tx);
          }),
      };
      await migrate(database, MIGRATIONS.slice(0, 6));
      await copy_rows(full, await open(superuser_url), LOG_TABLES);

      const heard: number[] = [];
      const migrating = (most: number): Migrating => {
        let pieces = 0;
        return {
          backfills: { sketches: by_deployment(3_000), later_measure: FARES, kept_measures, totals },
          filling: (name, left) => {
            if (name !== "sketches") return () => {};
            heard.push(left);
            return (items) => {
              heard.push(items);
              if (++pieces === most) throw new Error("killed");
            };
          },
        };
      };
      await assert.rejects(migrate(database, MIGRATIONS, migrating(2)), /^Error: killed$/);
      const schema_before = await database.query("select version from schema_migrations order by version");
      assert.equal(
        schema_before.length,
        MIGRATIONS.length,
        "the schema is there, and nobody may write for an earlier one",
      );
      await assert.rejects(migrate(database, MIGRATIONS, migrating(1)), /^Error: killed$/);
      assert.deepEqual(await migrate(database, MIGRATIONS, migrating(Infinity)), []);
      const [all, first, second, left, third, last, ...rest] = heard as [
        number,
        number,
        number,
        number,
        number,
        number,
      ];
      assert.equal(all, 20_000);
      assert.equal(left, all - first - second);
      assert.equal(last, left - third);
      assert.equal(rest.reduce((sum, each) => sum + each, 0), last);
      assert.ok(
        [first, second, third, ...rest.slice(0, -1)].every((items) => items >= 3_000 && items < 3_100),
        `${heard}`,
      );

      assert.deepEqual(await sketches(unlimited), await sketches(full));
      assert.deepEqual((await verified(unlimited)).faults, []);
      const again: number[] = [];
      await migrate(database, MIGRATIONS, { filling: (_, items) => (again.push(items), () => {}) });
      assert.deepEqual(again, [], "it is done once");
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
        const mending = fill(database, "sketches", {
          backfills: { sketches: by_deployment(100) },
          filling: () => () => void pieces++,
        });
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
  name:
    "cells from before fares were counted apart get as many fares as completions, in pieces that are kept: ended between any two it goes on",
  needs: ["postgres"],
  fn: () =>
    with_databases(async (open, create) => {
      const full = await open((await create(migrated)).url);
      const canceled = { event_id: "x", trip_id: "T-x", type: "trip.canceled", occurred_at: "2026-03-07T04:59:00Z" };
      await feed(trip_pipeline(full, undefined, LATER), [batch("a", [...many(0, 1_500), canceled])]);
      const cells = async (database: Database) =>
        (await database.query(
          `select case when trips is null then to_jsonb(c) - 'last_position' else to_jsonb(c) end::text as cell
            from ${ALL_CELLS} c order by grain, dimension, bucket, key`,
        )).map(({ cell }) => cell);
      const { url, superuser_url } = await create();
      const database = await open(url);
      await migrate(database, MIGRATIONS.slice(0, 12));
      await copy_rows(full, await open(superuser_url), LOG_TABLES);
      const begun = await cells(full);
      const heard: number[] = [];
      const migrating = (pieces: number): Migrating => ({
        backfills: {
          later_measure: equal_measure_backfill(TEST_DOMAIN, "fare_count", "completed", 1_000),
          kept_measures,
          totals,
        },
        filling: (name, left) => {
          if (name !== "later_measure") return () => {};
          heard.push(left);
          return (items) => {
            heard.push(items);
            if (--pieces === 0) throw new Error("killed");
          };
        },
      });
      await assert.rejects(migrate(database, MIGRATIONS, migrating(2)), /^Error: killed$/);
      assert.notDeepEqual(await cells(database), begun);
      await migrate(database, MIGRATIONS, migrating(Infinity));
      assert.deepEqual(heard.slice(0, 4), [begun.length, 1_000, 1_000, begun.length - 2_000]);
      assert.equal(heard.slice(4).reduce((sum, items) => sum + items, 0), begun.length - 2_000);
      assert.deepEqual(await cells(database), begun);
      // Rows were copied in, which no migration saw; what it fills asks for the newest columns.
      await fill(database, "sketches", { backfills: { sketches: by_deployment(3_000) } });
      assert.deepEqual((await verified(database)).faults, []);
      // What it left is what later events are counted on.
      const later = [...many(1_500, 1_600), { ...completed(7, "w"), fare: null }];
      await feed(trip_pipeline(database, undefined, LATER), [batch("b", later)]);
      assert.deepEqual((await verified(database)).faults, []);
    }),
});

for (const at of ["kept_measures", "totals"] as const) {
  tacho_test({
    name:
      `drivers that are kept as cells, of a database before ${at}, become totals, in pieces that are kept, and go on`,
    needs: ["postgres"],
    fn: () =>
      with_databases(async (open, create) => {
        const full = await open((await create(migrated)).url);
        const driven = many(0, 500).map((each, i) => ({ ...each, driver_id: `D${i % 70}`, passenger_id: `P${i}` }));
        await feed(trip_pipeline(full, undefined, LATER), [batch("a", driven)]);
        const all_measures = at === "kept_measures";
        const cells = async (database: Database) =>
          (await database.query(
            `select (to_jsonb(c) - 'first_position' ${
              all_measures ? "- 'last_position'" : ""
            })::text as cell from ${ALL_CELLS} c
              where c.grain <> 'all' or c.completed > 0 order by grain, dimension, bucket, key`,
          )).map(({ cell }) => cell);
        const { url, superuser_url } = await create();
        const database = await open(url);
        const before = MIGRATIONS.findIndex(({ name }) => name === at);
        await migrate(database, MIGRATIONS.slice(0, before), { backfills: { sketches: by_deployment(3_000) } });
        await copy_rows(full, await open(superuser_url), LOG_TABLES);
        if (all_measures) {
          // As the versions before counted.
          await database.execute(
            `update trip_cells set trips = completed, started = completed, last_position = 500 where dimension in ('driver', 'passenger')`,
          );
        }
        // One who was driving when it ended.
        await database.execute(
          `insert into trip_cells (grain, bucket, dimension, key, trips, started, last_position)
            values ('all', 'epoch', 'driver', 'on the way', 1, 1, 0)`,
        );
        let pieces = 0;
        const migrating = (most: number): Migrating => ({
          backfills: {
            kept_measures: totals_backfill(TEST_DOMAIN, "0", 200),
            totals: totals_backfill(TEST_DOMAIN, "last_position", 200),
          },
          filling: (name) => () => {
            if (name === at && ++pieces === most) throw new Error("killed");
          },
        });
        await assert.rejects(migrate(database, MIGRATIONS, migrating(2)), /^Error: killed$/);
        await migrate(database, MIGRATIONS, migrating(Infinity));
        // 70 drivers and one on the way, 500 passengers.
        assert.equal(pieces, 3);
        assert.deepEqual(await cells(database), await cells(full));
        const [left] = await database.query(
          "select count(*)::int as cells from trip_cells where dimension in ('driver', 'passenger')",
        );
        assert.equal(left?.cells, 0);
        await fill(database, "sketches", { backfills: { sketches: by_deployment(3_000) } });
        assert.deepEqual((await verified(database)).faults, []);
        const later = driven.slice(0, 100).map((each, i) => ({
          ...each,
          event_id: "w",
          fare: i,
          driver_id: "on the way",
        }));
        await feed(trip_pipeline(database, undefined, LATER), [batch("b", later)]);
        assert.deepEqual((await verified(database)).faults, []);
        const [way] = await database.query(
          "select completed::int as completed, last_position::int as at from trip_totals where key = 'on the way'",
        );
        assert.deepEqual([Number(way?.completed) > 0, Number(way?.at) > 500], [true, true]);
      }),
  });
}

tacho_test({
  name: "an embedded database from before the sketches gets them, too",
  async fn() {
    const database = await open_database({ url: null, data_dir: null });
    try {
      await migrate(database, MIGRATIONS);
      await settle_deployment(database, { time_zone: TEST_TIME_ZONE, currency: "USD" });
      await feed(earlier_pipeline(database, TEST_TIME_ZONE) as unknown as ReturnType<typeof trip_pipeline>, [
        batch("a", many(0, 60)),
      ]);
      await database.execute("update schema_migrations set filled = false where name = 'sketches'");
      await migrate(database, MIGRATIONS, { backfills: { sketches: by_deployment(25) } });
      assert.ok((await sketches(database)).length > 100);
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
      const hold = async (statement: string, why: RegExp) => {
        const holding = Promise.withResolvers<void>(), over = Promise.withResolvers<void>();
        const held = other.transaction(async (tx) => {
          await tx.query(statement);
          holding.resolve();
          await over.promise;
        });
        await holding.promise;
        const migrating = migrate(database, MIGRATIONS.slice(0, 8), {
          waiting: (reason, since_ms) => void told.push([reason, since_ms]),
        });
        await until("it says that it waits", () => told.some(([reason]) => why.test(reason)));
        over.resolve();
        await held;
        return (await migrating).map(({ version }) => version);
      };
      assert.deepEqual(await hold("select pg_advisory_xact_lock(727374121)", /^another process migrates$/), [8]);
      const undo = () =>
        database.script(
          "delete from schema_migrations where version = 8; drop index trips_dated_idx, trips_open_idx, batches_recorded_at_idx",
        );
      await undo();
      const [first] = await other.query<{ locked: string }>("select hashtext(current_schema())::text as locked");
      told.length = 0;
      const same_log = `select pg_advisory_xact_lock(727374121, ${first!.locked})`;
      assert.deepEqual(await hold(same_log, /^another process migrates$/), [8]);
      assert.ok(told.every(([, since_ms]) => since_ms !== null && since_ms > before_ms), JSON.stringify(told));
      await undo();
      assert.deepEqual(await hold("select 1 from log_head for update", /^other transactions hold locks/), [8]);
    }),
});

tacho_test({
  name: "a role that may not fill in what is missing waits for the owner",
  needs: ["postgres"],
  fn: () =>
    with_databases(async (open, create) => {
      const { url, superuser_url } = await create(migrated);
      const [owner, superuser] = [await open(url), await open(superuser_url)];
      const role = `reader_${crypto.randomUUID().replaceAll("-", "")}`;
      await superuser.script(`create role ${role} login`);
      await owner.query("select grant_to_program($1)", [role]);
      const program = await open(url.replace("tacho@", `${role}@`));
      await owner.execute("update schema_migrations set filled = false where name = 'sketches'");
      const told: string[] = [];
      const waiting = migrate(program, MIGRATIONS, { waiting: (why) => void told.push(why) });
      await until("it waits", () => told.length > 1);
      assert.match(told[0]!, /the owner of the tables has to fill in the sketches/);
      await migrate(owner, MIGRATIONS, { backfills: { sketches: by_deployment(10) } });
      assert.deepEqual(await waiting, []);
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
