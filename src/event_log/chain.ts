import { createHash } from "node:crypto";

/**
 * The hash chain over batches. content_hash = SHA-256 of the batch's event lines in order of position; link = SHA-256 of the
 * previous link, the content hash and the batch's header. Whoever changes a stored event, or a batch's account, breaks every
 * link after it.
 */

/** The link before the first batch. */
export const FIRST_LINK: Uint8Array = new Uint8Array(32);

/** What the header of a batch says; written to `batches` and hashed. */
export interface BatchHeader {
  readonly batch: number;
  readonly kind: "append" | "retried" | "gap_accepted" | "discarded";
  readonly first_position: number;
  readonly last_position: number;
  readonly messages_read: number;
  readonly admitted: number;
  readonly duplicates: number;
  readonly quarantined: number;
  readonly late: number;
  /** Canonical JSON of what the cursors did: `[{"from":0,"partition":0,"to":5,"topic":"trips"}]`. */
  readonly cursors: string;
  /** Canonical JSON or null. */
  readonly note: string | null;
  /** As `format_time` writes it. */
  readonly recorded_at: string;
}

/** SHA-256 of the event lines of a batch. */
export function content_hash(lines: readonly string[]): Uint8Array {
  const hash = createHash("sha256");
  // Joined in slices: one update per line costs more than the hashing, one string of all costs memory.
  for (let at = 0; at < lines.length; at += 1000) hash.update(lines.slice(at, at + 1000).join(""));
  return hash.digest();
}

/** The link of a batch. */
export function next_link(previous: Uint8Array, content: Uint8Array, header: BatchHeader): Uint8Array {
  const text = JSON.stringify([
    header.batch,
    header.kind,
    header.first_position,
    header.last_position,
    header.messages_read,
    header.admitted,
    header.duplicates,
    header.quarantined,
    header.late,
    header.cursors,
    header.note,
    header.recorded_at,
  ]);
  return createHash("sha256").update(previous).update(content).update(text).digest();
}
