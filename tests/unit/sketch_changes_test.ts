import assert from "node:assert/strict";
import { bin_of, CellChanges, type CellShape, type Contribution, days_in, filled_bins } from "../../src/kpi/mod.ts";

const SHAPE: CellShape = {
  dimensions: [
    { name: "city", column: "city", grains: ["1h"], sketches: ["1h"] },
    { name: "driver", column: "driver", grains: ["all"] },
  ],
  measures: [{ name: "paid", kind: "count" }, { name: "fares", kind: "sum" }, { name: "fare", kind: "sketch" }],
};
const PAID = [0, 1, 2], FREE = [0, 1];
const paid = (city: string, fare: number, hour = 10): Contribution => ({
  keys: [city, "x"],
  facts: [{
    at_us: Date.UTC(2026, 2, 1, hour) * 1000,
    ...fare < 0 ? { measures: FREE, values: [0, 0] } : { measures: PAID, values: [1, fare, fare] },
  }],
});

/** The changed sketches of the only name, with their cells. */
const sketched = (changes: CellChanges) =>
  [...changes.cells()].flatMap(({ key, bucket_us, change }) => {
    const bins = change.sketches?.[0] ?? null;
    return bins === null ? [] : [{ key, bucket_us, bins }];
  });

/** What is left in the bins of each key and hour, of one stream that was each of these in turn. */
function left(...states: Contribution[]): Record<string, [number, number][]> {
  const changes = new CellChanges(SHAPE, days_in("UTC"));
  states.forEach((after, i) => changes.replace(states[i - 1] ?? null, after, 1));
  return Object.fromEntries(
    sketched(changes).map((
      { key, bucket_us, bins },
    ) => [`${key} ${new Date(bucket_us / 1000).getUTCHours()}`, filled_bins(bins)]),
  );
}

Deno.test("what a stream was is taken out of its bins; only what it is stays", () => {
  const five = bin_of(500), nine = bin_of(900);
  assert.deepEqual(left(paid("a", 500), paid("a", 900)), { "a 10": [[nine, 1]] });
  assert.deepEqual(left(paid("a", 500), paid("a", 500, 11)), { "a 10": [], "a 11": [[five, 1]] });
  assert.deepEqual(left(paid("a", 500), paid("a", -1)), { "a 10": [] });
  assert.deepEqual(left(paid("a", 500), paid("a", 500), paid("b", 500)), { "a 10": [], "b 10": [[five, 1]] });
});

Deno.test("bins are told ascending, keys sorted, and the size is that of the cells and bins held, those that empty among them", () => {
  const changes = new CellChanges(SHAPE, days_in("UTC"));
  for (const [city, fare] of [["b", 900], ["b", 0], ["b", 500], ["a", 500]] as const) {
    changes.replace(null, paid(city, fare), 1);
  }
  // Four bins, and the cells of two cities and one driver.
  assert.equal(changes.size, 4 + 3);
  changes.replace(paid("a", 500), paid("a", 900), 2);
  assert.equal(changes.size, 5 + 3);
  assert.deepEqual(sketched(changes).map(({ key, bins }) => [key, filled_bins(bins)]), [
    ["a", [[bin_of(900), 1]]],
    ["b", [[bin_of(0), 1], [bin_of(500), 1], [bin_of(900), 1]]],
  ]);
});

Deno.test("a fact that is the same under the same key touches no sketch, nor does one that changed in what is not sketched", () => {
  const changes = new CellChanges(SHAPE, days_in("UTC"));
  changes.replace(paid("a", 500), paid("a", 500), 1);
  assert.equal(changes.size, 0);
  const five = paid("a", 500), other = { ...five, facts: [{ ...five.facts[0]!, values: [1, 700, 500] }] };
  changes.replace(five, other, 2);
  assert.deepEqual(sketched(changes), []);
});

Deno.test("a value that a fact keeps neither comes nor goes, whatever else becomes known with it", () => {
  const shape = { ...SHAPE, measures: [...SHAPE.measures, { name: "minutes", kind: "sketch" }] } as const;
  const changes = new CellChanges(shape, days_in("UTC"));
  const five = paid("a", 500);
  const longer = { ...five, facts: [{ ...five.facts[0]!, measures: [0, 1, 2, 3], values: [1, 500, 500, 12] }] };
  changes.replace(five, longer, 2);
  const [cell] = [...changes.cells()].filter(({ dimension }) => dimension === "city");
  assert.deepEqual(cell!.change.sketches!.map((bins) => bins && filled_bins(bins)), [null, [[bin_of(12), 1]]]);
});

Deno.test("a sketch that other measures follow is refused", () => {
  assert.throws(
    () => new CellChanges({ ...SHAPE, measures: SHAPE.measures.toReversed() }, days_in("UTC")),
    /expected sketches after all other measures/,
  );
});

Deno.test("sketches are kept of the finest grains of a dimension, no others", () => {
  const dimensions = [{ name: "city", column: "city", grains: ["5m", "1h"], sketches: ["1h"] }] as const;
  assert.throws(() => new CellChanges({ ...SHAPE, dimensions }, days_in("UTC")), /finest grains, got 1h/);
});
