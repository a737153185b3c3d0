import {
  FlinkFailure,
  type FlinkJob,
  has_ended,
  make_savepoint,
  read_checkpoints,
  read_failure,
  read_tasks,
} from "../../flink/mod.ts";
import { open_kafka_admin } from "../../ingest/kafka/mod.ts";
import { system_clock } from "../../runtime/mod.ts";
import { kafka_connection } from "../open.ts";
import { read_progress, waiting_messages } from "../parts/mod.ts";
import type { Shell } from "../shell.ts";
import { find_model, type ModelOptions, with_flink, type WrittenModel } from "./database.ts";

/** The job of a read model that runs. Throws FlinkFailure where none does. */
export function running_job({ words, jobs: [job] }: WrittenModel): FlinkJob {
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
