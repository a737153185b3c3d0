/** Hours in a week; hour 0 is Monday 00:00 to 01:00. */
export const hours_of_week = 168;

/** What a zone is mostly for; it decides when people want to leave it. */
export type ZoneKind = "home" | "business" | "nightlife" | "campus" | "airport";

/** A rise and fall around an hour of the day: [hour of the peak, width in hours, height]. */
type Bump = readonly [number, number, number];

interface Habit {
  readonly base: number;
  readonly workdays: readonly Bump[];
  readonly weekend: readonly Bump[];
}

const habits: Readonly<Record<ZoneKind, Habit>> = {
  home: { base: 0.1, workdays: [[7.75, 1.2, 1.1], [18.5, 2.5, 0.45]], weekend: [[11, 3, 0.5], [19.5, 2.2, 0.7]] },
  business: { base: 0.08, workdays: [[8.5, 1.5, 0.4], [12.5, 1.4, 0.5], [17.75, 1.5, 1.5]], weekend: [[14, 3.5, 0.3]] },
  nightlife: { base: 0.08, workdays: [[19, 2, 0.4], [22, 1.8, 0.6]], weekend: [[20, 2, 0.6], [23.75, 2.2, 1.7]] },
  campus: { base: 0.06, workdays: [[9.5, 1.5, 0.5], [15.5, 2.2, 0.9]], weekend: [[16, 4, 0.3]] },
  airport: { base: 0.12, workdays: [[7, 2, 0.8], [18, 3, 0.9]], weekend: [[10, 3, 0.6], [19, 3, 0.9]] },
};

const us_per_hour = 3_600_000_000;

/** The hour of the week (0 to 168, with fraction) of a time in microseconds since the epoch, `offset_us` east of UTC. */
export function hour_of_week(at_us: number, offset_us: number): number {
  // The epoch was a Thursday: three days into its week.
  const hours = (at_us + offset_us) / us_per_hour + 72;
  return hours - Math.floor(hours / hours_of_week) * hours_of_week;
}

/** Friday evening until the small hours of Monday: when people live by the other timetable. */
function is_weekend(hour: number): boolean {
  return hour < 3 || hour >= 4 * 24 + 18;
}

/** How much a zone of this kind is wanted as a place to leave, for each hour of the week, taken at the half hour. */
export function weekly_demand(kind: ZoneKind): Float64Array {
  const habit = habits[kind];
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

/** The value of a weekly table between its half hours, so that a chart of it has no steps. */
export function at_hour(weekly: Float64Array, hour: number): number {
  const shifted = hour - 0.5 + hours_of_week;
  const before = Math.floor(shifted);
  const share = shifted - before;
  return (weekly[before % hours_of_week] ?? 0) * (1 - share) + (weekly[(before + 1) % hours_of_week] ?? 0) * share;
}

/** How fast traffic moves at an hour of the week, km/h: free at night, slow when everybody drives. */
export function traffic_speed_km_h(hour: number): number {
  const of_day = hour % 24;
  const rush = (peak: number, width: number): number => Math.exp(-0.5 * ((of_day - peak) / width) ** 2);
  const crowd = is_weekend(hour) ? 0.5 * rush(15, 4) : rush(8.3, 1.3) + rush(17.6, 1.8);
  return 36 - 15 * Math.min(1, crowd) - (of_day > 6 && of_day < 22 ? 3 : 0);
}
