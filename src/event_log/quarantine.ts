import { bytes_array, plain_array, type Row, text_array, type Transaction } from "../database/mod.ts";
import { Overtaken } from "./overtaken.ts";
import type { SourceMessage } from "./source_message.ts";

/** A message set aside: its coordinates, bytes and what is wrong with it. Of its time what lies outside the years 1970 to 9999 is not kept. */
export interface QuarantinedMessage extends SourceMessage {
  readonly stage: "decode" | "plan" | "append";
  readonly reason: string;
  readonly path: string | null;
  readonly detail: string;
}

/** What a record says that has no time. */
export const NO_TIMESTAMP_MS = -1;
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
  `encode(substring(sha256(convert_to(jsonb_build_array(q.topic, q.partition, q.message_offset, encode(${message_hash}, 'hex'),
    extract(epoch from q.message_timestamp), q.stage, q.reason, q.path, q.detail, q.code_version, q.attempts, q.status,
    extract(epoch from q.quarantined_at), extract(epoch from q.settled_at))::text, 'UTF8')) from 1 for 16), 'base64')`;

/** What a statement that writes rows `q` of the quarantine returns of them, for `written_rows`. */
export const RETURNING_WRITTEN = `returning q.quarantine_id, ${row_digest("q.message_hash")} as digest`;

/** Rows of the quarantine as a statement wrote them. */
export const written_rows = (rows: readonly Row[]): WrittenRow[] =>
  rows.map(({ quarantine_id, digest }) => [Number(quarantine_id), digest as string]);

/**
 * Sets messages aside, all in one statement. One that is there already (same coordinates, same bytes) keeps its row, counts the
 * attempt and is held again.
 */
export async function set_aside(
  tx: Transaction,
  messages: readonly QuarantinedMessage[],
  code_version: string,
  recorded_at: string,
): Promise<WrittenRow[]> {
  if (messages.length === 0) return [];
  const rows = await tx.query({
    name: "set_aside",
    text:
      `insert into quarantine as q (topic, partition, message_offset, message_key, headers, message_value, message_timestamp,
        stage, reason, path, detail, code_version, quarantined_at)
      select u.topic, u.partition, u.message_offset, u.key, u.headers::jsonb, u.value,
        timestamptz 'epoch' + u.timestamp_ms * interval '1 millisecond', u.stage, u.reason, u.path, u.detail, $12, $13::timestamptz
      from unnest($1::text[], $2::integer[], $3::bigint[], $4::bytea[], $5::text[], $6::bytea[], $7::bigint[],
        $8::text[], $9::text[], $10::text[], $11::text[])
        as u(topic, partition, message_offset, key, headers, value, timestamp_ms, stage, reason, path, detail)
      on conflict on constraint quarantine_messages_are_unique do update set attempts = q.attempts + 1,
        stage = excluded.stage, reason = excluded.reason, path = excluded.path, detail = excluded.detail,
        code_version = excluded.code_version, status = 'held', settled_at = null
      ${RETURNING_WRITTEN}`,
  }, [
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
  return written_rows(rows);
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
