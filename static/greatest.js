import { format_time } from "./address.js";
import { open_dialog } from "./dialog.js";
import { declared, make } from "./page.js";
import { read_api } from "./troubles.js";

/** The way from a card's greatest value to the stream that holds it. */

const card_of = (way) => declared.cards.find(({ name }) => name === way.closest("[data-card]").dataset.card);

for (const way of globalThis.document?.querySelectorAll(".greatest") ?? []) {
  way.setAttribute("role", "link");
  way.tabIndex = 0;
  way.title = card_of(way).greatest.title;
  way.onkeydown = ({ key }) => key === "Enter" && way.click();
}

let looking = false;

/** Goes to the stream that holds the greatest value of what is in sight; says so where there is none, or it cannot be told. */
export async function go_to_greatest({ address, shown, sight }, way) {
  if (looking || address.kiosk || sight === null) return;
  looking = true;
  const { greatest: { measure, title, none } } = card_of(way);
  const query = query_of(measure, sight.window, address, shown.hello?.as_of ?? null);
  const { said, failed } = await read_api(`kpis/greatest?${query}`);
  looking = false;
  if (said?.id != null) location.href = stream_href(declared.path, said, address);
  else open_dialog(title, make("p", "", failed ? `It could not be looked for: ${failed}.` : none));
}

/** What the API is asked. Pure. */
export function query_of(measure, { from_s, to_s }, { order, last, filter, currency }, as_of) {
  const [from, to] = [from_s, to_s].map((s) => format_time(s * 1_000));
  const query = new URLSearchParams(last === undefined ? { measure, from, to } : { measure, last });
  if (order !== undefined) query.set("order", order);
  for (const { dimension, keys, excluded } of filter) {
    for (const key of keys) query.append(`${excluded ? "not_" : ""}${dimension}`, key);
  }
  if (currency !== null) query.set("currency", currency);
  if (as_of !== null) query.set("as_of_position", as_of.position);
  return query;
}

/** The stream's page; of a board of then as it stood then. Pure. */
export function stream_href(path, { id, as_of_position }, { as_of, tz, theme }) {
  const kept = Object.entries({ tz, theme, as_of_position: as_of && as_of_position }).filter(([, value]) =>
    value !== null
  );
  return `${path}${encodeURIComponent(id)}?${new URLSearchParams(kept)}`.replace(/\?$/, "");
}
