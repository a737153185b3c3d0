import { by_id, declared, dimension_of, key_words, make, plain, set_text } from "./page.js";
import { format_clock, format_day, format_decimal, format_since } from "./format.js";

/** The newest streams, in rows that are made once: nothing moves when others come. */

let rows;

/** Puts the list on the page. */
export function place_list() {
  const { title, name, mark, columns } = declared.list;
  set_text(by_id("list_title"), title);
  const classes = ["time", ...columns.map(({ number, minor }) => `${number ? "num" : ""}${minor ? " minor" : ""}`)];
  by_id("list_head").append(...[{ label: "time" }, ...columns].map(({ label }, i) => make("th", classes[i], label)));
  // For the mouse: Tab goes from stream to stream.
  const key = (dimension) => {
    const button = make("button");
    button.dataset.dimension = dimension;
    button.tabIndex = -1;
    return button;
  };
  rows = Array.from({ length: innerHeight > 1440 ? 60 : 40 }, () => {
    const cells = [[key(mark), make("a")], ...columns.map((column) => column.key ? [key(column.key)] : [])];
    return make("tr", "", ...cells.map((parts, i) => make("td", classes[i], ...parts)));
  });
  const body = document.querySelector("tbody");
  body.id = name;
  body.append(...rows);
}

/** Shows streams. Links to them keep zone and theme. */
export function show_list(streams, { zone, now_ms, address }) {
  const kept = ["tz", "theme"].filter((name) => address[name] !== null).map((name) => [name, address[name]]);
  rows.forEach((row, i) => {
    row.hidden = i >= streams.length;
    if (!row.hidden) show_row(row, streams[i], zone, now_ms, new URLSearchParams(kept));
  });
}

function show_row(row, stream, zone, now_ms, query) {
  const { one, path, list: { id, time, mark, marks, over, columns } } = declared;
  const [first, ...cells] = row.children;
  const [button, link] = first.children;
  row.dataset.mark = marks[stream[mark]] ?? "";
  const moment = stream[time] === null ? "–" : moment_of(stream[time], zone, now_ms);
  set_text(link, moment);
  link.className = moment.length > 8 ? "other" : "";
  link.href = `${path}${encodeURIComponent(stream[id])}?${query}`.replace(/\?$/, "");
  link.title = plain(`${one[0].toUpperCase()}${one.slice(1)} ${stream[id]}`);
  const state = key_words(dimension_of(declared, mark), stream[mark]);
  button.dataset.key = stream[mark];
  button.title = button.ariaLabel = state;
  columns.forEach(({ key, number, digits, or_mark }, i) => {
    if (key) return show_key(cells[i].firstChild, dimension_of(declared, key), stream);
    const unknown = stream[mark] === over ? "–" : or_mark ? state : "";
    set_text(cells[i], stream[number] === null ? unknown : format_decimal(stream[number], digits));
  });
}

function show_key(button, dimension, stream) {
  const { name, within, names } = dimension;
  const key = stream[name] ?? "unknown";
  button.dataset.key = key;
  const bare = /^\d+$/.test(key) && (stream[within] ?? null) !== null ? `${stream[within]} ${key}` : key;
  set_text(button, names ? key_words(dimension, key) : bare);
  button.title = button.textContent;
}

/** "10:31:05" today, "21 Nov 10:31" on another day. */
function moment_of(ms, zone, now_ms) {
  const today = format_day(ms, zone, now_ms) === format_day(now_ms, zone, now_ms);
  return `${today ? "" : `${format_since(ms, zone, now_ms)} `}${format_clock(ms, zone, today)}`;
}
