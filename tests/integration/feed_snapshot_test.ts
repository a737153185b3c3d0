import assert from "node:assert/strict";
import { trips_board } from "../support/trip_board.ts";
import { read_boards } from "../../src/feed/figures/mod.ts";
import { BoardReader } from "../../src/feed/live/reader.ts";
import { type View, view_key, window_at } from "../../src/feed/figures/view.ts";
import { days_in } from "../../src/kpi/mod.ts";
import { put_cell, put_cells, put_trip, put_whole } from "../support/board_rows.ts";
import { database_test, FlakyDatabase, silent } from "../support/read_side.ts";

const NOW_MS = Date.parse("2026-03-01T12:00:30Z");
const HOUR = { range: "1h", to_s: null, filter: [], compare: "weekday" } as const;
const UTC = days_in("UTC");
const watched = (view: View, now_ms = NOW_MS) =>
  new Map([[view_key(view, UTC), { view, window: window_at(view, now_ms, UTC) }]]);
const windows = watched(HOUR);
const start_s = (text: string) => Date.parse(text) / 1000;

database_test("a board's series, cards and breakdowns come from the cells of its window", async (database) => {
  await put_trip(database, { trip_id: "t1", status: "in_progress", at: "2026-03-01T11:58:00Z" });
  const whole = {
    trips: 3,
    completed: 2,
    fare_count: 2,
    fare_sum_micros: "30500000",
    fare_min_micros: 10000000,
    fare_max_micros: 20500000,
  };
  const measured = { distance_sum_m: "12400", distance_count: 1, duration_sum_ms: "1860000", duration_count: 1 };
  await put_whole(database, "2026-03-01T11:58:00Z", { ...whole, ...measured });
  await put_whole(database, "2026-03-01T12:00:00Z", {
    trips: 1,
    completed: 1,
    fare_count: 1,
    fare_sum_micros: "1",
    fare_min_micros: 1,
    fare_max_micros: 1,
  });
  // Outside the window: before it, and a coarser grain of the same time.
  await put_whole(database, "2026-03-01T11:00:00Z", { trips: 100, completed: 100 });
  await put_whole(database, "2026-03-01T12:00:00Z", { trips: 100 }, ["5m", "1h"]);
  await database.script(
    "insert into trip_sketches values ('1m', '2026-03-01 12:00Z', 'none', 'all', 'fare_micros', '{405}', '{3}')",
  );
  const status = { grain: "all", bucket: "1970-01-01T00:00:00Z", dimension: "status" };
  await put_cell(database, { ...status, key: "in_progress" }, { trips: 7 });
  await put_cell(database, { ...status, key: "requested" }, { trips: 2 });
  const reading = await read_boards({ database, board: trips_board, days: UTC }, windows, [], null);
  const board = reading.boards.get("1h");
  assert.deepEqual(board?.series, {
    t: [start_s("2026-03-01T11:58:00Z"), start_s("2026-03-01T12:00:00Z")],
    trips: [3, 1],
    requested: [0, 0],
    started: [0, 0],
    completed: [2, 1],
    canceled: [0, 0],
    revenue: [30.5, 0.000001],
    fare_count: [2, 1],
    distance_km: [12.4, 0],
    revised_ms: [0, 0],
  });
  assert.deepEqual(board?.cards, {
    trips: 4,
    in_progress: 7,
    requested_now: 2,
    completed: 3,
    canceled: 0,
    voided: 0,
    voids_waiting: 0,
    fare_count: 3,
    revenue: 30.500001,
    average_fare: 10.166667,
    min_fare: 0.000001,
    max_fare: 20.5,
    average_distance_km: 12.4,
    average_duration_min: 31,
    fare_p50: 10.241437,
    fare_p95: 10.241437,
    duration_p50_min: null,
    duration_p95_min: null,
    tips: 0,
    conflicts: 0,
  });
  assert.equal(reading.newest_event_ms, Date.parse("2026-03-01T11:58:00Z"));
});

database_test("a breakdown shows the eight greatest keys and all others together", async (database) => {
  await put_trip(database, { trip_id: "t1", status: "completed", at: "2026-03-01T11:58:00Z" });
  const at = "2026-03-01T11:58:00Z";
  for (let i = 0; i < 11; i++) {
    const city = { at, dimension: "city", key: `city ${String(i).padStart(2, "0")}` };
    await put_cells(database, city, { completed: i < 2 ? 5 : 20 - i, fare_sum_micros: String(1_000_000 * i) });
  }
  // Zero cells are left over from trips that were taken back: no key of the range.
  await put_cells(database, { at, dimension: "city", key: "gone" }, { completed: 0 });
  // Zones keep no minutes.
  const zone = { at, dimension: "pickup_zone", key: "161" };
  await put_cells(database, zone, { completed: 4, fare_sum_micros: "10000000" }, ["5m", "1h", "1d"]);
  await put_cells(database, { at, dimension: "status", key: "canceled" }, { trips: 9, canceled: 9 });
  const reading = await read_boards({ database, board: trips_board, days: UTC }, windows, [], null);
  const breakdowns = new Map(
    reading.boards.get("1h")?.breakdowns.map((breakdown) => [breakdown.dimension, breakdown] as const),
  );
  const cities = breakdowns.get("city");
  assert.equal(cities?.total_keys, 11);
  assert.deepEqual(cities?.rows.map(({ key }) => key), [
    ...Array.from({ length: 8 }, (_, i) => `city ${String(i + 2).padStart(2, "0")}`),
    null,
  ]);
  assert.deepEqual(cities?.rows.at(-1), { key: null, trips: 10 + 5 + 5, revenue: 10 + 0 + 1 });
  assert.deepEqual(breakdowns.get("pickup_zone")?.rows, [{ key: "161", trips: 4, revenue: 10 }]);
  assert.deepEqual(breakdowns.get("status")?.rows, [{ key: "canceled", trips: 9, revenue: 0 }]);
  assert.deepEqual(breakdowns.get("payment_method"), { dimension: "payment_method", total_keys: 0, rows: [] });
}, { both: true });

database_test("lines are the trips of the newest events, each once, at its newest event", async (database) => {
  for (let i = 1; i <= 25; i++) {
    await put_trip(database, { trip_id: `t${i}`, status: "requested", at: "2026-03-01T11:00:00Z" });
  }
  const last = await put_trip(database, {
    trip_id: "t3",
    status: "completed",
    at: "2026-03-01T11:30:00.5Z",
    fare_micros: "18600000",
  });
  const { lines } = await read_boards({ database, board: trips_board, days: UTC }, windows, [], null);
  assert.deepEqual(lines.map((line) => line.trip_id), ["t3", ...Array.from({ length: 19 }, (_, i) => `t${25 - i}`)]);
  assert.deepEqual(lines[0], {
    trip_id: "t3",
    status: "completed",
    at_ms: Date.parse("2026-03-01T11:30:00.5Z"),
    city: null,
    vehicle_type: null,
    payment_method: null,
    pickup_zone: null,
    dropoff_zone: null,
    distance_km: null,
    duration_min: null,
    fare: 18.6,
    position: last,
  });
}, { both: true });

database_test("nothing is read anew while the log stands and no window slides", async (database) => {
  await put_trip(database, { trip_id: "t1", status: "completed", at: "2026-03-01T11:58:00Z" });
  const source = { database, board: trips_board, days: UTC };
  const first = await read_boards(source, windows, [], null);
  assert.equal(await read_boards(source, windows, [], first), first);
  const later = watched(HOUR, NOW_MS + 60_000);
  const slid = await read_boards(source, later, [], first);
  assert.notEqual(slid.boards.get("1h"), first.boards.get("1h"));
  assert.equal(slid.lines, first.lines);
  await put_trip(database, { trip_id: "t2", status: "completed", at: "2026-03-01T11:59:00Z" });
  const moved = await read_boards(source, later, [1], slid);
  assert.equal(moved.position, 2);
  assert.deepEqual([...moved.recorded_ms.keys()], [1]);
});

database_test(
  "who comes when nobody watches does not wait for the rest that a slow reading earned",
  async (database) => {
    const started_ms = NOW_MS, ended_ms = NOW_MS + 1_000;
    let now_ms = started_ms;
    const slow = new FlakyDatabase(database);
    slow.query = (statement, values) => {
      now_ms = ended_ms;
      return database.query(statement, values);
    };
    const source = { database: slow, board: trips_board, days: UTC };
    const clock = { now_ms: () => now_ms };
    const read = async () => {
      now_ms = started_ms;
      const reader = new BoardReader(source, { clock, logger: silent, random: () => 0 });
      assert.ok(await reader.read(windows, []) !== null);
      reader.hint();
      return (ms: number, forget = false): boolean => {
        now_ms = ms;
        if (forget) reader.forget();
        return reader.due;
      };
    };
    // Five times what it took beyond a tenth of a second.
    const watched_on = await read();
    assert.deepEqual([watched_on(ended_ms + 4_499), watched_on(ended_ms + 4_500)], [false, true]);
    const left = await read();
    assert.deepEqual([left(ended_ms + 1), left(ended_ms + 1, true)], [false, true]);
  },
);
