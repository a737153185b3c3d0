import { createHash } from "node:crypto";
import { type Database, plain_array, type Queryable } from "../database/mod.ts";
import type { ExportPlace } from "../export/mod.ts";
import {
  believe,
  believe_text,
  type Checkpoint,
  checkpoint_text,
  type PublicKeys,
  type Read,
  read_statement,
  type SignedCheckpoint,
} from "./checkpoint.ts";
import { type Faults, read_head } from "../event_log/mod.ts";

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
const folder_of = (domain: string): string => `checkpoints/${domain}`;

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

/** What was found of checkpoints. */
export interface CheckedCheckpoints {
  /** Those outside, and in the log's own table. */
  readonly outside: number;
  readonly kept: number;
  /** The last one outside that agrees with the log; null when none does. */
  readonly last: Checkpoint | null;
}

/** What checkpoints are held against. */
export interface CheckpointsCheck {
  readonly database: Queryable;
  readonly domain: string;
  readonly log_id: string;
  readonly place: ExportPlace;
  readonly keys: PublicKeys;
  readonly faults: Faults;
  readonly signal: AbortSignal;
  /** Hears how many checkpoints more were read. */
  readonly progress: (checkpoints: number) => void;
}

/** Files that are read at a time. */
const AT_ONCE = 16;
/** Checkpoints that are compared at a time. */
const COMPARED = 1_000;

/**
 * Holds the log against the checkpoints that others hold, and against those in its own table: for each the log must have the very link after
 * the very batch. Where it does not, what lies after the last checkpoint that agrees was written anew. Stored links are compared: that they
 * are what the events make them, `verify_chain` finds.
 */
export async function check_checkpoints(check: CheckpointsCheck): Promise<CheckedCheckpoints> {
  const { database, faults, place, domain } = check;
  // Before the head: what is signed meanwhile must not seem to be past it.
  const outside = await read_outside(check);
  const kept = await read_kept(check);
  const { batch: end } = await read_head(database);
  if (outside.length === 0) faults.add(`there is no checkpoint in ${place.shown}/${folder_of(domain)}`);
  const known = new Set(kept.map(({ batch, link }) => `${batch} ${link}`));
  const lost = outside.filter(({ batch, link }) => !known.has(`${batch} ${link}`));
  if (lost.length > 0) {
    faults.add(
      `${told(lost[0]!)} is outside and not in log_checkpoints${
        lost.length > 1 ? `, nor are ${lost.length - 1} others` : ""
      }`,
    );
  }
  // By themselves: whoever writes the log anew may sign it anew, too, where the key is at hand.
  const found = await compare(check, outside, end);
  const of_table = await compare(check, kept, end);
  for (const fault of new Set([...found.faults, ...of_table.faults])) faults.add(fault);
  return { outside: outside.length, kept: kept.length, last: found.last };
}

const told = ({ batch, signed_at }: Checkpoint): string => `the checkpoint of batch ${batch}, signed ${signed_at},`;

/** Takes a checkpoint that is believed, and of this log; all else is a fault. */
function taken(
  { faults, log_id, domain }: CheckpointsCheck,
  read: Read<SignedCheckpoint>,
  where: string,
): readonly Checkpoint[] {
  if (!read.ok) {
    faults.add(`${where}: ${read.fault}`);
    return [];
  }
  const { checkpoint } = read.value;
  if (checkpoint.log_id === log_id && checkpoint.domain === domain) return [checkpoint];
  faults.add(
    `${where}: ${
      told(checkpoint)
    } is of log ${checkpoint.log_id} (${checkpoint.domain}), this is ${log_id} (${domain})`,
  );
  return [];
}

async function read_outside(check: CheckpointsCheck): Promise<Checkpoint[]> {
  const { place, keys, signal, progress } = check, found: Checkpoint[] = [];
  const names = await place.list(folder_of(check.domain));
  for (let from = 0; from < names.length; from += AT_ONCE) {
    signal.throwIfAborted();
    const some = names.slice(from, from + AT_ONCE);
    const texts = await Promise.all(some.map((name) => place.read(name)));
    for (const [i, text] of texts.entries()) {
      // Removed since it was listed: it does not count as one that is there.
      if (text !== null) found.push(...taken(check, await believe_text(keys, text), `${place.shown}/${some[i]}`));
    }
    progress(some.length);
  }
  return found.sort((a, b) => a.batch - b.batch);
}

async function read_kept(check: CheckpointsCheck): Promise<Checkpoint[]> {
  const { database, keys, signal, progress } = check, found: Checkpoint[] = [];
  for (let after = 0;;) {
    signal.throwIfAborted();
    const rows = await database.query<{ batch: string; statement: string; signature: Uint8Array }>(
      `select batch, statement, signature from log_checkpoints where batch > $1 order by batch limit ${COMPARED}`,
      [after],
    );
    for (const { batch, statement, signature } of rows) {
      after = Number(batch);
      const read = await believe(keys, { statement, signature: signature.toHex() });
      const own = taken(check, read, `log_checkpoints, batch ${after}`);
      found.push(...own.filter((each) => {
        if (each.batch === after) return true;
        check.faults.add(`log_checkpoints, batch ${after}: what is signed there is of batch ${each.batch}`);
        return false;
      }));
    }
    progress(rows.length);
    if (rows.length < COMPARED) return found;
  }
}

/** Compares checkpoints, by ascending batch, with the links that the log has; gives what does not agree, and the last one that does. */
async function compare(
  { database, signal }: CheckpointsCheck,
  all: readonly Checkpoint[],
  end: number,
): Promise<{ readonly faults: readonly string[]; readonly last: Checkpoint | null }> {
  const faults: string[] = [];
  let agrees: Checkpoint | null = null, last: Checkpoint | null = null, broken: Checkpoint | null = null, more = 0;
  const tell = () => {
    if (broken === null) return;
    const from = agrees === null ? "batches 1" : `batches ${agrees.batch + 1}`;
    const at = agrees === null ? "position 1" : `position ${agrees.position + 1}`;
    const before = agrees === null ? "there is none before it that agrees" : `${told(agrees)} agrees`;
    faults.push(
      `${from} to ${broken.batch} (${at} to ${broken.position}) were rewritten: ${before}, ${told(broken)} does not` +
        (more > 0 ? `, nor do ${more} after it` : ""),
    );
    [broken, more] = [null, 0];
  };
  for (let from = 0; from < all.length; from += COMPARED) {
    signal.throwIfAborted();
    const page = all.slice(from, from + COMPARED);
    const rows = await database.query<{ batch: string; last_position: string; link: Uint8Array }>(
      "select batch, last_position, link from batches where batch = any($1::bigint[])",
      [plain_array([...new Set(page.map(({ batch }) => batch))])],
    );
    const links = new Map(
      rows.map(({ batch, last_position, link }) => [Number(batch), `${last_position} ${link.toHex()}`]),
    );
    for (const each of page) {
      if (each.batch > end) {
        tell();
        const missing = end + 1 === each.batch ? `batch ${each.batch} is` : `batches ${end + 1} to ${each.batch} are`;
        faults.push(`the log ends with batch ${end}, ${told(each)} is past that: ${missing} missing`);
        return { faults, last };
      }
      if (links.get(each.batch) === `${each.position} ${each.link}`) {
        tell();
        agrees = last = each;
      } else if (broken === null) broken = each;
      else if (each.batch !== (broken as Checkpoint).batch) more++;
    }
  }
  tell();
  return { faults, last };
}
