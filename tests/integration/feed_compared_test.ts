import assert from "node:assert/strict";
import { type Database, snapshot } from "../../src/database/mod.ts";
import { trips_board } from "../support/trip_board.ts";
import {
  type ComparedCards,
  present_states,
  read_past_board,
  read_whole_board,
  type View,
  window_at,
} from "../../src/feed/figures/mod.ts";
import { days_in } from "../../src/kpi/mod.ts";
import { database_test } from "../support/read_side.ts";
import { message, TEST_TIME_ZONE, trip_pipeline } from "../support/trip_pipeline.ts";

const DAYS = days_in(TEST_TIME_ZONE);
const NOW = "2026-03-30T12:00:20Z";
const NOW_MS = Date.parse(NOW);
const completed = (at: string) => ({ trip_id: at, event_id: at, type: "trip.completed", occurred_at: at, fare: 5 });

/** Completions that are appended one after another; what the board is compared with, as it is now and as it was at a position. */
function log_of(database: Database) {
  const pipeline = trip_pipeline(database, () => NOW_MS);
  let offset = 0;
  const source = { database, board: trips_board, days: DAYS };
  return {
    async append(...times: readonly string[]): Promise<void> {
      const messages = times.map((each, i) => message(offset + i, completed(each), NOW_MS));
      const [from, to] = [offset, offset += times.length];
      const batch = { topic: "trips", partition: 0, from_offset: from, next_offset: to, messages };
      const advance = { topic: "trips", partition: 0, from: from === 0 ? null : from, to };
      await pipeline.append(await pipeline.plan([batch], [advance], "test"));
    },
    /** Of a range up to now, by comparison: [from, to, since] as times of the clock, and how many were completed. */
    async compared(range: "1h" | "24h" | "7d"): Promise<Record<string, unknown[]>> {
      const view: View = { range, to_s: null, filter: [], compare: "weekday" };
      const watched = { view, window: window_at(view, NOW_MS, DAYS) };
      const board = await read_whole_board(source, watched, NOW_MS);
      const at_end = await snapshot(database, async (transaction) => {
        // Not named by the table alone: then nothing is asked of the cells.
        const all = { ...present_states(trips_board), sql: "(select * from trips)" };
        const then = { position: offset, newest_event_ms: board.newest_event_ms, now_ms: NOW_MS };
        return await read_past_board(transaction, source, watched, all, then);
      });
      assert.deepEqual(
        at_end.compared!.cards,
        board.compared!.cards,
        "the past says it of itself in the same way",
      );
      const time = (at_s: number | null) => at_s === null ? null : new Date(at_s * 1000).toISOString().slice(5, 16);
      const said = ({ from_s, to_s, since_s, least_base, cards }: ComparedCards) => {
        assert.equal(least_base, 20);
        return [time(from_s), time(to_s), time(since_s), cards.completed];
      };
      return Object.fromEntries(Object.entries(board.compared!.cards).map(([name, each]) => [name, said(each)]));
    },
  };
}

database_test(
  "a comparison says whether the log holds all of its stretch, and ends where the newest event does",
  async (database) => {
    const { append, compared } = log_of(database);
    assert.deepEqual(
      (await compared("1h")).previous,
      ["03-30T10:01", "03-30T10:01", null, undefined],
      "nothing is known",
    );
    await append("2026-03-30T11:20:10Z", "2026-03-30T11:20:40Z");
    assert.deepEqual(await compared("1h"), {
      previous: ["03-30T10:01", "03-30T10:20", "03-30T10:20", undefined],
      weekday: ["03-23T11:01", "03-23T11:20", "03-23T11:20", undefined],
    });
    await append("2026-03-30T10:05:40Z");
    assert.deepEqual(
      (await compared("1h")).previous,
      ["03-30T10:01", "03-30T10:20", "03-30T10:05", 1],
      "it begins inside",
    );
    await append("2026-03-30T10:01:00Z");
    assert.deepEqual(
      (await compared("1h")).previous,
      ["03-30T10:01", "03-30T10:20", null, 2],
      "it begins with the stretch",
    );
    // A week before: nothing in that hour, and something the evening before, as where nobody rides at night.
    await append("2026-03-22T18:00:00Z");
    assert.deepEqual((await compared("1h")).weekday, ["03-23T11:01", "03-23T11:20", null, 0]);
  },
);

database_test("a stray event of years ago is no beginning of the log", async (database) => {
  const { append, compared } = log_of(database);
  await append("2001-01-01T00:00:00Z", "2026-03-27T09:00:00Z", "2026-03-30T11:59:00Z");
  const { previous, weekday } = await compared("7d");
  assert.deepEqual(previous, ["03-16T13:00", "03-23T11:55", "03-23T11:55", undefined]);
  assert.deepEqual(weekday, previous);
  const day = await compared("24h");
  assert.deepEqual(
    day.previous,
    ["03-28T12:05", "03-29T11:55", null, 0],
    "two days without a trip are no beginning either",
  );
  assert.equal(day.weekday![2], "03-23T11:55");
});
