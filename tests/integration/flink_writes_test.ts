import assert from "node:assert/strict";
import {
  is_held_by_others,
  migrate,
  migrations_of,
  open_database,
  type OpenedDatabase,
  snapshot,
} from "../../src/database/mod.ts";
import { TRIPS } from "../../src/domains/trips/mod.ts";
import { read_head, settle_deployment } from "../../src/event_log/mod.ts";
import {
  begin_flink_model,
  compare_flink_models,
  type Door,
  drop_flink_model,
  find_door,
  LIVE,
  open_live_door,
  switch_flink_model,
} from "../../src/projection/mod.ts";
import { tacho_test } from "../support/available.ts";
import { upsert_as_flink } from "../support/flink_tables.ts";
import { shared_postgres } from "../support/postgres.ts";
import { until } from "../support/until.ts";

/** What the database does with what a Flink job writes. */

const TABLES = "'trips', array['trip_cells', 'trip_totals']::name[]";

async function with_given(
  work: (database: OpenedDatabase, urls: { readonly url: string; readonly superuser_url: string }) => Promise<void>,
  /** The version that gave the tables to the job. */
  given_by = Infinity,
): Promise<void> {
  const urls = await (await shared_postgres()).create_database();
  const database = await open_database({ url: urls.url, data_dir: null, connections: 4 });
  try {
    await migrate(database, migrations_of("trips").filter(({ version }) => version <= given_by));
    await database.query(`select give_to_flink(${TABLES})`);
    await migrate(database, migrations_of("trips"));
    await settle_deployment(database, { time_zone: "UTC", currency: "USD" });
    await work(database, urls);
  } finally {
    await database.close();
  }
}

const total = (key: string, completed: number) =>
  JSON.stringify([{
    dimension: "driver",
    key,
    completed,
    fare_count: 0,
    fare_sum_micros: 0,
    distance_sum_m: 0,
    distance_count: 0,
    duration_sum_ms: 0,
    duration_count: 0,
  }]);
const position_of = async (database: OpenedDatabase, key: string): Promise<number | null> => {
  const [row] = await database.query("select last_position from trip_totals where key = $1", [key]);
  return row === undefined ? null : Number(row.last_position);
};

tacho_test({
  name:
    "of two transactions of a job the second waits for the first: positions are handed out in the order in which they are seen",
  needs: ["postgres"],
  fn: () =>
    with_given(async (database) => {
      const go_on = Promise.withResolvers<void>(), begun = Promise.withResolvers<void>();
      const write = (key: string, hold?: Promise<void>) =>
        database.transaction(async (tx) => {
          await upsert_as_flink(
            { ...database, query: tx.query.bind(tx), execute: tx.execute.bind(tx) },
            "trip_totals",
            total(key, 1),
          );
          await tx.execute("set local idle_in_transaction_session_timeout = 0");
          begun.resolve();
          await hold;
        });
      const first = write("first", go_on.promise);
      await begun.promise;
      const second = write("second");
      await until("the second waits", async () => {
        const [row] = await database.query(
          "select count(*) as waiting from pg_locks where not granted and database = (select oid from pg_database where datname = current_database())",
        );
        const [blocked] = await database.query(
          "select count(*) as n from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()",
        );
        return Number(row?.waiting) + Number(blocked?.n) > 0;
      });
      assert.equal((await read_head(database)).position, 0, "what is not committed is not told of");
      go_on.resolve();
      await Promise.all([first, second]);
      const [one, two] = [await position_of(database, "first"), await position_of(database, "second")];
      assert.ok(one! < two!, `${one} ${two}`);
      assert.equal((await read_head(database)).position, two);
    }),
});

tacho_test({
  name: "a transaction of a job that fails leaves nothing, and the next one goes on",
  needs: ["postgres"],
  fn: () =>
    with_given(async (database) => {
      await upsert_as_flink(database, "trip_totals", total("a", 1));
      const before = await read_head(database);
      const failed = database.transaction(async (tx) => {
        const within = { ...database, query: tx.query.bind(tx), execute: tx.execute.bind(tx) };
        await upsert_as_flink(within, "trip_totals", total("b", 1));
        await tx.execute("insert into trip_totals (dimension) values ('broken')");
      });
      await assert.rejects(failed, /violates not-null constraint/);
      assert.deepEqual(await read_head(database), before);
      assert.equal(await position_of(database, "b"), null);
      await upsert_as_flink(database, "trip_totals", total("c", 1));
      assert.equal((await read_head(database)).position, await position_of(database, "c"));
    }),
});

tacho_test({
  name:
    "a cell that is taken away is emptied in all its columns, those of later versions too, whatever version gave it to the job",
  needs: ["postgres"],
  async fn() {
    for (const given_by of [35, Infinity]) {
      await with_given(async (database) => {
        await database.script("alter table trip_totals add column later bigint not null default 7");
        await upsert_as_flink(database, "trip_totals", total("a", 3));
        await database.script("update trip_totals set later = 9");
        const position = await position_of(database, "a");
        for (let i = 0; i < 2; i++) await database.execute("delete from trip_totals where key = 'a'");
        const [row] = await database.query("select completed, later, last_position from trip_totals");
        assert.deepEqual([Number(row?.completed), Number(row?.later)], [0, 7]);
        assert.ok(Number(row?.last_position) > position!);
      }, given_by);
    }
  },
});

tacho_test({
  name: "a role that writes as a job may write the tables that are the job's, and nothing else",
  needs: ["postgres"],
  fn: () =>
    with_given(async (database, { url, superuser_url }) => {
      const role = `flink_${crypto.randomUUID().slice(0, 8)}`;
      const superuser = await open_database({ url: superuser_url, data_dir: null, connections: 1 });
      try {
        await superuser.script(`create role ${role} login; select grant_to_flink('${role}')`);
        const job = await open_database({ url: url.replace("//tacho@", `//${role}@`), data_dir: null, connections: 1 });
        try {
          await upsert_as_flink(job, "trip_totals", total("a", 1));
          await job.script(`insert into flink_progress (topic, "partition", next_offset) values ('t', 0, 5)`);
          for (
            const statement of [
              "select * from events",
              "update log_head set position = 0",
              "insert into flink_jobs (job_id, name, sql_hash) values ('a', 'b', 'c')",
              "delete from quarantine",
              "drop table trip_totals",
              "select give_to_flink('trips', '{}')",
              "truncate trip_cells",
            ]
          ) await assert.rejects(job.script(statement), /permission denied|must be owner/, statement);
        } finally {
          await job.close();
        }
        assert.equal((await read_head(database)).position, await position_of(database, "a"));
      } finally {
        await superuser.script(`drop owned by ${role}; drop role ${role}`);
        await superuser.close();
      }
    }),
});

tacho_test({
  name: "event time goes on with the newest state, and not with one that lies more than an hour ahead",
  needs: ["postgres"],
  fn: () =>
    with_given(async (database) => {
      const write = (id: string, last_occurred_at: string) =>
        upsert_as_flink(
          database,
          "trips",
          JSON.stringify([{ trip_id: id, status: "requested", last_event_id: "e", last_occurred_at, revision: 3 }]),
        );
      await write("a", "2026-03-02T12:00:00.123456Z");
      await write("b", "2026-03-01T12:00:00Z");
      await write("c", "2099-03-01T12:00:00Z");
      assert.equal((await read_head(database)).watermark_us, Date.UTC(2026, 2, 2, 12) * 1_000 + 123_456);
      const [row] = await database.query(
        "select revision, cardinality(positions) as positions, cardinality(event_hashes) as hashes from trips where trip_id = 'a'",
      );
      assert.deepEqual(row, { revision: 3, positions: 3, hashes: 3 });
    }),
});

tacho_test({
  name:
    "two jobs write beside each other, each through its door, while their tables are exchanged and exchanged back; readers see one or the other",
  needs: ["postgres"],
  fn: () =>
    with_given(async (database, { url, superuser_url }) => {
      const domain = TRIPS.make({ currency: "USD" }), of = { database, domain };
      const role = `flink_${crypto.randomUUID().slice(0, 8)}`;
      const superuser = await open_database({ url: superuser_url, data_dir: null, connections: 1 });
      const job = await open_database({ url: url.replace("//tacho@", `//${role}@`), data_dir: null, connections: 2 });
      const reader = await open_database({ url, data_dir: null, connections: 2 });
      try {
        await superuser.script(`create role ${role} login; select grant_to_flink('${role}')`);
        await open_live_door(of);
        await begin_flink_model(of, "v2");
        const [live, made] = await Promise.all([LIVE, "v2"].map((name) => find_door(database, name)));
        assert.ok(live !== undefined && live !== null && made !== undefined && made !== null);
        assert.notEqual(live.schema, made.schema);
        const state = (id: string) =>
          JSON.stringify([{
            trip_id: id,
            status: "requested",
            last_event_id: "e",
            last_occurred_at: "2026-03-02T12:00:00Z",
          }]);
        // Each writes two tables again and again, told apart by how much they count.
        const writing = new AbortController();
        const write = async (door: Door, completed: number) => {
          for (let i = 0; !writing.signal.aborted; i++) {
            await upsert_as_flink(job, "trips", state(`${completed}`), door.schema);
            await upsert_as_flink(job, "trip_totals", total(`k${i % 5}`, completed), door.schema);
            if (i % 7 === 6) await job.execute(`delete from ${door.schema}.trip_totals where key = 'k1'`);
          }
        };
        const jobs = [write(live, 1), write(made, 2)];
        for (const each of jobs) each.catch(() => {});
        const seen = async () => {
          const rows = await snapshot(
            reader,
            (reading) =>
              reading.query(
                `select distinct completed::int as n from trip_totals where completed > 0 union select trip_id::int from trips`,
              ),
            ["trips", "trip_totals"],
          );
          return rows.map(({ n }) => Number(n));
        };
        const exchanged = async () => {
          for (;;) {
            try {
              return await switch_flink_model(of, "v2");
            } catch (error) {
              if (!is_held_by_others(error)) throw error;
            }
          }
        };
        await until("both have written", async () => {
          const { live, made } = await counts_of(database);
          return live > 0 && made > 0;
        });
        assert.deepEqual(await seen(), [1]);
        const before = await read_head(database);
        await exchanged();
        assert.deepEqual(await seen(), [2]);
        const switched = await read_head(database);
        assert.notEqual(switched.figures_id, before.figures_id, "positions of before are none of these");
        assert.ok(switched.position >= before.position);
        // What is switched in moves the head, what lies beside does not.
        await until("what is live goes on", async () => (await read_head(database)).position > switched.position);
        for (const wanted of [1, 2, 1]) {
          const reading = Promise.all(Array.from({ length: 5 }, seen));
          await exchanged();
          for (const found of await reading) assert.equal(found.length, 1, `${found}`);
          assert.deepEqual(await seen(), [wanted]);
        }
        writing.abort();
        await Promise.all(jobs);
        const still = await read_head(database);
        await upsert_as_flink(job, "trip_totals", total("beside", 2), made.schema);
        assert.deepEqual(await read_head(database), still, "nobody is told of what is written beside");
        await upsert_as_flink(job, "trip_totals", total("live", 1), live.schema);
        assert.ok((await read_head(database)).position > still.position);
        const positions = await database.query(
          "select last_position::int as position from trip_totals where key = 'live'",
        );
        assert.equal((await read_head(database)).position, Number(positions[0]?.position));
        await drop_flink_model(of, "v2");
        await assert.rejects(upsert_as_flink(job, "trip_totals", total("k", 2), made.schema), /does not exist/);
        await upsert_as_flink(job, "trip_totals", total("k", 1), live.schema);
        // A door that was closed is never opened to other tables.
        await begin_flink_model(of, "v2");
        assert.ok((await find_door(database, "v2"))!.number > made.number);
      } finally {
        for (const each of [job, reader]) await each.close();
        await superuser.script(`drop owned by ${role}; drop role ${role}`);
        await superuser.close();
      }
    }),
});

/** Rows of totals, of both. */
async function counts_of(database: OpenedDatabase): Promise<{ live: number; made: number }> {
  const [row] = await database.query(
    "select (select count(*) from trip_totals)::int as live, (select count(*) from trip_totals_v2)::int as made",
  );
  return { live: Number(row?.live), made: Number(row?.made) };
}

tacho_test({
  name: "tables beside the live ones are compared row by row; where nothing is in a cell any more it counts as none",
  needs: ["postgres"],
  fn: () =>
    with_given(async (database) => {
      const of = { database, domain: TRIPS.make({ currency: "USD" }) };
      await begin_flink_model(of, "v2");
      const { schema } = (await find_door(database, "v2"))!;
      for (const [key, completed] of [["a", 1], ["b", 2], ["gone", 3]] as const) {
        await upsert_as_flink(database, "trip_totals", total(key, completed));
      }
      await database.execute("delete from trip_totals where key = 'gone'");
      await upsert_as_flink(database, "trip_totals", total("a", 1), schema);
      const part = "trip_totals driver";
      const found = async () => (await compare_flink_models(of, "v2")).find((each) => each.part === part);
      const none = { part, compared: 2, different: 0, in_live_alone: 0, in_made_alone: 0, examples: [] as string[] };
      assert.deepEqual(await found(), { ...none, different: 1, in_live_alone: 1 });
      await upsert_as_flink(database, "trip_totals", total("b", 5), schema);
      await upsert_as_flink(database, "trip_totals", total("new", 5), schema);
      const examples = ["driver b: live has completed 2; the other completed 5"];
      assert.deepEqual(await found(), { ...none, compared: 3, different: 2, in_made_alone: 1, examples });
      await upsert_as_flink(database, "trip_totals", total("b", 2), schema);
      await database.execute(`delete from ${schema}.trip_totals where key = 'new'`);
      assert.deepEqual(await found(), none);
    }),
});
