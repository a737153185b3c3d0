import { CALENDAR, keep_place, LAST, own_address, show_controls, view_query, write_address } from "./address.js";
import { press_legend, TOOL_KEYS } from "./chart_tools.js";
import { days_later } from "./dialog.js";
import { toggle_key, with_condition } from "./filter.js";
import { GRAINS, grains_of, next_grain } from "./grains.js";
import { give_up, once, open_part, type_ahead, use } from "./opening.js";
import { by_id, declared, dimension_of, set_text } from "./page.js";
import { PLAIN, RANGES } from "./state.js";

/** What the reader can do: presses and keys, and where they lead. Loaded by the first of them. */

/** Opens a dialog, at an entry. */
const open = (page, name, entry) => open_part(page, name, (dialog, opens) => dialog[opens](page, go, entry));
const THEMES = ["system", "light", "dark"];
const root = document.documentElement;
/** The range to come back to from a stretch of one's own. */
let live_range = PLAIN.range;
/** The grain of the range when nobody chose one; null: not known. */
let usual_grain = null;
/** The listed streams as they were when the list was held; null while it moves. */
let held = null;

const KEYS = {
  "?": (page) => open(page, "keys"),
  "/": (page) => open(page, "command"),
  " ": (page) => page.address.as_of === null && go(page, { paused: !page.address.paused }),
  t: next_theme,
  l: back_to_live,
  f: (page) => open(page, "filter"),
  F: (page) => go(page, { filter: [] }),
  r: (page) => open(page, "range"),
  a: (page) => open(page, "as_of"),
  s: (page) => open(page, "views"),
  h: (page) => open(page, "counted"),
  g: (page) => once(page, has_figures, () => choose_next_grain(page)),
  o: toggle_order,
  c: (page) => go(page, { compare: page.address.compare === "weekday" ? "previous" : "weekday" }),
  Escape: (page) => page.address.kiosk && use(page, "kiosk"),
  ArrowLeft: (page) => once(page, can_step, () => step(page, -1)),
  ArrowRight: (page) => once(page, can_step, () => step(page, 1)),
};
for (const [key, tool] of Object.entries(TOOL_KEYS)) KEYS[key] = (page) => use(page, tool);
Object.keys(RANGES).forEach((range, i) => KEYS[i + 1] = (page) => set_range(page, range));

/** By the id of a button. */
const BUTTONS = {
  live: back_to_live,
  back: back_to_live,
  leave: back_to_live,
  pause: (page) => go(page, { paused: true }),
  earlier: KEYS.ArrowLeft,
  later: KEYS.ArrowRight,
  step_back: KEYS.ArrowLeft,
  step_on: KEYS.ArrowRight,
  read_again: (page) => page.look(),
  theme: next_theme,
  clear_filter: KEYS.F,
  clear_all: KEYS.F,
  go_newest: show_newest,
  arrival: toggle_order,
  last_events: show_last,
  show_last,
  hold: toggle_hold,
};

/** A click, or a word typed into the list's field. */
export function press(page, event) {
  const { target, type, shiftKey, altKey } = event;
  if (type === "input") return target.id === "find" && page.draw_soon();
  const way = target.closest(".greatest");
  if (way !== null) return page.need("greatest", ({ go_to_greatest }) => go_to_greatest(page, way));
  const button = target.closest("button");
  if (button === null) return;
  give_up();
  const { opens, entry, tool, shows, hides, counted, range, compare, dimension, key, condition, keys, items } =
    button.dataset;
  if (Object.hasOwn(BUTTONS, button.id)) BUTTONS[button.id](page);
  else if (opens !== undefined) open(page, opens, entry);
  else if (tool !== undefined) use(page, tool);
  else if (shows !== undefined) press_legend(page, event);
  else if (hides !== undefined) press_key_legend(page, event);
  else if (counted !== undefined) open(page, "counted", counted);
  else if (range !== undefined) set_range(page, range);
  else if (compare !== undefined) go(page, { compare });
  else if (condition !== undefined) remove_condition(page, condition);
  else if (keys !== undefined) go(page, { list: { of: "keys", name: keys } });
  else if (items !== undefined) open_items(page, items, dimension, key);
  else if (dimension !== undefined && target.closest(".bar > b, .money")) press_number(page, target, dimension, key);
  else if (dimension !== undefined) {
    go(page, {
      list: undefined,
      filter: toggle_key(page.address.filter, { dimension, key, excluded: shiftKey || altKey }, declared),
    });
  }
}

/** A key, unless it is typed into something or belongs to what has the focus. */
export function strike(page, event) {
  const { key, target, ctrlKey, metaKey, altKey } = event;
  if (type_ahead(event)) return;
  if (key === "i" && target.closest?.("[data-shows]")) return press_legend(page, event);
  if (key === "i" && target.closest?.("[data-hides]")) return press_key_legend(page, event);
  const row = key === "i" && target.closest?.(".bar");
  if (row) return press_number(page, row.lastChild.previousSibling, row.dataset.dimension, row.dataset.key);
  if (ctrlKey || metaKey || altKey || !Object.hasOwn(KEYS, key) || document.querySelector("dialog[open]")) return;
  // A dialog that was closed keeps the focus until it is painted away: the key is not its own any more.
  const belongs_to = (places) => !target.closest?.("dialog") && target.closest?.(places);
  if (belongs_to("input, select, textarea")) return;
  if (key === " " && belongs_to("button, summary, a, [tabindex]")) return;
  if (key.startsWith("Arrow") && belongs_to("[tabindex]")) return;
  event.preventDefault();
  give_up();
  KEYS[key](page);
}

/** Opens what a figure is made of; of a key where one is named. */
function open_items(page, name, dimension, key) {
  if (page.address.kiosk) return;
  go(page, { list: { of: "items", name, ...dimension === undefined ? {} : { within: [dimension, key] } } });
}

/** A press on a number of a row: what it is made of. */
function press_number(page, target, dimension, key) {
  const is_amount = target.closest(".money") !== null;
  const counts = dimension_of(declared, dimension).other ? null : declared.row.figure;
  const name = is_amount ? declared.row.amount : counts;
  if (name) open_items(page, name, dimension, key);
  else go(page, { list: { of: "keys", name: dimension } });
}

/** Does what a key does. */
export const do_key = (page, key) => KEYS[key](page);

/** A press on the name of a line by key. */
function press_key_legend(page, event) {
  page.need(
    "key_legend",
    ({ press_legend }) => press_legend({ address: page.address, go: (change) => go(page, change) }, event),
  );
}

/** Goes to another address. Another view starts anew. */
export function go(page, change, remember = true) {
  const before = page.address;
  const address = page.address = { ...before, ...change };
  // Another range may have no such buckets.
  if (!grains_of(address).includes(address.grain)) delete address.grain;
  live_range = address.range ?? before.range ?? live_range;
  if (remember) write_address(address, "pushState");
  else keep_place();
  show_controls(page);
  if (view_query(address).join("&") !== view_query(before).join("&")) page.look();
  else if (address.paused !== before.paused) page.hold(address.paused);
  page.draw_soon();
}

/** After the browser's back or forward button. */
export function come_back(page) {
  const { theme } = page.address;
  // What an address does not name is not there.
  const unnamed = Object.fromEntries(
    ["grain", "last", "list", "map", "order", "panels", "rolling", "sorted"].map((name) => [name, undefined]),
  );
  page.address = { ...page.address, ...unnamed };
  go(page, { ...own_address(), theme }, false);
}

/** Looks at a stretch [from_s, to_s), closer. */
export function zoom(page, { from_s, to_s }) {
  go(page, { range: null, from_ms: from_s * 1_000, to_ms: to_s * 1_000, last: undefined, paused: false });
}

/** To what is now, from wherever the reader went. */
export function back_to_live(page) {
  go(page, { range: live_range, from_ms: null, to_ms: null, paused: false, as_of: null });
}

/** Looks at a range by its name; of those of the calendar none has an end of its own. */
function set_range(page, range) {
  const { from_ms, to_ms } = page.address;
  const end_ms = from_ms !== null || CALENDAR[range] ? null : to_ms;
  go(page, { range, from_ms: null, to_ms: end_ms, last: undefined });
}

/** The next width of buckets that the range can be told by; after the widest by itself again. */
function choose_next_grain(page) {
  const { address, shown: { hello } } = page;
  // What it is by itself is known while nobody has chosen.
  if (!address.grain) usual_grain = Object.keys(GRAINS).find((name) => GRAINS[name].step_s === hello.step_s);
  const grain = next_grain(address, usual_grain);
  go(page, { grain });
  set_text(by_id("announcer"), `Buckets: ${GRAINS[grain]?.label ?? "by length, and how much there is"}`);
}

/** By arrival, of the newest events; or by event time again. */
function toggle_order(page) {
  if (page.address.order === undefined) show_last(page);
  else go(page, { order: undefined, last: undefined });
}

function show_last(page) {
  go(page, { order: "arrival", last: LAST, range: live_range, from_ms: null, to_ms: null });
}

const has_figures = ({ shown }) => shown.hello !== null;
/** A board of then is told by its address; of a day or a week that is not in sight itself the length is not known. */
const can_step = ({ address: { as_of, range }, shown: { hello } }) =>
  CALENDAR[range] ? hello?.range === range : hello !== null || as_of !== null;

/** One length of the range earlier (-1) or later (1); of a board of then, its time and not its window. */
function step(page, direction) {
  const { address: { last, range, from_ms, to_ms, as_of }, board, shown } = page;
  if (last !== undefined && as_of === null) return;
  const { from_s, to_s } = shown;
  const length_ms = from_ms === null ? (RANGES[range] ?? to_s - from_s) * 1_000 : to_ms - from_ms;
  const by_ms = direction * length_ms;
  const now_ms = Date.now() + shown.offset_ms;
  if (as_of !== null) {
    // Where that board cannot be read, its log position has no time to step from.
    const at_ms = as_of.ms ?? board.hello?.as_of?.recorded_ms;
    if (at_ms === undefined) return;
    if (at_ms + by_ms >= now_ms) back_to_live(page);
    else go(page, { as_of: { ms: at_ms + by_ms } });
  } else if (CALENDAR[range]) {
    const days = direction * Math.round(length_ms / 86_400_000);
    const [from_ms, to_ms] = [from_s, to_s].map((s) => days_later(s * 1_000, days, shown.hello.time_zone));
    go(page, { range: null, from_ms, to_ms, paused: false });
  } else if (from_ms !== null) {
    go(page, { from_ms: from_ms + by_ms, to_ms: to_ms + by_ms });
  } else {
    const end_ms = shown.to_s * 1_000 + by_ms;
    if (end_ms < now_ms || to_ms !== null) go(page, { to_ms: end_ms < now_ms ? end_ms : null, paused: false });
  }
}

function show_newest(page) {
  const to_ms = (Math.floor(page.shown.newest_event_ms / 60_000) + 1) * 60_000;
  go(page, { range: live_range, from_ms: null, to_ms, paused: false });
}

function remove_condition(page, dimension) {
  by_id("add_filter").focus();
  go(page, { filter: with_condition(page.address.filter, { dimension, keys: [] }, declared) });
}

function next_theme(page) {
  const theme = THEMES[(THEMES.indexOf(root.dataset.theme ?? "system") + 1) % 3];
  if (theme === "system") delete root.dataset.theme;
  else root.dataset.theme = theme;
  try {
    localStorage.setItem("tacho-theme", theme);
  } catch (error) {
    console.info("keep theme: this browser stores nothing", error);
  }
  by_id("theme").title = by_id("theme").ariaLabel = `Theme: ${theme}`;
  set_text(by_id("announcer"), `Theme: ${theme}`);
  page.charts.recolour();
  page.parts.map?.recolour();
  if (page.address.theme === null) return;
  // The choice counts from now on, not the link's.
  page.address = { ...page.address, theme: null };
  write_address(page.address, "replaceState");
}

/** Holds the list, or lets it go. */
function toggle_hold(page) {
  held = held === null ? page.shown.streams : null;
  page.draw_soon();
}

/** Lets it go: another view has others. */
export function release() {
  held = null;
}

/** The streams to show: the held ones, of them those that hold the words; the button says how many came since. */
export function listed(streams) {
  const find = by_id("find"), hold = by_id("hold");
  const from = held?.[0]?.position ?? 0;
  const waiting = held === null ? 0 : streams.filter(({ position }) => position > from).length;
  hold.ariaPressed = `${held !== null}`;
  set_text(hold, held === null ? "Pause list" : waiting === 0 ? "Resume list" : `Resume list: ${waiting} new`);
  const words = find.value.trim().toLowerCase();
  const holds = (stream) => Object.values(stream).join(" ").replaceAll("_", " ").toLowerCase().includes(words);
  const found = (held ?? streams).filter((stream) => words === "" || holds(stream));
  set_text(
    by_id("list_note"),
    words !== "" && found.length === 0 ? `not in the newest ${streams.length} ${declared.many}` : "",
  );
  return found;
}
