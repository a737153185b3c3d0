import { format_moment } from "./format.js";
import { merge_series } from "./series.js";

/** What the page looks at, and what it knows. A frame makes a new board. Pure. */

/** Ranges in the order of the keys 1 to 6, in seconds. */
export const RANGES = {
  "15m": 900,
  "1h": 3_600,
  "6h": 21_600,
  "24h": 86_400,
  "7d": 604_800,
  "30d": 2_592_000,
  "5m": 300,
};

/** The plain address. With `from_ms` `range` is null; `to_ms` null follows now. `filter`: {dimension, keys, excluded}; `as_of`: {ms} or {position}; `lines` null: those declared as shown. */
export const PLAIN = {
  range: "1h",
  from_ms: null,
  to_ms: null,
  filter: [],
  currency: null,
  compare: "weekday",
  paused: false,
  theme: null,
  as_of: null,
  lines: null,
  hidden: [],
  tz: null,
  limits: [],
  notes: [],
  kiosk: false,
};

/** The zone of the times on the page. */
export function zone_of({ tz }, business_zone) {
  return tz === "local" ? Intl.DateTimeFormat().resolvedOptions().timeZone : tz ?? business_zone;
}

export const STREAMS_KEPT = 100;

/** Older data is not trusted as current. */
export const STALE_MS = 60_000;

/** A shorter loss is no warning: a reload would flash. */
const LINK_GRACE_MS = 2_000;

const RISE_NOTE_MS = 120_000;

/** A board before its hello. `offset_ms`: the server's clock minus ours; null: not known. */
export function empty_board() {
  return {
    hello: null,
    position: 0,
    buckets: new Map(),
    cards: null,
    compared: null,
    compared_series: null,
    computed: null,
    breakdowns: [],
    streams: [],
    health: null,
    newest_event_ms: null,
    offset_ms: -Infinity,
    rise: null,
  };
}

/** The board after a frame that came at `local_ms` by our clock; `list` is declared. */
export function apply_frame(board, name, data, local_ms, list) {
  if (name === "reset") return empty_board();
  if (name === list.event) {
    return { ...board, streams: merge_streams(data.replace ? [] : board.streams, data[list.name], list.id) };
  }
  if (name !== "hello" && name !== "kpi" && name !== "hb") return board;
  const base = name === "hello" ? { ...empty_board(), hello: data, streams: data[list.name] } : board;
  const { now_ms, health = null } = data;
  // By a late frame old data would look young. A board of then has its own time.
  const offset_ms = data.as_of ? 0 : Math.max(base.offset_ms, now_ms - local_ms);
  // While nothing is taken in, the bucket of the newest data stays unfinished.
  const idle_ms = health?.ingest.state === "running" ? now_ms : health?.recorded_ms;
  const known_ms = data.as_of?.recorded_ms ?? idle_ms ?? now_ms;
  const next = { ...base, health, offset_ms, known_ms, rise: rise_of(board, health, now_ms) };
  if (name === "hb") return next;
  const { position, from_s, to_s, cards, newest_event_ms, series, computed = null, breakdowns = [] } = data;
  const { keyed, currencies, arrived, since_s = from_s, reached_ms = newest_event_ms } = data;
  const { compared, compared_series, compared_keys } = { ...base, ...data };
  const buckets = merge_series(base.buckets, series, from_s);
  const figures = { cards, breakdowns, buckets, compared, compared_series, compared_keys, computed, keyed, currencies };
  return {
    ...next,
    ...figures,
    arrived,
    position,
    from_s,
    to_s,
    since_s,
    newest_event_ms,
    reached_ms,
    told_ms: now_ms,
  };
}

function rise_of({ rise, health: before }, health, now_ms) {
  const kept = rise !== null && now_ms < rise.until_ms ? rise : null;
  const more = before && health ? health.quarantined - before.quarantined : 0;
  return more > 0 ? { count: (kept?.count ?? 0) + more, until_ms: now_ms + RISE_NOTE_MS } : kept;
}

function merge_streams(before, changed, id) {
  const newest = new Map([...before, ...changed].map((stream) => [stream[id], stream]));
  return [...newest.values()].sort((a, b) => b.position - a.position).slice(0, STREAMS_KEPT);
}

/** The window to draw: as it was told, or up to now. */
export function window_of({ hello: { step_s, range, following }, from_s, to_s, known_ms }, now_ms) {
  const start = (ms) => Math.floor(ms / 1000 / step_s) * step_s;
  const known_s = Math.min(now_ms, known_ms) / 1000;
  // Days begin at any time.
  const days = step_s === 86_400;
  const running_s = days ? known_s : start(known_s * 1000);
  if (days || !(following && RANGES[range])) {
    return { from_s, to_s, step_s, running_s: running_s < to_s ? running_s : null };
  }
  const end_s = start(now_ms) + step_s;
  return { from_s: end_s - RANGES[range], to_s: end_s, step_s, running_s };
}

/** The age of the newest recorded data, or null. */
export function data_age_ms({ health }, now_ms) {
  return health === null || health.recorded_ms === null ? null : Math.max(0, now_ms - health.recorded_ms);
}

/** loading, computing, failed (to compute), empty, empty_range or ready. */
export function phase_of({ hello, newest_event_ms, buckets, cards, computed }, window) {
  if (hello === null) return "loading";
  if (newest_event_ms === null) return "empty";
  const counts = ([t, bucket]) => t >= window.from_s && t < window.to_s && Object.values(bucket).some(Boolean);
  if ([...buckets].some(counts)) return "ready";
  return cards !== null ? "empty_range" : computed?.failed ? "failed" : "computing";
}

/** A lost link in words, {key, what, advice}, or null. `link.since_ms` is by our clock. */
export function warning_of_link({ hello, offset_ms }, link, zone, local_ms) {
  if (link.state === "connected" || local_ms - link.since_ms < LINK_GRACE_MS) return null;
  const since = () => format_moment(link.since_ms + offset_ms, zone, local_ms + offset_ms);
  const what = hello === null
    ? "The server has not answered yet."
    : `Connection lost since ${since()}: the figures are from before.`;
  return { key: "link", what, advice: "Trying again by itself. Check the server and the network." };
}

/** Whether something may be wrong: troubles.js says what. */
export function is_troubled(board, local_ms) {
  const { health, rise } = board;
  if (health === null) return false;
  const { database, ingest, lag } = health;
  const old = data_age_ms(board, local_ms + board.offset_ms) > STALE_MS;
  return old || lag > 0 || rise !== null || !database.ok || database.slow_since_ms ||
    ingest.reason !== null || health.rebuilding || health.alerts || /paused|stopped/.test(ingest.state);
}

/** Whether a percent may mislead: see troubles.js. */
export function misleads({ compared }, { bases }) {
  return Object.values(compared ?? {}).some((then) =>
    then && (then.since_s || !(Math.min(...bases.map((base) => then.cards?.[base])) >= (then.least_base ?? 0)))
  );
}
