import assert from "node:assert/strict";
import { type Database, open_database } from "../../src/database/mod.ts";
import { tacho_test } from "../support/available.ts";
import { type Deployment, expectation_of, make_deployment } from "../support/deployment.ts";
import { compare_with_database } from "../support/oracle/mod.ts";
import { reading_members } from "../support/read_topic.ts";
import { run_verb, TachoProgram } from "../support/tacho_program.ts";
import { until } from "../support/until.ts";

/** kill -9 in the middle of the work, again and again; then all that the topic holds against all that the database holds. */

const SEED = Number(Deno.env.get("TACHO_TEST_SEED") ?? 20_260_301);
const MESSAGES = 20_000;

/** A deployment with small transactions, so that there are many to be killed in, and a look into its database. */
async function deployment() {
  const env = {
    ...await make_deployment("killed", "Europe/Berlin"),
    TACHO_PARTITIONS: "4",
    TACHO_BATCH_MESSAGES: "100",
  };
  return { env, database: await open_database({ url: env.DATABASE_URL, data_dir: null, connections: 2 }) };
}

/** Trips of the last hours with all that goes wrong on the way, as fast as the broker takes them. */
async function produce(env: Deployment, count: number, seed: number): Promise<void> {
  const trouble = ["--late", "0.05", "--duplicates", "0.05", "--malformed", "0.02", "--anomalies"];
  const size = ["--rate", "2", "--history", "6h", "--count", String(count), "--seed", String(seed)];
  await run_verb(["produce", ...size, ...trouble], { env });
}

async function read_count(database: Database): Promise<number> {
  const [row] = await database.query("select messages_read::int as read from log_head");
  return Number(row?.read);
}

/** Waits until all is read, then compares: the topic as the broker has it, with everything in the database. */
async function assert_agreement(env: Deployment, database: Database, count: number): Promise<void> {
  await until(`all ${count} messages are read`, async () => await read_count(database) >= count, 60_000);
  const expectation = await expectation_of(env);
  assert.equal(expectation.messages_read, count);
  // The trouble that was asked for was there.
  assert.ok(expectation.duplicates > count * 0.02, `${expectation.duplicates} duplicates`);
  assert.ok(expectation.quarantined.length > count * 0.01, `${expectation.quarantined.length} quarantined`);
  assert.ok(expectation.trips.size > count / 10, `${expectation.trips.size} trips`);
  assert.deepEqual(await compare_with_database((sql) => database.query(sql), expectation), []);
}

/** Numbers in [0, 1) from a seed (a linear congruential generator: enough to choose moments). */
function chances(seed: number): () => number {
  let state = seed >>> 0;
  return () => (state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0) / 2 ** 32;
}

tacho_test({
  name:
    "serve is killed -9 four times in the middle of its work and started again: nothing lost, nothing counted twice",
  needs: ["postgres", "kafka"],
  limit_ms: 240_000,
  async fn() {
    console.log(`seed ${SEED}`);
    const chance = chances(SEED);
    const { env, database } = await deployment();
    try {
      await run_verb(["migrate"], { env });
      await produce(env, MESSAGES, SEED % 1_000);
      const kills = [0.1, 0.3, 0.5, 0.7].map((share) => Math.floor((share + 0.15 * chance()) * MESSAGES));
      for (const [i, moment] of kills.entries()) {
        await using program = await TachoProgram.serve("start", { env });
        await program.brings(
          until(`${moment} messages are read`, async () => await read_count(database) >= moment, 60_000),
        );
        await program.kill_nine();
        const read = await read_count(database);
        console.log(`kill ${i + 1} after ${read} messages`);
        assert.ok(read < MESSAGES, "killed in the middle of the work");
      }
      await using program = await TachoProgram.serve("start", { env });
      await program.brings(assert_agreement(env, database, MESSAGES));
      assert.equal(await program.term(), 0);
    } finally {
      await database.close();
    }
  },
});

tacho_test({
  name:
    "one of two instances in a group is killed -9: the other takes over its partitions, nothing lost, nothing counted twice",
  needs: ["postgres", "kafka"],
  limit_ms: 180_000,
  async fn() {
    const { env, database } = await deployment();
    try {
      await using first = await TachoProgram.serve("start", { env });
      await using second = await TachoProgram.serve("start", { env });
      await until("both read", async () => await reading_members(env.KAFKA_BROKERS, env.TACHO_GROUP) === 2, 60_000);
      const producing = produce(env, MESSAGES, 2);
      await until("a quarter is read", async () => await read_count(database) >= MESSAGES / 4, 60_000);
      await first.kill_nine();
      assert.ok(await read_count(database) < MESSAGES, "killed in the middle of the work");
      await producing;
      await second.brings(assert_agreement(env, database, MESSAGES));
      assert.equal(await second.term(), 0);
    } finally {
      await database.close();
    }
  },
});
