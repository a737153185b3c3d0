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
