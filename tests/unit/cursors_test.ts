import assert from "node:assert/strict";
import { Cursors, type SourceBatch } from "../../src/ingest/mod.ts";
import { source_batch as batch } from "../support/source_batch.ts";

const cursor = (partition: number, next_offset: number) => ({ topic: "t", partition, next_offset, cluster_id: "c" });
const advance = (partition: number, from: number | null, to: number) => ({ topic: "t", partition, from, to });
const claimed = (cursors: Cursors, ...batches: SourceBatch[]) => {
  const claim = cursors.claim(batches);
  assert.ok(claim !== null, "the claim was refused");
  return {
    advances: claim.advances,
    offsets: claim.fresh.map(({ partition, messages }) => [partition, ...messages.map(({ offset }) => offset)]),
  };
};

Deno.test("a partition that was never read begins where the source does, and has no cursor to compare with", () => {
  const cursors = new Cursors();
  assert.equal(cursors.get("t", 0), null);
  assert.deepEqual(claimed(cursors, batch(0, 5, 7)), { offsets: [[0, 5, 6]], advances: [advance(0, null, 7)] });
  assert.equal(cursors.get("t", 0), null, "planned is not committed");
  assert.deepEqual(claimed(cursors, batch(0, 7, 8)).advances, [advance(0, 7, 8)]);
});

Deno.test("what was planned is not planned again; what is half new is trimmed", () => {
  const cursors = new Cursors();
  cursors.reset([cursor(0, 10)]);
  assert.deepEqual(claimed(cursors, batch(0, 8, 12)), { offsets: [[0, 10, 11]], advances: [advance(0, 10, 12)] });
  assert.deepEqual(claimed(cursors, batch(0, 8, 12)), { offsets: [], advances: [] });
  assert.deepEqual(claimed(cursors, batch(0, 8, 13)), { offsets: [[0, 12]], advances: [advance(0, 12, 13)] });
});

Deno.test("a batch from above the cursor is refused: something between would be skipped", () => {
  const cursors = new Cursors();
  cursors.reset([cursor(0, 10)]);
  assert.equal(cursors.claim([batch(0, 11, 12)]), null);
  assert.deepEqual(claimed(cursors, batch(0, 10, 11)).advances, [advance(0, 10, 11)]);
  assert.equal(cursors.claim([batch(1, 0, 2), batch(1, 3, 4)]), null);
  assert.deepEqual(claimed(cursors, batch(1, 0, 2)).advances, [advance(1, null, 2)], "a refused claim claims nothing");
});

Deno.test("offsets without messages move the cursor: compaction, control records", () => {
  const cursors = new Cursors();
  assert.deepEqual(claimed(cursors, batch(0, 0, 9, [3, 7]), batch(0, 9, 20, [])), {
    offsets: [[0, 3, 7], [0]],
    advances: [advance(0, null, 20)],
  });
});

Deno.test("several batches of several partitions: one advance a partition, from the first to the last", () => {
  const cursors = new Cursors();
  cursors.reset([cursor(0, 0)]);
  const { advances } = claimed(cursors, batch(0, 0, 2), batch(1, 4, 5), batch(0, 2, 6), batch(1, 5, 6));
  assert.deepEqual(advances, [advance(0, 0, 6), advance(1, null, 6)]);
});

Deno.test("committed is what sources go by; reset forgets what was planned", () => {
  const cursors = new Cursors();
  const { advances } = claimed(cursors, batch(0, 0, 5));
  cursors.commit(advances);
  assert.equal(cursors.get("t", 0), 5);
  claimed(cursors, batch(0, 5, 9));
  cursors.reset([cursor(0, 5), cursor(1, 2)]);
  assert.deepEqual([cursors.get("t", 0), cursors.get("t", 1), cursors.get("other", 0)], [5, 2, null]);
  assert.deepEqual(claimed(cursors, batch(0, 5, 9)).advances, [advance(0, 5, 9)]);
});

Deno.test("refresh raises what is committed to what another process wrote, and never lowers it", async () => {
  let known = [cursor(0, 8), cursor(1, 3)];
  const cursors = new Cursors(() => Promise.resolve(known));
  cursors.reset([cursor(0, 5), cursor(1, 4)]);
  await cursors.refresh();
  assert.deepEqual([cursors.get("t", 0), cursors.get("t", 1)], [8, 4]);
  known = [cursor(2, 1)];
  await cursors.refresh();
  assert.deepEqual([cursors.get("t", 0), cursors.get("t", 2)], [8, 1]);
});

Deno.test("a cursor of another cluster is foreign, on the topics that are asked about", async () => {
  const elsewhere = { ...cursor(1, 2), cluster_id: "d" };
  const cursors = new Cursors(() => Promise.resolve([cursor(0, 5), elsewhere]));
  assert.equal(cursors.foreign(["t"], "c"), null, "nothing was read yet");
  await cursors.refresh();
  assert.deepEqual(cursors.foreign(["s", "t"], "c"), elsewhere);
  assert.deepEqual(cursors.foreign(["t"], "d"), cursor(0, 5));
  assert.equal(cursors.foreign(["s"], "c"), null);
  cursors.reset([cursor(0, 5)]);
  assert.equal(cursors.foreign(["t"], "c"), null);
});

Deno.test("a gap is crossed when its cursor was moved back, beyond it or to another cluster, not by what is committed up to it", async () => {
  let known: ReturnType<typeof cursor>[] = [];
  const cursors = new Cursors(() => Promise.resolve(known));
  const retention = { kind: "retention", topic: "t", partition: 0, cursor: 10, first_available: 20, end: 30 } as const;
  const other = { kind: "other_cluster", topic: "t", partition: 0, cursor: 10, expected: "c", found: "d" } as const;
  cursors.reset([cursor(0, 6)]);
  for (const offset of [6, 8, 10]) {
    known = [cursor(0, offset)];
    assert.equal(await cursors.moved_across(retention), false);
    assert.equal(cursors.get("t", 0), 6, "what this process commits it takes in by itself");
  }
  assert.equal(await cursors.moved_across(other), false);
  for (const [gap, moved] of [[retention, 20], [{ ...retention, kind: "truncated" }, 0]] as const) {
    cursors.reset([cursor(0, 6)]);
    known = [cursor(0, moved)];
    assert.equal(await cursors.moved_across(gap), true);
    assert.equal(cursors.get("t", 0), moved);
  }
  cursors.reset([cursor(0, 10)]);
  known = [{ ...cursor(0, 10), cluster_id: "d" }];
  assert.equal(await cursors.moved_across(other), true);
  known = [];
  assert.equal(await cursors.moved_across(other), true, "nothing was ever committed from the cluster before");
});

Deno.test("reset forgets the cursors that the database does not have", () => {
  const cursors = new Cursors();
  cursors.reset([cursor(0, 5), cursor(1, 2)]);
  cursors.reset([cursor(1, 2)]);
  assert.deepEqual([cursors.get("t", 0), cursors.get("t", 1)], [null, 2]);
});

Deno.test("another partition or topic that moved does not cross a gap; nor does a cursor at 0 that was never read", async () => {
  let known = [{ ...cursor(0, 40), topic: "s" }, cursor(1, 40)];
  const cursors = new Cursors(() => Promise.resolve(known));
  const gap = { kind: "retention", topic: "t", partition: 0, cursor: 10, first_available: 20, end: 30 } as const;
  cursors.reset([cursor(0, 10)]);
  assert.equal(await cursors.moved_across(gap), false);
  known = [cursor(0, 0)];
  cursors.reset([]);
  assert.equal(await cursors.moved_across({ ...gap, cursor: 0 }), false);
});

Deno.test("topics of which no partition was ever read are begun, by all their ends; what was read before never is", async () => {
  let stored = [{ ...cursor(0, 5), topic: "read" }];
  const begun: string[] = [];
  const cursors = new Cursors(() => Promise.resolve(stored), (ends, cluster_id) => {
    begun.push(...ends.map(({ topic, partition, high }) => `${topic}/${partition} at ${high} of ${cluster_id}`));
    stored = [
      ...stored,
      ...ends.map(({ topic, partition, high }) => ({ topic, partition, next_offset: high, cluster_id })),
    ];
    return Promise.resolve();
  });
  await cursors.refresh();
  const ends = ["read", "new"].flatMap((topic) => [0, 1].map((partition) => ({ topic, partition, low: 2, high: 9 })));
  await cursors.begin(ends, "c");
  assert.deepEqual(begun, ["new/0 at 9 of c", "new/1 at 9 of c"]);
  assert.deepEqual([cursors.get("new", 1), cursors.get("read", 0), cursors.get("read", 1)], [9, 5, null]);
  // A partition that is added later begins at its beginning.
  await cursors.begin([...ends, { topic: "new", partition: 2, low: 0, high: 4 }], "c");
  assert.deepEqual([begun.length, cursors.get("new", 2)], [2, null]);
  await new Cursors(() => Promise.resolve([])).begin(ends, "c");
});
