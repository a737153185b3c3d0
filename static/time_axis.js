import { format_clock, zone_offset_s } from "./format.js";

/** Marks of a time axis at round local times, right on days that have 23 or 25 hours. Pure. */

const MINUTES = [1, 2, 5, 10, 15, 30, 60, 120, 180, 240, 360, 720, 1440, 2880, 5760, 10080];
const WEEK_S = 604_800;
/** The first Monday of the epoch: weeks begin with one. */
const MONDAY_S = 345_600;

/** About `room` round times in [from_s, to_s]; an hour that comes twice has one. @returns {number[]} */
export function time_splits(from_s, to_s, zone, room) {
  const fits = MINUTES.find((minutes) => (to_s - from_s) / minutes / 60 <= room);
  const step = fits === undefined ? Math.ceil((to_s - from_s) / WEEK_S / room) * WEEK_S : 60 * fits;
  const phase = step % WEEK_S === 0 ? MONDAY_S : 0;
  const wall_to = to_s + zone_offset_s(to_s, zone);
  const first = Math.ceil((from_s + zone_offset_s(from_s, zone) - phase) / step) * step + phase;
  const splits = [];
  for (let wall = first; wall <= wall_to; wall += step) {
    const near = wall - zone_offset_s(wall, zone);
    const t = [wall - zone_offset_s(near, zone), near].find((at) => at + zone_offset_s(at, zone) === wall);
    if (t >= from_s && t <= to_s && !(t <= splits.at(-1))) splits.push(t);
  }
  return splits;
}

/** The time of day of each mark, and the date where a day begins. */
export function time_labels(splits, zone) {
  const date = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", timeZone: zone });
  const label = (t) =>
    (t + zone_offset_s(t, zone)) % 86_400 === 0 ? date.format(t * 1000) : format_clock(t * 1000, zone);
  return splits.map(label);
}
