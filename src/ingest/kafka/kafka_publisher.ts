import { Buffer } from "node:buffer";
import type { Message, Producer } from "./kafka_client.ts";
import { failure_of } from "./kafka_failure.ts";
import type { KafkaConnectionOptions, TopicShape } from "./kafka_options.ts";
import { open_kafka_admin } from "./kafka_admin.ts";
import { connect_producer, requests } from "./kafka_producer.ts";

/** A message to one of several topics; a null value says that its key is gone. */
export interface TopicMessage {
  readonly topic: string;
  readonly key: string;
  readonly value: string | null;
}

/** Writes to several topics under one name, which one producer at a time can have. */
export interface KafkaPublisher {
  /**
   * Writes in order, in one transaction; resolves when it is committed.
   * @throws when the brokers stay unreachable for about half a minute, or refuse: because another one has the name by now, too
   */
  write(messages: readonly TopicMessage[]): Promise<void>;
  /** Says goodbye; the connections are cut after 2 s at the latest. */
  close(): Promise<void>;
}

/** What a broker rolls back when no more comes of it: a producer that was killed holds readers up for so long, or until the next takes over. */
const TRANSACTION_MS = 30_000;

/**
 * Makes compacted topics where they are absent and takes over a transactional name: whoever had it before is refused by the brokers from then
 * on, so that what a frozen program wakes up with comes after nothing newer.
 * @throws when the brokers cannot be reached or refuse, with the client's error as cause
 */
export async function open_kafka_publisher(
  options: KafkaConnectionOptions,
  name: string,
  topics: readonly string[],
  shape: TopicShape,
): Promise<KafkaPublisher> {
  const admin = await open_kafka_admin(options);
  try {
    for (const topic of topics) await admin.ensure_topic(topic, shape);
  } finally {
    await admin.close();
  }
  const { producer, places, brokers, close } = await connect_producer(
    options,
    (client, placed) => client.publisher(name, TRANSACTION_MS, placed),
  );
  return {
    async write(messages) {
      try {
        await write_all(producer, messages, places);
      } catch (error) {
        throw new Error(
          `cannot publish ${messages.length} messages at "${brokers}" as "${name}": ${failure_of(error).reason}`,
          { cause: error },
        );
      }
    },
    close,
  };
}

async function write_all(
  producer: Producer,
  messages: readonly TopicMessage[],
  places: WeakMap<Message, number>,
): Promise<void> {
  const transaction = await producer.transaction();
  try {
    for (const request of requests(messages, most_bytes)) {
      const sent = request.map(({ topic, key, value }) => ({
        topic,
        message: { key: Buffer.from(key), value: value === null ? null : Buffer.from(value) } as Message,
      }));
      const by_topic = Map.groupBy(sent, ({ topic }) => topic);
      const answers = await transaction.sendBatch({
        acks: -1,
        topicMessages: [...by_topic].map(([topic, own]) => ({ topic, messages: own.map(({ message }) => message) })),
      });
      // kafkajs reports success and drops messages without a word where a partition is new or moves between its own retries.
      const acknowledged = new Set(answers.map(({ topicName, partition }) => `${topicName} ${partition}`));
      const lost = sent.find(({ topic, message }) => !acknowledged.has(`${topic} ${places.get(message) ?? -1}`));
      if (lost !== undefined) throw new Error(`no broker acknowledged what was sent to "${lost.topic}"`);
    }
    await transaction.commit();
  } catch (error) {
    // Brokers that are away roll it back by themselves, and so does the next producer of this name.
    if (transaction.isActive()) await transaction.abort().catch(() => {});
    throw error;
  }
}

/** Three bytes hold any UTF-16 unit. */
const most_bytes = ({ key, value }: TopicMessage): number => 3 * (key.length + (value?.length ?? 0));
