import { format_count, format_decimal, format_short } from "./format.js";
import { change_of } from "./map_plane.js";
import { dimension_of, key_words } from "./page.js";

/** What a map says: its places, its steps, its figures in words. Pure. */

/** A change in %. */
const format_part = (part) => `${part < 0 ? "−" : "+"}${format_decimal(Math.abs(part) * 100, 0)} %`;

/** A figure in its unit. */
export function format_value(value, unit, currency) {
  if (value === null) return "–";
  if (unit === "count") return format_count(value);
  const text = Math.abs(value) < 1_000 ? format_decimal(value, 2) : format_count(value);
  return `${text} ${{ money: currency, percent: "%" }[unit] ?? unit}`;
}

/** Where the middle of a shape is: "40.755° N, 73.984° W". */
export function where_of({ x, y }) {
  const lat = Math.atan(Math.sinh(Math.PI * (1 - 2 * y))) * 180 / Math.PI, lon = ((x % 1 + 1) % 1 - 0.5) * 360;
  const side = (degrees, [plus, minus]) => `${format_decimal(Math.abs(degrees), 3)}° ${degrees < 0 ? minus : plus}`;
  return `${side(lat, "NS")}, ${side(lon, "EW")}`;
}

/** A place in words: [its name, its figure, what else is known of it]. `of`: {declared, map, compare, currency, least_base}. */
export function words_of(
  place,
  { declared, map: { place: dimension, figure, change }, compare, currency, least_base },
) {
  const { label, unit } = declared.map.figures.find(({ name }) => name === figure);
  const { kind } = declared.map.places.find((each) => each.dimension === dimension);
  const words = [
    `${key_words(dimension_of(declared, dimension), place.key)}${kind === "h3" ? ` at ${where_of(place.shape)}` : ""}`,
    `${label} ${format_value(place.value, unit, currency)}`,
  ];
  if (!change || place.then === null) return words;
  const part = change_of(place, least_base);
  const then = compare === "previous" ? "the period before" : "the same weekday";
  words.push(
    `${then} ${format_value(place.then.value, unit, currency)}${part === null ? "" : ` (${format_part(part)})`}`,
  );
  return words;
}

/** The steps of a change in words, from least to most. */
export const CHANGE_WORDS = [
  "down by half or more",
  "down 15 % or more",
  "about the same",
  "up 15 % or more",
  "up by half or more",
];

/** The steps of values between borders in words. */
export function step_words(values, borders) {
  const least = Math.min(...values), most = Math.max(...values);
  const short = (value) =>
    Number.isInteger(value) || value >= 1_000 ? format_short(value, 10_000) : format_decimal(value, 1);
  return [...borders, null].map((to, i) => {
    const from = i === 0 ? least : borders[i - 1];
    if (to === null) return from === most ? short(from) : `${short(from)} to ${short(most)}`;
    return `${short(from)} to under ${short(to)}`;
  });
}
