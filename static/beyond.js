import { colour, type_px } from "./charts.js";
import { format_short } from "./format.js";

/** What is marked on a chart by itself: corrected buckets, and a value that dwarfs all others, of which the axis serves the others. */

/** Dots of a chart's canvas for a pixel of the page; a picture is drawn larger. */
export function dots_of({ scaled = 1 }) {
  return scaled * globalThis.uPlot.pxRatio;
}

/** Marks a chart: `line` is its first. */
export function mark(u, columns, line) {
  mark_corrected(u, columns.revised_ms);
  mark_beyond(u, columns[line]);
}

/** Carets under corrected buckets, with room between them. */
function mark_corrected(u, revised_ms) {
  const { ctx, bbox, data: [x] } = u;
  const r = 0.32 * type_px() * dots_of(u);
  const y = bbox.top + bbox.height + r / 2;
  let last = -Infinity;
  ctx.fillStyle = colour("--ink-2");
  revised_ms.forEach((at_ms, i) => {
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

/** Writes what is beyond the axis beside its line or bar, at the top of the chart. */
function mark_beyond(u, column) {
  const { ctx, bbox, data: [x], scales: { y: { max } } } = u;
  const at = column.indexOf(Math.max(...column));
  if (!(column[at] > max)) return;
  const px = type_px() * dots_of(u);
  const left = u.valToPos(x[at], "x", true);
  const turned = left > bbox.left + bbox.width / 2;
  ctx.save();
  Object.assign(ctx, { font: `${px}px system-ui, Inter, sans-serif`, textAlign: turned ? "right" : "left" });
  ctx.fillStyle = colour("--ink-2");
  ctx.fillText(`↑ ${format_short(column[at], 10_000)}`, left + (turned ? -px : px), bbox.top + px);
  ctx.restore();
}

/** So many times what is usual is beyond the axis. */
const BEYOND = 20;

/** The greatest value that the axis must show. Pure. */
export function axis_high(values) {
  const sorted = values.filter((value) => value > 0).sort((a, b) => a - b);
  // What nineteen of twenty do not exceed: a few great values are an event, not the usual.
  const usual = sorted[Math.ceil(sorted.length * 0.95) - 1];
  const high = sorted.at(-1) ?? 0;
  return sorted.length < 10 || high <= BEYOND * usual
    ? high
    : 1.5 * sorted.findLast((value) => value <= BEYOND * usual);
}
