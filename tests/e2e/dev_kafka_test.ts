import assert from "node:assert/strict";
import { tacho_test } from "../support/available.ts";
import { make_deployment } from "../support/deployment.ts";
import { read_topic } from "../support/read_topic.ts";
import { get_json, TachoProgram } from "../support/tacho_program.ts";
import { until } from "../support/until.ts";

tacho_test({
  name: "dev with brokers sends its trips through the topic, and the log fills from there",
  needs: ["postgres", "kafka"],
  async fn() {
    const env = await make_deployment("dev");
    await using program = await TachoProgram.serve("dev", { env });
    const opened_ms = performance.now();
    await program.brings(until("the log holds trips", async () => {
      const { trips } = await get_json(`${program.url}api/v1/trips`) as { trips: unknown[] };
      return trips.length > 0;
    }));
    console.log(`first trips ${((performance.now() - opened_ms) / 1_000).toFixed(1)} s after the page could be opened`);
    assert.match(program.stdout, new RegExp(`through Kafka at ${env.KAFKA_BROKERS}, topic ${env.TACHO_TOPICS}`));
    assert.equal(await program.term("SIGINT"), 0);
    assert.ok((await read_topic(env.KAFKA_BROKERS, env.TACHO_TOPICS)).length > 100);
  },
});
