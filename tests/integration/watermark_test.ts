import assert from "node:assert/strict";
import { type Database, open_database } from "../../src/database/mod.ts";
import { moment_at_position, read_head, set_watermark_back, spoilt_watermark } from "../../src/event_log/mod.ts";
import { trips_board } from "../support/trip_board.ts";
import { read_boards, type View, view_key, window_at } from "../../src/feed/figures/mod.ts";
import { days_in } from "../../src/kpi/mod.ts";
import { tacho_test } from "../support/available.ts";
import { shared_postgres } from "../support/postgres.ts";
import { CHAIN_START, follow_chain } from "../support/oracle/mod.ts";
import { LIMITS, message, migrated, READ_MS, TEST_TIME_ZONE, trip_pipeline } from "../support/trip_pipeline.ts";
import { verified } from "../support/verified_log.ts";

const DAYS = days_in(TEST_TIME_ZONE);
const at = (time: string) => `2026-03-01T${time}Z`;
const us = (time: string) => Date.parse(time) * 1000;
const started = (id: string, occurred_at: string) => ({ trip_id: id, event_id: id, type: "trip.started", occurred_at });
const NOT_AFTER_US = us(at("13:00:00"));
/** As a program that believed its producers would have been. */
const TRUSTING = { ...LIMITS, future_limit_ms: 1e13 };
const SET_BACK = { latest_us: NOT_AFTER_US, by: "Ada", reason: "a meter with a wrong clock" };

function log_test(name: string, fn: (database: Database) => Promise<void>): void {
  tacho_test({
    name,
    needs: ["postgres"],
    async fn() {
      const { url } = await (await shared_postgres()).create_database(migrated);
      const database = await open_database({ url, data_dir: null, connections: 4 });
      try {
        await fn(database);
      } finally {
        await database.close();
      }
    },
  });
}

/** Appends each event as a batch of its own, by one pipeline that goes on, as a running program does. */
function appending(database: Database) {
  const pipeline = trip_pipeline(database, () => READ_MS + 3_000 * offset, TRUSTING);
  let offset = 0;
  return async (...events: readonly unknown[]) => {
    for (const event of events) {
      const batch = {
        topic: "t",
        partition: 0,
        from_offset: offset,
        next_offset: offset + 1,
        messages: [message(offset, event)],
      };
      const advance = { topic: "t", partition: 0, from: offset === 0 ? null : offset, to: ++offset };
      await pipeline.append(await pipeline.plan([batch], [advance], "test"));
    }
  };
}
const reached = async (database: Database) => {
  const { watermark_us, late } = await read_head(database);
  return [watermark_us === null ? null : new Date(watermark_us / 1000).toISOString().slice(0, 16), late];
};
const moments = (database: Database) =>
  Promise.all([1, 2, 3, 4].map(async (position) => {
    const { watermark_us } = await moment_at_position(database, position);
    return watermark_us === null ? null : new Date(watermark_us / 1000).toISOString().slice(11, 16);
  }));

log_test(
  "event time is set back on record, while a program goes on: what comes then is in time again",
  async (database) => {
    const append = appending(database);
    await append(started("A", at("10:00:00")), started("2090", "2090-01-01T00:00:00Z"), started("B", at("10:10:00")));
    assert.deepEqual(await reached(database), ["2090-01-01T00:00", 1], "all that comes is late");
    const found = await spoilt_watermark(database, NOT_AFTER_US);
    assert.deepEqual([found!.to_us, found!.since_batch, found!.events], [us(at("10:10:00")), 2, 1]);
    assert.deepEqual(await reached(database), ["2090-01-01T00:00", 1], "to look changes nothing");

    const done = await set_watermark_back(database, SET_BACK, READ_MS * 1000);
    assert.equal(done!.batch, 4);
    assert.deepEqual(await reached(database), ["2026-03-01T10:10", 1]);
    const [row] = await database.query(
      "select note, cursors, admitted::int as admitted, to_char(watermark at time zone 'UTC', 'HH24:MI') as watermark from batches where kind = 'watermark_set_back'",
    );
    assert.deepEqual(row, {
      note: {
        by: "Ada",
        events: 1,
        from: "2090-01-01T00:00:00.000000Z",
        not_after: "2026-03-01T13:00:00.000000Z",
        reason: SET_BACK.reason,
        since_batch: 2,
        to: "2026-03-01T10:10:00.000000Z",
      },
      cursors: [],
      admitted: 0,
      watermark: "10:10",
    });
    // The running program has 2090 in memory: it hears of it with its next batch and does not raise it again.
    await append(started("C", at("10:12:00")));
    assert.deepEqual((await reached(database))[0], "2026-03-01T10:12");
    await append(started("D", at("10:09:00")), started("E", at("10:01:00")));
    assert.deepEqual(await reached(database), ["2026-03-01T10:12", 3], "C was planned before it heard, E is late");
    assert.deepEqual(await moments(database), ["10:00", null, null, "10:12"], "of the time between nothing is said");
    assert.deepEqual((await verified(database)).faults, []);
    const { fault } = await follow_chain((sql) => database.query(sql), CHAIN_START);
    assert.equal(fault, null);
    assert.equal(await set_watermark_back(database, SET_BACK, READ_MS * 1000), null, "nothing is left to set back");
    const [count] = await database.query(
      "select count(*)::int as count from batches where kind = 'watermark_set_back'",
    );
    assert.equal(count!.count, 1);
  },
);

log_test("a log that is spoilt again, and one of nothing but an event of 2090, are set back too", async (database) => {
  const append = appending(database);
  await append(started("2090", "2090-01-01T00:00:00Z"));
  assert.equal((await set_watermark_back(database, SET_BACK, READ_MS * 1000))!.to_us, null);
  assert.deepEqual((await reached(database))[0], null);
  await append(started("A", at("10:00:00")), started("2091", "2091-01-01T00:00:00Z"), started("B", at("09:00:00")));
  const again = await set_watermark_back(database, SET_BACK, READ_MS * 1000);
  assert.deepEqual([again!.to_us, again!.since_batch, again!.events], [us(at("10:00:00")), 4, 1]);
  // An earlier border: what is later than that is not believed either.
  const earlier = await set_watermark_back(database, { ...SET_BACK, latest_us: us(at("09:30:00")) }, READ_MS * 1000);
  assert.deepEqual([earlier!.to_us, earlier!.events], [us(at("09:00:00")), 3]);
  assert.deepEqual((await verified(database)).faults, []);
});

log_test("events that come between the look and the lock are not overlooked", async (database) => {
  const append = appending(database);
  await append(started("A", at("10:00:00")), started("2090", "2090-01-01T00:00:00Z"));
  let between = false;
  const watched: Database = {
    ...database,
    kind: database.kind,
    query: (...asked) => database.query(...asked),
    transaction: async (work) => {
      if (!between) {
        between = true;
        await append(started("B", at("10:30:00")), started("2092", "2092-01-01T00:00:00Z"));
      }
      return await database.transaction(work);
    },
  };
  const done = await set_watermark_back(watched, SET_BACK, READ_MS * 1000);
  assert.deepEqual([done!.to_us, done!.events], [us(at("10:30:00")), 2]);
  assert.deepEqual((await reached(database))[0], "2026-03-01T10:30");
});

log_test("a board forgets the marks and the newest event of the time between", async (database) => {
  const append = appending(database);
  await append(started("A", at("10:00:10")), started("B", at("10:01:10")), started("2090", "2090-01-01T00:00:00Z"));
  await append(started("C", at("10:01:30")));
  const view: View = { range: "1h", to_s: Date.parse(at("10:30:00")) / 1000, filter: [], compare: "weekday" };
  const watched = new Map([[view_key(view, DAYS), { view, window: window_at(view, 0, DAYS) }]]);
  const source = { database, board: trips_board, days: DAYS };
  const marks = (reading: Awaited<ReturnType<typeof read_boards>>) =>
    reading.boards.get(view_key(view, DAYS))!.series.revised_ms!.map((ms) => Number(ms) > 0);
  const before = await read_boards(source, watched, [], null);
  assert.deepEqual([marks(before), before.newest_event_ms], [[false, true], Date.UTC(2090, 0)]);
  await set_watermark_back(database, SET_BACK, READ_MS * 1000);
  const after = await read_boards(source, watched, [], before);
  assert.deepEqual([marks(after), after.newest_event_ms], [[false, false], Date.parse(at("10:01:30"))]);
});
