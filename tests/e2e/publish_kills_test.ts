import assert from "node:assert/strict";
import { open_kafka_admin } from "../../src/ingest/kafka/mod.ts";
import { publish_through_kills } from "../publishing/kills.ts";
import { tacho_test } from "../support/available.ts";
import { make_deployment, send_known_trips } from "../support/deployment.ts";
import { start_faulty_kafka } from "../support/faulty_kafka.ts";
import { options_of } from "../support/kafka_topic.ts";
import { TopicTables } from "../support/published_topics.ts";
import { stream_topic } from "../support/read_topic.ts";
import { get_json, TachoProgram } from "../support/tacho_program.ts";
import { until } from "../support/until.ts";

/** Kafka's numbers of Produce, InitProducerId, AddPartitionsToTxn and EndTxn. */
const WRITING: readonly number[] = [0, 22, 24, 26];

tacho_test({
  name: "a consumer of topics that were published through kill -9 and a broker that was away has the tables of the log",
  needs: ["postgres", "kafka"],
  limit_ms: 300_000,
  async fn() {
    const tally = await publish_through_kills({ seed: 7, kills: 4, outage_every: 3, say: (line) => console.log(line) });
    console.log(JSON.stringify(tally));
    assert.deepEqual([tally.kills, tally.outages], [4, 1]);
    assert.ok(tally.closed > 100 && tally.messages > tally.events, JSON.stringify(tally));
  },
});

tacho_test({
  name: "serve publishes what it consumes, and says how far it is behind; brokers that take nothing hold no ingest up",
  needs: ["postgres", "kafka"],
  limit_ms: 180_000,
  async fn() {
    await using kafka = await start_faulty_kafka(1);
    const proxy = kafka.take_proxy(), env = await make_deployment("published", "UTC", undefined, kafka.server);
    const publish = {
      ...env,
      KAFKA_BROKERS: proxy.brokers,
      TACHO_PUBLISH: "aggregated.payment_method",
      TACHO_SESSION_SECONDS: "2",
    };
    await using program = await TachoProgram.serve("start", { env: publish });
    const admin = await open_kafka_admin(options_of(env.KAFKA_BROKERS, env.TACHO_TOPICS));
    await until("its topic is there", async () => (await admin.absent([env.TACHO_TOPICS])).length === 0, 30_000);
    await admin.close();
    await send_known_trips(env, 20, "K");
    const metric = async (name: string): Promise<number> => {
      const text = await (await fetch(`${program.url}metrics`)).text();
      return Number(new RegExp(`^${name} (\\S+)$`, "m").exec(text)?.[1]);
    };
    await program.brings(until("all is published", async () => {
      return await metric("tacho_log_position") === 20 && await metric("tacho_publish_lag") === 0;
    }, 60_000));
    assert.equal(await metric("tacho_publish_holds"), 1);
    const { log_id } = await get_json(`${program.url}api/v1/events?limit=1`) as { readonly log_id: string };
    const read = async () => {
      const windows = new TopicTables();
      await stream_topic(env.KAFKA_BROKERS, "aggregated.payment_method", ({ key, value }) => {
        const text = new TextDecoder().decode(value!);
        windows.take({ topic: JSON.parse(text).log_id, key: new TextDecoder().decode(key!), value: text });
      });
      return [...windows.tables.get(log_id)?.values() ?? []];
    };
    const sum_of = (told: Awaited<ReturnType<typeof read>>, name: string) =>
      told.reduce((sum, each) => sum + Number(each[name]), 0);
    // A transaction is committed a little before brokers let it be read.
    const told = await until("its windows can be read", async () => {
      const told = await read();
      return sum_of(told, "trip_count") === 20 && told;
    }, 30_000);
    // Fares of 10.00, 10.50, …, 19.50.
    assert.equal(sum_of(told, "total_revenue"), 295);
    // What is produced, and its transactions, wait at the door; what is read comes.
    const { promise: opened, resolve: open } = Promise.withResolvers<void>();
    let waited = 0;
    proxy.request = async ({ api, bytes }) => {
      if (WRITING.includes(api)) {
        waited++;
        await opened;
      }
      return bytes;
    };
    await send_known_trips(env, 30, "L");
    await program.brings(until("ingest went on", async () => await metric("tacho_log_position") === 50, 30_000));
    await program.brings(until("something is to be sent", () => waited > 0, 30_000));
    await send_known_trips(env, 10, "M");
    await program.brings(until("ingest still goes on", async () => await metric("tacho_log_position") === 60, 30_000));
    await program.brings(until("the lag is said", async () => await metric("tacho_publish_lag") === 40, 10_000));
    assert.equal(sum_of(await read(), "trip_count"), 20);
    open();
    await program.brings(until("it caught up", async () => await metric("tacho_publish_lag") === 0, 90_000));
    await until("all can be read", async () => sum_of(await read(), "trip_count") === 60, 30_000);
    assert.equal(await program.term(), 0);
  },
});
