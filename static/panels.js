import { rows_shown } from "./breakdowns.js";
import { change_of } from "./cards.js";
import { select } from "./dialog.js";
import { format_count, format_decimal, format_window } from "./format.js";
import { by_id, declared, dimension_of, key_words, plain, set_text } from "./page.js";
import { is_behind } from "./troubles.js";

/** What panels have besides their rows' figures: each row's share of all, and how it changed; and an order of the reader's own, of them and of their rows. */

/** The panels in an order: those that are named first, then all others as they are declared. Pure. */
export function ordered(names, panels) {
  const named = [...new Set(names)].filter((name) => panels.includes(name));
  return [...named, ...panels.filter((name) => !named.includes(name))];
}

/** The order after one panel has gone a place earlier (-1) or later (1). Pure. */
export function moved(names, panels, name, by) {
  const all = ordered(names, panels), from = all.indexOf(name), to = from + by;
  if (from < 0 || to < 0 || to >= all.length) return all;
  return all.toSpliced(from, 1).toSpliced(to, 0, name);
}

/** What a key counted then; null where that is not known. Pure. */
export function count_then(then, key) {
  if (then === undefined || key === null) return null;
  return Object.hasOwn(then.counts, key) ? then.counts[key] : then.all ? 0 : null;
}

/** Where there is room for it a panel has more rows. */
const WIDE = "(min-width:112.5em)", ROWS = { wide: 16, narrow: 8 };
const by_name = new Intl.Collator(undefined, { numeric: true });

/**
 * The rows of a panel that are shown of those that are known: the `most` greatest by count, or by amount, those that are `kept`, and all others in
 * one. They are in the order of `by`: the name of count or amount, the greatest first, "change", what grew most first, or "key". Pure.
 */
export function in_order(rows, { count, amount }, { by = count, most, kept, words, growth }) {
  const falling = (value) => (a, b) => value(b) - value(a);
  const named = rows.filter(({ key }) => key !== null);
  if (by === amount) named.sort(falling((row) => row[amount] ?? -Infinity));
  const own = named.filter(({ key }, i) => i < most || kept.includes(key));
  if (by === "change") own.sort(falling((row) => growth(row) ?? -Infinity));
  if (by === "key") own.sort((a, b) => by_name.compare(words(a.key), words(b.key)));
  const [first, ...others] = rows.filter((row) => !own.includes(row));
  if (first === undefined) return own;
  const rest = { ...first, key: null };
  for (const row of others) for (const name of [count, amount]) rest[name] += row[name];
  return [...own, rest];
}

/** The rows that panels show, for breakdowns.js. */
export function arranged(page) {
  const { filter, sorted = {} } = page.address, most = matchMedia(WIDE).matches ? ROWS.wide : ROWS.narrow;
  return (rows, name) => {
    const kept = filter.find(({ dimension }) => dimension === name)?.keys ?? [], then = then_of(page, name);
    const growth = (row) => is_enough(then(row), page) ? row[declared.row.count] / then(row) : null;
    const words = (key) => key_words(dimension_of(declared, name), key);
    return in_order(rows, declared.row, { by: sorted[name], most, kept, words, growth });
  };
}

/** What a panel's rows counted then; null: not known, or nothing that they could be held against. */
function then_of({ address, shown, sight }, name) {
  const told = shown.compared?.[address.compare] && sight && address.order === undefined &&
    !is_behind(shown, sight.now_ms);
  return ({ key }) => told ? count_then(shown.compared_keys?.[name], key) : null;
}

/** Whether it is enough to be held against: by chance alone the figure of a few may be a third more another time. */
const is_enough = (then, { address, shown }) => then !== null && then >= shown.compared[address.compare].least_base;

/** Shows it in all panels. */
export function show_panels(page) {
  const { address, shown, sight, zone } = page;
  const places = new Map([...by_id("breakdowns").children].map((panel) => [panel.dataset.breakdown, panel]));
  const names = ordered(address.panels ?? [], declared.panels);
  if (names.join() !== [...places.keys()].join()) {
    names.forEach((name, i) => places.get(name).style.gridColumn = `span ${declared.panel_spans[i]}`);
    by_id("breakdowns").append(...names.map((name) => places.get(name)));
  }
  for (const [name, panel] of places) show_order(page, panel, name);
  if (sight === null) return;
  const against = shown.compared?.[address.compare];
  for (const [name, panel] of places) {
    const rows = rows_shown[name] ?? [], then_in = then_of(page, name);
    const { count } = declared.row, total = rows.reduce((sum, row) => sum + row[count], 0);
    rows.forEach((row, i) => {
      const more = panel.lastChild.children[i]?.querySelector(".more");
      if (!more) return;
      const then = then_in(row), changed = is_enough(then, page) ? change_of(row[count], then, 0).text : "";
      show_more(more, total > 0 ? row[count] / total : null, changed);
      more.title = then === null ? "" : plain(`${format_count(then)} ${format_window(against, zone(), sight.now_ms)}`);
    });
  }
}

/** What a panel's rows are in the order of, to be chosen: in its header, where it stays. */
function show_order(page, panel, name) {
  const header = panel.firstChild, { count, amount } = declared.row;
  let choice = header.querySelector("select");
  if (choice === null) {
    choice = select([[count, count], [amount, amount], ["change", "change"], ["key", "name"]], count);
    choice.ariaLabel = choice.title = `What the rows by ${dimension_of(declared, name).label} are sorted by`;
    choice.onchange = () => {
      const { [name]: _, ...others } = page.address.sorted ?? {};
      const sorted = choice.value === count ? others : { ...others, [name]: choice.value };
      page.need("actions", ({ go }) => go(page, { sorted }));
    };
    header.lastChild.before(choice);
  }
  choice.value = page.address.sorted?.[name] ?? count;
}

function show_more(more, share, changed) {
  const [first, second] = more.children;
  set_text(first, share === null ? "" : `${format_decimal(100 * share, share > 0.9995 ? 0 : 1)} %`);
  set_text(second, changed);
}
