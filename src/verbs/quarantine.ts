import type { Value } from "../database/mod.ts";
import { filter_condition, read_headers } from "../event_log/mod.ts";
import { printable_json } from "../runtime/mod.ts";
import { open_log } from "./open.ts";
import { filter_of, type FilterOptions } from "./quarantine_filter.ts";
import { type Shell, UsageError } from "./shell.ts";

/** Options of `tacho quarantine list`, as the command line gives them. */
export interface QuarantineListOptions extends FilterOptions {
  readonly status: "held" | "admitted" | "duplicate" | "tombstone" | "skipped" | "discarded" | "all";
  readonly limit: number;
}

const utc = (column: string): string =>
  `to_char(${column} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as ${column}`;
const SELECT = `select quarantine_id, topic, partition, message_offset, ${
  utc("message_timestamp")
}, stage, reason, path, detail, code_version, attempts, status, ${utc("quarantined_at")}, ${
  utc("settled_at")
}, octet_length(message_value) as value_bytes, headers`;

/** Rows of the list that are in memory at once, and bytes of a key or value that it shows. */
const PAGE = 100;
const SHOWN_BYTES = 1_000;

/** `tacho quarantine list`: what is held, or was, newest first, one JSON object a line, with the beginning of its key and value. */
export async function quarantine_list_verb(
  shell: Shell,
  ids: readonly number[],
  options: QuarantineListOptions,
): Promise<void> {
  const filter = filter_of(ids, options);
  const { database } = await open_log(shell);
  try {
    let before = Number.MAX_SAFE_INTEGER;
    for (let left = options.limit; left > 0 && !shell.signal.aborted;) {
      const values: Value[] = [before, Math.min(left, PAGE), SHOWN_BYTES];
      const status = options.status === "all" ? "true" : `status = $${values.push(options.status)}`;
      const rows = await database.query(
        `${SELECT}, substring(message_key from 1 for $3) as key, substring(message_value from 1 for $3) as value
          from quarantine where quarantine_id < $1 and ${status} and ${filter_condition(filter, values)}
          order by quarantine_id desc limit $2`,
        values,
      );
      for (const row of rows) console.log(printable_json(JSON.stringify(shown(row))));
      if (rows.length < PAGE) break;
      before = Number(rows.at(-1)!.quarantine_id);
      left -= rows.length;
    }
  } finally {
    await database.close();
  }
}

/** `tacho quarantine show`: one message with its whole key, headers and value: as text where it is UTF-8, in base64 otherwise. */
export async function quarantine_show_verb(shell: Shell, id: number): Promise<void> {
  const { database } = await open_log(shell);
  try {
    const [row] = await database.query(
      `${SELECT}, message_key as key, message_value as value from quarantine where quarantine_id = $1`,
      [id],
    );
    if (row === undefined) {
      throw new UsageError(`quarantine show: there is no message ${id}; \`tacho quarantine list\` has them`);
    }
    console.log(printable_json(JSON.stringify(shown(row), null, 2)));
  } finally {
    await database.close();
  }
}

/** A row as it is printed. */
function shown({ message_offset, message_timestamp, headers, key, value, ...rest }: Record<string, unknown>) {
  const { quarantine_id, topic, partition, ...fault } = rest;
  const names = Object.entries(read_headers(headers)).map(([name, bytes]) => [name, readable(bytes)]);
  return {
    quarantine_id: Number(quarantine_id),
    topic,
    partition,
    offset: Number(message_offset),
    timestamp: message_timestamp,
    ...fault,
    key: readable(key),
    headers: Object.fromEntries(names),
    value: readable(value),
  };
}

/** Bytes as text where they are UTF-8, the last character perhaps cut off; as `{base64}` otherwise; null stays null. */
function readable(bytes: unknown): string | { base64: string } | null {
  if (!(bytes instanceof Uint8Array)) return null;
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes, { stream: true });
  } catch {
    return { base64: new Uint8Array(bytes).toBase64() };
  }
}
