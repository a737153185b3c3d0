import type { Days } from "../kpi/mod.ts";
import { DAY_S, type Window } from "./view.ts";

/** Comparisons: the stretches of event time that a window's chart and cards are held against. Pure. */

/** The period just before, or the same stretch of the same weekday. */
export const COMPARISONS = ["previous", "weekday"] as const;

export type ComparisonName = typeof COMPARISONS[number];

const WEEK_DAYS = 7;

/** What a window is compared with. */
export interface Comparison {
  /** The buckets of its series: the whole window, moved back. */
  readonly window: Window;
  /** What its cards are of: [from_s, to_s), only as much of the window as has passed; empty while nothing has. */
  readonly stretch: { readonly from_s: number; readonly to_s: number };
  /** How far its end lies back, seconds: a whole number of buckets. */
  readonly shift_s: number;
}

/**
 * What a percent needs, at least so many trips under the figure of then: by chance alone the figure of as few may well be a third more or
 * less another time.
 */
export const LEAST_BASE = 20;

/**
 * How far the figures of a window that goes on have come, milliseconds: to the newest event. What came of then after it is not what they
 * are held against: while ingest catches up, half a morning would look like a fall.
 */
export const reached_ms = (now_ms: number, newest_event_ms: number | null): number =>
  Math.min(now_ms, newest_event_ms ?? 0);

/** Stretches are cut where every dimension that keeps windows has a bucket's border. */
const COARSEST_CUT_S = 300;

/** What cells a window's comparisons are cut by, seconds: minutes for a window of minutes, else five. */
export const cut_s = (window: Window): number => Math.min(window.step_s, COARSEST_CUT_S);

/**
 * The comparisons of a window. `previous` is the period of the same length just before. `weekday` is as long and lies
 * 7 days of business local time back at its end, or the least multiple of 7 days that is not shorter than the window: a
 * window of the last hours is held against the same hours by the clock, whether or not the clocks changed between. Both
 * change at most once a minute of what passes.
 * @param until_ms how far the window's figures have come, see `reached_ms`
 */
export function comparisons_of(window: Window, until_ms: number, days: Days): Record<ComparisonName, Comparison> {
  const cut = cut_s(window);
  const passed_s = Math.max(Math.min(window.to_s, Math.floor(until_ms / 1000 / cut) * cut), window.from_s);
  const length_s = window.to_s - window.from_s;
  const length_days = window.grain === "1d" ? Math.round(length_s / DAY_S) : length_s / DAY_S;
  const weeks_days = Math.max(Math.ceil(length_days / WEEK_DAYS), 1) * WEEK_DAYS;
  if (window.grain === "1d") {
    const moved = (by_days: number): Comparison => {
      const back = (us: number) => day_before(us, by_days, days);
      const [from_s, to_s] = [back(window.from_s), back(window.to_s)];
      const end_s = passed_s === window.to_s ? to_s : floor_to(days.days_before(passed_s * 1e6, by_days) / 1e6, cut);
      return { window: { ...window, from_s, to_s }, stretch: { from_s, to_s: end_s }, shift_s: window.to_s - to_s };
    };
    return { previous: moved(length_days), weekday: moved(weeks_days) };
  }
  const moved = (shift_s: number): Comparison => ({
    window: { ...window, from_s: window.from_s - shift_s, to_s: window.to_s - shift_s },
    stretch: { from_s: window.from_s - shift_s, to_s: passed_s - shift_s },
    shift_s,
  });
  const weekday_us = days.days_before(window.to_s * 1e6, weeks_days);
  return { previous: moved(length_s), weekday: moved(floor_to(window.to_s - weekday_us / 1e6, window.step_s)) };
}

/** Moves a bucket of a comparison's window into the present: the start of the bucket it stands beside, seconds. */
export function present_of(t_s: number, window: Window, comparison: Comparison, days: Days): number {
  if (window.grain !== "1d") return t_s + comparison.shift_s;
  return day_before(t_s, -Math.round((window.from_s - comparison.window.from_s) / DAY_S), days);
}

const floor_to = (value: number, step: number): number => Math.floor(value / step) * step;

/** Start of the local day so many days before the one that starts at `start_s`, seconds. By noon: a midnight may be skipped. */
function day_before(start_s: number, by_days: number, days: Days): number {
  return days.day_of(days.days_before(start_s * 1e6 + 43_200e6, by_days)).start_us / 1e6;
}
