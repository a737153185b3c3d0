import { by_id, make } from "./page.js";
import { split_running } from "./series.js";
import { time_labels, time_splits } from "./time_axis.js";
import { format_clock, format_count, format_decimal, format_short } from "./format.js";

/** Steps of an axis of counts: 1, 2, 5, 10, … */
const WHOLE = Array.from({ length: 30 }, (_, i) => [1, 2, 5][i % 3] * 10 ** Math.floor(i / 3));

/** The two charts over one time axis and one cursor: counts as lines, revenue as bars. */

const LINES = [["completed", "--s1"], ["started", "--s3"], ["canceled", "--s4"]];
const MARK_PX = 84;
const PLACES = [by_id("chart_trips"), by_id("chart_revenue")];

// A colour token as the canvas understands it.
function colour(token, alpha = 1) {
  const probe = by_id("probe");
  probe.style.color = `var(${token})`;
  const [r, g, b] = getComputedStyle(probe).color.match(/[\d.]+/g);
  return `rgba(${r}, ${g}, ${b}, ${alpha})`;
}

function fading(token) {
  const [top, bottom] = [colour(token, 0.2), colour(token, 0)];
  return ({ ctx, bbox }) => {
    const gradient = ctx.createLinearGradient(0, bbox.top, 0, bbox.top + bbox.height);
    gradient.addColorStop(0, top);
    gradient.addColorStop(1, bottom);
    return gradient;
  };
}

/** The charts. `on_zoom({from_s, to_s})` hears of a drag over whole buckets, `on_unzoom` of a double click. */
export function make_charts({ on_zoom, on_unzoom }) {
  const shown = new Set(["completed"]);
  let charts = [], drawn = null;

  function make_chart(place, series, least) {
    const tip = make("div", "tip");
    tip.hidden = true;
    const axis = {
      stroke: colour("--ink-3"),
      font: "11px system-ui, Inter, sans-serif",
      ticks: { show: false },
      grid: { stroke: colour("--line-2"), width: 1 },
    };
    const splits = (u, _axis, from_s, to_s) => {
      const edge_s = 24 * (to_s - from_s) / u.width; // A label closer to the right edge would be cut off.
      return time_splits(from_s, to_s - edge_s, drawn.zone, u.width / MARK_PX);
    };
    const options = {
      width: place.clientWidth,
      height: place.clientHeight,
      legend: { show: false },
      padding: [8, 6, 0, 0],
      cursor: {
        sync: { key: "board" },
        y: false,
        drag: { setScale: false },
        points: { size: 7 },
        bind: { dblclick: () => on_unzoom },
      },
      scales: { x: { time: false }, y: { range: (_u, _low, high) => [0, Math.max(least, high * 1.08)] } },
      axes: [
        { ...axis, gap: 5, size: 26, splits, values: (_u, marks) => time_labels(marks, drawn.zone) },
        {
          ...axis,
          gap: 7,
          size: 46,
          space: 28,
          incrs: WHOLE,
          values: (_u, marks) => marks.map((n) => format_short(n, 10_000)),
        },
      ],
      series: [{}, ...series],
      hooks: { setSelect: [select], setCursor: [(u) => show_tip(u, tip)] },
    };
    const chart = new globalThis.uPlot(options, [[], ...series.map(() => [])], place);
    chart.over.append(tip);
    return chart;
  }

  function select(u) {
    const { left, width } = u.select;
    if (width < 6) return;
    u.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
    const { step_s } = drawn;
    const border = (px, round) => round(u.posToVal(px, "x") / step_s) * step_s;
    on_zoom({ from_s: border(left, Math.floor), to_s: border(left + width, Math.ceil) });
  }

  function show_tip(u, tip) {
    const i = u.cursor.idx;
    const start = drawn.columns.x[i];
    tip.hidden = start === undefined || u.cursor.left < 0;
    if (tip.hidden) return;
    const told = u === charts[1]
      ? [["revenue", "--s2", drawn.currency, (value) => format_decimal(value, 2)]]
      : LINES.filter(([name]) => shown.has(name)).map(([name, token]) => [name, token, name, format_count]);
    const clock = (t) => format_clock(t * 1000, drawn.zone);
    const so_far = i === drawn.columns.running ? " · so far" : "";
    const lines = told.map(([name, token, unit, format]) => {
      const swatch = make("i");
      swatch.style.background = `var(${token})`;
      const value = drawn.columns[name][i];
      const text = value === null ? "–" : format(value);
      return make("p", "", swatch, make("b", "", text), ` ${unit}`);
    });
    tip.replaceChildren(make("p", "", `${clock(start)} – ${clock(start + drawn.step_s)}${so_far}`), ...lines);
    const x = u.valToPos(start + drawn.step_s / 2, "x");
    tip.style.left = `${x > u.over.clientWidth / 2 ? x - tip.offsetWidth - 12 : x + 12}px`;
  }

  function line_series([name, token]) {
    const main = name === "completed";
    const base = { stroke: colour(token), width: main ? 1.8 : 1.4, show: shown.has(name) };
    const running = () => drawn.columns.running < 0 ? null : [drawn.columns.running];
    return [
      { ...base, fill: main ? fading(token) : undefined, points: { show: false } },
      { ...base, dash: [2, 4], points: { show: true, size: 5, width: 1.5, fill: colour("--panel"), filter: running } },
    ];
  }

  function build() {
    for (const chart of charts) chart.destroy();
    const bar = { paths: globalThis.uPlot.paths.bars({ size: [0.78, 44] }), points: { show: false } };
    charts = [
      make_chart(PLACES[0], LINES.flatMap(line_series), 4),
      make_chart(PLACES[1], [
        { ...bar, width: 0, fill: colour("--s2", 0.62) },
        { ...bar, width: 1, stroke: colour("--s2"), dash: [2, 2], fill: colour("--s2", 0.14) },
      ], 10),
    ];
  }

  function draw() {
    const { columns, step_s, view } = drawn;
    // A figure belongs to its whole bucket: it stands in the middle.
    const x = columns.x.map((t) => t + step_s / 2);
    const split = (name) => split_running(columns[name], columns.running);
    const [bars, dots] = split("revenue");
    // A bar needs no join with the one before.
    const running_bar = dots.map((value, i) => i === columns.running ? value : null);
    [[x, ...LINES.flatMap(([name]) => split(name))], [x, bars, running_bar]].forEach((data, i) => {
      charts[i].batch(() => {
        charts[i].setData(data, false);
        charts[i].setScale("x", { min: view.from_s, max: view.to_s });
      });
    });
  }

  const observer = new ResizeObserver(() => {
    charts.forEach((chart, i) => {
      const { clientWidth: width, clientHeight: height } = PLACES[i];
      if (width > 0 && (width !== chart.width || height !== chart.height)) chart.setSize({ width, height });
    });
  });
  PLACES.forEach((place) => observer.observe(place));

  return {
    /** Draws {columns, step_s, zone, currency, view}; `view` is the stretch of the x axis. */
    show(what) {
      drawn = what;
      if (charts.length === 0) build();
      draw();
    },
    /** Takes the colours anew. */
    recolour() {
      if (drawn === null) return;
      build();
      draw();
    },
    /** Shows or hides a line; says whether it is shown now. */
    toggle(name) {
      const show = !shown.delete(name);
      if (show) shown.add(name);
      const at = 1 + 2 * LINES.findIndex(([line]) => line === name);
      for (const i of [at, at + 1]) charts[0]?.setSeries(i, { show });
      return show;
    },
  };
}
