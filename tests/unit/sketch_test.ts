import assert from "node:assert/strict";
import fc from "fast-check";
import { bin_of, BINS, type Integer, nearest_rank, quantile, value_of } from "../../src/kpi/mod.ts";

const LARGEST = 2n ** 63n - 1n;
const any_value = fc.oneof(fc.maxSafeNat(), fc.nat(2_000), fc.bigInt(0n, LARGEST));

/** The bin by its definition: the least power of 51/49 that is not below the value, without logarithms. */
function defined_bin(value: Integer): number {
  if (value === 0 || value === 0n) return 0;
  let exponent = 0;
  for (let above = 1n, below = 1n; BigInt(value) * below > above; above *= 51n, below *= 49n) exponent++;
  return exponent + 1;
}

Deno.test("a bin is the least power of gamma that is not below the value, on both sides of every border", () => {
  assert.equal(BINS - 1, defined_bin(LARGEST));
  for (let exponent = 0n; exponent < BINS - 1; exponent++) {
    const border = 51n ** exponent / 49n ** exponent;
    for (const value of [border, border + 1n].filter((value) => value <= LARGEST)) {
      const bin = bin_of(value);
      const own = 51n ** BigInt(bin - 1), before = 51n ** BigInt(Math.max(bin - 2, 0));
      assert.ok(value * 49n ** BigInt(bin - 1) <= own, `${value} is above bin ${bin}`);
      assert.ok(bin === 1 || value * 49n ** BigInt(bin - 2) > before, `${value} is below bin ${bin}`);
      if (value <= Number.MAX_SAFE_INTEGER) assert.equal(bin_of(Number(value)), bin);
    }
  }
  fc.assert(fc.property(any_value, (value) => assert.equal(bin_of(value), defined_bin(value))));
});

Deno.test("what stands for a bin is within 2 % of every value in it; zero is exact", () => {
  assert.equal(value_of(bin_of(0)), 0);
  fc.assert(fc.property(any_value, (value) => {
    assert.ok(Math.abs(value_of(bin_of(value)) - Number(value)) <= Number(value) * 0.02 + 1e-6);
  }));
});

Deno.test("a quantile is the value of the bin that holds the nearest rank", () => {
  assert.deepEqual(
    [[1, 0.5], [2, 0.5], [3, 0.5], [20, 0.95], [21, 0.95], [100, 0.55], [5, 0], [5, 1]].map(
      ([count, q]) => nearest_rank(count!, q!),
    ),
    [1, 1, 2, 19, 20, 55, 1, 5],
  );
  assert.equal(quantile([], 0.5), null);
  fc.assert(fc.property(
    fc.array(fc.nat(100_000), { minLength: 1, maxLength: 60 }),
    fc.constantFrom(0.5, 0.95, 0.99),
    (values, q) => {
      const counts = new Map<number, number>();
      for (const value of values) counts.set(bin_of(value), (counts.get(bin_of(value)) ?? 0) + 1);
      const exact = values.toSorted((a, b) => a - b)[nearest_rank(values.length, q) - 1]!;
      assert.equal(quantile([...counts].sort(([a], [b]) => a - b), q), value_of(bin_of(exact)));
    },
  ));
});

Deno.test("what no figure can be has no bin", () => {
  for (const value of [-1, -1n, 0.5, NaN, 2 ** 53, LARGEST + 1n]) assert.throws(() => bin_of(value), RangeError);
  for (const bin of [-1, BINS, 1.5]) assert.throws(() => value_of(bin), RangeError);
});
