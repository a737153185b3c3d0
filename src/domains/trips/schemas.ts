import { z } from "zod";
import { type Integer, parse_time } from "../../kpi/mod.ts";
import { ExactNumber, is_blank, whole_number_text } from "../json_value.ts";
import { parse_amount } from "./amount.ts";
import type { EventType, TripPayload } from "./trip.ts";

/**
 * The schemas of trip event data: one zod schema per type and version, made of a few kinds of fields.
 * Blank (null, "" or white space) is unknown; fields not listed are kept in the log and ignored.
 */

const shown = (value: unknown): string => {
  if (value instanceof ExactNumber) return value.text;
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
};
const expected = (what: string) => ({
  error: (issue: { input?: unknown }) => `expected ${what}, got ${shown(issue.input)}`,
});
const refuse = (what: string) => (issue: { input?: unknown }) => `expected ${what}, got ${shown(issue.input)}`;

/** The double nearest to a JSON number. */
const as_number = (value: unknown): unknown => value instanceof ExactNumber ? Number(value.text) : value;

/** Micros of an amount: a number counts by its digits, or where it has too many of them, by the shortest text of its double. */
function amount_of(value: unknown): Integer | null {
  if (typeof value === "string") return parse_amount(value);
  const digits = value instanceof ExactNumber ? parse_amount(value.text) : null;
  return digits ?? parse_amount(String(as_number(value)));
}

const between = (from: number, to: number) => (value: unknown): boolean => {
  const number = as_number(value);
  return typeof number === "number" && number >= from && number <= to;
};

const TEXT = "text of at most 200 characters";
const AMOUNT = "an amount from 0 to 1e12 with at most 6 decimals, as text or number";
const COUNT = "a whole number from 0 to 1e6";

const scalar = (what: string) => z.union([z.string(), z.number(), z.instanceof(ExactNumber), z.null()], expected(what));
/** A field that may be absent or blank, and else has to hold. */
const optional = (what: string, holds: (value: unknown) => boolean) =>
  scalar(what).refine((value) => is_blank(value) || holds(value), { error: refuse(what) }).optional();

const text = optional(TEXT, (value) => {
  const given = typeof value === "string" ? value : whole_number_text(value);
  return given !== null && given.length <= 200;
});
const amount = scalar(AMOUNT).refine((value) => value !== null && amount_of(value) !== null, { error: refuse(AMOUNT) });
const optional_amount = optional(AMOUNT, (value) => amount_of(value) !== null);
const quantity = optional("a number from 0 to 1e9", between(0, 1e9));
const count = optional(COUNT, (value) => Number.isInteger(as_number(value)) && between(0, 1e6)(value));
const latitude = optional("degrees from -90 to 90", between(-90, 90));
const longitude = optional("degrees from -180 to 180", between(-180, 180));
const time = optional("an RFC 3339 time with zone", (value) => typeof value === "string" && parse_time(value).ok);
const actor = optional(
  "driver, passenger or system",
  (value) => value === "driver" || value === "passenger" || value === "system",
);

// Only completions are listed with a currency; it is checked wherever it stands, since an adjustment in another one must not be added up.
const requested = z.object({
  currency: text,
  passenger_id: text,
  city: text,
  vehicle_type: text,
  pickup_zone: text,
  pickup_lat: latitude,
  pickup_lon: longitude,
  dropoff_zone: text,
});
const started = z.object({
  ...requested.shape,
  driver_id: text,
  vendor_id: text,
  estimated_fare: optional_amount,
  estimated_dropoff_at: time,
});
const completed = z.object({
  ...started.shape,
  fare: optional_amount,
  tip: optional_amount,
  distance_km: quantity,
  duration_min: quantity,
  payment_method: text,
  dropoff_lat: latitude,
  dropoff_lon: longitude,
  passenger_count: count,
  rate_code: text,
  trip_type: text,
});
const canceled = z.object({
  currency: text,
  reason: text,
  canceled_by: actor,
});
const fare_adjusted = z.object({ currency: text, fare: amount, tip: optional_amount, reason: text });
const voided = z.object({ currency: text, reason: text });

/** The schema of each event type and version: `SCHEMAS[type][version]`. */
export const SCHEMAS: Record<EventType, Record<number, z.ZodObject>> = {
  "trip.requested": { 1: requested },
  "trip.started": { 1: started },
  "trip.completed": { 1: completed },
  "trip.canceled": { 1: canceled },
  "trip.fare_adjusted": { 1: fare_adjusted },
  "trip.voided": { 1: voided },
};

/** The names of the data that events of a type may have; null for a type that is none. Others are kept in the log and ignored. */
export const event_fields = (type: string): readonly string[] | null =>
  Object.hasOwn(SCHEMAS, type) ? Object.keys(SCHEMAS[type as EventType][1]!.shape) : null;

type Reader = (value: unknown) => TripPayload[keyof TripPayload];
interface Reading {
  readonly field: string;
  readonly target: keyof TripPayload;
  readonly read: Reader;
}

const as_text: Reader = (value) => typeof value === "string" ? value : whole_number_text(value)!;
const as_plain_number: Reader = (value) => as_number(value) as number;
const as_micros: Reader = (value) => amount_of(value)!;
const as_metres: Reader = (km) => Math.round(as_number(km) as number * 1000);
const as_milliseconds: Reader = (minutes) => Math.round(as_number(minutes) as number * 60_000);
const as_time: Reader = (value) => {
  const parsed = parse_time(value as string);
  return parsed.ok ? parsed.us : undefined;
};

/** Fields whose state field has another name or unit; every other one is text under its own name. */
const READERS: Record<string, readonly [keyof TripPayload, Reader]> = {
  pickup_lat: ["pickup_lat", as_plain_number],
  pickup_lon: ["pickup_lon", as_plain_number],
  dropoff_lat: ["dropoff_lat", as_plain_number],
  dropoff_lon: ["dropoff_lon", as_plain_number],
  passenger_count: ["passenger_count", as_plain_number],
  estimated_fare: ["estimated_fare_micros", as_micros],
  estimated_dropoff_at: ["estimated_dropoff_us", as_time],
  tip: ["tip_micros", as_micros],
  distance_km: ["distance_m", as_metres],
  duration_min: ["given_duration_ms", as_milliseconds],
};

const REASONS: Partial<Record<EventType, keyof TripPayload>> = {
  "trip.canceled": "cancel_reason",
  "trip.fare_adjusted": "adjustment_reason",
  "trip.voided": "void_reason",
};

const readings = (type: EventType): readonly Reading[] =>
  Object.keys(SCHEMAS[type][1]!.shape).map((field) => {
    if (field === "fare") {
      const target = type === "trip.completed" ? "completion_fare_micros" : "adjusted_fare_micros";
      return { field, target, read: as_micros };
    }
    if (field === "reason") return { field, target: REASONS[type]!, read: as_text };
    const [target, read] = READERS[field] ?? [field as keyof TripPayload, as_text];
    return { field, target, read };
  });

const READINGS = new Map(Object.keys(SCHEMAS).map((type) => [type, readings(type as EventType)]));

/** Reads valid data into what the fold takes: state field names and units, unnamed fields absent. */
export function read_payload(type: EventType, data: Readonly<Record<string, unknown>>): TripPayload {
  const payload: Record<string, unknown> = {};
  for (const { field, target, read } of READINGS.get(type)!) {
    const value = data[field];
    if (!is_blank(value)) payload[target] = read(value);
  }
  return payload;
}
