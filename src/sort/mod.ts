/**
 * The external merge sort: any number of items in order, in bounded memory, by sorted runs on disk; and the folders that runs lie in,
 * which a later process clears away when theirs was killed.
 */

// A run: items in order, in a file, one a line.

const BLOCK = 128 << 10;
const encoder = new TextEncoder();

/**
 * Writes a run.
 * @returns its size in bytes
 */
async function write_run<T>(
  path: string,
  items: AsyncIterable<readonly T[]> | Iterable<readonly T[]>,
  encode: (item: T) => string,
  signal?: AbortSignal,
): Promise<number> {
  using file = await Deno.open(path, { write: true, createNew: true });
  let size = 0;
  for await (const some of items) {
    signal?.throwIfAborted();
    let text = "";
    for (const item of some) text += encode(item) + "\n";
    const bytes = encoder.encode(text);
    size += bytes.length;
    for (let at = 0; at < bytes.length;) at += await file.write(bytes.subarray(at));
  }
  return size;
}

/** The items of a run, block by block. */
async function* read_run<T>(path: string, decode: (line: string) => T): AsyncGenerator<T[]> {
  using file = await Deno.open(path);
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  const block = new Uint8Array(BLOCK);
  let rest = "";
  for (;;) {
    const count = await file.read(block);
    if (count === null) break;
    const lines = (rest + decoder.decode(block.subarray(0, count), { stream: true })).split("\n");
    rest = lines.pop()!;
    if (lines.length > 0) yield lines.map(decode);
  }
  if (rest !== "") throw new Error(`read run ${JSON.stringify(path)}: it ends in the middle of a line`);
}

const BATCH = 1_000;

type Compare<T> = (a: T, b: T) => number;

/** Where the merge stands in one run. */
interface Head<T> {
  readonly blocks: AsyncIterator<readonly T[]> | Iterator<readonly T[]>;
  block: readonly T[];
  at: number;
}

/** Merges runs, each in order, into one order: a binary heap of their first items. One block of each run is in memory. */
async function* merge_runs<T>(
  runs: readonly (AsyncIterable<readonly T[]> | Iterable<readonly T[]>)[],
  compare: Compare<T>,
): AsyncGenerator<T[]> {
  const heads = runs.map((run): Head<T> => ({
    blocks: Symbol.asyncIterator in run ? run[Symbol.asyncIterator]() : run[Symbol.iterator](),
    block: [],
    at: 0,
  }));
  try {
    const heap: Head<T>[] = [];
    for (const head of heads) if (await refilled(head)) heap.push(head);
    for (let at = (heap.length >> 1) - 1; at >= 0; at--) sift_down(heap, at, compare);
    let merged: T[] = [];
    while (heap.length > 0) {
      const first = heap[0]!;
      merged.push(first.block[first.at++]!);
      if (first.at === first.block.length && !await refilled(first)) {
        const last = heap.pop()!;
        if (last !== first) heap[0] = last;
      }
      sift_down(heap, 0, compare);
      if (merged.length < BATCH) continue;
      yield merged;
      merged = [];
    }
    if (merged.length > 0) yield merged;
  } finally {
    for (const { blocks } of heads) await blocks.return?.();
  }
}

async function refilled<T>(head: Head<T>): Promise<boolean> {
  for (;;) {
    const next = await head.blocks.next();
    if (next.done) return false;
    if (next.value.length === 0) continue;
    head.block = next.value;
    head.at = 0;
    return true;
  }
}

function sift_down<T>(heap: Head<T>[], from: number, compare: Compare<T>): void {
  const head = heap[from];
  if (head === undefined) return;
  const item = head.block[head.at]!;
  for (let at = from;;) {
    let child = 2 * at + 1;
    if (child >= heap.length) return;
    const right = heap[child + 1];
    if (right !== undefined && is_first(right, heap[child]!, compare)) child++;
    const smaller = heap[child]!;
    if (compare(item, smaller.block[smaller.at]!) <= 0) return;
    heap[child] = head;
    heap[at] = smaller;
    at = child;
  }
}

const is_first = <T>(a: Head<T>, b: Head<T>, compare: Compare<T>): boolean =>
  compare(a.block[a.at]!, b.block[b.at]!) < 0;

// Folders in the data directory that one process works in at a time. The system lets go of a folder's lock however its process ends.

/** Takes a folder, which is made where it is absent; null when another process works in it. Closing the file lets go of it. */
export async function take_folder(folder: string): Promise<Deno.FsFile | null> {
  await Deno.mkdir(folder, { recursive: true });
  const file = await Deno.open(`${folder}/lock`, { create: true, write: true });
  if (await file.tryLock(true)) return file;
  file.close();
  return null;
}

/**
 * Lends the folders whose name begins so, and in which no process works, to `work`: what a process left that was killed.
 * @param data_dir may be absent
 */
export async function with_left_folders(
  data_dir: string,
  prefix: string,
  work: (folder: string) => Promise<void>,
): Promise<void> {
  const names: string[] = [];
  try {
    for await (const { name, isDirectory } of Deno.readDir(data_dir)) {
      if (isDirectory && name.startsWith(prefix)) names.push(name);
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  for (const name of names) {
    const folder = `${data_dir}/${name}`;
    const lock = await take_folder(folder);
    if (lock === null) continue;
    try {
      await work(folder);
    } finally {
      lock.close();
    }
  }
}

/** Removes a file or folder, if it is there. */
export async function remove(path: string): Promise<void> {
  try {
    await Deno.remove(path, { recursive: true });
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

/** A folder for runs that is made when it is first asked for. */
export type Folder = () => Promise<string>;

/**
 * Lends a folder in the data directory for runs, and removes it at the end, however that comes. It is made when it is first asked for; those of
 * processes that were killed are removed then.
 * @param kind the name of the folder, before a hyphen and what makes it one of its own
 */
export async function with_scratch<T>(
  data_dir: string,
  kind: string,
  work: (folder: Folder) => Promise<T>,
): Promise<T> {
  const folder = `${data_dir}/${kind}-${crypto.randomUUID()}`;
  let lock: Deno.FsFile | null = null;
  const made = async () => {
    if (lock === null) {
      await with_left_folders(data_dir, `${kind}-`, remove);
      lock = await take_folder(folder);
      if (lock === null) throw new Error(`take ${JSON.stringify(folder)}: another process works in it`);
    }
    return `${folder}/runs`;
  };
  try {
    return await work(made);
  } finally {
    if (lock !== null) {
      await remove(folder);
      (lock as Deno.FsFile).close();
    }
  }
}

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
