import {
  type Database,
  number_or_null,
  plain_array,
  type Queryable,
  SCHEMA_NUMBER,
  text_array,
  type Transaction,
  type Value,
} from "../database/mod.ts";
import { canonical_json } from "../domains/mod.ts";
import { format_time, time_or_null } from "../kpi/mod.ts";
import { type CursorAdvance, cursors_json, write_batch } from "./append.ts";
import { require_kept } from "./archives.ts";
import { type BatchHeader, content_hash, next_link } from "./chain.ts";
import { type KeptGap, Overtaken, watermark_is_void } from "./head.ts";
import { filter_condition, type QuarantineFilter, RETURNING_WRITTEN, written_rows } from "./quarantine.ts";
import { partition_name, type TopicPartition } from "./source_message.ts";

/** What an operator decided about the log. */
interface Decision {
  readonly kind: "gap_accepted" | "discarded" | "watermark_set_back" | "forgotten";
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

/** A gap of one partition: the cursor moves from `from`, which counts in the cluster `cluster_id`, to `to`. */
export interface AcceptedGap extends TopicPartition {
  readonly from: number;
  readonly to: number;
  readonly cluster_id: string;
  /** As it was noticed, where that was kept. */
  readonly noticed?: KeptGap;
}

/** Messages that an operator accepts as lost, at least one partition's. */
interface AcceptedGaps {
  readonly gaps: readonly AcceptedGap[];
  /** The cluster that the offsets moved to count in. */
  readonly cluster_id: string;
  /** Who accepts it, and why. */
  readonly by: string;
  readonly reason: string;
}

/**
 * Moves the cursors across the gaps, which are kept no more, and records who accepted them, when, why and which offsets, as a batch of its own in the hash chain:
 * all of them or none. Throws Overtaken when a cursor does not stand where it did; nothing is written then.
 * @returns the number of the batch
 */
export function accept_gaps(database: Database, accepted: AcceptedGaps, recorded_at_us: number): Promise<number> {
  const { gaps, cluster_id, by, reason } = accepted;
  return database.transaction(async (tx) => {
    const cursors = gaps.map(({ topic, partition, from, to }) => ({ topic, partition, from, to }));
    const left = [...new Set(gaps.map((gap) => gap.cluster_id))].filter((id) => id !== cluster_id);
    const noticed = gaps.flatMap(({ noticed }) => noticed ?? []);
    const note = {
      by,
      cluster_id,
      reason,
      ...left.length === 0 ? {} : { cluster_ids_left: left },
      ...noticed.length === 0 ? {} : { noticed },
    };
    const batch = await record_decision(tx, { kind: "gap_accepted", cursors, note }, recorded_at_us);
    const moved = await tx.execute(
      `update source_cursors c set next_offset = u.next_offset, cluster_id = $1, gap = null, updated_at = now()
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

/** Where a partition is begun, and how many offsets before are passed over. */
interface BegunPartition extends TopicPartition {
  readonly at: number;
  readonly passed_over: number;
}

/**
 * Begins topics that were never read at the end that their partitions have: gives these their first cursors, and records which, where and how
 * many offsets were passed over, as a batch of its own in the hash chain. It is a gap that the configuration accepts, from no cursor. All of
 * a topic's partitions are named at once: one that has no cursor later was added later, and nothing of it was passed over. Throws Overtaken
 * when any of the topics has a cursor by now; nothing is written then.
 * @returns the number of the batch
 */
export function begin_at_end(
  database: Database,
  { partitions, cluster_id }: { readonly partitions: readonly BegunPartition[]; readonly cluster_id: string },
  recorded_at_us: number,
): Promise<number> {
  return database.transaction(async (tx) => {
    const cursors = partitions.map(({ topic, partition, at }) => ({ topic, partition, from: null, to: at }));
    const begun = partitions.map(({ topic, partition, at, passed_over }) => ({ topic, partition, at, passed_over }));
    const note = { begun, by: "TACHO_START", cluster_id, reason: "begun at the end, as TACHO_START=latest says" };
    // The head first, as all who make cursors do: nobody makes one of these meanwhile.
    const batch = await record_decision(tx, { kind: "gap_accepted", cursors, note }, recorded_at_us);
    const made = await tx.execute(
      `insert into source_cursors (topic, partition, next_offset, cluster_id)
        select u.topic, u.partition, u.next_offset, $4
        from unnest($1::text[], $2::integer[], $3::bigint[]) as u(topic, partition, next_offset)
        where not exists (select from source_cursors known where known.topic = u.topic)`,
      [
        text_array(partitions.map(({ topic }) => topic)),
        plain_array(partitions.map(({ partition }) => partition)),
        plain_array(partitions.map(({ at }) => at)),
        cluster_id,
      ],
    );
    if (made !== partitions.length) {
      const topics = [...new Set(partitions.map(({ topic }) => topic))].join(", ");
      throw new Overtaken(
        `begin at the end: expected no cursor of ${topics}; ${partitions.length - made} partitions have some`,
      );
    }
    return batch;
  });
}

/** What an operator discards, who he is and why. */
interface Discard {
  readonly filter: QuarantineFilter;
  /** Ids above this one are none of it. */
  readonly newest_id: number;
  /** At most so many at once, oldest first. */
  readonly limit: number;
  readonly by: string;
  readonly reason: string;
}

/**
 * Discards held messages: they keep their bytes and are not retried any more. The decision is recorded with their ids as a batch of its
 * own in the hash chain, in the same transaction.
 * @returns how many were discarded; 0 when none was left, and then nothing was recorded
 */
export function discard_held(database: Database, discard: Discard, recorded_at_us: number): Promise<number> {
  const { filter, newest_id, limit, by, reason } = discard;
  return database.transaction(async (tx) => {
    // The head first, as all who append do: nobody settles one of these messages meanwhile.
    await tx.query("select 1 from log_head for update");
    const values: Value[] = [newest_id, limit];
    const held = await tx.query(
      `select quarantine_id from quarantine where status = 'held' and quarantine_id <= $1
        and ${filter_condition(filter, values)} order by quarantine_id limit $2`,
      values,
    );
    if (held.length === 0) return 0;
    const ids = held.map(({ quarantine_id }) => Number(quarantine_id));
    const discarded = await tx.query(
      `update quarantine q set status = 'discarded', settled_at = $2 where quarantine_id = any($1::bigint[]) ${RETURNING_WRITTEN}`,
      [plain_array(ids), format_time(recorded_at_us)],
    );
    const note = { by, ids, quarantine: written_rows(discarded), reason };
    await record_decision(tx, { kind: "discarded", cursors: [], note }, recorded_at_us);
    return ids.length;
  });
}

/**
 * The watermark: how far event time has come. An event of a wrong clock that was admitted moves it years ahead, and closes every window
 * before: all that comes is late then. The event stays, the log is append-only; the watermark is set back, on record.
 */

/** A watermark that lies too far ahead, and what is known of it. Times in microseconds. */
export interface SpoiltWatermark {
  readonly from_us: number;
  /** The greatest event time of the log that is believed; null: there is none. */
  readonly to_us: number | null;
  /** Event times later than this are not believed. */
  readonly latest_us: number;
  /** The first batch that says a watermark which is not believed. */
  readonly since_batch: number;
  /** How many events are not believed. They stay in the log. */
  readonly events: number;
}

/** Who sets the watermark back, and why. */
interface SetBack {
  readonly latest_us: number;
  readonly by: string;
  readonly reason: string;
}

/** The greatest believed event time behind a position, of which all have to be in the table, and how many events are not believed there. */
async function read_events(queryable: Queryable, after: number, latest_us: number) {
  await require_kept(queryable, after);
  const [row] = await queryable.query<{ to_us: string | null; beyond: string }>(
    `select (extract(epoch from max(occurred_at) filter (where occurred_at <= $2::timestamptz)) * 1000000)::bigint as to_us,
       count(*) filter (where occurred_at > $2::timestamptz) as beyond
     from events where position > $1`,
    [after, format_time(latest_us)],
  );
  return {
    to_us: number_or_null(row?.to_us),
    events: Number(row?.beyond ?? 0),
  };
}

const later = (a: number | null, b: number | null): number | null => a === null || (b !== null && b > a) ? b : a;

/**
 * Looks whether the watermark lies later than is believed: null when it does not. Reads the events since the batch that spoilt it.
 * @param read_to the position up to which that has been looked at, with what was found
 */
export async function spoilt_watermark(
  queryable: Queryable,
  latest_us: number,
  read_to: { readonly position: number; readonly found: SpoiltWatermark } | null = null,
): Promise<SpoiltWatermark | null> {
  const [head] = await queryable.query<{ from_us: string }>(
    `select (extract(epoch from watermark) * 1000000)::bigint as from_us from log_head where watermark > $1::timestamptz`,
    [format_time(latest_us)],
  );
  if (head === undefined) return null;
  const from_us = Number(head.from_us);
  if (read_to !== null) {
    const { found } = read_to;
    const { to_us, events } = await read_events(queryable, read_to.position, latest_us);
    return { ...found, from_us, to_us: later(found.to_us, to_us), events: found.events + events };
  }
  const [spoilt] = await queryable.query<{ batch: string; after: string; before_us: string | null }>(
    `select own.batch, own.first_position - 1 as after, (extract(epoch from before.watermark) * 1000000)::bigint as before_us
     from batches own left join batches before on before.batch = own.batch - 1
     where own.watermark > $1::timestamptz and not ${watermark_is_void("own")} order by own.batch limit 1`,
    [format_time(latest_us)],
  );
  // Batches from before they kept watermarks do not say how far event time had come: then all events are asked.
  const { batch = "1", after = "0", before_us = null } = spoilt ?? {};
  const known_us = number_or_null(before_us);
  const { to_us, events } = await read_events(queryable, known_us === null ? 0 : Number(after), latest_us);
  return { from_us, to_us: later(known_us, to_us), latest_us, since_batch: Number(batch), events };
}

/**
 * Sets the watermark back to the greatest event time that is believed, and records who did, when and why as a batch of its own in the
 * hash chain. Appenders wait while the events are read that came since the first look; running programs take it over with their next
 * batch.
 * @returns what was done and the number of the batch; null when the watermark is believed: nothing is written then
 */
export async function set_watermark_back(
  database: Database,
  { latest_us, by, reason }: SetBack,
  recorded_at_us: number,
): Promise<SpoiltWatermark & { readonly batch: number } | null> {
  // The long look is taken before the head is locked.
  const [head] = await database.query<{ position: string }>("select position from log_head");
  const first = await spoilt_watermark(database, latest_us);
  if (first === null || head === undefined) return null;
  return await database.transaction(async (tx) => {
    await tx.query("select 1 from log_head for update");
    const found = await spoilt_watermark(tx, latest_us, { position: Number(head.position), found: first });
    if (found === null) return null;
    const { from_us, to_us, since_batch, events } = found;
    const to = time_or_null(to_us);
    await tx.execute("update log_head set watermark = $1::timestamptz", [to]);
    // How far those partitions had come before is not kept: their next batches say.
    await tx.execute("update source_cursors set watermark = null where watermark > $1::timestamptz", [
      format_time(latest_us),
    ]);
    const note = { by, events, from: format_time(from_us), not_after: format_time(latest_us), reason, since_batch, to };
    const batch = await record_decision(tx, { kind: "watermark_set_back", cursors: [], note }, recorded_at_us);
    return { ...found, batch };
  });
}
