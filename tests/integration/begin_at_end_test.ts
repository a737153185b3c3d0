import assert from "node:assert/strict";
import { begin_at_end, Overtaken, read_cursors } from "../../src/event_log/mod.ts";
import { Cursors } from "../../src/ingest/mod.ts";
import { database_test } from "../support/read_side.ts";
import { whole_trip } from "../support/trip_events.ts";
import { feed, message, trip_pipeline } from "../support/trip_pipeline.ts";
import { verified } from "../support/verified_log.ts";

/** A topic that was never read is begun at its end: once, on record in the chain, and not where anything of it was read. */

const AT_US = Date.UTC(2026, 2, 1, 13) * 1000;
const begun = (topic: string, partition: number, at: number, passed_over: number) => (
  { topic, partition, at, passed_over }
);
const two = [begun("orders", 0, 1_200, 1_200), begun("orders", 1, 40, 0)];

database_test("topics begun at their ends: cursors and record in one transaction of the chain", async (database) => {
  await begin_at_end(database, { partitions: two, cluster_id: "test" }, AT_US);
  const [row, ...others] = await database.query(
    "select kind, cursors, note, recorded_at::text as at, admitted, messages_read from batches",
  );
  assert.deepEqual(others, []);
  assert.deepEqual(row, {
    kind: "gap_accepted",
    cursors: two.map(({ topic, partition, at }) => ({ topic, partition, from: null, to: at })),
    note: {
      begun: two,
      by: "TACHO_START",
      cluster_id: "test",
      reason: "begun at the end, as TACHO_START=latest says",
    },
    at: "2026-03-01 13:00:00+00",
    admitted: "0",
    messages_read: "0",
  });
  // What comes next goes on from there, and from nowhere else.
  const messages = whole_trip("A").map((event, i) => ({ ...message(1_200 + i, event), topic: "orders" }));
  const batch = { topic: "orders", partition: 0, from_offset: 1_200, next_offset: 1_200 + messages.length, messages };
  const cursors = new Cursors(() => read_cursors(database));
  await cursors.refresh();
  await feed(trip_pipeline(database), [batch], cursors);
  const { faults, gaps } = await verified(database);
  assert.deepEqual(faults, []);
  assert.deepEqual(gaps, [
    "orders/0 begun at offset 1200 at 2026-03-01T13:00:00.000000Z, 1200 passed over",
    "orders/1 begun at offset 40 at 2026-03-01T13:00:00.000000Z, 0 passed over",
  ]);
});

database_test("begun by three at the same time, a topic is begun once, wherever each saw its end", async (database) => {
  const ends = [[...two], [begun("orders", 0, 1_300, 1_300), two[1]!], [...two, begun("orders", 2, 5, 5)]];
  const results = await Promise.allSettled(
    ends.map((partitions) => begin_at_end(database, { partitions, cluster_id: "test" }, AT_US)),
  );
  const refused = results.flatMap((result) => result.status === "rejected" ? [result.reason] : []);
  assert.equal(refused.length, 2);
  for (const error of refused) assert.ok(error instanceof Overtaken, String(error));
  const won = ends[results.findIndex(({ status }) => status === "fulfilled")]!;
  const found = (await read_cursors(database)).map(({ partition, next_offset }) => [partition, next_offset]).sort();
  assert.deepEqual(found, won.map(({ partition, at }) => [partition, at]).sort());
  assert.deepEqual((await database.query("select batch from batches")).length, 1);
  assert.deepEqual((await verified(database)).faults, []);
});

database_test(
  "a topic of which one partition was read is not begun, and neither are those beside it",
  async (database) => {
    const messages = whole_trip("A").map((event, i) => message(i, event));
    await feed(trip_pipeline(database), [
      { topic: "trips", partition: 0, from_offset: 0, next_offset: messages.length, messages },
    ]);
    const before = await database.query("select * from log_head");
    const partitions = [begun("trips", 1, 9, 9), begun("orders", 0, 7, 7)];
    await assert.rejects(begin_at_end(database, { partitions, cluster_id: "test" }, AT_US), (error) => {
      assert.ok(error instanceof Overtaken);
      assert.match(error.message, /expected no cursor of trips, orders; 1 partitions have some/);
      return true;
    });
    assert.deepEqual(await database.query("select * from log_head"), before);
    assert.deepEqual((await read_cursors(database)).map(({ topic }) => topic), ["trips"]);
  },
);
