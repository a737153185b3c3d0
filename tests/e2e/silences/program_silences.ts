import assert from "node:assert/strict";
import { make_deployment } from "../../support/deployment.ts";
import { LOGIN } from "../../support/faulty_kafka.ts";
import { unique_name } from "../../support/kafka.ts";
import { numbers, options_of } from "../../support/kafka_topic.ts";
import { TachoProgram } from "../../support/tacho_program.ts";
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
  async "a codec that nobody knows ends the program and names the batch"(kafka, proxy) {
    const topic = unique_name("silence");
    await produce_patiently(options_of(kafka.server.brokers, topic), numbers(0, 3));
    proxy.answer = packed_by_nobody;
    await ends_with(proxy.brokers, { TACHO_TOPICS: topic }, new RegExp(`tacho: .*${topic}/0 offset 0: .*codec 6`));
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
