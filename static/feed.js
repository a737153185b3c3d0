/**
 * The feed: one link for each view that tabs of this browser show, in a SharedWorker, since a browser has six connections to a
 * server that all its tabs share. Where there is no such worker each page runs this for itself.
 */

const FRAMES = ["hello", "kpi", "hb", "reset", "bye"];

/** The server speaks every 15 s: a link silent for two of those is dead. */
export const SILENCE_MS = 35_000;

/** After a stream of this length pauses start small again. */
const SETTLED_MS = 5_000;

/** The pause before an attempt: 1 s doubling to 15 s; `chance` in [0, 1) makes it half of that to all. */
export function retry_pause_ms(attempt, chance) {
  return Math.min(15_000, 1_000 * 2 ** attempt) * (0.5 + chance / 2);
}

/**
 * A closed link: one stream at a time, made anew after growing pauses. (The browser's have no jitter, and end at a 503.)
 * `on_link` hears {state, since_ms}: connecting, connected, reconnecting, closed. @param {any} parts
 */
export function make_feed({
  make_source,
  on_frame,
  on_link,
  now = Date.now,
  random = Math.random,
  set_timer = setTimeout,
  clear_timer = clearTimeout,
}) {
  let source = null, timer, query = null, base = "", last_id = null, names = FRAMES;
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

  function listen(name) {
    const mine = source;
    mine.addEventListener(name, (event) => source === mine && receive(name, event));
  }

  function connect() {
    drop();
    const params = new URLSearchParams(query);
    if (last_id !== null) params.set("last_event_id", last_id);
    const mine = source = make_source(`${base}/api/v1/feed?${params}`);
    opened_ms = heard_ms = now();
    names.forEach(listen);
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
    if (name === "hello" && names === FRAMES) {
      names = [...FRAMES, data.declared.list.event];
      listen(names.at(-1));
    }
    // The list's id may be ahead of the figures: to resume there would skip.
    if (name === "hello" || (name === "kpi" && last_id !== null)) last_id = event.lastEventId || last_id;
    if (name === "reset") last_id = null;
    // First: figures over a link that is said to be lost would be told as old ones.
    set_state("connected");
    on_frame(name, data);
  }

  return {
    /** Starts anew with another query, below a domain's base. */
    open(next, below = "") {
      [query, base, last_id, attempt] = [next, below, null, 0];
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

/** So many frames after a hello are kept before they become part of it. */
const KEPT_FRAMES = 60;

/** The hello that says what a hello, of 100 in its list, and the frames after it, [name, data], have said. Pure. */
export function fold_frames(hello, frames) {
  const { event, name: list, id } = hello.declared.list;
  return frames.reduce((board, [name, data]) => {
    if (name === "kpi") return { ...board, ...data, series: merge_series(board.series, data.series, data.from_s) };
    if (name === event) {
      const newest = new Map([...data.replace ? [] : board[list], ...data[list]].map((row) => [row[id], row]));
      return { ...board, [list]: [...newest.values()].sort((a, b) => b.position - a.position).slice(0, 100) };
    }
    // A heartbeat's position is the log's, not that of the figures.
    const { now_ms, health, build } = data;
    return { ...board, now_ms, health, build };
  }, hello);
}

function merge_series(before, changed, from_s) {
  const at = new Map();
  for (const series of [before, changed]) series.t.forEach((t, i) => t >= from_s && at.set(t, [series, i]));
  const order = [...at.keys()].sort((a, b) => a - b);
  const column = (name) =>
    order.map((t) => {
      const [series, i] = at.get(t);
      return series[name]?.[i];
    });
  return Object.fromEntries(Object.keys({ ...before, ...changed }).map((name) => [name, column(name)]));
}

/** Views with a stream of their own: feed_turns.js has one more connection for all others, three are left for all else. */
const STREAMS = 2;
/** Who was not heard of for so long is gone: hidden tabs have timers once a minute. */
const GONE_MS = 200_000;
const SWEEP_MS = 1_000;

/**
 * What serves the pages' ports. A page says {query, join} when it begins with a view, {query} as a sign of life, {query: null} when
 * it ends; `hurry` does not wait for the next attempt. It hears {query, link}, and {query, name, data, at_ms}: frames, and when
 * they came. `load_turns` imports feed_turns.js. @param {any} parts
 */
export function make_hub(
  { make_source, load_turns, now = Date.now, set_timer = setTimeout, clear_timer = clearTimeout },
) {
  /** By query: {query, ports, feed, link, hello, frames, at_ms, streams}. */
  const views = new Map();
  /** By port: {view, heard_ms}. */
  const members = new Map();
  const time = { now, set_timer, clear_timer };
  let turns = null;

  function tell(view, message, ports = view.ports) {
    for (const port of ports) port.postMessage({ query: view.query, ...message });
  }

  function tell_link(view, ports) {
    tell(view, { link: { ...view.link, turn_ms: view.streams ? 0 : turns?.every_ms ?? 1 } }, ports);
  }

  function add_view(query) {
    const streams = [...views.values()].filter((view) => view.streams).length < STREAMS;
    const link = { state: "connecting", since_ms: now() };
    const view = { query, ports: new Set(), link, hello: null, frames: [], at_ms: 0, streams };
    view.feed = make_feed({
      ...time,
      make_source: (url) => view.streams ? make_source(url) : turns.make_source(url),
      on_frame(name, data) {
        view.at_ms = now();
        if (name === "hello" || name === "reset") [view.hello, view.frames] = [name === "hello" ? data : null, []];
        else if (view.frames.push([name, data]) >= KEPT_FRAMES) fold(view);
        tell(view, { name, data, at_ms: view.at_ms });
      },
      on_link(link) {
        view.link = link;
        tell_link(view);
      },
    });
    views.set(query, view);
    begin(view);
    return view;
  }

  async function begin(view) {
    if (!view.streams && turns === null) {
      try {
        const { make_turns } = await load_turns();
        turns ??= make_turns({ ...time, make_source });
      } catch (error) {
        console.warn("show one more view: trying again", error);
        return set_timer(() => views.has(view.query) && begin(view), SWEEP_MS);
      }
    }
    if (views.get(view.query) === view) open(view);
  }

  /** A query of another domain than that at "/" has its base before a question mark. */
  function open({ feed, query }) {
    feed.open(...query.split("?").reverse());
  }

  function fold(view) {
    if (view.hello !== null) view.hello = fold_frames(view.hello, view.frames);
    view.frames = [];
  }

  function join(port, query) {
    const view = views.get(query) ?? add_view(query);
    members.get(port).view = view;
    view.ports.add(port);
    fold(view);
    tell_link(view, [port]);
    if (view.hello !== null) tell(view, { name: "hello", data: view.hello, at_ms: view.at_ms }, [port]);
  }

  function leave(port) {
    const { view } = members.get(port);
    members.get(port).view = null;
    if (view === null || !view.ports.delete(port) || view.ports.size > 0) return;
    view.feed.close();
    views.delete(view.query);
    const next = [...views.values()].find(({ streams }) => !streams);
    if (!view.streams || next === undefined) return;
    next.streams = true;
    open(next);
  }

  set_timer(function sweep() {
    // A turn has a limit of its own.
    for (const { streams, feed } of views.values()) if (streams) feed.check();
    for (const [port, { heard_ms }] of members) {
      if (now() - heard_ms < GONE_MS) continue;
      leave(port);
      members.delete(port);
    }
    set_timer(sweep, SWEEP_MS);
  }, SWEEP_MS);

  /** Serves a port. */
  return (port) => {
    port.onmessage = ({ data: { query, join: begins, hurry } }) => {
      const { view = null } = members.get(port) ?? {};
      members.set(port, { view, heard_ms: now() });
      const stays = view?.query === query && !begins;
      if (!stays) leave(port);
      if (query === null) return;
      if (stays) tell_link(view, [port]);
      else join(port, query);
      if (hurry) views.get(query).feed.resume();
    };
  };
}

function serve() {
  return make_hub({ make_source: (url) => new EventSource(url), load_turns: () => import("./feed_turns.js") });
}

if (globalThis.SharedWorkerGlobalScope !== undefined) {
  const connect = serve();
  globalThis.onconnect = ({ ports: [port] }) => connect(port);
}

/** Serves this page alone: gives its end. */
export function serve_page() {
  const { port1, port2 } = new MessageChannel();
  serve()(port2);
  return port1;
}
