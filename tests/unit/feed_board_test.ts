import assert from "node:assert/strict";
import fc from "fast-check";
import { type Board, changed_since } from "../../src/feed/figures/board.ts";
import type { Series } from "../../src/feed/figures/figure.ts";
import { trips_board } from "../support/trip_board.ts";

const series = (rows: readonly (readonly [t: number, trips: number])[]): Series => ({
  trips: rows.map(([, trips]) => trips),
  t: rows.map(([t]) => t),
});

Deno.test("buckets change at the position they were read at when their figures differ, else when they had", () => {
  const first = changed_since(trips_board, series([[60, 1], [120, 2], [180, 3]]), 5, 0, null);
  assert.deepEqual(first.changed_at, [5, 5, 5]);
  const second = changed_since(trips_board, series([[120, 2], [180, 4], [240, 1]]), 9, 60, first);
  assert.deepEqual(second.series, { trips: [0, 2, 4, 1], t: [60, 120, 180, 240] });
  assert.deepEqual(second.changed_at, [9, 5, 9, 9]);
  const third = changed_since(trips_board, series([[120, 2], [180, 4], [240, 1]]), 11, 120, second);
  assert.deepEqual(third, {
    series: { trips: [2, 4, 1], t: [120, 180, 240] },
    changed_at: [5, 9, 9],
  });
});

Deno.test("a bucket that is gone has a gap where an extreme was, and zeros else", () => {
  const board = { ...trips_board, series: ["completed", "min_fare"] };
  const fares = { completed: [1, 2], min_fare: [5, null], t: [60, 120] };
  const first = changed_since(board, fares, 5, 0, null);
  const second = changed_since(board, { completed: [], min_fare: [], t: [] }, 9, 0, first);
  assert.deepEqual(second.series, { completed: [0, 0], min_fare: [null, null], t: [60, 120] });
  assert.deepEqual(second.changed_at, [9, 9]);
});

Deno.test("what has changed since any reading makes the columns of that reading those of the last", () => {
  const columns = fc.uniqueArray(fc.tuple(fc.integer({ min: 1, max: 6 }), fc.integer({ min: 1, max: 3 })), {
    selector: ([t]) => t,
  });
  fc.assert(
    fc.property(fc.array(columns, { minLength: 2, maxLength: 6 }), (readings) => {
      const seen: Pick<Board, "series" | "changed_at">[] = [];
      readings.forEach((rows, i) => {
        const fresh = series([...rows].sort(([a], [b]) => a - b));
        seen.push(changed_since(trips_board, fresh, i + 1, 0, seen.at(-1) ?? null));
      });
      const last = seen.at(-1)!;
      seen.forEach((from, i) => {
        const held = new Map(from.series.t.map((t, n) => [t, from.series.trips![n]]));
        last.series.t.forEach((t, n) => {
          if (last.changed_at[n]! > i + 1) held.set(t, last.series.trips![n]);
        });
        assert.deepEqual(
          new Map([...held].sort(([a], [b]) => a - b)),
          new Map(last.series.t.map((t, n) => [t, last.series.trips![n]])),
        );
      });
    }),
  );
});
