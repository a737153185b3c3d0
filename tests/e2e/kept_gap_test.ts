import assert from "node:assert/strict";
import { open_database } from "../../src/database/mod.ts";
import { tacho_test } from "../support/available.ts";
import { make_deployment, send_known_trips } from "../support/deployment.ts";
import { FrameReader } from "../support/feed_client.ts";
import { make_anew, options_of, produce } from "../support/kafka_topic.ts";
import { is_ready, run_verb, TachoProgram } from "../support/tacho_program.ts";
import { until, until_holds } from "../support/until.ts";

tacho_test({
  name:
    "a gap that was noticed is told after kill -9, though the topic has grown past it, until it is accepted on record",
  needs: ["postgres", "kafka"],
  limit_ms: 240_000,
  async fn() {
    const deployment = await make_deployment("kept");
    const env = { ...deployment, TACHO_PARTITIONS: "1" };
    const options = options_of(deployment.KAFKA_BROKERS, deployment.TACHO_TOPICS);
    await produce(options, []);
    await send_known_trips(deployment, 10, "A");
    const database = await open_database({ url: deployment.DATABASE_URL, data_dir: null, connections: 1 });
    const position = async () => Number((await database.query("select position from log_head"))[0]?.position);
    const probe = async (url: string) => {
      const response = await fetch(`${url}readyz`);
      return { status: response.status, text: await response.text() };
    };
    try {
      {
        await using first = await TachoProgram.serve("start", { env });
        await until("the first ten are in the log", async () => await position() === 10);
        assert.equal(await first.term(), 0);
      }
      // A running program would make it itself.
      await make_anew(options, deployment.TACHO_TOPICS);
      {
        await using second = await TachoProgram.serve("start", { env });
        await until("the gap is kept", async () => {
          const [row] = await database.query("select gap from source_cursors where gap is not null");
          return row !== undefined;
        });
        await second.kill_nine();
      }
      // By its offsets alone nothing is missing any more.
      await send_known_trips(deployment, 25, "B");

      {
        await using reading = await TachoProgram.serve("start", { env, args: ["--read-only"] });
        await until_holds("it tells the gap", async () => {
          const { status, text } = await probe(reading.url);
          assert.equal(status, 200);
          assert.match(text, /only reads; .*cut or made anew, noticed at /);
        });
      }
      await using program = await TachoProgram.serve("start", { env });
      const said = /ends at offset 0, the next one to read is 10: the topic was cut or made anew, noticed at \S+Z/;
      await until("it is stopped at the gap, and says so", async () => {
        const { status, text } = await probe(program.url);
        return status === 503 && /stopped since/.test(text) && said.test(text);
      });
      assert.match(await (await fetch(`${program.url}metrics`)).text(), /^tacho_source_gaps 1$/m);
      await until_holds("the page shows it", async () => {
        const frames = new FrameReader((await fetch(`${program.url}api/v1/feed`)).body!);
        const { ingest } = (await frames.until("hello").finally(() => frames.cancel())).data.health;
        assert.equal(ingest.state, "stopped");
        assert.match(ingest.reason, said);
      });
      assert.equal(await position(), 10, "nothing is read across");
      const decide = ["accept-gap", "--by", "Ada", "--reason", "made anew"];
      const dry = await run_verb([...decide, "--dry-run"], { env });
      assert.match(
        dry.stdout,
        /would accept: .*cursor 10 moves to 0; .*all that the topic has by now, 0 to 25, is read/,
      );
      assert.match(
        (await run_verb(["verify"], { env })).stdout,
        /; not accepted: 1 gap, see `tacho accept-gap --dry-run`/,
      );
      assert.equal(await is_ready(program.url), false);

      await run_verb(decide, { env });
      await until("all of the new topic is in the log", async () => await position() === 35, 60_000);
      await until("it is ready", () => is_ready(program.url));
      await until(
        "no gap is told",
        async () => /^tacho_source_gaps 0$/m.test(await (await fetch(`${program.url}metrics`)).text()),
      );
      const [batch] = await database.query("select note from batches where kind = 'gap_accepted'");
      assert.partialDeepStrictEqual(batch?.note, { by: "Ada", reason: "made anew", noticed: [{ partition: 0 }] });
      assert.match((await run_verb(["verify"], { env })).stdout, /^consistent: 35 events/);
    } finally {
      await database.close();
    }
  },
});
