import { format_clock, format_count, format_day, format_decimal } from "../format.js";
import { dimension_of, key_words } from "../page.js";
import { format_duration } from "./words.js";

/** The figures that an event moved, in words. Pure. */

const AMOUNTS = {
  count: (n) => format_count(n),
  money: (n, currency) => `${format_decimal(n, 2)} ${currency}`,
  km: (n) => `${format_decimal(n, 2)} km`,
  min: (n) => format_duration(n),
};
const GRAINS = { "5m": " 5 min", "1h": " hour", "1d": " day" };

/** "+1 completed", "+12.50 USD revenue". */
function difference({ words, unit, per }, n, currency) {
  const size = Math.abs(n) / per;
  return `${n < 0 ? "−" : "+"}${AMOUNTS[unit](size, currency)} ${words[size === 1 ? 0 : 1]}`.trim();
}

/** Differences in words, in the order in which they are declared; those that are not told always only when `full`. */
export function measure_words(measures, { declared, currency }, full) {
  const known = declared.measures.map(({ name }) => name);
  // A newer server may have measures of other names.
  const others = Object.keys(measures).filter((name) => !known.includes(name)).map((name) => {
    const words = name.replaceAll("_", " ");
    return { name, words: [words, words], unit: "count", per: 1, minor: false };
  });
  return [...declared.measures, ...others].filter(({ name, minor }) =>
    Object.hasOwn(measures, name) && (full || !minor)
  )
    .map((measure) => difference(measure, Number(measures[measure.name]), currency));
}

/** A cell's key in words: "all" of them, "status in progress". */
function place_words({ dimension: name, key }, { declared }) {
  if (name === declared.whole) return `all ${declared.many}`;
  const dimension = dimension_of(declared, name) ?? { label: name };
  return `${dimension.brief ?? dimension.label} ${key_words(dimension, key)}`;
}

/** A bucket in words: "10:20", "10:20 5 min", "Fri 21 Nov, 10:20" when that is not the day of `day_ms`, "all time". */
function bucket_words({ bucket, grain }, { zone, now_ms }, day_ms) {
  if (grain === "all") return "all time";
  const ms = Date.parse(bucket);
  const day = format_day(ms, zone, now_ms);
  const other = day === format_day(day_ms, zone, now_ms) ? "" : `${day}, `;
  return `${other}${format_clock(ms, zone)}${GRAINS[grain] ?? ""}`;
}

/** What all together gained and lost: for each minute its differences. `day_ms` is a moment of the day that needs no naming. */
export function moved_in_all(cells, told, day_ms) {
  return cells.filter(({ dimension }) => dimension === told.declared.whole).map((cell) => ({
    when: bucket_words(cell, told, day_ms),
    what: measure_words(cell.measures, told, false),
  })).filter(({ what }) => what.length > 0);
}

/** All that was moved: cells that moved alike are told together, by their buckets. */
export function moved_in_full(cells, told, day_ms) {
  const groups = new Map();
  for (const cell of cells) {
    const what = measure_words(cell.measures, told, true);
    const group = groups.get(what.join()) ?? { what, where: new Map() };
    groups.set(what.join(), group);
    const when = bucket_words(cell, told, day_ms);
    const place = place_words(cell, told);
    group.where.set(when, [...group.where.get(when) ?? [], place]);
  }
  return [...groups.values()].map(({ what, where }) => ({
    what,
    where: [...where].map(([when, places]) => ({ when, places })),
  }));
}
