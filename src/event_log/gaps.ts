import type { Database, Queryable } from "../database/mod.ts";
import { format_time } from "../kpi/mod.ts";
import { partition_name, type TopicPartition } from "./source_message.ts";

/** Messages of a partition that can no longer be read: offsets [cursor, first_available), or a cursor past the end. */
export interface PartitionGap extends TopicPartition {
  readonly kind: "retention" | "truncated";
  /** The next offset to read. */
  readonly cursor: number;
  readonly first_available: number;
  readonly end: number;
}

/** A gap as the log keeps it until it is accepted. */
export interface KeptGap extends PartitionGap {
  /** When it was noticed first, as text. */
  readonly noticed_at: string;
}

/** A gap in words for operators. */
export function gap_reason(gap: PartitionGap | KeptGap): string {
  const { kind, cursor, first_available, end } = gap, name = partition_name(gap);
  const noticed = "noticed_at" in gap ? `, noticed at ${gap.noticed_at}` : "";
  return kind === "retention"
    ? `${name} keeps offsets from ${first_available} on, the next one to read is ${cursor}: ` +
      `${first_available - cursor} offsets are gone${noticed}`
    : `${name} ends at offset ${end}, the next one to read is ${cursor}: the topic was cut or made anew${noticed}`;
}

/** What an operator can do at a gap. */
export const GAP_ADVICE = "To go on without what is gone, on record: tacho accept-gap --by NAME --reason TEXT";

/**
 * Keeps that a gap was noticed, with the cursor that it was noticed at: what is gone may not show any more later, when the topic has grown past
 * the cursor. One that was noticed before keeps its time.
 * @param at where the cursor stands, and the cluster that it counts in
 * @returns false when it stands elsewhere: nothing is written then
 */
export async function keep_gap(
  database: Database,
  { topic, partition, ...gap }: PartitionGap,
  at: { readonly next_offset: number; readonly cluster_id: string },
  noticed_at_us: number,
): Promise<boolean> {
  const kept = await database.execute(
    `update source_cursors set gap = $5::jsonb
        || jsonb_build_object('noticed_at', coalesce(case when gap->>'kind' = $5::jsonb->>'kind' then gap->>'noticed_at' end, $6))
      where topic = $1 and partition = $2 and next_offset = $3 and cluster_id = $4`,
    [topic, partition, at.next_offset, at.cluster_id, JSON.stringify(gap), format_time(noticed_at_us)],
  );
  return kept === 1;
}

/** The gap that a row of `source_cursors` keeps; null where there is none. */
export const gap_in = (
  { topic, partition, gap }: { readonly topic: string; readonly partition: number; readonly gap: unknown },
): KeptGap | null => gap === null ? null : { topic, partition, ...gap as Omit<KeptGap, keyof TopicPartition> };

/** The gaps that were noticed and not accepted: how many, and the first of them. */
export interface OpenGaps {
  readonly count: number;
  readonly first: readonly KeptGap[];
}

/** Most gaps that are told one by one. */
const MOST_TOLD = 6;

/** Reads the gaps that were noticed and not accepted. */
export async function read_open_gaps(database: Queryable): Promise<OpenGaps> {
  const rows = await database.query({
    name: "read_open_gaps",
    text: `select topic, partition, gap, count(*) over () as count from source_cursors where gap is not null
      order by topic, partition limit ${MOST_TOLD}`,
  });
  const first = rows.map(({ topic, partition, gap }) =>
    gap_in({ topic: topic as string, partition: partition as number, gap })!
  );
  return { count: Number(rows[0]?.count ?? 0), first };
}

/** What is known of gaps in words, null where there is none. */
export const told_gaps = ({ count, first }: OpenGaps): string | null =>
  count === 0
    ? null
    : first.map(gap_reason).join("; ") + (count > first.length ? `; ${count - first.length} more gaps` : "");
