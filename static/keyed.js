import { colour } from "./charts.js";
import { format_count, format_decimal, format_short } from "./format.js";
import { show_legend } from "./key_legend.js";
import { paint_candles, paint_markers, scaled } from "./key_marks.js";
import { by_id, declared, dimension_of, key_words, set_text } from "./page.js";
import { split_running } from "./series.js";

/**
 * Charts with a line for each of the greatest keys of a dimension, and candles of the one that a filter leaves. The board says which key has
 * which line: its colour and its marker stay while it is among the greatest. Loaded where a board declares such charts.
 */

/** Of lines, in both themes: told apart by every kind of sight, and by their markers without any colour. */
export const COLOURS = [
  ["#0022ff", "#44aaff"],
  ["#ff5500", "#cc7722"],
  ["#0099bb", "#aaff33"],
  ["#662288", "#8833ee"],
  ["#cc7755", "#ffbb88"],
  ["#220033", "#eeeedd"],
  ["#aa55ff", "#995599"],
  ["#771100", "#cc1144"],
];
const root = globalThis.document?.documentElement;
COLOURS.forEach((pair, i) => root?.style.setProperty(`--k${i}`, `light-dark(${pair})`));

const OTHERS = { token: "--ink-3", dash: [5, 4] };

/** The key that a filter leaves of a chart's dimension, where candles are drawn of it; else null. Pure. */
export function candle_key({ by, candles }, { filter }) {
  const only = filter.find(({ dimension, keys, excluded }) => dimension === by && !excluded && keys.length === 1);
  return candles && only ? only.keys[0] : null;
}

/** The lines of a chart by key: [{key, name, column, token, place, hidden}]; of all others the key is "". Pure. */
export function lines_of({ name, by, top, others }, { board: { keyed }, address: { hidden }, declared }) {
  const { keys = [], others: count = 0 } = keyed?.[by] ?? {};
  const is_hidden = (key) => hidden.includes(`${by}=${key}`);
  const words = dimension_of(declared, by);
  const own = keys.slice(0, top).flatMap((key, place) =>
    key === null ? [] : [{
      key,
      name: key_words(words, key),
      column: `${name}.${place}`,
      token: `--k${place}`,
      place,
      hidden: is_hidden(key),
    }]
  );
  if (!others || count === 0) return own;
  const rest = { key: "", name: `${format_count(count)} others`, column: `${name}.others`, hidden: is_hidden("") };
  return [...own, { ...rest, ...OTHERS, place: null }];
}

/** What of a chart is in sight, as readout.js and others tell it: lines, or the parts of candles. Pure. */
export function shown_keys(chart, sight) {
  if (candle_key(chart, sight.address) === null) return lines_of(chart, sight).filter(({ hidden }) => !hidden);
  return Object.entries(chart.candles).map(([name, column]) => ({
    name,
    column,
    token: "--ink-2",
    ...name === "volume" ? { format: format_count } : {},
  }));
}

/** Puts the columns of a chart beside the others in sight: null where nothing is known, or where nothing was counted of what has gaps. Pure. */
export function add_columns({ name, top, gaps }, { board: { buckets }, columns, declared }) {
  const known = columns[declared.series[0]];
  const add = (part, blank) =>
    columns[`${name}.${part}`] = columns.x.map((t, i) =>
      buckets.get(t)?.[`${name}.${part}`] ?? (blank || known[i] === null ? null : 0)
    );
  for (let i = 0; i < top; i++) add(i, gaps);
  add("others", gaps);
}

const stroke = (token, more = {}) => {
  const { width = 1.7, dash = [] } = more;
  return {
    stroke: colour(token),
    width: scaled(width),
    dash: dash.map(scaled),
    points: { show: false, size: scaled(5), width: scaled(1.5) },
  };
};

/** What uPlot needs for a chart: `base` are the options of any chart, `look()` is what is in sight. */
export function options_of(base, chart, look) {
  const { axes: [time, { incrs: _whole, ...values }], hooks, scales } = base;
  const pairs = Array.from({ length: chart.top + 1 }, (_, i) => i < chart.top ? { token: `--k${i}` } : OTHERS);
  const series = pairs.flatMap(({ token, dash }) => [stroke(token, { dash }), stroke(token, { dash: [2, 4] })]);
  // Highest and lowest of candles give the scale its reach; paint draws them.
  const reach = { ...stroke("--ink-3"), paths: () => null };
  const level = chart.gaps
    ? {
      scales: { ...scales, y: { range: (_u, low, high) => level_range(low, high, chart.least) } },
      axes: [time, { ...values, values: (_u, at, _axis, _space, step) => at.map((n) => format_level(n, step)) }],
    }
    : {};
  return {
    ...base,
    ...level,
    series: [{}, ...series, reach, reach],
    hooks: { ...hooks, draw: [(u) => paint(u, chart, look()), hooks.draw[1]] },
  };
}

/** The ends of an axis of levels, which need not begin at 0. Pure. */
export function level_range(low, high, least) {
  if (low === null) return [0, least || 1];
  const room = (high - low) * 0.08 || Math.abs(high) * 0.01 || 1;
  return [low < 0 ? low - room : Math.max(0, low - room), high + room];
}

function format_level(n, step) {
  const digits = step >= 1 ? 0 : Math.min(4, Math.ceil(-Math.log10(step)));
  return n >= 10_000 ? format_short(n, 10_000) : format_decimal(n, digits);
}

/** The columns that uPlot draws. Adds what it reads to those in sight, and shows title and legend. */
export function data_of(chart, sight) {
  add_columns(chart, sight);
  show_words(chart, sight);
  const { columns } = sight;
  const x = columns.x.map((t, i) => (t + columns.ends[i]) / 2);
  const none = columns.x.map(() => null);
  const candle = candle_key(chart, sight.address) !== null;
  const shown = new Map(candle ? [] : shown_keys(chart, sight).map(({ column, place }) => [place, columns[column]]));
  const places = [...Array.from({ length: chart.top }, (_, i) => i), null];
  const lines = places.flatMap((place) => split_running(shown.get(place) ?? none, columns.running));
  const part = (name) => candle ? columns[chart.candles[name]] : none;
  return [x, ...lines, part("high"), part("low")];
}

function paint(u, chart, sight) {
  if (candle_key(chart, sight.address) !== null) paint_candles(u, chart, sight);
  else paint_markers(u, shown_keys(chart, sight), sight);
}

function show_words(chart, sight) {
  const { by, title, name } = chart;
  const key = candle_key(chart, sight.address);
  const { parentNode: header } = by_id(`per_${name}`);
  const words = dimension_of(declared, by);
  set_text(header.firstChild, key === null ? title : `${title.split(" ")[0]} of ${key_words(words, key)}`);
  const own = declared.charts.filter((each) => each.by === by);
  // One legend for all charts of a dimension, with a line for all others where one of them has it.
  if (own[0] === chart) show_legend(header, words, lines_of(own.find(({ others }) => others) ?? chart, sight), sight);
}
