import assert from "node:assert/strict";
import { open_database } from "../../src/database/mod.ts";
import { PAYMENTS } from "../../src/domains/payments/mod.ts";
import { TRIPS } from "../../src/domains/trips/mod.ts";
import { schema_of } from "../../src/verbs/domains.ts";
import { tacho_test } from "../support/available.ts";
import { contents_of, invented, make_log, take_in } from "../support/generated_log.ts";
import { GuardedFolder } from "../support/guarded_folder.ts";
import { shared_postgres } from "../support/postgres.ts";
import { find_postgres } from "../support/program.ts";
import { shell } from "../support/shell.ts";
import { run_tacho, TachoProgram, task_command } from "../support/tacho_program.ts";
import { message } from "../support/trip_pipeline.ts";

/** Backups of a log, and logs made of them, through the real program. */

/** With PostgreSQL's own programs, wherever the machine has them. */
const PATH = [find_postgres(), Deno.env.get("PATH")].filter((folder) => folder != null).join(":");

const names_in = (folder: string): string[] => [...Deno.readDirSync(folder)].map(({ name }) => name).sort();

/** How a verb is run with the permissions of the task. */
const options_of = (env: Record<string, string>, words: readonly string[]) => ({
  env: { ...env, PATH },
  command: [...task_command("backup").slice(0, -1), ...words],
});

const run = (task: "backup" | "restore", env: Record<string, string>, domain: string, ...args: readonly string[]) =>
  run_tacho([], options_of(env, ["--domain", domain, task, ...args]));

for (const declared of [TRIPS, PAYMENTS]) {
  tacho_test({
    name: `a backup of ${declared.name} is called after the last link that it has, and restored it is that very log`,
    needs: ["postgres"],
    limit_ms: 300_000,
    async fn() {
      const made = new GuardedFolder("backup");
      await using _ = { [Symbol.asyncDispose]: () => made.dispose() };
      const postgres = await shared_postgres();
      const from = (await postgres.create_database()).url, to = (await postgres.create_database()).url;
      const values = invented(declared, 0.3), half = values.length >> 1;
      const original = await make_log(from, declared, values.slice(0, half), 60);
      try {
        const before = await contents_of(original, declared);
        const [head] = await original.query("select batch, encode(link, 'hex') as link from log_head");
        const backup = await run("backup", { DATABASE_URL: from }, declared.name, "--out", made.path);
        assert.equal(backup.code, 0, backup.stderr);
        const name = `${declared.name}-${String(head!.batch).padStart(12, "0")}-${
          String(head!.link).slice(0, 16)
        }.dump`;
        assert.deepEqual(names_in(made.path), [name]);
        const path = `${made.path}/${name}`;
        // What came since is not in it.
        const domain = declared.make(declared === TRIPS ? { currency: "USD", h3_resolution: 8 } : { currency: "USD" });
        await take_in(original, domain, declared.name, values.map((value, i) => message(i, value)), 60);

        const over = await run("restore", { DATABASE_URL: from }, declared.name, path);
        assert.equal(over.code, 2);
        assert.match(over.stderr, /the database holds a log of \d+ batches; a backup is restored where there is none/);
        const other = await run("restore", { DATABASE_URL: to }, declared === TRIPS ? "trades" : "trips", path);
        assert.match(other.stderr, /the backup is of .* use --domain/);
        // Under another name it is not taken for what it is not.
        const renamed = path.replace(/[0-9a-f]{16}\.dump$/, "0123456789abcdef.dump");
        await Deno.copyFile(path, renamed);
        const scratch = (await postgres.create_database()).url;
        const wrong = await run("restore", { DATABASE_URL: scratch }, declared.name, renamed);
        assert.deepEqual(
          [wrong.code, /a link that begins with 0123456789abcdef/.test(wrong.stderr)],
          [1, true],
          wrong.stderr,
        );
        // Cut in the middle nothing of it is restored.
        const cut = path.replace(/-\d{12}-/, "-000000000001-"), bytes = await Deno.readFile(path);
        await Deno.writeFile(cut, bytes.subarray(0, bytes.length >> 1));
        assert.equal((await run("restore", { DATABASE_URL: to }, declared.name, cut)).code, 1);

        const restored = await run("restore", { DATABASE_URL: to }, declared.name, path);
        assert.equal(restored.code, 0, restored.stderr);
        assert.match(restored.stdout, /^consistent: /);
        const again = await open_database({ url: to, data_dir: null, connections: 2, schema: schema_of(declared) });
        try {
          assert.deepEqual(await contents_of(again, declared), before);
          await assert.rejects(again.query("delete from events"), /append-only/);
          // It goes on where it was.
          await take_in(again, domain, declared.name, values.map((value, i) => message(i, value)), 60);
          const [rows] = await again.query("select count(*)::text as count from events");
          assert.deepEqual(await original.query("select count(*)::text as count from events"), [rows]);
        } finally {
          await again.close();
        }
      } finally {
        await original.close();
      }
    },
  });
}

tacho_test({
  name: "an embedded database is backed up while no program has it open, and restored where there is none",
  limit_ms: 300_000,
  async fn() {
    const made = new GuardedFolder("backup");
    await using _ = { [Symbol.asyncDispose]: () => made.dispose() };
    const here = { TACHO_DATA_DIR: `${made.path}/here` }, there = { TACHO_DATA_DIR: `${made.path}/there` };
    const file = `${made.path}/events.ndjson`;
    await Deno.writeTextFile(
      file,
      Array.from({ length: 40 }, (_, i) =>
        JSON.stringify({
          ...{ event_id: `e${i}`, trip_id: `T${i % 20}`, type: i < 20 ? "trip.started" : "trip.completed", fare: i },
          occurred_at: `2026-03-01T10:${i + 10}:00Z`,
        })).join("\n"),
    );
    const replay = await run_tacho([], options_of(here, ["replay", "--to", "log", file]));
    assert.equal(replay.code, 0, replay.stderr);
    {
      await using _serving = await TachoProgram.serve("start", options_of(here, ["serve"]));
      const refused = await run("backup", here, "trips", "--out", `${made.path}/out`);
      assert.deepEqual([refused.code, /another tacho is using it/.test(refused.stderr)], [2, true], refused.stderr);
    }
    const backup = await run("backup", here, "trips", "--out", `${made.path}/out`);
    assert.equal(backup.code, 0, backup.stderr);
    const [name, ...others] = names_in(`${made.path}/out`);
    assert.deepEqual(others, []);
    assert.match(name!, /^trips-\d{12}-[0-9a-f]{16}\.pglite$/);
    const path = `${made.path}/out/${name}`;
    const over = await run("restore", here, "trips", path);
    assert.deepEqual([over.code, /holds that very log: it is verified/.test(over.stderr)], [0, true], over.stderr);
    // Twice in one place it is one, and what was half copied is gone.
    const left = `${made.path}/out/trips.part.pglite`;
    await Deno.mkdir(left);
    await Deno.writeTextFile(`${left}/half`, "");
    assert.equal((await run("backup", here, "trips", "--out", `${made.path}/out`)).code, 0);
    assert.deepEqual(names_in(`${made.path}/out`), [name]);
    await Deno.writeTextFile(file, (await Deno.readTextFile(file)).replaceAll(/"e(?=\d)/g, '"f'));
    const more = await run_tacho([], options_of(here, ["replay", "--to", "log", file]));
    assert.equal(more.code, 0, more.stderr);
    const later = await run("restore", here, "trips", path);
    assert.match(later.stderr, /holds a log of \d+ batches; a backup is restored where there is none/);
    assert.equal(later.code, 2);
    const restored = await run("restore", there, "trips", path);
    assert.equal(restored.code, 0, restored.stderr);
    assert.match(restored.stdout, /^consistent: 40 events in/);
  },
});

tacho_test({
  name: "backups are killed -9 at any moment, as is restoring: only what is whole has a backup's name, and both go on",
  needs: ["postgres"],
  limit_ms: 300_000,
  async fn() {
    const made = new GuardedFolder("backup");
    await using _ = { [Symbol.asyncDispose]: () => made.dispose() };
    const postgres = await shared_postgres();
    const from = (await postgres.create_database()).url, to = (await postgres.create_database()).url;
    const values = invented(TRIPS, 1.5), domain = TRIPS.make({ currency: "USD", h3_resolution: 8 });
    const original = await make_log(from, TRIPS, values.slice(0, values.length >> 1), 100);
    /** Kills the program alone, later each time, at first by very little, until it is through: what it started goes on. Gives how often it killed. */
    const killed_often = async (words: readonly string[], DATABASE_URL: string, between: () => Promise<void>) => {
      for (let kills = 0;; kills++) {
        await using program = TachoProgram.spawn("backup", options_of({ DATABASE_URL }, words));
        for (let turns = 0; turns < 60 * kills ** 2 && program.running; turns++) await original.query("select 1");
        program.signal("SIGKILL");
        const code = await program.ended;
        if (code === 0) return kills;
        await between();
      }
    };
    try {
      let taken = values.length >> 1;
      const kills = await killed_often(["backup", "--out", made.path], from, async () => {
        // The next one has another link.
        taken += 20;
        await take_in(original, domain, TRIPS.name, values.slice(0, taken).map((value, i) => message(i, value)), 100);
        for (const name of names_in(made.path).filter((name) => name.endsWith(".dump"))) {
          await shell("read a backup", 'PATH="$1" pg_restore --file=/dev/null "$2"', PATH, `${made.path}/${name}`);
        }
      });
      const names = names_in(made.path), path = `${made.path}/${names.at(-1)}`;
      assert.ok(kills > 3, `${kills} kills`);
      assert.deepEqual(names.filter((name) => !/^trips-\d{12}-[0-9a-f]{16}\.dump$/.test(name)), []);
      {
        using part = await Deno.open(`${made.path}/trips.part`, { create: true, write: true });
        await part.lock(true);
        const second = await run("backup", { DATABASE_URL: from }, "trips", "--out", made.path);
        assert.deepEqual([second.code, /another backup is writing/.test(second.stderr)], [2, true], second.stderr);
      }
      await killed_often(["restore", path], to, () => Promise.resolve());
      const again = await open_database({ url: to, data_dir: null, connections: 2 });
      try {
        assert.deepEqual(await contents_of(again, TRIPS), await contents_of(original, TRIPS));
      } finally {
        await again.close();
      }
    } finally {
      await original.close();
    }
  },
});
