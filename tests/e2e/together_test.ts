import assert from "node:assert/strict";
import { migrate, migrations_of, open_database } from "../../src/database/mod.ts";
import { TRIPS } from "../../src/domains/trips/mod.ts";
import { read_deployment } from "../../src/event_log/mod.ts";
import { tacho_test } from "../support/available.ts";
import { command_of } from "../support/archived_log.ts";
import { expectation_of, make_deployment } from "../support/deployment.ts";
import { invented, make_partitions } from "../support/generated_log.ts";
import { GuardedFolder } from "../support/guarded_folder.ts";
import { tables_holding } from "../support/held_text.ts";
import { options_of, produce } from "../support/kafka_topic.ts";
import { shared_postgres } from "../support/postgres.ts";
import { assert_trips_agree, TopicTables } from "../support/published_topics.ts";
import { read_topic } from "../support/read_topic.ts";
import { run_tacho, run_verb, TachoProgram } from "../support/tacho_program.ts";
import { until } from "../support/until.ts";

/** Publishing, forgetting, archives and removal of cells, all on in one log. */

const COLUMNS = { passenger: "passenger_id", vehicle_type: "vehicle_type" };
const TOPICS = Object.keys(COLUMNS).flatMap((entity) => [`enriched.${entity}`, `aggregated.${entity}`]);
const POSITIONS = 300;
const ID = "P-needle-4711";

tacho_test({
  name:
    "a log that is published, whose persons are forgotten, whose beginning is archived and whose cells are removed ends in the figures of its messages",
  needs: ["postgres", "kafka"],
  limit_ms: 420_000,
  async fn() {
    const deployment = await make_deployment("together");
    const env = {
      ...deployment,
      TACHO_PARTITIONS: "1",
      TACHO_FORGETTABLE: "true",
      TACHO_PUBLISH: TOPICS.join(","),
      TACHO_KEEP_CELLS: "1m:1d,5m:1d",
    };
    const { superuser_url } = await shared_postgres(), name = new URL(deployment.DATABASE_URL).pathname;
    const superuser = await open_database({
      url: superuser_url.replace(/\/[^/]*$/, name),
      data_dir: null,
      connections: 1,
    });
    const database = await open_database({ url: deployment.DATABASE_URL, data_dir: null, connections: 2 });
    const made = new GuardedFolder("together");
    await using _ = { [Symbol.asyncDispose]: () => made.dispose() };
    const options = options_of(deployment.KAFKA_BROKERS, deployment.TACHO_TOPICS);
    const archive = async (...args: readonly string[]) => {
      const { code, stdout, stderr } = await run_tacho([], { env, command: command_of(["archive", ...args], "trips") });
      assert.equal(code, 0, stderr);
      return stdout;
    };
    const values = invented(TRIPS, 1.5), half = Math.floor(values.length / 2);
    const needle = (n: number) =>
      JSON.stringify({
        event_id: "c",
        trip_id: `needle-${n}`,
        type: "trip.completed",
        occurred_at: `2026-03-02T11:0${n}:00Z`,
        passenger_id: ID,
        vehicle_type: "suv",
        fare: "10.00",
      });
    let sent = 0;
    const send = async (some: readonly string[]) => {
      await produce(options, some);
      sent += some.length;
    };
    const read = async () => Number((await database.query("select messages_read from log_head"))[0]?.messages_read);
    const all_is_read = () => until("all is read", async () => await read() === sent, 120_000);
    const all_is_told = () =>
      until("all is published", async () => {
        const [row] = await database.query("select sent = position as told from publishing, log_head");
        return row?.told === true;
      }, 120_000);
    try {
      await migrate(database, migrations_of("trips"));
      await make_partitions(database, POSITIONS);
      await send([needle(1), ...values.slice(0, half), needle(2)]);
      await using program = await TachoProgram.serve("start", { env });
      await program.brings(all_is_read());
      await program.brings(all_is_told());
      assert.deepEqual(await tables_holding(superuser, ID), ["persons"]);
      await run_verb(["forget", "--passenger", ID, "--by", "Ada", "--reason", "asked for it"], { env });
      assert.deepEqual(await tables_holding(superuser, ID), []);
      assert.match(await archive("make", "--older-than", "1s", "--out", made.path), /^archived events 1 to \d+/);
      const [head] = await database.query("select archived::int as archived from log_head");
      assert.ok(Number(head!.archived) >= 2 * POSITIONS, `${head!.archived} events are archived`);

      // What follows corrects what is archived, too, and waits for it where it has to.
      const before = {
        event_id: "r",
        trip_id: "needle-1",
        type: "trip.requested",
        occurred_at: "2026-03-02T11:00:30Z",
      };
      await send([...values.slice(half), JSON.stringify(before)]);
      await program.brings(all_is_read());
      const [held] = await database.query(
        "select count(*)::int as held from quarantine where reason = 'events_archived'",
      );
      assert.ok(Number(held!.held) > 0, "some wait for what is archived");
      assert.match((await run_verb(["verify"], { env })).stdout, /^consistent as far as checked/);
      while (/^\{/.test(await archive())) assert.match(await archive("attach"), /^attached/);
      await run_verb(["quarantine", "retry", "--all"], { env });
      await program.brings(all_is_told());

      // Two days later cells of minutes go.
      await send([JSON.stringify({
        event_id: "c",
        trip_id: "later",
        type: "trip.completed",
        occurred_at: "2026-03-04T09:00:00Z",
        fare: "3.00",
      })]);
      const old = "grain in ('1m', '5m') and bucket < '2026-03-03T00:00:00Z'";
      await program.brings(until("old cells are removed", async () => {
        const [row] = await database.query(`select exists (select from trip_cells where ${old}) as left`);
        return row?.left === false;
      }, 60_000));
      await program.brings(all_is_told());
      assert.equal(await program.term(), 0);

      // Every trip is what its messages make it, but whose it is.
      const { trips } = await expectation_of(deployment);
      const rows = await database.query(
        'select trip_id, status, vehicle_type, fare_micros::text as fare from trips order by trip_id collate "C"',
      );
      const wanted = [...trips.values()].map(({ trip_id, status, vehicle_type, fare_micros }) => (
        { trip_id, status, vehicle_type, fare: fare_micros === null ? null : String(fare_micros) }
      ));
      assert.deepEqual(rows.map((row) => ({ ...row })), wanted.sort((a, b) => a.trip_id < b.trip_id ? -1 : 1));
      assert.match(
        (await run_verb(["verify"], { env })).stdout,
        /^consistent: .*not checked: cells of 1m before 2026-03-03/,
      );
      assert.deepEqual(await tables_holding(superuser, ID), []);
      const rebuilt = await run_verb(["rebuild"], { env });
      assert.match(rebuilt.stdout, /all \d+ rows are those of the live one/);

      // And so say the topics.
      const tables = new TopicTables();
      for (const topic of TOPICS) {
        for (const { key, value } of await read_topic(deployment.KAFKA_BROKERS, topic)) {
          const text = (bytes: Uint8Array | null) => bytes === null ? null : new TextDecoder().decode(bytes);
          assert.ok(!`${text(key)}${text(value)}`.includes(ID), "no topic has the id");
          if (JSON.parse(text(value) ?? "{}").log_id === undefined) continue;
          tables.take({ topic, key: text(key)!, value: text(value) });
        }
      }
      const domain = TRIPS.make((await read_deployment(database))!);
      await assert_trips_agree(database, domain, tables, COLUMNS);
    } finally {
      await database.close();
      await superuser.close();
    }
  },
});
