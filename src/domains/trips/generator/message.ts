import { event_id } from "./event_id.ts";
import { amount_text } from "./fare.ts";
import { step_us } from "./trip.ts";
import type { Trip } from "./trip.ts";

/** A JSON object before it is written. Fields that are undefined are left out. */
export type JsonObject = Record<string, unknown>;

/** The message of one step of a trip, as producers send it: a structured CloudEvent, or bare JSON with the same names flattened. */
export function message_of(trip: Trip, step: number, currency: string): JsonObject {
  const type = trip.steps[step];
  const id = event_id(trip.id_key, trip.id_counter + step);
  const time = time_text(step_us(trip, step));
  const data = data_of(trip, step, currency);
  if (trip.bare) return { event_id: id, type, trip_id: trip.trip_id, occurred_at: time, ...data };
  return {
    specversion: "1.0",
    id,
    source: trip.source,
    type,
    subject: trip.trip_id,
    time,
    datacontenttype: "application/json",
    data,
  };
}

function data_of(trip: Trip, step: number, currency: string): JsonObject {
  switch (trip.steps[step]) {
    case "trip.requested":
      return {
        passenger_id: trip.passenger_id,
        city: trip.city,
        vehicle_type: trip.vehicle_type,
        pickup_zone: trip.pickup_zone,
        pickup_lat: trip.pickup_lat_e5 / 1e5,
        pickup_lon: trip.pickup_lon_e5 / 1e5,
        dropoff_zone: trip.dropoff_zone,
      };
    case "trip.started":
      return {
        driver_id: trip.driver_id,
        passenger_id: trip.passenger_id,
        vehicle_type: trip.vehicle_type,
        city: trip.city,
        pickup_zone: trip.pickup_zone,
        pickup_lat: trip.pickup_lat_e5 / 1e5,
        pickup_lon: trip.pickup_lon_e5 / 1e5,
        dropoff_zone: trip.dropoff_zone,
        estimated_fare: amount_text(trip.estimated_cents),
        estimated_dropoff_at: time_text(step_us(trip, step) + trip.estimated_ms * 1_000),
      };
    case "trip.completed":
      return {
        fare: trip.fare_cents === null ? undefined : amount_text(trip.fare_cents),
        tip: trip.tip_cents === null ? undefined : amount_text(trip.tip_cents),
        currency,
        distance_km: trip.distance_m / 1_000,
        duration_min: Math.round(trip.duration_ms / 6_000) / 10,
        payment_method: trip.payment_method,
        dropoff_zone: trip.dropoff_zone,
        dropoff_lat: trip.dropoff_lat_e5 / 1e5,
        dropoff_lon: trip.dropoff_lon_e5 / 1e5,
        passenger_count: trip.passenger_count,
        rate_code: trip.rate_code,
      };
    case "trip.canceled":
      return { reason: trip.cancel_reason, canceled_by: trip.canceled_by };
    case "trip.fare_adjusted":
      return { fare: amount_text(trip.adjusted_cents), reason: trip.adjustment_reason };
    case "trip.voided":
      return { reason: "refunded" };
    default:
      throw new Error(
        `writing a message of trip "${trip.trip_id}": expected a step below ${trip.steps.length}, got "${step}"`,
      );
  }
}

/** A time in microseconds as RFC 3339 text with milliseconds, UTC. */
export function time_text(at_us: number): string {
  return new Date(at_us / 1_000).toISOString();
}
