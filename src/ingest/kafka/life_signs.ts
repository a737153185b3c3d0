import type { Clock } from "../../runtime/mod.ts";

/** What has not been answered, and for how long. */
export interface Silence {
  readonly ms: number;
  readonly what: string;
}

/** Requests whose answers say that the group still knows us, by kafkajs's names. */
const MEMBERSHIP = new Set(["Heartbeat", "JoinGroup", "SyncGroup"]);

/** kafkajs gives a request up after 10 s and asks again. Whom it asked no more since belongs to a broker that is gone. */
const GIVEN_UP_MS = 12_000;

/**
 * What one consumer still hears of its brokers. kafkajs may lose any one kind of answer without an error: it neither
 * closes a connection that has gone dead, nor heartbeats while it waits for a fetch. So each kind is watched by itself.
 */
export class LifeSigns {
  readonly #clock: Clock;
  #joined = false;
  /** Before the first join the last answer of any kind, then the last one of the group's coordinator. */
  #heard_ms: number;
  /** Fetches under way by broker: when each was first and last asked for since the last answer. */
  readonly #fetches = new Map<string, { readonly since_ms: number; last_ms: number }>();
  /** When each question under way was asked. */
  readonly #questions = new Set<{ readonly since_ms: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#heard_ms = clock.now_ms();
  }

  /** The brokers answered a request of this kind, whatever they said. */
  answered(api: string): void {
    if (this.#joined && !MEMBERSHIP.has(api)) return;
    this.#heard_ms = this.#clock.now_ms();
    // kafkajs joins from inside a fetch: a rebalance does not make that fetch late.
    if (MEMBERSHIP.has(api) && api !== "Heartbeat") this.#fetches.clear();
  }

  /** The group gave us partitions. */
  joined(): void {
    this.#joined = true;
    this.#heard_ms = this.#clock.now_ms();
    this.#fetches.clear();
  }

  /** A fetch from a broker begins, perhaps again because the one before failed. */
  fetch_began(broker: string): void {
    const last_ms = this.#clock.now_ms();
    const under_way = this.#fetches.get(broker);
    if (under_way === undefined) this.#fetches.set(broker, { since_ms: last_ms, last_ms });
    else under_way.last_ms = last_ms;
  }

  /** A fetch was answered. */
  fetched(broker: string): void {
    this.#fetches.delete(broker);
  }

  /** Asks something that brokers must answer in time, too. */
  async ask<T>(question: () => Promise<T>): Promise<T> {
    const asked = { since_ms: this.#clock.now_ms() };
    this.#questions.add(asked);
    try {
      return await question();
    } finally {
      this.#questions.delete(asked);
    }
  }

  /** The longest silence there is now. */
  silence(): Silence {
    const now_ms = this.#clock.now_ms();
    const whom = this.#joined ? "the group's coordinator has not answered" : "the brokers have not answered";
    let longest = { since_ms: this.#heard_ms, what: whom };
    const consider = (since_ms: number, what: string) => {
      if (since_ms < longest.since_ms) longest = { since_ms, what };
    };
    for (const [broker, { since_ms, last_ms }] of this.#fetches) {
      if (now_ms - last_ms > GIVEN_UP_MS) this.#fetches.delete(broker);
      else consider(since_ms, `broker ${broker} has not answered a fetch`);
    }
    for (const { since_ms } of this.#questions) consider(since_ms, "the brokers have not told the ends of the logs");
    return { ms: now_ms - longest.since_ms, what: longest.what };
  }
}
