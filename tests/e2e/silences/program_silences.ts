import assert from "node:assert/strict";
import { open_database } from "../../../src/database/mod.ts";
import { make_deployment } from "../../support/deployment.ts";
import { LOGIN } from "../../support/faulty_kafka.ts";
import { unique_name } from "../../support/kafka.ts";
import { numbers, options_of } from "../../support/kafka_topic.ts";
import { is_ready, run_tacho, run_verb, TachoProgram } from "../../support/tacho_program.ts";
import { until } from "../../support/until.ts";
import { packed_by_nobody } from "./answers.ts";
import { produce_patiently, type Silence, WITHIN_MS } from "./reading.ts";

/** What /readyz says. */
async function readiness(url: string): Promise<string> {
  return await (await fetch(`${url}readyz`)).text();
}

/** The real program with these brokers. It has to end by itself, with exit code 1 and the reason. */
async function ends_with(brokers: string, more: Readonly<Record<string, string>>, why: RegExp): Promise<void> {
  const env = { ...await make_deployment("silence"), ...more, KAFKA_BROKERS: brokers };
  await using program = TachoProgram.spawn("start", { env });
  await program.brings(until("it ended", () => !program.running, WITHIN_MS));
  assert.equal(await program.ended, 1, program.output);
  assert.match(program.stderr, why);
}

/** What the real program meets, by name. */
export const PROGRAM_SILENCES: Readonly<Record<string, Silence>> = {
  async "a batch packed by a codec that nobody knows stops ingest, also after a restart, until it is skipped by its offsets, on record"(
    kafka,
    proxy,
  ) {
    const topic = unique_name("silence");
    const options = options_of(kafka.server.brokers, topic);
    await produce_patiently(options, numbers(0, 2));
    const env = {
      ...await make_deployment("silence"),
      TACHO_TOPICS: topic,
      TACHO_PARTITIONS: "1",
      KAFKA_BROKERS: proxy.brokers,
    };
    const stopped = `stopped since .*${topic}/0 offsets 2-4: .*codec 6.*accept-gap --skip ${topic}/0:2-4 --by`;
    const says_so = (program: { readonly url: string }) =>
      until("it says so", async () => new RegExp(stopped).test(await readiness(program.url)), WITHIN_MS);
    const database = await open_database({ url: env.DATABASE_URL, data_dir: null, connections: 1 });
    try {
      {
        await using program = await TachoProgram.serve("start", { env });
        const cursor = async () => (await database.query("select next_offset from source_cursors"))[0]?.next_offset;
        await program.brings(until("what comes before is read", async () => await cursor() === "2", WITHIN_MS));
        proxy.answer = (frame) => packed_by_nobody(frame, 2);
        await produce_patiently(options, numbers(2, 5));
        await produce_patiently(options, numbers(5, 9));
        await program.brings(says_so(program));
        await program.brings(until("it is kept", async () => {
          const rows = await database.query("select from source_cursors where gap->>'codec' = '6'");
          return rows.length === 1;
        }));
        await program.kill_nine();
      }
      await using program = await TachoProgram.serve("start", { env });
      await program.brings(says_so(program));
      const decide = ["accept-gap", "--by", "Ada", "--reason", "no reader yet"];
      const plain = await run_verb(decide, { env });
      assert.match(
        plain.stdout,
        /^not accepted: .*offsets 2-4: .*codec 6.* --skip /,
        "it is there: it is named or left",
      );
      const wrong = await run_tacho([...decide, "--skip", `${topic}/0:2-5`], { env });
      assert.equal(wrong.code, 2);
      assert.match(wrong.stderr, new RegExp(`expected a batch that stopped ingest, one of ${topic}/0:2-4`));
      const { stdout } = await run_verb([...decide, "--skip", `${topic}:0:2-4`], { env });
      assert.match(stdout, /^accepted in batch \d+: .*cursor 2 moves to 5; .*codec 6/);
      await program.brings(until("the rest is read", async () => {
        const [head] = await database.query("select messages_read from log_head");
        return head?.messages_read === "6";
      }, WITHIN_MS));
      const [decision] = await database.query("select note, cursors from batches where kind = 'gap_accepted'");
      assert.deepEqual(decision?.cursors, [{ topic, partition: 0, from: 2, to: 5 }]);
      assert.partialDeepStrictEqual(decision?.note, { by: "Ada", reason: "no reader yet", noticed: [{ codec: 6 }] });
      await until("it is ready", () => is_ready(program.url), WITHIN_MS);
    } finally {
      await database.close();
    }
  },

  async "a wrong password ends the program"(kafka) {
    const login = { TACHO_KAFKA_SASL: "plain", TACHO_KAFKA_USERNAME: LOGIN.username, TACHO_KAFKA_PASSWORD: "wrong" };
    await ends_with(kafka.sasl_brokers, login, /tacho: KafkaJSSASLAuthenticationError/);
  },

  async "a login where none is asked for ends the program"(kafka) {
    const login = { TACHO_KAFKA_SASL: "plain", TACHO_KAFKA_USERNAME: "someone", TACHO_KAFKA_PASSWORD: "secret" };
    await ends_with(kafka.server.brokers, login, /tacho: .*SASL/);
  },

  async "no login where one is asked for, or TLS where none is spoken: the program waits, and says what to look at"(
    kafka,
  ) {
    const wrong = [
      { KAFKA_BROKERS: kafka.server.brokers, TACHO_KAFKA_TLS: "true" },
      { KAFKA_BROKERS: kafka.sasl_brokers },
    ];
    await Promise.all(wrong.map(async (settings) => {
      const env = { ...await make_deployment("silence"), ...settings };
      await using program = await TachoProgram.serve("start", { env });
      const why = /paused since .*TACHO_KAFKA_TLS/;
      await program.brings(until("it says so", async () => why.test(await readiness(program.url)), WITHIN_MS));
      assert.match(program.stderr, /TACHO_KAFKA_TLS/);
      assert.equal(await program.term(), 0);
    }));
  },
};
