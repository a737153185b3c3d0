import assert from "node:assert/strict";
import { parquetWriteBuffer } from "hyparquet-writer";
import { type Database, open_database } from "../../src/database/mod.ts";
import { tacho_test } from "../support/available.ts";
import { make_deployment } from "../support/deployment.ts";
import { GuardedFolder } from "../support/guarded_folder.ts";
import { shared_postgres } from "../support/postgres.ts";
import { read_topic } from "../support/read_topic.ts";
import { run_tacho, run_verb, TachoProgram } from "../support/tacho_program.ts";
import { until } from "../support/until.ts";

/** What becomes of each record of a file that is replayed: all of it, or none of it and its row in quarantine. */

/** A new database and a folder for files; both are gone when the work is done. */
async function with_log(
  work: (log: {
    readonly database: Database;
    /** Writes a file and gives its path. */
    readonly file: (name: string, content: string | Uint8Array) => string;
    /** Replays files into the log; gives what the program said. */
    readonly replay: (...args: readonly string[]) => Promise<string>;
  }) => Promise<void>,
): Promise<void> {
  const folder = new GuardedFolder("records");
  await using _ = { [Symbol.asyncDispose]: () => folder.dispose() };
  const { url } = await (await shared_postgres()).create_database();
  const database = await open_database({ url, data_dir: null, connections: 1 });
  try {
    await work({
      database,
      file(name, content) {
        const path = `${folder.path}/${name}`;
        Deno.writeFileSync(path, typeof content === "string" ? new TextEncoder().encode(content) : content);
        return path;
      },
      replay: async (...args) =>
        (await run_verb(["replay", "--to", "log", "--most-refused", "80%", ...args], { env: { DATABASE_URL: url } }))
          .stderr,
    });
  } finally {
    await database.close();
  }
}

const statuses = async (database: Database) =>
  (await database.query("select status, count(*)::int as n from trips group by 1 order by 1"))
    .map(({ status, n }) => `${n} ${status}`).join(", ");
const set_aside = async (database: Database) =>
  (await database.query("select reason, path from quarantine order by 1, 2"))
    .map(({ reason, path }) => `${reason} ${path}`);

const YELLOW =
  "VendorID,tpep_pickup_datetime,tpep_dropoff_datetime,passenger_count,trip_distance,PULocationID,DOLocationID,payment_type,fare_amount,tip_amount";
const soon = (minutes: number) => new Date(Date.now() + minutes * 60_000).toISOString().slice(0, 19);
/** Rows that are refused for their completion alone: it comes long after the start. */
const FAULTY_ENDS = [
  "2,2024-03-05 09:00:00,2024-03-05 09:20:00,1,2.0,132,48,3,14.2e12,0",
  "2,2024-03-05 09:01:00,2024-03-05 09:21:00,1.5,2.0,132,48,2,14.2,0",
  "2,2024-03-05 09:02:00,2024-03-05 09:22:00,1,2.0,132,48,2,14.2,-1",
  `2,${soon(-60)}Z,${soon(120)}Z,1,2.0,132,48,2,14.2,0`,
];
const SOUND = "2,2024-03-05 09:00:00,2024-03-05 09:20:00,1,2.0,132,48,2,14.2,0";

tacho_test({
  name:
    "a row whose completion is refused leaves no start behind: it is in quarantine as it stands, and so says a check",
  needs: ["postgres"],
  fn: () =>
    with_log(async ({ database, file, replay }) => {
      const path = file("yellow.csv", [YELLOW, SOUND, ...FAULTY_ENDS].join("\n"));
      assert.match(await replay(path), /messages=6 admitted=2 duplicates=0 quarantined=4/);
      assert.equal(await statuses(database), "1 completed");
      assert.deepEqual(await set_aside(database), [
        "invalid_field fare_amount",
        "invalid_field passenger_count",
        "invalid_field tip_amount",
        "time_in_future tpep_dropoff_datetime",
      ]);
      const rows = await database.query("select convert_from(message_value, 'UTF8') as text from quarantine");
      assert.deepEqual(rows.map(({ text }) => text).sort(), FAULTY_ENDS.toSorted());

      const check = await run_tacho(["mapping", "check", "--sample", path], { env: {} });
      assert.equal(check.code, 1);
      assert.match(check.stderr, /5 rows, 1 mapped \(1 trip\.started, 1 trip\.completed\), 4 faulty/);
    }),
});

tacho_test({
  name: "to a topic, where the events of a row travel one by one, nothing of a refused row is sent but the row",
  needs: ["kafka", "postgres"],
  async fn() {
    const folder = new GuardedFolder("records");
    await using _ = { [Symbol.asyncDispose]: () => folder.dispose() };
    const path = `${folder.path}/yellow.csv`;
    Deno.writeTextFileSync(path, [YELLOW, SOUND, ...FAULTY_ENDS].join("\n"));
    const env = { ...await make_deployment("records"), TACHO_PARTITIONS: "1" };
    const { code, stderr } = await run_tacho(["replay", path], { env });
    assert.deepEqual([code, /80\.00 % were refused/.test(stderr.trimEnd().split("\n").at(-1)!)], [1, true]);
    const messages = await read_topic(env.KAFKA_BROKERS, env.TACHO_TOPICS);
    const texts = messages.map(({ value }) => new TextDecoder().decode(value!));
    assert.deepEqual(texts.filter((text) => !text.startsWith("{")).sort(), FAULTY_ENDS.toSorted());
    assert.deepEqual(texts.filter((text) => text.startsWith("{")).map((text) => JSON.parse(text).type), [
      "trip.started",
      "trip.completed",
    ]);
  },
});

/** An extract of one month of green taxis: 137 rows, of which 40 take a ride of the same file back. */
const GREEN = new URL("../support/green_2024-01.parquet", import.meta.url).pathname;
const counted = async (database: Database) => {
  const [row] = await database.query(
    "select completed::int, voided::int, voids_waiting::int, fare_sum_micros::int as micros from trip_cells where grain = 'all' and dimension = 'none'",
  );
  return row;
};

tacho_test({
  name:
    "a month's extract with rides that are taken back: the board's revenue is the sum of its fares, its trips are those that stand; a void without its ride is said, and waits for it",
  needs: ["postgres"],
  fn: () =>
    with_log(async ({ database, file, replay }) => {
      const said = await replay(GREEN);
      assert.match(said, /mapping=nyc_green .*\n(.*\n)*.*admitted=234 duplicates=0 quarantined=0/);
      assert.doesNotMatch(said, /without a ride/);
      assert.equal(await statuses(database), "57 completed, 40 voided");
      assert.deepEqual(await counted(database), { completed: 57, voided: 40, voids_waiting: 0, micros: 971_150_000 });
      assert.match(await replay(GREEN), /admitted=0 duplicates=234/);

      const ride = (fare: string, total: string) =>
        `2,2024-03-05 09:00:00,2024-03-05 09:20:00,1,2.0,132,48,3,${fare},0,${total}`;
      const header = `${YELLOW},total_amount`;
      const voids = await replay(file("voids.csv", [header, ride("-14.2", "-15.7"), ride("0", "-1.5")].join("\n")));
      assert.match(voids, /2 voids without a ride in the file, −14\.20/);
      assert.deepEqual(await counted(database), { completed: 57, voided: 42, voids_waiting: 2, micros: 971_150_000 });
      await replay(file("rides.csv", [header, ride("14.2", "15.7"), ride("0", "1.5"), ride("9", "9")].join("\n")));
      assert.deepEqual(await counted(database), { completed: 58, voided: 42, voids_waiting: 0, micros: 980_150_000 });
      assert.equal(await statuses(database), "58 completed, 42 voided");
    }),
});

const FHV = "dispatching_base_num,pickup_datetime,dropOff_datetime,PUlocationID,DOlocationID,SR_Flag";
const completed = async (database: Database) => {
  const [row] = await database.query(
    "select count(*)::int as n, count(distinct trip_id)::int as ids, coalesce(sum(fare_micros), 0)::int as micros from trips where status = 'completed'",
  );
  return [row!.n, row!.ids, row!.micros];
};

tacho_test({
  name:
    "equal rows of a file without ids are trips of their own, the same ones each time and in each file; the last line counts them",
  needs: ["postgres"],
  fn: () =>
    with_log(async ({ database, file, replay }) => {
      const row = "B1,2015-01-01 00:10:00,2015-01-01 00:20:00,7,8,";
      const short = "B1,2015-01-01 00:10:00,2015-01-01 00:10:00,7,8,";
      const rows = [row, "B1,2015-01-01 00:10:00,2015-01-01 00:20:00,7,9,", row, short, row, short];
      const path = file("fhv.csv", [FHV, ...rows].join("\n"));
      assert.match(await replay(path), /admitted=12 duplicates=0 quarantined=0\n.* replayed sent=12 equal_rows=3\n/);
      assert.deepEqual((await completed(database)).slice(0, 2), [6, 6]);
      assert.equal(await statuses(database), "6 completed");
      const [ends] = await database.query("select count(*)::int as n from trips where dropoff_zone = '8'");
      assert.equal(ends!.n, 5);

      assert.match(await replay(path), /admitted=0 duplicates=12 quarantined=0\n.* equal_rows=3\n/);
      // Two files with the same rows tell of the same trips: only within a file are equal rows different ones.
      const other = file("again.csv", [FHV, row, row].join("\n"));
      assert.match(await replay(path, other), /admitted=0 duplicates=16 quarantined=0\n.* equal_rows=4\n/);
      assert.equal(await statuses(database), "6 completed");
    }),
});

tacho_test({
  name: "equal rows have the same numbers when a replay is killed -9 among them and resumed",
  needs: ["postgres"],
  async fn() {
    const folder = new GuardedFolder("records");
    await using _ = { [Symbol.asyncDispose]: () => folder.dispose() };
    const count = 8_000;
    const path = `${folder.path}/fhv.csv`;
    const row = "B1,2015-01-01 00:10:00,,7,,";
    Deno.writeTextFileSync(path, [FHV, ...Array.from({ length: count }, () => row)].join("\n"));
    const { url } = await (await shared_postgres()).create_database();
    const env = { DATABASE_URL: url, TACHO_BATCH_MESSAGES: "100" };
    const database = await open_database({ url, data_dir: null, connections: 1 });
    try {
      const trips = async () => Number((await database.query("select count(*) as n from trips"))[0]!.n);
      const args = ["replay", "--to", "log", path];
      await using killed = TachoProgram.spawn("tacho", { env, args });
      await killed.brings(until("its log is there", async () => {
        const [table] = await database.query("select to_regclass('trips') is not null as there");
        return table!.there;
      }));
      await killed.brings(until("more than a slice arrived", async () => await trips() > 2_000));
      await killed.kill_nine();
      assert.ok(await trips() < count);
      const { stderr } = await run_verb([...args, "--resume"], { env });
      const [, again] = /resuming sent=(\d+)/.exec(stderr) ?? [];
      assert.ok(Number(again) > 0 && Number(again) < count, stderr);
      assert.match(stderr, new RegExp(`replayed sent=${count} equal_rows=${count - 1}\n`));
      assert.equal(await trips(), count);
    } finally {
      await database.close();
    }
  },
});

tacho_test({
  name: "the same rows published as CSV, as Parquet and with one more column are the same trips",
  needs: ["postgres"],
  fn: () =>
    with_log(async ({ database, file, replay }) => {
      const rows = Array.from({ length: 40 }, (_, i) => ({
        VendorID: 1 + i % 2,
        pickup: Date.UTC(2024, 2, 5, 9, i),
        minutes: 5 + i,
        passenger_count: i % 5 === 0 ? null : i % 4,
        trip_distance: i / 8,
        zone: 100 + i,
        fare_amount: i + 0.5,
        tip_amount: i % 3,
        tolls_amount: 6.94,
      }));
      const clock = (ms: number) => new Date(ms).toISOString().slice(0, 19).replace("T", " ");
      const header =
        "VendorID,tpep_pickup_datetime,tpep_dropoff_datetime,passenger_count,trip_distance,PULocationID,DOLocationID,payment_type,fare_amount,tip_amount,tolls_amount";
      const csv = (more: string) =>
        rows.map((row) =>
          [
            row.VendorID,
            clock(row.pickup),
            clock(row.pickup + row.minutes * 60_000),
            row.passenger_count === null ? "" : row.passenger_count.toFixed(1),
            row.trip_distance.toFixed(3),
            row.zone,
            row.zone,
            1,
            row.fare_amount.toFixed(2),
            row.tip_amount.toFixed(2),
            row.tolls_amount,
          ].join() + more
        );
      const number = (name: string, of: (row: typeof rows[number]) => number | null) => ({
        name,
        data: rows.map(of),
        type: "DOUBLE" as const,
        nullable: true,
      });
      const time = (name: string, of: (row: typeof rows[number]) => number) => ({
        name,
        data: rows.map((row) => clock(of(row))),
        type: "STRING" as const,
      });
      const parquet = parquetWriteBuffer({
        columnData: [
          number("VendorID", (row) => row.VendorID),
          time("tpep_pickup_datetime", (row) => row.pickup),
          time("tpep_dropoff_datetime", (row) => row.pickup + row.minutes * 60_000),
          number("passenger_count", (row) => row.passenger_count),
          number("trip_distance", (row) => row.trip_distance),
          number("PULocationID", (row) => row.zone),
          number("DOLocationID", (row) => row.zone),
          number("payment_type", () => 1),
          number("fare_amount", (row) => row.fare_amount),
          number("tip_amount", (row) => row.tip_amount),
          number("tolls_amount", (row) => row.tolls_amount),
        ],
      });
      const expected = [40, 40, rows.reduce((sum, row) => sum + row.fare_amount * 1e6, 0)];
      assert.match(await replay(file("a.csv", [header, ...csv("")].join("\n"))), /admitted=80/);
      assert.deepEqual(await completed(database), expected);
      assert.match(await replay(file("a.parquet", new Uint8Array(parquet))), /admitted=0 duplicates=80 quarantined=0/);
      const wider = file("wider.csv", [`${header},airport_fee`, ...csv(",1.75")].join("\n"));
      assert.match(await replay(wider), /duplicates=40 quarantined=0/);
      assert.deepEqual(await completed(database), expected);
    }),
});
