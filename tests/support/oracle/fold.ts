import { latLngToCell } from "h3-js";
import type { TripEvent } from "./decode.ts";
import { Fault, is_object, read_json } from "./json.ts";
import { type Fields, read_fields, type TripEventType } from "./fields.ts";

/** Where a trip stands. */
export type TripStatus = "requested" | "in_progress" | "completed" | "canceled" | "voided";

/**
 * The columns of `trips` that follow from the set of admitted events alone. Times are microseconds since the epoch;
 * amounts, distances, durations and counts are bigints in the unit the column names.
 */
export type TripRow = {
  trip_id: string;
  revision: number;
  status: TripStatus;
  requested_at: number | null;
  started_at: number | null;
  completed_at: number | null;
  canceled_at: number | null;
  voided_at: number | null;
  driver_id: string | null;
  passenger_id: string | null;
  vehicle_type: string | null;
  city: string | null;
  payment_method: string | null;
  pickup_zone: string | null;
  dropoff_zone: string | null;
  pickup_lat: number | null;
  pickup_lon: number | null;
  /** Text of the H3 cell at the default resolution. */
  pickup_h3: string | null;
  dropoff_lat: number | null;
  dropoff_lon: number | null;
  vendor_id: string | null;
  estimated_fare_micros: bigint | null;
  estimated_dropoff_at: number | null;
  completion_fare_micros: bigint | null;
  adjusted_fare_micros: bigint | null;
  fare_micros: bigint | null;
  tip_micros: bigint | null;
  currency: string | null;
  distance_m: bigint | null;
  given_duration_ms: bigint | null;
  duration_ms: bigint | null;
  waiting_ms: bigint | null;
  passenger_count: bigint | null;
  rate_code: string | null;
  trip_type: string | null;
  cancel_reason: string | null;
  canceled_by: string | null;
  adjustment_reason: string | null;
  void_reason: string | null;
  last_occurred_at: number;
  last_event_id: string;
};

/** The resolution of a deployment that names none. */
const H3_RESOLUTION = 8;

/** Folds all events of one trip, in whatever order they are given. Throws when there are none. */
export function fold_trip(events: TripEvent[], currency: string): TripRow {
  const in_order = [...events].sort(by_time_then_event_id);
  const last = in_order.at(-1);
  if (!last) throw new Error("fold of a trip refused: it has no events");
  const read = in_order.map((event) => ({ type: event.type, fields: fields_of(event, currency) }));
  const named = latest_fields(read);
  const cancellation = latest_fields(read.filter(({ type }) => type === "trip.canceled"));
  const completion = latest_fields(read.filter(({ type }) => type === "trip.completed"));
  const taking_back = latest_fields(read.filter(({ type }) => type === "trip.voided"));
  const adjustment = latest_fields(read.filter(({ type }) => type === "trip.fare_adjusted"));

  const requested_at = time_of_latest(in_order, "trip.requested");
  const started_at = time_of_latest(in_order, "trip.started");
  const completed_at = time_of_latest(in_order, "trip.completed");
  const canceled_at = time_of_latest(in_order, "trip.canceled");
  const voided_at = time_of_latest(in_order, "trip.voided");
  const status = voided_at !== null
    ? "voided"
    : completed_at !== null
    ? "completed"
    : canceled_at !== null
    ? "canceled"
    : started_at !== null
    ? "in_progress"
    : "requested";

  const completion_fare = bigint_in(completion, "fare");
  const adjusted_fare = bigint_in(adjustment, "fare");
  const pickup_lat = number_in(named, "pickup_lat");
  const pickup_lon = number_in(named, "pickup_lon");
  const given_duration_ms = bigint_in(named, "duration_min");

  return {
    trip_id: last.trip_id,
    revision: events.length,
    status,
    requested_at,
    started_at,
    completed_at,
    canceled_at,
    voided_at,
    driver_id: text_in(named, "driver_id"),
    passenger_id: text_in(named, "passenger_id"),
    vehicle_type: text_in(named, "vehicle_type"),
    city: text_in(named, "city"),
    payment_method: text_in(named, "payment_method"),
    pickup_zone: text_in(named, "pickup_zone"),
    dropoff_zone: text_in(named, "dropoff_zone"),
    pickup_lat,
    pickup_lon,
    pickup_h3: pickup_lat === null || pickup_lon === null ? null : latLngToCell(pickup_lat, pickup_lon, H3_RESOLUTION),
    dropoff_lat: number_in(named, "dropoff_lat"),
    dropoff_lon: number_in(named, "dropoff_lon"),
    vendor_id: text_in(named, "vendor_id"),
    estimated_fare_micros: bigint_in(named, "estimated_fare"),
    estimated_dropoff_at: number_in(named, "estimated_dropoff_at"),
    completion_fare_micros: completion_fare,
    adjusted_fare_micros: adjusted_fare,
    fare_micros: status === "completed" ? adjusted_fare ?? completion_fare : null,
    tip_micros: bigint_in(named, "tip"),
    currency: text_in(named, "currency"),
    distance_m: bigint_in(named, "distance_km"),
    given_duration_ms,
    duration_ms: given_duration_ms ?? duration_between(started_at, completed_at),
    waiting_ms: duration_between(requested_at, started_at),
    passenger_count: bigint_in(named, "passenger_count"),
    rate_code: text_in(named, "rate_code"),
    trip_type: text_in(named, "trip_type"),
    cancel_reason: text_in(cancellation, "reason"),
    canceled_by: text_in(named, "canceled_by"),
    adjustment_reason: text_in(adjustment, "reason"),
    void_reason: text_in(taking_back, "reason"),
    last_occurred_at: last.time_us,
    last_event_id: last.event_id,
  };
}

function by_time_then_event_id(a: TripEvent, b: TripEvent): number {
  if (a.time_us !== b.time_us) return a.time_us - b.time_us;
  return a.event_id < b.event_id ? -1 : a.event_id > b.event_id ? 1 : 0;
}

function fields_of(event: TripEvent, currency: string): Fields {
  const data = read_json(event.data_text);
  const fields = !(data instanceof Fault) && is_object(data)
    ? read_fields(event.type, data, currency)
    : new Fault("data is not an object");
  if (fields instanceof Fault) throw new Error(`fold of "${event.event_id}" refused: ${fields.reason}`);
  return fields;
}

function time_of_latest(in_order: TripEvent[], type: TripEventType): number | null {
  return in_order.findLast((event) => event.type === type)?.time_us ?? null;
}

/** Milliseconds, half a millisecond counting as one; null unless both times are known and in order. */
function duration_between(from: number | null, to: number | null): bigint | null {
  if (from === null || to === null || to < from) return null;
  return (BigInt(to - from) + 500n) / 1000n;
}

/** What the latest event that names a field says, for each field that any of these events names. */
function latest_fields(in_order: { fields: Fields }[]): Fields {
  const named: Fields = new Map();
  for (const { fields } of in_order) {
    for (const [field, value] of fields) named.set(field, value);
  }
  return named;
}

function text_in(fields: Fields, field: string): string | null {
  const value = fields.get(field) ?? null;
  if (value === null || typeof value === "string") return value;
  throw new Error(`fold refused: field "${field}" is not a text`);
}

function number_in(fields: Fields, field: string): number | null {
  const value = fields.get(field) ?? null;
  if (value === null || typeof value === "number") return value;
  throw new Error(`fold refused: field "${field}" is not a number`);
}

function bigint_in(fields: Fields, field: string): bigint | null {
  const value = fields.get(field) ?? null;
  if (value === null || typeof value === "bigint") return value;
  throw new Error(`fold refused: field "${field}" is not a bigint`);
}
