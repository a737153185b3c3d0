import { Buffer } from "node:buffer";
import { CompressionTypes, Kafka, logLevel, type Message } from "kafkajs";
import type { Deployment } from "../support/deployment.ts";
import { decode_message } from "../support/oracle/decode.ts";
import { Fault } from "../support/oracle/json.ts";
import type { OracleOptions } from "../support/oracle/mod.ts";
import { is_bomb } from "./damage.ts";
import type { FuzzedMessage } from "./message_stream.ts";

export const PARTITIONS = 4;
const IN_ONE_REQUEST = 1_000;

/** The topic takes whatever is sent to it and keeps it: sizes above the limit, and times of which brokers would remove the messages or refuse them. */
const SETTINGS = {
  "max.message.bytes": "16777216",
  "message.timestamp.after.max.ms": "9223372036854775807",
  "retention.ms": "-1",
  "segment.ms": "9223372036854775807",
};

/** Makes the topic. */
export async function make_fuzzed_topic(deployment: Deployment): Promise<void> {
  const admin = new Kafka({ brokers: [deployment.KAFKA_BROKERS], logLevel: logLevel.NOTHING }).admin();
  await admin.connect();
  const configEntries = Object.entries(SETTINGS).map(([name, value]) => ({ name, value }));
  const topics = [{ topic: deployment.TACHO_TOPICS, numPartitions: PARTITIONS, configEntries }];
  await admin.createTopics({ topics, waitForLeaders: true }).finally(() => admin.disconnect());
}

/**
 * Sends the messages, each once. A trip's messages go to one partition, whatever their key says: of two that contradict each other the first
 * is admitted, and only one partition has an order.
 * @param sent hears how many went out
 */
export async function send_fuzzed(
  deployment: Deployment,
  messages: Iterable<FuzzedMessage>,
  options: OracleOptions,
  sent: (messages: number) => void,
): Promise<void> {
  const kafka = new Kafka({ brokers: [deployment.KAFKA_BROKERS], clientId: "fuzz", logLevel: logLevel.NOTHING });
  const producer = kafka.producer({ idempotent: true, maxInFlightRequests: 1, allowAutoTopicCreation: false });
  await producer.connect();
  const send = async (request: Message[]) => {
    // Packed, so that a bomb is among messages and small on the wire.
    const bombs = request.some(({ value }) => is_bomb(value as Uint8Array | null, options.max_message_bytes));
    const compression = bombs ? CompressionTypes.GZIP : CompressionTypes.None;
    await producer.send({ topic: deployment.TACHO_TOPICS, acks: -1, messages: request, compression });
    sent(request.length);
  };
  try {
    let request: Message[] = [];
    let number = 0;
    for (const message of messages) {
      request.push({ ...kafkajs_message(message), partition: partition_of(message, number++, options) });
      if (request.length < IN_ONE_REQUEST) continue;
      await send(request);
      request = [];
    }
    if (request.length > 0) await send(request);
  } finally {
    await producer.disconnect();
  }
}

function kafkajs_message({ key, value, headers, timestamp_ms }: FuzzedMessage): Message {
  const buffers = Object.entries(headers).map(([name, given]) =>
    [name, Array.isArray(given) ? given.map((each) => Buffer.from(each)) : Buffer.from(given as Uint8Array)] as const
  );
  return {
    key: key === null ? null : Buffer.from(key),
    value: value === null ? null : Buffer.from(value),
    headers: Object.fromEntries(buffers),
    // Beyond 2^53 a number's own digits are not those of a 64-bit integer near it.
    timestamp: String(BigInt(timestamp_ms)),
  };
}

function partition_of(message: FuzzedMessage, number: number, options: OracleOptions): number {
  const last = (given: Uint8Array | readonly Uint8Array[]) => given instanceof Uint8Array ? given : given.at(-1)!;
  const headers = Object.fromEntries(Object.entries(message.headers).map(([name, given]) => [name, last(given)]));
  const decoded = decode_message({ ...message, headers, topic: "", partition: 0, offset: 0 }, options);
  if (decoded instanceof Fault) return number % PARTITIONS;
  let hash = 0;
  for (const character of decoded.trip_id) hash = (Math.imul(hash, 31) + character.codePointAt(0)!) >>> 0;
  return hash % PARTITIONS;
}
