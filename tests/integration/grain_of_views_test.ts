import assert from "node:assert/strict";
import { type Database, open_database, plain_array } from "../../src/database/mod.ts";
import type { View } from "../../src/feed/figures/mod.ts";
import { days_in } from "../../src/kpi/mod.ts";
import { tacho_test } from "../support/available.ts";
import { put_trip } from "../support/board_rows.ts";
import { FrameReader } from "../support/feed_client.ts";
import { json_of, make_http_side } from "../support/http_side.ts";
import { shared_postgres } from "../support/postgres.ts";
import { database_test, make_hub, ManualTime } from "../support/read_side.ts";
import { feed, message, migrated, TEST_TIME_ZONE, trip_pipeline } from "../support/trip_pipeline.ts";

/** How wide the buckets of a view are that names none: of a busy board as its length says, of a quiet one wider, live and once, now and then. */

const NOW = Date.parse("2026-03-01T12:00:30Z");
const HOUR_MS = 3_600_000;
const QUIET = { dimension: "city", keys: ["Quiet"], excluded: false };

/** Cells of five minutes, hours and days in which so many are completed every five minutes, or one an hour, of the last 26 hours. */
async function put_hours(database: Database, dimension: string, key: string, every_5m: number | null): Promise<void> {
  const cells = new Map<string, number>(), now_hour = Math.floor(NOW / HOUR_MS);
  const put = (grain: string, at_ms: number, width_ms: number) => {
    const cell = `${grain} ${new Date(Math.floor(at_ms / width_ms) * width_ms).toISOString()}`;
    cells.set(cell, (cells.get(cell) ?? 0) + (every_5m ?? 1));
  };
  for (
    let at_ms = (now_hour - 26) * HOUR_MS;
    at_ms <= now_hour * HOUR_MS;
    at_ms += every_5m === null ? HOUR_MS : 300_000
  ) {
    put("5m", at_ms, 300_000);
    put("1h", at_ms, HOUR_MS);
    put("1d", at_ms, 24 * HOUR_MS);
  }
  const column = (part: 0 | 1) => [...cells.keys()].map((cell) => cell.split(" ")[part]!);
  await database.execute(
    `insert into trip_cells (grain, bucket, dimension, key, completed, trips, last_position)
     select cell.grain, cell.bucket, $1, $2, cell.completed, cell.completed, position
     from log_head, unnest($3::text[], $4::timestamptz[], $5::bigint[]) as cell(grain, bucket, completed)
     on conflict (grain, dimension, bucket, key) do update set
       completed = excluded.completed, trips = excluded.trips, last_position = excluded.last_position`,
    [dimension, key, plain_array(column(0)), plain_array(column(1)), plain_array([...cells.values()])],
  );
}

async function put_cities(database: Database): Promise<void> {
  await put_trip(database, { trip_id: "t1", status: "completed", at: new Date(NOW).toISOString(), city: "Quiet" });
  await put_hours(database, "none", "all", 10);
  await put_hours(database, "city", "Quiet", null);
}

database_test(
  "a busy day is told in 5 minutes, a quiet city's in hours, now and then, and so is what it is held against",
  async (database) => {
    await put_cities(database);
    const { get } = await make_http_side(database);
    const board = (query: string) => json_of(get(`/api/v1/board?range=24h${query}`));
    assert.equal((await board("")).grain, "5m");
    const quiet = await board("&city=Quiet");
    assert.deepEqual([quiet.grain, quiet.step_s, quiet.to_s - quiet.from_s], ["1h", 3_600, 86_400]);
    assert.equal(quiet.to_s, Date.parse("2026-03-01T13:00:00Z") / 1000, "to the end of the bucket that runs");
    assert.ok(quiet.series.t.every((t: number) => t % 3_600 === 0));
    assert.deepEqual([...new Set(quiet.series.completed)], [1]);
    const { compared_series } = await board("&city=Quiet&compare=previous");
    assert.ok(
      compared_series.t.length > 0 && compared_series.t.every((t: number) => t % 3_600 === 0),
      "what it is held against",
    );
    assert.equal((await board("&city=Busy")).grain, "5m", "nothing of it");
    // Who chooses has what was chosen; what no cell tells goes by its length.
    for (const own of ["&grain=5m", "&grain=15m"]) assert.equal((await board(`&city=Quiet${own}`)).grain, own.slice(7));
    assert.equal((await board("&city=Quiet&driver=D1")).grain, "5m");
    assert.equal((await board("&city=Quiet&order=arrival")).grain, "5m");
    // Lists beside it are of the same stretch.
    const keys = await json_of(get("/api/v1/kpis/keys?range=24h&city=Quiet&dimension=payment_method"));
    assert.deepEqual([keys.from_s, keys.to_s], [quiet.from_s, quiet.to_s]);
  },
);

database_test(
  "however little there is of a day that begins inside an hour, it is told of that day and no more",
  async (database) => {
    await put_cities(database);
    const { get } = await make_http_side(database, { time_zone: "Asia/Kolkata", days: days_in("Asia/Kolkata") });
    const [from, to] = ["2026-02-28T18:30:00Z", "2026-03-01T18:30:00Z"];
    for (const range of ["range=today", `from=${from}&to=${to}`]) {
      const { grain, from_s, to_s } = await json_of(get(`/api/v1/board?${range}&city=Quiet`));
      assert.deepEqual([grain, from_s, to_s], ["15m", Date.parse(from) / 1000, Date.parse(to) / 1000], range);
    }
  },
);

database_test(
  "a view that is watched has its grain from its first hello on, and another one when there is enough for it",
  async (database) => {
    await put_cities(database);
    const time = new ManualTime(new Date(NOW).toISOString());
    const hub = make_hub(database, time);
    const view: View = { range: "24h", to_s: null, filter: [QUIET], compare: "weekday" };
    const taken = hub.subscribe(view, null, "::1");
    assert.ok(taken.ok);
    const reader = new FrameReader(taken.stream);
    const hello = await time.beat_until("it is greeted", reader.until("hello"), 25);
    assert.deepEqual([hello.data.grain, hello.data.series.t.length], ["1h", 24]);

    // Ten every five minutes of all that is past, from one position on.
    await put_trip(database, { trip_id: "t2", status: "completed", at: new Date(NOW).toISOString(), city: "Quiet" });
    await put_hours(database, "city", "Quiet", 10);
    const next = await time.beat_until("it is told anew", reader.until("hello"), 1_000);
    assert.deepEqual([next.data.grain, next.data.position], ["5m", 2]);

    // Who was away has buckets of that width, or gets all of them.
    assert.deepEqual([hello, next].map(({ id }) => id?.replace(hello.data.log_id, "")), ["-1-1h", "-2"]);
    for (const [seen, event] of [[hello.id, "hello"], [next.id, "kpi"]] as const) {
      const again = hub.subscribe(view, seen, "::1");
      assert.ok(again.ok);
      const figures = new FrameReader(again.stream),
        first = async () => {
          for (let frame = await figures.next();; frame = await figures.next()) {
            if (frame?.event !== "hb") return frame?.event;
          }
        };
      assert.equal(await time.beat_until("it goes on", first(), 25), event);
    }
    hub.close();
  },
);

tacho_test({
  name: "a board of then has the grain of what is known now in its window, by time and by position",
  needs: ["postgres"],
  async fn() {
    // Before any day on which this runs: boards of then are looked at from when they were recorded.
    const end_ms = Date.UTC(2024, 2, 9, 12);
    const trip = (city: string, i: number, every_ms: number) => ({
      event_id: "a",
      trip_id: `${city} ${i}`,
      type: "trip.completed",
      occurred_at: new Date(end_ms - (i + 1) * every_ms).toISOString(),
      city,
    });
    const trips = [
      ...Array.from({ length: 24 }, (_, i) => trip("Quiet", i, 3_600_000)),
      ...Array.from({ length: 1_400 }, (_, i) => trip("Busy", i, 60_000)),
    ];
    const { url } = await (await shared_postgres()).create_database(migrated);
    const database = await open_database({ url, data_dir: null, connections: 2 });
    await using _closing = { [Symbol.asyncDispose]: () => database.close() };
    const messages = trips.map((each, offset) => message(offset, each, end_ms));
    const batch = { topic: "trips", partition: 0, from_offset: 0, next_offset: messages.length, messages };
    await feed(trip_pipeline(database, () => end_ms), [batch]);
    const { get } = await make_http_side(database, { time_zone: TEST_TIME_ZONE, days: days_in(TEST_TIME_ZONE) });
    const board = (query: string) => json_of(get(`/api/v1/board?range=24h&to=2024-03-09T12:00:00Z&${query}`));
    for (const [city, grain, completed] of [["Quiet", "1h", 24], ["Busy", "5m", 1_400]] as const) {
      const { grain: told, cards } = await board(`city=${city}&as_of_position=${trips.length}`);
      assert.deepEqual([told, cards.completed], [grain, completed]);
    }
    const few = await board("city=Quiet&as_of_position=3");
    assert.deepEqual([few.grain, few.cards.completed], ["1h", 3]);
    assert.equal((await board("city=Quiet&as_of_position=3&grain=15m")).grain, "15m");
  },
});
