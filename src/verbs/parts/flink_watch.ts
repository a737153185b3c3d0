import type { Database } from "../../database/mod.ts";
import { beside } from "../../projection/mod.ts";
import type { IngestStatus, PartitionEnds } from "../../ingest/mod.ts";
import { Paced, type Runtime } from "../../runtime/mod.ts";
import type { Halted } from "../../flink/mod.ts";
import type { IngestHealth } from "./health_watch.ts";

/** How the Flink job does that writes the tables of a domain: what is known of it from its tables, from its topics and from its JobManager. */

/** How far the job has come, as its tables say. */
export interface JobProgress {
  /** The offset after the newest message read, by partition as `topic/0`; empty: the job does not say. */
  readonly read: ReadonlyMap<string, number>;
  /** Since when it neither read nor wrote anything, milliseconds before now by the clock of the database; null: it never did. */
  readonly still_ms: number | null;
}

/** A job that reads nothing for so long, while messages wait, is taken for one that does not run. */
export const STILL_MS = 30_000;
const EVERY_MS = 2_000;
const ADVICE = "`tacho flink status` says how it does";

/** How many messages wait in the topics; null while that is not known. */
export function waiting_messages(read: ReadonlyMap<string, number>, ends: readonly PartitionEnds[]): number | null {
  if (read.size === 0) return ends.every(({ low, high }) => low === high) ? 0 : null;
  return ends.reduce((sum, { topic, partition, low, high }) => {
    const next = read.get(`${topic}/${partition}`) ?? low;
    // The last offset may be that of a transaction's mark, which nobody reads: one message alone is not told from it.
    return sum + (high - next > 1 ? high - next : 0);
  }, 0);
}

/** What ingest is said to be, of a job that somebody else runs. Pure. */
export function standing_of(
  { job, waiting, still_ms }: {
    readonly job: Halted | null;
    readonly waiting: number | null;
    readonly still_ms: number | null;
  },
  since_ms: number,
): IngestStatus {
  if (job !== null) return { state: job.forever ? "stopped" : "paused", reason: job.reason, since_ms, advice: ADVICE };
  if (waiting !== null && waiting > 0 && (still_ms ?? Infinity) >= STILL_MS) {
    const reason = "the Flink job reads nothing, while messages wait in the topics";
    return { state: "stopped", reason, since_ms, advice: ADVICE };
  }
  return { state: "running", reason: null, since_ms };
}

/** Asks now and then how the job does. What it cannot ask it does not know; it never throws. */
export class FlinkWatch implements IngestHealth {
  readonly source = "elsewhere";
  #status: IngestStatus;
  #lag: number | null = null;

  constructor(
    private readonly runtime: Runtime,
    private readonly asked: {
      readonly database: Database;
      /** The ends of all partitions of the topics; null where no brokers are configured. */
      readonly ends: (() => Promise<readonly PartitionEnds[]>) | null;
      /** What keeps the job from running, as the JobManager says; null where none is configured. */
      readonly job: (() => Promise<Halted | null>) | null;
      /** Hears that another state has come. */
      readonly changed: () => void;
    },
  ) {
    this.#status = { state: "running", reason: null, since_ms: runtime.clock.now_ms() };
  }

  readonly status = (): IngestStatus => this.#status;
  readonly lag = (): number | null => this.#lag;
  readonly events_per_s = (): null => null;

  /** Asks until the signal. */
  async run(): Promise<void> {
    const { signal, logger } = this.runtime, pace = new Paced(this.runtime, { gap_ms: EVERY_MS });
    while (!signal.aborted) {
      pace.begin();
      try {
        await this.#look();
        if (pace.succeeded() !== null) logger.log("info", "how the Flink job does is known again");
      } catch (error) {
        // What is not known is not told as it was.
        this.#lag = null;
        if (pace.failed(error).attempt === 1) {
          logger.log("warn", "cannot ask how the Flink job does", { reason: error });
        }
      }
      await pace.pause(signal).catch(() => {});
    }
  }

  async #look(): Promise<void> {
    const { database, ends, job } = this.asked;
    const { read, still_ms } = await read_progress(database);
    const waiting = ends === null ? null : waiting_messages(read, await ends());
    const now_ms = this.runtime.clock.now_ms(), before = this.#status;
    const found = standing_of({ job: job === null ? null : await job(), waiting, still_ms }, now_ms);
    this.#lag = waiting;
    if (found.state === before.state && found.reason === before.reason) return;
    this.#status = found;
    this.runtime.logger.log(found.state === "running" ? "info" : "warn", "the Flink job", { ...found });
    this.asked.changed();
  }
}

/**
 * Reads how far a job has come.
 * @param as what the tables that it writes beside the live ones are called after; absent: it writes the live ones
 */
export async function read_progress(database: Database, as?: string): Promise<JobProgress> {
  const [table, recorded] = as === undefined
    ? ["flink_progress", "recorded_at"]
    : [beside("flink_progress", as), "null"];
  const rows = await database.query(
    `select topic, "partition", next_offset, (extract(epoch from clock_timestamp() - greatest(${recorded},
        max(read_at) over ())) * 1000)::bigint as still_ms from log_head left join ${table} on true`,
  );
  const still = rows[0]?.still_ms;
  return {
    read: new Map(
      rows.flatMap(({ topic, partition, next_offset }) =>
        topic === null ? [] : [[`${String(topic)}/${String(partition)}`, Number(next_offset)] as const]
      ),
    ),
    still_ms: still === null || still === undefined ? null : Number(still),
  };
}
