import { dots_of } from "./beyond.js";
import { colour, type_px } from "./charts.js";

/** What is painted on charts of keys: markers, by which lines are told apart without any colour, and candles. */

/** Corners of markers in a square from -1 to 1; a disc has none. Four are filled, the same four hollow. */
export const SHAPES = [
  [],
  [[-0.9, -0.9], [0.9, -0.9], [0.9, 0.9], [-0.9, 0.9]],
  [[0, -1.1], [1.05, 0.8], [-1.05, 0.8]],
  [[0, -1.25], [1.25, 0], [0, 1.25], [-1.25, 0]],
];

/** Room between markers of a line, sizes of the type. */
const MARKERS = 9;

/** A length of the smallest type, at the size that the reader has. */
export const scaled = (n) => n * type_px() / 11;

/** Where a line has markers: what stands alone, and as many of the others as there is room for. Pure. */
export function marked_places(column, every, from) {
  const alone = (i) => (column[i - 1] ?? null) === null && (column[i + 1] ?? null) === null;
  const step = Math.max(1, Math.round(every));
  return column.flatMap((value, i) => value !== null && (alone(i) || i % step === from % step) ? [i] : []);
}

/** Paints the markers of lines. */
export function paint_markers(u, lines, { columns }) {
  const { ctx, bbox, data: [x] } = u;
  const dot = dots_of(u);
  const r = scaled(3.1) * dot;
  const room = MARKERS * type_px() * dot / (bbox.width / x.length);
  const panel = colour("--panel");
  ctx.save();
  for (const { column, token, place } of lines) {
    const ink = colour(token), values = columns[column];
    // Markers of two lines that meet stand side by side.
    for (const i of marked_places(values, room, Math.round((place ?? 8) * room / 9))) {
      const at = [u.valToPos(x[i], "x", true), u.valToPos(values[i], "y", true)];
      if (at[0] < bbox.left || at[0] > bbox.left + bbox.width) continue;
      if (place === null) dash(ctx, at, r, ink);
      else shape(ctx, at, r, place, ink, panel);
    }
  }
  ctx.restore();
}

function dash(ctx, [x, y], r, ink) {
  ctx.fillStyle = ink;
  ctx.fillRect(x - r, y - r / 4, 2 * r, r / 2);
}

function shape(ctx, [x, y], r, place, ink, ground) {
  const corners = SHAPES[place % 4];
  ctx.beginPath();
  if (corners.length === 0) ctx.arc(x, y, r, 0, 2 * Math.PI);
  corners.forEach(([dx, dy]) => ctx.lineTo(x + dx * r, y + dy * r));
  ctx.closePath();
  Object.assign(ctx, { fillStyle: place < 4 ? ink : ground, strokeStyle: ink, lineWidth: r / 2 });
  ctx.setLineDash([]);
  ctx.fill();
  ctx.stroke();
}

/** Candles: a stroke from the lowest to the highest, and a body from the first to the last, hollow where it rose, filled where it fell. */
export function paint_candles(u, { candles }, { columns }) {
  const { ctx, bbox, data: [x] } = u;
  const dot = dots_of(u);
  const [open, high, low, close] = ["open", "high", "low", "close"].map((part) => columns[candles[part]]);
  const wide = Math.max(dot, Math.min(scaled(11) * dot, 0.7 * bbox.width / x.length));
  const panel = colour("--panel"), rose = colour("--s1"), fell = colour("--s2");
  const y = (value) => u.valToPos(value, "y", true);
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top - dot, bbox.width, bbox.height + 2 * dot);
  ctx.clip();
  ctx.lineWidth = Math.min(wide / 2, 1.3 * scaled(dot));
  x.forEach((at, i) => {
    if (high[i] === null || open[i] === null || close[i] === null) return;
    const left = u.valToPos(at, "x", true), up = close[i] >= open[i];
    const [top, bottom] = [y(Math.max(open[i], close[i])), y(Math.min(open[i], close[i]))];
    ctx.strokeStyle = up ? rose : fell;
    ctx.fillStyle = up ? panel : fell;
    ctx.setLineDash([]);
    ctx.beginPath();
    ctx.moveTo(left, y(high[i]));
    ctx.lineTo(left, y(low[i]));
    ctx.stroke();
    // What still runs has a dotted edge.
    if (i === columns.running) ctx.setLineDash([2 * dot, 2 * dot]);
    ctx.beginPath();
    ctx.rect(left - wide / 2, top, wide, Math.max(bottom - top, dot));
    ctx.fill();
    ctx.stroke();
  });
  ctx.restore();
}
