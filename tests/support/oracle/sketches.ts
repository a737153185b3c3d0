import { bucket_of, type Grain } from "./cells.ts";
import type { TripRow } from "./fold.ts";
import type { LocalDay } from "./local_day.ts";

const GRAINS: Grain[] = ["1m", "5m", "1h", "1d"];
const DIMENSIONS: [name: string, key: (row: TripRow) => string | null][] = [
  ["none", () => "all"],
  ["status", (row) => row.status],
  ["payment_method", (row) => row.payment_method],
  ["vehicle_type", (row) => row.vehicle_type],
  ["city", (row) => row.city],
];

/** How many trips each bin holds. */
export type Bins = Map<number, number>;

/** The least n for which value <= (51/49)^n, counted from bin 1; zero has bin 0. By whole numbers alone. */
export function bin_of_value(value: bigint): number {
  if (value === 0n) return 0;
  const found = bins_found.get(value);
  if (found !== undefined) return found;
  let power = 51n ** 0n, divisor = 49n ** 0n, bin = 1;
  for (; value * divisor > power; bin++) {
    power *= 51n;
    divisor *= 49n;
  }
  bins_found.set(value, bin);
  return bin;
}
const bins_found = new Map<bigint, number>();

/** Counts fares and durations of completed trips, and the waiting of started ones, into bins; a trip that has changed is taken out as it was. */
export class SketchCount {
  /** Under "grain|bucket_us|dimension|sketch|key"; none of them is empty. */
  readonly sketches = new Map<string, Bins>();
  readonly #local_day: (at_us: number) => LocalDay;

  constructor(local_day: (at_us: number) => LocalDay) {
    this.#local_day = local_day;
  }

  /** Counts a trip as it is now. `before` is what was counted of it; null when nothing was. */
  replace(before: TripRow | null, after: TripRow): void {
    if (before !== null) this.#count(before, -1);
    this.#count(after, 1);
  }

  #count(row: TripRow, sign: 1 | -1): void {
    if (row.status === "voided") return;
    const { started_at, completed_at, waiting_ms, fare_micros, duration_ms } = row;
    for (const grain of GRAINS) {
      const values = [
        ["waiting_ms", started_at, waiting_ms],
        ["fare_micros", completed_at, fare_micros],
        ["duration_ms", completed_at, duration_ms],
      ] as const;
      for (const [sketch, at_us, value] of values) {
        if (at_us === null || value === null) continue;
        const bucket_us = bucket_of(at_us, grain, this.#local_day), bin = bin_of_value(BigInt(value));
        for (const [dimension, key] of DIMENSIONS) {
          this.#add(`${grain}|${bucket_us}|${dimension}|${sketch}|${key(row) ?? "unknown"}`, bin, sign);
        }
      }
    }
  }

  #add(name: string, bin: number, sign: 1 | -1): void {
    const bins = this.sketches.get(name) ?? new Map<number, number>();
    const count = (bins.get(bin) ?? 0) + sign;
    if (count === 0) bins.delete(bin);
    else bins.set(bin, count);
    if (bins.size === 0) this.sketches.delete(name);
    else this.sketches.set(name, bins);
  }
}
