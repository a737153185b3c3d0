import assert from "node:assert/strict";
import { open_database } from "../../src/database/mod.ts";
import { wait } from "../../src/runtime/mod.ts";
import { tacho_test } from "../support/available.ts";
import { type Deployment, expectation_of, make_deployment, send_known_trips } from "../support/deployment.ts";
import { type KafkaServer, start_kafka } from "../support/kafka.ts";
import { compare_with_database } from "../support/oracle/mod.ts";
import { OutageWatch, told_waits } from "../support/outage_watch.ts";
import { type PostgresServer, start_postgres } from "../support/postgres.ts";
import { reading_member_ids } from "../support/read_topic.ts";
import { slowness } from "../support/slowness.ts";
import { run_verb, type ServingProgram, TachoProgram } from "../support/tacho_program.ts";
import { until } from "../support/until.ts";

/**
 * A minute without PostgreSQL, and at the same time, for another deployment, a minute without brokers, both begun in the middle of the
 * work: what the program says meanwhile, and that nothing of it is to be seen in the log afterwards.
 */

const OUTAGE_MS = 60_000;
const BEFORE = 3_000, MEANWHILE = 200;

/** What differs between the two. */
interface Outage {
  readonly name: string;
  readonly server: PostgresServer | KafkaServer;
  readonly env: Deployment;
  /** The checks of the probe that fail. */
  readonly failing: readonly string[];
  /** Whether the topic takes messages meanwhile. */
  readonly sends: boolean;
  /** The first wait before a retry at its longest, milliseconds. */
  readonly first_ms: number;
  /** No wait is longer, milliseconds. */
  readonly cap_ms: number;
}

const is_one = (values: Iterable<unknown>): boolean => new Set(values).size === 1;

/** The end of the outage, once it has lasted; until then the probe is asked twice a second. */
async function suffer(watch: OutageWatch, killed_ms: number): Promise<void> {
  while (performance.now() - killed_ms < OUTAGE_MS) {
    await watch.probe();
    await wait(500, AbortSignal.timeout(5_000));
  }
}

/** The probe said 503 soon and then always, with the same since-time each time; so did the feed. */
function assert_told({ name, failing }: Outage, watch: OutageWatch, killed_at_ms: number): void {
  const slow = slowness();
  const first = watch.probes.findIndex((probe) => failing.every((check) => probe.failing.has(check)));
  assert.ok(first >= 0 && first < 40, `${name}: the probe says so within about 20 s (it took ${first} probes)`);
  const told = watch.probes.slice(first);
  for (const { status, failing: found } of told) {
    assert.equal(status, 503);
    assert.deepEqual([...found.keys()].sort(), [...failing].sort(), name);
  }
  for (const check of failing) {
    const since = told.map((probe) => probe.failing.get(check)!.since);
    assert.ok(is_one(since), `${name}: ${check} fails since one moment, not ${[...new Set(since)]}`);
    const late_ms = Date.parse(since[0]!) - killed_at_ms;
    assert.ok(
      late_ms > -1_000 && late_ms < 20_000 * slow,
      `${name}: ${check} fails since ${late_ms} ms after the kill`,
    );
    assert.ok(told.every((probe) => probe.failing.get(check)!.why.length > 10), `${name}: with a reason`);
  }
  const paused = watch.healths.map(({ ingest }) => ingest).filter(({ state }) => state === "paused");
  assert.ok(paused.length >= 3 && paused.every(({ reason }) => reason), `${name}: the feed says that ingest is paused`);
  assert.ok(is_one(paused.map(({ since_ms }) => since_ms)), `${name}: ${JSON.stringify(paused)}`);
  const away = watch.healths.map(({ database }) => database).filter(({ ok }) => !ok);
  assert.equal(away.length > 0, failing.includes("database"));
  assert.ok(away.length === 0 || is_one(away.map(({ since_ms }) => since_ms)), `${name}: ${JSON.stringify(away)}`);
}

/**
 * The log has a line for each wait; waits grow to the cap, jittered, and the lines are few. They are counted from 1, or
 * on from a wait just before: a connection that had not lived long enough does not begin a count anew.
 * @param earlier what was logged before the outage
 */
function assert_logged({ name, first_ms, cap_ms }: Outage, earlier: string, log: string): void {
  const waits = told_waits(log);
  // One sequence for each piece of work that waits, told apart by what it is.
  const pieces = Map.groupBy(waits, ({ reason }) => first_ms === 100 ? reason.split(":")[0] : "Kafka");
  for (const [piece, all] of pieces) {
    const first = all[0]!.attempt;
    assert.ok(first === 1 || told_waits(earlier).at(-1)?.attempt === first - 1, `${name}: ${piece} begins at ${first}`);
    assert.deepEqual(all.map(({ attempt }) => attempt), all.map((_, i) => first + i), `${name}: ${piece}`);
    assert.ok(is_one(all.map(({ since }) => since)), `${name}: ${piece} waits since one moment`);
    for (const { attempt, next_try_ms } of all) {
      const most_ms = Math.min(cap_ms, first_ms * 2 ** (attempt - 1));
      assert.ok(next_try_ms >= most_ms / 2 && next_try_ms <= most_ms, `${piece}: ${next_try_ms} of ${most_ms} ms`);
    }
    assert.ok(
      all.some(({ next_try_ms }, i) => next_try_ms !== Math.min(cap_ms, first_ms * 2 ** (first + i - 1))),
      "jittered",
    );
  }
  assert.ok(waits.some(({ attempt }) => attempt >= 4), `${name}: it tries again and again`);
  assert.ok(log.split("\n").length < 80, `${name}: ${log.split("\n").length} lines`);
}

async function survive(outage: Outage): Promise<void> {
  const { name, server, env, sends } = outage;
  const database = await open_database({ url: env.DATABASE_URL, data_dir: null, connections: 2 });
  const read = async () => Number((await database.query("select messages_read from log_head"))[0]?.messages_read);
  await run_verb(["produce", "--rate", "2", "--history", "3h", "--count", String(BEFORE)], { env });
  // Small transactions, so that the outage begins between many.
  await using program = await TachoProgram.serve("start", { env: { ...env, TACHO_BATCH_MESSAGES: "50" } });
  const watch = await OutageWatch.open(program.url);
  try {
    await until(`${name}: a part is read`, async () => await read() > BEFORE / 10, 60_000);
    const members = await until("it reads", async () => {
      const ids = sends ? await reading_member_ids(env.KAFKA_BROKERS, env.TACHO_GROUP) : [name];
      return ids.length === 1 && ids;
    });
    watch.healths.length = 0;
    const killed_at_ms = Date.now(), said = program.stderr.length;
    await server.kill_nine();
    const killed_ms = performance.now();
    if (sends) await send_known_trips(env, MEANWHILE, "meanwhile");
    await suffer(watch, killed_ms);
    assert_told(outage, watch, killed_at_ms);
    assert_logged(outage, program.stderr.slice(0, said), program.stderr.slice(said));
    // A machine that is slow may have it join anew just now.
    const kept = !sends ? members : await until("its partitions are still its own", async () => {
      const ids = await reading_member_ids(env.KAFKA_BROKERS, env.TACHO_GROUP);
      return ids.length === 1 && ids;
    });

    await server.restart();
    const restarted_ms = performance.now();
    await program.brings(until(`${name}: it is ready`, async () => (await watch.probe()).status === 200, 60_000));
    const resumed = ((performance.now() - restarted_ms) / 1_000).toFixed(1);
    const membership = sends ? (kept[0] === members[0] ? "kept" : "taken up again") : "taken up again";
    console.log(`${name}: ready ${resumed} s after the restart, membership ${membership}`);
    if (!sends) await send_known_trips(env, MEANWHILE, "afterwards");
    await program.brings(until(`${name}: all is read`, async () => await read() >= BEFORE + MEANWHILE, 60_000));
    await assert_whole(env, program);
    const expectation = await expectation_of(env);
    assert.deepEqual([expectation.messages_read, expectation.quarantined], [BEFORE + MEANWHILE, []]);
    assert.deepEqual(await compare_with_database((sql) => database.query(sql), expectation), []);
    await until("its feed says that it runs", () => watch.healths.at(-1).ingest.state === "running");
  } finally {
    await watch.close();
    await database.close();
  }
  assert.equal(await program.term(), 0);
}

/** Nothing was quarantined, and one member reads. */
async function assert_whole(env: Deployment, program: ServingProgram): Promise<void> {
  const members = async () => (await reading_member_ids(env.KAFKA_BROKERS, env.TACHO_GROUP)).length;
  await program.brings(until("one member reads", async () => await members() === 1));
  const metrics = await (await fetch(`${program.url}metrics`)).text();
  assert.match(metrics, /^tacho_messages_quarantined_total 0$/m);
}

tacho_test({
  name: "a minute without PostgreSQL, and one without brokers: said since when, waited out, nothing lost or set aside",
  needs: ["postgres", "kafka"],
  limit_ms: 330_000,
  async fn() {
    const starting = [start_postgres(), start_kafka()] as const;
    await using postgres = await starting[0];
    await using kafka = await starting[1];
    await Promise.all([
      survive({
        name: "database away",
        server: postgres,
        env: await make_deployment("database_away", "Europe/Berlin", postgres),
        failing: ["database", "ingest"],
        sends: true,
        first_ms: 100,
        cap_ms: 10_000,
      }),
      survive({
        name: "brokers away",
        server: kafka,
        env: await make_deployment("brokers_away", "Europe/Berlin", undefined, kafka),
        failing: ["ingest"],
        sends: false,
        first_ms: 250,
        cap_ms: 5_000,
      }),
    ]);
  },
});
