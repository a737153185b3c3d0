import { by_id, dimension_of, key_words, make, plain, set_text } from "../page.js";
import { format_clock, format_count, format_day, format_decimal } from "../format.js";
import {
  beside,
  counted,
  event_words,
  field_of,
  format_duration,
  is_overtaken,
  lateness_of,
  status_words,
  value_of,
} from "./words.js";

/** The stream's events in the order in which they arrived. What has arrived does not change: new ones are added at the end. And the figures that each moved, in words. */

let drawn = [], drawn_as = "";

/** Draws what is not drawn yet; all anew when it is to be told otherwise. */
export function show_events({ events, changes, topics }, told) {
  const list = by_id("events");
  // Days are named without their year only in it.
  const as = `${told.zone} ${told.currency} ${format_day(told.now_ms, told.zone, told.now_ms)}`;
  const goes_on = as === drawn_as && drawn.every((key, i) => events[i] !== undefined && key_of(events[i]) === key);
  const from = goes_on ? drawn.length : 0;
  if (!goes_on) list.replaceChildren();
  events.slice(from).forEach((event, i) => {
    list.append(
      event_element(
        event,
        changes?.[from + i] ?? null,
        lateness_of(event, events),
        is_overtaken(events, from + i),
        told,
      ),
    );
  });
  drawn = events.map(key_of);
  drawn_as = as;
  const count = events.length === 0
    ? "none is here"
    : `${counted(events.length, "event")}, in the order in which they arrived`;
  set_text(by_id("events_count"), count);
  // Where they were looked for, and what came of it.
  const said = by_id("events_said");
  said.hidden = topics === undefined;
  said.classList.toggle("amber", topics !== undefined && topics.equal !== true);
  set_text(said, topics === undefined ? "" : `Out of the topics: ${topics.says}.`);
}

/** What makes an event another one, in another log too. */
const key_of = ({ position, recorded_at, event_id }) => `${position} ${recorded_at} ${event_id}`;

function event_element(event, change, lateness, overtaken, told) {
  const { type, occurred_at, event_id, position, revision, schema_version, metadata } = event;
  const { zone, now_ms } = told;
  const [label, , tone = ""] = event_words(type, told);
  const ms = Date.parse(occurred_at);
  const time = make("time", "", format_clock(ms, zone, true));
  time.dateTime = occurred_at;
  const when = make("p", "when", time, make("span", "label", format_day(ms, zone, now_ms)));
  const title = make("h3", "", label);
  const tags = [lateness.late ? "late" : "", overtaken ? "out of order" : ""].filter((tag) => tag !== "");
  title.append(...tags.flatMap((tag) => [" ", make("span", "tag", tag)]));
  const { topic, partition, offset } = metadata;
  const source = topic === undefined ? "source unknown" : `${topic}/${partition}@${offset}`;
  const known = position === null ? [] : [`position ${format_count(position)}`];
  const place = make("p", "label", [...known, `revision ${revision}`, source].join(" · "));
  const types = `${type}, schema version ${schema_version}`;
  place.title = plain(`${types}, event id ${event_id}; topic ${topic}, partition ${partition}, offset ${offset}`);
  const body = make("div", "body", make("div", "", title, recorded(event, lateness, told), place));
  if (change !== null) {
    body.append(fields_element(change, revision === 1, occurred_at, told), moved_element(change.cells, told, ms));
  }
  body.append(raw_element(event));
  const item = make("li", "", when, body);
  Object.assign(item.dataset, { type, tone });
  item.dataset.position = position ?? offset;
  return item;
}

function recorded(event, { text }, { zone }) {
  const time = make("time", "", format_clock(Date.parse(event.recorded_at), zone, true));
  time.dateTime = event.recorded_at;
  // In a topic it has the time of its message alone.
  return make("p", "recorded", event.position === null ? "sent " : "recorded ", time, `, ${text}`);
}

/** Fields that say what another one of them says are not told twice. */
function told_once(fields, { declared: { repeats } }) {
  const said = (name) => fields.find((field) => field.name === name)?.after;
  return fields.filter(({ name, after }) => !Object.hasOwn(repeats, name) || after !== said(repeats[name]));
}

/** A value; of a time on the event's own day the clock does. */
function value_beside(name, value, occurred_at, told) {
  const text = value_of(name, value, told);
  return field_of(name, told).kind === "time" ? beside(text, occurred_at, told) : text;
}

/** Streams of some domains have no status. */
function fields_element({ status, fields }, first, occurred_at, told) {
  const rows = told_once(fields, told).map(({ name, before, after }) => ({
    name: field_of(name, told).label,
    before: value_beside(name, before, occurred_at, told),
    after: value_beside(name, after, occurred_at, told),
  }));
  if (status?.before !== status?.after) {
    rows.unshift({ name: "Status", before: status_words(status.before), after: status_words(status.after) });
  }
  const heading = make("h4", "label", first ? "What it told" : "What it changed");
  if (rows.length === 0) return make("div", "changed", heading, make("p", "quiet", "nothing"));
  const list = make("dl", "fields");
  for (const { name, before, after } of rows) {
    // Before its first event nothing was known; to say so in each row is noise.
    const was = first ? [] : [make("span", "was", before), make("span", "arrow", " → ")];
    list.append(make("dt", "", name), make("dd", "", ...was, make("span", "now", after)));
  }
  return make("div", "changed", heading, list);
}

function moved_element(cells, told, day_ms) {
  const heading = make("h4", "label", "Figures it moved");
  if (cells.length === 0) return make("div", "moved", heading, make("p", "quiet", "none"));
  const all = moved_in_all(cells, told, day_ms);
  const lines = all.map(({ when, what }) => make("li", "", line(when, differences(what))));
  if (lines.length === 0) lines.push(make("li", "quiet", "no total; from key to key"));
  const groups = moved_in_full(cells, told, day_ms).map(({ what, where }) =>
    make(
      "li",
      "",
      make("p", "", ...differences(what)),
      ...where.map(({ when, places }) => line(when, [places.join("\u00a0· ")])),
    )
  );
  const full = make(
    "details",
    "",
    make("summary", "", `In ${counted(cells.length, "cell")}`),
    make("ul", "groups", ...groups),
  );
  return make("div", "moved", heading, make("ul", "all", ...lines), full);
}

const line = (when, what) => make("p", "line", make("span", "at", when), " ", make("span", "", ...what));

/** Differences, each in one piece. */
function differences(texts) {
  return texts.flatMap((text, i) => [make("span", "difference", i < texts.length - 1 ? `${text}\u00a0·` : text), " "]);
}

function raw_element({ data, metadata, ...rest }) {
  const text = JSON.stringify({ ...rest, data, metadata }, null, 2);
  return make("details", "raw", make("summary", "", "Raw data"), make("pre", "", text));
}

const AMOUNTS = {
  count: (n) => format_count(n),
  money: (n, currency) => `${format_decimal(n, 2)} ${currency}`,
  km: (n) => `${format_decimal(n, 2)} km`,
  min: (n) => format_duration(n),
};
const GRAINS = { "5m": " 5 min", "1h": " hour", "1d": " day" };

/** "+1 completed", "+12.50 USD revenue". */
function difference({ words, unit, per }, n, currency) {
  const size = Math.abs(n) / per;
  return `${n < 0 ? "−" : "+"}${AMOUNTS[unit](size, currency)} ${words[size === 1 ? 0 : 1]}`.trim();
}

/** Differences in words, in the order in which they are declared; those that are not told always only when `full`. */
export function measure_words(measures, { declared, currency }, full) {
  const known = declared.measures.map(({ name }) => name);
  // A newer server may have measures of other names.
  const others = Object.keys(measures).filter((name) => !known.includes(name)).map((name) => {
    const words = name.replaceAll("_", " ");
    return { name, words: [words, words], unit: "count", per: 1, minor: false };
  });
  return [...declared.measures, ...others].filter(({ name, minor }) =>
    Object.hasOwn(measures, name) && (full || !minor)
  )
    .map((measure) => difference(measure, Number(measures[measure.name]), currency));
}

/** A cell's key in words: "all" of them, "status in progress". */
function place_words({ dimension: name, key }, { declared }) {
  if (name === declared.whole) return `all ${declared.many}`;
  const dimension = dimension_of(declared, name) ?? { label: name };
  return `${dimension.brief ?? dimension.label} ${key_words(dimension, key)}`;
}

/** A bucket in words: "10:20", "10:20 5 min", "Fri 21 Nov, 10:20" when that is not the day of `day_ms`, "all time". */
function bucket_words({ bucket, grain }, { zone, now_ms }, day_ms) {
  if (grain === "all") return "all time";
  const ms = Date.parse(bucket);
  const day = format_day(ms, zone, now_ms);
  const other = day === format_day(day_ms, zone, now_ms) ? "" : `${day}, `;
  return `${other}${format_clock(ms, zone)}${GRAINS[grain] ?? ""}`;
}

/** How a cell's amounts are told: in its currency, where it has one. */
const told_of = ({ currency = null }, told) => currency === null ? told : { ...told, currency };

/** What all together gained and lost: for each minute its differences. `day_ms` is a moment of the day that needs no naming. */
export function moved_in_all(cells, told, day_ms) {
  return cells.filter(({ dimension }) => dimension === told.declared.whole).map((cell) => ({
    when: bucket_words(cell, told, day_ms),
    what: measure_words(cell.measures, told_of(cell, told), false),
  })).filter(({ what }) => what.length > 0);
}

/** All that was moved: cells that moved alike are told together, by their buckets. */
export function moved_in_full(cells, told, day_ms) {
  const groups = new Map();
  for (const cell of cells) {
    const what = measure_words(cell.measures, told_of(cell, told), true);
    const group = groups.get(what.join()) ?? { what, where: new Map() };
    groups.set(what.join(), group);
    const when = bucket_words(cell, told, day_ms);
    const place = place_words(cell, told);
    group.where.set(when, [...group.where.get(when) ?? [], place]);
  }
  return [...groups.values()].map(({ what, where }) => ({
    what,
    where: [...where].map(([when, places]) => ({ when, places })),
  }));
}
