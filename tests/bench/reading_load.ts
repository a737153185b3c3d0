import { migrate, migrations_of, open_database } from "../../src/database/mod.ts";
import { trips_domain } from "../../src/domains/trips/mod.ts";
import { settle_deployment } from "../../src/event_log/mod.ts";

/**
 * Fills a database with trips by SQL, as a log that grew has them: a start and a completion each (3 % canceled), events in order of arrival
 * with some disorder of event time, no request ever (`requested_at` is null in all rows), skewed drivers, zones and cities, the last ones
 * under way; cells and sketches of the grains that ranges are read by, quarantined messages.
 */

/** Where the load lies in event time. */
export const DAYS_LOADED = 60;
export const FIRST_MS = Date.UTC(2026, 0, 1);
export const LAST_MS = FIRST_MS + DAYS_LOADED * 86_400_000;

/** A trip is completed when as many others as begin in a quarter of an hour have begun. */
const under_way = (trips: number): number => Math.ceil(trips * 900 / (DAYS_LOADED * 86_400));
const PIECE = 250_000;
const HELD = 200_000;
const BATCH_EVENTS = 5_000;

/** Trips from..to of all: what they are, then a row of `trips` and two of `events` each. */
const piece = (from: number, to: number, trips: number): string => {
  const gap_s = DAYS_LOADED * 86_400 / trips, open = under_way(trips);
  // Starts and ends alternate once so many trips are under way.
  const start = `n + greatest(n - 1 - ${open}, 0)`, end = `case when n <= ${trips - open} then 2 * n + ${open} end`;
  const chosen = (...words: string[]) => `(array[${words.map((word) => `'${word}'`).join(",")}])`;
  return `
drop table if exists piece;
create unlogged table piece as
select n, ${start} as start_at, ${end} as end_at, started_at, ended_at, canceled,
  'D' || lpad((r1 ^ 3 * 10000)::int::text, 5, '0') as driver_id, 'P' || (r2 * 200000)::int as passenger_id,
  'Z' || (r1 * r3 * 260)::int as pickup_zone, 'Z' || (r3 ^ 2 * 260)::int as dropoff_zone,
  ${
    chosen("New York", "Chicago", "Boston", "Dallas", "Denver", "Miami", "Austin", "Seattle", "Portland", "Houston")
  }[1 + (r4 ^ 2 * 9.99)::int % 10] as city,
  ${chosen("economy", "comfort", "SUV", "van")}[1 + (r3 * 3.99)::int % 4] as vehicle_type,
  ${chosen("card", "cash", "wallet", "voucher")}[1 + (r2 * r4 * 3.99)::int % 4] as payment_method,
  (r2 * 60e6)::bigint + 3000000 as fare, (r4 * 5e6)::bigint as tip, (r3 * 20000)::bigint as metres
from (
  select n, timestamptz 'epoch' + interval '1 ms' * (${FIRST_MS} + 1000.0 * ${gap_s} * (n - 2 * random())) as started_at,
    timestamptz 'epoch' + interval '1 ms' * (${FIRST_MS} + 1000.0 * ${gap_s} * (n + ${open} - ${
    open / 9
  } * random())) as ended_at,
    random() < 0.03 as canceled, random() as r1, random() as r2, random() as r3, random() as r4
  from generate_series(${from}, ${to}) n offset 0
) drawn;
insert into trips (trip_id, revision, status, started_at, completed_at, canceled_at, driver_id, passenger_id, vehicle_type, city,
  payment_method, pickup_zone, dropoff_zone, completion_fare_micros, fare_micros, tip_micros, distance_m, duration_ms,
  last_occurred_at, last_event_id, positions, event_hashes)
select 'T' || n, case when end_at is null then 1 else 2 end,
  case when end_at is null then 'in_progress' when canceled then 'canceled' else 'completed' end,
  started_at, case when end_at is not null and not canceled then ended_at end, case when end_at is not null and canceled then ended_at end,
  driver_id, passenger_id, vehicle_type, city, case when end_at is not null and not canceled then payment_method end, pickup_zone, dropoff_zone,
  fare, fare, tip, metres, duration, case when end_at is null then started_at else ended_at end,
  case when end_at is null then 's' else 'e' end || n,
  case when end_at is null then array[start_at] else array[start_at, end_at] end,
  case when end_at is null then array[n] else array[n, -n] end
from (
  select n, start_at, end_at, started_at, ended_at, canceled, driver_id, passenger_id, vehicle_type, city, payment_method, pickup_zone,
    dropoff_zone, case when done then fare end as fare, case when done then tip end as tip, case when done then metres end as metres,
    case when done then (extract(epoch from ended_at - started_at) * 1000)::bigint end as duration
  from (select *, end_at is not null and not canceled as done from piece) p
) p order by coalesce(end_at, start_at);
insert into events (position, stream_id, revision, event_id, type, schema_version, occurred_at, recorded_at, data, metadata)
select start_at, 'T' || n, 1, 's' || n, 'trip.started', 1, started_at, started_at + interval '2 s',
  jsonb_build_object('driver_id', driver_id, 'passenger_id', passenger_id, 'vehicle_type', vehicle_type, 'city', city,
    'pickup_zone', pickup_zone, 'dropoff_zone', dropoff_zone),
  jsonb_build_object('topic', 'trips', 'partition', 0, 'offset', start_at - 1)
from piece
union all
select end_at, 'T' || n, 2, 'e' || n, case when canceled then 'trip.canceled' else 'trip.completed' end, 1, ended_at,
  ended_at + interval '2 s', case when canceled then '{}' else jsonb_build_object('fare', (fare / 1e6)::numeric(12, 6)::text,
    'tip', (tip / 1e6)::numeric(12, 6)::text, 'distance_km', metres / 1000.0, 'payment_method', payment_method) end,
  jsonb_build_object('topic', 'trips', 'partition', 0, 'offset', end_at - 1)
from piece where end_at is not null
order by 1;`;
};

/** Batches of the whole log, and its head. */
const bookkeeping = (events: number): string => `
insert into batches (batch, kind, first_position, last_position, messages_read, admitted, duplicates, quarantined, late, cursors, recorded_at,
  content_hash, link, watermark)
select row_number() over (order by 1), 'append', from_at, to_at, to_at - from_at + 1, to_at - from_at + 1, 0, 0, 0, '[]', e.recorded_at, '', '',
  e.occurred_at
from (select at as from_at, least(at + ${BATCH_EVENTS} - 1, ${events}) as to_at
  from generate_series(1, ${events}, ${BATCH_EVENTS}) at) b join events e on e.position = b.to_at order by from_at;
update log_head set position = ${events}, batch = b.batch, recorded_at = b.recorded_at, watermark = b.watermark,
  messages_read = ${events + HELD}, quarantined = ${HELD} from (select * from batches order by batch desc limit 1) b;
insert into quarantine (topic, partition, message_offset, headers, message_value, message_hash, stage, reason, detail, code_version, quarantined_at)
select 'trips', 0, n, '{}', '{}', message_hash(null, '{}', '{}'), 'decode', 'missing_type', 'expected type', 'bench', now()
from generate_series(1, ${HELD}) n;`;

const SUMS = ["trips", "started", "completed", "canceled", "fare_count", "fare_sum_micros", "tip_sum_micros"]
  .concat("distance_sum_m", "distance_count", "duration_sum_ms", "duration_count");
const WIDTHS = { "1m": "1 minute", "5m": "5 minutes", "1h": "1 hour", "1d": "1 day" } as const;
const bucket = (grain: string, at: string): string =>
  grain === "all"
    ? "timestamptz 'epoch'"
    : `date_bin('${WIDTHS[grain as keyof typeof WIDTHS]}', ${at}, timestamptz '2000-01-01 00:00Z')`;

/** The cells of one dimension: the finest grain from the trips, each coarser one from the one before it. */
function* cells(name: string, column: string | null, grains: readonly string[]): Iterable<string> {
  const list = [...SUMS, "fare_min_micros", "fare_max_micros"];
  const into = `insert into trip_cells (grain, bucket, dimension, key, ${
    list.join(", ")
  }, first_position, last_position)`;
  const key = column === null ? "'all'" : `coalesce(${column}, 'unknown')`;
  const merged = list.map((measure) => `${/_m(in|ax)_/.exec(measure)?.[0].slice(1, 4) ?? "sum"}(${measure})`);
  const [finest, ...coarser] = grains;
  yield `${into}
    select '${finest}', ${bucket(finest!, "at")}, '${name}', key, ${
    merged.join(", ")
  }, min(position), max(position) from (
      select started_at as at, ${key} as key, positions[1] as position, 1 as trips, 1 as started, 0 as completed, 0 as canceled, 0 as fare_count, 0 as fare_sum_micros,
        0 as tip_sum_micros, 0 as distance_sum_m, 0 as distance_count, 0 as duration_sum_ms, 0 as duration_count,
        null::bigint as fare_min_micros, null::bigint as fare_max_micros from trips
      union all
      select completed_at, ${key}, positions[2], 0, 0, 1, 0, 1, fare_micros, tip_micros, distance_m, 1, duration_ms, 1, fare_micros, fare_micros
      from trips where completed_at is not null
      union all
      select canceled_at, ${key}, positions[2], 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, null, null from trips where canceled_at is not null
    ) facts group by 2, 4`;
  let finer = finest!;
  for (const grain of coarser) {
    yield `${into} select '${grain}', ${bucket(grain, "bucket")}, '${name}', key, ${
      merged.join(", ")
    }, min(first_position), max(last_position) from trip_cells
      where grain = '${finer}' and dimension = '${name}' group by 2, 4`;
    finer = grain;
  }
}

/** Sketches of hours and days, and of all trips of minutes too. */
const sketches = (name: string, column: string | null, grain: string): string =>
  ["fare_micros", "duration_ms"].map((sketch) =>
    `insert into trip_sketches (grain, bucket, dimension, key, sketch, bins, counts)
    select '${grain}', bucket, '${name}', key, '${sketch}', array_agg(bin order by bin), array_agg(count order by bin) from (
      select ${bucket(grain, "completed_at")} as bucket, ${
      column === null ? "'all'" : `coalesce(${column}, 'unknown')`
    } as key, sketch_bin(${sketch}) as bin,
        count(*)::integer as count from trips where completed_at is not null and ${sketch} is not null group by 1, 2, 3
    ) binned group by 2, 4`
  ).join("; ");

/** The statements that fill an empty database, by name; each is a transaction. */
function* steps(trips: number): Iterable<readonly [name: string, script: string]> {
  const events = 2 * trips - under_way(trips);
  for (let from = 1; from <= trips; from += PIECE) {
    const to = Math.min(from + PIECE - 1, trips);
    yield [`trips up to ${to}`, piece(from, to, trips)];
  }
  yield ["batches and head", `drop table piece; analyze trips; ${bookkeeping(events)}`];
  const { dimensions } = trips_domain({ currency: "USD", h3_resolution: null });
  for (const { name, column, grains, totals } of dimensions) {
    if (totals !== undefined) {
      const sums =
        "count(*), count(fare_micros), coalesce(sum(fare_micros), 0), coalesce(sum(distance_m), 0), count(distance_m), "
          .concat("coalesce(sum(duration_ms), 0), count(duration_ms)");
      yield [
        `totals by ${name}`,
        `insert into trip_totals select '${name}', coalesce(${column}, 'unknown'), ${sums}, ${events}
          from trips where completed_at is not null group by 2`,
      ];
    } else yield [`cells by ${name}`, [...cells(name, column, grains)].join("; ")];
  }
  for (const { name, column, sketches: kept = [] } of dimensions) {
    for (const grain of kept) {
      if (name === "none" || grain === "1h" || grain === "1d") {
        yield [`sketches by ${name}, ${grain}`, sketches(name, column, grain)];
      }
    }
  }
}

/**
 * Fills a database, which a run before may have begun to fill; gives whether it is full.
 * @param url of a superuser: the tables refuse all others what no batch wrote
 * @param until_ms when no further step is begun, milliseconds since the Unix epoch
 */
export async function load_trips(
  url: string,
  trips: number,
  until_ms: number,
  say: (line: string) => void,
): Promise<boolean> {
  const database = await open_database({ url, data_dir: null, connections: 1 });
  try {
    await migrate(database, migrations_of("trips"));
    await settle_deployment(database, { time_zone: "UTC", currency: "USD" });
    await database.script(`set session_replication_role = replica; set work_mem = '512MB'; set statement_timeout = 0;
      create table if not exists bench_steps (name text primary key)`);
    const last = Math.floor(2 * trips / 10_000_000);
    await database.query("select ensure_events_partition(ordinal) from generate_series(0, $1::bigint) ordinal", [last]);
    const done = new Set((await database.query("select name from bench_steps")).map(({ name }) => name));
    for (const [name, script] of steps(trips)) {
      if (done.has(name)) continue;
      if (Date.now() >= until_ms) return false;
      const from = performance.now();
      await database.script(`${script}; insert into bench_steps values ('${name}')`);
      say(`${name}: ${((performance.now() - from) / 1000).toFixed(1)} s`);
    }
    if (done.has("statistics")) return true;
    await database.query("vacuum analyze");
    await database.query("insert into bench_steps values ('statistics')");
    return true;
  } finally {
    await database.close();
  }
}
