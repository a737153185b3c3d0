import { bucket_end, bucket_start, type Days, type Grain } from "../kpi/mod.ts";

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
