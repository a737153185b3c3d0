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
