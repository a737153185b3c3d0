import { Buffer } from "node:buffer";
import { Kafka, logLevel, type Message } from "kafkajs";
import { KafkaClient } from "../../src/ingest/kafka/kafka_client.ts";
import { begin_transaction, options_of } from "./kafka_topic.ts";

/** A message for a partition of the sender's choice. */
export interface PlacedMessage {
  readonly partition: number;
  readonly key: string;
  readonly value: string | Uint8Array | null;
  readonly timestamp_ms: number;
}

const REQUEST_MESSAGES = 100;

/**
 * Sends messages in order, each to its partition; what is there only after an outage, up to half a minute long, may be there
 * twice. A client of its own each time: one that does not know of a partition yet leaves its messages out without a word.
 */
export async function send_placed(brokers: string, topic: string, messages: readonly PlacedMessage[]): Promise<void> {
  const client = new KafkaClient(options_of(brokers, topic));
  const producer = client.producer();
  try {
    await producer.connect();
    for (let at = 0; at < messages.length; at += REQUEST_MESSAGES) {
      const request = messages.slice(at, at + REQUEST_MESSAGES).map(kafkajs_message);
      await producer.send({ topic, acks: -1, messages: request });
    }
    await producer.disconnect();
  } finally {
    client.cut();
  }
}

/**
 * As `send_placed`, in one transaction, between whose parts another producer sends what it rolls back then. A try that was cut short is rolled back by the next one.
 * @param id of both producers: nobody else may use it meanwhile
 */
export async function send_in_transactions(
  brokers: string,
  topic: string,
  messages: readonly PlacedMessage[],
  rolled_back: readonly PlacedMessage[],
  id: string,
): Promise<void> {
  const kafka = new Kafka({ brokers: [brokers], clientId: "sender", logLevel: logLevel.NOTHING });
  const producers = ["commits", "aborts"].map((name) =>
    kafka.producer({ transactionalId: `${id} ${name}`, idempotent: true, maxInFlightRequests: 1 })
  );
  try {
    await Promise.all(producers.map((producer) => producer.connect()));
    const [committed, aborted] = await Promise.all(producers.map(begin_transaction));
    const middle = messages.length >> 1;
    for (
      const [transaction, part] of [
        [committed!, messages.slice(0, middle)],
        [aborted!, rolled_back],
        [committed!, messages.slice(middle)],
      ] as const
    ) {
      if (part.length > 0) await transaction.send({ topic, acks: -1, messages: part.map(kafkajs_message) });
    }
    await aborted!.abort();
    await committed!.commit();
  } finally {
    await Promise.allSettled(producers.map((producer) => producer.disconnect()));
  }
}

const kafkajs_message = ({ partition, key, value, timestamp_ms }: PlacedMessage): Message => ({
  partition,
  key,
  value: value === null ? null : Buffer.from(value),
  timestamp: String(timestamp_ms),
});

/** Makes the topic's partitions this many. */
export async function add_partitions(brokers: string, topic: string, count: number): Promise<void> {
  const client = new KafkaClient(options_of(brokers, topic));
  const admin = client.admin();
  try {
    await admin.connect();
    await admin.createPartitions({ topicPartitions: [{ topic, count }] });
    await admin.disconnect();
  } finally {
    client.cut();
  }
}

/** The next offset to be written, by partition. */
export async function topic_ends(brokers: string, topic: string): Promise<Map<number, number>> {
  const client = new KafkaClient(options_of(brokers, topic));
  const admin = client.admin();
  try {
    await admin.connect();
    const ends = await admin.fetchTopicOffsets(topic);
    await admin.disconnect();
    return new Map(ends.map(({ partition, high }) => [partition, Number(high)]));
  } finally {
    client.cut();
  }
}
