import { Buffer } from "node:buffer";
import { type Compression, COMPRESSIONS, KafkaClient, type Message, type Producer } from "./kafka_client.ts";
import { failure_of } from "./kafka_trouble.ts";
import type { KafkaConnectionOptions, TopicShape } from "./kafka_options.ts";
import { message_bytes } from "../message_buffer.ts";
import { open_kafka_admin } from "./kafka_admin.ts";

/** A message to send. Without `timestamp_ms` it gets the time of sending. */
export interface OutgoingMessage {
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly headers?: Readonly<Record<string, Uint8Array>>;
  readonly timestamp_ms?: number;
}

/** Sends batches of messages and waits until every replica in sync has them. */
export interface KafkaProducer {
  /**
   * Sends in order; resolves when all of them are acknowledged. A retry may write a message twice: readers recognise
   * it by its event id.
   * @throws when the brokers stay unreachable for about half a minute, or refuse; some of the messages may then be written
   */
  send(topic: string, messages: readonly OutgoingMessage[]): Promise<void>;
  /** Says goodbye; the connections are cut after 2 s at the latest. */
  close(): Promise<void>;
}

/** All messages of one request may belong to one partition, and brokers refuse a batch above 1 MiB by default. */
const REQUEST_BYTES = 700_000;
/** What a message costs on the wire beside its content, generously. */
const MESSAGE_OVERHEAD = 70;

/**
 * Connects a producer.
 * @throws when the brokers cannot be reached or refuse, with the client's error as cause
 */
export async function open_kafka_producer(
  options: KafkaConnectionOptions,
  compression: Compression = "none",
): Promise<KafkaProducer> {
  const { producer, places, brokers, close } = await connect_producer(
    options,
    (client, placed) => client.producer(placed),
  );
  return {
    async send(topic, messages) {
      for (const request of requests(messages, bytes_of)) {
        try {
          await send_one(producer, places, topic, request, compression);
        } catch (error) {
          throw new Error(
            `cannot send ${request.length} messages to "${topic}" at "${brokers}": ${failure_of(error).reason}`,
            { cause: error },
          );
        }
      }
    },
    close,
  };
}

/** A connected producer, where it placed each message, and what says goodbye: the connections are cut after 2 s at the latest. */
interface Connected {
  readonly producer: Producer;
  readonly places: WeakMap<Message, number>;
  readonly brokers: string;
  readonly close: () => Promise<void>;
}

/**
 * Connects a producer that a client makes.
 * @throws when the brokers cannot be reached or refuse, with the client's error as cause
 */
async function connect_producer(
  options: KafkaConnectionOptions,
  make: (client: KafkaClient, placed: (message: Message, partition: number) => void) => Producer,
): Promise<Connected> {
  const client = new KafkaClient(options), places = new WeakMap<Message, number>();
  const producer = make(client, (message, partition) => places.set(message, partition));
  const brokers = options.brokers.join(",");
  try {
    await producer.connect();
  } catch (error) {
    client.cut();
    throw new Error(`cannot connect to Kafka at "${brokers}": ${failure_of(error).reason}`, { cause: error });
  }
  const close = async () => {
    const deadline = setTimeout(() => client.cut(), 2_000);
    await producer.disconnect().finally(() => clearTimeout(deadline));
    client.cut();
  };
  return { producer, places, brokers, close };
}

/**
 * Cuts messages into requests that a broker takes; a message that is too large alone goes alone.
 * @param content_bytes the bytes of a message's content, at most
 */
function* requests<M>(
  messages: readonly M[],
  content_bytes: (message: M) => number,
): Generator<readonly M[]> {
  let from = 0;
  let bytes = 0;
  for (let at = 0; at < messages.length; at++) {
    const size = MESSAGE_OVERHEAD + content_bytes(messages[at]!);
    if (at > from && bytes + size > REQUEST_BYTES) {
      yield messages.slice(from, at);
      from = at;
      bytes = 0;
    }
    bytes += size;
  }
  if (from < messages.length) yield messages.slice(from);
}

const bytes_of = (message: OutgoingMessage): number => message_bytes({ headers: {}, ...message, timestamp_ms: 0 });

/** What one try to send came to: where the client placed the messages, and which partitions the brokers answered for. */
interface Sending {
  readonly placed: ReadonlySet<number>;
  readonly acknowledged: ReadonlySet<number>;
}

/** So often it is sent in vain. */
const MOST_TRIES = 4;

/**
 * Sends until the brokers acknowledge every partition that messages were placed in. kafkajs reports success and drops messages without a word when, between its own
 * retries, a partition is new or moves to a broker that has answered already. Sending all once more may write some twice; readers recognise them.
 * @throws when partitions stay without an answer
 */
export async function send_acknowledged(send: () => Promise<Sending>): Promise<void> {
  for (let tries = 1;; tries++) {
    const { placed, acknowledged } = await send();
    const missing = [...placed].filter((partition) => !acknowledged.has(partition));
    if (missing.length === 0) return;
    if (tries === MOST_TRIES) {
      throw new Error(`no broker acknowledged partitions ${missing.join(", ")} in ${tries} tries`);
    }
  }
}

async function send_one(
  producer: Producer,
  places: WeakMap<Message, number>,
  topic: string,
  messages: readonly OutgoingMessage[],
  compression: Compression,
): Promise<void> {
  const outgoing = messages.map(({ key, value, headers, timestamp_ms }): Message => ({
    key: as_buffer(key),
    value: as_buffer(value),
    ...(headers === undefined ? {} : { headers: as_buffers(headers) }),
    ...(timestamp_ms === undefined ? {} : { timestamp: String(timestamp_ms) }),
  }));
  await send_acknowledged(async () => {
    const answers = await producer.send({
      topic,
      acks: -1,
      compression: COMPRESSIONS[compression],
      messages: outgoing,
    });
    return {
      // A message whose place the client never told counts as lost: no partition is -1.
      placed: new Set(outgoing.map((message) => places.get(message) ?? -1)),
      acknowledged: new Set(answers.map(({ partition }) => partition)),
    };
  });
}

/** The same bytes as a buffer, not copied. */
export const view_of = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
const as_buffer = (bytes: Uint8Array | null): Buffer | null => bytes === null ? null : view_of(bytes);

const as_buffers = (headers: Readonly<Record<string, Uint8Array>>): Record<string, Buffer> =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, view_of(value)]));

/** A message to one of several topics; a null value says that its key is gone. */
interface TopicMessage {
  readonly topic: string;
  readonly key: string;
  readonly value: string | null;
}

/** Writes to several topics under one name, which one producer at a time can have. */
interface KafkaPublisher {
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
