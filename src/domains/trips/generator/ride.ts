import { at_hour, hash_text, hour_of_week, Random, STEPS_PER_STREAM } from "../../generator/mod.ts";
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
import { fare_cents, least_cents, type OpenTrip, surge_factor, type Trip, type TripEventType } from "./message.ts";

/** What is known about a ride before it is measured and paid. */
export interface RideOrder {
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
