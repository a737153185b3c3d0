import { by_id, declared, fill, plain, set_text } from "../page.js";
import { format_age, format_clock } from "../format.js";
import { show_facts } from "./facts.js";
import { show_events } from "./timeline.js";
import { board_href, make_watch, parse_stream_address, stream_url } from "./watch.js";
import { capital, event_words } from "./words.js";

/** The page of one stream: it asks for it every few seconds and draws what changed. */

const { body } = document;
const own_zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
const address = parse_stream_address(location.pathname, location.search, own_zone);
let stream = null, state = { kind: "asking" }, checked_ms = null;

const watch = make_watch({
  url: stream_url(declared.api, address),
  fetch_url: (url, options) => fetch(url, options),
  hidden: () => document.hidden,
  on_stream: receive,
  on_state(next) {
    state = next;
    checked_ms = next.checked_ms ?? checked_ms;
    // A session that has ended: the server shows its login.
    if (next.status === 401) location.reload();
    show_state();
  },
});

/** How things are told. */
function told() {
  const { time_zone, currency } = stream.deployment;
  // The board that its currency's figures are on.
  const other = declared.currency !== undefined && currency !== declared.currency;
  const kept = other ? { currency, ...address.kept } : address.kept;
  return { declared, zone: address.zone ?? time_zone, currency, now_ms: Date.now(), kept };
}

function receive(text) {
  const before = stream;
  stream = JSON.parse(text, keep_digits);
  show_facts(stream, told());
  show_events(stream, told());
  body.dataset.position = stream.position;
  // Of a log that lies elsewhere no event is told.
  const newest = stream.events.at(-1);
  const what = newest === undefined ? "It has changed" : `New event: ${event_words(newest.type, told())[0]}`;
  if (before !== null) set_text(by_id("announcer"), what);
}

/** A number that a double does not hold stays as it was sent, where the browser tells how that was. */
function keep_digits(_, value, context) {
  if (typeof value !== "number" || context?.source === undefined || JSON.rawJSON === undefined) return value;
  return String(value) === context.source ? value : JSON.rawJSON(context.source);
}

/** Loading, ready, not found or error, and how fresh what is shown is. */
function show_state() {
  const phases = { asking: "loading", ready: "ready", not_found: "not_found", failed: "error", refused: "error" };
  body.dataset.phase = stream !== null ? "ready" : phases[state.kind];
  const doubtful = stream !== null && state.kind !== "ready";
  const failed = state.kind === "failed";
  show_link(failed);
  const what = what_of(state);
  const advice = failed ? "Trying again by itself." : "";
  by_id("doubt").hidden = stream === null || !doubtful && address.as_of === null;
  by_id("doubt").classList.toggle("doubt", doubtful);
  set_text(by_id("doubt_what"), doubtful ? what : `As it stood at log position ${address.as_of}.`);
  set_text(
    by_id("doubt_advice"),
    doubtful ? `What is shown is from before. ${advice}` : "What arrived later is not shown.",
  );
  set_text(by_id("error_what"), what);
  set_text(by_id("error_advice"), `${advice} Check ${failed ? "the server and the network" : "the address"}.`.trim());
  by_id("retry").hidden = !doubtful;
  by_id("now").hidden = address.as_of === null;
  body.classList.toggle("stale", doubtful);
}

/** What is wrong, in words. */
function what_of({ kind, reason, since_ms }) {
  if (kind === "not_found") return `The server has no event of this ${declared.one} any more.`;
  if (kind !== "failed") return capital(reason ?? "");
  const zone = stream === null ? address.zone ?? own_zone : told().zone;
  return `${capital(reason)}, since ${format_clock(since_ms, zone, true)}.`;
}

function show_link(failed) {
  const link = by_id("link");
  link.dataset.reached = failed ? "reconnecting" : checked_ms === null ? "connecting" : "connected";
  set_text(link, failed ? "Not reachable" : checked_ms === null ? "Connecting" : "Connected");
  if (checked_ms === null) return;
  // By the second: nobody needs tenths of it here.
  const age_s = Math.floor((Date.now() - checked_ms) / 1_000);
  const age = age_s < 2 ? "just now" : `${age_s < 10 ? `${age_s} s` : format_age(age_s * 1_000)} ago`;
  set_text(by_id("checked"), `checked ${age}`);
}

/** The board as this tab left it, which the board stores; its start else. */
function board_address() {
  let search = null;
  try {
    search = sessionStorage.getItem(`tacho-board${declared.base}`);
  } catch (error) {
    console.info("find the board: this browser stores nothing", error);
  }
  return search?.startsWith("?") ? `${declared.base}/${search}` : board_href({}, address.kept, declared.base);
}

by_id("board").href = board_address();
by_id("now").href = board_href({}, address.kept).replace("/", location.pathname);
for (const id of ["retry", "retry_error"]) by_id(id).onclick = watch.check;
addEventListener("keydown", ({ key, ctrlKey, metaKey, altKey, shiftKey }) => {
  if (ctrlKey || metaKey || altKey || shiftKey) return;
  if (key === "Escape" || key === "Backspace") by_id("board").click();
});
addEventListener("online", watch.check);
document.addEventListener("visibilitychange", () => document.hidden ? watch.pause() : watch.check());
addEventListener("pagehide", watch.pause);
addEventListener("pageshow", ({ persisted }) => persisted && watch.check());
setInterval(() => document.hidden || show_state(), 1_000);

for (const place of document.querySelectorAll("[data-words]")) {
  set_text(place, fill(place.dataset.words, (name) => name === "One" ? capital(declared.one) : declared.one));
}
by_id("notes").ariaLabel = `What is unusual about this ${declared.one}`;
set_text(by_id("stream_id"), address.id);
document.title = `${capital(declared.one)} ${plain(address.id)} · tacho`;
watch.check();
