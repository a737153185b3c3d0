import { createHash } from "node:crypto";
import { type Database, snapshot } from "../database/mod.ts";
import type { Domain } from "../domains/mod.ts";
import { Faults, read_head, type VerifiedChain, verify_chain } from "../event_log/mod.ts";
import { CellChanges, type Days } from "../kpi/mod.ts";
import { verify_cells } from "./verify_cells.ts";
import { verify_sketches } from "./verify_sketches.ts";
import { type Choice, type VerifiedStreams, verify_streams } from "./verify_streams.ts";

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
  readonly cells: number;
  /** None when all is well; at most `Faults.MOST`, then "and more". */
  readonly faults: readonly string[];
}

/** The scope begins after the end of the log. */
export class BeyondTheLog extends Error {
  override readonly name = "BeyondTheLog";
}

/** Hears that a part begins, of how many items, null where nobody knows; gives what hears how many of them are done. */
export type Watch = (part: string, total: number | null) => (done: number) => void;

/**
 * Recomputes the log's chain, the streams from their events, all cells and sketches from all streams, and compares them with the tables: everything
 * as of one moment, whatever is appended meanwhile. Cells need every stream: one that the scope leaves out adds what its row says,
 * so that a wrong cell is found in any scope. Throws BeyondTheLog, or the signal's reason.
 */
export function verify<Payload, State>(
  database: Database,
  domain: Domain<Payload, State>,
  days: Days,
  scope: Scope,
  signal: AbortSignal,
  watch: Watch,
): Promise<Verified> {
  return snapshot(database, async (reading) => {
    // A read takes as long as the log is large; what has been found must not be lost to a limit that is meant for appending.
    await reading.execute("set local statement_timeout = 0");
    const head = await read_head(reading);
    if (scope.from > Math.max(head.position, 1)) {
      throw new BeyondTheLog(`verify from position ${scope.from}: the log ends at ${head.position}`);
    }
    signal.throwIfAborted();
    const faults = new Faults();
    const begin = (events: number) => watch("chain, events", events);
    const chain = await verify_chain(reading, head, scope.from, faults, signal, begin);
    const changes = new CellChanges(domain, days);
    const folded = watch(`${domain.tables.states}, events`, head.position);
    const streams = await verify_streams(reading, domain, head, choice_of(scope), changes, faults, signal, folded);
    const cells = faults.enough
      ? 0
      : await verify_cells(reading, domain, changes, faults, signal, watch(domain.tables.cells, null));
    const { sketches } = domain.tables;
    if (sketches !== null && !faults.enough) {
      await verify_sketches(reading, domain, changes.sketches, faults, signal, watch(sketches, null));
    }
    return { position: head.position, ...chain, ...streams, cells, faults: faults.told() };
  });
}

/** Whether a stream is in the scope: the same for the same seed, whatever else is in the log. */
function choice_of({ from, share, seed }: Scope): Choice {
  const drawn = (stream_id: string) =>
    share === 1 || createHash("sha256").update(`${seed} ${stream_id}`).digest().readUInt32BE() < share * 2 ** 32;
  return (stream_id, positions) => (from <= 1 || positions.some((position) => position >= from)) && drawn(stream_id);
}
