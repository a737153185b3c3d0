import { date_of_day, type Days, local_time } from "../kpi/mod.ts";

/** When reports are due: at times of the business day, on all of its days or on some weekdays. Pure. */

/** The days of the week, as they are named and in their order. */
export const WEEKDAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"] as const;

export interface Schedule {
  /** Times of the day, `HH:MM`, at least one. */
  readonly times: readonly string[];
  /** On these alone; null: on every day. */
  readonly weekdays: readonly (typeof WEEKDAYS[number])[] | null;
}

/** The business days and clock of a log. */
export interface Business {
  readonly days: Days;
  readonly time_zone: string;
}

const DAY_MS = 86_400_000;
/** Every weekday is among the days that lie no further away. */
const NEAR_DAYS = 8;

/**
 * The last time that is not after now, and the first that is, microseconds. A time that the clocks skip counts from before the jump; of one that they
 * show twice the first is meant.
 */
export function due_around(
  { times, weekdays }: Schedule,
  now_us: number,
  { days, time_zone }: Business,
): { readonly last_us: number; readonly next_us: number } {
  const today = Date.parse(days.date_of(now_us)) / DAY_MS;
  let last_us = -Infinity, next_us = Infinity;
  for (let day = today - NEAR_DAYS; day <= today + NEAR_DAYS; day++) {
    // The first day of 1970 was a Thursday.
    if (weekdays !== null && !weekdays.includes(WEEKDAYS[(day + 3) % 7]!)) continue;
    for (const time of times) {
      const due_us = local_time(`${date_of_day(day)} ${time}:00`, time_zone)!;
      if (due_us <= now_us) last_us = Math.max(last_us, due_us);
      else next_us = Math.min(next_us, due_us);
    }
  }
  return { last_us, next_us };
}

/** The times of a day that lie so many hours apart, from midnight on. @param hours divides a day */
export const times_every = (hours: number): string[] =>
  Array.from({ length: 24 / hours }, (_, i) => `${String(i * hours).padStart(2, "0")}:00`);
