import assert from "node:assert/strict";
import { trips_board } from "../support/trip_board.ts";
import { read_boards, read_whole_board } from "../../src/feed/figures/mod.ts";
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
  const measured = {
    ...{ distance_sum_m: "12400", distance_count: 1, duration_sum_ms: "1860000", duration_count: 1 },
    ...{ waiting_sum_ms: "360000", waiting_count: 2 },
  };
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
    average_waiting_min: [3, null],
    revised_ms: [0, 0],
  });
  assert.deepEqual(board?.cards, {
    trips: 4,
    in_progress: 7,
    requested_now: 2,
    oldest_request_min: null,
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
    waiting_count: 2,
    average_waiting_min: 3,
    waiting_p50_min: null,
    waiting_p95_min: null,
    tips: 0,
    conflicts: 0,
  });
  assert.equal(reading.newest_event_ms, Date.parse("2026-03-01T11:58:00Z"));
});

database_test(
  "a breakdown shows the sixteen greatest keys, by count and by amount, and all others together",
  async (database) => {
    await put_trip(database, { trip_id: "t1", status: "completed", at: "2026-03-01T11:58:00Z" });
    const at = "2026-03-01T11:58:00Z";
    // The last has the least count and the greatest amount; what else is great by amount is so by count, too.
    for (let i = 0; i < 21; i++) {
      const city = { at, dimension: "city", key: `city ${String(i).padStart(2, "0")}` };
      const amount = i === 20 ? 90 : i < 2 ? i : 40 - i;
      await put_cells(database, city, { completed: i < 2 ? 5 : 30 - i, fare_sum_micros: String(1_000_000 * amount) });
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
    assert.equal(cities?.total_keys, 21);
    assert.deepEqual(cities?.rows.map(({ key }) => key), [
      ...Array.from({ length: 16 }, (_, i) => `city ${String(i + 2).padStart(2, "0")}`),
      "city 20",
      null,
    ]);
    assert.deepEqual(cities?.rows.at(-2), { key: "city 20", trips: 10, revenue: 90 });
    assert.deepEqual(cities?.rows.at(-1), { key: null, trips: 12 + 11 + 5 + 5, revenue: 22 + 21 + 0 + 1 });
    assert.deepEqual(breakdowns.get("pickup_zone")?.rows, [{ key: "161", trips: 4, revenue: 10 }]);
    assert.deepEqual(breakdowns.get("status")?.rows, [{ key: "canceled", trips: 9, revenue: 0 }]);
    assert.deepEqual(breakdowns.get("payment_method"), { dimension: "payment_method", total_keys: 0, rows: [] });
  },
  { both: true },
);

database_test(
  "how long the oldest that is requested has waited is told by the newest event, whatever the range, under a filter too",
  async (database) => {
    const put = (trip_id: string, status: "requested" | "in_progress", at: string, city?: string) =>
      put_trip(database, { trip_id, status, at: `2026-03-01T${at}Z`, ...city === undefined ? {} : { city } });
    const source = { database, board: trips_board, days: UTC };
    const ages = async () => {
      const { boards } = await read_boards(source, windows, [], null);
      const under = async (dimension: string, key: string) => {
        const view: View = { ...HOUR, filter: [{ dimension, keys: [key], excluded: false }] };
        const { cards } = await read_whole_board(source, { view, window: window_at(view, NOW_MS, UTC) }, NOW_MS);
        return cards.oldest_request_min;
      };
      return [
        boards.get("1h")?.cards.oldest_request_min,
        await under("city", "Chicago"),
        await under("city", "Boston"),
        await under("city", "nowhere"),
        await under("status", "requested"),
        await under("status", "in_progress"),
      ];
    };
    assert.deepEqual(await ages(), new Array(6).fill(null));
    await put("a", "requested", "09:00:00", "Chicago");
    await put("b", "requested", "10:30:00.0004", "Boston");
    await put("c", "in_progress", "08:00:00", "Chicago");
    await put("d", "requested", "11:58:30", "Chicago");
    assert.deepEqual(await ages(), [178.5, 178.5, 88.499993, null, 178.5, null]);
    await put("a", "in_progress", "12:00:00");
    assert.deepEqual(await ages(), [89.999993, 1.5, 89.999993, null, 89.999993, null], "then that of the next one");
    // What is ahead of event time has no age yet.
    await put("d", "in_progress", "12:00:10");
    await put("b", "in_progress", "12:00:10");
    await put("e", "requested", "12:00:20", "Boston");
    await database.execute("update log_head set watermark = '2026-03-01T12:00:15Z'");
    assert.deepEqual(await ages(), [0, null, 0, null, 0, null]);
  },
  { both: true },
);

database_test("lines are the trips of the newest events, each once, at its newest event", async (database) => {
  for (let i = 1; i <= 45; i++) {
    await put_trip(database, { trip_id: `t${i}`, status: "requested", at: "2026-03-01T11:00:00Z" });
  }
  const last = await put_trip(database, {
    trip_id: "t3",
    status: "completed",
    at: "2026-03-01T11:30:00.5Z",
    fare_micros: "18600000",
  });
  const { lines } = await read_boards({ database, board: trips_board, days: UTC }, windows, [], null);
  assert.deepEqual(lines.map((line) => line.trip_id), ["t3", ...Array.from({ length: 39 }, (_, i) => `t${45 - i}`)]);
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
  "who comes when nobody watches does not wait for the rest that a slow reading earned, and is shown it while it is new",
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
      assert.ok(await reader.read(() => windows, []) !== null);
      reader.hint();
      return (ms: number, resumes = false): boolean => {
        now_ms = ms;
        if (resumes) reader.resume();
        assert.equal(reader.last === null, resumes && ms >= started_ms + 3_000);
        return reader.due;
      };
    };
    // Five times what it took beyond a tenth of a second.
    const watched_on = await read();
    assert.deepEqual([watched_on(ended_ms + 4_499), watched_on(ended_ms + 4_500)], [false, true]);
    const left = await read();
    assert.deepEqual([left(ended_ms + 1), left(ended_ms + 1, true)], [false, true]);
    assert.deepEqual([left(started_ms + 2_999, true), left(started_ms + 3_000, true)], [true, true]);
  },
);
