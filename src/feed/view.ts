import { bucket_end, bucket_start, type Days, type Grain } from "../kpi/mod.ts";
import type { ComparisonName } from "./comparison.ts";
import { type Filter, format_filter } from "./filter.ts";

/** Views: which stretch of event time a subscriber watches, which states count in it, and what it is compared with. Pure. */

/** The ranges that the feed offers, their length and the grain of their series. All are whole multiples of the grain. */
export const RANGES = {
  "15m": { length_s: 900, grain: "1m" },
  "1h": { length_s: 3_600, grain: "1m" },
  "6h": { length_s: 21_600, grain: "5m" },
  "24h": { length_s: 86_400, grain: "5m" },
  "7d": { length_s: 604_800, grain: "1h" },
  "30d": { length_s: 2_592_000, grain: "1h" },
} as const satisfies Record<string, { length_s: number; grain: ViewGrain }>;

export type Range = keyof typeof RANGES;

/** The names of the ranges, short to long. */
export const RANGE_NAMES = Object.keys(RANGES) as [Range, ...Range[]];

/** The grains of series, and their width in seconds; days of the business time zone may be an hour shorter or longer. */
export const STEP_S = { "1m": 60, "5m": 300, "1h": 3_600, "1d": 86_400 } as const satisfies Partial<
  Record<Grain, number>
>;

export type ViewGrain = keyof typeof STEP_S;

/** Seconds of a usual day. */
export const DAY_S = 86_400;

/** The grain of an absolute range: the first that is meant for its length. */
const ABSOLUTE_GRAINS = [
  { most_s: 7_200, grain: "1m" },
  { most_s: 129_600, grain: "5m" },
  { most_s: 45 * DAY_S, grain: "1h" },
  { most_s: 400 * DAY_S, grain: "1d" },
] as const satisfies readonly { most_s: number; grain: ViewGrain }[];

/** The longest absolute range, seconds: 400 days. */
export const LONGEST_S = ABSOLUTE_GRAINS[3].most_s;

/**
 * The longest window that is computed from states, seconds: 31 days, and what whole buckets and a change of the clocks
 * add to them.
 */
export const LONGEST_FROM_STATES_S = 31 * DAY_S + 3 * 3_600;

/** A range up to now, or up to a fixed end; or any stretch. Seconds since the Unix epoch. */
export type Span =
  | { readonly range: Range; readonly to_s: number | null }
  | { readonly range: "custom"; readonly from_s: number; readonly to_s: number };

/** What is watched. */
export type View = Span & {
  readonly filter: Filter;
  /** Which comparison's series is given. */
  readonly compare: ComparisonName;
};

/** The buckets that a view covers at some time: starts in [from_s, to_s), seconds since the Unix epoch. */
export interface Window {
  readonly from_s: number;
  readonly to_s: number;
  /** Width of a bucket; of days the usual one. */
  readonly step_s: number;
  readonly grain: ViewGrain;
}

/** What is wrong with an absolute range (seconds); null when nothing is. */
export function absolute_fault(from_s: number, to_s: number): string | null {
  if (to_s <= from_s) return "expected a time after from";
  return to_s - from_s > LONGEST_S ? `expected at most ${LONGEST_S / DAY_S} days after from` : null;
}

/**
 * The window of a view. A following view ends with the bucket that is running now; fixed ends are widened to whole
 * buckets. Equal windows share one board, so fixed ends of one bucket cost one reading.
 */
export function window_at(view: Span, now_ms: number, days: Days): Window {
  if (view.range === "custom") {
    const length_s = view.to_s - view.from_s;
    const { grain } = ABSOLUTE_GRAINS.find(({ most_s }) => length_s <= most_s) ?? ABSOLUTE_GRAINS[3];
    const from_s = bucket_start(grain, view.from_s * 1e6, days) / 1e6;
    const last_us = bucket_start(grain, view.to_s * 1e6, days);
    const to_s = (last_us === view.to_s * 1e6 ? last_us : bucket_end(grain, last_us, days)) / 1e6;
    return { from_s, to_s, step_s: STEP_S[grain], grain };
  }
  const { length_s, grain } = RANGES[view.range];
  const step_s = STEP_S[grain];
  const to_s = view.to_s === null
    ? Math.floor(now_ms / 1000 / step_s) * step_s + step_s
    : Math.ceil(view.to_s / step_s) * step_s;
  return { from_s: to_s - length_s, to_s, step_s, grain };
}

/** The name under which equal views share a board: equal windows, filters and comparisons have equal names. */
export function view_key(view: View, days: Days): string {
  const filter = format_filter(view.filter);
  return span_key(view, days) + (filter === "" ? "" : `?${filter}`) + (view.compare === "weekday" ? "" : "~previous");
}

function span_key(view: Span, days: Days): string {
  if (view.range !== "custom" && view.to_s === null) return view.range;
  const { from_s, to_s, grain } = window_at(view, 0, days);
  return view.range === "custom" ? `${from_s}..${to_s}/${grain}` : `${view.range}@${to_s}`;
}

/** Whether two windows cover the same buckets. */
export function same_window(a: Window, b: Window): boolean {
  return a.from_s === b.from_s && a.to_s === b.to_s && a.step_s === b.step_s;
}
