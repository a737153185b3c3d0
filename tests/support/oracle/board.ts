import { bucket_of, CellCount, empty_cell, type Grain, type Measures, SUMS } from "./cells.ts";
import type { TripRow } from "./fold.ts";
import type { LocalDay } from "./local_day.ts";

/** What a board must show of some trips, counted in the plainest way: trips that the filter leaves out are not there. */

/** Seconds since the epoch, [from_s, to_s). */
export type Stretch = { from_s: number; to_s: number };
export type OracleFilter = readonly { dimension: string; keys: readonly string[]; excluded: boolean }[];
/** A row of a breakdown; its key is null where it stands for several. */
export type OracleKey = { key: string | null; count: bigint; amount: bigint };
type Key = OracleKey & { key: string };
export type OracleBoard = { buckets: Map<number, Measures>; totals: Measures; keys: Map<string, Key[]> };

const COLUMNS: Record<string, keyof TripRow> = { driver: "driver_id", passenger: "passenger_id" };
const DIMENSIONS = ["status", "payment_method", "vehicle_type", "city", "pickup_zone", "dropoff_zone", "driver"];

const key_of = (row: TripRow, dimension: string): string =>
  String(row[COLUMNS[dimension] ?? dimension as keyof TripRow] ?? "unknown");

/** Whether a filter counts a trip. */
export function counts(filter: OracleFilter, row: TripRow): boolean {
  return filter.every(({ dimension, keys, excluded }) => keys.includes(key_of(row, dimension)) !== excluded);
}

const STEP_S = { "1m": 60, "5m": 300, "15m": 900, "1h": 3_600, "1d": 86_400 } as const;

/** The board of a window with buckets of a grain. */
export function oracle_board(
  trips: Iterable<TripRow>,
  filter: OracleFilter,
  stretch: Stretch,
  grain: keyof typeof STEP_S,
  local_day: (at_us: number) => LocalDay,
): OracleBoard {
  const counted = [...trips].filter((row) => counts(filter, row));
  const sums = (rows: readonly TripRow[], { from_s, to_s }: Stretch) => sums_of(rows, from_s, to_s, grain, local_day);
  const buckets = sums(counted, stretch);
  const keys = DIMENSIONS.map((dimension) => {
    const listed = Map.groupBy(counted, (row) => key_of(row, dimension));
    const rows = [...listed].map(([key, rows]) => {
      const measures = merged([...sums(rows, stretch).values()]);
      return { key, count: count_of(dimension, key, measures), amount: measures.fare_sum_micros };
    });
    return [dimension, rows.filter(({ count, amount }) => count !== 0n || amount !== 0n).sort(by_count)] as const;
  });
  return { buckets, totals: merged([...buckets.values()]), keys: new Map(keys) };
}

const by_count = (a: Key, b: Key): number =>
  a.count === b.count ? (a.key < b.key ? -1 : 1) : a.count > b.count ? -1 : 1;

/** Each status by what dates it. */
function count_of(dimension: string, key: string, measures: Measures): bigint {
  if (dimension !== "status") return measures.completed;
  if (key === "completed") return measures.completed;
  if (key === "canceled") return measures.canceled;
  if (key === "voided") return measures.voided;
  return key === "in_progress" ? measures.started : measures.requested;
}

/** By bucket, seconds: the minutes of the stretch, added up. */
function sums_of(
  rows: readonly TripRow[],
  from_s: number,
  to_s: number,
  grain: Grain | "15m",
  local_day: (at_us: number) => LocalDay,
): Map<number, Measures> {
  const count = new CellCount(local_day);
  for (const row of rows) count.replace(null, row);
  const buckets = new Map<number, Measures[]>();
  for (const [name, measures] of count.cells) {
    const [of, at_us, dimension] = name.split("|");
    const at_s = Number(at_us) / 1e6;
    if (of !== "1m" || dimension !== "none" || at_s < from_s || at_s >= to_s) continue;
    const bucket_s = grain === "15m"
      ? Math.floor(at_s / STEP_S[grain]) * STEP_S[grain]
      : bucket_of(Number(at_us), grain, local_day) / 1e6;
    const minutes = buckets.get(bucket_s);
    if (minutes === undefined) buckets.set(bucket_s, [measures]);
    else minutes.push(measures);
  }
  return new Map([...buckets].sort(([a], [b]) => a - b).map(([t, minutes]) => [t, merged(minutes)]));
}

function merged(cells: readonly Measures[]): Measures {
  const total = empty_cell();
  for (const cell of cells) {
    for (const name of SUMS) total[name] += cell[name];
    const { fare_min_micros: least, fare_max_micros: most } = cell;
    if (least !== null && (total.fare_min_micros === null || least < total.fare_min_micros)) {
      total.fare_min_micros = least;
    }
    if (most !== null && (total.fare_max_micros === null || most > total.fare_max_micros)) total.fare_max_micros = most;
  }
  return total;
}
