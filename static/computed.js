import { format_age } from "./format.js";

/** What to say of figures that are computed from trips and not kept ready. Pure. */
export function computed_note({ age_ms, failed }, since_ms) {
  const ago = age_ms === null ? null : `${format_age(age_ms + since_ms)} ago`;
  if (failed !== null) return `not computed: ${failed}${ago === null ? "" : `; these are from ${ago}`}`;
  return ago === null ? "computing from trips" : `computed from trips, ${ago}`;
}
