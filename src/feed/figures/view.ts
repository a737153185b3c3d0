import { bucket_end, bucket_start, cells_grain, type Days, type Micros, type ToldGrain } from "../../kpi/mod.ts";

/** Filters: which states a view counts. Pure. */

/** A dimension's key is one of `keys`, or none of them. A state that nobody named a key for has the key `unknown`. */
export interface Condition {
  readonly dimension: string;
  /** Sorted, each once, at least one. */
  readonly keys: readonly string[];
  readonly excluded: boolean;
}

/** All conditions hold; at most one for each dimension, in the order of the dimensions. No condition: everything counts. */
export type Filter = readonly Condition[];

/** What is wrong with a parameter of a filter. */
export interface FilterFault {
  readonly path: string;
  readonly detail: string;
}

/** Most keys of one condition, and the most characters of a key. */
export const FILTER_LIMITS = { keys: 20, characters: 200 } as const;

/** What the parameter of a dimension begins with when it names the keys to leave out. */
export const EXCLUDED = "not_";

/**
 * Reads a filter from the parameters of a query: `city=Chicago&city=Boston` is one of both, `not_city=unknown` all but
 * that. Parameters of other names are not looked at.
 * @param dimensions the names of the dimensions that can be filtered by
 */
export function read_filter(
  query: URLSearchParams,
  dimensions: readonly string[],
): { readonly ok: true; readonly filter: Filter } | { readonly ok: false; readonly faults: readonly FilterFault[] } {
  const filter: Condition[] = [], faults: FilterFault[] = [];
  for (const dimension of dimensions) {
    const [kept, left_out] = [dimension, `${EXCLUDED}${dimension}`].map((path) => ({
      path,
      keys: [...new Set(query.getAll(path))].sort(),
      excluded: path !== dimension,
    }));
    const condition = kept!.keys.length > 0 ? kept! : left_out!;
    const { path, keys, excluded } = condition;
    if (keys.length === 0) continue;
    if (kept!.keys.length > 0 && left_out!.keys.length > 0) {
      faults.push({ path: left_out!.path, detail: `expected either ${dimension} or ${left_out!.path}, got both` });
    } else if (keys.length > FILTER_LIMITS.keys) {
      faults.push({ path, detail: `expected at most ${FILTER_LIMITS.keys} keys, got ${keys.length}` });
    } else if (keys.some((key) => key.trim() === "" || key.length > FILTER_LIMITS.characters || key.includes("\0"))) {
      faults.push({ path, detail: `expected keys of 1 to ${FILTER_LIMITS.characters} characters, without NUL` });
    } else {
      filter.push({ dimension, keys, excluded });
    }
  }
  return faults.length === 0 ? { ok: true, filter } : { ok: false, faults };
}

/** The parameters of a filter, in one order: equal filters give equal text. `read_filter` reads it back. */
export function format_filter(filter: Filter): string {
  const query = new URLSearchParams();
  for (const { dimension, keys, excluded } of filter) {
    for (const key of keys) query.append(excluded ? `${EXCLUDED}${dimension}` : dimension, key);
  }
  return query.toString();
}

/** Views: which stretch of event time a subscriber watches, which states count in it, and which stretches its chart and cards are held against. Pure. */

/**
 * The ranges that the feed offers, their length and the grain of their series unless another is asked for. All are whole multiples of that
 * grain. Those of the calendar are days and weeks of the business time zone, of which a usual one is so long.
 */
export const RANGES = {
  "5m": { length_s: 300, grain: "1m" },
  "15m": { length_s: 900, grain: "1m" },
  "1h": { length_s: 3_600, grain: "1m" },
  "6h": { length_s: 21_600, grain: "5m" },
  "24h": { length_s: 86_400, grain: "5m" },
  "7d": { length_s: 604_800, grain: "1h" },
  "30d": { length_s: 2_592_000, grain: "1h" },
  today: { length_s: 86_400, grain: "5m" },
  yesterday: { length_s: 86_400, grain: "5m" },
  week: { length_s: 604_800, grain: "1h" },
} as const satisfies Record<string, { length_s: number; grain: ViewGrain }>;

type Range = keyof typeof RANGES;

/** The names of the ranges, short to long. */
export const RANGE_NAMES = Object.keys(RANGES) as [Range, ...Range[]];

/** Those of the calendar, by the day or week (Monday first) that they are of, counted from that of now. */
const CALENDAR: Partial<Record<Range, { readonly days: number; readonly back: number }>> = {
  today: { days: 1, back: 0 },
  yesterday: { days: 1, back: 1 },
  week: { days: 7, back: 0 },
};

/** The grains of series, and their width in seconds; days of the business time zone may be an hour shorter or longer. */
export const STEP_S = { "1m": 60, "5m": 300, "15m": 900, "1h": 3_600, "1d": 86_400 } as const satisfies Partial<
  Record<ToldGrain, number>
>;

export type ViewGrain = keyof typeof STEP_S;

/** The names of the grains, fine to coarse. */
export const VIEW_GRAINS = Object.keys(STEP_S) as [ViewGrain, ...ViewGrain[]];

/** The longest range of each grain, seconds: what more buckets would be of is no chart, and no page could draw it at once. */
const LONGEST_OF_GRAIN_S: Readonly<Record<ViewGrain, number>> = {
  "1m": 21_600,
  "5m": 259_200,
  "15m": 864_000,
  "1h": 3_888_000,
  "1d": 34_560_000,
};

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
const LONGEST_S = ABSOLUTE_GRAINS[3].most_s;

/** The longest window that is computed from states, seconds: 31 days, and what whole buckets and a change of the clocks add to them. */
export const LONGEST_FROM_STATES_S = 31 * DAY_S + 3 * 3_600;

/** A range up to now, or up to a fixed end; or any stretch; by arrival also so many of the newest events. Seconds since the Unix epoch. */
export type Span =
  | { readonly range: Range; readonly to_s: number | null }
  | { readonly range: "custom"; readonly from_s: number; readonly to_s: number }
  | { readonly range: "last"; readonly last: number; readonly to_s: null };

/**
 * What a board's time is: when things happened; or when they arrived, and then it is of the streams whose newest event arrived in its range, and
 * all that is told of one lies at that event's recorded time.
 */
export const ORDERS = ["event_time", "arrival"] as const;

/** Most events that are the newest ones of a view by arrival, and how many are unless it says. */
export const LAST_EVENTS = 200;

/** The period just before, or the same stretch of the same weekday. */
export const COMPARISONS = ["previous", "weekday"] as const;

export type ComparisonName = typeof COMPARISONS[number];

/** What is watched. */
export type View = Span & {
  /** Absent: by event time. */
  readonly order?: "arrival";
  /** Absent: the grain that is meant for the length of the range. */
  readonly grain?: ViewGrain;
  readonly filter: Filter;
  /** Of which currency, of a domain by currency. */
  readonly currency?: string;
  /** Which comparison's series is given. */
  readonly compare: ComparisonName;
};

/** Whether a view is of all there is, by event time. */
export const is_whole = ({ order, filter }: View): boolean => order === undefined && filter.length === 0;

/** And of all currencies, of which there is one. */
export const counts_all = (view: View): boolean => is_whole(view) && view.currency === undefined;

/** The buckets that a view covers at some time: starts in [from_s, to_s), seconds since the Unix epoch. */
export interface Window {
  readonly from_s: number;
  readonly to_s: number;
  /** Width of a bucket; of days the usual one. */
  readonly step_s: number;
  readonly grain: ViewGrain;
}

/** A view that is watched, and its window at this time. */
export interface Watched {
  readonly view: View;
  readonly window: Window;
}

/** What is wrong with an absolute range (seconds); null when nothing is. */
export function absolute_fault(from_s: number, to_s: number): string | null {
  if (to_s <= from_s) return "expected a time after from";
  return to_s - from_s > LONGEST_S ? `expected at most ${LONGEST_S / DAY_S} days after from` : null;
}

/** What is wrong with the grain or the end that a view names; null when nothing is. */
export function span_fault(view: Pick<View, "grain"> & Span): FilterFault | null {
  const { grain } = view;
  if (view.range === "last") {
    const detail = "expected no grain of the newest events: how wide a bucket is follows from how long they took";
    return grain === undefined ? null : { path: "grain", detail };
  }
  if (CALENDAR[view.range as Range] !== undefined && view.to_s !== null) {
    return { path: "to", detail: `expected no end of the range ${view.range}, which has its own` };
  }
  if (grain === undefined) return null;
  const length_s = view.range === "custom" ? view.to_s - view.from_s : RANGES[view.range].length_s;
  const step_s = STEP_S[grain], most_s = LONGEST_OF_GRAIN_S[grain];
  // A usual day: one of 25 hours is no longer than two.
  if (length_s > most_s + (grain === "1d" ? 0 : 3_600)) {
    const many = `of ${grain} it has ${Math.ceil(length_s / step_s)} buckets, at most ${most_s / step_s} are told`;
    return { path: "grain", detail: `expected a coarser grain for this range: ${many}` };
  }
  if (length_s >= step_s) return null;
  return { path: "grain", detail: `expected a finer grain for this range: it is shorter than a bucket of ${grain}` };
}

/** The grain that is meant for the length of a view's range; of the newest events null: it goes by how long they took. */
export function meant_grain(view: Span): ViewGrain | null {
  if (view.range === "last") return null;
  if (view.range !== "custom") return RANGES[view.range].grain;
  const length_s = view.to_s - view.from_s;
  return (ABSOLUTE_GRAINS.find(({ most_s }) => length_s <= most_s) ?? ABSOLUTE_GRAINS[3]).grain;
}

/**
 * The window of a view. A following view ends with the bucket that is running now; fixed ends are widened to whole
 * buckets. Equal windows share one board, so fixed ends of one bucket cost one reading. Of the newest events it is what it were if they all
 * came now: `window_of_last` says what it is.
 */
export function window_at(view: Span & Pick<View, "grain">, now_ms: number, days: Days): Window {
  if (view.range === "custom") {
    return widened(view, view.grain ?? grain_of_days(view, meant_grain(view)!, days), days);
  }
  if (view.range === "last") {
    return window_of_last({ oldest_us: now_ms * 1000, newest_us: now_ms * 1000 }, now_ms, days);
  }
  const { length_s, grain: meant } = RANGES[view.range], calendar = CALENDAR[view.range];
  if (calendar !== undefined) {
    const whole = calendar_at(calendar, now_ms, days);
    return widened(whole, view.grain ?? grain_of_days(whole, meant, days), days);
  }
  const grain = view.grain ?? meant, step_s = STEP_S[grain];
  if (grain === "1d") {
    const end_us = view.to_s === null ? days.day_of(now_ms * 1000).end_us : bucket_from(grain, view.to_s, days);
    return { from_s: day_before(end_us / 1e6, length_s / DAY_S, days), to_s: end_us / 1e6, step_s, grain };
  }
  const to_s = view.to_s === null
    ? Math.floor(now_ms / 1000 / step_s) * step_s + step_s
    : Math.ceil(view.to_s / step_s) * step_s;
  return { from_s: to_s - length_s, to_s, step_s, grain };
}

type Stretch = Pick<Window, "from_s" | "to_s">;

/** A stretch in microseconds. */
export const micros = ({ from_s, to_s }: Stretch): Micros => ({ from_us: from_s * 1e6, to_us: to_s * 1e6 });

/** Whether a range has ends of its own, or those of days, however wide buckets are. */
export const has_own_ends = ({ range }: Pick<View, "range">) =>
  range === "custom" || CALENDAR[range as Range] !== undefined;

/** Whether a stretch begins and ends with buckets of a grain. */
export const ends_on = (grain: ViewGrain, { from_s, to_s }: Stretch, days: Days): boolean =>
  [from_s, to_s].every((at_s) => bucket_start(grain, at_s * 1e6, days) === at_s * 1e6);

/** The grain that is meant for a stretch, but where whole days begin inside its hours, which would widen them: then another, that keeps them. */
function grain_of_days(stretch: Stretch, meant: ViewGrain, days: Days): ViewGrain {
  if (meant !== "1h" || ends_on("1h", stretch, days) || !ends_on("1d", stretch, days)) return meant;
  return stretch.to_s - stretch.from_s <= LONGEST_OF_GRAIN_S["15m"] ? "15m" : "1d";
}

/** A stretch, widened to whole buckets. */
function widened({ from_s, to_s }: Stretch, grain: ViewGrain, days: Days): Window {
  const start_us = bucket_start(grain, from_s * 1e6, days);
  return { from_s: start_us / 1e6, to_s: bucket_from(grain, to_s, days) / 1e6, step_s: STEP_S[grain], grain };
}

/** The first border of buckets that does not lie before a time, microseconds. */
function bucket_from(grain: ViewGrain, at_s: number, days: Days): number {
  const start_us = bucket_start(grain, at_s * 1e6, days);
  return start_us === at_s * 1e6 ? start_us : bucket_end(grain, start_us, days);
}

/** A day or a week of the business time zone, whole: what of it is yet to come is in it. */
function calendar_at(calendar: { readonly days: number; readonly back: number }, now_ms: number, days: Days): Stretch {
  const today_s = days.day_of(now_ms * 1000).start_us / 1e6;
  const weekday = calendar.days === 1 ? 0 : (new Date(days.date_of(now_ms * 1000)).getUTCDay() + 6) % 7;
  const from_s = day_before(today_s, calendar.back + weekday, days);
  return { from_s, to_s: day_before(from_s, -calendar.days, days) };
}

/** Whether a view goes on with the clock: not one that has an end. */
export const goes_on = ({ range, to_s }: Pick<View, "range" | "to_s">): boolean =>
  to_s === null && range !== "yesterday";

/** However few of the newest events there are, and however fast they came: a chart needs room. */
const LEAST_LAST_S = RANGES["15m"].length_s;

/** The window of events that were recorded from one time to another, up to now: by the finest grain that is meant for its length. */
export function window_of_last(
  { oldest_us, newest_us }: { readonly oldest_us: number; readonly newest_us: number },
  now_ms: number,
  days: Days,
): Window {
  // The clock that recorded them may be ahead.
  const to_s = Math.floor(Math.max(newest_us / 1e6, now_ms / 1000)) + 1;
  const from_s = Math.min(Math.floor(oldest_us / 1e6), to_s - LEAST_LAST_S);
  return window_at({ range: "custom", from_s, to_s }, now_ms, days);
}

/** The name under which equal views share a board: equal windows, filters and comparisons have equal names. */
export function view_key(view: View, days: Days): string {
  const filter = format_filter(view.filter), { currency = "" } = view;
  const of = span_key(view, days) + currency + (filter === "" ? "" : `?${filter}`);
  if (view.order !== undefined) return `${view.order} ${of}`;
  return of + (view.compare === "weekday" ? "" : "~previous");
}

function span_key(view: Span & Pick<View, "grain">, days: Days): string {
  if (view.range === "last") return `last ${view.last}`;
  const own = view.grain === undefined ? "" : `/${view.grain}`;
  if (view.range !== "custom" && view.to_s === null) return view.range + own;
  const { from_s, to_s, grain } = window_at(view, 0, days);
  return view.range === "custom" ? `${from_s}..${to_s}/${grain}` : `${view.range}@${to_s}${own}`;
}

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

/** What a percent needs, at least so many streams under the figure of then: by chance alone that of as few may be a third more or less another time. */
export const LEAST_BASE = 20;

/** How far a window that goes on has come, milliseconds: to the newest event. While ingest catches up, all of a morning then would look like a fall. */
export const reached_ms = (now_ms: number, newest_event_ms: number | null): number =>
  Math.min(now_ms, newest_event_ms ?? 0);

/** What cells breakdowns of a window are cut by at the finest, seconds: those that its buckets are made of. */
export const finest_s = ({ grain }: Pick<Window, "grain">): number => STEP_S[cells_grain(grain)];

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
