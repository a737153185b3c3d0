import { by_id, make, set_text } from "./page.js";
import { data_age_ms } from "./state.js";
import { STALE_MS, warnings_of } from "./warnings.js";
import { format_age, format_count, format_moment, format_rate, format_window, format_zone } from "./format.js";

/** What the page says about itself: the state sentence, the banner, the window in sight, the footer. */

/** A shorter loss of the link is not shown, so that a planned end does not flash. */
const WORD_GRACE_MS = 1_000;

/** The sentence at the top, about the board in sight, also while paused. */
export function show_state(board, link, paused, local_ms) {
  const { hello, health } = board;
  const brief = hello !== null && local_ms - link.since_ms < WORD_GRACE_MS;
  const word = brief || link.state === "connected"
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
  age.parentNode.hidden = health !== null && age_ms === null;
  const idle = health !== null && health.ingest.state !== "running";
  age.parentNode.classList.toggle("amber", idle || age_ms > STALE_MS || word === "Reconnecting");
  if (hello !== null) set_text(by_id("zone"), format_zone(hello.time_zone, now_ms));
}

/** The banner: about the newest board, also while paused. */
export function show_banner(board, link, local_ms) {
  const [first, ...others] = warnings_of(board, link, local_ms);
  const banner = by_id("banner");
  banner.hidden = first === undefined;
  if (banner.hidden) return;
  banner.dataset.warning = first.key;
  set_text(banner.firstChild, first.what);
  set_text(banner.lastChild, ` ${[first.advice, ...others.map(({ what }) => what)].join(" ")}`);
}

/** Which time is shown. */
export function show_window(window, zoom, zone, now_ms) {
  const part = zoom === null ? "" : ` · charts show ${format_window(zoom, zone, now_ms).replace(/.*?, /, "")}`;
  set_text(by_id("window"), format_window(window, zone, now_ms) + part);
}

/** The footer's figures. */
export function show_footer({ health, newest_event_ms, hello, position }, now_ms) {
  const newest = newest_event_ms === null ? "none yet" : format_moment(newest_event_ms, hello.time_zone, now_ms);
  const said = {
    "log position": format_count(position),
    ingest: `${format_rate(health.events_per_s)} events/s`,
    lag: health.lag === null ? "unknown" : format_count(health.lag),
    late: format_count(health.late),
    duplicates: format_count(health.duplicates),
    quarantine: format_count(health.quarantined),
    "event time up to": newest,
  };
  const line = by_id("health");
  if (!line.hasChildNodes()) { for (const name in said) line.append(make("span", "", `${name} `, make("b"))); }
  Object.values(said).forEach((text, i) => set_text(line.children[i].lastChild, text));
  line.children[5].classList.toggle("amber", health.quarantined > 0);
  if (newest_event_ms !== null) set_text(by_id("newest"), newest);
}

let told = "connected", timer;

/** Tells a screen reader about a change of the link that lasts. */
export function announce_link({ state }) {
  clearTimeout(timer);
  timer = setTimeout(() => {
    const now = state === "connected" ? state : "not connected: figures stand still";
    if (now !== told) set_text(by_id("announcer"), told = now);
  }, 2_500);
}
