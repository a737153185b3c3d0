import type {
  Cursor,
  CursorBook,
  MessageSource,
  SourceBatch,
  SourceMessage,
  SourceRemark,
  SourceState,
} from "../../src/ingest/mod.ts";
import { WakeUp } from "../../src/runtime/paced.ts";

/**
 * A source with several partitions in memory, for the tests of the ingest loop: what was put into it stays, so that any number of
 * sources after a crash deliver the same. Topic, partition and offset are those of its own, whatever the messages say.
 */
export class MemorySource implements MessageSource {
  readonly cluster_id = "memory";
  readonly topic: string;
  /** What `committed` was told, in order. */
  readonly told: Cursor[] = [];
  rewinds = 0;
  readonly #partitions: SourceMessage[][];
  #positions: number[] = [];
  #book: CursorBook | null = null;
  #closed = false;
  readonly #changed = new WakeUp();

  constructor(topic: string, partitions: readonly (readonly SourceMessage[])[]) {
    this.topic = topic;
    this.#partitions = partitions.map(() => []);
    for (const [partition, messages] of partitions.entries()) this.put(partition, messages);
  }

  put(partition: number, messages: readonly SourceMessage[]): void {
    const kept = this.#partitions[partition]!;
    for (const each of messages) kept.push({ ...each, topic: this.topic, partition, offset: kept.length });
    this.#changed.ring();
  }

  open(book: CursorBook): Promise<void> {
    this.#book = book;
    this.#seek();
    return Promise.resolve();
  }

  #seek(): void {
    this.#positions = this.#partitions.map((_, partition) => this.#book?.get(this.topic, partition) ?? 0);
  }

  async take(limit: { readonly messages: number }, signal: AbortSignal): Promise<SourceBatch[]> {
    for (;;) {
      if (this.#closed || signal.aborted) return [];
      const share = Math.max(1, Math.floor(limit.messages / this.#partitions.length));
      const batches = this.#partitions.flatMap((messages, partition): SourceBatch[] => {
        const from_offset = this.#positions[partition]!;
        const taken = messages.slice(from_offset, from_offset + share);
        if (taken.length === 0) return [];
        const next_offset = this.#positions[partition] = from_offset + taken.length;
        return [{ topic: this.topic, partition, from_offset, next_offset, messages: taken }];
      });
      if (batches.length > 0) return batches;
      await this.#changed.next(signal);
    }
  }

  committed(cursors: readonly Cursor[]): void {
    this.told.push(...cursors);
  }

  rewind(): void {
    this.rewinds++;
    this.#seek();
    this.#changed.ring();
  }

  state(): SourceState {
    return { state: this.#closed ? "closed" : "running", since_ms: 0, reason: null };
  }

  remarks(): readonly SourceRemark[] {
    return [];
  }

  lag(): number {
    const behind = this.#partitions.map((messages, partition) =>
      messages.length - (this.#book?.get(this.topic, partition) ?? 0)
    );
    return behind.reduce((sum, each) => sum + each, 0);
  }

  close(): Promise<void> {
    this.#closed = true;
    this.#changed.ring();
    return Promise.resolve();
  }
}
