import { refill } from "./dialog.js";
import { format_clock, format_count } from "./format.js";
import { by_id, declared, dimension_of, key_words, make, set_text } from "./page.js";

/** What is unusual now, above the figures. Loaded by the first of it; it says nothing while nothing is. */

const AGAIN_MS = 60_000;
const MOST = 4;
const list = make("ul");
const place = Object.assign(make("section", "unusual", make("b", "", "Unusual now"), list), {
  ariaLabel: "Unusual now",
});
/** Opens the list of what lies far from its own kind. */
const single = make("button", "link");
single.dataset.items = "unusual";
/** What was read last, when it was asked for, and what was told of it. */
let items = [], asked_ms = -Infinity, asked_of = 0, told = "";

/** A key after the name of its dimension. Pure. */
export const name_of = ({ dimension, key }, declared) => {
  if (dimension === null) return "";
  const words = dimension_of(declared, dimension) ?? { label: dimension };
  return `${words.label.toLowerCase()} ${key_words(words, key)}`;
};

/** Something unusual in words: what, how much, and since when. `tell(ms)` gives a time as text. Pure. */
export function words_of({ label, dimension, key, seen, expected, from, to }, declared, tell) {
  const since = Date.parse(to) - Date.parse(from) >= 3_600_000
    ? "for an hour or longer"
    : `since ${tell(Date.parse(from))}`;
  const where = name_of({ dimension, key }, declared);
  return [
    where === "" ? `${label}, all together` : `${label}, ${where}`,
    ` ${format_count(seen)} ${since}, usually ${format_count(Math.round(expected))}`,
  ];
}

/** What explains it, in words; "": nothing does. Pure. */
export function reason_of({ share, score, explained_by, dimension }, declared) {
  const whole = score > 0 ? "what is more" : "what is missing";
  const own = dimension === null || share === null ? [] : [`${Math.round(share * 100)} % of ${whole} in all`];
  const others = explained_by.map((each) => `${Math.round(each.share * 100)} % in ${name_of(each, declared)}`);
  return [...own, ...others].join(" · ");
}

/** It is of now, and of the usual currency. */
const fits = ({ address, board, shown }) =>
  board.health?.unusual > 0 && address.as_of === null && address.currency === null && shown.hello !== null;

/** What charts mark: what is told, {figure, name, more, from_s, to_s}; nothing by arrival or under a filter that has not its key. */
export function marks_of(page) {
  if (!fits(page) || page.address.order !== undefined) return [];
  return items.filter(({ dimension, key }) =>
    page.address.filter.every((each) => each.dimension === dimension && each.keys.includes(key) !== each.excluded)
  ).map((item) => ({
    figure: item.figure,
    name: name_of(item, declared) || item.label,
    more: item.score > 0,
    from_s: Date.parse(item.from) / 1_000,
    to_s: Date.parse(item.to) / 1_000,
  }));
}

/** Shows what is unusual, by the newest board: its health says how much there is. */
export function show_unusual(page) {
  const many = page.board.health?.unusual ?? 0;
  if (!fits(page)) {
    place.remove();
    told = "";
    return;
  }
  const now_ms = performance.now();
  if (many !== asked_of || now_ms - asked_ms > AGAIN_MS) {
    [asked_of, asked_ms] = [many, now_ms];
    ask(page);
  }
  draw(page);
}

async function ask(page) {
  const answer = await fetch(`${declared.api}/unusual`, { cache: "no-store" }).catch(() => null);
  if (!answer?.ok) return void await answer?.body?.cancel();
  ({ items } = await answer.json());
  if (asked_of > 0) page.draw_soon();
}

function draw(page) {
  if (items.length === 0) return place.remove();
  if (!place.isConnected) by_id("cards").before(place);
  if (declared.unusual_items && !page.address.kiosk) place.append(single);
  set_text(single, `Unusual ${declared.many}`);
  const lines = items.slice(0, MOST).map((
    item,
  ) => [item, words_of(item, declared, (ms) => format_clock(ms, page.zone()))]);
  const left = items.length - lines.length;
  const text = JSON.stringify([lines, left]);
  if (text === told) return;
  const names = lines.map(([, [name]]) => name).join("; ");
  // Read aloud is what is new, not how its figures go on.
  if (place.dataset.names !== names) set_text(by_id("announcer"), `Unusual now: ${place.dataset.names = names}`);
  told = text;
  const rows = lines.map(([item, [name, rest]]) => {
    const { dimension, key, score } = item;
    const button = make("button", score > 0 ? "" : "fewer", make("span", "", name), rest);
    button.title = reason_of(item, declared);
    button.ariaDescription = button.title;
    if (dimension === null) button.disabled = true;
    else Object.assign(button.dataset, { dimension, key });
    return make("li", "", button);
  });
  if (left > 0) rows.push(make("li", "sub", `and ${left} more`));
  refill(list, ...rows);
}
