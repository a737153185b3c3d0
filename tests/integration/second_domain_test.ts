import assert from "node:assert/strict";
import { open_database } from "../../src/database/mod.ts";
import { tacho_test } from "../support/available.ts";
import { door_events, DOOR_TABLES, doors } from "../support/door_domain.ts";
import { start_ingest } from "../support/ingest_harness.ts";
import { MemorySource } from "../support/memory_source.ts";
import { shared_postgres } from "../support/postgres.ts";
import { migrated } from "../support/trip_pipeline.ts";

tacho_test({
  name:
    "the engine knows no trips: a domain of a dozen lines is ingested, folded and counted by the same loop, log and cells",
  needs: ["postgres"],
  async fn() {
    const { url } = await (await shared_postgres()).create_database(migrated);
    const database = await open_database({ url, data_dir: null, connections: 3 });
    try {
      await database.script(DOOR_TABLES);
      const source = new MemorySource("doors", [
        door_events(["1", "a", "front", "10:00"], ["2", "b", "back", "10:10"]),
      ]);
      const running = start_ingest(database, source, { domain: doors, batch_messages: 2 });
      try {
        await running.caught_up();
        // The same again, a later opening that moves a door to another hour and name, and an earlier one that changes nothing.
        source.put(
          0,
          door_events(["1", "a", "front", "10:00"], ["1", "c", "side", "12:30"], ["1", "d", "front", "09:00"]),
        );
        source.put(0, door_events(["3", "e", 7, "10:00"]));
        await running.caught_up();
      } finally {
        await running.stop();
      }
      const cells = await database.query(
        "select grain, bucket::text as bucket, key, doors from door_cells where doors <> 0 order by grain, bucket, key",
      );
      assert.deepEqual(cells, [
        { grain: "1h", bucket: "2026-03-01 10:00:00+00", key: "back", doors: "1" },
        { grain: "1h", bucket: "2026-03-01 12:00:00+00", key: "side", doors: "1" },
        { grain: "all", bucket: "1970-01-01 00:00:00+00", key: "back", doors: "1" },
        { grain: "all", bucket: "1970-01-01 00:00:00+00", key: "side", doors: "1" },
      ]);
      const [head] = await database.query("select position, duplicates, quarantined from log_head");
      assert.deepEqual(head, { position: "4", duplicates: "1", quarantined: "1" });
      const rows = await database.query(
        "select door_id, revision, door, positions::text as positions from doors order by door_id",
      );
      assert.deepEqual(rows, [
        { door_id: "1", revision: 3, door: "side", positions: "{1,3,4}" },
        { door_id: "2", revision: 1, door: "back", positions: "{2}" },
      ]);
    } finally {
      await database.close();
    }
  },
});
