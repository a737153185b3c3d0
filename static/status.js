import { by_id, make, set_text } from "./page.js";
import { data_age_ms, STALE_MS } from "./state.js";
import { format_age, format_count, format_decimal, format_moment, format_zone } from "./format.js";

/** What the page says about itself. */

/** A shorter loss is not shown: a planned end would flash. */
const WORD_GRACE_MS = 1_000;
/** A loss that lasts is told to a screen reader. */
const TOLD_MS = 2_500;
const root = document.documentElement;
let told = "connected";

/** The sentence at the top. */
export function show_state({ shown: board, link, held_ms, address, zone }, local_ms) {
  const { hello, health } = board;
  const past = address.as_of !== null;
  const brief = hello !== null && local_ms - link.since_ms < WORD_GRACE_MS;
  const linked = held_ms !== null ? "Paused" : link.turn_ms > 0 ? `Every ${format_age(link.turn_ms)}` : "Connected";
  const lost = link.state === "connecting" ? "Connecting" : "Reconnecting";
  const word = past ? "Not live" : brief || link.state === "connected" ? linked : lost;
  const element = by_id("link");
  set_text(element, word);
  element.dataset.link = word.toLowerCase();
  const now_ms = local_ms + board.offset_ms;
  const age_ms = data_age_ms(board, now_ms);
  const age = by_id("age"), line = by_id("age_line");
  set_text(age, age_ms === null ? "–" : format_age(age_ms));
  age.dataset.age = age_ms === null ? "" : (age_ms / 1000).toFixed(1);
  line.hidden = past || (health !== null && (age_ms ?? board.newest_event_ms) === null);
  const idle = health !== null && health.ingest.state !== "running";
  line.classList.toggle("amber", idle || age_ms > STALE_MS || word === "Reconnecting");
  if (hello !== null) set_text(by_id("zone"), format_zone(zone(), board.from_s * 1000, board.to_s * 1000 - 1));
  if (past || (link.state !== "connected" && local_ms - link.since_ms < TOLD_MS)) return;
  const now = link.state === "connected" ? link.state : "not connected: figures stand still";
  if (now !== told) set_text(by_id("announcer"), told = now);
}

/** All banners, the worst first, [{key, what, advice}]. */
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
  const sign = found.some(({ key }) => !/^al|^reb/.test(key)) ? "! " : "";
  const title = sign + document.title.replace("! ", "");
  if (title !== document.title) document.title = title;
  // The page below moves by transform, which lays nothing out anew.
  const push = `${banners.parentNode.offsetHeight}px`;
  if (root.style.getPropertyValue("--push") !== push) root.style.setProperty("--push", push);
}

/** The footer. */
export function show_footer({ health, newest_event_ms, position }, zone, now_ms) {
  const { events_per_s, lag, late, duplicates, quarantined } = health ?? {};
  const counted = (n) => n === undefined ? "–" : n === null ? "unknown" : format_count(n);
  const said = {
    "log position": counted(position),
    ingest: health === null
      ? "–"
      : events_per_s === null
      ? "read only"
      : `${format_decimal(events_per_s, events_per_s < 10 ? 1 : 0)} events/s`,
    lag: counted(lag),
    late: counted(late),
    duplicates: counted(duplicates),
    quarantine: counted(quarantined),
    "event time up to": newest_event_ms === null ? "none yet" : format_moment(newest_event_ms, zone, now_ms),
  };
  const line = by_id("health");
  if (!line.hasChildNodes()) { for (const name in said) line.append(make("span", "", `${name} `, make("b"))); }
  Object.values(said).forEach((text, i) => set_text(line.children[i].lastChild, text));
  line.children[5].classList.toggle("amber", quarantined > 0);
}
