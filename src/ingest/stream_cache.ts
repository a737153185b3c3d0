import type { StreamChange, StreamState } from "../event_log/mod.ts";

/**
 * The latest states of recently used streams, so that most batches read nothing. Bounded; the least recently used go first.
 * Holds the effects of a batch as soon as it is planned; they are true only once it is committed, so any failure clears it.
 */
export class StreamCache {
  readonly #streams = new Map<string, StreamState & { readonly positions: number[] }>();
  constructor(readonly capacity: number) {}

  get(stream_id: string): StreamState | undefined {
    const stream = this.#streams.get(stream_id);
    if (stream !== undefined) {
      this.#streams.delete(stream_id);
      this.#streams.set(stream_id, stream);
    }
    return stream;
  }

  /** Takes in what a batch makes of its streams; positions stay open until `settle`. */
  take(changes: readonly StreamChange[], before: ReadonlyMap<string, StreamState>): void {
    for (const { stream_id, state, revision, last_us, last_event_id, ordinals, hashes } of changes) {
      const known = before.get(stream_id);
      this.#streams.delete(stream_id);
      this.#streams.set(stream_id, {
        state,
        revision,
        last_us,
        last_event_id,
        positions: (known?.positions ?? []).concat(ordinals.map(() => NaN)),
        hashes: known?.hashes.concat(hashes) ?? hashes,
      });
    }
    for (const stream_id of this.#streams.keys()) {
      if (this.#streams.size <= this.capacity) break;
      this.#streams.delete(stream_id);
    }
  }

  /** Fills in the positions of a committed batch, in place: whoever holds the stream may see them. */
  settle(changes: readonly StreamChange[], before_first: number): void {
    for (const { stream_id, ordinals, expected_revision } of changes) {
      const positions = this.#streams.get(stream_id)?.positions;
      if (positions === undefined) continue;
      for (let i = 0; i < ordinals.length; i++) positions[expected_revision + i] = before_first + ordinals[i]!;
    }
  }

  clear(): void {
    this.#streams.clear();
  }
}
