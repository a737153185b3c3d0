import { read_headers } from "../event_log/mod.ts";
import { open_log } from "./open.ts";
import { type Shell, UsageError } from "./shell.ts";

/** Options of `tacho quarantine list`, as the command line gives them. */
export interface QuarantineListOptions {
  readonly reason?: string;
  readonly limit: number;
}

const SELECT =
  `select quarantine_id, topic, partition, message_offset, stage, reason, path, detail, status, attempts, code_version,
  to_char(quarantined_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as quarantined_at`;

/** `tacho quarantine list`: what is held, newest first, one JSON object a line. */
export async function quarantine_list_verb(shell: Shell, { reason, limit }: QuarantineListOptions): Promise<void> {
  const { database } = await open_log(shell);
  try {
    const rows = await database.query(
      `${SELECT} from quarantine where status = 'held' and ($1::text is null or reason = $1) order by quarantine_id desc limit $2`,
      [reason ?? null, limit],
    );
    for (const row of rows) console.log(JSON.stringify(row));
  } finally {
    await database.close();
  }
}

/** `tacho quarantine show`: one message with its key, headers and value: as text where it is UTF-8, in base64 otherwise. */
export async function quarantine_show_verb(shell: Shell, id: number): Promise<void> {
  const { database } = await open_log(shell);
  try {
    const [row] = await database.query(
      `${SELECT}, message_key, message_value, headers from quarantine where quarantine_id = $1`,
      [id],
    );
    if (row === undefined) {
      throw new UsageError(`quarantine show: there is no message ${id}; \`tacho quarantine list\` has them`);
    }
    const { message_key, message_value, headers, ...rest } = row;
    const shown = Object.entries(read_headers(headers)).map(([name, bytes]) => [name, readable(bytes)]);
    const message = { key: readable(message_key), headers: Object.fromEntries(shown), value: readable(message_value) };
    console.log(JSON.stringify({ ...rest, ...message }, null, 2));
  } finally {
    await database.close();
  }
}

/** Bytes as text where they are UTF-8, as `{base64}` otherwise; null stays null. */
function readable(bytes: unknown): string | { base64: string } | null {
  if (!(bytes instanceof Uint8Array)) return null;
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return { base64: new Uint8Array(bytes).toBase64() };
  }
}
