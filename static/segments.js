import { format_count, format_decimal, format_moment, format_short } from "./format.js";
import { window_of } from "./items.js";
import { declared, dimension_of, key_words, make } from "./page.js";

/** Keys told apart by how lately, how often and for how much they were there: which segments there are, and who is in one. */

const RANGES = [["24h", "24 h"], ["7d", "7 d"], ["30d", "30 d"]];

/** A part of a whole, in words. */
const share_of = (part, whole) => whole > 0 ? `${format_decimal(100 * part / whole, 1)} %` : "–";

const head_of = (titles) =>
  make(
    "thead",
    "",
    make("tr", "", ...titles.map((title, i) => Object.assign(make("th", i > 0 ? "num" : "", title), { scope: "col" }))),
  );

/** The table of segments: {element, show}; `range` is that of the board, `choose` hears of the name of the one that is pressed, undefined: of all. */
export function segment_list(range, choose) {
  const table = make("table"), ranges = make("p", "line pages", make("span", "sub", "Of the last"));
  ranges.append(...RANGES.map(([name, text]) => {
    const button = make("button", "plain", text);
    button.dataset.range = name;
    button.ariaPressed = `${name === range}`;
    return button;
  }));
  const scroll = Object.assign(make("div", "scroll segments", table), {
    tabIndex: 0,
    role: "region",
    ariaLabel: "Segments",
  });
  return {
    element: make("div", "", ranges, scroll),
    show({ segments, count, value, keys, least_keys }, chosen, label_of) {
      scroll.hidden = keys < least_keys;
      const all = segments.reduce((sum, each) => sum + Number(each.value), 0);
      const most = Math.max(1, ...segments.map((each) => each.keys));
      const focused = table.contains(document.activeElement) ? document.activeElement.dataset.segment : null;
      const rows = segments.map((each) => {
        const button = make("button", "", each.label), share = make("td", "num share", share_of(each.keys, keys));
        Object.assign(button, { ariaPressed: `${each.name === chosen}`, title: "Who is in it" });
        button.dataset.segment = each.name;
        button.onclick = () => choose(each.name === chosen ? undefined : each.name);
        share.style.setProperty("--share", `${100 * each.keys / most}%`);
        const name = Object.assign(make("th", "", button, make("small", "", each.says)), { scope: "row" });
        const cells = [format_count(each.count), format_short(Number(each.value)), share_of(Number(each.value), all)];
        const numbers = cells.map((text) => make("td", "num", text));
        return make("tr", "", name, make("td", "num", format_count(each.keys)), share, ...numbers);
      });
      const titles = [
        "segment",
        "keys",
        "of all",
        label_of(count).toLowerCase(),
        label_of(value).toLowerCase(),
        "of all",
      ];
      table.replaceChildren(head_of(titles), make("tbody", "", ...rows));
      if (focused) table.querySelector(`[data-segment=${focused}]`)?.focus();
    },
  };
}

const opens = (text, items, dimension, key) => {
  const button = make("button", "link", text);
  Object.assign(button.dataset, { items, dimension, key });
  button.title = "What it is made of";
  return button;
};

/** Who is in a segment, or in any, as a table of a list. */
export function segments_table(said, page, label_of) {
  const { count, value, keys, rows: found, segments, how, least_keys } = said,
    dimension = dimension_of(declared, said.dimension);
  const { zone, sight, address } = page, now_ms = sight?.now_ms ?? Date.now();
  const rows = found.map(({ key, segment, last, scores: { recency, frequency, value: fifth }, ...row }) => {
    const name = make("button", "", make("bdi", "", key_words(dimension, key)));
    Object.assign(name.dataset, { dimension: said.dimension, key });
    name.title = "Filter by it; with Shift: leave it out";
    return [
      name,
      segments.find((each) => each.name === segment).label,
      format_moment(Date.parse(last), zone(), now_ms),
      opens(format_count(row.count), count, said.dimension, key),
      opens(format_decimal(Number(row.value), declared.digits[value] ?? 0), value, said.dimension, key),
      ...[recency, frequency, fifth].map(String),
    ];
  });
  const window = window_of(said, zone(), now_ms);
  return {
    told: keys < least_keys
      ? `${
        keys === 0 ? "None" : `Only ${keys}`
      } by ${dimension.label}, ${window}: of fewer than ${least_keys} there are no fifths. Take a longer range.`
      : `${format_count(keys)} by ${dimension.label}, ${window}. ${how}`,
    sorted: address.list.sort ?? "-value",
    columns: [
      { title: dimension.label },
      { title: "segment" },
      { title: "last", sort: "last" },
      { title: label_of(count).toLowerCase(), sort: "count", number: true },
      { title: label_of(value).toLowerCase(), sort: "value", number: true },
      ...["lately", "often", "much"].map((title) => ({ title, number: true })),
    ],
    rows,
  };
}
