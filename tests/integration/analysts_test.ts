import assert from "node:assert/strict";
import { type Database, open_database, sqlstate } from "../../src/database/mod.ts";
import { TRIP_DIMENSIONS } from "../../src/domains/trips/trip.ts";
import { days_in, quantile, value_of } from "../../src/kpi/mod.ts";
import { BINS } from "../../src/kpi/contribution.ts";
import { tacho_test } from "../support/available.ts";
import { oracle_board, type OracleFilter } from "../support/oracle/board.ts";
import { local_days } from "../support/oracle/local_day.ts";
import { type Measures, oracle, type TripRow } from "../support/oracle/mod.ts";
import { shared_postgres } from "../support/postgres.ts";
import { database_test } from "../support/read_side.ts";
import { feed, message, migrated, TERMS, TEST_TIME_ZONE, trip_pipeline } from "../support/trip_pipeline.ts";
import guide from "../../docs/analysts.md" with { type: "text" };

/** What analysts read: views, functions and descriptions; held against trips that the oracle folds and adds up. */

const LOCAL_DAY = local_days(TEST_TIME_ZONE);
const READ_MS = Date.UTC(2026, 2, 9, 12);

/** Trips of three days in which the clocks change: of all ends, with unknown fields, corrections, faulty messages, at all hours. */
function made_events(): unknown[] {
  const start_ms = Date.UTC(2026, 2, 6, 20);
  const pick = (i: number, ...values: readonly string[]) => values[i % values.length];
  return Array.from({ length: 400 }, (_, i) => i).flatMap((i) => {
    const at = (minutes: number) =>
      new Date(start_ms + ((i * 7_919) % 3_600) * 60_000 + i % 60 * 1_000 + minutes * 60_000).toISOString();
    const named = {
      trip_id: `T${i}`,
      city: pick(i * 7, "Chicago", "Boston", "Austin"),
      vehicle_type: pick(i * 5 + 1, "suv", "van"),
      pickup_zone: pick(i * 3, "Z1", "Z2", "Z3", "Z4"),
      dropoff_zone: pick(i * 11, "Z1", "Z5", "Z6"),
      driver_id: `D${i * i % 13}`,
      passenger_id: `P${i % 50}`,
      pickup_lat: 41.8 + (i % 5) / 50,
      pickup_lon: -87.6,
    };
    for (const [n, field] of (["city", "vehicle_type", "pickup_zone", "driver_id", "pickup_lat"] as const).entries()) {
      if (i % 17 === n) delete (named as Partial<typeof named>)[field];
    }
    const event = (type: string, minutes: number, fields: object = {}) => ({
      trip_id: named.trip_id,
      event_id: `${type}-${minutes}`,
      type: `trip.${type}`,
      occurred_at: at(minutes),
      ...fields,
    });
    const done = {
      ...(i % 12 === 5 ? {} : { fare: (3 + (i * 37) % 9_000 / 100).toFixed(2) }),
      ...(i % 4 === 0 ? { tip: "1.25" } : {}),
      ...(i % 6 === 1 ? {} : { distance_km: (i % 90) / 7 }),
      ...(i % 5 === 2 ? { duration_min: 12.3456 } : {}),
      payment_method: pick(i * 13, "card", "cash", "wallet"),
    };
    const requested = event("requested", 0, named), started = event("started", 4, named);
    const completed = event("completed", 9 + i % 50, { ...named, ...done });
    if (i % 19 === 3) return [requested, event("canceled", 3, { reason: "rain" })];
    if (i % 19 === 7) return [requested, started];
    if (i % 19 === 8) return [completed];
    if (i % 19 === 15) return [requested, started, completed, event("voided", 300, { reason: "refunded" })];
    if (i % 19 === 16) return [event("voided", 250), ...(i % 2 === 0 ? [event("canceled", 5)] : [])];
    if (i % 19 === 14) return [requested];
    if (i % 19 === 9) return [event("canceled", 2), started, completed];
    if (i % 19 === 11) return [requested, completed, event("fare_adjusted", 200, { fare: "77.77" })];
    if (i % 19 === 12) return [event("fare_adjusted", 200, { fare: "5.00" })];
    if (i % 19 === 13) return [requested, started, event("completed", 8, { fare: "-1" })];
    return [requested, started, completed];
  });
}

interface Asked {
  readonly owner: Database;
  readonly url: string;
  readonly superuser_url: string;
  readonly trips: readonly TripRow[];
}

/** Registers a test on a database with those trips in it. */
function asked_test(name: string, work: (asked: Asked) => Promise<void>): void {
  tacho_test({
    name,
    needs: ["postgres"],
    async fn() {
      const { url, superuser_url } = await (await shared_postgres()).create_database(migrated);
      const owner = await open_database({ url, data_dir: null, connections: 2 });
      try {
        const messages = made_events().map((each, offset) => message(offset, each, READ_MS));
        const batch = { topic: "trips", partition: 0, from_offset: 0, next_offset: messages.length, messages };
        await feed(trip_pipeline(owner, () => READ_MS), [batch]);
        const told = oracle(messages, { currency: "USD", time_zone: TEST_TIME_ZONE, ...TERMS, read_ms: READ_MS });
        await work({ owner, url, superuser_url, trips: [...told.trips.values()] });
      } finally {
        await owner.close();
      }
    },
  });
}

/** The rows of a query, as JSON has them. */
async function rows_of(database: Database, query: string): Promise<Record<string, unknown>[]> {
  return (await database.query<{ row: string }>(`select to_json(q)::text as row from (${query}) q`))
    .map(({ row }) => JSON.parse(row));
}

const STRETCH = { from_s: Date.UTC(2026, 2, 6) / 1000, to_s: Date.UTC(2026, 2, 11) / 1000 };
const only = (dimension: string, key: string): OracleFilter => [{ dimension, keys: [key], excluded: false }];
/** Micros, metres and milliseconds in the units of the views. */
const unit = (value: bigint | null, per: number): number | null => value === null ? null : Number(value) / per;
/** A quotient of integers, rounded half up to some decimals. */
function quotient(above: bigint, below: bigint, decimals: number): number | null {
  if (below === 0n) return null;
  const scale = 10n ** BigInt(decimals);
  return Number((2n * above * scale + below) / (2n * below)) / Number(scale);
}
const minutes = (sum_ms: number, count: number) =>
  count === 0 ? null : quotient(BigInt(sum_ms), 60_000n * BigInt(count), 6);
const rounded = (value: number | null) =>
  value === null ? null : quotient(BigInt(Math.round(value * 1e6)), 1_000_000n, 2);
const iso = (seconds: number): string => new Date(seconds * 1000).toISOString().replace(".000Z", "+00:00");
const local = (us: number) => new Date(us / 1000).toLocaleString("sv", { timeZone: TEST_TIME_ZONE }).replace(" ", "T");

const ADDED =
  "sum(trips) as trips, sum(requested) as requested, sum(started) as started, sum(completed) as completed, " +
  "sum(canceled) as canceled, sum(voided) as voided, sum(voids_waiting) as voids_waiting, sum(conflicts) as conflicts, sum(revenue) as revenue, sum(fare_count) as fare_count, " +
  "min(min_fare) as min_fare, max(max_fare) as max_fare, sum(tips) as tips, sum(distance_km) as distance_km, " +
  "sum(distance_count) as distance_count, round(sum(duration_min) * 60000) as duration_ms, sum(duration_count) as duration_count, " +
  "round(sum(waiting_min) * 60000) as waiting_ms, sum(waiting_count) as waiting_count";

function told({ fare_sum_micros, tip_sum_micros, distance_sum_m, duration_sum_ms, waiting_sum_ms, ...cell }: Measures) {
  return {
    trips: Number(cell.trips),
    requested: Number(cell.requested),
    started: Number(cell.started),
    completed: Number(cell.completed),
    canceled: Number(cell.canceled),
    voided: Number(cell.voided),
    voids_waiting: Number(cell.voids_waiting),
    conflicts: Number(cell.conflicts),
    revenue: unit(fare_sum_micros, 1e6),
    fare_count: Number(cell.fare_count),
    min_fare: unit(cell.fare_min_micros, 1e6),
    max_fare: unit(cell.fare_max_micros, 1e6),
    tips: unit(tip_sum_micros, 1e6),
    distance_km: unit(distance_sum_m, 1e3),
    distance_count: Number(cell.distance_count),
    duration_ms: Number(duration_sum_ms),
    duration_count: Number(cell.duration_count),
    waiting_ms: Number(waiting_sum_ms),
    waiting_count: Number(cell.waiting_count),
  };
}

const VIEWS = [["kpis_5m", "5m"], ["kpis_hourly", "1h"], ["kpis_daily", "1d"]] as const;

asked_test(
  "whatever a query of the views filters and adds up, each trip counts once in each bucket",
  async ({ owner, trips }) => {
    const filters: readonly (readonly [string, OracleFilter])[] = [
      ["true", []],
      ["city = 'Chicago'", only("city", "Chicago")],
      ["city = 'unknown'", only("city", "unknown")],
      ["payment_method = 'card' and city <> 'Boston'", [
        ...only("payment_method", "card"),
        { dimension: "city", keys: ["Boston"], excluded: true },
      ]],
      ["pickup_zone = 'Z1' and dropoff_zone = 'Z5'", [...only("pickup_zone", "Z1"), ...only("dropoff_zone", "Z5")]],
      ["vehicle_type = 'van'", only("vehicle_type", "van")],
      ...["completed", "canceled", "in_progress", "requested", "voided"].map((status) =>
        [`status = '${status}'`, only("status", status)] as const
      ),
    ];
    for (const [view, grain] of VIEWS) {
      for (const [where, filter] of filters) {
        const { buckets, totals } = oracle_board(trips, filter, STRETCH, grain, LOCAL_DAY);
        assert.deepEqual(await rows_of(owner, `select ${ADDED} from ${view} where ${where}`), [told(totals)], where);
        const by_time = await rows_of(
          owner,
          `select starts_at, ${ADDED} from ${view} where ${where} group by starts_at order by starts_at`,
        );
        const expected = [...buckets].map(([t, cell]) => ({ starts_at: iso(t), ...told(cell) }));
        assert.deepEqual(by_time, expected, `${view} where ${where}`);
      }
      const [{ days, moments } = {}] = await rows_of(
        owner,
        `select bool_and(day = local_time::date) as days, bool_and(starts_at at time zone '${TEST_TIME_ZONE}' = local_time) as moments from ${view}`,
      );
      assert.deepEqual([days, moments], [true, true], view);
    }
    for (const [key, driver] of [["driver_id", "driver"], ["passenger_id", "passenger"]] as const) {
      const facts = await rows_of(
        owner,
        `select ${key} as key, sum(completed) as completed, coalesce(sum(revenue), 0) as revenue from trip_facts group by 1`,
      );
      for (const { key, ...figures } of facts) {
        const { totals } = oracle_board(trips, only(driver, String(key)), STRETCH, "1d", LOCAL_DAY);
        const { completed, revenue } = told(totals);
        assert.deepEqual(figures, { completed, revenue });
      }
      assert(facts.length > 5);
    }
  },
);

asked_test(
  "queries that add up wrongly over cells cannot be asked of the views, or are right there",
  async ({ owner, trips }) => {
    const { totals } = oracle_board(trips, [], STRETCH, "1d", LOCAL_DAY);
    const whole = told(totals);
    // Forgetting grain and dimension.
    const [cells] = await rows_of(owner, "select sum(completed) as completed from trip_cells");
    assert(Number(cells!.completed) > 10 * whole.completed, "what the views are for");
    const right = [
      ...VIEWS.map(([view]) => `select sum(completed) as completed, sum(revenue) as revenue from ${view}`),
      ...VIEWS.map(([view]) =>
        `select sum(completed) as completed, sum(revenue) as revenue from (select city, vehicle_type, sum(completed) as completed, sum(revenue) as revenue from ${view} group by 1, 2) q`
      ),
      "select sum(completed) as completed, sum(revenue) as revenue from kpis_by()",
      ...["none", "city", "pickup_zone", "pickup_h3", "status", "payment_method"].map((dimension) =>
        `select sum(completed) as completed, sum(revenue) as revenue from kpis_by('${dimension}', '5m')`
      ),
      "select count(*) as completed, sum(fare) as revenue from trips_view where status = 'completed'",
      "select count(completed_at) as completed, sum(fare) as revenue from trips_view where status <> 'voided'",
    ];
    for (const query of right) {
      assert.deepEqual(await rows_of(owner, query), [{ completed: whole.completed, revenue: whole.revenue }], query);
    }
    assert(whole.voided > 10 && whole.voids_waiting > 0 && whole.canceled > 10 && whole.conflicts > 10);
    const counted = await rows_of(
      owner,
      "select sum(fare) as revenue, sum(tip) as tips, sum(distance_km) as distance_km, count(distance_km) as distance_count, " +
        "round(sum(duration_min) * 60000) as duration_ms, count(duration_min) as duration_count, " +
        "round(sum(waiting_min) * 60000) as waiting_ms, count(waiting_min) as waiting_count from trips_view",
    );
    const { revenue, tips, distance_km, distance_count, duration_ms, duration_count, waiting_ms, waiting_count } =
      whole;
    const expected = {
      ...{ revenue, tips, distance_km, distance_count, duration_ms, duration_count, waiting_ms, waiting_count },
    };
    assert(waiting_count > 100 && waiting_count < whole.started);
    assert.deepEqual(counted, [expected], "of all trips, whatever became of them");
    // Nothing but a bucket of time is a bucket; nothing is called all.
    for (const [view] of VIEWS) {
      const [odd] = await rows_of(
        owner,
        `select count(*) as odd from ${view} v where starts_at < '2026-01-01' or to_jsonb(v) @? '$.* ? (@ == "all")'`,
      );
      assert.equal(odd!.odd, 0, view);
    }
    for (
      const wrong of [
        "select avg(average_fare) from kpis_daily",
        "select * from kpis_by('driver', '5m')",
        "select * from kpis_by('pickup_zone', '1m')",
        "select * from kpis_by('city', 'all')",
        "select * from kpis_by('colour')",
        "select * from kpis_by(null)",
        "select * from kpis_by('city', null)",
      ]
    ) {
      await assert.rejects(owner.query(wrong), (error) => ["22023", "42703"].includes(sqlstate(error) ?? ""), wrong);
    }
  },
);

asked_test("figures by one dimension are the cells' own, percentiles among them", async ({ owner }) => {
  for (const { name, grains } of TRIP_DIMENSIONS) {
    for (const grain of ["1m", "5m", "1h", "1d"] as const) {
      const query = owner.query(`select * from kpis_by('${name}', '${grain}') where revenue >= 0`);
      if (!(grains as readonly string[]).includes(grain)) {
        await assert.rejects(query, (error) => sqlstate(error) === "22023", `${name} ${grain}`);
        continue;
      }
      assert((await query).length > 0, `${name} ${grain}`);
    }
  }
  const bins = new Map<string, [number, number][]>();
  for (
    const row of await owner.query<{ bucket: Date; key: string; sketch: string; bins: number[]; counts: number[] }>(
      "select extract(epoch from bucket)::text || key as key, sketch, bins::integer[] as bins, counts from trip_sketches where grain = '1d' and dimension = 'city'",
    )
  ) bins.set(`${row.sketch} ${row.key}`, row.bins.map((bin, i) => [bin, row.counts[i]!]));
  const cities = await owner.query<Record<string, string | null>>(
    "select extract(epoch from starts_at)::text || key as name, * from kpis_by('city', '1d') order by starts_at, key",
  );
  assert(cities.length >= 12);
  for (const { name, ...row } of cities) {
    for (
      const [q, fare, duration] of [[0.5, "fare_p50", "duration_p50_min"], [
        0.95,
        "fare_p95",
        "duration_p95_min",
      ]] as const
    ) {
      const fares = quantile(bins.get(`fare_micros ${name}`) ?? [], q),
        times = quantile(bins.get(`duration_ms ${name}`) ?? [], q);
      const [least, most] = [Number(row.min_fare) * 1e6, Number(row.max_fare) * 1e6];
      assert.equal(Number(row[fare]), Math.round(Math.min(Math.max(fares!, least), most)) / 1e6, `${fare} of ${name}`);
      assert.equal(
        row[duration] === null ? null : Number(row[duration]),
        times === null ? null : Math.round(times / 60_000 * 1e6) / 1e6,
      );
    }
  }
  const waited = await owner.query<Record<string, string | null>>(
    "select extract(epoch from starts_at)::text || key as name, * from waiting_by('city', '1d')",
  );
  assert(waited.some(({ waiting_count }) => Number(waiting_count) > 0));
  for (const { name, ...row } of waited) {
    const [sum, count] = [Math.round(Number(row.waiting_min) * 60_000), Number(row.waiting_count)];
    assert.equal(row.average_waiting_min === null ? null : Number(row.average_waiting_min), minutes(sum, count));
    for (const [q, column] of [[0.5, "waiting_p50_min"], [0.95, "waiting_p95_min"]] as const) {
      const times = quantile(bins.get(`waiting_ms ${name}`) ?? [], q);
      assert.equal(
        row[column] === null ? null : Number(row[column]),
        times === null ? null : Math.round(times / 60_000 * 1e6) / 1e6,
      );
    }
  }
  await assert.rejects(owner.query("select * from waiting_by('driver')"), (error) => sqlstate(error) === "22023");
  // It is a range of the cells' index, and sketches that nobody asks for are not read.
  const plan = await owner.transaction(async (tx) => {
    await tx.execute("set local enable_seqscan = off");
    const lines = await tx.query<Record<string, string>>(
      "explain (costs off) select revenue from kpis_by('city', '5m') where starts_at >= '2026-03-08' and key = 'Boston'",
    );
    return lines.map((line) => line["QUERY PLAN"]).join("\n");
  });
  assert.match(plan, /Index Cond: .*grain.*dimension.*bucket/);
  assert.doesNotMatch(plan, /trip_sketches/);
  const [zone] = await owner.query(
    "select count(*) as rows, count(fare_p50) as known from kpis_by('pickup_zone', '1d')",
  );
  assert(Number(zone!.rows) > 0 && Number(zone!.known) === 0, "no sketches are kept by zones");
});

database_test(
  "days begin where the program's do, in zones whose clocks change at any hour, and hours are local ones",
  async (database) => {
    const zones: readonly (readonly [string, string])[] = [
      ["America/New_York", "2026-03-08"],
      ["America/New_York", "2026-11-01"],
      ["America/Havana", "2024-03-10"],
      ["America/Havana", "2024-11-03"],
      ["America/Santiago", "2024-04-07"],
      ["America/Santiago", "2024-09-08"],
      ["Asia/Beirut", "2024-03-31"],
      ["Asia/Beirut", "2024-10-27"],
      ["Atlantic/Azores", "2024-10-27"],
      ["Asia/Kolkata", "2024-05-01"],
      ["Australia/Lord_Howe", "2024-04-07"],
      ["Pacific/Apia", "2011-12-31"],
      ["UTC", "2024-05-01"],
    ];
    for (const [zone, date] of zones) {
      const days = days_in(zone), around_us = Date.parse(`${date}T00:00:00Z`) * 1000;
      const times = Array.from({ length: 4 * 24 * 4 }, (_, i) => around_us + (i - 192) * 900e6 + 1e6);
      const undone = new Error("undone");
      await assert.rejects(
        database.transaction(async (tx) => {
          await tx.query("update log_head set time_zone = $1, currency = 'USD'", [zone]);
          await tx.query(
            `insert into trips (trip_id, revision, status, started_at, last_occurred_at, last_event_id, positions, event_hashes)
           select i::text, 1, 'in_progress', to_timestamp(us / 1000000), to_timestamp(us / 1000000), 'e', array[i], array[i]
           from unnest($1::bigint[]) with ordinality u (us, i)`,
            [`{${times.join(",")}}`],
          );
          const rows = await tx.query<{ at_us: string; day_us: string; name: string; hour: boolean }>(
            `with hours as materialized (select starts_at, local_time from kpis_hourly where started > 0), daily as materialized (select * from kpis_daily)
           select (extract(epoch from f.at) * 1000000)::bigint as at_us, (extract(epoch from d.starts_at) * 1000000)::bigint as day_us,
             d.day::text as name, exists (
               select from hours h where h.starts_at <= f.at and f.at < h.starts_at + interval '1 hour'
                 and extract(minute from h.local_time) = 0
             ) as hour
           from trip_facts f join daily d on d.day = (f.at at time zone $1)::date`,
            [zone],
          );
          assert.equal(rows.length, times.length);
          for (const { at_us, day_us, name, hour } of rows) {
            const at = `${zone} ${new Date(Number(at_us) / 1000).toISOString()}`;
            assert.equal(Number(day_us), days.day_of(Number(at_us)).start_us, at);
            assert.equal(name, local_days(zone)(Number(at_us)).date, at);
            assert(hour || zone === "Australia/Lord_Howe", at);
          }
          throw undone;
        }),
        (error) => error === undone,
        `${zone} ${date}`,
      );
    }
  },
);

database_test("SQL tells quantiles of sketches as the program does, bin by bin", async (database) => {
  const values = await database.query<{ value: string }>(
    `select sketch_value(bin)::text as value from generate_series(0, ${BINS - 1}) bin order by bin`,
  );
  assert.equal(values.length, BINS);
  // The program's is the nearest double of it, give or take one.
  for (const [bin, { value }] of values.entries()) {
    assert(Math.abs(Number(value) - value_of(bin)) <= Number.EPSILON * value_of(bin), `bin ${bin}: ${value}`);
  }
  for (
    const [bins, q] of [
      [[[3, 1], [5, 98], [9, 1]], 0.99],
      [[[0, 100]], 0.5],
      [[[1, 55], [2, 45]], 0.55],
      [[[7, 1]], 0],
      [[[7, 1], [8, 1]], 1],
    ] as const
  ) {
    const [found] = await database.query(
      `select quantile('{${bins.map(([bin]) => bin)}}', '{${bins.map(([, count]) => count)}}', ${q})::float8 as value`,
    );
    assert.equal(Number(found!.value), quantile(bins, q));
  }
  const [none] = await database.query("select quantile('{}', '{}', 0.5) as value");
  assert.equal(none!.value, null);
}, { both: true });

database_test("every table, column, view and function says what it is", async (database) => {
  const silent = await database.query<{ name: string }>(
    `select c.relname || coalesce('.' || a.attname, '') as name
     from pg_class c left join lateral (
       select attname, attnum from pg_attribute where attrelid = c.oid and attnum > 0 and not attisdropped union all select null, 0
     ) a on true
     where relnamespace = current_schema()::regnamespace and relkind in ('r', 'p', 'v', 'm') and not relispartition
       and coalesce(case attnum when 0 then obj_description(c.oid, 'pg_class') else col_description(c.oid, attnum) end, '') = ''
     union all
     select proname || '()' from pg_proc where pronamespace = current_schema()::regnamespace and coalesce(obj_description(oid, 'pg_proc'), '') = ''
     order by 1`,
  );
  assert.deepEqual(silent.map(({ name }) => name), []);
}, { both: true });

asked_test(
  "a role that reads reads everything, what comes later too, and changes nothing",
  async ({ owner, url, superuser_url }) => {
    const superuser = await open_database({ url: superuser_url, data_dir: null, connections: 1 });
    // A name that has to be quoted.
    const role = `Reader-${new URL(url).pathname.slice(1)}`;
    await superuser.script(`create role "${role}" login`);
    await owner.query("select grant_to_reader($1)", [role]);
    await owner.script("create table later (n integer); create view later_view as select n from later");
    await owner.query("select ensure_events_partition(7)");
    const reader = await open_database({
      url: url.replace("tacho@", `${encodeURIComponent(role)}@`),
      data_dir: null,
      connections: 1,
    });
    try {
      const relations = await reader.query<{ name: string; kind: string }>(
        "select relname as name, relkind::text as kind from pg_class where relnamespace = current_schema()::regnamespace and relkind in ('r', 'p', 'v') and not relispartition",
      );
      assert(relations.length >= 15);
      for (const { name } of relations) {
        if (name !== "persons") await reader.query(`select * from ${name} limit 1`);
      }
      // Whose alias is whose is not for who reads.
      await assert.rejects(reader.query("select * from persons"), (error) => sqlstate(error) === "42501");
      await reader.query("select * from kpis_by('city', '1d')");
      await reader.query("select quantile(bins, counts, 0.5) from trip_sketches");
      const writes = relations.flatMap(({ name }) => [`delete from ${name}`, `insert into ${name} default values`]);
      for (
        const statement of [
          ...writes,
          "truncate trips",
          "create table mine ()",
          "select ensure_events_partition(8)",
          `select grant_to_program('${role}')`,
        ]
      ) {
        await assert.rejects(
          reader.query(statement),
          (error) => ["42501", "0A000", "55000"].includes(sqlstate(error) ?? ""),
          statement,
        );
      }
    } finally {
      await reader.close();
      await owner.script("drop view later_view; drop table later");
      await superuser.script(`drop owned by "${role}"; drop role "${role}"`);
      await superuser.close();
    }
  },
);

type Truth = (trips: readonly TripRow[]) => Record<string, unknown>[];
const in_buckets = (trips: readonly TripRow[], filter: OracleFilter, grain: "5m" | "1d") =>
  [...oracle_board(trips, filter, STRETCH, grain, LOCAL_DAY).buckets].map(([t, cell]) => ({
    t,
    day: LOCAL_DAY(t * 1e6).date,
    cell,
  }));
const is_completed = ({ status }: TripRow) => status === "completed";
const name_of = (value: string | null) => value ?? "unknown";
const sum_of = (trips: readonly TripRow[], column: "fare_micros" | "distance_m") =>
  trips.reduce((sum, trip) => sum + (trip[column] ?? 0n), 0n);
const with_fare = (trips: readonly TripRow[]) => BigInt(trips.filter(({ fare_micros }) => fare_micros !== null).length);
/** Lists, by what precedes in each; null is last. */
const ordered = <T>(list: readonly T[], ...keys: ((each: T) => string | number | null)[]): T[] =>
  [...list].sort((a, b) => {
    for (const key of keys) {
      const [x, y] = [key(a), key(b)];
      if (x === y) continue;
      return x === null || (y !== null && x > y) ? 1 : -1;
    }
    return 0;
  });
const grouped = (trips: readonly TripRow[], key: (trip: TripRow) => readonly (string | null)[]) =>
  [...Map.groupBy(trips, (trip) => JSON.stringify(key(trip)))].map(([name, trips]) =>
    [JSON.parse(name) as (string | null)[], trips] as const
  );
function percentile(trips: readonly TripRow[], q: number): number {
  const fares = trips.flatMap(({ fare_micros }) => fare_micros === null ? [] : [Number(fare_micros)]).sort((a, b) =>
    a - b
  );
  return fares[Math.max(Math.ceil(Math.round(q * 1e4) * fares.length / 1e4), 1) - 1]! / 1e6;
}

/** What each example of the guide has to answer, by the words before its colon. */
const ANSWERS: Readonly<Record<string, Truth>> = {
  "by day: completed trips, revenue and average fare": (trips) =>
    in_buckets(trips, [], "1d").map(({ day, cell }) => ({
      day,
      completed: Number(cell.completed),
      revenue: unit(cell.fare_sum_micros, 1e6),
      average_fare: quotient(cell.fare_sum_micros, cell.fare_count * 1_000_000n, 2),
    })),
  "one city by day, and how many of its trips were canceled": (trips) =>
    in_buckets(trips, only("city", "Chicago"), "1d").map(({ day, cell }) => ({
      day,
      city: "Chicago",
      revenue: unit(cell.fare_sum_micros, 1e6),
      canceled_percent: quotient(100n * cell.canceled, cell.completed + cell.canceled, 1),
    })),
  "cities by payment method, with the greatest fare": (trips) => {
    const days = new Set(["2026-03-06", "2026-03-07", "2026-03-08"]);
    const counted = trips.filter((trip) => is_completed(trip) && days.has(LOCAL_DAY(trip.completed_at!).date));
    const rows = grouped(counted, (trip) => [name_of(trip.city), name_of(trip.payment_method)]).map((
      [[city, payment_method], own],
    ) => ({
      city: city!,
      payment_method: payment_method!,
      completed: own.length,
      revenue: unit(sum_of(own, "fare_micros"), 1e6),
      max_fare: Math.max(...own.map(({ fare_micros }) => Number(fare_micros ?? 0n))) / 1e6,
    }));
    return ordered(rows, (row) => row.city, (row) => row.payment_method);
  },
  "how long was waited for a start, by zone of the pickup"(trips) {
    const zones = [...new Set(trips.map(({ pickup_zone }) => name_of(pickup_zone)))];
    const rows = zones.flatMap((zone) =>
      in_buckets(trips, only("pickup_zone", zone), "1d").filter(({ cell }) => cell.started > 0n).map((
        { day, cell },
      ) => ({
        day,
        pickup_zone: zone,
        started: Number(cell.started),
        average_waiting_min: rounded(minutes(Number(cell.waiting_sum_ms), Number(cell.waiting_count))),
      }))
    );
    return ordered(rows, (row) => row.day, (row) => row.pickup_zone);
  },
  "by hour of the day, for a heat map with the weekday (1 is Monday)": (trips) => {
    const started = trips.filter(({ started_at, status }) => started_at !== null && status !== "voided");
    const rows = grouped(started, ({ started_at }) => {
      const at = Temporal.Instant.fromEpochMilliseconds(Math.floor(started_at! / 1000)).toZonedDateTimeISO(
        TEST_TIME_ZONE,
      );
      return [String(at.dayOfWeek), String(at.hour)];
    }).map(([[weekday, hour], own]) => ({ weekday: Number(weekday), hour: Number(hour), started: own.length }));
    return ordered(rows, (row) => row.weekday, (row) => row.hour);
  },
  "the five minutes with the most completions, from one pickup zone": (trips) =>
    ordered(in_buckets(trips, only("pickup_zone", "Z1"), "5m"), ({ cell }) => -Number(cell.completed), ({ t }) => t)
      .slice(0, 3)
      .map(({ t, cell }) => ({ starts_at: iso(t), completed: Number(cell.completed) })),
  "one driver by five minutes": (trips) =>
    in_buckets(trips, only("driver", "D1"), "5m")
      .filter(({ t, cell }) =>
        t >= Date.UTC(2026, 2, 8) / 1000 && t < Date.UTC(2026, 2, 9) / 1000 && cell.completed > 0n
      )
      .map(({ t, cell }) => ({
        starts_at: iso(t),
        completed: Number(cell.completed),
        revenue: cell.fare_count === 0n ? null : unit(cell.fare_sum_micros, 1e6),
        average_min: quotient(cell.duration_sum_ms, cell.duration_count * 60_000n, 2),
      })),
  "the drivers with the most revenue": (trips) => {
    const rows = grouped(trips.filter(is_completed), (trip) => [name_of(trip.driver_id)]).map(([[driver_id], own]) => ({
      driver_id: driver_id!,
      trips: own.length,
      revenue: unit(sum_of(own, "fare_micros"), 1e6)!,
      km: quotient(sum_of(own, "distance_m"), 1000n, 1),
    }));
    return ordered(rows, (row) => -row.revenue, (row) => row.driver_id).slice(0, 5);
  },
  "exact percentiles of fares by vehicle type": (trips) => {
    const rows = grouped(
      trips.filter((trip) => is_completed(trip) && trip.fare_micros !== null),
      (trip) => [trip.vehicle_type],
    )
      .map(([[vehicle_type], own]) => ({
        vehicle_type: vehicle_type!,
        fares: [percentile(own, 0.5), percentile(own, 0.95)],
      }));
    return ordered(rows, (row) => row.vehicle_type);
  },
  "pairs of zones": (trips) => {
    const counted = trips.filter((trip) =>
      is_completed(trip) && trip.pickup_zone !== null && trip.dropoff_zone !== null
    );
    const rows = grouped(counted, (trip) => [trip.pickup_zone, trip.dropoff_zone]).map((
      [[pickup_zone, dropoff_zone], own],
    ) => ({
      pickup_zone: pickup_zone!,
      dropoff_zone: dropoff_zone!,
      completed: own.length,
      average_fare: quotient(sum_of(own, "fare_micros"), with_fare(own) * 1_000_000n, 2),
    }));
    return ordered(rows, (row) => -row.completed, (row) => row.pickup_zone, (row) => row.dropoff_zone).slice(0, 10);
  },
  "completed trips without a fare, and those whose duration nobody knows": (trips) => [{
    without_fare: trips.filter((trip) => is_completed(trip) && trip.fare_micros === null).length,
    without_duration: trips.filter((trip) => is_completed(trip) && trip.duration_ms === null).length,
  }],
  "trips of a night, on local clocks": (trips) => {
    const rows = trips.flatMap((trip) => {
      if (trip.completed_at === null) return [];
      const completed_local = local(trip.completed_at);
      if (completed_local < "2026-03-07T20:00" || completed_local >= "2026-03-08T04:00") return [];
      return [trip];
    });
    return ordered(rows, (trip) => trip.completed_at, (trip) => trip.trip_id).map((trip) => ({
      trip_id: trip.trip_id,
      started_local: trip.started_at === null ? null : local(trip.started_at),
      completed_local: local(trip.completed_at!),
      fare: unit(trip.fare_micros, 1e6),
    }));
  },
};

/** Examples whose answers are only near what is exact: each is held by itself. */
const NEAR: Readonly<Record<string, (rows: readonly Record<string, unknown>[], trips: readonly TripRow[]) => void>> = {
  "cities as the board has them, with averages and percentiles (these at most 2 % off)"(rows, trips) {
    const completed = trips.filter(is_completed);
    for (const row of rows) {
      const own = completed.filter((trip) =>
        name_of(trip.city) === row.city && LOCAL_DAY(trip.completed_at!).date === row.day
      );
      assert.equal(row.completed, own.length);
      assert.equal(row.revenue, unit(sum_of(own, "fare_micros"), 1e6));
      assert.equal(row.average_fare, quotient(sum_of(own, "fare_micros"), with_fare(own) * 1_000_000n, 6));
      assert(Math.abs(Number(row.fare_p95) / percentile(own, 0.95) - 1) <= 0.0200001, JSON.stringify(row));
    }
    assert(rows.length >= 12);
  },
  "the 95th percentile of several days together"([row], trips) {
    assert(Math.abs(Number(row!.fare_p95) / percentile(trips.filter(is_completed), 0.95) - 1) <= 0.021);
  },
  "what was set aside, and why"(rows, trips) {
    assert.equal(rows.length, 1);
    assert(Number(rows[0]!.messages) > 10 && trips.length > 10);
    assert.match(String(rows[0]!.reason), /fare|amount|invalid/);
  },
};

asked_test("every example of the guide for analysts runs, and answers what the trips say", async ({ owner, trips }) => {
  const examples = [...guide.matchAll(/```sql\n-- ([^\n]+)\n(.*?);\n```/gs)].map(([, title, query]) =>
    [title!, query!] as const
  );
  assert.equal(examples.length, [...guide.matchAll(/```sql/g)].length, "each begins with a line that says what it is");
  const asked = examples.map(([title]) => title);
  const known = [...Object.keys(ANSWERS), ...Object.keys(NEAR)];
  for (const [title, query] of examples) {
    const rows = await rows_of(owner, query);
    assert(rows.length > 0, title);
    const name = known.find((each) => title.startsWith(each));
    assert(name !== undefined, `no answer is known to ${JSON.stringify(title)}`);
    if (name in NEAR) NEAR[name]!(rows, trips);
    else assert.deepEqual(rows, ANSWERS[name]!(trips), title);
  }
  assert.deepEqual(known.filter((name) => !asked.some((title) => title.startsWith(name))), []);
});
