import { by_id, make, set_figure, set_text } from "./page.js";
import { format_count, format_short } from "./format.js";

/** The breakdown panels: rows that stay where they are while their texts change. */

const DIMENSIONS = ["status", "payment_method", "vehicle_type", "city", "pickup_zone", "dropoff_zone"];

const panels = Object.fromEntries(DIMENSIONS.map((dimension) => {
  const title = make("h2", "", `By ${dimension.replace("_", " ").replace("dropoff", "drop-off")}`);
  const panel = make("section", "panel", make("header", "", title, make("span", "sub")), make("ul"));
  panel.dataset.breakdown = dimension;
  return [dimension, panel];
}));
by_id("breakdowns").append(...Object.values(panels));

/** Fills the panels in place; a dimension that only a newer page knows is left out. */
export function show_breakdowns(breakdowns) {
  for (const { dimension, total_keys, rows } of breakdowns) {
    const panel = panels[dimension];
    if (panel === undefined) continue;
    const named = rows.filter((row) => row.key !== null);
    const top = `top ${named.length} of ${format_count(total_keys)}`;
    set_text(panel.querySelector(".sub"), total_keys > named.length ? top : "trips · revenue");
    const list = panel.querySelector("ul");
    while (list.children.length > rows.length) list.lastChild.remove();
    while (list.children.length < rows.length) {
      list.append(make("li", "bar", make("i"), make("span", "key"), make("b"), make("span", "money")));
    }
    const largest = Math.max(1, ...named.map((row) => row.trips));
    rows.forEach((row, i) => show_row(list.children[i], dimension, row, largest));
  }
}

function show_row(element, dimension, { key, trips, revenue }, largest) {
  const [bar, name, count, money] = element.children;
  const same = element.dataset.key === (key ?? "");
  const text = key === null ? "all others" : dimension === "status" ? key.replaceAll("_", " ") : key;
  Object.assign(element.dataset, { dimension, key: key ?? "", trips, revenue });
  element.classList.toggle("others", key === null);
  // The rest is not one of the rows above it: its bar would dwarf theirs.
  bar.style.width = `${key === null ? 0 : 100 * trips / largest}%`;
  set_text(name, text);
  name.title = text;
  (same ? set_figure : set_text)(count, format_short(trips));
  set_text(money, format_short(revenue));
}
