/** Asks for the trip again and again. No DOM: what it needs of its surroundings is given to it. */

const PAUSE_MS = 3_000;
const LONGEST_PAUSE_MS = 30_000;
const PATIENCE_MS = 10_000;

/**
 * Watches an address. Asks with the entity tag of what it has, and not while nobody looks.
 * `on_trip` hears the trip's JSON text when it changed; `on_state` hears after each try { kind, checked_ms }: ready, not_found or
 * refused, the last with status and reason; or { kind: "failed", reason, since_ms }. @param {any} parts
 */
export function make_watch({
  url,
  fetch_url,
  hidden,
  on_trip,
  on_state,
  now = () => Date.now(),
  set_timer = (run, ms) => setTimeout(run, ms),
  clear_timer = (timer) => clearTimeout(timer),
}) {
  let etag = null, failures = 0, since_ms = null, timer, asking = false;

  async function ask() {
    const headers = etag === null ? {} : { "if-none-match": etag };
    const options = { headers, cache: "no-store", signal: AbortSignal.timeout(PATIENCE_MS) };
    const response = await fetch_url(url, options).catch((cause) => {
      // What fetch throws is worded differently by each browser.
      const late = cause.name === "TimeoutError";
      throw new Error(late ? `no answer within ${PATIENCE_MS / 1000} s` : "the server does not answer", { cause });
    });
    const { status } = response;
    if (status === 304) return { kind: "ready" };
    if (status === 404) return { kind: "not_found" };
    if (status === 400 || status === 401) {
      const { detail, errors } = await response.json();
      return { kind: "refused", status, reason: errors[0]?.detail ?? detail };
    }
    if (status !== 200) throw new Error(`the server answered ${status}`);
    on_trip(await response.text());
    etag = response.headers.get("etag");
    return { kind: "ready" };
  }

  /** Asks now; what is being asked already is not asked twice. */
  async function check() {
    clear_timer(timer);
    if (asking) return;
    asking = true;
    try {
      const answer = await ask();
      failures = 0;
      since_ms = null;
      on_state({ ...answer, checked_ms: now() });
    } catch (error) {
      failures++;
      since_ms ??= now();
      on_state({ kind: "failed", reason: error.message, since_ms });
    } finally {
      asking = false;
    }
    if (!hidden()) timer = set_timer(check, Math.min(PAUSE_MS * 2 ** failures, LONGEST_PAUSE_MS));
  }

  /** Asks no more until `check` is called. */
  return { check, pause: () => clear_timer(timer) };
}
