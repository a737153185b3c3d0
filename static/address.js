import { by_id, declared, set_text } from "./page.js";
import { GRAINS } from "./grains.js";
import { PLAIN, RANGES } from "./state.js";

/**
 * What the page's address says: all that is shown, so that a link or the back button brings it again. Its parameters are those of the
 * view, which the server is asked for (`order` and `last` are there by arrival alone), and those of the page alone: `paused`, `theme`, and what the reader puts on the charts, `lines`,
 * `hide`, `tz`, `limit`, `note` and `kiosk`. Limits and notes stay texts here: marks.js reads them.
 */

const MOST_KEYS = 20;
/** Ranges of the calendar: whole days of the business zone, which the server knows. */
export const CALENDAR = { today: "Today", yesterday: "Yesterday", week: "This week" };
/** By arrival: most events that a board is of as the newest, and how many are unless an address names fewer. */
export const LAST = 200;

/** Reads an RFC 3339 time; null when it is none. */
export function parse_time(text) {
  // A plus sign that was not encoded reads as a space.
  const time = (text ?? "").replace(" ", "+");
  const ms = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)$/i.test(time) ? Date.parse(time) : NaN;
  return Number.isNaN(ms) ? null : ms;
}

/** A time as addresses and the API write it. */
export function format_time(ms) {
  return new Date(ms).toISOString().replace(".000Z", "Z");
}

/** Whether a text names a zone of the IANA database. */
export function is_zone(text) {
  try {
    return /^[a-z]/i.test(text ?? "") && new Intl.DateTimeFormat("en", { timeZone: text }) !== null;
  } catch {
    return false; // How Intl says no.
  }
}

/** Reads a query into what state.js describes; what is not understood becomes the default. `declared` names the dimensions and lines. @returns {any} */
export function parse_address(search, declared) {
  const params = new URLSearchParams(search);
  const one = (name, ...known) => known.find((value) => value === params.get(name)) ?? null;
  const calendar = one("range", ...Object.keys(CALENDAR));
  const range = calendar ?? one("range", ...Object.keys(RANGES));
  const [from_ms, to_ms, ms] = ["from", "to", "as_of"].map((name) => parse_time(params.get(name)));
  const custom = range === null && from_ms !== null && from_ms < to_ms;
  const position = /^\d{1,15}$/.exec(params.get("as_of_position") ?? "");
  const keys_of = (name) =>
    params.getAll(name).filter((key) => key.trim() !== "" && key.length <= 200).slice(0, MOST_KEYS);
  return {
    range: custom ? null : range ?? PLAIN.range,
    from_ms: custom ? from_ms : null,
    to_ms: calendar === null ? to_ms : null,
    filter: declared.dimensions.flatMap(({ name: dimension }) => {
      const excluded = keys_of(dimension).length === 0;
      const keys = [...new Set(keys_of(excluded ? `not_${dimension}` : dimension))].sort();
      return keys.length === 0 ? [] : [{ dimension, keys, excluded }];
    }),
    ...Object.hasOwn(GRAINS, params.get("grain")) ? { grain: params.get("grain") } : {},
    ...["1h", "24h"].includes(params.get("rolling")) ? { rolling: params.get("rolling") } : {},
    ...parse_map(params.get("map"), declared),
    ...parse_panels(params, declared),
    ...parse_list(params, declared),
    ...parse_order(params, range === null && !custom && to_ms === null),
    currency: parse_currency(params.get("currency"), declared),
    compare: one("compare", "previous") ?? "weekday",
    paused: params.get("paused") === "1",
    theme: one("theme", "light", "dark"),
    ...parse_marks(params, declared),
    as_of: ms !== null ? { ms } : position && { position: Number(position) },
  };
}

/** By arrival, of a range, or of so many of the newest events; nothing by event time. */
function parse_order(params, without_range) {
  if (params.get("order") !== "arrival") return {};
  const last = /^\d{1,3}$/.test(params.get("last") ?? "") ? Number(params.get("last")) : LAST;
  return { order: "arrival", ...without_range ? { last: last > 0 && last < LAST ? last : LAST } : {} };
}

/** What a map shows, where one is open: {place, figure, change}. */
function parse_map(text, { map }) {
  if (text === null || !map?.places[0]) return {};
  const words = text.split(",");
  const place = map.places.find(({ dimension }) => words.includes(dimension)) ?? map.places[0];
  const figure = map.figures.find(({ name }) => words.includes(name)) ?? map.figures[0];
  return { map: { place: place.dimension, figure: figure.name, change: words.includes("change") } };
}

/** The panels in an order of the reader's own, and by panel what its rows are sorted by where that is not their count. */
function parse_panels(params, { panels, row }) {
  const own = (params.get("panels") ?? "").split(",").filter((name) => panels.includes(name));
  const sorted = params.getAll("sorted").map((text) => text.split("="))
    .filter(([name, by]) => panels.includes(name) && [row.amount, "change", "key"].includes(by));
  return {
    ...own.length > 0 ? { panels: own } : {},
    ...sorted.length > 0 ? { sorted: Object.fromEntries(sorted) } : {},
  };
}

/** The list that is open: {of, name, within, sort, find, offset}; of segments `find` is which. */
function parse_list(params, { dimensions }) {
  const dimension = (name) => dimensions.some((each) => each.name === name);
  const [items, sort, find, after] = ["items", "sort", "find", "after"].map((name) => params.get(name) ?? "");
  const of = ["keys", "segments"].find((each) => dimension(params.get(each))) ??
    (/^\w{1,60}$/.test(items) ? "items" : null);
  if (of === null) return {};
  const [, name, key] = /^(\w+)=(.{1,200})$/s.exec(params.get("within") ?? "") ?? [];
  const list = {
    of,
    name: params.get(of),
    ...of === "items" && dimension(name) ? { within: [name, key] } : {},
    ...(/^-?\w{1,60}$/.test(sort) ? { sort } : {}),
    ...of !== "items" && find.trim() !== "" ? { find: find.slice(0, 200) } : {},
    ...(/^\d{1,5}$/.test(after) && Number(after) > 0 ? { offset: Number(after) } : {}),
  };
  return { list };
}

/** Null: the usual one, which an address need not name, or a board whose amounts are of one. */
const parse_currency = (text, { currency: usual }) =>
  usual !== undefined && text !== usual && /^[A-Z]{3}$/.test(text ?? "") ? text : null;

function parse_marks(params, declared) {
  const lines = params.get("lines"), tz = params.get("tz");
  const named = declared.legend.map(({ name }) => name).filter((name) => lines?.split(",").includes(name));
  return {
    lines: lines === "none" || named.length > 0 ? named : null,
    hidden: params.getAll("hide").filter((text) => declared.charts.some(({ by }) => by && text.startsWith(`${by}=`)))
      .slice(0, MOST_KEYS),
    tz: tz === "local" || is_zone(tz) ? tz : null,
    limits: params.getAll("limit"),
    notes: params.getAll("note"),
    kiosk: params.get("kiosk") === "1",
    ...parse_embed(params.get("embed"), declared),
  };
}

/** The part of the board that a frame of another page shows. */
const parse_embed = (embed, { charts, panels }) =>
  ["cards", "list", ...charts.map(({ name }) => name), ...panels].includes(embed) ? { embed } : {};

/** The parameters of what is looked at, as pairs: those of the feed, and of the board as of then. */
export function view_query({ order, last, range, from_ms, to_ms, grain = null, filter, currency, compare, as_of }) {
  const pairs = last !== undefined
    ? [["last", `${last}`]]
    : from_ms === null
    ? [["range", range]]
    : [["from", format_time(from_ms)]];
  if (to_ms !== null) pairs.push(["to", format_time(to_ms)]);
  if (grain !== null) pairs.push(["grain", grain]);
  for (const { dimension, keys, excluded } of filter) {
    for (const key of keys) pairs.push([`${excluded ? "not_" : ""}${dimension}`, key]);
  }
  if (currency !== null) pairs.push(["currency", currency]);
  if (order !== undefined) pairs.push(["order", order]);
  if (compare === "previous") pairs.push(["compare", compare]);
  if (as_of?.ms !== undefined) pairs.push(["as_of", format_time(as_of.ms)]);
  if (as_of?.position !== undefined) pairs.push(["as_of_position", `${as_of.position}`]);
  return pairs;
}

/** The grain that the board is told by, also where nobody chose it, for what is read beside it: its figures are of whole buckets. */
export function told_grain({ address, board: { hello } }) {
  return address.grain === undefined && hello?.order === "event_time" ? { grain: hello.grain } : {};
}

/** Writes an address without what is the default: "" or "?...". `parse_address` reads it back. */
export function format_address(address, declared) {
  const {
    order,
    range,
    to_ms,
    paused,
    theme,
    lines,
    hidden,
    tz,
    limits,
    notes,
    kiosk,
    map,
    list,
    panels,
    sorted = {},
    rolling,
    embed,
  } = address;
  const pairs = view_query(address);
  if (order === undefined && range === PLAIN.range && to_ms === null) pairs.shift();
  if (paused) pairs.push(["paused", "1"]);
  if (theme !== null) pairs.push(["theme", theme]);
  if (lines !== null && lines.join() !== declared.shown.join()) pairs.push(["lines", lines.join() || "none"]);
  pairs.push(...hidden.map((text) => ["hide", text]));
  if (tz !== null) pairs.push(["tz", tz]);
  pairs.push(...limits.map((text) => ["limit", text]), ...notes.map((text) => ["note", text]));
  if (kiosk) pairs.push(["kiosk", "1"]);
  if (embed) pairs.push(["embed", embed]);
  if (rolling) pairs.push(["rolling", rolling]);
  if (map) pairs.push(["map", [map.place, map.figure, ...map.change ? ["change"] : []].join()]);
  if (panels) pairs.push(["panels", panels.join()]);
  pairs.push(...Object.entries(sorted).map((each) => ["sorted", each.join("=")]));
  if (list) {
    pairs.push([list.of, list.name]);
    if (list.within) pairs.push(["within", list.within.join("=")]);
    if (list.sort) pairs.push(["sort", list.sort]);
    if (list.find) pairs.push(["find", list.find]);
    if (list.offset) pairs.push(["after", `${list.offset}`]);
  }
  const query = new URLSearchParams(pairs).toString().replaceAll("%3A", ":").replaceAll("%2C", ",");
  return query === "" ? "" : `?${query}`;
}

/** What a comparison is called. */
export function compared_name(compare) {
  return compare === "previous" ? "previous period" : "same weekday";
}

/** Whether the comparison is shown: by arrival there is none. */
export const shows_compared = ({ address, lines }) => address.order === undefined && lines.includes("compared");

/** The address that the browser shows. */
export function own_address() {
  return parse_address(location.search, declared);
}

/** Shows an address in the browser: `how` is "pushState" or "replaceState". */
export function write_address(address, how) {
  const search = format_address(address, declared);
  if (search !== location.search) history[how](null, "", location.pathname + search);
  keep_place();
}

/** Keeps where the board is, for the way back from the page of a stream. */
export function keep_place() {
  try {
    sessionStorage.setItem(`tacho-board${declared.base}`, location.search);
  } catch (error) {
    console.info("keep the board's address: this browser stores nothing", error);
  }
}

/** Looks at what the browser's address says. */
export function arrive(page) {
  page.address = own_address();
  if (page.address.embed) page.need("embed", ({ start }) => start(page));
  show_controls(page);
  page.look();
  // What was not understood does not stay in it.
  write_address(page.address, "replaceState");
}

/** Asks for what the address says: live from the feed, or once as of then. */
export function ask(page) {
  const { address, feed, need } = page;
  if (address.as_of === null) return feed.open(view_query(address));
  feed.close();
  need("time_travel", ({ read_board }) => read_board(page));
}

/** Which controls are on; without parameters they are as index.html and charts.js have them. */
export function show_controls({ address }) {
  const { last, range, to_ms, as_of, compare, paused } = address;
  const live = as_of === null;
  const lines = address.lines ?? declared.shown;
  const press = (selector, is_on) =>
    document.querySelectorAll(selector).forEach((button) => button.ariaPressed = `${is_on(button.dataset)}`);
  press("[data-range]", (data) => last === undefined && data.range === range);
  press("[data-shows]", (data) => lines.includes(data.shows));
  const named = document.querySelector(`[data-range="${range}"]`) !== null;
  press("#custom", () => last === undefined && !named);
  press("#live", () => live && !paused && to_ms === null);
  press("#pause", () => live && paused);
  set_text(document.querySelector("[data-shows=compared]").lastChild, compared_name(compare));
  by_id("pause").disabled = !live;
  by_id("back").hidden = !live || to_ms === null;
  // The newest events are of no length that one could go back by.
  by_id("earlier").disabled = live && last !== undefined;
  by_id("later").disabled = live && to_ms === null;
}
