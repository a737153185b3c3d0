import assert from "node:assert/strict";
import { open_database } from "../../src/database/mod.ts";
import { tacho_test } from "../support/available.ts";
import { make_deployment, send_known_trips } from "../support/deployment.ts";
import { delete_below, options_of, produce } from "../support/kafka_topic.ts";
import { get_json, run_tacho, run_verb, TachoProgram } from "../support/tacho_program.ts";
import { until } from "../support/until.ts";

tacho_test({
  name: "a retention gap stops ingest and says so; accept-gap records who and why, and the running program goes on",
  needs: ["postgres", "kafka"],
  async fn() {
    const deployment = await make_deployment("gap");
    const env = { ...deployment, TACHO_PARTITIONS: "1" };
    const options = options_of(deployment.KAFKA_BROKERS, deployment.TACHO_TOPICS);
    await produce(options, []);
    await send_known_trips(deployment, 10, "A");
    const database = await open_database({ url: deployment.DATABASE_URL, data_dir: null, connections: 1 });
    try {
      {
        await using first = await TachoProgram.serve("start", { env });
        const position = async () => Number((await database.query("select position from log_head"))[0]?.position);
        await until("the first ten are in the log", async () => await position() === 10);
        assert.equal(await first.term(), 0);
      }
      await send_known_trips(deployment, 10, "B");
      await delete_below(options, deployment.TACHO_TOPICS, 15);

      await using program = await TachoProgram.serve("start", { env });
      const not_ready = await until("the probe says why", async () => {
        const response = await fetch(`${program.url}readyz`);
        const text = await response.text();
        return response.status === 503 && text.includes("5 offsets are gone") && text;
      });
      assert.match(not_ready, /stopped since/);
      assert.equal(Number((await database.query("select position from log_head"))[0]?.position), 10);

      const incomplete = await run_tacho(["accept-gap", "--by", "Ada"], { env });
      assert.equal(incomplete.code, 2);
      const dry = await run_verb(["accept-gap", "--by", "Ada", "--reason", "disk full", "--dry-run"], { env });
      assert.match(dry.stdout, /would accept: .*cursor 10 moves to 15; offsets 10 to 14 are gone/);
      assert.equal((await fetch(`${program.url}readyz`).then((response) => response.text())).includes("gone"), true);

      await run_verb(["accept-gap", "--by", "Ada", "--reason", "disk full"], { env });
      await until("the rest is in the log", async () => {
        const { trips } = await get_json(`${program.url}api/v1/trips?limit=50`) as { trips: unknown[] };
        return trips.length === 15;
      }, 60_000);
      const [accepted] = await database.query(
        "select cursors, note, messages_read from batches where kind = 'gap_accepted'",
      );
      assert.deepEqual(accepted?.cursors, [{ topic: deployment.TACHO_TOPICS, partition: 0, from: 10, to: 15 }]);
      assert.partialDeepStrictEqual(accepted?.note, { by: "Ada", reason: "disk full" });
      const verified = await run_verb(["verify"], { env });
      assert.match(verified.stdout, /^consistent: 15 events/);
      const again = await run_verb(["accept-gap", "--by", "Ada", "--reason", "again"], { env });
      assert.match(again.stdout, /^no gap: .* name the partition with --only/);

      const only = (name: string) =>
        run_tacho(["accept-gap", "--by", "Ada", "--reason", "twice", "--only", name], { env });
      const unknown = await only("nowhere:3");
      assert.deepEqual([unknown.code, unknown.stdout], [2, ""]);
      assert.match(unknown.stderr, new RegExp(`"nowhere:3": expected .* one of ${deployment.TACHO_TOPICS}/0`));
      const named = await only(`${deployment.TACHO_TOPICS}:0`);
      assert.match(
        named.stdout,
        /cursor 20 moves to 15; it lies within what the topic has, 15 to 20; all of that is read anew/,
      );
      await send_known_trips(deployment, 1, "C");
      await until("what is read anew is recognised", async () => {
        const [head] = await database.query("select position, duplicates from log_head");
        return head?.position === "16" && head.duplicates === "5";
      });
    } finally {
      await database.close();
    }
  },
});
