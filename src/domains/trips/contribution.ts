import { type Contribution, type Fact, type Integer, UNKNOWN } from "../../kpi/mod.ts";
import { TRIP_MEASURES } from "./catalog.ts";
import { duration_of, fare_of, status_of, type Trip } from "./trip.ts";

const measure = (name: typeof TRIP_MEASURES[number]["name"]): number => TRIP_MEASURES.findIndex((m) => m.name === name);
const indices = (...names: (typeof TRIP_MEASURES[number]["name"])[]): readonly number[] => names.map(measure);

const OPENED = indices("trips");
const REQUESTED = indices("requested");
const STARTED = indices("started");
const CANCELED = indices("canceled");
const VOIDED = indices("voided", "voids_waiting");
const WITHOUT_FARE = [
  "completed",
  "tip_sum_micros",
  "distance_sum_m",
  "distance_count",
  "duration_sum_ms",
  "duration_count",
  "conflicts",
] as const;
const COMPLETED = indices(...WITHOUT_FARE);
const COMPLETED_WITH_FARE = indices(
  ...WITHOUT_FARE,
  "fare_count",
  "fare_sum_micros",
  "fare_min_micros",
  "fare_max_micros",
);
const ONE: readonly Integer[] = [1];

const once = (at_us: number | null, measures: readonly number[]): Fact | null =>
  at_us === null ? null : { at_us, measures, values: ONE };

const voided = (at_us: number, completed_us: number | null): Fact => ({
  at_us,
  measures: VOIDED,
  values: completed_us === null ? [1, 1] : [1, 0],
});

function earliest(trip: Trip): number | null {
  let at: number | null = null;
  for (const us of [trip.requested_us, trip.started_us, trip.completed_us, trip.canceled_us]) {
    if (us !== null && (at === null || us < at)) at = us;
  }
  return at;
}

/**
 * What trips add to the cells.
 * @param by_h3 whether pickups are indexed; the key of their cell is the last
 */
export function trip_contribution(by_h3: boolean): (trip: Trip) => Contribution {
  if (by_h3) return contribution;
  return (trip) => {
    const { keys, facts } = contribution(trip);
    return { keys: keys.slice(0, -1), facts };
  };
}

/**
 * What a trip adds to the cells: itself once, in the bucket of the earliest it is known from; its request, start and
 * cancellation in the buckets of their times; its completion with all sums in that of the completion. One without a fare is in no fare figure.
 * A voided trip adds its void alone, in the bucket of the void's time, whatever else it has.
 */
function contribution(trip: Trip): Contribution {
  const status = status_of(trip);
  let completed: Fact | null = null;
  if (status === "completed") {
    const fare = fare_of(trip);
    const duration = duration_of(trip);
    const tip = trip.tip_micros ?? 0, distance = trip.distance_m ?? 0;
    const has_distance = trip.distance_m === null ? 0 : 1, has_duration = duration === null ? 0 : 1;
    const conflict = trip.canceled_us === null ? 0 : 1;
    const values: readonly Integer[] = fare === null
      ? [1, tip, distance, has_distance, duration ?? 0, has_duration, conflict]
      : [1, tip, distance, has_distance, duration ?? 0, has_duration, conflict, 1, fare, fare, fare];
    completed = { at_us: trip.completed_us!, measures: fare === null ? COMPLETED : COMPLETED_WITH_FARE, values };
  }
  return {
    // In the order of TRIP_DIMENSIONS; a test holds the two together.
    keys: [
      "all",
      status,
      trip.payment_method ?? UNKNOWN,
      trip.vehicle_type ?? UNKNOWN,
      trip.city ?? UNKNOWN,
      trip.pickup_zone ?? UNKNOWN,
      trip.dropoff_zone ?? UNKNOWN,
      trip.driver_id ?? UNKNOWN,
      trip.passenger_id ?? UNKNOWN,
      trip.pickup_h3 ?? UNKNOWN,
    ],
    facts: status === "voided" ? [null, null, null, null, voided(trip.voided_us!, trip.completed_us)] : [
      once(earliest(trip), OPENED),
      once(trip.requested_us, REQUESTED),
      once(trip.started_us, STARTED),
      completed,
      status === "canceled" ? once(trip.canceled_us, CANCELED) : null,
    ],
  };
}
