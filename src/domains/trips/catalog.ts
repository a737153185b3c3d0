import type { Dimension, Grain, Measure } from "../../kpi/mod.ts";
import { type FactForm, known, ONE, unknown, value } from "../facts.ts";

/**
 * The catalog: which dimensions the trip cells have, and which grains each keeps. All cells are kept for ever.
 *
 * Their price is the cells that are written: `deno task bench -- --cells` prints how many 200,000 events make of each dimension and grain
 * (start and completion 5,000 trips apart, 10,000 drivers, 200,000 passengers, 260 zones). Small dimensions cost by the batch, not by the
 * event, since a batch touches each of their few keys once a minute of event time.
 */
const ALL_GRAINS: readonly Grain[] = ["1m", "5m", "1h", "1d", "all"];
const FROM_5M: readonly Grain[] = ["5m", "1h", "1d", "all"];
/**
 * Sketches: the grains that the feed covers ranges with, and what one dimension at a time is filtered by. Price: a batch reads and writes two
 * rows for each key and bucket that it touches, whatever it holds (20,000 events of 17 keys in 17 minutes: 800 rows); a row is 6 bytes a bin
 * (a minute of 1,200 trips has 50, a day 90) and 100 more, so that minutes of such a load take 35 MB a month and key.
 */
const SKETCHED: readonly Grain[] = ["1m", "5m", "1h", "1d"];
/**
 * Drivers and passengers are many: nearly every completion touches rows of its own, 142,000 of the 160,000 that 200,000 events touch. They keep
 * totals, of what is asked of those: how much was completed. All else of them is answered from `trips`.
 */
const ALL_TIME: readonly Grain[] = ["all"];
const COMPLETIONS: readonly string[] = [
  "completed",
  "fare_count",
  "fare_sum_micros",
  "distance_sum_m",
  "distance_count",
  "duration_sum_ms",
  "duration_count",
];

export const TRIP_DIMENSIONS = [
  { name: "none", column: null, grains: ALL_GRAINS, sketches: SKETCHED },
  { name: "status", column: "status", grains: ALL_GRAINS, sketches: SKETCHED },
  { name: "payment_method", column: "payment_method", grains: ALL_GRAINS, sketches: SKETCHED },
  { name: "vehicle_type", column: "vehicle_type", grains: ALL_GRAINS, sketches: SKETCHED },
  { name: "city", column: "city", grains: ALL_GRAINS, sketches: SKETCHED },
  { name: "pickup_zone", column: "pickup_zone", grains: FROM_5M },
  { name: "dropoff_zone", column: "dropoff_zone", grains: FROM_5M },
  { name: "driver", column: "driver_id", grains: ALL_TIME, totals: COMPLETIONS },
  { name: "passenger", column: "passenger_id", grains: ALL_TIME, totals: COMPLETIONS },
  // Last: a deployment that does not index pickups keeps all before it.
  { name: "pickup_h3", column: "pickup_h3", grains: FROM_5M },
] as const satisfies readonly Dimension[];

export const TRIP_MEASURES = [
  { name: "trips", kind: "count" },
  { name: "requested", kind: "count" },
  { name: "started", kind: "count" },
  { name: "completed", kind: "count" },
  { name: "canceled", kind: "count" },
  { name: "conflicts", kind: "count" },
  { name: "fare_count", kind: "count" },
  { name: "fare_sum_micros", kind: "sum" },
  { name: "fare_min_micros", kind: "min", column: "fare_micros" },
  { name: "fare_max_micros", kind: "max", column: "fare_micros" },
  { name: "tip_sum_micros", kind: "sum" },
  { name: "distance_sum_m", kind: "sum" },
  { name: "distance_count", kind: "count" },
  { name: "duration_sum_ms", kind: "sum" },
  { name: "duration_count", kind: "count" },
  { name: "voided", kind: "count" },
  { name: "voids_waiting", kind: "count" },
  { name: "fare_micros", kind: "sketch" },
  { name: "duration_ms", kind: "sketch" },
] as const satisfies readonly Measure[];

const NOT_VOIDED = { field: "voided_us", unknown: true } as const;

/**
 * What a trip adds to the cells: itself once, in the bucket of the earliest it is known from; its request, start and cancellation in the
 * buckets of their times; its completion with all sums in that of the completion. One without a fare is in no fare figure. A voided trip adds
 * its void alone, in the bucket of the void's time, whatever else it has.
 */
export const TRIP_FACTS: readonly FactForm[] = [
  { at: ["requested_us", "started_us", "completed_us", "canceled_us"], when: NOT_VOIDED, adds: { trips: ONE } },
  { at: ["requested_us"], when: NOT_VOIDED, adds: { requested: ONE } },
  { at: ["started_us"], when: NOT_VOIDED, adds: { started: ONE } },
  {
    at: ["completed_us"],
    when: NOT_VOIDED,
    adds: {
      completed: ONE,
      fare_count: known("fare_micros"),
      fare_sum_micros: value("fare_micros"),
      fare_min_micros: value("fare_micros"),
      fare_max_micros: value("fare_micros"),
      fare_micros: value("fare_micros"),
      tip_sum_micros: value("tip_micros"),
      distance_sum_m: value("distance_m"),
      distance_count: known("distance_m"),
      duration_sum_ms: value("duration_ms"),
      duration_count: known("duration_ms"),
      duration_ms: value("duration_ms"),
      conflicts: known("canceled_us"),
    },
  },
  // A trip that was completed, too, counts as completed alone.
  { at: ["canceled_us"], when: { field: "status", is: "canceled" }, adds: { canceled: ONE } },
  { at: ["voided_us"], adds: { voided: ONE, voids_waiting: unknown("completed_us") } },
];
