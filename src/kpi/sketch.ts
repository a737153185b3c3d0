import type { Integer } from "./contribution.ts";

/**
 * Sketches: how often each logarithmic bin of values occurs, from which any quantile can be told with a relative error of at most 2 %.
 * Two sketches merge by adding up their bins, and a value is taken back by subtracting it, so that a sketch is a sum like any other.
 * After Charles Masson, Jee E. Rim, Homin K. Lee: DDSketch, a fast and fully-mergeable quantile sketch with relative-error guarantees,
 * PVLDB 12(12), 2019; here without its bound on the number of bins, since all integers that a figure can be fit in `BINS`.
 *
 * Bin 0 holds zero, bin b the integers in (gamma^(b-2), gamma^(b-1)], gamma = 1.02 / 0.98 = 51 / 49. Borders are integers made by exact
 * arithmetic, so that every engine that has them puts a value into the same bin; logarithms only guess.
 */

const GAMMA = { above: 51n, below: 49n } as const;
const GREATEST = 2n ** 63n - 1n;

/** The greatest integer of each bin. Bins between those of small integers are empty: their greatest is that of the bin before. */
const greatest: readonly Integer[] = (() => {
  const all: Integer[] = [0];
  for (let above = 1n, below = 1n, last = 0n; last < GREATEST; above *= GAMMA.above, below *= GAMMA.below) {
    last = above / below;
    all.push(last <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(last) : last);
  }
  return all;
})();

/** How many bins there are: enough for every bigint of a database. */
export const BINS = greatest.length;

const PER_LOG = 1 / Math.log(Number(GAMMA.above) / Number(GAMMA.below));

/** The bin of an integer, from 0 to 2^63 - 1. Throws RangeError for any other number. */
export function bin_of(value: Integer): number {
  if (typeof value === "number" ? !(Number.isSafeInteger(value) && value >= 0) : value < 0n || value > GREATEST) {
    throw new RangeError(`find the bin of ${value}: expected an integer from 0 to 2^63 - 1`);
  }
  if (value <= 1) return Number(value);
  let bin = Math.min(Math.ceil(Math.log(Number(value)) * PER_LOG) + 1, BINS - 1);
  while (value > greatest[bin]!) bin++;
  while (value <= greatest[bin - 1]!) bin--;
  return bin;
}

/** The value that stands for a bin: at most 2 % from every value in it. Cut off after six decimals. */
export function value_of(bin: number): number {
  if (!Number.isInteger(bin) || bin < 0 || bin >= BINS) {
    throw new RangeError(`find the value of bin ${bin}: expected one of 0 to ${BINS - 1}`);
  }
  if (bin === 0) return 0;
  // 2 gamma^e / (gamma + 1) = 0.98 gamma^e, in millionths.
  const exponent = BigInt(bin - 1);
  return Number(980_000n * GAMMA.above ** exponent / GAMMA.below ** exponent) / 1e6;
}

/**
 * Which of `count` values in ascending order, counted from 1, is the quantile `q`: the ceil(q * count)-th, at least the first. Exact for a
 * `q` of at most four decimals and counts below 9e11: 0.55 of 100 is the 55th, though the product of the doubles is more than 55.
 */
export function nearest_rank(count: number, q: number): number {
  return Math.max(Math.ceil(Math.round(q * 10_000) * count / 10_000), 1);
}

/**
 * The quantile of a sketch by nearest rank: what stands for the bin that holds the `nearest_rank`-th value; null of no values.
 * @param bins how many values each bin has, by ascending bin, each bin once
 * @param q from 0 to 1
 */
export function quantile(bins: readonly (readonly [bin: number, count: number])[], q: number): number | null {
  let left = nearest_rank(bins.reduce((sum, [, count]) => sum + count, 0), q);
  for (const [bin, count] of bins) {
    left -= count;
    if (left <= 0) return value_of(bin);
  }
  return null;
}
