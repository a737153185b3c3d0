import assert from "node:assert/strict";
import { KafkaSource } from "../../src/ingest/kafka/mod.ts";
import type { SourceState } from "../../src/ingest/message_source.ts";
import { system_clock } from "../../src/runtime/mod.ts";
import { tacho_test } from "../support/available.ts";
import { shared_kafka, unique_name } from "../support/kafka.ts";
import { delete_below, make_anew, numbers, options_of, produce, QUICK } from "../support/kafka_topic.ts";
import { SourceReader, TestBook, text_of } from "../support/read_source.ts";
import { until } from "../support/until.ts";

const ROOMY = { messages: 20_000, bytes: 8 << 20 };
const never = new AbortController().signal;

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
    const gap = await until("there is a gap", async () => {
      const taken = await reader.take({ messages: 1, bytes: 1 << 20 }, AbortSignal.timeout(300));
      last = taken[0]?.offset ?? last;
      const state = source.state();
      return state.state === "gap" && state.gap;
    });
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
  // It must not be the source that makes it anew.
  const options = options_of(brokers, topic, { create_topic: false });
  await produce(options, numbers(0, 50));
  // It must not be the source that makes the topic anew.
  const source = new KafkaSource({ ...options, create_topic: false }, system_clock, QUICK);
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

kafka_test(
  "a gap that the book keeps is not read across, although the topic has grown past it",
  async (brokers, topic) => {
    const options = options_of(brokers, topic);
    await produce(options, numbers(0, 20));
    const source = new KafkaSource(options, system_clock, QUICK);
    const book = new TestBook();
    book.set(topic, 0, 10);
    const noticed_at = "2026-03-01T12:00:00.000000Z";
    book.kept = { kind: "truncated", topic, partition: 0, cursor: 10, first_available: 0, end: 3, noticed_at };
    await source.open(book, never);
    const { gap, reason } = await gap_of(source);
    assert.deepEqual(gap, book.kept);
    assert.match(
      reason,
      /ends at offset 3, the next one to read is 10: .* made anew, noticed at 2026-03-01T12:00:00.000000Z$/,
    );
    source.rewind();
    await gap_of(source);
    // What shows now is told, where anything does.
    await delete_below(options, topic, 15);
    source.rewind();
    await until("it tells what is gone now", () => {
      const state = source.state();
      return state.state === "gap" && state.reason.includes("5 offsets are gone");
    });
    book.kept = null;
    book.set(topic, 0, 15);
    source.rewind();
    assert.deepEqual((await new SourceReader(source, book).read(5)).map(text_of), numbers(15, 20));
    await source.close();
  },
);

kafka_test("another cluster than the cursors' is a gap", async (brokers, topic) => {
  const options = options_of(brokers, topic);
  await produce(options, numbers(0, 5));
  const source = new KafkaSource(options, system_clock, QUICK);
  const book = new TestBook();
  book.cluster_id = "another";
  book.set(topic, 0, 3);
  await source.open(book, never);
  const { gap, reason, advice } = await gap_of(source);
  const found = source.cluster_id;
  assert.deepEqual(gap, { kind: "other_cluster", topic, partition: 0, cursor: 3, expected: "another", found });
  assert.equal(reason, `the cursor of ${topic}/0 belongs to Kafka cluster "another", "${found}" answers`);
  assert.match(advice, /tacho accept-gap/);
  source.rewind();
  // Not accepted yet: it looks and stops again.
  assert.equal(source.state().state, "starting");
  await gap_of(source);
  book.cluster_id = found;
  book.set(topic, 0, 0);
  source.rewind();
  assert.deepEqual((await new SourceReader(source, book).read(5)).map(text_of), numbers(0, 5));
  await source.close();
});
