import { type Database, plain_array, text_array } from "../database/mod.ts";
import { record_decision } from "./decision.ts";
import { Overtaken } from "./overtaken.ts";
import { partition_name, type TopicPartition } from "./source_message.ts";

/** A gap of one partition: the cursor moves from `from`, which counts in the cluster `cluster_id`, to `to`. */
export interface AcceptedGap extends TopicPartition {
  readonly from: number;
  readonly to: number;
  readonly cluster_id: string;
}

/** Messages that an operator accepts as lost, at least one partition's. */
export interface AcceptedGaps {
  readonly gaps: readonly AcceptedGap[];
  /** The cluster that the offsets moved to count in. */
  readonly cluster_id: string;
  /** Who accepts it, and why. */
  readonly by: string;
  readonly reason: string;
}

/**
 * Moves the cursors across the gaps and records who accepted them, when, why and which offsets, as a batch of its own in the hash chain:
 * all of them or none. Throws Overtaken when a cursor does not stand where it did; nothing is written then.
 * @returns the number of the batch
 */
export function accept_gaps(database: Database, accepted: AcceptedGaps, recorded_at_us: number): Promise<number> {
  const { gaps, cluster_id, by, reason } = accepted;
  return database.transaction(async (tx) => {
    const cursors = gaps.map(({ topic, partition, from, to }) => ({ topic, partition, from, to }));
    const left = [...new Set(gaps.map((gap) => gap.cluster_id))].filter((id) => id !== cluster_id);
    const note = { by, cluster_id, reason, ...(left.length === 0 ? {} : { cluster_ids_left: left }) };
    const batch = await record_decision(tx, { kind: "gap_accepted", cursors, note }, recorded_at_us);
    const moved = await tx.execute(
      `update source_cursors c set next_offset = u.next_offset, cluster_id = $1, updated_at = now()
        from unnest($2::text[], $3::integer[], $4::bigint[], $5::bigint[], $6::text[])
          as u(topic, partition, next_offset, expected, cluster_id)
        where c.topic = u.topic and c.partition = u.partition and c.next_offset = u.expected and c.cluster_id = u.cluster_id`,
      [
        cluster_id,
        text_array(gaps.map(({ topic }) => topic)),
        plain_array(gaps.map(({ partition }) => partition)),
        plain_array(gaps.map(({ to }) => to)),
        plain_array(gaps.map(({ from }) => from)),
        text_array(gaps.map((gap) => gap.cluster_id)),
      ],
    );
    if (moved !== gaps.length) {
      const wanted = gaps.map((gap) => `${partition_name(gap)} at ${gap.from}`).join(", ");
      throw new Overtaken(`accept gap: expected ${wanted}; ${gaps.length - moved} of them stand elsewhere`);
    }
    return batch;
  });
}
