import { format_count, format_decimal, format_short } from "./format.js";
import { condense, ratio, settled } from "./series.js";

/** What the cards say. Pure. */

const SPARK_POINTS = 40;

/** Cards: whether more is `better` (1), worse (-1) or neither (0); other names of field and sparkline's column; `per` another column. */
export const CARDS = {
  trips: { better: 1 },
  in_progress: {},
  completed: { better: 1 },
  canceled: { better: -1 },
  per_minute: { better: 1, digits: 1, column: "trips" },
  revenue: { better: 1 },
  average_fare: { better: 1, digits: 2, column: "revenue", per: "fare_count" },
  fare_percentiles: { better: 1, digits: 2, field: "fare_p50" },
  fare_range: { digits: 2, field: "min_fare" },
  average_distance: { better: 0, digits: 2, field: "average_distance_km", column: "distance_km", per: "completed" },
  duration: { better: 0, digits: 1, field: "duration_p50_min" },
  most_active: {},
};

// Of a stretch [from_s, to_s); null when it is not known.
function figure_of(name, cards, { from_s, to_s }) {
  if (name === "per_minute") return to_s > from_s ? cards.trips / (to_s - from_s) * 60 : null;
  return cards[CARDS[name].field ?? name] ?? null;
}

const share_of = ({ completed, canceled }) => completed + canceled > 0 ? canceled / (completed + canceled) : null;

/** How a figure changed: {text, tone: "good", "bad" or ""}, null: not known. A share changes in points. */
export function change_of(now, before, better, share = false) {
  if (now === null || before === null) return null;
  const signed = (value, digits) => {
    const size = format_decimal(Math.abs(value), digits);
    return `${/[1-9]/.test(size) ? (value < 0 ? "−" : "+") : "±"}${size}`;
  };
  const part = 100 * (now - before) / before;
  const relative = () =>
    part < 999.5 ? `${signed(part, Math.abs(part) < 9.95 ? 1 : 0)} %` : `×${format_short(now / before, 10_000)}`;
  // There is no part of nothing.
  const absolute = () => now === 0 ? "±0" : "from 0";
  const text = share ? `${signed(100 * (now - before), 1)} pt` : before === 0 ? absolute() : relative();
  // Perhaps nobody counted then: more than nothing is no praise.
  const gain = text.startsWith("±") || before === 0 && !share ? 0 : better * (now - before);
  return { text, tone: gain > 0 ? "good" : gain < 0 ? "bad" : "" };
}

// Against the same weekday and the period before; "–" where it is not known. `unlike` is bases.js.
function changes_of(name, better, { cards, compared, passed, misleads, unlike }, tell) {
  const share = name === "canceled";
  const of = (some, stretch) => share ? share_of(some) : figure_of(name, some, stretch);
  return ["weekday", "previous"].map((against) => {
    const then = compared?.[against] ?? null;
    const before = then?.cards ? of(then.cards, then) : null;
    const change = before === null || misleads && !unlike ? null : change_of(of(cards, passed), before, better, share);
    const told = { name: against === "previous" ? "before" : against, text: "–", tone: "", then, ...change };
    return unlike?.(name, told, before, tell) ?? told;
  });
}

/** By card: {value, text, unit, changes, spark}. @returns {any} */
export function card_figures(sight) {
  const { address, cards, columns, passed, currency, breakdowns } = sight;
  const spark = (name) => condense(settled(columns[name], columns.running), SPARK_POINTS);
  const text_of = (value, digits = 2) =>
    (value ?? null) === null ? "–" : value < 1e6 ? format_decimal(value, digits) : format_short(value, 0);
  const units = cards === null ? {} : {
    in_progress: `${address.as_of ? "then" : "now"} · ${format_count(cards.requested_now)} requested`,
    completed: cards.conflicts > 0 ? `${format_count(cards.conflicts)} after a cancellation` : "",
    canceled: [
      share_of(cards) === null ? "" : `${format_decimal(100 * share_of(cards), 1)} %`,
      cards.voided > 0 ? `${format_count(cards.voided)} voided` : "",
    ].filter(Boolean).join(" · "),
    per_minute: "trips",
    revenue: currency,
    average_fare: currency,
    fare_percentiles: `${text_of(cards.fare_p95)} ${currency}`,
    fare_range: `${text_of(cards.max_fare)} ${currency}`,
    average_distance: "km",
    duration: `${text_of(cards.duration_p95_min, 1)} · avg ${text_of(cards.average_duration_min, 1)}`,
  };
  const points = (column, per) => !columns[column] ? [] : per ? ratio(spark(column), spark(per)) : spark(column);
  const [zone, driver] = ["pickup_zone", "driver"].map((dimension) =>
    breakdowns.find((each) => each.dimension === dimension)?.rows.find(({ key }) => key !== null && key !== "unknown")
  );
  const most_active = {
    value: zone?.key ?? null,
    text: zone?.key.replace(/^\d+$/, "Zone $&") ?? "–",
    unit: zone ? format_short(zone.trips) : "",
    changes: !driver ? [] : [{ name: driver.key, text: format_short(driver.trips), then: null }],
    spark: [],
  };
  return Object.fromEntries(
    Object.entries(CARDS).map(([name, { better, digits, column = name, per }]) => {
      if (name === "most_active") return [name, most_active];
      const value = cards === null ? null : figure_of(name, cards, passed);
      if (value === null) return [name, { value, text: "–", unit: "", changes: [], spark: [] }];
      const tell = (value) =>
        digits === undefined && !(name === "revenue" && value < 1_000) ? format_short(value) : text_of(value, digits);
      const changes = better === undefined ? [] : changes_of(name, better, sight, tell);
      return [name, { value, text: tell(value), unit: units[name] ?? "", changes, spark: points(column, per) }];
    }),
  );
}

/** An SVG path through values, in 100 by `height`. */
export function spark_path(values, height) {
  const top = Math.max(...values);
  if (values.length < 2 || top <= 0) return "";
  const x = (i) => (i / (values.length - 1) * 100).toFixed(1);
  return `M${values.map((value, i) => `${x(i)} ${(height - value / top * (height - 2)).toFixed(1)}`).join("L")}`;
}
