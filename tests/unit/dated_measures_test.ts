import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import fc from "fast-check";
import { trades_domain } from "../../src/domains/trades/mod.ts";
import { extremes_of, ONE, value } from "../../src/domains/facts.ts";
import {
  CellChanges,
  type CellShape,
  type Contribution,
  type Dated,
  days_in,
  type Integer,
  same_fact,
} from "../../src/kpi/mod.ts";

/** The first and the last value of a cell, as batches change them. */

const SHAPE: CellShape = {
  dimensions: [
    { name: "none", column: null, grains: ["1m", "1h", "all"] },
    { name: "city", column: "city", grains: ["5m", "all"] },
  ],
  measures: [
    { name: "count", kind: "count" },
    { name: "first", kind: "first", column: "fare" },
    { name: "last", kind: "last", column: "fare" },
  ],
};
const DAYS = days_in("UTC");
const ALL = [0, 1, 2], COUNTED = [0];

const fare: fc.Arbitrary<Integer> = fc.oneof(fc.nat(2), fc.constantFrom(2n ** 53n + 1n, 2n ** 53n + 2n));
const paid = fc.record({
  minute: fc.constantFrom(0, 1, 5, 60),
  by: fc.constantFrom("a", "a\uffff", "a\u{1f600}", "b"),
  fare: fc.option(fare),
});
const contribution: fc.Arbitrary<Contribution> = fc.record({ city: fc.constantFrom("x", "y"), paid: fc.option(paid) })
  .map(({ city, paid }) => ({
    keys: ["all", city],
    facts: [
      paid === null ? null : {
        at_us: paid.minute * 60e6,
        by: paid.by,
        ...paid.fare === null
          ? { measures: COUNTED, values: [1] }
          : { measures: ALL, values: [1, paid.fare, paid.fare] },
      },
    ],
  }));
const steps = fc.array(fc.record({ stream: fc.nat(4), after: contribution }), { minLength: 1, maxLength: 30 });

/** What a cell has of all streams: dates with values, in their order. */
type There = { readonly date: Dated; readonly value: Integer }[];

const compare = (a: There[number], b: There[number]): number =>
  a.date.at_us - b.date.at_us || Buffer.compare(Buffer.from(a.date.by!), Buffer.from(b.date.by!)) ||
  Number(BigInt(a.value) - BigInt(b.value));

function there(streams: ReadonlyMap<number, Contribution>): Map<string, There> {
  const cells = new Map<string, There>();
  for (const { keys, facts: [fact] } of streams.values()) {
    if (fact == null || fact.measures !== ALL) continue;
    for (const [d, { name, grains }] of SHAPE.dimensions.entries()) {
      for (const grain of grains) {
        const width = { "1m": 60e6, "5m": 300e6, "1h": 3_600e6, "1d": 86_400e6, all: Infinity }[grain];
        const bucket = grain === "all" ? 0 : Math.floor(fact.at_us / width) * width;
        const cell = `${grain} ${bucket} ${name} ${keys[d]}`;
        cells.set(cell, [...cells.get(cell) ?? [], { date: fact, value: fact.values[1]! }].sort(compare));
      }
    }
  }
  return cells;
}

Deno.test("what came is merged into what is held, unless what went may be it: then all that is there tells", () => {
  fc.assert(
    fc.property(steps, fc.nat(30), (all, cut) => {
      const streams = new Map<number, Contribution>();
      let before = there(streams);
      for (const batch of [all.slice(0, cut), all.slice(cut)]) {
        const changes = new CellChanges(SHAPE, DAYS);
        for (const [i, { stream, after }] of batch.entries()) {
          changes.replace(streams.get(stream) ?? null, after, i + 1);
          streams.set(stream, after);
        }
        const after = there(streams), changed = new Set<string>();
        for (const { grain, bucket_us, dimension, key, change } of changes.cells()) {
          const name = `${grain} ${bucket_us} ${dimension} ${key}`;
          changed.add(name);
          for (const [m, at] of [[1, 0], [2, -1]] as const) {
            const side = (side: "added" | "removed"): There => {
              const value = change[side]?.[m] ?? null, date = change[`${side}_by`]?.[m] ?? null;
              assert.equal(value === null, date === null);
              return value === null || date === null ? [] : [{ value, date }];
            };
            const came = side("added"), [went] = side("removed");
            const merged = [...(before.get(name) ?? []).slice(at).slice(0, 1), ...came].sort(compare).at(at);
            const first = at === 0;
            if (
              went !== undefined && merged !== undefined &&
              (first ? compare(went, merged) <= 0 : compare(went, merged) >= 0)
            ) {
              continue;
            }
            assert.deepEqual(said(merged), said((after.get(name) ?? []).at(at)), name);
          }
        }
        for (const [name, values] of after) {
          if (!changed.has(name)) assert.deepEqual(values.map(said), before.get(name)?.map(said));
        }
        before = after;
      }
    }),
    { numRuns: 500 },
  );
});

const said = (each: There[number] | undefined) => each && [each.date.at_us, each.date.by, String(each.value)];

Deno.test("a price that stays takes nothing back, one of another event does", () => {
  const of = (by: string): Contribution => ({
    keys: ["all", "x"],
    facts: [{ at_us: 0, by, measures: ALL, values: [1, 5, 5] }],
  });
  assert.equal(same_fact(of("a").facts[0]!, of("b").facts[0]!), false);
  const same = new CellChanges(SHAPE, DAYS), other = new CellChanges(SHAPE, DAYS);
  same.replace(of("a"), of("a"), 1);
  assert.deepEqual([...same.cells()], []);
  other.replace(of("a"), of("b"), 1);
  for (const { change } of other.cells()) {
    assert.deepEqual([change.added, change.removed], [[null, 5, 5], [null, 5, 5]]);
    assert.deepEqual([change.added_by?.[1]?.by, change.removed_by?.[1]?.by], ["b", "a"]);
  }
});

Deno.test("a trade's fact is dated by its execution, whatever corrects it; a busted one has no first or last", () => {
  const { contribution, fold, initial, measures } = trades_domain({ currency: "USD" });
  const event = (type: string, event_id: string, occurred_at_us: number, payload: object) =>
    ({ stream_id: "X", event_id, type: `trade.${type}`, occurred_at_us, payload }) as const;
  const executed = { ticker: "AAPL", executed_price_micros: 5, executed_volume: 1 };
  const once = fold(initial, event("executed", "a", 1, executed));
  const twice = fold(once, event("executed", "b", 1, { ...executed, executed_price_micros: 6 }));
  const corrected = fold(twice, event("corrected", "c", 9, { corrected_price_micros: 7 }));
  const busted = fold(corrected, event("busted", "d", 10, {}));
  const dated = (state: unknown) =>
    contribution(state).facts.map((fact) =>
      fact &&
      [
        fact.at_us,
        fact.by,
        ...fact.measures.flatMap((m, i) => /first|last/.test(measures[m]!.name) ? [fact.values[i]] : []),
      ]
    );
  assert.deepEqual(dated(once), [[1, "a", 5, 5], null]);
  assert.deepEqual(dated(twice), [[1, "b", 6, 6], null]);
  assert.deepEqual(dated(corrected), [[1, "b", 7, 7], null]);
  assert.deepEqual(dated(busted), [null, [10, undefined]]);
});

Deno.test("a first or last without the event that dates it is refused where it is declared", () => {
  const { measures } = trades_domain({ currency: "USD" });
  const sources = { at_us: { column: "at" }, id: { column: "id" }, price: { column: "price" } };
  const fact = { at: ["at_us"], adds: { trades: ONE, price_last_micros: value("price") } };
  assert.throws(
    () => extremes_of([fact], measures, sources),
    /expected the field of the event that dates .*, got none/,
  );
  assert.deepEqual(extremes_of([{ ...fact, by: "id" }], measures, sources), {
    at_column: "at",
    by_column: "id",
    condition: "true",
  });
});
