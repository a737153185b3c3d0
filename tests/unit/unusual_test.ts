import assert from "node:assert/strict";
import { PAYMENTS } from "../../src/domains/payments/mod.ts";
import type { DomainBoard } from "../../src/domains/mod.ts";
import { require_unusual } from "../../src/domains/board_faults.ts";
import { Random } from "../../src/domains/generator/mod.ts";
import {
  CLOSED,
  furthest,
  LEAST_SCORE,
  type Line,
  OPEN,
  past_of,
  running_totals,
  score_of_count,
  score_of_figure,
  told_of,
} from "../../src/unusual/mod.ts";
import { count_days, judge_days } from "../support/unusual_weeks.ts";

/** What is usual, what is called unusual, and what of it is told. */

const cells = (...counts: readonly number[]) => Float64Array.from(counts);
const EACH = CLOSED + OPEN;

/** A line that had `usual` in each cell of so many weeks, and now has other counts, from the first cell on. */
function line({ usual = 10, weeks = 8, now = {}, dimension = "none", key = "all", open = 0 }: {
  readonly usual?: number;
  readonly weeks?: number;
  readonly now?: Readonly<Record<number, number>>;
  readonly dimension?: string;
  readonly key?: string;
  readonly open?: number;
} = {}): Line {
  const seen = new Float64Array(EACH).fill(usual, 0, CLOSED).fill(open, CLOSED);
  for (const [at, count] of Object.entries(now)) seen[Number(at)] = count;
  const before = running_totals(new Float64Array(EACH).fill(usual));
  return {
    ...{ figure: "payments", dimension, key },
    seen: running_totals(seen),
    past: past_of(Array.from({ length: weeks }, () => before), null, 0),
  };
}

Deno.test("chance alone is called unusual as seldom as the score says, whatever is expected", () => {
  const random = new Random(3);
  const drawn = (mean: number): number => {
    let count = 0;
    for (let at = random.exponential(); at < mean; at += random.exponential()) count++;
    return count;
  };
  for (const mean of [0.3, 1, 3, 10, 60]) {
    let beyond = 0, unusual = 0;
    const tries = 20_000;
    for (let i = 0; i < tries; i++) {
      const past = Float64Array.from({ length: 8 }, () => drawn(mean));
      const { score } = score_of_count(drawn(mean), past);
      if (Math.abs(score) >= 3) beyond++;
      if (Math.abs(score) >= LEAST_SCORE) unusual++;
    }
    assert.ok(beyond / tries < 0.004, `mean ${mean}: ${beyond} of ${tries} beyond 3`);
    assert.ok(unusual <= 1, `mean ${mean}: ${unusual} of ${tries} unusual`);
  }
});

Deno.test("weeks that were unusual themselves do not make what is usual: three of eight, up or down", () => {
  const { expected, score } = score_of_count(100, cells(100, 104, 900, 96, 0, 101, 800, 99));
  assert.equal(expected, 100.5);
  assert.ok(Math.abs(score) < 1);
  assert.ok(score_of_count(300, cells(100, 104, 900, 96, 0, 101, 800, 99)).score > LEAST_SCORE);
});

Deno.test("what differs much from week to week is not called unusual for it; no week is so alike that 3 % are much", () => {
  assert.ok(score_of_count(500, cells(300, 520, 250, 480, 410, 290, 530, 330)).score < 2);
  assert.ok(score_of_count(10_400, cells(...Array(8).fill(10_000))).score < 1.5, "4 % of ten thousand");
  assert.ok(score_of_count(12_000, cells(...Array(8).fill(10_000))).score > LEAST_SCORE, "20 % of them");
});

Deno.test("any figure is held against what chance makes of as many as lie under it", () => {
  const past = () => cells(...Array(8).fill(250));
  assert.ok(score_of_figure(300, past(), 10).score < 1, "an amount of ten");
  assert.ok(score_of_figure(300, past(), 4_000).score > LEAST_SCORE, "the same of thousands");
  assert.equal(score_of_figure(0, cells(0, 0, 0, 0), 0).score, 0);
});

Deno.test("since when is where the stretch begins that lies furthest from what is usual", () => {
  assert.equal(furthest(line()), null);
  const { from, to, seen, expected, score } = furthest(line({ now: { 8: 30, 9: 30, 10: 30, 11: 30 } }))!;
  assert.deepEqual([from, to, seen, expected], [8, CLOSED, 120, 40]);
  assert.ok(score > LEAST_SCORE);
  const low = furthest(line({ now: { 10: 0, 11: 0 } }))!;
  assert.deepEqual([low.from, low.to, low.score < 0], [10, CLOSED, true]);
});

Deno.test("what is not closed is never called low, and high where it is too much for whole cells", () => {
  assert.equal(furthest(line({ open: 0 })), null);
  assert.equal(furthest(line({ usual: 1_000, open: 0 })), null);
  const { from, to } = furthest(line({ open: 80 }))!;
  assert.deepEqual([from, to], [CLOSED, EACH]);
});

Deno.test("with less than four weeks it goes by the day before, beyond all that it had; with less than a day nothing is known", () => {
  const few = line({ weeks: 3, now: { 11: 500 } });
  assert.equal(few.past, null);
  assert.equal(furthest(few), null);
  // A day whose noon has five times as much as its night.
  const day = running_totals(Float64Array.from({ length: 288 }, (_, i) => i > 120 && i < 168 ? 50 : 10));
  const of_day = (now: Readonly<Record<number, number>>, usual = 50) => ({
    ...line({ usual, now }),
    past: past_of([], day, 0),
  });
  assert.equal(furthest(of_day({})), null, "as much as at noon");
  assert.equal(furthest(of_day({}, 10)), null, "as little as at night");
  const { seen, expected } = furthest(of_day({ 11: 160 }))!;
  assert.deepEqual([seen, expected], [160, 50]);
  assert.equal(furthest(of_day({ 10: 0, 11: 0 }))?.expected, 20);
});

Deno.test("one matter is told once, by the key in which it shows most, with what explains it; keys of one dimension are matters of their own", () => {
  const now = (more: number, usual: number) => ({ 10: usual + more, 11: usual + more });
  const lines = [
    line({ usual: 100, now: now(150, 100) }),
    line({ usual: 10, dimension: "merchant", key: "A", now: now(100, 10) }),
    line({ usual: 10, dimension: "merchant", key: "B", now: now(50, 10) }),
    line({ usual: 80, dimension: "merchant", key: "C" }),
    line({ usual: 60, dimension: "city", key: "X", now: now(140, 60) }),
    line({ usual: 80, dimension: "city", key: "Y", now: now(10, 80) }),
  ];
  const items = told_of(lines.flatMap((each) => furthest(each) ?? []), lines, "none");
  assert.deepEqual(
    items.map(({ dimension, key }) => [dimension, key]),
    [["merchant", "A"], ["merchant", "B"], ["city", "X"]]
      .filter(([dimension]) => dimension === "merchant"),
  );
  const [first] = items;
  assert.equal(Math.round(first!.share! * 100), 67);
  assert.deepEqual(first!.explained_by.map(({ dimension, key, share }) => [dimension, key, Math.round(share * 100)]), [
    ["city", "X", 93],
  ]);
});

Deno.test("what is declared as watched is a count, by dimensions that keep five minutes and days and are not those of how things are now", () => {
  const { board } = PAYMENTS.make({ currency: "USD" });
  assert.ok((board.unusual ?? []).length > 0);
  const { name, dimensions, measures } = PAYMENTS.make({ currency: "USD" });
  const declare = (unusual: DomainBoard["unusual"]) => () =>
    require_unusual({ name, dimensions, measures, board: { ...board, ...unusual === undefined ? {} : { unusual } } });
  declare(board.unusual)();
  assert.throws(
    declare([{ figure: "value", by: [] }]),
    /the unusual of payments: expected a figure that is a count, got "value"/,
  );
  assert.throws(
    declare([{ figure: "declined", by: ["payer"] }]),
    /expected a dimension that keeps 5m and 1d.*got "payer"/,
  );
  assert.throws(declare([{ figure: "declined", by: ["status"] }]), /expected a dimension .* got "status"/);
});

Deno.test("of payments with planted trouble what is told is planted, and of calm days nothing is told", () => {
  const made = { seed: 5, rate: 0.03, days: 29.5 };
  const told = judge_days(count_days(PAYMENTS, { ...made, anomalies: true }), 28, 29.5);
  const wrong = told.episodes.filter(({ of }) => of.length === 0);
  const { planted = 0, told: found = 0 } = told.kinds.get("card_testing") ?? {};
  assert.ok(planted > 1 && found === planted, `${found} of ${planted} times that cards were tried`);
  assert.ok(told.episodes.length > 5 && wrong.length < 2, `${wrong.length} of ${told.episodes.length}`);
  assert.deepEqual(judge_days(count_days(PAYMENTS, { ...made, anomalies: false }), 28, 29.5).episodes, []);
});
