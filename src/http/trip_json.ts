import { z } from "@hono/zod-openapi";
import { decimal_text } from "../feed/mod.ts";
import { format_time } from "../kpi/mod.ts";

/** A trip as the API gives it: amounts as decimal text, times in RFC 3339 UTC, distance and duration as numbers; null is unknown. */

const TEXT_FIELDS = [
  "driver_id",
  "passenger_id",
  "vehicle_type",
  "city",
  "payment_method",
  "pickup_zone",
  "dropoff_zone",
  "pickup_h3",
  "vendor_id",
  "currency",
  "rate_code",
  "trip_type",
  "cancel_reason",
  "canceled_by",
  "adjustment_reason",
  "void_reason",
] as const;
const NUMBER_FIELDS = ["pickup_lat", "pickup_lon", "dropoff_lat", "dropoff_lon", "passenger_count"] as const;
const TIME_FIELDS = [
  "requested_at",
  "started_at",
  "completed_at",
  "canceled_at",
  "voided_at",
  "estimated_dropoff_at",
] as const;
/** Field and column, in micros. */
const AMOUNT_FIELDS = [
  ["estimated_fare", "estimated_fare_micros"],
  ["completion_fare", "completion_fare_micros"],
  ["adjusted_fare", "adjusted_fare_micros"],
  ["fare", "fare_micros"],
  ["tip", "tip_micros"],
] as const;
/** Field, column and how many of the column's unit make one of the field's. */
const SCALED_FIELDS = [["distance_km", "distance_m", 1_000], ["duration_min", "duration_ms", 60_000]] as const;

/** The select list of a trip, from `trips` under the name `states`. */
export const TRIP_SELECT = [
  "trip_id",
  "revision",
  "status",
  "states.positions[cardinality(states.positions)] as position",
  ...TEXT_FIELDS,
  ...NUMBER_FIELDS,
  ...TIME_FIELDS.map((name) => `(extract(epoch from ${name}) * 1000000)::bigint as ${name}`),
  ...AMOUNT_FIELDS.map(([, column]) => column),
  ...SCALED_FIELDS.map(([, column]) => column),
].map((column) => column.includes(" ") ? column : `states.${column}`).join(", ");

/** Fields of one kind, by name, each saying what it holds. */
const fields = (names: readonly string[], value: z.ZodType, description: string) =>
  Object.fromEntries(names.map((name) => [name, value.openapi({ description: MEANINGS[name] ?? description })]));

/** What the kind of a field does not say. */
const MEANINGS: Readonly<Record<string, string>> = {
  fare: "The fare that counts: of a completed trip its latest adjustment, else its completion's; null: there is none",
  completion_fare: "The fare that the completion named",
  adjusted_fare: "The fare of the latest adjustment; it waits for the completion",
  pickup_h3: "H3 cell of the pickup",
  distance_km: "Kilometres; null: unknown",
  duration_min: "Minutes: as given, else completion minus start; null: unknown",
};

export const STATUS = z.enum(["requested", "in_progress", "completed", "canceled", "voided"]);

export const TRIP = z.object({
  trip_id: z.string().openapi({ description: "The trip, as its producer names it" }),
  status: STATUS.openapi({ description: "What became of it, as of its newest event" }),
  revision: z.number().openapi({ description: "How many events of it are in the log" }),
  position: z.number().openapi({ description: "Position of its newest event" }),
  ...fields(TIME_FIELDS, z.string().nullable(), "RFC 3339, UTC; null: not told"),
  ...fields(TEXT_FIELDS, z.string().nullable(), "As its producer names it; null: unknown"),
  ...fields(NUMBER_FIELDS, z.number().nullable(), "As its producer says; null: unknown"),
  ...fields(AMOUNT_FIELDS.map(([name]) => name), z.string().nullable(), "Decimal text, in the deployment's currency"),
  ...fields(SCALED_FIELDS.map(([name]) => name), z.number().nullable(), "null: unknown"),
}).openapi("Trip");

type TripRow = Readonly<Record<string, unknown>>;

const known = <Value>(value: unknown, write: (text: string) => Value): Value | null =>
  value === null || value === undefined ? null : write(String(value));

/** The trip of a row that TRIP_SELECT gave, or of a state's columns with `trip_id`, `revision` and `position`. */
export function trip_json(row: TripRow): Record<string, unknown> {
  const { status, ...fields } = trip_fields(row);
  return { trip_id: row.trip_id, status, revision: Number(row.revision), position: Number(row.position), ...fields };
}

/** The state of a trip alone, by the names and in the units of the API. */
export function trip_fields(row: TripRow): Record<string, unknown> {
  return {
    status: row.status,
    ...Object.fromEntries(TIME_FIELDS.map((name) => [name, known(row[name], (us) => format_time(Number(us)))])),
    ...Object.fromEntries(TEXT_FIELDS.map((name) => [name, row[name] ?? null])),
    ...Object.fromEntries(NUMBER_FIELDS.map((name) => [name, known(row[name], Number)])),
    ...Object.fromEntries(
      AMOUNT_FIELDS.map(([name, column]) => [name, known(row[column], (micros) => decimal_text(BigInt(micros), 6, 2))]),
    ),
    ...Object.fromEntries(
      SCALED_FIELDS.map(([name, column, per]) => [name, known(row[column], (n) => Number(n) / per)]),
    ),
  };
}
