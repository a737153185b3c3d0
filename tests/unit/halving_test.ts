import assert from "node:assert/strict";
import fc from "fast-check";
import { Cursors, type SourceBatch } from "../../src/ingest/mod.ts";
import { advances_of, halves } from "../../src/ingest/halving.ts";
import { accuse } from "../../src/ingest/pipeline.ts";

const batch = (
  partition: number,
  from_offset: number,
  offsets: readonly number[],
  next_offset: number,
): SourceBatch => ({
  topic: "t",
  partition,
  from_offset,
  next_offset,
  messages: offsets.map((offset) => ({
    topic: "t",
    partition,
    offset,
    key: null,
    value: null,
    headers: {},
    timestamp_ms: 0,
  })),
});
const count = (batches: readonly SourceBatch[]) => batches.reduce((sum, { messages }) => sum + messages.length, 0);

/** Batches as a source delivers them: gaps in the offsets, runs without messages, several of one partition. */
const delivered = fc.array(
  fc.tuple(fc.nat(2), fc.array(fc.nat(3), { maxLength: 6 }), fc.nat(3)),
  { minLength: 1, maxLength: 6 },
).map((parts) => {
  const next = [5, 5, 5];
  return parts.map(([partition, gaps, tail]) => {
    const from = next[partition]!;
    let at = from;
    const offsets = gaps.map((gap) => (at += gap + 1) - 1);
    next[partition] = at + tail;
    return batch(partition, from, offsets, at + tail);
  });
});

Deno.test("halving loses and repeats nothing: parts tile the offsets in order, down to single messages", () => {
  fc.assert(fc.property(delivered, (whole) => {
    const singles: SourceBatch[] = [];
    const work = (part: readonly SourceBatch[], depth: number): void => {
      assert.ok(depth < 20, "it ends");
      if (count(part) <= 1) return void singles.push(...part);
      for (const half of halves(part)) work(half, depth + 1);
    };
    work(whole, 0);
    const offsets = (batches: readonly SourceBatch[], partition: number) =>
      batches.filter((each) => each.partition === partition).flatMap(({ messages }) =>
        messages.map(({ offset }) => offset)
      );
    for (const partition of [0, 1, 2]) {
      assert.deepEqual(offsets(singles, partition), offsets(whole, partition));
      const own = singles.filter((each) => each.partition === partition);
      const given = whole.filter((each) => each.partition === partition);
      for (const [i, each] of own.entries()) {
        if (i > 0) assert.equal(each.from_offset, own[i - 1]!.next_offset);
        for (const { offset } of each.messages) assert.ok(offset >= each.from_offset && offset < each.next_offset);
      }
      assert.deepEqual([own[0]?.from_offset, own.at(-1)?.next_offset], [
        given[0]?.from_offset,
        given.at(-1)?.next_offset,
      ]);
    }
  }));
});

Deno.test("a part advances its own partitions, from what is committed by now to its own end", () => {
  const cursors = new Cursors();
  cursors.reset([{ topic: "t", partition: 0, next_offset: 7, cluster_id: "c" }]);
  const whole = [0, 1, 2].map((partition) => ({ topic: "t", partition, from: 5, to: 20 }));
  const part = [batch(0, 7, [7], 9), batch(0, 9, [9], 12), batch(1, 5, [], 6)];
  assert.deepEqual(advances_of(part, whole, cursors), [
    { topic: "t", partition: 0, from: 7, to: 12 },
    { topic: "t", partition: 1, from: null, to: 6 },
  ]);
});

Deno.test("the accused carries what the failure said: its SQLSTATE, or that it is unknown", () => {
  const refused = Object.assign(new Error("violates check"), { severity: "ERROR", code: "23514" });
  const cases: [unknown, string, string][] = [
    [refused, "sqlstate_23514", "violates check"],
    [new TypeError("x is not a function"), "unknown_failure", "x is not a function"],
    ["thrown text", "unknown_failure", "thrown text"],
  ];
  for (const [failure, reason, detail] of cases) {
    const [accused, ...others] = accuse([batch(3, 5, [6], 9)], failure);
    assert.deepEqual(others, []);
    assert.deepEqual([accused!.message.topic, accused!.message.partition, accused!.message.offset], ["t", 3, 6]);
    assert.deepEqual(accused!.outcome, { fault: { reason, path: null, detail }, stage: "append" });
  }
});
