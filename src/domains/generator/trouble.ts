import type { Planted } from "../declared.ts";
import { hash32 } from "./random.ts";

/**
 * What goes wrong on some hours, read off the seed and the hour alone, so that any moment can be asked at any time and always answers the
 * same: a test, or whoever looks for anomalies, knows of each where it is.
 */

const hour_us = 3_600_000_000;
const minute_us = 60_000_000;

/** A stretch of whole minutes inside an hour. */
export interface Trouble {
  readonly from_us: number;
  readonly until_us: number;
  /** 32 random bits of its own, for what else there is to know of it. */
  readonly word: number;
}

/** How often a kind of trouble comes to one place, and how long it lasts. */
export interface TroubleKind {
  /** A number of its own. */
  readonly kind: number;
  /** One hour in so many has it. */
  readonly one_in: number;
  readonly least_min: number;
  readonly most_min: number;
}

/** The trouble of a kind that a place has in the hour of a moment, or null. */
export function trouble_in(
  seed: number,
  { kind, one_in, least_min, most_min }: TroubleKind,
  place: number,
  at_us: number,
): Trouble | null {
  const hour = Math.floor(at_us / hour_us);
  const word = hash32(seed, kind, place, hour);
  if (word % one_in !== 0) return null;
  const length_min = least_min + ((word >>> 12) % (most_min - least_min + 1));
  const from_us = hour * hour_us + ((word >>> 20) % (60 - length_min)) * minute_us;
  return { from_us, until_us: from_us + length_min * minute_us, word };
}

/** The trouble of a kind that a place has at a moment, or null. */
export function trouble_at(seed: number, kind: TroubleKind, place: number, at_us: number): Trouble | null {
  const trouble = trouble_in(seed, kind, place, at_us);
  return trouble !== null && at_us >= trouble.from_us && at_us < trouble.until_us ? trouble : null;
}

/** Trouble as it is told, with the keys that it is of; null where there is none. */
export const told = <T extends Pick<Trouble, "from_us" | "until_us">>(
  kind: string,
  trouble: T | null,
  keys_of: (trouble: T) => Planted["keys"],
): Planted | null =>
  trouble === null ? null : { kind, from_us: trouble.from_us, until_us: trouble.until_us, keys: keys_of(trouble) };

/** All that is planted wholly between two moments, in order; `in_hour` says what the hour of a moment has. */
export function planted_between(
  from_us: number,
  until_us: number,
  in_hour: (at_us: number) => readonly (Planted | null)[],
): Planted[] {
  const first = Math.floor(from_us / hour_us), last = Math.ceil(until_us / hour_us);
  const hours = Array.from({ length: Math.max(0, last - first) }, (_, i) => (first + i) * hour_us);
  return hours.flatMap(in_hour).filter((each) => each !== null)
    .filter((each) => each.from_us >= from_us && each.until_us <= until_us)
    .sort((a, b) => a.from_us - b.from_us);
}
