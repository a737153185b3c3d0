import { by_id, make, set_text } from "./page.js";
import { computed_note, data_age_ms } from "./state.js";
import { STALE_MS } from "./warnings.js";
import { format_age, format_count, format_moment, format_rate, format_window, format_zone } from "./format.js";

/** What the page says about itself: the state sentence, the banners, the window in sight, the footer. */

/** A shorter loss of the link is not shown, so that a planned end does not flash. */
const WORD_GRACE_MS = 1_000;
const root = document.documentElement;

/** The sentence at the top, about the board in sight, also while paused. A board of then is not live, whatever the link. */
export function show_state({ board, link, paused, past, zone, local_ms }) {
  const { hello, health } = board;
  const brief = hello !== null && local_ms - link.since_ms < WORD_GRACE_MS;
  const word = past
    ? "Not live"
    : brief || link.state === "connected"
    ? (paused ? "Paused" : "Connected")
    : link.state === "connecting"
    ? "Connecting"
    : "Reconnecting";
  const element = by_id("link");
  set_text(element, word);
  element.dataset.link = word.toLowerCase();
  const now_ms = local_ms + board.offset_ms;
  const age_ms = data_age_ms(board, now_ms);
  const age = by_id("age");
  set_text(age, age_ms === null ? "–" : format_age(age_ms));
  age.dataset.age = age_ms === null ? "" : (age_ms / 1000).toFixed(1);
  const line = age.parentNode;
  line.hidden = past || (health !== null && age_ms === null);
  const idle = health !== null && health.ingest.state !== "running";
  line.classList.toggle("amber", idle || age_ms > STALE_MS || word === "Reconnecting");
  if (hello === null) return;
  set_text(by_id("zone"), format_zone(zone, now_ms));
  show_computed(board.computed, now_ms);
}

// Where the figures come from, when that is not the cells, which are always there.
function show_computed(computed, now_ms) {
  const note = by_id("computed");
  const all = computed?.cards === "trips";
  const text = all || computed?.breakdowns === "trips" ? computed_note(computed, now_ms) : "";
  set_text(note, text === "" || all ? text : `panels ${text}`);
  note.title = note.textContent;
  note.classList.toggle("amber", text !== "" && computed.failed !== null);
}

/** All banners, the worst first. Below the bar, over the top of the page, which is moved down by their height. */
export function show_banners(found) {
  const banners = by_id("banners");
  while (banners.children.length > found.length) banners.lastChild.remove();
  while (banners.children.length < found.length) banners.append(make("p", "banner", make("b"), make("span")));
  found.forEach(({ key, what, advice }, i) => {
    const banner = banners.children[i];
    banner.dataset.warning = key;
    set_text(banner.firstChild, what);
    set_text(banner.lastChild, ` ${advice}`);
  });
  // A move by transform is no layout: what is read stays whole, and nothing is laid out anew.
  const push = `${banners.parentNode.offsetHeight}px`;
  if (root.style.getPropertyValue("--push") !== push) root.style.setProperty("--push", push);
}

const press = (selector, is_on) => {
  for (const button of document.querySelectorAll(selector)) button.ariaPressed = `${is_on(button)}`;
};

/** Which controls are on. */
export function show_controls({ range, from_ms, to_ms, compare, as_of }, paused) {
  const past = as_of !== null;
  press("[data-range]", ({ dataset }) => dataset.range === range);
  press("[data-compare]", ({ dataset }) => dataset.compare === compare);
  press("#custom", () => from_ms !== null);
  press("#live", () => !paused && !past && to_ms === null);
  press("#pause", () => paused && !past);
  by_id("pause").disabled = past;
  by_id("back").hidden = past || to_ms === null;
  by_id("later").disabled = !past && to_ms === null;
}

/** Which time is shown. */
export function show_window(window, zone, now_ms) {
  set_text(by_id("window"), format_window(window, zone, now_ms));
}

/** The footer's figures; of a board of then only its place in the log. */
export function show_footer({ health, newest_event_ms, position }, zone, now_ms) {
  const newest = newest_event_ms === null ? "none yet" : format_moment(newest_event_ms, zone, now_ms);
  const counted = (name) => health === null ? "–" : format_count(health[name]);
  const said = {
    "log position": format_count(position),
    ingest: health === null ? "–" : `${format_rate(health.events_per_s)} events/s`,
    lag: health === null ? "–" : health.lag === null ? "unknown" : format_count(health.lag),
    late: counted("late"),
    duplicates: counted("duplicates"),
    quarantine: counted("quarantined"),
    "event time up to": newest,
  };
  const line = by_id("health");
  if (!line.hasChildNodes()) { for (const name in said) line.append(make("span", "", `${name} `, make("b"))); }
  Object.values(said).forEach((text, i) => set_text(line.children[i].lastChild, text));
  line.children[5].classList.toggle("amber", health?.quarantined > 0);
  if (newest_event_ms !== null) set_text(by_id("newest"), newest);
}

let told = "connected", timer;

/** Tells a screen reader about a change of the link that lasts. */
export function announce_link({ state }) {
  clearTimeout(timer);
  if (state === "closed") return;
  timer = setTimeout(() => {
    const now = state === "connected" ? state : "not connected: figures stand still";
    if (now !== told) set_text(by_id("announcer"), told = now);
  }, 2_500);
}
