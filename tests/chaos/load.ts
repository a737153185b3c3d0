import { hash32, hash_text, Random } from "../../src/domains/generator/mod.ts";
import type { Load } from "./schedule.ts";

/** A message for one partition. */
export interface LoadMessage {
  readonly partition: number;
  readonly key: string;
  /** Null: a tombstone, which no consumer may admit. */
  readonly value: string | Uint8Array | null;
  readonly timestamp_ms: number;
}

/** Messages before their partition is known. */
export type Sent = Omit<LoadMessage, "partition">;

/** A good message, and when it is delivered at the earliest. */
export interface Made {
  /** The stream that it is about. */
  readonly key: string;
  readonly value: string;
  readonly deliver_us: number;
}

/** A domain's messages, without end; all of them follow from a seed. */
export interface Messages {
  readonly take: () => Made;
  /** Data for which a good message is refused, or contradicts the one that it was made of. */
  readonly refused: Readonly<Record<string, unknown>>;
  /** Makes of a good message one of which there is no event, in one of many ways. */
  readonly malformed: (message: Record<string, unknown>, word: number) => string;
}

export const TIME_ZONE = "Europe/Berlin";
export const START_US = Date.UTC(2026, 2, 1, 21, 30) * 1_000;
/** Earlier messages that may be sent again. */
const MOST_REMEMBERED = 5_000;

/**
 * The messages of a run, round after round, with the trouble that each round's load asks for. All of it follows from the seed. A stream's messages
 * stay in the partition that it was given when it first appeared, whatever partitions are added: what contradicts within a stream is
 * settled by order of arrival.
 */
export class LoadStream {
  readonly #random: Random;
  readonly #partitions = new Map<string, number>();
  readonly #remembered: Sent[] = [];
  #held_back: { readonly round: number; readonly sent: Sent }[] = [];

  constructor(seed: number, readonly made: Messages) {
    this.#random = new Random(seed, 78);
  }

  /** The messages of a round, in the order they are sent. Where a stream first appears is decided by `place`. */
  take(round: number, load: Load): Sent[] {
    const random = this.#random;
    const due = this.#held_back.filter((held) => held.round <= round).map(({ sent }) => sent);
    this.#held_back = this.#held_back.filter((held) => held.round > round);
    const places: { at: number; sent: Sent }[] = due.map((sent) => ({ at: random.between(0, load.messages), sent }));
    for (let i = due.length; i < load.messages; i++) {
      const { key, value, deliver_us } = this.made.take();
      const sent = { key, value, timestamp_ms: Math.floor(deliver_us / 1_000) };
      const at = random.chance(load.reordered) ? i + random.between(0, 60) : i;
      if (random.chance(load.late)) this.#held_back.push({ round: round + random.whole(1, 4), sent });
      else places.push({ at, sent });
      if (random.chance(load.duplicates)) places.push(this.#again(i, load.messages, sent));
      if (random.chance(load.malformed)) places.push({ at, sent: this.#broken(sent) });
      this.#remember(sent);
    }
    return places.sort((a, b) => a.at - b.at).map(({ sent }) => sent);
  }

  /** Gives a message its stream's partition; streams that are new are spread over as many as there are now. */
  place(sent: Sent, partitions: number): LoadMessage {
    let partition = this.#partitions.get(sent.key);
    if (partition === undefined) {
      partition = hash32(hash_text(sent.key)) % partitions;
      this.#partitions.set(sent.key, partition);
    }
    return { ...sent, partition };
  }

  /** A message sent a second time: this one soon or later, or one of an earlier round. */
  #again(i: number, messages: number, sent: Sent): { at: number; sent: Sent } {
    const random = this.#random;
    const at = random.chance(0.5) ? i + random.between(0, 5) : random.between(i, messages);
    const earlier = random.chance(0.4) && this.#remembered.length > 0;
    return { at, sent: earlier ? random.pick(this.#remembered) : sent };
  }

  #remember(sent: Sent): void {
    if (this.#remembered.length < MOST_REMEMBERED) this.#remembered.push(sent);
    else this.#remembered[this.#random.whole(0, MOST_REMEMBERED)] = sent;
  }

  /** A message that must be quarantined, made of a good one. */
  #broken(sent: Sent): Sent {
    const random = this.#random;
    const message = JSON.parse(String(sent.value)) as Record<string, unknown>;
    const data = (message.data ?? message) as Record<string, unknown>;
    const with_data = (changes: Record<string, unknown>) =>
      JSON.stringify(
        message.data === undefined ? { ...message, ...changes } : { ...message, data: { ...data, ...changes } },
      );
    const word = random.whole(0, 0x1_0000_0000);
    switch (random.whole(0, 6)) {
      case 0:
        // Right after the original: the same identity with other content, whichever of the two is read first.
        return { ...sent, value: with_data({ note: word }) };
      case 1:
        return { ...sent, value: with_data(this.made.refused) };
      case 2:
        return { ...sent, value: new Uint8Array([0x7b, 0xff, 0xfe, word & 0xff]) };
      case 3:
        return { ...sent, value: null };
      default:
        return { ...sent, value: this.made.malformed(message, word) };
    }
  }
}
