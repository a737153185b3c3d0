import assert from "node:assert/strict";
import { type Database, migrate, migrations_of, open_database } from "../../src/database/mod.ts";
import { TRIPS } from "../../src/domains/trips/mod.ts";
import { settle_deployment } from "../../src/event_log/mod.ts";
import { needs, tacho_test } from "../support/available.ts";
import { earlier_absence, take_earlier } from "../support/earlier_program.ts";
import { invented } from "../support/generated_log.ts";
import { hold } from "../support/hold.ts";
import { shared_postgres } from "../support/postgres.ts";
import { is_ready, run_tacho, run_verb, TachoProgram } from "../support/tacho_program.ts";
import { feed, LIMITS, message, trip_pipeline } from "../support/trip_pipeline.ts";
import { until } from "../support/until.ts";

/** Removal of cells by the real program: killed in its middle, two at once, beside ingest. */

const TOKEN = "a token of sixteen and more";
const trip = (id: string, at: string, more: Readonly<Record<string, unknown>> = {}) => ({
  event_id: `${id} ${at}`,
  type: "trip.completed",
  trip_id: id,
  occurred_at: at,
  city: "Chicago",
  fare: "10.00",
  ...more,
});

const metrics_of = async (url: string): Promise<string> =>
  await (await fetch(`${url}metrics`, { headers: { authorization: `Bearer ${TOKEN}` } })).text();

/** Four hours of trips on one day, and one trip two days later: by then cells of minutes are kept from the day between on. */
const VALUES = invented(TRIPS, 4);
async function log_of(url: string): Promise<Database> {
  const database = await open_database({ url, data_dir: null, connections: 3 });
  await migrate(database, migrations_of("trips"));
  await settle_deployment(database, { time_zone: "UTC", currency: "USD" });
  const pipeline = trip_pipeline(database, () => Date.UTC(2026, 2, 4, 1), LIMITS, new Map(), "UTC");
  const messages = [...VALUES, trip("last", "2026-03-04T00:30:00Z")].map((each, offset) => message(offset, each));
  await feed(pipeline, [{ topic: "trips", partition: 0, from_offset: 0, next_offset: messages.length, messages }]);
  return database;
}
const KEPT_FROM = Date.UTC(2026, 2, 3) / 1000;

const fine = async (database: Database): Promise<number> => {
  const [row] = await database.query(
    `select (select count(*) from trip_cells where ${OLD}) + (select count(*) from trip_sketches where ${OLD}) as rows`,
  );
  return Number(row?.rows);
};
const OLD = `grain in ('1m', '5m') and bucket < to_timestamp(${KEPT_FROM})`;

const post = async (url: string, event: unknown): Promise<void> => {
  const response = await fetch(`${url}api/v1/events`, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${TOKEN}` },
    body: JSON.stringify([event]),
  });
  assert.equal(response.status, 200, await response.text());
};

tacho_test({
  name:
    "cells that are not kept any more are removed beside ingest, through kill -9 in the middle and by two instances at once, and nothing else is",
  needs: ["postgres"],
  limit_ms: 240_000,
  async fn() {
    const server = await shared_postgres();
    const [{ url }, { url: whole_url }] = [await server.create_database(), await server.create_database()];
    const database = await log_of(url), whole = await log_of(whole_url);
    const holding = await open_database({ url, data_dir: null, connections: 1 });
    const env = { DATABASE_URL: url, TACHO_KEEP_CELLS: "1m:1d,5m:1d", TACHO_TOKEN: TOKEN };
    try {
      const before = await fine(database);
      assert.ok(before > 5_000, `${before} rows`);
      /** Runs what is to happen while the removal waits for a row in its middle. */
      const in_the_middle = async (work: (release: () => Promise<void>) => Promise<void>) => {
        const release = await hold(
          holding,
          `select from trip_cells where ${OLD} and grain = '5m' and dimension = 'city' limit 1 for update`,
        );
        try {
          await work(release);
        } finally {
          await release();
        }
      };
      await in_the_middle(async () => {
        await using first = await TachoProgram.serve("start", { env });
        await first.brings(until("some are removed", async () => await fine(database) < before));
        const left = await fine(database);
        assert.ok(left > 0, "not all of them");
        await first.kill_nine();
      });
      await in_the_middle(async (release) => {
        await using two = await TachoProgram.serve("start", { env });
        await using three = await TachoProgram.serve("start", { env });
        await until("cells of minutes are gone", async () => {
          const [row] = await database.query(
            `select exists (select from trip_cells where ${OLD} and grain = '1m') as left`,
          );
          return row?.left === false;
        });
        assert.ok(await fine(database) > 0);
        for (const program of [two, three]) {
          await until("it is ready", () => is_ready(program.url));
          // Of a removed minute, and of one that is kept; neither waits for the removal.
          await post(program.url, trip(`late ${program.url}`, "2026-03-02T12:34:56Z", { fare: "7.00" }));
          await post(program.url, trip(`now ${program.url}`, "2026-03-04T00:31:00Z"));
        }
        await release();
        await until("all are removed", async () => await fine(database) === 0);
        await until("both say so", async () => {
          const said = await Promise.all([two, three].map(({ url }) => metrics_of(url)));
          const removed = said.map((text) => Number(/^tacho_cells_removed_total (\d+)$/m.exec(text)?.[1]));
          return said.every((text) =>
            text.includes(`tacho_cells_kept_from_seconds{grain="1m"} ${KEPT_FROM}`) &&
            text.includes(`tacho_cells_kept_from_seconds{grain="5m"} ${KEPT_FROM}`) &&
            /^tacho_cells_removing 0$/m.test(text)
          ) && removed.every((rows) => Number.isInteger(rows)) && removed.some((rows) => rows > 0);
        });
        assert.deepEqual([await two.term(), await three.term()], [0, 0]);
      });
      // Coarser ones are those of a log that has the same trips and all of its cells.
      const coarse = (of: Database) =>
        of.query(
          `select grain, extract(epoch from bucket)::bigint as at, dimension, key, trips, completed, fare_sum_micros, fare_min_micros, fare_max_micros
            from trip_cells where not (${OLD}) and dimension = 'none' order by 1, 2, 3, 4`,
        );
      const late = [await coarse(whole), await coarse(database)].map((rows) =>
        rows.find(({ grain, at }) => grain === "1h" && Number(at) === Date.UTC(2026, 2, 2, 12) / 1000)
      );
      assert.equal(Number(late[1]!.completed), Number(late[0]!.completed) + 2, "late trips count in their hour");
      assert.equal(
        BigInt(late[1]!.fare_sum_micros as string) - BigInt(late[0]!.fare_sum_micros as string),
        14_000_000n,
      );
      const days = async (of: Database) => (await coarse(of)).filter(({ grain }) => grain === "1d").map(({ at }) => at);
      assert.deepEqual(await days(database), await days(whole));
      assert.match(
        (await run_verb(["verify"], { env })).stdout,
        /^consistent: .*; not checked: cells of 1m before 2026-03-03T00:00:00.000000Z, not kept, cells of 5m before 2026-03-03/,
      );
      const { stdout } = await run_verb(["rebuild"], { env });
      assert.match(stdout, /all \d+ rows are those of the live one/);
      await run_verb(["rebuild", "--drop"], { env });
      await run_verb(["rebuild", "--all-cells", "--switch"], { env });
      assert.ok(await fine(database) >= before, "all of them are back");
      assert.match((await run_verb(["verify"], { env })).stdout, /^consistent: (?!.*not checked)/);
      const wrong = await run_tacho(["serve"], { env: { ...env, TACHO_KEEP_CELLS: "1h:30d" } });
      assert.equal(wrong.code, 2);
      assert.match(wrong.stderr, /TACHO_KEEP_CELLS: .*hours, days and all of time are kept for ever, got "1h:30d"/);
    } finally {
      for (const each of [holding, database, whole]) await each.close();
    }
  },
});

/** The last version that kept all cells: it writes for the 33rd schema. */
const EARLIER = "df0f528152925c1e056197b46dd2914e035732c7";

tacho_test({
  name:
    "of versions and settings that are there at once the newest schema and the latest time hold: an earlier program ends and writes nothing more, one without the setting brings no cell back",
  needs: ["postgres"],
  unless: needs("postgres") ?? await earlier_absence(EARLIER),
  limit_ms: 240_000,
  async fn() {
    const { url } = await (await shared_postgres()).create_database();
    const env = { DATABASE_URL: url, TACHO_TOKEN: TOKEN }, keeping = { ...env, TACHO_KEEP_CELLS: "1m:1d,5m:1d" };
    const database = await open_database({ url, data_dir: null, connections: 1 });
    const one = async (sql: string) => (await database.query(sql))[0]!;
    const position = async () => Number((await one("select position from log_head")).position);
    const kept = async () => {
      const row = await one(
        "select extract(epoch from kept_1m_from)::bigint as m, extract(epoch from kept_5m_from)::bigint as f from log_head",
      );
      return [row.m, row.f].map((at) => at === null ? null : Number(at));
    };
    /** What cells say of the hour that trips come late to, and of all of time. */
    const counted = () =>
      database.query(
        `select grain, completed::int, fare_sum_micros::text as fares from trip_cells
          where dimension = 'none' and (grain = 'all' or grain = '1h' and bucket = '2026-03-02T12:00:00Z') order by grain`,
      );
    try {
      await using version = await take_earlier(EARLIER);
      await using earlier = await version.serve("start", env);
      await until("it is ready", () => is_ready(earlier.url));
      const told = ["2026-03-02T12:00:30Z", "2026-03-02T12:34:30Z", "2026-03-04T00:30:00Z"];
      for (const at of told) await post(earlier.url, trip(at, at));
      assert.ok(await fine(database) > 0);

      await run_verb(["migrate"], { env });
      const before = await position();
      {
        await using plain = await TachoProgram.serve("start", { env });
        await using removing = await TachoProgram.serve("start", { env: keeping });
        await removing.brings(until("what is not kept is gone", async () => await fine(database) === 0, 60_000));
        assert.deepEqual(await kept(), [KEPT_FROM, KEPT_FROM]);
        assert.equal(await earlier.brings(earlier.ended), 2);
        assert.match(earlier.stderr, /writes for schema 33, the database is at \d+: start the newer program/);
        assert.equal(await position(), before, "it wrote nothing more");
        // One that knows nothing of the setting.
        await until("it is ready", () => is_ready(plain.url));
        await post(plain.url, trip("late", "2026-03-02T12:34:56Z", { fare: "7.00" }));
        await post(plain.url, trip("days on", "2026-03-09T00:30:00Z"));
        assert.deepEqual([await fine(database), await kept()], [0, [KEPT_FROM, KEPT_FROM]]);
        assert.deepEqual(await counted(), [
          { grain: "1h", completed: 3, fares: "27000000" },
          { grain: "all", completed: 5, fares: "47000000" },
        ]);
        assert.deepEqual([await removing.term(), await plain.term()], [0, 0]);
      }
      // A longer age brings nothing back and is no longer time than that of the cells that are there.
      await using longer = await TachoProgram.serve("start", { env: { ...env, TACHO_KEEP_CELLS: "1m:30d,5m:40d" } });
      await until("it is ready", () => is_ready(longer.url));
      await until(
        "it has looked",
        async () => /^tacho_cells_kept_from_seconds\{grain="1m"\} (\d+)$/m.test(await metrics_of(longer.url)),
      );
      assert.deepEqual(await kept(), [KEPT_FROM, KEPT_FROM]);
      await post(longer.url, trip("later still", "2026-03-02T12:59:59Z"));
      assert.deepEqual([await fine(database), (await counted())[0]!.completed], [0, 4]);
      assert.equal(await longer.term(), 0);
      assert.match(
        (await run_verb(["verify"], { env })).stdout,
        /^consistent: .*; not checked: cells of 1m before 2026-03-03/,
      );
    } finally {
      await database.close();
    }
  },
});
