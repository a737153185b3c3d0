import assert from "node:assert/strict";
import { PAYMENTS } from "../../src/domains/payments/mod.ts";
import { TRADES } from "../../src/domains/trades/mod.ts";
import { TRIPS } from "../../src/domains/trips/mod.ts";
import { read_head } from "../../src/event_log/mod.ts";
import { S3Place } from "../../src/export/mod.ts";
import { command_of, made_of, MAKE, names_in, PARTITION, with_log_to_archive } from "../support/archived_log.ts";
import { tacho_test } from "../support/available.ts";
import { contents_of } from "../support/generated_log.ts";
import { GuardedFolder } from "../support/guarded_folder.ts";
import { start_s3_server } from "../support/s3_server.ts";
import { run_tacho } from "../support/tacho_program.ts";

/** The beginning of a log as files, out of the database and back again, through the real program. */

for (const declared of [TRIPS, PAYMENTS]) {
  tacho_test({
    name:
      `old partitions of ${declared.name} go into files that prove themselves, figures and chain stay, and they come back row for row`,
    needs: ["postgres"],
    limit_ms: 300_000,
    fn: () =>
      with_log_to_archive(declared, async ({ database, folder, run, done }) => {
        const before = await contents_of(database, declared), { position } = await read_head(database);
        assert.ok(position > 2 * PARTITION);
        assert.match(await done(...MAKE.map((word) => word === "1d" ? "3650d" : word), folder), /^nothing to archive/);
        assert.match(await done(...MAKE, folder, "--dry-run"), /^would archive events 1 to \d+, batches 1 to/);
        assert.deepEqual(names_in(folder), []);
        assert.match(await done(...MAKE, folder), /^archived events 1 to \d+, batches 1 to \d+, in /);
        const archives = (await done("archive")).trimEnd().split("\n").map((line) => JSON.parse(line));
        assert.equal(archives.length, Math.floor((position + 1) / PARTITION));
        const kept_from = archives.at(-1).last_position + 1;
        assert.ok(kept_from > position - 2 * PARTITION);
        const [events] = await database.query(
          "select min(position)::text as first, count(*)::text as count from events",
        );
        assert.deepEqual(events, { first: String(kept_from), count: String(position - kept_from + 1) });
        assert.deepEqual(made_of(await contents_of(database, declared)), made_of(before));
        assert.match(await done(...MAKE, folder), /^nothing to archive/);

        // The whole chain is followed; what was not looked at is said.
        const verified = await done("verify");
        assert.match(
          verified,
          new RegExp(`^consistent as far as checked, at position ${position}: ${position} events in`),
        );
        assert.match(verified, /chain unbroken, /);
        assert.match(verified, /; not checked: events 1 to \d+, archived in /);
        for (const [i, { place, link, first_position, last_position }] of archives.entries()) {
          const told = await done("verify", "--archive", place);
          assert.match(
            told,
            new RegExp(`positions ${first_position} to ${last_position}, chain unbroken if the link before them`),
          );
          assert.ok(
            told.includes(`last link is ${link}`) &&
              (i === 0 || told.includes(`before them is ${archives[i - 1].link}`)),
          );
        }

        // Dropped for good only where the files are right.
        const [first] = archives, broken = `${first.place}/batches.parquet`, bytes = await Deno.readFile(broken);
        await Deno.writeFile(broken, bytes.toReversed());
        const refused = await run(...MAKE, folder, "--drop");
        assert.equal(refused.code, 2, refused.stderr);
        const [{ left }] = await database.query("select to_regclass('events_p000000_archived')::text as left") as [
          { left: string },
        ];
        assert.equal(left, "events_p000000_archived");
        await assert.rejects(database.query("delete from events_p000000_archived"), /append-only/);
        await assert.rejects(database.query("truncate events_p000000_archived"), /append-only/);
        await Deno.writeFile(broken, bytes);
        assert.match(await done(...MAKE, folder, "--drop"), /dropped events 1 to/);
        const taken = await database.query("select relname from pg_class where relname like 'events%\\_archived'");
        assert.deepEqual(taken, []);

        const rebuild = await run("rebuild");
        assert.deepEqual(
          [rebuild.code, /events up to position \d+ are archived, those from 1 to/.test(rebuild.stderr)],
          [1, true],
        );
        await done("rebuild", "--drop");
        for (const _ of archives) assert.match(await done("archive", "attach"), /^attached events/);
        assert.equal((await run("archive", "attach")).code, 2);
        assert.deepEqual(await contents_of(database, declared), before);
        assert.match(await done("verify"), /^consistent: /);
      }),
  });
}

tacho_test({
  name:
    "archives in S3 are read back from there, refused where a byte is another one or nothing is there, and come back row for row",
  needs: ["postgres", "s3"],
  limit_ms: 300_000,
  async fn() {
    await using server = await start_s3_server("lake");
    const data = new GuardedFolder("archive_data");
    await using _ = { [Symbol.asyncDispose]: () => data.dispose() };
    const keys = { AWS_ACCESS_KEY_ID: "AK", AWS_SECRET_ACCESS_KEY: "secret", AWS_ENDPOINT_URL: server.endpoint };
    const OUT = "s3://lake/of/trades";
    const access = { access_key_id: "AK", secret_access_key: "secret", session_token: null, region: "us-east-1" };
    await with_log_to_archive(TRADES, async ({ database, env, run, done }) => {
      const before = await contents_of(database, TRADES);
      const away = await run_tacho([], {
        env: { ...env, AWS_ENDPOINT_URL: "http://127.0.0.1:1" },
        command: command_of([...MAKE, OUT], "trades"),
      });
      assert.equal(away.code, 1, away.stderr);
      assert.equal(await done("archive"), "", "nothing is taken out that is not there");
      assert.match(
        await done(...MAKE, OUT),
        /^archived events 1 to \d+, batches 1 to \d+, in s3:\/\/lake\/of\/trades\//,
      );
      const archives = (await done("archive")).trimEnd().split("\n").map((line) => JSON.parse(line));
      assert.ok(archives.length > 1);
      assert.deepEqual(made_of(await contents_of(database, TRADES)), made_of(before));
      const { place, link } = archives.at(-1);
      assert.equal(place, `${OUT}/trades-${String(archives.at(-1).first_position).padStart(12, "0")}`);
      assert.ok((await done("verify", "--archive", place)).includes(`last link is ${link}`));

      const names = ["batches.parquet", `events-${place.slice(-12)}.parquet`],
        held = new S3Place(place, { ...access, endpoint: server.endpoint });
      for (const name of names) {
        const path = `${data.path}/${name}`;
        assert.ok(await held.copy(name, path, new AbortController().signal));
        const bytes = await Deno.readFile(path), at = bytes.length >> 1;
        const put = async (content: Uint8Array<ArrayBuffer>) => {
          const file = await held.begin(name);
          await file.write(content);
          await file.finish();
        };
        await put(bytes.with(at, bytes[at]! ^ 1));
        for (const words of [["verify", "--archive", place], ["archive", "attach"], [...MAKE, OUT, "--drop"]]) {
          const { code, stderr } = await run(...words);
          assert.deepEqual([code, stderr.includes(place)], [2, true], `${words}: ${stderr}`);
        }
        await put(bytes);
      }
      const nowhere = await run("verify", "--archive", `${OUT}/none`);
      assert.deepEqual([
        nowhere.code,
        /s3:\/\/lake\/of\/trades\/none\/archive\.json": it is not there/.test(nowhere.stderr),
      ], [
        2,
        true,
      ]);
      assert.match(await done(...MAKE, OUT, "--drop"), /^dropped events \d+ to .*: only s3:/m);
      for (const _ of archives) assert.match(await done("archive", "attach"), /^attached events/);
      assert.deepEqual(await contents_of(database, TRADES), before);
      assert.match(await done("verify"), /^consistent: /);
      const left = names_in(data.path).filter((name) => name.startsWith("archive"));
      assert.deepEqual(left, [], "copies go");
    }, { ...keys, TACHO_DATA_DIR: data.path });
  },
});
