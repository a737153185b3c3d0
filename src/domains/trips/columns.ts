import type { Integer } from "../../kpi/mod.ts";
import type { StateColumn, StateRow } from "../domain.ts";
import { duration_of, fare_of, status_of, type Trip, UNKNOWN_TRIP } from "./trip.ts";

type Kept = keyof Trip;

/** Columns that hold a state field as it is: column, type, field. */
const KEPT: readonly (readonly [string, StateColumn<Trip>["type"], Kept])[] = [
  ["requested_at", "timestamptz", "requested_us"],
  ["started_at", "timestamptz", "started_us"],
  ["completed_at", "timestamptz", "completed_us"],
  ["canceled_at", "timestamptz", "canceled_us"],
  ["voided_at", "timestamptz", "voided_us"],
  ["driver_id", "text", "driver_id"],
  ["passenger_id", "text", "passenger_id"],
  ["vehicle_type", "text", "vehicle_type"],
  ["city", "text", "city"],
  ["payment_method", "text", "payment_method"],
  ["pickup_zone", "text", "pickup_zone"],
  ["dropoff_zone", "text", "dropoff_zone"],
  ["pickup_lat", "double precision", "pickup_lat"],
  ["pickup_lon", "double precision", "pickup_lon"],
  ["pickup_h3", "text", "pickup_h3"],
  ["dropoff_lat", "double precision", "dropoff_lat"],
  ["dropoff_lon", "double precision", "dropoff_lon"],
  ["vendor_id", "text", "vendor_id"],
  ["estimated_fare_micros", "bigint", "estimated_fare_micros"],
  ["estimated_dropoff_at", "timestamptz", "estimated_dropoff_us"],
  ["completion_fare_micros", "bigint", "completion_fare_micros"],
  ["adjusted_fare_micros", "bigint", "adjusted_fare_micros"],
  ["tip_micros", "bigint", "tip_micros"],
  ["currency", "text", "currency"],
  ["distance_m", "bigint", "distance_m"],
  ["given_duration_ms", "bigint", "given_duration_ms"],
  ["passenger_count", "integer", "passenger_count"],
  ["rate_code", "text", "rate_code"],
  ["trip_type", "text", "trip_type"],
  ["cancel_reason", "text", "cancel_reason"],
  ["canceled_by", "text", "canceled_by"],
  ["adjustment_reason", "text", "adjustment_reason"],
  ["void_reason", "text", "void_reason"],
];

/** The columns of `trips` that hold a trip's state; status, fare and duration are derived and written for analysts. */
export const TRIP_COLUMNS: readonly StateColumn<Trip>[] = [
  { name: "status", type: "text", get: status_of },
  ...KEPT.map(([name, type, field]): StateColumn<Trip> => ({
    name,
    type,
    get: (trip) => trip[field] as string | Integer | null,
  })),
  { name: "fare_micros", type: "bigint", get: fare_of },
  { name: "duration_ms", type: "bigint", get: duration_of },
];

/** Reads a trip's state back from its row. */
export function trip_from_row(row: StateRow): Trip {
  const trip: Record<string, unknown> = { ...UNKNOWN_TRIP };
  for (const [column, , field] of KEPT) trip[field] = row[column] ?? null;
  return trip as unknown as Trip;
}
