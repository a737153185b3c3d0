import { plain_array, type Queryable, type Value } from "../database/mod.ts";
import { format_time } from "../kpi/mod.ts";
import { NO_TIMESTAMP_MS, read_headers } from "./quarantine.ts";
import type { SourceMessage } from "./source_message.ts";

/** Which messages of the quarantine are meant; what a filter does not name does not matter to it. */
export interface QuarantineFilter {
  readonly ids?: readonly number[];
  readonly stage?: string;
  readonly reason?: string;
  readonly topic?: string;
  readonly partition?: number;
  /** The version of the program that found the fault. */
  readonly code_version?: string;
  /** When they were first set aside: from `since_us` on, before `until_us`. */
  readonly since_us?: number;
  readonly until_us?: number;
}

/** A filter as text and numbers that JSON holds, for the note of a batch. */
export function filter_note({ since_us, until_us, ...rest }: QuarantineFilter): Readonly<Record<string, unknown>> {
  return {
    ...rest,
    ...since_us === undefined ? {} : { since: format_time(since_us) },
    ...until_us === undefined ? {} : { until: format_time(until_us) },
  };
}

/**
 * The SQL condition of a filter on `quarantine`.
 * @param values the statement's values so far; the filter's are added
 */
export function filter_condition(filter: QuarantineFilter, values: Value[]): string {
  const { ids, stage, reason, topic, partition, code_version, since_us, until_us } = filter;
  const compared: readonly (readonly [string, Value | undefined])[] = [
    ["quarantine_id = any(?::bigint[])", ids && plain_array(ids)],
    ["stage = ?", stage],
    ["reason = ?", reason],
    ["topic = ?", topic],
    ["partition = ?", partition],
    ["code_version = ?", code_version],
    ["quarantined_at >= ?::timestamptz", since_us === undefined ? undefined : format_time(since_us)],
    ["quarantined_at < ?::timestamptz", until_us === undefined ? undefined : format_time(until_us)],
  ];
  const conditions = compared.flatMap(([sql, value]) =>
    value === undefined ? [] : [sql.replace("?", `$${values.push(value)}`)]
  );
  return conditions.length === 0 ? "true" : conditions.join(" and ");
}

/** A message that is held, and how often it went through the pipeline so far: whoever settles it says so. */
export interface HeldMessage extends SourceMessage {
  readonly quarantine_id: number;
  readonly attempts: number;
}

/** What is held and meets a filter now, by reason, most first; and the newest of it: what is set aside for the first time later has a higher id. */
export async function count_held(
  database: Queryable,
  filter: QuarantineFilter,
): Promise<{ readonly total: number; readonly newest_id: number; readonly by_reason: ReadonlyMap<string, number> }> {
  const values: Value[] = [];
  const rows = await database.query(
    `select reason, count(*)::integer as held, max(quarantine_id) as newest_id from quarantine
      where status = 'held' and ${filter_condition(filter, values)} group by reason order by 2 desc, 1`,
    values,
  );
  return {
    total: rows.reduce((sum, { held }) => sum + (held as number), 0),
    newest_id: Math.max(0, ...rows.map(({ newest_id }) => Number(newest_id))),
    by_reason: new Map(rows.map(({ reason, held }) => [reason as string, held as number])),
  };
}

/** A part of what is held. */
export interface HeldPage {
  /** The page begins behind this message; null: at the first. */
  readonly after: HeldMessage | null;
  /** Ids above this one came in too late for the page. */
  readonly newest_id: number;
  readonly most: { readonly messages: number; readonly bytes: number };
}

const ORDER = "topic, partition, message_offset, quarantine_id";

/**
 * Reads held messages that meet a filter, in order of topic, partition, offset and id: at most so many messages and bytes, yet one
 * message at least where there is one. Sizes are known without reading the bytes.
 */
export async function read_held(
  database: Queryable,
  filter: QuarantineFilter,
  { after, newest_id, most }: HeldPage,
): Promise<HeldMessage[]> {
  const values: Value[] = [newest_id, most.messages, most.bytes];
  const behind = after === null
    ? "true"
    : `(${ORDER}) > (${
      [after.topic, after.partition, after.offset, after.quarantine_id].map((value) => `$${values.push(value)}`)
    })`;
  const rows = await database.query(
    `with page as (
      select quarantine_id, ${ORDER.replace(", quarantine_id", "")}, coalesce(octet_length(message_key), 0)
        + coalesce(octet_length(message_value), 0) + octet_length(headers::text) as bytes
      from quarantine where status = 'held' and quarantine_id <= $1 and ${behind} and ${
      filter_condition(filter, values)
    }
      order by ${ORDER} limit $2
    ), sized as (
      select quarantine_id, sum(bytes) over (order by ${ORDER}) as up_to, bytes from page
    )
    select ${ORDER}, attempts, message_key, headers, message_value,
      (extract(epoch from message_timestamp) * 1000)::bigint as timestamp_ms
    from sized join quarantine using (quarantine_id) where up_to <= $3 or up_to = bytes order by ${ORDER}`,
    values,
  );
  return rows.map((row) => ({
    quarantine_id: Number(row.quarantine_id),
    attempts: row.attempts as number,
    topic: row.topic as string,
    partition: row.partition as number,
    offset: Number(row.message_offset),
    key: row.message_key as Uint8Array | null,
    headers: read_headers(row.headers),
    value: row.message_value as Uint8Array | null,
    timestamp_ms: row.timestamp_ms === null ? NO_TIMESTAMP_MS : Number(row.timestamp_ms),
  }));
}
