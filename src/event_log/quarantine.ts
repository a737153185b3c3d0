import {
  bytes_array,
  plain_array,
  type Queryable,
  type Row,
  text_array,
  type Transaction,
  type Value,
} from "../database/mod.ts";
import { format_time } from "../kpi/mod.ts";
import { Overtaken } from "./head.ts";
import type { SourceMessage } from "./source_message.ts";

/** A message set aside: its coordinates, bytes and what is wrong with it. Of its time what lies outside the years 1970 to 9999 is not kept. */
export interface QuarantinedMessage extends SourceMessage {
  readonly stage: "decode" | "plan" | "append";
  readonly reason: string;
  readonly path: string | null;
  readonly detail: string;
}

/** What a record says that has no time. */
const NO_TIMESTAMP_MS = -1;
const LATEST_KEPT_MS = 253_402_300_799_999;

// A producer may stamp what PostgreSQL has no timestamp for, and that must not keep its message out of here.
const kept_timestamp = (ms: number): number | null => ms >= 0 && ms <= LATEST_KEPT_MS ? ms : null;

// PostgreSQL stores no NUL. A message that could not be set aside would stop ingest for good, so names keep theirs escaped.
const NAME_SPECIALS = /[\\\0]/g;
const NAME_ESCAPES = /\\([\\0])/g;
const headers_json = (headers: QuarantinedMessage["headers"]): string =>
  JSON.stringify(
    Object.fromEntries(
      Object.entries(headers).map(([name, bytes]) => [
        name.replace(NAME_SPECIALS, (special) => special === "\0" ? "\\0" : "\\\\"),
        bytes.toBase64(),
      ]),
    ),
  );

/** The headers of a message as `quarantine` keeps them, read back. */
export function read_headers(stored: unknown): Readonly<Record<string, Uint8Array>> {
  return Object.fromEntries(
    Object.entries(stored as Record<string, string>).map(([name, base64]) => [
      name.replace(NAME_ESCAPES, (_, special) => special === "0" ? "\0" : "\\"),
      Uint8Array.fromBase64(base64),
    ]),
  );
}

/** SQL for the hash of a row `q` of the quarantine: of its bytes, or of one that was erased as it was kept. */
export const HASH_ANEW =
  "case when q.erased_bytes is null then message_hash(q.message_key, q.headers, q.message_value) else q.message_hash end";

type Fault = Pick<QuarantinedMessage, "stage" | "reason" | "path" | "detail">;

/** The arrays of what is wrong with each message: stage, reason, path, detail. All null where nothing is. */
const fault_arrays = (faults: readonly (Fault | null)[]): string[] => [
  plain_array(faults.map((fault) => fault?.stage ?? null)),
  text_array(faults.map((fault) => fault?.reason ?? null)),
  text_array(faults.map((fault) => fault?.path ?? null)),
  // What a JSON parser says quotes the text it was given, with its NULs.
  text_array(faults.map((fault) => fault?.detail.replaceAll("\0", "\\0") ?? null)),
];

/** A row of the quarantine as a batch wrote it: its id, and the digest of all that it said then. */
export type WrittenRow = readonly [quarantine_id: number, digest: string];

/**
 * SQL for the digest of a row `q` of the quarantine: SHA-256, cut to 128 bits, in base64. The batch that writes a row has it in its note, and
 * with it in the chain.
 * @param message_hash what stands for key, headers and value
 */
export const row_digest = (message_hash: string): string =>
  `encode(substring(sha256(convert_to((jsonb_build_array(q.topic, q.partition, q.message_offset, encode(${message_hash}, 'hex'),
    extract(epoch from q.message_timestamp), q.stage, q.reason, q.path, q.detail, q.code_version, q.attempts, q.status,
    extract(epoch from q.quarantined_at), extract(epoch from q.settled_at))
    || case when q.erased_bytes is null then '[]'::jsonb else jsonb_build_array(q.erased_bytes) end)::text, 'UTF8')) from 1 for 16), 'base64')`;

/** What a statement that writes rows `q` of the quarantine returns of them, for `written_rows`. */
export const RETURNING_WRITTEN = `returning q.quarantine_id, ${row_digest("q.message_hash")} as digest`;

/** Rows of the quarantine as a statement wrote them. */
export const written_rows = (rows: readonly Row[]): WrittenRow[] =>
  rows.map(({ quarantine_id, digest }) => [Number(quarantine_id), digest as string]);

const GIVEN = `unnest($1::text[], $2::integer[], $3::bigint[], $4::bytea[], $5::text[], $6::bytea[], $7::bigint[],
    $8::text[], $9::text[], $10::text[], $11::text[])
    as u(topic, partition, message_offset, key, headers, value, timestamp_ms, stage, reason, path, detail)`;
/** What was erased stays erased: its bytes are not kept a second time, nor a sentence that may quote them. */
const HELD_AGAIN = `attempts = q.attempts + excluded.attempts, ${
  Object.entries({
    ...Object.fromEntries(
      ["stage", "reason", "path", "detail", "code_version"].map((name) => [name, `excluded.${name}`]),
    ),
    status: "'held'",
    settled_at: "null",
  }).map(([name, value]) => `${name} = case when q.erased_bytes is null then ${value} else q.${name} end`).join(", ")
}`;
/** Inserts what is selected after it. */
const INSERT = `insert into quarantine as q (topic, partition, message_offset, message_key, headers, message_value,
    message_timestamp, stage, reason, path, detail, code_version, quarantined_at, attempts, posted)
  select u.topic, u.partition, u.message_offset, u.key, u.headers::jsonb, u.value,
    timestamptz 'epoch' + u.timestamp_ms * interval '1 millisecond', u.stage, u.reason, u.path, u.detail, $12, $13::timestamptz`;

/** Of messages that a source keeps: their place and their bytes make them the same. */
const SET_ASIDE = {
  name: "set_aside",
  text: `${INSERT}, 1, false from ${GIVEN}
    on conflict on constraint quarantine_messages_are_unique do update set ${HELD_AGAIN} ${RETURNING_WRITTEN}, q.attempts`,
};

/** Of messages that are posted, each time at another place: topic and bytes make them the same. A row is returned for each message, in order. */
const SET_ASIDE_POSTED = {
  name: "set_aside_posted",
  text: `with given as (
      select u.*, message_hash(u.key, u.headers::jsonb, u.value) as hash from ${GIVEN}
    ), firsts as (
      select distinct on (topic, hash) *, count(*) over (partition by topic, hash) as times
      from given order by topic, hash, message_offset
    ), written as (
      ${INSERT}, u.times, true from firsts u
      on conflict (topic, message_hash) where posted do update set ${HELD_AGAIN}
      ${RETURNING_WRITTEN}, q.attempts, q.topic, q.message_hash
    )
    select quarantine_id, digest, attempts from given g join written w on w.topic = g.topic and w.message_hash = g.hash
    order by g.message_offset`,
};

/** A row of the quarantine that a message was set aside in, and how often one of it went through the pipeline by then. */
export interface SetAside {
  readonly written: WrittenRow;
  readonly attempts: number;
}

/**
 * Sets messages aside, all in one statement. One that is there already keeps its row, counts the attempt and is held again.
 * @param posted whether they have no place of their own: it is the content that makes them the same
 * @returns of each message its row; those of posted ones in their order
 */
export async function set_aside(
  tx: Transaction,
  messages: readonly QuarantinedMessage[],
  { code_version, recorded_at, posted }: {
    readonly code_version: string;
    readonly recorded_at: string;
    readonly posted: boolean;
  },
): Promise<SetAside[]> {
  if (messages.length === 0) return [];
  const rows = await tx.query(posted ? SET_ASIDE_POSTED : SET_ASIDE, [
    text_array(messages.map(({ topic }) => topic)),
    plain_array(messages.map(({ partition }) => partition)),
    plain_array(messages.map(({ offset }) => offset)),
    bytes_array(messages.map(({ key }) => key)),
    text_array(messages.map(({ headers }) => headers_json(headers))),
    bytes_array(messages.map(({ value }) => value)),
    plain_array(messages.map(({ timestamp_ms }) => kept_timestamp(timestamp_ms))),
    ...fault_arrays(messages),
    code_version,
    recorded_at,
  ]);
  return written_rows(rows).map((written, i) => ({ written, attempts: rows[i]!.attempts as number }));
}

/** What a retry made of a held message: `fault` null unless it stays held. */
export interface Settlement {
  readonly quarantine_id: number;
  /** How often it had gone through the pipeline when it was read. */
  readonly attempts: number;
  readonly status: "admitted" | "duplicate" | "tombstone" | "skipped" | "held";
  readonly fault: Fault | null;
}

/**
 * Settles held messages by compare-and-set on their attempts. One that is settled keeps the fault it was held for.
 * Throws Overtaken when one of them is not held any more, or was tried meanwhile.
 */
export async function settle(
  tx: Transaction,
  settlements: readonly Settlement[],
  code_version: string,
  recorded_at: string,
): Promise<WrittenRow[]> {
  const settled = await tx.query({
    name: "settle",
    text: `update quarantine q set attempts = q.attempts + 1, status = u.status,
        settled_at = case when u.status <> 'held' then $9::timestamptz end,
        stage = coalesce(u.stage, q.stage), reason = coalesce(u.reason, q.reason), detail = coalesce(u.detail, q.detail),
        path = case when u.reason is null then q.path else u.path end,
        code_version = case when u.reason is null then q.code_version else $8 end
      from unnest($1::bigint[], $2::integer[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[])
        as u(quarantine_id, attempts, status, stage, reason, path, detail)
      where q.quarantine_id = u.quarantine_id and q.attempts = u.attempts and q.status = 'held'
      ${RETURNING_WRITTEN}`,
  }, [
    plain_array(settlements.map(({ quarantine_id }) => quarantine_id)),
    plain_array(settlements.map(({ attempts }) => attempts)),
    plain_array(settlements.map(({ status }) => status)),
    ...fault_arrays(settlements.map(({ fault }) => fault)),
    code_version,
    recorded_at,
  ]);
  if (settled.length !== settlements.length) {
    throw new Overtaken(
      `settle held messages: expected ${settlements.length} as they were read, found ${settled.length} of them`,
    );
  }
  return written_rows(settled);
}

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
interface HeldPage {
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
    ...message_of_row(row),
  }));
}

/** The message that a row of the quarantine holds; `timestamp_ms` may be left out of it. */
export const message_of_row = (row: Readonly<Record<string, unknown>>): SourceMessage => ({
  topic: row.topic as string,
  partition: row.partition as number,
  offset: Number(row.message_offset),
  key: row.message_key as Uint8Array | null,
  headers: read_headers(row.headers),
  value: row.message_value as Uint8Array | null,
  timestamp_ms: row.timestamp_ms == null ? NO_TIMESTAMP_MS : Number(row.timestamp_ms),
});
