import type { City, Place } from "./city.ts";
import { pick_payment_method } from "./habits.ts";
import { hash_text, Random } from "./random.ts";
import { drive } from "./ride.ts";
import type { OpenTrip, Trip, TripEventType } from "./trip.ts";

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
    trip_id: open.trip_id,
    id_key: id_key.whole(0, 0x1_0000_0000),
    id_counter: id_key.whole(0, 0x1_0000_0000) * 8,
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
