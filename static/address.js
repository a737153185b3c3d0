import { parse_marks } from "./marks_address.js";
import { PLAIN, RANGES } from "./plain_address.js";

/** What the page's address says: all that is shown, so that a link or the back button brings it again. Pure. */

/** What can be filtered by, in the order in which filters are written. */
export const DIMENSIONS = [
  "status",
  "payment_method",
  "vehicle_type",
  "city",
  "pickup_zone",
  "dropoff_zone",
  "driver",
  "passenger",
  "pickup_h3",
];
const MOST_KEYS = 20;

/** Reads an RFC 3339 time; null when it is none. */
export function parse_time(text) {
  // A plus sign that was not encoded reads as a space.
  const time = (text ?? "").replace(" ", "+");
  const ms = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)$/i.test(time) ? Date.parse(time) : NaN;
  return Number.isNaN(ms) ? null : ms;
}

/** A time as addresses and the API write it. */
export function format_time(ms) {
  return new Date(ms).toISOString().replace(".000Z", "Z");
}

/** Reads a query into what plain_address.js describes; what is not understood becomes the default. */
export function parse_address(search) {
  const params = new URLSearchParams(search);
  const one = (name, ...known) => known.find((value) => value === params.get(name)) ?? null;
  const range = one("range", ...Object.keys(RANGES));
  const [from_ms, to_ms, ms] = ["from", "to", "as_of"].map((name) => parse_time(params.get(name)));
  const custom = range === null && from_ms !== null && from_ms < to_ms;
  const position = /^\d{1,15}$/.exec(params.get("as_of_position") ?? "");
  const keys_of = (name) =>
    params.getAll(name).filter((key) => key.trim() !== "" && key.length <= 200).slice(0, MOST_KEYS);
  return {
    range: custom ? null : range ?? PLAIN.range,
    from_ms: custom ? from_ms : null,
    to_ms,
    filter: DIMENSIONS.flatMap((dimension) => {
      const excluded = keys_of(dimension).length === 0;
      const keys = [...new Set(keys_of(excluded ? `not_${dimension}` : dimension))].sort();
      return keys.length === 0 ? [] : [{ dimension, keys, excluded }];
    }),
    compare: one("compare", "previous") ?? "weekday",
    paused: params.get("paused") === "1",
    theme: one("theme", "light", "dark"),
    ...parse_marks(params),
    as_of: ms !== null ? { ms } : position && { position: Number(position) },
  };
}

/** The parameters of what is looked at, as pairs: those of the feed, and of the board as of then. */
export function view_query({ range, from_ms, to_ms, filter, compare, as_of }) {
  const pairs = from_ms === null ? [["range", range]] : [["from", format_time(from_ms)]];
  if (to_ms !== null) pairs.push(["to", format_time(to_ms)]);
  for (const { dimension, keys, excluded } of filter) {
    for (const key of keys) pairs.push([`${excluded ? "not_" : ""}${dimension}`, key]);
  }
  if (compare === "previous") pairs.push(["compare", compare]);
  if (as_of?.ms !== undefined) pairs.push(["as_of", format_time(as_of.ms)]);
  if (as_of?.position !== undefined) pairs.push(["as_of_position", `${as_of.position}`]);
  return pairs;
}
