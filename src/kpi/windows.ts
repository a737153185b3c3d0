import { parse_time } from "./event_time.ts";

/**
 * Days and clocks of IANA time zones, by Temporal. Where clocks are put forward, a time that they skip counts from before the jump; of one
 * that they show twice, the first is meant (Temporal calls that "compatible").
 */

/** A day: [start, start of the next day), microseconds. */
export interface Day {
  readonly start_us: number;
  readonly end_us: number;
}

/** The days of a time zone. They tile time; those on which the clocks change have 23 or 25 hours. */
export interface Days {
  /** The day that holds a time. */
  day_of(us: number): Day;
  /** The day of a date `YYYY-MM-DD`; null where the zone has none of that name. */
  day_named(date: string): Day | null;
  /** The date `YYYY-MM-DD` of the day that holds a time. */
  date_of(us: number): string;
  /** The instant whose local clock shows what it shows at `us`, so many days before; microseconds. */
  days_before(us: number, days: number): number;
}

/** What the clocks of a zone show at an instant. What is finer than a millisecond is left out. */
const shown_at = (us: number, time_zone: string): Temporal.PlainDateTime =>
  Temporal.Instant.fromEpochMilliseconds(Math.floor(us / 1000)).toZonedDateTimeISO(time_zone).toPlainDateTime();

/** Microseconds below the millisecond. */
const below_ms = (us: number): number => us - Math.floor(us / 1000) * 1000;

/** The days of an IANA time zone. */
export function days_in(time_zone: string): Days {
  const start_of = (date: Temporal.PlainDate): number => date.toZonedDateTime(time_zone).epochMilliseconds * 1000;
  const day_on = (date: Temporal.PlainDate): Day => ({
    start_us: start_of(date),
    end_us: start_of(date.add({ days: 1 })),
  });
  let last: Day = { start_us: 0, end_us: 0 };
  const day_of = (us: number): Day => {
    if (us >= last.start_us && us < last.end_us) return last;
    const date = shown_at(us, time_zone).toPlainDate();
    last = day_on(date);
    // Clocks that are put back over midnight show the day before once more: a day that has begun goes on.
    if (us >= last.end_us) last = day_on(date.add({ days: 1 }));
    return last;
  };
  return {
    day_of,
    date_of: (us) => String(shown_at(day_of(us).start_us, time_zone).toPlainDate()),
    day_named(date) {
      const named = Temporal.PlainDate.from(date);
      const begins = named.toZonedDateTime(time_zone).toPlainDate();
      return begins.equals(named) ? day_on(named) : null;
    },
    days_before: (us, days) =>
      shown_at(us, time_zone).subtract({ days }).toZonedDateTime(time_zone).epochMilliseconds * 1000 + below_ms(us),
  };
}

/** The instant at which the clocks of a zone show a time, microseconds. @param local_us what they show, as if it were UTC */
const instant_of = (local_us: number, time_zone: string): number =>
  shown_at(local_us, "UTC").toZonedDateTime(time_zone).epochMilliseconds * 1000 + below_ms(local_us);

const ENDS_IN_ZONE = /(?:Z|[+-]\d\d:\d\d)$/i;

/** Reads a time `YYYY-MM-DD hh:mm:ss` on the clocks of an IANA time zone, or one that names a zone itself; microseconds, null when it is no time. */
export function local_time(text: string, time_zone: string): number | null {
  const has_zone = ENDS_IN_ZONE.test(text);
  const as_utc = parse_time(has_zone ? text : `${text}Z`);
  if (!as_utc.ok) return null;
  return has_zone ? as_utc.us : instant_of(as_utc.us, time_zone);
}

const BLOCK_US = 900e6;
const MOST_BLOCKS = 10_000;
/** The years of event time, 1900 to 2254, microseconds. */
const FIRST_US = Date.UTC(1900, 0, 1) * 1000, END_US = Date.UTC(2255, 0, 1) * 1000;

/**
 * Reads the clock of an IANA time zone, remembering how far quarter hours are from UTC (bounded): asking anew takes ten times as long as all
 * else that is done with a time.
 * @returns from local time, microseconds as if it were UTC, to the instant; null outside the years of event time
 */
export function local_clock(time_zone: string): (local_us: number) => number | null {
  const offsets = new Map<number, number | null>();
  /** What the whole quarter of an hour is ahead of UTC; null when the clocks change within it. */
  const offset_of = (block: number): number | null => {
    const from = block * BLOCK_US, last = from + BLOCK_US - 1;
    const ahead = from - instant_of(from, time_zone);
    return ahead === last - instant_of(last, time_zone) ? ahead : null;
  };
  return (local_us) => {
    if (!(local_us >= FIRST_US && local_us < END_US)) return null;
    const block = Math.floor(local_us / BLOCK_US);
    let offset = offsets.get(block);
    if (offset === undefined) {
      if (offsets.size >= MOST_BLOCKS) offsets.clear();
      offsets.set(block, offset = offset_of(block));
    }
    return offset === null ? instant_of(local_us, time_zone) : local_us - offset;
  };
}

/**
 * Tumbling windows in event time. A bucket is named by its start, in microseconds since the Unix epoch.
 */

export type Grain = "1m" | "5m" | "1h" | "1d" | "all";

/** Grains from fine to coarse; each is a union of buckets of those before it. */
export const GRAINS: readonly Grain[] = ["1m", "5m", "1h", "1d", "all"];

/** What figures can be told by: cells keep no quarters of an hour, which are added up from three of 5 minutes. */
export type ToldGrain = Grain | "15m";

/** The grain of the cells that a told one is read from. */
export const cells_grain = <Told extends ToldGrain>(grain: Told): Exclude<Told, "15m"> | "5m" =>
  (grain === "15m" ? "5m" : grain) as Exclude<Told, "15m"> | "5m";

const MINUTE = 60e6;
const WIDTH = { "1m": MINUTE, "5m": 5 * MINUTE, "15m": 15 * MINUTE, "1h": 60 * MINUTE } as const;

/** Start of the bucket of a grain that holds a time. Minutes and hours are aligned to UTC; days are those of `days`; `all` is one bucket named 0. */
export function bucket_start(grain: ToldGrain, us: number, days: Days): number {
  if (grain === "all") return 0;
  if (grain === "1d") return days.day_of(us).start_us;
  const width = WIDTH[grain];
  return Math.floor(us / width) * width;
}

/** End (exclusive) of the bucket that starts at `start_us`; Infinity for grain all. */
export function bucket_end(grain: ToldGrain, start_us: number, days: Days): number {
  if (grain === "all") return Infinity;
  if (grain === "1d") return days.day_of(start_us).end_us;
  return start_us + WIDTH[grain];
}

/** A stretch of event time: [from_us, to_us), microseconds. */
export interface Micros {
  readonly from_us: number;
  readonly to_us: number;
}

/** The name of what stands in the place of buckets that are not as they were then: pieces of any length. */
export const THEN = "then";

/** Buckets of one grain that lie side by side: starts in [from_us, to_us). */
export interface Tile extends Micros {
  readonly grain: Grain | typeof THEN;
}

/**
 * Covers a stretch of event time with as few buckets as possible: coarse ones in the middle, finer ones towards the
 * edges. 30 days of a dimension are read as 29 days and up to 48 hours instead of 720 hours per key.
 * @param grains what the dimension keeps, fine to coarse, without `all` (none: nothing covers it); the finest widens the stretch to whole buckets
 * @param apart stretches whose buckets are not taken, ascending, of whole buckets of the finest grain: a tile of `then` is in the place of each; a
 *   stretch that begins or ends in one of them is not widened there
 */
export function tile(
  from_us: number,
  to_us: number,
  grains: readonly Grain[],
  days: Days,
  apart: readonly Micros[] = [],
): Tile[] {
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
  const is_apart = (us: number) => apart.some(({ from_us, to_us }) => from_us < us && us < to_us);
  const tiles: Tile[] = [], last_us = is_apart(to_us) ? to_us : end(finest, to_us);
  let at_us = is_apart(from_us) ? from_us : start(finest, from_us);
  for (const { from_us, to_us } of apart) {
    if (to_us <= at_us || from_us >= last_us) continue;
    const own = { from_us: Math.max(from_us, at_us), to_us: Math.min(to_us, last_us) };
    tiles.push(...split(at_us, own.from_us, grains), { grain: THEN, ...own });
    at_us = own.to_us;
  }
  return [...tiles, ...split(at_us, last_us, grains)];
}

/**
 * What late is, in one place: how far event time may run on before a window is closed, and for whom that counts.
 *
 * The watermark of a log is the greatest event time it has admitted. A window is closed once the watermark is 5 minutes past its end.
 * A message is late when the minute of the newest of its events was closed before it came; all its events are late then. What one
 * message tells at once is not late against itself: a record of a whole stream tells its start when it ends. Late events count all
 * the same, in the window they belong to.
 *
 * Five minutes, not one: a phone without network, a consumer that is restarted and partitions that are read at different speeds are in time.
 */

/** How far past a window's end event time has to come before the window is closed, microseconds. */
export const LATENESS_US = 300e6;

const MINUTE_US = 60e6;

/** The watermark at which a window is closed that ends at `end_us`, microseconds. */
export const closes_at = (end_us: number): number => end_us + LATENESS_US;

/** Minutes that end by this time are closed, microseconds: whose newest event lies before it is late. */
export const closed_before = (watermark_us: number): number =>
  Math.floor((watermark_us - LATENESS_US) / MINUTE_US) * MINUTE_US;

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
