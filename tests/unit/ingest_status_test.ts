import assert from "node:assert/strict";
import type { Batch } from "../../src/event_log/mod.ts";
import { new_counts, SlidingSum, take_batch } from "../../src/ingest/loop.ts";

Deno.test("a sliding sum holds whole seconds of its window, the one that runs included, and forgets those before", () => {
  const sum = new SlidingSum(10);
  assert.equal(sum.sum(0), 0);
  sum.add(1_000, 1);
  sum.add(1_999, 2);
  sum.add(2_000, 4);
  assert.equal(sum.sum(2_000), 7);
  assert.equal(sum.sum(10_999), 7, "second 1 is the first of the ten");
  assert.equal(sum.sum(11_000), 4, "and then it is not");
  sum.add(11_500, 8);
  assert.equal(sum.sum(11_999), 12);
  assert.equal(sum.sum(12_000), 8);
  assert.equal(sum.sum(60_000), 0);
});

Deno.test("a clock that steps back adds to the newest second: nothing is lost and nothing kept for ever", () => {
  const sum = new SlidingSum(10);
  sum.add(20_000, 1);
  sum.add(15_000, 2);
  assert.equal(sum.sum(20_000), 3);
  sum.add(21_000, 4);
  assert.equal(sum.sum(21_000), 7);
  assert.equal(sum.sum(30_000), 4);
});

Deno.test("counts add up what batches say", () => {
  const counts = new_counts();
  assert.ok(Object.values(counts).every((count) => count === 0));
  const quarantined = [{}, {}] as unknown as Batch["quarantined"];
  const account = { messages_read: 17, duplicates: 5, tombstones: 6, skipped: 7, late: 1 };
  const batch = { ...account, rows: { count: 3 }, quarantined } as unknown as Batch;
  take_batch(counts, batch);
  take_batch(counts, batch);
  assert.deepEqual(
    [
      counts.batches,
      counts.messages_read,
      counts.admitted,
      counts.duplicates,
      counts.quarantined,
      counts.tombstones,
      counts.skipped,
    ],
    [2, 34, 6, 10, 4, 12, 14],
  );
  assert.equal(counts.late, 2);
});

Deno.test("a clock that is set back keeps a window what it is: nothing of later is counted into it for ever", () => {
  const sum = new SlidingSum(60);
  sum.add(3_600_000, 7);
  // An hour back: a minute after that only what came since then is in it.
  for (let second = 0; second < 300; second++) sum.add(second * 1_000, 1);
  assert.equal(sum.sum(299_000), 60);
});
