import { latLngToCell } from "h3-js";
import type { Dimension, Grain, Measure } from "../../kpi/mod.ts";
import type { FoldedEvent } from "../domain.ts";
import {
  AMOUNT,
  COUNT,
  type Fields,
  KILOMETRES,
  LATITUDE,
  LONGITUDE,
  MINUTES,
  one_of,
  type PayloadOf,
  type StateOf,
  TEXT,
  TIME,
} from "../fields.ts";
import { type FactForm, known, ONE, unknown, value } from "../facts.ts";
import { type Derived, fold_of, made } from "../rules.ts";

/** The trip event types, in the order a trip usually sees them. */
export const EVENT_TYPES = [
  "trip.requested",
  "trip.started",
  "trip.completed",
  "trip.canceled",
  "trip.fare_adjusted",
  "trip.voided",
] as const;

const BEFORE_END = ["trip.requested", "trip.started", "trip.completed"];
const RIDE = ["trip.started", "trip.completed"];
const END = ["trip.completed"];

/**
 * The fields of a trip, each said once: how events name it, its column and what the API calls it follow. A field that is added here needs its
 * column in a migration; tests/integration/field_columns_test.ts holds the two together.
 */
export const TRIP_FIELDS = {
  requested_us: { type: TIME, time_of: "trip.requested" },
  started_us: { type: TIME, time_of: "trip.started" },
  completed_us: { type: TIME, time_of: "trip.completed" },
  canceled_us: { type: TIME, time_of: "trip.canceled" },
  voided_us: { type: TIME, time_of: "trip.voided" },
  driver_id: { type: TEXT, in: RIDE, person: "driver" },
  passenger_id: { type: TEXT, in: BEFORE_END, person: "passenger" },
  vehicle_type: { type: TEXT, in: BEFORE_END },
  city: { type: TEXT, in: BEFORE_END },
  payment_method: { type: TEXT, in: END },
  pickup_zone: { type: TEXT, in: BEFORE_END },
  dropoff_zone: { type: TEXT, in: BEFORE_END },
  pickup_lat: { type: LATITUDE, in: BEFORE_END },
  pickup_lon: { type: LONGITUDE, in: BEFORE_END },
  // Null while a coordinate is unknown, and where pickups are not indexed.
  pickup_h3: { type: TEXT, says: "H3 cell of the pickup" },
  dropoff_lat: { type: LATITUDE, in: END },
  dropoff_lon: { type: LONGITUDE, in: END },
  vendor_id: { type: TEXT, in: RIDE },
  estimated_fare_micros: { type: AMOUNT, in: RIDE },
  estimated_dropoff_us: { type: TIME, in: RIDE },
  completion_fare_micros: { type: AMOUNT, in: END, as: "fare", says: "The fare that the completion named" },
  adjusted_fare_micros: {
    type: AMOUNT,
    in: ["trip.fare_adjusted"],
    as: "fare",
    required: true,
    says: "The fare of the latest adjustment; it waits for the completion",
  },
  tip_micros: { type: AMOUNT, in: ["trip.completed", "trip.fare_adjusted"] },
  // Only completions need a currency; it is checked wherever it stands, since an adjustment in another one must not be added up.
  currency: { type: TEXT, in: EVENT_TYPES },
  distance_m: { type: KILOMETRES, in: END, says: "Kilometres; null: unknown" },
  given_duration_ms: { type: MINUTES, in: END, as: "duration_min", hidden: true },
  passenger_count: { type: COUNT, in: END },
  rate_code: { type: TEXT, in: END },
  trip_type: { type: TEXT, in: END },
  cancel_reason: { type: TEXT, in: ["trip.canceled"], as: "reason" },
  canceled_by: { type: one_of("driver", "passenger", "system"), in: ["trip.canceled"] },
  adjustment_reason: { type: TEXT, in: ["trip.fare_adjusted"], as: "reason" },
  void_reason: { type: TEXT, in: ["trip.voided"], as: "reason" },
} as const satisfies Fields;

/** The state of a trip: what is known of it, and when each part of its life happened; null is unknown. */
export type Trip = StateOf<typeof TRIP_FIELDS>;
/** What one event names of it. */
export type TripPayload = PayloadOf<typeof TRIP_FIELDS>;

const STATUSES = ["requested", "in_progress", "completed", "canceled", "voided"] as const;
type TripStatus = typeof STATUSES[number];

const COMPLETED = { field: "completed_us", known: true } as const;
const NOT_VOIDED = { field: "voided_us", unknown: true } as const;

/** Voided wins over all, completed over canceled, whatever came first; a trip with neither is in progress once it started. */
const STATUS = made<Trip, TripStatus>({
  cases: [
    [[{ field: "voided_us", known: true }], { text: "voided" }],
    [[COMPLETED], { text: "completed" }],
    [[{ field: "canceled_us", known: true }], { text: "canceled" }],
    [[{ field: "started_us", known: true }], { text: "in_progress" }],
  ],
  otherwise: { text: "requested" },
});
export const status_of = STATUS.get;

/** What a trip's row has beside its fields, for analysts. */
export const DERIVED = {
  status: {
    type: one_of(...STATUSES),
    ...STATUS,
    always: true,
    says: "What became of it, as of its newest event",
  },
  fare_micros: {
    type: AMOUNT,
    // Null before completion, of a voided trip, and where nobody named one.
    ...made<Trip>({
      cases: [[[COMPLETED, NOT_VOIDED], { first_known: ["adjusted_fare_micros", "completion_fare_micros"] }]],
    }),
    before: "tip_micros",
    says: "The fare that counts: of a completed trip its latest adjustment, else its completion's; null: there is none",
  },
  duration_ms: {
    type: MINUTES,
    ...made<Trip>({
      cases: [[[{ field: "given_duration_ms", known: true }], { field: "given_duration_ms" }]],
      otherwise: { ms_from: "started_us", to: "completed_us" },
    }),
    says: "Minutes: as given, else completion minus start; null: unknown",
  },
  waiting_ms: {
    type: MINUTES,
    ...made<Trip>({ ms_from: "requested_us", to: "started_us" }),
    says: "Minutes from request to start; null: one of them is unknown, or the start is before the request",
  },
} satisfies Readonly<Record<string, Derived<Trip>>>;

type Fold = (trip: Trip, event: FoldedEvent<TripPayload>) => Trip;

/**
 * How the next event, in order of (time, event id), is folded into a trip where pickups are indexed: as the fields say, and the pickup's cell.
 * @param h3_resolution of the cell, 0 to 15
 */
export function trip_fold(h3_resolution: number): Fold {
  const fold = fold_of("trip", EVENT_TYPES, TRIP_FIELDS);
  return (trip, event) => {
    const next = fold(trip, event);
    const { pickup_lat, pickup_lon } = next;
    // Indexing costs microseconds: once for each place, not for each event.
    if (pickup_lat === trip.pickup_lat && pickup_lon === trip.pickup_lon) return next;
    const known = pickup_lat !== null && pickup_lon !== null;
    return { ...next, pickup_h3: known ? latLngToCell(pickup_lat, pickup_lon, h3_resolution) : null };
  };
}

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
  { name: "waiting_sum_ms", kind: "sum" },
  { name: "waiting_count", kind: "count" },
  { name: "fare_micros", kind: "sketch" },
  { name: "duration_ms", kind: "sketch" },
  { name: "waiting_ms", kind: "sketch" },
] as const satisfies readonly Measure[];

/**
 * What a trip adds to the cells: itself once, in the bucket of the earliest it is known from; its request, start and cancellation in the
 * buckets of their times; how long it was waited for with its start, whatever became of it; its completion with all sums in that of the
 * completion. One without a fare is in no fare figure. A voided trip adds its void alone, in the bucket of the void's time, whatever else it has.
 */
export const TRIP_FACTS: readonly FactForm[] = [
  { at: ["requested_us", "started_us", "completed_us", "canceled_us"], when: NOT_VOIDED, adds: { trips: ONE } },
  { at: ["requested_us"], when: NOT_VOIDED, adds: { requested: ONE } },
  {
    at: ["started_us"],
    when: NOT_VOIDED,
    adds: {
      started: ONE,
      waiting_sum_ms: value("waiting_ms"),
      waiting_count: known("waiting_ms"),
      waiting_ms: value("waiting_ms"),
    },
  },
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
