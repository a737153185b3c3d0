import type { Database, Queryable } from "../database/mod.ts";
import { format_time } from "../kpi/mod.ts";
import { partition_name, type TopicPartition } from "./source_message.ts";

/** Messages of a partition that cannot be read: offsets [cursor, first_available), or a cursor past the end. */
export type PartitionGap =
  & TopicPartition
  & {
    /** The next offset to read. */
    readonly cursor: number;
    readonly first_available: number;
    readonly end: number;
  }
  & (
    | { readonly kind: "retention" | "truncated" }
    /** They are there, packed in a way that this version does not know. */
    | { readonly kind: "unknown_codec"; readonly codec: number }
  );

/** A gap as the log keeps it until it is accepted. `noticed_at`: when it was noticed first, as text. */
export type KeptGap = PartitionGap & { readonly noticed_at: string };

/** The offsets of a gap, as the command line names them. */
const offsets_of = ({ cursor, first_available }: PartitionGap): string => `${cursor}-${first_available - 1}`;

/** What names a batch that is to be skipped: `topic/0:100-149`. */
export const skip_name = (gap: PartitionGap): string => `${partition_name(gap)}:${offsets_of(gap)}`;

/** A gap in words for operators. */
export function gap_reason(gap: PartitionGap | KeptGap): string {
  const { cursor, first_available, end } = gap, name = partition_name(gap);
  const noticed = "noticed_at" in gap ? `, noticed at ${gap.noticed_at}` : "";
  switch (gap.kind) {
    case "retention":
      return `${name} keeps offsets from ${first_available} on, the next one to read is ${cursor}: ` +
        `${first_available - cursor} offsets are gone${noticed}`;
    case "truncated":
      return `${name} ends at offset ${end}, the next one to read is ${cursor}: the topic was cut or made anew${noticed}`;
    case "unknown_codec":
      return `${name} offsets ${
        offsets_of(gap)
      }: the record batch is packed with codec ${gap.codec}, known are 0 to 4${noticed}`;
  }
}

/** What an operator can do at a gap. */
export const gap_advice = (gap: PartitionGap | { readonly kind: "other_cluster" }): string =>
  gap.kind === "unknown_codec"
    ? `A later version may know the codec. To go on without these messages, on record: tacho accept-gap --skip ${
      skip_name(gap)
    } --by NAME --reason TEXT`
    : "To go on without what is gone, on record: tacho accept-gap --by NAME --reason TEXT";

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
        || jsonb_build_object('noticed_at', coalesce(case when gap->>'kind' = $5::jsonb->>'kind' and gap->'cursor' = $5::jsonb->'cursor' then gap->>'noticed_at' end, $6))
      where topic = $1 and partition = $2 and next_offset = $3 and cluster_id = $4`,
    [topic, partition, at.next_offset, at.cluster_id, JSON.stringify(gap), format_time(noticed_at_us)],
  );
  return kept === 1;
}

/** SQL: whether a row of `source_cursors` keeps a gap. A version that knew the codec may have read on meanwhile. */
const HAS_GAP = "gap is not null and (gap->>'kind' <> 'unknown_codec' or next_offset <= (gap->>'cursor')::bigint)";
/** SQL: the gap that a row of `source_cursors` keeps, null where there is none. */
export const KEPT_GAP =
  `case when ${HAS_GAP} then gap || jsonb_build_object('topic', topic, 'partition', partition) end as gap`;

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
    text: `select ${KEPT_GAP}, count(*) over () as count from source_cursors where ${HAS_GAP}
      order by topic, partition limit ${MOST_TOLD}`,
  });
  return { count: Number(rows[0]?.count ?? 0), first: rows.map(({ gap }) => gap as KeptGap) };
}

/** What is known of gaps in words, null where there is none. */
export const told_gaps = ({ count, first }: OpenGaps): string | null =>
  count === 0
    ? null
    : first.map(gap_reason).join("; ") + (count > first.length ? `; ${count - first.length} more gaps` : "");
