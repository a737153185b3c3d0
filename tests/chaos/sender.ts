import { send_placed } from "../support/topic_writer.ts";
import { until } from "../support/until.ts";
import type { LoadStream, Sent } from "./load.ts";
import type { Tally } from "./tally.ts";
import { RECOVERY_LIMIT_MS, type World } from "./world.ts";

/** Messages on their way. */
export interface Sending {
  readonly count: number;
  readonly sent: Promise<unknown>;
}

/** Sends a round's messages: half of a step's share before it, a quarter while it lasts and a quarter when it is over. */
export class Sender {
  readonly #share: number;
  #at = 0;
  #last: Promise<unknown> = Promise.resolve();

  constructor(
    readonly world: World,
    readonly stream: LoadStream,
    readonly messages: readonly Sent[],
    steps: number,
    readonly tally: Tally,
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
    const { world, stream, tally } = this;
    const placed = this.messages.slice(this.#at, this.#at + most)
      .map((sent) => stream.place(sent, world.partitions));
    this.#at += placed.length;
    tally.sent += placed.length;
    // What was sent to a broker that died may be there already, and is sent again.
    const send = () => send_placed(world.kafka.brokers, world.topic, placed).then(() => true);
    const sent = this.#last.then(() => until("messages are sent", send, RECOVERY_LIMIT_MS));
    // Whoever waits for it hears of its failure.
    sent.catch(() => {});
    this.#last = sent;
    return { count: placed.length, sent };
  }
}
