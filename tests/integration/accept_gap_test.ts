import assert from "node:assert/strict";
import { type Database, open_database } from "../../src/database/mod.ts";
import {
  accept_gaps,
  keep_gap,
  Overtaken,
  type PartitionGap,
  read_cursors,
  read_open_gaps,
  told_gaps,
} from "../../src/event_log/mod.ts";
import { tacho_test } from "../support/available.ts";
import { shared_postgres } from "../support/postgres.ts";
import { feed, message, migrated, trip_pipeline } from "../support/trip_pipeline.ts";
import { whole_trip } from "../support/trip_events.ts";
import { verified } from "../support/verified_log.ts";

/** Cursors of three partitions, all at 3, in the cluster "test". */
async function with_log(test: (database: Database) => Promise<void>): Promise<void> {
  const { url } = await (await shared_postgres()).create_database(migrated);
  const database = await open_database({ url, data_dir: null, connections: 4 });
  try {
    const batches = [0, 1, 2].map((partition) => ({
      topic: "t",
      partition,
      from_offset: 0,
      next_offset: 3,
      messages: whole_trip(`T-${partition}`).map((event, offset) => message(offset, event)),
    }));
    await feed(trip_pipeline(database), batches);
    await test(database);
  } finally {
    await database.close();
  }
}

const gap = (partition: number, from: number, to: number, cluster_id = "test") => (
  { topic: "t", partition, from, to, cluster_id }
);
const AT_US = Date.UTC(2026, 2, 1, 13) * 1000;
const accept = (database: Database, gaps: ReturnType<typeof gap>[], cluster_id = "test") =>
  accept_gaps(database, { gaps, cluster_id, by: "Ada", reason: "disk full" }, AT_US);
const cursors = async (database: Database) =>
  (await read_cursors(database)).sort((a, b) => a.partition - b.partition)
    .map(({ next_offset, cluster_id }) => `${next_offset} ${cluster_id}`);
const accepted = (database: Database) =>
  database.query(
    "select cursors, note, recorded_at::text as at, admitted, messages_read from batches where kind = 'gap_accepted' order by batch",
  );

tacho_test({
  name: "several gaps are accepted together, on record in one batch of the chain",
  needs: ["postgres"],
  fn: () =>
    with_log(async (database) => {
      await accept(database, [gap(0, 3, 7), gap(2, 3, 0)]);
      assert.deepEqual(await cursors(database), ["7 test", "3 test", "0 test"]);
      await accept(database, [gap(0, 7, 0), gap(1, 3, 0), gap(2, 0, 0)], "other");
      assert.deepEqual(await cursors(database), ["0 other", "0 other", "0 other"]);
      const row = { at: "2026-03-01 13:00:00+00", admitted: "0", messages_read: "0" };
      const moved = (partition: number, from: number, to: number) => ({ from, partition, to, topic: "t" });
      const told = { by: "Ada", reason: "disk full" };
      assert.deepEqual(await accepted(database), [
        { ...row, cursors: [moved(0, 3, 7), moved(2, 3, 0)], note: { ...told, cluster_id: "test" } },
        {
          ...row,
          cursors: [moved(0, 7, 0), moved(1, 3, 0), moved(2, 0, 0)],
          note: { ...told, cluster_id: "other", cluster_ids_left: ["test"] },
        },
      ]);
      assert.deepEqual((await verified(database)).faults, []);
    }),
});

tacho_test({
  name: "one cursor that stands elsewhere, or was of another cluster, and no gap is accepted",
  needs: ["postgres"],
  fn: () =>
    with_log(async (database) => {
      const before = await database.query("select * from log_head");
      for (const wrong of [gap(1, 2, 9), gap(1, 3, 9, "other"), gap(5, 0, 9)]) {
        await assert.rejects(accept(database, [gap(0, 3, 7), wrong]), (error) => {
          assert.ok(error instanceof Overtaken);
          assert.match(error.message, /expected t\/0 at 3, t\/\d at \d; 1 of them stand elsewhere/);
          return true;
        });
      }
      assert.deepEqual(await cursors(database), ["3 test", "3 test", "3 test"]);
      assert.deepEqual(await database.query("select * from log_head"), before);
    }),
});

tacho_test({
  name: "accepted twice at the same time, a gap is crossed once; a change of cluster at offset 0 too",
  needs: ["postgres"],
  fn: () =>
    with_log(async (database) => {
      await accept(database, [gap(0, 3, 0)]);
      for (const [gaps, cluster_id] of [[[gap(1, 3, 7)], "test"], [[gap(0, 0, 0)], "other"]] as const) {
        const results = await Promise.allSettled([1, 2, 3].map(() => accept(database, [...gaps], cluster_id)));
        const refused = results.filter((result) => result.status === "rejected");
        assert.equal(refused.length, 2);
        for (const { reason } of refused) assert.ok(reason instanceof Overtaken);
      }
      assert.equal((await accepted(database)).length, 3);
      assert.deepEqual(await cursors(database), ["0 other", "7 test", "3 test"]);
    }),
});

tacho_test({
  name: "a gap is kept at the cursor that it was noticed at, with the time of the first notice, until it is accepted",
  needs: ["postgres"],
  fn: () =>
    with_log(async (database) => {
      const cut: PartitionGap = { kind: "truncated", topic: "t", partition: 1, cursor: 3, first_available: 0, end: 1 };
      const at = { next_offset: 3, cluster_id: "test" };
      const keep = (kept: PartitionGap, stands: typeof at, later_s = 0) =>
        keep_gap(database, kept, stands, AT_US + later_s * 1_000_000);
      assert.equal(await keep(cut, { ...at, next_offset: 2 }), false, "the cursor moves");
      assert.equal(await keep(cut, { ...at, cluster_id: "other" }), false, "the cursor is of another cluster");
      assert.equal(await keep({ ...cut, partition: 7 }, at), false, "there is no cursor");
      assert.deepEqual(await read_open_gaps(database), { count: 0, first: [] });
      assert.equal(await keep(cut, at), true);
      assert.equal(await keep({ ...cut, end: 2 }, at, 60), true);
      const noticed_at = "2026-03-01T13:00:00.000000Z";
      const kept = await read_open_gaps(database);
      assert.deepEqual(kept, { count: 1, first: [{ ...cut, end: 2, noticed_at }] });
      assert.equal(
        told_gaps(kept),
        `t/1 ends at offset 2, the next one to read is 3: the topic was cut or made anew, noticed at ${noticed_at}`,
      );
      assert.equal((await verified(database)).open_gaps, 1);
      await accept(database, [gap(0, 3, 7)]);
      assert.equal((await read_open_gaps(database)).count, 1, "another one was accepted");
      const accepting = { ...gap(1, 3, 0), noticed: kept.first[0]! };
      await accept_gaps(database, { gaps: [accepting], cluster_id: "test", by: "Ada", reason: "cut" }, AT_US);
      assert.deepEqual(await read_open_gaps(database), { count: 0, first: [] });
      assert.deepEqual((await accepted(database))[1]?.note, {
        by: "Ada",
        cluster_id: "test",
        noticed: [{ ...cut, end: 2, noticed_at }],
        reason: "cut",
      });
      const { faults, open_gaps } = await verified(database);
      assert.deepEqual([faults, open_gaps], [[], 0]);
    }),
});
