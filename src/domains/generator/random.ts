/** Scrambles a 32-bit word so that neighbouring inputs give unrelated outputs. A bijection of the 32-bit words. */
export function mix32(word: number): number {
  let mixed = word ^ (word >>> 16);
  mixed = Math.imul(mixed, 0x7feb352d);
  mixed ^= mixed >>> 15;
  mixed = Math.imul(mixed, 0x846ca68b);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}

/** Folds whole numbers (up to 2^53, any sign) into one 32-bit word; the order of the numbers matters. */
export function hash32(...numbers: readonly number[]): number {
  let hash = 0x9e3779b9;
  for (const number of numbers) {
    hash = mix32(hash ^ (number >>> 0));
    hash = mix32(hash + Math.floor(number / 0x1_0000_0000));
  }
  return hash;
}

/** A 32-bit word for a text, by its UTF-16 code units. */
export function hash_text(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  return mix32(hash);
}

/**
 * A seeded stream of pseudo-random numbers (the "small fast counting" generator, 128 bits of state): the same seeds give
 * the same numbers in the same order on every machine. Not for secrets.
 */
export class Random {
  #a: number;
  #b: number;
  #c: number;
  #count = 1;

  constructor(...seeds: readonly number[]) {
    this.#a = hash32(1, ...seeds) | 0;
    this.#b = hash32(2, ...seeds) | 0;
    this.#c = hash32(3, ...seeds) | 0;
  }

  /** The next number, uniform in [0, 1). */
  fraction(): number {
    const sum = (this.#a + this.#b + this.#count) | 0;
    this.#count = (this.#count + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + sum) | 0;
    return (sum >>> 0) / 0x1_0000_0000;
  }

  /** True with the probability `share`; draws one number whatever the share, so that other draws stay where they are. */
  chance(share: number): boolean {
    return this.fraction() < share;
  }

  /** A number in [low, high). */
  between(low: number, high: number): number {
    return low + this.fraction() * (high - low);
  }

  /** A whole number in [low, high). */
  whole(low: number, high: number): number {
    return low + Math.floor(this.fraction() * (high - low));
  }

  /** An exponentially distributed number with mean 1: the gap between arrivals that know nothing of each other. */
  exponential(): number {
    return -Math.log(1 - this.fraction());
  }

  /** Near enough to normal for traffic and appetites: mean 0, standard deviation 1, never beyond ±3. */
  bell(): number {
    return (this.fraction() + this.fraction() + this.fraction() + this.fraction() - 2) * 1.7320508;
  }

  /** One of the values, each equally likely. Throws when there are none. */
  pick<T>(values: readonly T[]): T {
    const value = values[Math.floor(this.fraction() * values.length)];
    if (value === undefined) throw new Error("picking a value: expected at least one, got an empty list");
    return value;
  }

  /** The index in a rising table of cumulative weights, each index as likely as its weight. */
  weighted(cumulative: ArrayLike<number>): number {
    const target = this.fraction() * (cumulative[cumulative.length - 1] ?? 0);
    let low = 0;
    let high = cumulative.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((cumulative[middle] ?? 0) > target) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}

/** Turns weights into the rising table that `Random.weighted` reads. */
export function cumulate(weights: ArrayLike<number>): Float64Array {
  const cumulative = new Float64Array(weights.length);
  let sum = 0;
  for (let index = 0; index < weights.length; index++) cumulative[index] = sum += weights[index] ?? 0;
  return cumulative;
}
