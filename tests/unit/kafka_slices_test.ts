import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import type { KafkaMessage } from "../../src/ingest/kafka/kafka_client.ts";
import { slices } from "../../src/ingest/kafka/kafka_slices.ts";

const kafka_message = (offset: number, bytes = 1, headers = {}): KafkaMessage => ({
  offset: String(offset),
  key: null,
  value: Buffer.alloc(bytes),
  timestamp: "17",
  attributes: 0,
  headers,
});

const cut = (offsets: readonly [number, number?][], from: number, last_offset: number, messages = 2, bytes = 100) => {
  const fetched = {
    topic: "t",
    partition: 3,
    messages: offsets.map(([at, size]) => kafka_message(at, size)),
    last_offset,
  };
  return [...slices(fetched, from, { messages, bytes })].map(({ batch, bytes }) => [
    batch.from_offset,
    batch.next_offset,
    batch.messages.length,
    bytes,
  ]);
};

Deno.test("slices follow each other without holes, the last one behind what the fetch covered", () => {
  assert.deepEqual(cut([[5], [6], [7]], 5, 7), [[5, 7, 2, 2], [7, 8, 1, 1]]);
  assert.deepEqual(cut([[5], [9], [20]], 3, 25), [[3, 20, 2, 2], [20, 26, 1, 1]]);
});

Deno.test("a slice keeps to the bytes, and a larger message is alone", () => {
  assert.deepEqual(cut([[0, 60], [1, 60], [2, 500], [3, 1]], 0, 3, 9), [[0, 1, 1, 60], [1, 2, 1, 60], [2, 3, 1, 500], [
    3,
    4,
    1,
    1,
  ]]);
});

Deno.test("headers: the last value of a repeated one, none without value, any name", () => {
  const headers = { a: [Buffer.from("1"), "2"], b: undefined, c: "text", ["__proto__"]: Buffer.from("p") };
  const fetched = { topic: "t", partition: 0, messages: [kafka_message(0, 1, headers)], last_offset: 0 };
  const [slice] = [...slices(fetched, 0, { messages: 1, bytes: 1 })];
  const found = Object.entries(slice!.batch.messages[0]!.headers).map((
    [name, value],
  ) => [name, new TextDecoder().decode(value)]);
  assert.deepEqual(found, [["a", "2"], ["c", "text"], ["__proto__", "p"]]);
  assert.equal(slice!.batch.messages[0]!.timestamp_ms, 17);
});

Deno.test("timestamps that no database stores are taken for the nearest it does", () => {
  const given = ["9223372036854775807", "8640000000000000", "0", "-1", "-9223372036854775808"];
  const messages = given.map((timestamp, offset) => ({ ...kafka_message(offset), timestamp }));
  const fetched = { topic: "t", partition: 0, messages, last_offset: 4 };
  const [slice] = [...slices(fetched, 0, { messages: 9, bytes: 100 })];
  assert.deepEqual(slice!.batch.messages.map(({ timestamp_ms }) => timestamp_ms), [8.64e15, 8.64e15, 0, -1, -8.64e15]);
});
