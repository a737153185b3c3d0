const BATCH = 1_000;

type Compare<T> = (a: T, b: T) => number;

/** Where the merge stands in one run. */
interface Head<T> {
  readonly blocks: AsyncIterator<readonly T[]> | Iterator<readonly T[]>;
  block: readonly T[];
  at: number;
}

/** Merges runs, each in order, into one order: a binary heap of their first items. One block of each run is in memory. */
export async function* merge_runs<T>(
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
