import type { Database, Queryable } from "../../src/database/mod.ts";

/** Fills the tables that the feed and the API read, by plain SQL: what they show is then known without any ingest. */

/** Measures of a cell, by column; absent ones are 0. */
export type CellMeasures = Readonly<Record<string, number | string | null>>;

export interface TripRow {
  readonly trip_id: string;
  readonly status: "requested" | "in_progress" | "completed" | "canceled";
  /** Event time, RFC 3339. */
  readonly at: string;
  readonly recorded_at?: string;
  readonly city?: string;
  readonly fare_micros?: string;
  readonly distance_m?: number;
  readonly duration_ms?: number;
}

const TIMES = {
  requested: "requested_at",
  in_progress: "started_at",
  completed: "completed_at",
  canceled: "canceled_at",
} as const;

/**
 * Writes a trip's newest event at the next position, its row, and the head. Gives the position.
 * @param and writes what changes with it, in the same transaction: a feed that reads between the two would hold the cells for those of the position
 */
export function put_trip(
  database: Database,
  trip: TripRow,
  and: (transaction: Queryable) => Promise<void> = () => Promise.resolve(),
): Promise<number> {
  return database.transaction(async (transaction) => {
    const [head] = await transaction.query<{ position: string }>(
      `update log_head set position = position + 1, recorded_at = coalesce($1::timestamptz, now()),
         watermark = greatest(watermark, $2::timestamptz) returning position`,
      [trip.recorded_at ?? null, trip.at],
    );
    const position = Number(head?.position);
    const [row] = await transaction.query<{ revision: number }>(
      `insert into trips as t (trip_id, revision, status, ${
        TIMES[trip.status]
      }, city, fare_micros, distance_m, duration_ms,
         last_occurred_at, last_event_id, positions, event_hashes)
       values ($1, 1, $2, $3, $4, $5, $6, $7, $3, $8, array[$9::bigint], array[$9::bigint])
       on conflict (trip_id) do update set revision = t.revision + 1, status = excluded.status,
         ${TIMES[trip.status]} = excluded.${TIMES[trip.status]}, fare_micros = excluded.fare_micros,
         positions = t.positions || $9::bigint, event_hashes = t.event_hashes || $9::bigint
       returning revision`,
      [
        trip.trip_id,
        trip.status,
        trip.at,
        trip.city ?? null,
        trip.fare_micros ?? null,
        trip.distance_m ?? null,
        trip.duration_ms ?? null,
        `e${position}`,
        position,
      ],
    );
    await transaction.execute(
      `insert into events (position, stream_id, revision, event_id, type, schema_version, occurred_at, recorded_at, data, metadata)
       values ($1, $2, $3, $4, $5, 1, $6, coalesce($7::timestamptz, now()), $8::jsonb, '{"topic":"trips"}')`,
      [
        position,
        trip.trip_id,
        row?.revision ?? 0,
        `e${position}`,
        `trip.${trip.status}`,
        trip.at,
        trip.recorded_at ?? null,
        `{"fare":12345678901234567890.123}`,
      ],
    );
    await and(transaction);
    return position;
  });
}

/** Writes a cell, or a driver's or passenger's totals, as it is to be, changed last by the head's position. */
export async function put_cell(
  database: Queryable,
  cell: { readonly grain: string; readonly bucket: string; readonly dimension: string; readonly key: string },
  measures: CellMeasures,
): Promise<void> {
  if (cell.dimension === "driver" || cell.dimension === "passenger") return await put_totals(database, cell, measures);
  const names = Object.keys(measures);
  const values = Object.values(measures);
  const numbered = names.map((_, i) => `$${i + 5}`);
  await database.execute(
    `insert into trip_cells (grain, bucket, dimension, key, ${names.join(", ")}, last_position)
     select $1, $2::timestamptz, $3, $4, ${
      numbered.map((value, i) => `${value}::${names[i]?.includes("sum") ? "numeric" : "bigint"}`).join(", ")
    }, position from log_head
     on conflict (grain, dimension, bucket, key) do update set
       ${names.map((name) => `${name} = excluded.${name}`).join(", ")}, last_position = excluded.last_position`,
    [cell.grain, cell.bucket, cell.dimension, cell.key, ...values],
  );
}

async function put_totals(
  database: Queryable,
  { dimension, key }: { readonly dimension: string; readonly key: string },
  measures: CellMeasures,
): Promise<void> {
  const kept = { ...NO_TOTALS, ...Object.fromEntries(Object.entries(measures).filter(([name]) => name in NO_TOTALS)) };
  const names = Object.keys(kept);
  await database.execute(
    `insert into trip_totals (dimension, key, ${names.join(", ")}, last_position)
     select $1, $2, ${names.map((_, i) => `$${i + 3}::numeric`).join(", ")}, position from log_head
     on conflict (dimension, key) do update set
       ${names.map((name) => `${name} = excluded.${name}`).join(", ")}, last_position = excluded.last_position`,
    [dimension, key, ...Object.values(kept)],
  );
}

const NO_TOTALS: CellMeasures = {
  completed: 0,
  fare_count: 0,
  fare_sum_micros: 0,
  distance_sum_m: 0,
  distance_count: 0,
  duration_sum_ms: 0,
  duration_count: 0,
};

const WIDTH_MS = { "1m": 60_000, "5m": 300_000, "1h": 3_600_000, "1d": 86_400_000 } as const;

/** Writes the cells of several grains (days in UTC) that hold a time, all with the same measures: all that happened in them happened then. */
export async function put_cells(
  database: Database,
  cell: { readonly at: string; readonly dimension: string; readonly key: string },
  measures: CellMeasures,
  grains: readonly (keyof typeof WIDTH_MS)[] = ["1m", "5m", "1h", "1d"],
): Promise<void> {
  for (const grain of grains) {
    const bucket = new Date(Math.floor(Date.parse(cell.at) / WIDTH_MS[grain]) * WIDTH_MS[grain]).toISOString();
    await put_cell(database, { grain, bucket, dimension: cell.dimension, key: cell.key }, measures);
  }
}

/** Writes the cells of a bucket that hold everything. */
export async function put_whole(
  database: Queryable,
  bucket: string,
  measures: CellMeasures,
  grains: readonly string[] = ["1m"],
): Promise<void> {
  for (const grain of grains) await put_cell(database, { grain, bucket, dimension: "none", key: "all" }, measures);
}
