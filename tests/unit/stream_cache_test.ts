import assert from "node:assert/strict";
import type { StreamChange, StreamState } from "../../src/event_log/mod.ts";
import { StreamCache } from "../../src/ingest/working_stream.ts";

/** Event ids are their own hashes here. */
const change = (
  stream_id: string,
  expected_revision: number,
  ordinals: number[],
  state = "s",
): StreamChange => ({
  stream_id,
  expected_revision,
  state,
  revision: expected_revision + ordinals.length,
  last_us: 1,
  last_event_id: "e",
  ordinals,
  hashes: ordinals.map((ordinal) => ordinal * 100),
});
const stored = (positions: number[]): StreamState => ({
  state: "old",
  revision: positions.length,
  last_us: 0,
  last_event_id: "d",
  positions,
  hashes: positions,
});

Deno.test("a planned stream is known at once; its positions are open until the batch is committed", () => {
  const cache = new StreamCache(10);
  const first = change("A", 0, [1, 3], "new");
  cache.take([first], new Map());
  assert.deepEqual(cache.get("A"), {
    state: "new",
    revision: 2,
    last_us: 1,
    last_event_id: "e",
    positions: [NaN, NaN],
    hashes: [100, 300],
  });
  cache.settle([first], 40);
  assert.deepEqual(cache.get("A")!.positions, [41, 43]);
});

Deno.test("positions of a batch that is settled after the next one was planned on it go to their own places", () => {
  const cache = new StreamCache(10);
  const [first, second] = [change("A", 2, [1]), change("A", 3, [2, 5])];
  cache.take([first], new Map([["A", stored([7, 8])]]));
  const held = cache.get("A")!;
  cache.take([second], new Map([["A", held]]));
  cache.settle([first], 20);
  assert.deepEqual(cache.get("A")!.positions, [7, 8, 21, NaN, NaN]);
  cache.settle([second], 21);
  assert.deepEqual(cache.get("A")!.positions, [7, 8, 21, 23, 26]);
});

Deno.test("hashes of all its events stay beside their positions, whatever batch they came with: duplicates are known by them", () => {
  const cache = new StreamCache(10);
  cache.take([change("A", 2, [1])], new Map([["A", stored([7, 8])]]));
  assert.deepEqual(cache.get("A")!.hashes, [7, 8, 100]);
  cache.take([change("A", 3, [2, 5])], new Map([["A", cache.get("A")!]]));
  assert.deepEqual(cache.get("A")!.hashes, [7, 8, 100, 200, 500]);
});

Deno.test("a stream that changes was used: those that did not go first", () => {
  const cache = new StreamCache(2);
  cache.take([change("A", 0, [1]), change("B", 0, [2])], new Map());
  cache.take([change("A", 1, [1])], new Map([["A", stored([1])]]));
  cache.take([change("C", 0, [3])], new Map());
  assert.deepEqual(["A", "B", "C"].map((id) => cache.get(id) !== undefined), [true, false, true]);
});

Deno.test("it is bounded: the least recently used go first, and settling one that is gone is nothing", () => {
  const cache = new StreamCache(2);
  cache.take([change("A", 0, [1]), change("B", 0, [2])], new Map());
  cache.get("A");
  const third = change("C", 0, [3]);
  cache.take([third], new Map());
  assert.deepEqual(["A", "B", "C"].map((id) => cache.get(id) !== undefined), [true, false, true]);
  cache.take([change("D", 0, [1]), change("E", 0, [2])], new Map());
  cache.settle([third], 0);
  assert.equal(cache.get("C"), undefined);
});

Deno.test("a failure clears it", () => {
  const cache = new StreamCache(2);
  cache.take([change("A", 0, [1])], new Map());
  cache.clear();
  assert.equal(cache.get("A"), undefined);
});
