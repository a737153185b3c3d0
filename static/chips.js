import { by_id, make, set_text } from "./page.js";
import { label_of, name_of } from "./breakdowns.js";

/** The filter as chips: a press on one opens its condition, × takes it away. */

/** A condition in words: "city is Chicago or Boston". Pure. */
export function words_of({ dimension, keys, excluded }) {
  const named = keys.slice(0, 3).map((key) => label_of(dimension, key));
  if (keys.length > 3) named.push(`${keys.length - 3} more`);
  return [`${name_of(dimension)} ${excluded ? "is not" : "is"}`, named.join(excluded ? " nor " : " or ")];
}

const clear = make("button", "link", "clear all");
clear.id = "clear_filter";

/** Shows the conditions, in the order of the address. */
export function show_chips({ address: { filter } }) {
  const place = by_id("chips");
  const add = by_id("add_filter");
  const chips = [...place.querySelectorAll(".chip")];
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
    edit.dataset.opens = "filter";
    edit.dataset.entry = condition.dimension;
    edit.title = condition.keys.join(", ");
    remove.dataset.condition = condition.dimension;
    remove.ariaLabel = `Take away: ${what} ${keys}`;
  });
  if (filter.length > 1) add.after(clear);
  else clear.remove();
}
