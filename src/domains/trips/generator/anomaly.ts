import { hash32 } from "./random.ts";

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
