import type { Database } from "../database/mod.ts";
import { canonical_json } from "../domains/mod.ts";
import { format_time } from "../kpi/mod.ts";
import { CursorMoved, write_batch } from "./append.ts";
import { type BatchHeader, content_hash, next_link } from "./chain.ts";

/** Messages that an operator accepts as lost: the cursor of one partition moves from `from` to `to`, perhaps in another cluster. */
export interface AcceptedGap {
  readonly topic: string;
  readonly partition: number;
  readonly from: number;
  readonly to: number;
  readonly cluster_id: string;
  /** Who accepts it, and why. */
  readonly by: string;
  readonly reason: string;
}

/**
 * Moves a cursor across a gap and records who accepted it, when, why and which offsets, as a batch of its own in the hash chain.
 * Throws CursorMoved when the cursor does not stand at `from` any more; nothing is written then.
 * @returns the number of the batch
 */
export function accept_gap(database: Database, gap: AcceptedGap, recorded_at_us: number): Promise<number> {
  const recorded_at = format_time(recorded_at_us);
  const { topic, partition, from, to, cluster_id, by, reason } = gap;
  return database.transaction(async (tx) => {
    const [head] = await tx.query<{ position: string; batch: string; link: Uint8Array }>(
      "update log_head set batch = batch + 1, recorded_at = $1 returning position, batch, link",
      [recorded_at],
    );
    const moved = await tx.execute(
      `update source_cursors set next_offset = $4, cluster_id = $5, updated_at = now()
        where topic = $1 and partition = $2 and next_offset = $3`,
      [topic, partition, from, to, cluster_id],
    );
    if (head === undefined || moved !== 1) {
      throw new CursorMoved(`accept gap: expected the cursor of ${topic}/${partition} at ${from}; it stands elsewhere`);
    }
    const position = Number(head.position);
    const header: BatchHeader = {
      batch: Number(head.batch),
      kind: "gap_accepted",
      first_position: position + 1,
      last_position: position,
      messages_read: 0,
      admitted: 0,
      duplicates: 0,
      quarantined: 0,
      late: 0,
      cursors: canonical_json([{ from, partition, to, topic }]),
      note: canonical_json({ by, cluster_id, reason }),
      recorded_at,
    };
    const content = content_hash([]);
    await write_batch(tx, header, content, next_link(head.link, content, header));
    return header.batch;
  });
}
