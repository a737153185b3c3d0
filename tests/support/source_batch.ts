import type { SourceBatch } from "../../src/ingest/mod.ts";

/** What a source delivers of one partition of topic "t": messages without a value at `offsets`, every one from `from_offset` to `next_offset` unless given. */
export function source_batch(
  partition: number,
  from_offset: number,
  next_offset: number,
  offsets: readonly number[] = Array.from({ length: next_offset - from_offset }, (_, i) => from_offset + i),
): SourceBatch {
  const topic = "t";
  const messages = offsets.map((offset) => (
    { topic, partition, offset, key: null, value: null, headers: {}, timestamp_ms: 0 }
  ));
  return { topic, partition, from_offset, next_offset, messages };
}
