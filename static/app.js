import { parse_address, view_query } from "./address.js";
import { show_breakdowns } from "./breakdowns.js";
import { show_cards } from "./cards.js";
import { make_charts } from "./charts.js";
import { make_feed } from "./feed.js";
import { by_id } from "./page.js";
import { columns_of } from "./series.js";
import { apply_frame, empty_board, phase_of, window_of } from "./state.js";
import { announce_link, show_banners, show_controls, show_footer, show_state, show_window } from "./status.js";
import { tell_charts } from "./table.js";
import { show_trips } from "./trips.js";
import { is_troubled, warning_of_link } from "./warnings.js";

/**
 * The page: frames change the board, and the board is drawn at most four times a second. What shows figures is loaded at
 * once; what a reader does with them comes with the first press.
 */

const DRAW_PAUSE_MS = 250;
/** A page that nobody has looked at for this long lets its connection go. */
const HIDDEN_MS = 300_000;
/** A view that is not there by then may be one that the server refuses. */
const REFUSAL_MS = 1_500;

const PARTS = {
  actions: () => import("./actions.js"),
  chips: () => import("./chips.js"),
  refusal: () => import("./refusal.js"),
  travel: () => import("./time_travel.js"),
  troubles: () => import("./troubles.js"),
};

const { body } = document;
let build = null, hidden_timer, draw_asked = false, drawn_ms = 0, drawn_to_s = 0;

/**
 * What the parts of the page share. `board` is the newest, `shown` the one in sight, held since `held_ms`; `refusal` and
 * `missing` are warnings of views that are not shown and of parts that could not be loaded.
 */
const page = {
  address: parse_address(location.search),
  board: empty_board(),
  shown: empty_board(),
  held_ms: null,
  held_trips: null,
  link: { state: "connecting", since_ms: Date.now() },
  refusal: null,
  missing: null,
  /** Modules that are loaded, by name. */
  parts: {},
  need,
  look,
  hold,
  receive,
  draw_soon,
  zone() {
    return page.shown.hello?.time_zone ?? "UTC";
  },
};

page.feed = make_feed({
  make_source: (url) => new EventSource(url),
  on_frame: receive,
  on_link(next) {
    page.link = next;
    announce_link(next);
    show_status();
  },
});

page.charts = make_charts({
  on_zoom: (stretch) => need("actions", ({ zoom }) => zoom(page, stretch)),
  on_unzoom: () => need("actions", ({ back_to_live }) => back_to_live(page)),
});

/** Runs something with a part of the page, at once when it is loaded. */
function need(name, run) {
  const { parts } = page;
  if (parts[name] !== undefined) return run(parts[name]);
  PARTS[name]().then((part) => {
    parts[name] = part;
    page.missing = null;
    run(part);
    draw_soon();
  }).catch((error) => {
    console.warn(`load ${name}: failed`, error);
    const what = "A part of the page could not be loaded.";
    page.missing = { key: "module", what, advice: "Check the server and the network, then try again." };
    show_status();
  });
}

function receive(name, data) {
  page.board = apply_frame(page.board, name, data, Date.now());
  if (name === "reset" && page.held_ms === null) page.shown = page.board;
  if (name === "hello") {
    build ??= data.build;
    by_id("new_version").hidden = (data.build ?? build) === build;
    // A page that was opened paused holds the first board that comes.
    if (page.address.paused && page.held_ms === null) hold(true);
  }
  draw_soon();
}

/** Without a board there is nothing to hold yet: its hello will do it. */
function hold(on) {
  if (page.board.hello !== null) page.shown = page.board;
  page.held_ms = on && page.board.hello !== null ? Date.now() : null;
}

/** Asks for what the address says: live from the feed, or once as of then. */
function look() {
  const { address, feed } = page;
  page.held_ms = page.held_trips = page.refusal = null;
  page.board = empty_board();
  if (address.as_of === null) return feed.open(view_query(address));
  feed.close();
  need("travel", (travel) => travel.read_board(page));
}

function draw_soon() {
  if (draw_asked || document.hidden) return;
  draw_asked = true;
  setTimeout(() => requestAnimationFrame(draw), DRAW_PAUSE_MS - (performance.now() - drawn_ms));
}

function draw() {
  draw_asked = false;
  drawn_ms = performance.now();
  const { address, board, held_ms, link, parts } = page;
  const past = address.as_of !== null;
  // Between a change of the view and its hello the old figures stay, dimmed.
  if (held_ms === null && (board.hello !== null || link.state === "connected")) page.shown = board;
  const { shown } = page;
  const now_ms = (held_ms ?? Date.now()) + shown.offset_ms;
  const window = shown.hello && window_of(shown, now_ms);
  body.dataset.phase = shown === board || held_ms !== null ? phase_of(shown, window) : "changing";
  body.classList.toggle("past", past);
  body.classList.toggle("filtered", address.filter.length > 0);
  show_status();
  show_controls(address, held_ms !== null);
  if (address.filter.length > 0) need("chips", () => {});
  parts.chips?.show_chips(page);
  parts.travel?.show_ribbon(page);
  if (window === null) return;
  const zone = page.zone();
  const { currency } = shown.hello;
  const { step_s, from_s, to_s } = window;
  const columns = columns_of(shown.buckets, window, shown.newest_event_ms);
  const passed = { from_s, to_s: Math.max(from_s, Math.min(to_s, (past ? shown.known_ms : now_ms) / 1_000)) };
  drawn_to_s = to_s;
  show_window(window, zone, now_ms);
  const sight = { ...shown, ...address, columns, step_s, passed, currency, zone, now_ms, held_trips: page.held_trips };
  show_cards(sight);
  page.charts.show({ columns, step_s, zone, currency, view: window });
  tell_charts(columns, step_s, zone, currency, now_ms);
  show_breakdowns(sight);
  show_trips(sight);
  show_footer(shown, zone, now_ms);
  // Last, so that who waits for a position finds its figures.
  body.dataset.position = shown.position;
}

function show_status() {
  const { address, board, shown, held_ms, link, parts, refusal, missing } = page;
  const local_ms = Date.now();
  const past = address.as_of !== null;
  show_state({ board: shown, link, paused: held_ms !== null, past, zone: page.zone(), local_ms });
  const found = [refusal, missing];
  if (!past && refusal === null) {
    found.push(warning_of_link(board, link, page.zone(), local_ms));
    if (link.state === "connected" && is_troubled(board, local_ms)) {
      need("troubles", () => {});
      found.push(...parts.troubles?.troubles_of(board, page.zone(), local_ms) ?? []);
    }
  }
  show_banners(found.filter((warning) => warning !== null));
}

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", page.charts.recolour);
addEventListener("click", (event) => need("actions", ({ press }) => press(page, event)));
addEventListener("input", (event) => need("actions", ({ press }) => press(page, event)));
addEventListener("popstate", () => need("actions", ({ come_back }) => come_back(page)));
addEventListener("keydown", (event) => {
  // Known only to the actions, which may have to be loaded: by then the page would have scrolled.
  if (event.key === " " && event.target === body) event.preventDefault();
  need("actions", ({ strike }) => strike(page, event));
});

const resume = () => page.address.as_of === null && page.refusal === null && page.feed.resume();
addEventListener("pagehide", page.feed.close);
addEventListener("pageshow", resume);
addEventListener("online", resume);
document.addEventListener("visibilitychange", () => {
  clearTimeout(hidden_timer);
  if (document.hidden) {
    hidden_timer = setTimeout(page.feed.close, HIDDEN_MS);
    return;
  }
  resume();
  draw_soon();
});

setInterval(() => {
  page.feed.check();
  if (document.hidden) return;
  show_status();
  const { shown, link, held_ms } = page;
  if (link.state === "connecting" && Date.now() - link.since_ms > REFUSAL_MS) need("refusal", ({ ask }) => ask(page));
  // The window moves on with the clock, also when no frame comes.
  if (shown.hello !== null && held_ms === null && window_of(shown, Date.now() + shown.offset_ms).to_s !== drawn_to_s) {
    draw_soon();
  }
}, 1_000);

show_controls(page.address, page.address.paused);
look();
// What an address says wrongly does not stay in it.
if (location.search !== "") need("actions", ({ tidy }) => tidy(page));
