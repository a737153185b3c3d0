import assert from "node:assert/strict";
import { TRADES } from "../../src/domains/trades/mod.ts";
import { TRIPS } from "../../src/domains/trips/mod.ts";
import { while_alone } from "../../src/event_log/mod.ts";
import { command_of, made_of, MAKE, names_in, with_log_to_archive } from "../support/archived_log.ts";
import { tacho_test } from "../support/available.ts";
import { contents_of, take_in } from "../support/generated_log.ts";
import { TachoProgram } from "../support/tacho_program.ts";
import { message } from "../support/trip_pipeline.ts";
import { until } from "../support/until.ts";

/** Archives that are harmed, killed in the making, and what comes late for what they hold. */

tacho_test({
  name: "an archive in which a byte is another one is refused: by its check alone, and when it is to come back",
  needs: ["postgres"],
  limit_ms: 300_000,
  fn: () =>
    with_log_to_archive(TRADES, async ({ database, folder, run, done }) => {
      await done(...MAKE, folder);
      const [place] = names_in(folder).map((name) => `${folder}/${name}`).toReversed();
      const events = [...Deno.readDirSync(place!)].find(({ name }) => name.startsWith("events-"))!.name;
      for (const name of [events, "batches.parquet", "archive.json"]) {
        const path = `${place}/${name}`, bytes = await Deno.readFile(path);
        const at = name === "archive.json"
          ? new TextDecoder().decode(bytes).indexOf('"link": "') + 12
          : bytes.length >> 1;
        await Deno.writeFile(path, bytes.with(at, bytes[at] === 48 ? 49 : 48));
        const { code, stderr } = await run("verify", "--archive", place!);
        assert.equal(code, 2, `${name}: ${stderr}`);
        const back = await run("archive", "attach", "--from", place!);
        assert.equal(back.code, 2, back.stderr);
        await Deno.writeFile(path, bytes);
      }
      const other = names_in(folder).map((name) => `${folder}/${name}`)[0]!;
      const wrong = await run("archive", "attach", "--from", other);
      assert.match(wrong.stderr, /expected in .* positions \d+ to \d+, link/);
      await done("archive", "attach", "--from", place!);
      assert.match(await done("verify"), /^consistent as far as checked/);
      // What the database says of an archive is held against its batches.
      await database.script("update archives set link = decode(repeat('00', 32), 'hex')");
      assert.match((await run("verify")).stderr, /is said to end otherwise than batch \d+ does/);
    }),
});

tacho_test({
  name:
    "archiving and bringing back are killed at any moment and go on, two at once exclude each other, ingest goes on",
  needs: ["postgres"],
  limit_ms: 300_000,
  fn: () =>
    with_log_to_archive(TRIPS, async ({ database, folder, env, run, done }) => {
      const before = await contents_of(database, TRIPS);
      /** Kills it some time after it has begun, a little later each time, until it is through. */
      const killed_often = async (args: readonly string[]) => {
        for (let kills = 0;; kills++) {
          await using program = TachoProgram.spawn("archive", { env, command: command_of(args, "trips") });
          await until("it begins or ends", () => !program.running || /archive |attach |verify /.test(program.stderr));
          for (let turns = 0; turns < 60 * kills && program.running; turns++) await database.query("select 1");
          if (!program.running) {
            // Killed when the last one was back, there is nothing more to bring.
            return assert.ok(
              await program.ended === 0 || /nothing of this log is archived/.test(program.stderr),
              program.output,
            );
          }
          await program.kill_nine();
          const [{ holes }] = await database.query(
            "select (select position - archived from log_head) - (select count(*) from events) as holes",
          ) as [{ holes: string }];
          assert.equal(Number(holes), 0);
        }
      };
      await while_alone(database, async () => {
        const { code, stderr } = await run(...MAKE, folder);
        assert.deepEqual([code, /another program archives this log now/.test(stderr)], [1, true]);
      });
      await killed_often([...MAKE, folder]);
      const archives = (await done("archive")).trimEnd().split("\n").length;
      assert.ok(archives > 1);
      assert.deepEqual(made_of(await contents_of(database, TRIPS)), made_of(before));
      while ((await done("archive")) !== "") await killed_often(["archive", "attach"]);
      assert.deepEqual(await contents_of(database, TRIPS), before);
      assert.match(await done("verify"), /^consistent: /);
    }),
});

tacho_test({
  name:
    "what comes late for a stream whose events are archived is folded on, known again, or held until they are back: no figure is wrong",
  needs: ["postgres"],
  limit_ms: 300_000,
  fn: () =>
    with_log_to_archive(TRIPS, async ({ database, folder, done }) => {
      const domain = TRIPS.make({ currency: "USD", h3_resolution: 8 });
      await done(...MAKE, folder, "--drop");
      const [trip] = await database.query<{ trip_id: string; event_id: string; last: string; fare: string }>(
        `select trip_id, last_event_id as event_id, (extract(epoch from last_occurred_at) * 1000)::bigint as last,
          fare_micros::text as fare from trips where status = 'completed' and positions[cardinality(positions)] <= (select archived from log_head)
          and fare_micros is not null order by trip_id limit 1`,
      );
      const at = (ms: number) => new Date(Number(trip!.last) + ms).toISOString();
      const told = (event_id: string, occurred_at: string, fare: string) =>
        JSON.stringify({ event_id, trip_id: trip!.trip_id, type: "trip.fare_adjusted", occurred_at, fare });
      const figures = async () => {
        const [row] = await database.query(
          "select (select fare_sum_micros::text from trip_cells where grain = 'all' and dimension = 'none') as sum, (select fare_micros::text from trips where trip_id = $1) as fare, (select held::text from log_head) as held, (select duplicates::text from log_head) as duplicates",
          [trip!.trip_id],
        );
        return row as Record<"sum" | "fare" | "held" | "duplicates", string>;
      };
      const first = await figures();
      const later = told("later", at(60_000), "7.25"), between = told("between", at(-1), "99");
      await take_in(database, domain, "late", [later, between, later].map((value, i) => message(i, value)), 1);
      const second = await figures();
      assert.deepEqual(second, {
        sum: String(BigInt(first.sum) - BigInt(first.fare) + 7_250_000n),
        fare: "7250000",
        held: String(Number(first.held) + 1),
        duplicates: String(Number(first.duplicates) + 1),
      });
      const [held] = await database.query("select reason, detail from quarantine where topic = 'late'");
      assert.equal(held!.reason, "events_archived");
      assert.match(String(held!.detail), /whose events are archived.*tacho archive attach/);
      assert.match(await done("verify"), /^consistent as far as checked/);
      while ((await done("archive")) !== "") await done("archive", "attach");
      assert.match(await done("quarantine", "retry", "--topic", "late"), /1 .*admitted|admitted.* 1/);
      assert.equal((await figures()).fare, "7250000", "an adjustment before the last one");
      assert.match(await done("verify"), /^consistent: /);
    }),
});
