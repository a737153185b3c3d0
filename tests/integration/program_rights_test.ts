import assert from "node:assert/strict";
import {
  type Database,
  migrate,
  migrations_of,
  open_database,
  type OpenedDatabase,
  sqlstate,
} from "../../src/database/mod.ts";
import { tacho_test } from "../support/available.ts";
import { shared_postgres } from "../support/postgres.ts";

/** The role that the program logs in as has exactly these rights: no table is left out, and none has more. */
const OF_A_LOG = [
  "alert_changes: DELETE INSERT SELECT",
  "alert_deliveries: DELETE INSERT SELECT UPDATE",
  "alert_rules: DELETE INSERT SELECT UPDATE",
  "alert_states: DELETE INSERT SELECT UPDATE",
  "archives: SELECT",
  "batches: INSERT SELECT",
  "checkpoint_deliveries: INSERT SELECT UPDATE",
  "events: INSERT SELECT",
  "flink_doors: SELECT",
  "flink_jobs: INSERT SELECT UPDATE",
  "flink_progress: SELECT",
  "log_checkpoints: INSERT SELECT",
  "log_head: SELECT UPDATE",
  "persons: DELETE INSERT SELECT",
  "program_rights: ",
  "published_windows: INSERT SELECT UPDATE",
  "publishing: INSERT SELECT UPDATE",
  "quarantine: INSERT SELECT",
  ...["attempts", "code_version", "detail", "path", "reason", "settled_at", "stage", "status"]
    .map((column) => `quarantine.${column}: UPDATE`),
  "read_models: SELECT",
  "report_deliveries: DELETE INSERT SELECT UPDATE",
  "saved_notes: DELETE INSERT SELECT",
  "saved_views: DELETE INSERT SELECT UPDATE",
  "schema_migrations: SELECT",
  "source_cursors: INSERT SELECT UPDATE",
  "ensure_events_partition(bigint): EXECUTE",
  "erase_messages(bigint[], text, timestamp with time zone): EXECUTE",
  "remove_unkept(text, text, text, timestamp with time zone, integer): EXECUTE",
  "remove_unkept_windows(timestamp with time zone, integer): EXECUTE",
];
const OF_DOMAINS = {
  trips: ["trips", "trip_cells", "trip_sketches", "trip_totals"],
  trades: ["trades", "trade_cells"],
  payments: ["transactions", "transaction_cells", "transaction_sketches", "transaction_totals"],
  other: [],
};
const wanted_of = (domain: keyof typeof OF_DOMAINS): string[] =>
  [...OF_A_LOG, ...OF_DOMAINS[domain].map((table) => `${table}: INSERT SELECT UPDATE`)].sort();

/** Every table of the schema with what the role may do; columns and functions where it may do something with them alone. */
async function rights_of(database: Database, role: string): Promise<string[]> {
  const rows = await database.query<{ text: string }>(
    `with tables as (
      select oid, relname, relacl from pg_class
      where relnamespace = current_schema()::regnamespace and relkind in ('r', 'p', 'v', 'm', 'f', 'S') and not relispartition
    ), granted (object, privilege) as (
      select relname::text, (select string_agg(a.privilege_type, ' ' order by a.privilege_type) from aclexplode(relacl) a where a.grantee = $1::regrole)
        from tables where (select relkind from pg_class c where c.oid = tables.oid) in ('r', 'p') or relacl::text like '%' || $1 || '=%'
      union all
      select format('%s.%s', relname, attname), a.privilege_type from tables join pg_attribute on attrelid = tables.oid
        cross join lateral aclexplode(attacl) a where a.grantee = $1::regrole
      union all
      select format('%s(%s)', proname, array_to_string(array(select format_type(t, null) from unnest(proargtypes) t), ', ')), a.privilege_type
        from pg_proc p cross join lateral aclexplode(proacl) a where pronamespace = current_schema()::regnamespace and a.grantee = $1::regrole
    ) select object || ': ' || coalesce(privilege, '') as text from granted`,
    [role],
  );
  return rows.map(({ text }) => text).sort();
}

/** A database with a role of its own. */
async function with_role(
  work: (owner: OpenedDatabase, role: string, superuser: Database) => Promise<void>,
): Promise<void> {
  const { name, url, superuser_url } = await (await shared_postgres()).create_database();
  const role = `program_${name}`;
  const superuser = await open_database({ url: superuser_url, data_dir: null, connections: 1 });
  const owner = await open_database({ url, data_dir: null, connections: 1 });
  try {
    await superuser.script(`create role ${role} login`);
    await work(owner, role, superuser);
  } finally {
    await superuser.script(`drop owned by ${role}; drop role ${role}`);
    await owner.close();
    await superuser.close();
  }
}

/** The last migration that wrote the function out whole. */
const WRITTEN_OUT = 31;

for (const domain of ["trips", "trades", "payments", "other"] as const) {
  tacho_test({
    name: `the program's role has exactly the rights that are wanted on every table, new or upgraded (${domain})`,
    needs: ["postgres"],
    fn: () =>
      with_role(async (owner, role) => {
        const migrations = migrations_of(domain), wanted = wanted_of(domain);
        const before = migrations.filter(({ version }) => version <= WRITTEN_OUT);
        for (const upgraded of [true, false]) {
          const database = domain === "trips" && upgraded
            ? owner
            : owner.beside({ schema: `${domain}_${upgraded ? "upgraded" : "new"}` });
          try {
            if (upgraded) {
              await migrate(database, before);
              await database.query("select grant_to_program($1)", [role]);
            }
            await migrate(database, migrations);
            if (!upgraded) await database.query("select grant_to_program($1)", [role]);
            assert.deepEqual(await rights_of(database, role), wanted, `upgraded: ${upgraded}`);
            const [table] = OF_DOMAINS[domain];
            await database.script(
              `grant delete, truncate on ${table ?? "events"} to ${role}; grant update on events to ${role}`,
            );
            await database.query("select grant_to_program($1)", [role]);
            assert.deepEqual(await rights_of(database, role), wanted, "what else was granted is taken away");
          } finally {
            if (database !== owner) await database.close();
          }
        }
      }),
  });
}

tacho_test({
  name: "a migration that adds a table says in one line what the program may do with it, also for roles that are there",
  needs: ["postgres"],
  fn: () =>
    with_role(async (owner, role, superuser) => {
      // Whoever set this up gives too much by default.
      await superuser.script(`alter default privileges for role tacho grant all on tables to ${role}`);
      await migrate(owner, migrations_of("trips"));
      const on_rights = (await rights_of(owner, role)).find((each) => each.startsWith("program_rights: "));
      assert.match(on_rights!, /^program_rights: (MAINTAIN )?SELECT$/);
      await owner.script(
        "create table added (); create table others (); select program_may('added', 'select, insert'); create table added_v2 ();" +
          "insert into read_models (name) values ('v2')",
      );
      const on = async (table: string) => (await rights_of(owner, role)).find((each) => each.startsWith(`${table}: `));
      assert.equal(await on("added"), "added: INSERT SELECT");
      await owner.query("select grant_to_program($1)", [role]);
      assert.equal(await on("added_v2"), "added_v2: INSERT SELECT", "a read model beside the live one");
      assert.match((await on("others"))!, /DELETE.*TRUNCATE/, "a table of others is not the log's to grant");
      await owner.script("select program_may('added', 'select')");
      assert.equal(await on("added"), "added: SELECT");
    }),
});

tacho_test({
  name: "what is granted is a table or function and rights on it, and nothing that could be another statement",
  needs: ["postgres"],
  fn: () =>
    with_role(async (owner) => {
      await migrate(owner, migrations_of("trips"));
      const refused: readonly (readonly [object: string, rights: string])[] = [
        ["trips", "all"],
        ["trips", "select on trips to public; --"],
        ["trips", "truncate"],
        ["trips", "execute"],
        ['"trips"', "select"],
        ["erase_messages(bigint[], text, timestamptz)", "select"],
      ];
      for (const [object, rights] of refused) {
        await assert.rejects(
          owner.query("select program_may($1, $2)", [object, rights]),
          (error) => sqlstate(error) === "23514",
          `${object}: ${rights}`,
        );
      }
      for (const object of ["absent", "absent(bigint)"]) {
        await assert.rejects(
          owner.query("select program_may($1, 'select')", [object]),
          new RegExp(`there is no table or function ${object.replace(/[()]/g, ".")} in schema public`),
        );
      }
      for (const object of ["trips; drop table trips", "trips to public; --"]) {
        await assert.rejects(owner.query("select program_may($1, 'select')", [object]));
        await assert.rejects(
          owner.query("insert into program_rights values ($1, 'select')", [object]),
          (error) => sqlstate(error) === "23514",
        );
      }
    }),
});
