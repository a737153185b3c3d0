import { merge_runs } from "./merge.ts";
import { read_run, write_run } from "./run_file.ts";
import type { Folder } from "./scratch.ts";

/** What a sort has to know of its items. */
export interface Sorted<T> {
  /** Negative when `a` is first. Items of equal rank come in no particular order. */
  readonly compare: (a: T, b: T) => number;
  /** An item as a line of a run, without a line break in it. */
  readonly encode: (item: T) => string;
  readonly decode: (line: string) => T;
  /** About how many characters it holds. */
  readonly characters: (item: T) => number;
}

/** How much a sort keeps in memory and how many runs it merges at once. */
export interface SortBound {
  readonly items: number;
  /** Of all items together. */
  readonly characters: number;
  /** Runs that are open at the same time; more are merged into longer ones first. At least 2. */
  readonly runs: number;
}

const SORT_BOUND: SortBound = { items: 100_000, characters: 32 << 20, runs: 64 };

/**
 * Puts any number of items into order in bounded memory: what exceeds the bound goes, sorted, into runs in a folder, which are merged.
 * What fits never touches the disk.
 */
export class ExternalSort<T> {
  readonly #folder: Folder;
  readonly #sorted: Sorted<T>;
  readonly #bound: SortBound;
  /** Runs by how often they were merged. */
  #levels: string[][] = [];
  #kept: T[] = [];
  #characters = 0;
  #named = 0;
  /** Items put in. */
  count = 0;
  /** Bytes on disk now, and at most. */
  disk = { now: 0, most: 0 };
  readonly #sizes = new Map<string, number>();

  readonly #signal: AbortSignal | undefined;

  /**
   * @param folder is asked for when it is needed; runs lie in it until whoever gave it removes it, those merged into longer ones aside
   * @param signal ends a merge of runs; its reason is thrown
   */
  constructor(folder: Folder, sorted: Sorted<T>, bound: SortBound = SORT_BOUND, signal?: AbortSignal) {
    this.#folder = folder;
    this.#sorted = sorted;
    this.#bound = bound;
    this.#signal = signal;
  }

  /** Runs that were written to disk, ever. */
  get runs(): number {
    return this.#named;
  }

  /** Puts items in, in any order. Resolves when there is room for more. Rejects when the disk takes no more. */
  async put(items: Iterable<T>): Promise<void> {
    const { characters } = this.#sorted;
    for (const item of items) {
      this.#kept.push(item);
      this.#characters += characters(item);
      this.count++;
      if (this.#kept.length >= this.#bound.items || this.#characters >= this.#bound.characters) await this.#spill();
    }
  }

  /** All of them in order; at the end nothing is in memory any more. */
  sorted(): AsyncGenerator<T[]> {
    return this.#merged([...this.#levels.flat().map((run) => read_run(run, this.#sorted.decode)), this.#sorted_rest()]);
  }

  #merged(runs: Parameters<typeof merge_runs<T>>[0]): AsyncGenerator<T[]> {
    return merge_runs(runs, this.#sorted.compare);
  }

  #sorted_rest(): Iterable<T[]> {
    const items = this.#kept.sort(this.#sorted.compare);
    this.#kept = [];
    return slices(items);
  }

  async #spill(): Promise<void> {
    const run = await this.#write(this.#sorted_rest());
    this.#characters = 0;
    await this.#add(run, 0);
  }

  async #add(run: string, level: number): Promise<void> {
    const runs = this.#levels[level] ??= [];
    runs.push(run);
    // Room for the highest runs of every level: all are open in the last merge.
    if (runs.length < this.#bound.runs) return;
    this.#levels[level] = [];
    const longer = await this.#write(this.#merged(runs.map((each) => read_run(each, this.#sorted.decode))));
    for (const merged of runs) {
      await Deno.remove(merged);
      this.disk.now -= this.#sizes.get(merged) ?? 0;
      this.#sizes.delete(merged);
    }
    await this.#add(longer, level + 1);
  }

  async #write(items: AsyncIterable<T[]> | Iterable<T[]>): Promise<string> {
    const folder = await this.#folder();
    const path = `${folder}/run-${++this.#named}`;
    try {
      await Deno.mkdir(folder, { recursive: true });
      const size = await write_run(path, items, this.#sorted.encode, this.#signal);
      this.#sizes.set(path, size);
      this.disk.now += size;
      this.disk.most = Math.max(this.disk.most, this.disk.now);
      return path;
    } catch (cause) {
      this.#signal?.throwIfAborted();
      throw new Error(`write run ${JSON.stringify(path)}, with ${this.disk.now} bytes of runs on disk`, { cause });
    }
  }
}

function* slices<T>(items: readonly T[]): Generator<T[]> {
  for (let at = 0; at < items.length; at += 1_000) yield items.slice(at, at + 1_000);
}
