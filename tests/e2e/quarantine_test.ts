import assert from "node:assert/strict";
import { tacho_test } from "../support/available.ts";
import { GuardedFolder } from "../support/guarded_folder.ts";
import { run_tacho, run_verb } from "../support/tacho_program.ts";
import { make_deployment } from "../support/deployment.ts";

const HEADER =
  "dropoff_datetime,rate_code,passenger_count,trip_distance,fare_amount,tip_amount,payment_type,trip_type,trip_id";

tacho_test({
  name: "bad records end in quarantine with file and line, listed and shown with their bytes; the others count",
  needs: ["postgres", "kafka"],
  async fn() {
    const folder = new GuardedFolder("records");
    await using _ = { [Symbol.asyncDispose]: () => folder.dispose() };
    const file = `${folder.path}/ends.csv`;
    const rows = [
      "2024-05-25 14:05:00,,,0.1,40.5,0,,,a",
      "2024-05-25 99:05:00,1,1,0.1,40.5,0,1,1,b",
      "2024-05-25 14:06:00,1,1,0.1,-1,0,1,1,c",
    ];
    Deno.writeTextFileSync(file, [HEADER, ...rows].join("\n"));
    const env = await make_deployment("quarantine");
    const replayed = await run_verb(["replay", "--to", "log", file], { env });
    assert.match(replayed.stderr, /messages=3 admitted=1 duplicates=0 quarantined=2/);

    const listed = (await run_verb(["quarantine"], { env })).stdout.trim().split("\n").map((line) => JSON.parse(line));
    assert.deepEqual(listed.map(({ reason, path }) => [reason, path]), [["invalid_field", "fare"], [
      "malformed_json",
      null,
    ]]);
    assert.match(listed[0].detail, /expected an amount from 0 to 1e12 .*, got "-1\.000000"/);
    const only = await run_verb(["quarantine", "list", "--reason", "malformed_json"], { env });
    assert.equal(only.stdout.trim().split("\n").length, 1);

    const shown = JSON.parse((await run_verb(["quarantine", "show", String(listed[1].quarantine_id)], { env })).stdout);
    assert.equal(shown.key, "b");
    assert.equal(shown.value, rows[1]);
    assert.equal(shown.headers["tacho-file"], `${file}:3`);
    assert.match(
      shown.headers["tacho-fault"],
      /expected a local time .* in dropoff_datetime, got "2024-05-25 99:05:00"/,
    );
    assert.equal((await run_tacho(["quarantine", "show", "999"], { env })).code, 2);
  },
});
