import { parse_address, view_query } from "./address.js";
import { show_breakdowns } from "./breakdowns.js";
import { show_cards } from "./cards.js";
import { load, make_tools } from "./chart_tools.js";
import { make_charts } from "./charts.js";
import { make_feed } from "./feed.js";
import { format_window } from "./format.js";
import { zone_of } from "./marks_address.js";
import { by_id, set_text } from "./page.js";
import { columns_of } from "./series.js";
import { apply_frame, empty_board, phase_of, window_of } from "./state.js";
import { announce_link, show_banners, show_controls, show_footer, show_state } from "./status.js";
import { show_trips } from "./trips.js";
import { is_troubled, warning_of_link } from "./warnings.js";

/**
 * The page: frames change the board, and the board is drawn at most four times a second. What shows figures is loaded at
 * once; what a reader does with them, and what only some states show, is loaded when it is needed.
 */

const DRAW_PAUSE_MS = 250;
/** A page that nobody has looked at for this long lets its connection go. */
const HIDDEN_MS = 300_000;
/** A view that is not there by then may be one that the server refuses. */
const REFUSAL_MS = 1_500;

const PARTS = {
  actions: () => import("./actions.js"),
  blank: () => import("./blank.js"),
  filtered: () => import("./filtered.js"),
  list: () => import("./list.js"),
  refusal: () => import("./refusal.js"),
  travel: () => import("./time_travel.js"),
  troubles: () => import("./troubles.js"),
};

const { body } = document;
/** What was drawn last, for the tools of the charts. */
let sight = null;
let build = null, hidden_timer, draw_asked = false, drawn_ms = 0, drawn_to_s = 0;

/**
 * What the parts of the page share. `board` is the newest, `shown` the one in sight, held since `held_ms`; `refusal` and
 * `missing` are warnings of a view that is not shown and of a part that could not be loaded; `parts` are loaded modules.
 */
const page = {
  address: parse_address(location.search),
  board: empty_board(),
  shown: empty_board(),
  held_ms: null,
  link: { state: "connecting", since_ms: Date.now() },
  refusal: null,
  missing: null,
  parts: {},
  need,
  look,
  hold,
  receive,
  draw_soon,
  zone: () => zone_of(page.address, page.shown.hello?.time_zone ?? "UTC"),
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
  load,
});

const tools = make_tools({
  charts: page.charts,
  go: (change) => need("actions", ({ go }) => go(page, change)),
  look: () => sight && { ...sight, address: page.address },
});

/** Runs something with a part of the page, at once when it is loaded. */
function need(name, run) {
  const { parts } = page;
  if (parts[name] !== undefined) return run(parts[name]);
  load_styles();
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

function load_styles() {
  if (document.querySelector("#parts_css") !== null) return;
  const link = document.createElement("link");
  document.head.append(Object.assign(link, { id: "parts_css", rel: "stylesheet", href: "/static/parts.css" }));
}

function receive(name, data) {
  page.board = apply_frame(page.board, name, data, Date.now());
  if (name === "reset" && page.held_ms === null) page.shown = page.board;
  if (name === "hello") {
    build ??= data.build;
    by_id("new_version").hidden = (data.build ?? build) === build;
    if (data.build !== build) tools.new_build(data.build);
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
  const { address, feed, parts } = page;
  page.held_ms = page.refusal = null;
  page.board = empty_board();
  parts.list?.release();
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
  const now_ms = past ? shown.known_ms : (held_ms ?? Date.now()) + shown.offset_ms;
  const window = shown.hello && window_of(shown, now_ms);
  const phase = shown === board || held_ms !== null ? phase_of(shown, window) : "changing";
  body.dataset.phase = phase;
  body.classList.toggle("past", past);
  body.classList.toggle("filtered", address.filter.length > 0);
  show_status();
  show_controls(address, held_ms !== null);
  if (window !== null) {
    sight = sight_of(shown, window, now_ms);
    show_sight();
  }
  if (parts.blank || !["ready", "loading", "changing"].includes(phase)) {
    need("blank", (blank) => blank.show_blank(page, phase));
  }
  if (parts.filtered || address.filter.length > 0 || shown.computed?.failed) {
    need("filtered", (part) => part.show_filter(page));
  }
  parts.travel?.show_ribbon(page);
  // Last, so that who waits for a position finds its figures.
  if (window !== null) body.dataset.position = shown.position;
}

function sight_of(shown, window, now_ms) {
  const { step_s, from_s, to_s } = window;
  const { address } = page;
  return {
    ...shown,
    board: shown,
    address,
    window,
    view: window,
    step_s,
    now_ms,
    columns: columns_of(shown, window),
    passed: { from_s, to_s: Math.max(from_s, Math.min(to_s, now_ms / 1_000)) },
    zone: page.zone(),
    currency: shown.hello.currency,
  };
}

function show_sight() {
  const { board, window, zone, now_ms, trips, breakdowns } = sight;
  drawn_to_s = window.to_s;
  set_text(by_id("window"), format_window(window, zone, now_ms));
  show_cards(sight);
  page.charts.show(sight);
  tools.show(sight);
  show_breakdowns(breakdowns);
  show_trips(page.parts.list?.listed(trips) ?? trips, sight);
  show_footer(board, zone, now_ms);
}

function show_status() {
  const { address, board, link, parts, refusal, missing } = page;
  const local_ms = Date.now();
  show_state(page, local_ms);
  const found = [refusal, missing];
  if (address.as_of === null && refusal === null) {
    found.push(warning_of_link(board, link, page.zone(), local_ms));
    if (link.state === "connected" && is_troubled(board, local_ms)) {
      need("troubles", () => {});
      found.push(...parts.troubles?.troubles_of(board, page.zone(), local_ms) ?? []);
    }
  }
  show_banners(found.filter((warning) => warning !== null));
}

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", page.charts.recolour);
for (const name of ["click", "input"]) {
  addEventListener(name, (event) => need("actions", ({ press }) => press(page, event)));
}
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
  const { address, shown, link, held_ms } = page;
  if (link.state === "connecting" && Date.now() - link.since_ms > REFUSAL_MS) need("refusal", ({ ask }) => ask(page));
  // The window moves on with the clock, also when no frame comes.
  const moves = shown.hello !== null && held_ms === null && address.as_of === null;
  if (moves && window_of(shown, Date.now() + shown.offset_ms).to_s !== drawn_to_s) draw_soon();
}, 1_000);

show_controls(page.address, page.address.paused);
look();
