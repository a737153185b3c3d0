import { comes_after, hash_event_id, type StreamState } from "../event_log/mod.ts";
import type { Decoded } from "./decode.ts";

/**
 * Which stored events a batch needs: all of a stream that gets an event out of order, or one whose id it may have already.
 * @returns positions; `unsettled` when some belong to a batch that is still being appended
 */
export function survey<Payload, State>(
  decoded: readonly Decoded<Payload>[],
  streams: ReadonlyMap<string, StreamState<State>>,
): { readonly positions: readonly number[]; readonly unsettled: boolean } {
  const needed = new Set<number>();
  const lasts = new Map<string, { us: number; id: string }>();
  for (const { outcome } of decoded) {
    if (!("event" in outcome)) continue;
    const { stream_id, event_id, occurred_at_us } = outcome.event;
    const stream = streams.get(stream_id);
    if (stream === undefined) continue;
    const last = lasts.get(stream_id) ?? { us: stream.last_us, id: stream.last_event_id };
    if (comes_after(occurred_at_us, event_id, last.us, last.id) && !stream.hashes.includes(hash_event_id(event_id))) {
      lasts.set(stream_id, { us: occurred_at_us, id: event_id });
    } else {
      for (const position of stream.positions) needed.add(position);
    }
  }
  const unsettled = needed.has(NaN);
  needed.delete(NaN);
  return { positions: [...needed], unsettled };
}
