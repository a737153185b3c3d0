import { format_count, format_decimal, format_rate, format_short, format_step } from "./format.js";
import { condense, ratio, settled, sum } from "./series.js";

/** What the cards say. Pure. */

const SPARK_POINTS = 40;

/** By card: raw value, text, unit, the line below, and the points of its sparkline. `cards` as the feed sends them. */
export function card_figures(cards, columns, step_s, currency) {
  const { completed, canceled, conflicts } = cards;
  const values = (name) => settled(columns[name], columns.running);
  const spark = (name) => condense(values(name), SPARK_POINTS);
  const rate = (name) => {
    const known = values(name);
    return known.length === 0 ? "" : `${format_rate(sum(known) / known.length)} per ${format_step(step_s)}`;
  };
  const count = (value) => ({ value, text: format_short(value) });
  const measured = (value, unit) =>
    value === null ? { value, text: "–" } : { value, text: format_decimal(value, 2), unit };
  const duration = cards.average_duration_min;
  const share = completed + canceled === 0 ? "" : `${format_decimal(100 * canceled / (completed + canceled), 1)} %`;
  return {
    trips: { ...count(cards.trips), sub: rate("trips"), spark: spark("trips") },
    in_progress: {
      ...count(cards.in_progress),
      unit: "now",
      sub: `${format_count(cards.requested_now)} more requested`,
    },
    completed: {
      ...count(completed),
      sub: conflicts > 0 ? `${format_count(conflicts)} after a cancellation` : rate("completed"),
      spark: spark("completed"),
    },
    canceled: { ...count(canceled), unit: share, sub: "of trips that ended", spark: spark("canceled") },
    revenue: {
      ...(cards.revenue < 1_000 ? measured(cards.revenue) : count(cards.revenue)),
      unit: currency,
      sub: `+ ${format_short(cards.tips)} in tips`,
      spark: spark("revenue"),
    },
    average_fare: {
      ...measured(cards.average_fare, currency),
      sub: "per completed trip",
      spark: ratio(spark("revenue"), spark("completed")),
    },
    average_distance: {
      ...measured(cards.average_distance_km, "km"),
      sub: duration === null ? "" : `${format_decimal(duration, 1)} min on average`,
      spark: ratio(spark("distance_km"), spark("completed")),
    },
    fare_range: {
      ...measured(cards.min_fare, `– ${format_decimal(cards.max_fare ?? 0, 2)}`),
      sub: cards.min_fare === null ? "" : "mark: the average",
    },
  };
}

/** An SVG path through values, in a box of 100 by `height` that starts at zero; "" when there is nothing to draw. */
export function spark_path(values, height) {
  const top = Math.max(...values);
  if (values.length < 2 || top <= 0) return "";
  const x = (i) => (i / (values.length - 1) * 100).toFixed(1);
  return `M${values.map((value, i) => `${x(i)} ${(height - value / top * (height - 2)).toFixed(1)}`).join("L")}`;
}
