import assert from "node:assert/strict";
import { open_database } from "../../src/database/mod.ts";
import { read_cursors, read_partition_watermarks, set_watermark_back } from "../../src/event_log/mod.ts";
import { Cursors } from "../../src/ingest/mod.ts";
import { format_time } from "../../src/kpi/mod.ts";
import { tacho_test } from "../support/available.ts";
import { shared_postgres } from "../support/postgres.ts";
import { feed, message, migrated, trip_pipeline } from "../support/trip_pipeline.ts";
import { whole_trip } from "../support/trip_events.ts";
import { verified } from "../support/verified_log.ts";

tacho_test({
  name:
    "each partition has the newest event time that was admitted from it: by no batch less, of its own messages alone",
  needs: ["postgres"],
  async fn() {
    const { url } = await (await shared_postgres()).create_database(migrated);
    const database = await open_database({ url, data_dir: null, connections: 4 });
    try {
      const cursors = new Cursors(() => read_cursors(database));
      const next = [0, 0, 0];
      /** Messages with a minute each, those of partitions in turns. */
      const take = async (...taken: readonly (readonly [partition: number, minute: number | "bad"])[]) => {
        cursors.reset(await read_cursors(database));
        const batches = taken.map(([partition, minute]) => {
          const at = next[partition]!++;
          const occurred_at = `2026-03-01T10:${String(minute).padStart(2, "0")}:00Z`;
          const event = minute === "bad" ? "bad" : { ...whole_trip(`T-${partition}-${at}`)[0], occurred_at };
          const messages = [{ ...message(at, event), topic: "t", partition }];
          return { topic: "t", partition, from_offset: at, next_offset: at + 1, messages };
        });
        await feed(trip_pipeline(database), batches, cursors);
      };
      const found = async () =>
        (await read_partition_watermarks(database)).map(({ topic, partition, watermark_us }) =>
          `${topic}/${partition} ${format_time(watermark_us).slice(11, 16)}`
        );
      await take([0, 5], [1, 9], [0, 7], [1, 3], [0, 6], [2, "bad"]);
      assert.deepEqual(await found(), ["t/0 10:07", "t/1 10:09"], "nothing was admitted from the third");
      await take([0, 2], [1, "bad"], [2, 1]);
      assert.deepEqual(await found(), ["t/2 10:01", "t/0 10:07", "t/1 10:09"]);
      await take([0, 20]);
      assert.deepEqual(await found(), ["t/2 10:01", "t/1 10:09", "t/0 10:20"]);
      assert.deepEqual((await verified(database)).faults, []);

      const latest_us = Date.UTC(2026, 2, 1, 10, 8) * 1000;
      await set_watermark_back(database, { latest_us, by: "Ada", reason: "a wrong clock" }, latest_us);
      assert.deepEqual(await found(), ["t/2 10:01"], "what is not believed is not told until a batch says it anew");
      await take([1, 4]);
      assert.deepEqual(await found(), ["t/2 10:01", "t/1 10:04"]);
      assert.deepEqual((await verified(database)).faults, []);
    } finally {
      await database.close();
    }
  },
});
