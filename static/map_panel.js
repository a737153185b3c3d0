import { select } from "./dialog.js";
import { format_count } from "./format.js";
import { listen } from "./map_hand.js";
import { make_canvas } from "./map_paint.js";
import { extent_of } from "./map_plane.js";
import { CHANGE_WORDS, format_value, step_words, words_of } from "./map_words.js";
import { declared, dimension_of, make, set_text } from "./page.js";

/** The panel of the map: what is chosen, the plane, its legend, what is read out, and a table for who does not see it. */

const TABLE_ROWS = 100, TABLE_PAUSE_MS = 5_000;

const label_of = (name) => dimension_of(declared, name).label;
const figure_named = (figure) => declared.map.figures.find(({ name }) => name === figure);

function button(text, run, name = "") {
  const made = make("button", "", text);
  if (name !== "") made.ariaLabel = made.title = name;
  made.onclick = run;
  return made;
}

/** Makes it. `on`: {choose(change), close(), moved(), look(), mark(place), press(place, excluded), film(open)}. */
export function make_panel(on) {
  const { places: kinds, figures } = declared.map;
  const place = select(kinds.map(({ dimension }) => [dimension, label_of(dimension)]), "");
  const figure = select(figures.map(({ name, label }) => [name, label]), "");
  place.ariaLabel = "Places";
  figure.ariaLabel = "Figure";
  place.hidden = kinds.length === 1;
  place.onchange = () => on.choose({ place: place.value });
  figure.onchange = () => on.choose({ figure: figure.value });
  const change = button("Change", () => on.choose({ change: change.ariaPressed !== "true" }));
  change.title = "Against the same weekday, or against the period before (c)";
  const plane = make_canvas(on.moved);
  const all = () => plane.fit(extent_of(on.look().places, 1));
  const zoom = make(
    "div",
    "seg zoom",
    button("−", () => plane.zoom(1 / 1.6), "Zoom out"),
    button("+", () => plane.zoom(1.6), "Zoom in"),
    button("All", all, "Show all places"),
  );
  zoom.role = "group";
  zoom.ariaLabel = "Part of the map";
  const as_table = button("As a table", open_table), film = button("Play a day", () => on.film(film));
  as_table.ariaExpanded = film.ariaExpanded = "false";
  const ends = make("div", "ends", film, as_table, zoom, button("Close", on.close));
  const note = make("p", "told"), sub = make("span", "sub"), legend = make("div", "legend"), read = make("p", "read");
  const view = make("div", "plane", plane.element, note);
  Object.assign(view, { tabIndex: 0, role: "application", ariaRoleDescription: "map" });
  read.role = "status";
  const header = make("header", "", make("h2", "", "Map"), place, figure, make("div", "seg", change), sub, ends);
  const { lacks } = declared.map, lacking = lacks === undefined ? [] : [make("p", "sub", lacks)];
  const element = make("section", "panel", header, view, legend, read, ...lacking);
  element.id = "map";
  element.ariaLabel = "Map";
  listen(view, plane, on);
  let scroll = null, rows = "", table_ms = 0, listed = new Map();

  function open_table() {
    as_table.ariaExpanded = `${scroll === null}`;
    scroll?.remove();
    if (scroll !== null) return scroll = null;
    scroll = make("div", "scroll", make("table"));
    Object.assign(scroll, { tabIndex: 0, role: "region", ariaLabel: "The map as a table" });
    element.append(scroll);
    [rows, table_ms] = ["", -Infinity];
    show_table(on.look());
    scroll.focus();
  }

  /** Fills the table while it is open: it is read aloud, and changes no faster than every 5 s. */
  function show_table({ places, words }) {
    if (scroll === null || performance.now() - table_ms < TABLE_PAUSE_MS) return;
    const sorted = places.toSorted((a, b) => (b.value ?? 0) - (a.value ?? 0)).slice(0, TABLE_ROWS);
    const lines = sorted.map((place) => [place, ...words_of(place, words)]);
    const text = JSON.stringify(lines.map(([, ...told]) => told));
    if (rows === text) return;
    [rows, table_ms] = [text, performance.now()];
    const table = scroll.firstChild;
    if (table.tBodies.length === 0) table.append(make("caption", "sub"), make("tbody"));
    set_text(table.caption, `The ${sorted.length} greatest of ${format_count(places.length)} places`);
    const [body] = table.tBodies, focused = document.activeElement;
    const id_of = (place) => `${words.map.place} ${place.key}`;
    const before = new Map([...body.children].map((row) => [row.dataset.id, row]));
    listed = new Map(sorted.map((place) => [id_of(place), place]));
    for (const [id, row] of before) if (!listed.has(id)) row.remove();
    // A row that stays is the same row: what has the focus keeps it, and what is pressed is what was pointed at.
    lines.forEach(([place, name, ...told], i) => {
      const row = before.get(id_of(place)) ?? make_row(id_of(place));
      if (body.children[i] !== row) body.insertBefore(row, body.children[i] ?? null);
      set_text(row.querySelector("button"), name);
      const cells = [...row.children].slice(1);
      if (cells.length === told.length) told.forEach((each, k) => set_text(cells[k], each));
      else row.replaceChildren(row.firstChild, ...told.map((each) => make("td", "", each)));
    });
    if (focused !== document.activeElement && body.contains(focused)) focused.focus({ preventScroll: true });
  }

  function make_row(id) {
    const row = make("tr", "", make("td", "", button("", ({ shiftKey }) => on.press(listed.get(id), shiftKey))));
    row.dataset.id = id;
    return row;
  }

  return {
    element,
    plane,
    /** Puts the film under the plane. */
    add: (part) => legend.before(part),
    show_choice(map, { order }) {
      place.value = map.place;
      figure.value = map.figure;
      change.ariaPressed = `${map.change}`;
      change.disabled = order !== undefined;
      view.ariaLabel = `${figure_named(map.figure).label} by ${
        label_of(map.place)
      }: arrow keys go from place to place, Enter filters, plus and minus look closer and less close`;
    },
    fail(why) {
      sub.classList.toggle("amber", why !== undefined);
      if (why !== undefined) set_text(sub, `not known: ${why}`);
    },
    /** Shows {told, places, colours, marked, chosen, borders, changes, words}; without `told` that it is awaited. */
    show(what) {
      const { told, places, colours, marked, borders, changes, words } = what;
      const nothing = `No ${declared.many} with a place in this range`;
      set_text(note, told === null ? "Waiting for the first places" : places.length > 0 ? "" : nothing);
      if (told === null) return;
      const { unit } = figure_named(words.map.figure);
      const unplaced = told.unplaced ? `, ${format_value(told.unplaced, unit, words.currency)} without a place` : "";
      const left_out = told.left_out ? `, ${format_count(told.left_out)} with less left out` : "";
      if (!sub.classList.contains("amber")) {
        set_text(sub, `${format_count(places.length)} places${unplaced}${left_out}`);
      }
      plane.show(what, what.same);
      if (!what.same) {
        const steps = changes ? CHANGE_WORDS : step_words(places.flatMap(({ value }) => value ?? []), borders);
        const entries = places.length === 0 ? [] : colours.map((token, i) => [token, steps[i]]);
        if (changes) entries.push(["", `fewer than ${told.then.least_base} then`]);
        show_legend(entries);
      }
      const [name, ...rest] = marked === null ? [""] : words_of(marked, words);
      set_text(read, name === "" ? "" : `${name}: ${rest.join(" · ")}`);
      show_table(what);
    },
  };

  function show_legend(entries) {
    const text = JSON.stringify(entries);
    if (legend.dataset.told === text) return;
    legend.dataset.told = text;
    legend.replaceChildren(...entries.map(([token, words]) => {
      const swatch = make("i", token === "" ? "few" : "");
      if (token !== "") swatch.style.background = `var(${token})`;
      return make("span", "", swatch, words);
    }));
  }
}
