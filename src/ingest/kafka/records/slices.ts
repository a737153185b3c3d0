import { type Amount, message_bytes } from "../../message_buffer.ts";
import type { SourceBatch, SourceMessage } from "../../message_source.ts";
import type { FetchedPartition } from "./fetch_answer.ts";
import { read_records, type RecordLimits } from "./record_batch.ts";

/** What a fetch brought of one partition: something at least. */
export interface FetchedBatches extends Pick<FetchedPartition, "batches"> {
  readonly topic: string;
  readonly partition: number;
  /** The offset after all that it covers, whatever was there. */
  readonly next_offset: number;
}

/** A piece of what was fetched, and the bytes of its messages. */
export interface Slice {
  readonly batch: SourceBatch;
  readonly bytes: number;
}

/**
 * Unpacks what was fetched and cuts it into source batches of at most `most`, without holes between them: an inner one ends where the
 * next message begins, the last one after the last offset covered. A message larger than `most.bytes` is a slice of its own.
 * @param from_offset where the first one begins; messages below it are left out
 */
export async function* slices(
  fetched: FetchedBatches,
  from_offset: number,
  most: Amount,
  limits: RecordLimits,
): AsyncGenerator<Slice> {
  const { topic, partition, batches, next_offset } = fetched;
  let from = from_offset;
  let run: SourceMessage[] = [];
  let bytes = 0;
  for (const packed of batches) {
    for await (const messages of read_records(packed, from_offset, limits)) {
      for (const message of messages) {
        const size = message_bytes(message);
        if (run.length > 0 && (run.length >= most.messages || bytes + size > most.bytes)) {
          yield { batch: { topic, partition, from_offset: from, next_offset: message.offset, messages: run }, bytes };
          from = message.offset;
          run = [];
          bytes = 0;
        }
        run.push(message);
        bytes += size;
      }
    }
  }
  yield { batch: { topic, partition, from_offset: from, next_offset, messages: run }, bytes };
}
