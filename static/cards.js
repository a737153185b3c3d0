import { by_id, declared, fill, make, plain, set_text } from "./page.js";
import { format_count, format_day, format_decimal, format_short, format_window } from "./format.js";
import { condense, ratio, settled } from "./series.js";

/** The cards: what they say, and how it is shown. */

const SPARK_POINTS = 40;
const HEIGHT = 22;
const WEEK_S = 604_800;

function share_of({ name, share_with }, cards) {
  const all = cards[name] + cards[share_with];
  return all > 0 ? cards[name] / all : null;
}

/** How a figure changed, a share in points: {text, tone: "good", "bad" or ""}, null: not known. */
export function change_of(now, before, better, share = false) {
  if (now === null || before === null) return null;
  const signed = (value, digits) => {
    const size = format_decimal(Math.abs(value), digits);
    return `${/[1-9]/.test(size) ? (value < 0 ? "−" : "+") : "±"}${size}`;
  };
  const part = 100 * (now - before) / before;
  const relative = () =>
    part < 999.5 ? `${signed(part, Math.abs(part) < 9.95 ? 1 : 0)} %` : `×${format_short(now / before, 10_000)}`;
  // There is no part of nothing.
  const absolute = () => now === 0 ? "±0" : "from 0";
  const text = share ? `${signed(100 * (now - before), 1)} pt` : before === 0 ? absolute() : relative();
  // Perhaps nobody counted then: no praise.
  const gain = text.startsWith("±") || before === 0 && !share ? 0 : better * (now - before);
  return { text, tone: gain > 0 ? "good" : gain < 0 ? "bad" : "" };
}

// Against the weekday and the period before, the chart's first; "–": not known.
function changes_of(card, { address, cards, compared, misleads, unlike }, tell) {
  const share = card.share_with !== undefined;
  const of = (some) => share ? share_of(card, some) : some[card.figure] ?? null;
  const kinds = ["weekday", "previous"];
  return (address.compare === "previous" ? kinds.reverse() : kinds).map((against) => {
    const then = compared?.[against] ?? null;
    const before = then?.cards ? of(then.cards) : null;
    const now = of(cards);
    const change = before === null || misleads && !unlike ? null : change_of(now, before, card.better, share);
    const told = { name: against === "previous" ? "before" : against, text: "–", tone: "", then, ...change };
    return unlike?.(card, told, before, tell) ?? told;
  });
}

const text_of = (value, digits, exact = 1e6) =>
  (value ?? null) === null ? "–" : value < exact ? format_decimal(value, digits) : format_short(value, 1e4);

/** Tells the names in a card's texts, of what is in sight; decimals below `exact`. */
export function tell_of(card, { address, cards, currency, declared, passed: { from_s, to_s } }, exact) {
  return (name, needed) => {
    if (name === "per_minute") return to_s > from_s ? text_of(cards[card.figure] / (to_s - from_s) * 60, 1) : "–";
    if (name === "currency") return currency;
    if (name === "moment") return address.as_of ? "then" : "now";
    const share = name === "share" ? share_of(card, cards) : null;
    if (name === "share") return share === null ? "" : `${format_decimal(100 * share, 1)} %`;
    if (!(cards[name] > needed) && needed >= 0) return "";
    const digits = declared.digits[name];
    return digits ? text_of(cards[name], digits, exact) : format_count(cards[name]);
  };
}

// The first key of a breakdown, beneath it that of another.
function top_of({ top, bare }, { breakdowns, declared: { row } }) {
  const [first, second] = top.map((name) =>
    breakdowns.find((each) => each.dimension === name)?.rows.find(({ key }) => key !== null && key !== "unknown")
  );
  return {
    value: first?.key ?? null,
    text: first?.key.replace(/^\d+$/, `${bare} $&`) ?? "–",
    unit: first ? format_short(first[row.count]) : "",
    beneath: second ? `${second.key} ${format_short(second[row.count])}` : "",
    changes: [],
    spark: [],
  };
}

function figures_of(card, sight) {
  const { cards, columns } = sight;
  if (card.top) return top_of(card, sight);
  const value = cards?.[card.figure] ?? null;
  if (value === null) return { value, text: "–", unit: "", beneath: "", changes: [], spark: [] };
  const { beside = [], beneath = [], spark: [column, per] = [], small_digits = 0 } = card;
  const { digits = sight.declared.digits[card.figure] } = card;
  const tell = (value, exact) => {
    const decimals = value < 1_000 && small_digits || digits;
    return decimals ? text_of(value, decimals, exact) : format_short(value);
  };
  const told = (texts) => texts.map((text) => fill(text, tell_of(card, sight, 1e3))).filter(Boolean).join(" · ");
  const points = (name) => condense(settled(columns[name], columns.running), SPARK_POINTS);
  return {
    value,
    text: tell(value),
    unit: told(beside),
    beneath: told(beneath),
    changes: card.better === undefined ? [] : changes_of(card, sight, tell),
    spark: !columns[column] ? [] : per ? ratio(points(column), points(per)) : points(column),
  };
}

/** By card: {value, text, unit, beneath, changes, spark}. @returns {any} */
export function card_figures(sight) {
  return Object.fromEntries(sight.declared.cards.map((card) => [card.name, figures_of(card, sight)]));
}

/** An SVG path through values, in 100 by `height`. */
export function spark_path(values, height) {
  const top = Math.max(...values);
  if (values.length < 2 || top <= 0) return "";
  const x = (i) => (i / (values.length - 1) * 100).toFixed(1);
  return `M${values.map((value, i) => `${x(i)} ${(height - value / top * (height - 2)).toFixed(1)}`).join("L")}`;
}

let cards;

/** Puts the cards on the page. */
export function place_cards() {
  cards = declared.cards.map(make_card);
  const place = by_id("cards");
  place.style.setProperty("--columns", declared.card_columns);
  place.append(...cards);
}

function make_card({ name, figure, label: text, main, top, greatest }) {
  const label = make("button", "", text);
  label.title = "How is this counted?";
  const svg = (tag) => document.createElementNS("http://www.w3.org/2000/svg", tag);
  const spark = svg("svg");
  spark.setAttribute("viewBox", `0 0 100 ${HEIGHT}`);
  spark.setAttribute("preserveAspectRatio", "none");
  spark.append(svg("path"), svg("path"));
  const change = make("span", "", make("i"), make("b"));
  const told = make("small", greatest ? "greatest" : "");
  const kind = main ? "card main" : top ? "card top_key" : "card";
  const head = make("h2", "", label, make("small"));
  const opens = make("button", "figure");
  if (top) opens.dataset.keys = top[0];
  else opens.dataset.items = figure;
  const card = make("div", kind, head, spark, opens, make("p", "changes", change, told));
  label.dataset.counted = card.dataset.card = name;
  return card;
}

/** Fills the cards from what is in sight. */
export function show_cards(sight) {
  const figures = card_figures(sight);
  declared.cards.forEach(({ name, greatest }, i) => {
    const { value, text, unit, beneath, changes, spark } = figures[name];
    const card = cards[i];
    const [head, svg, figure, { children: [change, told] }] = card.children;
    set_text(figure, text);
    card.dataset.value = value ?? "";
    figure.title = plain(`${value ?? "not known"}: what it is made of`);
    if (greatest) card.dataset.max = sight.cards?.[greatest.measure] ?? "";
    set_text(head.lastChild, unit);
    set_text(told, beneath);
    show_change(change, changes, sight);
    const line = spark_path(spark, HEIGHT);
    svg.lastChild.setAttribute("d", line);
    svg.firstChild.setAttribute("d", line && `${line}V${HEIGHT}H0Z`);
    svg.toggleAttribute("hidden", line === "");
  });
}

// The first known change; the title tells all.
function show_change(part, changes, sight) {
  const { name, text, tone, then } = changes.find(({ text }) => text !== "–") ?? changes[0] ?? { name: "", text: "" };
  const [against, change] = part.children;
  part.hidden = text === "";
  set_text(change, text);
  change.className = tone ?? "";
  set_text(against, name === "weekday" ? weekday_of(then, sight.zone, sight.passed.to_s) : name);
  part.title = changes_told(changes, sight).join("; ");
}

/** Each change in words. */
export function changes_told(changes, { zone, now_ms, compared }) {
  return changes.map(({ text, then, why }) =>
    why ??
      (then
        ? `${text} against ${format_window(then, zone, now_ms)}`
        : compared?.weekday
        ? "what it was is not known"
        : "comparing …")
  );
}

// It may be years old.
function weekday_of(then, zone, end_s) {
  if (then === null) return "last week";
  const { from_s, to_s } = then;
  const weeks = Math.round((end_s - to_s) / WEEK_S);
  if (weeks > 1 || to_s - from_s > 86_400) return `${weeks} w ago`;
  return `last ${format_day(to_s * 1000 - 1, zone, 0).slice(0, 3)}`;
}
