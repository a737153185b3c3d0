import assert from "node:assert/strict";
import { tacho_test } from "../support/available.ts";
import { open_kafka_admin, open_kafka_producer } from "../../src/ingest/kafka/mod.ts";
import { options_of } from "../support/kafka_topic.ts";
import { make_deployment, send_known_trips } from "../support/deployment.ts";
import { read_topic } from "../support/read_topic.ts";
import { get_json, run_verb, TachoProgram } from "../support/tacho_program.ts";
import { until } from "../support/until.ts";

tacho_test({
  name: "dev with brokers sends its trips through the topic, and the log fills from there",
  needs: ["postgres", "kafka"],
  async fn() {
    const env = await make_deployment("dev");
    await using program = await TachoProgram.serve("dev", { env, args: ["--generate"] });
    const opened_ms = performance.now();
    await program.brings(until("the log holds trips", async () => {
      const { trips } = await get_json(`${program.url}api/v1/trips`) as { trips: unknown[] };
      return trips.length > 0;
    }));
    console.log(`first trips ${((performance.now() - opened_ms) / 1_000).toFixed(1)} s after the page could be opened`);
    assert.match(program.stdout, new RegExp(`through Kafka at ${env.KAFKA_BROKERS}, topic ${env.TACHO_TOPICS}`));
    await program.brings(
      until("many are in the topic", async () => (await read_topic(env.KAFKA_BROKERS, env.TACHO_TOPICS)).length > 100),
    );
    assert.equal(await program.term("SIGINT"), 0);
  },
});

tacho_test({
  name: "dev --generate: a topic that holds other trips than the generator's gets none of its own",
  needs: ["postgres", "kafka"],
  async fn() {
    const env = { ...await make_deployment("dev_others"), TACHO_RATE: "20" };
    // Generated ones are no reason to refuse.
    await run_verb(["produce", "--count", "2000", "--history", "1h"], { env });
    {
      await using program = await TachoProgram.serve("dev", { env, args: ["--generate"] });
      await program.brings(
        until("it generates", async () => (await read_topic(env.KAFKA_BROKERS, env.TACHO_TOPICS)).length > 2_100),
      );
      assert.equal(await program.term("SIGINT"), 0);
    }
    const held = (await read_topic(env.KAFKA_BROKERS, env.TACHO_TOPICS)).length;
    await send_known_trips(env, 1, "others");
    await using refused = TachoProgram.spawn("dev", { env, args: ["--generate"] });
    assert.equal(await refused.ended, 2, refused.stderr);
    assert.match(
      refused.stderr,
      /^tacho: dev: the topic ".*" holds other trips than the generator's, such as "others-0"; nothing is generated there/m,
    );
    assert.equal((await read_topic(env.KAFKA_BROKERS, env.TACHO_TOPICS)).length, held + 1);
  },
});

tacho_test({
  name: "dev --generate: a topic of messages that are no trip events gets no generated trips either",
  needs: ["postgres", "kafka"],
  async fn() {
    const env = await make_deployment("dev_foreign");
    const admin = await open_kafka_admin(options_of(env.KAFKA_BROKERS, env.TACHO_TOPICS));
    await admin.ensure_topic(env.TACHO_TOPICS, { partitions: 3, replication: 1 }).finally(() => admin.close());
    const producer = await open_kafka_producer(options_of(env.KAFKA_BROKERS, env.TACHO_TOPICS));
    const value = new TextEncoder().encode('{"order":1}');
    await producer.send(env.TACHO_TOPICS, [{ key: null, value }]).finally(() => producer.close());
    await using refused = TachoProgram.spawn("dev", { env, args: ["--generate"] });
    assert.equal(await refused.ended, 2, refused.stderr);
    assert.match(
      refused.stderr,
      /^tacho: dev: the topic ".*" holds other trips .*, such as "a message without key"; /m,
    );
    assert.equal((await read_topic(env.KAFKA_BROKERS, env.TACHO_TOPICS)).length, 1);
  },
});
