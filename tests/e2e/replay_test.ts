import assert from "node:assert/strict";
import type { SchemaElement } from "hyparquet";
import { parquetWriteBuffer } from "hyparquet-writer";
import { type Database, open_database } from "../../src/database/mod.ts";
import { tacho_test } from "../support/available.ts";
import { link_checkout } from "../support/checkout.ts";
import { make_deployment } from "../support/deployment.ts";
import { shared_postgres } from "../support/postgres.ts";
import { read_topic } from "../support/read_topic.ts";
import { run_tacho, run_verb, TachoProgram } from "../support/tacho_program.ts";
import { until } from "../support/until.ts";

/** `tacho replay` as a process: stopped, killed and resumed; order across files; files of Parquet with a lookup. */

const END_HEADER =
  "dropoff_datetime,rate_code,passenger_count,trip_distance,fare_amount,tip_amount,payment_type,trip_type,trip_id";

/** Trip ends a second apart, shuffled by a fixed step: row `i` of the file is not the i-th in time. */
function trip_ends(count: number): string {
  const rows = Array.from({ length: count }, (_, i) => {
    const time = new Date(Date.UTC(2024, 4, 25) + ((i * 7_919) % count) * 1000).toISOString().slice(0, 19);
    return `${time.replace("T", " ")},1,1,1.5,${10 + i % 50},0,1,1,T${i}`;
  });
  return [END_HEADER, ...rows].join("\n");
}

async function numbers(database: Database, sql: string): Promise<Record<string, number>> {
  const [row] = await database.query(sql);
  return Object.fromEntries(Object.entries(row!).map(([name, value]) => [name, Number(value)]));
}

const books = (database: Database) =>
  numbers(
    database,
    `select coalesce(sum(messages_read), 0) as read, coalesce(sum(admitted), 0) as admitted,
      coalesce(sum(quarantined), 0) as quarantined, (select count(*) from trips) as trips from batches`,
  );

/** What replays left in the data directory of a checkout. */
const left_in = (checkout: string): string[] => [...Deno.readDirSync(`${checkout}/.tacho`)].map(({ name }) => name);

tacho_test({
  name: "a replay into the log that is stopped, killed -9 and resumed loses nothing and counts nothing twice",
  needs: ["postgres"],
  async fn() {
    const folder = await link_checkout();
    await using _ = { [Symbol.asyncDispose]: () => folder.dispose() };
    const file = `${folder.path}/ends.csv`;
    const count = 12_000;
    Deno.writeTextFileSync(file, trip_ends(count));
    const { size, mtime } = Deno.statSync(file);
    const { url } = await (await shared_postgres()).create_database();
    const env = { DATABASE_URL: url, TACHO_BATCH_MESSAGES: "200" };
    const database = await open_database({ url, data_dir: null, connections: 1 });
    const read = async () => (await books(database)).read!;
    try {
      const args = ["replay", "--to", "log", file, "--speed", "1000x"];
      const nothing = await run_tacho([...args, "--resume"], { env, folder: folder.path });
      assert.deepEqual([nothing.code, /nothing to resume/.test(nothing.stderr)], [2, true]);

      const mapped = await run_tacho(args, {
        env: { ...env, TACHO_TOPICS: "replay", TACHO_MAPPINGS: "replay=trip_end" },
        folder: folder.path,
      });
      assert.deepEqual([mapped.code, /expected a topic of trip events, got "replay"/.test(mapped.stderr)], [2, true]);

      await using stopped = TachoProgram.spawn("tacho", { env, folder: folder.path, args });
      await stopped.brings(until("some arrived", async () => await read() > 1_000));
      assert.equal(await stopped.term("SIGINT"), 0);
      const told = /replay stopped sent=(\d+) how="the same command with --resume goes on there"/.exec(stopped.stderr);
      assert.equal(Number(told?.[1]), await read());

      await using killed = TachoProgram.spawn("tacho", { env, folder: folder.path, args: [...args, "--resume"] });
      const before = await read();
      await killed.brings(until("some more arrived", async () => await read() > before + 1_000));
      await killed.kill_nine();
      assert.match(killed.stderr, new RegExp(`resuming sent=${told![1]}\n`));
      assert.ok(await read() < count);

      Deno.writeTextFileSync(file, "\n", { append: true });
      const changed = await run_tacho([...args, "--resume"], { env, folder: folder.path });
      assert.deepEqual([changed.code, /ends\.csv\\?" changed: expected/.test(changed.stderr)], [2, true]);
      Deno.truncateSync(file, size);
      Deno.utimeSync(file, mtime!, mtime!);

      await run_verb(["replay", "--to", "log", file, "--resume"], { env, folder: folder.path });
      const { read: all, ...rest } = await books(database);
      assert.deepEqual(rest, { admitted: count, quarantined: 0, trips: count });
      assert.ok(all! >= count && all! < count + 1_000, `${all} read`);
      assert.deepEqual(left_in(folder.path), []);
    } finally {
      await database.close();
    }
  },
});

tacho_test({
  name: "files of different shapes go to the topic in the order of event time, whatever the order of rows and files",
  needs: ["kafka", "postgres"],
  async fn() {
    const folder = await link_checkout();
    await using _ = { [Symbol.asyncDispose]: () => folder.dispose() };
    const ends = `${folder.path}/ends.csv`, rides = `${folder.path}/rides.ndjson`;
    Deno.writeTextFileSync(ends, trip_ends(5_000));
    const ride = (i: number) => ({
      trip_id: `1f0c${i}`,
      driver_id: "D104",
      city: "Chicago",
      distance_km: 12.4,
      duration_min: 31,
      fare_usd: 18.6,
      vehicle_type: "SUV",
      timestamp: `2024-05-25T01:${String(i % 60).padStart(2, "0")}:00.123456`,
    });
    const lines = Array.from({ length: 600 }, (_, i) => JSON.stringify(ride(i)));
    Deno.writeTextFileSync(rides, `${lines.join("\n")}\nnot JSON\n`);
    const topics = [];
    for (const files of [[ends, rides], [rides, ends]]) {
      const env = { ...await make_deployment("replay"), TACHO_PARTITIONS: "1" };
      const { stderr } = await run_verb(["replay", ...files, "--step", "1h", "--first", "4000"], {
        env,
        folder: folder.path,
      });
      assert.match(stderr, /rides\.ndjson format=json told_by=name mapping=ride_sharing chosen_by=columns/);
      assert.match(stderr, /step 2024-05-25T01:00:00\.000000Z: \d+ messages/);
      const messages = await read_topic(env.KAFKA_BROKERS, env.TACHO_TOPICS);
      const texts = messages.map(({ value }) => new TextDecoder().decode(value!));
      assert.equal(texts.filter((text) => text === "not JSON").length, 1);
      topics.push(texts.filter((text) => text !== "not JSON"));
    }
    const [first, second] = topics.map((texts) => texts.map((text) => JSON.parse(text).occurred_at as string));
    assert.ok(first!.length >= 4_600);
    const late = first!.findIndex((time, at) => at > 0 && time < first![at - 1]!);
    assert.equal(late, -1, `${first![late - 1]} comes before ${first![late]}`);
    assert.ok(second!.join() === first!.join(), "both orders of files give the same order of times");
    assert.deepEqual(topics[1]!.toSorted(), topics[0]!.toSorted());
  },
});

tacho_test({
  name: "Parquet trips with a lookup of vehicle types: counts and sums by vehicle type are those of the files",
  needs: ["postgres"],
  async fn() {
    const folder = await link_checkout();
    await using _ = { [Symbol.asyncDispose]: () => folder.dispose() };
    const trips = `${folder.path}/trips.parquet`, drivers = `${folder.path}/drivers.parquet`;
    const types = ["sedan", "SUV", "van"];
    const driver_ids = Array.from({ length: 40 }, (_, i) => `D${String(i).padStart(4, "0")}`);
    const table = [
      { name: "driver_id", data: driver_ids.slice(0, 36), type: "STRING" as const },
      { name: "vehicle_type", data: driver_ids.slice(0, 36).map((_, i) => types[i % 3]), type: "STRING" as const },
    ];
    Deno.writeFileSync(drivers, new Uint8Array(parquetWriteBuffer({ columnData: table })));
    const rows = Array.from({ length: 3_000 }, (_, i) => i);
    const driver_of = (i: number) => (i * 31) % 40;
    const cents = rows.map((i) => 500 + (i * 137) % 4_000);
    const metres = rows.map((i) => 100 * (1 + (i * 7) % 200));
    const start = BigInt(Date.UTC(2025, 2, 30)) * 1000n;
    const text = (name: string, data: string[]) => ({ name, data, type: "STRING" as const });
    const columnData = [
      text("id", rows.map((i) => `E${i}`)),
      text("driver_id", rows.map((i) => driver_ids[driver_of(i)]!)),
      text("passenger_id", rows.map((i) => `P${i % 100}`)),
      text("start_location_id", rows.map((i) => String(i % 260))),
      {
        name: "start_time",
        data: rows.map((i) => start + BigInt((i * 7_919) % 3_000) * 60_000_000n),
        type: "TIMESTAMP" as const,
      },
      { name: "duration_min", data: rows.map((i) => 5 + i % 50), type: "DOUBLE" as const },
      { name: "distance_km", data: metres.map((m) => m / 1000), type: "DOUBLE" as const },
      { name: "price", data: cents.map((each) => each / 100), type: "DOUBLE" as const },
    ];
    const times = { type: "TIMESTAMP", isAdjustedToUTC: false, unit: "MICROS" } as const;
    const schema: SchemaElement[] = [
      { name: "root", num_children: columnData.length },
      ...columnData.map(({ name, type }): SchemaElement => {
        const column = { name, repetition_type: "OPTIONAL" as const };
        if (type === "STRING") return { ...column, type: "BYTE_ARRAY", converted_type: "UTF8" };
        return type === "DOUBLE" ? { ...column, type } : { ...column, type: "INT64", logical_type: times };
      }),
    ];
    const written = parquetWriteBuffer({
      schema,
      columnData: columnData.map(({ name, data }) => ({ name, data })),
      rowGroupSize: 1_000,
    });
    Deno.writeFileSync(trips, new Uint8Array(written));

    const { url } = await (await shared_postgres()).create_database();
    const args = ["replay", "--to", "log", trips, "--lookup", `drivers=${drivers}`];
    const env = { DATABASE_URL: url, TACHO_TIME_ZONE: "Europe/Paris" };
    const { stderr } = await run_verb(args, { env, folder: folder.path });
    assert.match(stderr, /format=parquet told_by=name mapping=mobility_hub/);
    assert.match(stderr, /messages=6000 admitted=6000 duplicates=0 quarantined=0/);

    const expected: Record<string, [number, number, number]> = {};
    for (const i of rows) {
      const driver = driver_of(i);
      const type = driver < 36 ? types[driver % 3]! : "unknown";
      const [trips, fare, distance] = expected[type] ?? [0, 0, 0];
      expected[type] = [trips + 1, fare + cents[i]! * 10_000, distance + metres[i]!];
    }
    const database = await open_database({ url, data_dir: null, connections: 1 });
    try {
      const cells = await database.query(
        "select key, completed, fare_sum_micros, distance_sum_m from trip_cells where grain = 'all' and dimension = 'vehicle_type' and completed > 0",
      );
      const found = cells.map(({ key, completed, fare_sum_micros, distance_sum_m }) => [
        key,
        [completed, fare_sum_micros, distance_sum_m].map(Number),
      ]);
      assert.deepEqual(Object.fromEntries(found), expected);
    } finally {
      await database.close();
    }
  },
});
