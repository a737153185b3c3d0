import { compared_name, shows_compared } from "./address.js";
import { colour } from "./charts.js";
import { open_dialog } from "./dialog.js";
import { format_clock, format_day, format_step, format_window, format_zone, zone_offset_s } from "./format.js";
import { lines_of } from "./keyed.js";
import { declared, fill, make, plain } from "./page.js";
import { shown_lines } from "./readout.js";

/**
 * Export of what is shown, also while it is paused or of another time: nothing is asked of the server. Tables are CSV (RFC 4180: commas,
 * CRLF, quotes doubled), charts pictures.
 */

const csv = (text) => new Blob([text], { type: "text/csv;charset=utf-8" });
const PICTURED = "with title, time, filter and legend";
/** What can be exported: [name, title, kind, what is in it, how it is made]. */
const kinds = ({ list, charts: all }) => [
  [
    "series",
    "Chart figures",
    "CSV",
    "every bucket with all its figures and the comparison",
    (sight) => csv(series_csv(sight)),
  ],
  ["breakdowns", "Breakdowns", "CSV", "the rows of every panel", (sight) => csv(breakdowns_csv(sight))],
  [list.name, list.title, "CSV", "the list as it stands, of any time", (sight) => csv(list_csv(sight))],
  ...all.map(({ name, title, by, lines }, i) => [
    by ? name : lines[0].name,
    `Chart of ${by ? title.toLowerCase() : name}`,
    "PNG",
    PICTURED,
    (sight, charts) => draw_picture(i, sight, charts),
  ]),
];

/** Opens it. */
export function open({ look, charts }) {
  const { view, zone, now_ms } = look();
  const choices = kinds(declared).map(([what, title, kind, text, make_blob]) => {
    const button = make("button", "choice", make("b", "", title), make("span", "kind", kind), make("span", "", text));
    button.dataset.export = what;
    button.onclick = async () => {
      const sight = look();
      save(await make_blob(sight, charts), `${file_name(what, sight)}.${kind.toLowerCase()}`);
    };
    return button;
  });
  open_dialog(
    "Export",
    make("p", "sub", `${format_window(view, zone, now_ms)}, times in ${zone}`),
    make("div", "choices", ...choices),
  );
}

function save(blob, name) {
  const link = make("a");
  Object.assign(link, { href: URL.createObjectURL(blob), download: name });
  link.click();
  // The browser has taken hold of it by the time the page goes on.
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

/** Pixels of the picture for one of the page. */
const SCALE = 2;
const EDGE = 20, HEAD = 58, FOOT = 30;

/** Draws chart `which` of what was in sight, in the theme of the page, with all that one must know to read it, and gives a PNG. */
async function draw_picture(which, sight, charts) {
  const chart = await drawn_large(charts.parts(which), sight.view);
  const canvas = make("canvas");
  canvas.width = chart.width + 2 * EDGE * SCALE;
  canvas.height = chart.height + (HEAD + FOOT) * SCALE;
  const ctx = canvas.getContext("2d");
  ctx.fillStyle = colour("--panel");
  ctx.fillRect(0, 0, canvas.width, canvas.height);
  ctx.drawImage(chart, EDGE * SCALE, HEAD * SCALE);
  ctx.scale(SCALE, SCALE);
  write(ctx, canvas.width / SCALE, canvas.height / SCALE, which, sight);
  return new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
}

/** The chart's canvas, every length of it enlarged. uPlot itself knows only the screen's pixels. */
async function drawn_large([options, data], { from_s, to_s }) {
  const k = SCALE / globalThis.uPlot.pxRatio;
  const large = (thing, ...names) => {
    const lengths = names.filter((name) => thing[name] !== undefined).map((name) => {
      const length = thing[name];
      if (name === "font") return [name, length.replace(/^\d+/, (px) => Math.round(px * k))];
      return [name, Array.isArray(length) ? length.map((part) => part * k) : length * k];
    });
    return { ...thing, ...Object.fromEntries(lengths) };
  };
  const chart = new globalThis.uPlot(
    {
      ...large(options, "width", "height", "padding"),
      cursor: { show: false },
      axes: options.axes.map((axis) => ({
        ...large(axis, "gap", "size", "space", "font"),
        grid: large(axis.grid, "width"),
      })),
      series: options.series.map(({ points, ...each }) =>
        points === undefined ? each : { ...large(each, "width", "dash"), points: large(points, "size", "width") }
      ),
      hooks: { draw: options.hooks.draw, init: [(u) => u.scaled = k] },
    },
    data,
    make("div"),
  );
  chart.setScale("x", { min: from_s, max: to_s });
  // uPlot draws at the end of this turn.
  await new Promise((resolve) => setTimeout(resolve));
  chart.destroy();
  return chart.ctx.canvas;
}

function write(ctx, width, height, which, sight) {
  const { board, view, zone, step_s, currency, now_ms, address } = sight;
  const chart = declared.charts[which];
  const type = (size, weight = 400) => ctx.font = `${weight} ${size}px system-ui, Inter, sans-serif`;
  const text = (words, x, y, token) => {
    ctx.fillStyle = colour(token);
    ctx.fillText(plain(words), x, y);
    return x + ctx.measureText(words).width;
  };
  const { filter = [], as_of = null } = board.hello;
  type(15, 600);
  const end = text(chart.title, EDGE, 28, "--ink");
  type(12);
  const sub = fill(
    chart.picture_sub ?? chart.sub,
    (name) => name === "step" ? !chart.by && sight.rolling || format_step(step_s) : currency,
  );
  text(sub, end + 10, 28, "--ink-3");
  const moment = (ms) => `${format_day(ms, zone, 0)}, ${format_clock(ms, zone, true)}`;
  const parts = [format_window(view, zone, now_ms), format_zone(zone, view.from_s * 1000, view.to_s * 1000 - 1)];
  if (address.order !== undefined) parts.push("by arrival");
  if (filter.length > 0) parts.push(tell_filter(filter));
  if (as_of !== null) parts.push(`as of ${moment(as_of.recorded_ms)}`);
  text(parts.join("  ·  "), EDGE, 48, "--ink-2");

  const entries = shown_lines(chart, sight).map(({ name, token }) => [plain(name), token, [0, 10]]);
  // A comparison is dashed here too.
  if (chart.compared && shows_compared(sight)) {
    entries.push([compared_name(address.compare), "--ink-3", [0, 4, 6, 4]]);
  }
  let right = width - EDGE;
  for (const [name, token, dashes] of entries.reverse()) {
    right -= ctx.measureText(name).width;
    text(name, right, 28, "--ink-2");
    ctx.fillStyle = colour(token);
    for (let i = 0; i < dashes.length; i += 2) {
      ctx.fillRect(right - 15 + dashes[i], 22, dashes[i + 1], 4 - dashes.length / 2);
    }
    right -= 31;
  }
  type(10.5);
  text(`tacho  ·  exported ${moment(now_ms)}, log position ${board.position}`, EDGE, height - 12, "--ink-3");
}

/**
 * A table with a head. Unknown (null) is empty. A text that a spreadsheet would take for a formula (it begins with = + - @, tab or a line
 * end) gets an apostrophe before it; numbers are left as they are. The mark at the start tells spreadsheets that the text is UTF-8.
 */
export function csv_of(head, rows) {
  return `\ufeff${[head, ...rows].map((row) => `${row.map(cell_of).join(",")}\r\n`).join("")}`;
}

function cell_of(value) {
  if (value === null || value === undefined) return "";
  const text = typeof value === "string" && /^[=+\-@\t\r\n＝＋－＠]/.test(value) ? `'${value}` : String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** "2026-03-08T01:30:00-05:00": a moment in a zone, RFC 3339 to the second. */
export function format_rfc3339(ms, zone) {
  const offset_s = zone_offset_s(ms / 1000, zone);
  const wall = new Date(Math.floor(ms / 1000) * 1000 + offset_s * 1000).toISOString().slice(0, 19);
  if (zone === "UTC") return `${wall}Z`;
  const two = (n) => String(Math.floor(n)).padStart(2, "0");
  const size = Math.abs(offset_s);
  return `${wall}${offset_s < 0 ? "-" : "+"}${two(size / 3_600)}:${two(size % 3_600 / 60)}`;
}

/** "city=Bronx or Queens; not status=unknown": a filter as the feed tells it, [{dimension, keys, excluded}]. */
export function tell_filter(filter) {
  return filter.map(({ dimension, keys, excluded }) => `${excluded ? "not " : ""}${dimension}=${keys.join(" or ")}`)
    .join("; ");
}

/** What every row says about the whole: the same columns in every file. */
function context_of({ board, view, zone, currency, now_ms, address }) {
  const { filter = [], as_of = null, time_zone: business_zone } = board.hello;
  const at = (ms) => format_rfc3339(ms, zone);
  return {
    range_from: at(view.from_s * 1000),
    range_to: at(view.to_s * 1000),
    zone,
    business_zone,
    currency,
    comparison: address.order === undefined ? compared_name(address.compare) : "none, by arrival",
    filter: tell_filter(filter),
    as_of_position: board.position,
    as_of: as_of === null ? at(now_ms) : at(as_of.recorded_ms),
  };
}

function table_of(sight, rows, context = context_of(sight)) {
  const head = Object.keys(rows[0] ?? {});
  return csv_of(
    [...head, ...Object.keys(context)],
    rows.map((row) => [...Object.values(row), ...Object.values(context)]),
  );
}

/** The buckets that the charts show, oldest first. */
export function series_csv(sight) {
  const { columns, view, zone, declared: { series, compared_series, charts } } = sight;
  const compared = compared_series.map((name) => `compared_${name}`);
  // Hidden ones too.
  const keyed = charts.filter(({ by }) => by).flatMap((chart) =>
    lines_of(chart, sight).map((
      { name, column },
    ) => [`${chart.name} ${name}`, column])
  );
  return table_of(
    sight,
    columns.x.flatMap((t, i) => {
      if (t < view.from_s || t >= view.to_s) return [];
      const revised_ms = columns.revised_ms[i];
      return [{
        time: format_rfc3339(t * 1000, zone),
        time_end: format_rfc3339(columns.ends[i] * 1000, zone),
        ...Object.fromEntries([...series, ...compared].map((name) => [name, columns[name][i]])),
        ...Object.fromEntries(keyed.map(([name, column]) => [name, columns[column][i]])),
        running: i === columns.running,
        corrected: revised_ms > 0 ? format_rfc3339(revised_ms, zone) : null,
      }];
    }),
  );
}

/** The rows of the breakdowns; the row of all others has an empty key. */
export function breakdowns_csv(sight) {
  return table_of(
    sight,
    sight.board.breakdowns.flatMap(({ dimension, total_keys, rows }) =>
      rows.map(({ key, ...row }) => ({ dimension, key, all_others: key === null, ...row, total_keys }))
    ),
  );
}

/** The list as it stands: it is of any time, so no range is told of it. */
export function list_csv(sight) {
  const { time } = sight.declared.list;
  const { range_from: _from, range_to: _to, comparison: _comparison, ...context } = context_of(sight);
  const rows = sight.listed.map(({ [time]: at_ms, position, ...stream }) => ({
    time: at_ms === null ? null : format_rfc3339(at_ms, sight.zone),
    ...stream,
    position,
  }));
  return table_of(sight, rows, context);
}

/** "tacho_series_2026-03-01T1000_to_2026-03-01T1100": what a file is called, by range and what it holds; of the list by what it is as of. */
export function file_name(what, { view, zone, board, declared }) {
  const at = (s) => format_rfc3339(s * 1000, zone).slice(0, 16).replace(":", "");
  return `tacho_${what}_${
    what === declared.list.name ? `as_of_${board.position}` : `${at(view.from_s)}_to_${at(view.to_s)}`
  }`;
}
