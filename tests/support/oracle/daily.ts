import type { TripRow } from "./fold.ts";
import type { LocalDay } from "./local_day.ts";

/** The answer of the daily KPI endpoint without `generated_at`: amounts in units of the currency with 2 decimals. */
export type DailyKpis = {
  date: string;
  metrics: { total_fare: number; count_trips: number; average_fare: number; max_fare: number; min_fare: number };
  trip_count: number;
};
type Day = { fares: bigint[]; completed: number };

/** The figures of each local day that has completed trips, by date. */
export function daily_kpis(rows: Iterable<TripRow>, local_day: (at_us: number) => LocalDay): Map<string, DailyKpis> {
  const days = new Map<string, Day>();
  for (const row of rows) {
    if (row.status !== "completed" || row.completed_at === null) continue;
    const { date } = local_day(row.completed_at);
    const day = days.get(date) ?? { fares: [], completed: 0 };
    days.set(date, day);
    day.completed++;
    if (row.fare_micros !== null) day.fares.push(row.fare_micros);
  }
  return new Map([...days].map(([date, day]) => [date, kpis_of_day(date, day)]));
}

/** The figures of one day: of its completed trips those with a fare, and how many there are of all; all zero when there are none. */
export function kpis_of_day(date: string, { fares, completed }: Day): DailyKpis {
  const count = fares.length;
  let total = 0n;
  let greatest = fares[0] ?? 0n;
  let least = greatest;
  for (const fare of fares) {
    total += fare;
    if (fare > greatest) greatest = fare;
    if (fare < least) least = fare;
  }
  return {
    date,
    metrics: {
      total_fare: to_currency_units(total, 1n),
      count_trips: count,
      average_fare: count === 0 ? 0 : to_currency_units(total, BigInt(count)),
      max_fare: to_currency_units(greatest, 1n),
      min_fare: to_currency_units(least, 1n),
    },
    trip_count: completed,
  };
}

/** micros / divisor in currency units, rounded half up to 2 decimals on exact integers. */
function to_currency_units(micros: bigint, divisor: bigint): number {
  const hundredths = (2n * micros + 10_000n * divisor) / (20_000n * divisor);
  return Number(hundredths) / 100;
}
