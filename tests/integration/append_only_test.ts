import assert from "node:assert/strict";
import { type Database, migrate, migrations_of, open_database, sqlstate } from "../../src/database/mod.ts";
import { discard_held, settle_deployment } from "../../src/event_log/mod.ts";
import { tacho_test } from "../support/available.ts";
import { make_retry } from "../support/held_messages.ts";
import { start_ingest } from "../support/ingest_harness.ts";
import { MemorySource } from "../support/memory_source.ts";
import { compare_with_database } from "../support/oracle/mod.ts";
import { shared_postgres } from "../support/postgres.ts";
import { database_test } from "../support/read_side.ts";
import { expected, whole_trip } from "../support/trip_events.ts";
import { feed, LIMITS, message, migrated, TEST_TIME_ZONE, trip_pipeline } from "../support/trip_pipeline.ts";

/** Every statement that would rewrite history. */
const FORBIDDEN = [
  "update events set type = 'trip.canceled'",
  "update events set data = data where position = 1",
  "delete from events where position = 2",
  "truncate events",
  "truncate events cascade",
  "update events_p000000 set stream_id = 'x' where position = 1",
  "delete from events_p000000",
  "truncate events_p000000",
  "truncate events_p000001",
  "update batches set note = '{}'",
  "delete from batches",
  "truncate batches",
  "delete from log_head",
  "truncate log_head",
  "merge into events e using (select 1 as p) s on e.position = s.p when matched then delete",
];
/** Every statement that would change what is kept beside history: messages in quarantine, cursors, whose log it is. */
const KEPT = [
  ...[
    "topic = 'x'",
    "partition = 7",
    "message_offset = 7",
    "message_key = 'x'",
    "headers = '{}'",
    "message_value = null",
  ]
    .map((change) => `update quarantine set ${change}`),
  "update quarantine set message_timestamp = now()",
  "update quarantine set quarantined_at = now()",
  "update quarantine set message_value = message_value",
  "update quarantine set erased_bytes = 0",
  "update quarantine set message_key = null, headers = '{}', message_value = null, path = null, status = 'discarded', erased_bytes = 1",
  "update quarantine set status = 'discarded', settled_at = now(), message_value = 'x'",
  `insert into quarantine (topic, partition, message_offset, message_key, headers, message_value, stage, reason, detail, code_version, quarantined_at)
    select topic, partition, message_offset, message_key, headers, message_value, stage, reason, detail, code_version, quarantined_at from quarantine
    on conflict on constraint quarantine_messages_are_unique do update set headers = excluded.headers`,
  "delete from quarantine",
  "delete from quarantine where status <> 'held'",
  "truncate quarantine",
  "merge into quarantine q using (select 1) s on true when matched then update set message_value = 'x'",
  "merge into quarantine q using (select 1) s on true when matched then delete",
  "update source_cursors set topic = 'x'",
  "update source_cursors set partition = 7, next_offset = 0",
  "delete from source_cursors",
  "truncate source_cursors",
  "update log_head set log_id = gen_random_uuid()",
  "update log_head set singleton = true",
  "update log_head set time_zone = 'UTC'",
  "update log_head set currency = 'EUR'",
  "update log_head set h3_resolution = null",
  "update persons set person_id = 'x'",
  "truncate persons",
];
/** What the server's version does not know is no door. */
const UNKNOWN_STATEMENT = "42601";

const fed = async (database: Database) => {
  const batch = {
    topic: "trips",
    partition: 0,
    from_offset: 0,
    next_offset: 3,
    messages: whole_trip("T").map((each, offset) => message(offset, each)),
  };
  await feed(trip_pipeline(database), [batch]);
};
const history = (database: Database) =>
  database.query("select e::text as text from events e union all select b::text from batches b order by text");

async function refused_states(database: Database, statements: readonly string[]): Promise<[string, string | null][]> {
  const states: [string, string | null][] = [];
  for (const statement of statements) {
    const error: unknown = await database.execute(statement).then(() => null, (error: unknown) => error);
    const state = error === null ? "done" : sqlstate(error);
    if (state !== UNKNOWN_STATEMENT) states.push([statement, state]);
  }
  return states;
}

database_test(
  "history cannot be changed, even by the owner of the tables: each statement is refused with TA001",
  async (database) => {
    await fed(database);
    const before = await history(database);
    assert.equal(before.length, 4);
    const states = await refused_states(database, FORBIDDEN);
    assert.ok(states.length >= 14);
    assert.deepEqual(states, states.map(([statement]) => [statement, "TA001"]));
    assert.deepEqual(await history(database), before);
  },
  { both: true },
);

/** A database begun by a deployment, in whose quarantine a message is held and another one settled. */
const with_quarantine = async (database: Database) => {
  await settle_deployment(database, { time_zone: TEST_TIME_ZONE, currency: "USD" });
  await fed(database);
  const messages = ["bad", "worse"].map((each, offset) => message(offset, each));
  await feed(trip_pipeline(database), [{ topic: "t", partition: 1, from_offset: 0, next_offset: 2, messages }]);
  await discard_held(database, { filter: { ids: [1] }, newest_id: 9, limit: 9, by: "Ada", reason: "test" }, 0);
};
const kept = (database: Database) =>
  database.query(
    `select q::text as text from quarantine q union all select c::text from source_cursors c
      union all select h::text from log_head h order by text`,
  );

database_test(
  "a message in quarantine, held or settled, cursors and the head's identity cannot be changed or removed, even by the owner",
  async (database) => {
    await with_quarantine(database);
    const before = await kept(database);
    assert.equal(before.length, 5);
    const states = await refused_states(database, KEPT);
    assert.ok(states.length >= KEPT.length - 2);
    assert.deepEqual(states, states.map(([statement]) => [statement, "TA001"]));
    await assert.rejects(
      database.execute("update quarantine set quarantine_id = 7"),
      (error) => sqlstate(error) !== null,
    );
    await assert.rejects(
      database.execute("update quarantine set message_hash = ''"),
      (error) => sqlstate(error) !== null,
    );
    assert.deepEqual(await kept(database), before);
  },
  { both: true },
);

database_test("every column of the quarantine is either kept as it was or one that settles", async (database) => {
  const columns = await database.query(
    `select a.attname as name, exists (select from pg_trigger t where t.tgrelid = a.attrelid
        and t.tgname = 'quarantine_keeps_messages' and a.attnum = any(t.tgattr::smallint[])) as kept
      from pg_attribute a where a.attrelid = 'quarantine'::regclass and a.attnum > 0 and not a.attisdropped
        and a.attgenerated = ''`,
  );
  const settling = ["status", "settled_at", "attempts", "stage", "reason", "path", "detail", "code_version"];
  assert.deepEqual(columns.filter(({ kept }) => !kept).map(({ name }) => name).sort(), settling.sort());
});

database_test("a partition that is made ahead is append-only too", async (database) => {
  await database.query("select ensure_events_partition(2)");
  await database.execute("update log_head set position = 19999999");
  await fed(database);
  const [{ count }] = await database.query("select count(*) from events_p000002") as [{ count: string }];
  assert.equal(count, "3");
  const forbidden = ["update events_p000002 set type = ''", "delete from events_p000002", "truncate events_p000002"];
  assert.deepEqual(await refused_states(database, forbidden), forbidden.map((statement) => [statement, "TA001"]));
});

database_test("a refused statement takes its whole transaction along", async (database) => {
  await fed(database);
  const before = await history(database);
  await assert.rejects(
    database.transaction(async (tx) => {
      await tx.query("update log_head set position = position + 1");
      await tx.execute("delete from events");
    }),
    /DELETE on events.* refused: the event log is append-only/,
  );
  assert.deepEqual(await history(database), before);
  const [head] = await database.query("select position from log_head");
  assert.equal(head!.position, "3");
});

database_test(
  "an event cannot be in the log twice, at position 0, or without a place in its stream",
  async (database) => {
    await fed(database);
    const copy = (position: number, revision: number) =>
      database.execute(
        `insert into events select ${position}, stream_id, ${revision}, event_id, type, schema_version, occurred_at,
      recorded_at, data, metadata from events where position = 1`,
      );
    for (const [position, revision, state] of [[1, 1, "23505"], [-1, 1, "23514"], [9, 0, "23514"]] as const) {
      await assert.rejects(copy(position, revision), (error) => sqlstate(error) === state);
    }
  },
);

/** A database, and the url of a role that has the program's rights and no others. */
async function with_program_role(work: (owner: Database, program_url: string) => Promise<void>): Promise<void> {
  const server = await shared_postgres();
  const { name, url, superuser_url } = await server.create_database(migrated);
  const role = `program_${name}`;
  const superuser = await open_database({ url: superuser_url, data_dir: null, connections: 1 });
  const owner = await open_database({ url, data_dir: null, connections: 1 });
  try {
    await superuser.script(`create role ${role} login`);
    await owner.query("select grant_to_program($1)", [role]);
    await work(owner, url.replace("tacho@", `${role}@`));
  } finally {
    await superuser.script(`drop owned by ${role}; drop role ${role}`);
    await owner.close();
    await superuser.close();
  }
}

tacho_test({
  name:
    "with the rights of the program alone, all that it does works: start, append, quarantine, retry, discard, fold anew, partitions",
  needs: ["postgres"],
  fn: () =>
    with_program_role(async (owner, url) => {
      const database = await open_database({ url, data_dir: null, connections: 3 });
      try {
        assert.deepEqual(await migrate(database, migrations_of("trips")), []);
        await settle_deployment(database, { time_zone: TEST_TIME_ZONE, currency: "USD" });
        const [requested, started, completed] = whole_trip("T", { city: "Boston" });
        const values = [completed, started, "bad", requested, completed, { ...started, city: "Chicago" }];
        const partitions = [values.map((each, offset) => message(offset, each))];
        const running = start_ingest(database, new MemorySource("trips", partitions), { batch_messages: 2 });
        try {
          await running.caught_up();
        } finally {
          await running.stop();
        }
        const retry = await make_retry(database, LIMITS);
        await retry.run(new AbortController().signal);
        assert.deepEqual(await compare_with_database((sql) => database.query(sql), expected(partitions)), []);
        const discard = { filter: {}, newest_id: 1e6, limit: 10, by: "Ada", reason: "done" };
        assert.equal(await discard_held(database, discard, 0), 2);
        assert.deepEqual(await database.query("select ensure_events_partition(5) as made"), [{ made: true }]);
        const [partition] = await owner.query(
          "select relowner::regrole::text as owner from pg_class where relname = 'events_p000005'",
        );
        assert.equal(partition!.owner, "tacho");
      } finally {
        await database.close();
      }
    }),
});

tacho_test({
  name:
    "with the rights of the program alone, history and tables cannot be changed: each statement is refused for lack of rights",
  needs: ["postgres"],
  fn: () =>
    with_program_role(async (owner, url) => {
      await fed(owner);
      const database = await open_database({ url, data_dir: null, connections: 1 });
      try {
        const statements = [
          ...FORBIDDEN,
          "drop table events",
          "drop table events_p000000",
          "alter table events detach partition events_p000000",
          "alter table events disable trigger all",
          "drop trigger events_are_append_only on events",
          "alter table batches disable trigger all",
          "insert into log_head default values",
          "delete from trips",
          "delete from trip_cells",
          "delete from trip_totals",
          "delete from trip_sketches",
          "delete from quarantine",
          "delete from source_cursors",
          "truncate trips",
          "drop table trips",
          "update schema_migrations set checksum = ''",
          "insert into events_p000000 select * from events",
          "create table mine ()",
          "set session_replication_role = replica",
          "select grant_to_program(current_user)",
        ];
        const states = await refused_states(database, statements);
        assert.ok(states.length >= statements.length - 1);
        assert.deepEqual(states, states.map(([statement]) => [statement, "42501"]));
        // What the program may change on a table, the triggers keep within bounds.
        const beside = await refused_states(database, KEPT);
        assert.deepEqual(
          beside,
          beside.map((
            [statement],
          ) => [statement, /quarantine|delete|truncate|persons/.test(statement) ? "42501" : "TA001"]),
        );
      } finally {
        await database.close();
      }
    }),
});

tacho_test({
  name: "a role that was granted the program's rights before there were sketches gets those on them too",
  needs: ["postgres"],
  fn: () =>
    with_program_role(async (owner, url) => {
      await owner.script(
        "drop table trip_sketches; drop function sketch_bin; delete from schema_migrations where name = 'sketches'",
      );
      await migrate(owner, migrations_of("trips"));
      // The migrations after it have been: one of them knows another sketch.
      await owner.script(
        `alter table trip_sketches drop constraint trip_sketches_sketch_is_known, add constraint trip_sketches_sketch_is_known
          check (sketch in ('fare_micros', 'duration_ms', 'waiting_ms'))`,
      );
      const database = await open_database({ url, data_dir: null, connections: 1 });
      try {
        await fed(database);
        assert.notDeepEqual(await database.query("select from trip_sketches"), []);
      } finally {
        await database.close();
      }
    }),
});

tacho_test({
  name: "the function that runs as its owner finds only its own tables, whatever the caller's search path",
  needs: ["postgres"],
  fn: () =>
    with_program_role(async (owner, url) => {
      const database = await open_database({ url, data_dir: null, connections: 1 });
      try {
        // A temporary table of the caller would be found before those of any schema.
        await database.script("create temporary table events_p000007 ()");
        assert.deepEqual(await database.query("select ensure_events_partition(7) as made"), [{ made: true }]);
        const [found] = await owner.query("select to_regclass('public.events_p000007')::text as name");
        assert.equal(found!.name, "events_p000007");
      } finally {
        await database.close();
      }
    }),
});

database_test("a batch that does not account for all it read is refused, and writes nothing", async (database) => {
  await fed(database);
  const pipeline = trip_pipeline(database);
  const batch = { topic: "trips", partition: 0, from_offset: 3, next_offset: 4, messages: [message(3, "bad")] };
  const planned = await pipeline.plan([batch], [{ topic: "trips", partition: 0, from: 3, to: 4 }], "test");
  const wrong = { ...planned, batch: { ...planned.batch, messages_read: 2 } };
  await assert.rejects(pipeline.append(wrong), (error) => sqlstate(error) === "23514");
  const [head] = await database.query("select messages_read, (select count(*) from quarantine) as held from log_head");
  assert.deepEqual(head, { messages_read: "3", held: "0" });
});
