import { format_time, local_time } from "../../kpi/mod.ts";
import { hash32, Random } from "./random.ts";

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

const minute_us = 60_000_000;
const hour_us = 3_600_000_000;

interface ArrivalOptions {
  readonly seed: number;
  readonly start_us: number;
  /** Streams a second, on the average of a week. */
  readonly rate: number;
  readonly variability: number;
  /** How much is going on in each hour of the week; its mean is 1. */
  readonly demand: Float64Array;
  /** Local time minus UTC, microseconds: the hours of the week are local ones. */
  readonly utc_offset_us: number;
  /** What is added at a time, as a share of the usual demand; nothing unless given. */
  readonly extra?: (at_us: number) => number;
}

/**
 * When streams begin: `rate` a second on the average of a week. Variability 0 spaces them evenly; 1 follows the demand
 * through the week, with gusts, and with gaps as random as independent people make them.
 */
export class Arrivals {
  readonly #options: ArrivalOptions;
  readonly #random: Random;
  #at_us: number;
  #minute = -1;
  /** Arrivals a microsecond during the current minute. */
  #intensity = 0;

  constructor(options: ArrivalOptions) {
    this.#options = options;
    this.#random = new Random(options.seed, options.start_us, 21);
    this.#at_us = options.start_us;
  }

  /** The time of the next arrival, in microseconds, on a whole millisecond. Never before the one it gave last. */
  next(): number {
    const { variability } = this.#options;
    // What is left of the gap, in arrivals: passing through a busy minute uses it up faster.
    let gap = 1 - variability + variability * this.#random.exponential();
    for (;;) {
      const minute = Math.floor(this.#at_us / minute_us);
      if (minute !== this.#minute) {
        this.#minute = minute;
        this.#intensity = this.#intensity_of(minute);
      }
      const minute_end_us = (minute + 1) * minute_us;
      const room = (minute_end_us - this.#at_us) * this.#intensity;
      if (gap < room) {
        this.#at_us += gap / this.#intensity;
        return Math.floor(this.#at_us / 1_000) * 1_000;
      }
      gap -= room;
      this.#at_us = minute_end_us;
    }
  }

  #intensity_of(minute: number): number {
    const { seed, rate, variability, demand, utc_offset_us, extra } = this.#options;
    const middle_us = (minute + 0.5) * minute_us;
    const usual = at_hour(demand, hour_of_week(middle_us, utc_offset_us));
    const gust = 1 + 0.3 * variability * (hash32(seed, 22, minute) / 0xffff_ffff - 0.5);
    const intensity = (rate / 1_000_000) * (1 + variability * (usual - 1)) * gust;
    return extra === undefined ? intensity : intensity * (1 + extra(middle_us));
  }
}

/** Arrivals, and between them what is staged on purpose, in order of time. */
export class Staging<Staged extends { readonly at_us: number }> {
  readonly #arrivals: Arrivals;
  readonly #in_hour: ((at_us: number) => readonly Staged[]) | null;
  #arrival_us: number;
  /** What is still to come in the hour `#hour_us`. */
  #staged: Staged[] = [];
  #hour_us: number;

  /** @param in_hour what the hour of a moment has, in order; null: nothing is staged */
  constructor(options: ArrivalOptions, in_hour: ((at_us: number) => readonly Staged[]) | null) {
    const { start_us } = options;
    this.#arrivals = new Arrivals(options);
    this.#in_hour = in_hour;
    this.#hour_us = Math.floor(start_us / hour_us) * hour_us;
    if (in_hour !== null) this.#staged = in_hour(this.#hour_us).filter(({ at_us }) => at_us >= start_us);
    this.#arrival_us = this.#arrivals.next();
  }

  /** When the next one is. */
  next_us(): number {
    while (this.#in_hour !== null && this.#staged.length === 0 && this.#hour_us + hour_us <= this.#arrival_us) {
      this.#hour_us += hour_us;
      this.#staged = [...this.#in_hour(this.#hour_us)];
    }
    return Math.min(this.#arrival_us, this.#staged[0]?.at_us ?? Infinity);
  }

  /** Takes the next one: when it is, and what is staged there; null: it came by itself. */
  next(): { readonly at_us: number; readonly staged: Staged | null } {
    const at_us = this.next_us();
    if (this.#staged[0]?.at_us === at_us) return { at_us, staged: this.#staged.shift()! };
    this.#arrival_us = this.#arrivals.next();
    return { at_us, staged: null };
  }
}
