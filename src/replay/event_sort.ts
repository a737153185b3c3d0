import { merge_runs } from "./merge.ts";
import { compare_points, type ReplayEvent } from "./replay_event.ts";
import { read_run, write_run } from "./run_file.ts";

/** How much the sort keeps in memory and how many runs it merges at once. */
export interface SortBound {
  readonly events: number;
  /** Of keys and values together. */
  readonly characters: number;
  /** Runs that are open at the same time; more are merged into longer ones first. At least 2. */
  readonly runs: number;
}

const SORT_BOUND: SortBound = { events: 100_000, characters: 32 << 20, runs: 64 };

/**
 * Puts any number of events into order in bounded memory: what exceeds the bound goes, sorted, into runs in a folder, which are merged.
 * What fits never touches the disk.
 */
export class EventSort {
  readonly #folder: string;
  readonly #bound: SortBound;
  /** Runs by how often they were merged. */
  #levels: string[][] = [];
  #kept: ReplayEvent[] = [];
  #characters = 0;
  #named = 0;
  /** Events put in. */
  count = 0;
  /** Bytes on disk now, and at most. */
  disk = { now: 0, most: 0 };
  readonly #sizes = new Map<string, number>();

  /** @param folder is made when it is needed; runs lie in it until whoever gave it removes it, those merged into longer ones aside */
  constructor(folder: string, bound: SortBound = SORT_BOUND) {
    this.#folder = folder;
    this.#bound = bound;
  }

  /** Runs that were written to disk, ever. */
  get runs(): number {
    return this.#named;
  }

  /** Puts events in, in any order. Resolves when there is room for more. */
  async put(events: readonly ReplayEvent[]): Promise<void> {
    for (const event of events) {
      this.#kept.push(event);
      this.#characters += event.key.length + event.value.length;
      this.count++;
      if (this.#kept.length >= this.#bound.events || this.#characters >= this.#bound.characters) await this.#spill();
    }
  }

  /** All of them in order; at the end nothing is in memory any more. */
  sorted(): AsyncGenerator<ReplayEvent[]> {
    return merge_runs([...this.#levels.flat().map(read_run), this.#sorted_rest()]);
  }

  #sorted_rest(): Iterable<ReplayEvent[]> {
    const events = this.#kept.sort(compare_points);
    this.#kept = [];
    return slices(events);
  }

  async #spill(): Promise<void> {
    await Deno.mkdir(this.#folder, { recursive: true });
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
    const longer = await this.#write(merge_runs(runs.map(read_run)));
    for (const merged of runs) {
      await Deno.remove(merged);
      this.disk.now -= this.#sizes.get(merged) ?? 0;
      this.#sizes.delete(merged);
    }
    await this.#add(longer, level + 1);
  }

  async #write(events: AsyncIterable<ReplayEvent[]> | Iterable<ReplayEvent[]>): Promise<string> {
    const path = `${this.#folder}/run-${++this.#named}.ndjson`;
    try {
      const size = await write_run(path, events);
      this.#sizes.set(path, size);
      this.disk.now += size;
      this.disk.most = Math.max(this.disk.most, this.disk.now);
      return path;
    } catch (cause) {
      throw new Error(`write run ${JSON.stringify(path)}, with ${this.disk.now} bytes of runs on disk`, { cause });
    }
  }
}

function* slices(events: readonly ReplayEvent[]): Generator<ReplayEvent[]> {
  for (let at = 0; at < events.length; at += 1_000) yield events.slice(at, at + 1_000);
}
