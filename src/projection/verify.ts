import { createHash } from "node:crypto";
import { type Database, snapshot } from "../database/mod.ts";
import { type Domain, model_tables } from "../domains/mod.ts";
import {
  type Archive,
  chain_start,
  events_archived,
  Faults,
  QuarantineCheck,
  read_archived,
  read_log_moment,
  remembered_persons,
  type VerifiedChain,
  verify_chain,
} from "../event_log/mod.ts";
import type { Days, Kept } from "../kpi/mod.ts";
import type { Folder } from "../sort/mod.ts";
import { type ReadModelBound, ReadModelCheck } from "./verify_read_models.ts";
import { type Choice, StreamCheck, type VerifiedStreams, type Waiting } from "./verify_streams.ts";

/** How much is looked at: all of it, unless `from` is past 1 or `share` below 1. */
export interface Scope {
  /** The first position of interest: batches before the one that holds it, and streams without an event from it on, are trusted. */
  readonly from: number;
  /** The share of those streams that are folded from their events, in (0, 1]; drawn by `seed` and the stream's id. */
  readonly share: number;
  readonly seed: number;
}

/** What was looked at, and what is wrong. */
export interface Verified extends VerifiedChain, VerifiedStreams {
  /** The last position of the log at the moment that was looked at. */
  readonly position: number;
  /** What of the log is archived: its events were not looked at. */
  readonly archives: readonly Archive[];
  /** What of fine grains is kept: cells from before were not looked at. */
  readonly kept: Kept;
  readonly cells: number;
  /** What was held at the same time, at most: events of streams that were not through, cells and bins of what streams add, bytes on disk. */
  readonly most: { readonly events: number; readonly cells: number; readonly disk_bytes: number };
  /** Rows of streams that were not right at first sight, and were looked at column by column. */
  readonly examined: number;
  /** None when all is well; at most `Faults.MOST`, then "and more". */
  readonly faults: readonly string[];
}

/** The scope begins after the end of the log. */
export class BeyondTheLog extends Error {
  override readonly name = "BeyondTheLog";
}

/** Hears that a part begins, of how many items, null where nobody knows; gives what hears how many of them are done. */
type Watch = (part: string, total: number | null) => (done: number) => void;

/** Of what and how a log is verified. */
export interface Audit {
  readonly database: Database;
  readonly domain: Domain;
  readonly days: Days;
  /** For what exceeds memory. */
  readonly folder: Folder;
  readonly signal: AbortSignal;
  readonly watch: Watch;
  /** How much is held in memory, where it is not as usual. */
  readonly bound?: ReadModelBound & { readonly waiting: Waiting };
}

/**
 * Recomputes the log's chain, the streams from their events, all cells and sketches from all streams, and compares them with the tables: everything
 * as of one position, whatever is appended meanwhile. Cells need every stream: one that the scope leaves out adds what its row says,
 * so that a wrong cell is found in any scope. Throws BeyondTheLog, or the signal's reason.
 *
 * One snapshot is held, for as long as it takes to read what changes with every batch: head, cursors, quarantine, cells and sketches. All else is read
 * afterwards, without a transaction: the log up to the head is what it was, and the row of a stream names the events that it is made of.
 */
export async function verify(audit: Audit, scope: Scope): Promise<Verified> {
  const { database, domain, days, folder, signal, watch, bound } = audit;
  const faults = new Faults();
  const whole = scope.from <= 1 && scope.share === 1;
  const quarantine = new QuarantineCheck(faults, signal, async () => `${await folder()}_quarantine`, bound?.sort);
  const { moment, models, streams, archived } = await snapshot(
    database,
    async (reading) => {
      const moment = await read_log_moment(reading);
      if (scope.from > Math.max(moment.head.position, 1)) {
        throw new BeyondTheLog(`verify from position ${scope.from}: the log ends at ${moment.head.position}`);
      }
      signal.throwIfAborted();
      for (const fault of await remembered_persons(reading)) faults.add(fault);
      await quarantine.take_table(reading, watch("read quarantine", null));
      const { head: { position: head }, archives } = moment, archived = archives.at(-1)?.last_position ?? 0;
      const models = new ReadModelCheck(
        domain,
        days,
        { positions: whole && archived === 0, faults, signal, folder },
        bound,
      );
      await models.take_tables(reading, moment.head.kept, watch(`read ${domain.tables.cells}`, null));
      const at = { head, archived };
      const streams = new StreamCheck(
        database,
        domain,
        at,
        { chosen: choice_of(scope), sums: models, faults },
        bound?.waiting,
      );
      await streams.take_archived(reading, signal, watch(`read ${domain.tables.states}, of archived events`, null));
      return { moment, models, streams, archived };
    },
    model_tables(domain),
    0,
  );
  const { position, kept } = moment.head;
  const start = await chain_start(database, scope.from, faults);
  const progress = watch("log, events", position);
  await streams.take_earlier(start?.position ?? position, signal, progress);
  const chain = start === null
    ? { events: 0, batches: 0, trusted_batch: 0, cursors: 0, gaps: [], open_gaps: 0, quarantined: 0, only_counted: 0 }
    : await verify_chain(database, moment, start, {
      quarantine,
      faults,
      signal,
      seen: (page) => streams.take(page),
      progress,
    });
  const of_streams = await streams.end();
  const cells = faults.enough ? 0 : await models.compare((said) => watch(`compare ${domain.tables.cells}`, said));
  const most = { events: streams.most_events, ...models.most };
  const { examined } = streams, archives = moment.archives;
  // What was taken out meanwhile would look as if it were missing.
  if (await read_archived(database) !== archived) throw await events_archived(database, position);
  return { position, archives, kept, ...chain, ...of_streams, cells, most, examined, faults: faults.told() };
}

/** Whether a stream is in the scope: the same for the same seed, whatever else is in the log. */
function choice_of({ from, share, seed }: Scope): Choice {
  const drawn = (stream_id: string) =>
    share === 1 || createHash("sha256").update(`${seed} ${stream_id}`).digest().readUInt32BE() < share * 2 ** 32;
  return (stream_id, positions) => (from <= 1 || positions.some((position) => position >= from)) && drawn(stream_id);
}
