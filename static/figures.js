import { format_count, format_decimal, format_rate, format_short } from "./format.js";
import { condense, ratio, settled } from "./series.js";

/** What the cards say. Pure. */

const SPARK_POINTS = 40;

/** Cards in their order: name, and whether more of it is better (1), worse (-1) or neither (0). */
export const CARDS = {
  trips: 1,
  in_progress: 0,
  completed: 1,
  canceled: -1,
  per_minute: 1,
  revenue: 1,
  average_fare: 1,
  fare_percentiles: 1,
  fare_range: 0,
  average_distance: 0,
  duration: 0,
  most_active: 0,
};

/** The figure that a card's change is about. Of a stretch [from_s, to_s); null when it is not known. */
function main_figure(name, cards, { from_s, to_s }) {
  const { completed, canceled } = cards;
  if (name === "canceled") return completed + canceled > 0 ? canceled / (completed + canceled) : null;
  if (name === "per_minute") return to_s > from_s ? cards.trips / (to_s - from_s) * 60 : null;
  const field = { fare_percentiles: "fare_p50", average_distance: "average_distance_km", duration: "duration_p50_min" };
  return cards[field[name] ?? name] ?? null;
}

/**
 * How a figure changed against an earlier one: text and tone ("good", "bad" or ""). Null when either is not known.
 * @param better 1: more is better, -1: worse, 0: neither
 * @param share whether both are shares, whose change is in percentage points
 */
export function change_of(now, before, better, share = false) {
  if (now === null || before === null) return null;
  const signed = (value, digits) => {
    const size = format_decimal(Math.abs(value), digits);
    return `${/[1-9]/.test(size) ? (value < 0 ? "−" : "+") : "±"}${size}`;
  };
  const part = (now - before) / before;
  const text = share
    ? `${signed(100 * (now - before), 1)} pt`
    : before === 0
    ? signed(now, Number.isInteger(now) ? 0 : 2)
    : `${Math.abs(part) < 9.995 ? signed(100 * part, 1) : signed(100 * part, 0)} %`;
  return { text, tone: text.startsWith("±") ? "" : { 1: "good", "-1": "bad" }[better * Math.sign(now - before)] ?? "" };
}

/** Changes of a card against each comparison: [{name, text, tone, from_s, to_s, value}], text "–" where nothing is known. */
function changes_of(name, better, cards, compared, passed) {
  const now = main_figure(name, cards, passed);
  return ["weekday", "previous"].map((against) => {
    const then = compared?.[against] ?? null;
    const value = then?.cards ? main_figure(name, then.cards, then) : null;
    const change = change_of(now, value, better, name === "canceled");
    return { name: against, text: "–", tone: "", ...change, value, from_s: then?.from_s, to_s: then?.to_s };
  });
}

/**
 * By card: raw value, text, unit, note, changes, and the points of its sparkline. All of it unknown while `cards` is null.
 * @param parts cards and `compared` as the feed sends them, columns of the window, and the stretch of it that has passed
 * @returns {any}
 */
export function card_figures({ cards, compared, columns, passed, currency }) {
  if (cards === null) return Object.fromEntries(Object.keys(CARDS).map((name) => [name, { value: null, text: "–" }]));
  const { completed, canceled, conflicts } = cards;
  const spark = (name) => condense(settled(columns[name], columns.running), SPARK_POINTS);
  const count = (value) => ({ value, text: format_short(value) });
  const measured = (value, unit = "") =>
    value === null || value === undefined
      ? { value: null, text: "–" }
      : { value, text: format_decimal(value, 2), unit };
  const second = (value, unit) =>
    value === null || value === undefined ? unit : `· ${format_decimal(value, 2)} ${unit}`;
  const minutes = (value) => value === null || value === undefined ? "–" : format_decimal(value, 1);
  const rate = main_figure("per_minute", cards, passed);
  const share = main_figure("canceled", cards, passed);
  const figures = {
    trips: { ...count(cards.trips), spark: spark("trips") },
    in_progress: { ...count(cards.in_progress), unit: "now", note: `${format_count(cards.requested_now)} requested` },
    completed: {
      ...count(completed),
      unit: conflicts > 0 ? `${format_count(conflicts)} after a cancellation` : "",
      spark: spark("completed"),
    },
    canceled: {
      ...count(canceled),
      unit: share === null ? "" : `· ${format_decimal(100 * share, 1)} %`,
      spark: spark("canceled"),
    },
    per_minute: { value: rate, text: rate === null ? "–" : format_rate(rate), unit: "trips", spark: spark("trips") },
    revenue: {
      ...(cards.revenue < 1_000 ? measured(cards.revenue) : count(cards.revenue)),
      unit: currency,
      title: `+ ${format_decimal(cards.tips, 2)} ${currency} in tips`,
      spark: spark("revenue"),
    },
    average_fare: {
      ...measured(cards.average_fare, currency),
      spark: ratio(spark("revenue"), spark("completed")),
    },
    fare_percentiles: measured(cards.fare_p50, second(cards.fare_p95, currency)),
    fare_range: { ...measured(cards.min_fare, second(cards.max_fare, currency)), max: cards.max_fare },
    average_distance: {
      ...measured(cards.average_distance_km, "km"),
      spark: ratio(spark("distance_km"), spark("completed")),
    },
    duration: {
      value: cards.duration_p50_min ?? null,
      text: minutes(cards.duration_p50_min),
      unit: `· ${minutes(cards.duration_p95_min)} · avg ${minutes(cards.average_duration_min)} min`,
    },
    most_active: { value: null, text: "" },
  };
  for (const [name, better] of Object.entries(CARDS)) {
    if (name === "in_progress" || name === "fare_range" || name === "most_active") continue;
    figures[name].changes = changes_of(name, better, cards, compared, passed);
  }
  return figures;
}

/** An SVG path through values, in a box of 100 by `height` that starts at zero; "" when there is nothing to draw. */
export function spark_path(values, height) {
  const top = Math.max(...values);
  if (values.length < 2 || top <= 0) return "";
  const x = (i) => (i / (values.length - 1) * 100).toFixed(1);
  return `M${values.map((value, i) => `${x(i)} ${(height - value / top * (height - 2)).toFixed(1)}`).join("L")}`;
}
