import {
  amount_text,
  type Breakable,
  type Course,
  type JsonObject,
  malform as malform_event,
  step_us,
  time_text,
} from "../../generator/mod.ts";
import type { VehicleType } from "./city.ts";

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
export interface Trip extends Course {
  readonly steps: readonly TripEventType[];

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

/** What a ride costs: cents to get in, cents a kilometre, cents a minute, and the least a ride costs. */
interface Tariff {
  readonly base: number;
  readonly per_km: number;
  readonly per_min: number;
  readonly least: number;
}

const tariffs: Readonly<Record<VehicleType, Tariff>> = {
  economy: { base: 220, per_km: 95, per_min: 22, least: 500 },
  comfort: { base: 300, per_km: 125, per_min: 30, least: 700 },
  electric: { base: 260, per_km: 105, per_min: 24, least: 600 },
  suv: { base: 420, per_km: 175, per_min: 38, least: 1_000 },
  van: { base: 500, per_km: 195, per_min: 42, least: 1_200 },
  scooter: { base: 100, per_km: 45, per_min: 15, least: 200 },
};

/** The fare in cents of a ride of `distance_m` metres and `duration_ms` milliseconds; surge multiplies all of it. */
export function fare_cents(vehicle_type: VehicleType, distance_m: number, duration_ms: number, surge: number): number {
  const tariff = tariffs[vehicle_type];
  const metered = tariff.base + (tariff.per_km * distance_m) / 1_000 + (tariff.per_min * duration_ms) / 60_000;
  return Math.round(Math.max(tariff.least, metered) * surge);
}

/** The least that a ride costs, cents, before any surge. No correction takes a fare below it. */
export const least_cents = (vehicle_type: VehicleType): number => tariffs[vehicle_type].least;

/** What demand makes of the price, in tenths from 1 to 2.5: `crowding` is demand over its usual level. */
export function surge_factor(crowding: number): number {
  return Math.min(25, Math.max(10, Math.round(10 + (crowding - 1.6) * 6))) / 10;
}

/** What the event of one step of a trip says. */
export function data_of(trip: Trip, step: number, currency: string): JsonObject {
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
        `writing a message of trip "${trip.stream_id}": expected a step below ${trip.steps.length}, got "${step}"`,
      );
  }
}

/** How messages of trips are broken. */
export const BREAKABLE: Breakable = {
  noun: "trip",
  stream_column: "trip_id",
  // Each names a fault for every type of event, whichever field that type has.
  faults: [
    { city: ["somewhere"], reason: ["because"], fare: null },
    { city: true, reason: { code: 7 }, fare: "-4.20" },
    { city: {}, reason: 1.5, fare: "12,50" },
  ],
};

/** A good message of a trip made bad; `word` (32 bits) chooses how. */
export const malform = (message: JsonObject, word: number): string => malform_event(message, word, BREAKABLE);
