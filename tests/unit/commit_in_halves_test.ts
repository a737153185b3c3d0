import assert from "node:assert/strict";
import fc from "fast-check";
import { DatabaseUnreachable } from "../../src/database/mod.ts";
import { Overtaken } from "../../src/event_log/mod.ts";
import { advances_of, Cursors, one_by_one, type SourceBatch } from "../../src/ingest/mod.ts";
import { accuse, type Attempt, attempted, commit_in_halves } from "../../src/ingest/pipeline.ts";
import { source_batch as batch } from "../support/source_batch.ts";

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
    return batch(partition, from, at + tail, offsets);
  });
});

/** Attempts that fail while a culprit is not alone, and then until it is blamed; says how each ended. */
function attempts_of(culprits: readonly number[]) {
  const tried: string[] = [], committed: number[] = [], blamed: number[] = [];
  const attempt = (items: readonly number[], error: unknown): Promise<Attempt<number>> => {
    tried.push(`${items.join(" ")}${error === undefined ? "" : ` for ${error}`}`);
    const evil = items.filter((item) => culprits.includes(item));
    if (error === undefined && evil.length > 0) return Promise.resolve({ outcome: "failed", error: evil.join(" ") });
    (error === undefined ? committed : blamed).push(...items);
    return Promise.resolve({ outcome: "done", result: items.length });
  };
  return { tried, committed, blamed, attempt };
}

Deno.test("halving finds the culprits, and commits all others once and in order", async () => {
  const found = attempts_of([2, 5]);
  const came = await commit_in_halves([0, 1, 2, 3, 4, 5], found.attempt);
  assert.deepEqual(found.tried, [
    "0 1 2 3 4 5",
    "0 1 2",
    "0",
    "1 2",
    "1",
    "2",
    "2 for 2",
    "3 4 5",
    "3",
    "4 5",
    "4",
    "5",
    "5 for 5",
  ]);
  assert.deepEqual(came, { outcome: "done", result: [1, 1, 1, 1, 1, 1] });
  await fc.assert(fc.asyncProperty(fc.nat(40), fc.array(fc.nat(40)), async (last, culprits) => {
    const items = Array.from({ length: last + 1 }, (_, i) => i);
    const { committed, blamed, attempt } = attempts_of(culprits);
    await commit_in_halves(items, attempt);
    assert.deepEqual(committed, items.filter((item) => !culprits.includes(item)));
    assert.deepEqual(blamed, items.filter((item) => culprits.includes(item)));
  }));
});

Deno.test("a part that is overtaken ends the halving; a blamed one that fails, and an outage, throw", async () => {
  const { tried, attempt } = attempts_of([0]);
  const overtaken = { outcome: "overtaken", reason: "a rival" } as const;
  const came = await commit_in_halves(
    [0, 1, 2, 3],
    (items, blamed) => items[0] === 1 ? Promise.resolve(overtaken) : attempt(items, blamed),
  );
  assert.deepEqual([came, tried], [overtaken, ["0 1 2 3", "0 1", "0", "0 for 0"]]);
  const failed = (error: unknown): Promise<Attempt<never>> => Promise.resolve({ outcome: "failed", error });
  const last = new Error("not even set aside");
  await assert.rejects(
    commit_in_halves([0, 1], (_, blamed) => failed(blamed === undefined ? "first" : last)),
    (error) => error === last,
  );
  const outage = new DatabaseUnreachable("connect", new Error("refused"));
  await assert.rejects(
    commit_in_halves([0, 1], () => attempted(() => Promise.reject(outage))),
    (error) => error === outage,
  );
});

Deno.test("what work comes to: its result, a rival that was faster, or an error that nobody foresaw", async () => {
  const error = new TypeError("x is not a function");
  assert.deepEqual(await attempted(() => Promise.resolve(1)), { outcome: "done", result: 1 });
  assert.deepEqual(await attempted(() => Promise.reject(new Overtaken("it moved"))), {
    outcome: "overtaken",
    reason: "it moved",
  });
  assert.deepEqual(await attempted(() => Promise.reject(error)), { outcome: "failed", error });
});

Deno.test("one by one, batches tile the same offsets in order, with at most one message each", () => {
  fc.assert(fc.property(delivered, (whole) => {
    const singles = one_by_one(whole);
    for (const partition of [0, 1, 2]) {
      const own = singles.filter((each) => each.partition === partition);
      const given = whole.filter((each) => each.partition === partition);
      const offsets = (batches: readonly SourceBatch[]) =>
        batches.flatMap(({ messages }) => messages.map(({ offset }) => offset));
      assert.deepEqual(offsets(own), offsets(given));
      for (const [i, each] of own.entries()) {
        assert.ok(each.messages.length <= 1);
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
  const part = [batch(0, 7, 9, [7]), batch(0, 9, 12, [9]), batch(1, 5, 6, [])];
  assert.deepEqual(advances_of(part, cursors), [
    { topic: "t", partition: 0, from: 7, to: 12 },
    { topic: "t", partition: 1, from: null, to: 6 },
  ]);
  // A rival has taken the partition and gone on, as another look at the cursors has told: that is for the compare-and-set to find.
  cursors.reset([{ topic: "t", partition: 0, next_offset: 6_000, cluster_id: "c" }]);
  assert.deepEqual(advances_of([batch(0, 9, 12, [9])], cursors), [{ topic: "t", partition: 0, from: 9, to: 12 }]);
});

Deno.test("the accused carries what the failure said: its SQLSTATE, or that it is unknown", () => {
  const refused = Object.assign(new Error("violates check"), { severity: "ERROR", code: "23514" });
  const cases: [unknown, string, string][] = [
    [refused, "sqlstate_23514", "violates check"],
    [new TypeError("x is not a function"), "unknown_failure", "x is not a function"],
    ["thrown text", "unknown_failure", "thrown text"],
  ];
  for (const [failure, reason, detail] of cases) {
    const [accused, ...others] = accuse([batch(3, 5, 9, [6])], failure);
    assert.deepEqual(others, []);
    assert.deepEqual([accused!.message.topic, accused!.message.partition, accused!.message.offset], ["t", 3, 6]);
    assert.deepEqual(accused!.outcome, { fault: { reason, path: null, detail }, stage: "append" });
  }
});
