import assert from "node:assert/strict";
import { PAYMENTS } from "../../src/domains/payments/mod.ts";
import { TRIPS } from "../../src/domains/trips/mod.ts";
import { read_head } from "../../src/event_log/mod.ts";
import { made_of, MAKE, names_in, PARTITION, with_log_to_archive } from "../support/archived_log.ts";
import { tacho_test } from "../support/available.ts";
import { contents_of } from "../support/generated_log.ts";

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
