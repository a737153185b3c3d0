import { while_alone } from "../../event_log/mod.ts";
import {
  FlinkFailure,
  type FlinkJob,
  has_ended,
  make_savepoint,
  read_checkpoints,
  read_failure,
  read_tasks,
  writes_through,
} from "../../flink/mod.ts";
import { open_kafka_admin } from "../../ingest/kafka/mod.ts";
import {
  compare_flink_models,
  drop_flink_model,
  find_read_model,
  type PartDifference,
  read_both,
  type ReadModel,
  switch_flink_model,
} from "../../projection/mod.ts";
import { system_clock } from "../../runtime/mod.ts";
import { kafka_connection } from "../open.ts";
import { type JobProgress, read_progress, waiting_messages } from "../parts/mod.ts";
import { ProgressLine, type Shell, UsageError, when_free } from "../shell.ts";
import {
  find_model,
  type FlinkDatabase,
  type ModelOptions,
  no_tables,
  with_flink,
  type WrittenModel,
} from "./database.ts";
import { SUBMITTING } from "./submit.ts";

/** The read models that jobs of Flink write: how their jobs do, and how those beside the live one are compared, switched in and dropped. */

/** The job of a read model that runs. Throws FlinkFailure where none does. */
function running_job({ words, jobs: [job] }: WrittenModel): FlinkJob {
  if (job === undefined) throw new FlinkFailure(`the JobManager knows no job of ${words}`);
  if (has_ended(job)) throw new FlinkFailure(`job ${job.id} is ${job.state}`);
  return job;
}

/** `tacho flink savepoint` and `tacho flink stop`: a savepoint of the job, which is remembered; with `stop` the job ends with it. */
export function flink_savepoint_verb(
  shell: Shell,
  { stop, to, ...model }: ModelOptions & { readonly stop: boolean; readonly to?: string },
): Promise<void> {
  return with_flink(shell, async (of) => {
    const job = running_job(await find_model(of, model)), { database, manager, pause } = of;
    const path = await make_savepoint(manager, job, { stop, folder: to ?? null }, pause);
    const noted = await database.execute(
      "update flink_jobs set savepoint = $2, stopped_at = case when $3 then now() else stopped_at end where job_id = $1",
      [job.id, path, stop],
    );
    if (noted === 0) {
      shell.logger.log(
        "warn",
        "this database does not know the job: give its savepoint to `tacho flink submit --from`",
      );
    }
    console.log(stop ? `stopped job ${job.id}; its savepoint is ${path}` : `a savepoint of job ${job.id} is ${path}`);
  });
}

/** `tacho flink status`: how the job does. Throws FlinkFailure where it does not run. */
export function flink_status_verb(shell: Shell, model: ModelOptions): Promise<void> {
  return with_flink(shell, async (of) => {
    const { manager, database } = of, { words, jobs: [job] } = await find_model(of, model);
    if (job === undefined) throw new FlinkFailure(`the JobManager knows no job of ${words}`);
    const [tasks, checkpoints, failure] = await Promise.all([
      read_tasks(manager, job),
      read_checkpoints(manager, job),
      read_failure(manager, job),
    ]);
    const now_ms = system_clock.now_ms(), time = (ms: number) => new Date(ms).toISOString();
    console.log(
      `job ${job.id} (${job.name}) is ${job.state}, submitted ${
        time(job.start_ms)
      }; ${tasks.running} of ${tasks.all} tasks run`,
    );
    const { last, completed, failed } = checkpoints;
    const newest = last === null
      ? "none yet"
      : `the last one ${
        Math.max(Math.round((now_ms - last.at_ms) / 1_000), 0)
      } s ago, ${last.bytes} bytes in ${last.took_ms} ms${last.path === null ? "" : `, ${last.path}`}`;
    console.log(`checkpoints: ${completed} completed, ${failed} failed; ${newest}`);
    const { read, still_ms } = await read_progress(database, model.as), waiting = await waiting_of(shell, read);
    const written = still_ms === null
      ? "nothing was written yet"
      : `last read or written ${Math.round(still_ms / 1_000)} s ago`;
    console.log(`${waiting === null ? "how many messages wait is not known" : `${waiting} messages wait`}; ${written}`);
    if (failure !== null) console.log(`last failure, ${time(failure.at_ms)}: ${failure.reason}`);
    if (job.state !== "RUNNING") throw new FlinkFailure(`job ${job.id} is ${job.state}`);
  });
}

/** How many messages wait in the topics; null without brokers, or where the job does not say how far it has read. */
async function waiting_of(shell: Shell, read: ReadonlyMap<string, number>): Promise<number | null> {
  const { kafka_brokers, topics } = shell.config;
  if (kafka_brokers === null) return null;
  const admin = await open_kafka_admin(kafka_connection(shell));
  try {
    return waiting_messages(read, await admin.watermarks(topics));
  } finally {
    await admin.close();
  }
}

/** Which tables beside the live ones a verb is about. */
interface Beside {
  readonly as: string;
}

async function expected({ database }: FlinkDatabase, { as }: Beside): Promise<ReadModel> {
  const found = await find_read_model(database, as);
  if (found === null) throw no_tables(as);
  return found;
}

/** `tacho flink compare`: says how tables that a job writes beside the live ones differ from them, row by row, at one moment. */
export function flink_compare_verb(shell: Shell, { as }: Beside): Promise<void> {
  return with_flink(shell, async (of) => {
    await expected(of, { as });
    const parts = await compare_flink_models(of, as), read = await read_both(of, as);
    console.log(`${as} has read ${read.made} messages, what is live ${read.live}`);
    for (const part of parts) console.log(told(as, part));
    const different = parts.reduce((sum, { different }) => sum + different, 0);
    console.log(different === 0 ? "all rows are equal" : `${different} rows are not equal`);
  });
}

/** A part in words. */
function told(
  as: string,
  { part, compared, different, in_live_alone, in_made_alone, examples }: PartDifference,
): string {
  if (different === 0) return `${part}: all ${compared} rows are equal`;
  const alone = [
    ...in_live_alone === 0 ? [] : [`${in_live_alone} of them in what is live alone`],
    ...in_made_alone === 0 ? [] : [`${in_made_alone} of them in ${as} alone`],
  ];
  return [[`${part}: ${different} of ${compared} rows are not equal`, ...alone].join(", "), ...examples].join("\n  ");
}

const LOOK_MS = 500;

/**
 * `tacho flink switch`: exchanges tables that a job writes beside the live ones with them, in one transaction, as soon as that job has read what the
 * live one had read by then; each job goes on writing its own. `rollback` exchanges them back, in the same way.
 */
export function flink_switch_verb(
  shell: Shell,
  { as, rollback }: Beside & { readonly rollback: boolean },
): Promise<void> {
  return with_flink(shell, (of) =>
    while_alone(of.database, async () => {
      const { state } = await expected(of, { as });
      if (rollback !== (state === "replaced")) {
        throw new UsageError(
          rollback
            ? `flink switch: nothing to roll back: ${as} was never live`
            : `flink switch: ${as} holds what was live before; --rollback switches it back in, \`tacho flink drop --as ${as}\` removes it`,
        );
      }
      const direct = (await find_model(of, {})).jobs.find((job) =>
        !has_ended(job) && writes_through(job, of.prefix) === null
      );
      if (direct !== undefined) {
        throw new UsageError(
          `flink switch: job ${direct.id} writes the live tables by their names: it would write those that are switched in. Stop it (tacho flink stop); ` +
            "submitted again without --sql it goes on through a door of its own",
        );
      }
      // Which topics those tables are of that were live before, they say themselves: the configuration may be that of what took their place.
      await caught_up(of, as, rollback ? [] : shell.config.topics);
      const told = ["others hold the tables; switching is tried again", { read_model: as }] as const;
      await when_free(shell, told, () => switch_flink_model(of, as));
      console.log(
        rollback
          ? `switched back: what was live before is live again; ${as} holds what it replaced, and its job goes on writing that`
          : `switched ${as} in; ${as} holds what was live before, whose job goes on writing it: switch --rollback switches it back in, stop --as ${as} and drop --as ${as} end it`,
      );
    }, SUBMITTING));
}

/**
 * How many messages a job has yet to read of those that the live one has: of all topics that it has read from, and of those named. Of others it
 * reads none. Pure.
 * @param live the offset after the newest message read, by partition as `topic/0`
 */
export function messages_behind(
  live: JobProgress["read"],
  made: JobProgress["read"],
  named: readonly string[],
): number {
  const topic_of = (partition: string) => partition.slice(0, partition.lastIndexOf("/"));
  const topics = new Set([...named, ...[...made.keys()].map(topic_of)]);
  return [...live].reduce(
    (sum, [partition, offset]) =>
      topics.has(topic_of(partition)) ? sum + Math.max(offset - (made.get(partition) ?? 0), 0) : sum,
    0,
  );
}

/**
 * Waits until the job of tables beside the live ones has read what the live one had read when it was called. Throws FlinkFailure where it has not, and
 * does not run.
 * @param topics that it reads for sure, also where it has read nothing of them yet
 */
async function caught_up(of: FlinkDatabase, as: string, topics: readonly string[]): Promise<void> {
  const { read: live } = await read_progress(of.database);
  const behind = async () => messages_behind(live, (await read_progress(of.database, as)).read, topics);
  let left = await behind();
  if (left === 0) return;
  const line = new ProgressLine(`read what is live, into ${as}`, left, system_clock.now_ms);
  line.note(`${as} is ${left} messages behind what is live; it is waited for`);
  try {
    while (left > 0) {
      const [job] = (await find_model(of, { as })).jobs;
      if (job === undefined || has_ended(job)) {
        const why = job === undefined ? "the JobManager knows no job of it" : `its job ${job.id} is ${job.state}`;
        throw new FlinkFailure(
          `${as} is ${left} messages behind what is live, and ${why}; \`tacho flink submit --as ${as}\` lets it read on`,
        );
      }
      await of.pause(LOOK_MS);
      const next = await behind();
      line.add(Math.max(left - next, 0));
      left = next;
    }
  } finally {
    line.end();
  }
}

/** `tacho flink drop`: removes tables beside the live ones. Throws UsageError while a job writes them. */
export function flink_drop_verb(shell: Shell, { as }: Beside): Promise<void> {
  return with_flink(shell, (of) =>
    while_alone(of.database, async () => {
      await expected(of, { as });
      const running = (await find_model(of, { as })).jobs.find((job) => !has_ended(job));
      if (running !== undefined) {
        throw new UsageError(
          `flink drop: job ${running.id} is ${running.state} and writes ${as}; \`tacho flink stop --as ${as}\` stops it`,
        );
      }
      await drop_flink_model(of, as);
      console.log(`dropped ${as}`);
    }, SUBMITTING));
}
