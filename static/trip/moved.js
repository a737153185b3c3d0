import { format_clock, format_count, format_day, format_decimal } from "../format.js";
import { format_duration } from "./words.js";

/** The figures that an event moved, in words. Pure. */

const signed = (n, text) => `${n < 0 ? "−" : "+"}${text}`;
const count = (words) => (n) => `${signed(n, format_count(Math.abs(n)))} ${words}`;
const money = (words) => (n, currency) => `${signed(n, format_decimal(Math.abs(n) / 1e6, 2))} ${currency} ${words}`;

/** Each measure of the cells in words, in the order in which they are told. Those that are not told `always` are in the full list. */
const MEASURES = {
  trips: { always: true, words: (n) => count(Math.abs(n) === 1 ? "trip" : "trips")(n) },
  requested: { always: true, words: count("requested") },
  started: { always: true, words: count("started") },
  completed: { always: true, words: count("completed") },
  canceled: { always: true, words: count("canceled") },
  voided: { always: true, words: count("voided") },
  voids_waiting: { always: true, words: count("voided before its completion") },
  conflicts: { always: true, words: (n) => count(Math.abs(n) === 1 ? "conflict" : "conflicts")(n) },
  fare_sum_micros: { always: true, words: money("revenue") },
  tip_sum_micros: { always: true, words: money("tips") },
  distance_sum_m: { always: true, words: (n) => `${signed(n, format_decimal(Math.abs(n) / 1e3, 2))} km` },
  duration_sum_ms: { always: true, words: (n) => `${signed(n, format_duration(Math.abs(n) / 6e4))} duration` },
  fare_count: { always: false, words: count("with known fare") },
  distance_count: { always: false, words: count("with known distance") },
  duration_count: { always: false, words: count("with known duration") },
};

const DIMENSIONS = {
  none: () => "all trips",
  status: (key) => `status ${key.replaceAll("_", " ")}`,
  payment_method: (key) => `payment ${key}`,
  vehicle_type: (key) => `vehicle ${key}`,
  pickup_zone: (key) => `pickup zone ${key}`,
  dropoff_zone: (key) => `drop-off zone ${key}`,
  pickup_h3: (key) => `pickup cell ${key}`,
};

const GRAINS = { "5m": " 5 min", "1h": " hour", "1d": " day" };

/** Differences in words: "+1 completed", "+12.50 USD revenue". */
export function measure_words(measures, currency, full) {
  // A newer server may have measures of other names.
  const names = [...Object.keys(MEASURES), ...Object.keys(measures).filter((name) => !Object.hasOwn(MEASURES, name))];
  return names.filter((name) => Object.hasOwn(measures, name) && (full || (MEASURES[name]?.always ?? true)))
    .map((name) => (MEASURES[name]?.words ?? count(name.replaceAll("_", " ")))(Number(measures[name]), currency));
}

/** A bucket in words: "10:20", "10:20 5 min", "Fri 21 Nov, 10:20" when that is not the day of `day_ms`, "all time". */
function bucket_words({ bucket, grain }, { zone, now_ms }, day_ms) {
  if (grain === "all") return "all time";
  const ms = Date.parse(bucket);
  const day = format_day(ms, zone, now_ms);
  const other = day === format_day(day_ms, zone, now_ms) ? "" : `${day}, `;
  return `${other}${format_clock(ms, zone)}${GRAINS[grain] ?? ""}`;
}

/** What all trips together gained and lost: for each minute its differences. `day_ms` is a moment of the day that needs no naming. */
export function moved_in_all(cells, told, day_ms) {
  return cells.filter(({ dimension }) => dimension === "none").map((cell) => ({
    when: bucket_words(cell, told, day_ms),
    what: measure_words(cell.measures, told.currency, false),
  })).filter(({ what }) => what.length > 0);
}

/** All that was moved: cells that moved alike are told together, by their buckets. */
export function moved_in_full(cells, told, day_ms) {
  const groups = new Map();
  for (const cell of cells) {
    const what = measure_words(cell.measures, told.currency, true);
    const group = groups.get(what.join()) ?? { what, where: new Map() };
    groups.set(what.join(), group);
    const when = bucket_words(cell, told, day_ms);
    const place = (DIMENSIONS[cell.dimension] ?? ((key) => `${cell.dimension} ${key}`))(cell.key);
    group.where.set(when, [...group.where.get(when) ?? [], place]);
  }
  return [...groups.values()].map(({ what, where }) => ({
    what,
    where: [...where].map(([when, places]) => ({ when, places })),
  }));
}
