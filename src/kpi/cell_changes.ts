import {
  bin_of,
  type CellShape,
  column_measures,
  type Contribution,
  type Dated,
  type Fact,
  type Integer,
  is_dated,
  is_extreme,
  is_least,
  keeps,
  type Measure,
  same_date,
  same_fact,
} from "./contribution.ts";
import { comes_after } from "./event_time.ts";
import { bucket_start, type Days, type Grain } from "./windows.ts";

/** Past this a running sum moves into its bigint part, so that adding a safe integer can never round. */
const SPILL_AT = 2 ** 52;

/**
 * Sums of nothing. Negative zero makes V8 keep the array as doubles from the beginning; one that begins with small integers is
 * rebuilt when the first large one comes. Adding to it, comparing and writing it are those of zero.
 */
const zero_sums = (measures: number): readonly number[] => new Array<number>(measures).fill(-0);

/** What a batch changes in one sketch: for each bin how many values came, less how many went. */
export type BinChanges = Map<number, number>;

/** The bins that hold something, by ascending bin, with how much. */
export const filled_bins = (bins: ReadonlyMap<number, number>): [bin: number, count: number][] =>
  [...bins].filter(([, count]) => count !== 0).sort(([a], [b]) => a - b);

/**
 * What a batch changes in one cell. Sums are differences; `added` and `removed` are the extremes of the values that came
 * and went: an extreme can be merged, but not subtracted; `added_by` and `removed_by` are the dates of those of dates. `sketches` are changes of
 * bins, by the sketch's place among the sketches; null where none was touched.
 */
export class CellChange {
  readonly #sums: number[];
  #spills: bigint[] | null = null;
  added: (Integer | null)[] | null = null;
  removed: (Integer | null)[] | null = null;
  added_by: (Dated | null)[] | null = null;
  removed_by: (Dated | null)[] | null = null;
  sketches: (BinChanges | null)[] | null = null;
  last_ordinal = 0;

  /** @param zeros one zero a measure that is no sketch, as doubles (see `zero_sums`) */
  constructor(zeros: readonly number[]) {
    this.#sums = zeros.slice();
  }

  /** Adds a signed value to the sum of measure `m`, exactly. */
  add(m: number, value: Integer): void {
    if (typeof value === "number" && value < SPILL_AT && value > -SPILL_AT) {
      const sum = this.#sums[m]! + value;
      if (sum < SPILL_AT && sum > -SPILL_AT) {
        this.#sums[m] = sum;
        return;
      }
    }
    this.#spills ??= new Array(this.#sums.length).fill(0n);
    this.#spills[m]! += BigInt(value);
  }

  /** The sum of measure `m`. */
  sum(m: number): Integer {
    return this.#spills === null || this.#spills[m] === 0n ? this.#sums[m]! : this.#spills[m]! + BigInt(this.#sums[m]!);
  }

  /** Whether any measure goes down: such a cell exists already. */
  lowers(): boolean {
    const sums = this.#sums;
    for (let m = 0; m < sums.length; m++) if ((this.#spills === null ? sums[m]! : this.sum(m)) < 0) return true;
    return false;
  }

  /**
   * Notes that a value of measure `m`, an extreme, came or went.
   * @param least whether the extreme is the least
   * @param date what it is told apart by before its value; null: nothing
   */
  note(side: "added" | "removed", m: number, value: Integer, least: boolean, date: Dated | null): void {
    const values = this[side] ??= new Array(this.#sums.length).fill(null);
    if (date === null) {
      values[m] = extreme(values[m]!, value, least);
      return;
    }
    const dates = this[`${side}_by`] ??= new Array(this.#sums.length).fill(null);
    const held = dates[m]!;
    if (
      held === null ||
      (same_date(held, date) ? values[m] !== extreme(values[m]!, value, least) : is_after(date, held) !== least)
    ) {
      values[m] = value;
      dates[m] = date;
    }
  }

  /** The changes of bins of sketch `k`, of so many. */
  bins(k: number, sketches: number): BinChanges {
    const all = this.sketches ??= new Array(sketches).fill(null);
    return all[k] ??= new Map();
  }

  /** Merges the change of a finer bucket into this one, that of its sketches where they are kept. */
  merge(finer: CellChange, least: readonly boolean[], with_sketches: boolean): void {
    for (let m = 0; m < this.#sums.length; m++) {
      const sum = finer.sum(m);
      if (sum !== 0) this.add(m, sum);
      const added = finer.added?.[m] ?? null, removed = finer.removed?.[m] ?? null;
      if (added !== null) this.note("added", m, added, least[m]!, finer.added_by?.[m] ?? null);
      if (removed !== null) this.note("removed", m, removed, least[m]!, finer.removed_by?.[m] ?? null);
    }
    if (finer.last_ordinal > this.last_ordinal) this.last_ordinal = finer.last_ordinal;
    if (!with_sketches || finer.sketches === null) return;
    for (const [k, changed] of finer.sketches.entries()) {
      if (changed === null) continue;
      const bins = this.bins(k, finer.sketches.length);
      for (const [bin, times] of changed) bins.set(bin, (bins.get(bin) ?? 0) + times);
    }
  }
}

const extreme = (a: Integer | null, b: Integer, least: boolean): Integer =>
  a === null || (least ? b < a : b > a) ? b : a;

const is_after = (a: Dated, b: Dated): boolean => comes_after(a.at_us, a.by ?? "", b.at_us, b.by ?? "");

/** One changed cell, named. */
export interface ChangedCell {
  readonly grain: Grain;
  readonly bucket_us: number;
  readonly dimension: string;
  readonly key: string;
  readonly change: CellChange;
}

/** The changed cells of one dimension and grain, by bucket and key. */
interface CellLevel {
  readonly dimension: string;
  readonly grain: Grain;
  readonly buckets: ReadonlyMap<number, ReadonlyMap<string, CellChange>>;
}

/** What a measure does with values that come and go. */
type Way = "adds up" | "is an extreme" | "is dated" | "is a sketch";

const way_of = ({ kind }: Measure): Way =>
  kind === "sketch" ? "is a sketch" : is_dated(kind) ? "is dated" : is_extreme(kind) ? "is an extreme" : "adds up";

/** The value that a fact has of measure `m`, which stands in its place `i` if it has those measures; undefined: it has none. */
const value_in = (fact: Fact, m: number, i: number, measures: readonly number[]): Integer | undefined =>
  fact.values[fact.measures === measures ? i : fact.measures.indexOf(m)];

/** Facts of a stream whose last bucket is remembered; a stream may have more of them. */
const REMEMBERED_FACTS = 32;

/**
 * Gathers what a batch changes in the cells: for every event the difference of its stream's contributions, after minus
 * before. Only the finest grain of a dimension is touched per event; coarser ones are rolled up once, at the end.
 * Differences are taken event by event, never over a whole batch, so that which cells are touched, and by which position
 * last, does not depend on how events were batched.
 */
export class CellChanges {
  readonly #shape: CellShape;
  readonly #days: Days;
  readonly #least: readonly boolean[];
  readonly #ways: readonly Way[];
  /** How many measures are no sketches: those come after them. */
  readonly #columns: number;
  /** By dimension and measure whether it is kept; null: all are. */
  readonly #keeps: readonly (readonly boolean[] | null)[];
  /** The dimensions that keep anything. */
  readonly #kept: readonly number[];
  readonly #zeros: readonly number[];
  readonly #finest: readonly Map<number, Map<string, CellChange>>[];
  /** For each dimension and fact the bucket that was touched last, which is most often the next one too, and its cells. */
  readonly #last: { bucket: number; keys: Map<string, CellChange> }[];
  /** Whether each fact is the same before and after. */
  #same: boolean[] = [];
  #held = 0;

  /** @param shape a dimension without grains is one that nothing is gathered of */
  constructor(shape: CellShape, days: Days) {
    for (const { name, grains, sketches = [] } of shape.dimensions) {
      if (!sketches.every((grain, g) => grain === grains[g])) {
        throw new Error(`gather cells of ${name}: expected sketches of its finest grains, got ${sketches.join(", ")}`);
      }
    }
    this.#shape = shape;
    this.#days = days;
    this.#least = shape.measures.map(({ kind }) => is_least(kind));
    this.#ways = shape.measures.map(way_of);
    this.#columns = column_measures(shape.measures).length;
    if (this.#ways.indexOf("is a sketch") !== (this.#columns < shape.measures.length ? this.#columns : -1)) {
      throw new Error("gather cells: expected sketches after all other measures");
    }
    this.#keeps = shape.dimensions.map((dimension) => {
      const kept = shape.measures.map((measure) => keeps(dimension, measure));
      return kept.includes(false) ? kept : null;
    });
    this.#kept = shape.dimensions.flatMap(({ grains }, d) => grains.length === 0 ? [] : [d]);
    this.#zeros = zero_sums(this.#columns);
    this.#finest = shape.dimensions.map(() => new Map());
    this.#last = [];
  }

  /**
   * Takes in one event's effect.
   * @param before the stream's contribution without the event; null for a new stream
   * @param after its contribution with it
   * @param ordinal the event's place among the batch's admitted events, from 1
   */
  replace(before: Contribution | null, after: Contribution, ordinal: number): void {
    const slots = before === null ? after.facts.length : Math.max(before.facts.length, after.facts.length);
    const same = this.#same;
    if (before !== null) {
      for (let f = 0; f < slots; f++) same[f] = same_fact(before.facts[f] ?? null, after.facts[f] ?? null);
    }
    for (const d of this.#kept) {
      const key_after = after.keys[d]!;
      const key_before = before === null ? key_after : before.keys[d]!;
      const same_key = key_before === key_after;
      for (let f = 0; f < slots; f++) {
        if (before !== null && same_key && same[f]) continue;
        const old = before?.facts[f] ?? null, now = after.facts[f] ?? null;
        const stays = same_key && old !== null && now !== null && this.#same_bucket(d, old, now) ? now : null;
        if (old !== null) this.#apply(d, this.#touch(d, f, key_before, old, ordinal), old, -1, stays);
        if (now !== null) {
          this.#apply(d, this.#touch(d, f, key_after, now, ordinal), now, 1, stays === null ? null : old);
        }
      }
    }
  }

  /**
   * Takes in a whole stream at once: it adds what its last contribution says, and each cell that its events touched hears of the last of them.
   * @param steps its contributions after each of its events, in order of arrival; `ordinal` is the event's, as in `replace`
   */
  add_stream(steps: readonly { readonly contribution: Contribution; readonly ordinal: number }[]): void {
    const end = steps.at(-1)!.contribution;
    let slots = 0;
    for (const { contribution: { facts } } of steps) if (facts.length > slots) slots = facts.length;
    const touched_by = new Array<number>(this.#finest.length * slots).fill(steps[0]!.ordinal);
    for (let i = 1; i < steps.length; i++) {
      const { contribution: after, ordinal } = steps[i]!, before = steps[i - 1]!.contribution;
      for (let f = 0; f < slots; f++) {
        const old = before.facts[f] ?? null, now = after.facts[f] ?? null;
        const same = same_fact(old, now);
        for (const d of this.#kept) {
          const key = before.keys[d]!, same_key = key === after.keys[d];
          if (same && same_key) continue;
          touched_by[d * slots + f] = ordinal;
          if (old === null || (same_key && now !== null && this.#same_bucket(d, old, now))) continue;
          this.#touch(d, f, key, old, ordinal);
        }
      }
    }
    for (const d of this.#kept) {
      for (let f = 0; f < end.facts.length; f++) {
        const fact = end.facts[f]!;
        if (fact === null) continue;
        const touched = this.#touch(d, f, end.keys[d]!, fact, touched_by[d * slots + f]!);
        this.#apply(d, touched, fact, 1, null);
      }
    }
  }

  /** How much it holds: cells of the finest grains, and bins of their sketches. */
  get size(): number {
    return this.#held;
  }

  #same_bucket(d: number, a: Fact, b: Fact): boolean {
    const finest = this.#shape.dimensions[d]!.grains[0]!;
    return bucket_start(finest, a.at_us, this.#days) === bucket_start(finest, b.at_us, this.#days);
  }

  /** Whether dimension `d` keeps anything of a fact. */
  #counts(d: number, { measures }: Fact): boolean {
    const kept = this.#keeps[d]!;
    if (kept === null) return true;
    for (let i = 0; i < measures.length; i++) if (kept[measures[i]!]) return true;
    return false;
  }

  /** The cell of the finest grain that holds a fact; it hears which event touched it. Null where the dimension keeps nothing of the fact. */
  #touch(d: number, f: number, key: string, fact: Fact, ordinal: number): CellChange | null {
    if (!this.#counts(d, fact)) return null;
    const bucket = bucket_start(this.#shape.dimensions[d]!.grains[0]!, fact.at_us, this.#days);
    const last = this.#last[d * REMEMBERED_FACTS + f % REMEMBERED_FACTS] ??= { bucket: NaN, keys: new Map() };
    if (last.bucket !== bucket) {
      const buckets = this.#finest[d]!;
      let keys = buckets.get(bucket);
      if (keys === undefined) buckets.set(bucket, keys = new Map());
      last.bucket = bucket;
      last.keys = keys;
    }
    const { keys } = last;
    let change = keys.get(key);
    if (change === undefined) {
      keys.set(key, change = new CellChange(this.#zeros));
      this.#held++;
    }
    if (ordinal > change.last_ordinal) change.last_ordinal = ordinal;
    return change;
  }

  /** @param change the cell of the fact @param twin the fact that takes this one's place, or whose place it takes, in the same cell: of extremes and sketches, values they share neither come nor go */
  #apply(d: number, change: CellChange | null, fact: Fact, sign: 1 | -1, twin: Fact | null): void {
    if (change === null) return;
    const kept = this.#keeps[d]!;
    const { measures, values } = fact;
    for (let i = 0; i < measures.length; i++) {
      const m = measures[i]!;
      if (kept !== null && !kept[m]) continue;
      const value = values[i]!;
      const way = this.#ways[m]!;
      if (way === "adds up") {
        change.add(m, sign === 1 ? value : -value);
        continue;
      }
      const dated = way === "is dated";
      if (twin !== null && value_in(twin, m, i, measures) === value && (!dated || same_date(twin, fact))) continue;
      if (way === "is a sketch") this.#count(change, m - this.#columns, value, sign);
      else change.note(sign === 1 ? "added" : "removed", m, value, this.#least[m]!, dated ? fact : null);
    }
  }

  /** Takes a value into the bins of a cell's sketch, or out of them. */
  #count(change: CellChange, sketch: number, value: Integer, sign: 1 | -1): void {
    const bins = change.bins(sketch, this.#shape.measures.length - this.#columns), bin = bin_of(value);
    const before = bins.get(bin);
    if (before === undefined) this.#held++;
    bins.set(bin, (before ?? 0) + sign);
  }

  /** All changed cells, a dimension and grain at a time, fine grains first. What is given must not be changed: coarser grains are made of it. */
  *levels(): Iterable<CellLevel> {
    for (const d of this.#kept) {
      const { name: dimension, grains, sketches = [] } = this.#shape.dimensions[d]!;
      let buckets: CellLevel["buckets"] = this.#finest[d]!;
      for (let g = 0; g < grains.length; g++) {
        const grain = grains[g]!;
        // Days of the finest: in a zone that is half an hour off, a day begins inside an hour.
        const finer = grain === "1d" ? this.#finest[d]! : buckets;
        if (g > 0) buckets = this.#roll_up(finer, grain, sketches.includes(grain));
        yield { dimension, grain, buckets };
      }
    }
  }

  /**
   * All changed cells of all grains, grouped by dimension, fine grains first. Keys are sorted: an upsert that walks the index and the
   * table in order took 0.65 of the time (20,000 of 200,000 keys a batch).
   */
  *cells(): Iterable<ChangedCell> {
    for (const { dimension, grain, buckets } of this.levels()) {
      for (const [bucket_us, keys] of buckets) {
        for (const key of [...keys.keys()].sort()) yield { grain, bucket_us, dimension, key, change: keys.get(key)! };
      }
    }
  }

  #roll_up(finer: CellLevel["buckets"], grain: Grain, with_sketches: boolean): Map<number, Map<string, CellChange>> {
    const coarse = new Map<number, Map<string, CellChange>>();
    for (const [bucket_us, keys] of finer) {
      const bucket = bucket_start(grain, bucket_us, this.#days);
      let target = coarse.get(bucket);
      if (target === undefined) coarse.set(bucket, target = new Map());
      for (const [key, change] of keys) {
        let cell = target.get(key);
        if (cell === undefined) target.set(key, cell = new CellChange(this.#zeros));
        cell.merge(change, this.#least, with_sketches);
      }
    }
    return coarse;
  }
}
