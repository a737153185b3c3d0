import { told_grain } from "./address.js";
import { toggle_keys } from "./filter.js";
import { backdrop_of, make_follower, map_query } from "./map_data.js";
import { make_panel } from "./map_panel.js";
import { cells_within, CHANGE_BORDERS, change_of, first_extent_of, quantile_borders, step_of } from "./map_plane.js";
import { by_id, declared, make } from "./page.js";

/** The map: a figure at each place, on a canvas of our own. It is read out, filters, and is a table for who does not see it. */

const STEPS = 6;
/** Cells that reach fewer pixels are shown by those that they lie in. */
const FINE_PX = 3.4;
/** How much further a cell reaches than one of the next resolution. */
const COARSER_BY = Math.sqrt(7);

const styles = document.createElement("link");
document.head.append(Object.assign(styles, { rel: "stylesheet", href: "/static/map.css" }));

let page, panel = null, film = null;
/** What was told last, and of a moment of a day where a film plays: {told, borders}. */
let told = null, moment = null;
let shown = { places: [], marked: null }, marked_key = null, coarser = 0, fitted = "";

const follower = make_follower(take);
/** Whether there is a map, and the address asks for it still: until that is looked at again, answers, pointers and films may come for one that goes. */
const stays = () => panel !== null && page.address.map !== undefined;
const go = (change) => page.need("actions", (actions) => actions.go(page, change));

/** Takes the colours anew: another theme holds. */
export const recolour = () => panel?.plane.recolour();
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", recolour);

/** Opens the map, or closes it. */
export function toggle({ look, go }) {
  const [place] = declared.map.places, [{ name }] = declared.map.figures;
  if (place === undefined) return toggle_reason();
  go({ map: look().address.map ? undefined : { place: place.dimension, figure: name, change: false } });
}

/** Says in the map's place why there is none, or no longer. */
function toggle_reason() {
  const open = by_id("map"), tools = document.querySelectorAll("[data-tool=map]");
  for (const tool of tools) tool.ariaExpanded = `${open === null}`;
  if (open !== null) {
    open.remove();
    return tools[0]?.focus();
  }
  const close = make("button", "", "Close"), reason = make("p", "", declared.map.lacks);
  close.onclick = toggle_reason;
  const header = make("header", "", make("h2", "", "Map"), make("div", "ends", close));
  const element = Object.assign(make("section", "panel", header, reason), { id: "map", ariaLabel: "Map" });
  by_id("breakdowns").before(element);
  reason.tabIndex = -1;
  reason.focus();
}

/** Shows the map that the address asks for, as of what is in sight; takes it away when there is none. */
export function show_map(of) {
  page = of;
  const { map } = page.address;
  for (const tool of document.querySelectorAll("[data-tool=map]")) tool.ariaExpanded = `${map !== undefined}`;
  if (map === undefined) return panel !== null && close();
  panel ??= make_panel({
    choose: (change) => stays() && go({ map: { ...page.address.map, ...change } }),
    close: () => go({ map: undefined }),
    moved,
    look: () => shown,
    mark,
    press,
    film: toggle_film,
  });
  if (!panel.element.isConnected) by_id("breakdowns").before(panel.element);
  panel.show_choice(map, page.address);
  // What is held stays, and of another view nothing is known yet.
  if (page.held_ms === null && page.shown === page.board) ask();
  film?.show(page);
  draw();
}

function close() {
  follower.stop();
  film?.close();
  panel.element.remove();
  [panel, film, told, moment, fitted] = [null, null, null, null, ""];
}

function ask() {
  const { position, to_s } = page.shown;
  follower.want(map_query({ ...page.address, ...told_grain(page) }, coarser), `${position} ${to_s}`);
}

function take({ told: next, failed }) {
  if (!stays()) return;
  panel.fail(failed);
  if (next !== undefined) told = next;
  draw();
}

/** Colours the places of what was told last, or of the moment of a film. */
function draw() {
  if (!stays()) return;
  const { address, shown: { hello } } = page;
  const { map, filter, compare } = address, now = moment?.told ?? told;
  const { places = [], then } = now ?? {};
  const changes = map.change && then !== undefined, least_base = then?.least_base ?? 0;
  // Figures change seldom, what is pointed at often.
  const backdrop = backdrop_of(draw);
  const same = shown.told === now && shown.map === map && shown.moment === moment && shown.backdrop === backdrop;
  if (same && shown.marked_key === marked_key && shown.filter === filter && shown.hello === hello) return;
  const borders = same ? shown.borders : changes ? CHANGE_BORDERS : moment?.borders ?? borders_of(places);
  for (const place of same ? [] : places) {
    const value = changes ? change_of(place, least_base) : place.value;
    place.step = value === null ? null : step_of(borders, value);
  }
  const keys = filter.find(({ dimension }) => dimension === map.place)?.keys ?? [];
  const chosen = keys.length === 0 ? [] : places.filter((each) => keys_of(each).some((key) => keys.includes(key)));
  const marked = places.find(({ key }) => key === marked_key) ?? null;
  const colours = changes ? borders.concat(0).map((_, i) => `--c${i}`) : steps_shown(borders.length);
  const words = { declared, map, compare, currency: hello?.currency ?? "", least_base };
  const of = { same, backdrop, map, moment, marked_key, filter, hello };
  shown = { ...of, told: now, places, colours, marked, chosen, borders, changes, words };
  panel.show(shown);
  // Before it has a size there is nothing to fit.
  if (fitted !== map.place && places.length > 0 && panel.plane.fit(first_extent_of(places))) fitted = map.place;
}

/** Borders of the values of places. Pure. */
export function borders_of(places) {
  return quantile_borders(places.flatMap(({ value }) => value ?? []), STEPS);
}

/** The colours of steps with so many borders between: fewer are spread over all. Pure. */
function steps_shown(count) {
  if (count === 0) return ["--m3"];
  return Array.from({ length: count + 1 }, (_, i) => `--m${Math.round(i * (STEPS - 1) / count)}`);
}

/** Whether cells are shown that others lie in, which the figures are counted by. */
const is_coarse = (now) => now !== null && now.resolution !== null && now.resolution < now.kept_resolution;

/** The keys of the dimension that a place stands for. */
const keys_of = ({ key }) => is_coarse(shown.told) ? cells_within(key) : [key];

/** Another part of the plane is shown: by cells that are large enough to be told apart. */
function moved() {
  const [first] = shown.places;
  if (!stays() || told === null || told.resolution === null || moment !== null || first === undefined) return;
  const reach = panel.plane.reach_of(first.shape) / (is_coarse(told) ? COARSER_BY : 1);
  const next = reach < FINE_PX * (coarser === 1 ? 1.15 : 1) && told.kept_resolution > 0 ? 1 : 0;
  if (next === coarser) return;
  coarser = next;
  ask();
}

function press(place, excluded) {
  if (!stays()) return;
  const { map: { place: dimension }, filter } = page.address;
  go({ filter: toggle_keys(filter, { dimension, keys: keys_of(place), excluded }, declared) });
}

function mark(place) {
  if ((place?.key ?? null) === marked_key) return;
  marked_key = place?.key ?? null;
  draw();
}

async function toggle_film(button) {
  button.ariaExpanded = `${film === null}`;
  if (film !== null) {
    film.close();
    film = null;
    return;
  }
  const { make_film } = await page.load("./map_film.js");
  if (!stays()) return;
  film ??= make_film({ borders_of, on_moment });
  panel.add(film.element);
  film.show(page);
}

function on_moment(next) {
  moment = next;
  draw();
}
