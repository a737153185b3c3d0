import { bucket_start, cells_grain, type Days, type Grain, THEN, type ToldGrain } from "./windows.ts";

/**
 * Which cells are kept. Those of fine grains may be removed once they are old; hours, days and all of time are kept for ever, and so are states,
 * of which every figure can be added up again. From when on buckets are kept is one time a grain: nothing is written to buckets before it, and
 * nothing is read from them, whether they are there still or not.
 */

/** Grains whose cells need not be kept for ever, from fine to coarse. */
export const PASSING_GRAINS = ["1m", "5m"] as const satisfies readonly Grain[];

export type PassingGrain = typeof PASSING_GRAINS[number];

/** From when on buckets of a grain are kept, microseconds; of a grain that is not named all are. */
export type Kept = Readonly<Partial<Record<PassingGrain, number>>>;

/** How long cells of a grain are kept, days of 24 hours; of a grain that is not named for ever. */
export type KeptDays = Readonly<Partial<Record<PassingGrain, number>>>;

/** All cells. */
export const ALL_KEPT: Kept = {};

/** From when on buckets of a grain are kept, microseconds; minus infinity: all are, and so is what was added up as of then. */
export const kept_from = (kept: Kept, grain: ToldGrain | typeof THEN): number =>
  grain === THEN ? -Infinity : (kept as Partial<Record<Grain, number>>)[cells_grain(grain)] ?? -Infinity;

/** Whether the cells of a bucket are kept. */
export const is_kept = (kept: Kept, grain: ToldGrain | typeof THEN, bucket_us: number): boolean =>
  bucket_us >= kept_from(kept, grain);

/** Whether two are the same. */
export const same_kept = (a: Kept, b: Kept): boolean => PASSING_GRAINS.every((grain) => a[grain] === b[grain]);

/**
 * What is to be kept, as of a time: from the business day on that holds the time so many days before it. Whole days are kept, so that coarser
 * grains go on where finer ones end.
 * @param newest_us how far event time has come
 */
export function kept_at(ages: KeptDays, newest_us: number, days: Days): Kept {
  return Object.fromEntries(PASSING_GRAINS.flatMap((grain) => {
    const age = ages[grain];
    if (age === undefined) return [];
    return [[grain, bucket_start(grain, days.day_of(newest_us - age * 86_400e6).start_us, days)]];
  }));
}

/** As much of what is kept as begins with business days, which may be others than those that it began with. */
export const kept_on_days = (kept: Kept, days: Days): Kept =>
  Object.fromEntries(PASSING_GRAINS.flatMap((grain) => {
    const from_us = kept[grain];
    if (from_us === undefined) return [];
    const { start_us, end_us } = days.day_of(from_us);
    return [[grain, bucket_start(grain, start_us === from_us ? from_us : end_us, days)]];
  }));

/** What both keep. */
export const kept_by_both = (a: Kept, b: Kept): Kept =>
  Object.fromEntries(PASSING_GRAINS.flatMap((grain) => {
    const from = Math.max(kept_from(a, grain), kept_from(b, grain));
    return from === -Infinity ? [] : [[grain, from]];
  }));
