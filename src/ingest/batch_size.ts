/** Longer than this a batch may not keep the process busy, milliseconds: heartbeats to Kafka, the page and probes wait meanwhile. */
const MOST_BUSY_MS = 1_500;
/** Fewer messages than this are not worth a transaction of their own. */
const LEAST = 100;

/**
 * How many messages to take at once. Decoding and planning a batch is one piece of work that nothing interrupts, and how long it takes depends on
 * the messages and the machine: a batch that took too long makes the next one smaller, one that was quick lets it grow again.
 */
export class BatchSize {
  #messages: number;

  /** @param most messages, where there is time for them */
  constructor(readonly most: number) {
    this.#messages = most;
  }

  get messages(): number {
    return this.#messages;
  }

  /** Hears for how long a batch of so many messages kept the process busy. */
  took(messages: number, busy_ms: number): void {
    if (busy_ms > MOST_BUSY_MS) {
      this.#messages = Math.max(Math.min(LEAST, this.most), Math.floor(messages * MOST_BUSY_MS / busy_ms));
    } else if (busy_ms < MOST_BUSY_MS / 2 && messages >= this.#messages) {
      this.#messages = Math.min(this.most, this.#messages * 2);
    }
  }
}
