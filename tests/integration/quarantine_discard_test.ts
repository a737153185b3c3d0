import assert from "node:assert/strict";
import type { Database } from "../../src/database/mod.ts";
import { count_held, discard_held, filter_condition, type QuarantineFilter } from "../../src/event_log/mod.ts";
import { make_retry } from "../support/held_messages.ts";
import { database_test } from "../support/read_side.ts";
import { feed, LIMITS, message, trip_pipeline } from "../support/trip_pipeline.ts";
import { verified } from "../support/verified_log.ts";

const NOW_US = Date.UTC(2026, 2, 1, 13) * 1000;
const NEVER = new AbortController().signal;

/** Five held messages: 0 to 2 in partition 0, 3 and 4 in partition 1 an hour later. */
async function five_held(database: Database): Promise<void> {
  const pipeline = (hour: number) => trip_pipeline(database, () => Date.UTC(2026, 2, 1, hour));
  const batch = (partition: number, ...values: string[]) => ({
    topic: partition === 0 ? "trips" : "rides",
    partition,
    from_offset: 0,
    next_offset: values.length,
    messages: values.map((each, offset) => message(offset, each)),
  });
  await feed(pipeline(10), [batch(0, "bad", "{}", "worse")]);
  await feed(pipeline(11), [batch(1, "[]", "bad")]);
}

const held = async (database: Database, status = "held") =>
  (await database.query("select quarantine_id::int as id from quarantine where status = $1 order by 1", [status])).map((
    { id },
  ) => id);
const discard = (database: Database, filter: QuarantineFilter, limit = 100) =>
  discard_held(database, { filter, newest_id: 1e6, limit, by: "Ada", reason: "sent by mistake" }, NOW_US);

database_test(
  "discarded messages keep their bytes, leave the account as it is, and are on record in the chain",
  async (database) => {
    await five_held(database);
    const head = () => database.query("select messages_read, position, duplicates, quarantined from log_head");
    const before = await head();
    assert.equal(await discard(database, { topic: "trips" }, 2), 2);
    assert.equal(await discard(database, { topic: "trips" }), 1);
    assert.equal(await discard(database, { topic: "trips" }), 0);
    assert.deepEqual([await held(database), await held(database, "discarded")], [[4, 5], [1, 2, 3]]);
    assert.deepEqual(await head(), before);
    assert.deepEqual(await database.query("select held::int as held from log_head"), [{ held: 2 }]);
    const batches = await database.query(
      "select note - 'quarantine' as note, cursors, messages_read::int as read from batches where kind = 'discarded' order by batch",
    );
    const note = { by: "Ada", reason: "sent by mistake" };
    assert.deepEqual(batches, [
      { note: { ...note, ids: [1, 2] }, cursors: [], read: 0 },
      { note: { ...note, ids: [3] }, cursors: [], read: 0 },
    ]);
    const [row] = await database.query(
      "select message_value, reason, settled_at = '2026-03-01 13:00Z' as settled from quarantine where quarantine_id = 1",
    );
    assert.deepEqual({ ...row, message_value: new TextDecoder().decode(row!.message_value as Uint8Array) }, {
      message_value: "bad",
      reason: "malformed_json",
      settled: true,
    });
    assert.deepEqual((await verified(database)).faults, []);

    const retry = await make_retry(database, LIMITS);
    await retry.run(NEVER);
    assert.equal([...retry.counts.held.values()].reduce((a, b) => a + b), 2, "what is discarded is not retried");
  },
);

database_test(
  "a filter takes what all its parts allow, and newer messages than its newest are none of it",
  async (database) => {
    await five_held(database);
    await database.execute("update quarantine set code_version = 'old', stage = 'append' where quarantine_id = 4");
    const at = (hour: number) => Date.UTC(2026, 2, 1, hour) * 1000;
    const taken = async (filter: QuarantineFilter) => {
      const values: (string | number | boolean | null | Uint8Array)[] = [];
      const condition = filter_condition(filter, values);
      return (await database.query(
        `select quarantine_id::int as id from quarantine where ${condition} order by 1`,
        values,
      )).map(({ id }) => id);
    };
    const cases: [QuarantineFilter, number[]][] = [
      [{}, [1, 2, 3, 4, 5]],
      [{ ids: [2, 5, 99] }, [2, 5]],
      [{ reason: "malformed_json" }, [1, 3, 5]],
      [{ stage: "append" }, [4]],
      [{ topic: "trips" }, [1, 2, 3]],
      [{ partition: 1 }, [4, 5]],
      [{ partition: 0 }, [1, 2, 3]],
      [{ code_version: "old" }, [4]],
      [{ since_us: at(11) }, [4, 5]],
      [{ until_us: at(11) }, [1, 2, 3]],
      [{ since_us: at(10), until_us: at(11), reason: "malformed_json", ids: [1, 2] }, [1]],
    ];
    for (const [filter, ids] of cases) assert.deepEqual(await taken(filter), ids, JSON.stringify(filter));
    assert.deepEqual(await count_held(database, { partition: 0 }), {
      total: 3,
      newest_id: 3,
      by_reason: new Map([["malformed_json", 2], ["missing_trip_id", 1]]),
    });
    assert.equal(
      await discard_held(database, { filter: {}, newest_id: 3, limit: 100, by: "Ada", reason: "old" }, NOW_US),
      3,
    );
    assert.deepEqual(await held(database), [4, 5]);
  },
);
