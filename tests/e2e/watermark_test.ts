import assert from "node:assert/strict";
import { open_database } from "../../src/database/mod.ts";
import { tacho_test } from "../support/available.ts";
import { shared_postgres } from "../support/postgres.ts";
import { run_tacho } from "../support/tacho_program.ts";
import { LIMITS, message, migrated, READ_MS, TEST_TIME_ZONE, trip_pipeline } from "../support/trip_pipeline.ts";

tacho_test({
  name: "a spoilt watermark is looked at, set back on record, and then there is nothing to set back",
  needs: ["postgres"],
  async fn() {
    const { url } = await (await shared_postgres()).create_database(migrated);
    const database = await open_database({ url, data_dir: null, connections: 2 });
    try {
      const pipeline = trip_pipeline(database, () => READ_MS, { ...LIMITS, future_limit_ms: 1e13 });
      const messages = ["2026-03-01T10:00:00Z", "2090-01-01T00:00:00Z"].map((occurred_at, offset) =>
        message(offset, { trip_id: `T${offset}`, event_id: "s", type: "trip.started", occurred_at })
      );
      const batch = { topic: "t", partition: 0, from_offset: 0, next_offset: 2, messages };
      await pipeline.append(await pipeline.plan([batch], [{ topic: "t", partition: 0, from: null, to: 2 }], "test"));
      const env = { DATABASE_URL: url, TACHO_TIME_ZONE: TEST_TIME_ZONE };
      const verb = (...args: string[]) =>
        run_tacho(["watermark", "--by", "Ada", "--reason", "a wrong clock", ...args], { env });
      const change = "event time goes back from 2090-01-01T00:00:00.000000Z to 2026-03-01T10:00:00.000000Z; " +
        "1 event later than that stays in the log";
      const looked = await verb("--dry-run");
      assert.deepEqual([looked.code, looked.stdout], [0, `would set back: ${change}\n`]);
      const done = await verb();
      assert.deepEqual([done.code, done.stdout], [0, `set back in batch 2: ${change}\n`]);
      const again = await verb();
      assert.equal(again.code, 0);
      assert.match(
        again.stdout,
        /^nothing to set back: event time has come to 2026-03-01T10:00:00.000000Z, and up to /,
      );
      const wrong = await verb("--not-after", "yesterday");
      assert.deepEqual([wrong.code, wrong.stdout], [2, ""]);
      assert.match(
        wrong.stderr,
        /--not-after <time>' argument 'yesterday' is invalid\. Expected an RFC 3339 time with zone/,
      );
      assert.equal((await run_tacho(["verify"], { env })).code, 0);
    } finally {
      await database.close();
    }
  },
});
