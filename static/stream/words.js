import { format_age, format_clock, format_count, format_day, format_decimal } from "../format.js";
import { key_words } from "../page.js";

/** A stream in words: values of its fields, what its domain declares to be told of them, and what is unusual about it. Pure. */

export const UNKNOWN = "unknown";
/** From when on a message is called late: the windows of the board have closed by then. */
export const LATE_MS = 300_000;

/** Whether something is told of a field; a list may have nothing in it. */
export const is_known = (value) => (value ?? null) !== null && value.length !== 0;

/** What is declared of a type of event, [label, noun]; one that only a newer server knows is named as it names it. */
export const event_words = (type, { declared }) => declared.events[type] ?? [type, type];

/** What is declared of a field: {label, kind}. */
export const field_of = (name, { declared }) => declared.fields[name] ?? { label: name, kind: "text" };

/** An amount as decimal text, with as many decimals as it has, at least two. Text, not a number: no digit is lost. */
export function format_amount(text) {
  return format_decimal(text, Math.max(2, text.split(".")[1]?.length ?? 0));
}

/** "14 min", "14 min 30 s", "2 h 5 min". */
export function format_duration(min) {
  const s = Math.round(min * 60);
  const [h, m, rest] = [Math.floor(s / 3_600), Math.floor(s / 60) % 60, s % 60];
  if (h > 0) return `${format_count(h)} h${m > 0 ? ` ${m} min` : ""}`;
  return m === 0 ? `${rest} s` : `${m} min${rest > 0 ? ` ${rest} s` : ""}`;
}

/** "Fri 21 Nov, 10:31:05": seconds always, since events are that close. */
export function format_instant(text, { zone, now_ms }) {
  const ms = Date.parse(text);
  return `${format_day(ms, zone, now_ms)}, ${format_clock(ms, zone, true)}`;
}

/** A time beside another one: of the same day, the clock does. */
export function beside(text, other, { zone, now_ms }) {
  return text.replace(`${format_day(Date.parse(other), zone, now_ms)}, `, "");
}

const WRITE = {
  text: String,
  number: (value) => Number.isInteger(value) ? format_count(value) : String(value),
  time: format_instant,
  money: (value, { currency }) => `${format_amount(value)} ${currency}`,
  km: (km) => `${format_decimal(km, Number.isInteger(km * 10) ? 1 : 2)} km`,
  min: format_duration,
};

/** A field's value in words. `told` is how things are told: declared, zone, currency, now_ms. */
export function value_of(name, value, told) {
  if (Array.isArray(value)) return value.map((one) => value_of(name, one, told)).join(", ") || "none";
  return is_known(value) ? WRITE[field_of(name, told).kind](value, told) : UNKNOWN;
}

/** The value of a figure alone, and its unit; null: unknown. */
export function figure_of(name, value, told) {
  const { kind } = field_of(name, told);
  if (!is_known(value)) return [null, ""];
  if (kind === "money") return [format_amount(value), told.currency];
  return kind === "km" || kind === "min" ? [format_decimal(value, { km: 2, min: 1 }[kind]), kind] : [
    value_of(name, value, told),
    "",
  ];
}

/** A standing in words. */
export const status_words = (status) => status === null ? UNKNOWN : key_words({ keys: true }, status);

/** From where to where: a bare number has what it is in before it. "" where nothing is known of it. */
function route_of(stream, { declared: { route, dimensions } }) {
  const within = stream[route.within] ?? null;
  const [from, to] = [route.from, route.to].map((name) => {
    const key = stream[name] ?? null;
    return key === null ? null : key_words(dimensions?.find((each) => each.name === name) ?? {}, key);
  });
  if (from === null && to === null && within === null) return "";
  return `${place_of(from, within) ?? within ?? UNKNOWN} → ${place_of(to, within) ?? UNKNOWN}`;
}

/** A place: a bare number with what it is in before it. */
export function place_of(place, within) {
  return place !== null && /^\d+$/.test(place) && within !== null ? `${within} ${place}` : place ?? null;
}

/** What a name in braces stands for, "" where it is not known. */
function named(name, stream, told) {
  if (name === "route") return route_of(stream, told);
  const [, top, under, factor = 1, digits] = /^(\w+)\/(\w+)(?:\*(\d+))?:(\d)$/.exec(name) ?? [];
  if (top !== undefined) {
    const part = is_known(stream[top]) ? factor * Number(stream[top]) / Number(stream[under] ?? 0) : NaN;
    return Number.isFinite(part) ? format_decimal(part, digits) : "";
  }
  const [, field, sign, more] = /^(\w+)([#~:]?)(.*)$/.exec(name);
  if (sign === ":") {
    const count = stream.events.filter(({ type }) => type === more).length;
    return count > 1 ? format_count(count) : "";
  }
  if (!is_known(stream[field])) return "";
  if (sign === "#") return figure_of(field, stream[field], told)[0];
  const text = value_of(field, stream[field], told);
  return sign === "~" ? beside(text, stream[more], told) : text;
}

/** Fills a declared text: in brackets is what is left out where something in it is not known. */
export function tell(text, stream, told) {
  const filled = (part, absent) => part.replace(/{([^}]+)}/g, (_, name) => named(name, stream, told) || absent);
  const kept = text.replace(/\[([^\]]*)\]/g, (_, part) => {
    const said = filled(part, "\0");
    return said.includes("\0") ? "" : said;
  });
  return filled(kept, UNKNOWN);
}

function applies({ is = {}, known = [], unknown = [], same, after } = {}, stream) {
  return Object.entries(is).every(([name, value]) => stream[name] === value) &&
    known.every((name) => is_known(stream[name])) && !unknown.some((name) => is_known(stream[name])) &&
    (same === undefined || stream[same[0]] === stream[same[1]]) &&
    (after === undefined || Date.parse(stream[after[0]]) > Date.parse(stream[after[1]]));
}

/** The first of several tellings that applies: {lead, text}. */
export function told_first(tellings, stream, told) {
  const { lead = "", text = "" } = tellings.find(({ when }) => applies(when, stream)) ?? {};
  return { lead, text: tell(text, stream, told) };
}

/** What is unusual about a stream, each with the few words that lead it: what its domain declares, what came late, out of order or not at all. */
export function notes_of(stream, told) {
  const own = told.declared.notes.map((tellings) => told_first(tellings, stream, told)).filter(({ text }) => text);
  return [...own, ...[late, out_of_order, untold].flatMap((look) => look(stream, told) ?? [])];
}

function late({ events }, told) {
  const found = events.map((event) => ({ ...lateness_of(event, events), noun: event_words(event.type, told)[1] }))
    .filter((each) => each.late);
  if (found.length === 0) return null;
  const named = found.slice(0, 4).map(({ noun, ms }) => `${noun} ${format_age(ms)}`);
  const more = found.length > named.length ? ` and ${found.length - named.length} more` : "";
  return {
    lead: "Recorded late",
    text: `${capital(named.join(", "))}${more} after it happened. Late events count in the window they belong to.`,
  };
}

function out_of_order({ events }, told) {
  const found = events.filter((_, i) => is_overtaken(events, i)).map(({ type }) => event_words(type, told)[1]);
  if (found.length === 0) return null;
  const nouns = [...new Set(found)].join(" and the ");
  const text = `The ${nouns} arrived after events that happened later; the figures were corrected.`;
  return { lead: "Out of order", text };
}

function untold({ changes, changes_fault }) {
  return changes !== null
    ? null
    : { lead: "Changes unknown", text: `What each event changed cannot be told: ${changes_fault}.` };
}

/** Whether an event that happened later arrived before this one. */
export function is_overtaken(events, i) {
  // Times of the API are written alike, to the microsecond: their texts compare as they do.
  const { occurred_at } = events[i];
  return events.slice(0, i).some((other) => other.occurred_at > occurred_at);
}

/**
 * How late one of a stream's events was recorded, milliseconds, and in words. Whether that is `late` is judged by the newest event that
 * its message told: a record of a whole stream tells the start when it ends.
 */
export function lateness_of(event, events) {
  const ms = Date.parse(event.recorded_at) - Date.parse(event.occurred_at);
  const told = events.filter((other) => other === event || is_same_message(other.metadata, event.metadata));
  const since_newest = Math.min(
    ...told.map(({ occurred_at }) => Date.parse(event.recorded_at) - Date.parse(occurred_at)),
  );
  const age = format_age(Math.abs(ms));
  return { ms, late: since_newest >= LATE_MS, text: ms < 0 ? `${age} before it happened` : `${age} later` };
}

const is_same_message = (a, b) =>
  a?.offset !== undefined && a.topic === b?.topic && a.partition === b.partition && a.offset === b.offset;

/** "1 start", "2 starts". */
export const counted = (n, noun) => `${format_count(n)} ${noun}${n === 1 ? "" : "s"}`;

/** With a capital. */
export const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);
