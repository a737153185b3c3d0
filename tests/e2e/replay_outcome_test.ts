import assert from "node:assert/strict";
import { open_database } from "../../src/database/mod.ts";
import { tacho_test } from "../support/available.ts";
import { make_deployment } from "../support/deployment.ts";
import { GuardedFolder } from "../support/guarded_folder.ts";
import { shared_postgres } from "../support/postgres.ts";
import { run_tacho, run_verb, TachoProgram } from "../support/tacho_program.ts";
import { until } from "../support/until.ts";

/** How a replay ends: its exit code and its last line. */

const HEADER =
  "dropoff_datetime,rate_code,passenger_count,trip_distance,fare_amount,tip_amount,payment_type,trip_type,trip_id";
/** Rows of trip ends; of those that are refused the fare is negative. */
const ends = (sound: number, refused: number, id = "T") =>
  Array.from(
    { length: sound + refused },
    (_, i) =>
      `2024-05-25 10:${String(i % 60).padStart(2, "0")}:00,1,1,1.5,${i < refused ? "-1.25" : "10"},0,1,1,${id}${i}`,
  );

/** A folder for files and a new database; both are gone when the work is done. */
async function with_log(
  work: (log: {
    readonly url: string;
    readonly file: (name: string, lines: readonly string[]) => string;
    readonly replay: (...args: readonly string[]) => Promise<{ code: number; stderr: string; last: string }>;
  }) => Promise<void>,
): Promise<void> {
  const folder = new GuardedFolder("outcome");
  await using _ = { [Symbol.asyncDispose]: () => folder.dispose() };
  const { url } = await (await shared_postgres()).create_database();
  await work({
    url,
    file(name, lines) {
      Deno.writeTextFileSync(`${folder.path}/${name}`, lines.join("\n"));
      return `${folder.path}/${name}`;
    },
    async replay(...args) {
      const { code, stderr } = await run_tacho(["replay", "--to", "log", ...args], {
        env: { DATABASE_URL: url, PORT: "8123" },
      });
      return { code, stderr, last: stderr.trimEnd().split("\n").at(-1)! };
    },
  });
}

tacho_test({
  name: "a replay into the log ends with 1 when more than a tenth of any of its files was refused, after all was done",
  needs: ["postgres"],
  fn: () =>
    with_log(async ({ file, replay }) => {
      const good = file("good.csv", [HEADER, ...ends(90, 10)]);
      const passed = await replay(good);
      assert.deepEqual([passed.code, passed.stderr.includes("admitted=90 duplicates=0 quarantined=10")], [0, true]);
      assert.equal(
        passed.last,
        "replayed: 100 records of 1 file read; 90 events sent to the log; 90 admitted, 0 duplicates; " +
          "10 refused: negative fare_amount, −12.50; " +
          "event times 2024-05-25T10:00:00+00:00 to 2024-05-25T10:59:00+00:00 (UTC); " +
          "http://127.0.0.1:8123/?from=2024-05-25T10:00:00Z&to=2024-05-25T11:00:00Z",
      );
      const again = await replay(good);
      assert.equal(again.code, 0);
      assert.match(again.last, /; 0 admitted, 90 duplicates: all of it was there before; 10 refused/);

      const bad = file("bad.csv", [HEADER, ...ends(89, 11, "B")]);
      const both = await replay(good, bad);
      assert.deepEqual([both.code, both.stderr.includes("admitted=89 duplicates=90 quarantined=21")], [1, true]);
      assert.match(
        both.last,
        /^tacho: replay: 1 of 2 files failed: ".*bad\.csv": 11\.00 % were refused, at most 10 % may be \(--most-refused\): of 100 records, 11 refused: negative fare_amount, −13\.75; the first: expected .*$/,
      );
      assert.equal((await replay(bad, "--most-refused", "11%")).code, 0);
      const misspelt = await replay(bad, "--most-refused", "11");
      assert.deepEqual([misspelt.code, /share from 0% to 100%/.test(misspelt.stderr)], [2, true]);
    }),
});

tacho_test({
  name: "a replay of which nothing comes in ends with 1 and says why: no record, all refused, all skipped",
  needs: ["postgres"],
  fn: () =>
    with_log(async ({ file, replay }) => {
      const mapping = file("own.json", [JSON.stringify({
        name: "own",
        zone: "UTC",
        skip: { field: "trip_id", is: ["T0"] },
        trip_id: "trip_id",
        events: [{ type: "trip.canceled", at: "dropoff_datetime", data: {} }],
      })]);
      const cases: readonly (readonly [lines: readonly string[], args: readonly string[], last: RegExp])[] = [
        [[], [], /"[^"]*a\.csv" holds no records$/],
        [[HEADER], [], /"[^"]*a\.csv" holds no records$/],
        [
          [HEADER, ...ends(0, 2)],
          ["--most-refused", "100%"],
          /nothing was admitted: of 2 records, 2 refused: negative/,
        ],
        [
          [HEADER, ...ends(2, 0)].map((line) => line.replaceAll(",", ";").replaceAll(".", ",")),
          [],
          /the first: expected an? .*; it looks like a decimal comma: .*--decimal comma reads it$/,
        ],
        [[HEADER, ...ends(1, 0)], ["--mapping", mapping], /all of its 1 record were skipped$/],
      ];
      for (const [lines, args, expected] of cases) {
        const { code, last } = await replay(file("a.csv", lines), ...args);
        assert.equal(code, 1, last);
        assert.match(last, expected);
      }
    }),
});

tacho_test({
  name: "what the log refuses on arrival counts as refused, by file, also when another process of the replay sent it",
  needs: ["postgres"],
  fn: () =>
    with_log(async ({ url, file, replay }) => {
      const event = (i: number, fare: unknown) =>
        JSON.stringify({
          event_id: `e${i}`,
          trip_id: `t${i}`,
          type: "trip.completed",
          occurred_at: new Date(Date.UTC(2024, 4, 25) + i * 1_000).toISOString(),
          fare,
        });
      const count = 8_000;
      const rows = Array.from({ length: count }, (_, i) => event(i, i < 1_000 ? "-2.5" : "5"));
      const path = file("events.ndjson", rows);
      const args = ["replay", "--to", "log", path, "--speed", "1000x"];
      const env = { DATABASE_URL: url, TACHO_BATCH_MESSAGES: "200", PORT: "0" };
      await using killed = TachoProgram.spawn("tacho", { env, args });
      const database = await open_database({ url, data_dir: null, connections: 1 });
      try {
        await killed.brings(until("some were admitted", async () => {
          const [table] = await database.query("select to_regclass('trips') is not null as there");
          return table!.there && Number((await database.query("select count(*) as n from trips"))[0]!.n) > 500;
        }));
      } finally {
        await database.close();
      }
      await killed.kill_nine();
      const { code, last } = await replay(path, "--speed", "1000x", "--resume", "--most-refused", "12%");
      assert.equal(code, 1);
      assert.match(last, /: 12\.50 % were refused, .*: of 8,000 records, 1,000 refused: negative fare, −2,500\.00$/);
      const again = await replay(path, "--most-refused", "13%");
      assert.deepEqual([
        again.code,
        /7,000 duplicates: all of it .*; 1,000 refused: negative fare, −2,500\.00;/.test(again.last),
      ], [0, true]);
    }),
});

tacho_test({
  name: "a replay to a topic ends with 1 when more than a tenth was sent as faulty",
  needs: ["kafka", "postgres"],
  async fn() {
    const folder = new GuardedFolder("outcome");
    await using _ = { [Symbol.asyncDispose]: () => folder.dispose() };
    const path = `${folder.path}/a.csv`;
    Deno.writeTextFileSync(path, [HEADER, ...ends(9, 1)].join("\n"));
    const env = await make_deployment("outcome");
    const { stderr } = await run_verb(["replay", path], { env });
    assert.match(stderr, /replayed: 10 records of 1 file read; 9 events sent to topic \S+; 1 refused: negative/);
    Deno.writeTextFileSync(path, [HEADER, ...ends(8, 1)].join("\n"));
    const event = (i: number, more: object) =>
      JSON.stringify({
        event_id: `e${i}`,
        trip_id: `t${i}`,
        type: "trip.completed",
        occurred_at: "2024-01-01T00:00:00Z",
        ...more,
      });
    const bad = [event(0, { fare: -2.5 }), event(1, { fare: 1, occurred_at: "2200-01-01T00:00:00Z" }), event(2, {})];
    const events = `${folder.path}/events.ndjson`;
    Deno.writeTextFileSync(events, bad.join("\n"));
    const foretold = await run_tacho(["replay", events], { env });
    assert.match(
      foretold.stderr,
      /1 event sent to topic \S+; 2 refused: 1 negative fare, −2\.50; 1 time_in_future time; event times 2024-01-01T\S+ to 2024-/,
    );
    assert.match(foretold.stderr, /\ntacho: replay: .* 66\.67 % were refused.*\n$/);
    const { code, stderr: told } = await run_tacho(["replay", path], { env });
    assert.deepEqual([code, /tacho: replay: ".*": 11\.11 % were refused/.test(told)], [1, true]);
  },
});
