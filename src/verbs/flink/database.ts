import { type OpenedDatabase, require_schema } from "../../database/mod.ts";
import type { Domain } from "../../domains/mod.ts";
import { type Deployment, read_deployment, read_head } from "../../event_log/mod.ts";
import { find_jobs, type FlinkJob, type FlinkRest, job_prefix, writes_through } from "../../flink/mod.ts";
import { type Door, find_door, LIVE } from "../../projection/mod.ts";
import { ConfigError, wait } from "../../runtime/mod.ts";
import { open_with, with_patience } from "../open.ts";
import { type Shell, UsageError } from "../shell.ts";

/** What the verbs of Flink work with. */
export interface FlinkDatabase {
  readonly database: OpenedDatabase;
  readonly deployment: Deployment;
  readonly domain: Domain;
  /** What the names of its jobs begin with. */
  readonly prefix: string;
  readonly manager: FlinkRest;
  readonly pause: (ms: number) => Promise<void>;
}

/** Lends a database that Flink writes. Throws UsageError for another one. */
export async function with_flink<T>(shell: Shell, work: (of: FlinkDatabase) => Promise<T>): Promise<T> {
  const { config: { flink_job_manager: url }, domain, signal } = shell;
  if (url === null) throw new ConfigError(["TACHO_FLINK_JOBMANAGER: expected the URL of Flink's JobManager, got none"]);
  return await with_flink_database(shell, async (database, deployment) => {
    const { log_id } = await with_patience(shell, () => read_head(database));
    const pause = (ms: number) => wait(ms, signal), manager: FlinkRest = { url, name: "JobManager", signal };
    const prefix = job_prefix(domain.name, log_id);
    return await work({ database, deployment, domain: domain.make(deployment), prefix, manager, pause });
  });
}

/** The same without a JobManager. */
export async function with_flink_database<T>(
  shell: Shell,
  work: (database: OpenedDatabase, deployment: Deployment) => Promise<T>,
): Promise<T> {
  if (shell.config.database_url === null) {
    throw new ConfigError(["DATABASE_URL: expected a server's database, which Flink can reach, got none"]);
  }
  let deployment: Deployment | null = null;
  const database = await open_with(shell, async (database) => {
    deployment = await with_patience(shell, async () => {
      await require_schema(database);
      return await read_deployment(database);
    });
    return database;
  });
  try {
    const found = deployment as Deployment | null;
    if (found?.by_flink !== true) {
      throw new UsageError(
        "flink: no Flink job writes this database; `TACHO_READ_MODEL=flink tacho migrate` prepares an empty one",
      );
    }
    return await work(database, found);
  } finally {
    await database.close();
  }
}

/** Which read model a verb is about: what its tables are called after; the live one unless given. */
export interface ModelOptions {
  readonly as?: string;
}

/** A read model of a database that Flink writes, and the jobs that write it: the one that runs first, then the newest. */
export interface WrittenModel {
  /** What it is called in words. */
  readonly words: string;
  /** Null: of live tables that were prepared before there were doors, which jobs write by their names. */
  readonly door: Door | null;
  readonly jobs: readonly FlinkJob[];
}

/** What is said where there are no tables of that name beside the live ones. */
export const no_tables = (as: string): UsageError =>
  new UsageError(`flink: there are no tables ${as}; \`tacho flink submit --as ${as}\` makes some`);

/** Finds a read model and its jobs. Throws UsageError where there is none of that name. */
export async function find_model(
  { database, manager, prefix }: Pick<FlinkDatabase, "database" | "manager" | "prefix">,
  { as = LIVE }: ModelOptions,
): Promise<WrittenModel> {
  const door = await find_door(database, as);
  if (as !== LIVE && door === null) throw no_tables(as);
  const numbers = [door?.number ?? null, ...as === LIVE ? [null] : []];
  const jobs = (await find_jobs(manager, prefix)).filter((job) => numbers.includes(writes_through(job, prefix)));
  return { words: as === LIVE ? "this database" : as, door, jobs };
}
