import { place_breakdowns, show_breakdowns } from "./breakdowns.js";
import { place_cards, show_cards } from "./cards.js";
import { make_charts } from "./charts.js";
import { make_feed_port, make_port } from "./feed_port.js";
import { format_window } from "./format.js";
import { place_list, show_list } from "./list.js";
import { by_id, declared, set_text } from "./page.js";
import { columns_of } from "./series.js";
import {
  apply_frame,
  empty_board,
  is_troubled,
  misleads,
  phase_of,
  PLAIN,
  warning_of_link,
  window_of,
  zone_of,
} from "./state.js";
import { show_banners, show_footer, show_state } from "./status.js";

/** The page: frames change the board, which is drawn at most four times a second. */

const DRAW_PAUSE_MS = 250;
/** A page out of sight for this long lets a shared feed go. */
const HIDDEN_MS = 300_000;
const MISSING_MS = 3_000;
/** A view that is not there by then may be refused. */
const REFUSAL_MS = 1_500;

const { body } = document;
const styles = document.createElement("link");
let build = null, hidden_timer, missing_timer, draw_asked = false, drawn_ms = -DRAW_PAUSE_MS, drawn_to_s = 0;

/** What the parts share; `board` is the newest, `shown` the one in sight. */
const page = {
  address: PLAIN,
  board: empty_board(),
  shown: empty_board(),
  held_ms: null,
  // What was drawn last.
  sight: null,
  link: { state: "connecting", since_ms: Date.now() },
  refusal: null,
  missing: null,
  parts: {},
  need,
  load,
  look,
  hold,
  receive,
  draw_soon,
  zone: () => zone_of(page.address, page.shown.hello?.time_zone ?? "UTC"),
};

page.feed = make_feed_port({
  base: declared.base,
  early: globalThis.early_feed,
  shares: globalThis.SharedWorker !== undefined,
  make_port,
  on_frame: receive,
  on_link(next) {
    page.link = next;
    show_status();
  },
});

place_cards();
place_list();
place_breakdowns();
page.charts = make_charts({
  on_zoom: (stretch) => need("actions", ({ zoom }) => zoom(page, stretch)),
  on_unzoom: () => need("actions", ({ back_to_live }) => back_to_live(page)),
  load,
});

const coming = {};

/** Runs something with a part, at once when it is loaded, and in order. */
function need(name, run) {
  const { parts } = page;
  if (parts[name] !== undefined) return run(parts[name]);
  coming[name] ??= load(`./${name}.js`).finally(() => delete coming[name]);
  coming[name].then((part) => {
    parts[name] = part;
    run(part);
    draw_soon();
  }).catch(console.warn);
}

/** Imports a module. Fails with a warning, which goes when it can be loaded. */
async function load(path) {
  if (styles.href === "") document.head.append(Object.assign(styles, { rel: "stylesheet", href: "/static/parts.css" }));
  try {
    const module = await import(path);
    page.missing = null;
    return module;
  } catch (cause) {
    const what = "A part of the page could not be loaded.";
    page.missing = { key: "module", what, advice: "It comes when the server answers: then press again." };
    clearTimeout(missing_timer);
    missing_timer = setTimeout(() => load(path).then(draw_soon, () => {}), MISSING_MS);
    throw new Error(`load ${path}: ${cause.message}`, { cause });
  }
}

function receive(name, data, at_ms = Date.now()) {
  page.board = apply_frame(page.board, name, data, at_ms, declared.list);
  if (name === "reset" && page.held_ms === null) page.shown = page.board;
  // Heartbeats name it too.
  if (data.build !== undefined) {
    build ??= data.build;
    by_id("new_version").hidden = data.build === build;
    if (data.build !== build) page.parts.chart_tools?.new_build(data.build);
  }
  // One that was opened paused holds the first board.
  if (name === "hello" && page.address.paused && page.held_ms === null) hold(true);
  draw_soon();
}

/** Without a board its hello will do it. */
function hold(on) {
  if (page.board.hello !== null) page.shown = page.board;
  page.held_ms = on && page.board.hello !== null ? Date.now() : null;
}

/** Asks for what the address says. */
function look() {
  const { address, feed, parts } = page;
  page.held_ms = page.refusal = null;
  page.board = empty_board();
  parts.actions?.release();
  if (address === PLAIN) return feed.open({ range: PLAIN.range });
  need("address", ({ ask }) => ask(page));
}

function draw_soon() {
  if (draw_asked || document.hidden) return;
  draw_asked = true;
  setTimeout(() => requestAnimationFrame(draw), DRAW_PAUSE_MS - (performance.now() - drawn_ms));
}

function draw() {
  draw_asked = false;
  drawn_ms = performance.now();
  const { address, board, held_ms, parts } = page;
  // Until another view is heard of the old figures stay, dimmed.
  if (held_ms === null && (board.hello || board.health)) page.shown = board;
  const { shown } = page;
  const now_ms = address.as_of ? shown.known_ms : (held_ms ?? Date.now()) + shown.offset_ms;
  const window = shown.hello && window_of(shown, now_ms);
  const phase = shown === board || held_ms !== null ? phase_of(shown, window) : "changing";
  body.dataset.phase = phase;
  show_status();
  if (window !== null) {
    page.sight = sight_of(shown, window, now_ms);
    show_sight(page.sight);
  }
  // A plain board that has figures needs no more.
  const plain = address === PLAIN && /ready|loading/.test(phase) && !shown.computed?.failed && !shown.breakdowns[0] &&
    !parts.troubles && !board.health?.unusual && !shown.currencies?.[1] && !misleads(shown, declared) &&
    !declared.domains;
  if (parts.extras || !plain) need("extras", ({ show_extras }) => show_extras(page, phase));
  // Last: figures are there.
  if (window !== null) body.dataset.position = shown.position;
}

function sight_of(shown, window, now_ms) {
  const { step_s, from_s, to_s } = window, { address } = page;
  return {
    ...shown,
    declared,
    board: shown,
    address,
    lines: address.lines ?? declared.shown,
    window,
    view: window,
    step_s,
    now_ms,
    columns: columns_of(shown, window, declared),
    passed: {
      from_s: Math.max(from_s, shown.since_s),
      to_s: Math.max(from_s, Math.min(to_s, Math.min(now_ms, shown.reached_ms ?? now_ms) / 1_000)),
    },
    zone: page.zone(),
    currency: shown.hello.currency,
    misleads: misleads(shown, declared),
    unlike: page.parts.troubles?.make_unlike(page, now_ms),
  };
}

function show_sight(sight) {
  const { board, columns, window, zone, now_ms, streams, breakdowns } = sight;
  drawn_to_s = window.to_s;
  set_text(by_id("window"), format_window(window, zone, now_ms));
  show_cards(sight);
  page.charts.show(page.parts.rolling?.rolled(sight) ?? sight);
  by_id("corrected").hidden = columns.revised_ms.every((at_ms) => at_ms === 0);
  show_breakdowns(breakdowns, page.parts.panels?.arranged(page));
  show_list(sight.listed = page.parts.actions?.listed(streams) ?? streams, sight);
  show_footer(board, zone, now_ms);
}

function show_status() {
  const { address, board, link, parts, refusal, missing } = page;
  const local_ms = Date.now();
  show_state(page, local_ms);
  const found = [refusal, missing];
  if (!address.as_of && !refusal) {
    found.push(warning_of_link(board, link, page.zone(), local_ms));
    if (link.state === "connected" && is_troubled(board, local_ms)) {
      need("troubles", () => {});
      found.push(...parts.troubles?.troubles_of(board, page.zone(), local_ms, declared.many) ?? []);
    }
  }
  show_banners(found.filter(Boolean));
}

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", page.charts.recolour);
for (const name of ["click", "input"]) {
  addEventListener(name, (event) => need("actions", ({ press }) => press(page, event)));
}
addEventListener("popstate", () => need("actions", ({ come_back }) => come_back(page)));
addEventListener("keydown", (event) => {
  // Else the page would scroll.
  if (event.key === " " && event.target === body) event.preventDefault();
  need("actions", ({ strike }) => strike(page, event));
});

// Who is there may press anything.
for (const name of ["pointermove", "touchstart", "keydown"]) {
  addEventListener(name, () => load("./all_parts.js").catch(() => {}), { once: true, passive: true });
}

const resume = () => page.address.as_of === null && page.refusal === null && page.feed.resume();
addEventListener("pagehide", page.feed.close);
addEventListener("pageshow", resume);
addEventListener("online", resume);
document.addEventListener("visibilitychange", () => {
  clearTimeout(hidden_timer);
  if (document.hidden) {
    hidden_timer = setTimeout(page.feed.close, page.feed.alone() ? 0 : HIDDEN_MS);
    return;
  }
  resume();
  draw_soon();
});

setInterval(() => {
  page.feed.check();
  if (document.hidden) return;
  show_status();
  page.parts.filter?.show_filter(page);
  const { address, shown, link, held_ms } = page;
  if (link.state === "connecting" && Date.now() - link.since_ms > REFUSAL_MS) need("troubles", ({ ask }) => ask(page));
  // The window moves on with the clock, also when no frame comes.
  const moves = shown.hello !== null && held_ms === null && address.as_of === null;
  if (moves && window_of(shown, Date.now() + shown.offset_ms).to_s !== drawn_to_s) draw_soon();
}, 1_000);

if (location.search === "") {
  look();
  globalThis.early_feed?.hello.then(({ data }) => data && !page.board.hello && receive("hello", JSON.parse(data)));
} else need("address", ({ arrive }) => arrive(page));
