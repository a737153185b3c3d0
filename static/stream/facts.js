import { by_id, make, plain, set_text } from "../page.js";
import { format_zone } from "../format.js";
import { board_href, day_around, hour_around } from "./watch.js";
import { field_of, figure_of, is_known, notes_of, told_first, UNKNOWN, value_of } from "./words.js";

/** What is known of the stream: its headline, notes, figures and facts. Drawn in place: what did not change is not touched. */

/** The moment that the stream is placed at on the board, and what it is the time of; undefined while there is none. */
function moment_of(stream, { declared }) {
  const [field, noun] = declared.moments.find(([name]) => stream[name] !== null) ?? [];
  return field === undefined ? undefined : { ms: Date.parse(stream[field]), noun };
}

/** Replaces an element's children when what it is to say differs from what it says. */
function redraw(element, says, draw) {
  if (element.dataset.says === says) return;
  element.dataset.says = says;
  element.replaceChildren(...draw());
}

/** Draws all but the events. `told` is how: declared, zone, currency, now_ms, and `kept` of the address. */
export function show_facts(stream, told) {
  const { declared: { mark, marks, story }, zone, now_ms } = told;
  document.body.dataset.mark = marks[stream[mark]] ?? "";
  set_text(by_id("told_zone"), format_zone(zone, moment_of(stream, told)?.ms ?? now_ms));
  const { lead, text } = told_first(story, stream, told);
  redraw(by_id("story"), lead + text, () => [make("b", "verdict", lead), plain(` ${text}`)]);
  const notes = notes_of(stream, told);
  redraw(
    by_id("notes"),
    JSON.stringify(notes),
    () => notes.map(({ lead, text }) => make("li", "", make("b", "", lead), make("span", "", text))),
  );
  by_id("notes").hidden = notes.length === 0;
  const figures = figures_of(stream, told);
  redraw(by_id("figures"), JSON.stringify(figures), () => figures.map(figure_element));
  const facts = facts_of(stream, told);
  redraw(by_id("facts"), JSON.stringify(facts), () => facts.map(group_element));
  const links = links_of(stream, told);
  redraw(by_id("onward"), JSON.stringify(links), () => links.map(([text, href]) => link_to(href, text)));
}

function link_to(href, text) {
  const link = make("a", "", text);
  link.href = href;
  return link;
}

/** The figures: label, value (null: unknown), unit, and what belongs to it. */
function figures_of(stream, told) {
  return told.declared.figures.map(({ field, notes }) => [
    field_of(field, told).label,
    ...figure_of(field, stream[field], told),
    told_first(notes, stream, told).text,
  ]);
}

function figure_element([label, value, unit, note]) {
  const figure = value === null
    ? make("p", "amount", make("span", "unknown", UNKNOWN))
    : make("p", "amount", make("b", "", value), " ", make("small", "", unit));
  return make("div", "", make("h2", "label", label), figure, make("p", "label", note || "\u00a0"));
}

/** Groups of facts: title and rows of name, value, address on the board, machine-readable time. */
function facts_of(stream, told) {
  const { declared: { base, facts, mark, filters }, kept, now_ms } = told;
  const moment = moment_of(stream, told);
  const row = (name, absent) => {
    const value = stream[name] ?? null;
    const href = value === null || filters[name] === undefined || moment === undefined
      ? null
      : board_href({ ...day_around(moment.ms, now_ms), [filters[name]]: value }, kept, base);
    const { label, kind } = field_of(name, told);
    const text = value === null ? absent : value_of(name, value, told);
    return {
      name: label,
      text,
      unknown: value === null,
      href,
      time: kind === "time" && !Array.isArray(value) ? value : null,
    };
  };
  const pair = ({ label, pair: names }) => {
    const unknown = names.some((name) => stream[name] === null);
    const text = unknown ? UNKNOWN : names.map((name) => stream[name]).join(", ");
    return { name: label, text, unknown, href: null, time: null };
  };
  const rows_of = (fact) => {
    if (fact.pair) return [pair(fact)];
    const { field, not_yet = [], not_in = [] } = fact.field ? fact : { field: fact.replace("?", "") };
    const untold = field.length < fact.length && !is_known(stream[field]);
    if (untold || not_in.includes(stream[mark])) return [];
    return [row(field, not_yet.includes(stream[mark]) ? "not yet" : UNKNOWN)];
  };
  return facts.map(({ title, rows }) => [title, rows.flatMap(rows_of)]);
}

function group_element([title, rows]) {
  const list = make("dl");
  for (const { name, text, unknown, href, time } of rows) {
    const value = href !== null ? link_to(href, text) : time !== null ? make("time", "", text) : text;
    if (time !== null) value.dateTime = time;
    if (href !== null) value.title = plain(`${name} ${text} on the board`);
    list.append(make("dt", "", name), make("dd", unknown ? "unknown" : "", value));
  }
  return make("div", "panel", make("h2", "", title), list);
}

/** Ways on: the board around what the stream is placed by. */
function links_of(stream, told) {
  const moment = moment_of(stream, told);
  return moment === undefined
    ? []
    : [[`Board around its ${moment.noun}`, board_href(hour_around(moment.ms), told.kept, told.declared.base)]];
}
