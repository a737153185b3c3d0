import { z } from "zod";
import { type Integer, parse_time } from "../../kpi/mod.ts";
import type { EventField } from "../domain.ts";
import { ExactNumber, is_blank, whole_number_text } from "../json_value.ts";
import { parse_amount } from "./amount.ts";
import type { EventType, TripPayload } from "./trip.ts";

/**
 * The fields of trip event data, and the schemas made of them: one zod schema per type and version. Blank (null, "" or white space) is
 * unknown; fields not listed are kept in the log and ignored. What a value must be is asked in one place, where it is read: a schema refuses
 * what reading does.
 */

/** A kind of field: what is expected of it, in words, and how a value that is not blank is read, in units of the state; null: it is refused. */
interface Kind {
  readonly what: string;
  readonly read: (value: string | number | ExactNumber) => NonNullable<TripPayload[keyof TripPayload]> | null;
}

/** The double nearest to a JSON number. */
const as_number = (value: unknown): unknown => value instanceof ExactNumber ? Number(value.text) : value;

const number_between = (value: unknown, from: number, to: number): number | null => {
  const number = as_number(value);
  return typeof number === "number" && number >= from && number <= to ? number : null;
};
/** A number that is kept in whole smaller units. */
const in_units = (most: number, units: number) => (value: unknown): number | null => {
  const number = number_between(value, 0, most);
  return number === null ? null : Math.round(number * units);
};

/** Micros of an amount: a number counts by its digits, or where it has too many of them, by the shortest text of its double. */
function read_amount(value: unknown): Integer | null {
  if (typeof value === "string") return parse_amount(value);
  const digits = value instanceof ExactNumber ? parse_amount(value.text) : null;
  return digits ?? parse_amount(String(as_number(value)));
}

const TEXT: Kind = {
  what: "text of at most 200 characters",
  read(value) {
    const text = typeof value === "string" ? value : whole_number_text(value);
    return text !== null && text.length <= 200 ? text : null;
  },
};
const AMOUNT: Kind = { what: "an amount from 0 to 1e12 with at most 6 decimals, as text or number", read: read_amount };
const KILOMETRES: Kind = { what: "a number from 0 to 1e9", read: in_units(1e9, 1000) };
const MINUTES: Kind = { what: "a number from 0 to 1e9", read: in_units(1e9, 60_000) };
const COUNT: Kind = {
  what: "a whole number from 0 to 1e6",
  read: (value) => Number.isInteger(as_number(value)) ? number_between(value, 0, 1e6) : null,
};
const LATITUDE: Kind = { what: "degrees from -90 to 90", read: (value) => number_between(value, -90, 90) };
const LONGITUDE: Kind = { what: "degrees from -180 to 180", read: (value) => number_between(value, -180, 180) };
const TIME: Kind = {
  what: "an RFC 3339 time with zone",
  read(value) {
    const parsed = typeof value === "string" ? parse_time(value) : null;
    return parsed?.ok === true ? parsed.us : null;
  },
};
const ACTOR: Kind = {
  what: "driver, passenger or system",
  read: (value) => value === "driver" || value === "passenger" || value === "system" ? value : null,
};

/** The kind of each field, and its name in the payload where that is another one. */
type Kinds = Readonly<Record<string, Kind | readonly [Kind, keyof TripPayload]>>;

// Only completions are listed with a currency; it is checked wherever it stands, since an adjustment in another one must not be added up.
const requested: Kinds = {
  currency: TEXT,
  passenger_id: TEXT,
  city: TEXT,
  vehicle_type: TEXT,
  pickup_zone: TEXT,
  pickup_lat: LATITUDE,
  pickup_lon: LONGITUDE,
  dropoff_zone: TEXT,
};
const started: Kinds = {
  ...requested,
  driver_id: TEXT,
  vendor_id: TEXT,
  estimated_fare: [AMOUNT, "estimated_fare_micros"],
  estimated_dropoff_at: [TIME, "estimated_dropoff_us"],
};
const completed: Kinds = {
  ...started,
  fare: [AMOUNT, "completion_fare_micros"],
  tip: [AMOUNT, "tip_micros"],
  distance_km: [KILOMETRES, "distance_m"],
  duration_min: [MINUTES, "given_duration_ms"],
  payment_method: TEXT,
  dropoff_lat: LATITUDE,
  dropoff_lon: LONGITUDE,
  passenger_count: COUNT,
  rate_code: TEXT,
  trip_type: TEXT,
};
const canceled: Kinds = { currency: TEXT, reason: [TEXT, "cancel_reason"], canceled_by: ACTOR };
const fare_adjusted: Kinds = {
  currency: TEXT,
  fare: [AMOUNT, "adjusted_fare_micros"],
  tip: [AMOUNT, "tip_micros"],
  reason: [TEXT, "adjustment_reason"],
};
const voided: Kinds = { currency: TEXT, reason: [TEXT, "void_reason"] };

type TripField = EventField & Kind & { readonly target: keyof TripPayload };

const fields_of = (kinds: Kinds, required: readonly string[] = []): readonly TripField[] =>
  Object.entries(kinds).map(([name, given]) => {
    const [kind, target] = "read" in given ? [given, name as keyof TripPayload] : given;
    return { name, target, required: required.includes(name), ...kind };
  });

/** The fields of each event type and version. */
const FIELDS: Readonly<Record<EventType, Readonly<Record<number, readonly TripField[]>>>> = {
  "trip.requested": { 1: fields_of(requested) },
  "trip.started": { 1: fields_of(started) },
  "trip.completed": { 1: fields_of(completed) },
  "trip.canceled": { 1: fields_of(canceled) },
  "trip.fare_adjusted": { 1: fields_of(fare_adjusted, ["fare"]) },
  "trip.voided": { 1: fields_of(voided) },
};

const shown = (value: unknown): string => {
  if (value instanceof ExactNumber) return value.text;
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
};

/** The schema of a field: a text, a number, or blank where it may be absent; and such as can be read. */
function field_schema({ what, read, required }: TripField): z.ZodType {
  const error = (issue: { input?: unknown }) => `expected ${what}, got ${shown(issue.input)}`;
  const scalar = z.union([z.string(), z.number(), z.instanceof(ExactNumber), z.null()], { error });
  return required
    ? scalar.refine((value) => value !== null && read(value) !== null, { error })
    : scalar.refine((value) => value === null || is_blank(value) || read(value) !== null, { error }).optional();
}

const schema_of = (fields: readonly TripField[]): z.ZodObject =>
  z.object(Object.fromEntries(fields.map((field) => [field.name, field_schema(field)])));

/** The schema of each event type and version: `SCHEMAS[type][version]`. */
export const SCHEMAS = Object.fromEntries(
  Object.entries(FIELDS).map(([type, versions]) => [
    type,
    Object.fromEntries(Object.entries(versions).map(([version, fields]) => [version, schema_of(fields)])),
  ]),
) as Readonly<Record<EventType, Readonly<Record<number, z.ZodObject>>>>;

/** Whether a type is one of the domain's. */
export const is_event_type = (type: string): type is EventType => Object.hasOwn(FIELDS, type);

/** The names of the data that events of a type may have; null for a type that is none. Others are kept in the log and ignored. */
export const event_fields = (type: string): readonly string[] | null =>
  is_event_type(type) ? FIELDS[type][1]!.map(({ name }) => name) : null;

/**
 * The fields of the data of an event type and version, null where there is no such; as `parse_trip_data` takes them.
 * @param currency the deployment's: a field that names another one is refused
 */
export function trip_fields(currency: string): (type: string, version: number) => readonly EventField[] | null {
  const read = (value: unknown) => value === currency ? currency : null;
  return (type, version) =>
    is_event_type(type)
      ? FIELDS[type][version]?.map((field) => field.name === "currency" ? { ...field, read } : field) ?? null
      : null;
}

/**
 * Reads data into what the fold takes: state field names and units, unnamed fields absent. Null where the schema refuses it: reading alone
 * costs less, and the schema is needed only to tell what is wrong.
 */
export function read_payload(
  type: EventType,
  version: number,
  data: Readonly<Record<string, unknown>>,
): TripPayload | null {
  const payload: Record<string, unknown> = {};
  for (const { name, target, required, read } of FIELDS[type][version]!) {
    const value = data[name];
    if (!required && is_blank(value)) continue;
    const scalar = typeof value === "string" || typeof value === "number" || value instanceof ExactNumber;
    const known = scalar ? read(value) : null;
    if (known === null) return null;
    payload[target] = known;
  }
  return payload;
}
