import type { CellShape, Contribution, Fact } from "./contribution.ts";
import { bin_of } from "./sketch.ts";
import type { Days } from "./local_time.ts";
import { bucket_start, type Grain } from "./windows.ts";

/** What a batch changes in one sketch: for each bin how many values came, less how many went. */
export type BinChanges = Map<number, number>;

/** One changed sketch, named. */
export interface ChangedSketch {
  readonly grain: Grain;
  readonly bucket_us: number;
  readonly dimension: string;
  readonly key: string;
  readonly sketch: string;
  readonly bins: ReadonlyMap<number, number>;
}

/** The changed sketches of one dimension and grain. */
export interface SketchLevel {
  readonly dimension: string;
  readonly grain: Grain;
  readonly changed: Iterable<ChangedSketch>;
}

/** The bins that hold something, by ascending bin, with how much. */
export const filled_bins = (bins: ReadonlyMap<number, number>): [bin: number, count: number][] =>
  [...bins].filter(([, count]) => count !== 0).sort(([a], [b]) => a - b);

/** By bucket and key, the changes of each sketch of the shape; null where none was touched. */
type Buckets = Map<number, Map<string, (BinChanges | null)[]>>;

/** Where in a fact's values a sketch finds its value, and how many times it counts. */
interface Place {
  readonly sketch: number;
  readonly of: number;
  readonly count: number;
}

/** Gathers what a batch changes in the sketches, event by event like `CellChanges`: values that went are subtracted from their bins. */
export class SketchChanges {
  readonly #shape: CellShape;
  readonly #days: Days;
  /** The dimensions that keep sketches, with their place among all. */
  readonly #kept: readonly { readonly d: number; readonly grains: readonly Grain[]; readonly finest: Buckets }[];
  #bins = 0;
  /** By the list of a fact's measures: every fact of a kind has the same. */
  readonly #places = new Map<readonly number[], readonly Place[]>();

  constructor(shape: CellShape, days: Days) {
    this.#shape = shape;
    this.#days = days;
    this.#kept = shape.sketches.length === 0
      ? []
      : shape.dimensions.flatMap(({ sketches = [] }, d) =>
        sketches.length === 0 ? [] : [{ d, grains: sketches, finest: new Map() }]
      );
  }

  /**
   * Takes in one event's effect.
   * @param unchanged bit f: the fact of slot f is the same before and after
   */
  replace(before: Contribution | null, after: Contribution, unchanged: number): void {
    if (this.#kept.length === 0) return;
    for (let f = 0; f < after.facts.length; f++) {
      const old = before?.facts[f] ?? null, now = after.facts[f]!;
      if (old !== null) this.#apply(old, before!.keys, -1, (unchanged & (1 << f)) === 0 ? null : after.keys);
      if (now !== null) this.#apply(now, after.keys, 1, (unchanged & (1 << f)) === 0 ? null : before!.keys);
    }
  }

  /** How many bins of the finest grains it holds. */
  get size(): number {
    return this.#bins;
  }

  /** @param twin the keys under which the same fact comes or goes: where they agree, nothing happens */
  #apply(fact: Fact, keys: Contribution["keys"], sign: 1 | -1, twin: Contribution["keys"] | null): void {
    const places = this.#places_of(fact.measures);
    if (places.length === 0) return;
    let bins: number[] | null = null;
    for (const { d, grains, finest } of this.#kept) {
      const key = keys[d]!;
      if (twin !== null && twin[d] === key) continue;
      bins ??= places.map(({ of, count }) => fact.values[count] === 0 ? -1 : bin_of(fact.values[of]!));
      const own = this.#own(finest, bucket_start(grains[0]!, fact.at_us, this.#days), key);
      for (let p = 0; p < places.length; p++) {
        const bin = bins[p]!;
        if (bin < 0) continue;
        const changed = own[places[p]!.sketch] ??= new Map();
        const before = changed.get(bin);
        if (before === undefined) this.#bins++;
        changed.set(bin, (before ?? 0) + sign * Number(fact.values[places[p]!.count]!));
      }
    }
  }

  #own(buckets: Buckets, bucket_us: number, key: string): (BinChanges | null)[] {
    let keys = buckets.get(bucket_us);
    if (keys === undefined) buckets.set(bucket_us, keys = new Map());
    let own = keys.get(key);
    if (own === undefined) keys.set(key, own = this.#shape.sketches.map(() => null));
    return own;
  }

  #places_of(measures: readonly number[]): readonly Place[] {
    let places = this.#places.get(measures);
    if (places === undefined) {
      const named = measures.map((m) => this.#shape.measures[m]!.name);
      places = this.#shape.sketches.map(({ of, count }, sketch) => ({
        sketch,
        of: named.indexOf(of),
        count: named.indexOf(count),
      })).filter(({ of, count }) => of >= 0 && count >= 0);
      this.#places.set(measures, places);
    }
    return places;
  }

  /** All changed sketches, a dimension and grain at a time, fine grains first. Keys are sorted, as an upsert likes them. */
  *levels(): Iterable<SketchLevel> {
    for (const { d, grains, finest } of this.#kept) {
      const dimension = this.#shape.dimensions[d]!.name;
      for (const [g, grain] of grains.entries()) {
        // Of the finest each time: a day may begin inside an hour.
        const buckets = g === 0 ? finest : this.#roll_up(finest, grain);
        yield { dimension, grain, changed: this.#named(dimension, grain, buckets) };
      }
    }
  }

  *#named(dimension: string, grain: Grain, buckets: Buckets): Iterable<ChangedSketch> {
    for (const [bucket_us, keys] of buckets) {
      for (const key of [...keys.keys()].sort()) {
        for (const [s, bins] of keys.get(key)!.entries()) {
          if (bins !== null) yield { grain, bucket_us, dimension, key, sketch: this.#shape.sketches[s]!.name, bins };
        }
      }
    }
  }

  #roll_up(finest: Buckets, grain: Grain): Buckets {
    const coarse: Buckets = new Map();
    for (const [bucket_us, keys] of finest) {
      const bucket = bucket_start(grain, bucket_us, this.#days);
      for (const [key, own] of keys) {
        for (const [s, bins] of own.entries()) {
          if (bins === null) continue;
          const target = this.#own(coarse, bucket, key)[s] ??= new Map();
          for (const [bin, times] of bins) target.set(bin, (target.get(bin) ?? 0) + times);
        }
      }
    }
    return coarse;
  }
}
