/** Addresses: what the trip page is asked for, and where on the board it leads. Pure. */

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

/** Reads the page's address. `zone` null: the business time zone; `as_of` null: as it is now. */
export function parse_trip_address(pathname, search, own_zone) {
  const params = new URLSearchParams(search);
  const position = params.get("as_of_position") ?? "";
  return {
    trip_id: decode(pathname.replace(/^\/trips\//, "")),
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

/** Where the API tells of a trip. */
export function trip_url({ trip_id, as_of }) {
  return `/api/v1/trips/${encodeURIComponent(trip_id)}${as_of === null ? "" : `?as_of_position=${as_of}`}`;
}

/** An address of the board. What `kept` names, zone and theme, stays. */
export function board_href(query, kept) {
  const text = new URLSearchParams({ ...query, ...kept }).toString().replaceAll("%3A", ":");
  return text === "" ? "/" : `/?${text}`;
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
