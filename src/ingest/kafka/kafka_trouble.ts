import type { Clock } from "../../runtime/mod.ts";

/** How trouble with brokers shows: by what an error of the client means, and by what has not been answered for too long. */

/** What an error from the Kafka client means for the source. */
interface KafkaFailure {
  /** Waiting cannot help: credentials, rights, or brokers that are too old. */
  readonly final: boolean;
  /** What came could not be read: asking once more may help, asking for ever does not. */
  readonly unreadable: boolean;
  /** In words for operators. */
  readonly reason: string;
}

const FINAL_NAMES = new Set([
  "KafkaJSSASLAuthenticationError",
  "KafkaJSNotImplemented",
  "KafkaJSServerDoesNotSupportApiKey",
  "BrokersTooOld",
]);
/** A RangeError is what Buffers throw where kafkajs reads past the end of an answer. */
const UNREADABLE_NAMES = new Set(["DamagedAnswer", "RangeError"]);
const FINAL_TYPES = new Set([
  "SASL_AUTHENTICATION_FAILED",
  "UNSUPPORTED_SASL_MECHANISM",
  "TOPIC_AUTHORIZATION_FAILED",
  "GROUP_AUTHORIZATION_FAILED",
  "CLUSTER_AUTHORIZATION_FAILED",
  "INVALID_TOPIC_EXCEPTION",
  "INVALID_GROUP_ID",
  "INVALID_SESSION_TIMEOUT",
  "INVALID_REPLICATION_FACTOR",
  "INVALID_PARTITIONS",
]);

/** A login where none is asked for. Later on it may also be kafkajs stumbling over a login that is renewed. */
const FINAL_AT_FIRST = "ILLEGAL_SASL_STATE";

/**
 * Reads an error and everything it was caused by.
 * @param at_first whether these brokers have not served us before
 */
export function failure_of(error: unknown, at_first = false): KafkaFailure {
  const chain = causes(error);
  const final = chain.find(({ name, type }) =>
    FINAL_NAMES.has(name) || FINAL_TYPES.has(type) || (at_first && type === FINAL_AT_FIRST)
  );
  const unreadable = chain.find((cause) => UNREADABLE_NAMES.has(cause.name));
  const told = final ?? unreadable ?? chain.findLast((cause) => cause.message !== "") ??
    { name: "Error", message: String(error) };
  return { final: final !== undefined, unreadable: unreadable !== undefined, reason: `${told.name}: ${told.message}` };
}

/** What brokers say while they make ready a topic or a group that is new to them. */
const PREPARING_TYPES = new Set([
  "UNKNOWN_TOPIC_OR_PARTITION",
  "LEADER_NOT_AVAILABLE",
  "NOT_LEADER_FOR_PARTITION",
  "REPLICA_NOT_AVAILABLE",
  "NOT_CONTROLLER",
  "GROUP_LOAD_IN_PROGRESS",
  "GROUP_COORDINATOR_NOT_AVAILABLE",
  "NOT_COORDINATOR_FOR_GROUP",
]);

/** Whether an error says that brokers are not ready yet for a topic or group: at first that is how things begin. */
export const is_preparing = (error: unknown): boolean => causes(error).some(({ type }) => PREPARING_TYPES.has(type));

interface Cause {
  readonly name: string;
  readonly type: string;
  readonly message: string;
}

/** The error, its causes and the errors it gathers, outermost first. Bounded, since a cause may point back. */
function causes(error: unknown): Cause[] {
  const found: Cause[] = [];
  const queue: unknown[] = [error];
  while (queue.length > 0 && found.length < 32) {
    const next = queue.shift();
    if (!(next instanceof Error)) continue;
    const type = "type" in next && typeof next.type === "string" ? next.type : "";
    found.push({ name: next.name, type, message: next.message });
    queue.push(next.cause);
    if ("errors" in next && Array.isArray(next.errors)) queue.push(...next.errors);
  }
  return found;
}

/** What has not been answered, and for how long. */
interface Silence {
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
