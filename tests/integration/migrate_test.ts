import assert from "node:assert/strict";
import { split_statements } from "../../src/database/migrate.ts";
import {
  type Database,
  is_other_schema,
  may_pass,
  migrate,
  MigrationError,
  migrations_of,
  open_database,
  type OpenedDatabase,
  plain_array,
  SCHEMA_NUMBER,
  sqlstate,
} from "../../src/database/mod.ts";
import { DeploymentMismatch, read_cursors, read_head, settle_deployment } from "../../src/event_log/mod.ts";
import { Cursors } from "../../src/ingest/mod.ts";
import { bin_of, BINS } from "../../src/kpi/mod.ts";
import { tacho_test } from "../support/available.ts";
import { shared_postgres } from "../support/postgres.ts";
import { feed, message, trip_pipeline } from "../support/trip_pipeline.ts";

const MIGRATIONS = migrations_of("trips");

/** A test on an empty database of its own, with a second program beside the first. */
function empty_database_test(name: string, fn: (database: Database, other: Database) => Promise<void>): void {
  tacho_test({
    name,
    needs: ["postgres"],
    async fn() {
      const { url } = await (await shared_postgres()).create_database();
      const database = await open_database({ url, data_dir: null, connections: 2 });
      const other = await open_database({ url, data_dir: null, connections: 2 });
      try {
        await fn(database, other);
      } finally {
        await database.close();
        await other.close();
      }
    },
  });
}

const applied = (database: Database) => database.query("select version, name from schema_migrations order by version");
const names = MIGRATIONS.map(({ version, name }) => ({ version, name }));

Deno.test("migrations are numbered from 1 without a hole, and named as their files are", () => {
  const files = [...Deno.readDirSync(new URL("../../migrations", import.meta.url))].map(({ name }) => name).sort()
    // It stands for the first of them where there are no trips.
    .filter((name) => name !== "log.sql");
  assert.deepEqual(
    MIGRATIONS.map(({ version, name }) => `${String(version).padStart(4, "0")}_${name}.sql`),
    files,
  );
  assert.deepEqual(MIGRATIONS.map(({ version }) => version), MIGRATIONS.map((_, i) => i + 1));
});

empty_database_test(
  "an empty database gets all migrations once; a second time there is nothing to do",
  async (database) => {
    assert.deepEqual((await migrate(database, MIGRATIONS)).map(({ version, name }) => ({ version, name })), names);
    assert.deepEqual(await applied(database), names);
    const { log_id, position } = await read_head(database);
    assert.equal(position, 0);
    assert.deepEqual(await migrate(database, MIGRATIONS), []);
    const head = await read_head(database);
    assert.deepEqual([head.log_id, head.schema_number], [log_id, SCHEMA_NUMBER]);
  },
);

empty_database_test(
  "whatever a later migration changes, it raises the number of the schema: who writes for less is refused from then on",
  async (database) => {
    await migrate(database, MIGRATIONS);
    const later = { version: SCHEMA_NUMBER + 3, name: "later", sql: "create table anything ();" };
    await migrate(database, [...MIGRATIONS, later]);
    assert.equal((await read_head(database)).schema_number, later.version);
    await assert.rejects(
      feed(trip_pipeline(database), [
        { topic: "trips", partition: 0, from_offset: 0, next_offset: 1, messages: [message(0, "bad")] },
      ]),
      is_other_schema,
    );
  },
);

empty_database_test(
  "of programs that start at once each step is one's, and all find it done",
  async (database, other) => {
    const results = await Promise.all([
      migrate(database, MIGRATIONS),
      migrate(other, MIGRATIONS),
      migrate(database, MIGRATIONS),
      migrate(other, MIGRATIONS),
    ]);
    assert.deepEqual(
      results.flat().map(({ version }) => version).sort((a, b) => a - b),
      names.map(({ version }) => version),
    );
    assert.deepEqual(await applied(database), names);
  },
);

empty_database_test(
  "the logs of two domains are migrated side by side: nobody waits, and a program from before locks all out",
  async (database) => {
    const beside = (database as OpenedDatabase).beside({ connections: 2, schema: "trades" });
    const told: string[] = [];
    const waiting = (why: string) => void told.push(why);
    try {
      await database.transaction(async (tx) => {
        await tx.execute("set local idle_in_transaction_session_timeout = 0");
        await tx.query("select pg_advisory_xact_lock(727374121, hashtext(current_schema()))");
        await migrate(beside, migrations_of("trades"), { waiting });
        assert.deepEqual(told, []);
      });
      assert.equal((await read_head(beside)).schema_number, SCHEMA_NUMBER);
      const before = new AbortController();
      await database.transaction(async (tx) => {
        await tx.execute("set local idle_in_transaction_session_timeout = 0");
        await tx.query("select pg_advisory_xact_lock(727374121)");
        const migrating = migrate(beside, migrations_of("trades"), {
          signal: before.signal,
          waiting: (why) => (waiting(why), before.abort(new Error("seen"))),
        });
        await assert.rejects(migrating, /^Error: seen$/);
      });
      assert.deepEqual(told, ["another process migrates"]);
    } finally {
      await beside.close();
    }
  },
);

empty_database_test("a later program adds what is missing to what an earlier one made", async (database) => {
  await migrate(database, MIGRATIONS.slice(0, 2));
  const [{ log_id }] = await database.query("select log_id from log_head") as [{ log_id: string }];
  assert.deepEqual(await migrate(database, MIGRATIONS), MIGRATIONS.slice(2));
  assert.equal((await read_head(database)).log_id, log_id);
});

empty_database_test(
  "messages that were in quarantine before a message was more than its coordinates are known again by their bytes",
  async (database) => {
    await migrate(database, MIGRATIONS.slice(0, 3));
    await database.script(
      `insert into quarantine (topic, partition, message_offset, message_key, headers, message_value,
      message_timestamp, stage, reason, detail, code_version, quarantined_at)
      values ('trips', 0, 0, 'k', '{"bb":"Ag==","a":"AQ=="}', 'bad', 'epoch', 'decode', 'malformed_json', '', 'old', now())`,
    );
    await migrate(database, MIGRATIONS);
    const headers = { bb: new Uint8Array([2]), a: new Uint8Array([1]) };
    const read = { ...message(0, "bad"), key: new TextEncoder().encode("k"), headers };
    for (const messages of [[read], [{ ...read, value: new Uint8Array() }]]) {
      const cursors = new Cursors();
      cursors.reset(await read_cursors(database));
      const batch = { topic: "trips", partition: 0, from_offset: 0, next_offset: 1, messages };
      await feed(trip_pipeline(database), [batch], cursors);
      await database.execute("update source_cursors set next_offset = 0");
    }
    const rows = await database.query("select attempts, code_version, reason from quarantine order by quarantine_id");
    assert.deepEqual(rows, [
      { attempts: 2, code_version: "test", reason: "malformed_json" },
      { attempts: 1, code_version: "test", reason: "empty_value" },
    ]);
  },
);

empty_database_test("the database puts every value into the bin that the program puts it into", async (database) => {
  await migrate(database, MIGRATIONS);
  const borders = Array.from({ length: BINS - 1 }, (_, e) => 51n ** BigInt(e) / 49n ** BigInt(e));
  const values = [0n, ...borders.flatMap((border) => [border, border + 1n]), 2n ** 63n - 1n].filter((v) =>
    v < 2n ** 63n
  );
  const [row] = await database.query<{ bins: number[] }>(
    "select array_agg(sketch_bin(value) order by place) as bins from unnest($1::bigint[]) with ordinality u(value, place)",
    [plain_array(values)],
  );
  assert.deepEqual(row?.bins, values.map(bin_of));
});

empty_database_test(
  "a migration that was changed after it was applied is refused, and nothing is done",
  async (database) => {
    await migrate(database, MIGRATIONS.slice(0, 2));
    const changed = MIGRATIONS.map((each) => each.version === 2 ? { ...each, sql: `${each.sql}-- later\n` } : each);
    await assert.rejects(migrate(database, changed), (error) => {
      assert.ok(error instanceof MigrationError);
      assert.match(error.message, /migration 2 \(trips\) was applied with checksum [0-9a-f]{12}….*must not change/);
      return true;
    });
    assert.deepEqual(await applied(database), names.slice(0, 2));
  },
);

empty_database_test("a database that is newer than the program is refused", async (database) => {
  await migrate(database, MIGRATIONS);
  await assert.rejects(migrate(database, MIGRATIONS.slice(0, 2)), (error) => {
    assert.ok(error instanceof MigrationError);
    assert.match(error.message, /has migration 3 \(program_role\), this program knows up to 2; run a newer tacho/);
    return true;
  });
});

empty_database_test(
  "a migration that fails leaves nothing of itself, is named, and ends the program",
  async (database) => {
    const broken = [...MIGRATIONS.slice(0, 1), {
      version: 2,
      name: "broken",
      sql: "create table half ();\nselect 1 / 0;\n",
    }];
    await assert.rejects(migrate(database, broken), (error) => {
      assert.ok(error instanceof Error && !may_pass(error));
      assert.equal(error.message, "migrate: apply migration 2 (broken)");
      return sqlstate(error.cause) === "22012";
    });
    assert.deepEqual(await applied(database), names.slice(0, 1));
    assert.deepEqual(await database.query("select from pg_class where relname = 'half'"), []);
  },
);

tacho_test({
  name: "the embedded database takes the same migrations, in a directory that one program at a time may use",
  async fn() {
    const directory = await Deno.makeTempDir();
    try {
      const database = await open_database({ url: null, data_dir: directory });
      assert.equal((await migrate(database, MIGRATIONS)).length, MIGRATIONS.length);
      const { log_id } = await read_head(database);
      await database.close();
      const again = await open_database({ url: null, data_dir: directory });
      assert.deepEqual(await migrate(again, MIGRATIONS), []);
      assert.equal((await read_head(again)).log_id, log_id);
      await assert.rejects(
        open_database({ url: null, data_dir: directory }),
        (error: Error) => error.name === "DataDirectoryInUse" && error.message.includes(directory),
      );
      await again.close();
    } finally {
      await Deno.remove(directory, { recursive: true });
    }
  },
});

empty_database_test(
  "time zone, currency and H3 resolution are fixed by the first start; others are refused, by name",
  async (database) => {
    await migrate(database, MIGRATIONS);
    const first = { time_zone: "Europe/Berlin", currency: "EUR" };
    const settled = { ...first, h3_resolution: 8, names_persons: false, by_flink: false, resettled: 0 };
    for (const same of [first, settled]) assert.deepEqual(await settle_deployment(database, same), settled);
    const others = [
      { ...first, currency: "USD" },
      { ...first, time_zone: "UTC" },
      { ...first, h3_resolution: 9 },
      { ...first, h3_resolution: "off" as const },
    ];
    for (const other of others) {
      await assert.rejects(settle_deployment(database, other), (error) => {
        assert.ok(error instanceof DeploymentMismatch);
        assert.match(error.message, /TACHO_TIME_ZONE=Europe\/Berlin TACHO_CURRENCY=EUR TACHO_H3_RESOLUTION=8/);
        return true;
      });
    }
  },
);

empty_database_test("an H3 resolution that the first start names is the database's", async (database) => {
  await migrate(database, MIGRATIONS);
  const first = { time_zone: "UTC", currency: "USD" };
  const settled = { ...first, h3_resolution: 0, names_persons: false, by_flink: false, resettled: 0 };
  assert.deepEqual(await settle_deployment(database, settled), settled);
  assert.deepEqual(await settle_deployment(database, first), settled);
});

Deno.test("a script is split at semicolons that end a line, outside of bodies; comments stay with what they explain", () => {
  const script = `-- first
create table a (t text default ';');
create function f() returns void language plpgsql as $$
begin
  perform 1;
end $$;
do $$ begin perform 2; end $$;
select
  1;
-- the end
`;
  assert.deepEqual(split_statements(script), [
    "-- first\ncreate table a (t text default ';');",
    "create function f() returns void language plpgsql as $$\nbegin\n  perform 1;\nend $$;",
    "do $$ begin perform 2; end $$;",
    "select\n  1;",
  ]);
  assert.deepEqual(split_statements("select 1"), ["select 1"]);
  assert.deepEqual(split_statements("\n-- nothing\n"), []);
});
