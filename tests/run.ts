/**
 * Runs the tests: `deno task test [part of a path]...`. Starts one PostgreSQL and one Kafka for all of them, checks types once, streams what `deno test` says,
 * then names every skipped test with the reason, and last the totals, alone on their line. Exit code 0 when at least one test ran and none failed, 1 otherwise, 2 for wrong usage.
 */
import { needs, SKIPPED } from "./support/available.ts";
import { GuardedFolder } from "./support/guarded_folder.ts";
import { add_reports, NOTHING, read_junit, type TestReport } from "./support/junit.ts";
import { KAFKA_VARIABLE, type KafkaServer, start_kafka } from "./support/kafka.ts";
import { POSTGRES_VARIABLE, type PostgresServer, start_postgres } from "./support/postgres.ts";
import { plan_stages, type Stage, test_environment } from "./support/test_stages.ts";

const ROOT = new URL("..", import.meta.url).pathname.replace(/\/$/, "");

/** Every test file whose path contains one of the filters; all without filters. Relative to the repository, sorted. */
function test_files(filters: readonly string[], folder = "tests"): string[] {
  const found: string[] = [];
  for (const entry of Deno.readDirSync(`${ROOT}/${folder}`)) {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory) found.push(...test_files(filters, path));
    else if (entry.name.endsWith("_test.ts")) found.push(path);
  }
  const wanted = filters.map((filter) => filter.replace(/^\.\//, "").replace(`${ROOT}/`, ""));
  return found.filter((file) => wanted.length === 0 || wanted.some((part) => file.includes(part))).sort();
}

/**
 * Runs this Deno in the repository, by its path through `sh`; its number goes to the folder's guard. Gives the exit code; negative when it took too long.
 * @param beside what it says is printed when it has ended, so that it does not run into what others say
 */
async function deno(
  folder: string,
  args: readonly string[],
  env: Record<string, string>,
  limit_ms: number,
  beside = false,
): Promise<number> {
  const script = `echo $$ >"$1/pid"${beside ? ' && exec >"$1/output" 2>&1' : ""} && shift && exec "$@"`;
  const child = new Deno.Command("sh", {
    args: ["-c", script, "sh", folder, Deno.execPath(), ...args],
    cwd: ROOT,
    clearEnv: true,
    env,
    stdin: "null",
  }).spawn();
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    child.kill("SIGKILL");
  }, limit_ms);
  const { code } = await child.status;
  clearTimeout(timer);
  Deno.removeSync(`${folder}/pid`);
  if (beside) await Deno.stdout.write(Deno.readFileSync(`${folder}/output`));
  return late ? -1 : code;
}

/** Runs one stage; a failure that no test accounts for is named after the stage, and so is a stage without any test. */
async function run_stage(stage: Stage, folder: string, env: Record<string, string>): Promise<TestReport> {
  const junit = `${folder}/junit.xml`;
  const args = ["test", "--no-check", `--junit-path=${junit}`, ...stage.flags, ...stage.files];
  const code = await deno(folder, args, env, stage.limit_ms, stage.waits);
  const failure = (what: string): TestReport => ({ ...NOTHING, failed: [`${stage.name}: ${what}`] });
  if (code < 0) return failure(`not done within ${stage.limit_ms / 60_000} minutes`);
  const report = take_report(junit);
  if (report === null) return failure(`exit code ${code} and no report, see above`);
  const named = { ...report, failed: report.failed.map((name) => `${stage.name}: ${name}`) };
  if (code !== 0 && report.failed.length === 0) return add_reports(report, failure(`exit code ${code}, see above`));
  if (report.passed + report.failed.length + report.skipped.length === 0) return failure("it holds no test");
  return named;
}

/** Reads a report and removes it, so that the next stage cannot be taken for this one; null when there is none. */
function take_report(path: string): TestReport | null {
  try {
    const report = read_junit(Deno.readTextFileSync(path));
    Deno.removeSync(path);
    return report;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
}

/** Starts the servers that these files name among their needs and the machine has; gives the variables that tell of them. */
async function start_servers(files: readonly string[], servers: AsyncDisposable[]): Promise<Record<string, string>> {
  const named = (need: string) => files.some((file) => Deno.readTextFileSync(`${ROOT}/${file}`).includes(`"${need}"`));
  const kept = <T extends AsyncDisposable>(server: T): T => {
    servers.push(server);
    return server;
  };
  const wanted = (need: "postgres" | "kafka") => named(need) && needs(need) === null;
  const [postgres, kafka]: [PostgresServer | null, KafkaServer | null] = await Promise.all([
    wanted("postgres") ? start_postgres().then(kept) : null,
    wanted("kafka") ? start_kafka().then(kept) : null,
  ]);
  return {
    ...(postgres === null ? {} : { [POSTGRES_VARIABLE]: postgres.superuser_url }),
    ...(kafka === null ? {} : { [KAFKA_VARIABLE]: kafka.brokers }),
  };
}

/**
 * Checks, starts what is needed, runs every stage.
 * @param folder the run's temporary folder
 * @param beside a folder for what those stages leave that run beside the others
 */
async function run_all(
  files: readonly string[],
  folder: string,
  beside: string,
  servers: AsyncDisposable[],
): Promise<TestReport> {
  const environment = test_environment(Deno.env.toObject(), { TMPDIR: folder });
  const checked = await deno(folder, ["check", ...files], environment, 5 * 60_000);
  if (checked !== 0) return { ...NOTHING, failed: ["deno check: the tests have type errors, see above"] };
  const info = new Deno.Command("sh", { args: ["-c", '"$1" info --json', "sh", Deno.execPath()], stderr: "inherit" });
  const deno_folder: string = JSON.parse(new TextDecoder().decode((await info.output()).stdout)).denoDir;
  Deno.mkdirSync(`${ROOT}/tests/output`, { recursive: true });
  const stages = plan_stages(ROOT, files, folder, deno_folder);
  const [unit, others] = [true, false].map((is_unit) => stages.filter(({ name }) => (name === "unit") === is_unit));
  const first = await run_stages(unit!, folder, environment);
  if (others!.length === 0) return first;
  let variables: Record<string, string>;
  try {
    variables = await start_servers(files, servers);
  } catch (error) {
    console.error(error);
    const failed = ["start the servers: see above; all but the unit tests were left out"];
    return add_reports(first, { ...NOTHING, failed });
  }
  const env = { ...environment, ...variables };
  const lanes = await Promise.all([
    run_stages(others!.filter(({ waits }) => !waits), folder, env),
    run_stages(others!.filter(({ waits }) => waits), beside, env),
  ]);
  return lanes.reduce(add_reports, first);
}

/** Runs stages one after the other. */
async function run_stages(stages: readonly Stage[], folder: string, env: Record<string, string>): Promise<TestReport> {
  let report = NOTHING;
  for (const stage of stages) report = add_reports(report, await run_stage(stage, folder, env));
  return report;
}

/** Prints what was skipped and what failed, then the totals; gives the exit code. */
function summarise(report: TestReport): number {
  const strict = Deno.env.get("TACHO_TEST_REQUIRE_ALL") === "1";
  const failed = [...report.failed];
  console.log("");
  for (const registered of report.skipped) {
    const [name = "", reason] = registered.split(SKIPPED);
    console.log(`skipped: ${name}: ${reason ?? "no reason given"}`);
    if (strict && reason === undefined) failed.push(`${name}: skipped without a reason`);
  }
  for (const name of failed) console.log(`failed: ${name}`);
  if (report.passed + failed.length === 0) console.log("no test ran");
  console.log(`${report.passed} passed, ${failed.length} failed, ${report.skipped.length} skipped`);
  return failed.length === 0 && report.passed > 0 ? 0 : 1;
}

async function main(filters: readonly string[]): Promise<number> {
  const flag = filters.find((filter) => filter.startsWith("-"));
  if (flag !== undefined) {
    console.error(`run tests: unknown flag ${JSON.stringify(flag)}. Usage: deno task test [part of a path]...`);
    return 2;
  }
  const files = test_files(filters);
  if (files.length === 0) return summarise(NOTHING);
  const folders = [new GuardedFolder("run"), new GuardedFolder("run_beside")] as const;
  const servers: AsyncDisposable[] = [];
  const stopped = new Promise<number>((resolve) => {
    for (const [signal, code] of [["SIGINT", 130], ["SIGTERM", 143]] as const) {
      Deno.addSignalListener(signal, () => {
        console.error(`\nstopped by ${signal}`);
        resolve(code);
      });
    }
  });
  try {
    const [folder, beside] = folders;
    return await Promise.race([run_all(files, folder.path, beside.path, servers).then(summarise), stopped]);
  } finally {
    await Promise.all(folders.map((folder) => folder.dispose()));
    await Promise.all(servers.map((server) => server[Symbol.asyncDispose]()));
  }
}

if (import.meta.main) Deno.exit(await main(Deno.args));
