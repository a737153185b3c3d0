import { by_id, set_text } from "./page.js";
import { split_running } from "./series.js";
import { time_labels, time_splits } from "./time_axis.js";
import { format_short, format_step } from "./format.js";

/** Two charts over one time axis, with one cursor. */

/** Steps of an axis of counts: 1, 2, 5, 10, … */
const WHOLE = Array.from({ length: 30 }, (_, i) => [1, 2, 5][i % 3] * 10 ** Math.floor(i / 3));
const LINES = [["completed", "--s1"], ["started", "--s3"], ["canceled", "--s4"]];
/** Room for a mark of time, in sizes of the type. */
const MARK = 7.6;
const PLACES = [by_id("chart_trips"), by_id("chart_revenue")];
const probe = by_id("probe");

/** A colour token as the canvas understands it. */
export function colour(token, alpha = 1) {
  probe.style.color = `var(${token})`;
  const [r, g, b] = getComputedStyle(probe).color.match(/[\d.]+/g);
  return `rgba(${r}, ${g}, ${b}, ${alpha})`;
}

/** The size of the type in charts, whole pixels: of "10.998px" uPlot would scale "998px". */
export function type_px() {
  return Math.round(parseFloat(getComputedStyle(probe).fontSize));
}

/** Dots of a chart's canvas for a pixel of the page; picture.js draws larger. */
export function dots_of({ scaled = 1 }) {
  return scaled * globalThis.uPlot.pxRatio;
}

/** `on_zoom({from_s, to_s})` hears of a drag, `on_unzoom` of a double click; `load` imports. */
export function make_charts({ on_zoom, on_unzoom, load }) {
  let charts = [], drawn = null, letter_px;
  let readout = null, marks = null, beyond = null;

  const shows = (line) => line === "revenue" || drawn.address.lines.includes(line);
  const size_of = ({ clientWidth: width, clientHeight: height }) => ({ width, height });

  function options_of(i) {
    letter_px = type_px();
    const axis = {
      stroke: colour("--ink-3"),
      font: `${letter_px}px system-ui, Inter, sans-serif`,
      ticks: { show: false },
      grid: { stroke: colour("--line-2"), width: 1 },
    };
    const splits = (u, _axis, from_s, to_s) => {
      const width = u.width / (u.scaled ?? 1);
      const edge_s = 2.2 * letter_px * (to_s - from_s) / width; // Else labels are cut off.
      return time_splits(from_s, to_s - edge_s, drawn.zone, width / MARK / letter_px);
    };
    const ink = colour("--ink-2");
    const top = (u, all_high) => {
      const values = u.series.flatMap(({ show }, at) => at > 0 && show ? u.data[at] : []);
      // One value may dwarf all others.
      if (beyond === null && all_high * values.length > 30 * values.reduce((sum, value) => sum + value, 0)) {
        need_beyond();
      }
      const high = beyond?.axis_high?.(values) ?? all_high;
      return Math.max([4, 10][i], high * 1.08, marks?.top(i, high) ?? 0);
    };
    return {
      ...size_of(PLACES[i]),
      legend: { show: false },
      padding: [marks?.room(i) ?? 8, 6, 0, 0],
      cursor: {
        sync: { key: "board" },
        y: false,
        drag: { setScale: false },
        points: { size: 7 },
        bind: { dblclick: () => on_unzoom },
      },
      scales: { x: { time: false }, y: { range: (u, _low, high) => [0, top(u, high)] } },
      axes: [
        {
          ...axis,
          gap: 0.8 * letter_px,
          size: 2.7 * letter_px,
          splits,
          values: (_u, at) => time_labels(at, drawn.zone),
        },
        {
          ...axis,
          gap: 0.6 * letter_px,
          size: 4.2 * letter_px,
          space: 2.5 * letter_px,
          incrs: WHOLE,
          values: (_u, at) => at.map((n) => format_short(n, 10_000)),
        },
      ],
      series: [{}, ...[lines, bars][i]()],
      hooks: {
        setSelect: [(u) => readout?.choose(u)],
        setCursor: [(u) => readout?.follow(u, i)],
        draw: [(u) => mark_corrected(u, ink), (u) => beyond?.mark?.(u, drawn.columns), (u) => marks?.paint(u, i)],
      },
    };
  }

  function line(name, token, more) {
    const { width = 1.4, dash = [], points = {} } = more;
    const k = letter_px / 11;
    return {
      line: name,
      show: shows(name),
      stroke: colour(token),
      ...more,
      width: width * k,
      dash: dash.map((n) => n * k),
      points: { show: false, ...points, size: 5 * k, width: 1.5 * k },
    };
  }

  const compared = () => line("compared", "--ink-3", { width: 1.2, dash: [4, 3] });

  function lines() {
    const running = () => drawn.columns.running < 0 ? null : [drawn.columns.running];
    const points = { show: true, fill: colour("--panel"), filter: running };
    return [
      compared(),
      ...LINES.flatMap(([name, token]) => {
        const main = name === "completed" ? { width: 1.8 } : {};
        const fill = name === "completed" ? colour(token, 0.1) : undefined;
        return [line(name, token, { ...main, fill }), line(name, token, { ...main, dash: [2, 4], points })];
      }),
    ];
  }

  function bars() {
    const paths = globalThis.uPlot.paths.bars({ size: [0.78, 44] });
    const bar = (fill, more) => line("revenue", "--s2", { paths, fill: colour("--s2", fill), ...more });
    return [bar(0.62, { width: 0 }), bar(0.14, { width: 1, dash: [2, 2] }), compared()];
  }

  function data_of(i) {
    const { columns } = drawn;
    // In the middle of its bucket.
    const x = columns.x.map((t, at) => (t + columns.ends[at]) / 2);
    const split = (name) => split_running(columns[name], columns.running);
    if (i === 0) return [x, columns.compared_completed, ...LINES.flatMap(([name]) => split(name))];
    const running_bar = columns.revenue.map((value, at) => at === columns.running ? value : null);
    return [x, split("revenue")[0], running_bar, columns.compared_revenue];
  }

  // Carets under corrected buckets, with room between them.
  function mark_corrected(u, ink) {
    const { ctx, bbox, data: [x] } = u;
    const r = 0.32 * letter_px * dots_of(u);
    const y = bbox.top + bbox.height + r / 2;
    let last = -Infinity;
    ctx.fillStyle = ink;
    drawn.columns.revised_ms.forEach((at_ms, i) => {
      const left = u.valToPos(x[i], "x", true);
      if (at_ms === 0 || left < bbox.left || left > bbox.left + bbox.width || left - last < 5 * r) return;
      last = left;
      ctx.beginPath();
      ctx.moveTo(left, y);
      ctx.lineTo(left - r, y + 1.5 * r);
      ctx.lineTo(left + r, y + 1.5 * r);
      ctx.fill();
    });
  }

  function need_beyond() {
    beyond = {};
    load("./beyond.js").then((module) => {
      beyond = module;
      rebuild();
    }, console.warn);
  }

  function build() {
    if (globalThis.uPlot === undefined) return;
    for (const chart of charts) chart.destroy();
    charts = PLACES.map((place, i) => new globalThis.uPlot(options_of(i), data_of(i), place));
    draw();
  }

  function draw() {
    charts.forEach((chart, i) => {
      chart.batch(() => {
        chart.series.forEach(({ line, show }, at) => {
          if (at > 0 && show !== shows(line)) chart.setSeries(at, { show: shows(line) });
        });
        chart.setData(data_of(i), false);
        chart.setScale("x", { min: drawn.view.from_s, max: drawn.view.to_s });
      });
    });
    readout?.refresh();
    tell();
  }

  function tell() {
    const per = format_step(drawn.step_s);
    set_text(by_id("per_trips"), `per ${per}, by completion time`);
    set_text(by_id("per_revenue"), `${drawn.currency} per ${per}`);
    PLACES[0].ariaLabel = `Trips completed per ${per}`;
    PLACES[1].ariaLabel = `Revenue, ${drawn.currency} per ${per}`;
  }

  const observer = new ResizeObserver(() => {
    charts.forEach((chart, i) => {
      const size = size_of(PLACES[i]);
      if (size.width > 0 && (size.width !== chart.width || size.height !== chart.height)) chart.setSize(size);
    });
  });
  // The readout comes with the first pointer or focus.
  const need_readout = async () => {
    const { make_readout } = await load("./readout.js");
    readout ??= make_readout({ places: PLACES, charts: () => charts, look: () => drawn, on_zoom });
  };
  for (const place of PLACES) {
    observer.observe(place);
    for (const name of ["pointerenter", "focus"]) place.addEventListener(name, need_readout, { once: true });
  }

  const rebuild = () => drawn !== null && build();
  by_id("uplot").addEventListener("load", rebuild);
  return {
    /** Draws {columns, step_s, zone, currency, view, address}. */
    show(what) {
      drawn = what;
      if (charts.length > 0 && letter_px === type_px()) draw();
      else setTimeout(build); // The first figures do not wait for charts.
    },
    /** Takes the colours and the size of the type anew. */
    recolour: rebuild,
    /** Takes {top(i, high), room(i), paint(chart, i)}: see chart_marks.js. */
    mark_with(next) {
      marks = next;
      rebuild();
    },
    /** What uPlot needs for chart `i`: [options, data]. */
    parts: (i) => [options_of(i), data_of(i)],
  };
}
