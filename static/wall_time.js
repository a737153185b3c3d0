import { zone_offset_s } from "./format.js";

/** Times as a form's fields have them, on the clocks of a zone. Pure. */

/** "2026-03-08T01:30:00" of an instant. */
export function to_wall(ms, zone) {
  return new Date(ms + zone_offset_s(Math.floor(ms / 1_000), zone) * 1_000).toISOString().slice(0, 19);
}

/** The instant of such a text; of an hour that comes twice the first, of one that is skipped the moment after. Null when it is none. */
export function from_wall(text, zone) {
  const wall_s = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d)?$/.test(text) ? Date.parse(`${text}Z`) / 1_000 : NaN;
  if (Number.isNaN(wall_s)) return null;
  // The offsets a day before and after are all that can hold between.
  const tries = [-86_400, 86_400].map((by_s) => wall_s - zone_offset_s(wall_s + by_s, zone)).sort((a, b) => a - b);
  const found = tries.find((t_s) => t_s + zone_offset_s(t_s, zone) === wall_s);
  return (found ?? tries[1]) * 1_000;
}
