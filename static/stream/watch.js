/** Which stream is asked for, again and again, and where on the board it leads. No DOM: what it needs of its surroundings is given to it. */

const PAUSE_MS = 3_000;
const LONGEST_PAUSE_MS = 30_000;
const PATIENCE_MS = 10_000;

/**
 * Watches an address. Asks with the entity tag of what it has, and not while nobody looks.
 * `on_stream` hears the stream's JSON text when it changed; `on_state` hears after each try { kind, checked_ms }: ready, not_found or
 * refused, the last with status and reason; or { kind: "failed", reason, since_ms }. @param {any} parts
 */
export function make_watch({
  url,
  fetch_url,
  hidden,
  on_stream,
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
    on_stream(await response.text());
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

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

/** Reads the page's address. `zone` null: the business time zone; `as_of` null: as it is now. */
export function parse_stream_address(pathname, search, own_zone) {
  const params = new URLSearchParams(search);
  const position = params.get("as_of_position") ?? "";
  return {
    id: decode(pathname.split("/").at(-1)),
    zone: zone_of(params.get("tz"), own_zone),
    as_of: /^\d{1,15}$/.test(position) ? Number(position) : null,
    kept: Object.fromEntries(
      ["tz", "theme"].filter((name) => params.has(name)).map((name) => [name, params.get(name)]),
    ),
  };
}

function decode(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // A stray percent sign is one.
  }
}

/** A zone that the address names; null when it names none that there is. */
function zone_of(name, own_zone) {
  const zone = name === "local" ? own_zone : name;
  try {
    return zone === null ? null : new Intl.DateTimeFormat("en", { timeZone: zone }).resolvedOptions().timeZone;
  } catch {
    return null;
  }
}

/** Where the API, at `api`, tells of a stream. */
export function stream_url(api, { id, as_of }) {
  return `${api}${encodeURIComponent(id)}${as_of === null ? "" : `?as_of_position=${as_of}`}`;
}

/** An address of the board below a base. What `kept` names, zone and theme, stays. */
export function board_href(query, kept, base = "") {
  const text = new URLSearchParams({ ...query, ...kept }).toString().replaceAll("%3A", ":");
  return text === "" ? `${base}/` : `${base}/?${text}`;
}

const time = (ms) => new Date(ms).toISOString().replace(".000Z", "Z");
const minute = (ms) => Math.floor(ms / MINUTE_MS) * MINUTE_MS;

/** The hour around a moment. */
export function hour_around(ms) {
  const middle = minute(ms);
  return { from: time(middle - HOUR_MS / 2), to: time(middle + HOUR_MS / 2) };
}

/** A day that holds a moment: the last 24 hours, live, if it lies in them; else the one around it. */
export function day_around(ms, now_ms) {
  if (ms > now_ms - 24 * HOUR_MS) return { range: "24h" };
  const middle = minute(ms);
  return { from: time(middle - 12 * HOUR_MS), to: time(middle + 12 * HOUR_MS) };
}
