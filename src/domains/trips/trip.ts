import type { Integer } from "../../kpi/mod.ts";

/** The trip event types, in the order a trip usually sees them. */
export const EVENT_TYPES = [
  "trip.requested",
  "trip.started",
  "trip.completed",
  "trip.canceled",
  "trip.fare_adjusted",
  "trip.voided",
] as const;
export type EventType = typeof EVENT_TYPES[number];

/** Fields that events name; null is unknown. Amounts in micros, distance in metres, durations in milliseconds, times in microseconds. */
export interface TripFields {
  readonly driver_id: string | null;
  readonly passenger_id: string | null;
  readonly vehicle_type: string | null;
  readonly city: string | null;
  readonly payment_method: string | null;
  readonly pickup_zone: string | null;
  readonly dropoff_zone: string | null;
  readonly pickup_lat: number | null;
  readonly pickup_lon: number | null;
  readonly dropoff_lat: number | null;
  readonly dropoff_lon: number | null;
  readonly vendor_id: string | null;
  readonly estimated_fare_micros: Integer | null;
  readonly estimated_dropoff_us: number | null;
  readonly completion_fare_micros: Integer | null;
  readonly adjusted_fare_micros: Integer | null;
  readonly tip_micros: Integer | null;
  readonly currency: string | null;
  readonly distance_m: number | null;
  readonly given_duration_ms: number | null;
  readonly passenger_count: number | null;
  readonly rate_code: string | null;
  readonly trip_type: string | null;
  readonly cancel_reason: string | null;
  readonly canceled_by: string | null;
  readonly adjustment_reason: string | null;
  readonly void_reason: string | null;
}

/** The state of a trip: its fields, the H3 cell of its pickup, and when each part of its life happened. */
export interface Trip extends TripFields {
  /** Null while a coordinate is unknown, and where pickups are not indexed. */
  readonly pickup_h3: string | null;
  readonly requested_us: number | null;
  readonly started_us: number | null;
  readonly completed_us: number | null;
  readonly canceled_us: number | null;
  readonly voided_us: number | null;
}

/** What one event names; a field that is absent was not named. */
export type TripPayload = Partial<{ [Name in keyof TripFields]: NonNullable<TripFields[Name]> }>;

/** A trip nobody has heard of. */
export const UNKNOWN_TRIP: Trip = {
  driver_id: null,
  passenger_id: null,
  vehicle_type: null,
  city: null,
  payment_method: null,
  pickup_zone: null,
  dropoff_zone: null,
  pickup_lat: null,
  pickup_lon: null,
  dropoff_lat: null,
  dropoff_lon: null,
  vendor_id: null,
  estimated_fare_micros: null,
  estimated_dropoff_us: null,
  completion_fare_micros: null,
  adjusted_fare_micros: null,
  tip_micros: null,
  currency: null,
  distance_m: null,
  given_duration_ms: null,
  passenger_count: null,
  rate_code: null,
  trip_type: null,
  cancel_reason: null,
  canceled_by: null,
  adjustment_reason: null,
  void_reason: null,
  pickup_h3: null,
  requested_us: null,
  started_us: null,
  completed_us: null,
  canceled_us: null,
  voided_us: null,
};

export type TripStatus = "requested" | "in_progress" | "completed" | "canceled" | "voided";

/** Voided wins over all, completed over canceled, whatever came first; a trip with neither is in progress once it started. */
export function status_of(trip: Trip): TripStatus {
  if (trip.voided_us !== null) return "voided";
  if (trip.completed_us !== null) return "completed";
  if (trip.canceled_us !== null) return "canceled";
  return trip.started_us !== null ? "in_progress" : "requested";
}

/** The fare that counts: of a completed trip its latest adjustment, else its completion's; null before completion, of a voided trip, and where nobody named one. */
export function fare_of(trip: Trip): Integer | null {
  return trip.completed_us === null || trip.voided_us !== null
    ? null
    : trip.adjusted_fare_micros ?? trip.completion_fare_micros;
}

/** Duration in milliseconds: as given, else completion minus start when both are known and not negative. */
export function duration_of(trip: Trip): number | null {
  if (trip.given_duration_ms !== null) return trip.given_duration_ms;
  if (trip.completed_us === null || trip.started_us === null || trip.completed_us < trip.started_us) return null;
  return Math.round((trip.completed_us - trip.started_us) / 1000);
}
