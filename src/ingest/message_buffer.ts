import type { SourceBatch, SourceMessage } from "./message_source.ts";

/** A bound or a limit in messages and in bytes of their content. */
export interface Amount {
  readonly messages: number;
  readonly bytes: number;
}

/** The bytes of a message's key, value and headers (names counted as characters). */
export function message_bytes(message: Omit<SourceMessage, "offset">): number {
  let bytes = (message.key?.length ?? 0) + (message.value?.length ?? 0);
  for (const name in message.headers) bytes += name.length + (message.headers[name]?.length ?? 0);
  return bytes;
}

/**
 * How many of `messages` from index `start` on fit into `limit`; never more than there are.
 * @param at_least 1 when an oversize message must pass alone, else 0
 */
export function count_within(
  messages: readonly SourceMessage[],
  start: number,
  limit: Amount,
  at_least: 0 | 1,
): Amount {
  let count = 0;
  let bytes = 0;
  for (let at = start; at < messages.length && count < limit.messages; at++) {
    const next = message_bytes(messages[at]!);
    if (bytes + next > limit.bytes && count >= at_least) break;
    bytes += next;
    count++;
  }
  return { messages: count, bytes };
}

interface Slice {
  batch: SourceBatch;
  bytes: number;
}

/**
 * The bounded buffer between a source's fetching and the ingest loop's taking. Batches leave in the order they came, cut
 * where the taker's limit demands it. It decides nothing about waiting: the source asks `has_room` before `push`.
 */
export class MessageBuffer {
  readonly #bound: Amount;
  #slices: Slice[] = [];
  #head = 0;
  /** The newest slice of each partition, to lengthen it without its messages. */
  readonly #tails = new Map<string, Slice>();
  #messages = 0;
  #bytes = 0;

  constructor(bound: Amount) {
    this.#bound = bound;
  }

  /** What it holds now. */
  get held(): Amount {
    return { messages: this.#messages, bytes: this.#bytes };
  }

  /** Whether so much fits. An empty buffer has room for anything, so that a single oversize message passes. */
  has_room(amount: Amount): boolean {
    if (this.#messages === 0) return true;
    return this.#messages + amount.messages <= this.#bound.messages &&
      this.#bytes + amount.bytes <= this.#bound.bytes;
  }

  /** Appends a batch. The caller has asked for room and keeps each partition's batches continuous. */
  push(batch: SourceBatch, bytes: number): void {
    const slice = { batch, bytes };
    this.#slices.push(slice);
    this.#tails.set(key_of(batch), slice);
    this.#messages += batch.messages.length;
    this.#bytes += bytes;
  }

  /** Appends offsets that hold no message; lengthens the partition's newest batch when it ends there, which takes no room. */
  push_empty(topic: string, partition: number, from_offset: number, next_offset: number): void {
    const tail = this.#tails.get(key_of({ topic, partition }));
    if (tail !== undefined && tail.batch.next_offset === from_offset) tail.batch = { ...tail.batch, next_offset };
    else this.push({ topic, partition, from_offset, next_offset, messages: [] }, 0);
  }

  /** Takes what is there within `limit`, oldest first; one message at least when there is one. [] when empty. */
  take(limit: Amount): SourceBatch[] {
    const taken: SourceBatch[] = [];
    let messages = 0;
    let bytes = 0;
    for (let slice = this.#slices[this.#head]; slice !== undefined; slice = this.#slices[this.#head]) {
      const rest = { messages: limit.messages - messages, bytes: limit.bytes - bytes };
      if (slice.batch.messages.length > rest.messages || slice.bytes > rest.bytes) {
        const part = this.#cut(slice, rest, messages === 0 ? 1 : 0);
        if (part !== null) taken.push(part);
        break;
      }
      taken.push(slice.batch);
      messages += slice.batch.messages.length;
      bytes += slice.bytes;
      this.#drop_head(slice);
    }
    return taken;
  }

  /** Throws everything away. */
  clear(): void {
    this.#slices = [];
    this.#head = 0;
    this.#tails.clear();
    this.#messages = 0;
    this.#bytes = 0;
  }

  /** Takes the front of a slice that does not fit whole; null when not even one message may go. */
  #cut(slice: Slice, rest: Amount, at_least: 0 | 1): SourceBatch | null {
    const front = count_within(slice.batch.messages, 0, rest, at_least);
    if (front.messages === 0) return null;
    const second = slice.batch.messages[front.messages];
    const { batch } = slice;
    if (second === undefined) {
      this.#drop_head(slice);
      return batch;
    }
    slice.batch = { ...batch, from_offset: second.offset, messages: batch.messages.slice(front.messages) };
    slice.bytes -= front.bytes;
    this.#messages -= front.messages;
    this.#bytes -= front.bytes;
    return { ...batch, next_offset: second.offset, messages: batch.messages.slice(0, front.messages) };
  }

  #drop_head(slice: Slice): void {
    this.#messages -= slice.batch.messages.length;
    this.#bytes -= slice.bytes;
    const key = key_of(slice.batch);
    if (this.#tails.get(key) === slice) this.#tails.delete(key);
    this.#head++;
    if (this.#head * 2 > this.#slices.length) {
      this.#slices = this.#slices.slice(this.#head);
      this.#head = 0;
    }
  }
}

const key_of = (at: { readonly topic: string; readonly partition: number }): string => `${at.topic}:${at.partition}`;
