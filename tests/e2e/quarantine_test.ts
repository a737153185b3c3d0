import assert from "node:assert/strict";
import { tacho_test } from "../support/available.ts";
import { GuardedFolder } from "../support/guarded_folder.ts";
import { options_of, produce } from "../support/kafka_topic.ts";
import { shared_postgres } from "../support/postgres.ts";
import { get_json, run_tacho, run_verb, TachoProgram } from "../support/tacho_program.ts";
import { make_deployment } from "../support/deployment.ts";
import { until } from "../support/until.ts";

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
    const replayed = await run_verb(["replay", "--to", "log", file, "--most-refused", "70%"], { env });
    assert.match(replayed.stderr, /messages=3 admitted=1 duplicates=0 quarantined=2/);

    const listed = (await run_verb(["quarantine"], { env })).stdout.trim().split("\n").map((line) => JSON.parse(line));
    assert.deepEqual(listed.map(({ reason, path }) => [reason, path]), [["invalid_field", "fare_amount"], [
      "invalid_record",
      "dropoff_datetime",
    ]]);
    assert.match(listed[0].detail, /expected an amount from 0 to 1e12 .*, got "-1\.000000"/);
    const only = await run_verb(["quarantine", "list", "--reason", "invalid_record"], { env });
    assert.equal(only.stdout.trim().split("\n").length, 1);

    const shown = JSON.parse((await run_verb(["quarantine", "show", String(listed[1].quarantine_id)], { env })).stdout);
    assert.equal(shown.key, "b");
    assert.equal(shown.value, rows[1]);
    assert.equal(shown.headers["tacho-file"], `${file}:3`);
    assert.match(shown.detail, /time.*"2024-05-25 99:05:00"/);
    const { reason, path, detail } = shown;
    assert.deepEqual(JSON.parse(shown.headers["tacho-fault"]), { reason, path, detail });
    assert.equal((await run_tacho(["quarantine", "show", "999"], { env })).code, 2);
  },
});

tacho_test({
  name: "what others sent is printed without anything that a terminal obeys, and is what they sent",
  needs: ["postgres"],
  async fn() {
    const folder = new GuardedFolder("quarantine");
    await using _ = { [Symbol.asyncDispose]: () => folder.dispose() };
    const hostile = "b\x1b[2J\x9b31m\u202e";
    const file = `${folder.path}/ends\x1b[1m\n.csv`;
    Deno.writeTextFileSync(file, [HEADER, `2024-05-25 99:05:00,1,1,0.1,40.5,0,1,1,${hostile}`].join("\n"));
    const { url } = await (await shared_postgres()).create_database();
    const env = { DATABASE_URL: url };
    const printed = [
      await run_tacho(["replay", "--to", "log", file], { env }),
      await run_verb(["quarantine", "list"], { env }),
      await run_verb(["quarantine", "show", "1"], { env }),
      await run_tacho(["mapping", "check", "trip_end", "--sample", file]),
      await run_tacho(["replay", "--to", "log", `${file}.gone`], { env }),
    ];
    for (const { stdout, stderr } of printed) {
      assert.doesNotMatch((stdout + stderr).replaceAll("\n", ""), /[\p{Cc}\p{Cf}]/u);
      assert.doesNotMatch(stderr, /^\.csv/m, "no name breaks a line");
    }
    assert.equal(JSON.parse(printed[2]!.stdout).key, hostile);
  },
});

tacho_test({
  name: "held messages are rehearsed, retried beside the running program, and the rest is discarded on record",
  needs: ["postgres", "kafka"],
  async fn() {
    const deployment = await make_deployment("retry");
    const env = { ...deployment, TACHO_PARTITIONS: "1", TACHO_MAX_MESSAGE_BYTES: "1000" };
    const raised = { env: { ...deployment, TACHO_MAX_MESSAGE_BYTES: "5000" } };
    const trip = (id: string, fields: Record<string, unknown>) =>
      JSON.stringify({
        event_id: id,
        trip_id: id,
        type: "trip.completed",
        occurred_at: new Date(Date.now() - 60_000).toISOString(),
        fare: "10.00",
        ...fields,
      });
    const options = options_of(deployment.KAFKA_BROKERS, deployment.TACHO_TOPICS);
    // The sound one last: when it is in the log, the others are held.
    await produce(options, [trip("B", { note: "x".repeat(2_000) }), "bad", trip("C", { fare: "-1" }), trip("A", {})]);
    await using program = await TachoProgram.serve("start", { env });
    const fares = async () => {
      const { trips } = await get_json(`${program.url}api/v1/trips?limit=50`) as { trips: { fare: string }[] };
      return trips.map(({ fare }) => Number(fare));
    };
    const held = async (...args: string[]) => {
      const { stdout } = await run_verb(["quarantine", "list", ...args], { env });
      return stdout.trim().split("\n").filter((line) => line !== "").map((line) => JSON.parse(line));
    };
    await until("the sound one is in the log", async () => (await fares()).length === 1);

    const { code, stderr } = await run_tacho(["quarantine", "retry"], raised);
    assert.deepEqual([code, /expected ids, a filter such as --topic, or --all/.test(stderr)], [2, true]);
    const dry = await run_verb(["quarantine", "retry", "--all", "--dry-run"], raised);
    const what = "3 messages: 1 admitted, 0 duplicates, 2 still held \\(malformed_json 1, invalid_field 1\\)";
    assert.match(dry.stdout, new RegExp(`^would retry ${what}`));
    const [too_large] = await held("--reason", "too_large");
    assert.deepEqual([too_large.offset, too_large.value.length, too_large.attempts], [0, 1_000, 1]);
    const done = await run_verb(["quarantine", "retry", "--topic", deployment.TACHO_TOPICS], raised);
    assert.match(done.stdout, new RegExp(`^retried ${what}`));
    assert.match(done.stderr, /retry held messages: .*3 of 3/);
    await until("the page's server tells of it", async () => (await fares()).length === 2);

    const because = ["--by", "Ada", "--reason", "nobody knows them"];
    const would = await run_verb(["quarantine", "discard", "--held-for", "malformed_json", "--dry-run", ...because], {
      env,
    });
    assert.match(would.stdout, /^would discard 1 of 1 held messages \(malformed_json 1\)/);
    assert.match(
      (await run_verb(["quarantine", "discard", "--all", ...because], { env })).stdout,
      /^discarded 2 messages/,
    );
    const all = await held("--status", "all");
    assert.deepEqual(all.map(({ status, attempts }) => `${status} ${attempts}`), [
      "discarded 2",
      "discarded 2",
      "admitted 2",
    ]);

    // The program did not see its trip grow: it copes with what comes for it now.
    await produce(options, [trip("B", { event_id: "B2", fare: "11.00" })]);
    await until("the trip has the later fare", async () => (await fares()).includes(11));
    assert.equal(await program.term(), 0);
    assert.match((await run_verb(["verify"], { env })).stdout, /^consistent: 3 events/);
  },
});

tacho_test({
  name: "messages that unpack to much more than is allowed are cut, on record, stay refused, and stop nothing",
  needs: ["postgres", "kafka"],
  async fn() {
    const env = { ...await make_deployment("bombs"), TACHO_MAX_MESSAGE_BYTES: "10000" };
    const options = options_of(env.KAFKA_BROKERS, env.TACHO_TOPICS);
    const time = new Date(Date.now() - 60_000).toISOString();
    const trip = (id: string) =>
      JSON.stringify({ event_id: id, trip_id: id, type: "trip.completed", occurred_at: time, fare: "10.00" });
    const bytes = 40 << 20;
    // The first bytes of one of them are a sound event by themselves.
    const spaces = trip("SPACES").padEnd(bytes);
    const large = trip("LARGE").padEnd(39_000);
    await produce(options, [trip("A"), "\0".repeat(bytes), trip("B")], "gzip");
    await produce(options, [spaces, trip("C"), large], "zstd");
    await produce(options, [trip("D")]);
    await using program = await TachoProgram.serve("start", { env });
    const trips = async () => {
      const { trips } = await get_json(`${program.url}api/v1/trips?limit=50`) as { trips: { trip_id: string }[] };
      return trips.map(({ trip_id }) => trip_id).toSorted().join("");
    };
    await program.brings(until("the others are in the log", async () => (await trips()) === "ABCD"));
    const held = async () => {
      const { stdout } = await run_verb(["quarantine", "list"], { env });
      return stdout.trim().split("\n").map((line) => JSON.parse(line)).toSorted((a, b) => a.offset - b.offset);
    };
    const digest = async (text: string) =>
      new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text))).toHex();
    const [zeros, blank, whole] = await held();
    for (const [row, offset, text] of [[zeros, 1, "\0".repeat(bytes)], [blank, 3, spaces]] as const) {
      assert.deepEqual([row.offset, row.reason, row.value.length], [offset, "too_large", 1_000]);
      assert.match(
        row.detail,
        /expected at most 40000 bytes to be held, .* value 41943040, headers 0\); only the first 1024/,
      );
      assert.ok(row.detail.endsWith(await digest(text)), row.detail);
    }
    // Up to four times the limit a message is kept whole.
    assert.deepEqual([whole.offset, whole.reason], [5, "too_large"]);

    // Nobody has the rest of them any more, whatever the limit.
    const retried = await run_verb(["quarantine", "retry", "--all"], {
      env: { ...env, TACHO_MAX_MESSAGE_BYTES: "100000000" },
    });
    assert.match(retried.stdout, /^retried 3 messages: 1 admitted, 0 duplicates, 2 still held \(too_large 2\)/);
    assert.deepEqual((await held()).map(({ detail }) => detail), [zeros.detail, blank.detail]);
    assert.equal(await program.term(), 0);
    assert.match((await run_verb(["verify"], { env })).stdout, /^consistent: 5 events/);
  },
});
