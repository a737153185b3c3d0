import assert from "node:assert/strict";
import { decimal_text, lacking, lacks_of, told_unknown } from "../../src/domains/mod.ts";
import { TRADES } from "../../src/domains/trades/mod.ts";
import { TRIPS, trips_domain } from "../../src/domains/trips/mod.ts";
import {
  cards_of,
  divide_half_up,
  figure_number,
  figure_of,
  figure_text,
  quantile_number,
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
