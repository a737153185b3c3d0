import type { VehicleType } from "./city.ts";
import { mix32 } from "./random.ts";

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

const two_32 = 0x1_0000_0000;

/**
 * Sixteen hex digits for a counter (up to 2^53), under a key. A four-round Feistel network, so a bijection: under one key
 * no two counters ever share an id, and neighbouring counters look unrelated.
 */
export function event_id(key: number, counter: number): string {
  let left = Math.floor(counter / two_32) >>> 0;
  let right = counter >>> 0;
  for (let round = 1; round <= 4; round++) {
    const next = (left ^ mix32(right + Math.imul(key ^ round, 0x9e3779b1))) >>> 0;
    left = right;
    right = next;
  }
  return hex8(left) + hex8(right);
}

function hex8(word: number): string {
  return (word + two_32).toString(16).slice(1);
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

/** Cents as a decimal amount: 1860 is "18.60". */
export function amount_text(cents: number): string {
  const part = cents % 100;
  return `${Math.floor(cents / 100)}.${part < 10 ? "0" : ""}${part}`;
}

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

/** A way to break a good message. Each gives text that no consumer may admit. */
type Breakage = (message: JsonObject, word: number) => string;

const breakages: readonly Breakage[] = [
  // Cut off on the way: whatever is left of an object without its last brace is not JSON.
  (message, word) => {
    const text = JSON.stringify(message);
    return text.slice(0, 1 + (word % (text.length - 1)));
  },
  () => "<html><body>502 Bad Gateway</body></html>",
  () => "null",
  (message) => JSON.stringify([message]),
  (message) => JSON.stringify({ ...message, [trip_id_field(message)]: undefined }),
  (message) => JSON.stringify({ ...message, [trip_id_field(message)]: " " }),
  (message) => JSON.stringify({ ...message, type: "trip.teleported" }),
  (message) => JSON.stringify({ ...message, [time_field(message)]: String(message[time_field(message)]).slice(0, -1) }),
  (message) => JSON.stringify({ ...message, [time_field(message)]: Date.parse(String(message[time_field(message)])) }),
  (message) => JSON.stringify({ ...message, [time_field(message)]: "2026-02-30T25:61:00Z" }),
  // Each names a fault for every type of event, whichever field that type has.
  (message) => with_data(message, { city: ["somewhere"], reason: ["because"], fare: null }),
  (message) => with_data(message, { city: true, reason: { code: 7 }, fare: "-4.20" }),
  (message) => with_data(message, { city: {}, reason: 1.5, fare: "12,50" }),
];

/** A good message made bad; `word` (32 bits) chooses how. */
export function malform(message: JsonObject, word: number): string {
  const breakage = breakages[word % breakages.length];
  return breakage === undefined ? "" : breakage(message, word >>> 8);
}

function is_cloud_event(message: JsonObject): boolean {
  return "specversion" in message;
}

function trip_id_field(message: JsonObject): string {
  return is_cloud_event(message) ? "subject" : "trip_id";
}

function time_field(message: JsonObject): string {
  return is_cloud_event(message) ? "time" : "occurred_at";
}

function with_data(message: JsonObject, faults: JsonObject): string {
  return JSON.stringify(
    is_cloud_event(message)
      ? { ...message, data: Object.assign({}, message["data"], faults) }
      : { ...message, ...faults },
  );
}
