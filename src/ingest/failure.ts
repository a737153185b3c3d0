import { blames_no_data } from "../database/mod.ts";
import { type CursorAdvance, CursorMoved, StreamChangedElsewhere } from "../event_log/mod.ts";
import type { SourceBatch } from "./message_source.ts";

/** Another process was faster, or delivery and cursors disagree: everything in memory is dropped and read anew. */
export class BeginAnew extends Error {}

/** A batch failed for a reason nobody foresaw: it is worked off in halves, after what was planned on top of it is dropped. */
export class HalveBatch extends Error {
  constructor(readonly batches: readonly SourceBatch[], readonly cursors: readonly CursorAdvance[], cause: unknown) {
    super("a batch failed and is worked off in halves", { cause });
  }
}

/** Ingest stops and says why; it goes on only when the program is started again. */
export class StopIngest extends Error {}

/**
 * Throws on what is no fault of the batch at hand: a rival that was faster (as BeginAnew), what another batch met, a stop, an outage that the
 * abort cut short, a schema that this program does not write for. It returns when the failure is one that nobody foresaw: a message of the
 * batch is to blame.
 */
export function throw_unless_unknown(error: unknown, signal: AbortSignal): void {
  if (error instanceof CursorMoved || error instanceof StreamChangedElsewhere) {
    throw new BeginAnew(error.message, { cause: error });
  }
  const known = error instanceof BeginAnew || error instanceof HalveBatch || error instanceof StopIngest;
  if (known || signal.aborted || blames_no_data(error)) throw error;
}
