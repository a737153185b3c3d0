import assert from "node:assert/strict";
import { tacho_test } from "../support/available.ts";
import { shared_kafka, start_kafka, unique_name } from "../support/kafka.ts";
import { read_topic } from "../support/read_topic.ts";
import { run_tacho, run_verb, TachoProgram } from "../support/tacho_program.ts";
import { until } from "../support/until.ts";

tacho_test({
  name: "produce with the same start and options sends the same bytes, and Ctrl-C ends it",
  needs: ["kafka"],
  async fn() {
    const { brokers } = await shared_kafka();
    const env = (topic: string) => ({ KAFKA_BROKERS: brokers, TACHO_TOPICS: topic, TACHO_PARTITIONS: "1" });
    const trouble = ["--late", "0.05", "--duplicates", "0.05", "--malformed", "0.05", "--anomalies"];
    const args = ["produce", "--start", "2026-03-01T08:00:00Z", "--seed", "5", "--count", "1500", ...trouble];
    const run = async () => {
      const topic = unique_name("produce");
      const { stderr } = await run_verb(args, { env: env(topic) });
      assert.match(stderr, /produce: .*1500 of 1500/);
      return (await read_topic(brokers, topic)).map(({ key, value, timestamp_ms }) => [
        new TextDecoder().decode(key!),
        new TextDecoder().decode(value!),
        timestamp_ms,
      ]);
    };
    const both = Promise.all([run(), run()]);

    const topic = unique_name("produce");
    const live = ["produce", "--history", "1d", "--rate", "2", "--speed", "3600x"];
    await using program = TachoProgram.spawn("tacho", { args: live, env: env(topic) });
    await until("it sends", async () => (await read_topic(brokers, topic).catch(() => [])).length > 0);
    assert.equal(await program.term("SIGINT"), 0);
    assert.match(program.stderr, /produce: \d+, \d+\/s/);

    const [first, second] = await both;
    assert.equal(first.length, 1_500);
    assert.deepEqual(second, first);

    const refused = await run_tacho(["produce", "--start", "2200-01-01T00:00:00Z"], { env: env(topic) });
    assert.equal(refused.code, 2);
    assert.match(refused.stderr, /--start "2200-01-01T00:00:00.000Z" is in the future/);
  },
});

tacho_test({
  name: "produce says before it sends when the topic deletes what is so old by the time it has; not where all is kept",
  needs: ["kafka"],
  async fn() {
    await using kafka = await start_kafka({ properties: { "log.retention.ms": "3600000" } });
    const said = async (start_ms: number) => {
      const env = { KAFKA_BROKERS: kafka.brokers, TACHO_TOPICS: unique_name("produce") };
      return (await run_verb(["produce", "--start", new Date(start_ms).toISOString(), "--count", "10"], { env }))
        .stderr;
    };
    assert.match(
      await said(Date.now() - 5 * 3_600_000),
      /warn.*before anyone has read them.*5.0 h old.*keeps 1.0 h; -1 keeps all/,
    );
    assert.doesNotMatch(await said(Date.now() - 1_800_000), /before anyone/);
    const { brokers } = await shared_kafka();
    const env = { KAFKA_BROKERS: brokers, TACHO_TOPICS: unique_name("produce") };
    const kept = await run_verb(["produce", "--start", "2026-03-01T08:00:00Z", "--count", "10"], { env });
    assert.doesNotMatch(kept.stderr, /before anyone/);
  },
});

tacho_test({
  name: "produce --domain trades sends trades to their own topic, the same bytes again with the same options",
  needs: ["kafka"],
  async fn() {
    const { brokers } = await shared_kafka();
    const args = ["produce", "--domain", "trades", "--start", "2026-03-02T14:00:00Z", "--count", "300", "--anomalies"];
    const run = async () => {
      const topic = unique_name("trades");
      const env = { KAFKA_BROKERS: brokers, TACHO_TRADES_TOPICS: topic, TACHO_PARTITIONS: "1" };
      await run_verb(args, { env });
      return (await read_topic(brokers, topic)).map(({ value }) => new TextDecoder().decode(value!));
    };
    const [first, second] = await Promise.all([run(), run()]);
    assert.equal(first!.length, 300);
    assert.deepEqual(second, first);
    assert.ok(first!.every((text) => /"trade\.(executed|corrected|busted)"/.test(text)));
  },
});
