import assert from "node:assert/strict";
import { KafkaSource, open_kafka_producer } from "../../src/ingest/kafka/mod.ts";
import type { MessageSource, SourceBatch, SourceMessage } from "../../src/ingest/message_source.ts";
import { QueueSource } from "../../src/ingest/queue_source.ts";
import { system_clock } from "../../src/runtime/mod.ts";
import { type Need, tacho_test } from "../support/available.ts";
import { shared_kafka, unique_name } from "../support/kafka.ts";
import { produce } from "../support/kafka_topic.ts";
import { bytes_of, SourceReader, TestBook, text_of } from "../support/read_source.ts";
import { until } from "../support/until.ts";

/** What every adapter of the port must show, on a topic of its own with the one partition 0. */
interface Adapter {
  readonly name: string;
  readonly needs: readonly Need[];
  make(topic: string, bound: { messages: number; bytes: number }): Promise<{
    readonly source: MessageSource;
    /** Puts messages there before the source is opened; null: nothing can be. */
    readonly put_before: ((values: readonly string[]) => Promise<void>) | null;
    /** Puts messages behind those that are there. Returns without waiting for room. */
    put(values: readonly string[]): Promise<void>;
  }>;
}

const queue: Adapter = {
  name: "queue",
  needs: [],
  make(topic, bound) {
    const source = new QueueSource({ topic, cluster_id: "queue", bound, clock: system_clock });
    const never = new AbortController().signal;
    return Promise.resolve({
      source,
      put_before: null,
      put(values) {
        const headers = { kind: bytes_of("test") };
        const messages = values.map((value) => ({
          key: bytes_of("k"),
          value: bytes_of(value),
          headers,
          timestamp_ms: 1234,
        }));
        source.offer(messages, never);
        return Promise.resolve();
      },
    });
  },
};

const kafka: Adapter = {
  name: "kafka",
  needs: ["kafka"],
  async make(topic, bound) {
    const { brokers } = await shared_kafka();
    const options = {
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
    };
    return {
      source: new KafkaSource(options, system_clock, { bound, slice: { messages: 3, bytes: 1000 } }),
      put_before: (values) => produce(options, values),
      async put(values) {
        const producer = await open_kafka_producer(options);
        const headers = { kind: bytes_of("test") };
        const messages = values.map((value) => ({
          key: bytes_of("k"),
          value: bytes_of(value),
          headers,
          timestamp_ms: 1234,
        }));
        await producer.send(topic, messages).finally(() => producer.close());
      },
    };
  },
};

const never = new AbortController().signal;
const numbers = (from: number, to: number): string[] => Array.from({ length: to - from }, (_, at) => String(from + at));
const ROOMY = { messages: 1_000, bytes: 1 << 20 };

for (const adapter of [queue, kafka]) {
  const contract = (
    name: string,
    bound: { messages: number; bytes: number },
    fn: (
      on: { source: MessageSource; put(values: readonly string[]): Promise<void>; topic: string; book: TestBook },
    ) => Promise<void>,
  ) =>
    tacho_test({
      name: `${adapter.name} source: ${name}`,
      needs: adapter.needs,
      async fn() {
        const topic = unique_name("trips");
        const { source, put } = await adapter.make(topic, bound);
        const book = new TestBook();
        await source.open(book, never);
        try {
          await fn({ source, put, topic, book });
        } finally {
          await source.close();
        }
      },
    });

  contract(
    "hands out everything in order, each message once, with key, headers and time",
    ROOMY,
    async ({ source, put, topic, book }) => {
      await put(numbers(0, 25));
      const read = await new SourceReader(source, book).read(25);
      assert.deepEqual(read.map(text_of), numbers(0, 25));
      assert.deepEqual(read.map(({ offset }) => offset), numbers(0, 25).map(Number));
      const { key, headers, timestamp_ms, topic: from } = read[7]!;
      assert.equal(new TextDecoder().decode(key!), "k");
      assert.equal(new TextDecoder().decode(headers["kind"]), "test");
      assert.equal(timestamp_ms, 1234);
      assert.equal(from, topic);
      assert.ok(source.cluster_id.length > 0);
      await until("it says that it runs", () => source.state().state === "running");
    },
  );

  contract("cuts batches at the limit, and lets a larger message pass alone", ROOMY, async ({ source, put, book }) => {
    await put([...numbers(0, 10), "x".repeat(500), "y"]);
    const reader = new SourceReader(source, book);
    for (const wanted of ["0", "1", "2", "3"]) {
      const [one, ...more] = await reader.take({ messages: 1, bytes: 1 << 20 }, never);
      assert.equal(text_of(one!), wanted);
      assert.deepEqual(more, []);
    }
    const rest: SourceMessage[] = [];
    while (rest.length < 6) rest.push(...await reader.take({ messages: 6 - rest.length, bytes: 1 << 20 }, never));
    assert.deepEqual(rest.map(text_of), numbers(4, 10));
    const large = await reader.take({ messages: 10, bytes: 100 }, never);
    assert.deepEqual(large.map((message) => message.value!.length), [500]);
    assert.deepEqual((await reader.read(1)).map(text_of), ["y"]);
  });

  contract(
    "leaves little to grow until it is worth it, or the wait for that is over",
    ROOMY,
    async ({ source, put }) => {
      await put(numbers(0, 2));
      const little = Promise.withResolvers<void>();
      const taken = source.take(ROOMY, never, { messages: 4, until: little.promise });
      const first = await Promise.race([taken, until("two messages wait", () => source.lag() === 2).then(() => null)]);
      assert.equal(first, null, "two are not worth it");
      await put(numbers(2, 4));
      const values = (batches: readonly SourceBatch[]) => batches.flatMap(({ messages }) => messages.map(text_of));
      assert.deepEqual(values(await taken), numbers(0, 4));
      await put(numbers(4, 5));
      const over = source.take(ROOMY, never, { messages: 4, until: little.promise });
      little.reject(new Error("what was waited for failed"));
      assert.deepEqual(values(await over), numbers(4, 5), "however the wait ends");
    },
  );
  contract("hands out from the book again after a rewind", ROOMY, async ({ source, put, topic, book }) => {
    await put(numbers(0, 20));
    assert.equal((await new SourceReader(source, null).read(20)).length, 20);
    book.set(topic, 0, 12);
    source.rewind();
    const again = await new SourceReader(source, book).read(8);
    assert.deepEqual(again.map(text_of), numbers(12, 20));
    await put(["20"]);
    source.rewind();
    assert.deepEqual((await new SourceReader(source, book).read(1)).map(text_of), ["20"]);
  });

  contract("drops what is buffered at a rewind", ROOMY, async ({ source, put, topic, book }) => {
    await put(numbers(0, 10));
    const first = await new SourceReader(source, null).read(1, { messages: 1, bytes: 1000 });
    assert.deepEqual(first.map(text_of), ["0"]);
    book.set(topic, 0, 0);
    source.rewind();
    assert.deepEqual((await new SourceReader(source, book).read(10)).map(text_of), numbers(0, 10));
  });

  contract(
    "holds no more than its bound, and goes on when there is room",
    { messages: 10, bytes: 1 << 20 },
    async ({ source, put, book }) => {
      await put(numbers(0, 50));
      const reader = new SourceReader(source, book);
      const first = await until("something came", async () => {
        const some = await reader.take({ messages: 1_000, bytes: 1 << 20 }, never);
        return some.length > 0 && some;
      });
      assert.ok(first.length <= 10, `${first.length} messages came at once`);
      const rest = await reader.read(50 - first.length);
      assert.deepEqual([...first, ...rest].map(text_of), numbers(0, 50));
    },
  );

  contract("tells the lag behind the book", ROOMY, async ({ source, put, topic, book }) => {
    await put(numbers(0, 9));
    await until("the lag is 9", () => source.lag() === 9);
    await new SourceReader(source, null).read(9);
    assert.equal(source.lag(), 9);
    book.set(topic, 0, 7);
    assert.equal(source.lag(), 2);
  });

  tacho_test({
    name: `${adapter.name} source: a topic that was never read begins where the book says, and goes on from there`,
    needs: adapter.needs,
    async fn() {
      const topic = unique_name("trips");
      const { source, put_before, put } = await adapter.make(topic, ROOMY);
      await put_before?.(numbers(0, 7));
      const passed_over = put_before === null ? 0 : 7;
      const book = new TestBook();
      book.begins_at_end = true;
      await source.open(book, never);
      // Where something could be there before, the book is asked before anything is delivered, and once.
      const begun = passed_over === 0 ? [] : [{ topic, partition: 0, low: 0, high: 7 }];
      await until("it runs", () => source.state().state === "running");
      assert.deepEqual(book.begun, begun);
      await put(numbers(7, 12));
      const read = await new SourceReader(source, book).read(5);
      assert.deepEqual(read.map(text_of), numbers(7, 12));
      assert.deepEqual(read.map(({ offset }) => offset), numbers(passed_over, passed_over + 5).map(Number));
      source.rewind();
      await put(numbers(12, 14));
      assert.deepEqual((await new SourceReader(source, book).read(2)).map(text_of), numbers(12, 14));
      assert.deepEqual(book.begun, begun);
      await source.close();
    },
  });

  contract("ends a waiting take at the abort and at close", ROOMY, async ({ source }) => {
    const controller = new AbortController();
    const aborted = source.take(ROOMY, controller.signal);
    controller.abort();
    assert.deepEqual(await aborted, []);
    const closed = source.take(ROOMY, never);
    await source.close();
    assert.deepEqual(await closed, []);
    assert.deepEqual(await source.take(ROOMY, never), []);
    assert.equal(source.state().state, "closed");
    source.committed([{ topic: "other", partition: 3, next_offset: 9 }]);
    source.rewind();
    await source.close();
  });
}

tacho_test({
  name: "queue source: numbers its messages from the book's cursor on",
  async fn() {
    const source = new QueueSource({ topic: "q", cluster_id: "queue", bound: ROOMY, clock: system_clock });
    const book = new TestBook();
    book.set("q", 0, 41);
    const offered = source.offer([{ key: null, value: bytes_of("a"), headers: {}, timestamp_ms: 0 }], never);
    await source.open(book, never);
    assert.equal(await offered, 1);
    const [message] = await new SourceReader(source, book).read(1);
    assert.equal(message!.offset, 41);
    await source.close();
  },
});

tacho_test({
  name: "queue source: an offer waits until what is there was committed, and says how much went in",
  async fn() {
    const source = new QueueSource({
      topic: "q",
      cluster_id: "queue",
      bound: { messages: 2, bytes: 100 },
      clock: system_clock,
    });
    await source.open(new TestBook(), never);
    const messages = numbers(0, 4).map((value) => ({
      key: null,
      value: bytes_of(value),
      headers: {},
      timestamp_ms: 0,
    }));
    const controller = new AbortController();
    const offered = source.offer(messages, controller.signal);
    assert.equal((await source.take(ROOMY, never))[0]!.messages.length, 2);
    // Taken is not committed: there is still no room.
    assert.equal(await Promise.race([offered, Promise.resolve("waiting")]), "waiting");
    source.committed([{ topic: "q", partition: 0, next_offset: 1 }]);
    assert.equal((await source.take(ROOMY, never))[0]!.messages.length, 1);
    controller.abort();
    assert.equal(await offered, 3);
    await source.close();
    assert.equal(await source.offer(messages, never), 0);
  },
});

tacho_test({
  name: "queue source: a cursor that another process moved is a gap",
  async fn() {
    const source = new QueueSource({ topic: "q", cluster_id: "queue", bound: ROOMY, clock: system_clock });
    const book = new TestBook();
    await source.open(book, never);
    await source.offer([{ key: null, value: bytes_of("a"), headers: {}, timestamp_ms: 0 }], never);
    book.set("q", 0, 1);
    source.rewind();
    const state = source.state();
    assert.ok(state.state === "gap");
    assert.equal(state.gap.kind, "truncated");
    book.set("q", 0, 0);
    source.rewind();
    assert.equal(source.state().state, "running");
    assert.equal((await new SourceReader(source, book).read(1)).length, 1);
    await source.close();
  },
});
