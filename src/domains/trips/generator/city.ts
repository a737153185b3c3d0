import { faker } from "@faker-js/faker/locale/en";
import {
  cumulate,
  evened,
  type Habit,
  hash_text,
  hours_of_week,
  is_weekend,
  Random,
  weekly_demand,
} from "../../generator/mod.ts";

/** What a zone is mostly for; it decides when people want to leave it. */
type ZoneKind = "home" | "business" | "nightlife" | "campus" | "airport";

/** How much a zone of a kind is wanted as a place to leave. */
const habits: Readonly<Record<ZoneKind, Habit>> = {
  home: { base: 0.1, workdays: [[7.75, 1.2, 1.1], [18.5, 2.5, 0.45]], weekend: [[11, 3, 0.5], [19.5, 2.2, 0.7]] },
  business: { base: 0.08, workdays: [[8.5, 1.5, 0.4], [12.5, 1.4, 0.5], [17.75, 1.5, 1.5]], weekend: [[14, 3.5, 0.3]] },
  nightlife: { base: 0.08, workdays: [[19, 2, 0.4], [22, 1.8, 0.6]], weekend: [[20, 2, 0.6], [23.75, 2.2, 1.7]] },
  campus: { base: 0.06, workdays: [[9.5, 1.5, 0.5], [15.5, 2.2, 0.9]], weekend: [[16, 4, 0.3]] },
  airport: { base: 0.12, workdays: [[7, 2, 0.8], [18, 3, 0.9]], weekend: [[10, 3, 0.6], [19, 3, 0.9]] },
};

/** How fast traffic moves at an hour of the week, km/h: free at night, slow when everybody drives. */
export function traffic_speed_km_h(hour: number): number {
  const of_day = hour % 24;
  const rush = (peak: number, width: number): number => Math.exp(-0.5 * ((of_day - peak) / width) ** 2);
  const crowd = is_weekend(hour) ? 0.5 * rush(15, 4) : rush(8.3, 1.3) + rush(17.6, 1.8);
  return 36 - 15 * Math.min(1, crowd) - (of_day > 6 && of_day < 22 ? 3 : 0);
}

export const vehicle_types = ["economy", "comfort", "electric", "suv", "van", "scooter"] as const;
export type VehicleType = (typeof vehicle_types)[number];

export const payment_methods = ["card", "wallet", "cash", "voucher"] as const;
export type PaymentMethod = (typeof payment_methods)[number];

const vehicle_shares = cumulate([0.42, 0.2, 0.13, 0.11, 0.06, 0.08]);
const payment_shares = cumulate([0.55, 0.2, 0.2, 0.05]);

/** The vehicle type of a driver, or the one a passenger usually asks for. */
export function pick_vehicle_type(random: Random): VehicleType {
  return vehicle_types[random.weighted(vehicle_shares)] ?? "economy";
}

/** A way to pay, as often as the city pays so. */
export function pick_payment_method(random: Random): PaymentMethod {
  return payment_methods[random.weighted(payment_shares)] ?? "card";
}

/** How likely a fare paid so is tipped at all. */
export const tip_shares: Readonly<Record<PaymentMethod, number>> = {
  card: 0.6,
  wallet: 0.4,
  cash: 0.15,
  voucher: 0.05,
};

/** Who cancels, and why. The list repeats what happens more often. */
export const cancellations: readonly { readonly canceled_by: string; readonly reason: string }[] = [
  { canceled_by: "passenger", reason: "changed_plans" },
  { canceled_by: "passenger", reason: "changed_plans" },
  { canceled_by: "passenger", reason: "waited_too_long" },
  { canceled_by: "passenger", reason: "found_another_ride" },
  { canceled_by: "driver", reason: "passenger_not_found" },
  { canceled_by: "driver", reason: "passenger_not_found" },
  { canceled_by: "driver", reason: "vehicle_problem" },
  { canceled_by: "system", reason: "no_driver_nearby" },
  { canceled_by: "system", reason: "payment_refused" },
];

/** Why a fare is corrected, and by which factors the fare is multiplied. */
export const adjustments: readonly { readonly reason: string; readonly factor: readonly [number, number] }[] = [
  { reason: "toll_added", factor: [1.05, 1.3] },
  { reason: "waiting_time_added", factor: [1.05, 1.2] },
  { reason: "route_corrected", factor: [0.7, 0.95] },
  { reason: "refund_granted", factor: [0, 0.5] },
];

/** Kilometres in a degree of latitude. */
export const km_per_degree = 111.2;

/** A part of a place. `id` is unique in the whole city. */
export interface Zone {
  readonly id: string;
  readonly name: string;
  readonly kind: ZoneKind;
  readonly lat: number;
  readonly lon: number;
  /** How many pickups it draws in each hour of the week, relative to the other zones. */
  readonly demand: Float64Array;
  /** The mean of `demand`. */
  readonly mean_demand: number;
}

/** Makes the `nth` of `count` zones of a place around its centre [latitude, longitude]; `number` counts through all places. */
function make_zone(
  random: Random,
  number: number,
  nth: number,
  count: number,
  centre: readonly [number, number],
): Zone {
  const airport = count > 4 && nth === count - 1;
  // Turning by the golden angle while moving outwards covers a disc of 5.5 km evenly; the airport lies north-west of it.
  const radius_km = airport ? 12 : 5.5 * Math.sqrt((nth + 0.3) / count);
  const angle = airport ? 2.6 : nth * 2.399963;
  const kind = airport ? "airport" : zone_kind(random, radius_km);
  const size = random.between(0.5, 1.5) * (radius_km < 2.5 || airport ? 1.6 : 1);
  const demand = weekly_demand(habits[kind]).map((value) => value * size);
  return {
    id: String(number + 1),
    name: airport ? "Airport" : faker.location.street(),
    kind,
    lat: centre[0] + (radius_km * Math.sin(angle)) / km_per_degree,
    lon: centre[1] + (radius_km * Math.cos(angle)) / (km_per_degree * Math.cos((centre[0] * Math.PI) / 180)),
    demand,
    mean_demand: demand.reduce((sum, value) => sum + value, 0) / demand.length,
  };
}

/** Offices and bars in the middle, homes around them. */
function zone_kind(random: Random, radius_km: number): ZoneKind {
  const draw = random.fraction();
  if (radius_km < 2.5) return draw < 0.5 ? "business" : draw < 0.75 ? "nightlife" : "home";
  return draw < 0.65 ? "home" : draw < 0.78 ? "business" : draw < 0.9 ? "campus" : "nightlife";
}

export interface Driver {
  readonly index: number;
  readonly id: string;
  readonly name: string;
  readonly vehicle_type: VehicleType;
  /** Hour of the day at which the shift starts, local time. */
  readonly shift_start_hour: number;
  readonly shift_hours: number;
  /** The weekdays without a shift, Monday is 0. */
  readonly days_off: readonly number[];
}

/** Makes the driver with this index (counted through all places); the name is the next that the seeded faker gives. */
function make_driver(random: Random, index: number): Driver {
  const day_off = random.whole(0, 7);
  return {
    index,
    id: `D${String(index + 1).padStart(4, "0")}`,
    name: faker.person.fullName(),
    vehicle_type: pick_vehicle_type(random),
    // Early, day and evening shifts; a few drive through the night.
    shift_start_hour: [5, 7, 9, 13, 15, 17, 20][random.whole(0, 7)] ?? 7,
    shift_hours: random.whole(7, 11),
    days_off: [day_off, (day_off + random.whole(1, 4)) % 7],
  };
}

/** The drivers on shift in each hour of the week. */
function drivers_on_shift(drivers: readonly Driver[]): Driver[][] {
  const on_shift = Array.from({ length: hours_of_week }, (): Driver[] => []);
  for (const driver of drivers) {
    for (let day = 0; day < 7; day++) {
      if (driver.days_off.includes(day)) continue;
      for (let hour = 0; hour < driver.shift_hours; hour++) {
        on_shift[(day * 24 + driver.shift_start_hour + hour) % hours_of_week]?.push(driver);
      }
    }
  }
  return on_shift;
}

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

interface CityOptions {
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
  return evened(total);
}
