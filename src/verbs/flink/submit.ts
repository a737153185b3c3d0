import { createHash } from "node:crypto";
import { ADVISORY_LOCKS, type Database } from "../../database/mod.ts";
import { type Deployment, while_alone } from "../../event_log/mod.ts";
import {
  find_jobs,
  flink_sql,
  FlinkFailure,
  type FlinkJob,
  type FlinkRest,
  has_ended,
  job_name,
  read_failure,
  read_tasks,
  run_statements,
  statements_of,
  uncompiled_of,
} from "../../flink/mod.ts";
import { open_kafka_admin } from "../../ingest/kafka/mod.ts";
import { begin_flink_model, beside, type Door, find_read_model } from "../../projection/mod.ts";
import { ConfigError } from "../../runtime/mod.ts";
import { left_to_logs, schema_of } from "../domains.ts";
import { decode_limits, kafka_connection } from "../open.ts";
import { type Shell, UsageError } from "../shell.ts";
import { find_model, type FlinkDatabase, type ModelOptions, with_flink, with_flink_database } from "./database.ts";

/** Options of `tacho flink sql`, as the command line gives them: how the job reaches what tacho reaches by its own settings. */
interface SqlOptions {
  readonly brokers?: string;
  readonly database?: string;
  readonly quarantine?: string;
}

/**
 * `tacho flink sql`: the statements of the job that writes a database, out of the domain's declaration, on stdout; they hold the password of the
 * database. Throws UsageError for what a job cannot do.
 */
export function flink_sql_verb(shell: Shell, options: SqlOptions): Promise<void> {
  return with_flink_database(shell, (_database, deployment) => {
    const statements = written_statements(shell, deployment, options, null),
      lacking = left_to_logs(shell.domain, deployment);
    const remark = lacking === null ? "" : `-- ${lacking}.\n`;
    console.log(
      `${remark}-- No sketches are written: percentiles are made from states.\n\n${statements.join(";\n\n")};`,
    );
    return Promise.resolve();
  });
}

const quarantine_of = ({ config: { topics } }: Shell, { quarantine }: SqlOptions): string =>
  quarantine ?? `${topics[0]}.quarantine`;

/**
 * The statements of the job that writes a database. Throws UsageError for what a job cannot do.
 * @param door what it writes through; null: the tables by their names
 */
function written_statements(
  shell: Shell,
  deployment: Deployment,
  options: SqlOptions,
  door: Door | null,
): readonly string[] {
  const { config, domain } = shell, { topics, mappings, group, database_url } = config;
  const brokers = options.brokers ?? config.kafka_brokers?.join(",");
  if (brokers === undefined) {
    throw new ConfigError(["KAFKA_BROKERS: expected brokers, which Flink can reach, got none"]);
  }
  const refuse = (why: string) => new UsageError(`flink sql: ${why}`);
  const mapped = (mappings ?? []).map(({ topic }) => topic).filter((topic) => topics.includes(topic));
  if (mapped.length > 0) {
    throw refuse(`expected topics of events, got ${mapped.join(", ")}, whose records a mapping reads`);
  }
  if (deployment.names_persons) {
    throw refuse("persons have aliases in this database (TACHO_FORGETTABLE), which code makes");
  }
  const { host, pathname, username, password } = new URL(options.database ?? database_url!);
  const made = domain.make(deployment), uncompiled = uncompiled_of(made);
  if (uncompiled.length > 0) throw refuse(`expected what a declaration says in full, got ${uncompiled.join("; ")}`);
  const lacking = left_to_logs(domain, deployment);
  if (lacking !== null) shell.logger.log("info", lacking, { written_by: "a Flink job" });
  const { tls, sasl } = kafka_connection(shell);
  return flink_sql(made, {
    ...decode_limits(config),
    ...{
      brokers,
      security: { tls, sasl },
      topics,
      group,
      time_zone: deployment.time_zone,
      schema: door?.schema ?? schema_of(domain),
    },
    quarantine_topic: quarantine_of(shell, options),
    database: {
      host,
      name: decodeURIComponent(pathname.slice(1)),
      user: decodeURIComponent(username),
      password: decodeURIComponent(password),
    },
  });
}

/** Options of `tacho flink submit`, as the command line gives them. */
interface SubmitOptions extends SqlOptions, ModelOptions {
  /** The file with the statements; those of `tacho flink sql` unless given. */
  readonly sql?: string;
  /** A checkpoint or savepoint to go on from. */
  readonly from?: string;
  /** Topics are read from their beginning, although the tables have rows. */
  readonly anew: boolean;
  /** Where checkpoints and savepoints are kept; as Flink's configuration says unless given. */
  readonly checkpoints?: string;
  readonly interval: number;
}

export const SUBMITTING = {
  lock: ADVISORY_LOCKS.flink,
  told: "flink: another program submits a job for this database now, or switches its tables",
};
/** A job that does not run by then is told as it is. */
const RUNS_WITHIN_MS = 120_000;

/**
 * `tacho flink submit`: has statements run by the SQL gateway, under a name that says the database and the statements. One that runs already is
 * left alone. It goes on from the newest savepoint of the same statements; where the tables have rows and there is none, it wants to be told.
 * With a name it writes tables of that name, beside the live ones; they are made where they are not there.
 */
export async function flink_submit_verb(shell: Shell, options: SubmitOptions): Promise<void> {
  const { flink_gateway: url } = shell.config, { as, sql } = options;
  if (url === null) throw new ConfigError(["TACHO_FLINK_GATEWAY: expected the URL of Flink's SQL gateway, got none"]);
  if (options.anew && options.from !== undefined) {
    throw new UsageError("flink submit: expected --from or --anew, got both");
  }
  const own = options.brokers ?? options.database ?? options.quarantine ?? as;
  if (sql !== undefined && own !== undefined) {
    throw new UsageError(
      "flink submit: --brokers, --database, --quarantine and --as are of statements that are written here; with --sql leave them out",
    );
  }
  const given = sql === undefined ? null : await read_statements(sql);
  await with_flink(shell, (of) =>
    while_alone(of.database, async () => {
      const { database, prefix, manager, pause } = of;
      if (as !== undefined && await find_read_model(database, as) === null) {
        await begin_flink_model(of, as);
        shell.logger.log("info", "made tables beside the live ones", { called_after: as });
      }
      const model = await find_model(of, options), door = sql === undefined ? model.door : null;
      const statements = given ?? written_statements(shell, of.deployment, options, door);
      const begins = statements.findIndex((each) => BEGINS_JOB.test(each)), hash = hash_of(statements);
      const named = (through: Door | null) => job_name(prefix, hash, through?.number ?? null), name = named(door);
      const running = model.jobs.find((job) => !has_ended(job));
      if (running !== undefined && [name, named(null)].includes(running.name)) {
        // Whoever submitted it may have been ended before this was noted.
        await note_job(database, running, hash, door);
        return console.log(`job ${running.id} has these statements and is ${running.state}`);
      }
      if (running !== undefined) {
        throw new UsageError(`flink submit: ${of_others(`job ${running.id} is ${running.state}, of`, as)}`);
      }
      const path = await recovery_path(of, hash, options, model.door);
      const set = (setting: string, value: string) => `SET '${setting}' = '${value.replaceAll("'", "''")}'`;
      const folder = options.checkpoints?.replace(/\/$/, "");
      if (sql === undefined) await make_quarantine(shell, options);
      const gateway: FlinkRest = { url, name: "SQL gateway", signal: shell.signal };
      const [id] = await run_statements(gateway, [
        set("execution.checkpointing.interval", `${options.interval}s`),
        set("execution.checkpointing.externalized-checkpoint-retention", "RETAIN_ON_CANCELLATION"),
        ...folder === undefined ? [] : [
          set("execution.checkpointing.dir", `${folder}/checkpoints`),
          set("execution.checkpointing.savepoint-dir", `${folder}/savepoints`),
        ],
        ...statements.slice(0, begins),
        set("pipeline.name", name),
        ...path === null ? [] : [set("execution.state-recovery.path", path)],
        ...statements.slice(begins),
      ], pause);
      if (id === undefined) throw new FlinkFailure("the SQL gateway began no job, and says no reason");
      await note_job(database, { id, name }, hash, door);
      await until_runs(manager, { id, prefix }, pause);
      console.log(`job ${id} runs, ${path === null ? "from the beginning of its topics" : `from ${path}`}`);
    }, SUBMITTING));
}

/** Makes the topic that messages are set aside in, where it is absent: a job that cannot write there does not begin. */
async function make_quarantine(shell: Shell, options: SqlOptions): Promise<void> {
  if (shell.config.kafka_brokers === null) return;
  const admin = await open_kafka_admin(kafka_connection(shell));
  try {
    await admin.ensure_topic(quarantine_of(shell, options), shell.config);
  } finally {
    await admin.close();
  }
}

const note_job = (
  database: Database,
  { id, name }: Pick<FlinkJob, "id" | "name">,
  hash: string,
  door: Door | null,
): Promise<number> =>
  database.execute(
    "insert into flink_jobs (job_id, name, sql_hash, door) values ($1, $2, $3, $4) on conflict (job_id) do nothing",
    [id, name, hash, door?.number ?? null],
  );

const BEGINS_JOB = /^(?:INSERT|EXECUTE)\b/i;

/** Reads the statements of a file. Throws UsageError where it cannot be read, or not one of them begins a job. */
async function read_statements(path: string): Promise<readonly string[]> {
  const script = await Deno.readTextFile(path).catch((error) => {
    throw new UsageError(`flink submit: ${path} cannot be read: ${error.message}`, { cause: error });
  });
  const statements = statements_of(script), jobs = statements.filter((each) => BEGINS_JOB.test(each)).length;
  if (jobs === 1) return statements;
  throw new UsageError(
    `flink submit: expected one statement that begins a job (INSERT, or EXECUTE STATEMENT SET), got ${jobs} in ${path}`,
  );
}

/** Options and settings that may change while a job's state stays what it is: how others are reached, how much is done at a time. */
const STATELESS =
  /('(?:[\w.-]*password|[\w.-]*username|url|properties\.[\w.-]+|sink\.(?:buffer|max)[\w.-]*|(?:parallelism|execution|pipeline)\.[\w.-]+)'\s*=\s*)'(?:[^']|'')*'/gi;

/** A setting that jobs of earlier versions were submitted without, and that their state does not depend on. */
const ADDED = /^SET 'pipeline\.object-reuse'/i;

/** SHA-256 of statements; what may change while the state stays what it is aside. */
export const hash_of = (statements: readonly string[]): string => {
  const kept = statements.filter((each) => !ADDED.test(each)).map((each) => each.replace(STATELESS, "$1''"));
  return createHash("sha256").update(kept.join(";\n")).digest("hex");
};

/** What to do where the tables are of other statements. */
const of_others = (what: string, as: string | undefined): string =>
  `${what} other statements, whose state and tables these do not fit. ` +
  (as === undefined
    ? "`tacho flink submit --as v2` has these write tables beside those; then `tacho flink compare` and `tacho flink switch`"
    : `\`tacho flink stop --as ${as}\` and \`tacho flink drop --as ${as}\`, then begin anew`);

/** Where a job is to go on from; null: from the beginning of its topics. Throws UsageError where that would be a guess. */
async function recovery_path(
  { database, domain }: Pick<FlinkDatabase, "database" | "domain">,
  hash: string,
  { from, anew, as }: Pick<SubmitOptions, "from" | "anew" | "as">,
  door: Door | null,
): Promise<string | null> {
  const [last] = await database.query(
    `select exists (select from ${
      as === undefined ? domain.tables.states : beside(domain.tables.states, as)
    }) as written, job.job_id, job.sql_hash, job.savepoint from log_head
      left join lateral (
        select * from flink_jobs where door is not distinct from $1 or door is null and $2 order by submitted_at desc limit 1
      ) job on true`,
    [door?.number ?? null, as === undefined],
  );
  if (last?.written === true && last.sql_hash !== null && last.sql_hash !== hash) {
    throw new UsageError(`flink submit: ${of_others("the tables are of", as)}`);
  }
  if (from !== undefined) return from;
  if (anew) return null;
  if (last?.sql_hash === hash && last.savepoint !== null) return String(last.savepoint);
  if (last?.written !== true) return null;
  const own = last.job_id === null ? "" : `, of job ${last.job_id}: …/${last.job_id}/chk-…`;
  throw new UsageError(
    `flink submit: the tables have rows and no savepoint is known; name a checkpoint with --from${own}, or say --anew: ` +
      "topics are read from their beginning, and until they are read figures go back",
  );
}

/** Waits until a job runs. Throws FlinkFailure where it ends before, and says how it is where it takes too long. */
async function until_runs(
  manager: FlinkRest,
  { id, prefix }: { readonly id: string; readonly prefix: string },
  pause: FlinkDatabase["pause"],
): Promise<void> {
  for (let waited = 0;; waited += 500) {
    const job = (await find_jobs(manager, prefix)).find((each) => each.id === id);
    if (job?.state === "RUNNING") {
      const { running, all } = await read_tasks(manager, job);
      if (running === all) return;
    }
    if ((job !== undefined && has_ended(job)) || waited > RUNS_WITHIN_MS) {
      const failure = await read_failure(manager, { id });
      throw new FlinkFailure(
        `job ${id} is ${job?.state ?? "not known"}${failure === null ? "" : `: ${failure.reason}`}`,
      );
    }
    await pause(500);
  }
}
