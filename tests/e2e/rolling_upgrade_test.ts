import assert from "node:assert/strict";
import { type Database, FILLING, open_database, read_unfilled, SCHEMA_NUMBER } from "../../src/database/mod.ts";
import { needs, tacho_test } from "../support/available.ts";
import { earlier_absence, take_earlier } from "../support/earlier_program.ts";
import { FrameReader } from "../support/feed_client.ts";
import { hold } from "../support/hold.ts";
import { shared_postgres } from "../support/postgres.ts";
import { is_ready, run_tacho, run_verb, TachoProgram } from "../support/tacho_program.ts";
import { feed, migrated, TEST_TIME_ZONE, trip_pipeline } from "../support/trip_pipeline.ts";
import { until } from "../support/until.ts";
import { batch, fill, killed_after, LATER, upgrade_from, with_databases } from "../support/upgraded_trips.ts";

/** Two versions of the program on one database, as a rolling upgrade has them for a while. Generated trips go in, no broker is needed. */

/** The last version that named no schema: it writes for the eighth. */
const EARLIER = "1afa226d20dc5b5267e670ccd3257b0bc56b154a";
const EARLIER_SENTENCE = /this program writes for schema 8 or less, the database is at \d+: start the newer program/;

async function with_database(work: (database: Database, env: Record<string, string>) => Promise<void>): Promise<void> {
  const { url } = await (await shared_postgres()).create_database();
  const database = await open_database({ url, data_dir: null, connections: 2 });
  try {
    await work(database, { DATABASE_URL: url });
  } finally {
    await database.close();
  }
}

const head = async (database: Database) => {
  const [row] = await database.query(
    "select position::int as position, (select count(*)::int from quarantine) as held from log_head",
  );
  return row as { position: number; held: number };
};
const until_past = (database: Database, position: number) =>
  until(`the log is past ${position}`, async () => (await head(database)).position > position, 60_000);

tacho_test({
  name:
    "an instance whose database is migrated by a newer program ends with one sentence and exit code 2; so does one that is started then",
  needs: ["postgres"],
  fn: () =>
    with_database(async (database, env) => {
      await using program = await TachoProgram.serve("dev", { env, args: ["--generate"] });
      await program.brings(until_past(database, 0));
      await database.execute("update log_head set schema_number = 99");
      assert.equal(await program.brings(program.ended), 2);
      const sentence =
        `this program writes for schema ${SCHEMA_NUMBER}, the database is at 99: start the newer program`;
      assert.equal(program.stderr.trimEnd().split("\n").at(-1), `tacho: ${sentence}`);
      await database.execute("insert into schema_migrations (version, name, checksum) values (99, 'later', '')");
      const { position } = await head(database);
      for (const verb of [["serve"], ["migrate"], ["verify"]]) {
        const ended = await run_tacho(verb, { env: { ...env, KAFKA_BROKERS: "127.0.0.1:1" } });
        assert.equal(ended.code, 2, ended.stderr);
        assert.match(ended.stderr, /has migration 99 \(later\), this program knows up to \d+; run a newer tacho/);
      }
      assert.deepEqual(await head(database), { position, held: 0 });
    }),
});

tacho_test({
  name: "`rebuild sketches` makes them what the trips say, while the program runs",
  needs: ["postgres"],
  fn: () =>
    with_database(async (database, env) => {
      await using program = await TachoProgram.serve("dev", { env, args: ["--generate"] });
      await program.brings(until_past(database, 500));
      await database.execute("delete from trip_sketches where grain = '1h'");
      await assert.rejects(run_verb(["verify"], { env }), /trip_sketches 1h/);
      const { stdout, stderr } = await run_verb(["rebuild", "sketches"], { env });
      assert.equal(stdout, "rebuilt the sketches\n");
      assert.match(stderr, /make sketches anew, trips: \[#+\] 100 %, \d+ of \d+, \d+\/s/);
      await run_verb(["verify"], { env });
      assert.equal(await program.term(), 0);
    }),
});

tacho_test({
  name:
    "the version before this rule, still running when the database is migrated, writes nothing more, sets nothing aside and says why",
  needs: ["postgres"],
  unless: needs("postgres") ?? await earlier_absence(EARLIER),
  fn: () =>
    with_database(async (database, env) => {
      await using version = await take_earlier(EARLIER);
      await using earlier = await version.serve("dev", env);
      await earlier.brings(until_past(database, 0));
      await run_verb(["migrate"], { env });
      const at = (await head(database)).position;
      await earlier.brings(until("it says why", () => EARLIER_SENTENCE.test(earlier.stderr), 60_000));
      const probe = await fetch(`${earlier.url}readyz`);
      assert.equal(probe.status, 503);
      assert.match(await probe.text(), EARLIER_SENTENCE);

      await using program = await TachoProgram.serve("dev", { env, args: ["--generate"] });
      await program.brings(until_past(database, at));
      await program.brings(until("it is ready", () => is_ready(program.url)));
      assert.ok(earlier.running, "it waits until it is replaced");
      assert.equal(await earlier.term(), 0);
      assert.equal(await program.term(), 0);
      assert.equal((await head(database)).held, 0);
      await run_verb(["verify"], { env });
    }),
});

const TOKEN = "0123456789abcdef";
const authorization = `Bearer ${TOKEN}`;
/** Trips of the last hours, each started ten minutes after it was asked for. */
const waited = (trip: number) => {
  const at = (minutes: number) => new Date(Date.now() + (minutes - 120 + trip % 60) * 60_000).toISOString();
  const told = (type: string, minutes: number, data: Record<string, unknown> = {}) => (
    { event_id: type, trip_id: `T-${trip}`, type: `trip.${type}`, occurred_at: at(minutes), ...data }
  );
  return [
    told("requested", 0, { passenger_id: `P${trip}` }),
    told("started", 10, { city: "Boston", driver_id: `D${trip % 9}` }),
    told("completed", 20, { fare: "5", distance_km: 3 }),
  ];
};

tacho_test({
  name:
    "a log of an earlier version is served while it is filled in: what is not known is said and how far that is, events are taken in, kill -9 and two programs harm nothing, viewers hear all in the end",
  needs: ["postgres"],
  limit_ms: 300_000,
  fn: () =>
    with_databases(async (open, create) => {
      const old = await open((await create(migrated)).url), trips = 200;
      const past = Array.from({ length: trips }, (_, i) => waited(i)).flat();
      await feed(trip_pipeline(old, () => Date.now(), LATER), [batch("a", past)]);
      const { url, superuser_url } = await create(), database = await open(url), superuser = await open(superuser_url);
      await upgrade_from("waiting", old, database, superuser);
      await assert.rejects(fill(database, killed_after(4)), /^Error: killed$/);
      const [row] = await database.query<{ percent: number }>(
        `select (100 * model.position / head.position)::int as percent from read_models model, log_head head`,
      );
      const rebuilding = { name: FILLING, percent: row!.percent, fault: null, fills: ["Average waiting"] };
      assert.ok(row!.percent > 0 && row!.percent < 100, `${row!.percent}`);
      // Held up: who makes the tables cannot say how far it has come.
      const release = await hold(superuser, "lock table read_models in share mode");
      await using _ = { [Symbol.asyncDispose]: release };
      const env = { DATABASE_URL: url, TACHO_TIME_ZONE: TEST_TIME_ZONE, TACHO_TOKEN: TOKEN };
      // deno-lint-ignore no-explicit-any -- JSON that the test looks into
      const said = async (of: TachoProgram & { readonly url: string }, path: string): Promise<any> =>
        await (await fetch(`${of.url}${path}`, { headers: { authorization } })).json();
      const post = async (of: { readonly url: string }, events: readonly unknown[]) => {
        const body = JSON.stringify(events), headers = { authorization, "content-type": "application/json" };
        const answer = await fetch(`${of.url}api/v1/events`, { method: "POST", headers, body });
        assert.equal(answer.status, 200, await answer.text());
      };
      const cards = async (of: TachoProgram & { readonly url: string }) => {
        const { cards: { completed, average_waiting_min: waiting } } = await said(of, "api/v1/board?range=24h");
        return { completed, waiting };
      };
      {
        await using first = await TachoProgram.serve("start", { env });
        await first.brings(until("it is ready", () => is_ready(first.url)));
        assert.deepEqual((await said(first, "api/v1/health")).rebuilding, rebuilding);
        const { remarks } = await said(first, "readyz");
        assert.match(
          JSON.stringify(remarks),
          new RegExp(`not known yet: Average waiting; filled in to ${row!.percent} %`),
        );
        assert.deepEqual(await cards(first), { completed: trips, waiting: null });
        // New trips, and what changes trips whose waiting is in no cell.
        await post(first, [...waited(trips), {
          ...waited(3)[2],
          event_id: "more",
          type: "trip.fare_adjusted",
          fare: "9",
        }]);
        await post(first, [{ ...waited(5)[0], event_id: "earlier" }, { ...waited(7)[1], event_id: "later" }]);
        await until("they are counted", async () => (await cards(first)).completed === trips + 1);
        assert.equal((await cards(first)).waiting, null);
        const refused = await run_tacho(["export", "daily", "--out", ".tacho/none"], { env });
        assert.equal(refused.code, 2, refused.stderr);
        assert.match(refused.stderr, /this database is being filled in \(later_value; \d+ %\)/);
        await first.kill_nine();
      }
      await using second = await TachoProgram.serve("start", { env });
      await using third = await TachoProgram.serve("start", { env });
      const frames = new FrameReader(
        (await fetch(`${second.url}api/v1/feed?range=24h`, { headers: { authorization } })).body!,
      );
      const hello = await frames.until("hello");
      assert.deepEqual([hello.data.cards.average_waiting_min, hello.data.cards.completed], [null, trips + 1]);
      assert.deepEqual(hello.data.health.rebuilding.fills, ["Average waiting"]);
      const metrics = await (await fetch(`${third.url}metrics`, { headers: { authorization } })).text();
      assert.match(metrics, /^tacho_filled_percent [1-9]\d?$/m);
      await release();
      await until("it lacks nothing", async () => (await read_unfilled(database)).names.length === 0);
      // Who watched is sent away, and comes back to all figures.
      await frames.until("bye");
      for (const program of [second, third]) {
        await program.brings(until("it tells all", async () => (await cards(program)).waiting !== null));
        assert.equal("rebuilding" in await said(program, "api/v1/health"), false);
        await post(program, waited(trips + program.pid));
      }
      await until("all are counted", async () => (await cards(second)).completed === trips + 3);
      assert.equal(await second.term(), 0);
      assert.equal(await third.term(), 0);
      assert.match((await run_verb(["verify"], { env })).stdout, /^consistent/);
    }),
});
