import assert from "node:assert/strict";
import { open_database } from "../../src/database/mod.ts";
import { data_folder, tacho_test } from "../support/available.ts";
import { make_deployment } from "../support/deployment.ts";
import { shared_postgres } from "../support/postgres.ts";
import { get_json, run_verb, type ServingProgram, TachoProgram } from "../support/tacho_program.ts";
import { until } from "../support/until.ts";

/** The real files of trip starts and trip ends, through the real program, in either order, once and twice. */

const STARTS_FIRST = ["trip_start.csv", "trip_end.csv"].map((name) => `${data_folder()}/${name}`);
const ENDS_FIRST = STARTS_FIRST.toReversed();
const RECORDS = 2 * 4_999;

/** What is known of the files, from a count of their rows. */
const TRUTH = {
  "2024-05-24": { total_fare: 0, count_trips: 0, average_fare: 0, max_fare: 0, min_fare: 0 },
  "2024-05-25": { total_fare: 268640.79, count_trips: 4885, average_fare: 54.99, max_fare: 99.99, min_fare: 10.04 },
  "2024-05-26": { total_fare: 5753.10, count_trips: 114, average_fare: 50.47, max_fare: 99.78, min_fare: 10.46 },
};

async function assert_truth({ url }: ServingProgram): Promise<void> {
  for (const [date, metrics] of Object.entries(TRUTH)) {
    const { generated_at, ...answer } = await get_json(`${url}api/v1/kpis/daily?date=${date}`) as Record<
      string,
      unknown
    >;
    assert.deepEqual(answer, { date, metrics, trip_count: metrics.count_trips });
    assert.equal(typeof generated_at, "string");
  }
}

/** What came in and how it split, by the log's own books; trips by status. */
async function books(database_url: string): Promise<Record<string, number>> {
  const database = await open_database({ url: database_url, data_dir: null, connections: 1 });
  try {
    const [row] = await database.query(
      `select coalesce(sum(messages_read), 0)::int as read, coalesce(sum(admitted), 0)::int as admitted,
        coalesce(sum(duplicates), 0)::int as duplicates, coalesce(sum(quarantined), 0)::int as quarantined,
        (select count(*)::int from trips) as trips, (select count(*)::int from trips where status = 'completed') as completed,
        (select count(*)::int from trips where started_at is null) as without_start,
        (select position::int from log_head) as position from batches`,
    );
    return Object.fromEntries(Object.entries(row!).map(([name, value]) => [name, Number(value)]));
  } finally {
    await database.close();
  }
}

const SENT_ONCE = {
  read: RECORDS,
  admitted: RECORDS,
  duplicates: 0,
  quarantined: 0,
  trips: 4_999,
  completed: 4_999,
  without_start: 0,
  position: RECORDS,
};
const SENT_TWICE = { ...SENT_ONCE, read: 2 * RECORDS, duplicates: RECORDS };

tacho_test({
  name:
    "real files, ends first, straight into the log: the daily figures are exact, and the same after both are sent again",
  needs: ["data", "postgres"],
  async fn() {
    const { url: database_url } = await (await shared_postgres()).create_database();
    // A day begins at local midnight, and the files' times are local: another zone changes no figure.
    const env = { DATABASE_URL: database_url, TACHO_TIME_ZONE: "America/New_York" };
    await run_verb(["replay", "--to", "log", ...ENDS_FIRST], { env });
    assert.deepEqual(await books(database_url), SENT_ONCE);
    // No broker answers there: what is in the log is served all the same.
    await using program = await TachoProgram.serve("start", { env: { ...env, KAFKA_BROKERS: "127.0.0.1:1" } });
    await assert_truth(program);
    await run_verb(["replay", "--to", "log", ...ENDS_FIRST], { env });
    assert.deepEqual(await books(database_url), SENT_TWICE);
    await assert_truth(program);
    assert.equal(await program.term(), 0);
  },
});

tacho_test({
  name: "real files, starts first, through Kafka: the daily figures are exact, and the same after both are sent again",
  needs: ["data", "postgres", "kafka"],
  async fn() {
    const env = await make_deployment("daily");
    const database_url = env.DATABASE_URL;
    await using program = await TachoProgram.serve("start", { env });
    for (const [sent, expected] of [[RECORDS, SENT_ONCE], [2 * RECORDS, SENT_TWICE]] as const) {
      await run_verb(["replay", ...STARTS_FIRST], { env });
      await until(`${sent} messages are read`, async () => (await books(database_url)).read === sent);
      assert.deepEqual(await books(database_url), expected);
      await assert_truth(program);
    }
    assert.equal(await program.term(), 0);
  },
});
