import { by_id, make, set_text } from "./page.js";
import { format_count, format_short } from "./format.js";

/** The breakdown panels: rows that stay while their texts change, and filter when pressed. */

const DIMENSIONS = ["status", "payment_method", "vehicle_type", "city", "pickup_zone", "dropoff_zone", "driver"];

/** A dimension in words. */
export function name_of(dimension) {
  return dimension.replace("_", " ").replace("dropoff", "drop-off");
}

/** A key in words. */
export function label_of(dimension, key) {
  return dimension === "status" ? key.replaceAll("_", " ") : key;
}

const panels = DIMENSIONS.map((dimension) => {
  const title = make("h2", "", `By ${name_of(dimension)}`);
  const panel = make("section", "panel", make("header", "", title, make("span", "sub")), make("p", "told"), make("ul"));
  panel.dataset.breakdown = dimension;
  return panel;
});
by_id("breakdowns").append(...panels);

/** Fills the panels in place. */
export function show_breakdowns(breakdowns) {
  for (const panel of panels) {
    const { breakdown: dimension } = panel.dataset;
    const found = breakdowns.find((each) => each.dimension === dimension);
    const { rows = [], total_keys } = found ?? {};
    const named = rows.filter((row) => row.key !== null);
    const top = `top ${named.length} of ${format_count(total_keys)}`;
    set_text(panel.querySelector(".sub"), total_keys > named.length ? top : "trips · revenue");
    const told = found === undefined ? "not known yet" : rows.length === 0 ? "no trips in this range" : "";
    set_text(panel.querySelector(".told"), told);
    const list = panel.lastChild;
    while (list.children.length > rows.length) list.lastChild.remove();
    while (list.children.length < rows.length) list.append(make_row());
    const largest = Math.max(1, ...named.map((row) => row.trips));
    rows.forEach((row, i) => show_row(list.children[i].firstChild, dimension, row, largest));
  }
}

/** An empty row. */
export function make_row() {
  return make("li", "", make("button", "bar", make("i"), make("span", "key"), make("b"), make("span", "money")));
}

/** Fills a row's button. The rest (null) has no bar: it would dwarf the others. */
export function show_row(button, dimension, { key, trips, revenue }, largest) {
  const [bar, name, count, money] = button.children;
  const text = key === null ? "all others" : label_of(dimension, key);
  Object.assign(button.dataset, { dimension, key: key ?? "" });
  button.disabled = key === null;
  bar.style.width = `${key === null ? 0 : 100 * trips / largest}%`;
  set_text(name, text);
  button.title = key === null ? "" : `${name.textContent}: filter by it; with Shift: leave it out`;
  set_text(count, trips === null ? "–" : format_short(trips));
  set_text(money, revenue === null ? "–" : format_short(revenue));
}
