import type { StateFact } from "../board.ts";

/** `contribution.ts` in SQL, over the rows of `trips`. A test holds the two together. */

/** The columns that date a trip's facts. */
export const TRIP_DATES = ["requested_at", "started_at", "completed_at", "canceled_at"] as const;

const known = (column: string): string => `(states.${column} is not null)::integer`;

export const TRIP_FACTS: readonly StateFact[] = [
  // SQL's least passes over nulls: the earliest time that is known.
  { at: `least(${TRIP_DATES.map((column) => `states.${column}`).join(", ")})`, adds: { trips: "1" } },
  { at: "states.requested_at", adds: { requested: "1" } },
  { at: "states.started_at", adds: { started: "1" } },
  {
    at: "states.completed_at",
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
  { at: "case when states.status = 'canceled' then states.canceled_at end", adds: { canceled: "1" } },
];
