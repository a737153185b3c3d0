import type { StateFact } from "../board.ts";

/** `contribution.ts` in SQL, over the rows of `trips`. A test holds the two together. */

/** The columns that date a trip while it is not voided. */
const LIFE = ["requested_at", "started_at", "completed_at", "canceled_at"] as const;

/** The columns that date a trip's facts. */
export const TRIP_DATES = [...LIFE, "voided_at"] as const;

const known = (column: string): string => `(states.${column} is not null)::integer`;
const NOT_VOIDED = "states.voided_at is null";

export const TRIP_FACTS: readonly StateFact[] = [
  // SQL's least passes over nulls: the earliest time that is known.
  { at: `least(${LIFE.map((column) => `states.${column}`).join(", ")})`, counts: NOT_VOIDED, adds: { trips: "1" } },
  { at: "states.requested_at", counts: NOT_VOIDED, adds: { requested: "1" } },
  { at: "states.started_at", counts: NOT_VOIDED, adds: { started: "1" } },
  {
    at: "states.completed_at",
    counts: NOT_VOIDED,
    adds: {
      completed: "1",
      fare_count: known("fare_micros"),
      fare_sum_micros: "states.fare_micros",
      fare_min_micros: "states.fare_micros",
      fare_max_micros: "states.fare_micros",
      tip_sum_micros: "states.tip_micros",
      distance_sum_m: "states.distance_m",
      distance_count: known("distance_m"),
      duration_sum_ms: "states.duration_ms",
      duration_count: known("duration_ms"),
      conflicts: known("canceled_at"),
    },
  },
  // A trip that was completed, too, counts as completed alone.
  { at: "states.canceled_at", counts: "states.status = 'canceled'", adds: { canceled: "1" } },
  {
    at: "states.voided_at",
    counts: "true",
    adds: { voided: "1", voids_waiting: "(states.completed_at is null)::integer" },
  },
];
