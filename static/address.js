/** The page's address: range, fixed end or now, paused, and a theme for links. Pure. */

/** Ranges of the feed in the order of the keys 1 to 6, and their lengths in seconds. */
export const RANGES = { "15m": 900, "1h": 3_600, "6h": 21_600, "24h": 86_400, "7d": 604_800, "30d": 2_592_000 };
const DEFAULT = "1h";

/** Reads a query; what is not understood becomes the default. `to_ms` null follows now. */
export function parse_address(search) {
  const params = new URLSearchParams(search);
  const range = params.get("range");
  const to_ms = Date.parse(params.get("to") ?? "");
  const theme = params.get("theme");
  return {
    range: Object.hasOwn(RANGES, range) ? range : DEFAULT,
    to_ms: Number.isNaN(to_ms) ? null : to_ms,
    paused: params.get("paused") === "1",
    theme: theme === "light" || theme === "dark" ? theme : null,
  };
}

/** Writes an address without what is the default: "" or "?...". */
export function format_address({ range, to_ms, paused, theme }) {
  const query = range === DEFAULT && to_ms === null ? {} : feed_query({ range, to_ms });
  if (paused) query.paused = "1";
  if (theme !== null) query.theme = theme;
  const text = new URLSearchParams(query).toString().replaceAll("%3A", ":");
  return text === "" ? "" : `?${text}`;
}

/** What the feed is asked for. */
export function feed_query({ range, to_ms }) {
  return to_ms === null ? { range } : { range, to: new Date(to_ms).toISOString().replace(".000Z", "Z") };
}
