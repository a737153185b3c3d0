import assert from "node:assert/strict";
import { gap_at, gap_reason, PartitionWatch } from "../../src/ingest/kafka/partition_watch.ts";

const mark = (low: number, high: number, partition = 0) => ({ topic: "t", partition, low, high });
const book_of = (cursors: Record<number, number>) => ({
  get: (_topic: string, partition: number) => cursors[partition] ?? null,
});

Deno.test("reading may go on within the log, and at its end", () => {
  for (const position of [5, 7, 9]) assert.equal(gap_at(position, mark(5, 9)), null);
});

Deno.test("below the log's start is retention, beyond its end truncation", () => {
  assert.equal(gap_at(4, mark(5, 9))?.kind, "retention");
  assert.equal(gap_at(10, mark(5, 9))?.kind, "truncated");
  assert.match(gap_reason(gap_at(4, mark(5, 9))!), /t\/0 keeps offsets from 5 on.*1 offsets are gone/);
  assert.match(gap_reason(gap_at(10, mark(5, 9))!), /ends at offset 9, the next one to read is 10/);
});

Deno.test("an assignment begins at the cursors, and at the earliest offset where there is none", () => {
  const watch = new PartitionWatch();
  watch.saw([mark(3, 9, 0), mark(4, 9, 1)]);
  watch.assign(
    [{ topic: "t", partition: 0 }, { topic: "t", partition: 1 }, { topic: "t", partition: 2 }],
    book_of({ 0: 7 }),
  );
  assert.deepEqual([0, 1, 2, 3].map((partition) => watch.position("t", partition)), [7, 4, 0, null]);
  watch.move("t", 0, 8);
  watch.move("t", 3, 8);
  assert.deepEqual([0, 3].map((partition) => watch.position("t", partition)), [8, null]);
});

Deno.test("a gap is believed at the second look, when the partition rests", () => {
  const watch = new PartitionWatch();
  watch.assign([{ topic: "t", partition: 0 }], book_of({ 0: 5 }));
  assert.deepEqual(watch.find_gap(watch.assigned(), [mark(0, 4)]), { look: "suspected" });
  assert.deepEqual(watch.find_gap(watch.assigned(), [mark(0, 5)]), { look: "sound" });
  assert.deepEqual(watch.find_gap(watch.assigned(), [mark(0, 4)]), { look: "suspected" });
  watch.move("t", 0, 6);
  assert.deepEqual(watch.find_gap(watch.assigned(), [mark(0, 4)]), { look: "suspected" });
  const found = watch.find_gap(watch.assigned(), [mark(0, 4)]);
  assert.equal(found.look === "gap" && found.gap.kind, "truncated");
});

Deno.test("a position that moved while the marks were asked for is no gap", () => {
  const watch = new PartitionWatch();
  watch.assign([{ topic: "t", partition: 0 }], book_of({ 0: 5 }));
  const asked = watch.assigned();
  watch.move("t", 0, 9);
  for (let looks = 0; looks < 3; looks++) assert.deepEqual(watch.find_gap(asked, [mark(7, 9)]), { look: "sound" });
});

Deno.test("a partition that is gone from its topic was cut", () => {
  const watch = new PartitionWatch();
  watch.assign([{ topic: "t", partition: 1 }], book_of({ 1: 5 }));
  watch.find_gap(watch.assigned(), [mark(0, 9)]);
  const found = watch.find_gap(watch.assigned(), [mark(0, 9)]);
  assert.equal(found.look === "gap" && found.gap.end, 0);
});

Deno.test("the lag is known once there is an assignment and every end was seen", () => {
  const watch = new PartitionWatch();
  assert.equal(watch.lag(book_of({})), null);
  watch.assign([{ topic: "t", partition: 0 }, { topic: "t", partition: 1 }], book_of({}));
  watch.saw([mark(2, 10, 0)]);
  assert.equal(watch.lag(book_of({})), null);
  watch.saw_end("t", 1, 4, 2, 0);
  assert.equal(watch.lag(book_of({ 0: 7 })), 3 + 4);
  assert.equal(watch.lag(book_of({ 0: 12, 1: 4 })), 0);
});

Deno.test("an open transaction is said once it has held a partition for a while, until it ends or the partition goes", () => {
  const watch = new PartitionWatch();
  const both = [{ topic: "t", partition: 0 }, { topic: "t", partition: 1 }];
  watch.assign(both, book_of({}));
  const said = () => watch.remarks().map(({ text }) => text);
  // Transactions come and go: the stable offset follows.
  for (let s = 0; s < 20; s++) watch.saw_end("t", 0, 100 + s, 90 + s, s * 1_000);
  assert.deepEqual(said(), []);
  watch.saw_end("t", 1, 51, 0, 20_000);
  watch.saw_end("t", 1, 60, 0, 24_999);
  assert.deepEqual(said(), []);
  watch.saw_end("t", 1, 61, 0, 25_000);
  const held = "an open transaction holds t/1 at offset 0 since 1970-01-01T00:00:20.000Z";
  assert.deepEqual(watch.remarks(), [{ kind: "open_transaction", partitions: 1, text: held }]);
  assert.equal(watch.lag(book_of({ 0: 119, 1: 0 })), 61, "what waits behind it counts");
  watch.assign(both, book_of({}));
  assert.deepEqual(said(), [held]);
  watch.saw_end("t", 1, 61, 61, 26_000);
  assert.deepEqual(said(), []);
  watch.saw_end("t", 1, 70, 62, 30_000);
  watch.saw_end("t", 1, 70, 62, 40_000);
  assert.equal(said().length, 1);
  watch.assign([{ topic: "t", partition: 0 }], book_of({}));
  assert.deepEqual(said(), []);
});

Deno.test("who else reads in the group is said by name", () => {
  const watch = new PartitionWatch();
  assert.equal(watch.reads_part, false);
  watch.saw([mark(0, 9, 0), mark(0, 9, 1)]);
  watch.assign([{ topic: "t", partition: 0 }, { topic: "t", partition: 1 }], book_of({}));
  assert.equal(watch.reads_part, false);
  watch.assign([], book_of({}));
  assert.equal(watch.reads_part, true);
  const of = (...partitions: number[]) => ({
    client_id: 'an "other"',
    host: "10.0.0.7",
    partitions: partitions.map((partition) => ({ topic: "t", partition })),
  });
  watch.saw_others([of(1)]);
  const one = '1 partition is read by others in this consumer group: t/1 by "an \\"other\\"" at 10.0.0.7';
  assert.deepEqual(watch.remarks(), [{ kind: "read_by_others", partitions: 1, text: one }]);
  watch.saw_others([of(0, 1, 2, 3), of(4, 5, 6)]);
  const [{ text, partitions }] = watch.remarks() as [ReturnType<typeof watch.remarks>[0]];
  assert.equal(partitions, 7);
  assert.match(text, /^7 partitions are read by others .*: t\/0, t\/1, t\/2, t\/3, t\/4, t\/5, … by /);
  watch.saw_others([]);
  assert.deepEqual(watch.remarks(), []);
});
