import assert from "node:assert/strict";
import { message_stream } from "../fuzz/message_stream.ts";

const LIMIT = 10_000;

Deno.test("the same seed gives the same fuzzed messages, however many are wanted; another seed others", () => {
  const first = [...message_stream(1_500, 5, LIMIT)];
  assert.equal(first.length, 1_500);
  assert.deepEqual([...message_stream(1_200, 5, LIMIT)], first.slice(0, 1_200));
  assert.notDeepEqual([...message_stream(1_000, 6, LIMIT)], first.slice(0, 1_000));
});
