import type { Planted } from "../../declared.ts";
import { told, type Trouble, trouble_at, trouble_in, type TroubleKind } from "../../generator/mod.ts";
import type { City } from "./city.ts";

/** A place's rush out of one zone, as after a concert. */
export interface Spike {
  readonly zone: number;
  /** How many times as many trips as usual. */
  readonly factor: number;
}

const SPIKE: TroubleKind = { kind: 11, one_in: 6, least_min: 10, most_min: 25 };
const OUTAGE: TroubleKind = { kind: 12, one_in: 20, least_min: 4, most_min: 9 };

/** The spike in a place at a time, or null. About one hour in six has one, of 10 to 25 minutes. */
export function spike_at(seed: number, place: number, zone_count: number, at_us: number): Spike | null {
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
