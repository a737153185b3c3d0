import { type Message, partition_name, type SourceBatch, type TopicPartition } from "./message_source.ts";

/** A bound or a limit in messages and in bytes of their content. */
export interface Amount {
  readonly messages: number;
  readonly bytes: number;
}

/** The bytes of a message's key, value and headers (names counted as characters). */
export function message_bytes(message: Message): number {
  let bytes = (message.key?.length ?? 0) + (message.value?.length ?? 0);
  for (const name in message.headers) bytes += name.length + (message.headers[name]?.length ?? 0);
  return bytes;
}

/**
 * How many of `messages` from index `start` on fit into `limit`; never more than there are.
 * @param at_least 1 when an oversize message must pass alone, else 0
 */
export function count_within(
  messages: readonly Message[],
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
  /** Slices are counted as they come. */
  readonly ordinal: number;
}

/** What waits of one partition, in order. */
interface Waiting {
  slices: Slice[];
  messages: number;
  bytes: number;
}

/**
 * The bounded buffer between a source's fetching and the ingest loop's taking. Batches of a partition leave in the order they came, cut
 * where the taker's limit demands it. Of several partitions those leave first whose messages are oldest by their own time, so that partitions of
 * a backlog do not run apart: what one of them tells late, by the watermark of the others, would touch windows that are closed, and more cells.
 * It decides nothing about waiting: the source asks `has_room` before `push`.
 */
export class MessageBuffer {
  readonly #bound: Amount;
  /** Partitions that have something, by name. */
  readonly #waiting = new Map<string, Waiting>();
  #messages = 0;
  #bytes = 0;
  #ordinal = 0;

  constructor(bound: Amount) {
    this.#bound = bound;
  }

  /** What it holds now. */
  get held(): Amount {
    return { messages: this.#messages, bytes: this.#bytes };
  }

  /**
   * Whether so much fits. An empty buffer has room for anything, so that a single oversize message passes.
   * @param of whose it is: once half of the bound is taken, a partition that has its share waits for those that have less
   */
  has_room(amount: Amount, of?: TopicPartition): boolean {
    if (this.#messages === 0) return true;
    const within = (held: Amount, share: number) =>
      held.messages + amount.messages <= this.#bound.messages / share &&
      held.bytes + amount.bytes <= this.#bound.bytes / share;
    if (!within(this.held, 1)) return false;
    const own = of === undefined ? undefined : this.#waiting.get(partition_name(of));
    return own === undefined || own.messages === 0 || within(this.held, 2) || within(own, this.#waiting.size);
  }

  /** Appends a batch. The caller has asked for room and keeps each partition's batches continuous. */
  push(batch: SourceBatch, bytes: number): void {
    const key = partition_name(batch);
    let waiting = this.#waiting.get(key);
    if (waiting === undefined) this.#waiting.set(key, waiting = { slices: [], messages: 0, bytes: 0 });
    waiting.slices.push({ batch, bytes, ordinal: this.#ordinal++ });
    this.#count(waiting, batch.messages.length, bytes);
  }

  /** Appends offsets that hold no message; lengthens the partition's newest batch when it ends there, which takes no room. */
  push_empty(topic: string, partition: number, from_offset: number, next_offset: number): void {
    const tail = this.#waiting.get(partition_name({ topic, partition }))?.slices.at(-1);
    if (tail !== undefined && tail.batch.next_offset === from_offset) tail.batch = { ...tail.batch, next_offset };
    else this.push({ topic, partition, from_offset, next_offset, messages: [] }, 0);
  }

  /** Takes what is there within `limit`, first what came first, then the oldest; one message at least when there is one. [] when empty. */
  take(limit: Amount): SourceBatch[] {
    const taken: SourceBatch[] = [];
    let messages = 0, bytes = 0;
    // Whatever times its messages bear, no partition waits for ever.
    for (let next = this.#next(by_arrival); next !== undefined; next = this.#next(by_time)) {
      const slice = next.slices[0]!;
      const rest = { messages: limit.messages - messages, bytes: limit.bytes - bytes };
      if (slice.batch.messages.length > rest.messages || slice.bytes > rest.bytes) {
        const part = this.#cut(next, slice, rest, messages === 0 ? 1 : 0);
        if (part !== null) taken.push(part);
        break;
      }
      taken.push(slice.batch);
      messages += slice.batch.messages.length;
      bytes += slice.bytes;
      this.#drop_first(next, slice);
    }
    return taken;
  }

  /** Throws everything away. */
  clear(): void {
    this.#waiting.clear();
    this.#messages = 0;
    this.#bytes = 0;
  }

  /** The partition whose first slice comes first; undefined when nothing waits. */
  #next(order: (a: Slice, b: Slice) => number): Waiting | undefined {
    let first: Waiting | undefined;
    for (const waiting of this.#waiting.values()) {
      if (first === undefined || order(waiting.slices[0]!, first.slices[0]!) < 0) first = waiting;
    }
    return first;
  }

  /** Takes the front of a slice that does not fit whole; null when not even one message may go. */
  #cut(waiting: Waiting, slice: Slice, rest: Amount, at_least: 0 | 1): SourceBatch | null {
    const front = count_within(slice.batch.messages, 0, rest, at_least);
    if (front.messages === 0) return null;
    const second = slice.batch.messages[front.messages];
    const { batch } = slice;
    if (second === undefined) {
      this.#drop_first(waiting, slice);
      return batch;
    }
    slice.batch = { ...batch, from_offset: second.offset, messages: batch.messages.slice(front.messages) };
    slice.bytes -= front.bytes;
    this.#count(waiting, -front.messages, -front.bytes);
    return { ...batch, next_offset: second.offset, messages: batch.messages.slice(0, front.messages) };
  }

  #drop_first(waiting: Waiting, slice: Slice): void {
    this.#count(waiting, -slice.batch.messages.length, -slice.bytes);
    waiting.slices.shift();
    if (waiting.slices.length === 0) this.#waiting.delete(partition_name(slice.batch));
  }

  #count(waiting: Waiting, messages: number, bytes: number): void {
    waiting.messages += messages;
    waiting.bytes += bytes;
    this.#messages += messages;
    this.#bytes += bytes;
  }
}

const by_arrival = (a: Slice, b: Slice): number => a.ordinal - b.ordinal;
/** When the first message of a slice was sent; one without messages holds nothing up. */
const sent_ms = ({ batch }: Slice): number => batch.messages[0]?.timestamp_ms ?? Number.NEGATIVE_INFINITY;
const by_time = (a: Slice, b: Slice): number => {
  const [a_ms, b_ms] = [sent_ms(a), sent_ms(b)];
  return a_ms === b_ms ? by_arrival(a, b) : a_ms - b_ms;
};
