import { RANGES } from "./state.js";

/** How wide the buckets of charts are: what a reader may choose, for which ranges. Pure; the server refuses what is not among them. */

/** Grains from fine to coarse: their name, their width, and the longest range that they are for, seconds. */
export const GRAINS = {
  "1m": { label: "1 minute", step_s: 60, most_s: 21_600 },
  "5m": { label: "5 minutes", step_s: 300, most_s: 259_200 },
  "15m": { label: "15 minutes", step_s: 900, most_s: 864_000 },
  "1h": { label: "1 hour", step_s: 3_600, most_s: 3_888_000 },
  "1d": { label: "1 day", step_s: 86_400, most_s: 34_560_000 },
};

/** The usual length of a range that an address names, seconds; null of the newest events, which are of none. */
function length_of({ last, range, from_ms, to_ms }) {
  if (last !== undefined) return null;
  if (range === null) return (to_ms - from_ms) / 1_000;
  return RANGES[range] ?? { today: 86_400, yesterday: 86_400, week: 604_800 }[range];
}

/** The names of the grains that an address's range can be told by. */
export function grains_of(address) {
  const length_s = length_of(address);
  const fits = ({ step_s, most_s }) => length_s !== null && length_s >= step_s && length_s <= most_s;
  return Object.keys(GRAINS).filter((name) => fits(GRAINS[name]));
}

/** The grain after one, or after the usual one (null): by itself again after the last. */
export function next_grain(address, usual) {
  const fitting = grains_of(address).filter((name) => name !== usual);
  return fitting[fitting.indexOf(address.grain ?? null) + 1] ?? null;
}
