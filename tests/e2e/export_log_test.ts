import assert from "node:assert/strict";
import { open_database } from "../../src/database/mod.ts";
import type { DeclaredDomain } from "../../src/domains/mod.ts";
import { PAYMENTS } from "../../src/domains/payments/mod.ts";
import { TRADES } from "../../src/domains/trades/mod.ts";
import { TRIPS } from "../../src/domains/trips/mod.ts";
import { schema_of } from "../../src/verbs/domains.ts";
import { tacho_test } from "../support/available.ts";
import { assert_same_log, invented, log_template, make_log, take_in } from "../support/generated_log.ts";
import { GuardedFolder } from "../support/guarded_folder.ts";
import { shared_postgres } from "../support/postgres.ts";
import { run_tacho, run_verb, TachoProgram, task_command } from "../support/tacho_program.ts";
import { builtin } from "../support/trip_mapping.ts";
import { message } from "../support/trip_pipeline.ts";
import { until } from "../support/until.ts";

/** A log as files, and the same log of them again, through the real program. */

/** Ids, texts and numbers that files bend if they can. */
const ODD = [
  { event_id: ' "quoted", \\ and\nbroken ', trip_id: " spaces ", city: 'Zürich, "Höngg"', note: "a\tb\r\nc" },
  { event_id: "1234567890123456789", trip_id: "0001", odometer: "RAW", tags: [[], {}, null, 1e21, -0.5, 1e-7] },
].map((each) =>
  JSON.stringify({ type: "trip.completed", occurred_at: "2026-03-02T11:00:00.000001Z", fare: "0.000001", ...each })
    .replace('"RAW"', "12345678901234567890.500")
);
const LATER = [
  { event_id: "f", trip_id: "0001", type: "trip.fare_adjusted", fare: "7" },
  { event_id: "v", trip_id: " spaces ", type: "trip.voided" },
].map((each) => JSON.stringify({ occurred_at: "2026-03-02T11:20:00Z", ...each }));
const DEEP =
  `{"specversion":"1.0","id":"n","source":"/fleet","subject":"T-0","type":"trip.canceled","time":"2026-03-02T11:55:00Z",
  "data":{"reason":""},"deep":${"[".repeat(63)}${"]".repeat(63)}}`;

/** Records of whole trips, each of which tells its start, long before the windows that are open by then, and its end. */
const RIDES = Array.from({ length: 30 }, (_, i) => ({
  ...{ trip_id: `ride-${i}`, driver_id: "D1", city: "Oslo", distance_km: 12.4, duration_min: 55, fare_usd: 18.6 },
  timestamp: `2026-03-02T13:${10 + i}:00.123456`,
}));

const export_command = [...task_command("export")];
const exported = (url: string, ...args: readonly string[]) =>
  run_tacho([], { env: { DATABASE_URL: url }, command: [...export_command, ...args] });

async function with_logs(
  declared: DeclaredDomain,
  values: readonly string[],
  work: (logs: { from: string; to: string; folder: string; assert_same: () => Promise<void> }) => Promise<void>,
): Promise<void> {
  const made = new GuardedFolder("export_log");
  await using _ = { [Symbol.asyncDispose]: () => made.dispose() };
  const postgres = await shared_postgres();
  const from = (await postgres.create_database(log_template(declared))).url,
    to = (await postgres.create_database()).url;
  const original = await make_log(from, declared, values, 100);
  try {
    if (declared === TRIPS) {
      const domain = TRIPS.make({ currency: "USD", h3_resolution: 8 }),
        mappings = new Map([["rides", builtin("ride_sharing")]]);
      await take_in(original, domain, "rides", RIDES.map((ride, i) => message(i, ride)), 8, mappings);
    }
    await work({
      from,
      to,
      folder: `${made.path}/log`,
      async assert_same() {
        const schema = schema_of(declared);
        const again = await open_database({ url: to, data_dir: null, connections: 2, schema });
        try {
          await assert_same_log(original, again, declared);
        } finally {
          await again.close();
        }
      },
    });
  } finally {
    await original.close();
  }
}

const files_in = (folder: string) => [...Deno.readDirSync(folder)].map(({ name }) => name).sort();
const data_in = (folder: string) =>
  files_in(folder).filter((name) => name.startsWith("events-")).map((name) => `${folder}/${name}`);

for (
  const [declared, args, ending] of [
    [TRIPS, ["ndjson"], "ndjson"],
    [PAYMENTS, ["csv", "--gzip"], "csv.gz"],
    [TRADES, ["ndjson", "--zstd"], "ndjson.zst"],
    [TRIPS, ["parquet"], "parquet"],
  ] as const
) {
  tacho_test({
    name: `an exported log of ${declared.name} as ${ending} makes the same log again, to the bit`,
    needs: ["postgres"],
    limit_ms: 240_000,
    fn: () =>
      with_logs(
        declared,
        [...invented(declared, declared === TRIPS ? 0.7 : 1.5), ...declared === TRIPS ? [...ODD, ...LATER, DEEP] : []],
        async ({ from, to, folder, assert_same }) => {
          const domain = ["--domain", declared.name];
          const told = await exported(from, ...args, "--out", folder, ...domain);
          assert.equal(told.code, 0, told.stderr);
          assert.match(told.stdout, /^\d+ events, positions 1 to \d+, in 1 files, 0 of them there before, in /);
          assert.deepEqual(files_in(folder), [`events-000000000001.${ending}`, "events.manifest.json"]);
          const again = await exported(from, ...args, "--out", folder, ...domain);
          assert.match(again.stdout, / in 1 files, 1 of them there before, /);
          const env = { DATABASE_URL: to };
          const replayed = await run_verb(["replay", "--to", "log", ...domain, ...data_in(folder)], { env });
          assert.match(replayed.stderr, /an exported log of \d+ events: \d{3,} admitted, 0 there before/);
          await assert_same();
          const once_more = await run_verb(["replay", "--to", "log", ...domain, ...data_in(folder)], { env });
          assert.match(once_more.stderr, /: 0 admitted, \d{3,} there before/);
          await assert_same();
          assert.match((await run_verb(["verify", ...domain], { env })).stdout, /^consistent: /);
        },
      ),
  });
}

tacho_test({
  name:
    "a replay of an exported log that is killed goes on; what is no whole log, or meets another one, is refused and changes nothing",
  needs: ["postgres"],
  limit_ms: 300_000,
  fn: () =>
    with_logs(TRIPS, [...invented(TRIPS, 0.7), ...ODD, ...LATER], async ({ from, to, folder, assert_same }) => {
      assert.equal((await exported(from, "csv", "--out", folder)).code, 0);
      const refused = async (said: RegExp, url: string, ...args: readonly string[]) => {
        const ended = await run_tacho(["replay", ...args], {
          env: { DATABASE_URL: url, KAFKA_BROKERS: "127.0.0.1:1" },
        });
        assert.deepEqual([ended.code, said.test(ended.stderr)], [2, true], ended.stderr);
      };
      await refused(/goes into an empty log as it was: use --to log/, to, ...data_in(folder));
      await refused(
        /leave --first, --step, --speed and --resume out/,
        to,
        "--to",
        "log",
        "--first",
        "3",
        ...data_in(folder),
      );
      // Parts of a log.
      const part = await exported(
        from,
        "ndjson",
        "--out",
        `${folder}/part`,
        "--from",
        "5",
        "--to",
        "2026-03-03T11:00:00.100Z",
      );
      assert.match(part.stdout, /^\d{3,} events, positions 5 to \d{3,}, /);
      await refused(
        /expected an export that begins at position 1, where the log ends, got one at 5/,
        to,
        "--to",
        "log",
        ...data_in(`${folder}/part`),
      );
      const some = await exported(
        from,
        "ndjson",
        "--out",
        `${folder}/some`,
        "--type",
        "trip.completed",
        "--type",
        "trip.voided",
      );
      assert.match(some.stdout, /^\d{2,} events, positions 1 to /);
      const lines = Deno.readTextFileSync(data_in(`${folder}/some`)[0]!).trimEnd().split("\n").map((line) =>
        JSON.parse(line)
      );
      assert.deepEqual([...new Set(lines.map(({ type }) => type))].sort(), ["trip.completed", "trip.voided"]);
      await refused(
        /line 1: expected events with their batches, as all of a log has them, got an export of some types/,
        to,
        "--to",
        "log",
        ...data_in(`${folder}/some`),
      );
      for (
        const [said, ...args] of [
          [/expected --type trip\.requested, .*, got "trip\.lost"/, "ndjson", "--out", folder, "--type", "trip.lost"],
          [
            /its form is \{"format":"csv","gzip":false\}, that of this one \{"format":"ndjson"/,
            "ndjson",
            "--out",
            folder,
          ],
          [
            /its form is \{"format":"csv","gzip":false\}, that of this one \{"format":"csv","packing":"zstd"\}/,
            ...["csv", "--zstd", "--out", folder],
          ],
          [/'--zstd' cannot be used with option '--gzip'/, "csv", "--zstd", "--gzip", "--out", folder],
          [/an export up to position \d+, this one ends at 7/, "csv", "--out", folder, "--to", "7"],
          [/expected --to up to \d+, the log's head, got 99999/, "csv", "--out", folder, "--to", "99999"],
          [/got positions 9 to 8/, "csv", "--out", folder, "--from", "9", "--to", "8"],
        ] as const
      ) {
        const ended = await exported(from, ...args);
        assert.deepEqual([ended.code, said.test(ended.stderr)], [2, true], ended.stderr);
      }
      const database = await open_database({ url: to, data_dir: null, connections: 1 });
      try {
        const position = async () => Number((await database.query("select position from log_head"))[0]!.position);
        assert.equal(await position(), 0);
        for (let least = 1; least < 1_000; least += 400) {
          await using replay = TachoProgram.spawn("tacho", {
            env: { DATABASE_URL: to },
            args: ["replay", "--to", "log", ...data_in(folder)],
          });
          // In quick looks: what is left of it takes no second.
          await until("some of it is in the log", async () => {
            for (let look = 0; look < 100; look++) if (!replay.running || await position() >= least) return true;
            return false;
          });
          await replay.kill_nine();
        }
        const killed_at = await position();
        const ended = await run_verb(["replay", "--to", "log", ...data_in(folder)], { env: { DATABASE_URL: to } });
        const [, admitted, before] = /: (\d+) admitted, (\d+) there before/.exec(ended.stderr)!;
        assert.deepEqual([Number(before), Number(admitted) > 0], [killed_at, true], ended.stderr);
        await assert_same();
        // A log that has something else.
        const [file] = data_in(folder);
        const text = Deno.readTextFileSync(file!), other = `${folder}/other.csv`;
        Deno.writeTextFileSync(other, text.replace(/(\n150,.*?),"([^"]*)"/, '$1,"another"'));
        await refused(
          /expected an empty log, or the beginning of the exported one, got other events from position \d+ on/,
          to,
          "--to",
          "log",
          other,
        );
        Deno.writeTextFileSync(other, text.replace(/\n150,[^\n]*/, ""));
        await refused(/expected position 150, got 151/, to, "--to", "log", other);
        await assert_same();
      } finally {
        await database.close();
      }
    }),
});

tacho_test({
  name: "cells and states are exported by the verb, and what a table has not is refused with what it has",
  needs: ["postgres"],
  fn: () =>
    with_logs(TRADES, invented(TRADES, 1), async ({ from, folder }) => {
      const run = (...args: readonly string[]) => exported(from, ...args, "--out", folder, "--domain", "trades");
      const cells = await run("csv", "--what", "cells", "--grain", "all", "--filter", "ticker=AAPL");
      const [, rows, position] = /^(\d+) rows as of position (\d+), in .*\/trade_cells\.csv$/m.exec(cells.stdout)!;
      assert.deepEqual([rows, Number(position) > 100], ["1", true], cells.stdout);
      const lines = Deno.readTextFileSync(`${folder}/trade_cells.csv`).split("\n");
      assert.match(
        lines[0]!,
        /^grain,bucket,dimension,key,trades,volume,notional,price_sum,price_min,price_max,busted,/,
      );
      assert.match(lines[1]!, /^"all",1970-01-01T00:00:00\.000000Z,"ticker","AAPL",\d+,\d+,\d+\.\d{6},\d+\.\d{6},/);
      const states = await run("ndjson", "--what", "states", "--gzip");
      assert.match(states.stdout, /\/trades\.ndjson\.gz$/m);
      for (
        const [said, ...args] of [
          [/states have no --grain; leave it out/, "csv", "--what", "states", "--grain", "1d"],
          [/states have no --from and --to; leave it out/, "csv", "--what", "states", "--from", "3"],
          [/of cells --from is a time, such as .*, got 3/, "csv", "--what", "cells", "--from", "3"],
          [/expected one --filter at most/, "csv", "--what", "cells", "--filter", "side=buy", "--filter", "side=sell"],
          [
            /--filter dimension=value with one of status, ticker, side, venue, got "x=y"/,
            "csv",
            "--what",
            "cells",
            "--filter",
            "x=y",
          ],
          [/trades keep no totals/, "csv", "--what", "totals"],
          [/events have no --filter; leave it out/, "csv", "--filter", "side=buy"],
        ] as const
      ) {
        const ended = await run(...args);
        assert.deepEqual([ended.code, said.test(ended.stderr)], [2, true], ended.stderr);
      }
    }),
});
