import {
  amount_text,
  at_hour,
  type Breakable,
  type Course,
  hash_text,
  hour_of_week,
  type JsonObject,
  Random,
  step_us,
  STEPS_PER_STREAM,
  time_text,
} from "../../generator/mod.ts";
import {
  adjustments,
  type City,
  km_per_degree,
  type PaymentMethod,
  pick_payment_method,
  type Place,
  tip_shares,
  traffic_speed_km_h,
  vehicle_types,
  type VehicleType,
  type Zone,
} from "./city.ts";
import type { EVENT_TYPES } from "../trip.ts";

/** One trip: its plan, what it costs, how it is driven, how one of an earlier run ends, and what its messages say. */

/** The event types of a trip, as producers name them. */
export type TripEventType = typeof EVENT_TYPES[number];

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
function fare_cents(vehicle_type: VehicleType, distance_m: number, duration_ms: number, surge: number): number {
  const tariff = tariffs[vehicle_type];
  const metered = tariff.base + (tariff.per_km * distance_m) / 1_000 + (tariff.per_min * duration_ms) / 60_000;
  return Math.round(Math.max(tariff.least, metered) * surge);
}

/** The least that a ride costs, cents, before any surge. No correction takes a fare below it. */
const least_cents = (vehicle_type: VehicleType): number => tariffs[vehicle_type].least;

/** What demand makes of the price, in tenths from 1 to 2.5: `crowding` is demand over its usual level. */
function surge_factor(crowding: number): number {
  return Math.min(25, Math.max(10, Math.round(10 + (crowding - 1.6) * 6))) / 10;
}

/** What is known about a ride before it is measured and paid. */
interface RideOrder {
  readonly pickup: Zone;
  readonly dropoff: Zone;
  readonly start_us: number;
  readonly vehicle_type: string;
  /** How the passenger usually pays, and how readily they tip (0 to 1). */
  readonly payment_method: PaymentMethod;
  readonly generosity: number;
  /** Added to the surge that the hour asks for. */
  readonly extra_surge: number;
}

/** The measured and paid part of a trip. */
export type Ride =
  & Pick<
    Trip,
    | "pickup_zone"
    | "dropoff_zone"
    | "pickup_lat_e5"
    | "pickup_lon_e5"
    | "dropoff_lat_e5"
    | "dropoff_lon_e5"
    | "distance_m"
    | "duration_ms"
    | "estimated_ms"
    | "estimated_cents"
    | "tip_cents"
    | "payment_method"
    | "adjusted_cents"
    | "adjustment_reason"
    | "passenger_count"
    | "rate_code"
  >
  & { readonly fare_cents: number };

/** Drives the ride: distance from coordinates and detours, duration from the traffic of the hour, fare from both and the surge. */
export function drive(random: Random, city: City, order: RideOrder): Ride {
  const { pickup, dropoff } = order;
  const vehicle_type = known_vehicle_type(order.vehicle_type);
  const hour = hour_of_week(order.start_us, city.utc_offset_us);
  // A pickup is somewhere in its zone, within about 600 m of the middle.
  const pickup_lat_e5 = degrees_e5(pickup.lat + random.between(-0.0055, 0.0055));
  const pickup_lon_e5 = degrees_e5(pickup.lon + random.between(-0.007, 0.007));
  const dropoff_lat_e5 = degrees_e5(dropoff.lat + random.between(-0.0055, 0.0055));
  const dropoff_lon_e5 = degrees_e5(dropoff.lon + random.between(-0.007, 0.007));
  const north_km = ((dropoff_lat_e5 - pickup_lat_e5) / 1e5) * km_per_degree;
  const east_km = ((dropoff_lon_e5 - pickup_lon_e5) / 1e5) * km_per_degree * Math.cos((pickup.lat * Math.PI) / 180);
  // Streets do not go straight: 20 to 50 % more than the crow flies.
  const route_km = 0.6 + Math.hypot(north_km, east_km) * random.between(1.2, 1.5);
  const distance_m = Math.round(route_km * 100) * 10;
  // Two minutes of getting in and out; a scooter passes the queue.
  const speed = Math.max(traffic_speed_km_h(hour), vehicle_type === "scooter" ? 20 : 0);
  const estimated_ms = Math.round((120 + (route_km / speed) * 3_600) * 1_000);
  const duration_ms = Math.max(60_000, Math.round(estimated_ms * (1 + 0.15 * random.bell() + 0.05)));
  const surge = surge_factor(at_hour(pickup.demand, hour) / pickup.mean_demand) + order.extra_surge;
  const fare = fare_cents(vehicle_type, distance_m, duration_ms, surge);
  const payment_method = random.chance(0.85) ? order.payment_method : pick_payment_method(random);
  const adjustment = random.pick(adjustments);
  const adjusted_cents = Math.max(least_cents(vehicle_type), Math.round(fare * random.between(...adjustment.factor)));
  return {
    pickup_zone: pickup.id,
    dropoff_zone: dropoff.id,
    pickup_lat_e5,
    pickup_lon_e5,
    dropoff_lat_e5,
    dropoff_lon_e5,
    distance_m,
    duration_ms,
    estimated_ms,
    estimated_cents: fare_cents(vehicle_type, distance_m, estimated_ms, surge),
    fare_cents: fare,
    tip_cents: tip_cents(random, fare, payment_method, order.generosity),
    payment_method: random.chance(0.03) ? unsaid(random) : payment_method,
    adjusted_cents,
    adjustment_reason: adjustment.reason,
    passenger_count: passenger_count(random, vehicle_type),
    rate_code: pickup.kind === "airport" || dropoff.kind === "airport"
      ? "airport"
      : hour % 24 < 5
      ? "night"
      : "standard",
  };
}

/** The three ways in which producers do not say. */
function unsaid(random: Random): null | "" | undefined {
  const draw = random.fraction();
  return draw < 0.4 ? null : draw < 0.8 ? "" : undefined;
}

function degrees_e5(degrees: number): number {
  return Math.round(degrees * 1e5);
}

/** The vehicle type a tariff exists for: its own, or economy for one this city does not know. */
function known_vehicle_type(text: string): VehicleType {
  return vehicle_types.find((type) => type === text) ?? "economy";
}

function tip_cents(random: Random, fare: number, method: PaymentMethod, generosity: number): number | null {
  const tipped = random.chance(tip_shares[method] * (0.5 + generosity));
  const share = random.between(0.08, 0.16 + 0.1 * generosity);
  // Coins stay in the cash box: the app knows of a cash tip only when the driver enters one.
  if (!tipped) return method === "cash" ? null : 0;
  return method === "cash" ? Math.ceil((fare * share) / 100) * 100 : Math.round(fare * share);
}

function passenger_count(random: Random, vehicle_type: VehicleType): number | null {
  const draw = random.fraction();
  if (draw > 0.96) return null;
  if (vehicle_type === "scooter") return 1;
  if (vehicle_type === "van") return 2 + Math.floor(draw * 6);
  return draw < 0.62 ? 1 : draw < 0.84 ? 2 : draw < 0.92 ? 3 : 4;
}

const minute_ms = 60_000;
/** A request as old as this found no driver before the earlier run stopped. */
const patience_ms = 30 * minute_ms;

/**
 * Plans how a trip of an earlier run ends. Its next steps happen when they would have happened; what of that lies before the
 * start of this run is delivered in its first minute, as the phones of the drivers do once the service answers again.
 * The same trip, seed and start give the same plan; its event ids are this run's own and meet none of the earlier ones.
 */
export function resume_trip(city: City, seed: number, start_us: number, open: OpenTrip): Trip {
  const id_key = new Random(seed, start_us, hash_text(open.trip_id), 41);
  const random = new Random(seed, start_us, hash_text(open.trip_id), 42);
  const place = city.places.find(({ name }) => name === open.city) ?? random.pick(city.places);
  const passenger = place.passengers.find(({ id }) => id === open.passenger_id) ?? random.pick(place.passengers);
  const vehicle_type = open.vehicle_type ?? passenger.vehicle_type;
  const started = open.status === "in_progress";
  const base_us = (started ? open.started_us ?? open.requested_us : open.requested_us) ?? start_us;
  const wait_ms = started ? 0 : random.whole(2 * minute_ms, 8 * minute_ms);
  const pickup = (open.pickup_zone === null ? undefined : city.zone(open.pickup_zone)) ?? random.pick(place.zones);
  const ride = drive(random, city, {
    pickup,
    dropoff: random.pick(place.zones),
    start_us: base_us + wait_ms * 1_000,
    vehicle_type,
    payment_method: pick_payment_method(random),
    generosity: passenger.generosity,
    extra_surge: 0,
  });
  const given_up = !started && start_us - base_us > patience_ms * 1_000;
  const course = steps_left(started, given_up, wait_ms, ride.duration_ms);
  return {
    stream_id: open.trip_id,
    id_key: id_key.whole(0, 0x1_0000_0000),
    id_counter: id_key.whole(0, 0x1_0000_0000) * STEPS_PER_STREAM,
    source: place.source,
    bare: false,
    ...course,
    // Messages carry whole milliseconds.
    base_us: Math.floor(base_us / 1_000) * 1_000,
    not_before_us: start_us + random.whole(0, minute_ms) * 1_000,
    city: open.city ?? place.name,
    driver_id: open.driver_id ?? driver_id(random, place, vehicle_type),
    passenger_id: open.passenger_id ?? passenger.id,
    vehicle_type,
    canceled_by: "system",
    cancel_reason: "no_driver_nearby",
    ...ride,
    pickup_zone: open.pickup_zone ?? ride.pickup_zone,
  };
}

function steps_left(
  started: boolean,
  given_up: boolean,
  wait_ms: number,
  duration_ms: number,
): Pick<Trip, "steps" | "after_ms"> {
  const steps: TripEventType[] = started ? ["trip.completed"] : ["trip.started", "trip.completed"];
  if (given_up) return { steps: ["trip.canceled"], after_ms: [patience_ms / 2] };
  return { steps, after_ms: started ? [duration_ms] : [wait_ms, wait_ms + duration_ms] };
}

function driver_id(random: Random, place: Place, vehicle_type: string): string {
  const fitting = place.drivers.filter((driver) => driver.vehicle_type === vehicle_type);
  return random.pick(fitting.length > 0 ? fitting : place.drivers).id;
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
