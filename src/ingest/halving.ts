import type { Database } from "../database/mod.ts";
import { type CursorAdvance, read_head } from "../event_log/mod.ts";
import type { Logger } from "../runtime/mod.ts";
import type { Cursors } from "./cursors.ts";
import { throw_unless_unknown } from "./failure.ts";
import type { MessageSource, SourceBatch } from "./message_source.ts";
import type { Patience } from "./patience.ts";
import type { Pipeline, PlannedBatch } from "./pipeline.ts";

/** What halving works with. */
export interface HalvingParts<Payload, State> {
  readonly database: Database;
  readonly pipeline: Pipeline<Payload, State>;
  readonly cursors: Cursors;
  readonly source: Pick<MessageSource, "cluster_id">;
  readonly logger: Logger;
  readonly patience: Patience;
  /** Hears of every batch that is committed. */
  readonly committed: (planned: PlannedBatch<State>) => void;
}

/**
 * Works off batches that failed without a known reason, in halves and without overlap, until a single message is the culprit. That one
 * is quarantined with what the failure said; all others go the normal way.
 */
export class Halving<Payload, State> {
  constructor(private readonly parts: HalvingParts<Payload, State>) {}

  /**
   * Commits all of the batches. Rejects when a rival was faster (BeginAnew), and when not even the quarantine takes a message.
   * @param of_whole the cursor advances of the whole that they are part of
   */
  async work_off(
    batches: readonly SourceBatch[],
    of_whole: readonly CursorAdvance[],
    signal: AbortSignal,
  ): Promise<void> {
    const advances = advances_of(batches, of_whole, this.parts.cursors);
    try {
      await this.#append(batches, advances, signal);
    } catch (failure) {
      throw_unless_unknown(failure, signal);
      if (batches.reduce((sum, { messages }) => sum + messages.length, 0) <= 1) {
        await this.#append(batches, advances, signal, failure);
        this.parts.logger.log("error", "quarantined a message that could not be appended", { reason: failure });
        return;
      }
      for (const half of halves(batches)) await this.work_off(half, advances, signal);
    }
  }

  /**
   * Plans from what is committed, whatever was planned before, and commits.
   * @param blamed the failure that the messages are quarantined for; undefined: they go the normal way
   */
  async #append(
    batches: readonly SourceBatch[],
    advances: readonly CursorAdvance[],
    signal: AbortSignal,
    blamed?: unknown,
  ): Promise<void> {
    const { database, pipeline, source, patience } = this.parts;
    const head = await patience.work("read head", signal, () => read_head(database));
    pipeline.forget(head.watermark_us);
    const planned = await patience.work(
      "plan a batch",
      signal,
      () => pipeline.plan(batches, advances, source.cluster_id, blamed),
    );
    const action = blamed === undefined ? "append a batch" : "quarantine a message";
    await patience.work(action, signal, () => pipeline.append(planned));
    this.parts.committed(planned);
  }
}

/** Splits batches into two parts of about as many messages, each with whole offset ranges. */
export function halves(batches: readonly SourceBatch[]): SourceBatch[][] {
  if (batches.length > 1) {
    const middle = batches.length >> 1;
    return [batches.slice(0, middle), batches.slice(middle)];
  }
  const only = batches[0]!;
  const middle = only.messages.length >> 1;
  if (middle === 0) return [[only]];
  const at = only.messages[middle]!.offset;
  return [
    [{ ...only, next_offset: at, messages: only.messages.slice(0, middle) }],
    [{ ...only, from_offset: at, messages: only.messages.slice(middle) }],
  ];
}

/** The cursor advances of a part, from what is committed by now. */
export function advances_of(
  part: readonly SourceBatch[],
  of_whole: readonly CursorAdvance[],
  cursors: Cursors,
): CursorAdvance[] {
  return of_whole.flatMap(({ topic, partition }) => {
    const own = part.filter((batch) => batch.topic === topic && batch.partition === partition);
    return own.length === 0
      ? []
      : [{ topic, partition, from: cursors.get(topic, partition), to: own.at(-1)!.next_offset }];
  });
}
