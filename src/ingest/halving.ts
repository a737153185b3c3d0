import { sqlstate } from "../database/mod.ts";
import type { CursorAdvance } from "../event_log/mod.ts";
import type { Cursors } from "./cursors.ts";
import type { Decoded } from "./decode.ts";
import type { SourceBatch } from "./message_source.ts";

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

/** Every message of the batches as a fault that the failure explains. */
export function accuse(batches: readonly SourceBatch[], failure: unknown): Decoded<never>[] {
  const state = sqlstate(failure);
  const detail = failure instanceof Error ? failure.message : String(failure);
  const fault = { reason: state === null ? "unknown_failure" : `sqlstate_${state}`, path: null, detail };
  return batches.flatMap(({ topic, partition, messages }) =>
    messages.map((message) => ({ topic, partition, message, outcome: { fault, stage: "append" as const } }))
  );
}
