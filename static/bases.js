import { format_moment, format_since } from "./format.js";

/** What is said in place of a change that would mislead: the log begins within the time of then, few trips, a backlog. Pure. */

/** What a figure counts, of which a percent of it needs enough. */
function base_of(name, { trips, completed, canceled, fare_count }) {
  if (name === "trips" || name === "per_minute") return trips;
  if (/fare|revenue/.test(name)) return fare_count;
  return name === "canceled" ? completed + canceled : completed;
}

/**
 * For figures.js: gives what to say of a change instead, undefined where it may be said. `told` is the change, `before` the figure
 * of then, `tell` its text.
 */
export function make_unlike({ shown, parts, zone: zone_of }, now_ms) {
  const behind = parts.troubles?.is_behind(shown, now_ms) ?? false;
  const zone = zone_of();
  return (name, told, before, tell) => {
    const { then } = told;
    const nothing = { ...told, text: "–", tone: "" };
    if (then === null || behind) return nothing;
    const { since_s = null, least_base = 0, to_s, cards } = then;
    if (since_s !== null) {
      const why = `nothing is known of before ${format_moment(since_s * 1000, zone, now_ms)}`;
      return since_s < to_s
        ? { ...nothing, name: "", text: `since ${format_since(since_s * 1000, zone, now_ms)}`, why }
        : { ...nothing, why };
    }
    if (before === null || base_of(name, cards) >= least_base) return undefined;
    return {
      ...nothing,
      text: `${name === "canceled" ? cards.canceled : tell(before)} then`,
      why: "too few for a percent",
    };
  };
}
