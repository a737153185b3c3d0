import { FLINK_JARS } from "./flink_jars.ts";
import { free_port } from "./free_port.ts";
import { ensure_jars } from "./maven_jars.ts";
import { ServerProcess } from "./server_process.ts";
import { until } from "./until.ts";

/**
 * A real Apache Flink cluster (JobManager, one TaskManager, SQL gateway, each a process of its own) for tests, on free ports of 127.0.0.1.
 * What a shell script of Flink's would do is done here: there are only jars.
 */
export interface FlinkCluster extends AsyncDisposable {
  /** `http://127.0.0.1:port` of the JobManager's REST. */
  readonly rest: string;
  /** The same of the SQL gateway. */
  readonly gateway: string;
  /** The folder that checkpoints and savepoints are in, as a URL. */
  readonly checkpoints: string;
  /** Runs statements in a session of their own, one after the other; gives the ids of the jobs that they started. */
  execute(statements: readonly string[]): Promise<string[]>;
  /** kill -9 of the TaskManager, and another one in its place. */
  kill_task_manager(): Promise<void>;
  /** kill -9 of the JobManager, which forgets its jobs, and another one in its place, to which the TaskManager comes. */
  kill_job_manager(): Promise<void>;
  /** Starts a TaskManager anew that ended by itself, as a supervisor would: the JDBC connector takes it down when PostgreSQL fails. */
  revive(): void;
  /** What the JobManager's REST answers; with a body it is posted. */
  ask(path: string, body?: unknown): Promise<Record<string, unknown>>;
  /** Ends a job, whatever state it is in, and waits until its slots are free. */
  cancel(job: string): Promise<void>;
  read_log(of: "job_manager" | "task_manager" | "gateway"): string;
}

// What Flink's own scripts open of the JDK for it.
const OPENED = [
  ...["java.base/sun.net.util", "java.rmi/sun.rmi.registry", "java.security.jgss/sun.security.krb5"]
    .map((name) => `--add-exports=${name}=ALL-UNNAMED`),
  "--add-opens=java.base/sun.nio.ch=ALL-UNNAMED",
  ...["lang", "lang.reflect", "net", "io", "nio", "text", "time", "util", "util.concurrent"]
    .map((name) => `--add-opens=java.base/java.${name}=ALL-UNNAMED`),
  ...["atomic", "locks"].map((name) => `--add-opens=java.base/java.util.concurrent.${name}=ALL-UNNAMED`),
];

const LOGGING = `rootLogger.level=INFO
rootLogger.appenderRef.c.ref=C
appender.c.type=CONSOLE
appender.c.name=C
appender.c.layout.type=PatternLayout
appender.c.layout.pattern=%d %-5p %c - %m%n
`;

/**
 * Starts a cluster.
 * @param options.settings further lines of Flink's configuration, by name
 * @param options.task_heap_mb the heap of tasks, MiB: what state on the heap needs
 * @param options.compiled how Java compiles: lightly, for what ends soon, or as it does by itself, for what is measured
 */
export async function start_flink(
  { settings = {}, task_heap_mb = 512, compiled = "lightly" }: {
    readonly settings?: Readonly<Record<string, string>>;
    readonly task_heap_mb?: number;
    readonly compiled?: "lightly" | "fully";
  } = {},
): Promise<FlinkCluster> {
  const jars = await ensure_jars(FLINK_JARS);
  const job_manager = new ServerProcess("flink_job_manager"), task_manager = new ServerProcess("flink_task_manager");
  const gateway = new ServerProcess("flink_gateway");
  const folder = job_manager.folder, rest_port = free_port(), gateway_port = free_port();
  for (const name of ["conf", "tmp", "checkpoints", "savepoints"]) Deno.mkdirSync(`${folder}/${name}`);
  const properties = { ...configuration(folder, rest_port, gateway_port, task_heap_mb), ...settings };
  const lines = Object.entries(properties).map(([name, value]) => `${name}: ${value}\n`);
  Deno.writeTextFileSync(`${folder}/conf/config.yaml`, lines.join(""));
  Deno.writeTextFileSync(`${folder}/conf/log4j2.properties`, LOGGING);
  // Compiled lightly what lives for minutes is through with a job in two thirds of the processor time (50 s of planning for three instead of 74).
  const lightly = compiled === "lightly" ? ["-XX:TieredStopAtLevel=1"] : [];
  const java = (memory: readonly string[], main: readonly string[]) => [
    ...["env", `FLINK_CONF_DIR=${folder}/conf`, "java", ...OPENED, ...memory, "-XX:+UseSerialGC", ...lightly],
    // Times without a zone reach PostgreSQL in the JVM's.
    ...["-Duser.timezone=UTC", `-Dlog4j.configurationFile=file:${folder}/conf/log4j2.properties`],
    ...[`-Djava.io.tmpdir=${folder}/tmp`, "-cp", `${jars}/*`, ...main],
  ];
  const configured = ["--configDir", `${folder}/conf`];
  const runtime = "org.apache.flink.runtime", heap = `${task_heap_mb + 128}m`;
  const start_job_manager = () =>
    job_manager.spawn(
      java(["-Xmx512m"], [`${runtime}.entrypoint.StandaloneSessionClusterEntrypoint`, ...configured]),
    );
  const start_task_manager = () =>
    task_manager.spawn(java(
      [`-Xms${heap}`, `-Xmx${heap}`, "-XX:MaxDirectMemorySize=256m"],
      // A new port each time: one that was killed on the same is not let in for half a minute.
      [`${runtime}.taskexecutor.TaskManagerRunner`, ...configured, "-D", "taskmanager.rpc.port=0"],
    ));
  const rest = `http://127.0.0.1:${rest_port}`, gateway_url = `http://127.0.0.1:${gateway_port}`;
  const revive = () => {
    if (!task_manager.running) start_task_manager();
  };
  const whole = () =>
    until("Flink has its TaskManager", async () => {
      revive();
      const { taskmanagers } = await json(`${rest}/overview`);
      return Number(taskmanagers) > 0;
    }, 90_000);
  const all = [job_manager, task_manager, gateway];
  const dispose = async (): Promise<void> => {
    await Promise.all(all.toReversed().map((server) => server.dispose()));
  };
  try {
    start_job_manager();
    start_task_manager();
    gateway.spawn(java(["-Xmx512m"], ["org.apache.flink.table.gateway.SqlGateway"]));
    await whole();
    await until("Flink's SQL gateway answers", async () => (await json(`${gateway_url}/v1/info`)) !== null, 90_000);
  } catch (error) {
    const logs = all.map((server) => `${server.name}: ${server.read_log().slice(-2_000)}`).join("\n");
    await dispose();
    throw new Error(`start Flink: ${logs}`, { cause: error });
  }
  return {
    rest,
    gateway: gateway_url,
    checkpoints: `file://${folder}/checkpoints`,
    execute: (statements) => execute(gateway_url, statements),
    async kill_task_manager() {
      await task_manager.kill_nine();
      start_task_manager();
    },
    async kill_job_manager() {
      await job_manager.kill_nine();
      start_job_manager();
      await whole();
    },
    revive,
    ask: (path, body) => json(`${rest}${path}`, body),
    async cancel(job) {
      await (await fetch(`${rest}/jobs/${job}?mode=cancel`, { method: "PATCH" })).body?.cancel();
      await until("the job has ended", async () => {
        revive();
        return ENDED.includes(String((await json(`${rest}/jobs/${job}`)).state));
      }, 60_000);
    },
    read_log: (of) => ({ job_manager, task_manager, gateway })[of].read_log(),
    [Symbol.asyncDispose]: dispose,
  };
}

const ENDED = ["CANCELED", "FAILED", "FINISHED"];

async function json(url: string, body?: unknown): Promise<Record<string, unknown>> {
  const headers = { "content-type": "application/json" };
  const answer = await fetch(url, body === undefined ? {} : { method: "POST", headers, body: JSON.stringify(body) });
  return await answer.json();
}

/** Runs statements by a SQL gateway; throws with what it says last of the first that fails. */
async function execute(gateway: string, statements: readonly string[]): Promise<string[]> {
  const { sessionHandle: session } = await json(`${gateway}/v1/sessions`, {});
  const jobs: string[] = [];
  for (const statement of statements) {
    const fail = (errors: unknown): never => {
      const text = String(errors);
      throw new Error(`run ${statement.slice(0, 200)}: ${[...text.matchAll(/^Caused by: .*$/gm)].at(-1) ?? text}`);
    };
    const { operationHandle: operation, errors } = await json(`${gateway}/v1/sessions/${session}/statements`, {
      statement,
    });
    if (operation === undefined) fail(errors);
    const url = `${gateway}/v1/sessions/${session}/operations/${operation}/result/0?rowFormat=JSON`;
    const result = await until(`Flink has run ${statement.slice(0, 60)}`, async () => {
      const got = await json(url);
      return got.resultType === "NOT_READY" ? null : got;
    }, 240_000);
    if (result.errors !== undefined) fail(result.errors);
    if (typeof result.jobID === "string") jobs.push(result.jobID);
  }
  return jobs;
}

function configuration(folder: string, rest_port: number, gateway_port: number, task_heap_mb: number) {
  return {
    "jobmanager.rpc.address": "127.0.0.1",
    "jobmanager.rpc.port": String(free_port()),
    "jobmanager.bind-host": "127.0.0.1",
    "rest.address": "127.0.0.1",
    "rest.bind-address": "127.0.0.1",
    "rest.port": String(rest_port),
    "blob.server.port": String(free_port()),
    "taskmanager.host": "127.0.0.1",
    "taskmanager.bind-host": "127.0.0.1",
    "taskmanager.numberOfTaskSlots": "2",
    // What Flink's shell scripts work out; a TaskManager does not start without.
    "taskmanager.cpu.cores": "2.0",
    "taskmanager.memory.framework.heap.size": "128mb",
    "taskmanager.memory.task.heap.size": `${task_heap_mb}mb`,
    "taskmanager.memory.framework.off-heap.size": "128mb",
    "taskmanager.memory.task.off-heap.size": "0b",
    "taskmanager.memory.managed.size": "64mb",
    "taskmanager.memory.network.min": "64mb",
    "taskmanager.memory.network.max": "64mb",
    "taskmanager.memory.jvm-metaspace.size": "256mb",
    "taskmanager.memory.jvm-overhead.min": "128mb",
    "taskmanager.memory.jvm-overhead.max": "128mb",
    "io.tmp.dirs": `${folder}/tmp`,
    "execution.checkpointing.interval": "2s",
    "execution.checkpointing.mode": "EXACTLY_ONCE",
    "execution.checkpointing.dir": `file://${folder}/checkpoints`,
    "execution.checkpointing.savepoint-dir": `file://${folder}/savepoints`,
    "execution.checkpointing.externalized-checkpoint-retention": "RETAIN_ON_CANCELLATION",
    "state.backend.type": "hashmap",
    "restart-strategy.type": "fixed-delay",
    "restart-strategy.fixed-delay.attempts": "1000000",
    "restart-strategy.fixed-delay.delay": "200ms",
    // A process that refuses connections is missed at the second beat; one that is silent, at the timeout.
    "heartbeat.interval": "500",
    "heartbeat.timeout": "10000",
    "cluster.registration.error-delay": "1 s",
    "sql-gateway.endpoint.rest.address": "127.0.0.1",
    "sql-gateway.endpoint.rest.bind-address": "127.0.0.1",
    "sql-gateway.endpoint.rest.port": String(gateway_port),
  };
}
