import { parse_time } from "./event_time.ts";

/**
 * Tumbling windows in event time. A bucket is named by its start, in microseconds since the Unix epoch.
 */

export type Grain = "1m" | "5m" | "1h" | "1d" | "all";

/** Grains from fine to coarse; each is a union of buckets of those before it. */
export const GRAINS: readonly Grain[] = ["1m", "5m", "1h", "1d", "all"];

const MINUTE = 60e6;
const WIDTH = { "1m": MINUTE, "5m": 5 * MINUTE, "1h": 60 * MINUTE } as const;

/** Start of the local day in a time zone, and of the one after it. */
export interface Days {
  /** [start of the day that holds the time, start of the next day), microseconds. */
  day_of(us: number): { readonly start_us: number; readonly end_us: number };
  /** The instant whose local clock shows what it shows at `us`, so many days before; microseconds. Where the clocks change, as `local_time` reads it. */
  days_before(us: number, days: number): number;
}

const FIRST_DAY = new Temporal.PlainDate(1970, 1, 1);
const formats = new Map<string, Intl.DateTimeFormat>();

/** The formatter of a zone; making one is dear. */
function local_format(time_zone: string): Intl.DateTimeFormat {
  let format = formats.get(time_zone);
  if (format === undefined) {
    const number = "numeric";
    const parts = { year: number, month: number, day: number, hour: number, minute: number, second: number } as const;
    formats.set(
      time_zone,
      format = new Intl.DateTimeFormat("en-US", { timeZone: time_zone, hourCycle: "h23", ...parts }),
    );
  }
  return format;
}

/** Milliseconds that local time in the zone is ahead of UTC at an instant: whole seconds, since old offsets were not whole minutes. */
function offset_ms(format: Intl.DateTimeFormat, ms: number): number {
  const parts: Record<string, number> = {};
  for (const { type, value } of format.formatToParts(ms)) parts[type] = Number(value);
  const local = Date.UTC(parts.year!, parts.month! - 1, parts.day!, parts.hour! % 24, parts.minute!, parts.second!);
  return local - Math.floor(ms / 1000) * 1000;
}

/**
 * Days of an IANA time zone, DST days of 23 and 25 hours included. They tile time: a day that has begun does not end because the clocks
 * go back over its midnight. Remembers the days it has seen (bounded).
 */
export function days_in(time_zone: string): Days {
  const format = local_format(time_zone);
  const DAY_MS = 86_400_000;
  /** Start of local day number `day` (days since 1970-01-01 in local time), ms: its first midnight, or the instant that the clocks jump to past a skipped one. */
  const start_of = (day: number): number => FIRST_DAY.add({ days: day }).toZonedDateTime(time_zone).epochMilliseconds;
  const seen = new Map<number, { start_us: number; end_us: number }>();
  const numbered = (day: number) => {
    let found = seen.get(day);
    if (found === undefined) {
      if (seen.size > 10_000) seen.clear();
      found = { start_us: start_of(day) * 1000, end_us: start_of(day + 1) * 1000 };
      seen.set(day, found);
    }
    return found;
  };
  let last = { start_us: 0, end_us: 0 };
  return {
    day_of(us) {
      if (us >= last.start_us && us < last.end_us) return last;
      const ms = Math.floor(us / 1000);
      const day = Math.floor((ms + offset_ms(format, ms)) / DAY_MS);
      last = numbered(day);
      // Clocks that show the day before once more: the day goes on.
      if (us >= last.end_us) last = numbered(day + 1);
      return last;
    },
    days_before(us, days) {
      const local_us = us + offset_ms(format, Math.floor(us / 1000)) * 1000;
      return instant_of(local_us - days * 86_400e6, format);
    },
  };
}

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

/**
 * Reads a local time `YYYY-MM-DD hh:mm:ss` of an IANA time zone, microseconds; null when it is no time. Of a time that the clocks show
 * twice, the first is meant; one that they skip counts from before the jump.
 */
export function local_time(text: string, time_zone: string): number | null {
  const as_utc = parse_time(/(?:Z|[+-]\d\d:\d\d)$/i.test(text) ? text : `${text}Z`);
  if (!as_utc.ok || as_utc.us % 1 !== 0) return null;
  if (/(?:Z|[+-]\d\d:\d\d)$/i.test(text)) return as_utc.us;
  return instant_of(as_utc.us, local_format(time_zone));
}

/** The instant of a local time (microseconds as if it were UTC), by the rules of `local_time`. */
function instant_of(local_us: number, format: Intl.DateTimeFormat): number {
  const offset = (us: number) => offset_ms(format, Math.floor(us / 1000)) * 1000;
  const day_before = local_us - offset(local_us - 86_400e6);
  return day_before + offset(day_before) === local_us ? day_before : local_us - offset(local_us - offset(day_before));
}
