import { feed_query, format_address, parse_address, RANGES } from "./address.js";
import { show_breakdowns } from "./breakdowns.js";
import { show_cards } from "./cards.js";
import { make_charts } from "./charts.js";
import { bind_controls, show_controls } from "./controls.js";
import { make_feed } from "./feed.js";
import { by_id } from "./page.js";
import { columns_of } from "./series.js";
import { apply_frame, empty_board, phase_of, window_of } from "./state.js";
import { announce_link, show_banner, show_footer, show_state, show_window } from "./status.js";
import { tell_charts } from "./table.js";
import { show_trips } from "./trips.js";
// Named here too, so that all modules load side by side.
import "./figures.js";
import "./format.js";
import "./time_axis.js";
import "./warnings.js";

/** The page: frames change the board, and the board is drawn at most four times a second. */

const DRAW_PAUSE_MS = 250;
/** A page that nobody has looked at for this long lets its connection go. */
const HIDDEN_MS = 300_000;

const { body } = document;
let address = parse_address(location.search);
/** The newest board, the one in sight, and since when that is held. */
let board = empty_board(), shown = board, held_ms = null;
/** The stretch that the reader dragged over; null shows the window and follows it. */
let zoom = null;
let link = { state: "connecting", since_ms: Date.now() };
let build = null, hidden_timer, draw_asked = false, drawn_ms = 0, drawn_to_s = 0;

const feed = make_feed({
  make_source: (url) => new EventSource(url),
  on_frame: receive,
  on_link(next) {
    link = next;
    announce_link(link);
    show_status();
  },
});

const charts = make_charts({
  on_zoom(stretch) {
    zoom = stretch;
    draw_soon();
  },
  on_unzoom: back_to_live,
});

function receive(name, data) {
  board = apply_frame(board, name, data, Date.now());
  if (name === "reset" && held_ms === null) shown = board;
  if (name === "hello") {
    build ??= data.build;
    by_id("new_version").hidden = data.build === build;
    // A page that was opened paused holds the first board that comes.
    if (address.paused && held_ms === null) hold(true);
  }
  draw_soon();
}

/** Without a board there is nothing to hold yet: its hello will do it. */
function hold(on) {
  if (board.hello !== null) shown = board;
  held_ms = on && board.hello !== null ? Date.now() : null;
}

function draw_soon() {
  if (draw_asked || document.hidden) return;
  draw_asked = true;
  setTimeout(() => requestAnimationFrame(draw), DRAW_PAUSE_MS - (performance.now() - drawn_ms));
}

function draw() {
  draw_asked = false;
  drawn_ms = performance.now();
  // Between a change of the range and its hello the old figures stay, dimmed.
  if (held_ms === null && (board.hello !== null || link.state === "connected")) shown = board;
  const now_ms = (held_ms ?? Date.now()) + shown.offset_ms;
  const window = shown.hello && window_of(shown, now_ms);
  body.dataset.phase = shown === board || held_ms !== null ? phase_of(shown, window) : "changing";
  show_status();
  show_controls(address, held_ms !== null, zoom !== null);
  if (window === null) return;
  const { time_zone: zone, currency } = shown.hello;
  const { step_s, to_s } = window;
  const columns = columns_of(shown.buckets, window, shown.newest_event_ms);
  drawn_to_s = to_s;
  show_window(window, zoom, zone, now_ms);
  show_cards(shown.cards, columns, step_s, currency);
  charts.show({ columns, step_s, zone, currency, view: zoom ?? window });
  tell_charts(columns, step_s, zone, currency, now_ms);
  show_breakdowns(shown.breakdowns);
  show_trips(shown.trips, zone, now_ms);
  show_footer(shown, now_ms);
  // Last, so that who waits for a position finds its figures.
  body.dataset.position = shown.position;
}

function show_status() {
  show_state(shown, link, held_ms !== null, Date.now());
  show_banner(board, link, Date.now());
}

/** Goes to another address. Another window starts anew. */
function go(change, remember = true) {
  const before = address;
  address = { ...address, ...change };
  const search = format_address(address);
  if (remember && search !== format_address(before)) history.pushState(null, "", location.pathname + search);
  if (address.range !== before.range || address.to_ms !== before.to_ms) {
    zoom = held_ms = null;
    board = empty_board();
    feed.open(feed_query(address));
  } else if (address.paused !== before.paused) {
    hold(address.paused);
  }
  draw_soon();
}

function back_to_live() {
  zoom = null;
  go({ to_ms: null, paused: false });
}

function step(direction) {
  if (shown.hello === null) return;
  const to_ms = (shown.to_s + direction * RANGES[address.range]) * 1000;
  go({ to_ms: to_ms < Date.now() + shown.offset_ms ? to_ms : null, paused: false });
}

bind_controls({
  back_to_live,
  step,
  redraw: draw_soon,
  set_range: (range) => go({ range }),
  pause: () => go({ paused: true }),
  toggle_paused: () => go({ paused: !address.paused }),
  show_newest: () => go({ to_ms: (Math.floor(shown.newest_event_ms / 60_000) + 1) * 60_000, paused: false }),
  toggle_line: charts.toggle,
  theme_set() {
    charts.recolour();
    if (address.theme === null) return;
    // The choice counts from now on, not the link's.
    address = { ...address, theme: null };
    history.replaceState(null, "", location.pathname + format_address(address));
  },
});

addEventListener("popstate", () => go({ ...parse_address(location.search), theme: address.theme }, false));
addEventListener("pagehide", feed.close);
addEventListener("pageshow", feed.resume);
addEventListener("online", feed.resume);
document.addEventListener("visibilitychange", () => {
  clearTimeout(hidden_timer);
  if (document.hidden) {
    hidden_timer = setTimeout(feed.close, HIDDEN_MS);
    return;
  }
  feed.resume();
  draw_soon();
});

setInterval(() => {
  feed.check();
  if (document.hidden) return;
  show_status();
  // The window moves on with the clock, also when no frame comes.
  if (shown.hello !== null && held_ms === null && window_of(shown, Date.now() + shown.offset_ms).to_s !== drawn_to_s) {
    draw_soon();
  }
}, 1_000);

show_controls(address, address.paused, false);
feed.open(feed_query(address));
