import assert from "node:assert/strict";
import { type Database, open_database } from "../../src/database/mod.ts";
import { tacho_test } from "../support/available.ts";
import { make_deployment } from "../support/deployment.ts";
import { GuardedFolder } from "../support/guarded_folder.ts";
import { shared_postgres } from "../support/postgres.ts";
import { read_topic } from "../support/read_topic.ts";
import { run_verb } from "../support/tacho_program.ts";

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
        (await run_verb(["replay", "--to", "log", ...args], { env: { DATABASE_URL: url } })).stderr,
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
  "2,2024-03-05 09:00:00,2024-03-05 09:20:00,1,2.0,132,48,3,-14.2,0",
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

      const check = await run_verb(["mapping", "check", "--sample", path], { env: {} });
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
    await run_verb(["replay", path], { env });
    const messages = await read_topic(env.KAFKA_BROKERS, env.TACHO_TOPICS);
    const texts = messages.map(({ value }) => new TextDecoder().decode(value!));
    assert.deepEqual(texts.filter((text) => !text.startsWith("{")).sort(), FAULTY_ENDS.toSorted());
    assert.deepEqual(texts.filter((text) => text.startsWith("{")).map((text) => JSON.parse(text).type), [
      "trip.started",
      "trip.completed",
    ]);
  },
});
