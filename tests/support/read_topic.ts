import { Kafka, logLevel } from "kafkajs";
import { unique_name } from "./kafka.ts";
import type { SourceMessage } from "./oracle/mod.ts";

/**
 * A topic as it lies in the broker, read to the end it has now, without any of the program's code. What was rolled back is left
 * out where its sender says so; no transaction may be open.
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
          for (const { offset, key, value, headers = {}, timestamp } of batch.messages) {
            // What was fetched before the consumer was sent to its place may come again.
            if (BigInt(offset) < (next.get(partition) ?? 0n)) continue;
            next.set(partition, BigInt(offset) + 1n);
            if (ROLLED_BACK in headers) continue;
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
  } finally {
    await consumer.disconnect();
  }
}

/** The header of messages whose sender aborts their transaction: they are none, whatever a reader makes of the log. */
export const ROLLED_BACK = "rolled-back";

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
