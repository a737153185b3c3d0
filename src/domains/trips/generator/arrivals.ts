import type { City } from "./city.ts";
import { at_hour, hour_of_week } from "./city.ts";
import { hash32, Random } from "./random.ts";

/**
 * What goes wrong in the city on some hours, read off the seed and the hour alone, so that any moment can be asked at
 * any time and always answers the same.
 */

const hour_us = 3_600_000_000;
const minute_us = 60_000_000;

/** A place's rush out of one zone, as after a concert. */
export interface Spike {
  readonly zone: number;
  /** How many times as many trips as usual. */
  readonly factor: number;
}

/** The spike in a place at a time, or null. About one hour in six has one, of 10 to 25 minutes. */
export function spike_at(seed: number, place: number, zone_count: number, at_us: number): Spike | null {
  const hour = Math.floor(at_us / hour_us);
  const word = hash32(seed, 11, place, hour);
  if (word % 6 !== 0) return null;
  const [start_us, end_us] = span(word, hour, 10, 25);
  return at_us >= start_us && at_us < end_us
    ? { zone: (word >>> 8) % zone_count, factor: 3 + ((word >>> 4) % 3) }
    : null;
}

/**
 * When the outage of a place that covers this time ends, or null: messages wait until then, and arrive all at once.
 * About one hour in twenty has one, of 4 to 9 minutes.
 */
export function outage_end_us(seed: number, place: number, at_us: number): number | null {
  const hour = Math.floor(at_us / hour_us);
  const word = hash32(seed, 12, place, hour);
  if (word % 20 !== 0) return null;
  const [start_us, end_us] = span(word, hour, 4, 9);
  return at_us >= start_us && at_us < end_us ? end_us : null;
}

/** A span of whole minutes inside an hour. */
function span(word: number, hour: number, least_min: number, most_min: number): readonly [number, number] {
  const length_min = least_min + ((word >>> 12) % (most_min - least_min + 1));
  const start_us = hour * hour_us + ((word >>> 20) % (60 - length_min)) * minute_us;
  return [start_us, start_us + length_min * minute_us];
}

export interface ArrivalOptions {
  readonly seed: number;
  readonly start_us: number;
  readonly rate: number;
  readonly variability: number;
  readonly anomalies: boolean;
}

/**
 * When trips are requested: `rate` a second on the average of a week. Variability 0 spaces them evenly; 1 follows the
 * city's demand through the week, with gusts, and with gaps as random as independent people make them.
 */
export class Arrivals {
  readonly #city: City;
  readonly #options: ArrivalOptions;
  readonly #random: Random;
  #at_us: number;
  #minute = -1;
  /** Requests a microsecond during the current minute. */
  #intensity = 0;

  constructor(city: City, options: ArrivalOptions) {
    this.#city = city;
    this.#options = options;
    this.#random = new Random(options.seed, options.start_us, 21);
    this.#at_us = options.start_us;
  }

  /** The time of the next request, in microseconds, on a whole millisecond. Never before the one it gave last. */
  next(): number {
    const { variability } = this.#options;
    // What is left of the gap, in requests: passing through a busy minute uses it up faster.
    let gap = 1 - variability + variability * this.#random.exponential();
    for (;;) {
      const minute = Math.floor(this.#at_us / minute_us);
      if (minute !== this.#minute) {
        this.#minute = minute;
        this.#intensity = this.#intensity_of(minute);
      }
      const minute_end_us = (minute + 1) * minute_us;
      const room = (minute_end_us - this.#at_us) * this.#intensity;
      if (gap < room) {
        this.#at_us += gap / this.#intensity;
        return Math.floor(this.#at_us / 1_000) * 1_000;
      }
      gap -= room;
      this.#at_us = minute_end_us;
    }
  }

  #intensity_of(minute: number): number {
    const { seed, rate, variability, anomalies } = this.#options;
    const middle_us = (minute + 0.5) * minute_us;
    const demand = at_hour(this.#city.demand, hour_of_week(middle_us, this.#city.utc_offset_us));
    const gust = 1 + 0.3 * variability * (hash32(seed, 22, minute) / 0xffff_ffff - 0.5);
    let intensity = (rate / 1_000_000) * (1 + variability * (demand - 1)) * gust;
    if (anomalies) intensity *= 1 + this.#spike_share(middle_us);
    return intensity;
  }

  /** What spikes add, as a share of the usual demand. */
  #spike_share(at_us: number): number {
    const { places, place_shares } = this.#city;
    const total = place_shares[places.length - 1] ?? 1;
    return places.reduce((sum, place, index) => {
      const spike = spike_at(this.#options.seed, index, place.zones.length, at_us);
      const share = ((place_shares[index] ?? 0) - (place_shares[index - 1] ?? 0)) / total;
      return sum + (spike === null ? 0 : share * (spike.factor - 1));
    }, 0);
  }
}
