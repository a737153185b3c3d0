import type { Queryable } from "../database/mod.ts";
import { canonical_json } from "../domains/mod.ts";
import { format_time } from "../kpi/mod.ts";
import type { CursorAdvance } from "./append.ts";
import type { BatchHeader } from "./chain.ts";
import type { WrittenRow } from "./quarantine.ts";

/** A batch as the log gives it back. */
export interface RecordedBatch {
  readonly header: BatchHeader;
  readonly advances: readonly CursorAdvance[];
  /** The rows of the quarantine that it wrote; null when it does not say, as batches of earlier versions. */
  readonly written: readonly WrittenRow[] | null;
  readonly content_hash: Uint8Array;
  readonly link: Uint8Array;
}

/** A batch that set aside all it read notes a row for each of its 20,000 messages: 34 bytes each. */
const PAGE_BATCHES = 50;

const SELECT =
  `select batch, kind, first_position, last_position, messages_read, admitted, duplicates, quarantined, tombstones, skipped, late, cursors, note,
  (extract(epoch from recorded_at) * 1000000)::bigint as recorded_at_us, content_hash, link
  from batches where batch > $1 and batch <= $2 order by batch`;

const recorded = (row: Record<string, unknown>): RecordedBatch => {
  const advances = (row.cursors as CursorAdvance[]).map(({ from, partition, to, topic }) => ({
    from,
    partition,
    to,
    topic,
  }));
  return {
    header: {
      batch: Number(row.batch),
      kind: row.kind as BatchHeader["kind"],
      first_position: Number(row.first_position),
      last_position: Number(row.last_position),
      messages_read: Number(row.messages_read),
      admitted: Number(row.admitted),
      duplicates: Number(row.duplicates),
      quarantined: Number(row.quarantined),
      tombstones: Number(row.tombstones),
      skipped: Number(row.skipped),
      late: Number(row.late),
      cursors: canonical_json(advances),
      note: row.note === null ? null : canonical_json(row.note),
      recorded_at: format_time(Number(row.recorded_at_us)),
    },
    advances,
    written: (row.note as { readonly quarantine?: WrittenRow[] } | null)?.quarantine ?? null,
    content_hash: row.content_hash as Uint8Array,
    link: row.link as Uint8Array,
  };
};

/** The batches after a batch up to another, in order. What is recorded does not change: no transaction is held. */
export async function* batches_between(
  database: Queryable,
  after: number,
  last: number,
): AsyncGenerator<RecordedBatch> {
  for (let from = after; from < last; from += PAGE_BATCHES) {
    const rows = await database.query(SELECT, [from, Math.min(from + PAGE_BATCHES, last)]);
    for (const row of rows) yield recorded(row);
  }
}
