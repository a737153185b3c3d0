import assert from "node:assert/strict";
import { type KafkaOptions, type KafkaSettings, KafkaSource, open_kafka_producer } from "../../src/ingest/kafka/mod.ts";
import { type Compression, KafkaClient } from "../../src/ingest/kafka/kafka_client.ts";
import { open_kafka_admin } from "../../src/ingest/kafka/kafka_admin.ts";
import type { SourceState } from "../../src/ingest/message_source.ts";
import { system_clock } from "../../src/runtime/mod.ts";
import { tacho_test } from "../support/available.ts";
import { free_port } from "../support/free_port.ts";
import { shared_kafka, start_kafka, unique_name } from "../support/kafka.ts";
import { bytes_of, SourceReader, TestBook, text_of } from "../support/read_source.ts";
import { until } from "../support/until.ts";

/** Short times, so that what takes a while in production is seen soon. */
const QUICK: Partial<KafkaSettings> = {
  watch_ms: 200,
  quiet_ms: 1_000,
  stall_ms: 8_000,
  retry_cap_ms: 500,
  session_ms: 3_000,
  heartbeat_ms: 500,
  rebalance_ms: 5_000,
  close_ms: 2_000,
};
const ROOMY = { messages: 20_000, bytes: 8 << 20 };
const never = new AbortController().signal;

function options_of(brokers: string, topic: string, changes: Partial<KafkaOptions> = {}): KafkaOptions {
  return {
    brokers: [brokers],
    client_id: "test",
    tls: false,
    sasl: null,
    log: () => {},
    topics: [topic],
    group: unique_name("group"),
    partitions: 1,
    replication: 1,
    create_topic: true,
    expected_cluster_id: null,
    ...changes,
  };
}

/** Makes the topic and puts values on it, spread over its partitions by key. */
async function produce(
  options: KafkaOptions,
  values: readonly string[],
  compression: Compression = "none",
): Promise<void> {
  const admin = await open_kafka_admin(options);
  await admin.ensure_topic(options.topics[0]!, options).finally(() => admin.close());
  const producer = await open_kafka_producer(options, compression);
  const messages = values.map((value) => ({ key: bytes_of(value.slice(0, 40)), value: bytes_of(value) }));
  await producer.send(options.topics[0]!, messages).finally(() => producer.close());
}

/** Removes what lies below an offset, as retention does. */
async function delete_below(options: KafkaOptions, topic: string, offset: number): Promise<void> {
  const client = new KafkaClient(options);
  const admin = client.admin();
  await admin.connect();
  // kafkajs asks no broker for the topic's leaders here; another call has to bring them in.
  await admin.fetchTopicOffsets(topic);
  await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: String(offset) }] });
  await admin.disconnect().finally(() => client.cut());
}

/** Deletes the topic and makes it anew, empty. */
async function make_anew(options: KafkaOptions, topic: string): Promise<void> {
  const client = new KafkaClient(options);
  const admin = client.admin();
  await admin.connect();
  await admin.deleteTopics({ topics: [topic] });
  await until(
    "the topic is made anew",
    () => admin.createTopics({ topics: [{ topic, numPartitions: 1 }], waitForLeaders: true }),
  );
  await admin.disconnect().finally(() => client.cut());
}

const numbers = (from: number, to: number): string[] => Array.from({ length: to - from }, (_, at) => String(from + at));
const sorted = (values: readonly string[]): string[] => [...values].sort((a, b) => Number(a) - Number(b));

async function gap_of(source: KafkaSource): Promise<Extract<SourceState, { state: "gap" }>> {
  return await until(`there is a gap`, () => {
    const state = source.state();
    return state.state === "gap" && state;
  });
}

function kafka_test(name: string, fn: (brokers: string, topic: string) => Promise<void>): void {
  tacho_test({
    name: `kafka source: ${name}`,
    needs: ["kafka"],
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
  const source = new KafkaSource(options, system_clock, { ...QUICK, bound: { messages: 100, bytes: 1 << 20 } });
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

kafka_test("passes over what transactions leave in the log, up to its very end", async (brokers, topic) => {
  const options = options_of(brokers, topic);
  await produce(options, ["first"]);
  await produce_in_transactions(brokers, topic);
  const source = new KafkaSource(options, system_clock, QUICK);
  const book = new TestBook();
  await source.open(book, never);
  const reader = new SourceReader(source, book);
  assert.deepEqual((await reader.read(2)).map(text_of), ["first", "kept"]);
  // first, kept, commit marker, dropped, abort marker: the markers at the end come as an empty batch.
  const late = AbortSignal.timeout(20_000);
  while (book.get(topic, 0) !== 5 && !late.aborted) assert.deepEqual(await reader.take(ROOMY, late), []);
  assert.equal(book.get(topic, 0), 5);
  assert.equal(source.lag(), 0);
  await source.close();
});

/** One transaction that commits "kept" and one that aborts "dropped". */
async function produce_in_transactions(brokers: string, topic: string): Promise<void> {
  const { Kafka, logLevel } = await import("kafkajs");
  const kafka = new Kafka({ brokers: [brokers], logLevel: logLevel.NOTHING });
  const producer = kafka.producer({ transactionalId: unique_name("tx"), maxInFlightRequests: 1, idempotent: true });
  await producer.connect();
  const kept = await producer.transaction();
  await kept.send({ topic, messages: [{ value: "kept" }] });
  await kept.commit();
  const dropped = await producer.transaction();
  await dropped.send({ topic, messages: [{ value: "dropped" }] });
  await dropped.abort();
  await producer.disconnect();
}

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

async function committed_offset(options: KafkaOptions): Promise<string | undefined> {
  const client = new KafkaClient(options);
  const admin = client.admin();
  await admin.connect();
  const offsets = await admin.fetchOffsets({ groupId: options.group, topics: [...options.topics] });
  await admin.disconnect().finally(() => client.cut());
  return offsets[0]?.partitions[0]?.offset;
}

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
    await produce(options, numbers(2_000, 4_000));
    await until("all was read", () => new Set(seen).size >= 4_000);
    assert.ok(from_second.length > 0, "the second one read nothing");
    second_done.abort();
    await reading_second;
    await second.close();
    await produce(options, numbers(4_000, 5_000));
    await until("the first one took over", () => new Set(seen).size >= 5_000);
    first_done.abort();
    await reading_first;
    await first.close();
    // Nothing is lost, and what moved between them was read from the book on: no message came in twice.
    assert.deepEqual(sorted(seen), numbers(0, 5_000));
  },
);

kafka_test("reads the book anew when partitions are assigned, before it believes in a gap", async (brokers, topic) => {
  const options = options_of(brokers, topic);
  await produce(options, numbers(0, 50));
  await delete_below(options, topic, 40);
  const book = new TestBook();
  book.set(topic, 0, 10);
  // Another instance read on since: its cursor is in the database.
  book.elsewhere.set(`${topic}:0`, 45);
  const source = new KafkaSource(options, system_clock, QUICK);
  await source.open(book, never);
  assert.deepEqual((await new SourceReader(source, book).read(5)).map(text_of), numbers(45, 50));
  assert.ok(book.refreshed > 0);
  await source.close();
});

kafka_test("waits with a full buffer as a live member, without fetching on", async (brokers, topic) => {
  const options = options_of(brokers, topic);
  await produce(options, numbers(0, 5_000));
  const states: string[] = [];
  const bound = { messages: 100, bytes: 1 << 20 };
  const source = new KafkaSource(options, system_clock, {
    ...QUICK,
    bound,
    slice: { messages: 10, bytes: 1 << 20 },
    on_state: ({ state }) => states.push(state),
  });
  const book = new TestBook();
  await source.open(book, never);
  await until("it runs", () => source.state().state === "running");
  const began = performance.now();
  // Longer than the session: without heartbeats the broker would have thrown it out.
  await until("two sessions are over", () => performance.now() - began > 2 * QUICK.session_ms!);
  const held = await new SourceReader(source, null).take({ messages: 5_000, bytes: 8 << 20 }, never);
  assert.equal(held.length, 100);
  assert.deepEqual(states, ["running"]);
  source.rewind();
  assert.deepEqual((await new SourceReader(source, book).read(5_000)).map(text_of), numbers(0, 5_000));
  await source.close();
});

kafka_test("a cursor below the log's start is a gap, and a rewind past it goes on", async (brokers, topic) => {
  const options = options_of(brokers, topic);
  await produce(options, numbers(0, 50));
  await delete_below(options, topic, 30);
  const book = new TestBook();
  book.set(topic, 0, 10);
  const source = new KafkaSource(options, system_clock, QUICK);
  await source.open(book, never);
  const { gap, reason } = await gap_of(source);
  assert.deepEqual(gap, { kind: "retention", topic, partition: 0, cursor: 10, first_available: 30, end: 50 });
  assert.match(reason, /20 offsets are gone/);
  book.set(topic, 0, 30);
  source.rewind();
  assert.deepEqual((await new SourceReader(source, book).read(20)).map(text_of), numbers(30, 50));
  await source.close();
});

kafka_test(
  "retention that overtakes a slow reader is a gap, behind all that was fetched before",
  async (brokers, topic) => {
    const options = options_of(brokers, topic);
    const pad = "-".repeat(50_000);
    await produce(options, numbers(0, 100).map((n) => n + pad));
    const source = new KafkaSource(options, system_clock, {
      ...QUICK,
      bound: { messages: 10, bytes: 8 << 20 },
      slice: { messages: 1, bytes: 1 << 20 },
    });
    const book = new TestBook();
    await source.open(book, never);
    const reader = new SourceReader(source, book);
    await reader.read(1, { messages: 1, bytes: 1 << 20 });
    await delete_below(options, topic, 95);
    let last = 0;
    while (source.state().state === "running") {
      const taken = await reader.take({ messages: 1, bytes: 1 << 20 }, AbortSignal.timeout(300));
      last = taken[0]?.offset ?? last;
    }
    const { gap } = await gap_of(source);
    // The rest of what it had is handed out still.
    for (let held = [{ offset: last }]; held.length > 0;) {
      last = held.at(-1)!.offset;
      held = await reader.take(ROOMY, AbortSignal.timeout(300));
    }
    assert.equal(gap.kind, "retention");
    assert.equal(gap.cursor, last + 1);
    assert.equal(gap.first_available, 95);
    assert.ok(gap.cursor < 95);
    await source.close();
  },
);

kafka_test("a topic that was made anew while it was read is a gap", async (brokers, topic) => {
  const options = options_of(brokers, topic);
  await produce(options, numbers(0, 50));
  const source = new KafkaSource(options, system_clock, QUICK);
  const book = new TestBook();
  await source.open(book, never);
  await new SourceReader(source, book).read(50);
  await make_anew(options, topic);
  const { gap } = await gap_of(source);
  assert.deepEqual(gap, { kind: "truncated", topic, partition: 0, cursor: 50, first_available: 0, end: 0 });
  await source.close();
});

kafka_test("a cursor beyond the log's end is a gap", async (brokers, topic) => {
  const options = options_of(brokers, topic);
  await produce(options, numbers(0, 5));
  const book = new TestBook();
  book.set(topic, 0, 9);
  const source = new KafkaSource(options, system_clock, QUICK);
  await source.open(book, never);
  assert.deepEqual((await gap_of(source)).gap, {
    kind: "truncated",
    topic,
    partition: 0,
    cursor: 9,
    first_available: 0,
    end: 5,
  });
  await source.close();
});

kafka_test("another cluster than the cursors' is a gap", async (brokers, topic) => {
  const source = new KafkaSource(options_of(brokers, topic, { expected_cluster_id: "another" }), system_clock, QUICK);
  await source.open(new TestBook(), never);
  assert.equal((await gap_of(source)).gap.kind, "other_cluster");
  await source.close();
});

kafka_test("an absent topic is waited for when it may not be made", async (brokers, topic) => {
  const options = options_of(brokers, topic, { create_topic: false });
  const source = new KafkaSource(options, system_clock, QUICK);
  const book = new TestBook();
  await source.open(book, never);
  await until("it waits", () => source.state().reason === `Error: topic "${topic}" does not exist`);
  await produce(options, ["now"]);
  assert.deepEqual((await new SourceReader(source, book).read(1)).map(text_of), ["now"]);
  await source.close();
});

kafka_test("ensuring a topic from many sides makes it once", async (brokers, topic) => {
  const admin = await open_kafka_admin(options_of(brokers, topic));
  const shape = { partitions: 3, replication: 1 };
  const made = await Promise.all(Array.from({ length: 4 }, () => admin.ensure_topic(topic, shape)));
  assert.equal(made.filter((by_us) => by_us).length, 1);
  assert.equal((await admin.watermarks([topic])).length, 3);
  await admin.close();
});

kafka_test("asking for more replicas than there are brokers fails for good", async (brokers, topic) => {
  const source = new KafkaSource(options_of(brokers, topic, { replication: 3 }), system_clock, QUICK);
  await source.open(new TestBook(), never);
  await until("it failed", () => source.state().state === "failed");
  await source.close();
});

kafka_test("a consumer that stands still is built anew, and loses nothing", async (brokers, topic) => {
  const options = options_of(brokers, topic);
  const reasons: (string | null)[] = [];
  // The broker holds an empty fetch for longer than silence is suffered.
  const source = new KafkaSource(options, system_clock, {
    ...QUICK,
    max_wait_ms: 3_000,
    quiet_ms: 200,
    stall_ms: 600,
    on_state: ({ reason }) => reasons.push(reason),
  });
  const book = new TestBook();
  await source.open(book, never);
  await until("it was built anew", () => reasons.filter((reason) => reason?.includes("stood still")).length >= 2);
  await produce(options, numbers(0, 10));
  assert.deepEqual((await new SourceReader(source, book).read(10)).map(text_of), numbers(0, 10));
  await source.close();
});

tacho_test({
  name: "kafka source: waits for brokers that are not there, and closes at once",
  async fn() {
    const source = new KafkaSource(options_of(`127.0.0.1:${free_port()}`, "trips"), system_clock, QUICK);
    const controller = new AbortController();
    const opening = source.open(new TestBook(), controller.signal);
    await until("it waits", () => source.state().state === "waiting");
    controller.abort(new Error("stopped by the test"));
    await assert.rejects(opening, /stopped by the test/);
    const began = performance.now();
    await source.close();
    assert.ok(performance.now() - began < 4_000);
  },
});

tacho_test({
  name: "kafka source: goes on by itself after kill -9 of the broker, and closes while the broker is dead",
  needs: ["kafka"],
  async fn() {
    await using server = await start_kafka();
    const options = options_of(server.brokers, "trips");
    await produce(options, numbers(0, 100));
    const source = new KafkaSource(options, system_clock, QUICK);
    const book = new TestBook();
    await source.open(book, never);
    const reader = new SourceReader(source, book);
    const read = await reader.read(100);
    await server.kill_nine();
    await until("it waits", () => source.state().state === "waiting");
    await server.restart();
    await produce(options, numbers(100, 200));
    read.push(...await reader.read(100));
    assert.deepEqual(read.map(text_of), numbers(0, 200));
    assert.equal(source.state().state, "running");
    await server.kill_nine();
    const began = performance.now();
    await source.close();
    assert.ok(performance.now() - began < 5_000, `closing took ${performance.now() - began} ms`);
  },
});
