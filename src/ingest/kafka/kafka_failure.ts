/** What an error from the Kafka client means for the source. */
export interface KafkaFailure {
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
