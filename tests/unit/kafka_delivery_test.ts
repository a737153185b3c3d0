import assert from "node:assert/strict";
import { gzipSync } from "node:zlib";
import { read_fetch_answer } from "../../src/ingest/kafka/records/fetch_answer.ts";
import type { EachBatchPayload } from "../../src/ingest/kafka/kafka_client.ts";
import { KafkaDelivery } from "../../src/ingest/kafka/kafka_delivery.ts";
import { PartitionWatch } from "../../src/ingest/kafka/partition_watch.ts";
import type { KeptGap } from "../../src/event_log/mod.ts";
import type { PartitionEnds } from "../../src/ingest/message_source.ts";
import { MessageBuffer } from "../../src/ingest/message_buffer.ts";
import type { SourceGap } from "../../src/ingest/message_source.ts";
import { WakeUp } from "../../src/runtime/paced.ts";
import { TestBook } from "../support/read_source.ts";
import { write_answer, write_batch, write_records, type WrittenBatch } from "../support/record_batches.ts";
import { until } from "../support/until.ts";

const MUCH = { messages: 1_000, bytes: 1 << 20 };
const AT = { topic: "t", partition: 0 };

/** A delivery over a made-up kafkajs: what it fetched, sought and was told lies open. */
function set_up(bound = MUCH) {
  const book = new TestBook();
  const buffer = new MessageBuffer(bound);
  const watch = new PartitionWatch();
  const changed = new WakeUp();
  const life = new AbortController();
  const on = {
    marks: [{ ...AT, low: 0, high: 100 }] as PartitionEnds[],
    /** Set while a seek waits for kafkajs's next fetch. */
    sought: null as number | null,
    resolved: [] as number[],
    gaps: [] as SourceGap[],
    other_cluster: null as SourceGap | null,
    waits: [] as string[],
    broken: [] as unknown[],
    running: true,
    heartbeats: 0,
    refuse_heartbeats: false,
    asked: 0,
  };
  const delivery = new KafkaDelivery({
    book,
    buffer,
    watch,
    changed,
    admin: {
      watermarks: () => {
        on.asked++;
        return Promise.resolve(on.marks);
      },
    },
    topics: ["t"],
    clock: { now_ms: () => 0 },
    slice: { messages: 2, bytes: 1 << 20 },
    most_record_bytes: 1 << 20,
    ended: life.signal,
    seek: (_topic, _partition, offset) => on.sought = offset,
    on_open: () => {},
    on_waiting: (reason) => on.waits.push(reason),
    on_gap: (gap) => on.gaps.push(gap),
    other_cluster: () => Promise.resolve(on.other_cluster),
    begin: () => Promise.resolve(),
    on_broken: (error) => on.broken.push(error),
  });
  /** What kafkajs hands to a handler of a fetch that brought one record batch, or none. */
  const handed = (written: WrittenBatch | null, fetched_at: number, ends = {}): EachBatchPayload => {
    const batches = written === null ? [] : [write_batch(written)];
    const [fetched] = read_fetch_answer(11, write_answer(11, [{ batches, high_watermark: 100, ...ends }])).topics[0]!
      .partitions;
    const batch = {
      ...AT,
      // As kafka_client.ts carries it through kafkajs.
      messages: [{ fetched }] as unknown as EachBatchPayload["batch"]["messages"],
      highWatermark: "100",
      fetchedOffset: String(fetched_at),
      isEmpty: () => false,
      firstOffset: () => null,
      lastOffset: () => "",
      offsetLag: () => "0",
      offsetLagLow: () => "0",
    };
    return {
      batch,
      resolveOffset: (offset) => on.resolved.push(Number(offset)),
      heartbeat: () => {
        on.heartbeats++;
        return on.refuse_heartbeats ? Promise.reject(new Error("rebalancing")) : Promise.resolve();
      },
      pause: () => () => {},
      commitOffsetsIfNecessary: () => Promise.resolve(),
      uncommittedOffsets: () => ({ topics: [] }),
      isRunning: () => on.running,
      isStale: () => on.sought !== null,
    };
  };
  /** As `handed`, with the messages at offsets [from, to). */
  const fetched = (from: number, to: number, fetched_at = from): EachBatchPayload => {
    const records = Array.from({ length: to - from }, () => ({ value: Uint8Array.of(1) }));
    return handed({ base_offset: from, records }, fetched_at);
  };
  const join = async () => {
    delivery.joined([AT]);
    on.sought = null;
    await until("the cursors were checked", () => delivery.is_open || on.gaps.length > 0);
  };
  const spans = () => buffer.take(MUCH).map(({ from_offset, next_offset }) => [from_offset, next_offset]);
  return { book, buffer, watch, changed, life, on, delivery, fetched, handed, join, spans };
}

Deno.test("a fetched batch is handed over in slices, and kafkajs's position follows", async () => {
  const { delivery, fetched, join, spans, on } = set_up();
  await join();
  await delivery.each_batch(fetched(0, 5));
  assert.deepEqual(spans(), [[0, 2], [2, 4], [4, 5]]);
  assert.deepEqual(on.resolved, [1, 3, 4]);
});

Deno.test("a batch of an unknown codec is a gap at the offset before it, behind all that came before", async () => {
  const { delivery, handed, join, spans, on, book } = set_up();
  await join();
  const unknown = (base_offset: number) => ({
    base_offset,
    codec: 6,
    records: [{ value: Uint8Array.of(1) }, { value: null }],
  });
  await delivery.each_batch(handed({ base_offset: 0, records: [{ value: Uint8Array.of(1) }] }, 0));
  // A hole lies before it, as compaction leaves some.
  await delivery.each_batch(handed(unknown(3), 1));
  assert.deepEqual(on.gaps, [{ kind: "unknown_codec", ...AT, cursor: 1, first_available: 5, end: 100, codec: 6 }]);
  assert.deepEqual([spans(), on.resolved, on.broken], [[[0, 1]], [0], []]);
  // One that was noticed before is looked for anew: this version may know the codec.
  book.kept = { ...on.gaps.pop()!, noticed_at: "then" } as KeptGap;
  await join();
  assert.deepEqual([on.gaps, delivery.is_open], [[], true]);
  book.set("t", 0, 5);
  await join();
  await delivery.each_batch(handed(unknown(3), 5));
  assert.deepEqual(on.gaps, [], "it was skipped");
});

Deno.test("nothing is delivered before the cursors were checked, and then from where the book says by then", async () => {
  const { delivery, fetched, join, spans, on, book } = set_up();
  book.elsewhere.set("t:0", 7);
  delivery.joined([AT]);
  assert.equal(on.sought, 0);
  on.sought = null;
  const early = delivery.each_batch(fetched(0, 3));
  await until("the cursors were checked", () => delivery.is_open);
  assert.equal(on.sought, 7);
  await early;
  assert.deepEqual(spans(), []);
  on.sought = null;
  await join();
  await delivery.each_batch(fetched(7, 9));
  assert.deepEqual(spans(), [[7, 9]]);
});

Deno.test("a join drops what is buffered, and what is still waiting for room", async () => {
  const { delivery, fetched, join, spans, on, book } = set_up({ messages: 2, bytes: 1 << 20 });
  await join();
  const waiting = delivery.each_batch(fetched(0, 6));
  await until("the buffer is full", () => on.resolved.length === 1);
  book.set("t", 0, 1);
  delivery.joined([AT]);
  await waiting;
  assert.deepEqual(on.resolved, [1]);
  assert.deepEqual(spans(), []);
  assert.equal(on.sought, 1);
});

Deno.test("a rewind while the cursors are being checked is heeded", async () => {
  const { delivery, fetched, spans, on, book } = set_up();
  delivery.joined([AT]);
  book.set("t", 0, 4);
  delivery.rewind();
  assert.equal(on.sought, 4);
  on.sought = null;
  await until("the cursors were checked", () => delivery.is_open);
  await delivery.each_batch(fetched(4, 6));
  assert.deepEqual(spans(), [[4, 6]]);
});

Deno.test("a handler leaves when heartbeats are refused, when the consumer stops, and at the end of its life", async () => {
  for (const leave of ["refused", "stopped", "ended"]) {
    const { delivery, fetched, join, spans, on, life, changed } = set_up({ messages: 2, bytes: 1 << 20 });
    await join();
    const waiting = delivery.each_batch(fetched(0, 6));
    await until("the buffer is full", () => on.resolved.length === 1);
    if (leave === "refused") on.refuse_heartbeats = true;
    if (leave === "stopped") on.running = false;
    if (leave === "ended") life.abort();
    changed.ring();
    await waiting;
    assert.deepEqual([leave, spans(), on.broken], [leave, [[0, 2]], []]);
  }
});

Deno.test("a batch fetched elsewhere than at the position is not delivered; kafkajs is sent back", async () => {
  const { delivery, fetched, join, spans, on, book } = set_up();
  book.set("t", 0, 20);
  await join();
  await delivery.each_batch(fetched(0, 30));
  assert.equal(on.sought, 20);
  assert.deepEqual([spans(), on.gaps, on.resolved], [[], [], []]);
  on.sought = null;
  await delivery.each_batch(fetched(20, 22));
  assert.deepEqual(spans(), [[20, 22]]);
});

Deno.test("a hole that compaction left lies inside a batch", async () => {
  const { delivery, fetched, join, spans } = set_up();
  await join();
  await delivery.each_batch(fetched(10, 12, 0));
  assert.deepEqual(spans(), [[0, 12]]);
});

Deno.test("retention while a batch waits for room is no gap before that batch is handed over", async () => {
  const { delivery, fetched, join, spans, on, changed } = set_up({ messages: 2, bytes: 1 << 20 });
  await join();
  const waiting = delivery.each_batch(fetched(0, 4));
  await until("the buffer is full", () => on.resolved.length === 1);
  on.marks = [{ ...AT, low: 50, high: 100 }];
  for (let looks = 0; looks < 3; looks++) assert.equal(await delivery.look(), false);
  assert.deepEqual(on.gaps, []);
  assert.deepEqual(spans(), [[0, 2]]);
  // The wake-up that follows a take comes from the source.
  changed.ring();
  await until("it is handed over", () => on.resolved.length === 2);
  await waiting;
  assert.equal(await delivery.look(), true);
  assert.equal(await delivery.look(), false);
  assert.deepEqual(on.gaps, [{ kind: "retention", ...AT, cursor: 4, first_available: 50, end: 100 }]);
});

Deno.test("offsets without a message advance the position, and lengthen what is buffered before them", async () => {
  const { delivery, fetched, handed, join, spans, on, watch } = set_up({ messages: 2, bytes: 1 << 20 });
  await join();
  await delivery.each_batch(handed({ base_offset: 0, last_offset_delta: 3 }, 0));
  assert.equal(watch.position("t", 0), 4);
  await delivery.each_batch(fetched(4, 6));
  // The buffer is full, and takes them all the same.
  for (let at = 6; at < 50; at++) await delivery.each_batch(handed({ base_offset: at }, at));
  assert.deepEqual(spans(), [[0, 4], [4, 50]]);
  assert.deepEqual([on.resolved.at(-1), watch.position("t", 0)], [49, 50]);
});

Deno.test("a fetch that brought nothing moves nothing", async () => {
  const { delivery, handed, join, spans, on, watch } = set_up();
  await join();
  await delivery.each_batch(handed(null, 0, { last_stable_offset: 0 }));
  assert.deepEqual([spans(), on.resolved, watch.position("t", 0)], [[], [], 0]);
});

Deno.test("a handler leaves in the middle of a batch that unpacks to much", async () => {
  for (const leave of ["refused", "stopped", "rewound"]) {
    const { delivery, handed, join, spans, on } = set_up();
    await join();
    const records = [{ value: new Uint8Array(30 << 20) }];
    const packed = gzipSync(write_records(records));
    const payload = handed({ base_offset: 0, codec: 1, packed, count: 1 }, 0);
    await delivery.each_batch({
      ...payload,
      heartbeat: () => {
        if (on.heartbeats++ === 3) {
          if (leave === "stopped") on.running = false;
          if (leave === "rewound") delivery.rewind();
          if (leave === "refused") return Promise.reject(new Error("rebalancing"));
        }
        return Promise.resolve();
      },
    });
    assert.deepEqual([leave, spans(), on.resolved, on.broken, on.heartbeats], [leave, [], [], [], 4]);
  }
});

Deno.test("brokers that cannot be asked are asked again, and delivery waits", async () => {
  const { delivery, on } = set_up();
  const marks = on.marks;
  Object.defineProperty(on, "marks", {
    configurable: true,
    get: () => {
      if (on.asked < 2) throw new Error("no broker");
      return marks;
    },
  });
  delivery.joined([AT]);
  await until("the cursors were checked", () => delivery.is_open);
  assert.deepEqual(on.waits, ["the cursors cannot be checked: Error: no broker"]);
});

Deno.test("after a join to another cluster nothing is delivered", async () => {
  const { delivery, fetched, spans, on } = set_up();
  const gap = { kind: "other_cluster", ...AT, cursor: 7, expected: "a", found: "b" } as const;
  on.other_cluster = gap;
  delivery.joined([AT]);
  await until("the gap is told", () => on.gaps.length === 1);
  on.running = false;
  await delivery.each_batch(fetched(0, 2));
  assert.deepEqual([delivery.is_open, on.gaps, spans()], [false, [gap], []]);
});

Deno.test("an error in a handler ends this life of the consumer, and kafkajs does not see it", async () => {
  const { delivery, fetched, join, on } = set_up();
  await join();
  const payload = fetched(0, 3);
  const broken = new Error("broken");
  await delivery.each_batch({
    ...payload,
    resolveOffset: () => {
      throw broken;
    },
  });
  assert.deepEqual(on.broken, [broken]);
});
