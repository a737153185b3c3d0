import { CALENDAR } from "./address.js";
import { days_later, from_wall, input, open_dialog, server_ms } from "./dialog.js";
import { toggle_key } from "./filter.js";
import { format_count, format_day } from "./format.js";
import { stream_href } from "./greatest.js";
import { declared, dimension_of, key_words, make, plain, set_text } from "./page.js";
import { read_api } from "./troubles.js";

/** The command field: a word leads to a stream of that id, to keys of any dimension, to a day, to whatever the page can do. */

const PAUSE_MS = 150;
const MOST = 24;

/** What can be done, in words, with the key that does it. */
const DEEDS = [
  ["compare vs last week, the same weekday", { compare: "weekday" }],
  ["compare vs the period before", { compare: "previous" }],
  ["export csv, pictures of charts", "e"],
  ["last 5 min", { range: "5m" }],
  ["last 15 min", "1"],
  ["last hour, 1 h", "2"],
  ["last 6 hours, 6 h", "3"],
  ["last 24 hours, 24 h", "4"],
  ["last 7 days, 7 d", "5"],
  ["last 30 days, 30 d", "6"],
  ["range of one's own", "r"],
  ["width of buckets, grain", "g"],
  ["rolling: each point the last hour up to it", { rolling: "1h" }],
  ["rolling: each point the last 24 hours up to it", { rolling: "24h" }],
  ["rolling: no more, charts per bucket", { rolling: undefined }],
  ["live, back to now", "l"],
  ["pause, go on", " "],
  ["filter: add one", "f"],
  ["filter: take all away", "F"],
  ["time travel, as of", "a"],
  ["by arrival, by event time", "o"],
  ["charts as a table", "d"],
  ["limits", "m"],
  ["alerts, rules", "w"],
  ["notes", "n"],
  ["views: save this one, copy its link", "s"],
  ["time zone", "z"],
  ["theme, dark, light", "t"],
  ["kiosk, wall", "k"],
  ["how each figure is counted", "h"],
  ["keys of the keyboard, help", "?"],
  ...declared?.map ? [["map of places", "p"]] : [],
];

const gone = { from_ms: null, to_ms: null, last: undefined, paused: false };

/** The day, or the hour, that words name, on the clocks of a zone: {from_ms, to_ms}; null: none. Pure. */
export function stretch_of(words, zone, now_ms) {
  const text = words.trim();
  const [, date, clock] = /^(\d{4}-\d\d-\d\d)(?:[ T](\d\d:\d\d))?$/.exec(text) ?? [];
  const year = new Date(now_ms).getUTCFullYear();
  const [, number, month, own_year = `${year}`] = /^(\d{1,2}) ([a-z]{3,9})\.?(?: (\d{4}))?$/i.exec(text) ?? [];
  const at_ms = date ? Date.parse(`${date}T00:00Z`) : Date.parse(`${number} ${month} ${own_year} UTC`);
  if (Number.isNaN(at_ms)) return null;
  // A day that is none, such as 30 Feb, is taken for no other.
  const day = new Date(at_ms).toISOString().slice(0, 10);
  if (date ? date !== day : Number(number) !== Number(day.slice(8))) return null;
  const from_ms = from_wall(`${day}T${clock ?? "00:00"}`, zone);
  if (from_ms === null) return null;
  return { from_ms, to_ms: clock ? from_ms + 3_600_000 : days_later(from_ms, 1, zone) };
}

/** What can be done that holds all of some words: [{label, kind, run}]. Pure but for what is run. */
export function deeds_of(words, { go, strike, declared }) {
  const all = [
    ...DEEDS.map(([label, does]) => ({
      label,
      kind: typeof does === "string" && does !== " " ? does : "",
      run: () => typeof does === "string" ? strike(does) : go({ ...does.range ? gone : {}, ...does }),
    })),
    ...Object.entries(CALENDAR).map(([range, label]) => ({
      label: label.toLowerCase(),
      kind: "",
      run: () => go({ ...gone, range }),
    })),
    ...declared.dimensions.map(({ name, label }) => ({
      label: `all by ${label}`,
      kind: "list",
      run: () => go({ list: { of: "keys", name } }),
    })),
    ...(declared.segments ?? []).map((name) => ({
      label: `segments by ${declared.dimensions.find((each) => each.name === name).label}`,
      kind: "list",
      run: () => go({ list: { of: "segments", name } }),
    })),
    ...(declared.unusual_items ? [declared.many] : []).map((many) => ({
      label: `unusual ${many}`,
      kind: "list",
      run: () => go({ list: { of: "items", name: "unusual" } }),
    })),
    ...declared.cards.filter(({ top }) => !top).map(({ label, figure }) => ({
      label: `${label.toLowerCase()}: what it is made of`,
      kind: "list",
      run: () => go({ list: { of: "items", name: figure } }),
    })),
  ];
  const wanted = words_in(words);
  return all.filter(({ label }) => holds(label, wanted));
}

const words_in = (text) => text.toLowerCase().split(/\s+/).filter(Boolean);
const holds = (label, wanted) => wanted.every((word) => label.toLowerCase().includes(word));

/** Opens it. */
export function open_command(page, go) {
  const typed = input({ type: "text", maxLength: 200, autocomplete: "off", spellcheck: false, id: "command" });
  const list = make("ul", "found"), told = make("p", "sub");
  Object.assign(list, { id: "command_list", role: "listbox", ariaLabel: "Found" });
  told.role = "status";
  for (
    const [name, value] of Object.entries({
      role: "combobox",
      "aria-expanded": "true",
      "aria-controls": list.id,
      "aria-autocomplete": "list",
      "aria-label": "Find, or do",
    })
  ) {
    typed.setAttribute(name, value);
  }
  typed.placeholder = `a ${declared.one}, a key, a date, a command`;
  const dialog = open_dialog("Find, or do", typed, told, list);
  dialog.classList.add("command");
  const change = (by) => go(page, by);
  const strike = (key) => page.need("actions", (actions) => actions.do_key(page, key));
  const zone = page.board.hello?.time_zone ?? "UTC";
  /** What is listed and chosen, whether by arrow keys; what was asked for last, and what was answered. */
  let found = [], chosen = 0, moved = false, asked = 0, answered = [], timer, views = [];
  page.need("saved", async ({ read_views, go_to }) => {
    const saved = await read_views();
    views = saved.map(({ name, query, by }) => ({
      label: `view ${name}`,
      kind: `saved by ${by}`,
      run: () => go_to(page, query),
    }));
    // What was typed meanwhile may name one.
    list_all();
  });

  function list_all() {
    const own = here(typed.value.trim());
    show([...answered, ...own]);
    return own;
  }

  function show(next) {
    // What arrow keys chose stays chosen, wherever it stands now.
    const own = moved ? found[chosen] : undefined;
    found = next.slice(0, MOST);
    chosen = Math.max(found.findIndex(({ label, kind }) => label === own?.label && kind === own.kind), 0);
    list.replaceChildren(...found.map(({ label, kind }, i) => {
      const row = make("li", "", make("bdi", "", label), make("small", "", kind));
      Object.assign(row, { id: `command_${i}`, role: "option", ariaSelected: `${i === chosen}` });
      row.onclick = (event) => take(i, event.shiftKey);
      return row;
    }));
    point();
  }

  function point() {
    [...list.children].forEach((row, i) => row.ariaSelected = `${i === chosen}`);
    if (found.length === 0) typed.removeAttribute("aria-activedescendant");
    else typed.setAttribute("aria-activedescendant", `command_${chosen}`);
    list.children[chosen]?.scrollIntoView({ block: "nearest" });
  }

  function take(i, other) {
    const one = found[i];
    if (one === undefined) return;
    dialog.close();
    one.run(other);
  }

  function here(words) {
    const stretch = stretch_of(words, zone, server_ms(page.board));
    const day = stretch === null ? [] : [{
      label: format_day(stretch.from_ms, zone, 0),
      kind: "range",
      run: () => change({ ...gone, range: null, ...stretch }),
    }];
    const wanted = words_in(words);
    const named = words === "" ? [] : views.filter(({ label }) => holds(label, wanted));
    return [...day, ...named, ...deeds_of(words, { go: change, strike, declared })];
  }

  const key_of = ({ dimension, key, name, count }) => {
    const of = dimension_of(declared, dimension);
    return {
      label: `${of.brief ?? of.label} ${name ?? key_words(of, key)}`,
      kind: format_count(count),
      run: (excluded) => change({ filter: toggle_key(page.address.filter, { dimension, key, excluded }, declared) }),
    };
  };

  async function search(words, number) {
    const query = new URLSearchParams([
      ["find", words],
      ...page.address.currency === null ? [] : [["currency", page.address.currency]],
    ]);
    const { said, failed } = await read_api(`search?${query}`);
    if (number !== asked || !dialog.open) return;
    if (failed !== undefined) return void set_text(told, `Keys cannot be looked for: ${failed}.`);
    const stream = said.stream === null ? [] : [{
      label: `${declared.one} ${said.stream}`,
      kind: "its page",
      run: () => location.href = stream_href(declared.path, { id: said.stream }, { ...page.address, as_of: null }),
    }];
    answered = [...stream, ...said.keys.slice(0, 12).map(key_of), ...said.near.map(key_of)];
    const own = list_all();
    const near = said.near.map(({ key, name = key }) => name).join(", ");
    const none = stream.length + said.keys.length + own.length === 0
      ? `No ${declared.one}, key or command ${JSON.stringify(words)}`
      : `${found.length} found`;
    set_text(told, near !== "" ? `No such key; did you mean ${plain(near)}?` : none);
  }

  typed.oninput = () => {
    const words = typed.value.trim();
    clearTimeout(timer);
    asked++;
    moved = false;
    answered = [];
    list_all();
    set_text(told, words === "" ? "" : "…");
    if (words !== "") timer = setTimeout(search, PAUSE_MS, words, asked);
  };
  typed.onkeydown = (event) => {
    const { key, shiftKey } = event;
    const by = { ArrowDown: 1, ArrowUp: -1 }[key];
    if (by !== undefined && found.length > 0) {
      chosen = (chosen + by + found.length) % found.length;
      moved = true;
      point();
    } else if (key === "Enter") take(chosen, shiftKey);
    else return;
    event.preventDefault();
  };
  list_all();
  typed.focus();
}
