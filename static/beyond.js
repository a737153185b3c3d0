import { colour, dots_of, type_px } from "./charts.js";
import { format_short } from "./format.js";

/** Values that dwarf all others: the axis serves the others, and says of the greatest how great it is. */

export { axis_high } from "./axis_high.js";

/** Writes what is beyond the axis beside its line or bar, at the top of the chart. */
export function mark(u, columns) {
  const { ctx, bbox, data: [x], scales: { y: { max } } } = u;
  const column = columns[u.series.some(({ line }) => line === "revenue") ? "revenue" : "completed"];
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
