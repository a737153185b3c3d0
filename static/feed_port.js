/** The page's end of the feed: see feed.js. */

/** Signs of life are answered. */
const SIGN_MS = 20_000;
/** Who is silent so long is dead, or cannot run here. */
const DEAD_MS = 45_000, MUTE_MS = 5_000;

/** A port to the tabs' worker, named after the messages' shape, or to one's own feed. */
export async function make_port(own) {
  if (own) return (await import("./feed.js")).serve_page();
  return new SharedWorker("/static/feed.js", { type: "module", name: "tacho-2" }).port;
}

/**
 * A closed link. `on_frame` hears name, data and when it came; `on_link` {state, since_ms, turn_ms}: connecting, connected, reconnecting
 * or closed, asked anew so often or 0. `early`: {port, query}. @param {any} parts
 */
export function make_feed_port({ base = "", on_frame, on_link, make_port, shares, early, now = Date.now }) {
  let port = null, own = !shares, query = null, is_open = false, spoke = false, heard_ms = 0, said_ms = 0;

  function say(more) {
    said_ms = now();
    port?.postMessage({ query: is_open ? query : null, ...more });
  }

  function tell(state) {
    on_link({ state, since_ms: now(), turn_ms: 0 });
  }

  function take(mine) {
    port = mine;
    port.onmessage = ({ data: { query: of, link, name, data, at_ms } }) => {
      if (port !== mine) return;
      [spoke, heard_ms] = [true, now()];
      if (!is_open || of !== query) return;
      if (link) on_link(link);
      else on_frame(name, data, at_ms);
    };
  }

  async function attach() {
    port?.postMessage({ query: null });
    [port, spoke, heard_ms] = [null, false, now()];
    try {
      take(await make_port(own));
      say({ join: true });
    } catch (error) {
      console.warn("reach the feed: trying again", error);
    }
  }

  return {
    /** Starts anew with another query. */
    open(next) {
      query = `${base && `${base}?`}${new URLSearchParams(next)}`;
      is_open = true;
      tell("connecting");
      if (port === null) {
        heard_ms = now();
        if (early) take(early.port);
        else attach();
      }
      if (early?.query !== query) say({ join: true });
      early = null;
    },
    /** Ends the link until `resume`. */
    close() {
      if (is_open) tell("closed");
      is_open = false;
      say();
    },
    /** Goes on, at once. */
    resume() {
      if (query === null) return;
      const join = !is_open;
      is_open = true;
      if (join) tell("reconnecting");
      say({ join, hurry: true });
    },
    /** For once a second. */
    check() {
      if (!is_open) return;
      if (now() - heard_ms > (spoke ? DEAD_MS : MUTE_MS)) {
        if (spoke) tell("reconnecting");
        own ||= !spoke;
        attach();
      } else if (now() - said_ms > SIGN_MS) say();
    },
    /** Whether no other tab shares it. */
    alone: () => own,
  };
}
