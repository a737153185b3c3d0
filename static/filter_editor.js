import { DIMENSIONS } from "./address.js";
import { label_of, name_of } from "./breakdowns.js";
import { field, form, input, open_dialog, select } from "./dialog.js";
import { with_condition } from "./filter.js";
import { make } from "./page.js";

/** The editor of one condition: a dimension, is or is not, and keys, picked from what is in sight or typed. */

const STATUSES = ["requested", "in_progress", "completed", "canceled", "voided"];
const MOST_KEYS = 20;

/** Opens it, on a dimension. */
export function open(page, go, entry = "city") {
  const { filter } = page.address;
  const dimension = select(DIMENSIONS.map((name) => [name, name_of(name)]), entry);
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
    go(page, { filter: with_condition(filter, { dimension: dimension.value, keys, excluded: sense.value === "not" }) });
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
    return make("label", "pick", box, make("span", "", label_of(dimension.value, key)));
  }

  function fill() {
    const condition = filter.find((each) => each.dimension === dimension.value);
    const rows = page.shown.breakdowns.find((each) => each.dimension === dimension.value)?.rows ?? [];
    const seen = dimension.value === "status" ? STATUSES : [...rows.map(({ key }) => key), "unknown"];
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
