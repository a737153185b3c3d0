import type { BoardDeclaration, DailyDeclaration, EntitiesDeclaration } from "../board.ts";
import { trips_words } from "./board_words.ts";

const MICROS = 1_000_000;
const METRES = 1_000;
const MINUTE_MS = 60_000;

const count = (measure: string) => ({ kind: "total", unit: "count", measure, per: 1 } as const);
const money = (measure: string) => ({ kind: "total", unit: "money", measure, per: MICROS } as const);
const fare = (q: number) => ({
  kind: "quantile",
  unit: "money",
  sketch: "fare_micros",
  q,
  per: MICROS,
  within: { min: "fare_min_micros", max: "fare_max_micros" },
} as const);
const duration = (q: number) => ({ kind: "quantile", unit: "min", sketch: "duration_ms", q, per: MINUTE_MS } as const);
const shown = (name: string) => ({ name, figure: name });

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
  words: trips_words,
  whole: { dimension: "none", key: "all" },
  figures: {
    trips: count("trips"),
    requested: count("requested"),
    started: count("started"),
    completed: count("completed"),
    canceled: count("canceled"),
    voided: count("voided"),
    voids_waiting: count("voids_waiting"),
    fare_count: count("fare_count"),
    conflicts: count("conflicts"),
    revenue: money("fare_sum_micros"),
    tips: money("tip_sum_micros"),
    average_fare: { kind: "mean", unit: "money", measure: "fare_sum_micros", count: "fare_count", per: MICROS },
    min_fare: money("fare_min_micros"),
    max_fare: money("fare_max_micros"),
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
    duration_p50_min: duration(0.5),
    duration_p95_min: duration(0.95),
    active_drivers: { kind: "distinct", unit: "count", dimension: "driver", count: "completed" },
  },
  series: ["trips", "requested", "started", "completed", "canceled", "revenue", "fare_count", "distance_km"],
  compared_series: ["completed", "revenue"],
  cards: [
    shown("trips"),
    { name: "in_progress", now: "in_progress" },
    { name: "requested_now", now: "requested" },
    shown("completed"),
    shown("canceled"),
    shown("voided"),
    shown("voids_waiting"),
    shown("fare_count"),
    shown("revenue"),
    shown("average_fare"),
    shown("min_fare"),
    shown("max_fare"),
    shown("average_distance_km"),
    shown("average_duration_min"),
    shown("fare_p50"),
    shown("fare_p95"),
    shown("duration_p50_min"),
    shown("duration_p95_min"),
    shown("tips"),
    shown("conflicts"),
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
    figures: ["completed", "requested", "revenue", "canceled", "average_fare", "average_duration_min"],
  },
};
