import assert from "node:assert/strict";
import { open_kafka_admin, open_kafka_publisher } from "../../src/ingest/kafka/mod.ts";
import { KafkaClient } from "../../src/ingest/kafka/kafka_client.ts";
import { tacho_test } from "../support/available.ts";
import { shared_kafka, unique_name } from "../support/kafka.ts";
import { options_of } from "../support/kafka_topic.ts";
import { read_topic } from "../support/read_topic.ts";
import { until } from "../support/until.ts";

const SHAPE = { partitions: 3, replication: 1, compacted: true };
const text = (bytes: Uint8Array | null) => bytes === null ? null : new TextDecoder().decode(bytes);

/** A topic once it has so many messages: a transaction is committed a little before brokers let it be read. */
const readable = (brokers: string, topic: string, messages: number) =>
  until(`${messages} messages can be read`, async () => {
    const read = await read_topic(brokers, topic);
    return read.length >= messages && read;
  });

tacho_test({
  name: "published messages are there in order of each key, tombstones too, in topics that are compacted",
  needs: ["kafka"],
  async fn() {
    const { brokers } = await shared_kafka(), topics = [unique_name("enriched"), unique_name("aggregated")];
    const options = options_of(brokers, topics[0]!);
    const publisher = await open_kafka_publisher(options, unique_name("publisher"), topics, SHAPE);
    const messages = topics.flatMap((topic) =>
      Array.from({ length: 3_000 }, (_, i) => ({
        topic,
        key: `k${i % 100}`,
        // Umlauts take two bytes, and there is more than a request holds.
        value: i < 2_900 ? `${"ü".repeat(200)} ${i}` : null,
      }))
    );
    await publisher.write(messages.slice(0, 1_500));
    await publisher.write(messages.slice(1_500));
    await publisher.close();
    for (const topic of topics) {
      const read = (await readable(brokers, topic, 3_000)).map(({ key, value }) => [text(key), text(value)]);
      const by_key = Map.groupBy(read, ([key]) => key);
      const sent = Map.groupBy(messages.filter((each) => each.topic === topic), ({ key }) => key);
      assert.equal(by_key.size, 100);
      for (const [key, values] of sent) assert.deepEqual(by_key.get(key), values.map(({ value }) => [key, value]));
    }
    const client = new KafkaClient(options), admin = client.admin();
    await admin.connect();
    const { resources } = await admin.describeConfigs({
      includeSynonyms: false,
      resources: topics.map((name) => ({ type: 2, name, configNames: ["cleanup.policy"] })),
    });
    await admin.disconnect();
    client.cut();
    assert.deepEqual(resources.map(({ configEntries: [entry] }) => entry!.configValue), ["compact", "compact"]);
  },
});

tacho_test({
  name: "who was replaced under a name is refused by the brokers, and nothing of what it had under way is read",
  needs: ["kafka"],
  async fn() {
    const { brokers } = await shared_kafka(), topic = unique_name("published"), name = unique_name("publisher");
    const options = options_of(brokers, topic);
    const frozen = await open_kafka_publisher(options, name, [topic], SHAPE);
    await frozen.write([{ topic, key: "a", value: "1" }]);
    const next = await open_kafka_publisher(options, name, [topic], SHAPE);
    await next.write([{ topic, key: "a", value: "3" }]);
    // It wakes up with what was true before.
    await assert.rejects(frozen.write([{ topic, key: "a", value: "2" }]), /cannot publish 1 messages/);
    await next.write([{ topic, key: "a", value: "4" }]);
    assert.deepEqual((await readable(brokers, topic, 3)).map(({ value }) => text(value)), ["1", "3", "4"]);
    await Promise.all([frozen, next].map((each) => each.close()));
    const admin = await open_kafka_admin(options);
    assert.deepEqual(await admin.absent([topic]), []);
    await admin.close();
  },
});
