import type { Days } from "./local_time.ts";

/**
 * Tumbling windows in event time. A bucket is named by its start, in microseconds since the Unix epoch.
 */

export type Grain = "1m" | "5m" | "1h" | "1d" | "all";

/** Grains from fine to coarse; each is a union of buckets of those before it. */
export const GRAINS: readonly Grain[] = ["1m", "5m", "1h", "1d", "all"];

const MINUTE = 60e6;
const WIDTH = { "1m": MINUTE, "5m": 5 * MINUTE, "1h": 60 * MINUTE } as const;

/** Start of the bucket of a grain that holds a time. Minutes and hours are aligned to UTC; days are those of `days`; `all` is one bucket named 0. */
export function bucket_start(grain: Grain, us: number, days: Days): number {
  if (grain === "all") return 0;
  if (grain === "1d") return days.day_of(us).start_us;
  const width = WIDTH[grain];
  return Math.floor(us / width) * width;
}

/** End (exclusive) of the bucket that starts at `start_us`; Infinity for grain all. */
export function bucket_end(grain: Grain, start_us: number, days: Days): number {
  if (grain === "all") return Infinity;
  if (grain === "1d") return days.day_of(start_us).end_us;
  return start_us + WIDTH[grain];
}

/** Buckets of one grain that lie side by side: starts in [from_us, to_us). */
export interface Tile {
  readonly grain: Grain;
  readonly from_us: number;
  readonly to_us: number;
}

/**
 * Covers a stretch of event time with as few buckets as possible: coarse ones in the middle, finer ones towards the
 * edges. 30 days of a dimension are read as 29 days and up to 48 hours instead of 720 hours per key.
 * @param grains what the dimension keeps, fine to coarse, without `all` (none: nothing covers it); the finest widens the stretch to whole buckets
 */
export function tile(from_us: number, to_us: number, grains: readonly Grain[], days: Days): Tile[] {
  const finest = grains[0];
  if (finest === undefined) return [];
  const start = (grain: Grain, us: number): number => bucket_start(grain, us, days);
  const end = (grain: Grain, us: number): number =>
    start(grain, us) === us ? us : bucket_end(grain, start(grain, us), days);
  const split = (from: number, to: number, kept: readonly Grain[]): Tile[] => {
    if (from >= to) return [];
    const grain = kept[kept.length - 1]!;
    if (kept.length === 1) return [{ grain, from_us: from, to_us: to }];
    const finer = kept.slice(0, -1);
    const first = end(grain, from), last = start(grain, to);
    // Days of a zone that is half an hour off begin inside an hour: then hours have to do without days.
    const fits = first < last && start(finest, first) === first && start(finest, last) === last;
    if (!fits) return split(from, to, finer);
    return [...split(from, first, finer), { grain, from_us: first, to_us: last }, ...split(last, to, finer)];
  };
  return split(start(finest, from_us), end(finest, to_us), grains);
}
