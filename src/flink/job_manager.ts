import { type Answer, ask, cause_of, FlinkFailure, type FlinkRest } from "./rest.ts";

/** Jobs, as their JobManager knows them. It forgets them when it is started anew without high availability. */

/** A job. */
export interface FlinkJob {
  readonly id: string;
  readonly name: string;
  /** As Flink says it: RUNNING, RESTARTING, FAILED, … */
  readonly state: string;
  /** When it was submitted, milliseconds. */
  readonly start_ms: number;
}

/** States that a job does not leave. */
const ENDED = ["FINISHED", "FAILED", "CANCELED", "SUSPENDED"];
export const has_ended = ({ state }: Pick<FlinkJob, "state">): boolean => ENDED.includes(state);

const number_of = (value: unknown): number | null => typeof value === "number" ? value : null;
const text_of = (value: unknown): string | null => typeof value === "string" ? value : null;
const part_of = (value: unknown): Answer | null => typeof value === "object" && value !== null ? value as Answer : null;

/** The jobs whose names begin so, those that run first, then the one that was submitted last. */
export async function find_jobs(rest: FlinkRest, prefix: string): Promise<FlinkJob[]> {
  const { jobs } = await ask(rest, "/jobs/overview") ?? {};
  if (!Array.isArray(jobs)) throw new FlinkFailure(`the JobManager at ${rest.url}: expected a list of jobs, got none`);
  return jobs.map((job: Answer) => ({
    id: String(job.jid),
    name: String(job.name),
    state: String(job.state),
    start_ms: number_of(job["start-time"]) ?? 0,
  })).filter(({ name }) => name.startsWith(prefix)).sort((a, b) =>
    Number(has_ended(a)) - Number(has_ended(b)) || b.start_ms - a.start_ms
  );
}

/** What is known of a job's checkpoints. Times in milliseconds. */
export interface Checkpoints {
  readonly completed: number;
  readonly failed: number;
  readonly last: {
    readonly path: string | null;
    readonly bytes: number;
    readonly took_ms: number;
    readonly at_ms: number;
  } | null;
  readonly restored: number;
}

export async function read_checkpoints(rest: FlinkRest, { id }: Pick<FlinkJob, "id">): Promise<Checkpoints> {
  const told = await ask(rest, `/jobs/${id}/checkpoints`) ?? {};
  const counts = part_of(told.counts) ?? {}, last = part_of(part_of(told.latest)?.completed);
  return {
    completed: number_of(counts.completed) ?? 0,
    failed: number_of(counts.failed) ?? 0,
    restored: number_of(counts.restored) ?? 0,
    last: last && {
      path: text_of(last.external_path),
      bytes: number_of(last.state_size) ?? 0,
      took_ms: number_of(last.end_to_end_duration) ?? 0,
      at_ms: number_of(last.latest_ack_timestamp) ?? 0,
    },
  };
}

/** The last failure of a job, in one line; null where it had none. */
export async function read_failure(
  rest: FlinkRest,
  { id }: Pick<FlinkJob, "id">,
): Promise<{ readonly at_ms: number; readonly reason: string } | null> {
  const told = await ask(rest, `/jobs/${id}/exceptions?maxExceptions=1`) ?? {};
  const history = part_of(told.exceptionHistory)?.entries, [last] = Array.isArray(history) ? history as Answer[] : [];
  const stack = text_of(last?.stacktrace) ?? text_of(told["root-exception"]);
  if (stack === null) return null;
  return { at_ms: number_of(last?.timestamp) ?? number_of(told.timestamp) ?? 0, reason: cause_of(stack) };
}

/** How many of a job's tasks run, of how many. */
export async function read_tasks(rest: FlinkRest, { id }: Pick<FlinkJob, "id">) {
  const { vertices } = await ask(rest, `/jobs/${id}`) ?? {};
  const all = Array.isArray(vertices) ? vertices as Answer[] : [];
  return {
    running: all.reduce((sum, { tasks }) => sum + (number_of(part_of(tasks)?.RUNNING) ?? 0), 0),
    all: all.reduce((sum, { parallelism }) => sum + (number_of(parallelism) ?? 0), 0),
  };
}

const LOOK_MS = 200;

/**
 * Makes a savepoint of a job, and stops it with that; gives where the savepoint is. Throws FlinkFailure where it cannot be made: the job goes on.
 * @param folder where to; null: where Flink's configuration says
 */
export async function make_savepoint(
  rest: FlinkRest,
  { id }: Pick<FlinkJob, "id">,
  { stop, folder }: { readonly stop: boolean; readonly folder: string | null },
  pause: (ms: number) => Promise<void>,
): Promise<string> {
  const body = stop
    ? { drain: false, ...folder === null ? {} : { targetDirectory: folder } }
    : { "cancel-job": false, ...folder === null ? {} : { "target-directory": folder } };
  const begun = await ask(rest, `/jobs/${id}/${stop ? "stop" : "savepoints"}`, { method: "POST", body });
  const request = text_of(begun?.["request-id"]);
  if (request === null) throw new FlinkFailure(`the JobManager knows no job ${id}`);
  for (;;) {
    const told = await ask(rest, `/jobs/${id}/savepoints/${request}`);
    if (told === null) throw new FlinkFailure(`the JobManager has forgotten the savepoint of job ${id}`);
    const operation = part_of(told.operation), failure = part_of(operation?.["failure-cause"]);
    if (failure !== null) {
      throw new FlinkFailure(`a savepoint of job ${id}: ${cause_of(String(failure["stack-trace"] ?? failure.class))}`);
    }
    const location = text_of(operation?.location);
    if (location !== null) return location;
    if (part_of(told.status)?.id === "COMPLETED") {
      throw new FlinkFailure(`a savepoint of job ${id}: nowhere is it said to be`);
    }
    await pause(LOOK_MS);
  }
}

/** How the job of a database does; null: it runs. `forever`: by itself it does not go on. */
export interface Halted {
  readonly forever: boolean;
  readonly reason: string;
}

/**
 * What keeps the job whose name begins so, and that writes through one of these doors, from running, null where it runs; a JobManager that cannot
 * be asked counts as what keeps it. Viewers are told: nothing is in it of what Flink says of addresses and statements.
 */
export async function halted_job(
  rest: FlinkRest,
  prefix: string,
  doors: readonly (number | null)[],
): Promise<Halted | null> {
  try {
    const job = (await find_jobs(rest, prefix)).find((each) => doors.includes(writes_through(each, prefix)));
    if (job === undefined) return { forever: true, reason: "the JobManager knows no Flink job of this database" };
    return job.state === "RUNNING" ? null : { forever: has_ended(job), reason: `the Flink job is ${job.state}` };
  } catch (error) {
    if (!(error instanceof FlinkFailure)) throw error;
    return { forever: false, reason: "Flink's JobManager cannot be asked how the job does" };
  }
}

/** What the names of a database's jobs begin with: those of another one are none of its business. */
export const job_prefix = (domain: string, log_id: string): string => `tacho ${domain} ${log_id.slice(0, 8)} `;

/** The name of a job: what those of the database begin with, the first digits of the hash of its statements, and the door that it writes through. */
export const job_name = (prefix: string, hash: string, door: number | null): string =>
  `${prefix}${hash.slice(0, 8)}${door === null ? "" : ` ${door}`}`;

/** The door that a job of the database writes through, by its name; null: it writes the tables by their names. */
export function writes_through({ name }: Pick<FlinkJob, "name">, prefix: string): number | null {
  const [, door] = / (\d+)$/.exec(name.slice(prefix.length)) ?? [];
  return door === undefined ? null : Number(door);
}
