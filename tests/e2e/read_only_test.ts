import assert from "node:assert/strict";
import { type Database, open_database, SCHEMA_NUMBER } from "../../src/database/mod.ts";
import { tacho_test } from "../support/available.ts";
import { link_checkout } from "../support/checkout.ts";
import { give_embedded } from "../support/embedded.ts";
import { FrameReader } from "../support/feed_client.ts";
import { shared_postgres, start_postgres } from "../support/postgres.ts";
import { get_json, run_verb, type ServingProgram, TachoProgram } from "../support/tacho_program.ts";
import { until } from "../support/until.ts";

/** `serve --read-only`: the page and the API over a log that another program writes. */

const TACHO_TOKEN = "0123456789abcdef";
const READ_ONLY = ["--read-only"];

const trip = (trip_id: string, minute: number) =>
  JSON.stringify({
    event_id: `e-${trip_id}`,
    type: "trip.completed",
    trip_id,
    occurred_at: `2026-03-01T10:${String(minute).padStart(2, "0")}:00Z`,
    fare: "12.50",
    city: "Chicago",
  });

/** Replays so many trips of a name into the log of an environment. */
async function replay_trips(env: Record<string, string>, name: string, count: number): Promise<void> {
  const checkout = await link_checkout();
  await using _ = { [Symbol.asyncDispose]: () => checkout.dispose() };
  const lines = Array.from({ length: count }, (_, i) => trip(`${name}-${i}`, i));
  Deno.writeTextFileSync(`${checkout.path}/own.ndjson`, lines.join("\n"));
  await run_verb(["replay", "--to", "log", "own.ndjson"], { env, folder: checkout.path });
}

async function with_superuser<T>(url: string, work: (database: Database) => Promise<T>): Promise<T> {
  const database = await open_database({ url, data_dir: null, connections: 1 });
  try {
    return await work(database);
  } finally {
    await database.close();
  }
}

const position = async ({ url }: ServingProgram): Promise<number> =>
  (await get_json(`${url}api/v1/board?range=1h`) as { position: number }).position;

/** Everything that a page asks for is answered, nothing is taken in, and it says that it only reads. */
async function assert_reads(program: ServingProgram, trips: number): Promise<void> {
  const { url } = program;
  const ready = await fetch(`${url}readyz`);
  assert.deepEqual([ready.status, await ready.json()], [
    200,
    { status: "ok", remarks: ["this program only reads; another one writes the log"] },
  ]);
  assert.equal(await position(program), trips);
  const day = await get_json(`${url}api/v1/kpis/daily?date=2026-03-01`) as { trip_count: number };
  assert.equal(day.trip_count, trips);
  const listed = await get_json(`${url}api/v1/trips`) as { trips: { trip_id: string }[] };
  assert.equal(listed.trips.length, trips);
  const one = await get_json(`${url}api/v1/trips/${listed.trips[0]!.trip_id}`) as { events: unknown[] };
  assert.equal(one.events.length, 1);
  const range = "from=2026-03-01T00:00:00Z&to=2026-03-02T00:00:00Z";
  for (const path of ["city=Chicago&", "city=Chicago&payment_method=unknown&", "as_of_position=1&"]) {
    await get_json(`${url}api/v1/board?${path}${range}`);
  }
  await get_json(`${url}api/v1/events`);
  const posted = await fetch(`${url}api/v1/events`, {
    method: "POST",
    headers: { authorization: `Bearer ${TACHO_TOKEN}`, "content-type": "application/json" },
    body: trip("posted", 0),
  });
  assert.equal(posted.status, 403);
  assert.match(
    await posted.text(),
    /this server only reads \(tacho serve --read-only\): send events to the one that writes/,
  );
  const reader = new FrameReader((await fetch(`${url}api/v1/feed`)).body!);
  const { data } = await reader.until("hello");
  await reader.cancel();
  const { ingest, lag, events_per_s } = data.health as Record<string, Record<string, unknown>>;
  assert.deepEqual([ingest!.source, ingest!.state, lag, events_per_s], ["elsewhere", "running", null, null]);
  assert.match(await (await fetch(`${url}metrics`)).text(), /^tacho_source_lag (?:NaN|Nan)$/m);
  assert.doesNotMatch(program.stderr, /error|warn/);
}

tacho_test({
  name:
    "serve --read-only: a role that may only select follows a log of another time zone and currency, and writes nothing",
  needs: ["postgres"],
  async fn() {
    const { name, url, superuser_url } = await (await shared_postgres()).create_database();
    const env = { DATABASE_URL: url, TACHO_TIME_ZONE: "America/New_York", TACHO_CURRENCY: "EUR" };
    await replay_trips(env, "one", 3);
    const role = `${name}_reader`;
    await with_superuser(
      superuser_url,
      (database) => database.script(`create role ${role} login; select grant_to_reader('${role}')`),
    );
    const reader_url = url.replace("//tacho@", `//${role}@`);
    {
      await using writer = TachoProgram.spawn("start", { env: { DATABASE_URL: reader_url } });
      assert.equal(await writer.ended, 2, writer.stderr);
      assert.match(
        writer.stderr,
        /permission denied for table .*\n {2}a role that only reads can `tacho serve --read-only`/,
      );
    }
    // It also reads where brokers are set: they are none of its business.
    const reading = { DATABASE_URL: reader_url, KAFKA_BROKERS: "127.0.0.1:1" };
    await using program = await TachoProgram.serve("start", { env: reading, args: READ_ONLY });
    await assert_reads(program, 3);
    await replay_trips(env, "two", 2);
    await until("it follows", async () => await position(program) === 5);
    const { time_zone, currency } = await get_json(`${program.url}api/v1/board?range=1h`) as Record<string, unknown>;
    assert.deepEqual([time_zone, currency], ["America/New_York", "EUR"]);
    assert.equal(await program.term(), 0);
    await with_superuser(superuser_url, (database) => database.script(`drop owned by ${role}; drop role ${role}`));
  },
});

tacho_test({
  name: "serve --read-only: a standby is followed, and still only read when it is promoted",
  needs: ["postgres"],
  limit_ms: 240_000,
  async fn() {
    await using primary = await start_postgres({ fsync: false });
    const { url } = await primary.create_database();
    await replay_trips({ DATABASE_URL: url }, "one", 3);
    await using standby = await start_postgres({ fsync: false, standby_of: primary });
    const standby_url = url.replace(new URL(url).host, new URL(standby.superuser_url).host);
    await using program = await TachoProgram.serve("start", {
      // The writer's settings, on a machine without its files.
      env: { DATABASE_URL: standby_url, TACHO_MAPPINGS: "trips=absent.json", TACHO_LOOKUPS: "drivers=absent.csv" },
      args: READ_ONLY,
    });
    await assert_reads(program, 3);
    await replay_trips({ DATABASE_URL: url }, "two", 2);
    await until("it follows", async () => await position(program) === 5);
    await with_superuser(standby.superuser_url, (database) => database.query("select pg_promote()"));
    await assert_reads(program, 5);
    await replay_trips({ DATABASE_URL: standby_url }, "three", 1);
    await until("it reads on", async () => await position(program) === 6);
    await standby.kill_nine();
    await until("it is not ready", async () => (await fetch(`${program.url}readyz`)).status === 503);
    await standby.restart();
    await until("it is ready again", async () => (await fetch(`${program.url}readyz`)).status === 200, 30_000);
    assert.equal(await program.term(), 0);
  },
});

tacho_test({
  name: "serve --read-only: ends with one sentence where the database is at another schema, at the start and later",
  needs: ["postgres"],
  async fn() {
    const { url } = await (await shared_postgres()).create_database();
    const env = { DATABASE_URL: url };
    const refused = async (sentence: string) => {
      await using program = TachoProgram.spawn("start", { env, args: READ_ONLY });
      assert.equal(await program.ended, 2, program.stderr);
      assert.equal(program.stderr, `tacho: ${sentence}\n`);
    };
    const reads = `this program reads ${SCHEMA_NUMBER}`;
    await refused("this database holds no log yet: start the program that writes it first");
    await run_verb(["migrate"], { env });
    await refused("this log was never begun: start the program that writes it first");
    await replay_trips(env, "one", 3);
    await with_superuser(url, async (database) => {
      const at = (number: number) => database.execute("update log_head set schema_number = $1", [number]);
      await at(11);
      await refused(`this database is at schema 11, ${reads}: start the newer writer first`);
      await at(SCHEMA_NUMBER);
      await using program = await TachoProgram.serve("start", { env, args: READ_ONLY });
      await at(99);
      assert.equal(await program.brings(program.ended), 2);
      const later = `this database is at schema 99, ${reads}: start the newer program`;
      assert.equal(program.stderr.trimEnd().split("\n").at(-1), `tacho: ${later}`);
      await refused(later);
      await database.script("alter table log_head rename column schema_number to schema_number_before");
      await refused(`this database is at schema 8 or less, ${reads}: start the newer writer first`);
    });
  },
});

tacho_test({
  name: "serve --read-only: an embedded log is read and stays as it was",
  async fn() {
    const checkout = await link_checkout();
    const folder = checkout.path;
    await using _ = { [Symbol.asyncDispose]: () => checkout.dispose() };
    await give_embedded(`${folder}/.tacho`);
    Deno.writeTextFileSync(`${folder}/own.ndjson`, [trip("a", 1), trip("b", 2)].join("\n"));
    await run_verb(["replay", "--to", "log", "own.ndjson"], { folder });
    await using program = await TachoProgram.serve("start", { folder, args: READ_ONLY });
    await assert_reads(program, 2);
    assert.equal(await program.term(), 0);
  },
});
