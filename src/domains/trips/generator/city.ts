import { faker } from "@faker-js/faker/locale/en";
import { hours_of_week } from "./demand.ts";
import { drivers_on_shift, make_driver } from "./driver.ts";
import type { Driver } from "./driver.ts";
import { pick_payment_method, pick_vehicle_type, vehicle_types } from "./habits.ts";
import type { PaymentMethod, VehicleType } from "./habits.ts";
import { cumulate, hash_text, Random } from "./random.ts";
import { make_zone } from "./zone.ts";
import type { Zone } from "./zone.ts";

export interface Passenger {
  readonly id: string;
  readonly name: string;
  readonly home: Zone;
  readonly work: Zone;
  readonly favourite: Zone;
  readonly commutes: boolean;
  readonly vehicle_type: VehicleType;
  /** How this passenger usually pays. */
  readonly payment_method: PaymentMethod;
  /** How readily this passenger tips, 0 to 1. */
  readonly generosity: number;
}

/** One named city of the fleet, with all that moves in it. */
export interface Place {
  readonly index: number;
  readonly name: string;
  /** The CloudEvents source of its events, without whitespace. */
  readonly source: string;
  readonly zones: readonly Zone[];
  readonly drivers: readonly Driver[];
  readonly passengers: readonly Passenger[];
  /** For each hour of the week, the cumulative pickup demand of its zones. */
  readonly pickups: readonly Float64Array[];
  /** The drivers of a vehicle type that are on shift in an hour of the week. */
  readonly on_shift: Readonly<Record<VehicleType, readonly (readonly Driver[])[]>>;
}

/** A small city (or a few, run by one fleet): the same every time for the same options. Never changes once made. */
export interface City {
  readonly places: readonly Place[];
  /** Cumulative share of the trips that each place has. */
  readonly place_shares: Float64Array;
  /** Demand of the whole city by hour of the week; its mean is 1. */
  readonly demand: Float64Array;
  readonly driver_count: number;
  /** Local time minus UTC, microseconds: rush hours follow local time. */
  readonly utc_offset_us: number;
  readonly zone: (id: string) => Zone | undefined;
}

export interface CityOptions {
  readonly seed: number;
  readonly drivers?: number;
  readonly passengers?: number;
  readonly zones?: number;
  readonly cities?: readonly string[];
  /** Minutes that local time is ahead of UTC. Default 0. */
  readonly utc_offset_min?: number;
}

const known_centres: Readonly<Record<string, readonly [number, number]>> = {
  Chicago: [41.87, -87.7],
  Denver: [39.73, -104.98],
  Austin: [30.29, -97.74],
};

/**
 * Makes the city: zones with coordinates and demand, drivers with shifts and vehicles, passengers with homes, work places
 * and habits. Defaults: 400 drivers, 8,000 passengers, 60 zones, three cities. Throws on counts smaller than the number of cities.
 */
export function make_city(options: CityOptions): City {
  const { seed, drivers = 400, passengers = 8_000, zones = 60, cities = Object.keys(known_centres) } = options;
  const counts = { drivers, passengers, zones };
  if (!Number.isSafeInteger(seed)) throw new Error(`making the city: expected a whole number as seed, got "${seed}"`);
  if (cities.length === 0) throw new Error("making the city: expected at least one city name, got none");
  for (const [name, count] of Object.entries(counts)) {
    if (Number.isSafeInteger(count) && count >= cities.length) continue;
    throw new Error(`making the city: expected at least ${cities.length} ${name}, one for each city, got "${count}"`);
  }
  // Names come from faker's English instance, seeded anew for each city; they never reach an event.
  faker.seed(seed);
  // Each city is a little smaller than the one named before it.
  const shares = cities.map((_, index) => 1 / (index + 1.5));
  const bounds = (count: number) => divide(count, shares);
  const [zone_bounds, driver_bounds, passenger_bounds] = [bounds(zones), bounds(drivers), bounds(passengers)];
  const places = cities.map((name, index) =>
    make_place(new Random(seed, index, hash_text(name)), name, index, {
      zones: [zone_bounds[index] ?? 0, zone_bounds[index + 1] ?? 0],
      drivers: [driver_bounds[index] ?? 0, driver_bounds[index + 1] ?? 0],
      passengers: [passenger_bounds[index] ?? 0, passenger_bounds[index + 1] ?? 0],
    })
  );
  const by_id = new Map(places.flatMap((place) => place.zones.map((zone) => [zone.id, zone])));
  return {
    places,
    place_shares: cumulate(shares),
    demand: total_demand(places),
    driver_count: drivers,
    utc_offset_us: (options.utc_offset_min ?? 0) * 60_000_000,
    zone: (id) => by_id.get(id),
  };
}

type Bounds = readonly [number, number];

/** Cuts `count` things into runs by share, at least one each: the bounds of the runs, one more than there are shares. */
function divide(count: number, shares: readonly number[]): number[] {
  const spare = count - shares.length;
  const rising = cumulate(shares);
  const total = rising[rising.length - 1] ?? 1;
  return [0, ...shares.map((_, index) => index + 1 + Math.round(spare * (rising[index] ?? 0) / total))];
}

function range<T>([first, end]: Bounds, make: (index: number) => T): T[] {
  return Array.from({ length: end - first }, (_, offset) => make(first + offset));
}

function make_place(
  random: Random,
  name: string,
  index: number,
  bounds: { readonly zones: Bounds; readonly drivers: Bounds; readonly passengers: Bounds },
): Place {
  const slug = name.toLowerCase().replaceAll(/[^\p{L}\p{N}]+/gu, "-");
  const centre = known_centres[name] ?? [random.between(30, 55), random.between(-110, 25)];
  const zone_count = bounds.zones[1] - bounds.zones[0];
  const zones = range(
    bounds.zones,
    (number) => make_zone(random, number, number - bounds.zones[0], zone_count, centre),
  );
  const drivers = range(bounds.drivers, (number) => make_driver(random, number));
  const pickups = Array.from(
    { length: hours_of_week },
    (_, hour) => cumulate(zones.map((zone) => zone.demand[hour] ?? 0)),
  );
  const homes = cumulate(zones.map((zone) => zone.kind === "home" ? 1 : 0.15));
  const works = cumulate(zones.map((zone) => zone.kind === "business" ? 1.5 : zone.kind === "campus" ? 0.6 : 0.1));
  const outings = cumulate(zones.map((zone) => zone.kind === "nightlife" ? 1.5 : 0.2));
  const zone_at = (cumulative: Float64Array): Zone => zones[random.weighted(cumulative)] ?? random.pick(zones);
  const passengers = range(bounds.passengers, (number): Passenger => ({
    id: `P${String(number + 1).padStart(5, "0")}`,
    name: faker.person.fullName(),
    home: zone_at(homes),
    work: zone_at(works),
    favourite: zone_at(outings),
    commutes: random.chance(0.6),
    vehicle_type: pick_vehicle_type(random),
    payment_method: pick_payment_method(random),
    generosity: random.fraction(),
  }));
  const by_vehicle = vehicle_types.map((
    type,
  ) => [type, drivers_on_shift(drivers.filter((driver) => driver.vehicle_type === type))]);
  return {
    index,
    name,
    source: `/fleet/${slug}`,
    zones,
    drivers,
    passengers,
    pickups,
    on_shift: Object.fromEntries(by_vehicle),
  };
}

function total_demand(places: readonly Place[]): Float64Array {
  const total = new Float64Array(hours_of_week);
  for (const place of places) {
    for (let hour = 0; hour < hours_of_week; hour++) {
      total[hour] = (total[hour] ?? 0) + (place.pickups[hour]?.at(-1) ?? 0);
    }
  }
  const mean = total.reduce((sum, value) => sum + value, 0) / hours_of_week;
  return total.map((value) => value / mean);
}
