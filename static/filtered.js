import { label_of, make_row, name_of, show_row } from "./breakdowns.js";
import { computed_note } from "./computed.js";
import { by_id, make, plain, set_text } from "./page.js";

/** A filtered board: its conditions as chips, the chosen keys marked in the panels, and where computed figures come from. */

/** A condition in words: ["city is", "Chicago or Boston"]. Pure. */
export function words_of({ dimension, keys, excluded }) {
  const named = keys.slice(0, 3).map((key) => label_of(dimension, key));
  if (keys.length > 3) named.push(`${keys.length - 3} more`);
  return [`${name_of(dimension)} ${excluded ? "is not" : "is"}`, named.join(excluded ? " nor " : " or ")];
}

const clear = make("button", "link", "clear all");
clear.id = "clear_filter";

/** Shows the conditions, in the order of the address. */
export function show_filter({ address: { filter }, shown }) {
  show_chips(filter);
  mark_keys(filter, shown);
  // Also between frames the age goes on.
  show_computed(shown, Date.now() + shown.offset_ms);
}

function show_chips(filter) {
  const add = by_id("add_filter");
  const chips = [...document.querySelectorAll(".chip")];
  for (const chip of chips.splice(filter.length)) chip.remove();
  while (chips.length < filter.length) {
    const chip = make("span", "chip", make("button", "", make("span"), " ", make("b")), make("button", "off", "×"));
    add.before(chip);
    chips.push(chip);
  }
  filter.forEach((condition, i) => {
    const [edit, remove] = chips[i].children;
    const [what, keys] = words_of(condition);
    set_text(edit.firstChild, what);
    set_text(edit.lastChild, keys);
    Object.assign(edit.dataset, { opens: "filter", entry: condition.dimension });
    edit.title = plain(condition.keys.join(", "));
    remove.dataset.condition = condition.dimension;
    remove.ariaLabel = plain(`Take away: ${what} ${keys}`);
  });
  if (filter.length > 1) add.after(clear);
  else clear.remove();
}

function mark_keys(filter, { breakdowns }) {
  for (const panel of document.querySelectorAll("[data-breakdown]")) {
    const { breakdown: dimension } = panel.dataset;
    const { keys = [], excluded = false } = filter.find((each) => each.dimension === dimension) ?? {};
    const buttons = [...panel.querySelectorAll("ul:not(.missing) button")];
    // What is filtered by stays to be taken away, also when nothing of it is left.
    const missing = keys.filter((key) => !buttons.some((button) => button.dataset.key === key));
    // Keys that are filtered by have rows: one without has no trips.
    const count = breakdowns.some((each) => each.dimension === dimension) ? 0 : null;
    buttons.push(...show_missing(panel, dimension, missing, count));
    for (const button of buttons) {
      const chosen = !button.disabled && keys.includes(button.dataset.key);
      button.ariaPressed = button.disabled || keys.length === 0 ? null : `${chosen}`;
      button.classList.toggle("out", chosen && excluded);
    }
  }
}

function show_missing(panel, dimension, keys, count) {
  const list = panel.querySelector(".missing") ?? make("ul", "missing");
  if (keys.length > 0) panel.querySelector(".told").after(list);
  else list.remove();
  while (list.children.length > keys.length) list.lastChild.remove();
  while (list.children.length < keys.length) list.append(make_row());
  const buttons = [...list.querySelectorAll("button")];
  buttons.forEach((button, i) => show_row(button, dimension, { key: keys[i], trips: count, revenue: count }, 1));
  return buttons;
}

function show_computed({ hello, computed, breakdowns, told_ms }, now_ms) {
  if (hello === null) return;
  const all = computed?.cards === "trips";
  const panels = computed?.breakdowns === "trips";
  const failed = Boolean(computed?.failed);
  const note = computed === null ? "" : computed_note(computed, now_ms - told_ms);
  const place = by_id("computed");
  set_text(place, all ? note : panels || failed ? `panels ${note}` : "");
  place.title = place.textContent;
  place.classList.toggle("amber", failed);
  for (const panel of document.querySelectorAll("[data-breakdown]")) {
    const { breakdown: dimension } = panel.dataset;
    const known = breakdowns.some((each) => each.dimension === dimension);
    panel.classList.toggle("late", known && failed && (panels || dimension === "driver"));
    if (!known && note !== "") set_text(panel.querySelector(".told"), note);
  }
}
