import assert from "node:assert/strict";
import { BatchSize } from "../../src/ingest/batch_size.ts";

Deno.test("a batch that keeps the process busy for too long makes the next one smaller in proportion", () => {
  const size = new BatchSize(20_000);
  assert.equal(size.messages, 20_000);
  size.took(20_000, 6_000);
  assert.equal(size.messages, 5_000);
  size.took(5_000, 1_400);
  assert.equal(size.messages, 5_000);
  size.took(40, 60_000);
  assert.equal(size.messages, 100, "never so small that transactions are all it does");
});

Deno.test("batches that are full and quick grow again, to the most and not beyond", () => {
  const size = new BatchSize(20_000);
  size.took(20_000, 6_000);
  size.took(10, 1);
  assert.equal(size.messages, 5_000, "a batch that was not full says nothing of a full one");
  size.took(5_000, 700);
  assert.equal(size.messages, 10_000);
  size.took(10_000, 100);
  size.took(20_000, 100);
  assert.equal(size.messages, 20_000);
});

Deno.test("where few messages are the most, so few they stay", () => {
  const size = new BatchSize(8);
  size.took(8, 60_000);
  assert.equal(size.messages, 8);
});
