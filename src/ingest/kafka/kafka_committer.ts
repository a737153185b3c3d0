import { type Cursor, partition_name, type TopicPartition } from "../message_source.ts";

/** Writes offsets to the group. */
export type CommitOffsets = (
  offsets: { readonly topic: string; readonly partition: number; readonly offset: string }[],
) => Promise<void>;

/**
 * Tells the broker's group which cursors are durable, for lag tools alone: nothing reads them back. One request at a time,
 * the newest cursor of each partition; what the broker refuses is replaced by the next one.
 */
export class KafkaCommitter {
  readonly #commit: CommitOffsets;
  readonly #on_refused: (error: unknown) => void;
  #pending = new Map<string, Cursor>();
  #running: Promise<void> | null = null;

  /** @param on_refused told what a request failed with */
  constructor(commit: CommitOffsets, on_refused: (error: unknown) => void) {
    this.#commit = commit;
    this.#on_refused = on_refused;
  }

  /** Notes cursors, and sends them when no request is under way. Cursors of partitions that are not assigned are left out. */
  committed(cursors: readonly Cursor[], assigned: readonly TopicPartition[]): void {
    const ours = new Set(assigned.map(partition_name));
    for (const cursor of cursors) {
      const key = partition_name(cursor);
      if (ours.has(key)) this.#pending.set(key, cursor);
    }
    this.#running ??= this.#send_all().finally(() => this.#running = null);
  }

  /** Resolves when nothing is under way. Never rejects. */
  async settled(): Promise<void> {
    await this.#running;
  }

  async #send_all(): Promise<void> {
    while (this.#pending.size > 0) {
      const cursors = [...this.#pending.values()];
      this.#pending = new Map();
      const offsets = cursors.map(({ topic, partition, next_offset }) => ({
        topic,
        partition,
        offset: String(next_offset),
      }));
      await this.#commit(offsets).catch(this.#on_refused);
    }
  }
}
