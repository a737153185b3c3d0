import type { Producer, Transaction } from "kafkajs";
import { Buffer } from "node:buffer";
import {
  type KafkaOptions,
  type KafkaSettings,
  open_kafka_admin,
  open_kafka_producer,
} from "../../src/ingest/kafka/mod.ts";
import { type Compression, KafkaClient } from "../../src/ingest/kafka/kafka_client.ts";
import { unique_name } from "./kafka.ts";
import { bytes_of } from "./read_source.ts";
import { until } from "./until.ts";

/** Short times, so that what takes a while in production is seen soon. */
export const QUICK: Partial<KafkaSettings> = {
  watch_ms: 200,
  quiet_ms: 2_000,
  stall_ms: 8_000,
  retry_cap_ms: 500,
  session_ms: 3_000,
  heartbeat_ms: 500,
  rebalance_ms: 5_000,
  close_ms: 2_000,
};

/** A source of one topic, in a group of its own. */
export function options_of(brokers: string, topic: string, changes: Partial<KafkaOptions> = {}): KafkaOptions {
  return {
    brokers: [brokers],
    client_id: "test",
    tls: false,
    sasl: null,
    log: () => {},
    topics: [topic],
    group: unique_name("group"),
    partitions: 1,
    replication: 1,
    create_topic: true,
    ...changes,
  };
}

/** Makes the topic and puts values on it, spread over its partitions by key. */
export async function produce(
  options: KafkaOptions,
  values: readonly string[],
  compression: Compression = "none",
): Promise<void> {
  const admin = await open_kafka_admin(options);
  await admin.ensure_topic(options.topics[0]!, options).finally(() => admin.close());
  const producer = await open_kafka_producer(options, compression);
  const messages = values.map((value) => ({ key: bytes_of(value.slice(0, 40)), value: bytes_of(value) }));
  await producer.send(options.topics[0]!, messages).finally(() => producer.close());
}

/** Removes what lies below an offset, as retention does. */
export async function delete_below(options: KafkaOptions, topic: string, offset: number): Promise<void> {
  const client = new KafkaClient(options);
  const admin = client.admin();
  await admin.connect();
  // kafkajs asks no broker for the topic's leaders here; another call has to bring them in.
  await admin.fetchTopicOffsets(topic);
  await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: String(offset) }] });
  await admin.disconnect().finally(() => client.cut());
}

/** Deletes the topic and makes it anew, empty. */
export async function make_anew(options: KafkaOptions, topic: string): Promise<void> {
  const client = new KafkaClient(options);
  const admin = client.admin();
  await admin.connect();
  await admin.deleteTopics({ topics: [topic] });
  // A request that fails on a busy machine may have made it: the next one finds it there.
  let failed = false;
  const make = () => admin.createTopics({ topics: [{ topic, numPartitions: 1 }], waitForLeaders: true });
  await until("the topic is made anew", () =>
    make().then((made) => made || failed, (error) => {
      failed = true;
      throw error;
    }));
  await admin.disconnect().finally(() => client.cut());
}

/** Sends one message in a transaction and ends it. */
export async function transaction(
  brokers: string,
  topic: string,
  value: string,
  end: "commit" | "abort",
): Promise<void> {
  const open = await open_transaction(brokers, topic, [value]);
  await open[end]();
  await open.close();
}

/** Begins a transaction. The first one of a cluster makes the topic of transactions: until it has leaders kafkajs is refused, and waits for 9 s by itself. */
export const begin_transaction = (producer: Producer): Promise<Transaction> =>
  until("a transaction begins", () => producer.transaction());

/** Sends messages in a transaction, and leaves it open. */
export async function open_transaction(brokers: string, topic: string, values: readonly string[]) {
  const { Kafka, logLevel } = await import("kafkajs");
  const kafka = new Kafka({ brokers: [brokers], logLevel: logLevel.NOTHING });
  const producer = kafka.producer({ transactionalId: unique_name("tx"), maxInFlightRequests: 1, idempotent: true });
  await producer.connect();
  const open = await begin_transaction(producer);
  await open.send({ topic, messages: values.map((value) => ({ value })) });
  return { commit: () => open.commit(), abort: () => open.abort(), close: () => producer.disconnect() };
}

/** What the group committed for partition 0, or -1. */
export async function committed_offset(options: KafkaOptions): Promise<string | undefined> {
  const client = new KafkaClient(options);
  const admin = client.admin();
  await admin.connect();
  const offsets = await admin.fetchOffsets({ groupId: options.group, topics: [...options.topics] });
  await admin.disconnect().finally(() => client.cut());
  return offsets[0]?.partitions[0]?.offset;
}

/** The numbers [from, to) as texts. */
export const numbers = (from: number, to: number): string[] =>
  Array.from({ length: to - from }, (_, at) => String(from + at));

/** Adds partitions to a topic until it has so many. */
export async function add_partitions(options: KafkaOptions, topic: string, count: number): Promise<void> {
  const client = new KafkaClient(options);
  const admin = client.admin();
  await admin.connect();
  await admin.createPartitions({ topicPartitions: [{ topic, count }] });
  await admin.disconnect().finally(() => client.cut());
}

/** Sends values to one partition of a topic. */
export async function send_to(
  brokers: string,
  topic: string,
  partition: number,
  values: readonly (string | Uint8Array)[],
): Promise<void> {
  const { Kafka, logLevel } = await import("kafkajs");
  const producer = new Kafka({ brokers: [brokers], logLevel: logLevel.NOTHING }).producer();
  await producer.connect();
  await producer.send({ topic, messages: values.map((value) => ({ partition, value: Buffer.from(value) })) })
    .finally(() => producer.disconnect());
}
