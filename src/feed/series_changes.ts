import type { Series } from "./board.ts";

/** Tells which buckets of a series changed between two readings, where no cell remembers it. Pure. */

/** A series, and for each bucket the position that changed it last. */
export interface ChangedSeries {
  readonly series: Series;
  readonly changed_at: readonly number[];
}

/**
 * A series as it was read at a position, with what is known from the reading before: buckets with equal figures changed
 * when they had. Buckets that are gone stay, with zeros, so that whoever has them is told.
 * @param from_s buckets before it are dropped
 * @param last the reading before; null when there is none, then all changed now
 */
export function changed_since(
  fresh: Series,
  position: number,
  from_s: number,
  last: ChangedSeries | null,
): ChangedSeries {
  const names = Object.keys(fresh);
  const row_of = (series: Series, i: number): number[] => names.map((name) => series[name]?.[i] ?? 0);
  const rows = new Map<number, { row: number[]; at: number }>();
  last?.series.t.forEach((t, i) => {
    if (t >= from_s) rows.set(t, { row: row_of(last.series, i), at: last.changed_at[i]! });
  });
  const seen = new Set(fresh.t);
  for (const [t, { row }] of rows) {
    const gone = names.map((name) => name === "t" ? t : 0);
    if (!seen.has(t) && !same_row(row, gone)) rows.set(t, { row: gone, at: position });
  }
  fresh.t.forEach((t, i) => {
    const row = row_of(fresh, i);
    const before = rows.get(t);
    rows.set(t, before !== undefined && same_row(before.row, row) ? before : { row, at: position });
  });
  const sorted = [...rows].sort(([a], [b]) => a - b).map(([, each]) => each);
  const columns = names.map((name, n) => [name, sorted.map(({ row }) => row[n]!)] as const);
  return {
    series: { ...Object.fromEntries(columns), t: sorted.map(({ row }) => row[names.indexOf("t")]!) },
    changed_at: sorted.map(({ at }) => at),
  };
}

const same_row = (a: readonly number[], b: readonly number[]): boolean => a.every((value, i) => value === b[i]);
