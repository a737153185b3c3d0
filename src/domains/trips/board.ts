import {
  type BoardDeclaration,
  card_of,
  count_of,
  type DailyDeclaration,
  type EntitiesDeclaration,
  MICROS,
  money_of,
} from "../board.ts";
import type { BoardWords } from "../board_words.ts";
import { TRIP_WORDS } from "./stream_words.ts";

/** The board of trips in words: what the page shows, in this order. */
const WORDS: BoardWords = {
  stream: TRIP_WORDS,
  many: "trips",
  path: "/trips/",
  cards: [
    {
      name: "completed",
      label: "Completed",
      main: true,
      better: 1,
      base: "completed",
      spark: ["completed"],
      beneath: ["{conflicts?} canceled too"],
      how: "At the completion. It counts even when a cancellation came too; how many did is said beneath it.",
    },
    {
      name: "trips",
      label: "Trips begun",
      better: 1,
      base: "trips",
      spark: ["trips"],
      beneath: ["{per_minute} a minute"],
      how:
        "Each once, at the earliest known of its request, start, completion and cancellation. One that began before the range and ended in it is among the completed only. A minute: over the minutes of the range that have passed.",
    },
    {
      name: "in_progress",
      label: "In progress",
      beside: ["{moment}"],
      beneath: ["{requested_now} requested", "oldest {oldest_request_min?15} min"],
      how:
        "Started and not ended, as of now, whatever the range. Beneath it: requested and not yet started, and how long the oldest has waited where that is more than 15 minutes.",
      seen: ["Of those requested the oldest has waited {oldest_request_min?} min, by the newest event."],
    },
    {
      name: "canceled",
      label: "Canceled",
      better: -1,
      share_with: "completed",
      spark: ["canceled"],
      beside: ["{share?}"],
      beneath: ["{voided?} voided"],
      how:
        "At the cancellation, when there is no completion. The share is of all that ended; its change is in points. Voided are trips that were taken back, at that time: they count in nothing else, whatever had been counted of them before.",
      seen: [
        "Now in sight: {voided?} voided, of {voids_waiting?} the completion has not come.",
        "Now in sight: {voided?} voided, the completions of all have come.",
      ],
    },
    {
      name: "revenue",
      label: "Revenue",
      digits: 0,
      small_digits: 2,
      better: 1,
      base: "fare_count",
      spark: ["revenue"],
      beside: ["{currency}"],
      beneath: ["{min_fare} to {max_fare?} a trip"],
      greatest: {
        measure: "max_fare",
        title: "The trip with the highest fare",
        none: "No trip was completed in this range.",
      },
      how:
        "Fares of completed trips after their latest adjustment, without tips. A trip without a fare adds none. Beneath it the lowest and the highest, exact.",
    },
    {
      name: "average_fare",
      label: "Average fare",
      better: 1,
      base: "fare_count",
      spark: ["revenue", "fare_count"],
      beside: ["{currency}"],
      beneath: ["p50 {fare_p50?} · p95 {fare_p95}"],
      how:
        "Over completed trips whose fare is known. Half of all fares are at most p50, 95 of 100 at most p95, within 2 %: fares are counted in classes.",
    },
    {
      name: "average_distance",
      label: "Average distance",
      figure: "average_distance_km",
      better: 0,
      base: "completed",
      spark: ["distance_km", "completed"],
      beside: ["km"],
      beneath: ["{average_duration_min?} min · p95 {duration_p95_min}"],
      how:
        "Over completed trips whose distance is known. Beneath it the average duration of those whose duration is known, exact, and what 95 of 100 took at most, within 2 %.",
      seen: ["Half of them took at most {duration_p50_min?} min."],
    },
    {
      name: "waiting",
      label: "Average waiting",
      figure: "average_waiting_min",
      better: -1,
      base: "waiting_count",
      beside: ["min"],
      beneath: ["p50 {waiting_p50_min?} · p95 {waiting_p95_min}"],
      how:
        "From request to start, of the trips that started in the range, at the time of the start, exact. A start without a request, or before it, has none. Half waited at most p50, 95 of 100 at most p95, within 2 %.",
    },
  ],
  charts: [
    {
      name: "trips",
      title: "Trips completed",
      sub: "per {step}, by completion time",
      kind: "lines",
      lines: [
        { name: "completed", colour: 1, shown: true },
        { name: "started", colour: 3 },
        { name: "canceled", colour: 4 },
        { name: "average_waiting_min", label: "waiting", colour: 2, own: "min" },
      ],
      compared: "completed",
      least: 4,
    },
    {
      name: "revenue",
      title: "Revenue",
      sub: "{currency} per {step}",
      picture_sub: "{currency} per {step}, by completion time",
      kind: "bars",
      lines: [{ name: "revenue", colour: 2 }],
      compared: "revenue",
      least: 10,
    },
  ],
  panels: ["status", "payment_method", "vehicle_type", "city", "pickup_zone", "dropoff_zone", "driver"],
  dimensions: {
    status: { label: "status", keys: ["requested", "in_progress", "completed", "canceled", "voided"] },
    payment_method: { label: "payment method", brief: "payment" },
    vehicle_type: { label: "vehicle type", brief: "vehicle" },
    pickup_h3: { label: "pickup h3", brief: "pickup cell" },
    pickup_zone: { label: "pickup zone", bare: "Zone", within: "city" },
    dropoff_zone: { label: "drop-off zone", bare: "Zone", within: "city" },
  },
  first_event: { type: "trip.completed", city: "Chicago", fare: "12.50" },
  first_filter: "city",
  list: {
    title: "Latest trips",
    time: "at_ms",
    mark: "status",
    marks: { in_progress: "half", requested: "ring", canceled: "cross", voided: "cross" },
    over: "completed",
    columns: [
      { label: "from", key: "pickup_zone" },
      { label: "to", key: "dropoff_zone" },
      { label: "km", number: "distance_km", digits: 1, minor: true },
      { label: "fare", number: "fare", digits: 2, or_mark: true },
    ],
  },
  breakdowns_how:
    "Completed trips and their fares; by status all trips of that status. What no message named is “unknown”; “all others” are the keys that are not listed.",
  computed_how:
    "Most figures are kept ready. With two filters and more, or by driver, they are computed from the trips, and say how old they are.",
};

const METRES = 1_000;
const MINUTE_MS = 60_000;

const fare = (q: number) => ({
  kind: "quantile",
  unit: "money",
  sketch: "fare_micros",
  q,
  per: MICROS,
  within: { min: "fare_min_micros", max: "fare_max_micros" },
} as const);
const minutes = (sketch: string, q: number) => ({ kind: "quantile", unit: "min", sketch, q, per: MINUTE_MS } as const);
const ACTIVE_DRIVERS = { kind: "distinct", dimension: "driver", count: "completed" } as const;

const entity = (name: string, id_name = name, dimension = name) => ({ name, dimension, id_name });

/**
 * Running totals of drivers and so on.
 * @param h3 the dimension that the entity `h3` is
 */
export const trip_entities = (h3: string): EntitiesDeclaration => ({
  counted: "completed trips",
  of: [
    entity("driver", "driver_id"),
    entity("passenger", "passenger_id"),
    entity("vehicle_type"),
    entity("city"),
    entity("payment_method"),
    entity("pickup_zone"),
    entity("dropoff_zone"),
    entity("h3", "h3", h3),
  ],
  figures: [
    { name: "trip_count", figure: "completed", decimals: 0 },
    {
      name: "avg_duration",
      figure: "average_duration_min",
      decimals: 2,
      says: "Minutes, of the trips whose duration is known; null: of none",
    },
    { name: "total_distance", figure: "distance_km", decimals: 2, says: "Kilometres" },
    { name: "total_revenue", figure: "revenue", decimals: 2 },
  ],
  example: { driver_id: "D0413", trip_count: 22, avg_duration: 12.19, total_distance: 54.25, total_revenue: 338.09 },
});

const NO_FARE = "null where trips were completed and none has a fare, 0 where none was completed";

const TRIPS_DAILY: DailyDeclaration = {
  says: "Fares of the trips completed on one day of the business time zone",
  count: {
    name: "trip_count",
    figure: "completed",
    decimals: 0,
    says: "Completed trips, those without a fare among them",
  },
  metrics: [
    { name: "total_fare", figure: "revenue", decimals: 2 },
    {
      name: "count_trips",
      figure: "fare_count",
      decimals: 0,
      says: "Completed trips whose fare is known: those of these metrics",
    },
    { name: "average_fare", figure: "average_fare", decimals: 2, says: `total_fare over count_trips; ${NO_FARE}` },
    { name: "max_fare", figure: "max_fare", decimals: 2, says: NO_FARE },
    { name: "min_fare", figure: "min_fare", decimals: 2, says: NO_FARE },
  ],
  example: {
    date: "2024-05-25",
    metrics: { total_fare: 268640.79, count_trips: 4885, average_fare: 54.99, max_fare: 99.99, min_fare: 10.04 },
    generated_at: "2024-05-26T00:00:04.120Z",
    trip_count: 4885,
  },
};

/** The board of trips: what the page and the API show of `trips` and `trip_cells`. */
export const TRIP_BOARD: BoardDeclaration = {
  words: WORDS,
  whole: { dimension: "none", key: "all" },
  figures: {
    trips: count_of("trips"),
    requested: count_of("requested"),
    started: count_of("started"),
    completed: count_of("completed"),
    canceled: count_of("canceled"),
    // Of all that ended.
    completion_rate: {
      kind: "mean",
      unit: "percent",
      measure: "completed",
      count: ["completed", "canceled"],
      per: 0.01,
    },
    voided: count_of("voided"),
    voids_waiting: count_of("voids_waiting"),
    fare_count: count_of("fare_count"),
    conflicts: count_of("conflicts"),
    revenue: money_of("fare_sum_micros"),
    tips: money_of("tip_sum_micros"),
    average_fare: { kind: "mean", unit: "money", measure: "fare_sum_micros", count: "fare_count", per: MICROS },
    min_fare: money_of("fare_min_micros"),
    max_fare: money_of("fare_max_micros"),
    distance_km: { kind: "total", unit: "km", measure: "distance_sum_m", per: METRES },
    average_distance_km: { kind: "mean", unit: "km", measure: "distance_sum_m", count: "distance_count", per: METRES },
    average_duration_min: {
      kind: "mean",
      unit: "min",
      measure: "duration_sum_ms",
      count: "duration_count",
      per: MINUTE_MS,
    },
    fare_p50: fare(0.5),
    fare_p95: fare(0.95),
    duration_p50_min: minutes("duration_ms", 0.5),
    duration_p95_min: minutes("duration_ms", 0.95),
    // From request to start, of those that started.
    waiting_count: count_of("waiting_count"),
    average_waiting_min: {
      kind: "mean",
      unit: "min",
      measure: "waiting_sum_ms",
      count: "waiting_count",
      per: MINUTE_MS,
    },
    waiting_p50_min: minutes("waiting_ms", 0.5),
    waiting_p95_min: minutes("waiting_ms", 0.95),
    active_drivers: { ...ACTIVE_DRIVERS, unit: "count" },
    trips_per_driver_hour: { ...ACTIVE_DRIVERS, unit: "count", each_hour: { measure: "completed", per: 1 } },
    // How much of the time active drivers were on trips, each counted whole at its completion.
    utilisation: {
      ...ACTIVE_DRIVERS,
      unit: "percent",
      each_hour: { measure: "duration_sum_ms", per: 60 * MINUTE_MS / 100 },
    },
  },
  series: [
    ...["trips", "requested", "started", "completed", "canceled", "revenue", "fare_count", "distance_km"],
    "average_waiting_min",
  ],
  compared_series: ["completed", "revenue"],
  cards: [
    card_of("trips"),
    { name: "in_progress", now: "in_progress" },
    { name: "requested_now", now: "requested" },
    { name: "oldest_request_min", now: "requested", since: "requested_at" },
    card_of("completed"),
    card_of("canceled"),
    card_of("voided"),
    card_of("voids_waiting"),
    card_of("fare_count"),
    card_of("revenue"),
    card_of("average_fare"),
    card_of("min_fare"),
    card_of("max_fare"),
    card_of("average_distance_km"),
    card_of("average_duration_min"),
    card_of("fare_p50"),
    card_of("fare_p95"),
    card_of("duration_p50_min"),
    card_of("duration_p95_min"),
    card_of("waiting_count"),
    card_of("average_waiting_min"),
    card_of("waiting_p50_min"),
    card_of("waiting_p95_min"),
    card_of("tips"),
    card_of("conflicts"),
  ],
  now: { dimension: "status", measure: "trips" },
  breakdowns: [
    // Each status by what dates it, so that its rows agree with the cards: who ended in the range, who began and is not done.
    {
      dimension: "status",
      count:
        "case key when 'completed' then completed when 'canceled' then canceled when 'voided' then voided when 'in_progress' then started else requested end",
    },
    { dimension: "payment_method", count: "completed" },
    { dimension: "vehicle_type", count: "completed" },
    { dimension: "city", count: "completed" },
    { dimension: "pickup_zone", count: "completed" },
    { dimension: "dropoff_zone", count: "completed" },
  ],
  states_breakdowns: [{ dimension: "driver", count: "completed" }],
  default_count: "completed",
  breakdown_row: { count: "trips", amount: "revenue" },
  lines: {
    event: "trip",
    list: "trips",
    fields: [
      ...["trip_id", "status", "at_ms", "city", "vehicle_type", "payment_method", "pickup_zone", "dropoff_zone"],
      ...["distance_km", "duration_min", "fare"],
    ],
  },
  daily: TRIPS_DAILY,
  map: {
    places: [
      { dimension: "pickup_h3", kind: "h3" },
      { dimension: "pickup_zone", kind: "zone" },
      { dimension: "dropoff_zone", kind: "zone" },
    ],
    figures: [
      ...["completed", "requested", "revenue", "canceled"],
      ...["completion_rate", "average_fare", "average_duration_min", "average_waiting_min"],
    ],
  },
  unusual: [
    { figure: "trips", by: ["city", "pickup_zone", "vehicle_type"] },
    { figure: "canceled", by: ["city", "pickup_zone"] },
  ],
  unusual_items: [
    { figure: "revenue", says: "fare", of: ["city", "vehicle_type"] },
    { figure: "average_distance_km", says: "distance", of: ["city", "vehicle_type"] },
    { figure: "average_duration_min", says: "duration", of: ["city", "vehicle_type"] },
  ],
  segments: { of: ["driver", "passenger"], count: "completed", value: "revenue" },
};
