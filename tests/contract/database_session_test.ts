import assert from "node:assert/strict";
import { type Database, DatabaseUnsuitable, is_outage, open_database } from "../../src/database/mod.ts";
import { tacho_test } from "../support/available.ts";
import { start_ingest } from "../support/ingest_harness.ts";
import { MemorySource } from "../support/memory_source.ts";
import { compare_with_database } from "../support/oracle/mod.ts";
import { start_pgbouncer } from "../support/pgbouncer.ts";
import { shared_postgres, type TestDatabase } from "../support/postgres.ts";
import { run_verb } from "../support/tacho_program.ts";
import { expected } from "../support/trip_events.ts";
import { message, migrated, TEST_TIME_ZONE } from "../support/trip_pipeline.ts";

/** Servers, databases, roles and poolers with settings of their own: the program's connections are what it needs, or it refuses. */

async function with_database<T>(url: string, work: (database: Database) => Promise<T>, connections = 3): Promise<T> {
  const database = await open_database({ url, data_dir: null, connections });
  try {
    return await work(database);
  } finally {
    await database.close();
  }
}

async function made(template?: typeof migrated): Promise<TestDatabase> {
  return await (await shared_postgres()).create_database(template);
}

/** What it is set to for the database, and what the program's connections must have. */
const OVERRIDDEN: readonly [setting: string, theirs: string, ours: string][] = [
  ["array_nulls", "off", "on"],
  ["backslash_quote", "on", "safe_encoding"],
  ["bytea_output", "escape", "hex"],
  ["client_encoding", "LATIN1", "UTF8"],
  ["datestyle", "SQL, DMY", "ISO, MDY"],
  ["default_transaction_deferrable", "on", "off"],
  ["default_transaction_isolation", "serializable", "read committed"],
  ["exit_on_error", "on", "off"],
  ["extra_float_digits", "-15", "1"],
  ["gin_fuzzy_search_limit", "1", "0"],
  ["idle_in_transaction_session_timeout", "2000", "20s"],
  ["idle_session_timeout", "2000", "0"],
  ["intervalstyle", "sql_standard", "postgres"],
  ["lock_timeout", "1", "20s"],
  ["row_security", "on", "off"],
  ["standard_conforming_strings", "off", "on"],
  ["statement_timeout", "5", "5min"],
  ["synchronous_commit", "off", "on"],
  ["timezone", "Asia/Kathmandu", "UTC"],
  ["transform_null_equals", "on", "off"],
];

/** Trips with what settings could spoil: names that are not Latin, nulls in arrays, backslashes, a faulty message. */
const MESSAGES = [
  {
    type: "trip.completed",
    trip_id: "t1",
    event_id: "1",
    occurred_at: "2026-03-01T10:00:00Z",
    fare: "0.30",
    city: "Łódź",
  },
  { type: "trip.requested", trip_id: "t2", event_id: "2", occurred_at: "2026-03-01T10:01:00Z", city: "'\\x41\\" },
  { type: "trip.started", trip_id: "t3", event_id: "3", occurred_at: "2026-03-01T10:02:00Z" },
  { type: "trip.nonsense", trip_id: "t4", event_id: "4" },
].map((each, offset) => message(offset, each));

/** Takes the messages in as the program does, and compares everything with the oracle. */
async function ingests(database: Database, messages = MESSAGES): Promise<void> {
  const running = start_ingest(database, new MemorySource("trips", [messages]));
  await Promise.race([running.ended, running.caught_up()]);
  await running.stop();
  assert.deepEqual(await compare_with_database((sql) => database.query(sql), expected([messages])), []);
}

tacho_test({
  name: "settings of a database that would lose commits or spoil values do not hold for the program's connections",
  needs: ["postgres"],
  async fn() {
    const { name, url, superuser_url } = await made(migrated);
    await with_database(superuser_url, async (superuser) => {
      for (const [setting, theirs] of OVERRIDDEN) {
        await superuser.script(
          `alter database ${name} set ${setting} = ${setting === "datestyle" ? theirs : `'${theirs}'`}`,
        );
      }
    });
    await with_database(url, async (database) => {
      const settings = OVERRIDDEN.map(([setting]) => `current_setting('${setting}') as ${setting}`);
      const [found] = await database.query(`select ${settings.join(", ")}`);
      assert.deepEqual(found, Object.fromEntries(OVERRIDDEN.map(([setting, , ours]) => [setting, ours])));
      await ingests(database);
    });
  },
});

tacho_test({
  name: "a database that commits to replicas, or asks for fewer of them, keeps doing so",
  needs: ["postgres"],
  async fn() {
    for (const value of ["local", "remote_apply", "remote_write"]) {
      const { name, url, superuser_url } = await made();
      await with_database(
        superuser_url,
        (superuser) => superuser.script(`alter database ${name} set synchronous_commit = '${value}'`),
      );
      const rows = await with_database(
        url,
        (database) => database.query("select current_setting('synchronous_commit') as value"),
      );
      assert.deepEqual(rows, [{ value }]);
    }
  },
});

tacho_test({
  name: "a database that sorts and compares text in its own way holds the same figures, and verifies",
  needs: ["postgres"],
  async fn() {
    const { superuser_url } = await shared_postgres();
    const name = `icu_${crypto.randomUUID().replaceAll("-", "")}`;
    // Digits by their number, dotless i: not the order of bytes that the program sorts by.
    const locale = "locale_provider icu icu_locale 'tr-TR-u-kn-true' lc_collate 'C.UTF-8' lc_ctype 'C.UTF-8'";
    await with_database(
      superuser_url,
      (superuser) => superuser.execute(`create database ${name} template template0 encoding 'UTF8' ${locale}`),
    );
    const url = superuser_url.replace(/\/[^/]*$/, `/${name}`);
    const cities = ["I", "ı", "i", "İ", "a10", "a9", "A9", "a-9", "é", "e\u0301", "Z", "z", " "];
    const messages = cities.map((city, i) =>
      message(i, {
        type: "trip.completed",
        trip_id: city,
        event_id: city,
        occurred_at: "2026-03-01T10:00:00Z",
        fare: 1,
        city,
      })
    );
    await with_database(url, async (database) => {
      await migrated.prepare(url);
      await ingests(database, messages);
    });
    const { stdout } = await run_verb(["verify"], { env: { DATABASE_URL: url, TACHO_TIME_ZONE: TEST_TIME_ZONE } });
    assert.match(stdout, /^consistent: /);
  },
});

tacho_test({
  name: "a database that cannot be made fit is refused in one sentence, and at run time waited for like an outage",
  needs: ["postgres"],
  async fn() {
    const cases: readonly [name: string, make: (name: string) => string[], told: RegExp][] = [
      [
        "LATIN1",
        (name) => [`create database ${name} encoding 'LATIN1' lc_collate 'C' lc_ctype 'C' template template0`],
        /expected a database with the encoding UTF8, got LATIN1, .*`create database … encoding 'UTF8'/,
      ],
      [
        "SQL_ASCII",
        (name) => [`create database ${name} encoding 'SQL_ASCII' lc_collate 'C' lc_ctype 'C' template template0`],
        /expected a database with the encoding UTF8, got SQL_ASCII/,
      ],
      [
        "triggers off",
        (name) => [`create database ${name}`, `alter database ${name} set session_replication_role = 'replica'`],
        /session_replication_role is "replica", which turns off the triggers/,
      ],
      [
        "no schema",
        (name) => [`create database ${name}`, `alter database ${name} set search_path = 'nowhere', "x y"`],
        /none of the schemas in its search_path \(nowhere, "x y"\) exists/,
      ],
    ];
    const { superuser_url } = await shared_postgres();
    for (const [what, make, told] of cases) {
      const name = `unfit_${crypto.randomUUID().replaceAll("-", "")}`;
      await with_database(superuser_url, async (superuser) => {
        for (const statement of make(name)) await superuser.execute(statement);
      });
      const url = superuser_url.replace(/\/[^/]*$/, `/${name}`);
      await with_database(url, (database) =>
        assert.rejects(database.query("select 1"), (error) => {
          assert.ok(error instanceof DatabaseUnsuitable && is_outage(error), what);
          assert.match(error.message, told);
          assert.ok(!error.message.includes("\n"));
          return true;
        }));
    }
  },
});

tacho_test({
  name: "a pooler that gives each transaction another connection is refused before anything is set there",
  needs: ["postgres", "pgbouncer"],
  async fn() {
    const { superuser_url } = await shared_postgres();
    const { name } = await made(migrated);
    const refused: Readonly<Record<string, string>>[] = [
      { pool_mode: "transaction" },
      { pool_mode: "transaction", server_round_robin: "1", default_pool_size: "4" },
      { pool_mode: "transaction", default_pool_size: "1" },
      {
        pool_mode: "transaction",
        ignore_startup_parameters: "statement_timeout,lock_timeout,idle_in_transaction_session_timeout,options",
      },
      { pool_mode: "statement" },
    ];
    for (const settings of refused) {
      await using pooler = await start_pgbouncer(superuser_url, settings);
      await with_database(pooler.url_of(name), async (database) => {
        const asked = [database.query("select 1"), database.transaction(() => Promise.resolve())];
        for (const answer of await Promise.allSettled(asked)) {
          const reason: unknown = answer.status === "rejected" ? answer.reason : "it was let in";
          assert.ok(reason instanceof DatabaseUnsuitable, `${JSON.stringify(settings)}: ${reason}`);
          assert.match(reason.message, /a pooler stands between .* pool_mode = session$/);
        }
      });
    }
  },
});

tacho_test({
  name: "a pooler that keeps a connection for each client works, with its defaults",
  needs: ["postgres", "pgbouncer"],
  async fn() {
    const { superuser_url } = await shared_postgres();
    const { name } = await made(migrated);
    await using pooler = await start_pgbouncer(superuser_url, { pool_mode: "session" });
    await with_database(pooler.url_of(name), async (database) => {
      await ingests(database);
      const [found] = await database.query(
        "select current_setting('statement_timeout') as timeout, current_setting('timezone') as zone",
      );
      assert.deepEqual(found, { timeout: "5min", zone: "UTC" });
    });
    // One that has a single connection to give has given it to us.
    await using narrow = await start_pgbouncer(superuser_url, { pool_mode: "session", default_pool_size: "1" });
    await with_database(narrow.url_of(name), async (database) => {
      assert.deepEqual(await database.query("select 1 as n"), [{ n: 1 }]);
    }, 1);
    await with_database(
      pooler.url_of("no_such_database"),
      (database) => assert.rejects(database.query("select 1"), /database "no_such_database" does not exist/),
    );
    await with_database(`${pooler.url_of(name)}?options=-c%20geqo%3Doff`, (database) =>
      assert.rejects(
        database.query("select 1"),
        (error) =>
          error instanceof DatabaseUnsuitable && /refuses the login: unsupported startup parameter/.test(error.message),
      ));
  },
});

tacho_test({
  name: "a prepared statement that is gone tells of a pooler; nobody's message is to blame",
  needs: ["postgres"],
  async fn() {
    const { url } = await made();
    await with_database(url, async (database) => {
      const statement = { name: "prepared_once", text: "select 1 as n" };
      await database.query(statement);
      await database.execute("deallocate all");
      await assert.rejects(
        database.query(statement),
        (error) => error instanceof DatabaseUnsuitable && is_outage(error) && /a pooler/.test(error.message),
      );
      // The connection is not used again.
      assert.deepEqual(await database.query(statement), [{ n: 1 }]);
    }, 1);
  },
});
