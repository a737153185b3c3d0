import assert from "node:assert/strict";
import fc from "fast-check";
import { decimal_text, lacking, lacks_of, told_unknown } from "../../src/domains/mod.ts";
import { TRADES } from "../../src/domains/trades/mod.ts";
import { TRIPS, trips_domain } from "../../src/domains/trips/mod.ts";
import {
  cards_of,
  divide_half_up,
  figure_number,
  figure_of,
  figure_text,
  measures_in,
  quantile_number,
  rolling_rows,
  series_of,
} from "../../src/feed/figures/figure.ts";

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

Deno.test("a number past 2^53 units is the double that lies nearest to it", () => {
  assert.equal(figure_number(total, { sum: 9_007_199_254_740_993n }), 9_007_199_254.740_993);
  assert.equal(figure_number(total, { sum: -9_007_199_254_740_993n }), -9_007_199_254.740_993);
  const whole = fc.bigInt({ min: -(10n ** 30n), max: 10n ** 30n });
  fc.assert(fc.property(whole, (sum) => figure_number(total, { sum }) === Number(decimal_text(sum, 6, 6))));
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

Deno.test("what a log lacks nobody knows, whatever its tables say; all else is as always", () => {
  const trips = trips_domain({ currency: "USD", h3_resolution: 8 }), { board } = trips;
  const of = (name: string) => lacking(board, lacks_of(TRIPS, trips, [name]));
  const totals = {
    fare_count: 3n,
    fare_sum_micros: 9_000_000n,
    waiting_sum_ms: 60_000n,
    waiting_count: 1n,
    completed: 3n,
  };
  const told = { ...totals, fare_min_micros: 1n, fare_max_micros: 5_000_000n };
  const waiting = of("later_value"), fares = of("later_measure"), sketches = of("sketches");
  assert.deepEqual(told_unknown(waiting), ["Average waiting"]);
  const known = cards_of(board, told, null, new Map([["fare_p50", 3]]));
  assert.equal(known.average_waiting_min, 1);
  assert.deepEqual(cards_of(waiting, told, null, new Map([["fare_p50", 3]])), {
    ...known,
    average_waiting_min: null,
    waiting_count: null,
  });
  assert.equal(figure_number(figure_of(fares, "average_fare"), told), null);
  assert.equal(figure_text(figure_of(fares, "fare_count"), told, 0), null);
  assert.equal(figure_number(figure_of(fares, "revenue"), told), 9);
  const row = { t: "60", fare_count: "3", fare_sum_micros: "9000000" };
  const { fare_count, revenue } = series_of(fares, [row]);
  assert.deepEqual([fare_count, revenue], [[null], [9]]);
  const median = sketches.figures.fare_p50!;
  assert.equal(median.kind === "quantile" && quantile_number(median, 3_000_000), null);
  assert.deepEqual(
    of("totals").entities?.of.map(({ name }) => name),
    board.entities?.of.map(({ name }) => name).filter((name) => name !== "driver" && name !== "passenger"),
  );
  const trades = TRADES.make({ currency: "USD", h3_resolution: null });
  const { measures } = lacks_of(TRADES, trades, ["firsts_and_lasts"]);
  assert.deepEqual([...measures], ["price_first_micros", "price_last_micros"]);
  assert.throws(() => lacks_of(TRIPS, trips, ["nothing"]), /expected what a migration asks for, got "nothing"$/);
});

Deno.test("a window that slides has at each bucket what adding up its own buckets gives, of every kind of measure", () => {
  const { board } = TRADES.make({ currency: "USD" });
  // What each measure is over some buckets, said anew.
  const kinds: Readonly<Record<string, (values: readonly bigint[]) => bigint | undefined>> = {
    notional_micros: (values) => values.reduce((sum, value) => sum + value, 0n),
    trades: (values) => values.reduce((sum, value) => sum + value, 0n),
    price_min_micros: (values) => values.toSorted((a, b) => a < b ? -1 : 1)[0],
    price_max_micros: (values) => values.toSorted((a, b) => a < b ? 1 : -1)[0],
    price_first_micros: (values) => values[0],
    price_last_micros: (values) => values.at(-1),
  };
  const figures = Object.entries(board.figures).flatMap(([name, figure]) => "measure" in figure ? [name] : []);
  const value = fc.oneof(fc.bigInt({ min: -9n, max: 9n }), fc.constant(10n ** 18n), fc.constant(null));
  const bucket = fc.option(fc.record(Object.fromEntries(Object.keys(kinds).map((name) => [name, value]))), {
    nil: null,
  });
  fc.assert(
    fc.property(fc.array(bucket, { minLength: 1, maxLength: 40 }), fc.integer({ min: 1, max: 12 }), (buckets, size) => {
      const step_s = 300,
        start_s = 1_772_359_200 - (size - 1) * step_s,
        given = buckets as (Record<string, bigint | null> | null)[];
      const rows = given.flatMap((each, i) =>
        each === null ? [] : [{
          t: `${start_s + i * step_s}`,
          ...Object.fromEntries(Object.entries(each).map(([name, of]) => [name, of === null ? null : `${of}`])),
        }]
      );
      const from_s = start_s + (size - 1) * step_s, to_s = start_s + given.length * step_s;
      if (to_s <= from_s) return;
      for (const name of figures) {
        const figure = figure_of(board, name), measures = measures_in(figure).filter((each) => each in kinds);
        if (measures.length < measures_in(figure).length) continue;
        const wanted = given.flatMap((_, i) => {
          if (i < size - 1) return [];
          const own = given.slice(i - size + 1, i + 1).filter((each) => each !== null);
          if (own.length === 0) return [];
          const merged = measures.map((each) => {
            const values = own.flatMap((row) => row[each] ?? []);
            return [each, kinds[each]!(values)?.toString() ?? null] as const;
          });
          return [{ ...Object.fromEntries(merged), t: `${start_s + i * step_s}` }];
        });
        assert.deepEqual(rolling_rows(board, figure, rows, { from_s, to_s, step_s }, size * step_s), wanted, name);
      }
    }),
    { numRuns: 300 },
  );
});
