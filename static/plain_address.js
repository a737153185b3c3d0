/** The address of the page without parameters. Pure. */

/** Ranges in the order of the keys 1 to 6, in seconds. */
export const RANGES = { "15m": 900, "1h": 3_600, "6h": 21_600, "24h": 86_400, "7d": 604_800, "30d": 2_592_000 };

/** With `from_ms` `range` is null; `to_ms` null follows now. `filter`: {dimension, keys, excluded}; `as_of`: {ms} or {position}; `lines` null: those that are declared as shown. */
export const PLAIN = {
  range: "1h",
  from_ms: null,
  to_ms: null,
  filter: [],
  compare: "weekday",
  paused: false,
  theme: null,
  as_of: null,
  lines: null,
  tz: null,
  limits: [],
  notes: [],
  kiosk: false,
};

/** The zone of the times on the page. */
export function zone_of({ tz }, business_zone) {
  return tz === "local" ? Intl.DateTimeFormat().resolvedOptions().timeZone : tz ?? business_zone;
}
