import assert from "node:assert/strict";
import {
  type Database,
  is_other_schema,
  is_outage,
  open_database,
  SCHEMA_NUMBER,
  sqlstate,
} from "../../src/database/mod.ts";
import { accept_gaps, discard_held, read_head } from "../../src/event_log/mod.ts";
import { DirectIntake } from "../../src/ingest/mod.ts";
import { tacho_test } from "../support/available.ts";
import { make_retry } from "../support/held_messages.ts";
import { start_ingest } from "../support/ingest_harness.ts";
import { MemorySource } from "../support/memory_source.ts";
import { shared_postgres } from "../support/postgres.ts";
import { database_test, silent } from "../support/read_side.ts";
import { whole_trip } from "../support/trip_events.ts";
import { feed, LIMITS, message, migrated, trip_pipeline } from "../support/trip_pipeline.ts";
import { until } from "../support/until.ts";
import { verified } from "../support/verified_log.ts";

/** How every batch begins, exactly as the version that knew no number of a schema sent it: appends, and decisions of operators. */
const EARLIER_APPEND =
  `update log_head set position = position + $1, batch = batch + 1, recorded_at = $2, watermark = greatest(watermark, $3),
          messages_read = messages_read + $4, duplicates = duplicates + $5, quarantined = quarantined + $6, late = late + $7
        returning position, batch, link`;
const EARLIER_DECISION = "update log_head set batch = batch + 1, recorded_at = $1 returning position, batch, link";
/** What that version took for the fault of a message, by SQLSTATE; all else it waited out, and set nothing aside. */
const BLAMED_BY_EARLIER = /^(?:21|22|23|54)/;

const NOW = "2026-03-01T12:00:00Z";
const NEVER = new AbortController().signal;
const whole = async (database: Database) => {
  const tables = [
    "log_head",
    "events",
    "batches",
    "source_cursors",
    "quarantine",
    "trips",
    "trip_cells",
    "trip_totals",
    "trip_sketches",
  ];
  return (await database.query(
    `${tables.map((table) => `select t::text as text from ${table} t`).join(" union all ")} order by 1`,
  )).map(({ text }) => text);
};
/** Two trips and a message that is held. */
const two_trips = [...whole_trip("A"), ...whole_trip("B"), "bad"].map((each, offset) => message(offset, each));
const fed = (database: Database) =>
  feed(trip_pipeline(database), [
    { topic: "trips", partition: 0, from_offset: 0, next_offset: two_trips.length, messages: two_trips },
  ]);
/** What a later migration does, whatever else it changes. */
const migrate_later = (database: Database, by = 2) =>
  database.execute("update log_head set schema_number = schema_number + $1", [by]);

database_test(
  "a program from before schemas had numbers can begin no batch, and takes it for an outage that says what to do",
  async (database) => {
    await fed(database);
    const before = await whole(database);
    const earlier = [[EARLIER_APPEND, [1, NOW, NOW, 1, 0, 0, 0]], [EARLIER_DECISION, [NOW]]] as const;
    for (const [statement, values] of earlier) {
      await assert.rejects(database.query(statement, values), (error) => {
        assert.ok(error instanceof Error);
        assert.equal(
          error.message,
          `this program writes for schema 8 or less, the database is at ${SCHEMA_NUMBER}: start the newer program`,
        );
        const state = sqlstate(error);
        assert.ok(state !== null && !BLAMED_BY_EARLIER.test(state), `${state} would be a message's fault`);
        return true;
      });
    }
    await assert.rejects(
      database.execute("update log_head set written_for = schema_number"),
      (error) => sqlstate(error) === "23514",
      "nobody says it once for all",
    );
    assert.deepEqual(await whole(database), before);
  },
  { both: true },
);

database_test(
  "who writes for an earlier schema writes nothing, by whatever way: nothing is lost, nothing set aside",
  async (database) => {
    await fed(database);
    await migrate_later(database);
    const before = await whole(database);
    const sentence = `this program writes for schema ${SCHEMA_NUMBER}, the database is at ${
      SCHEMA_NUMBER + 2
    }: start the newer program`;
    const refused = (error: unknown) =>
      is_other_schema(error) && !is_outage(error) && (error as Error).message === sentence;
    const more = whole_trip("C").map((each, offset) => message(offset, each));

    const running = start_ingest(database, new MemorySource("rides", [more]));
    await assert.rejects(running.ended, refused);
    assert.deepEqual([running.ingest.status().state, running.ingest.status().reason], ["stopped", sentence]);
    assert.ok(running.lines.every(([, text]) => !/failed|waiting/.test(text)), "it neither halves nor waits");

    const runtime = { clock: { now_ms: () => Date.parse(NOW) }, random: () => 0, logger: silent, signal: NEVER };
    const direct = new DirectIntake(runtime, {
      database,
      pipeline: trip_pipeline(database),
      committed: () => {},
    });
    await assert.rejects(direct.submit("http", more), refused);
    await assert.rejects((await make_retry(database, LIMITS)).run(NEVER), refused);
    const why = { by: "Ada", reason: "test" };
    await assert.rejects(discard_held(database, { filter: {}, newest_id: 9, limit: 9, ...why }, 0), refused);
    const gap = { topic: "trips", partition: 0, from: two_trips.length, to: 9, cluster_id: "test" };
    await assert.rejects(accept_gaps(database, { gaps: [gap], cluster_id: "test", ...why }, 0), refused);
    assert.deepEqual(await whole(database), before);

    await migrate_later(database, -2);
    const again = start_ingest(database, new MemorySource("rides", [more]));
    await again.caught_up();
    await again.stop();
    assert.equal((await read_head(database)).position, 9);
    assert.deepEqual((await verified(database)).faults, []);
  },
);

database_test("a database that is behind its program says so", async (database) => {
  await fed(database);
  await migrate_later(database, -1);
  await assert.rejects(
    discard_held(database, { filter: {}, newest_id: 9, limit: 9, by: "Ada", reason: "test" }, 0),
    /the database is at \d+: run `tacho migrate`$/,
  );
});

tacho_test({
  name: "a batch that waits for the head while the schema is raised is refused when it gets it",
  needs: ["postgres"],
  async fn() {
    const { url } = await (await shared_postgres()).create_database(migrated);
    const [migrating, appending] = await Promise.all(
      [1, 2].map((connections) => open_database({ url, data_dir: null, connections })),
    );
    try {
      const raised = Promise.withResolvers<void>(), waited_for = Promise.withResolvers<void>();
      const raising = migrating!.transaction(async (tx) => {
        await tx.execute("update log_head set schema_number = schema_number + 1");
        await tx.execute("set local idle_in_transaction_session_timeout = 0");
        raised.resolve();
        await waited_for.promise;
      });
      await raised.promise;
      const feeding = fed(appending!).then(() => null, (error) => error);
      await until("the batch waits", async () =>
        (await appending!.query(
          "select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock' and query like '%written_for%'",
        )).length === 1);
      waited_for.resolve();
      await raising;
      assert.ok(is_other_schema(await feeding));
      assert.equal((await read_head(appending!)).batch, 0);
    } finally {
      await migrating!.close();
      await appending!.close();
    }
  },
});
