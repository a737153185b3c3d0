import type { CursorAdvance } from "../event_log/mod.ts";
import type { Cursor, CursorBook, SourceBatch } from "./message_source.ts";

const name_of = (topic: string, partition: number): string => `${topic}/${partition}`;

/**
 * The cursors of the partitions this process reads: as committed (what sources go by) and as planned (where the next batch
 * must begin). Batches are trimmed to what was not planned yet.
 */
export class Cursors implements CursorBook {
  readonly #committed = new Map<string, number>();
  readonly #planned = new Map<string, number>();
  readonly #read: () => Promise<readonly Cursor[]>;

  /** @param read reads all cursors from the database */
  constructor(read: () => Promise<readonly Cursor[]> = () => Promise.resolve([])) {
    this.#read = read;
  }

  get(topic: string, partition: number): number | null {
    return this.#committed.get(name_of(topic, partition)) ?? null;
  }

  /** Raises what is committed to what the database says: another process may have read on. What is planned stays. */
  async refresh(): Promise<void> {
    for (const { topic, partition, next_offset } of await this.#read()) {
      const name = name_of(topic, partition);
      if (next_offset > (this.#committed.get(name) ?? -1)) this.#committed.set(name, next_offset);
    }
  }

  /** Takes over what the database says, whatever was planned: for a source that stands still. */
  async reread(): Promise<void> {
    this.reset(await this.#read());
  }

  /** Replaces everything by what the database says. */
  reset(cursors: readonly Cursor[]): void {
    this.#committed.clear();
    this.#planned.clear();
    for (const { topic, partition, next_offset } of cursors) {
      this.#committed.set(name_of(topic, partition), next_offset);
    }
  }

  /** Takes in what a transaction committed. */
  commit(advances: readonly CursorAdvance[]): void {
    for (const { topic, partition, to } of advances) this.#committed.set(name_of(topic, partition), to);
  }

  /**
   * Trims batches to what is new, and moves the planned cursors past them. A batch below the planned cursor was delivered again
   * and is dropped; one that begins above it was delivered for another time and place: null, begin anew.
   */
  claim(batches: readonly SourceBatch[]): { fresh: SourceBatch[]; advances: CursorAdvance[] } | null {
    const fresh: SourceBatch[] = [];
    const advances = new Map<string, CursorAdvance>();
    for (const batch of batches) {
      const name = name_of(batch.topic, batch.partition);
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
