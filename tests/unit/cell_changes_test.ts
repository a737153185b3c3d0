import assert from "node:assert/strict";
import fc from "fast-check";
import {
  CellChanges,
  type CellShape,
  type Contribution,
  days_in,
  type Fact,
  type Integer,
  same_fact,
} from "../../src/kpi/mod.ts";

const SHAPE: CellShape = {
  dimensions: [
    { name: "none", column: null, grains: ["1m", "1h", "1d", "all"] },
    { name: "city", column: "city", grains: ["5m", "all"] },
    { name: "driver", column: "driver", grains: ["all"], totals: ["trips", "sum"] },
  ],
  measures: [
    { name: "trips", kind: "count" },
    { name: "sum", kind: "sum" },
    { name: "least", kind: "min", column: "fare" },
    { name: "most", kind: "max", column: "fare" },
  ],
};
const OPENED = [0], PAID = [1, 2, 3];
const DAYS = days_in("UTC");
const WIDTH: Record<string, number> = { "1m": 60e6, "5m": 300e6, "1h": 3600e6, "1d": 86_400e6 };

/** Values around the places where numbers stop being exact. */
const value: fc.Arbitrary<Integer> = fc.oneof(
  fc.nat(5),
  fc.constantFrom(2 ** 52 - 1, 2 ** 52, 2 ** 53 - 1, 10n ** 18n, 2n ** 53n + 1n),
  fc.bigInt({ min: 2n ** 53n, max: 10n ** 18n }),
);
const at = fc.nat(200).map((minutes) => Date.UTC(2026, 2, 1, 22, 30) * 1000 + minutes * 60e6);
const contribution: fc.Arbitrary<Contribution> = fc.record({
  city: fc.constantFrom("a", "b"),
  driver: fc.constantFrom("x", "y"),
  opened: fc.option(at),
  paid: fc.option(fc.tuple(at, value)),
  // Facts that may happen several times: a stream has any number of them, more than the places that are remembered.
  again: fc.oneof(
    { weight: 60, arbitrary: fc.array(at, { maxLength: 2 }) },
    fc.array(at, { minLength: 33, maxLength: 34 }),
  ),
}).map(({ city, driver, opened, paid, again }) => ({
  keys: ["all", city, driver],
  facts: [
    opened === null ? null : { at_us: opened, measures: OPENED, values: [1] },
    paid === null ? null : { at_us: paid[0], measures: PAID, values: [paid[1], paid[1], paid[1]] },
    ...again.map((at_us) => ({ at_us, measures: OPENED, values: [1] })),
  ],
}));
interface Step {
  readonly stream: number;
  readonly after: Contribution;
}
const steps: fc.Arbitrary<Step[]> = fc.array(fc.record({ stream: fc.nat(3), after: contribution }), {
  minLength: 1,
  maxLength: 40,
});

Deno.test("a day that begins inside an hour has what happened from its beginning on", () => {
  const days = days_in("Asia/Kolkata");
  const changes = new CellChanges(SHAPE, days);
  for (const [minute, ordinal] of [[29, 1], [30, 2], [59, 3]] as const) {
    const at_us = Date.UTC(2026, 2, 1, 18, minute) * 1000;
    const fact = { at_us, measures: OPENED, values: [1] };
    changes.replace(null, { keys: ["all", "a", "x"], facts: [fact, null] }, ordinal);
  }
  const counted = [...changes.cells()].filter(({ grain }) => grain === "1d").map(({ bucket_us, change }) => [
    new Date(bucket_us / 1000).toISOString(),
    change.sum(0),
  ]);
  assert.deepEqual(counted, [["2026-02-28T18:30:00.000Z", 1], ["2026-03-01T18:30:00.000Z", 2]]);
});

/** Applies steps as batches would; gives each batch's changes with the ordinal before its first. */
function apply(all: readonly Step[], places: readonly number[]): { changes: CellChanges; before_first: number }[] {
  const streams = new Map<number, Contribution>();
  const cuts = [...new Set([0, ...places.map((place) => place % all.length), all.length])].sort((a, b) => a - b);
  return cuts.slice(1).map((end, i) => {
    const before_first = cuts[i]!;
    const changes = new CellChanges(SHAPE, DAYS);
    for (const [at, { stream, after }] of all.slice(before_first, end).entries()) {
      changes.replace(streams.get(stream) ?? null, after, at + 1);
      streams.set(stream, after);
    }
    return { changes, before_first };
  });
}

const add = (sums: Map<string, bigint[]>, name: string, m: number, value: Integer) => {
  const cell = sums.get(name) ?? [0n, 0n];
  cell[m]! += BigInt(value);
  sums.set(name, cell);
};

/** What the cells must hold after all steps, counted anew from the last state of each stream. */
function counted(all: readonly Step[]) {
  const sums = new Map<string, bigint[]>(), fares = new Map<string, Integer[]>();
  for (const { after } of new Map(all.map((step) => [step.stream, step])).values()) {
    for (const [d, { name, grains }] of SHAPE.dimensions.entries()) {
      for (const grain of grains) {
        for (const fact of after.facts.filter((each): each is Fact => each !== null)) {
          const bucket = grain === "all" ? 0 : Math.floor(fact.at_us / WIDTH[grain]!) * WIDTH[grain]!;
          const cell = `${grain} ${bucket} ${name} ${after.keys[d]}`;
          add(sums, cell, fact.measures[0]!, fact.values[0]!);
          if (fact.measures === PAID) fares.set(cell, [...fares.get(cell) ?? [], fact.values[0]!]);
        }
      }
    }
  }
  return { sums, fares };
}

Deno.test("differences add up, exactly past 2^53, to what is counted anew; batching changes nothing, last positions included", () => {
  fc.assert(
    fc.property(steps, fc.array(fc.nat(40), { maxLength: 5 }), (all, places) => {
      const wanted = counted(all).sums;
      let whole: [string, number][] | null = null;
      for (const cuts of [[], places]) {
        const sums = new Map<string, bigint[]>(), lasts = new Map<string, number>();
        for (const { changes, before_first } of apply(all, cuts)) {
          for (const { grain, bucket_us, dimension, key, change } of changes.cells()) {
            const name = `${grain} ${bucket_us} ${dimension} ${key}`;
            for (const m of [0, 1]) add(sums, name, m, change.sum(m));
            lasts.set(name, before_first + change.last_ordinal);
          }
        }
        const nonzero = [...sums].filter(([, cell]) => cell.some((sum) => sum !== 0n)).sort();
        assert.deepEqual(nonzero, [...wanted].filter(([, cell]) => cell.some((sum) => sum !== 0n)).sort());
        const touched = [...lasts].sort();
        whole ??= touched;
        assert.deepEqual(touched, whole);
      }
    }),
    { numRuns: 400 },
  );
});

Deno.test("extremes: what came is either the extreme of what is there, or what went may have held it", () => {
  fc.assert(
    fc.property(steps, (all) => {
      const { fares } = counted(all);
      for (const { changes } of apply(all, [])) {
        for (const { grain, bucket_us, dimension, key, change } of changes.cells()) {
          const there = fares.get(`${grain} ${bucket_us} ${dimension} ${key}`) ?? [];
          if (dimension === "driver") {
            assert.deepEqual([change.added, change.removed], [null, null]);
            continue;
          }
          for (
            const [m, better] of [[2, (a: Integer, b: Integer) => a < b], [
              3,
              (a: Integer, b: Integer) => a > b,
            ]] as const
          ) {
            const came = change.added?.[m] ?? null, went = change.removed?.[m] ?? null;
            if (went !== null && came !== null && !better(came, went)) continue;
            const extreme = there.reduce<Integer | null>(
              (best, each) => best === null || better(each, best) ? each : best,
              null,
            );
            assert.equal(came, extreme);
          }
        }
      }
    }),
    { numRuns: 400 },
  );
});

Deno.test("a state that adds the same as before touches no cell", () => {
  fc.assert(fc.property(contribution, (same) => {
    const again = new CellChanges(SHAPE, DAYS);
    again.replace(same, {
      keys: [...same.keys],
      facts: same.facts.map((fact) => fact && { ...fact, values: [...fact.values] }),
    }, 1);
    assert.deepEqual([...again.cells()], []);
  }));
});

Deno.test("a fare that changes in its place takes back only what differs", () => {
  const paid = (fare: Integer, tip: Integer): Contribution => ({
    keys: ["all", "a", "x"],
    facts: [null, { at_us: 0, measures: PAID, values: [tip, fare, fare] }],
  });
  const changes = new CellChanges(SHAPE, DAYS);
  changes.replace(paid(5, 1), paid(5, 3), 1);
  const cells = [...changes.cells()];
  assert.equal(cells.length, 7, "one a dimension and grain");
  for (const { change } of cells) {
    assert.equal(change.sum(1), 2);
    assert.deepEqual([change.added, change.removed], [null, null], "the fare neither came nor went");
    assert.equal(change.lowers(), false);
  }
});

Deno.test("a fact that becomes known, or is no longer, in its place brings or takes its own measures alone", () => {
  const UNPAID = [0, 1];
  const unpaid: Contribution = { keys: ["all", "a", "x"], facts: [{ at_us: 0, measures: UNPAID, values: [5, 5] }] };
  const paid: Contribution = { keys: ["all", "a", "x"], facts: [{ at_us: 0, measures: PAID, values: [5, 5, 5] }] };
  for (
    const [before, after, sums, side] of [[unpaid, paid, [-5n, 0n], "added"], [
      paid,
      unpaid,
      [5n, 0n],
      "removed",
    ]] as const
  ) {
    const changes = new CellChanges(SHAPE, DAYS);
    changes.replace(before, after, 1);
    for (const { dimension, change } of changes.cells()) {
      assert.deepEqual([change.sum(0), change.sum(1)].map(BigInt), sums);
      const { added, removed } = change;
      const extremes = dimension === "driver" ? null : [null, null, 5, 5];
      assert.deepEqual({ added, removed }, { added: null, removed: null, [side]: extremes });
    }
  }
});

Deno.test("a dimension is touched by what has a measure that it keeps, and adds up those alone", () => {
  const shape = {
    ...SHAPE,
    dimensions: [{ name: "driver", column: "driver", grains: ["all"], totals: ["sum", "most"] } as const],
  };
  const said = (changes: CellChanges) =>
    [...changes.cells()].map(({ key, change: { added, removed, last_ordinal }, change }) => [
      key,
      // Zero, whatever its sign.
      [0, 1].map((m) => Number(change.sum(m)) || 0),
      added?.map(Number) ?? null,
      removed?.map(Number) ?? null,
      last_ordinal,
    ]);
  const opened: Contribution = { keys: ["x"], facts: [{ at_us: 0, measures: OPENED, values: [1] }, null] };
  const paid: Contribution = { ...opened, facts: [opened.facts[0]!, { at_us: 0, measures: PAID, values: [5, 5, 5] }] };
  const begun = new CellChanges(shape, DAYS);
  begun.replace(null, opened, 1);
  begun.replace(opened, { ...opened, keys: ["y"] }, 2);
  assert.deepEqual(said(begun), []);

  const ended = new CellChanges(shape, DAYS);
  ended.replace(opened, paid, 1);
  ended.replace(paid, { ...paid, keys: ["y"] }, 2);
  assert.deepEqual(said(ended), [["x", [0, 0], [0, 0, 0, 5], [0, 0, 0, 5], 2], ["y", [0, 5], [0, 0, 0, 5], null, 2]]);
  const at_once = new CellChanges(shape, DAYS);
  at_once.add_stream([opened, paid, { ...paid, keys: ["y"] }].map((each, i) => ({ contribution: each, ordinal: i })));
  assert.deepEqual(said(at_once), [["x", [0, 0], null, null, 2], ["y", [0, 5], [0, 0, 0, 5], null, 2]]);
});

Deno.test("a change lowers when any sum is negative, in either part of it", () => {
  const changes = new CellChanges(SHAPE, DAYS);
  changes.replace(null, { keys: ["all", "a", "x"], facts: [{ at_us: 0, measures: OPENED, values: [5] }, null] }, 1);
  const { change } = [...changes.cells()][0]!;
  change.add(1, 2n ** 60n);
  assert.equal(change.lowers(), false);
  change.add(1, -(2n ** 60n) - 1n);
  assert.equal(change.sum(1), -1n);
  assert.equal(change.lowers(), true);
  change.add(1, 1);
  assert.equal(BigInt(change.sum(1)), 0n);
  assert.equal(change.lowers(), false);
});

Deno.test("a cell knows the last event that changed it, a coarser one the last of its finer ones; the first measure lowers too", () => {
  const opened = (city: string, at_us: number): Contribution => ({
    keys: ["all", city, "x"],
    facts: [{ at_us, measures: OPENED, values: [1] }, null],
  });
  const changes = new CellChanges(SHAPE, DAYS);
  changes.replace(null, opened("a", 60e6), 3);
  changes.replace(null, opened("b", 0), 5);
  changes.replace(opened("a", 60e6), opened("c", 60e6), 7);
  const lasts = [...changes.cells()].map(({ dimension, grain, bucket_us, key, change }) => [
    `${dimension} ${grain} ${bucket_us / 60e6} ${key}`,
    change.last_ordinal,
    change.lowers(),
  ]);
  assert.deepEqual(lasts.filter(([name]) => /^none 1m|^none all|^city all/.test(String(name))), [
    ["none 1m 1 all", 3, false],
    ["none 1m 0 all", 5, false],
    ["none all 0 all", 5, false],
    ["city all 0 a", 7, false],
    ["city all 0 b", 5, false],
    ["city all 0 c", 7, false],
  ]);
  const back = new CellChanges(SHAPE, DAYS);
  back.replace(opened("a", 0), { keys: ["all", "a", "x"], facts: [null, null] }, 2);
  assert.ok([...back.cells()].every(({ change }) => change.lowers() && change.last_ordinal === 2));
});

Deno.test("cells come with sorted keys, fine grains first", () => {
  const changes = new CellChanges(SHAPE, DAYS);
  for (const city of ["b", "a", "é", "Z"]) {
    changes.replace(null, { keys: ["all", city, "x"], facts: [{ at_us: 0, measures: OPENED, values: [1] }, null] }, 1);
  }
  const named = [...changes.cells()].map(({ dimension, grain, key }) => `${dimension} ${grain} ${key}`);
  assert.deepEqual(named, [
    "none 1m all",
    "none 1h all",
    "none 1d all",
    "none all all",
    "city 5m Z",
    "city 5m a",
    "city 5m b",
    "city 5m é",
    "city all Z",
    "city all a",
    "city all b",
    "city all é",
    "driver all x",
  ]);
});

Deno.test("a stream taken in at once touches the cells that its events touch one by one, and adds what they leave", () => {
  fc.assert(
    fc.property(steps, (steps) => {
      const one_by_one = new CellChanges(SHAPE, DAYS), at_once = new CellChanges(SHAPE, DAYS);
      const streams = Map.groupBy(steps.map((step, i) => ({ ...step, ordinal: i + 1 })), ({ stream }) => stream);
      const known = new Map<number, Contribution>();
      for (const [i, { stream, after }] of steps.entries()) {
        one_by_one.replace(known.get(stream) ?? null, after, i + 1);
        known.set(stream, after);
      }
      // Whichever stream comes first.
      for (const own of [...streams.values()].reverse()) {
        at_once.add_stream(own.map(({ after, ordinal }) => ({ contribution: after, ordinal })));
      }
      const said = (changes: CellChanges) =>
        [...changes.cells()].map(({ grain, bucket_us, dimension, key, change }) =>
          [grain, bucket_us, dimension, key, change.last_ordinal, BigInt(change.sum(0)), BigInt(change.sum(1))].join(
            " ",
          )
        ).sort();
      assert.deepEqual(said(at_once), said(one_by_one));
      const only_ends = new CellChanges(SHAPE, DAYS);
      for (const end of known.values()) only_ends.replace(null, end, 1);
      const extremes = (changes: CellChanges) =>
        [...changes.cells()].flatMap(({ grain, bucket_us, dimension, key, change }) =>
          change.added === null ? [] : [[grain, bucket_us, dimension, key, change.added[2], change.added[3]].join(" ")]
        ).sort();
      assert.deepEqual(extremes(at_once), extremes(only_ends));
    }),
  );
});

Deno.test("facts are the same when time, measures and every value are", () => {
  const fact: Fact = { at_us: 1, measures: PAID, values: [1, 2, 3] };
  assert.equal(same_fact(fact, { ...fact, values: [1, 2, 3] }), true);
  assert.equal(same_fact(null, null), true);
  const others: (Fact | null)[] = [null, { ...fact, at_us: 2 }, { ...fact, measures: [1, 2, 0] }];
  for (const [i] of fact.values.entries()) others.push({ ...fact, values: fact.values.with(i, 9) });
  for (const other of others) {
    assert.equal(same_fact(fact, other), false);
    assert.equal(same_fact(other, fact), false);
  }
});
