import assert from "node:assert/strict";
import { open_database } from "../../src/database/mod.ts";
import { tacho_test } from "../support/available.ts";
import { make_deployment, send_known_trips } from "../support/deployment.ts";
import { add_partitions, options_of, produce, send_to } from "../support/kafka_topic.ts";
import { run_verb, TachoProgram } from "../support/tacho_program.ts";
import { until } from "../support/until.ts";

/** `TACHO_START=latest` on a real topic: what was there before is passed over once, on record; what comes after is not, whatever happens. */

/** A trip as text, by its id. */
const trip = (id: string): string =>
  JSON.stringify({
    event_id: id,
    type: "trip.completed",
    trip_id: id,
    occurred_at: new Date(Date.now() - 60_000).toISOString(),
    fare: "10.00",
  });

tacho_test({
  name:
    "a topic is begun at its end by one of two instances, killed before its first message: nothing sent since is lost, in no partition",
  needs: ["postgres", "kafka"],
  limit_ms: 240_000,
  async fn() {
    const deployment = await make_deployment("begun");
    const env = { ...deployment, TACHO_PARTITIONS: "2", TACHO_START: "latest", TACHO_SESSION_SECONDS: "6" };
    const { KAFKA_BROKERS: brokers, TACHO_TOPICS: topic } = deployment;
    const options = options_of(brokers, topic, { partitions: 2 });
    await produce(options, []);
    await send_to(brokers, topic, 0, Array.from({ length: 10 }, (_, i) => trip(`before-${i}`)));
    const database = await open_database({ url: deployment.DATABASE_URL, data_dir: null, connections: 1 });
    const ids = async () =>
      (await database.query("select trip_id from trips order by trip_id")).map(({ trip_id }) => trip_id);
    const decisions = () => database.query("select cursors, note from batches where kind = 'gap_accepted'");
    try {
      await run_verb(["migrate"], { env });
      {
        // Two at once: one records it, the other goes by that.
        await using first = await TachoProgram.serve("start", { env });
        await using second = await TachoProgram.serve("start", { env });
        for (const program of [first, second]) {
          await until(
            "both are ready",
            async () => (await fetch(`${program.url}readyz`).then((answer) => answer.text())).includes('"ok"'),
            60_000,
          );
        }
        assert.equal((await decisions()).length, 1);
        await first.kill_nine();
        await second.kill_nine();
      }
      const [decision] = await decisions();
      assert.deepEqual(
        (decision?.cursors as { partition: number }[]).toSorted((a, b) => a.partition - b.partition),
        [{ topic, partition: 0, from: null, to: 10 }, { topic, partition: 1, from: null, to: 0 }],
      );
      assert.deepEqual(await ids(), []);
      // Sent while nobody reads, before the first message was: also to a partition that was empty, and to one that is added now.
      await send_to(brokers, topic, 0, [trip("after-0")]);
      await send_to(brokers, topic, 1, [trip("after-1")]);
      await add_partitions(options, topic, 3);
      await until(
        "the new partition takes messages",
        () => send_to(brokers, topic, 2, [trip("after-2")]).then(() => true),
      );
      await using program = await TachoProgram.serve("start", { env });
      await program.brings(until("all that came after is there", async () => (await ids()).length >= 3, 60_000));
      await send_known_trips(deployment, 3, "last");
      await program.brings(until("and what comes now", async () => (await ids()).length >= 6, 60_000));
      assert.deepEqual(await ids(), ["after-0", "after-1", "after-2", "last-0", "last-1", "last-2"]);
      assert.equal((await decisions()).length, 1);
      const { stdout } = await run_verb(["verify"], { env });
      assert.match(
        stdout,
        new RegExp(`^consistent: .*; on record: .*${topic}/0 begun at offset 10 at \\S+Z, 10 passed over`),
      );
      assert.equal(await program.term(), 0);
    } finally {
      await database.close();
    }
  },
});

tacho_test({
  name: "a topic that was read before goes on where it was, whatever TACHO_START says now",
  needs: ["postgres", "kafka"],
  async fn() {
    const deployment = await make_deployment("read_before");
    const { KAFKA_BROKERS: brokers, TACHO_TOPICS: topic } = deployment;
    await produce(options_of(brokers, topic, { partitions: 2 }), []);
    const database = await open_database({ url: deployment.DATABASE_URL, data_dir: null, connections: 1 });
    const count = async () => Number((await database.query("select count(*) as n from trips"))[0]?.n);
    try {
      await send_to(brokers, topic, 0, [trip("a")]);
      {
        await using program = await TachoProgram.serve("start", { env: deployment });
        await program.brings(until("the first is there", async () => await count() === 1, 60_000));
        assert.equal(await program.term(), 0);
      }
      // Partition 1 has no cursor yet, and is no reason to pass anything over: its topic has one.
      for (const partition of [0, 1]) await send_to(brokers, topic, partition, [trip(`b-${partition}`)]);
      await using program = await TachoProgram.serve("start", { env: { ...deployment, TACHO_START: "latest" } });
      await program.brings(until("all are there", async () => await count() === 3, 60_000));
      assert.deepEqual(await database.query("select from batches where kind = 'gap_accepted'"), []);
      assert.equal(await program.term(), 0);
    } finally {
      await database.close();
    }
  },
});
