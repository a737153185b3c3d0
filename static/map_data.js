import { view_query } from "./address.js";
import { declared } from "./page.js";
import { shape_of } from "./map_plane.js";
import { words_of_problem } from "./troubles.js";

/** What a map shows, asked from the server: figures whenever the board has moved on, the shape of a place once. */

/** While it is followed it is asked again after this, and after twice what the last answer took. */
const LEAST_GAP_MS = 250;
/** And after a failure. */
const AGAIN_MS = 5_000;
/** Shapes that are kept; a map has at most 5,000 at a time. */
const MOST_SHAPES = 40_000;

const shapes = new Map();

/** Asks for figures of places. @returns {Promise<any>} the places, and what is said of them; rejects with the server's words */
export async function fetch_places(pairs) {
  const query = new URLSearchParams(pairs);
  let told = await ask(query);
  if (told.keys.some((key) => !shapes.has(key))) {
    query.set("shapes", "1");
    told = await ask(query);
    if (shapes.size > MOST_SHAPES) shapes.clear();
    told.keys.forEach((key, i) => {
      const rings = told.shapes[i].filter((ring) => ring.length > 0);
      if (rings.length > 0) shapes.set(key, shape_of(rings, told.resolution !== null));
    });
  }
  return { ...told, places: places_of(told) };
}

async function ask(query) {
  const answer = await fetch(`${declared.api}/kpis/map?${query}`);
  if (answer.ok) return await answer.json();
  const problem = await answer.json().catch(() => ({}));
  throw new Error(words_of_problem(problem) || `the server answered ${answer.status}`);
}

let backdrop = null;

/** The lines behind the map, asked for once; none until they are there, and where the deployment gives none. @returns {any[]} */
export function backdrop_of(come) {
  if (!declared.map.backdrop) return [];
  backdrop ??= { shapes: [], coming: fetch_backdrop().then(come, console.warn) };
  return backdrop.shapes;
}

async function fetch_backdrop() {
  const answer = await fetch(`${declared.api}/map/backdrop`);
  if (!answer.ok) throw new Error(`read the lines behind the map: the server answered ${answer.status}`);
  const { shapes: lines } = await answer.json();
  backdrop.shapes = lines.map((line) => ({ ...shape_of([line], false), open: true }));
}

/** Places that have a shape, in the order of their keys: {key, value, count, then, shape, weight}. */
function places_of({ keys, values, counts, then }) {
  const places = keys.flatMap((key, i) => {
    const shape = shapes.get(key);
    if (shape === undefined) return [];
    const was = then === undefined ? null : { value: then.values[i], count: then.counts[i] };
    return [{ key, value: values[i], count: counts[i], then: was, shape, weight: Math.max(counts[i], 1) }];
  });
  return places.sort((a, b) => a.key < b.key ? -1 : 1);
}

/** The parameters of a map of a view. `coarser`: by so many resolutions. */
export function map_query(address, coarser) {
  const { place, figure, change } = address.map;
  const pairs = [...view_query(address), ["place", place], ["figure", figure]];
  if (coarser > 0) pairs.push(["coarser", `${coarser}`]);
  if (change) pairs.push(["then", "1"]);
  return pairs;
}

/** Keeps one reading of a map under way at most, of what was asked for last. `take` hears of {told} or {failed}. */
export function make_follower(take) {
  let wanted = null, done = "", busy = false, next_ms = 0, timer;

  async function run() {
    timer = undefined;
    if (busy || wanted === null || wanted.name === done) return;
    const wait_ms = next_ms - performance.now();
    if (wait_ms > 0) return void (timer ??= setTimeout(run, wait_ms));
    const { name, pairs } = wanted, started_ms = performance.now();
    let gap_ms = LEAST_GAP_MS;
    busy = true;
    try {
      take({ told: await fetch_places(pairs) });
      done = name;
    } catch (error) {
      take({ failed: error.message });
      gap_ms = AGAIN_MS;
    }
    busy = false;
    next_ms = performance.now() + Math.max(gap_ms, 2 * (performance.now() - started_ms));
    run();
  }

  return {
    /** Wants what these parameters ask for, as of a version of the board. */
    want(pairs, version) {
      wanted = { name: `${pairs.join("&")} ${version}`, pairs };
      if (timer === undefined) run();
    },
    stop() {
      wanted = null;
      done = "";
    },
  };
}
