import type { Grain } from "../kpi/mod.ts";

/** Views: which stretch of event time a subscriber watches. Pure. */

/** The ranges that the feed offers, their length and the grain of their series. All are whole multiples of the grain. */
export const RANGES = {
  "15m": { length_s: 900, grain: "1m", step_s: 60 },
  "1h": { length_s: 3_600, grain: "1m", step_s: 60 },
  "6h": { length_s: 21_600, grain: "5m", step_s: 300 },
  "24h": { length_s: 86_400, grain: "5m", step_s: 300 },
  "7d": { length_s: 604_800, grain: "1h", step_s: 3_600 },
  "30d": { length_s: 2_592_000, grain: "1h", step_s: 3_600 },
} as const satisfies Record<string, { length_s: number; grain: Grain; step_s: number }>;

export type Range = keyof typeof RANGES;

/** The names of the ranges, short to long. */
export const RANGE_NAMES = Object.keys(RANGES) as [Range, ...Range[]];

/** What is watched: a range up to now, or up to a fixed end (seconds since the Unix epoch). */
export interface View {
  readonly range: Range;
  readonly to_s: number | null;
}

/** The buckets that a view covers at some time: starts in [from_s, to_s), seconds since the Unix epoch. */
export interface Window {
  readonly from_s: number;
  readonly to_s: number;
  readonly step_s: number;
  readonly grain: Grain;
}

/**
 * The window of a view. A following view ends with the bucket that is running now; a fixed end is moved up to the end of
 * its bucket. Equal windows share one board, so fixed ends of one bucket cost one reading.
 */
export function window_at(view: View, now_ms: number): Window {
  const { length_s, grain, step_s } = RANGES[view.range];
  const to_s = view.to_s === null
    ? Math.floor(now_ms / 1000 / step_s) * step_s + step_s
    : Math.ceil(view.to_s / step_s) * step_s;
  return { from_s: to_s - length_s, to_s, step_s, grain };
}

/** The name under which equal views share a board. */
export function view_key(view: View): string {
  return view.to_s === null ? view.range : `${view.range}@${window_at(view, 0).to_s}`;
}

/** Whether two windows cover the same buckets. */
export function same_window(a: Window, b: Window): boolean {
  return a.from_s === b.from_s && a.to_s === b.to_s && a.step_s === b.step_s;
}
