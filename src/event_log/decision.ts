import { SCHEMA_NUMBER, type Transaction } from "../database/mod.ts";
import { canonical_json } from "../domains/mod.ts";
import { format_time } from "../kpi/mod.ts";
import { type CursorAdvance, cursors_json, write_batch } from "./append.ts";
import { type BatchHeader, content_hash, next_link } from "./chain.ts";

/** What an operator decided about the log. */
export interface Decision {
  readonly kind: "gap_accepted" | "discarded" | "watermark_set_back";
  /** The cursors it moves, if any; moving them is the caller's. */
  readonly cursors: readonly CursorAdvance[];
  /** Who decided, why, and what it is about. */
  readonly note: Readonly<Record<string, unknown>>;
}

/**
 * Records a decision as a batch of its own in the hash chain, which admits nothing. Waits for the head's lock, and holds it until the
 * transaction ends.
 * @returns the number of the batch
 */
export async function record_decision(tx: Transaction, decision: Decision, recorded_at_us: number): Promise<number> {
  const recorded_at = format_time(recorded_at_us);
  const [head] = await tx.query<{ position: string; batch: string; link: Uint8Array }>(
    `update log_head set batch = batch + 1, recorded_at = $1, written_for = ${SCHEMA_NUMBER} returning position, batch, link`,
    [recorded_at],
  );
  if (head === undefined) throw new Error(`record ${decision.kind}: log_head has no row; run \`tacho migrate\``);
  const position = Number(head.position);
  const header: BatchHeader = {
    batch: Number(head.batch),
    kind: decision.kind,
    first_position: position + 1,
    last_position: position,
    messages_read: 0,
    admitted: 0,
    duplicates: 0,
    quarantined: 0,
    tombstones: 0,
    skipped: 0,
    late: 0,
    cursors: cursors_json(decision.cursors),
    note: canonical_json(decision.note),
    recorded_at,
  };
  const content = content_hash(new Uint8Array());
  await write_batch(tx, header, content, next_link(head.link, content, header));
  return header.batch;
}
