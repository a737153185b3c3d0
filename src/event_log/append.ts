import {
  type CopyRows,
  type Database,
  number_or_null,
  plain_array,
  SCHEMA_NUMBER,
  text_array,
  type Transaction,
  us_of,
  type Value,
  violated_constraint,
} from "../database/mod.ts";
import { canonical_json } from "../domains/mod.ts";
import { format_time, type Kept, same_kept, time_or_null } from "../kpi/mod.ts";
import { type BatchHeader, EVENT_COLUMNS, next_link } from "./chain.ts";
import { KEPT_FROM, kept_of, Overtaken } from "./head.ts";
import {
  type QuarantinedMessage,
  set_aside,
  type SetAside,
  settle,
  type Settlement,
  type WrittenRow,
} from "./quarantine.ts";
import { partition_name, type TopicPartition } from "./source_message.ts";
import type { EncodedStreams, StreamStates } from "./stream_states.ts";

/** Where one source partition stood and where it stands after the batch. `from` null: it has no cursor yet, this makes it. */
export interface CursorAdvance extends TopicPartition {
  readonly from: number | null;
  readonly to: number;
  /** The greatest time of the events that the batch admits from it; absent when it admits none. */
  readonly newest_us?: number;
}

/** A person, by the dimension that it is a key of and its producer's id, and what stands for it in the log. */
export interface Person {
  readonly dimension: string;
  readonly person_id: string;
  readonly alias: string;
}

/** What makes a batch one of messages that were held: they were read before, and what became of each is settled with it. */
interface Retried {
  readonly settlements: readonly Settlement[];
  /** Canonical JSON: what was asked for; its `count` is that of the messages. */
  readonly note: string;
}

/** Everything one transaction commits. Positions are not in it: they are given out under the head's lock. */
export interface Batch {
  readonly cluster_id: string;
  readonly cursors: readonly CursorAdvance[];
  readonly messages_read: number;
  readonly duplicates: number;
  readonly tombstones: number;
  readonly skipped: number;
  readonly late: number;
  /** Its events as `EventRows` writes them, and the hash of their lines. */
  readonly rows: CopyRows;
  readonly content: Uint8Array;
  readonly streams: EncodedStreams;
  readonly quarantined: readonly QuarantinedMessage[];
  readonly recorded_at_us: number;
  /** The greatest time of its events; null when it has none. */
  readonly newest_us: number | null;
  readonly code_version: string;
  /** Absent for messages from a source. */
  readonly retried?: Retried;
  /** Whether its messages were posted: what is faulty among them is known by its content. Absent: they have places of their own. */
  readonly posted?: boolean;
  /** The persons that its events are the first to name, and as of how many that were forgotten its aliases are: null where it has ids. */
  readonly persons: readonly Person[];
  readonly forgotten: number | null;
  /** What is kept of fine grains: its changes of cells are of those alone. */
  readonly kept: Kept;
  /** How often another read model was switched in by the time it was planned: the states that it stands on are those of this one. */
  readonly read_model: number;
}

/** What the log gave the batch. */
export interface Appended {
  readonly batch: number;
  /** The position before the batch's first event. */
  readonly before_first: number;
  readonly last_position: number;
  /** The greatest event time of the log by then, microseconds; null when it has no event. */
  readonly watermark_us: number | null;
  /** Where its messages were set aside: of posted ones, in their order. */
  readonly set_aside: readonly SetAside[];
}

/** `events` is partitioned by ranges of this many positions (see ensure_events_partition in the migrations). */
const PARTITION_POSITIONS = 10_000_000;

/**
 * What a batch changes it finds by the keys that it names, whatever the planner thinks: from a table that was empty when it was looked at last,
 * or that is small beside a batch's thousands of keys, it would read all rows and join them by hash (half of the time of changing 5,000 of
 * 100,000 streams). Holds until the transaction ends. Costs that tell the planner off would have it compile the statement, too.
 */
const BY_INDEX = ["enable_hashjoin", "enable_mergejoin", "enable_seqscan", "jit"]
  .map((name) => `set_config('${name}', 'off', true) as ${name}`).join(", ");

type HeadRow = {
  readonly position: string;
  readonly batch: string;
  readonly link: Uint8Array;
  readonly watermark_us: string | null;
  readonly forgotten: string | null;
  readonly kept_1m_us: string | null;
  readonly kept_5m_us: string | null;
  readonly read_model: number;
};

/** Has a transaction find what it changes by the keys that it names, until it ends. */
export const find_by_index = (tx: Transaction): Promise<unknown> => tx.query(`select ${BY_INDEX}`);

async function advance_cursors(tx: Transaction, cluster_id: string, cursors: readonly CursorAdvance[]): Promise<void> {
  const known = cursors.filter(({ from }) => from !== null);
  const unknown = cursors.filter(({ from }) => from === null);
  const columns = (some: readonly CursorAdvance[]): Value[] => [
    text_array(some.map(({ topic }) => topic)),
    plain_array(some.map(({ partition }) => partition)),
    plain_array(some.map(({ to }) => to)),
    cluster_id,
    plain_array(some.map(({ newest_us }) => newest_us === undefined ? null : format_time(newest_us))),
  ];
  let moved = 0;
  if (known.length > 0) {
    moved += await tx.execute({
      name: "advance_cursors",
      text:
        `update source_cursors c set next_offset = u.next_offset, updated_at = now(), watermark = greatest(c.watermark, u.newest)
        from unnest($1::text[], $2::integer[], $3::bigint[], $5::timestamptz[], $6::bigint[])
          as u(topic, partition, next_offset, newest, expected)
        where c.topic = u.topic and c.partition = u.partition and c.next_offset = u.expected and c.cluster_id = $4`,
    }, [...columns(known), plain_array(known.map(({ from }) => from))]);
  }
  if (unknown.length > 0) {
    moved += await tx.execute({
      name: "make_cursors",
      text: `insert into source_cursors (topic, partition, next_offset, cluster_id, watermark)
        select u.topic, u.partition, u.next_offset, $4, u.newest
        from unnest($1::text[], $2::integer[], $3::bigint[], $5::timestamptz[]) as u(topic, partition, next_offset, newest)
        on conflict on constraint source_cursors_pkey do nothing`,
    }, columns(unknown));
  }
  if (moved !== cursors.length) {
    const wanted = cursors.map((cursor) => `${partition_name(cursor)} at ${cursor.from}`).join(", ");
    throw new Overtaken(`advance cursors: expected ${wanted}; ${cursors.length - moved} of them stand elsewhere`);
  }
}

/** Canonical JSON of what the cursors did, as a batch's header has it. */
export const cursors_json = (cursors: readonly CursorAdvance[]): string =>
  `[${
    cursors.map(({ topic, partition, from, to }) =>
      `{"from":${from},"partition":${partition},"to":${to},"topic":${JSON.stringify(topic)}}`
    ).join(",")
  }]`;

/**
 * Appends a batch: one transaction that commits everything or nothing.
 *
 * The head row is updated first: its lock orders all appenders and hands out the positions, and the database refuses whoever writes for
 * another schema than its own (`is_other_schema`). Then cursors by compare-and-set, events, stream states, whatever `project` writes (the
 * read models), quarantine, and the batch's row with its link.
 * Throws Overtaken when another process was faster; nothing is written then.
 *
 * @param project writes the live read models inside the transaction
 */
export function append(
  database: Database,
  streams: Pick<StreamStates, "write">,
  batch: Batch,
  project: (tx: Transaction, before_first: number) => Promise<void>,
): Promise<Appended> {
  const recorded_at = format_time(batch.recorded_at_us);
  const { rows, content, retried } = batch;
  const admitted = rows.count;
  const quarantined = batch.quarantined.length;
  // Held messages were counted as read and quarantined, each once, when they were read.
  const again = retried?.settlements.length ?? 0;
  const newly = { read: batch.messages_read - again, quarantined: quarantined - again };
  return database.transaction(async (tx) => {
    const [head] = await tx.query<HeadRow>({
      name: "lock_head",
      text:
        `update log_head set position = position + $1, batch = batch + 1, recorded_at = $2, watermark = greatest(watermark, $3),
          messages_read = messages_read + $4, duplicates = duplicates + $5, quarantined = quarantined + $6, late = late + $7,
          tombstones = tombstones + $8, skipped = skipped + $9,
          written_for = ${SCHEMA_NUMBER}
        returning position, batch, link, ${us_of("watermark")}, forgotten, read_model,
          ${KEPT_FROM}, ${BY_INDEX}`,
    }, [
      admitted,
      recorded_at,
      time_or_null(batch.newest_us),
      newly.read,
      batch.duplicates,
      newly.quarantined,
      batch.late,
      batch.tombstones,
      batch.skipped,
    ]);
    if (head === undefined) throw new Error("append: log_head has no row; run `tacho migrate`");
    const last_position = Number(head.position);
    const before_first = last_position - admitted;
    const forgotten = number_or_null(head.forgotten);
    if (forgotten !== batch.forgotten) {
      throw new Overtaken(
        `append: expected aliases as of ${forgotten} forgotten persons, got them as of ${batch.forgotten}`,
      );
    }
    if (Number(head.read_model) !== batch.read_model) {
      throw new Overtaken("append: another read model was switched in since it was planned");
    }
    // Once in a day of event time.
    if (!same_kept(kept_of(head), batch.kept)) {
      throw new Overtaken("append: cells that it changes are not kept any more");
    }
    if (batch.persons.length > 0) await keep_persons(tx, batch.persons);
    await advance_cursors(tx, batch.cluster_id, batch.cursors);
    const settled = retried === undefined ? [] : await settle(tx, retried.settlements, batch.code_version, recorded_at);
    if (admitted > 0) {
      if (Math.floor(last_position / PARTITION_POSITIONS) > Math.floor(before_first / PARTITION_POSITIONS)) {
        await tx.query("select ensure_events_partition($1)", [Math.floor(last_position / PARTITION_POSITIONS) + 1]);
      }
      await tx.copy("events", EVENT_COLUMNS, rows.pieces(before_first), "binary");
      await write_streams(streams, tx, batch.streams, before_first);
    }
    await project(tx, before_first);
    const { code_version, posted = false } = batch;
    const aside = retried === undefined
      ? await set_aside(tx, batch.quarantined, { code_version, recorded_at, posted })
      : [];
    const written = retried === undefined ? aside.map(({ written }) => written) : settled;
    const header: BatchHeader = {
      batch: Number(head.batch),
      kind: retried === undefined ? "append" : "retried",
      first_position: before_first + 1,
      last_position,
      messages_read: batch.messages_read,
      admitted,
      duplicates: batch.duplicates,
      quarantined,
      tombstones: batch.tombstones,
      skipped: batch.skipped,
      late: batch.late,
      cursors: cursors_json(batch.cursors),
      note: with_written(retried?.note ?? null, written),
      recorded_at,
    };
    await write_batch(tx, header, content, next_link(head.link, content, header));
    const watermark_us = number_or_null(head.watermark_us);
    return { batch: header.batch, before_first, last_position, watermark_us, set_aside: aside };
  });
}

/** A batch's note with the rows of the quarantine that the batch wrote, as canonical JSON; null when there is nothing to note. */
const with_written = (note: string | null, written: readonly WrittenRow[]): string | null =>
  written.length === 0 ? note : canonical_json({ ...(note === null ? {} : JSON.parse(note)), quarantine: written });

/** Keeps persons that a batch is the first to name. Throws Overtaken when another process has kept one of them since they were looked for. */
async function keep_persons(tx: Transaction, persons: readonly Person[]): Promise<void> {
  const kept = await tx.execute({
    name: "keep_persons",
    text: `insert into persons (dimension, person_id, alias) select * from unnest($1::text[], $2::text[], $3::text[])
      on conflict do nothing`,
  }, [
    text_array(persons.map(({ dimension }) => dimension)),
    text_array(persons.map(({ person_id }) => person_id)),
    text_array(persons.map(({ alias }) => alias)),
  ]);
  if (kept !== persons.length) {
    throw new Overtaken(
      `keep persons: expected ${persons.length} new ones; ${persons.length - kept} are there already`,
    );
  }
}

async function write_streams(
  streams: Pick<StreamStates, "write">,
  tx: Transaction,
  changes: EncodedStreams,
  before_first: number,
): Promise<void> {
  try {
    await streams.write(tx, changes, before_first);
  } catch (error) {
    // A stream that was new when planned exists now: the same miss as a revision that moved on.
    if (violated_constraint(error)?.endsWith("_pkey")) {
      throw new Overtaken("write streams: a stream that was new is there already", { cause: error });
    }
    throw error;
  }
}

/** Writes the batch's row, with the watermark that the head has by then, and moves the head's link, in one statement. */
export async function write_batch(
  tx: Transaction,
  header: BatchHeader,
  content: Uint8Array,
  link: Uint8Array,
): Promise<void> {
  await tx.query({
    name: "write_batch",
    text: `with written as (
        insert into batches (batch, kind, first_position, last_position, messages_read, admitted, duplicates, quarantined, late,
          cursors, note, recorded_at, content_hash, link, tombstones, skipped, watermark)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10::jsonb, $11::jsonb, $12, $13, $14, $15, $16, (select watermark from log_head)))
      update log_head set link = $14`,
  }, [
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
    content,
    link,
    header.tombstones,
    header.skipped,
  ]);
}
