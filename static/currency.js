import { format_count } from "./format.js";
import { by_id, declared, make, set_text } from "./page.js";

/** Which currency the board is of, and which others there are: amounts of two are never added up. */

const choice = Object.assign(make("select"), { id: "currency", ariaLabel: "Currency of all figures" });
const others = make("span", "sub");
const place = make("div", "currency", choice, others);
let offered = "";

/** An option in words: the code, and how much was counted in it, of all of time, where that is told. Pure. */
export function option_of({ currency, count }) {
  return count === null ? currency : `${currency} · ${format_count(count)}`;
}

/** Shows the currency in sight, with the others. */
export function show_currency(page) {
  const { currencies = [], hello } = page.shown;
  if (hello === null) return;
  if (!place.isConnected) by_id("chips").before(place);
  const options = currencies.map(option_of);
  if (options.join() !== offered) {
    offered = options.join();
    choice.replaceChildren(
      ...currencies.map(({ currency }, i) => Object.assign(make("option", "", options[i]), { value: currency })),
    );
  }
  choice.value = hello.currency;
  const left_out = currencies.map(({ currency }) => currency).filter((code) => code !== hello.currency);
  const named = left_out.slice(0, 3).join(", ") + (left_out.length > 3 ? ` and ${left_out.length - 3} more` : "");
  set_text(others, named === "" ? "" : `without ${named}`);
  place.title = `All figures are of ${declared.many} in ${hello.currency}: currencies are not added up`;
  choice.onchange = () => {
    // At once: a frame that comes before it is gone there puts back what is shown.
    const currency = choice.value === declared.currency ? null : choice.value;
    page.need("actions", ({ go }) => go(page, { currency }));
  };
}
