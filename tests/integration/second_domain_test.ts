import assert from "node:assert/strict";
import { type Database, migrate, migrations_of, open_database, require_schema } from "../../src/database/mod.ts";
import { read_head, settle_deployment } from "../../src/event_log/mod.ts";
import { days_in } from "../../src/kpi/mod.ts";
import { tacho_test } from "../support/available.ts";
import { open_embedded_copy } from "../support/embedded.ts";
import { door_events, DOOR_TABLES, doors } from "../support/door_domain.ts";
import { start_ingest } from "../support/ingest_harness.ts";
import { MemorySource } from "../support/memory_source.ts";
import { shared_postgres } from "../support/postgres.ts";
import { message, migrated } from "../support/trip_pipeline.ts";
import { event, verified } from "../support/verified_log.ts";

tacho_test({
  name:
    "the engine knows no trips: a domain of a dozen lines is ingested, folded and counted by the same loop, log and cells",
  needs: ["postgres"],
  async fn() {
    const { url } = await (await shared_postgres()).create_database(migrated);
    const database = await open_database({ url, data_dir: null, connections: 3 });
    try {
      await database.script(DOOR_TABLES);
      const source = new MemorySource("doors", [
        door_events(["1", "a", "front", "10:00"], ["2", "b", "back", "10:10"]),
      ]);
      const running = start_ingest(database, source, { domain: doors, batch_messages: 2 });
      try {
        await running.caught_up();
        // The same again, a later opening that moves a door to another hour and name, and an earlier one that changes nothing.
        source.put(
          0,
          door_events(["1", "a", "front", "10:00"], ["1", "c", "side", "12:30"], ["1", "d", "front", "09:00"]),
        );
        source.put(0, door_events(["3", "e", true, "10:00"]));
        await running.caught_up();
      } finally {
        await running.stop();
      }
      const cells = await database.query(
        "select grain, bucket::text as bucket, key, doors from door_cells where doors <> 0 order by grain, bucket, key",
      );
      assert.deepEqual(cells, [
        { grain: "1h", bucket: "2026-03-01 10:00:00+00", key: "back", doors: "1" },
        { grain: "1h", bucket: "2026-03-01 12:00:00+00", key: "side", doors: "1" },
        { grain: "all", bucket: "1970-01-01 00:00:00+00", key: "back", doors: "1" },
        { grain: "all", bucket: "1970-01-01 00:00:00+00", key: "side", doors: "1" },
      ]);
      const [head] = await database.query("select position, duplicates, quarantined from log_head");
      assert.deepEqual(head, { position: "4", duplicates: "1", quarantined: "1" });
      const rows = await database.query(
        "select door_id, revision, door, positions::text as positions from doors order by door_id",
      );
      assert.deepEqual(rows, [
        { door_id: "1", revision: 3, door: "side", positions: "{1,3,4}" },
        { door_id: "2", revision: 1, door: "back", positions: "{2}" },
      ]);
    } finally {
      await database.close();
    }
  },
});

/** What every log of a domain is made of, as the database sees it: tables, columns, constraints, indexes, triggers and functions, without the schema's name. */
const log_structure = (database: Database): Promise<Record<string, unknown>[]> =>
  database.query(`
    with tables as (
      select oid, relname from pg_class where relnamespace = current_schema()::regnamespace and relkind in ('r', 'p')
        and relname in ('log_head', 'events', 'events_p000000', 'events_p000001', 'batches', 'source_cursors', 'quarantine', 'schema_migrations')
    ), said (what, name, definition) as (
      select 'column', format('%s.%s %s', relname, attnum, attname),
        format('%s %s %s %s', format_type(atttypid, atttypmod), attnotnull, attidentity,
          (select pg_get_expr(adbin, adrelid) from pg_attrdef where adrelid = attrelid and adnum = attnum)) || coalesce(collname, '')
        from tables join pg_attribute on attrelid = tables.oid and attnum > 0 and not attisdropped
        left join pg_collation c on c.oid = attcollation
      union all
      select 'column comment', relname || '.' || attname, (col_description(tables.oid, attnum) is not null)::text
        from tables join pg_attribute on attrelid = tables.oid and attnum > 0 and not attisdropped
      union all select 'constraint', conname, pg_get_constraintdef(c.oid) from tables join pg_constraint c on conrelid = tables.oid
      union all select 'index', relname, pg_get_indexdef(oid) from pg_class
        where oid in (select indexrelid from pg_index where indrelid in (select oid from tables))
      union all select 'trigger', relname || ' ' || tgname, pg_get_triggerdef(t.oid) from tables join pg_trigger t on tgrelid = tables.oid
      union all select 'granted', format('%s to %s', tables.relname, grantee::regrole), string_agg(privilege_type, ' ' order by privilege_type)
        from tables join pg_class using (oid) cross join lateral aclexplode(relacl) where grantee <> relowner group by tables.relname, grantee
      union all select 'granted', format('%s.%s to %s', tables.relname, attname, grantee::regrole), privilege_type
        from tables join pg_attribute on attrelid = tables.oid cross join lateral aclexplode(attacl)
      union all select 'function', proname, coalesce(prosrc, '') || format(' %s %s %s %s', prosecdef, provolatile, proisstrict, proconfig)
        || has_function_privilege('public', p.oid, 'execute') from pg_proc p where pronamespace = current_schema()::regnamespace
        and proname not in ('kpis_by', 'waiting_by', 'kept_dimension')
    )
    select what, name, replace(replace(replace(definition, current_schema() || '.', ''), '=' || current_schema(), '='),
      '"' || current_schema() || '"', '') as definition from said order by what, name`);

tacho_test({
  name: "the log of another domain is made as that of trips is, table by table, in a schema of its own",
  needs: ["postgres"],
  async fn() {
    const { name, url, superuser_url } = await (await shared_postgres()).create_database(migrated);
    const roles = [`program_${name}`, `reader_${name}`];
    const superuser = await open_database({ url: superuser_url, data_dir: null, connections: 1 });
    const trips = await open_database({ url, data_dir: null, connections: 2 });
    const other = trips.beside({ schema: "other" });
    try {
      await superuser.script(roles.map((role) => `create role ${role} login;`).join(" "));
      await assert.rejects(require_schema(other), /holds no log yet/);
      await migrate(other, migrations_of("other"));
      assert.deepEqual(await migrate(other, migrations_of("other")), []);
      await require_schema(other);
      for (const log of [trips, other]) {
        await log.query(`select grant_to_program('${roles[0]}'), grant_to_reader('${roles[1]}')`);
      }
      const structure = await log_structure(trips);
      assert.ok(structure.length > 100 && structure.some(({ what }) => what === "granted"));
      assert.deepEqual(await log_structure(other), structure);
      assert.equal((await read_head(other)).schema_number, (await read_head(trips)).schema_number);
    } finally {
      await superuser.script(roles.map((role) => `drop owned by ${role}; drop role ${role};`).join(" "));
      for (const each of [other, trips, superuser]) await each.close();
    }
  },
});

for (const kind of ["server", "embedded"] as const) {
  tacho_test({
    name:
      `two domains in one database share nothing but the program: same topics, same ids, each its own log (${kind})`,
    needs: kind === "server" ? ["postgres"] : [],
    async fn() {
      const on_server = async () => {
        const { url } = await (await shared_postgres()).create_database();
        return open_database({ url, data_dir: null, connections: 3 });
      };
      const database = await (kind === "embedded" ? open_embedded_copy() : on_server());
      const other = database.beside({ connections: 3, schema: "doors" });
      try {
        await migrate(database, migrations_of("trips"));
        await migrate(other, migrations_of("doors"));
        await settle_deployment(database, { time_zone: "America/New_York", currency: "USD" });
        await settle_deployment(other, { time_zone: "Asia/Kolkata", currency: "INR" });
        await other.script(DOOR_TABLES);
        const trip = (id: string, minute: number) => message(0, event(1, id, "trip.started", minute, {}));
        const of_trips = new MemorySource("shared", [[trip("a", 1), trip("b", 2)]]);
        const of_doors = new MemorySource("shared", [
          door_events(["T-1", "a", "front", "10:00"], ["T-1", "a", "front", "10:00"], ["2", "b", true, "10:10"]),
        ]);
        const trips_run = start_ingest(database, of_trips);
        const doors_run = start_ingest(other, of_doors, { domain: doors, time_zone: "Asia/Kolkata" });
        try {
          await Promise.all([trips_run.caught_up(), doors_run.caught_up()]);
          const [head, other_head] = [await read_head(database), await read_head(other)];
          assert.deepEqual([head.position, head.duplicates, head.held], [2, 0, 0]);
          assert.deepEqual([other_head.position, other_head.duplicates, other_head.held], [1, 1, 1]);
          assert.notEqual(head.log_id, other_head.log_id);
          assert.deepEqual(await database.query("select time_zone, currency from log_head"), [
            { time_zone: "America/New_York", currency: "USD" },
          ]);
          assert.deepEqual(await other.query("select time_zone, currency from log_head"), [
            { time_zone: "Asia/Kolkata", currency: "INR" },
          ]);
          assert.deepEqual((await verified(database)).faults, []);
          const audit = { domain: doors, days: days_in("Asia/Kolkata") };
          assert.deepEqual((await verified(other, {}, audit)).faults, []);

          // One that is gone holds up nobody: its own ingest says so, the other goes on, verified.
          await database.script("drop schema doors cascade");
          of_doors.put(0, door_events(["5", "e", "back", "11:00"]));
          of_trips.put(0, [message(0, event(2, "c", "trip.started", 3, {}))]);
          await trips_run.caught_up();
          assert.equal((await read_head(database)).position, 3);
          assert.deepEqual((await verified(database)).faults, []);
          await assert.rejects(read_head(other), /log_head/);
        } finally {
          doors_run.abort.abort();
          await Promise.allSettled([doors_run.ended, trips_run.stop()]);
        }
      } finally {
        await other.close();
        await database.close();
      }
    },
  });
}
