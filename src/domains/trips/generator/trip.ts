/** The event types of a trip, as producers name them. */
export type TripEventType =
  | "trip.requested"
  | "trip.started"
  | "trip.completed"
  | "trip.canceled"
  | "trip.fare_adjusted"
  | "trip.voided";

/**
 * One trip as planned, from request to last correction: all that its messages say. Kept small, because thousands of trips a
 * second are open for a quarter of an hour each: whole numbers in small units, texts shared with the city.
 */
export interface Trip {
  readonly trip_id: string;
  /** Under which key, and from which counter on, its event ids are made: one counter a step. */
  readonly id_key: number;
  readonly id_counter: number;
  /** CloudEvents source. */
  readonly source: string;
  /** Sent as bare JSON (an older app) and not as a CloudEvent. */
  readonly bare: boolean;

  /** What happens, in order, and how many milliseconds after `base_us` (a whole millisecond) each step happens. */
  readonly steps: readonly TripEventType[];
  readonly after_ms: readonly number[];
  readonly base_us: number;
  /** No message is delivered before this time. */
  readonly not_before_us: number;

  readonly city: string;
  readonly driver_id: string;
  readonly passenger_id: string;
  readonly vehicle_type: string;
  /** null and "" are sent so, undefined is left out: three ways in which producers do not say. */
  readonly payment_method: string | null | undefined;
  readonly pickup_zone: string;
  readonly dropoff_zone: string;
  /** Degrees times 100,000. */
  readonly pickup_lat_e5: number;
  readonly pickup_lon_e5: number;
  readonly dropoff_lat_e5: number;
  readonly dropoff_lon_e5: number;
  readonly distance_m: number;
  readonly duration_ms: number;
  readonly estimated_ms: number;
  readonly estimated_cents: number;
  /** null: the completion says no fare. */
  readonly fare_cents: number | null;
  /** null: nothing is said about a tip. */
  readonly tip_cents: number | null;
  readonly adjusted_cents: number;
  readonly adjustment_reason: string;
  readonly canceled_by: string;
  readonly cancel_reason: string;
  readonly passenger_count: number | null;
  readonly rate_code: string | null;
}

/** The event time of a step, microseconds. */
export function step_us(trip: Trip, step: number): number {
  return trip.base_us + (trip.after_ms[step] ?? 0) * 1_000;
}

/** A trip of an earlier run that has not ended, as the trips table knows it. Times in microseconds. */
export interface OpenTrip {
  readonly trip_id: string;
  readonly status: "requested" | "in_progress";
  readonly requested_us: number | null;
  readonly started_us: number | null;
  readonly city: string | null;
  readonly vehicle_type: string | null;
  readonly driver_id: string | null;
  readonly passenger_id: string | null;
  readonly pickup_zone: string | null;
}
