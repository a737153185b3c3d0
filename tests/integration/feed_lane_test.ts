import assert from "node:assert/strict";
import { type Database, took_too_long } from "../../src/database/mod.ts";
import { read_compared, read_lane_board, read_whole_board } from "../../src/feed/figures/readings.ts";
import { window_at } from "../../src/feed/mod.ts";
import { days_in } from "../../src/kpi/mod.ts";
import { trips_board } from "../support/trip_board.ts";
import type { Breakdown, Filter, View } from "../../src/feed/figures/mod.ts";
import { put_trip, put_whole } from "../support/board_rows.ts";
import { FeedModel, FrameReader } from "../support/feed_client.ts";
import { hold } from "../support/hold.ts";
import { database_test, make_hub, ManualTime } from "../support/read_side.ts";

const START = "2026-03-01T12:00:30Z";
const DAY = { range: "24h", to_s: null, compare: "weekday" } as const;
const HOUR = { range: "1h", to_s: null, compare: "weekday" } as const;
/** What the slow lane counts drivers by needs this table: who locks it stalls the lane and nothing else. */
const STALLED = {
  ...trips_board,
  states_breakdowns: [{ dimension: "driver", count: "completed + (select count(*) from gate)" }],
};

async function complete(database: Database, trip_id: string, trips: number): Promise<void> {
  const trip = { trip_id, status: "completed", at: "2026-03-01T12:00:10Z", fare_micros: "1" } as const;
  await put_trip(database, trip, (tx) => put_whole(tx, "2026-03-01T12:00:00Z", { trips, completed: trips }));
}

/** Locks a table until the function it gives is called. */
const lock = (database: Database, table = "gate"): Promise<() => Promise<void>> =>
  hold(database, `lock table ${table} in access exclusive mode`);

/** A hub whose lane goes through the gate, and a way to watch it. */
async function gated(database: Database, lane_timeout_ms: number) {
  await database.script("create table gate ()");
  const time = new ManualTime(START);
  const hub = make_hub(database, time, { board: STALLED, lane_timeout_ms });
  const watch = (filter: Filter = []) => {
    const view: View = { ...HOUR, filter };
    const subscription = hub.subscribe(view, null, "::1");
    assert(subscription.ok);
    const reader = new FrameReader(subscription.stream), model = new FeedModel();
    const until = async (wanted: (model: FeedModel) => boolean): Promise<void> => {
      while (!wanted(model)) {
        const frame = await reader.next();
        assert(frame !== null, "the feed ended");
        model.apply(frame);
      }
    };
    const seen = (what: string, wanted: (model: FeedModel) => boolean, ms = 25) =>
      time.beat_until(what, until(wanted), ms);
    return { model, seen };
  };
  return { time, hub, watch };
}

const drivers = ({ breakdowns }: FeedModel): Breakdown | undefined =>
  (breakdowns as Breakdown[] | null)?.find(({ dimension }) => dimension === "driver");

database_test("a reading of the slow lane that does not end keeps no board waiting", async (database) => {
  const { hub, watch } = await gated(database, 60_000);
  await complete(database, "t1", 1);
  const release = await lock(database);
  const { model, seen } = watch();
  for (const trips of [2, 3, 4]) {
    await complete(database, `t${trips}`, trips);
    await seen(`the board of ${trips} trips`, ({ cards }) => cards.trips === trips);
  }
  assert.deepEqual([drivers(model), model.computed.failed], [undefined, null]);
  await release();
  await seen("the slow lane goes on", (now) => drivers(now)?.rows.length === 1);
  hub.close();
});

database_test(
  "the wait of the slow lane for tables that are being exchanged counts against its limit",
  async (database) => {
    const days = days_in("UTC"), now_ms = Date.parse(START);
    const source = { database, board: trips_board, days, lane_timeout_ms: 1_000 };
    const watched = { view: { ...HOUR, filter: [] }, window: window_at(HOUR, now_ms, days) };
    const release = await lock(database, "trip_cells");
    for (
      const read of [() => read_lane_board(source, watched, null, now_ms), () => read_compared(source, watched, now_ms)]
    ) {
      await assert.rejects(read, took_too_long);
    }
    await release();
    assert.equal((await read_lane_board(source, watched, null, now_ms)).position, 0);
  },
);

database_test(
  "a board that is read once is told without comparisons and breakdowns that take too long",
  async (database) => {
    await database.script("create table gate ()");
    const facts = trips_board.facts.map((fact) => ({
      ...fact,
      counts: `${fact.counts} and (select count(*) from gate) = 0`,
    }));
    const source = { database, board: { ...STALLED, facts }, days: days_in("UTC"), lane_timeout_ms: 1_000 };
    await complete(database, "t1", 1);
    const before = { trip_id: "t0", status: "completed", at: "2026-02-28T11:00:10Z", fare_micros: "1" } as const;
    await put_trip(database, before, (tx) => put_whole(tx, "2026-02-28T11:00:00Z", { trips: 1, completed: 1 }, ["5m"]));
    const now_ms = Date.parse(START);
    // Zones keep no percentiles: what they are held against comes from states.
    const filter = [{ dimension: "pickup_zone", keys: ["unknown"], excluded: false }];
    const watched = { view: { ...DAY, filter }, window: window_at(DAY, now_ms, source.days) };
    const release = await lock(database);
    const { failed, compared, series } = await read_whole_board(source, watched, now_ms).finally(release);
    assert.deepEqual([failed, compared], ["the comparisons and breakdowns took too long; take a shorter range", null]);
    assert.ok(Array.isArray(series.t));
    assert.equal((await read_whole_board(source, watched, now_ms)).failed, null);
  },
);

database_test("what the slow lane cannot read in time is told, and the last good figures stay", async (database) => {
  const { hub, watch, time } = await gated(database, 1_000);
  await complete(database, "t1", 1);
  const plain = watch();
  const filter = [{ dimension: "driver", keys: ["unknown"], excluded: false }];
  const filtered = watch(filter);
  const of_one: Breakdown["rows"] = [{ key: "unknown", trips: 1, revenue: 0.000001 }];
  await plain.seen("the drivers", (model) => drivers(model) !== undefined);
  await filtered.seen("the filtered board", (model) => drivers(model) !== undefined);
  assert.deepEqual([drivers(plain.model)?.rows, drivers(filtered.model)?.rows], [of_one, of_one]);

  const release = await lock(database);
  await complete(database, "t2", 2);
  time.pass(10_000);
  const said = [
    [plain, "took longer than 1 s; take a shorter range", 1],
    [filtered, "the breakdowns took too long; take a shorter range", 2],
  ] as const;
  for (const [{ model, seen }, words, position] of said) {
    // Another statement may have been late before: the words are those of the gate.
    await seen("the failure", ({ computed }) => computed.failed === words);
    assert.deepEqual([drivers(model)?.rows, model.computed.position], [of_one, position]);
  }
  // The cards of a filter do not wait for the breakdowns beside them.
  await filtered.seen("the newest cards", ({ cards }) => cards?.completed === 2);
  assert.equal(plain.model.cards.trips, 2);
  const late = watch([{ ...filter[0]!, excluded: true }]);
  await late.seen("a board without breakdowns", ({ computed }) => typeof computed.failed === "string");
  assert.deepEqual([late.model.cards?.completed ?? 0, late.model.breakdowns], [0, []]);

  await release();
  for (const { model, seen } of [plain, filtered]) {
    await seen("new figures", ({ computed }) => computed.failed === null && computed.position === 2, 500);
    assert.deepEqual(drivers(model)?.rows, [{ key: "unknown", trips: 2, revenue: 0.000002 }]);
  }
  hub.close();
});
