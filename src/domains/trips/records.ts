import type { Validation } from "../domain.ts";

/**
 * The two CSV record shapes of trip starts and trip ends, as trip events in bare JSON. Pure.
 *
 * A blank optional column is unknown. Times have no zone: the caller states how they are read. Distances are miles, as in the
 * records of the New York taxi commission. Event ids are made from the whole record, so that the same record is the same event.
 */
export type RecordShape = "trip_start" | "trip_end";

/** The columns of each shape, in the order of its files. */
export const RECORD_COLUMNS: Readonly<Record<RecordShape, readonly string[]>> = {
  trip_start: [
    "trip_id",
    "pickup_location_id",
    "dropoff_location_id",
    "vendor_id",
    "pickup_datetime",
    "estimated_dropoff_datetime",
    "estimated_fare_amount",
  ],
  trip_end: [
    "dropoff_datetime",
    "rate_code",
    "passenger_count",
    "trip_distance",
    "fare_amount",
    "tip_amount",
    "payment_type",
    "trip_type",
    "trip_id",
  ],
};

/** The shape whose columns a header has, in whatever order; null when it is neither. */
export function shape_of(header: readonly string[]): RecordShape | null {
  const names = new Set(header);
  const shapes = Object.keys(RECORD_COLUMNS) as RecordShape[];
  return shapes.find((shape) => RECORD_COLUMNS[shape].every((column) => names.has(column))) ?? null;
}

/** Names of the payment codes, by the data dictionary of the New York taxi commission; code 5 means unknown. */
const PAYMENTS: Readonly<Record<string, string>> = {
  1: "card",
  2: "cash",
  3: "no_charge",
  4: "dispute",
  5: "",
  6: "voided",
};
const KM_PER_MILE = 1.609344;

class RecordFault extends Error {
  constructor(readonly path: string, detail: string) {
    super(detail);
  }
}

const blank = (text: string | undefined): boolean => text === undefined || text.trim() === "";

function number_of(record: Readonly<Record<string, string>>, column: string): number | null {
  const text = record[column];
  if (blank(text)) return null;
  const value = Number(text);
  if (Number.isFinite(value)) return value;
  throw new RecordFault(column, `expected a number in ${column}, got ${JSON.stringify(text)}`);
}

/** A code such as `5.0`, which a spreadsheet made of 5. */
const code_of = (record: Readonly<Record<string, string>>, column: string): string | null => {
  const text = record[column]?.trim() ?? "";
  return text === "" ? null : text.replace(/\.0+$/, "");
};

/** An amount with at most 6 decimals, as the contract has it. */
function amount_of(record: Readonly<Record<string, string>>, column: string): string | null {
  const value = number_of(record, column);
  return value === null ? null : value.toFixed(6);
}

/**
 * Turns one record into a trip event in bare JSON.
 * @param event_id made from the record by the caller
 * @param zoned reads `YYYY-MM-DD hh:mm:ss` local time as RFC 3339; null when it is no time
 */
export function record_event(
  shape: RecordShape,
  record: Readonly<Record<string, string>>,
  event_id: string,
  zoned: (local: string) => string | null,
): Validation<Readonly<Record<string, unknown>>> {
  const time_of = (column: string): string | null => {
    const text = record[column];
    if (blank(text)) return null;
    const time = zoned(text!.trim());
    if (time !== null) return time;
    throw new RecordFault(
      column,
      `expected a local time such as 2024-05-25 13:19:00 in ${column}, got ${JSON.stringify(text)}`,
    );
  };
  try {
    const envelope = { event_id, trip_id: record.trip_id ?? "" };
    return {
      ok: true,
      value: shape === "trip_start"
        ? {
          ...envelope,
          type: "trip.started",
          occurred_at: time_of("pickup_datetime"),
          pickup_zone: record.pickup_location_id,
          dropoff_zone: record.dropoff_location_id,
          vendor_id: record.vendor_id,
          estimated_dropoff_at: time_of("estimated_dropoff_datetime"),
          estimated_fare: amount_of(record, "estimated_fare_amount"),
        }
        : {
          ...envelope,
          type: "trip.completed",
          occurred_at: time_of("dropoff_datetime"),
          fare: amount_of(record, "fare_amount"),
          tip: amount_of(record, "tip_amount"),
          distance_km: kilometres(number_of(record, "trip_distance")),
          passenger_count: number_of(record, "passenger_count"),
          payment_method: payment_of(code_of(record, "payment_type")),
          rate_code: code_of(record, "rate_code"),
          trip_type: code_of(record, "trip_type"),
        },
    };
  } catch (error) {
    if (error instanceof RecordFault) {
      return { ok: false, fault: { reason: "invalid_record", path: error.path, detail: error.message } };
    }
    throw error;
  }
}

const kilometres = (miles: number | null): number | null => miles === null ? null : miles * KM_PER_MILE;

const payment_of = (code: string | null): string | null => code === null ? null : PAYMENTS[code] ?? code;
