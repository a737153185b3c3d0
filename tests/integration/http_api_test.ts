import assert from "node:assert/strict";
import { type Database, DatabaseUnreachable } from "../../src/database/mod.ts";
import { trips_domain } from "../../src/domains/trips/mod.ts";
import { trips_board } from "../support/trip_board.ts";
import { put_cell, put_cells, put_trip, put_whole } from "../support/board_rows.ts";
import { json_of, make_http_side } from "../support/http_side.ts";
import { database_test, FlakyDatabase } from "../support/read_side.ts";
import { until } from "../support/until.ts";

const ALL_TIME = { grain: "all", bucket: "1970-01-01T00:00:00Z" };

database_test("a day's figures have the shape of metrics.json, exact and rounded half up", async (database) => {
  const { get } = await make_http_side(database);
  const measures = {
    completed: 4890,
    fare_count: 4885,
    fare_sum_micros: "268640790000",
    fare_min_micros: 10455000,
    fare_max_micros: 99994999,
  };
  await put_whole(database, "2024-05-25T00:00:00Z", measures, ["1d"]);
  assert.deepEqual(await json_of(get("/api/v1/kpis/daily?date=2024-05-25")), {
    date: "2024-05-25",
    metrics: { total_fare: 268640.79, count_trips: 4885, average_fare: 54.99, max_fare: 99.99, min_fare: 10.46 },
    generated_at: "2026-03-01T12:00:30.000Z",
    trip_count: 4890,
  });
  await put_whole(database, "2024-05-26T00:00:00Z", { completed: 7 }, ["1d"]);
  assert.deepEqual(await json_of(get("/api/v1/kpis/daily?date=2024-05-26")), {
    date: "2024-05-26",
    metrics: { total_fare: 0, count_trips: 0, average_fare: null, max_fare: null, min_fare: null },
    generated_at: "2026-03-01T12:00:30.000Z",
    trip_count: 7,
  });
  const empty = await json_of(get("/api/v1/kpis/daily?date=2024-05-24"));
  assert.deepEqual(empty.metrics, { total_fare: 0, count_trips: 0, average_fare: 0, max_fare: 0, min_fare: 0 });
}, { both: true });

database_test(
  "a day is the local day of the business time zone, also where it begins on another UTC date",
  async (database) => {
    for (
      const [time_zone, bucket] of [
        ["America/New_York", "2026-03-08T05:00:00Z"],
        ["Asia/Kolkata", "2026-03-07T18:30:00Z"],
        ["Pacific/Kiritimati", "2026-03-07T10:00:00Z"],
        ["Pacific/Pago_Pago", "2026-03-08T11:00:00Z"],
      ] as const
    ) {
      const { get } = await make_http_side(database, { time_zone });
      await put_whole(database, bucket, { completed: 7 }, ["1d"]);
      const day = await json_of(get("/api/v1/kpis/daily?date=2026-03-08"));
      assert.equal(day.trip_count, 7, time_zone);
      await put_whole(database, bucket, { completed: 0 }, ["1d"]);
    }
    const { get } = await make_http_side(database, { time_zone: "Pacific/Apia" });
    await json_of(get("/api/v1/kpis/daily?date=2011-12-30"), 404);
  },
);

database_test("a series gives a figure's points, money as decimal text", async (database) => {
  const { get } = await make_http_side(database);
  await put_whole(database, "2026-03-01T11:00:00Z", { completed: 3, fare_sum_micros: "12345678901234567890" }, ["1h"]);
  const cash = { grain: "1h", dimension: "payment_method", key: "cash", bucket: "2026-03-01T10:00:00Z" };
  await put_cell(database, cash, { completed: 3, fare_count: 2, fare_sum_micros: "3000000", distance_sum_m: "2500" });
  const range = "grain=1h&from=2026-03-01T10:30:00Z&to=2026-03-01T11:30:00%2B00:00";
  assert.deepEqual(await json_of(get(`/api/v1/kpis/series?measure=revenue&${range}`)), {
    measure: "revenue",
    unit: "money",
    grain: "1h",
    dimension: "none",
    key: "all",
    filter: "",
    computed: false,
    order: "event_time",
    from: "2026-03-01T10:00:00.000000Z",
    to: "2026-03-01T12:00:00.000000Z",
    points: [{ at: "2026-03-01T11:00:00.000000Z", value: "12345678901234.56789" }],
  });
  const cashed = await json_of(
    get(`/api/v1/kpis/series?measure=average_fare&${range}&dimension=payment_method&key=cash`),
  );
  assert.deepEqual(cashed.points, [{ at: "2026-03-01T10:00:00.000000Z", value: "1.50" }]);
  await database.script(
    "insert into trip_sketches values ('1h', '2026-03-01 11:00Z', 'none', 'all', 'fare_micros', '{405,420}', '{3,1}')",
  );
  const half = await json_of(get(`/api/v1/kpis/series?measure=fare_p50&${range}`));
  assert.deepEqual([half.unit, half.points], ["money", [{ at: "2026-03-01T11:00:00.000000Z", value: "10.241437" }]]);
  // A bin stands for what is up to 2 % below or above: the cell knows the extremes.
  for (const [min, max, told] of [[10_300_000, 11_000_000, "10.30"], [9_000_000, 10_240_000, "10.24"]] as const) {
    const extremes = `fare_min_micros = ${min}, fare_max_micros = ${max}`;
    await database.script(`update trip_cells set ${extremes} where grain = '1h' and dimension = 'none'`);
    const clamped = await json_of(get(`/api/v1/kpis/series?measure=fare_p50&${range}`));
    assert.deepEqual(clamped.points, [{ at: "2026-03-01T11:00:00.000000Z", value: told }]);
  }
  const distance = await json_of(
    get(`/api/v1/kpis/series?measure=distance_km&${range}&dimension=payment_method&key=cash`),
  );
  assert.deepEqual(distance.points, [{ at: "2026-03-01T10:00:00.000000Z", value: 2.5 }]);
});

database_test("a breakdown covers a range or all of time", async (database) => {
  const { get } = await make_http_side(database);
  for (const [key, completed] of [["Chicago", 5], ["Boston", 5], ["Austin", 1]] as const) {
    await put_cells(database, { at: "2026-03-01T11:00:00Z", dimension: "city", key }, {
      completed,
      fare_sum_micros: "1500000",
    });
    await put_cell(database, { ...ALL_TIME, dimension: "city", key }, {
      completed: completed * 10,
      fare_sum_micros: "2000000",
    });
  }
  await put_cell(database, { ...ALL_TIME, dimension: "driver", key: "D1" }, { completed: 3, fare_sum_micros: "1" });
  const path = "/api/v1/kpis/breakdown?dimension=city&limit=2";
  assert.deepEqual(await json_of(get(`${path}&from=2026-02-27T10:00:30Z&to=2026-03-02T00:00:00Z`)), {
    dimension: "city",
    order: "event_time",
    from: "2026-02-27T10:00:00.000000Z",
    to: "2026-03-02T00:00:00.000000Z",
    total_keys: 3,
    rows: [
      { key: "Boston", trips: 5, revenue: "1.50" },
      { key: "Chicago", trips: 5, revenue: "1.50" },
      { key: null, trips: 1, revenue: "1.50" },
    ],
  });
  assert.deepEqual((await json_of(get(path))).rows[0], { key: "Boston", trips: 50, revenue: "2.00" });
  const drivers = await json_of(get("/api/v1/kpis/breakdown?dimension=driver"));
  assert.deepEqual(drivers.rows, [{ key: "D1", trips: 3, revenue: "0.000001" }]);
  const refused = await json_of(
    get("/api/v1/kpis/breakdown?dimension=driver&from=2026-03-01T00:00:00Z&to=2026-03-02T00:00:00Z"),
    400,
  );
  assert.equal(refused.errors[0].path, "dimension");
});

async function three_trips(database: Database): Promise<void> {
  await put_trip(database, { trip_id: "a/1", status: "requested", at: "2026-03-01T10:00:00Z", city: "Chicago" });
  await put_trip(database, { trip_id: "b", status: "canceled", at: "2026-03-01T10:01:00Z", city: "Boston" });
  await put_trip(database, { trip_id: "c", status: "requested", at: "2026-03-01T10:02:00Z", city: "Chicago" });
  await put_trip(database, {
    trip_id: "a/1",
    status: "completed",
    at: "2026-03-01T10:03:00.25Z",
    fare_micros: "18600000",
  });
}

database_test("trips are paged, the one with the newest event first, each once", async (database) => {
  const { get } = await make_http_side(database);
  await three_trips(database);
  const seen: string[] = [];
  let cursor: string | null = "";
  while (cursor !== null) {
    const page: { trips: { trip_id: string }[]; next_cursor: string | null } = await json_of(
      get(`/api/v1/trips?limit=1${cursor === "" ? "" : `&cursor=${cursor}`}`),
    );
    seen.push(...page.trips.map(({ trip_id }) => trip_id));
    cursor = page.next_cursor;
  }
  assert.deepEqual(seen, ["a/1", "c", "b"]);
  await json_of(get("/api/v1/trips?cursor=zz"), 400);
});

database_test("the log is paged by position", async (database) => {
  const { get } = await make_http_side(database);
  await three_trips(database);
  const page = await json_of(get("/api/v1/events?after=1&limit=2"));
  assert.deepEqual([page.position, page.next_after, page.events.length], [4, 3, 2]);
  assert.equal(page.events[0].type, "trip.canceled");
  const end = await json_of(get("/api/v1/events?after=4"));
  assert.deepEqual([end.next_after, end.events], [4, []]);
});

database_test("running totals of an entity have the mobility hub's shape", async (database) => {
  const { get } = await make_http_side(database);
  const totals = { completed: 22, duration_sum_ms: "16090800", duration_count: 22, distance_sum_m: "54254" };
  const driver = { ...ALL_TIME, dimension: "driver", key: "D0413" };
  await put_cell(database, driver, { ...totals, fare_sum_micros: "338085000" });
  await put_cell(database, { ...ALL_TIME, dimension: "driver", key: "D0002" }, { completed: 0, started: 1 });
  assert.deepEqual(await json_of(get("/metrics/driver/D0413")), {
    driver_id: "D0413",
    trip_count: 22,
    avg_duration: 12.19,
    total_distance: 54.25,
    total_revenue: 338.09,
  });
  assert.deepEqual(await json_of(get("/metrics/driver")), { count: 1, keys: ["driver:D0413"], next_after: null });
  const pickup = { dimension: "pickup_h3", key: "881f1d4887fffff" };
  await put_cell(database, { ...ALL_TIME, ...pickup }, { completed: 2, fare_sum_micros: "3000000" });
  assert.deepEqual(await json_of(get("/metrics/h3")), {
    count: 1,
    keys: ["h3:881f1d4887fffff"],
    next_after: null,
  });
  const of_cell = await json_of(get("/metrics/h3/881f1d4887fffff"));
  assert.deepEqual([of_cell.h3, of_cell.trip_count, of_cell.total_revenue], ["881f1d4887fffff", 2, 3]);
  const breakdown = await json_of(get("/api/v1/kpis/breakdown?dimension=pickup_h3"));
  assert.deepEqual(breakdown.rows, [{ key: "881f1d4887fffff", trips: 2, revenue: "3.00" }]);
  await put_cell(database, { grain: "5m", bucket: "2026-03-01T10:00:00Z", ...pickup }, { completed: 1 });
  const hour = "from=2026-03-01T10:00:00Z&to=2026-03-01T11:00:00Z";
  const series = `/api/v1/kpis/series?measure=completed&grain=5m&${hour}&dimension=pickup_h3&key=${pickup.key}`;
  assert.deepEqual((await json_of(get(series))).points, [{ at: "2026-03-01T10:00:00.000000Z", value: 1 }]);
  await json_of(get("/metrics/driver/D9"), 404);
  await json_of(get("/metrics/toString/x"), 404);
  await json_of(get("/metrics/constructor"), 404);
});

database_test(
  "figures of keys lack nothing that was posted to this process, and what else is appended for a moment only",
  async (database) => {
    const counted = new FlakyDatabase(database);
    let appended = 0;
    const { get } = await make_http_side(counted, { appended: () => appended });
    const driver = { ...ALL_TIME, dimension: "driver", key: "D1" };
    /** As a batch does: figures and position together. */
    const complete = (completed: number) =>
      database.transaction(async (tx) => {
        await tx.execute("update log_head set position = position + 1");
        await tx.execute("delete from trip_totals");
        await put_cell(tx, driver, { completed });
      });
    const told =
      async () => [(await json_of(get("/metrics/driver/D1"))).trip_count, (await json_of(get("/metrics/driver"))).keys];
    await complete(1);
    assert.deepEqual(await told(), [1, ["driver:D1"]]);
    await complete(2);
    appended++;
    assert.deepEqual(await told(), [2, ["driver:D1"]], "it was posted here");
    await complete(3);
    await until("what was appended otherwise is told", async () => (await told())[0] === 3);
    const etag = (await get("/metrics/driver/D1")).headers.get("etag") ?? "";
    assert.equal((await get("/metrics/driver/D1", { "if-none-match": etag })).status, 304);
    assert.match(etag, /-3-b1"$/);
  },
);

database_test(
  "who asks for the same figures again and again asks the database some twenty times a second at most",
  async (database) => {
    const counted = new FlakyDatabase(database);
    const { get } = await make_http_side(counted);
    for (const key of ["D1", "D2"]) {
      await put_cell(database, { ...ALL_TIME, dimension: "driver", key }, {
        completed: 1,
      });
    }
    await Promise.all(
      ["/metrics/driver/D1", "/metrics/driver/D2", "/metrics/driver"].map((path) => json_of(get(path))),
    );
    await counted.settled();
    const [before, from_ms] = [counted.queries, performance.now()];
    let answers = 0;
    for (; answers < 300; answers++) {
      await json_of(
        get(["/metrics/driver/D1", "/metrics/driver/D2", "/metrics/driver"][answers % 3]!),
      );
    }
    await counted.settled();
    // Renewed after 25 ms; none is given after 50.
    const allowed = 3 * Math.ceil((performance.now() - from_ms) / 25) + 3;
    const asked = counted.queries - before;
    assert(asked <= allowed && asked < answers, `${asked} times for ${answers} answers, at most ${allowed} expected`);
  },
);

database_test("many who ask for different keys at once share statements", async (database) => {
  const counted = new FlakyDatabase(database);
  const { get } = await make_http_side(counted);
  const keys = Array.from({ length: 60 }, (_, i) => `D"${i}\\,{}`);
  for (const [i, key] of keys.entries()) {
    await put_cell(database, { ...ALL_TIME, dimension: "driver", key }, { completed: i + 1 });
  }
  const answers = await Promise.all(keys.map((key) => json_of(get(`/metrics/driver/${encodeURIComponent(key)}`))));
  assert.deepEqual(
    answers.map(({ driver_id, trip_count }) => [driver_id, trip_count]),
    keys.map((key, i) => [key, i + 1]),
  );
  assert(counted.queries <= 3, `${counted.queries} statements`);
});

database_test("every dimension of places and payments is an entity too, and has pages of keys", async (database) => {
  const { get } = await make_http_side(database);
  for (const entity of ["city", "payment_method", "pickup_zone", "dropoff_zone", "vehicle_type"]) {
    for (const key of ["A/1 ü", "B", "unknown"]) {
      const measures = { completed: 2, duration_sum_ms: "90000", duration_count: 1, fare_sum_micros: "3000000" };
      await put_cell(database, { ...ALL_TIME, dimension: entity, key }, measures);
    }
    const [first, second] = [
      await json_of(get(`/metrics/${entity}?limit=2`)),
      await json_of(get(`/metrics/${entity}?limit=2&after=B`)),
    ];
    assert.deepEqual(first, { count: 3, keys: [`${entity}:A/1 ü`, `${entity}:B`], next_after: "B" });
    assert.deepEqual(second, { count: 3, keys: [`${entity}:unknown`], next_after: null });
    assert.deepEqual(await json_of(get(`/metrics/${entity}/${encodeURIComponent("A/1 ü")}`)), {
      [entity]: "A/1 ü",
      trip_count: 2,
      avg_duration: 1.5,
      total_distance: 0,
      total_revenue: 3,
    });
  }
  await put_cell(database, { ...ALL_TIME, dimension: "city", key: "C" }, { completed: 1 });
  assert.equal((await json_of(get("/metrics/city/C"))).avg_duration, null, "no duration is known");
});

database_test("where events have no coordinates, the ids of h3 may be those of zones", async (database) => {
  const { get } = await make_http_side(database, {
    board: trips_domain({ currency: "USD", metrics_h3: "pickup_zone" }).board,
  });
  await put_cell(database, { ...ALL_TIME, dimension: "pickup_zone", key: "161" }, { completed: 2 });
  assert.deepEqual(await json_of(get("/metrics/h3")), { count: 1, keys: ["h3:161"], next_after: null });
  const { h3, trip_count } = await json_of(get("/metrics/h3/161"));
  assert.deepEqual([h3, trip_count], ["161", 2]);
});

database_test("where pickups are not indexed, nothing is said by H3 cell", async (database) => {
  const dimensions = trips_board.dimensions.filter(({ name }) => name !== "pickup_h3");
  const { get } = await make_http_side(database, { board: { ...trips_board, dimensions } });
  assert.deepEqual(await json_of(get("/metrics/h3")), { count: 0, keys: [], next_after: null });
  assert.match((await json_of(get("/metrics/h3/881f1d4887fffff"), 404)).detail, /not counted by h3/);
  await json_of(get("/api/v1/kpis/breakdown?dimension=pickup_h3"), 400);
});

database_test(
  "an answer carries the log's position as entity tag; whoever has it gets 304 until the log moves",
  async (database) => {
    const { get } = await make_http_side(database);
    const first = await get("/api/v1/kpis/daily?date=2026-03-01");
    const etag = first.headers.get("etag") ?? "";
    assert.match(etag, /^W\/"[0-9a-f-]{36}-0-b1"$/);
    const again = await get("/api/v1/kpis/daily?date=2026-03-01", { "if-none-match": etag });
    assert.deepEqual([again.status, again.headers.get("etag"), await again.text()], [304, etag, ""]);
    await put_trip(database, { trip_id: "t", status: "requested", at: "2026-03-01T10:00:00Z" });
    assert.equal((await get("/api/v1/kpis/daily?date=2026-03-01", { "if-none-match": etag })).status, 200);
  },
);

database_test("what is wrong with a request is said for each parameter", async (database) => {
  const { get } = await make_http_side(database);
  const wrong: readonly (readonly [string, readonly string[]])[] = [
    ["/api/v1/kpis/daily", ["date"]],
    ["/api/v1/kpis/daily?date=2026-02-30", ["date"]],
    ["/api/v1/kpis/series?measure=nope&grain=2m&from=2026-03-01&to=x", ["measure", "grain", "from", "to"]],
    ["/api/v1/kpis/series?measure=trips&grain=1m&from=2026-01-01T00:00:00Z&to=2026-03-01T00:00:00Z", ["grain"]],
    ...[
      ["dimension=pickup_zone", "key"],
      ["key=Z1", "dimension"],
      ["dimension=driver&key=D1&driver=D2", "key"],
      ["driver=D1&not_driver=D2", "not_driver"],
    ].map(([query, fault]) =>
      [
        `/api/v1/kpis/series?measure=trips&grain=1h&from=2026-01-01T00:00:00Z&to=2026-01-01T01:00:00Z&${query}`,
        [fault!],
      ] as const
    ),
    [
      "/api/v1/kpis/series?measure=trips&grain=1h&from=2026-01-01T00:00:00Z&to=2026-02-03T00:00:00Z&driver=D1",
      ["to"],
    ],
    ["/api/v1/kpis/series?measure=toString&grain=1m&from=2026-01-01T00:00:00Z&to=2026-01-01T01:00:00Z", ["measure"]],
    [
      "/api/v1/kpis/series?measure=fare_p95&grain=1h&from=2026-01-01T00:00:00Z&to=2026-01-01T01:00:00Z&pickup_zone=1",
      ["dimension"],
    ],
    [
      "/api/v1/kpis/series?measure=fare_p95&grain=1h&from=2026-01-01T00:00:00Z&to=2026-01-01T01:00:00Z&city=A&city=B",
      ["dimension"],
    ],
    ["/api/v1/kpis/series?measure=fare_p95&grain=15m&from=2026-01-01T00:00:00Z&to=2026-01-01T01:00:00Z", ["grain"]],
    ["/api/v1/kpis/breakdown?dimension=color", ["dimension"]],
    ["/api/v1/kpis/breakdown?dimension=city&from=2026-01-01T00:00:00Z", ["to"]],
    ["/api/v1/trips?limit=0", ["limit"]],
    ["/api/v1/trips?stauts=completed", [""]],
    ["/api/v1/events?after=-1&limit=1e9", ["after", "limit"]],
    ["/api/v1/feed?range=2h&to=yesterday", ["range", "to"]],
  ];
  for (const [path, faults] of wrong) {
    const response = await get(path);
    assert.equal(response.headers.get("content-type"), "application/problem+json", path);
    const problem = await json_of(Promise.resolve(response), 400);
    assert.deepEqual(problem.errors.map((error: { path: string }) => error.path), faults, path);
    assert.equal(problem.status, 400);
  }
});

database_test(
  "a database that is away is a 503 that says when to come back, a statement at fault is a 500",
  async (database) => {
    const flaky = new FlakyDatabase(database), logged: string[] = [];
    const { get } = await make_http_side(flaky, { logger: { log: (_, said) => logged.push(said) } });
    flaky.fault = new DatabaseUnreachable("connect to the database", new Error("ECONNREFUSED"));
    const away = await get("/api/v1/trips");
    assert.deepEqual([away.status, away.headers.get("retry-after")], [503, "5"]);
    assert(!(await away.text()).includes("ECONNREFUSED"), "the inside stays inside");
    assert.deepEqual(logged, [], "who watches the database says it");
    flaky.fault = new Error("a surprise");
    await json_of(get("/api/v1/trips"), 500);
    flaky.fault = null;
    await database.script("alter table trip_cells rename column completed to ended");
    await json_of(get("/api/v1/board?range=1h"), 500);
    assert.deepEqual(logged, ["request failed", "request failed"], "it is no outage when a statement is at fault");
    assert.equal((await get("/livez")).status, 200, "touches nothing");
  },
);
