import { make_row, show_row } from "./breakdowns.js";
import { field, form, input, open_dialog, select } from "./dialog.js";
import { by_id, declared, dimension_of, key_words, make, plain, set_text } from "./page.js";
import { computed_note } from "./troubles.js";

/**
 * The filter, at most one condition for each dimension: how it changes, its conditions as chips, the chosen keys marked in the panels,
 * where computed figures come from, and the editor of a condition.
 */

const MOST_KEYS = 20;

/** The filter with a condition in place of the one that its dimension had; without keys there is none. Pure. */
export function with_condition(filter, condition, { dimensions }) {
  const others = filter.filter(({ dimension }) => dimension !== condition.dimension);
  const keys = [...new Set(condition.keys)].sort();
  const all = keys.length === 0 ? others : [...others, { ...condition, keys }];
  const place = ({ dimension }) => dimensions.findIndex(({ name }) => name === dimension);
  return all.sort((a, b) => place(a) - place(b));
}

/** The keys of a condition after a press on some: they are added, or taken away where all were there in the same sense. */
function pressed(filter, { dimension, keys, excluded }) {
  const before = filter.find((each) => each.dimension === dimension);
  const same = before?.excluded === excluded ? before.keys : [];
  return keys.every((key) => same.includes(key)) ? same.filter((key) => !keys.includes(key)) : [...same, ...keys];
}

/** The filter after a press on a key. Pure. */
export function toggle_key(filter, { dimension, key, excluded }, declared) {
  const keys = pressed(filter, { dimension, keys: [key], excluded });
  return with_condition(filter, { dimension, keys, excluded }, declared);
}

/** The filter after a press on what several keys stand for; beyond the most that a condition has, of those alone. Pure. */
export function toggle_keys(filter, { dimension, keys, excluded }, declared) {
  const all = pressed(filter, { dimension, keys, excluded });
  return with_condition(filter, { dimension, keys: all.length > MOST_KEYS ? keys : all, excluded }, declared);
}

/** A condition in words: ["city is", "Chicago or Boston"]. Pure. */
export function words_of({ dimension: name, keys, excluded }, declared) {
  const dimension = dimension_of(declared, name);
  const named = keys.slice(0, 3).map((key) => key_words(dimension, key));
  if (keys.length > 3) named.push(`${keys.length - 3} more`);
  return [`${dimension.label} ${excluded ? "is not" : "is"}`, named.join(excluded ? " nor " : " or ")];
}

let clear = null;

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
    const [what, keys] = words_of(condition, declared);
    set_text(edit.firstChild, what);
    set_text(edit.lastChild, keys);
    Object.assign(edit.dataset, { opens: "filter", entry: condition.dimension });
    edit.title = plain(condition.keys.join(", "));
    remove.dataset.condition = condition.dimension;
    remove.ariaLabel = plain(`Take away: ${what} ${keys}`);
  });
  clear ??= Object.assign(make("button", "link", "clear all"), { id: "clear_filter" });
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
    // Keys that are filtered by have rows: one without counts nothing.
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
  buttons.forEach((button, i) =>
    show_row(button, dimension, { key: keys[i], [declared.row.count]: count, [declared.row.amount]: count }, 1)
  );
  return buttons;
}

function show_computed({ hello, computed, breakdowns, told_ms }, now_ms) {
  if (hello === null) return;
  const of_states = (origin) => (origin ?? "cells") !== "cells";
  const all = of_states(computed?.cards);
  const panels = of_states(computed?.breakdowns);
  const failed = Boolean(computed?.failed);
  const note = computed === null ? "" : computed_note(computed, now_ms - told_ms, declared.many);
  const place = by_id("computed");
  set_text(place, all ? note : panels || failed ? `panels ${note}` : "");
  place.title = place.textContent;
  place.classList.toggle("amber", failed);
  for (const panel of document.querySelectorAll("[data-breakdown]")) {
    const { breakdown: dimension } = panel.dataset;
    const known = breakdowns.some((each) => each.dimension === dimension);
    panel.classList.toggle("late", known && failed && (panels || dimension_of(declared, dimension).from_states));
    if (!known && note !== "") set_text(panel.querySelector(".told"), note);
  }
}

/** Opens the editor of one condition: a dimension, is or is not, and keys, picked from what is in sight or typed. */
export function open(page, go, entry = declared.first_filter) {
  const { filter } = page.address;
  const dimension = select(declared.dimensions.map(({ name, label }) => [name, label]), entry);
  const sense = select([["is", "is"], ["not", "is not"]], "is");
  const list = make("div", "picks");
  const typed = input({ type: "text", maxLength: 200, placeholder: "another, then Enter", autocomplete: "off" });
  const told = make("p", "sub");
  const remove = Object.assign(make("button", "plain", "Take away"), { type: "button" });
  const body = form(
    () => {
      if (typed.value.trim() !== "") return add();
      if (chosen().length === 0) return say("Pick a key, or type one.");
      put(chosen());
    },
    "Filter",
    make("div", "line", field("Dimension", dimension), field("Which", sense)),
    list,
    field("Key", typed),
    remove,
  );
  body.append(told);
  const dialog = open_dialog("Filter", body);
  dialog.classList.add("filter");

  const boxes = () => [...list.querySelectorAll("input")];
  const chosen = () => boxes().filter(({ checked }) => checked).map(({ value }) => value);
  const say = (text) => told.textContent = text;

  function put(keys) {
    go(page, {
      filter: with_condition(filter, { dimension: dimension.value, keys, excluded: sense.value === "not" }, declared),
    });
    dialog.close();
  }

  function add() {
    const key = typed.value.trim();
    typed.value = "";
    const known = boxes().find(({ value }) => value === key);
    if (known !== undefined) known.checked = true;
    else list.prepend(pick(key, true));
    limit();
  }

  function limit() {
    const full = chosen().length >= MOST_KEYS;
    for (const box of boxes()) box.disabled = full && !box.checked;
    say(full ? `At most ${MOST_KEYS} keys.` : "");
  }

  function pick(key, checked) {
    const box = input({ type: "checkbox", value: key, checked });
    return make("label", "pick", box, make("span", "", key_words(dimension_of(declared, dimension.value), key)));
  }

  function fill() {
    const condition = filter.find((each) => each.dimension === dimension.value);
    const rows = page.shown.breakdowns.find((each) => each.dimension === dimension.value)?.rows ?? [];
    const seen = dimension_of(declared, dimension.value).keys ?? [...rows.map(({ key }) => key), "unknown"];
    const kept = condition?.keys ?? [];
    const keys = [...new Set([...kept, ...seen])].filter((key) => key !== null);
    sense.value = condition?.excluded ? "not" : "is";
    list.replaceChildren(...keys.map((key) => pick(key, kept.includes(key))));
    remove.hidden = condition === undefined;
    limit();
  }

  dimension.onchange = fill;
  list.onchange = limit;
  remove.onclick = () => put([]);
  fill();
}
