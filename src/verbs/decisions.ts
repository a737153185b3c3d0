import {
  accept_gaps,
  type AcceptedGap,
  gap_advice,
  gap_reason,
  type KeptGap,
  Overtaken,
  partition_name,
  read_cursors,
  read_head,
  set_watermark_back,
  skip_name,
  spoilt_watermark,
  type SpoiltWatermark,
} from "../event_log/mod.ts";
import { type KafkaAdmin, open_kafka_admin } from "../ingest/kafka/mod.ts";
import type { StoredCursor } from "../ingest/mod.ts";
import { format_time } from "../kpi/mod.ts";
import { printable, system_clock } from "../runtime/mod.ts";
import { decode_limits, kafka_connection, open_log } from "./open.ts";
import { type Shell, UsageError } from "./shell.ts";

/** Options of `tacho accept-gap`, as the command line gives them. */
interface AcceptGapOptions {
  readonly by: string;
  readonly reason: string;
  readonly dryRun: boolean;
  /** Partitions as `topic:number`; all with a gap unless given. */
  readonly only?: readonly string[];
  /** Batches that cannot be read, as `skip_name` names them. */
  readonly skip?: readonly string[];
}

const NO_GAP = "no gap: every cursor lies within what its partition has; " +
  "where a topic was made anew and has grown past its cursor since, name the partition with --only";

/** A gap and what an operator is told of it. */
interface ToldGap extends AcceptedGap {
  readonly told: string;
}

/**
 * `tacho accept-gap`: finds the partitions whose cursor lies outside what the topic still has, belongs to another cluster, or has a gap that
 * was noticed before, and moves them to the first offset that can be read, all in one transaction. What is read again is recognised by its event ids. A program that
 * stopped at the gap goes on by itself.
 */
export async function accept_gap_verb(shell: Shell, options: AcceptGapOptions): Promise<void> {
  if (shell.config.kafka_brokers === null) {
    throw new UsageError("accept-gap: KAFKA_BROKERS is not set; name the brokers to compare with");
  }
  const { database } = await open_log(shell);
  try {
    const admin = await open_kafka_admin(kafka_connection(shell));
    const known = (await read_cursors(database)).filter(({ topic }) => shell.config.topics.includes(topic));
    const found = await find_gaps(shell, admin, known, options).finally(() => admin.close());
    const { gaps, left, cluster_id } = found;
    for (const gap of left) console.log(`not accepted: ${printable(`${gap_reason(gap)}. ${gap_advice(gap)}`)}`);
    if (gaps.length + left.length === 0) console.log(NO_GAP);
    if (gaps.length === 0 || options.dryRun) {
      return gaps.forEach(({ told }) => console.log(`would accept: ${printable(told)}`));
    }
    if (shell.signal.aborted) throw new Error("accept-gap: stopped by a signal, nothing was accepted");
    const { by, reason } = options;
    const batch = await accept_gaps(database, { gaps, cluster_id, by, reason }, system_clock.now_ms() * 1000)
      .catch((cause) => {
        if (!(cause instanceof Overtaken)) throw cause;
        throw new Error("accept-gap: nothing was accepted, a cursor moved meanwhile; look again with --dry-run", {
          cause,
        });
      });
    for (const { told } of gaps) console.log(`accepted in batch ${batch}: ${printable(told)}`);
  } finally {
    await database.close();
  }
}

async function find_gaps(
  { config }: Shell,
  admin: KafkaAdmin,
  known: readonly StoredCursor[],
  { only = [], skip = [] }: AcceptGapOptions,
): Promise<{ gaps: ToldGap[]; left: KeptGap[]; cluster_id: string }> {
  const wanted = only.map((name) => name.replace(/:(?=[0-9]+$)/, "/"));
  const unknown = only.find((_, i) => !known.some((cursor) => partition_name(cursor) === wanted[i]));
  if (unknown !== undefined) {
    throw new UsageError(
      `accept-gap --only ${JSON.stringify(unknown)}: expected a partition that was read, one of ${
        known.map(partition_name).join(", ") || "none"
      }`,
    );
  }
  const unread = known.flatMap(({ gap }) => gap?.kind === "unknown_codec" ? [gap] : []);
  const skipped = skip.map((name) => {
    const gap = unread.find((each) => skip_name(each) === name.replace(/:(?=[0-9]+:)/, "/"));
    if (gap !== undefined) return gap;
    const names = unread.map(skip_name).join(", ") || "none";
    throw new UsageError(
      `accept-gap --skip ${JSON.stringify(name)}: expected a batch that stopped ingest, one of ${names}`,
    );
  });
  const cluster_id = await admin.cluster_id();
  const absent = await admin.absent(config.topics);
  const ends = await admin.watermarks(config.topics.filter((topic) => !absent.includes(topic)));
  const gaps = known.flatMap((cursor): ToldGap[] => {
    const { topic, partition, next_offset: from } = cursor;
    const named = wanted.includes(partition_name(cursor));
    const batch = skipped.find((gap) => gap === cursor.gap);
    if (batch !== undefined) return [skipping(cursor, batch, cluster_id)];
    if (only.length + skip.length > 0 && !named) return [];
    const end = ends.find((each) => each.topic === topic && each.partition === partition);
    const { low: to, high } = end ?? { low: 0, high: 0 };
    const why = why_gap(cursor, cluster_id, to, high, named);
    if (why === null) return [];
    const told = `${partition_name(cursor)}: cursor ${from} moves to ${to}; ${why}`;
    const noticed = cursor.gap ? { noticed: cursor.gap } : {};
    return [{ topic, partition, from, to, cluster_id: cursor.cluster_id, told, ...noticed }];
  });
  return { gaps, left: unread.filter((gap) => !gaps.some(({ noticed }) => noticed === gap)), cluster_id };
}

/** The skipping of a batch that cannot be read, which lies where the cursor stands. */
function skipping(cursor: StoredCursor, gap: KeptGap, answering: string): ToldGap {
  const { topic, partition, next_offset: from, cluster_id } = cursor, { first_available: to } = gap;
  if (from !== gap.cursor || cluster_id !== answering) {
    const stands = from === gap.cursor ? `the cursor belongs to cluster "${cluster_id}", "${answering}" answers` : (
      `the cursor stands at ${from}, what lies before the batch has to be read first`
    );
    throw new UsageError(`accept-gap --skip ${skip_name(gap)}: ${stands}`);
  }
  const told = `${partition_name(cursor)}: cursor ${from} moves to ${to}; ${gap_reason(gap)}`;
  return { topic, partition, from, to, cluster_id, told, noticed: gap };
}

/** Why a cursor cannot be read on from, in words; null when it can. One that is named by the operator is moved where it lies within, too. */
function why_gap(
  { next_offset: from, cluster_id, gap }: StoredCursor,
  answering: string,
  low: number,
  high: number,
  named: boolean,
): string | null {
  if (cluster_id !== answering) return `cluster "${cluster_id}" became "${answering}"`;
  if (from < low) return from === low - 1 ? `offset ${from} is gone` : `offsets ${from} to ${low - 1} are gone`;
  if (from > high) return `the topic ends at ${high}, it was cut or made anew`;
  // What was lost does not show any more: what the topic has now was written since.
  if (gap && gap.kind !== "unknown_codec") {
    return `${gap_reason(gap)}; all that the topic has by now, ${low} to ${high}, is read anew`;
  }
  return named && from > low ? `it lies within what the topic has, ${low} to ${high}; all of that is read anew` : null;
}

/** Options of `tacho watermark`, as the command line gives them. */
interface WatermarkOptions {
  readonly by: string;
  readonly reason: string;
  readonly dryRun: boolean;
  /** Microseconds; now and the future limit unless given. */
  readonly notAfter?: number;
}

const told = ({ from_us, to_us, events }: SpoiltWatermark): string =>
  `event time goes back from ${format_time(from_us)} to ${to_us === null ? "none" : format_time(to_us)}; ` +
  `${events} ${events === 1 ? "event" : "events"} later than that ${events === 1 ? "stays" : "stay"} in the log`;

/**
 * `tacho watermark`: sets event time back to the greatest that is believed, after events of a wrong clock were admitted that lie years
 * ahead. A program that is running goes on by itself.
 */
export async function watermark_verb(shell: Shell, options: WatermarkOptions): Promise<void> {
  const { by, reason, dryRun, notAfter } = options;
  const now_us = system_clock.now_ms() * 1000;
  const latest_us = notAfter ?? now_us + decode_limits(shell.config).future_limit_ms * 1000;
  const { database } = await open_log(shell);
  try {
    const found = dryRun
      ? await spoilt_watermark(database, latest_us)
      : await set_watermark_back(database, { latest_us, by, reason }, now_us);
    if (found === null) {
      const { watermark_us } = await read_head(database);
      const reached = watermark_us === null
        ? "the log has no event"
        : `event time has come to ${format_time(watermark_us)}`;
      console.log(`nothing to set back: ${reached}, and up to ${format_time(latest_us)} is believed`);
    } else if ("batch" in found) console.log(`set back in batch ${found.batch}: ${told(found)}`);
    else console.log(`would set back: ${told(found)}`);
  } finally {
    await database.close();
  }
}
