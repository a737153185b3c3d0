import { type Clock, WakeUp } from "../runtime/mod.ts";
import { type Amount, count_within, message_bytes } from "./message_buffer.ts";
import {
  type Cursor,
  type CursorBook,
  least_worth,
  type Message,
  type MessageSource,
  type SourceBatch,
  type SourceMessage,
  type SourceRemark,
  type SourceState,
  type UndatedState,
  type Worth,
} from "./message_source.ts";

interface QueueOptions {
  readonly topic: string;
  /** Names the queue as a cluster id names a Kafka cluster. */
  readonly cluster_id: string;
  /** The most that is kept: offered and not yet committed. */
  readonly bound: Amount;
  readonly clock: Clock;
}

/**
 * The in-process queue: one topic with the one partition 0, in memory, for one process. Offsets go on where the book's
 * cursor stands, so that every start continues the numbers of the one before.
 *
 * A message stays until its cursor is committed, hence `rewind` loses none; what is not committed when the process ends is
 * gone, so whoever must not lose a message waits for the commit, not for `offer`.
 */
export class QueueSource implements MessageSource {
  readonly cluster_id: string;
  readonly #options: QueueOptions;
  readonly #changed = new WakeUp();
  /** Offered and not committed, in order; the one at index 0 has the offset `#first`. */
  #kept: SourceMessage[] = [];
  #kept_bytes = 0;
  #first = 0;
  /** The next offset to hand out. */
  #position = 0;
  /** Behind the last offset that was ever handed out: no cursor of ours lies beyond. */
  #handed_out = 0;
  #book: CursorBook | null = null;
  #state: SourceState;

  constructor(options: QueueOptions) {
    this.#options = options;
    this.cluster_id = options.cluster_id;
    this.#state = { state: "starting", since_ms: options.clock.now_ms(), reason: null };
  }

  open(book: CursorBook, _signal: AbortSignal): Promise<void> {
    if (this.#book !== null) {
      return Promise.reject(new Error(`cannot open the queue "${this.#options.topic}": it is open already`));
    }
    this.#book = book;
    this.#first = this.#position = this.#handed_out = book.get(this.#options.topic, 0) ?? 0;
    this.#become({ state: "running", reason: null });
    this.#changed.ring();
    return Promise.resolve();
  }

  /**
   * Puts messages into the queue, in order, waiting for room and for `open`. A message that is larger than the bound goes in alone.
   * @returns how many were taken in: all of them, fewer when the queue is closed or the signal aborts meanwhile
   */
  async offer(messages: readonly Message[], signal: AbortSignal): Promise<number> {
    for (let at = 0; at < messages.length; at++) {
      const message = messages[at]!;
      const bytes = message_bytes(message);
      while (!this.#has_room(bytes)) {
        if (signal.aborted || this.#state.state === "closed") return at;
        await this.#changed.next(signal);
      }
      if (signal.aborted || this.#state.state === "closed") return at;
      const { key, value, headers, timestamp_ms } = message;
      const place = { topic: this.#options.topic, partition: 0, offset: this.#first + this.#kept.length };
      this.#kept.push({ ...place, key, value, headers, timestamp_ms });
      this.#kept_bytes += bytes;
      // Rung for each: the taker looks when this loop waits or ends, and finds all of them.
      this.#changed.ring();
    }
    return messages.length;
  }

  async take(limit: Amount, signal: AbortSignal, worth?: Worth): Promise<SourceBatch[]> {
    const least = least_worth(worth, () => this.#changed.ring());
    for (;;) {
      if (signal.aborted || this.#state.state === "closed") return [];
      const waiting = this.#first + this.#kept.length - this.#position;
      if (this.#state.state === "running" && waiting > 0 && waiting >= least.messages) return [this.#hand_out(limit)];
      await this.#changed.next(signal);
    }
  }

  /** Lets go of what is durable. */
  committed(cursors: readonly Cursor[]): void {
    for (const { topic, partition, next_offset } of cursors) {
      if (topic === this.#options.topic && partition === 0) this.#let_go(next_offset);
    }
    this.#changed.ring();
  }

  /** A cursor outside of what is kept means that another process uses this queue's name: the source stops with a gap. */
  rewind(): void {
    const { topic } = this.#options;
    const cursor = this.#book?.get(topic, 0) ?? this.#first;
    if (cursor < this.#first || cursor > this.#handed_out) {
      const kind = cursor < this.#first ? "retention" : "truncated";
      const end = this.#first + this.#kept.length;
      const gap = { kind, topic, partition: 0, cursor, first_available: this.#first, end } as const;
      const reason = `the queue "${topic}" handed out offsets ${this.#first} to ${this.#handed_out}, the cursor is ` +
        `${cursor}: another process uses the same queue name`;
      this.#become({ state: "gap", reason, advice: "Stop the other process, then start this one again", gap });
    } else {
      this.#let_go(cursor);
      this.#position = cursor;
      if (this.#state.state === "gap") this.#become({ state: "running", reason: null });
    }
    this.#changed.ring();
  }

  state(): SourceState {
    return this.#state;
  }

  remarks(): readonly SourceRemark[] {
    return [];
  }

  lag(): number | null {
    if (this.#book === null) return null;
    const cursor = this.#book.get(this.#options.topic, 0) ?? this.#first;
    return Math.max(0, this.#first + this.#kept.length - cursor);
  }

  close(): Promise<void> {
    this.#become({ state: "closed", reason: null });
    this.#changed.ring();
    return Promise.resolve();
  }

  #has_room(bytes: number): boolean {
    const { bound } = this.#options;
    if (this.#book === null) return false;
    if (this.#kept.length === 0) return true;
    return this.#kept.length < bound.messages && this.#kept_bytes + bytes <= bound.bytes;
  }

  #hand_out(limit: Amount): SourceBatch {
    const start = this.#position - this.#first;
    const { messages: count } = count_within(this.#kept, start, limit, 1);
    const from_offset = this.#position;
    this.#position += count;
    this.#handed_out = Math.max(this.#handed_out, this.#position);
    return {
      topic: this.#options.topic,
      partition: 0,
      from_offset,
      next_offset: this.#position,
      messages: this.#kept.slice(start, start + count),
    };
  }

  #let_go(next_offset: number): void {
    const count = Math.min(next_offset, this.#handed_out) - this.#first;
    if (count <= 0) return;
    for (const message of this.#kept.slice(0, count)) this.#kept_bytes -= message_bytes(message);
    this.#kept = this.#kept.slice(count);
    this.#first += count;
    this.#position = Math.max(this.#position, this.#first);
  }

  #become(next: UndatedState): void {
    if (this.#state.state === "closed" || this.#state.state === next.state) return;
    this.#state = { ...next, since_ms: this.#options.clock.now_ms() };
  }
}
