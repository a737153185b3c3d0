import type { BoardDeclaration, BoardField } from "../board.ts";
import { trips_words } from "./board_words.ts";
import { TRIP_DATES, TRIP_FACTS } from "./state_facts.ts";

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
const text = (name: string): BoardField => ({ name, sql: `states.${name}`, kind: "text", per: 1 });
const number = (name: string, column: string, per: number): BoardField => ({
  name,
  sql: `states.${column}`,
  kind: "number",
  per,
});
const shown = (name: string) => ({ name, figure: name });

/** The board of trips: what the page and the API show of `trips` and `trip_cells`. */
export const TRIP_BOARD: BoardDeclaration = {
  words: trips_words,
  whole: { dimension: "none", key: "all" },
  facts: TRIP_FACTS,
  dates: TRIP_DATES,
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
      text("trip_id"),
      text("status"),
      {
        name: "at_ms",
        // A trip that so far only has adjustments has no lifecycle time.
        sql:
          "coalesce(greatest(states.requested_at, states.started_at, states.completed_at, states.canceled_at, states.voided_at), " +
          "states.last_occurred_at)",
        kind: "time",
        per: 1,
      },
      text("city"),
      text("vehicle_type"),
      text("payment_method"),
      text("pickup_zone"),
      text("dropoff_zone"),
      number("distance_km", "distance_m", METRES),
      number("duration_min", "duration_ms", MINUTE_MS),
      number("fare", "fare_micros", MICROS),
    ],
  },
};
