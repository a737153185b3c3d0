import { type KafkaMessage, timestamp_is_brokers } from "./kafka_client.ts";
import { type Amount, message_bytes } from "../message_buffer.ts";
import type { SourceBatch, SourceMessage } from "../message_source.ts";

/** What a fetch brought of one partition. */
export interface FetchedBatch {
  readonly topic: string;
  readonly partition: number;
  /** Without control records and aborted messages, which are among its offsets all the same. */
  readonly messages: readonly KafkaMessage[];
  /** The last offset it covers, whatever was there. */
  readonly last_offset: number;
}

/** A piece of a fetched batch, and the bytes of its messages. */
export interface Slice {
  readonly batch: SourceBatch;
  readonly bytes: number;
}

/**
 * Cuts a fetched batch into source batches of at most `most`, without holes between them: an inner one ends where the
 * next message begins, the last one after the last offset covered. A message larger than `most.bytes` is a slice of its own.
 * @param from_offset where the first one begins, at or before the first message
 */
export function* slices(fetched: FetchedBatch, from_offset: number, most: Amount): Generator<Slice> {
  const { topic, partition, messages, last_offset } = fetched;
  let from = from_offset;
  let run: SourceMessage[] = [];
  let bytes = 0;
  for (const kafka_message of messages) {
    const message = source_message(kafka_message);
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
  yield { batch: { topic, partition, from_offset: from, next_offset: last_offset + 1, messages: run }, bytes };
}

/** Where JavaScript's dates end, in the year 275760. A producer may put any 64-bit integer there, and PostgreSQL stores no later instant than in 294276. */
const GREATEST_TIMESTAMP_MS = 8.64e15;

const NO_HEADERS: Readonly<Record<string, Uint8Array>> = Object.freeze({});

function source_message(message: KafkaMessage): SourceMessage {
  return {
    offset: Number(message.offset),
    key: message.key,
    value: message.value,
    headers: source_headers(message.headers),
    timestamp_ms: Math.min(Math.max(Number(message.timestamp), -GREATEST_TIMESTAMP_MS), GREATEST_TIMESTAMP_MS),
    timestamp_is_brokers: timestamp_is_brokers(message),
  };
}

/** Header values as bytes; a repeated header keeps its last value, a header without value is left out. */
function source_headers(headers: KafkaMessage["headers"]): Readonly<Record<string, Uint8Array>> {
  let found: [string, Uint8Array][] | null = null;
  for (const name in headers) {
    const given = headers[name];
    const value = Array.isArray(given) ? given.at(-1) : given;
    if (value === undefined || value === null) continue;
    (found ??= []).push([name, typeof value === "string" ? new TextEncoder().encode(value) : value]);
  }
  // Not by assignment: a header may be called "__proto__".
  return found === null ? NO_HEADERS : Object.fromEntries(found);
}
