import type { Database, Queryable } from "../database/mod.ts";
import {
  type Checkpoint,
  read_statement,
  sign_checkpoint,
  type SignedCheckpoint,
  type SigningKey,
} from "./checkpoint.ts";

/** How often the last link is signed: when so many batches, or so many milliseconds, have come since the last checkpoint. */
export interface SigningPace {
  readonly batches: number;
  readonly ms: number;
}

/** The log is not the one whose checkpoint was signed last: it was written anew. Nothing more is signed in it. */
export class LogRewritten extends Error {
  override readonly name = "LogRewritten";
}

/** What is known where a checkpoint may be due. */
interface Standing {
  readonly log_id: string;
  readonly batch: number;
  readonly position: number;
  readonly link: string;
  readonly last: Checkpoint | null;
  /** The link of the last checkpoint's batch, as the log has it now; null where it has no such batch. */
  readonly link_there: string | null;
}

async function read_standing(reading: Queryable): Promise<Standing> {
  const [row] = await reading.query({
    name: "checkpoint_standing",
    text: `select h.log_id, h.batch, h.position, h.link, last.batch as last_batch, last.statement, b.link as link_there
           from log_head h
           left join lateral (select batch, statement from log_checkpoints order by batch desc limit 1) last on true
           left join batches b on b.batch = last.batch`,
  });
  if (row === undefined) throw new Error("sign a checkpoint: log_head has no row; run `tacho migrate`");
  const last = row.statement === null ? null : read_statement(row.statement as string);
  if (row.statement !== null && last === null) {
    throw new LogRewritten(`sign a checkpoint: what log_checkpoints has of batch ${row.last_batch} is no checkpoint`);
  }
  return {
    log_id: row.log_id as string,
    batch: Number(row.batch),
    position: Number(row.position),
    link: (row.link as Uint8Array).toHex(),
    last,
    link_there: row.link_there === null ? null : (row.link_there as Uint8Array).toHex(),
  };
}

function is_due({ batch, last }: Standing, pace: SigningPace | null, now_ms: number): boolean {
  if (last === null) return batch > 0;
  if (batch === last.batch) return false;
  return pace === null || batch - last.batch >= pace.batches || now_ms - Date.parse(last.signed_at) >= pace.ms;
}

/**
 * Signs the last link when that is due. Of several instances one signs: the others find that it was done. No append waits for it, and it waits
 * for none.
 * @param pace null: at once, where there are batches since the last checkpoint
 * @returns null: it was not due. Throws LogRewritten where the log does not have the last checkpoint's link any more
 */
export async function sign_when_due(
  database: Database,
  domain: string,
  key: Pick<SigningKey, "id" | "sign">,
  pace: SigningPace | null,
  now_ms: number,
): Promise<SignedCheckpoint | null> {
  // Most often nothing is due: that costs no transaction.
  const before = await read_standing(database);
  require_same_log(before);
  if (!is_due(before, pace, now_ms)) return null;
  return await database.transaction(async (tx) => {
    await tx.query("select pg_advisory_xact_lock(hashtextextended('checkpoints of ' || current_schema(), 0))");
    const standing = await read_standing(tx);
    require_same_log(standing);
    if (!is_due(standing, pace, now_ms)) return null;
    const { log_id, batch, position, link } = standing;
    const signed_at = new Date(now_ms).toISOString();
    const signed = await sign_checkpoint(key, { log_id, domain, batch, position, link, signed_at });
    await tx.execute(
      "insert into log_checkpoints (batch, statement, signature) values ($1, $2, $3)",
      [batch, signed.statement, Uint8Array.fromHex(signed.signature)],
    );
    return signed;
  });
}

function require_same_log({ log_id, batch, last, link_there }: Standing): void {
  if (last === null || (last.log_id === log_id && last.link === link_there)) return;
  const { batch: signed, signed_at } = last;
  const what = last.log_id !== log_id
    ? `the last checkpoint is of log ${last.log_id}, this is ${log_id}`
    : batch < signed
    ? `the checkpoint of batch ${signed}, ${signed_at}, is past the log's end, batch ${batch}`
    : `the checkpoint of batch ${signed}, ${signed_at}, does not agree with the log: it was rewritten`;
  throw new LogRewritten(`sign a checkpoint: ${what}; nothing is signed, see \`tacho verify --checkpoints\``);
}
