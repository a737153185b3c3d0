import { migrate, migrations_of, open_database } from "../../src/database/mod.ts";
import { settle_deployment } from "../../src/event_log/mod.ts";
import { start_postgres } from "../support/postgres.ts";
import { median, postmaster_of, processor, used_between } from "./measures.ts";

/**
 * Measures what PostgreSQL takes to upsert cells as the sink of a Flink job does it: a statement a row, so many rows a transaction, each cell again and
 * again. Once into tables as a log has them, once into those that were given to Flink, whose triggers place each row; there by one
 * writer and by two at once, which take turns. The statements run in the server, so that it is PostgreSQL alone that is measured.
 *
 * Argument: thousands of rows a round. The last line is one line of JSON.
 */

const FLUSH = 20_000, BUCKETS = 200, ROUNDS = 3;
/** As many flushes for each of two writers. */
const ROWS = Math.ceil(Number(Deno.args.find((arg) => /^\d+$/.test(arg)) ?? 80) * 1_000 / (2 * FLUSH)) * 2 * FLUSH;

const one_flush = (from: number): string =>
  `do $$ begin
    for i in ${from}..${from + FLUSH - 1} loop
      insert into trip_cells (grain, bucket, dimension, key, trips, requested, started, completed, canceled, conflicts, fare_count,
          fare_sum_micros, fare_min_micros, fare_max_micros, tip_sum_micros, distance_sum_m, distance_count, duration_sum_ms, duration_count, last_position)
        values ('5m', timestamptz '2026-03-01' + (i / 100 % ${BUCKETS}) * interval '5 minutes', 'city', 'city-' || i % 100, i, i, i, i, 0, 0, i,
          i * 12500000::numeric, 1000000, 90000000, 0, i, i, i, i, i)
        on conflict (grain, dimension, bucket, key) do update set trips = excluded.trips, requested = excluded.requested, started = excluded.started,
          completed = excluded.completed, fare_count = excluded.fare_count, fare_sum_micros = excluded.fare_sum_micros,
          distance_sum_m = excluded.distance_sum_m, distance_count = excluded.distance_count, duration_sum_ms = excluded.duration_sum_ms,
          duration_count = excluded.duration_count;
    end loop;
  end $$`;

await using postgres = await start_postgres({ settings: { max_wal_size: "8GB", checkpoint_timeout: "30min" } });
const postmaster = postmaster_of(postgres.data);
const results: Record<string, { readonly rows_per_s: number; readonly cpu_us_per_row: number }> = {};
for (const [name, given, writers] of [["log", false, 1], ["flink", true, 1], ["flink_two_writers", true, 2]] as const) {
  const { url } = await postgres.create_database();
  const database = await open_database({ url, data_dir: null, connections: writers });
  await migrate(database, migrations_of("trips"));
  await settle_deployment(database, { time_zone: "UTC", currency: "USD" });
  if (given) await database.query("select give_to_flink('trips', array['trip_cells', 'trip_totals']::name[])");
  const measured: (readonly [rows_per_s: number, cpu_us: number])[] = [];
  for (let round = 0; round <= ROUNDS; round++) {
    const before = await processor(postmaster), begun = performance.now();
    await Promise.all(Array.from({ length: writers }, async (_, writer) => {
      for (let at = 0; at < ROWS / writers; at += FLUSH) {
        await database.script(one_flush(round * ROWS + writer * 7 + at));
      }
    }));
    const used = used_between(before, await processor(postmaster));
    // The first round makes the cells.
    if (round > 0) {
      measured.push([ROWS / ((performance.now() - begun) / 1_000), used.postgres * 1e6 / ROWS]);
    }
  }
  results[name] = {
    rows_per_s: Math.round(median(measured.map(([rows]) => rows))),
    cpu_us_per_row: Math.round(median(measured.map(([, cpu_us]) => cpu_us)) * 10) / 10,
  };
  console.error(
    `${name}: ${results[name].rows_per_s} rows/s, ${
      results[name].cpu_us_per_row
    } µs of PostgreSQL's processor time a row`,
  );
  await database.close();
}
console.log(JSON.stringify(results));
