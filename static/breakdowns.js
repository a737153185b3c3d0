import { by_id, declared, dimension_of, key_words, make, set_text } from "./page.js";
import { format_count, format_short } from "./format.js";

/** The panels: rows that stay while their texts change, and filter when pressed. */

let panels;

/** The rows in sight, by dimension. */
export const rows_shown = {};

/** Puts the panels on the page. */
export function place_breakdowns() {
  panels = declared.panels.map((dimension, i) => {
    const title = make("h2", "", `By ${dimension_of(declared, dimension).label}`);
    const all = make("button", "link", "all");
    all.dataset.keys = dimension;
    const header = make("header", "", title, make("span", "sub"), all);
    const panel = make("section", "panel", header, make("p", "told"), make("ul"));
    panel.dataset.breakdown = dimension;
    panel.style.gridColumn = `span ${declared.panel_spans[i]}`;
    return panel;
  });
  by_id("breakdowns").append(...panels);
}

/** Fills the panels in place; `arrange` is of panels.js. */
export function show_breakdowns(breakdowns, arrange = (rows) => rows.slice(0, 8)) {
  const { many, row: { count, amount } } = declared;
  for (const panel of panels) {
    const { breakdown: dimension } = panel.dataset;
    const found = breakdowns.find((each) => each.dimension === dimension);
    const { total_keys } = found ?? {};
    const rows = rows_shown[dimension] = arrange(found?.rows ?? [], dimension);
    const named = rows.filter((row) => row.key !== null);
    const top = `top ${named.length} of ${format_count(total_keys)}`;
    set_text(panel.querySelector(".sub"), total_keys > named.length ? top : `${count} · ${amount}`);
    const told = found === undefined ? "not known yet" : rows.length === 0 ? `no ${many} in this range` : "";
    set_text(panel.querySelector(".told"), told);
    const list = panel.lastChild;
    while (list.children.length > rows.length) list.lastChild.remove();
    while (list.children.length < rows.length) list.append(make_row());
    const largest = Math.max(1, ...named.map((row) => row[count]));
    rows.forEach((row, i) => show_row(list.children[i].firstChild, dimension, row, largest));
  }
}

/** An empty row. */
export function make_row() {
  const more = make("span", "more", make("span"), make("span"));
  return make("li", "", make("button", "bar", make("i"), make("bdi", "key"), more, make("b"), make("span", "money")));
}

/** Fills a row's button. The rest (null) has no bar: it would dwarf the others. */
export function show_row(button, dimension, { key, ...row }, largest) {
  const [count, amount] = [row[declared.row.count], row[declared.row.amount]];
  const [bar, name, , counted, summed] = button.children;
  Object.assign(button.dataset, { dimension, key: key ?? "" });
  button.disabled = key === null;
  bar.style.width = `${key === null ? 0 : 100 * count / largest}%`;
  set_text(name, key === null ? "all others" : key_words(dimension_of(declared, dimension), key));
  button.title = key === null ? "" : `${name.textContent}: filter by it; with Shift: leave it out`;
  set_text(counted, count === null ? "–" : format_short(count));
  set_text(summed, amount === null ? "–" : format_short(amount));
}
