import { format_time, local_time } from "../../kpi/mod.ts";

/** Hours in a week; hour 0 is Monday 00:00 to 01:00. */
export const hours_of_week = 168;

/** A rise and fall around an hour of the day: [hour of the peak, width in hours, height]. */
type Bump = readonly [number, number, number];

/** How much something is wanted through the day, on workdays and at the weekend. */
export interface Habit {
  readonly base: number;
  readonly workdays: readonly Bump[];
  readonly weekend: readonly Bump[];
}

const us_per_hour = 3_600_000_000;

/** The hour of the week (0 to 168, with fraction) of a time in microseconds since the epoch, `offset_us` east of UTC. */
export function hour_of_week(at_us: number, offset_us: number): number {
  // The epoch was a Thursday: three days into its week.
  const hours = (at_us + offset_us) / us_per_hour + 72;
  return hours - Math.floor(hours / hours_of_week) * hours_of_week;
}

/** Friday evening until the small hours of Monday: when people live by the other timetable. */
export function is_weekend(hour: number): boolean {
  return hour < 3 || hour >= 4 * 24 + 18;
}

/** A habit for each hour of the week, taken at the half hour. */
export function weekly_demand(habit: Habit): Float64Array {
  return Float64Array.from({ length: hours_of_week }, (_, hour) => {
    let demand = habit.base;
    for (const [peak, width, height] of is_weekend(hour) ? habit.weekend : habit.workdays) {
      const apart = Math.abs((hour % 24) + 0.5 - peak);
      const distance = Math.min(apart, 24 - apart) / width;
      demand += height * Math.exp(-0.5 * distance * distance);
    }
    return demand;
  });
}

/** A weekly table with the same shape whose mean is 1. */
export function evened(weekly: Float64Array): Float64Array {
  const mean = weekly.reduce((sum, value) => sum + value, 0) / hours_of_week;
  return weekly.map((value) => value / mean);
}

/** The value of a weekly table between its half hours, so that a chart of it has no steps. */
export function at_hour(weekly: Float64Array, hour: number): number {
  const shifted = hour - 0.5 + hours_of_week;
  const before = Math.floor(shifted);
  const share = shifted - before;
  return (weekly[before % hours_of_week] ?? 0) * (1 - share) + (weekly[(before + 1) % hours_of_week] ?? 0) * share;
}

/** How far the clocks of a time zone are ahead of UTC, microseconds, at noon of the day of a moment. */
export function utc_offset_us(at_us: number, time_zone: string): number {
  const noon = `${format_time(at_us).slice(0, 10)}T12:00:00`;
  const noon_us = Date.parse(`${noon}Z`) * 1_000;
  return Math.round((noon_us - (local_time(noon, time_zone) ?? noon_us)) / 60_000_000) * 60_000_000;
}
