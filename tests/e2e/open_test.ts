import assert from "node:assert/strict";
import { tacho_test } from "../support/available.ts";
import { link_checkout } from "../support/checkout.ts";
import { get_json, type ServingProgram, TachoProgram } from "../support/tacho_program.ts";
import { until } from "../support/until.ts";

/** `tacho open`: files in a browser, by one command. */

/** Rides as a mapping of the reader's reads them, with clocks of New York; the last of them is of the next day in UTC alone. */
const ROWS = [
  "ride,begin,end,price",
  "a,2024-05-03 08:00:00,2024-05-03 08:30:00,12.50",
  "b,2024-05-03 22:00:00,2024-05-03 22:30:00,20.00",
];
const MAPPING = {
  name: "rides",
  zone: "America/New_York",
  trip_id: "ride",
  events: [
    { type: "trip.started", at: { from: "begin" }, data: {} },
    { type: "trip.completed", at: { from: "end" }, data: { fare: { from: "price", as: "money" } } },
  ],
};

/** A folder with the program, the rows and the mapping. */
async function with_rows(rows: readonly string[], work: (folder: string) => Promise<void>): Promise<void> {
  const checkout = await link_checkout();
  await using _ = { [Symbol.asyncDispose]: () => checkout.dispose() };
  Deno.writeTextFileSync(`${checkout.path}/rides.csv`, rows.join("\n"));
  Deno.writeTextFileSync(`${checkout.path}/rides.json`, JSON.stringify(MAPPING));
  await work(checkout.path);
}

const RIDES = ["rides.csv", "--mapping", "rides.json"];
const DAY = "?from=2024-05-03T12:00:00Z&to=2024-05-04T03:00:00Z";

const day_of = async ({ url }: ServingProgram) =>
  await get_json(`${url}api/v1/kpis/daily?date=2024-05-03`) as { trip_count: number; metrics: { total_fare: number } };
/** Of the log: how far it is, and when it was written. */
const head_of = async ({ url }: ServingProgram) => {
  const { position } = await get_json(`${url}api/v1/board${DAY}`) as { position: number };
  const { events } = await get_json(`${url}api/v1/events`) as { events: { recorded_at: string }[] };
  return { position, recorded_at: events[0]?.recorded_at };
};

tacho_test({
  name:
    "open: a file is read into a log of its own, its page begins at its days in its zone, and the same file opens again at once",
  limit_ms: 240_000,
  fn: () =>
    with_rows(ROWS, async (folder) => {
      // No server of the configuration is touched.
      const env = { DATABASE_URL: "postgres://127.0.0.1:1/x", KAFKA_BROKERS: "127.0.0.1:1" };
      let first: Awaited<ReturnType<typeof head_of>>;
      {
        await using program = await TachoProgram.serve("open", { folder, args: RIDES, env });
        assert.ok(program.stdout.includes(`\n  ${program.url}${DAY}\n`), program.stdout);
        assert.match(program.stdout, /Days are those of America\/New_York/);
        assert.match(
          program.stderr,
          /2 records of 1 file read; 4 events sent to the log; 4 admitted, 0 duplicates; 0 refused/,
        );
        const { trip_count, metrics } = await day_of(program);
        assert.deepEqual([trip_count, metrics.total_fare], [2, 32.5]);
        first = await head_of(program);
        assert.equal(first.position, 4);
        const page = await fetch(program.url);
        assert.match(await page.text(), /<title>tacho<\/title>/);

        // Another one while it runs leads to the same page.
        await using second = TachoProgram.spawn("open", { folder, args: RIDES });
        assert.equal(await second.ended, 0, second.stderr);
        assert.ok(second.stdout.includes(`\n  ${program.url}${DAY}\n`), second.stdout);
        assert.equal(await program.term("SIGINT"), 0);
      }
      {
        await using program = await TachoProgram.serve("open", { folder, args: RIDES });
        assert.match(program.stderr, /0 duplicates; .* \(read before; the files are as they were then\)/);
        assert.doesNotMatch(program.stderr, /read rides\.csv|migrated/);
        assert.ok(program.stdout.includes(DAY));
        assert.deepEqual(await head_of(program), first);
        assert.equal(await program.term(), 0);
      }
      Deno.writeTextFileSync(`${folder}/rides.csv`, ROWS.slice(0, 2).join("\n"));
      await using program = await TachoProgram.serve("open", { folder, args: RIDES });
      assert.equal((await day_of(program)).trip_count, 1, "what the file no longer holds is gone");
      assert.notEqual((await head_of(program)).recorded_at, first.recorded_at);
      assert.equal(await program.term(), 0);
    }),
});

tacho_test({
  name:
    "open: says what was refused and shows the rest, on the next port where the wanted one is taken, and starts the browser",
  limit_ms: 240_000,
  fn: () =>
    with_rows([...ROWS, "c,2024-05-03 09:00:00,2024-05-03 09:30:00,-3.00"], async (folder) => {
      using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
      const { port } = taken.addr as Deno.NetAddr;
      Deno.writeTextFileSync(`${folder}/xdg-open`, `#!/bin/sh\necho "$1" >"${folder}/opened"\n`, { mode: 0o755 });
      const env = { PORT: String(port), DISPLAY: ":7", PATH: `${folder}:${Deno.env.get("PATH")}` };
      await using program = await TachoProgram.serve("open", { folder, args: RIDES, env });
      assert.notEqual(new URL(program.url).port, String(port));
      assert.match(program.stderr, /1 refused: negative price, −3\.00/);
      assert.equal((await day_of(program)).trip_count, 2);
      const opened = await until("the browser is started", () => {
        try {
          return Deno.readTextFileSync(`${folder}/opened`).trim() || null;
        } catch (error) {
          if (error instanceof Deno.errors.NotFound) return null;
          throw error;
        }
      });
      assert.equal(opened, `${program.url}${DAY}`);
      assert.equal(await program.term(), 0);
    }),
});

tacho_test({
  name:
    "open: a file that is not there, of which nothing comes in, or a folder of somebody else's ends it with one sentence",
  limit_ms: 240_000,
  fn: () =>
    with_rows([ROWS[0]!, "c,2024-05-03 09:00:00,2024-05-03 09:30:00,-3.00"], async (folder) => {
      const refused = async (args: readonly string[], code: number, sentence: RegExp) => {
        await using program = TachoProgram.spawn("open", { folder, args: ["--no-browser", ...args] });
        assert.equal(await program.ended, code, program.stderr);
        assert.match(program.stderr, sentence);
        assert.equal(program.stdout, "");
      };
      await refused(["nowhere.csv"], 2, /^tacho: open: look at the files\n {2}because: No such file .*nowhere\.csv/);
      await refused(
        RIDES,
        1,
        /^tacho: open: "rides\.csv": nothing was admitted: of 1 record, 1 refused: negative price/m,
      );
      Deno.mkdirSync(`${folder}/.tacho/mine`, { recursive: true });
      Deno.writeTextFileSync(`${folder}/.tacho/mine/letters`, "");
      await refused([...RIDES, "--data-dir", ".tacho/mine"], 2, /--data-dir to be a new folder, .* holds "letters"/);
      Deno.statSync(`${folder}/.tacho/mine/letters`);
    }),
});

tacho_test({
  name: "open: killed while it reads, the next one reads all anew and counts nothing twice",
  limit_ms: 240_000,
  fn: () => {
    const rows = Array.from({ length: 4_000 }, (_, i) => `r${i},2024-05-03 08:00:00,2024-05-03 08:30:00,1.00`);
    return with_rows([ROWS[0]!, ...rows], async (folder) => {
      {
        await using program = TachoProgram.spawn("open", { folder, args: RIDES });
        await program.brings(until("it writes its log", () => /migrated version=12/.test(program.stderr), 60_000));
        await program.kill_nine();
      }
      {
        await using program = TachoProgram.spawn("open", { folder, args: RIDES });
        await program.brings(until("it reads", () => / info {2}file /.test(program.stderr), 60_000));
        assert.equal(await program.term("SIGINT"), 0, program.stderr);
      }
      await using program = await TachoProgram.serve("open", { folder, args: [...RIDES, "--first", "50"] });
      assert.equal((await head_of(program)).position, 100);
      assert.equal(await program.term(), 0);
      await using whole = await TachoProgram.serve("open", { folder, args: RIDES });
      assert.equal((await day_of(whole)).trip_count, 4_000);
      assert.match(whole.stderr, /8,000 admitted, 0 duplicates/);
      assert.equal(await whole.term(), 0);
    });
  },
});
