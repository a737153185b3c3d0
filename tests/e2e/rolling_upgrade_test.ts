import assert from "node:assert/strict";
import { type Database, open_database, SCHEMA_NUMBER } from "../../src/database/mod.ts";
import { needs, tacho_test } from "../support/available.ts";
import { GuardedFolder } from "../support/guarded_folder.ts";
import { shared_postgres } from "../support/postgres.ts";
import { shell } from "../support/shell.ts";
import { is_ready, run_tacho, run_verb, TachoProgram, task_command } from "../support/tacho_program.ts";
import { until } from "../support/until.ts";

/** Two versions of the program on one database, as a rolling upgrade has them for a while. Generated trips go in, no broker is needed. */

const REPOSITORY = new URL("../..", import.meta.url).pathname.replace(/\/$/, "");
/** The last version that named no schema: it writes for the eighth. */
const EARLIER = "1afa226d20dc5b5267e670ccd3257b0bc56b154a";
const EARLIER_SENTENCE = /this program writes for schema 8 or less, the database is at \d+: start the newer program/;

/** Why the earlier version cannot be run here; null when it can. */
async function earlier_absence(): Promise<string | null> {
  const found = await shell(
    "look for the earlier version",
    'git -C "$1" cat-file -t "$2" 2>/dev/null || echo absent',
    REPOSITORY,
    EARLIER,
  );
  return found === "commit" ? null : `commit ${EARLIER.slice(0, 7)} is not in this checkout's history`;
}

async function with_database(work: (database: Database, env: Record<string, string>) => Promise<void>): Promise<void> {
  const { url } = await (await shared_postgres()).create_database();
  const database = await open_database({ url, data_dir: null, connections: 2 });
  try {
    await work(database, { DATABASE_URL: url });
  } finally {
    await database.close();
  }
}

const head = async (database: Database) => {
  const [row] = await database.query(
    "select position::int as position, (select count(*)::int from quarantine) as held from log_head",
  );
  return row as { position: number; held: number };
};
const until_past = (database: Database, position: number) =>
  until(`the log is past ${position}`, async () => (await head(database)).position > position, 60_000);

tacho_test({
  name:
    "an instance whose database is migrated by a newer program ends with one sentence and exit code 2; so does one that is started then",
  needs: ["postgres"],
  fn: () =>
    with_database(async (database, env) => {
      await using program = await TachoProgram.serve("dev", { env, args: ["--generate"] });
      await program.brings(until_past(database, 0));
      await database.execute("update log_head set schema_number = 99");
      assert.equal(await program.brings(program.ended), 2);
      const sentence =
        `this program writes for schema ${SCHEMA_NUMBER}, the database is at 99: start the newer program`;
      assert.equal(program.stderr.trimEnd().split("\n").at(-1), `tacho: ${sentence}`);
      await database.execute("insert into schema_migrations (version, name, checksum) values (99, 'later', '')");
      const { position } = await head(database);
      for (const verb of [["serve"], ["migrate"], ["verify"]]) {
        const ended = await run_tacho(verb, { env: { ...env, KAFKA_BROKERS: "127.0.0.1:1" } });
        assert.equal(ended.code, 2, ended.stderr);
        assert.match(ended.stderr, /has migration 99 \(later\), this program knows up to \d+; run a newer tacho/);
      }
      assert.deepEqual(await head(database), { position, held: 0 });
    }),
});

tacho_test({
  name: "`rebuild sketches` makes them what the trips say, while the program runs",
  needs: ["postgres"],
  fn: () =>
    with_database(async (database, env) => {
      await using program = await TachoProgram.serve("dev", { env, args: ["--generate"] });
      await program.brings(until_past(database, 500));
      await database.execute("delete from trip_sketches where grain = '1h'");
      await assert.rejects(run_verb(["verify"], { env }), /trip_sketches 1h/);
      const { stdout, stderr } = await run_verb(["rebuild", "sketches"], { env });
      assert.equal(stdout, "rebuilt the sketches\n");
      assert.match(stderr, /fill in sketches, trips: \[#+\] 100 %, \d+ of \d+, \d+\/s/);
      await run_verb(["verify"], { env });
      assert.equal(await program.term(), 0);
    }),
});

tacho_test({
  name:
    "the version before this rule, still running when the database is migrated, writes nothing more, sets nothing aside and says why",
  needs: ["postgres"],
  unless: needs("postgres") ?? await earlier_absence(),
  fn: () =>
    with_database(async (database, env) => {
      const folder = new GuardedFolder("earlier");
      await using _ = { [Symbol.asyncDispose]: () => folder.dispose() };
      await shell(
        "take out the earlier version",
        'git -C "$1" archive "$2" | tar -x -C "$3" && ln -s "$1/node_modules" "$3/node_modules"',
        REPOSITORY,
        EARLIER,
        folder.path,
      );
      const [run, ...words] = task_command("dev");
      const command = [run!, "--node-modules-dir=manual", ...words];
      await using earlier = await TachoProgram.serve("dev", { env, folder: folder.path, command });
      await earlier.brings(until_past(database, 0));
      await run_verb(["migrate"], { env });
      const at = (await head(database)).position;
      await earlier.brings(until("it says why", () => EARLIER_SENTENCE.test(earlier.stderr), 60_000));
      const probe = await fetch(`${earlier.url}readyz`);
      assert.equal(probe.status, 503);
      assert.match(await probe.text(), EARLIER_SENTENCE);

      await using program = await TachoProgram.serve("dev", { env, args: ["--generate"] });
      await program.brings(until_past(database, at));
      assert.ok(await is_ready(program.url));
      assert.ok(earlier.running, "it waits until it is replaced");
      assert.equal(await earlier.term(), 0);
      assert.equal(await program.term(), 0);
      assert.equal((await head(database)).held, 0);
      await run_verb(["verify"], { env });
    }),
});
