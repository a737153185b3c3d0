import type { CursorAdvance, KeptGap, PartitionGap } from "../event_log/mod.ts";
import {
  type CursorBook,
  partition_name,
  type PartitionEnds,
  type SourceBatch,
  type SourceGap,
  type StoredCursor,
} from "./message_source.ts";

/** Gives all partitions of topics that were never read their first cursors; where another process was faster its cursors stay. */
export type BeginTopics = (ends: readonly PartitionEnds[], cluster_id: string) => Promise<void>;

/** Keeps a gap that was noticed at a cursor; false when the cursor stands elsewhere. */
type KeepGap = (
  gap: PartitionGap,
  at: { readonly next_offset: number; readonly cluster_id: string },
) => Promise<boolean>;

/**
 * The cursors of the partitions this process reads: as committed (what sources go by) and as planned (where the next batch
 * must begin). Batches are trimmed to what was not planned yet.
 */
export class Cursors implements CursorBook {
  readonly #committed = new Map<string, number>();
  readonly #planned = new Map<string, number>();
  /** As the database had them when it was last read. */
  #stored: readonly StoredCursor[] = [];
  readonly #read: () => Promise<readonly StoredCursor[]>;
  readonly #begin: BeginTopics | null;
  readonly #keep: KeepGap;

  /**
   * @param read reads all cursors from the database
   * @param begin where topics begin that were never read; null: at their earliest offsets
   * @param keep keeps gaps that are noticed
   */
  constructor(
    read: () => Promise<readonly StoredCursor[]> = () => Promise.resolve([]),
    begin: BeginTopics | null = null,
    keep: KeepGap = () => Promise.resolve(false),
  ) {
    this.#read = read;
    this.#begin = begin;
    this.#keep = keep;
  }

  get(topic: string, partition: number): number | null {
    return this.#committed.get(partition_name({ topic, partition })) ?? null;
  }

  foreign(topics: readonly string[], cluster_id: string): StoredCursor | null {
    return this.#stored.find((cursor) => topics.includes(cursor.topic) && cursor.cluster_id !== cluster_id) ?? null;
  }

  gap(topic: string, partition: number): KeptGap | null {
    return this.#stored.find((cursor) => cursor.topic === topic && cursor.partition === partition)?.gap ?? null;
  }

  /** Keeps a gap that was noticed, once its cursor stands still. False until then, and where gaps are not kept. */
  async keep(gap: PartitionGap, cluster_id: string): Promise<boolean> {
    const next_offset = this.get(gap.topic, gap.partition);
    return next_offset !== null && await this.#keep(gap, { next_offset, cluster_id });
  }

  /** Raises what is committed to what the database says: another process may have read on. What is planned stays. */
  async refresh(): Promise<void> {
    this.#stored = await this.#read();
    for (const cursor of this.#stored) {
      const name = partition_name(cursor);
      if (cursor.next_offset > (this.#committed.get(name) ?? -1)) this.#committed.set(name, cursor.next_offset);
    }
  }

  async begin(ends: readonly PartitionEnds[], cluster_id: string): Promise<void> {
    const read = new Set(this.#stored.map(({ topic }) => topic));
    const never_read = ends.filter(({ topic }) => !read.has(topic));
    if (this.#begin === null || never_read.length === 0) return;
    await this.#begin(never_read, cluster_id);
    await this.refresh();
  }

  /**
   * Asks the database whether a gap's cursor was moved across it, and takes over what it says then, whatever was planned. What this process
   * commits meanwhile moves the cursor up to the gap, never back and never beyond.
   */
  async moved_across(gap: SourceGap): Promise<boolean> {
    const before = this.get(gap.topic, gap.partition) ?? 0;
    const stored = await this.#read();
    const cursor = stored.find(({ topic, partition }) => topic === gap.topic && partition === gap.partition);
    const moved = gap.kind === "other_cluster"
      ? cursor?.cluster_id !== gap.expected
      : cursor !== undefined && (cursor.next_offset < before || cursor.next_offset > gap.cursor);
    if (moved) this.reset(stored);
    return moved;
  }

  /** Replaces everything by what the database says. */
  reset(cursors: readonly StoredCursor[]): void {
    this.#stored = cursors;
    this.#committed.clear();
    this.#planned.clear();
    for (const cursor of cursors) this.#committed.set(partition_name(cursor), cursor.next_offset);
  }

  /** Takes in what a transaction committed. */
  commit(advances: readonly CursorAdvance[]): void {
    for (const advance of advances) this.#committed.set(partition_name(advance), advance.to);
  }

  /**
   * Trims batches to what is new, and moves the planned cursors past them. A batch below the planned cursor was delivered again
   * and is dropped; one that begins above it was delivered for another time and place: null, begin anew.
   */
  claim(batches: readonly SourceBatch[]): { fresh: SourceBatch[]; advances: CursorAdvance[] } | null {
    const fresh: SourceBatch[] = [];
    const advances = new Map<string, CursorAdvance>();
    for (const batch of batches) {
      const name = partition_name(batch);
      const planned = advances.get(name)?.to ?? this.#planned.get(name) ?? this.#committed.get(name) ?? null;
      const from = planned ?? batch.from_offset;
      if (batch.from_offset > from) return null;
      if (batch.next_offset <= from) continue;
      const messages = batch.messages.filter(({ offset }) => offset >= from);
      fresh.push({ ...batch, from_offset: from, messages });
      const { topic, partition, next_offset } = batch;
      const first = advances.get(name);
      advances.set(name, { topic, partition, from: first === undefined ? planned : first.from, to: next_offset });
    }
    for (const [name, { to }] of advances) this.#planned.set(name, to);
    return { fresh, advances: [...advances.values()] };
  }
}

/** The same messages and offsets as batches of at most one message each. */
export function one_by_one(batches: readonly SourceBatch[]): SourceBatch[] {
  return batches.flatMap((batch) =>
    batch.messages.length <= 1 ? [batch] : batch.messages.map((message, i) => ({
      ...batch,
      from_offset: i === 0 ? batch.from_offset : message.offset,
      next_offset: batch.messages[i + 1]?.offset ?? batch.next_offset,
      messages: [message],
    }))
  );
}

/**
 * The advances of batches that follow on what is committed. Each goes on where its first batch begins, not where the cursor is known to stand:
 * a rival that was faster meanwhile, as another look at the cursors may have told, has to be found by the compare-and-set.
 */
export function advances_of(batches: readonly SourceBatch[], cursors: Pick<CursorBook, "get">): CursorAdvance[] {
  return [...Map.groupBy(batches, partition_name).values()].map((own) => {
    const { topic, partition, from_offset } = own[0]!;
    const from = cursors.get(topic, partition) === null ? null : from_offset;
    return { topic, partition, from, to: own.at(-1)!.next_offset };
  });
}
