import { ALL_CELLS } from "../all_cells.ts";
import { empty_cell, has_measure, type Measures, SUMS } from "./cells.ts";
import type { StreamPositions } from "./compare_log.ts";
import { type Differences, instant_text } from "./differences.ts";
import type { Expectation } from "./expectation.ts";
import type { TripRow } from "./fold.ts";
import { literal, micros_of, PAGE_ROWS, type Query, text_in, text_or_null } from "./query.ts";

type Column = Exclude<keyof TripRow, "trip_id">;

const TIME_COLUMNS: Column[] = [
  "requested_at",
  "started_at",
  "completed_at",
  "canceled_at",
  "voided_at",
  "estimated_dropoff_at",
  "last_occurred_at",
];
const PLAIN_COLUMNS: Column[] = [
  "revision",
  "status",
  "driver_id",
  "passenger_id",
  "vehicle_type",
  "city",
  "payment_method",
  "pickup_zone",
  "dropoff_zone",
  "pickup_lat",
  "pickup_lon",
  "pickup_h3",
  "dropoff_lat",
  "dropoff_lon",
  "vendor_id",
  "estimated_fare_micros",
  "completion_fare_micros",
  "adjusted_fare_micros",
  "fare_micros",
  "tip_micros",
  "currency",
  "distance_m",
  "given_duration_ms",
  "duration_ms",
  "waiting_ms",
  "passenger_count",
  "rate_code",
  "trip_type",
  "cancel_reason",
  "canceled_by",
  "adjustment_reason",
  "void_reason",
  "last_event_id",
];
const MEASURES: (keyof Measures)[] = [...SUMS, "fare_min_micros", "fare_max_micros"];

/**
 * Compares `trips` with the expected rows, column by column and both ways; `positions` is what the log holds.
 * @param only the trips to look at; all when absent. Then the number of all, and of their events, stands for the others.
 */
export async function compare_trips(
  query: Query,
  expectation: Expectation,
  positions: StreamPositions,
  differences: Differences,
  only?: ReadonlySet<string>,
): Promise<void> {
  if (only !== undefined) await compare_totals(query, expectation, differences);
  const chosen = only === undefined ? "true" : `trip_id in (${["", ...only].map(literal).join(", ")})`;
  const columns = [
    ...TIME_COLUMNS.map((column) => `${micros_of(column)} as ${column}`),
    ...PLAIN_COLUMNS.map((column) => `${column}::text as ${column}`),
  ].join(", ");
  const found = new Set<string>();
  let after: string | null = null;
  for (;;) {
    const rows: Record<string, unknown>[] = await query(`
      select trip_id, ${columns}, array_to_string(positions, ',') as positions,
        cardinality(event_hashes)::text as event_hashes
      from trips where ${chosen} and ${
      after === null ? "true" : `trip_id > ${literal(after)}`
    } order by trip_id limit ${PAGE_ROWS}`);
    for (const row of rows) {
      const trip_id = text_in(row, "trip_id");
      after = trip_id;
      found.add(trip_id);
      const expected = expectation.trips.get(trip_id);
      if (expected) compare_trip(row, expected, positions.get(trip_id) ?? [], differences);
      else differences.add("trips", `trip ${JSON.stringify(trip_id)}: not expected`);
    }
    if (rows.length < PAGE_ROWS) break;
  }
  for (const trip_id of only ?? expectation.trips.keys()) {
    if (!found.has(trip_id)) differences.add("trips", `trip ${JSON.stringify(trip_id)}: missing`);
  }
}

async function compare_totals(query: Query, expectation: Expectation, differences: Differences): Promise<void> {
  const [row = {}] = await query(
    "select count(*)::text as trips, coalesce(sum(revision), 0)::text as events from trips",
  );
  for (const [what, wanted] of [["trips", expectation.trips.size], ["events", expectation.admitted_count]] as const) {
    const got = text_in(row, what);
    if (got !== String(wanted)) differences.add("trips", `trips: expected ${wanted} ${what} in all, found ${got}`);
  }
}

function compare_trip(
  row: Record<string, unknown>,
  expected: TripRow,
  positions: number[],
  differences: Differences,
): void {
  const name = `trip ${JSON.stringify(expected.trip_id)}`;
  for (const column of PLAIN_COLUMNS) {
    const wanted = expected[column];
    const got = text_or_null(row, column);
    // Coordinates are compared as numbers, since texts of one double may differ ("-0" and "0").
    const agrees = typeof wanted === "number" && got !== null ? Number(got) === wanted : text_of(wanted) === got;
    if (!agrees) differences.add("trips", `${name} ${column}: expected ${text_of(wanted)}, found ${got}`);
  }
  for (const column of TIME_COLUMNS) {
    const wanted = text_of(expected[column]);
    const got = text_or_null(row, column);
    const [from, to] = [wanted, got].map((us) => us === null ? null : instant_text(Number(us)));
    if (wanted !== got) differences.add("trips", `${name} ${column}: expected ${from}, found ${to}`);
  }
  const in_row = text_in(row, "positions");
  const in_log = positions.join(",");
  if (in_row !== in_log) {
    differences.add("trips", `${name} positions: expected ${in_log} as in the log, found ${in_row}`);
  }
  const hashes = text_in(row, "event_hashes");
  if (hashes !== String(expected.revision)) {
    differences.add("trips", `${name} event_hashes: expected ${expected.revision} of them, found ${hashes}`);
  }
}

function text_of(value: string | number | bigint | null): string | null {
  return value === null ? null : String(value);
}

/**
 * Compares `trip_cells`, and `trip_totals` as cells of all of time, with the expected cells, measure by measure and both ways. All-zero cells count as absent; of those that are there, too,
 * the position that touched them last is compared.
 * @param touched_at null: not to be compared
 */
export async function compare_cells(
  query: Query,
  expectation: Expectation,
  touched_at: ReadonlyMap<string, number> | null,
  differences: Differences,
): Promise<void> {
  const found = new Set<string>();
  let after = "";
  for (;;) {
    const rows: Record<string, unknown>[] = await query(`
      select grain, dimension, key, ${micros_of("bucket")} as bucket_us, bucket::text as bucket_text,
        ${MEASURES.map((measure) => `${measure}::text as ${measure}`).join(", ")}, last_position::text as last_position
      from ${ALL_CELLS} c ${after} order by grain, dimension, bucket, key limit ${PAGE_ROWS}`);
    for (const row of rows) {
      const [grain, dimension, key] = [text_in(row, "grain"), text_in(row, "dimension"), text_in(row, "key")];
      const name = `${grain}|${text_in(row, "bucket_us")}|${dimension}|${key}`;
      found.add(name);
      compare_cell(name, dimension, row, expectation.cells.get(name) ?? empty_cell(), differences);
      const got = text_in(row, "last_position");
      const wanted = touched_at === null ? got : text_of(touched_at.get(name) ?? null);
      if (wanted !== got) {
        differences.add("cells", `${cell_text(name)} last_position: expected ${wanted}, found ${got}`);
      }
      const place = [
        literal(grain),
        literal(dimension),
        `${literal(text_in(row, "bucket_text"))}::timestamptz`,
        literal(key),
      ];
      after = `where (grain, dimension, bucket, key) > (${place.join(", ")})`;
    }
    if (rows.length < PAGE_ROWS) break;
  }
  for (const [name, expected] of expectation.cells) {
    if (!found.has(name)) {
      const measures = MEASURES.filter((measure) => expected[measure]).map((measure) =>
        `${measure} ${expected[measure]}`
      );
      differences.add("cells", `${cell_text(name)}: missing, expected ${measures.join(", ")}`);
    }
  }
}

function compare_cell(
  name: string,
  dimension: string,
  row: Record<string, unknown>,
  expected: Measures,
  differences: Differences,
): void {
  for (const measure of MEASURES) {
    const wanted = has_measure(dimension, measure) ? text_of(expected[measure]) : null;
    const got = text_or_null(row, measure);
    if (wanted !== got) {
      differences.add("cells", `${cell_text(name)} ${measure}: expected ${wanted}, found ${got}`);
    }
  }
}

/** "1h|1767225600000000|city|Chicago" as "cell 1h 2026-01-01T00:00:00Z city=Chicago". */
function cell_text(name: string): string {
  const [grain, bucket_us, dimension, ...key] = name.split("|");
  return `cell ${grain} ${instant_text(Number(bucket_us))} ${dimension}=${key.join("|")}`;
}
