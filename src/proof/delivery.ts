import { createHash } from "node:crypto";
import type { Database } from "../database/mod.ts";
import type { ExportPlace } from "../export/mod.ts";
import { type Checkpoint, checkpoint_text, read_statement, type SignedCheckpoint } from "./checkpoint.ts";

/** Where checkpoints are sent, so that others hold them. */
export interface Destination {
  /** By what it is known in the database; no secret. */
  readonly id: string;
  /** How people call it; without secrets. */
  readonly shown: string;
  /** Resolves when it has arrived; once more does no harm. */
  readonly send: (signed: SignedCheckpoint) => Promise<void>;
}

const id_of = (kind: string, name: string): string =>
  `${kind} ${createHash("sha256").update(name).digest("hex").slice(0, 16)}`;

/** The folder of a domain's checkpoints below a place. */
export const folder_of = (domain: string): string => `checkpoints/${domain}`;

/** The name of a checkpoint's file: two of one batch that say different links, which is a proof, both stay. */
const name_of = ({ domain, batch, link, key }: Checkpoint): string =>
  `${folder_of(domain)}/${String(batch).padStart(12, "0")}-${link.slice(0, 16)}-${key.slice(0, 4)}.json`;

/** A folder or a bucket: a file for each checkpoint, which is never written anew. */
export const outside_place = (place: ExportPlace): Destination => ({
  id: id_of("place", place.shown),
  shown: place.shown,
  send: async (signed) => {
    const name = name_of(signed.checkpoint);
    // What is there stays: places that let nobody overwrite, which they should, would refuse it.
    if (await place.size(name) === null) await place.write(name, checkpoint_text(signed));
  },
});

/** A request that takes longer has failed. */
const TIMEOUT_MS = 10_000;

/** A server that is sent each checkpoint by POST; any answer of 2xx says that it has it. */
export function webhook(url: string): Destination {
  // What follows the host may be a secret.
  const shown = `the webhook at ${new URL(url).host}`;
  return {
    id: id_of("webhook", url),
    shown,
    send: async (signed) => {
      let answer: Response;
      try {
        answer = await fetch(url, {
          method: "POST",
          headers: { "content-type": "application/json" },
          body: checkpoint_text(signed),
          redirect: "manual",
          signal: AbortSignal.timeout(TIMEOUT_MS),
        });
      } catch (cause) {
        const said = cause instanceof Error ? cause.message.replaceAll(url, shown) : String(cause);
        throw new Error(`send a checkpoint to ${shown}: ${said}`);
      }
      await answer.body?.cancel();
      if (!answer.ok) throw new Error(`send a checkpoint to ${shown}: expected 2xx, got ${answer.status}`);
    },
  };
}

/** Checkpoints that are read at a time. */
const PAGE = 100;

/**
 * Sends what has not arrived at a destination yet, in order, until all has. How far it came is kept: what fails, or is interrupted, goes on there. Two
 * instances may send the same.
 * @returns how many were sent. Throws what sending the first that fails throws
 */
export async function deliver(database: Database, destination: Destination, signal: AbortSignal): Promise<number> {
  for (let sent = 0;;) {
    const rows = await database.query<{ batch: string; statement: string; signature: Uint8Array }>({
      name: "undelivered_checkpoints",
      text: `select batch, statement, signature from log_checkpoints
             where batch > coalesce((select delivered_batch from checkpoint_deliveries where destination = $1), 0)
             order by batch limit ${PAGE}`,
    }, [destination.id]);
    for (const { batch, statement, signature } of rows) {
      signal.throwIfAborted();
      const checkpoint = read_statement(statement);
      if (checkpoint === null) throw new Error(`send the checkpoint of batch ${batch}: what is kept is none`);
      await destination.send({ checkpoint, statement, signature: signature.toHex() });
      await database.execute(
        `insert into checkpoint_deliveries (destination, delivered_batch) values ($1, $2)
         on conflict on constraint checkpoint_deliveries_pkey
         do update set delivered_batch = excluded.delivered_batch, changed_at = now()
         where checkpoint_deliveries.delivered_batch < excluded.delivered_batch`,
        [destination.id, batch],
      );
      sent++;
    }
    if (rows.length < PAGE) return sent;
  }
}
