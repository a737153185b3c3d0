import assert from "node:assert/strict";
import { type Database, open_database } from "../../src/database/mod.ts";
import { DOMAINS, schema_of } from "../../src/verbs/domains.ts";
import { tacho_test } from "../support/available.ts";
import { link_checkout } from "../support/checkout.ts";
import { FrameReader } from "../support/feed_client.ts";
import { copy_as_flink, of_board, RANGE, upsert_as_flink } from "../support/flink_tables.ts";
import { hostile_messages } from "../support/hostile_messages.ts";
import { invented, make_log } from "../support/generated_log.ts";
import { shared_kafka, unique_name } from "../support/kafka.ts";
import { shared_postgres } from "../support/postgres.ts";
import { get_json, run_tacho, run_verb, TachoProgram } from "../support/tacho_program.ts";
import { send_placed } from "../support/topic_writer.ts";
import { until } from "../support/until.ts";

/** `serve --read-model flink`: the page and the API over tables that a Flink job writes. What stands in for the job writes what the log's program made. */

const NAMES = DOMAINS.map(({ name }) => name).join(",");
type Json = Record<string, unknown>;

/** A database that Flink writes, of all domains, and a log of each with the same in it; the tables are filled in. */
async function with_both(work: (log_url: string, flink_url: string) => Promise<void>): Promise<void> {
  const postgres = await shared_postgres();
  const { url: log_url } = await postgres.create_database(), { url: flink_url } = await postgres.create_database();
  for (const domain of DOMAINS) {
    const log = await make_log(log_url, domain, invented(domain, 1), 1_000);
    const [, ...words] = domain.name === DOMAINS[0].name ? [""] : ["", "--domain", domain.name];
    await run_verb([...words, "migrate"], { env: { DATABASE_URL: flink_url, TACHO_READ_MODEL: "flink" } });
    const flink = await open(flink_url, domain);
    try {
      const { states, cells, totals } = domain.make({ currency: "USD" }).tables;
      for (const table of [states, cells, ...totals === null ? [] : [totals]]) {
        assert.ok(await copy_as_flink(log, flink, table) > 0, table);
      }
    } finally {
      await log.close();
      await flink.close();
    }
  }
  await work(log_url, flink_url);
}

const open = (url: string, domain: typeof DOMAINS[number]): Promise<Database> =>
  open_database({ url, data_dir: null, connections: 1, schema: schema_of(domain) });

const base_of = (url: string, { name }: { readonly name: string }) => name === DOMAINS[0].name ? url : `${url}${name}/`;

/** The ids of all streams, from all pages of their list. */
async function listed(url: string, { name, make }: typeof DOMAINS[number]): Promise<string[]> {
  const { stream_column } = make({ currency: "USD" }), ids: string[] = [];
  for (let cursor: string | null = "";;) {
    const page = await get_json(`${url}api/v1/${name}?limit=500${cursor === "" ? "" : `&cursor=${cursor}`}`) as Json;
    ids.push(...(page[name] as Json[]).map((each) => String(each[stream_column])));
    cursor = page.next_cursor as string | null;
    if (cursor === null) return ids.sort();
  }
}

const status = async (url: string): Promise<[number, string]> => {
  const response = await fetch(url);
  return [response.status, await response.text()];
};

tacho_test({
  name: "serve --read-model flink: of every domain boards, filters, lists and documents are those of the log's program",
  needs: ["postgres"],
  limit_ms: 240_000,
  fn: () =>
    with_both(async (log_url, flink_url) => {
      const env = { TACHO_DOMAINS: NAMES };
      await using own = await TachoProgram.serve("start", {
        env: { ...env, DATABASE_URL: log_url },
        args: ["--read-only"],
      });
      await using flink = await TachoProgram.serve("start", {
        env: { ...env, DATABASE_URL: flink_url },
        args: ["--read-model", "flink"],
      });
      for (const { url } of [own, flink]) {
        await until("all are ready", async () => (await fetch(`${url}readyz`)).status === 200, 60_000);
      }
      for (const domain of DOMAINS) {
        const both = (path: string) =>
          Promise.all([own, flink].map(async ({ url }) => await get_json(`${base_of(url, domain)}${path}`) as Json));
        const [whole] = await both(`api/v1/board?${RANGE}`);
        const [first, second] = (whole!.breakdowns as { dimension: string; rows: { key: string }[] }[]).filter((each) =>
          each.rows[0]?.key != null
        );
        const filter = `${first!.dimension}=${encodeURIComponent(first!.rows[0]!.key)}`;
        const crossed = `${filter}&not_${second!.dimension}=nothing`;
        for (const query of [RANGE, `${RANGE}&${filter}`, `${RANGE}&${crossed}`]) {
          const [theirs, ours] = await both(`api/v1/board?${query}`);
          assert.deepEqual(of_board(ours!), of_board(theirs!), `${domain.name} ${query}`);
          assert.equal((of_board(ours!) as { lines: boolean }).lines, true);
        }
        const [theirs, ours] = await Promise.all([own, flink].map(({ url }) => listed(base_of(url, domain), domain)));
        assert.deepEqual(ours, theirs);
      }
      await flink.term();
      assert.doesNotMatch(flink.stderr, /error/);
    }),
});

const TRIP = { trip_id: "T-1", status: "completed", requested_at: "2026-03-02T12:00:00Z", last_event_id: "e1" };
const CELL = { grain: "5m", bucket: "2026-03-02T12:00:00Z", dimension: "none", key: "all" };

/** A database that Flink writes, with no rows, and its program. */
async function with_flink(
  work: (program: { readonly url: string }, database: Database, env: Record<string, string>) => Promise<void>,
  more: Readonly<Record<string, string>> = {},
): Promise<void> {
  const { url } = await (await shared_postgres()).create_database();
  const env = { DATABASE_URL: url, ...more };
  await run_verb(["migrate"], { env: { ...env, TACHO_READ_MODEL: "flink" } });
  const database = await open(url, DOMAINS[0]);
  try {
    await using program = await TachoProgram.serve("start", { env: { ...env, TACHO_READ_MODEL: "flink" } });
    await work(program, database, env);
  } finally {
    await database.close();
  }
}

tacho_test({
  name:
    "serve --read-model flink: what the job writes is on the page, what it takes away too; times and positions are the database's",
  needs: ["postgres"],
  fn: () =>
    with_flink(async ({ url }, database) => {
      const reader = new FrameReader((await fetch(`${url}api/v1/feed?${RANGE}`)).body!);
      const { data: hello } = await reader.until("hello");
      assert.equal(hello.position, 0);
      const of_hello = async (wanted: number | null) => {
        for (;;) {
          const { data } = await reader.until("kpi");
          const { series } = data as { series: { t: number[]; completed: (number | null)[] } };
          if (series.t.length === 1 && series.completed[0] === wanted) return data;
        }
      };
      const write = (completed: number) =>
        database.transaction(async (tx) => {
          const within = { ...database, execute: tx.execute.bind(tx), query: tx.query.bind(tx) } as Database;
          const last_occurred_at = `2026-03-02T12:0${completed}:00Z`;
          await upsert_as_flink(within, "trips", JSON.stringify([{ ...TRIP, last_occurred_at }]));
          const zero = { trips: 1, requested: 1, started: 0, canceled: 0, conflicts: 0 };
          const sums = {
            fare_sum_micros: 0,
            tip_sum_micros: 0,
            distance_sum_m: 0,
            distance_count: 0,
            duration_sum_ms: 0,
          };
          const cell = { ...CELL, ...zero, ...sums, duration_count: 0, completed };
          await upsert_as_flink(within, "trip_cells", JSON.stringify([cell]));
        });
      await write(1);
      const first = await of_hello(1);
      assert.equal(first.newest_event_ms, Date.parse("2026-03-02T12:01:00Z"));
      await write(2);
      const second = await of_hello(2);
      assert.ok(Number(second.position) > Number(first.position));
      // A cell that the job takes away is emptied: whoever has seen it sees that.
      await database.execute("delete from trip_cells");
      assert.ok(Number((await of_hello(0)).position) > Number(second.position));
      await reader.cancel();
      const page = await get_json(`${url}api/v1/trips`) as { trips: Json[] };
      assert.deepEqual(page.trips.map(({ trip_id }) => trip_id), ["T-1"]);
    }),
});

tacho_test({
  name: "serve --read-model flink: what needs the log says where it is, and nothing is taken in",
  needs: ["postgres"],
  fn: () =>
    with_flink(async ({ url }, database, env) => {
      const last_occurred_at = "2026-03-02T12:00:00Z";
      for (const trip_id of ["T-1", "T-2"]) {
        await upsert_as_flink(database, "trips", JSON.stringify([{ ...TRIP, trip_id, last_occurred_at }]));
      }
      const elsewhere =
        /no event is in this database: a Flink job writes its tables, and the log is what the topics keep/;
      for (
        const path of [
          "events",
          `board?${RANGE}&as_of_position=1`,
          `board?${RANGE}&as_of_position=0`,
          `board?${RANGE}&as_of=2026-03-02T12:00:00Z`,
          `board?${RANGE}&order=arrival`,
          "board?last=100&order=arrival",
          "trips?order=arrival&last=100",
        ]
      ) {
        const [code, text] = await status(`${url}api/v1/${path}`);
        assert.deepEqual([path, code], [path, 410], text);
        assert.match(text, elsewhere, path);
      }
      // SQL makes no cells of places: without zones there is no map.
      assert.equal((await status(`${url}api/v1/kpis/map?${RANGE}`))[0], 404);
      const one = await get_json(`${url}api/v1/trips/T-1`) as Json;
      assert.deepEqual([one.status, one.events, one.changes], ["completed", [], null]);
      assert.match(String(one.changes_fault), elsewhere);
      const posted = await fetch(`${url}api/v1/events`, {
        method: "POST",
        body: "{}",
        headers: { "content-type": "application/json" },
      });
      assert.equal(posted.status, 403);
      await posted.body?.cancel();
      const checkout = await link_checkout();
      await using _ = { [Symbol.asyncDispose]: () => checkout.dispose() };
      for (
        const verb of [["verify"], ["quarantine"], ["rebuild"], ["backup", "--out", ".tacho/none"], [
          "receipt",
          "--stream",
          "T-1",
        ], [
          "export",
          "ndjson",
          "--out",
          ".tacho/none",
        ]]
      ) {
        const { code, stderr } = await run_tacho(verb, { env, folder: checkout.path });
        assert.deepEqual([verb[0], code], [verb[0], 2], stderr);
        assert.match(stderr, elsewhere, verb[0]);
      }
      {
        await using writer = TachoProgram.spawn("start", { env });
        assert.equal(await writer.ended, 2, writer.stderr);
        assert.match(writer.stderr, elsewhere);
      }
      await assert.rejects(
        database.script("insert into batches (batch) values (1)"),
        /refused: a Flink job writes this database, its log is what the topics keep/,
      );
      await assert.rejects(
        database.script("update log_head set written_by = null"),
        /who writes this database is said once/,
      );
    }),
});

tacho_test({
  name:
    "a database with a log of its own is not given to Flink, and not served as if it were; preparing one twice changes nothing",
  needs: ["postgres"],
  async fn() {
    const { url } = await (await shared_postgres()).create_database();
    const log = await make_log(url, DOMAINS[0], invented(DOMAINS[0], 1), 200);
    await log.close();
    const env = { DATABASE_URL: url };
    const refused = await run_tacho(["migrate"], { env: { ...env, TACHO_READ_MODEL: "flink" } });
    assert.deepEqual(
      [refused.code, /has a log of its own, up to position \d+/.test(refused.stderr)],
      [2, true],
      refused.stderr,
    );
    await using program = TachoProgram.spawn("start", { env, args: ["--read-model", "flink"] });
    assert.equal(await program.ended, 2);
    assert.match(program.stderr, /this database has a log of its own, no Flink job writes it/);
    // Nobody but a server's database can be given away, and whoever writes a log is told that none is wanted.
    const nowhere = await run_tacho(["migrate"], { env: { TACHO_READ_MODEL: "flink" } });
    assert.deepEqual(
      [nowhere.code, /DATABASE_URL: expected a server's/.test(nowhere.stderr)],
      [2, true],
      nowhere.stderr,
    );
    await using writer = TachoProgram.spawn("dev", { env: { TACHO_READ_MODEL: "flink" } });
    assert.equal(await writer.ended, 2);
    assert.match(writer.stderr, /no event is in this database: a Flink job writes its tables/);
    const { url: empty } = await (await shared_postgres()).create_database();
    for (const said of [/a Flink job writes this database from now on/, /nothing to migrate/]) {
      const { stderr } = await run_verb(["migrate"], { env: { DATABASE_URL: empty, TACHO_READ_MODEL: "flink" } });
      assert.match(stderr, said);
    }
  },
});

tacho_test({
  name:
    "serve --read-model flink: a job that reads nothing while messages wait is on the page and in /readyz, until it reads on",
  needs: ["postgres", "kafka"],
  async fn() {
    const { brokers } = await shared_kafka(), topic = unique_name("flink_waits");
    const env = { KAFKA_BROKERS: brokers, TACHO_TOPICS: topic };
    await run_verb(["produce", "--count", "20", "--history", "1h", "--topic", topic], { env });
    await with_flink(async ({ url }, database) => {
      const reader = new FrameReader((await fetch(`${url}api/v1/feed?${RANGE}`)).body!);
      const told = async (state: string) => {
        for (;;) {
          const { data } = await reader.until("hb");
          const { ingest, lag } = data.health as { ingest: Json; lag: number | null };
          if (ingest.state === state && lag !== null) return { ...ingest, lag } as Json;
        }
      };
      const read_to = (offset: number) =>
        database.script(
          `insert into flink_progress (topic, "partition", next_offset) select '${topic}', p, ${offset} from generate_series(0, 3) p
            on conflict (topic, "partition") do update set next_offset = excluded.next_offset`,
        );
      await read_to(0);
      // So long ago that nobody would believe in it.
      await database.script(
        `alter table flink_progress disable trigger user; update flink_progress set read_at = now() - interval '1 minute';
        alter table flink_progress enable trigger user`,
      );
      const still = await told("stopped");
      assert.match(String(still.reason), /^the Flink job reads nothing, while messages wait in the topics$/);
      assert.match(String(still.advice), /tacho flink status/);
      assert.ok(Number(still.lag) > 10);
      const [code, text] = await status(`${url}readyz`);
      assert.deepEqual([code, /the Flink job reads nothing/.test(text)], [200, true], text);
      await read_to(1_000);
      assert.equal((await told("running")).lag, 0);
      await reader.cancel();
    }, env);
  },
});

tacho_test({
  name:
    "serve --read-model flink: a stream's events are read out of the topics, among hostile ones, folded and held against its row; what is not there is said",
  needs: ["postgres", "kafka"],
  async fn() {
    const { brokers } = await shared_kafka(), topic = unique_name("flink_streams");
    const env = { KAFKA_BROKERS: brokers, TACHO_TOPICS: topic };
    await run_verb(["produce", "--count", "1", "--topic", topic], { env });
    const at = (minute: number) => `2026-03-02T12:0${minute}:00Z`;
    const event = (type: string, minute: number, more: Json = {}) =>
      JSON.stringify({ event_id: `e${minute}`, type, trip_id: "T-1", occurred_at: at(minute), ...more });
    const send = (values: readonly (string | Uint8Array | null)[], partition: number, key = "T-1") =>
      send_placed(
        brokers,
        topic,
        values.map((value, i) => ({ partition, key, value, timestamp_ms: Date.parse(at(0)) + i })),
      );
    const completed = event("trip.completed", 5, { fare: "12.50" });
    // In a partition that its key is not of, between what anybody may send under that key.
    await send(hostile_messages(300, 3).map(({ value }) => value), 2);
    await send([event("trip.requested", 1), null, "", "{", '{"trip_id":"T-1"}', completed, completed], 2);
    await send(
      [event("trip.completed", 5, { fare: "99.00" }), event("trip.requested", 9).replace('"T-1"', '"T-11"')],
      2,
    );
    await with_flink(async ({ url }, database) => {
      const row = { trip_id: "T-1", status: "completed", requested_at: at(1), completed_at: at(5) };
      const told = { ...row, completion_fare_micros: 12_500_000, fare_micros: 12_500_000, last_occurred_at: at(5) };
      const write = (more: Json) =>
        upsert_as_flink(database, "trips", JSON.stringify([{ ...told, revision: 2, last_event_id: "e5", ...more }]));
      const asked = async (id: string, tag = "") => {
        const response = await fetch(`${url}api/v1/trips/${id}`, { headers: { "if-none-match": tag } });
        const text = await response.text(), { status, headers } = response;
        const body = status === 200 ? JSON.parse(text) : {};
        return { status, tag: headers.get("etag") ?? "", body, topics: body.topics as Json, text };
      };
      await write({});
      const whole = await asked("T-1");
      assert.deepEqual([whole.topics.complete, whole.topics.equal], [true, true], whole.text);
      assert.match(
        String(whole.topics.says),
        /^all 2 events that the job counted, among \d+ messages of \S+\/2; folded /,
      );
      assert.deepEqual(
        whole.body.events.map((
          each: Json,
        ) => [each.position, each.revision, each.type, (each.metadata as Json).partition]),
        [[null, 1, "trip.requested", 2], [null, 2, "trip.completed", 2]],
      );
      assert.equal(whole.body.changes[1].status.after, "completed");
      assert.equal((await asked("T-1", whole.tag)).status, 304);

      // Another row than they make; and one of more events than there are.
      await write({ completion_fare_micros: 13_000_000, fare_micros: 13_000_000 });
      const other = await asked("T-1", whole.tag);
      assert.deepEqual([other.topics.complete, other.topics.equal], [true, false], other.text);
      const differs = { row: "13.00", events: "12.50" };
      assert.deepEqual(
        other.topics.differences,
        ["completion_fare", "fare"].map((name) => ({ name, ...differs })),
      );
      await write({ revision: 3 });
      const lacking = await asked("T-1");
      assert.deepEqual([lacking.topics.complete, lacking.topics.equal, lacking.body.changes], [false, null, null]);
      assert.equal(lacking.body.events.length, 2);
      assert.match(
        String(lacking.topics.says),
        /^2 of the 3 events that the job counted, among all \d+ messages that are left: \S+\/2 begins at offset 0, 2026-/,
      );
      assert.equal((await status(`${url}api/v1/trips/T-1?as_of_position=0`))[0], 410);

      const { paths } = await get_json(`${url}openapi.json`) as { paths: Record<string, unknown> };
      assert.match(JSON.stringify(paths["/api/v1/trips/{id}"]), /TripWithEvents/);
    }, env);
  },
});
