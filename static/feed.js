/** The link to the feed: one stream at a time, made anew after growing pauses. (The browser's have no jitter, and end at a 503.) */

const FRAMES = ["hello", "kpi", "trip", "hb", "reset", "bye"];

/** The server speaks every 15 s: a link silent for two of those is dead. */
export const SILENCE_MS = 35_000;

/** After a stream of this length pauses start small again. */
const SETTLED_MS = 5_000;

/** The pause before an attempt: 1 s doubling to 15 s; `chance` in [0, 1) makes it half of that to all. */
export function retry_pause_ms(attempt, chance) {
  return Math.min(15_000, 1_000 * 2 ** attempt) * (0.5 + chance / 2);
}

/** A closed feed. `on_link` hears {state, since_ms}: connecting, connected, reconnecting, closed. @param {any} parts */
export function make_feed({
  make_source,
  on_frame,
  on_link,
  now = Date.now,
  random = Math.random,
  set_timer = setTimeout,
  clear_timer = clearTimeout,
}) {
  let source = null, timer, query = null, last_id = null;
  let attempt = 0, opened_ms = 0, heard_ms = 0, state = "closed";

  function set_state(next) {
    if (next === state) return;
    state = next;
    on_link({ state, since_ms: now() });
  }

  function drop() {
    source?.close();
    source = null;
    clear_timer(timer);
  }

  function connect() {
    drop();
    const params = new URLSearchParams(query);
    if (last_id !== null) params.set("last_event_id", last_id);
    const mine = source = make_source(`/api/v1/feed?${params}`);
    opened_ms = heard_ms = now();
    for (const name of FRAMES) mine.addEventListener(name, (event) => source === mine && receive(name, event));
    mine.onerror = () => source === mine && retry_in(retry_pause_ms(attempt++, random()));
  }

  function lose() {
    drop();
    if (state !== "connecting") set_state("reconnecting");
  }

  function retry_in(pause_ms) {
    lose();
    timer = set_timer(connect, pause_ms);
  }

  function receive(name, event) {
    const data = JSON.parse(event.data);
    heard_ms = now();
    if (heard_ms - opened_ms > SETTLED_MS) attempt = 0;
    // Everyone is told at once: the return is spread over half as long again.
    if (name === "bye") return retry_in(data.retry_ms * (1 + random() / 2));
    // A trip's id may be ahead of the figures: to resume there would skip.
    if (name === "hello" || (name === "kpi" && last_id !== null)) last_id = event.lastEventId || last_id;
    if (name === "reset") last_id = null;
    on_frame(name, data);
    set_state("connected");
  }

  return {
    /** Starts anew with another query. */
    open(next) {
      [query, last_id, attempt] = [next, null, 0];
      set_state("connecting");
      connect();
    },
    /** Ends the link until `resume`. */
    close() {
      drop();
      set_state("closed");
    },
    /** Goes on after `close`, or at once instead of waiting. */
    resume() {
      if (query === null || source !== null) return;
      attempt = 0;
      lose();
      connect();
    },
    /** Gives up a silent link; for once a second. */
    check() {
      if (source === null || now() - heard_ms <= SILENCE_MS) return;
      lose();
      connect();
    },
  };
}
