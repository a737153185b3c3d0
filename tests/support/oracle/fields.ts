import { read_time } from "./event_time.ts";
import { Fault, is_blank, type Json, type JsonObject, LargeWhole } from "./json.ts";

/** The events of a trip. */
export type TripEventType =
  | "trip.requested"
  | "trip.started"
  | "trip.completed"
  | "trip.canceled"
  | "trip.fare_adjusted"
  | "trip.voided";

/** Texts; degrees and microseconds since the epoch as numbers; micros, metres, milliseconds and counts as bigints. */
export type FieldValue = string | number | bigint;
/** The fields an event names, by their name in the message. What it does not name is absent. */
export type Fields = Map<string, FieldValue>;

type Kind =
  | "text"
  | "canceled_by"
  | "currency"
  | "amount"
  | "km"
  | "minutes"
  | "count"
  | "latitude"
  | "longitude"
  | "time";

const LONGEST_TEXT = 200;
const GREATEST_MEASURE = 1e9;
const GREATEST_COUNT = 1e6;
const GREATEST_AMOUNT_MICROS = 10n ** 18n;

const REQUESTED: Record<string, Kind> = {
  passenger_id: "text",
  city: "text",
  vehicle_type: "text",
  pickup_zone: "text",
  pickup_lat: "latitude",
  pickup_lon: "longitude",
  dropoff_zone: "text",
};
const STARTED: Record<string, Kind> = {
  ...REQUESTED,
  driver_id: "text",
  vendor_id: "text",
  estimated_fare: "amount",
  estimated_dropoff_at: "time",
};
const COMPLETED: Record<string, Kind> = {
  ...STARTED,
  fare: "amount",
  tip: "amount",
  distance_km: "km",
  duration_min: "minutes",
  payment_method: "text",
  dropoff_lat: "latitude",
  dropoff_lon: "longitude",
  passenger_count: "count",
  rate_code: "text",
  trip_type: "text",
};

/** What each event type may name. `currency` is read in all of them, since another currency must never be added up. */
const FIELDS_OF: Record<TripEventType, [string, Kind][]> = {
  "trip.requested": Object.entries({ ...REQUESTED, currency: "currency" }),
  "trip.started": Object.entries({ ...STARTED, currency: "currency" }),
  "trip.completed": Object.entries({ ...COMPLETED, currency: "currency" }),
  "trip.canceled": [["reason", "text"], ["canceled_by", "canceled_by"], ["currency", "currency"]],
  "trip.fare_adjusted": [["fare", "amount"], ["tip", "amount"], ["reason", "text"], ["currency", "currency"]],
  "trip.voided": [["reason", "text"], ["currency", "currency"]],
};

/** The event type of this name, or null when no such event exists. */
export function event_type_named(name: string): TripEventType | null {
  switch (name) {
    case "trip.requested":
    case "trip.started":
    case "trip.completed":
    case "trip.canceled":
    case "trip.fare_adjusted":
    case "trip.voided":
      return name;
    default:
      return null;
  }
}

/** Reads the fields that an event of this type names. Other names in `data` are ignored. */
export function read_fields(type: TripEventType, data: JsonObject, currency: string): Fields | Fault {
  const fields: Fields = new Map();
  for (const [name, kind] of FIELDS_OF[type]) {
    const raw = Object.hasOwn(data, name) ? data[name] : undefined;
    if (raw === undefined || is_blank(raw)) continue;
    const value = read_value(kind, raw, name, currency);
    if (value instanceof Fault) return value;
    fields.set(name, value);
  }
  if (type === "trip.fare_adjusted" && !fields.has("fare")) return new Fault(`${type} without fare`);
  return fields;
}

function read_value(kind: Kind, given: Json, name: string, currency: string): FieldValue | Fault {
  const raw = given instanceof LargeWhole && kind !== "text" ? given.double : given;
  switch (kind) {
    case "text":
      return read_text(raw, name, LONGEST_TEXT);
    case "canceled_by":
      if (raw === "driver" || raw === "passenger" || raw === "system") return raw;
      return new Fault(`${name} is neither driver, passenger nor system`);
    case "currency":
      return raw === currency ? currency : new Fault(`${name} is not ${currency}`);
    case "amount":
      return read_amount(raw, name);
    case "km":
      return read_measure(raw, name, 1000);
    case "minutes":
      return read_measure(raw, name, 60_000);
    case "count":
      if (!Number.isInteger(raw)) return new Fault(`${name} is not an integer`);
      return to_bigint(read_number(raw, name, 0, GREATEST_COUNT));
    case "latitude":
      return read_number(raw, name, -90, 90);
    case "longitude":
      return read_number(raw, name, -180, 180);
    case "time":
      return read_time(raw, name);
  }
}

/** A text as sent, or a safe integer or one with all its digits as its decimal text. `longest` counts UTF-16 code units. */
export function read_text(raw: Json, name: string, longest: number): string | Fault {
  const whole = typeof raw === "number" && Number.isSafeInteger(raw) ? String(raw) : raw;
  const text = whole instanceof LargeWhole ? whole.digits : whole;
  if (typeof text !== "string") return new Fault(`${name} is neither a text nor a whole number`);
  return text.length <= longest ? text : new Fault(`${name} is longer than ${longest}`);
}

/** An amount in micros: a decimal text or a JSON number, at most 6 decimals, 0 to 1e12. */
function read_amount(raw: Json, name: string): bigint | Fault {
  const text = typeof raw === "number" ? String(raw) : raw;
  if (typeof text !== "string") return new Fault(`${name} is neither a text nor a number`);
  const match = /^(\d{1,13})(?:\.(\d{1,6}))?$/.exec(text);
  if (!match) return new Fault(`${name} "${text}" is not an amount`);
  const micros = BigInt(match[1] ?? "") * 1_000_000n + BigInt((match[2] ?? "").padEnd(6, "0"));
  return micros <= GREATEST_AMOUNT_MICROS ? micros : new Fault(`${name} "${text}" is above 1e12`);
}

/** A measure in whole small units: `per_unit` of them make one of the units that the message states. */
function read_measure(raw: Json, name: string, per_unit: number): bigint | Fault {
  const measure = read_number(raw, name, 0, GREATEST_MEASURE);
  return measure instanceof Fault ? measure : to_bigint(Math.round(measure * per_unit));
}

function read_number(raw: Json, name: string, least: number, greatest: number): number | Fault {
  if (typeof raw !== "number") return new Fault(`${name} is not a number`);
  return raw >= least && raw <= greatest ? raw : new Fault(`${name} ${raw} is not in ${least}..${greatest}`);
}

function to_bigint(value: number | Fault): bigint | Fault {
  return value instanceof Fault ? value : BigInt(value);
}
