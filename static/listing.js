import { told_grain, view_query } from "./address.js";
import { change_of } from "./cards.js";
import { field, form, input, open_dialog, refill } from "./dialog.js";
import { format_count, format_decimal, format_window } from "./format.js";
import { items_table, unusual_table } from "./items.js";
import { declared, dimension_of, key_words, make, set_text } from "./page.js";
import { moved } from "./panels.js";
import { segment_list, segments_table } from "./segments.js";
import { read_api } from "./troubles.js";

/**
 * Lists behind figures, each with an address of its own: all keys of a dimension, these in segments, and the streams that a figure is made of. They are of
 * the moment at which they were read; their rows come page by page, in the order that is chosen.
 */

/** Rows of a page. */
const LIST_ROWS = 50;

/** What kind a list is of: those that lie far from their own kind are items of no figure, under this name. */
const kind_of = ({ of, name }) => of === "items" && name === UNUSUAL ? UNUSUAL : of;
const UNUSUAL = "unusual";
const PATHS = { keys: "kpis/keys", items: "kpis/items", segments: "segments", [UNUSUAL]: "unusual/items" };

/** What is asked for of a list, as pairs: the view and the list, and which page. Pure. */
export function list_query(address) {
  const { of, name, within, sort, find, offset = 0 } = address.list;
  const filter = within === undefined
    ? address.filter
    : [...address.filter.filter(({ dimension }) => dimension !== within[0]), {
      dimension: within[0],
      keys: [within[1]],
      excluded: false,
    }];
  const pairs = view_query({ ...address, filter });
  if (kind_of(address.list) !== UNUSUAL) {
    pairs.push([of === "items" ? "figure" : "dimension", name]);
    if (sort) pairs.push(["sort", sort]);
    if (find) pairs.push([of === "segments" ? "segment" : "find", find]);
  }
  return { pairs, page: [["limit", `${LIST_ROWS}`], ...offset > 0 ? [["offset", `${offset}`]] : []] };
}

/** The list that is open: its dialog and its parts; null while none is. */
let open = null;
/** The list that its reader closed: the address still names it, until what changes addresses is loaded. */
let left = null;

/** Shows the list that the address names; closes the one that it names no more. */
export function show_listing(page) {
  const { list } = page.address;
  if (!list) return open?.dialog.close();
  if (list === left) return;
  const { pairs, page: rows } = list_query({ ...page.address, ...told_grain(page) });
  const asked = [...pairs, ...rows].join("&"), same = `${list.of} ${list.name} ${list.within}`;
  if (open !== null && open.same !== same) {
    open.gone = true;
    open.dialog.close();
  }
  if (open === null || open.gone) open = Object.assign(make_parts(page), { same, asked: "" });
  if (open.asked === asked) return;
  open.asked = asked;
  read(page, open, pairs, rows);
}

function change_list(page, change) {
  const { list } = page.address;
  // One that the address names no more is about to close.
  if (!list) return;
  if (change === undefined) left = list;
  page.need("actions", ({ go }) => go(page, { list: change && { ...list, offset: 0, ...change } }));
}

function make_parts(page) {
  const { list } = page.address, kind = kind_of(list), is_keys = kind === "keys";
  const segments = list.of === "segments"
    ? segment_list(page.address.range, (find) => change_list(page, { find }))
    : null;
  const told = make("p", "sub"), scroll = make("div", "scroll rows");
  told.role = "status";
  Object.assign(scroll, { tabIndex: 0, role: "region", ariaLabel: "Rows" });
  const find = input({ type: "search", maxLength: 200, value: list.find ?? "", autocomplete: "off" });
  const before = make("button", "plain", "‹ Before"), after = make("button", "plain", "Next ›");
  const count = make("span", "sub"), csv = make("a", "link", "CSV"), again = make("button", "plain", "Read anew");
  csv.download = "";
  again.onclick = () => {
    open.asked = "";
    show_listing(page);
  };
  const turn = (by) => change_list(page, { offset: Math.max((page.address.list?.offset ?? 0) + by, 0) });
  before.onclick = () => turn(-LIST_ROWS);
  after.onclick = () => turn(LIST_ROWS);
  const body = [told];
  if (is_keys) {
    const search = form(
      () => change_list(page, { find: find.value.trim() || undefined }),
      "Find",
      field("Holds", find),
    );
    search.classList.add("zone");
    body.push(search);
  }
  if (segments !== null) body.push(segments.element);
  body.push(scroll, make("p", "line pages", before, count, after, csv, again, ...beside(page, kind)));
  const dialog = open_dialog(title_of(list), ...body);
  dialog.classList.add("listing");
  const parts = { dialog, told, segments, scroll, before, after, count, csv, gone: false };
  dialog.addEventListener("close", () => {
    // One that another took the place of is not the reader's wish.
    if (parts.gone) return;
    parts.gone = true;
    open = null;
    change_list(page, undefined);
  });
  return parts;
}

/** The buttons that show what is unusual beside items, a list of keys in segments, and move its panel. */
function beside(page, kind) {
  if (kind === "items" && declared.unusual_items) {
    const button = make("button", "plain", `Unusual ${declared.many}`);
    button.dataset.items = UNUSUAL;
    return [button];
  }
  if (kind !== "keys") return [];
  const { name } = page.address.list, segments = make("button", "plain", "Segments");
  segments.onclick = () => page.need("actions", ({ go }) => go(page, { list: { of: "segments", name } }));
  const own = declared.segments?.includes(name) ? [segments] : [];
  if (!declared.panels.includes(name)) return own;
  return [
    ...own,
    ...[["Panel earlier", -1], ["Panel later", 1]].map(([text, by]) => {
      const button = make("button", "plain", text);
      button.onclick = () =>
        page.need(
          "actions",
          ({ go }) => go(page, { panels: moved(page.address.panels ?? [], declared.panels, name, by) }),
        );
      return button;
    }),
  ];
}

/** What a figure is called. */
const label_of = (figure) =>
  declared.cards.find((card) => card.figure === figure)?.label ?? figure.replaceAll("_", " ");

function title_of({ of, name, within }) {
  if (kind_of({ of, name }) === UNUSUAL) return `Unusual ${declared.many}`;
  if (of !== "items") return `${of === "keys" ? "All" : "Segments"} by ${dimension_of(declared, name).label}`;
  const where = within === undefined
    ? ""
    : `, ${dimension_of(declared, within[0]).label} ${key_words(dimension_of(declared, within[0]), within[1])}`;
  return `${label_of(name)}${where}: what it is made of`;
}

async function read(page, parts, pairs, rows) {
  const { list } = page.address, { asked } = parts;
  const kind = kind_of(list), path = PATHS[kind];
  parts.dialog.ariaBusy = "true";
  parts.csv.href = `${declared.api}/${path}?${new URLSearchParams([
    ...pairs,
    ["format", "csv"],
    ...list.of === "keys" ? [] : [["limit", "100000"]],
  ])}`;
  const { said, failed } = await read_api(`${path}?${new URLSearchParams([...pairs, ...rows])}`);
  if (parts.gone || parts.asked !== asked || !page.address.list) return;
  parts.dialog.ariaBusy = "false";
  parts.told.classList.toggle("fault", failed !== undefined);
  if (failed !== undefined) {
    set_text(parts.told, failed);
    return parts.scroll.replaceChildren();
  }
  parts.segments?.show(said, list.find, label_of);
  const made = TABLES[kind](said, page, label_of);
  set_text(parts.told, made.told);
  refill(parts.scroll, table_of(page, made));
  parts.scroll.scrollTop = 0;
  const offset = list.offset ?? 0, all = said.found_keys ?? said.total_items ?? said.found_items;
  const shown = made.rows.length;
  set_text(
    parts.count,
    shown === 0 ? "none" : `${format_count(offset + 1)} – ${format_count(offset + shown)} of ${format_count(all)}`,
  );
  parts.before.disabled = offset === 0;
  parts.after.disabled = said.next_offset == null;
}

/** What each kind of list makes of an answer. */
const TABLES = { keys: keys_table, items: items_table, segments: segments_table, [UNUSUAL]: unusual_table };

/** A table with columns [{title, sort, number}] and rows of cells, each a text or an element. */
function table_of(page, { columns, rows, sorted }) {
  const head = columns.map(({ title, sort, number }) => {
    const cell = make("th", number ? "num" : "");
    cell.scope = "col";
    if (sort === undefined) return cell.append(title), cell;
    const own = sorted.replace("-", "") === sort, falls = sorted.startsWith("-");
    const button = make("button", "", title, own ? (falls ? " ↓" : " ↑") : "");
    button.onclick = () => change_list(page, { sort: own && falls || !own && !number ? sort : `-${sort}` });
    cell.ariaSort = own ? (falls ? "descending" : "ascending") : "none";
    cell.append(button);
    return cell;
  });
  const body = rows.map((cells) =>
    make("tr", "", ...cells.map((cell, i) => make(i === 0 ? "th" : "td", columns[i].number ? "num" : "", cell)))
  );
  for (const row of body) row.firstChild.scope = "row";
  return make("table", "", make("thead", "", make("tr", "", ...head)), make("tbody", "", ...body));
}

function keys_table(said, page) {
  const { count, amount, figure } = declared.row, dimension = dimension_of(declared, said.dimension);
  const { zone, sight } = page, now_ms = sight?.now_ms ?? Date.now();
  const opens = (text, name, key) => {
    if (!name) return text;
    const button = make("button", "link", text);
    Object.assign(button.dataset, { items: name, dimension: said.dimension, key });
    button.title = "What it is made of";
    return button;
  };
  const rows = said.rows.map((row) => {
    const name = make("button", "", make("bdi", "", row.name ?? key_words(dimension, row.key)));
    Object.assign(name.dataset, { dimension: said.dimension, key: row.key });
    name.title = "Filter by it; with Shift: leave it out";
    const then = row.then?.[count] ?? null;
    const changed = then === null
      ? "–"
      : then < said.then.least_base
      ? `${format_count(then)} then`
      : change_of(row[count], then, 0).text;
    return [
      name,
      opens(format_count(row[count]), dimension.other ? null : figure, row.key),
      row.share === null ? "–" : `${format_decimal(row.share, 1)} %`,
      opens(
        row[amount] === null ? "–" : format_decimal(Number(row[amount]), declared.digits[amount] ?? 0),
        amount,
        row.key,
      ),
      changed,
    ];
  });
  const found = said.found_keys === said.total_keys ? "" : `${format_count(said.found_keys)} of `;
  const near = said.near.length > 0 ? ` No such key; did you mean ${said.near.join(", ")}?` : "";
  const against = said.then === null ? "" : `; changes against ${format_window(said.then, zone(), now_ms)}`;
  return {
    told: `${found}${format_count(said.total_keys)} keys, ${format_count(said[count])} ${count}, ${
      format_window(said, zone(), now_ms)
    }${against}.${near}`,
    sorted: page.address.list.sort ?? `-${count}`,
    columns: [
      { title: dimension.label, sort: "key" },
      { title: count, sort: count, number: true },
      { title: "share", number: true },
      { title: label_of(amount), sort: amount, number: true },
      { title: "change", sort: "change", number: true },
    ],
    rows,
  };
}
