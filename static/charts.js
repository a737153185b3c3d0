import { by_id, declared, fill, make, set_text } from "./page.js";
import { split_running, time_labels, time_splits } from "./series.js";
import { format_short, format_step } from "./format.js";

/** The declared charts, over one time axis, with one cursor. */

/** Steps of an axis of counts: 1, 2, 5, 10, … */
const WHOLE = Array.from({ length: 30 }, (_, i) => [1, 2, 5][i % 3] * 10 ** Math.floor(i / 3));
/** Room for a mark of time, in sizes of the type. */
const MARK = 7.6;

/** A colour token as the canvas understands it. */
export function colour(token, alpha = 1) {
  const probe = by_id("probe");
  probe.style.color = `var(${token})`;
  const [r, g, b] = getComputedStyle(probe).color.match(/[\d.]+/g);
  return `rgba(${r}, ${g}, ${b}, ${alpha})`;
}

/** The size of the type in charts, whole pixels: of "10.9px" uPlot would scale "9px". */
export function type_px() {
  return Math.round(parseFloat(getComputedStyle(by_id("probe")).fontSize));
}

/** Puts a chart where the page has room. */
function place_chart({ name, title }, i) {
  const tools = by_id("chart_tools");
  const plots = tools.parentNode.getElementsByClassName("plot");
  if (!plots[i]) tools.before(make("div", "", make("header"), make("div", "plot low")));
  const sub = make("span", "sub");
  sub.id = `per_${name}`;
  plots[i].previousElementSibling.prepend(make("h2", "", title), sub);
  const place = make("div");
  Object.assign(place, { id: `chart_${name}`, role: "slider", tabIndex: 0, ariaLabel: title });
  place.ariaValueMin = place.ariaValueNow = 0;
  place.ariaValueText = "arrow keys read the figures";
  plots[i].append(place);
  return place;
}

function place_legend() {
  by_id("legend").append(
    ...declared.legend.map(({ name, label = name, colour, shown = false }) => {
      const button = make("button", "", make("i"), make("span", "", label));
      button.dataset.shows = name;
      button.ariaPressed = shown;
      button.style.setProperty("--of", `var(--s${colour})`);
      return button;
    }),
  );
}

/** `on_zoom({from_s, to_s})` hears of a drag, `on_unzoom` of a double click; `load` imports. */
export function make_charts({ on_zoom, on_unzoom, load }) {
  let charts = [], drawn = null, letter_px;
  let readout, marks, beyond = null, keyed;

  const { charts: CHARTS } = declared;
  const places = CHARTS.map(place_chart);
  place_legend();
  // What is alone in its chart is always shown; keyed.js knows of keys.
  const always = CHARTS.flatMap(({ lines }) => lines[1] ? [] : lines[0]?.name);
  const shows = (line) => always.includes(line) || drawn.lines.includes(line);
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
    const top = (u, all_high) => {
      const values = u.series.flatMap(({ show, scale }, at) => scale === "y" && show ? u.data[at] : []);
      // One value may dwarf all others.
      if (beyond === null && all_high * values.length > 30 * values.reduce((sum, value) => sum + value, 0)) {
        need_beyond();
      }
      const high = beyond?.axis_high?.(values) ?? all_high;
      return Math.max(CHARTS[i].least, high * 1.08, marks?.top(i, high) ?? 0);
    };
    const options = {
      ...size_of(places[i]),
      legend: { show: false },
      padding: [marks?.room(i) ?? 8, 6, 0, 0],
      cursor: {
        sync: { key: "board" },
        y: false,
        drag: { setScale: false },
        points: { size: 7 },
        bind: { dblclick: () => on_unzoom },
      },
      scales: {
        x: { time: false },
        y: { range: (u, _low, high) => [0, top(u, high)] },
        own: { range: (_u, _low, high) => [0, 1.3 * high || 1] },
      },
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
      series: [{}, ...(CHARTS[i].kind === "bars" ? bars : lines)(CHARTS[i])],
      hooks: {
        setSelect: [(u) => readout?.choose(u)],
        setCursor: [(u) => readout?.follow(u, i)],
        draw: [
          (u) => beyond?.mark?.(u, drawn.columns, CHARTS[i].lines[0].name),
          (u) => marks?.paint(u, i),
        ],
      },
    };
    return CHARTS[i].by ? keyed.options_of(options, CHARTS[i], () => drawn) : options;
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

  function lines({ lines: all }) {
    const running = () => drawn.columns.running < 0 ? null : [drawn.columns.running];
    const points = { show: true, fill: colour("--panel"), filter: running };
    return [
      compared(),
      ...all.flatMap(({ name, colour: n, own }, at) => {
        const main = at === 0 ? { width: 1.8 } : { scale: own ? "own" : "y" };
        const fill = at === 0 ? colour(`--s${n}`, 0.1) : undefined;
        return [line(name, `--s${n}`, { ...main, fill }), line(name, `--s${n}`, { ...main, dash: [2, 4], points })];
      }),
    ];
  }

  function bars({ lines: [{ name, colour: n }] }) {
    const paths = globalThis.uPlot.paths.bars({ size: [0.78, 44] });
    const bar = (fill, more) => line(name, `--s${n}`, { paths, fill: colour(`--s${n}`, fill), ...more });
    return [bar(0.62, { width: 0 }), bar(0.14, { width: 1, dash: [2, 2] }), compared()];
  }

  function data_of(i) {
    if (CHARTS[i].by) return keyed.data_of(CHARTS[i], drawn);
    const { columns } = drawn;
    const { kind, lines: all, compared } = CHARTS[i];
    const then = columns[`compared_${compared}`];
    const x = columns.x.map((t, at) => (t + columns.ends[at]) / 2);
    const split = ({ name }) => split_running(columns[name], columns.running);
    if (kind === "lines") return [x, then, ...all.flatMap(split)];
    const [settled, running] = split(all[0]);
    return [x, settled, running.map((value, at) => at === columns.running ? value : null), then];
  }

  function bring(path, take) {
    load(path).then((module) => {
      take(module);
      rebuild();
    }, console.warn);
  }

  function need_beyond() {
    beyond = {};
    bring("./beyond.js", (module) => beyond = module);
  }

  function build() {
    if (globalThis.uPlot === undefined) return;
    if (!keyed && CHARTS.some(({ by }) => by)) return bring("./keyed.js", (module) => keyed = module);
    for (const chart of charts) chart.destroy();
    charts = places.map((place, i) => new globalThis.uPlot(options_of(i), data_of(i), place));
    draw();
  }

  function draw() {
    // What was corrected is marked.
    if (beyond === null && drawn.columns.revised_ms.some((at_ms) => at_ms > 0)) need_beyond();
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
    CHARTS.forEach(({ title, name, money, sub, by }, i) => {
      const step = !by && drawn.rolling || format_step(drawn.step_s);
      set_text(by_id(`per_${name}`), fill(sub, (of) => of === "step" ? step : drawn.currency));
      places[i].ariaLabel = `${title}${money ? `, ${drawn.currency}` : ""} per ${step}`;
    });
  }

  const observer = new ResizeObserver(() => {
    charts.forEach((chart, i) => {
      const size = size_of(places[i]);
      if (size.width > 0 && (size.width !== chart.width || size.height !== chart.height)) chart.setSize(size);
    });
  });
  const need_readout = async () => {
    const { make_readout } = await load("./readout.js");
    readout ??= make_readout({ places, charts: () => charts, look: () => drawn, on_zoom });
  };
  for (const place of places) {
    observer.observe(place);
    place.onpointerenter = place.onfocus = need_readout;
    place.onkeydown = (event) => need_readout().then(() => place.onkeydown(event), () => {});
  }

  const rebuild = () => drawn !== null && build();
  by_id("uplot").onload = rebuild;
  return {
    /** Draws a sight. */
    show(what) {
      drawn = what;
      if (charts.length > 0 && letter_px === type_px()) draw();
      else setTimeout(build); // The first figures do not wait for charts.
    },
    /** Takes colours and type anew. */
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
