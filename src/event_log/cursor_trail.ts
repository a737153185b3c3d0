import type { CursorAdvance } from "./append.ts";
import type { Faults } from "./faults.ts";
import { partition_name, type TopicPartition } from "./source_message.ts";

const name_of = (cursor: TopicPartition): string => `the cursor of ${partition_name(cursor)}`;

/** Follows what batches did to the cursors of the source partitions: each goes on where the one before it left off. */
export class CursorTrail {
  readonly #left_at = new Map<string, number>();

  /** @param whole whether the batches begin with the first one; if not, where a cursor stood before is taken from its first advance */
  constructor(readonly whole: boolean, readonly faults: Faults) {}

  /** Takes in the advances of the next batch. */
  follow(batch: number, advances: readonly CursorAdvance[]): void {
    for (const advance of advances) {
      const name = name_of(advance);
      const left_at = this.#left_at.get(name) ?? null;
      if ((this.whole || left_at !== null) && advance.from !== left_at) {
        this.faults.add(
          `batch ${batch}: ${name} goes on from ${advance.from}, the batches before left it at ${left_at}`,
        );
      }
      this.#left_at.set(name, advance.to);
    }
  }

  /**
   * Compares with where the cursors stand; those that no batch here moved can only be judged when the batches are all.
   * @returns how many were compared
   */
  settle(
    cursors: readonly (TopicPartition & { readonly next_offset: number })[],
  ): number {
    const missing = new Map(this.#left_at);
    for (const cursor of cursors) {
      const name = name_of(cursor);
      const left_at = this.#left_at.get(name) ?? null;
      if (cursor.next_offset < 0) this.faults.add(`${name} stands at ${cursor.next_offset}`);
      else if (left_at === null && this.whole) this.faults.add(`${name} is there, no batch moved it`);
      else if (left_at !== null && cursor.next_offset !== left_at) {
        this.faults.add(`${name} stands at ${cursor.next_offset}, the batches left it at ${left_at}`);
      }
      missing.delete(name);
    }
    for (const [name, left_at] of missing) this.faults.add(`${name} is missing, the batches left it at ${left_at}`);
    return this.#left_at.size;
  }
}
