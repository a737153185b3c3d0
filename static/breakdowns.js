import { by_id, declared, dimension_of, key_words, make, set_text } from "./page.js";
import { format_count, format_short } from "./format.js";

/** The breakdown panels: rows that stay while their texts change, and filter when pressed. */

let panels;

/** Puts the panels on the page. */
export function place_breakdowns() {
  panels = declared.panels.map((dimension, i) => {
    const title = make("h2", "", `By ${dimension_of(declared, dimension).label}`);
    const header = make("header", "", title, make("span", "sub"));
    const panel = make("section", "panel", header, make("p", "told"), make("ul"));
    panel.dataset.breakdown = dimension;
    panel.style.gridColumn = `span ${declared.panel_spans[i]}`;
    return panel;
  });
  by_id("breakdowns").append(...panels);
}

/** Fills the panels in place. */
export function show_breakdowns(breakdowns) {
  const { many, row: { count, amount } } = declared;
  for (const panel of panels) {
    const { breakdown: dimension } = panel.dataset;
    const found = breakdowns.find((each) => each.dimension === dimension);
    const { rows = [], total_keys } = found ?? {};
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
  return make("li", "", make("button", "bar", make("i"), make("span", "key"), make("b"), make("span", "money")));
}

/** Fills a row's button. The rest (null) has no bar: it would dwarf the others. */
export function show_row(button, dimension, { key, ...row }, largest) {
  const [count, amount] = [row[declared.row.count], row[declared.row.amount]];
  const [bar, name, counted, summed] = button.children;
  Object.assign(button.dataset, { dimension, key: key ?? "" });
  button.disabled = key === null;
  bar.style.width = `${key === null ? 0 : 100 * count / largest}%`;
  set_text(name, key === null ? "all others" : key_words(dimension_of(declared, dimension), key));
  button.title = key === null ? "" : `${name.textContent}: filter by it; with Shift: leave it out`;
  set_text(counted, count === null ? "–" : format_short(count));
  set_text(summed, amount === null ? "–" : format_short(amount));
}
