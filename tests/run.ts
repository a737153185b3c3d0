/**
 * Runs the tests: `deno task test [part of a path]...`. Starts one PostgreSQL and one Kafka for all of them, checks types once, prints what `deno test` says of
 * each file, then names every skipped test with the reason, and last the totals, alone on their line. Exit code 0 when at least one test ran and none failed, 1 otherwise, 2 for wrong usage.
 */
import { needs, SKIPPED } from "./support/available.ts";
import { GuardedFolder } from "./support/guarded_folder.ts";
import { add_reports, NOTHING, read_junit, type TestReport } from "./support/junit.ts";
import { KAFKA_VARIABLE, type KafkaServer, start_kafka } from "./support/kafka.ts";
import { POSTGRES_VARIABLE, type PostgresServer, start_postgres } from "./support/postgres.ts";
import { EMBEDDED_VARIABLE, plan_stages, type Stage, test_environment } from "./support/test_stages.ts";
import { PATIENCE } from "./support/until.ts";

/** How many files that are no unit tests run at a time: with three of them two cores are busy, though most wait for most of their time. */
const LANES = 3;

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
 * @param beside whether others run at the same time: what it says is printed when it has ended, so that it does not run into what they say
 */
async function deno(
  folder: string,
  args: readonly string[],
  env: Record<string, string>,
  limit_ms: number,
  beside: boolean,
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
  if (beside) Deno.stdout.writeSync(Deno.readFileSync(`${folder}/output`));
  return late ? -1 : code;
}

/** Runs one stage; a failure that no test accounts for is named after the stage, and so is a stage without any test. */
async function run_stage(
  stage: Stage,
  folder: string,
  env: Record<string, string>,
  beside: boolean,
): Promise<TestReport> {
  const junit = `${folder}/junit.xml`;
  const args = ["test", "--no-check", `--junit-path=${junit}`, ...stage.flags, ...stage.files];
  const code = await deno(folder, args, env, stage.limit_ms, beside);
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
    wanted("postgres") ? start_postgres({ fsync: false }).then(kept) : null,
    wanted("kafka") ? start_kafka().then(kept) : null,
  ]);
  return {
    ...(postgres === null ? {} : { [POSTGRES_VARIABLE]: postgres.superuser_url }),
    ...(kafka === null ? {} : { [KAFKA_VARIABLE]: kafka.brokers }),
  };
}

/**
 * Checks and starts what is needed while the unit tests run, then runs every other stage: last, one after the other, those that nothing may run beside.
 * @param typed whose types are checked; none: those of the whole repository, as `deno task ok` does, which then need not be checked twice
 * @param folders the run's temporary folders: the first for all of it, and one for each stage that runs at a time
 */
async function run_all(
  files: readonly string[],
  typed: readonly string[],
  folders: readonly string[],
  servers: AsyncDisposable[],
): Promise<TestReport> {
  const [folder = "", ...lanes] = folders;
  const environment = test_environment(Deno.env.toObject(), {
    TMPDIR: folder,
    [EMBEDDED_VARIABLE]: `${folder}/embedded`,
  });
  const info = new Deno.Command("sh", { args: ["-c", '"$1" info --json', "sh", Deno.execPath()], stderr: "inherit" });
  const deno_folder: string = JSON.parse(new TextDecoder().decode((await info.output()).stdout)).denoDir;
  Deno.mkdirSync(`${ROOT}/tests/output`, { recursive: true });
  const stages = plan_stages(ROOT, files, folder, deno_folder);
  const [unit, others] = [true, false].map((is_unit) => stages.filter(({ name }) => (name === "unit") === is_unit));
  const [checked, first, variables] = await Promise.all([
    deno(folder, ["check", ...typed], environment, PATIENCE * 5 * 60_000, true),
    run_stages(unit!, lanes, environment),
    others!.length === 0 ? {} : start_servers(files, servers).catch((error) => {
      console.error(error);
      return null;
    }),
  ]);
  const failure = (what: string): TestReport => add_reports(first, { ...NOTHING, failed: [what] });
  if (checked !== 0) return failure("deno check: the tests have type errors, see above; only unit tests were run");
  if (variables === null) return failure("start the servers: see above; only unit tests were run");
  const env = { ...environment, ...variables };
  const [beside, alone] = [false, true].map((is_alone) => others!.filter((stage) => stage.alone === is_alone));
  const second = await run_stages(beside!, lanes, env);
  return [second, await run_stages(alone!, lanes.slice(0, 1), env)].reduce(add_reports, first);
}

/** Runs stages, one in each of the folders at a time: the even ones take them from the front, the odd ones from the back. */
async function run_stages(
  stages: readonly Stage[],
  folders: readonly string[],
  env: Record<string, string>,
): Promise<TestReport> {
  const waiting = [...stages];
  const beside = stages.length > 1;
  const lane = async (folder: string, i: number): Promise<TestReport> => {
    let report = NOTHING;
    for (let stage; (stage = i % 2 === 0 ? waiting.shift() : waiting.pop()) !== undefined;) {
      report = add_reports(report, await run_stage(stage, folder, env, beside));
    }
    return report;
  };
  return (await Promise.all(folders.map(lane))).reduce(add_reports, NOTHING);
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
  const folders = Array.from({ length: 1 + LANES }, () => new GuardedFolder("run"));
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
    const paths = folders.map(({ path }) => path);
    return await Promise.race([
      run_all(files, filters.length === 0 ? [] : files, paths, servers).then(summarise),
      stopped,
    ]);
  } finally {
    await Promise.all(folders.map((folder) => folder.dispose()));
    await Promise.all(servers.map((server) => server[Symbol.asyncDispose]()));
  }
}

if (import.meta.main) Deno.exit(await main(Deno.args));
