import assert from "node:assert/strict";
import { KafkaSource, open_kafka_producer } from "../../src/ingest/kafka/mod.ts";
import { KafkaClient } from "../../src/ingest/kafka/kafka_client.ts";
import type { SourceRemark } from "../../src/ingest/message_source.ts";
import { system_clock } from "../../src/runtime/mod.ts";
import { type Need, needs, tacho_test } from "../support/available.ts";
import { shared_kafka, unique_name } from "../support/kafka.ts";
import {
  committed_offset,
  numbers,
  open_transaction,
  options_of,
  produce,
  QUICK,
  transaction,
} from "../support/kafka_topic.ts";
import { reading_members } from "../support/read_topic.ts";
import { bytes_of, SourceReader, TestBook, text_of } from "../support/read_source.ts";
import { shell } from "../support/shell.ts";
import { send_transactions } from "../support/transactions.ts";
import { PATIENCE, until } from "../support/until.ts";

const ROOMY = { messages: 20_000, bytes: 8 << 20 };
const never = new AbortController().signal;

const sorted = (values: readonly string[]): string[] => [...values].sort((a, b) => Number(a) - Number(b));

function kafka_test(
  name: string,
  fn: (brokers: string, topic: string) => Promise<void>,
  more: readonly Need[] = [],
): void {
  tacho_test({
    name: `kafka source: ${name}`,
    needs: ["kafka", ...more],
    fn: async () => await fn((await shared_kafka()).brokers, unique_name("trips")),
  });
}

kafka_test("reads every codec, in small and in large batches", async (brokers, topic) => {
  const options = options_of(brokers, topic);
  const noise = crypto.getRandomValues(new Uint8Array(40_000)).toBase64();
  const wanted: string[] = [];
  for (const codec of ["none", "gzip", "snappy", "lz4", "zstd"] as const) {
    const values = [
      `${codec} one`,
      "a".repeat(200_000) + codec,
      noise + codec,
      ...numbers(0, 2_000).map((n) => `${codec} ${n}`),
    ];
    await produce(options, values, codec);
    wanted.push(...values);
  }
  const source = new KafkaSource(options, system_clock, QUICK);
  const book = new TestBook();
  await source.open(book, never);
  const read = await new SourceReader(source, book).read(wanted.length);
  await source.close();
  assert.deepEqual(read.map(text_of), wanted);
});

const CODECS = ["gzip", "snappy", "lz4", "zstd"];

/** What is to be packed: small, repetitive and noisy, in one batch. */
const TO_PACK = [
  "a",
  "b".repeat(20_000),
  ...Array.from({ length: 500 }, (_, n) => `${n} {"trip_id":"T-${n}","city":"Chicago"}`),
  crypto.getRandomValues(new Uint8Array(15_000)).toBase64(),
];

/** Reads one topic for each codec and compares. */
async function assert_read(brokers: string, topics: readonly string[], values: readonly string[]): Promise<void> {
  const source = new KafkaSource({ ...options_of(brokers, ""), topics }, system_clock, QUICK);
  await source.open(new TestBook(), never);
  const read = await new SourceReader(source, null).read(topics.length * values.length);
  await source.close();
  for (const topic of topics) {
    assert.deepEqual(read.filter((message) => message.topic === topic).map(text_of), values, topic);
  }
}

kafka_test("reads every codec as Java packs it", async (brokers, name) => {
  const client = new KafkaClient(options_of(brokers, name));
  const admin = client.admin();
  await admin.connect();
  const topics = CODECS.map((codec) => `${name}_${codec}`);
  await admin.createTopics({
    // The broker packs anew what comes in another way.
    topics: topics.map((topic, at) => ({
      topic,
      numPartitions: 1,
      configEntries: [{ name: "compression.type", value: CODECS[at]! }],
    })),
    waitForLeaders: true,
  });
  await admin.disconnect().finally(() => client.cut());
  await Promise.all(topics.map((topic) => produce(options_of(brokers, topic), TO_PACK)));
  await assert_read(brokers, topics, TO_PACK);
});

kafka_test(
  "reads every codec as librdkafka packs it",
  async (brokers, name) => {
    const topics = CODECS.map((codec) => `${name}_${codec}`);
    for (const topic of topics) await produce(options_of(brokers, topic), []);
    const kcat = 'printf %s "$4" | kcat -P -b "$1" -t "$2" -z "$3" -X linger.ms=200';
    const lines = TO_PACK.join("\n");
    await Promise.all(topics.map((topic, at) => shell("produce with kcat", kcat, brokers, topic, CODECS[at]!, lines)));
    await assert_read(brokers, topics, TO_PACK);
  },
  ["kcat"],
);

kafka_test("a message of 10 MB passes alone, and the bound holds", async (brokers, topic) => {
  const options = options_of(brokers, topic);
  const client = new KafkaClient(options);
  const admin = client.admin();
  await admin.connect();
  const configEntries = [{ name: "max.message.bytes", value: String(16 << 20) }];
  await admin.createTopics({ topics: [{ topic, numPartitions: 1, configEntries }], waitForLeaders: true });
  await admin.disconnect().finally(() => client.cut());
  const large = "z".repeat(10 << 20);
  const producer = await open_kafka_producer(options, "zstd");
  const values = ["before", large, "between", large, "after"];
  await producer.send(topic, values.map((value) => ({ key: null, value: bytes_of(value) }))).finally(() =>
    producer.close()
  );
  const bound = { messages: 100, bytes: 1 << 20 };
  const source = new KafkaSource(options, system_clock, { ...QUICK, bound, most_record_bytes: 11 << 20 });
  const book = new TestBook();
  await source.open(book, never);
  const reader = new SourceReader(source, book);
  const taken: number[][] = [];
  while (taken.flat().length < 5) {
    taken.push((await reader.take({ messages: 100, bytes: 1 << 20 }, never)).map(({ value }) => value!.length));
  }
  await source.close();
  assert.deepEqual(taken.flat(), values.map((value) => value.length));
  for (const lengths of taken) assert.ok(lengths.length === 1 || !lengths.includes(10 << 20), `together: ${lengths}`);
});

kafka_test("tells whether the broker set a message's time", async (brokers, name) => {
  const topics = ["CreateTime", "LogAppendTime"].map((type) => ({ type, topic: `${name}_${type}` }));
  const client = new KafkaClient(options_of(brokers, name));
  const admin = client.admin();
  await admin.connect();
  await admin.createTopics({
    topics: topics.map(({ type, topic }) => ({
      topic,
      numPartitions: 1,
      configEntries: [{ name: "message.timestamp.type", value: type }],
    })),
    waitForLeaders: true,
  });
  await admin.disconnect().finally(() => client.cut());
  const producer = await open_kafka_producer(options_of(brokers, name));
  for (const { topic } of topics) {
    await producer.send(topic, [{ key: null, value: bytes_of("x"), timestamp_ms: 1_000 }]);
  }
  await producer.close();
  const options = { ...options_of(brokers, ""), topics: topics.map(({ topic }) => topic) };
  const source = new KafkaSource(options, system_clock, QUICK);
  await source.open(new TestBook(), never);
  const read = await new SourceReader(source, null).read(2);
  await source.close();
  for (const { topic, timestamp_ms, timestamp_is_brokers } of read) {
    assert.equal(timestamp_is_brokers, topic === topics[1]!.topic, topic);
    assert.equal(timestamp_ms === 1_000, !timestamp_is_brokers, topic);
  }
});

kafka_test("passes over what transactions leave in the log, up to its very end", async (brokers, topic) => {
  const options = options_of(brokers, topic);
  await produce(options, ["first"]);
  const source = new KafkaSource(options, system_clock, QUICK);
  const book = new TestBook();
  await source.open(book, never);
  const reader = new SourceReader(source, book);
  await reader.read(1);
  const nothing_up_to = async (cursor: number) => {
    const late = AbortSignal.timeout(PATIENCE * 20_000);
    while (book.get(topic, 0) !== cursor && !late.aborted) assert.deepEqual(await reader.take(ROOMY, late), []);
    assert.equal(book.get(topic, 0), cursor);
  };
  await transaction(brokers, topic, "kept", "commit");
  assert.deepEqual((await reader.read(1)).map(text_of), ["kept"]);
  // The marker of the commit comes as an empty batch, and so do an aborted message and its marker.
  await nothing_up_to(3);
  await transaction(brokers, topic, "dropped", "abort");
  await nothing_up_to(5);
  assert.equal(source.lag(), 0);
  source.rewind();
  await produce(options, ["last"]);
  assert.deepEqual((await reader.read(1)).map(({ offset }) => offset), [5]);
  await source.close();
});

const numbers_of = (values: readonly string[]): string[] => sorted(values.map((value) => value.split(" ")[0]!));

kafka_test("hands out what transactions committed, and nothing that was rolled back", async (brokers, topic) => {
  const options = options_of(brokers, topic, { partitions: 4 });
  await produce(options, []);
  const seed = Math.floor(Math.random() * 2 ** 31);
  console.log(`transactions of seed ${seed}`);
  const committed = await send_transactions(brokers, topic, seed);
  const source = new KafkaSource(options, system_clock, { ...QUICK, slice: { messages: 20, bytes: 1 << 20 } });
  const book = new TestBook();
  await source.open(book, never);
  const count = [...committed.values()].reduce((sum, values) => sum + values.length, 0);
  const reader = new SourceReader(source, book);
  const read = await reader.read(count);
  // What was rolled back last is read past, too.
  const late = AbortSignal.timeout(PATIENCE * 20_000);
  while (source.lag() !== 0 && !late.aborted) assert.deepEqual(await reader.take(ROOMY, AbortSignal.timeout(500)), []);
  assert.equal(source.lag(), 0);
  await source.close();
  for (const [partition, values] of committed) {
    const found = read.filter((message) => message.partition === partition).map(text_of);
    assert.deepEqual(numbers_of(found), numbers_of(values), `seed ${seed}, partition ${partition}`);
  }
  if (needs("kcat") !== null) return;
  // librdkafka is of the same opinion, offset by offset.
  const kcat = 'kcat -C -e -q -b "$1" -t "$2" -o beginning -X isolation.level=read_committed -f "%p %o %S\\n"';
  const lines = (await shell("read with kcat", kcat, brokers, topic)).split("\n");
  const line_of = ({ partition, offset, value }: typeof read[0]) => `${partition} ${offset} ${value!.length}`;
  assert.deepEqual(read.map(line_of).toSorted(), lines.toSorted(), `seed ${seed}`);
});

kafka_test("says which open transaction holds a partition, and how much waits behind it", async (brokers, topic) => {
  const options = options_of(brokers, topic);
  await produce(options, ["first"]);
  const open = await open_transaction(brokers, topic, ["held"]);
  await produce(options, numbers(0, 50));
  const source = new KafkaSource(options, system_clock, QUICK);
  const book = new TestBook();
  await source.open(book, never);
  const reader = new SourceReader(source, book);
  assert.deepEqual((await reader.read(1)).map(text_of), ["first"]);
  assert.equal(source.lag(), 51);
  await until("it is said", () => source.remarks().length > 0);
  const [{ kind, text }] = source.remarks() as [SourceRemark];
  assert.equal(kind, "open_transaction");
  assert.match(text, new RegExp(`^an open transaction holds ${topic}/0 at offset 1 since 20.*Z$`));
  assert.deepEqual([source.state().state, source.lag()], ["running", 51]);
  await open.abort();
  assert.deepEqual((await reader.read(50)).map(text_of), numbers(0, 50));
  await until("it is said no longer", () => source.remarks().length === 0 && source.lag() === 0);
  await open.close();
  await source.close();
});

kafka_test("says which partitions a member reads who is none of ours", async (brokers, topic) => {
  const options = options_of(brokers, topic, { partitions: 4, client_id: "tacho-a" });
  await produce(options, []);
  const ours = [1, 2].map(() => new KafkaSource(options, system_clock, QUICK));
  const book = new TestBook();
  for (const source of ours) await source.open(book, never);
  const run = () => ours.every((source) => source.state().state === "running");
  await until("both read a half", async () => run() && await reading_members(brokers, options.group) === 2);
  const looked = performance.now();
  await until("a few looks found nobody else", () => performance.now() - looked > 5 * QUICK.watch_ms!);
  assert.deepEqual(ours.flatMap((source) => source.remarks()), []);
  // Another database's program, in the same group.
  const other = new KafkaSource({ ...options, client_id: "tacho-b" }, system_clock, QUICK);
  await other.open(new TestBook(), never);
  await until("both say it", () => ours.every((source) => source.remarks().length === 1));
  for (const source of ours) {
    const [{ kind, partitions, text }] = source.remarks() as [SourceRemark];
    assert.equal(kind, "read_by_others");
    assert.ok(partitions === 1 || partitions === 2);
    assert.match(
      text,
      /^(1 partition is|2 partitions are) read by others in this consumer group: .* by "tacho-b" at 127/,
    );
  }
  await other.close();
  await until("nobody says it", () => ours.every((source) => source.remarks().length === 0));
  await Promise.all(ours.map((source) => source.close()));
});

kafka_test("the book decides where reading begins, not what the group committed", async (brokers, topic) => {
  const options = options_of(brokers, topic);
  await produce(options, numbers(0, 100));
  const first = new KafkaSource(options, system_clock, QUICK);
  const book = new TestBook();
  await first.open(book, never);
  await new SourceReader(first, book).read(100);
  await first.close();
  assert.equal(await committed_offset(options), "100");
  const behind = new TestBook();
  behind.set(topic, 0, 60);
  const second = new KafkaSource(options, system_clock, QUICK);
  await second.open(behind, never);
  const read = await new SourceReader(second, behind).read(40);
  await second.close();
  assert.deepEqual(read.map(text_of), numbers(60, 100));
});

kafka_test(
  "two members share the partitions, and each goes on from the book when they move",
  async (brokers, topic) => {
    const options = options_of(brokers, topic, { partitions: 4 });
    await produce(options, numbers(0, 2_000));
    // One book for both, as one database is: what one commits the other finds when partitions come to it.
    const book = new TestBook();
    const seen: string[] = [];
    const read_on = async (source: KafkaSource, stop: AbortSignal, from: string[]) => {
      while (!stop.aborted) {
        // A reader of its own for each take: only the book says what is new.
        const taken = await new SourceReader(source, book).take({ messages: 50, bytes: 1 << 20 }, stop);
        from.push(...taken.map(text_of));
        seen.push(...taken.map(text_of));
      }
    };
    const first = new KafkaSource(options, system_clock, QUICK);
    await first.open(book, never);
    const first_done = new AbortController();
    const reading_first = read_on(first, first_done.signal, []);
    await until("the first one reads", () => seen.length > 0);
    const second = new KafkaSource(options, system_clock, QUICK);
    await second.open(book, never);
    const from_second: string[] = [];
    const second_done = new AbortController();
    const reading_second = read_on(second, second_done.signal, from_second);
    await until("the second one runs", () => second.state().state === "running");
    let written = 2_000;
    await until("the second one reads too", async () => {
      const from = written;
      written += 500;
      await produce(options, numbers(from, written));
      return from_second.length > 0;
    });
    await until("all was read", () => new Set(seen).size >= written);
    second_done.abort();
    await reading_second;
    await second.close();
    await produce(options, numbers(written, written + 1_000));
    await until("the first one took over", () => new Set(seen).size >= written + 1_000);
    first_done.abort();
    await reading_first;
    await first.close();
    // Nothing is lost, and what moved between them was read from the book on: no message came in twice.
    assert.deepEqual(sorted(seen), numbers(0, written + 1_000));
  },
);

kafka_test("waits with a full buffer as a live member, without fetching on", async (brokers, topic) => {
  const options = options_of(brokers, topic);
  await produce(options, numbers(0, 5_000));
  const states: string[] = [];
  const bound = { messages: 100, bytes: 1 << 20 }, session_ms = 6_000;
  const source = new KafkaSource(options, system_clock, {
    ...QUICK,
    ...{ session_ms, quiet_ms: 30_000, stall_ms: 60_000 },
    bound,
    slice: { messages: 10, bytes: 1 << 20 },
    on_state: ({ state }) => states.push(state),
  });
  const book = new TestBook();
  await source.open(book, never);
  await until("it runs", () => source.state().state === "running");
  const began = performance.now();
  // Longer than the session: without heartbeats the broker would have thrown it out.
  await until("two sessions are over", () => performance.now() - began > 2 * session_ms);
  const held = await new SourceReader(source, null).take({ messages: 5_000, bytes: 8 << 20 }, never);
  assert.equal(held.length, 100);
  assert.deepEqual(states, ["running"]);
  source.rewind();
  assert.deepEqual((await new SourceReader(source, book).read(5_000)).map(text_of), numbers(0, 5_000));
  await source.close();
});
