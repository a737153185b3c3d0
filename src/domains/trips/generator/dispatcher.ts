import {
  hash32,
  hash_text,
  hour_of_week,
  hours_of_week,
  Random,
  STEPS_PER_STREAM,
  told,
  type Trouble,
  trouble_at,
  trouble_in,
  type TroubleKind,
} from "../../generator/mod.ts";
import {
  cancellations,
  type City,
  type Driver,
  type Passenger,
  pick_vehicle_type,
  type Place,
  type VehicleType,
  type Zone,
} from "./city.ts";
import { drive, type Ride, type Trip, type TripEventType } from "./ride.ts";
import type { Planted } from "../../declared.ts";

/** A place's rush out of one zone, as after a concert. */
interface Spike {
  readonly zone: number;
  /** How many times as many trips as usual. */
  readonly factor: number;
}

const SPIKE: TroubleKind = { kind: 11, one_in: 6, least_min: 10, most_min: 25 };
const OUTAGE: TroubleKind = { kind: 12, one_in: 20, least_min: 4, most_min: 9 };

/** The spike in a place at a time, or null. About one hour in six has one, of 10 to 25 minutes. */
function spike_at(seed: number, place: number, zone_count: number, at_us: number): Spike | null {
  const trouble = trouble_at(seed, SPIKE, place, at_us);
  return trouble === null ? null : spike_of(trouble, zone_count);
}

function spike_of(trouble: Trouble, zone_count: number): Spike {
  return { zone: (trouble.word >>> 8) % zone_count, factor: 3 + ((trouble.word >>> 4) % 3) };
}

/**
 * When the outage of a place that covers this time ends, or null: messages wait until then, and arrive all at once.
 * About one hour in twenty has one, of 4 to 9 minutes.
 */
export const outage_end_us = (seed: number, place: number, at_us: number): number | null =>
  trouble_at(seed, OUTAGE, place, at_us)?.until_us ?? null;

/** What spikes add at a time, as a share of the city's usual demand. */
export function extra_demand({ places, place_shares }: City, seed: number, at_us: number): number {
  const total = place_shares[places.length - 1] ?? 1;
  return places.reduce((sum, place, index) => {
    const spike = spike_at(seed, index, place.zones.length, at_us);
    const share = ((place_shares[index] ?? 0) - (place_shares[index - 1] ?? 0)) / total;
    return sum + (spike === null ? 0 : share * (spike.factor - 1));
  }, 0);
}

/** The spikes and outages of a city in the hour of a moment. */
export const planted_in = ({ places }: City, seed: number, at_us: number): (Planted | null)[] =>
  places.flatMap(({ index, name, zones }) => [
    told("spike", trouble_in(seed, SPIKE, index, at_us), (spike) => ({
      city: name,
      pickup_zone: zones[spike_of(spike, zones.length).zone]!.id,
    })),
    told("outage", trouble_in(seed, OUTAGE, index, at_us), () => ({ city: name })),
  ]);

const us_per_ms = 1_000;
const bare_share = 0.08;
const cancel_share = 0.04;

interface DispatcherOptions {
  readonly seed: number;
  readonly start_us: number;
  readonly first_trip_number: number;
  readonly trip_prefix: string;
  readonly anomalies: boolean;
  /** Share of completed trips whose fare is corrected later. */
  readonly corrections: number;
  /** Shares of completed trips that are taken back later, and whose completion says no fare. */
  readonly voids: number;
  readonly without_fare: number;
}

/** How a trip goes on after its request: the steps, when they happen, and when its driver is free again. */
interface Course {
  readonly steps: readonly TripEventType[];
  readonly after_ms: readonly number[];
  readonly free_after_ms: number;
}

/** Plans trips: who rides, from where to where, with whom, and how it ends. Its state is when each driver is free again. */
export class Dispatcher {
  readonly #city: City;
  readonly #options: DispatcherOptions;
  readonly #random: Random;
  readonly #id_key: number;
  readonly #free_at_us: Float64Array;

  constructor(city: City, options: DispatcherOptions) {
    this.#city = city;
    this.#options = options;
    this.#random = new Random(options.seed, options.start_us, options.first_trip_number, 31);
    this.#id_key = new Random(options.seed, hash_text(options.trip_prefix)).whole(0, 0x1_0000_0000);
    this.#free_at_us = new Float64Array(city.driver_count);
  }

  /** Plans the trip with this number, requested at this time (a whole millisecond). */
  plan(number: number, requested_us: number): Trip {
    const random = this.#random;
    const { place, spike } = this.#place(requested_us);
    const hour = Math.floor(hour_of_week(requested_us, this.#city.utc_offset_us)) % hours_of_week;
    // Some people ride daily, most now and then.
    const passenger = at(place.passengers, random.fraction() ** 1.6);
    const [pickup, dropoff] = this.#errand(place, passenger, hour, spike);
    const vehicle_type = random.chance(0.8) ? passenger.vehicle_type : "economy";
    const driver = this.#driver(place, vehicle_type, hour, requested_us);
    const wait_ms = random.whole(120_000, 480_000);
    const ride = drive(random, this.#city, {
      pickup,
      dropoff,
      start_us: requested_us + wait_ms * us_per_ms,
      vehicle_type: driver.vehicle_type,
      payment_method: passenger.payment_method,
      generosity: passenger.generosity,
      extra_surge: spike === null ? 0 : 0.8,
    });
    const unserved = this.#options.anomalies &&
      outage_end_us(this.#options.seed, place.index, requested_us) !== null && random.chance(0.5);
    const course = this.#course(wait_ms, ride.duration_ms, unserved ? 1 : cancel_share);
    const cancellation = random.pick(cancellations);
    const trip: Trip = {
      stream_id: `${this.#options.trip_prefix}${number}`,
      id_key: this.#id_key,
      id_counter: number * STEPS_PER_STREAM,
      source: place.source,
      bare: random.chance(bare_share),
      steps: course.steps,
      after_ms: course.after_ms,
      base_us: requested_us,
      not_before_us: 0,
      city: place.name,
      driver_id: driver.id,
      passenger_id: passenger.id,
      vehicle_type: driver.vehicle_type,
      canceled_by: unserved ? "system" : cancellation.canceled_by,
      cancel_reason: unserved ? "dispatch_unavailable" : cancellation.reason,
      ...ride,
      ...this.#endings(number, course),
    };
    this.#free_at_us[driver.index] = Math.max(
      this.#free_at_us[driver.index] ?? 0,
      requested_us + course.free_after_ms * us_per_ms,
    );
    return this.#options.anomalies && random.chance(0.004) ? this.#fraud(trip, place, ride) : trip;
  }

  /** What few completed trips have, drawn by their numbers alone: the others are what they are without it. */
  #endings(number: number, { steps, after_ms }: Course): Partial<Trip> {
    const { seed, voids, without_fare } = this.#options;
    const drawn = (purpose: number) => (hash32(seed, purpose, number) >>> 0) / 0x1_0000_0000;
    if (!steps.includes("trip.completed")) return {};
    const priced = drawn(14) < without_fare ? { fare_cents: null } : {};
    if (drawn(15) >= voids) return priced;
    // Within a day of all else.
    const voided_ms = after_ms.at(-1)! + Math.round(600_000 + 85_000_000 * drawn(16));
    return { ...priced, steps: [...steps, "trip.voided"], after_ms: [...after_ms, voided_ms] };
  }

  #place(at_us: number): { readonly place: Place; readonly spike: Spike | null } {
    const { places, place_shares } = this.#city;
    const place = places[this.#random.weighted(place_shares)] ?? this.#random.pick(places);
    if (!this.#options.anomalies) return { place, spike: null };
    // In a place with a spike, most of the trips there are the spike's: the arrivals have made room for them.
    const spiking = places.map((candidate) =>
      spike_at(this.#options.seed, candidate.index, candidate.zones.length, at_us)
    );
    const spiking_place = spiking.findIndex((spike) => spike !== null);
    const drawn = this.#random.chance(0.5) && spiking_place >= 0 ? spiking_place : place.index;
    return { place: places[drawn] ?? place, spike: spiking[drawn] ?? null };
  }

  /** From where to where: to work and back, out for the evening, or anywhere the hour makes likely. */
  #errand(place: Place, passenger: Passenger, hour: number, spike: Spike | null): readonly [Zone, Zone] {
    const random = this.#random;
    const anywhere = (): Zone => place.zones[random.weighted(place.pickups[hour] ?? [])] ?? random.pick(place.zones);
    const home_or_out = (): Zone => random.chance(0.55) ? passenger.home : anywhere();
    if (spike !== null && random.chance(0.7)) return [place.zones[spike.zone] ?? anywhere(), home_or_out()];
    const of_day = hour % 24;
    const workday = hour < 5 * 24;
    if (workday && passenger.commutes && random.chance(0.65)) {
      if (of_day >= 6 && of_day < 10) return [passenger.home, passenger.work];
      if (of_day >= 16 && of_day < 20) return [passenger.work, passenger.home];
    }
    if (of_day >= 18 && of_day < 22 && random.chance(0.3)) return [passenger.home, passenger.favourite];
    if ((of_day >= 22 || of_day < 4) && random.chance(0.5)) return [passenger.favourite, passenger.home];
    return [anywhere(), random.chance(0.4) ? home_or_out() : random.pick(place.zones)];
  }

  /**
   * A driver on shift, free if one is found soon: of the vehicle type asked for, else of any. Asked for more trips than its
   * drivers can serve, the city lets the one who is free earliest take another: the rate is what the caller asked for.
   */
  #driver(place: Place, vehicle_type: VehicleType, hour: number, at_us: number): Driver {
    const candidates = this.#on_shift(place, vehicle_type, hour);
    let chosen = this.#random.pick(candidates);
    for (let attempt = 0; attempt < 12 && this.#free(chosen) > at_us; attempt++) {
      const others = attempt < 6 ? candidates : this.#on_shift(place, pick_vehicle_type(this.#random), hour);
      const other = this.#random.pick(others);
      if (this.#free(other) < this.#free(chosen)) chosen = other;
    }
    return chosen;
  }

  #on_shift(place: Place, vehicle_type: VehicleType, hour: number): readonly Driver[] {
    const on_shift = place.on_shift[vehicle_type][hour] ?? [];
    return on_shift.length > 0 ? on_shift : place.drivers;
  }

  #free(driver: Driver): number {
    return this.#free_at_us[driver.index] ?? 0;
  }

  #course(wait_ms: number, duration_ms: number, canceled_share: number): Course {
    const random = this.#random;
    const end_ms = wait_ms + duration_ms;
    if (random.chance(canceled_share)) {
      if (random.chance(0.85)) {
        const at_ms = random.whole(20_000, wait_ms);
        return { steps: ["trip.requested", "trip.canceled"], after_ms: [0, at_ms], free_after_ms: at_ms };
      }
      const at_ms = wait_ms + random.whole(20_000, duration_ms);
      const steps: TripEventType[] = ["trip.requested", "trip.started", "trip.canceled"];
      return { steps, after_ms: [0, wait_ms, at_ms], free_after_ms: at_ms };
    }
    const steps: TripEventType[] = ["trip.requested", "trip.started", "trip.completed"];
    const after_ms = [0, wait_ms, end_ms];
    // Rare and worth looking at: the passenger cancels during the ride, and the driver completes it all the same.
    if (this.#options.anomalies && random.chance(0.002)) {
      steps.splice(2, 0, "trip.canceled");
      after_ms.splice(2, 0, wait_ms + random.whole(20_000, duration_ms));
    }
    // Ten minutes to six hours later, sooner more often.
    const adjusted_ms = end_ms + Math.round(600_000 * 36 ** random.fraction());
    if (random.chance(this.#options.corrections)) {
      steps.push("trip.fare_adjusted");
      after_ms.push(adjusted_ms);
    }
    return { steps, after_ms, free_after_ms: end_ms };
  }

  /** A ring of a few drivers and passengers that bills long rides for short ones. */
  #fraud(trip: Trip, place: Place, ride: Ride): Trip {
    const random = this.#random;
    return {
      ...trip,
      driver_id: at(place.drivers.slice(0, 3), random.fraction()).id,
      passenger_id: at(place.passengers.slice(-5), random.fraction()).id,
      dropoff_zone: ride.pickup_zone,
      dropoff_lat_e5: ride.pickup_lat_e5 + random.whole(-200, 200),
      dropoff_lon_e5: ride.pickup_lon_e5 + random.whole(-200, 200),
      distance_m: random.whole(1, 5) * 100,
      fare_cents: random.whole(6_000, 14_000),
      tip_cents: 0,
      payment_method: "card",
    };
  }
}

/** The value at a share (0 to below 1) of a list that is never empty. */
function at<T>(values: readonly T[], share: number): T {
  const value = values[Math.floor(share * values.length)];
  if (value === undefined) {
    throw new Error(`picking at share "${share}": expected a value, the list has ${values.length}`);
  }
  return value;
}
