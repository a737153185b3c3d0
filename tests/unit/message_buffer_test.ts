import assert from "node:assert/strict";
import { count_within, message_bytes, MessageBuffer } from "../../src/ingest/message_buffer.ts";
import type { SourceBatch, SourceMessage } from "../../src/ingest/message_source.ts";

const message = (offset: number, bytes = 1): SourceMessage => ({
  topic: "t",
  partition: 0,
  offset,
  key: null,
  value: new Uint8Array(bytes),
  headers: {},
  timestamp_ms: 0,
});

const batch = (from: number, next: number, partition = 0, bytes = 1): SourceBatch => ({
  topic: "t",
  partition,
  from_offset: from,
  next_offset: next,
  messages: Array.from({ length: next - from }, (_, at) => message(from + at, bytes)),
});

const spans = (batches: readonly SourceBatch[]) =>
  batches.map(({ partition, from_offset, next_offset, messages }) => [
    partition,
    from_offset,
    next_offset,
    messages.length,
  ]);

const MUCH = { messages: 1_000, bytes: 1_000_000 };

Deno.test("a message weighs its key, value and headers", () => {
  const headers = { ab: new Uint8Array(3) };
  assert.equal(message_bytes({ key: new Uint8Array(2), value: new Uint8Array(4), headers, timestamp_ms: 0 }), 11);
  assert.equal(message_bytes({ key: null, value: null, headers: {}, timestamp_ms: 0 }), 0);
});

Deno.test("count_within stops at either limit, and lets one through where it must", () => {
  const messages = [message(0, 5), message(1, 5), message(2, 5)];
  assert.deepEqual(count_within(messages, 0, { messages: 2, bytes: 100 }, 0), { messages: 2, bytes: 10 });
  assert.deepEqual(count_within(messages, 1, { messages: 9, bytes: 9 }, 0), { messages: 1, bytes: 5 });
  assert.deepEqual(count_within(messages, 0, { messages: 9, bytes: 4 }, 0), { messages: 0, bytes: 0 });
  assert.deepEqual(count_within(messages, 0, { messages: 9, bytes: 4 }, 1), { messages: 1, bytes: 5 });
  assert.deepEqual(count_within(messages, 3, MUCH, 1), { messages: 0, bytes: 0 });
});

Deno.test("the bound counts messages and bytes, and an empty buffer takes anything", () => {
  const buffer = new MessageBuffer({ messages: 5, bytes: 50 });
  assert.ok(buffer.has_room({ messages: 1, bytes: 1_000 }));
  buffer.push(batch(0, 3, 0, 10), 30);
  assert.deepEqual(buffer.held, { messages: 3, bytes: 30 });
  assert.ok(buffer.has_room({ messages: 2, bytes: 20 }));
  assert.ok(!buffer.has_room({ messages: 3, bytes: 3 }));
  assert.ok(!buffer.has_room({ messages: 1, bytes: 21 }));
  buffer.take(MUCH);
  assert.deepEqual(buffer.held, { messages: 0, bytes: 0 });
});

Deno.test("taking cuts a batch where the limit falls, without a hole", () => {
  const buffer = new MessageBuffer(MUCH);
  buffer.push(batch(0, 3), 3);
  buffer.push(batch(10, 14, 1), 4);
  assert.deepEqual(spans(buffer.take({ messages: 5, bytes: 99 })), [[0, 0, 3, 3], [1, 10, 12, 2]]);
  assert.deepEqual(spans(buffer.take({ messages: 99, bytes: 1 })), [[1, 12, 13, 1]]);
  assert.deepEqual(spans(buffer.take(MUCH)), [[1, 13, 14, 1]]);
  assert.deepEqual(buffer.take(MUCH), []);
  assert.deepEqual(buffer.held, { messages: 0, bytes: 0 });
});

Deno.test("a cut inside a hole of offsets ends where the next message begins", () => {
  const buffer = new MessageBuffer(MUCH);
  const messages = [message(5), message(9)];
  buffer.push({ topic: "t", partition: 0, from_offset: 3, next_offset: 12, messages }, 2);
  assert.deepEqual(spans(buffer.take({ messages: 1, bytes: 99 })), [[0, 3, 9, 1]]);
  assert.deepEqual(spans(buffer.take(MUCH)), [[0, 9, 12, 1]]);
});

Deno.test("a message larger than the limit goes alone", () => {
  const buffer = new MessageBuffer(MUCH);
  buffer.push(batch(0, 1), 1);
  buffer.push(batch(1, 2, 0, 500), 500);
  buffer.push(batch(2, 3), 1);
  assert.deepEqual(spans(buffer.take({ messages: 9, bytes: 100 })), [[0, 0, 1, 1]]);
  assert.deepEqual(spans(buffer.take({ messages: 9, bytes: 100 })), [[0, 1, 2, 1]]);
  assert.deepEqual(spans(buffer.take({ messages: 9, bytes: 100 })), [[0, 2, 3, 1]]);
});

Deno.test("empty offsets lengthen the partition's newest batch, however many there are", () => {
  const buffer = new MessageBuffer(MUCH);
  buffer.push(batch(0, 2), 2);
  buffer.push(batch(0, 1, 1), 1);
  for (let at = 2; at < 100; at++) buffer.push_empty("t", 0, at, at + 1);
  assert.deepEqual(spans(buffer.take(MUCH)), [[0, 0, 100, 2], [1, 0, 1, 1]]);
  buffer.push_empty("t", 0, 100, 101);
  buffer.push_empty("t", 0, 101, 102);
  assert.deepEqual(spans(buffer.take(MUCH)), [[0, 100, 102, 0]]);
});

Deno.test("empty offsets behind the batch that is being cut go with its rest", () => {
  const buffer = new MessageBuffer(MUCH);
  buffer.push(batch(0, 2), 2);
  buffer.push_empty("t", 0, 2, 3);
  assert.deepEqual(spans(buffer.take({ messages: 1, bytes: 99 })), [[0, 0, 1, 1]]);
  buffer.push_empty("t", 0, 3, 4);
  assert.deepEqual(spans(buffer.take(MUCH)), [[0, 1, 4, 1]]);
});

Deno.test("clearing leaves nothing to take and nothing to lengthen", () => {
  const buffer = new MessageBuffer(MUCH);
  buffer.push(batch(0, 5), 5);
  buffer.clear();
  assert.deepEqual(buffer.take(MUCH), []);
  buffer.push_empty("t", 0, 5, 6);
  assert.deepEqual(spans(buffer.take(MUCH)), [[0, 5, 6, 0]]);
});

Deno.test("limits and bounds let in exactly what they say, and count on with what was taken", () => {
  assert.deepEqual(count_within([message(0, 5), message(1, 5)], 0, { messages: 9, bytes: 10 }, 0), {
    messages: 2,
    bytes: 10,
  });
  const buffer = new MessageBuffer(MUCH);
  buffer.push(batch(0, 2, 0, 5), 10);
  buffer.push(batch(0, 2, 1, 5), 10);
  buffer.push(batch(0, 2, 2, 5), 10);
  assert.deepEqual(spans(buffer.take({ messages: 4, bytes: 20 })), [[0, 0, 2, 2], [1, 0, 2, 2]]);
  assert.deepEqual(buffer.held, { messages: 2, bytes: 10 });
  buffer.push(batch(2, 4, 2, 5), 10);
  assert.deepEqual(spans(buffer.take({ messages: 9, bytes: 15 })), [[2, 0, 2, 2], [2, 2, 3, 1]]);
  assert.deepEqual(buffer.held, { messages: 1, bytes: 5 });
});

Deno.test("offsets without messages weigh nothing, and a cleared buffer holds nothing and has room", () => {
  const buffer = new MessageBuffer({ messages: 3, bytes: 30 });
  buffer.push_empty("t", 1, 0, 9);
  assert.deepEqual(buffer.held, { messages: 0, bytes: 0 });
  buffer.push(batch(0, 3, 0, 10), 30);
  buffer.take({ messages: 1, bytes: 99 });
  buffer.clear();
  assert.deepEqual(buffer.held, { messages: 0, bytes: 0 });
  assert.ok(buffer.has_room({ messages: 9, bytes: 99 }));
  buffer.push(batch(7, 9), 2);
  assert.deepEqual(spans(buffer.take(MUCH)), [[0, 7, 9, 2]], "it begins at its first again");
});

Deno.test("of several partitions the oldest messages go first, and what came first goes with every take", () => {
  const sent = (from: number, partition: number, at_ms: number): SourceBatch => {
    const made = batch(from, from + 2, partition);
    return {
      ...made,
      messages: made.messages.map((message) => ({ ...message, timestamp_ms: at_ms + message.offset })),
    };
  };
  const buffer = new MessageBuffer(MUCH);
  // One that is far ahead of two others, whose clock is fast besides.
  for (let from = 0; from < 20; from += 2) buffer.push(sent(from, 2, 1_000_000), 2);
  for (let from = 0; from < 8; from += 2) buffer.push(sent(from, 0, 0), 2);
  for (let from = 0; from < 8; from += 2) buffer.push(sent(from, 1, 1), 2);
  const order = (limit: number) =>
    spans(buffer.take({ messages: limit, bytes: 999 })).map(([partition, from]) => [partition, from]);
  assert.deepEqual(order(8), [[2, 0], [0, 0], [1, 0], [0, 2]]);
  assert.deepEqual(order(4), [[2, 2], [1, 2]], "no partition waits for ever");
  buffer.push_empty("t", 3, 0, 9);
  assert.deepEqual(order(6), [[2, 4], [3, 0], [0, 4], [1, 4]], "what holds nothing holds nothing up");
  assert.deepEqual(order(99).filter(([partition]) => partition !== 2), [[0, 6], [1, 6]]);
});

Deno.test("a partition that is ahead leaves room for those that are behind", () => {
  const buffer = new MessageBuffer({ messages: 100, bytes: 1_000 });
  const room = (partition: number, messages: number, bytes = messages) =>
    buffer.has_room({ messages, bytes }, { topic: "t", partition });
  buffer.push(batch(0, 50, 0), 50);
  assert.ok(room(0, 50), "alone it has all of it");
  buffer.push(batch(0, 10, 1), 10);
  assert.ok(!room(0, 1), "beside another one it has half");
  assert.ok(room(1, 40) && !room(1, 41));
  buffer.push(batch(0, 10, 2), 10);
  assert.ok(room(3, 30), "one that has nothing has whatever is left");
  assert.ok(!room(3, 31) && !room(1, 24) && room(1, 23), "a third each");
  assert.ok(!room(1, 1, 931), "bytes as well");
  buffer.take({ messages: 41, bytes: 999 });
  assert.ok(room(0, 21), "below the half of it whoever comes first");
});
