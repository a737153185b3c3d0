import { bucket_end, bucket_start, type Days } from "../kpi/mod.ts";
import { STEP_S } from "../feed/mod.ts";
import { type Rule, settled_before } from "./rule.ts";

/** Which windows of event time a rule looks at. Pure. */

/** A window [from_us, to_us), microseconds. */
export interface Window {
  readonly from_us: number;
  readonly to_us: number;
}

/** The windows of a rule in [from_us, to_us), both ends of windows. */
export function windows_between(
  { window }: Pick<Rule, "window">,
  from_us: number,
  to_us: number,
  days: Days,
): Window[] {
  const windows: Window[] = [];
  for (let at = from_us; at < to_us;) {
    const end = bucket_end(window, at, days);
    windows.push({ from_us: at, to_us: end });
    at = end;
  }
  return windows;
}

/** The end of the last window that may be looked at when event time has come to `clock_us`. */
export const last_end = ({ window, wait_us }: Pick<Rule, "window" | "wait_us">, clock_us: number, days: Days): number =>
  bucket_start(window, clock_us - wait_us, days);

/** The window that lies so many windows before the one that ends at `end_us`: its start. */
export function windows_before({ window }: Pick<Rule, "window">, end_us: number, many: number, days: Days): number {
  let at = end_us;
  for (let i = 0; i < many; i++) at = bucket_start(window, at - 1, days);
  return at;
}

/** The window of a week before by the clock of the business time zone. */
export function week_before({ window }: Pick<Rule, "window">, { from_us, to_us }: Window, days: Days): Window {
  // By noon: a midnight may be skipped.
  if (window === "1d") return spanning(days.day_of(days.days_before(from_us + 43_200e6, 7)));
  const width = to_us - from_us;
  const end_us = Math.floor(days.days_before(to_us, 7) / width) * width;
  return { from_us: end_us - width, to_us: end_us };
}

const spanning = ({ start_us, end_us }: { readonly start_us: number; readonly end_us: number }): Window => ({
  from_us: start_us,
  to_us: end_us,
});

/** Nothing is looked at that lies further back than event time that is later by so much than now: a wrong clock. */
const MOST_IDLE_US = 86_400e6;

/**
 * How far event time has come for a rule: to the newest event of the log, or where nothing came for so long as the rule says, along with the
 * clock, so long behind it; at most a day after the newest event, so that an old log which was only read in is no outage.
 * @param recorded_us when the newest event was recorded
 */
export function clock_of(
  { idle_us }: Pick<Rule, "idle_us">,
  { watermark_us, recorded_us, now_us }: {
    readonly watermark_us: number;
    readonly recorded_us: number;
    readonly now_us: number;
  },
): number {
  if (idle_us === null || now_us - recorded_us <= idle_us || now_us - watermark_us > MOST_IDLE_US) return watermark_us;
  return Math.max(watermark_us, now_us - idle_us);
}

/** Most windows of a rule that are looked at again for late events. */
const MOST_AGAIN = 200;

/** From which window a rule that is looked at for the first time begins: so far back that what has lasted long enough fires at once. */
export const first_window = (rule: Rule, end_us: number, days: Days): number =>
  windows_before(rule, end_us, Math.min(MOST_AGAIN, Math.ceil(rule.for_us / (STEP_S[rule.window] * 1e6)) + 1), days);

/** Up to which end windows are closed. */
export const settled_end = (rule: Rule, clock_us: number, end_us: number, days: Days): number =>
  Math.max(settled_before(clock_us, rule), windows_before(rule, end_us, MOST_AGAIN, days));
