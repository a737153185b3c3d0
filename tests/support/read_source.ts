import assert from "node:assert/strict";
import type { KeptGap } from "../../src/event_log/mod.ts";
import { PATIENCE } from "./until.ts";
import type {
  CursorBook,
  MessageSource,
  PartitionEnds,
  SourceMessage,
  StoredCursor,
} from "../../src/ingest/message_source.ts";

/** A cursor book that a test writes: what the database would have committed. */
export class TestBook implements CursorBook {
  readonly #cursors = new Map<string, number>();
  /** How often it was read anew. */
  refreshed = 0;
  /** What a refresh finds, by `topic:partition`. */
  elsewhere = new Map<string, number>();
  /** Whether topics that were never read are begun at their ends. */
  begins_at_end = false;
  /** The ends that it was asked to begin by. */
  readonly begun: PartitionEnds[] = [];
  /** The gap that it keeps, of whichever partition. */
  kept: KeptGap | null = null;
  /** The cluster that all cursors belong to; null is whichever answers. */
  cluster_id: string | null = null;

  get(topic: string, partition: number): number | null {
    return this.#cursors.get(`${topic}:${partition}`) ?? null;
  }

  set(topic: string, partition: number, next_offset: number): void {
    this.#cursors.set(`${topic}:${partition}`, next_offset);
  }

  foreign([topic = ""]: readonly string[], cluster_id: string): StoredCursor | null {
    if (this.cluster_id === null || this.cluster_id === cluster_id) return null;
    return { topic, partition: 0, next_offset: this.get(topic, 0) ?? 0, cluster_id: this.cluster_id };
  }

  gap(): KeptGap | null {
    return this.kept;
  }

  refresh(): Promise<void> {
    this.refreshed++;
    for (const [key, next_offset] of this.elsewhere) this.#cursors.set(key, next_offset);
    return Promise.resolve();
  }

  begin(ends: readonly PartitionEnds[]): Promise<void> {
    for (const end of ends) {
      if (!this.begins_at_end || this.get(end.topic, end.partition) !== null) continue;
      this.begun.push(end);
      this.set(end.topic, end.partition, end.high);
    }
    return Promise.resolve();
  }
}

/** Reads a source as the ingest loop does: drops what lies below its cursor, and refuses what lies above it. */
export class SourceReader {
  readonly #next = new Map<string, number>();
  /** Messages that were handed out again. */
  redelivered = 0;

  /** @param book advanced with everything that was read, as a commit would; null leaves it alone */
  constructor(readonly source: MessageSource, readonly book: TestBook | null) {}

  /** Forgets where it was, as the loop does before it calls `rewind`. */
  forget(): void {
    this.#next.clear();
  }

  /** Takes once; [] when nothing came before the signal. */
  async take(limit: { messages: number; bytes: number }, signal: AbortSignal): Promise<SourceMessage[]> {
    const read: SourceMessage[] = [];
    for (const { topic, partition, from_offset, next_offset, messages } of await this.source.take(limit, signal)) {
      const key = `${topic}:${partition}`;
      const wanted = this.#next.get(key) ?? this.book?.get(topic, partition) ?? from_offset;
      assert.ok(from_offset <= wanted, `${key} was handed out from ${from_offset}, wanted ${wanted}`);
      assert.ok(next_offset > from_offset, `${key} was handed out from ${from_offset} to ${next_offset}`);
      let last = from_offset - 1;
      for (const message of messages) {
        assert.ok(message.offset > last && message.offset < next_offset, `offset ${message.offset} is out of place`);
        last = message.offset;
        if (message.offset < wanted) this.redelivered++;
        else read.push(message);
      }
      if (next_offset <= wanted) continue;
      this.#next.set(key, next_offset);
      this.book?.set(topic, partition, next_offset);
      if (this.book !== null) this.source.committed([{ topic, partition, next_offset }]);
    }
    return read;
  }

  /** Reads until it has so many new messages; fails when they do not come, and when more come than wanted. */
  async read(count: number, limit = { messages: 20_000, bytes: 8 << 20 }): Promise<SourceMessage[]> {
    const read: SourceMessage[] = [];
    const late = AbortSignal.timeout(PATIENCE * 30_000);
    while (read.length < count) {
      read.push(...await this.take(limit, late));
      if (late.aborted) {
        const state = JSON.stringify(this.source.state());
        throw new Error(`read ${count} messages: only ${read.length} came in time; the source is ${state}`);
      }
    }
    assert.equal(read.length, count);
    return read;
  }
}

/** The value of a message as text. */
export const text_of = (message: SourceMessage): string => new TextDecoder().decode(message.value ?? new Uint8Array());

/** Text as bytes. */
export const bytes_of = (text: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(text);
