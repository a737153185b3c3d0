import { faker } from "@faker-js/faker/locale/en";
import { weekly_demand } from "./demand.ts";
import type { ZoneKind } from "./demand.ts";
import type { Random } from "./random.ts";

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
export function make_zone(
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
  const demand = weekly_demand(kind).map((value) => value * size);
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
