import assert from "node:assert/strict";
import { S3Place } from "../../src/export/mod.ts";
import { tacho_test } from "../support/available.ts";
import { GuardedFolder } from "../support/guarded_folder.ts";
import { shared_postgres } from "../support/postgres.ts";
import { start_s3_server } from "../support/s3_server.ts";
import { type Ended, run_tacho, run_verb, TachoProgram, task_command } from "../support/tacho_program.ts";
import { until } from "../support/until.ts";

/** Days as documents, through the real program: a folder and S3, by a verb and as a part of `serve`. */

const completed = (id: string, at: string, fare: string) =>
  JSON.stringify({ event_id: `c${id}`, type: "trip.completed", trip_id: id, occurred_at: at, fare });
/** A day in each of two years, with gaps; of one fare more cents than two decimals. */
const EVENTS = [
  completed("A", "2025-12-31T10:00:00Z", "10.005"),
  completed("B", "2025-12-31T23:59:59.999Z", "1"),
  completed("C", "2026-01-02T00:00:00Z", "3.5"),
];
const DAY = { total_fare: 11.01, count_trips: 2, average_fare: 5.5, max_fare: 10.01, min_fare: 1 };

interface World {
  readonly env: Readonly<Record<string, string>>;
  readonly folder: string;
  /** Takes events in. */
  readonly take: (...lines: readonly string[]) => Promise<void>;
  readonly daily: (...args: readonly string[]) => Promise<Ended>;
}

async function with_world(work: (world: World) => Promise<void>): Promise<void> {
  const made = new GuardedFolder("export");
  await using _ = { [Symbol.asyncDispose]: () => made.dispose() };
  const { url } = await (await shared_postgres()).create_database();
  const env = { DATABASE_URL: url };
  const take = async (...lines: readonly string[]) => {
    Deno.writeTextFileSync(`${made.path}/events.ndjson`, lines.join("\n"));
    await run_verb(["replay", "--to", "log", `${made.path}/events.ndjson`], { env });
  };
  await take(...EVENTS);
  // Its task may write anywhere; `tacho` may not.
  const command = task_command("export");
  const daily = (...args: readonly string[]) => run_tacho([], { env, command: [...command, "daily", ...args] });
  await work({ env, folder: `${made.path}/figures`, take, daily });
}

const read = (folder: string, date: string): Record<string, unknown> => {
  const { generated_at, ...said } = JSON.parse(Deno.readTextFileSync(`${folder}/daily/${date}/metrics.json`));
  assert.match(generated_at, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  return said;
};
const days_in = (folder: string) => [...Deno.readDirSync(`${folder}/daily`)].map(({ name }) => name).sort();

tacho_test({
  name: "export daily writes the days of a range, yesterday, or all, and leaves those that say the same as they are",
  needs: ["postgres"],
  fn: () =>
    with_world(async ({ folder, daily, take }) => {
      const range = await daily("--out", folder, "--from", "2025-12-31", "--to", "2026-01-02");
      assert.deepEqual([range.code, range.stdout.trim()], [0, `3 days written, 0 left as they were, in ${folder}`]);
      assert.deepEqual(read(folder, "2025-12-31"), { date: "2025-12-31", metrics: DAY, trip_count: 2 });
      const nothing = { total_fare: 0, count_trips: 0, average_fare: 0, max_fare: 0, min_fare: 0 };
      assert.deepEqual(read(folder, "2026-01-01"), { date: "2026-01-01", metrics: nothing, trip_count: 0 });
      const before = Deno.statSync(`${folder}/daily/2025-12-31/metrics.json`);
      assert.match((await daily("--out", folder, "--all")).stdout, /^0 days written, 2 left as they were/);
      await take(...EVENTS, completed("D", "2026-01-02T05:00:00Z", "1"));
      assert.match((await daily("--out", folder, "--all")).stdout, /^1 days written, 1 left as they were/);
      assert.equal(read(folder, "2026-01-02").trip_count, 2);
      const after = Deno.statSync(`${folder}/daily/2025-12-31/metrics.json`);
      assert.deepEqual([after.mtime, after.ino], [before.mtime, before.ino]);
      assert.match((await daily("--out", folder)).stdout, /^1 days written/);
      assert.deepEqual(days_in(folder).length, 4);
      for (
        const [args, said] of [
          [["--all", "--from", "2026-01-01"], /expected --all or a range, got both/],
          [["--from", "2026-01-02", "--to", "2026-01-01"], /expected --to on or after --from/],
          [["--from", "2026-02-30"], /Expected a date such as 2026-03-01/],
          [["--follow", "--to", "2026-01-01"], /--follow keeps all whole days/],
        ] as const
      ) {
        const refused = await daily("--out", folder, ...args);
        assert.deepEqual([refused.code, said.test(refused.stderr)], [2, true], refused.stderr);
      }
      const s3 = await daily("--out", "s3://figures/x");
      assert.deepEqual([s3.code, /expected the keys of S3 in AWS_ACCESS_KEY_ID/.test(s3.stderr)], [2, true], s3.stderr);
    }),
});

tacho_test({
  name:
    "serve keeps the days exported: a late event changes its day's document, and what was missed while it was dead is made good",
  needs: ["postgres"],
  fn: () =>
    with_world(async ({ env, folder, take }) => {
      const command = task_command("start").map((word) =>
        word.startsWith("--allow-write") ? `--allow-write=.tacho,${folder}` : word
      );
      const serving = { command, env: { ...env, TACHO_EXPORT_DAILY: folder } };
      const count = (date: string) =>
        until(`the document of ${date}`, () => {
          try {
            return read(folder, date).trip_count as number;
          } catch (error) {
            if (error instanceof Deno.errors.NotFound) return null;
            throw error;
          }
        });
      await using program = await TachoProgram.serve("start", serving);
      assert.equal(await count("2025-12-31"), 2);
      assert.equal(await count("2026-01-02"), 1);
      await take(...EVENTS, completed("D", "2025-12-31T05:00:00Z", "1"));
      await until("the day is written anew", () => read(folder, "2025-12-31").trip_count === 3);
      await program.kill_nine();
      await take(...EVENTS, completed("E", "2026-01-02T05:00:00Z", "1"));
      assert.equal(read(folder, "2026-01-02").trip_count, 1);
      await using again = await TachoProgram.serve("start", serving);
      await until("what was missed is made good", () => read(folder, "2026-01-02").trip_count === 2);
      assert.deepEqual(days_in(folder), ["2025-12-31", "2026-01-02"]);
      assert.equal(await again.term(), 0);
      const wrong = await run_tacho([], { command, env: { ...env, TACHO_EXPORT_DAILY: "s3://x" } });
      assert.deepEqual(
        [wrong.code, /TACHO_EXPORT_DAILY: .*got "s3:\/\/x"/.test(wrong.stderr)],
        [2, true],
        wrong.stderr,
      );
    }),
});

tacho_test({
  name: "export daily --follow keeps a bucket of S3 until a signal",
  needs: ["postgres", "s3"],
  fn: () =>
    with_world(async ({ env, take }) => {
      await using server = await start_s3_server("figures");
      const keys = { AWS_ACCESS_KEY_ID: "AK", AWS_SECRET_ACCESS_KEY: "secret", AWS_ENDPOINT_URL: server.endpoint };
      const command = [...task_command("tacho"), "export", "daily", "--out", "s3://figures/tacho", "--follow"];
      await using program = TachoProgram.spawn("tacho", { command, env: { ...env, ...keys } });
      const bucket = new S3Place("s3://figures/tacho", {
        ...{ access_key_id: "AK", secret_access_key: "secret", session_token: null },
        ...{ region: "us-east-1", endpoint: server.endpoint },
      });
      const count = async (date: string) => {
        const text = await bucket.read(`daily/${date}/metrics.json`);
        return text === null ? null : JSON.parse(text).trip_count as number;
      };
      await program.brings(
        until("both days are there", async () => await count("2025-12-31") === 2 && await count("2026-01-02") === 1),
      );
      await take(...EVENTS, completed("D", "2025-12-31T05:00:00Z", "1"));
      await program.brings(until("the day is written anew", async () => await count("2025-12-31") === 3));
      assert.equal(await program.term(), 0);
    }),
});
