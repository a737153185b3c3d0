import { accept_gap, read_cursors } from "../event_log/mod.ts";
import { open_kafka_admin } from "../ingest/kafka/mod.ts";
import { system_clock } from "../runtime/mod.ts";
import { kafka_connection, open_log } from "./open.ts";
import { type Shell, UsageError } from "./shell.ts";

/** Options of `tacho accept-gap`, as the command line gives them. */
export interface AcceptGapOptions {
  readonly by: string;
  readonly reason: string;
  readonly dryRun: boolean;
}

/** A partition whose cursor no longer fits what the cluster has. */
interface Gap {
  readonly topic: string;
  readonly partition: number;
  readonly from: number;
  readonly to: number;
  readonly told: string;
}

/**
 * `tacho accept-gap`: finds the partitions whose cursor lies outside what the topic still has, or belongs to another cluster, and moves
 * each to the first offset that can be read. What is read again is recognised by its event ids. A program that stopped at the gap
 * goes on by itself.
 */
export async function accept_gap_verb(shell: Shell, options: AcceptGapOptions): Promise<void> {
  if (shell.config.kafka_brokers === null) {
    throw new UsageError("accept-gap: KAFKA_BROKERS is not set; name the brokers to compare with");
  }
  const { database } = await open_log(shell);
  try {
    const admin = await open_kafka_admin(kafka_connection(shell));
    const { gaps, cluster_id } = await find_gaps(shell, admin, await read_cursors(database)).finally(() =>
      admin.close()
    );
    if (gaps.length === 0) console.log("no gap: every cursor lies within what its partition has");
    for (const gap of gaps) {
      if (options.dryRun) {
        console.log(`would accept: ${gap.told}`);
        continue;
      }
      const { topic, partition, from, to } = gap;
      const { by, reason } = options;
      const batch = await accept_gap(
        database,
        { topic, partition, from, to, cluster_id, by, reason },
        system_clock.now_ms() * 1000,
      );
      console.log(`accepted in batch ${batch}: ${gap.told}`);
    }
  } finally {
    await database.close();
  }
}

async function find_gaps(
  { config }: Shell,
  admin: Awaited<ReturnType<typeof open_kafka_admin>>,
  cursors: Awaited<ReturnType<typeof read_cursors>>,
): Promise<{ gaps: Gap[]; cluster_id: string }> {
  const cluster_id = await admin.cluster_id();
  const ends = await admin.watermarks(config.topics);
  const gaps = cursors.filter(({ topic }) => config.topics.includes(topic)).flatMap((cursor): Gap[] => {
    const { topic, partition, next_offset: from } = cursor;
    const end = ends.find((each) => each.topic === topic && each.partition === partition);
    const { low, high } = end ?? { low: 0, high: 0 };
    const name = `${topic}/${partition}: cursor ${from} moves to ${low}`;
    if (cursor.cluster_id !== cluster_id) {
      return [{ topic, partition, from, to: low, told: `${name}; cluster ${cursor.cluster_id} became ${cluster_id}` }];
    }
    if (from < low) {
      return [{ topic, partition, from, to: low, told: `${name}; offsets ${from} to ${low - 1} are gone` }];
    }
    if (from > high) {
      return [{ topic, partition, from, to: low, told: `${name}; the topic ends at ${high}, it was made anew` }];
    }
    return [];
  });
  return { gaps, cluster_id };
}
