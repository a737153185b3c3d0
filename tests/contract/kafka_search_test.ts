import assert from "node:assert/strict";
import type { SourceMessage } from "../../src/ingest/mod.ts";
import { open_kafka_producer, search_topics, type SearchLimits } from "../../src/ingest/kafka/mod.ts";
import { tacho_test } from "../support/available.ts";
import { shared_kafka, unique_name } from "../support/kafka.ts";
import { delete_below, numbers, options_of, produce } from "../support/kafka_topic.ts";
import { bytes_of } from "../support/read_source.ts";
import { type PlacedMessage, send_in_transactions, send_placed } from "../support/topic_writer.ts";
import { slowness } from "../support/slowness.ts";
import { until } from "../support/until.ts";

/** Messages of one key, looked for in topics of a real broker, within limits. */

const LIMITS: SearchLimits = { ms: 30_000, messages: 100_000, bytes: 64 << 20, record_bytes: 1 << 20 };
const HOUR_MS = 3_600_000;
const AT_MS = Date.UTC(2026, 2, 1, 12);
const text = new TextDecoder();

/** Looks for `count` messages of a key, of after some times. */
async function search(
  { brokers, topics, key, since_ms, count = Infinity }: {
    readonly brokers: string;
    readonly topics: readonly string[];
    readonly key: string;
    readonly since_ms: readonly number[];
    readonly count?: number;
  },
  limits: Partial<SearchLimits> = {},
) {
  const found: SourceMessage[] = [];
  const take = (message: SourceMessage): boolean => {
    const is_wanted = message.key !== null && text.decode(message.key) === key;
    if (is_wanted) found.push(message);
    return is_wanted;
  };
  const searched = await search_topics(options_of(brokers, topics[0]!), {
    ...{ topics, key: bytes_of(key), since_ms, take },
    enough: () => found.length >= count,
  }, { ...LIMITS, ...limits });
  return { searched, found: found.map(({ partition, offset }) => `${partition}@${offset}`) };
}

async function with_topic(partitions: number, work: (brokers: string, topic: string) => Promise<void>): Promise<void> {
  const { brokers } = await shared_kafka(), topic = unique_name("searched");
  await produce(options_of(brokers, topic, { partitions }), []);
  await work(brokers, topic);
}

const placed = (partition: number, key: string, timestamp_ms: number, value = key): PlacedMessage => (
  { partition, key, value, timestamp_ms }
);

tacho_test({
  name:
    "messages are looked for in the partition of their key alone, from their time on, whatever they are packed with",
  needs: ["kafka"],
  fn: () =>
    with_topic(8, async (brokers, topic) => {
      const producer = await open_kafka_producer(options_of(brokers, topic), "zstd");
      const messages = numbers(0, 4_000).map((number, i) => ({
        ...{ key: bytes_of(`k${Number(number) % 40}`), value: bytes_of(number) },
        timestamp_ms: AT_MS - HOUR_MS + i * 1_000,
      }));
      await producer.send(topic, messages).finally(() => producer.close());
      const { searched, found } = await search({
        ...{ brokers, topics: [topic], key: "k7", count: 3, since_ms: [AT_MS, AT_MS - HOUR_MS] },
      });
      assert.equal(found.length >= 3, true);
      assert.deepEqual([searched.stopped, searched.failure, searched.places.length], ["enough", null, 1]);
      // One of eight partitions, and nothing of before its time.
      assert.ok(searched.messages < 1_000, JSON.stringify(searched));
      const all = await search({ brokers, topics: [topic], key: "k7", since_ms: [AT_MS, AT_MS - HOUR_MS] });
      assert.deepEqual([all.found.length, all.searched.stopped], [100, null]);
      assert.equal(all.searched.begins[0]?.offset, 0);
      // What came of after its time came first.
      assert.deepEqual(all.found.slice(0, 3), found.slice(0, 3));
    }),
});

tacho_test({
  name:
    "a producer that places keys otherwise is found out, and its partition alone is read on; what came before its time is found at last",
  needs: ["kafka"],
  fn: () =>
    with_topic(3, async (brokers, topic) => {
      const others = (partition: number, count: number) =>
        numbers(0, count).map((number) => placed(partition, `other${number}`, AT_MS + 1));
      for (const partition of [0, 1, 2]) {
        // Whichever of them is the key's, one is another one, and one is read no further.
        await send_placed(brokers, topic, [
          placed(partition, `in${partition}`, AT_MS - 2 * HOUR_MS),
          placed(partition, `in${partition}`, AT_MS),
          ...others(partition, 50),
          placed(partition, `in${partition}`, AT_MS + 2),
        ]);
      }
      for (const partition of [0, 1, 2]) {
        const { searched, found } = await search({
          ...{ brokers, topics: [topic], key: `in${partition}`, since_ms: [AT_MS, AT_MS - HOUR_MS] },
        });
        assert.deepEqual(found, [`${partition}@1`, `${partition}@52`, `${partition}@0`]);
        assert.deepEqual([searched.stopped, searched.failure, searched.places], [null, null, [{ topic, partition }]]);
        assert.equal(searched.begins[0]?.offset, 0);
      }
      // What retention took is said by where the partition begins.
      await delete_below(options_of(brokers, topic), topic, 2);
      const { searched, found } = await search({
        ...{ brokers, topics: [topic], key: "in0", since_ms: [AT_MS, AT_MS - HOUR_MS] },
      });
      assert.deepEqual(found, ["0@52"]);
      assert.deepEqual(searched.begins, [{ topic, partition: 0, offset: 2, timestamp_ms: AT_MS + 1 }]);
      // Nowhere: all was looked through.
      const none = await search({ brokers, topics: [topic], key: "none", since_ms: [AT_MS, AT_MS - HOUR_MS] });
      assert.deepEqual([none.found, none.searched.stopped, none.searched.messages], [[], null, 51 + 2 * 53]);
    }),
});

tacho_test({
  name:
    "a search ends at each of its limits, reads no rolled back message, and says what brokers that are away, absent topics or silence come to",
  needs: ["kafka"],
  fn: () =>
    with_topic(1, async (brokers, topic) => {
      const own = numbers(0, 1_000).map((number) => placed(0, `k${number}`, AT_MS, "x".repeat(1_000)));
      await send_placed(brokers, topic, own);
      await send_in_transactions(
        brokers,
        topic,
        [placed(0, "in", AT_MS)],
        [placed(0, "out", AT_MS)],
        unique_name("tx"),
      );
      const of = (key: string, limits: Partial<SearchLimits>, at = brokers, topics = [topic]) =>
        search({ brokers: at, topics, key, since_ms: [AT_MS] }, limits);
      // A transaction is committed a little before brokers let it be read.
      await until("what was committed is found", async () => (await of("in", {})).found.length === 1);
      assert.deepEqual((await of("out", {})).found, []);
      for (const [limits, stopped] of [[{ messages: 100 }, "messages"], [{ bytes: 200_000 }, "bytes"]] as const) {
        const { searched } = await of("in", limits);
        assert.deepEqual([searched.stopped, searched.failure], [stopped, null]);
        assert.ok(searched.messages < 1_000 && searched.messages > 0, JSON.stringify(searched));
      }
      // A server that takes connections and says nothing; one that is not there; and a topic that is not.
      using silent = Deno.listen({ hostname: "127.0.0.1", port: 0 });
      const silence = await of("in", { ms: 500 }, `127.0.0.1:${(silent.addr as Deno.NetAddr).port}`);
      assert.deepEqual([silence.searched.stopped, silence.searched.messages], ["time", 0]);
      assert.match(silence.searched.failure!, /^the brokers did not say within 0\.5 s where the topics lie$/);
      for (const at of ["127.0.0.1:1", brokers]) {
        const { searched } = await of("in", { ms: 1_500 }, at, [at === brokers ? unique_name("absent") : topic]);
        assert.ok(searched.failure !== null && searched.took_ms < 20_000 * slowness(), JSON.stringify(searched));
      }
    }),
});
