import { Kafka, type KafkaMessage, logLevel } from "kafkajs";
import fetch_api from "kafkajs/src/protocol/requests/fetch/index.js";
import { unique_name } from "./kafka.ts";
import type { SourceMessage } from "./oracle/mod.ts";

/**
 * A topic as it lies in the broker, read to the end it has now, without any of the program's code. What was rolled back is left
 * out; no transaction may be open.
 * @param from where to begin, by partition; at the first message where it says nothing
 */
export async function read_topic(
  brokers: string,
  topic: string,
  from: ReadonlyMap<number, bigint> = new Map(),
): Promise<SourceMessage[]> {
  const messages: SourceMessage[] = [];
  await stream_topic(brokers, topic, (message) => messages.push(message), from);
  return messages;
}

/** As `read_topic`, one message after the other: a topic of any length. Those of a partition come in their order. */
export async function stream_topic(
  brokers: string,
  topic: string,
  take: (message: SourceMessage) => void,
  from: ReadonlyMap<number, bigint> = new Map(),
): Promise<void> {
  const kafka = new Kafka({ brokers: [brokers], clientId: "reader", logLevel: logLevel.NOTHING });
  const admin = kafka.admin();
  await admin.connect();
  const ends = await admin.fetchTopicOffsets(topic).finally(() => admin.disconnect());
  const next = new Map(from);
  const missing = new Map(
    ends.filter(({ low, high, partition }) => low !== high && BigInt(high) > (next.get(partition) ?? 0n))
      .map(({ partition, high }) => [partition, BigInt(high)]),
  );
  if (missing.size === 0) return;
  // kafkajs's own idea of what is committed is wrong.
  const consumer = kafka.consumer({ groupId: unique_name("reader"), maxWaitTimeInMs: 100, readUncommitted: true });
  const done = Promise.withResolvers<void>();
  const unsettled = new Map<number, Unsettled[]>();
  const read_to = new Map(from);
  // Also told of batches in which there is no message.
  consumer.on(consumer.events.END_BATCH_PROCESS, ({ payload: { partition, lastOffset } }) => {
    const end = missing.get(partition);
    if (end !== undefined && BigInt(lastOffset) + 1n >= end) missing.delete(partition);
    if (missing.size === 0) done.resolve();
  });
  await consumer.connect();
  try {
    await consumer.subscribe({ topics: [topic], fromBeginning: true });
    await consumer.run({
      autoCommit: false,
      eachBatch({ batch }) {
        const { partition } = batch;
        try {
          const waiting = unsettled.get(partition) ?? [];
          unsettled.set(partition, waiting);
          for (const message of batch.messages as unknown as readonly FateMessage[]) {
            // What was fetched before the consumer was sent to its place may come again.
            if (BigInt(message.offset) < (read_to.get(partition) ?? 0n)) continue;
            read_to.set(partition, BigInt(message.offset) + 1n);
            const { producerId, inTransaction } = message.batchContext;
            if (message.ends === undefined) {
              waiting.push({ message, producer: producerId, fate: inTransaction ? "open" : "commit" });
            }
            for (const each of waiting) {
              if (each.fate === "open" && each.producer === producerId) each.fate = message.ends ?? "open";
            }
          }
          while (waiting.length > 0 && waiting[0]!.fate !== "open") {
            const { message: { offset, key, value, headers = {}, timestamp }, fate } = waiting.shift()!;
            next.set(partition, BigInt(offset) + 1n);
            if (fate === "abort") continue;
            const bytes = Object.fromEntries(Object.entries(headers).map(([name, text]) => [name, bytes_of(text)]));
            take({ topic, partition, offset, key, value, headers: bytes, timestamp_ms: Number(timestamp) });
          }
        } catch (error) {
          // kafkajs would try again; what is refused once is refused for good.
          done.reject(error);
        }
        return Promise.resolve();
      },
    });
    for (const [partition, offset] of from) consumer.seek({ topic, partition, offset: String(offset) });
    await done.promise;
    for (const [partition, waiting] of unsettled) {
      if (waiting.length > 0) throw new Error(`read ${topic}: a transaction is open in partition ${partition}`);
    }
  } finally {
    await consumer.disconnect();
  }
}

/** A message as kafkajs has it, or where its producer's transaction ended, and how. */
type FateMessage = KafkaMessage & {
  isControlRecord: boolean;
  ends?: "abort" | "commit";
  readonly batchContext: { readonly producerId: string; readonly inTransaction: boolean };
};

/** A message whose transaction may not have ended yet. */
interface Unsettled {
  readonly message: FateMessage;
  readonly producer: string;
  fate: "open" | "abort" | "commit";
}

/** kafkajs keeps the ends of transactions to itself: here they are handed out among the messages of who reads all that is there. */
function show_ends(): void {
  interface Protocol {
    readonly response: { readonly decode: (answer: Uint8Array) => Promise<Decoded> };
  }
  interface Decoded {
    readonly responses: readonly { readonly partitions: readonly { readonly messages: readonly FateMessage[] }[] }[];
  }
  const api = fetch_api as {
    protocol: (of: { version: number }) => (parameters: { readonly isolationLevel: number }) => Protocol;
  };
  const original = api.protocol;
  api.protocol = (of) => (parameters) => {
    const made = original(of)(parameters);
    if (parameters.isolationLevel !== READ_UNCOMMITTED) return made;
    const decode = async (answer: Uint8Array) => {
      const decoded = await made.response.decode(answer);
      for (const message of decoded.responses.flatMap((each) => each.partitions.flatMap(({ messages }) => messages))) {
        if (!message.isControlRecord) continue;
        // The second half of a marker's key: 0 is an abort.
        message.ends = message.key![3] === 0 ? "abort" : "commit";
        message.isControlRecord = false;
      }
      return decoded;
    };
    return { ...made, response: { ...made.response, decode } };
  };
}

const READ_UNCOMMITTED = 0;
show_ends();

/** A header's last value, as bytes. */
function bytes_of(text: Uint8Array | string | (Uint8Array | string)[] | undefined): Uint8Array {
  const last = Array.isArray(text) ? text.at(-1) : text;
  return typeof last === "string" ? new TextEncoder().encode(last) : last ?? new Uint8Array();
}

/** How many members of a group read something now. */
export const reading_members = async (brokers: string, group: string): Promise<number> =>
  (await reading_member_ids(brokers, group)).length;

/** The ids of the members of a group that read something now. */
export async function reading_member_ids(brokers: string, group: string): Promise<string[]> {
  const kafka = new Kafka({ brokers: [brokers], clientId: "reader", logLevel: logLevel.NOTHING });
  const admin = kafka.admin();
  await admin.connect();
  try {
    const { groups: [found] } = await admin.describeGroups([group]);
    if (found?.state !== "Stable") return [];
    return found.members.filter(({ memberAssignment }) => memberAssignment.length > 0).map(({ memberId }) => memberId);
  } finally {
    await admin.disconnect();
  }
}
