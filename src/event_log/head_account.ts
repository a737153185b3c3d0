import type { BatchHeader } from "./chain.ts";
import type { Faults } from "./faults.ts";
import type { Head } from "./head.ts";

const COUNTED = ["messages_read", "duplicates", "quarantined", "tombstones", "skipped", "late"] as const;

/** How many held messages a batch tried again. */
export const retried_in = ({ kind, note }: Pick<BatchHeader, "kind" | "note">): number =>
  kind === "retried" && note !== null ? Number(JSON.parse(note).count) : 0;

/** What the head has to count, added up from the batches. Messages that are retried were read and quarantined by a batch before. */
export class HeadAccount {
  readonly #sums = { messages_read: 0, duplicates: 0, quarantined: 0, tombstones: 0, skipped: 0, late: 0 };

  add({ kind, messages_read, duplicates, quarantined, tombstones, skipped, late, note }: BatchHeader): void {
    const again = retried_in({ kind, note });
    this.#sums.messages_read += messages_read - again;
    this.#sums.duplicates += duplicates;
    this.#sums.quarantined += quarantined - again;
    this.#sums.tombstones += tombstones;
    this.#sums.skipped += skipped;
    this.#sums.late += late;
  }

  /** Compares with the head, once all batches were added. */
  compare(head: Head, faults: Faults): void {
    for (const name of COUNTED) {
      if (head[name] !== this.#sums[name]) {
        faults.add(`the head counts ${name} ${head[name]}, its batches add up to ${this.#sums[name]}`);
      }
    }
  }
}

/** What the head counts has to add up by itself. */
export function verify_head(head: Head, faults: Faults): void {
  const { messages_read, position, duplicates, quarantined, tombstones, skipped } = head;
  if (messages_read === position + duplicates + quarantined + tombstones + skipped) return;
  faults.add(
    `the head does not add up: ${messages_read} messages read, ${position} admitted, ${duplicates} duplicates, ${quarantined} quarantined, ${tombstones} tombstones, ${skipped} skipped`,
  );
}
