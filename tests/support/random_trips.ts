import fc from "fast-check";
import type { Filter, Span, View } from "../../src/feed/figures/mod.ts";

/**
 * Random trip events for tests of boards: few trips and keys, times close together around the end of winter time in New York, late
 * events, corrections, duplicates, unknown fields and one key that is called as what is unknown.
 */

const maybe = <T>(...values: T[]) => fc.constantFrom(...values, undefined);

const time = fc.tuple(fc.integer({ min: 0, max: 80 }), fc.constantFrom("", ".000001", ".999999")).map(
  ([steps, fraction]) =>
    new Date(Date.UTC(2026, 2, 8, 4, 30) + steps * 90_000).toISOString().replace(/\.000Z$/, `${fraction}Z`),
);

const amount = fc.oneof(
  fc.integer({ min: 0, max: 9_999 }).map((cents) => (cents / 100).toFixed(2)),
  fc.constantFrom("0", "1000000000000", "0.000001"),
);

/** The event times of `trip_event` lie in [from, to), seconds. */
export const RANDOM_TIMES = { from_s: Date.UTC(2026, 2, 8, 4, 30) / 1000, to_s: Date.UTC(2026, 2, 8, 6, 31) / 1000 };

export const trip_event = fc.record({
  trip_id: fc.constantFrom(..."ABCDEFGHIJ").map((name) => `T-${name}`),
  event_id: fc.constantFrom(..."abcdefghijklmnopqrstuvwxyz"),
  occurred_at: time,
  type: fc.constantFrom(
    "trip.requested",
    "trip.started",
    "trip.completed",
    "trip.completed",
    "trip.canceled",
    "trip.fare_adjusted",
    "trip.voided",
    "trip.unknown",
  ),
  fare: fc.oneof({ weight: 5, arbitrary: amount }, fc.constant(undefined)),
  tip: fc.option(amount, { nil: undefined }),
  city: maybe("Chicago", "Boston", "unknown", 'a "b\\c, {d}'),
  driver_id: maybe("D1", "D2", "D3"),
  passenger_id: maybe("P1", "P2"),
  payment_method: maybe("card", "cash"),
  vehicle_type: maybe("suv", "van"),
  pickup_zone: maybe(..."123456789".split("").map((zone) => `Z${zone}`)),
  dropoff_zone: maybe("1", "2"),
  pickup_lat: maybe(41.88, 41.99),
  pickup_lon: maybe(-87.63),
  distance_km: maybe(1.5, 0, 12.3456),
  duration_min: maybe(10, 0.5),
}, { requiredKeys: ["trip_id", "event_id", "occurred_at", "type"] });

type Told = Span & Pick<View, "grain">;

/** Stretches that cut through what happened, at every grain. */
export const random_span = fc.oneof(
  ...[[60, "15m"], [60, "1h"], [300, "6h"], [3_600, "7d"], [60, "6h", "1m"], [900, "24h", "15m"], [900, "7d", "15m"], [
    3_600,
    "7d",
    "1d",
  ]].map(([step, range, grain]) =>
    fc.integer({ min: 0, max: Math.ceil((RANDOM_TIMES.to_s - RANDOM_TIMES.from_s) / Number(step)) })
      .map((steps) => ({ range, to_s: RANDOM_TIMES.from_s + steps * Number(step), ...grain && { grain } } as Told))
  ),
  fc.integer({ min: 0, max: 3 }).map((back) => ({
    range: "custom",
    from_s: RANDOM_TIMES.from_s - (46 + back) * 86_400,
    to_s: RANDOM_TIMES.to_s - 3_600 * back,
  } as const)),
) as fc.Arbitrary<Told>;

const KEYS = {
  status: ["requested", "in_progress", "completed", "canceled", "voided", "nonsense"],
  city: ["Chicago", "Boston", "unknown", 'a "b\\c, {d}'],
  driver: ["D1", "D2", "unknown"],
  passenger: ["P1", "unknown"],
  pickup_zone: ["Z1", "Z2", "Z3", "unknown"],
  payment_method: ["card", "unknown"],
} as const;
const condition = (Object.keys(KEYS) as (keyof typeof KEYS)[]).map((dimension) =>
  fc.record({
    dimension: fc.constant(dimension),
    keys: fc.subarray([...KEYS[dimension]], { minLength: 1 }),
    excluded: fc.boolean(),
  })
);
/** Filters of up to three conditions, some on keys that nothing has. */
export const random_filter: fc.Arbitrary<Filter> = fc.uniqueArray(fc.oneof(...condition), {
  maxLength: 3,
  selector: ({ dimension }) => dimension,
});
