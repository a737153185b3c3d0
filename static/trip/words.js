import { format_age, format_clock, format_count, format_day, format_decimal } from "../format.js";

/** Fields, events and measures of a trip in words. Pure. */

/** What an event is called, and what it is when spoken of. */
export const EVENTS = {
  "trip.requested": ["Requested", "request"],
  "trip.started": ["Started", "start"],
  "trip.completed": ["Completed", "completion"],
  "trip.canceled": ["Canceled", "cancellation"],
  "trip.fare_adjusted": ["Fare adjusted", "fare adjustment"],
  "trip.voided": ["Voided", "void"],
};

/** The noun for an event of a type. */
export const noun_of = (type) => EVENTS[type]?.[1] ?? type;

/** Names of the API's fields, and how their values are written. */
export const FIELDS = {
  requested_at: ["Requested", "time"],
  started_at: ["Started", "time"],
  completed_at: ["Completed", "time"],
  canceled_at: ["Canceled", "time"],
  voided_at: ["Voided", "time"],
  estimated_dropoff_at: ["Expected end", "time"],
  driver_id: ["Driver", "text"],
  passenger_id: ["Passenger", "text"],
  passenger_count: ["Passengers", "count"],
  vehicle_type: ["Vehicle", "text"],
  city: ["City", "text"],
  payment_method: ["Payment", "text"],
  pickup_zone: ["Pickup zone", "text"],
  dropoff_zone: ["Drop-off zone", "text"],
  pickup_h3: ["Pickup H3 cell", "text"],
  pickup_lat: ["Pickup latitude", "degrees"],
  pickup_lon: ["Pickup longitude", "degrees"],
  dropoff_lat: ["Drop-off latitude", "degrees"],
  dropoff_lon: ["Drop-off longitude", "degrees"],
  vendor_id: ["Vendor", "text"],
  currency: ["Currency", "text"],
  rate_code: ["Rate code", "text"],
  trip_type: ["Trip type", "text"],
  cancel_reason: ["Cancel reason", "text"],
  canceled_by: ["Canceled by", "text"],
  adjustment_reason: ["Adjusted for", "text"],
  void_reason: ["Voided for", "text"],
  estimated_fare: ["Estimated fare", "money"],
  completion_fare: ["Fare at completion", "money"],
  adjusted_fare: ["Adjusted fare", "money"],
  fare: ["Fare", "money"],
  tip: ["Tip", "money"],
  distance_km: ["Distance", "km"],
  duration_min: ["Duration", "min"],
};

export const UNKNOWN = "unknown";

/** An amount as decimal text, with as many decimals as it has, at least two. Text, not a number: no digit is lost. */
export function format_amount(text) {
  return format_decimal(text, Math.max(2, text.split(".")[1]?.length ?? 0));
}

const format_km = (km) => format_decimal(km, Number.isInteger(km * 10) ? 1 : 2);

/** "14 min", "14 min 30 s", "2 h 5 min". */
export function format_duration(min) {
  const s = Math.round(min * 60);
  const [h, m, rest] = [Math.floor(s / 3_600), Math.floor(s / 60) % 60, s % 60];
  if (h > 0) return `${format_count(h)} h${m > 0 ? ` ${m} min` : ""}`;
  return m === 0 ? `${rest} s` : `${m} min${rest > 0 ? ` ${rest} s` : ""}`;
}

/** "Fri 21 Nov, 10:31:05": seconds always, since events are that close. */
export function format_instant(text, { zone, now_ms }) {
  const ms = Date.parse(text);
  return `${format_day(ms, zone, now_ms)}, ${format_clock(ms, zone, true)}`;
}

const WRITE = {
  text: (value) => String(value),
  count: (value) => format_count(value),
  degrees: (value) => String(value),
  time: (value, told) => format_instant(value, told),
  money: (value, { currency }) => `${format_amount(value)} ${currency}`,
  km: (value) => `${format_km(value)} km`,
  min: (value) => format_duration(value),
};

/** A field's name; one that only a newer server knows is named as it names it. */
export const name_of = (field) => FIELDS[field]?.[0] ?? field;

/** A field's value in words. `told` is how things are told: zone, currency, now_ms. */
export function value_of(field, value, told) {
  return value === null || value === undefined ? UNKNOWN : WRITE[FIELDS[field]?.[1] ?? "text"](value, told);
}

/** Whether a field is a time. */
export const is_time = (field) => FIELDS[field]?.[1] === "time";

/** A status in words. */
export const status_words = (status) => status === null ? UNKNOWN : status.replaceAll("_", " ");

/** From when on a message is called late: the windows of the board have closed by then. */
export const LATE_MS = 300_000;

/**
 * How late one of a trip's events was recorded, milliseconds, and in words. Whether that is `late` is judged by the newest event that
 * its message told: a record of a whole trip tells the start when the trip ends.
 */
export function lateness_of(event, events) {
  const ms = Date.parse(event.recorded_at) - Date.parse(event.occurred_at);
  const told = events.filter((other) => other === event || is_same_message(other.metadata, event.metadata));
  const since_newest = Math.min(
    ...told.map(({ occurred_at }) => Date.parse(event.recorded_at) - Date.parse(occurred_at)),
  );
  const age = format_age(Math.abs(ms));
  return { ms, late: since_newest >= LATE_MS, text: ms < 0 ? `${age} before it happened` : `${age} later` };
}

const is_same_message = (a, b) =>
  a?.offset !== undefined && a.topic === b?.topic && a.partition === b.partition && a.offset === b.offset;

/** Where a trip goes from or to: its zone, a bare number with the city before it. */
export function place_of(zone, city) {
  return zone !== null && /^\d+$/.test(zone) && city !== null ? `${city} ${zone}` : zone ?? null;
}

/** "1 start", "2 starts". */
export const counted = (n, noun) => `${format_count(n)} ${noun}${n === 1 ? "" : "s"}`;
