import { type Database, number_or_null, type OpenedDatabase, type Queryable, us_of } from "../database/mod.ts";
import { format_time, type Kept, PASSING_GRAINS } from "../kpi/mod.ts";
import { partition_name, type TopicPartition } from "./source_message.ts";

/**
 * Another process was faster: a cursor, a stream or a held message is not as it was read. The transaction is rolled back; forget what was
 * planned, read anew, try again.
 */
export class Overtaken extends Error {
  override readonly name = "Overtaken";
}

/** The head of the log: how far it goes and what it counted. Times in microseconds. */
export interface Head {
  readonly log_id: string;
  /** By what its figures are known: those from before and after another read model was switched in are not mixed. */
  readonly figures_id: string;
  readonly position: number;
  readonly batch: number;
  /** The link of its last batch. */
  readonly link: Uint8Array;
  readonly recorded_at_us: number | null;
  readonly watermark_us: number | null;
  readonly messages_read: number;
  readonly duplicates: number;
  readonly quarantined: number;
  readonly tombstones: number;
  readonly skipped: number;
  readonly late: number;
  /** Messages that are held in quarantine. */
  readonly held: number;
  /** That of the newest migration applied: what appenders must write for. */
  readonly schema_number: number;
  /** How often persons were forgotten; null: ids are kept as they come. */
  readonly forgotten: number | null;
  /** From when on cells of fine grains are kept. */
  readonly kept: Kept;
  /** How often another read model was switched in, and how often that changed the settings. */
  readonly read_model: number;
  readonly resettled: number;
}

/** What is kept of fine grains, out of a row with `KEPT_FROM`. */
export const kept_of = (row: Readonly<Record<string, unknown>>): Kept => ({
  ...row.kept_1m_us === null ? {} : { "1m": Number(row.kept_1m_us) },
  ...row.kept_5m_us === null ? {} : { "5m": Number(row.kept_5m_us) },
});

/** The same as values of a statement: from when on minutes and five minutes are kept; null: all are. */
export const kept_values = (kept: Kept): (string | null)[] =>
  PASSING_GRAINS.map((grain) => kept[grain] === undefined ? null : format_time(kept[grain]));

/** Columns of log_head, or of a row of read_models, that say what is kept of fine grains. */
export const KEPT_FROM =
  "(extract(epoch from kept_1m_from) * 1000000)::bigint as kept_1m_us, (extract(epoch from kept_5m_from) * 1000000)::bigint as kept_5m_us";

/**
 * By what figures are known: the log's id, and how often they became others while it stood still: another read model was switched in, a person was forgotten.
 * @param row columns of log_head
 */
export function figures_id_of({ log_id, read_model, forgotten }: Readonly<Record<string, unknown>>): string {
  const changed = Number(read_model) + Number(forgotten);
  return changed === 0 ? String(log_id) : `${log_id}.${changed}`;
}

/** Reads the head. */
export async function read_head(database: Queryable): Promise<Head> {
  const [row] = await database.query({
    name: "read_head",
    text: `select log_id, position, batch, link, ${us_of("recorded_at")},
      ${us_of("watermark")}, messages_read, duplicates, quarantined, tombstones, skipped, late, held,
      schema_number, read_model, resettled, forgotten, ${KEPT_FROM} from log_head`,
  });
  if (row === undefined) throw new Error("read head: log_head has no row; run `tacho migrate`");
  return {
    log_id: String(row.log_id),
    figures_id: figures_id_of(row),
    position: Number(row.position),
    batch: Number(row.batch),
    link: row.link as Uint8Array,
    recorded_at_us: number_or_null(row.recorded_at_us),
    watermark_us: number_or_null(row.watermark_us),
    messages_read: Number(row.messages_read),
    duplicates: Number(row.duplicates),
    quarantined: Number(row.quarantined),
    tombstones: Number(row.tombstones),
    skipped: Number(row.skipped),
    late: Number(row.late),
    held: Number(row.held),
    schema_number: Number(row.schema_number),
    forgotten: number_or_null(row.forgotten),
    kept: kept_of(row),
    read_model: Number(row.read_model),
    resettled: Number(row.resettled),
  };
}

/** The program's time zone, currency or H3 resolution is not the one this database was begun with. */
export class DeploymentMismatch extends Error {
  override readonly name = "DeploymentMismatch";
}

/** What the cells of a database are made by. */
export interface Deployment {
  readonly time_zone: string;
  readonly currency: string;
  /** Of the H3 cells that places are counted by; null: by none, as where a Flink job writes, since SQL cannot make them. */
  readonly h3_resolution: number | null;
  /** Whether persons have aliases, and who asks may know whose they are. */
  readonly names_persons: boolean;
  /** Whether a Flink job writes the tables: no event is in the database then. */
  readonly by_flink: boolean;
  /** How often a rebuild has changed time zone or H3 resolution. */
  readonly resettled: number;
}

/** Of these what a rebuild can change. */
export type Settings = Pick<Deployment, "time_zone" | "h3_resolution">;

/** Settings as the configuration says them. */
export const told_settings = ({ time_zone, h3_resolution }: Settings): string =>
  `TACHO_TIME_ZONE=${time_zone} TACHO_H3_RESOLUTION=${h3_resolution ?? "off"}`;

export const same_settings = (a: Settings, b: Settings): boolean =>
  a.time_zone === b.time_zone && a.h3_resolution === b.h3_resolution;

/** What a program that goes on by the settings from before is told. */
export const resettled = (): DeploymentMismatch =>
  new DeploymentMismatch(
    "go on: a rebuild has changed the business time zone or the H3 resolution of this log; start this program anew, with the new ones",
  );

/**
 * A database whose transactions see a log of the settings that this program has: where a rebuild has changed them, what a transaction came to
 * is thrown away. Throws DeploymentMismatch.
 * @param as_of how often they had changed when the program read them
 */
export function as_settled(database: OpenedDatabase, as_of: number): OpenedDatabase {
  return {
    kind: database.kind,
    query: (statement, values) => database.query(statement, values),
    execute: (statement, values) => database.execute(statement, values),
    script: (text) => database.script(text),
    transaction: (work) =>
      database.transaction(async (tx) => {
        const result = await work(tx);
        // Last: a snapshot is taken by the first statement, and this one sees the same.
        const [row] = await tx.query({ name: "resettled", text: "select resettled from log_head" });
        if (row?.resettled !== as_of) throw resettled();
        return result;
      }),
    beside: (beside) => as_settled(database.beside(beside), as_of),
    close: () => database.close(),
  };
}

/** What the cells of this database are made by; null before its first start. */
export async function read_deployment(database: Queryable): Promise<Deployment | null> {
  const [found] = await database.query<Pick<Deployment, keyof Deployment>>(
    `select time_zone, currency, case when written_by is distinct from 'flink' then h3_resolution end as h3_resolution, resettled,
      forgotten is not null and has_table_privilege('persons', 'select') as names_persons, written_by is not distinct from 'flink' as by_flink
      from log_head where time_zone is not null`,
  );
  return found ?? null;
}

/** The resolution of a database whose first configuration names none. */
export const DEFAULT_H3_RESOLUTION = 8;

/** The resolution that a database begins with by its first configuration; null: places are not indexed. */
export const first_h3_resolution = (named: number | "off" | null): number | null =>
  named === "off" ? null : named ?? DEFAULT_H3_RESOLUTION;

/** What a configuration says of it: one that names no H3 resolution takes what the database has, as of whether persons can be forgotten. */
type WantedDeployment = Pick<Deployment, "time_zone" | "currency"> & {
  readonly h3_resolution?: number | "off" | null;
  readonly forgettable?: boolean | null;
};

/** The settings of a configuration; one that names no H3 resolution takes that of the log, or of one of its read models. */
export const wanted_settings = (
  { time_zone, h3_resolution: named = null }: WantedDeployment,
  { h3_resolution }: Settings,
): Settings => ({ time_zone, h3_resolution: named === null ? h3_resolution : first_h3_resolution(named) });

/**
 * Fixes time zone, currency and H3 resolution of a database at its first start; from then on refuses others: cells of two kinds do not mix.
 * From when on persons have aliases is fixed, too: once, at any start. Throws DeploymentMismatch.
 * @returns what holds for this database
 */
export async function settle_deployment(database: Database, wanted: WantedDeployment): Promise<Deployment> {
  const { time_zone, currency, h3_resolution: named = null, forgettable = null } = wanted;
  await database.execute(
    "update log_head set time_zone = $1, currency = $2, h3_resolution = $3 where time_zone is null and currency is null",
    [time_zone, currency, first_h3_resolution(named)],
  );
  if (forgettable === true) {
    // Who appends meanwhile plans anew: what it planned has ids.
    await database.execute(
      "update log_head set forgotten = 0, forgettable_from = position + 1 where forgotten is null",
    );
  }
  const found = await read_deployment(database);
  if (found === null) throw new Error("settle deployment: log_head has no row; run `tacho migrate`");
  require_settled(found, wanted);
  if (forgettable === false && (await read_head(database)).forgotten !== null) {
    throw new DeploymentMismatch(
      "open log: persons have aliases in it, the configuration says TACHO_FORGETTABLE=false, which would write their ids; " +
        "leave it out, or begin a new database",
    );
  }
  return found;
}

/**
 * Refuses a configuration with another currency than the log's, and unless `any_settings` one with other settings. Throws DeploymentMismatch.
 */
export function require_settled(found: Deployment, wanted: WantedDeployment, any_settings = false): void {
  const { time_zone, currency } = wanted, own = wanted_settings(wanted, found);
  if (found.currency === currency && (any_settings || same_settings(found, own))) return;
  throw new DeploymentMismatch(
    `open log: it is made with TACHO_TIME_ZONE=${found.time_zone} TACHO_CURRENCY=${found.currency} ` +
      `TACHO_H3_RESOLUTION=${found.h3_resolution ?? "off"}, the configuration says ${time_zone}, ${currency} and ${
        own.h3_resolution ?? "off"
      }; set them back; a rebuild changes time zone and H3 resolution, a new database the currency, too`,
  );
}

/** A cursor as the database has it: where a source partition goes on. Its offset counts in one cluster alone. */
export interface StoredCursor extends TopicPartition {
  readonly next_offset: number;
  readonly cluster_id: string;
  /** A gap that was noticed there and not accepted. */
  readonly gap?: KeptGap | null;
}

/** All cursors. */
export async function read_cursors(database: Queryable): Promise<StoredCursor[]> {
  const rows = await database.query(
    `select topic, partition, next_offset, cluster_id, ${KEPT_GAP} from source_cursors`,
  );
  return rows.map((row) => ({
    topic: row.topic as string,
    partition: row.partition as number,
    next_offset: Number(row.next_offset),
    cluster_id: row.cluster_id as string,
    gap: row.gap as KeptGap | null,
  }));
}

/** The newest event time that was admitted from a partition, microseconds. */
export interface PartitionWatermark extends TopicPartition {
  readonly watermark_us: number;
}

/** Most partitions that are told; replays have a topic each. */
const MOST_PARTITIONS = 1_000;

/** Reads how far event time has come in each partition: of more than are told, those that lie furthest back. */
export async function read_partition_watermarks(database: Queryable): Promise<PartitionWatermark[]> {
  const rows = await database.query({
    name: "read_partition_watermarks",
    text: `select topic, partition, ${us_of("watermark")} from source_cursors
      where watermark is not null order by watermark, topic, partition limit ${MOST_PARTITIONS}`,
  });
  return rows.map(({ topic, partition, watermark_us }) => (
    { topic: topic as string, partition: partition as number, watermark_us: Number(watermark_us) }
  ));
}

/** Whether the watermark of a batch is not believed any more, as SQL; `batch` names its row. */
export const watermark_is_void = (batch: string): string =>
  `exists (select from batches decision where decision.kind = 'watermark_set_back' and decision.batch > ${batch}.batch
    and (decision.note->>'since_batch')::bigint <= ${batch}.batch)`;

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
const KEPT_GAP =
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
