import { by_id, make, set_figure, set_text } from "./page.js";
import { format_count, format_short } from "./format.js";
import { computed_note } from "./state.js";

/** The breakdown panels: rows that stay where they are while their texts change, and filter when pressed. */

const DIMENSIONS = ["status", "payment_method", "vehicle_type", "city", "pickup_zone", "dropoff_zone", "driver"];

/** A dimension in words. */
export function name_of(dimension) {
  return dimension.replace("_", " ").replace("dropoff", "drop-off").replace("pickup h3", "pickup hexagon");
}

/** A key in words. */
export function label_of(dimension, key) {
  return dimension === "status" ? key.replaceAll("_", " ") : key;
}

const panels = Object.fromEntries(DIMENSIONS.map((dimension) => {
  const title = make("h2", "", `By ${name_of(dimension)}`);
  const panel = make("section", "panel", make("header", "", title, make("span", "sub")), make("ul"), make("p", "told"));
  panel.dataset.breakdown = dimension;
  return [dimension, panel];
}));
by_id("breakdowns").append(...Object.values(panels));

/** Fills the panels in place: {breakdowns, computed, filter, now_ms}. A dimension that only a newer page knows is left out. */
export function show_breakdowns({ breakdowns, computed, filter, now_ms }) {
  for (const [dimension, panel] of Object.entries(panels)) {
    const breakdown = breakdowns.find((each) => each.dimension === dimension);
    const condition = filter.find((each) => each.dimension === dimension);
    show_panel(panel, dimension, breakdown, condition, computed, now_ms);
  }
}

function show_panel(panel, dimension, breakdown, condition, computed, now_ms) {
  const { rows = [], total_keys } = breakdown ?? {};
  const from_trips = computed !== null && (computed.breakdowns === "trips" || dimension === "driver");
  const note = from_trips ? computed_note(computed, now_ms) : "";
  const named = rows.filter((row) => row.key !== null);
  const top = total_keys > named.length ? `top ${named.length} of ${format_count(total_keys)}` : "trips · revenue";
  set_text(panel.querySelector(".sub"), breakdown === undefined ? "" : top);
  panel.classList.toggle("late", from_trips && computed.failed !== null);
  panel.title = note;
  const told = breakdown === undefined ? note || "not known" : rows.length === 0 ? "no trips in this range" : "";
  set_text(panel.querySelector(".told"), told);
  // What is filtered by stays to be taken away, also when nothing of it is left.
  const missing = (condition?.keys ?? []).filter((key) => !named.some((row) => row.key === key));
  const shown = breakdown === undefined
    ? []
    : [...rows, ...missing.map((key) => ({ key, trips: null, revenue: null }))];
  const list = panel.querySelector("ul");
  while (list.children.length > shown.length) list.lastChild.remove();
  while (list.children.length < shown.length) list.append(make_row());
  const largest = Math.max(1, ...named.map((row) => row.trips));
  shown.forEach((row, i) => show_row(list.children[i], dimension, row, largest, condition));
}

function make_row() {
  return make("li", "", make("button", "bar", make("i"), make("span", "key"), make("b"), make("span", "money")));
}

function show_row(element, dimension, { key, trips, revenue }, largest, condition) {
  const button = element.firstChild;
  const [bar, name, count, money] = button.children;
  const same = button.dataset.key === (key ?? "");
  const text = key === null ? "all others" : label_of(dimension, key);
  const chosen = condition?.keys.includes(key) ?? false;
  Object.assign(button.dataset, { dimension, key: key ?? "", trips: trips ?? "", revenue: revenue ?? "" });
  button.disabled = key === null;
  button.classList.toggle("out", chosen && condition.excluded);
  button.ariaPressed = key === null ? null : `${chosen}`;
  // The rest is not one of the rows above it: its bar would dwarf theirs.
  bar.style.width = `${key === null ? 0 : 100 * trips / largest}%`;
  set_text(name, text);
  button.title = key === null ? "" : `${text}: press to filter, with Shift to leave it out`;
  (same ? set_figure : set_text)(count, trips === null ? "–" : format_short(trips));
  set_text(money, revenue === null ? "–" : format_short(revenue));
}
