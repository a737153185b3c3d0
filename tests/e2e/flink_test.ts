import assert from "node:assert/strict";
import { type Database, open_database } from "../../src/database/mod.ts";
import { DOMAINS } from "../../src/verbs/domains.ts";
import { CHAOS_DOMAINS } from "../chaos/domains.ts";
import { prove_flink } from "../flink/proof.ts";
import { tacho_test } from "../support/available.ts";
import { type FlinkCluster, start_flink } from "../support/flink.ts";
import { hostile_messages } from "../support/hostile_messages.ts";
import { shared_kafka, unique_name } from "../support/kafka.ts";
import { shared_postgres, start_postgres } from "../support/postgres.ts";
import { type Ended, get_json, run_tacho, run_verb, TachoProgram } from "../support/tacho_program.ts";
import { until } from "../support/until.ts";

/**
 * Jobs on a real cluster, one for all of this file, which ends with it: what the declaration of each domain is compiled to, held against tacho
 * itself; `tacho flink submit`, `status`, `savepoint` and `stop`, and what `serve --read-model flink` says of the job meanwhile. What kills the
 * cluster's processes comes last.
 */

/** Of each: the first one pays for the start, and all for planning, which takes a whole core for a quarter of a minute and more. */
const LIMIT_MS = 360_000;

/** Of what comes within seconds where nothing else runs. */
const WAIT_MS = 120_000;

let started: Promise<FlinkCluster> | null = null;
const the_cluster = (): Promise<FlinkCluster> => started ??= start_flink();

const say = (line: string) => console.log(`  ${line}`);
const messages_of = (domain: string) => CHAOS_DOMAINS.find(({ name }) => name === domain)!.messages;

for (const declared of DOMAINS.slice(1)) {
  tacho_test({
    name: `the compiled job of ${declared.name}: its tables are tacho's own, row by row`,
    needs: ["flink", "kafka", "postgres"],
    limit_ms: LIMIT_MS,
    async fn() {
      const { brokers } = await shared_kafka();
      const proved = await prove_flink({
        ...{ declared, messages: messages_of(declared.name), seed: 7, events: 1_200, disturbances: [], parallelism: 1 },
        say,
      }, { flink: await the_cluster(), brokers, postgres: await shared_postgres() });
      assert.ok(proved.states > 300 && proved.cells > 500, JSON.stringify(proved));
    },
  });
}

/** A job of two sinks: trips as their newest event says, and how far it has read. */
function statements(topic: string, brokers: string, url: string, status = "completed"): string {
  const { host, pathname, username } = new URL(url);
  const sink = (table: string) =>
    `WITH ('connector' = 'jdbc', 'url' = 'jdbc:postgresql://${host}${pathname}', 'table-name' = '${table}',
      'username' = '${username}', 'password' = 'none', 'sink.buffer-flush.interval' = '200ms')`;
  return `-- What the job reads; a topic of tests.
    CREATE TABLE messages (
      subject STRING, id STRING, \`time\` STRING,
      part INT METADATA FROM 'partition' VIRTUAL, place BIGINT METADATA FROM 'offset' VIRTUAL
    ) WITH ('connector' = 'kafka', 'topic' = '${topic}', 'properties.bootstrap.servers' = '${brokers}',
      'scan.startup.mode' = 'earliest-offset', 'format' = 'json', 'json.ignore-parse-errors' = 'true');
    CREATE TABLE trips (trip_id STRING, status STRING, last_occurred_at TIMESTAMP(3), last_event_id STRING,
      PRIMARY KEY (trip_id) NOT ENFORCED) ${sink("trips")};
    CREATE TABLE progress (topic STRING, \`partition\` INT, next_offset BIGINT,
      PRIMARY KEY (topic, \`partition\`) NOT ENFORCED) ${sink("flink_progress")};
    EXECUTE STATEMENT SET BEGIN
      INSERT INTO trips SELECT subject, '${status}', TO_TIMESTAMP(MAX(SUBSTRING(\`time\`, 1, 19)), 'yyyy-MM-dd''T''HH:mm:ss'),
        MAX(id) FROM messages WHERE subject IS NOT NULL GROUP BY subject;
      INSERT INTO progress SELECT '${topic}', part, MAX(place) + 1 FROM messages GROUP BY part;
    END;`;
}

/** Each trip's events, read out of the topic by its key, fold to the row that the job wrote. */
async function hold_streams(env: Readonly<Record<string, string>>): Promise<void> {
  await using serving = await TachoProgram.serve("start", { env });
  const { trips } = await get_json(`${serving.url}api/v1/trips?limit=500`) as { trips: { trip_id: string }[] };
  assert.ok(trips.length > 5);
  for (const { trip_id } of trips) {
    const { topics, events, revision } = await get_json(`${serving.url}api/v1/trips/${trip_id}`) as {
      topics: { complete: boolean; equal: boolean };
      events: unknown[];
      revision: number;
    };
    assert.deepEqual([topics.complete, topics.equal, events.length], [true, true, revision], JSON.stringify(topics));
  }
}

/** Statements of another catalog write tables beside the live ones, of a database whose job runs; these are compared, switched in, and back. */
async function change_catalog(env: Readonly<Record<string, string>>, database: Database, topic: string): Promise<void> {
  const more = unique_name("flink_more"), other = { ...env, TACHO_TOPICS: `${topic},${more}` };
  const trips = async () => Number((await database.query("select count(*) as n from trips"))[0]?.n);
  await run_verb(["produce", "--count", "20", "--seed", "3", "--history", "1h", "--topic", more], { env });
  const refused = await run_tacho(["flink", "submit"], { env: other });
  assert.deepEqual([refused.code, /submit --as v2/.test(refused.stderr)], [2, true], refused.stderr);
  const began = await run_verb(["flink", "submit", "--as", "v2", "--interval", "1"], { env: other });
  assert.match(began.stdout, /^job [0-9a-f]{32} runs, from the beginning of its topics$/m);
  await until("the other job has read all", async () => {
    const { code, stdout } = await run_tacho(["flink", "status", "--as", "v2"], { env: other });
    return code === 0 && /^0 messages wait/m.test(stdout);
  }, WAIT_MS);
  const live = await trips();
  // It is there as soon as it is flushed.
  const differences = await until("what has been read is written", async () => {
    const { stdout } = await run_verb(["flink", "compare", "--as", "v2"], { env: other });
    assert.match(stdout, /^trips: (\d+) of \d+ rows are not equal, \1 of them in v2 alone$/m);
    return stdout;
  }, WAIT_MS);
  assert.match(differences, /^v2 has read \d+ messages, what is live \d+$/m);
  await run_verb(["flink", "switch", "--as", "v2"], { env: other });
  assert.ok(await trips() > live);
  const status = await run_verb(["flink", "status"], { env: other });
  assert.match(status.stdout, /\(tacho trips [0-9a-f]{8} [0-9a-f]{8} 2\) is RUNNING/);
  const twice = await run_tacho(["flink", "switch", "--as", "v2"], { env: other });
  assert.deepEqual([twice.code, /holds what was live before/.test(twice.stderr)], [2, true], twice.stderr);
  await run_verb(["flink", "switch", "--as", "v2", "--rollback"], { env: other });
  assert.equal(await trips(), live);
  const used = await run_tacho(["flink", "drop", "--as", "v2"], { env: other });
  assert.deepEqual([used.code, /is RUNNING and writes v2/.test(used.stderr)], [2, true], used.stderr);
  await run_verb(["flink", "stop", "--as", "v2"], { env: other });
  await run_verb(["flink", "drop", "--as", "v2"], { env: other });
}

tacho_test({
  name:
    "a job is submitted once, goes on from its savepoint, is told of, and statements of another catalog are refused",
  needs: ["flink", "postgres", "kafka"],
  limit_ms: LIMIT_MS,
  async fn() {
    const cluster = await the_cluster(), { brokers } = await shared_kafka(), topic = unique_name("flink_jobs");
    const { url } = await (await shared_postgres()).create_database();
    const env = {
      DATABASE_URL: url,
      KAFKA_BROKERS: brokers,
      TACHO_TOPICS: topic,
      TACHO_READ_MODEL: "flink",
      TACHO_FLINK_GATEWAY: cluster.gateway,
      TACHO_FLINK_JOBMANAGER: cluster.rest,
    };
    const produce = (count: number, seed: number) =>
      run_verb(["produce", "--count", `${count}`, "--seed", `${seed}`, "--history", "1h", "--topic", topic], { env });
    const file = Deno.makeTempFileSync({ suffix: ".sql" }), other = Deno.makeTempFileSync({ suffix: ".sql" });
    const submit = (path: string, ...more: string[]) =>
      run_tacho(["flink", "submit", "--sql", path, "--interval", "1", ...more], { env });
    const database: Database = await open_database({ url, data_dir: null, connections: 1 });
    try {
      await run_verb(["migrate"], { env });
      await produce(40, 1);
      Deno.writeTextFileSync(file, statements(topic, brokers, url));
      Deno.writeTextFileSync(other, statements(topic, brokers, url, "canceled"));

      const none = await run_tacho(["flink", "status"], { env });
      assert.deepEqual(
        [none.code, /the JobManager knows no job of this database/.test(none.stderr)],
        [1, true],
        none.stderr,
      );
      Deno.writeTextFileSync(`${file}.wrong`, "CREATE TABLE t (x INT); INSERT INTO nowhere SELECT 1");
      const wrong = await submit(`${file}.wrong`);
      assert.equal(wrong.code, 1);
      assert.match(wrong.stderr, /^tacho: run "INSERT INTO nowhere SELECT 1": .*nowhere.*$/m, wrong.stderr);
      assert.doesNotMatch(wrong.stderr, /\tat |\.java:/);

      // Two at once.
      const two = await Promise.all([submit(file), submit(file)]);
      const [first, rival] = two.toSorted((a, b) =>
        Number(/runs, from/.test(b.stdout)) - Number(/runs, from/.test(a.stdout))
      ) as [Ended, Ended];
      assert.equal(first.code, 0, first.stderr);
      assert.match(
        rival.stdout + rival.stderr,
        /has these statements|another program submits a job for this database now/,
      );
      const { jobs } = await cluster.ask("/jobs/overview");
      assert.equal((jobs as { state: string }[]).filter(({ state }) => state !== "CANCELED").length, 1);
      const [, id] = /^job ([0-9a-f]{32}) runs, from the beginning of its topics$/m.exec(first.stdout) ?? [];
      assert.notEqual(id, undefined, first.stdout);
      // As if whoever submitted it had been killed before it was noted.
      await database.script("delete from flink_jobs");
      const again = await submit(file);
      assert.match(again.stdout, new RegExp(`^job ${id} has these statements and is RUNNING$`, "m"));
      assert.equal((await database.query("select from flink_jobs")).length, 1);
      const foreign = await submit(other);
      assert.deepEqual([foreign.code, /of other statements/.test(foreign.stderr)], [2, true], foreign.stderr);

      await using serving = await TachoProgram.serve("start", { env });
      const listed = async () =>
        (await get_json(`${serving.url}api/v1/trips?limit=500`) as { trips: unknown[] }).trips.length;
      await until("what the job wrote is served", async () => await listed() > 5, WAIT_MS);
      const told = async () =>
        (await (await fetch(`${serving.url}readyz`)).json() as { remarks?: string[] }).remarks?.join() ?? "";
      const status = await until("the job has a checkpoint, and has read all", async () => {
        const { code, stdout } = await run_tacho(["flink", "status"], { env });
        return code === 0 && /checkpoints: [1-9]/.test(stdout) && /^0 messages wait/m.test(stdout) ? stdout : null;
      }, WAIT_MS);
      assert.match(
        status,
        new RegExp(
          `^job ${id} \\(tacho trips [0-9a-f]{8} [0-9a-f]{8}\\) is RUNNING, submitted .*; \\d+ of \\d+ tasks run$`,
          "m",
        ),
      );
      const savepoint = await run_verb(["flink", "savepoint"], { env });
      assert.match(savepoint.stdout, new RegExp(`^a savepoint of job ${id} is file:/`, "m"));

      const before = await listed();
      const stopped = await run_verb(["flink", "stop"], { env });
      const [, path] = new RegExp(`^stopped job ${id}; its savepoint is (file:/\\S+)$`, "m").exec(stopped.stdout) ?? [];
      assert.notEqual(path, undefined, stopped.stdout);
      await until(
        "the page knows that the job has ended",
        async () => /the Flink job is FINISHED/.test(await told()),
        WAIT_MS,
      );
      const ended = await run_tacho(["flink", "status"], { env });
      assert.deepEqual([ended.code, /is FINISHED/.test(ended.stderr)], [1, true], ended.stderr);
      await produce(40, 2);
      const resumed = await submit(file);
      assert.match(resumed.stdout, new RegExp(`^job [0-9a-f]{32} runs, from ${path}$`, "m"), resumed.stderr);
      await until("it has gone on", async () => await listed() > before && !/Flink job/.test(await told()), WAIT_MS);

      // Without its JobManager nothing is known of the job, and nothing is guessed.
      await run_verb(["flink", "stop"], { env });
      await database.script("update flink_jobs set savepoint = null");
      const guess = await submit(file);
      assert.deepEqual([guess.code, /name a checkpoint with --from/.test(guess.stderr)], [2, true], guess.stderr);
      const refused = await submit(other);
      assert.deepEqual(
        [refused.code, /the tables are of other statements/.test(refused.stderr)],
        [2, true],
        refused.stderr,
      );

      // Without a file the statements are those of the domain's declaration.
      const { url: own_url } = await (await shared_postgres()).create_database();
      const own = { ...env, DATABASE_URL: own_url };
      await run_verb(["migrate"], { env: own });
      await run_verb(["flink", "submit", "--interval", "1"], { env: own });
      const written: Database = await open_database({ url: own_url, data_dir: null, connections: 1 });
      try {
        await until("the declared job has written all that was produced", async () => {
          const { code, stdout } = await run_tacho(["flink", "status"], { env: own });
          if (code !== 0 || !/^0 messages wait/m.test(stdout)) return false;
          const [row] = await written.query(
            "select (select count(*) from trips) as trips, (select trips from trip_cells where grain = 'all' and dimension = 'none') as counted",
          );
          return Number(row?.trips) > 5 && row?.trips === row?.counted;
        }, WAIT_MS);
        await hold_streams(own);
        await change_catalog(own, written, topic);
      } finally {
        await written.close();
      }
      await run_verb(["flink", "stop"], { env: own });
    } finally {
      await database.close();
      for (const each of [file, other, `${file}.wrong`]) await Deno.remove(each).catch(() => {});
    }
  },
});

tacho_test({
  name:
    "the compiled job of trips: its tables are tacho's own, row by row, whatever messages say, through kill -9 of the TaskManager and the JobManager, " +
    "with another parallelism after that, and a restart of PostgreSQL",
  needs: ["flink", "kafka", "postgres"],
  limit_ms: LIMIT_MS,
  async fn() {
    await using postgres = await start_postgres({ fsync: false });
    const [declared] = DOMAINS, { brokers } = await shared_kafka();
    const proved = await prove_flink({
      ...{ declared, messages: messages_of(declared.name), seed: 7, events: 3_000, parallelism: 2 },
      disturbances: ["kill -9 of the TaskManager", "PostgreSQL is stopped and started", "kill -9 of the JobManager"],
      hostile: hostile_messages(1_000, 1),
      say,
    }, { flink: await the_cluster(), brokers, postgres });
    assert.ok(
      proved.states > 1_500 && proved.cells > 1_000 && proved.totals > 50 && proved.quarantined > 200,
      JSON.stringify(proved),
    );
  },
});
