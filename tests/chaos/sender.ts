import { type PlacedMessage, send_in_transactions, send_placed } from "../support/topic_writer.ts";
import { until } from "../support/until.ts";
import type { Sent } from "./load.ts";
import { RECOVERY_LIMIT_MS, type Side, type World } from "./world.ts";

/** Messages on their way. */
export interface Sending {
  readonly count: number;
  readonly sent: Promise<unknown>;
}

/** Keys as integer serializers write them; the first looks like the marker of an abort. */
const KEYS = ["\0\0\0\0", "\0\0\0\x01", ""];

/** Sends a round's messages of a domain: half of a step's share before it, a quarter while it lasts and a quarter when it is over. */
export class Sender {
  readonly #share: number;
  #at = 0;
  #sendings = 0;
  #last: Promise<unknown> = Promise.resolve();

  constructor(
    readonly world: World,
    readonly side: Side,
    readonly messages: readonly Sent[],
    steps: number,
  ) {
    this.#share = Math.ceil(messages.length / steps);
  }

  send_before(): Sending {
    return this.#send(Math.ceil(this.#share / 2));
  }

  send_during(): Sending {
    return this.#send(Math.ceil(this.#share / 4));
  }

  send_after(): Sending {
    return this.#send(Math.floor(this.#share / 4));
  }

  /** What was sent before goes first. */
  #send(most: number): Sending {
    const { world, side } = this;
    const placed = this.messages.slice(this.#at, this.#at + most)
      .map((sent) => side.stream.place(sent, side.partitions));
    this.#at += placed.length;
    side.sent += placed.length;
    // What was sent to a broker that died may be there already, and is sent again.
    const { kafka: { brokers } } = world, { topic } = side;
    // Every other time in a transaction, beside one that is rolled back.
    const send = this.#sendings++ % 2 === 0
      ? () => send_placed(brokers, topic, placed).then(() => true)
      : () => send_in_transactions(brokers, topic, placed, this.#rolled_back(placed), topic).then(() => true);
    const sent = this.#last.then(() => until("messages are sent", send, RECOVERY_LIMIT_MS));
    // Whoever waits for it hears of its failure.
    sent.catch(() => {});
    this.#last = sent;
    return { count: placed.length, sent };
  }

  /** Sound events beside messages, one a message, which may be in no figure. */
  #rolled_back(messages: readonly PlacedMessage[]): PlacedMessage[] {
    return messages.map(({ partition, timestamp_ms }, i) => {
      const id = `rolled back ${timestamp_ms} ${i}`;
      const value = JSON.stringify(this.side.domain.rolled_back(id, new Date(timestamp_ms).toISOString()));
      return { partition, key: KEYS[i % KEYS.length]!, value, timestamp_ms };
    });
  }
}
