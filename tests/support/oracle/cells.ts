import type { TripRow } from "./fold.ts";
import type { LocalDay } from "./local_day.ts";

/** The measures of `trip_cells` that add up, in its column names. */
export const SUMS = [
  "trips",
  "requested",
  "started",
  "completed",
  "canceled",
  "conflicts",
  "fare_count",
  "fare_sum_micros",
  "tip_sum_micros",
  "distance_sum_m",
  "distance_count",
  "duration_sum_ms",
  "duration_count",
  "voided",
  "voids_waiting",
  "waiting_sum_ms",
  "waiting_count",
] as const;

/** One KPI cell: its sums, and the extremes of the fare (null when it has no completion with a fare or keeps none). */
export type Measures = Record<typeof SUMS[number], bigint> & {
  fare_min_micros: bigint | null;
  fare_max_micros: bigint | null;
};

/** A span of event time that cells are kept for. */
export type Grain = "1m" | "5m" | "1h" | "1d" | "all";

/** What is added at one time. `fare` takes part in the extremes. */
type Contribution = { at_us: number; adds: [typeof SUMS[number], bigint][]; fare: bigint | null };
/** A cell, its name, and how often each fare is in it (null when it keeps no extremes). */
type Cell = { name: string; measures: Measures; fares: Map<bigint, number> | null };
/** The cells of one key in one grain, by the second their bucket starts: whole, and a quicker key than microseconds. */
type Line = { grain: Grain; cells: Map<number, Cell> };
type Dimension = { name: string; key: (row: TripRow) => string | null; grains: Grain[]; keeps: readonly string[] };

const EVERY_GRAIN: Grain[] = ["1m", "5m", "1h", "1d", "all"];
const ZONE_GRAINS: Grain[] = ["5m", "1h", "1d", "all"];
const EVERYTHING = [...SUMS, "fare_min_micros", "fare_max_micros"];
const OF_COMPLETIONS =
  "completed fare_count fare_sum_micros distance_sum_m distance_count duration_sum_ms duration_count".split(" ");
const DIMENSIONS: Dimension[] = [
  { name: "none", key: () => "all", grains: EVERY_GRAIN, keeps: EVERYTHING },
  { name: "status", key: (row) => row.status, grains: EVERY_GRAIN, keeps: EVERYTHING },
  { name: "payment_method", key: (row) => row.payment_method, grains: EVERY_GRAIN, keeps: EVERYTHING },
  { name: "vehicle_type", key: (row) => row.vehicle_type, grains: EVERY_GRAIN, keeps: EVERYTHING },
  { name: "city", key: (row) => row.city, grains: EVERY_GRAIN, keeps: EVERYTHING },
  { name: "pickup_zone", key: (row) => row.pickup_zone, grains: ZONE_GRAINS, keeps: EVERYTHING },
  { name: "dropoff_zone", key: (row) => row.dropoff_zone, grains: ZONE_GRAINS, keeps: EVERYTHING },
  { name: "driver", key: (row) => row.driver_id, grains: ["all"], keeps: OF_COMPLETIONS },
  { name: "passenger", key: (row) => row.passenger_id, grains: ["all"], keeps: OF_COMPLETIONS },
  { name: "pickup_h3", key: (row) => row.pickup_h3, grains: ZONE_GRAINS, keeps: EVERYTHING },
];

/** Whether the cells of a dimension have a measure; null stands for it in the others. */
export const has_measure = (dimension: string, measure: string): boolean =>
  DIMENSIONS.some(({ name, keeps }) => name === dimension && keeps.includes(measure));

/** Whether the cells of a dimension have anything of what is added. */
const counts_in = ({ keeps }: Dimension, { adds }: Contribution): boolean =>
  adds.some(([measure]) => keeps.includes(measure));

/** What one trip adds, and at which times. */
export function contributions_of(row: TripRow): Contribution[] {
  if (row.voided_at !== null) {
    const waiting = row.completed_at === null ? 1n : 0n;
    return [{ at_us: row.voided_at, adds: [["voided", 1n], ["voids_waiting", waiting]], fare: null }];
  }
  const contributions: Contribution[] = [];
  const known = [row.requested_at, row.started_at, row.completed_at, row.canceled_at].filter((at) => at !== null);
  if (known.length > 0) contributions.push({ at_us: Math.min(...known), adds: [["trips", 1n]], fare: null });
  if (row.requested_at !== null) contributions.push({ at_us: row.requested_at, adds: [["requested", 1n]], fare: null });
  if (row.started_at !== null) {
    const waited: [typeof SUMS[number], bigint][] = row.waiting_ms === null
      ? []
      : [["waiting_sum_ms", row.waiting_ms], ["waiting_count", 1n]];
    contributions.push({ at_us: row.started_at, adds: [["started", 1n], ...waited], fare: null });
  }
  if (row.status === "canceled" && row.canceled_at !== null) {
    contributions.push({ at_us: row.canceled_at, adds: [["canceled", 1n]], fare: null });
  }
  if (row.completed_at !== null) {
    contributions.push({
      at_us: row.completed_at,
      adds: [
        ["completed", 1n],
        ["conflicts", row.canceled_at === null ? 0n : 1n],
        ["fare_count", row.fare_micros === null ? 0n : 1n],
        ["fare_sum_micros", row.fare_micros ?? 0n],
        ["tip_sum_micros", row.tip_micros ?? 0n],
        ["distance_sum_m", row.distance_m ?? 0n],
        ["distance_count", row.distance_m === null ? 0n : 1n],
        ["duration_sum_ms", row.duration_ms ?? 0n],
        ["duration_count", row.duration_ms === null ? 0n : 1n],
      ],
      fare: row.fare_micros,
    });
  }
  return contributions;
}

/**
 * The cells that an event touches which makes a trip what it is: for every dimension, the cells that what differs was counted in before and is
 * counted in now. By "grain|bucket_us|dimension|key".
 */
export function touched_cells(
  before: TripRow | null,
  after: TripRow,
  local_day: (at_us: number) => LocalDay,
): Set<string> {
  const touched = new Set<string>();
  const by_kind = (row: TripRow | null) =>
    new Map(
      (row === null ? [] : contributions_of(row)).map((contribution) => [contribution.adds[0]![0], contribution]),
    );
  const [old_ones, new_ones] = [by_kind(before), by_kind(after)];
  const text = (contribution: Contribution | undefined) =>
    contribution === undefined ? "" : [contribution.at_us, contribution.fare, ...contribution.adds].join(" ");
  for (const kind of new Set([...old_ones.keys(), ...new_ones.keys()])) {
    const [was, is] = [old_ones.get(kind), new_ones.get(kind)];
    for (const dimension of DIMENSIONS) {
      const { name, key, grains } = dimension;
      const [key_before, key_after] = [before, after].map((row) => row === null ? null : key(row) ?? "unknown");
      if (key_before === key_after && text(was) === text(is)) continue;
      for (const [contribution, of] of [[was, key_before], [is, key_after]] as const) {
        if (contribution === undefined || !counts_in(dimension, contribution)) continue;
        for (const grain of grains) {
          touched.add(`${grain}|${bucket_of(contribution.at_us, grain, local_day)}|${name}|${of}`);
        }
      }
    }
  }
  return touched;
}

/** Counts trips into KPI cells; a trip that has changed is taken out as it was and counted as it is. */
export class CellCount {
  /** Under "grain|bucket_us|dimension|key"; none of them is all zero. */
  readonly cells = new Map<string, Measures>();
  readonly #boards = DIMENSIONS.map((dimension) => ({ dimension, keys: new Map<string, Line[]>() }));
  readonly #local_day: (at_us: number) => LocalDay;

  constructor(local_day: (at_us: number) => LocalDay) {
    this.#local_day = local_day;
  }

  /** Counts a trip as it is now. `before` is what was counted of it; null when nothing was. */
  replace(before: TripRow | null, after: TripRow): void {
    if (before !== null) this.#count(before, -1n);
    this.#count(after, 1n);
  }

  #count(row: TripRow, sign: 1n | -1n): void {
    const contributions = contributions_of(row).map((contribution) => ({
      ...contribution,
      bucket_s: EVERY_GRAIN.map((grain) => bucket_of(contribution.at_us, grain, this.#local_day) / 1_000_000),
    }));
    if (contributions.length === 0) return;
    for (const { dimension, keys } of this.#boards) {
      const key = dimension.key(row) ?? "unknown";
      let lines = keys.get(key);
      if (!lines) keys.set(key, lines = dimension.grains.map((grain) => ({ grain, cells: new Map() })));
      for (const { grain, cells } of lines) {
        const place = EVERY_GRAIN.indexOf(grain);
        for (const contribution of contributions) {
          if (!counts_in(dimension, contribution)) continue;
          const bucket_s = contribution.bucket_s[place] ?? 0;
          let cell = cells.get(bucket_s);
          if (!cell) {
            const name = `${grain}|${bucket_s * 1_000_000}|${dimension.name}|${key}`;
            cell = {
              name,
              measures: empty_cell(),
              fares: dimension.keeps.includes("fare_min_micros") ? new Map() : null,
            };
            cells.set(bucket_s, cell);
            this.cells.set(name, cell.measures);
          }
          add(cell, dimension.keeps, contribution, sign);
          if (sign > 0n || SUMS.some((sum) => cell.measures[sum] !== 0n)) continue;
          cells.delete(bucket_s);
          this.cells.delete(cell.name);
        }
      }
    }
  }
}

/** The start of the bucket that holds an instant; both in microseconds since the epoch. */
export function bucket_of(at_us: number, grain: Grain, local_day: (at_us: number) => LocalDay): number {
  switch (grain) {
    case "1m":
      return aligned(at_us, 60_000_000);
    case "5m":
      return aligned(at_us, 300_000_000);
    case "1h":
      return aligned(at_us, 3_600_000_000);
    case "1d":
      return local_day(at_us).start_us;
    case "all":
      return 0;
  }
}

/** A cell that says nothing. */
export function empty_cell(): Measures {
  return {
    trips: 0n,
    requested: 0n,
    started: 0n,
    completed: 0n,
    canceled: 0n,
    conflicts: 0n,
    fare_count: 0n,
    fare_sum_micros: 0n,
    fare_min_micros: null,
    fare_max_micros: null,
    tip_sum_micros: 0n,
    distance_sum_m: 0n,
    distance_count: 0n,
    duration_sum_ms: 0n,
    duration_count: 0n,
    voided: 0n,
    voids_waiting: 0n,
    waiting_sum_ms: 0n,
    waiting_count: 0n,
  };
}

/** Remainders are exact where a division of large instants would round. Instants before the epoch round down, too. */
function aligned(at_us: number, size_us: number): number {
  const remainder = at_us % size_us;
  return at_us - (remainder < 0 ? remainder + size_us : remainder);
}

function add({ measures, fares }: Cell, keeps: readonly string[], contribution: Contribution, sign: 1n | -1n): void {
  for (const [measure, amount] of contribution.adds) {
    if (amount !== 0n && keeps.includes(measure)) measures[measure] += sign * amount;
  }
  const fare = contribution.fare;
  if (fares === null || fare === null) return;
  const times = (fares.get(fare) ?? 0) + Number(sign);
  if (times > 0) fares.set(fare, times);
  else fares.delete(fare);
  if (sign > 0n) {
    if (measures.fare_min_micros === null || fare < measures.fare_min_micros) measures.fare_min_micros = fare;
    if (measures.fare_max_micros === null || fare > measures.fare_max_micros) measures.fare_max_micros = fare;
  } else if (times === 0 && (fare === measures.fare_min_micros || fare === measures.fare_max_micros)) {
    const left = [...fares.keys()];
    measures.fare_min_micros = left.reduce<bigint | null>(
      (least, each) => least === null || each < least ? each : least,
      null,
    );
    measures.fare_max_micros = left.reduce<bigint | null>(
      (most, each) => most === null || each > most ? each : most,
      null,
    );
  }
}
