import { view_query } from "./address.js";
import { by_id, declared, make, set_text } from "./page.js";
import { read_api } from "./troubles.js";

/**
 * Charts of a window that slides: each point is what the last hour, or the last 24, up to the end of its bucket had. The server adds it up: means want
 * what they are over, and the first points what lies before the range. All else of the page stays per bucket.
 */

/** The windows by their names in addresses. */
export const ROLLING = { "1h": { words: "hour", length_s: 3_600 }, "24h": { words: "24 hours", length_s: 86_400 } };
const AGAIN_MS = 15_000;

/** The line that says what charts show; null: there was none yet. */
let place = null;
/** What was asked for last, and when; what is known of it: {key, last_s, points}; and why nothing is. */
let asked = "", asked_ms = -Infinity, found = null, failed = "";

const lines = () => declared.charts.flatMap((chart) => chart.lines.map(({ name }) => name));

/** Why charts cannot show a window that slides, in words; "": they can. Pure. */
export function reason_of({ as_of, order, rolling }, step_s) {
  if (as_of !== null) return "not as of then";
  if (order !== undefined) return "not by arrival";
  return step_s > ROLLING[rolling].length_s || step_s >= 86_400 ? "not of such wide buckets" : "";
}

/** The columns of a sight's charts as windows that slide; there is no comparison. `points`: by name the value of each bucket, up to `last_s`. Pure. */
export function rolled_columns({ columns, reached_ms }, { last_s, points }, { series, gaps, compared_series }) {
  const known = (t) => t <= last_s && t * 1_000 <= reached_ms;
  const rolled = series.filter((name) => points.has(name)).map((name) => {
    const nothing = (value) => value === null || gaps.includes(name) ? null : 0;
    return [name, columns.x.map((t, i) => known(t) ? points.get(name).get(t) ?? nothing(columns[name][i]) : null)];
  });
  const compared = compared_series.map((name) => [`compared_${name}`, columns.x.map(() => null)]);
  return { ...columns, ...Object.fromEntries([...rolled, ...compared]) };
}

const NOT_ASKED = ["range", "from", "to", "last", "grain", "compare", "order", "as_of", "as_of_position"];

/** What is asked for, but for the stretch. */
function key_of({ address, board }) {
  const pairs = view_query(address).filter(([name]) => !NOT_ASKED.includes(name));
  return `${new URLSearchParams([["rolling", address.rolling], ["grain", board.hello.grain], ...pairs])}`;
}

/** What charts are to draw in place of a sight; undefined: the sight. The sight itself hears of it. */
export function rolled(sight) {
  if (!sight.address.rolling || found?.key !== key_of(sight)) return;
  sight.rolling = `${ROLLING[sight.address.rolling].words}, rolling`;
  return { ...sight, columns: rolled_columns(sight, found, declared) };
}

function make_place(page) {
  const told = make("span"), again = make("button", "link", "Per bucket");
  told.role = "status";
  again.onclick = () => page.need("actions", ({ go }) => go(page, { rolling: undefined }));
  return make("p", "sub rolling", told, " ", again);
}

/** Says what the charts show, and asks for it, no more often than every 15 s, while anything changes. */
export function show_rolling(page) {
  const { address, sight, held_ms } = page, { rolling } = address;
  if (!rolling || sight === null) return place?.remove();
  place ??= make_place(page);
  if (!place.isConnected) by_id("chart_tools").before(place);
  const reason = reason_of(address, sight.step_s), key = key_of(sight);
  const { words } = ROLLING[rolling];
  const shown = `Each point is the last ${words} up to it, without a comparison${
    declared.charts.some(({ by }) => by) ? "; lines by key are per bucket" : ""
  }.`;
  const why = reason || (found?.key === key ? "" : failed);
  set_text(place.firstChild, why === "" ? shown : `The last ${words} up to each point: ${why}.`);
  if (reason !== "" || held_ms !== null && found?.key === key) return;
  const now = `${key} ${sight.window.to_s} ${sight.position}`, waits = asked.startsWith(`${key} `);
  if (now === asked || waits && performance.now() - asked_ms < AGAIN_MS) return;
  [asked, asked_ms] = [now, performance.now()];
  ask(page, key, sight.window);
}

async function ask(page, key, { from_s, to_s }) {
  const points = new Map(), time = (s) => new Date(s * 1_000).toISOString();
  for (const measure of lines()) {
    const query = new URLSearchParams([["measure", measure], ["from", time(from_s)], ["to", time(to_s)]]);
    const answer = await read_api(`kpis/series?${query}&${key}`);
    if (!asked.startsWith(`${key} `)) return;
    failed = answer.failed ?? "";
    if (answer.failed !== undefined) return page.draw_soon();
    const values = answer.said.points.map((
      { at, value },
    ) => [Date.parse(at) / 1_000, value === null ? null : Number(value)]);
    points.set(measure, new Map(values));
  }
  found = { key, last_s: to_s, points };
  page.draw_soon();
}
