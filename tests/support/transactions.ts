import { Buffer } from "node:buffer";
import { Kafka, logLevel, type Transaction } from "kafkajs";
import { Random } from "../../src/domains/generator/mod.ts";
import { unique_name } from "./kafka.ts";
import { begin_transaction } from "./kafka_topic.ts";

/** What was sent and committed, by partition; in no order, as several producers wrote at once. */
export type Committed = ReadonlyMap<number, readonly string[]>;

/** Keys that look like a transaction's markers, and others. */
const KEYS = [Buffer.from([0, 0, 0, 0]), Buffer.from([0, 0, 0, 1]), Buffer.alloc(0), null, Buffer.from("text")];

/** So many characters that what is sent to a partition takes several fetches. */
const PADDING = "x".repeat(6_000);

/**
 * Sends interleaved, long, overlapping, aborted and committed transactions of several producers, and messages of none, to all
 * partitions of a topic that exists.
 * @param seed all but the interleaving at the broker follows from it
 */
export async function send_transactions(
  brokers: string,
  topic: string,
  seed: number,
  { partitions = 4, producers: count = 5, steps = 160 } = {},
): Promise<Committed> {
  const random = new Random(seed, 11);
  const kafka = new Kafka({ brokers: [brokers], logLevel: logLevel.NOTHING });
  const producers = Array.from(
    { length: count },
    () => kafka.producer({ transactionalId: unique_name("tx"), maxInFlightRequests: 1, idempotent: true }),
  );
  const plain = kafka.producer();
  await Promise.all([...producers, plain].map((producer) => producer.connect()));
  const committed = new Map(Array.from({ length: partitions }, (_, partition) => [partition, [] as string[]]));
  const open: ({ transaction: Transaction; sent: [number, string][] } | null)[] = producers.map(() => null);
  let number = 0;
  const messages = (): { partition: number; key: Buffer | null; value: string }[] =>
    Array.from({ length: random.whole(1, 9) }, () => ({
      partition: random.whole(0, partitions),
      key: random.pick(KEYS),
      value: `${number++} ${random.chance(0.5) ? PADDING : ""}`,
    }));
  const end = async (at: number) => {
    const { transaction, sent } = open[at]!;
    open[at] = null;
    if (random.chance(0.6)) return await transaction.abort();
    await transaction.commit();
    for (const [partition, value] of sent) committed.get(partition)!.push(value);
  };
  for (let step = 0; step < steps; step++) {
    const at = random.whole(0, count + 1);
    const sending = messages();
    const sent = sending.map(({ partition, value }): [number, string] => [partition, value]);
    if (at === count) {
      await plain.send({ topic, messages: sending });
      for (const [partition, value] of sent) committed.get(partition)!.push(value);
      continue;
    }
    const under_way = open[at] ??= { transaction: await begin_transaction(producers[at]!), sent: [] };
    await under_way.transaction.send({ topic, messages: sending });
    under_way.sent.push(...sent);
    // The first one stays open for long, so that fetches begin inside it.
    if (random.chance(at === 0 ? 0.05 : 0.3)) await end(at);
  }
  for (let at = 0; at < count; at++) if (open[at] !== null) await end(at);
  await Promise.all([...producers, plain].map((producer) => producer.disconnect()));
  return committed;
}
