import assert from "node:assert/strict";
import { KafkaSource, open_kafka_admin } from "../../src/ingest/kafka/mod.ts";
import { system_clock } from "../../src/runtime/mod.ts";
import { tacho_test } from "../support/available.ts";
import { free_port } from "../support/free_port.ts";
import { shared_kafka, start_kafka, unique_name } from "../support/kafka.ts";
import { numbers, options_of, produce, QUICK } from "../support/kafka_topic.ts";
import { SourceReader, TestBook, text_of } from "../support/read_source.ts";
import { assert_within } from "../support/slowness.ts";
import { until } from "../support/until.ts";

const never = new AbortController().signal;

function kafka_test(name: string, fn: (brokers: string, topic: string) => Promise<void>): void {
  tacho_test({
    name: `kafka source: ${name}`,
    needs: ["kafka"],
    fn: async () => await fn((await shared_kafka()).brokers, unique_name("trips")),
  });
}

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
  // Where a busy machine answered too late it was made by nobody, as far as is known.
  assert.ok(made.filter((by_us) => by_us).length <= 1);
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
    max_wait_ms: 8_000,
    quiet_ms: 500,
    stall_ms: 2_000,
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
    assert_within(4_000, performance.now() - began, "closing");
  },
});

tacho_test({
  name: "kafka source: goes on by itself after kill -9 of the broker, and closes while the broker is dead",
  needs: ["kafka"],
  async fn() {
    await using server = await start_kafka();
    const options = options_of(server.brokers, "trips");
    await produce(options, numbers(0, 100));
    // Too patient for the watchdog to be what helps.
    const source = new KafkaSource(options, system_clock, { ...QUICK, stall_ms: 600_000 });
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
    await until("it says that it runs", () => source.state().state === "running");
    await server.kill_nine();
    const began = performance.now();
    await source.close();
    assert_within(5_000, performance.now() - began, "closing");
  },
});
