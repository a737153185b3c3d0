import assert from "node:assert/strict";
import { decimal_text } from "../../src/domains/mod.ts";
import { divide_half_up, figure_number, figure_text } from "../../src/feed/figures/figure.ts";

const mean = { kind: "mean", unit: "money", measure: "sum", count: "n", per: 1_000_000 } as const;
const total = { kind: "total", unit: "money", measure: "sum", per: 1_000_000 } as const;

Deno.test("division rounds half up, away from the pitfalls of doubles", () => {
  assert.equal(divide_half_up(5n, 2n), 3n);
  assert.equal(divide_half_up(4n, 3n), 1n);
  assert.equal(divide_half_up(-5n, 2n), -2n);
  assert.equal(divide_half_up(-7n, 2n), -3n);
  assert.equal(divide_half_up(-8n, 3n), -3n);
  assert.equal(divide_half_up(0n, 7n), 0n);
});

Deno.test("a mean is rounded once, from the exact quotient", () => {
  // 1.005 as a double is below 1.005 and would round to 1.00; 2.01 / 2 is exactly 1.005.
  assert.equal(figure_number(mean, { sum: 2_010_000n, n: 2n }, 2), 1.01);
  assert.equal(figure_number(mean, { sum: 268_640_790_000n, n: 4_885n }, 2), 54.99);
  // Rounding to six decimals first and then to two would give 0.01.
  assert.equal(figure_number(mean, { sum: 4_999_999_900n, n: 1_000_000n }, 2), 0);
});

Deno.test("sums stay exact past 2^53 in text; nothing to divide is null, not zero", () => {
  assert.equal(figure_text(total, { sum: 12_345_678_901_234_567_890n }, 2), "12345678901234.56789");
  assert.equal(figure_number(mean, { sum: 0n, n: 0n }), null);
  assert.equal(figure_number(total, { sum: null }), null);
});

Deno.test("amounts are written with two decimals at least and six at most", () => {
  assert.equal(decimal_text(18_600_000n, 6, 2), "18.60");
  assert.equal(decimal_text(123_456n, 6, 2), "0.123456");
  assert.equal(decimal_text(0n, 6, 2), "0.00");
  assert.equal(decimal_text(-5n, 6, 2), "-0.000005");
  assert.equal(decimal_text(7_000_000n, 6, 0), "7");
});
