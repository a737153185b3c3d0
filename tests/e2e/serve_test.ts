import assert from "node:assert/strict";
import { open_kafka_admin } from "../../src/ingest/kafka/mod.ts";
import { open_database } from "../../src/database/mod.ts";
import { tacho_test } from "../support/available.ts";
import { GuardedFolder } from "../support/guarded_folder.ts";
import { make_deployment } from "../support/deployment.ts";
import { give_embedded } from "../support/embedded.ts";
import { FrameReader } from "../support/feed_client.ts";
import { link_checkout } from "../support/checkout.ts";
import { options_of } from "../support/kafka_topic.ts";
import { start_kafka } from "../support/kafka.ts";
import { shared_postgres, start_postgres } from "../support/postgres.ts";
import {
  get_json,
  is_ready,
  type ProgramOptions,
  run_tacho,
  run_verb,
  TachoProgram,
  task_command,
} from "../support/tacho_program.ts";
import { until } from "../support/until.ts";

/** `serve` and its verbs on PostgreSQL and Kafka: what it makes, when it is ready, how it refuses and how it ends. */

async function readiness(url: string): Promise<{ status: number; text: string }> {
  const response = await fetch(`${url}readyz`);
  return { status: response.status, text: await response.text() };
}

tacho_test({
  name: "serve: makes the topic as configured, is ready on an empty topic, and again after a restart with nothing new",
  needs: ["postgres", "kafka"],
  async fn() {
    const env = { ...await make_deployment("serve"), TACHO_PARTITIONS: "3" };
    const ready = (url: string) =>
      until("the program is ready", async () => {
        const { status, text } = await readiness(url);
        if (status !== 200) throw new Error(text);
        return true;
      });
    {
      await using program = await TachoProgram.serve("start", { env });
      await ready(program.url);
      const admin = await open_kafka_admin(options_of(env.KAFKA_BROKERS, env.TACHO_TOPICS));
      const ends = await admin.watermarks([env.TACHO_TOPICS]).finally(() => admin.close());
      assert.deepEqual(ends.map(({ partition, high }) => [partition, high]).sort(), [[0, 0], [1, 0], [2, 0]]);
      assert.equal(await program.term("SIGTERM"), 0);
    }
    await run_verb(["produce", "--count", "200", "--history", "1h"], { env });
    {
      await using program = await TachoProgram.serve("start", { env });
      await ready(program.url);
      await until(
        "the messages are read",
        async () => /^tacho_log_position 200$/m.test(await metrics(program.url)),
      );
      assert.equal(await program.term("SIGINT"), 0);
    }
    await using program = await TachoProgram.serve("start", { env });
    await ready(program.url);
    assert.equal(await program.term(), 0);
  },
});

tacho_test({
  name: "serve: the first start with brokers that know neither topic nor group says what is made, and warns of nothing",
  needs: ["postgres", "kafka"],
  async fn() {
    await using kafka = await start_kafka();
    const env = await make_deployment("first", "UTC", undefined, kafka);
    await using program = await TachoProgram.serve("start", { env });
    await until("it is ready", () => is_ready(program.url), 60_000);
    await until("it says so", () => / info {2}Kafka source running /.test(program.stderr));
    assert.match(program.stderr, / info {2}topic created topic=\S+ partitions=4 replication=1\n/);
    // What takes a slow machine too long is another matter.
    const warned = program.stderr.split("\n").filter((line) => / (?:warn|error) /.test(line));
    assert.deepEqual(warned.filter((line) => !/timeout|timed out|not answered/.test(line)), []);
    assert.ok((program.stderr.match(/Kafka makes the topic or the consumer group ready/g) ?? []).length <= 1);
    assert.equal(await program.term(), 0);
  },
});

async function metrics(url: string): Promise<string> {
  return await (await fetch(`${url}metrics`)).text();
}

tacho_test({
  name:
    "serve: a wrong configuration ends it with code 2 and every fault at once, an unreachable broker does not end it",
  needs: ["postgres", "kafka"],
  async fn() {
    const wrong = await run_tacho(["serve"], {
      env: {
        DATABASE_URL: "mysql://secret@host/db",
        KAFKA_BROKERS: "nowhere",
        PORT: "99999",
        TACHO_TIME_ZONE: "Mars/Olympus",
        TACHO_GRUOP: "x",
      },
    });
    assert.equal(wrong.code, 2);
    assert.equal(wrong.stdout, "");
    for (const variable of ["DATABASE_URL", "KAFKA_BROKERS", "PORT", "TACHO_TIME_ZONE", "TACHO_GRUOP"]) {
      assert.match(wrong.stderr, new RegExp(`^ *${variable}: `, "m"));
    }
    assert.doesNotMatch(wrong.stderr, /secret/);

    assert.equal((await run_tacho(["serve", "--no-such-flag"])).code, 2);
    assert.equal((await run_tacho(["no-such-verb"])).code, 2);

    await using elsewhere = TachoProgram.spawn("dev", { env: { TACHO_DATA_DIR: "/nowhere/tacho" } });
    assert.equal(await elsewhere.ended, 2);
    assert.match(
      elsewhere.stderr,
      /write access to "\/nowhere\/tacho"[^]*for another TACHO_DATA_DIR run main.ts with your own/,
    );

    const env = await make_deployment("serve");
    const no_tls = await run_tacho(["migrate"], { env: { DATABASE_URL: `${env.DATABASE_URL}?sslmode=require` } });
    assert.deepEqual([no_tls.code, /does not support SSL/.test(no_tls.stderr)], [2, true], no_tls.stderr);

    await using program = await TachoProgram.serve("start", { env: { ...env, KAFKA_BROKERS: "127.0.0.1:1" } });
    const { status, text } = await readiness(program.url);
    assert.equal(status, 503);
    assert.match(text, /ingest/);
    const page = await fetch(program.url);
    assert.equal(page.status, 200);
    await page.body?.cancel();
    assert.equal(await program.term(), 0);
  },
});

const TRIP = {
  event_id: "e-1",
  type: "trip.completed",
  trip_id: "t-1",
  occurred_at: "2026-03-01T10:00:00Z",
  fare: "12.50",
};

/** `serve` in a folder: ready without brokers, its page says whence trips come, and what is posted is counted once. */
async function assert_serves_without_brokers(options: ProgramOptions, trips_before: number): Promise<void> {
  const TACHO_TOKEN = "0123456789abcdef";
  const authorization = `Bearer ${TACHO_TOKEN}`;
  await using program = await TachoProgram.serve("start", { ...options, env: { ...options.env, TACHO_TOKEN } });
  const { url } = program;
  await until("it is ready", () => is_ready(url));
  assert.match(program.stderr, /serving page=\S+ topics="none, as KAFKA_BROKERS is not set" fed_by="files and HTTP"/);
  assert.equal((await fetch(`${url}api/v1/trips`)).status, 401);
  const trips = async () => {
    const response = await fetch(`${url}api/v1/trips`, { headers: { authorization } });
    return ((await response.json()) as { trips: unknown[] }).trips.length;
  };
  assert.equal(await trips(), trips_before);
  for (const status of ["admitted", "duplicate"]) {
    const headers = { authorization, "content-type": "application/json" };
    const response = await fetch(`${url}api/v1/events`, { method: "POST", headers, body: JSON.stringify(TRIP) });
    assert.equal(response.status, 200);
    assert.deepEqual((await response.json()).results.map((result: { status: string }) => result.status), [status]);
  }
  assert.equal(await trips(), trips_before + 1);
  const feed = await fetch(`${url}api/v1/feed`, { headers: { authorization } });
  const reader = new FrameReader(feed.body!);
  const { data } = await reader.until("hello");
  await reader.cancel();
  const { ingest, lag } = data.health as { ingest: Record<string, unknown>; lag: number };
  assert.deepEqual([ingest.source, ingest.state, ingest.reason, lag], ["none", "running", null, 0]);
  const told = await (await fetch(`${url}metrics`, { headers: { authorization } })).text();
  assert.match(told, /^tacho_source_lag 0$/m);
  assert.equal(await program.term(), 0);
}

tacho_test({
  name: "serve without brokers: the page, the API and the intake over an embedded log that a file has fed",
  async fn() {
    const checkout = await link_checkout();
    await using _ = { [Symbol.asyncDispose]: () => checkout.dispose() };
    const folder = checkout.path;
    await give_embedded(`${folder}/.tacho`);
    Deno.writeTextFileSync(`${folder}/own.ndjson`, JSON.stringify({ ...TRIP, trip_id: "t-2" }));
    await run_verb(["replay", "--to", "log", "own.ndjson"], { folder });
    await assert_serves_without_brokers({ folder }, 1);
  },
});

tacho_test({
  name: "serve without brokers: a file is replayed into a server's log beside it",
  needs: ["postgres"],
  async fn() {
    const { url } = await (await shared_postgres()).create_database();
    const env = { DATABASE_URL: url };
    const checkout = await link_checkout();
    await using _ = { [Symbol.asyncDispose]: () => checkout.dispose() };
    Deno.writeTextFileSync(`${checkout.path}/own.ndjson`, JSON.stringify({ ...TRIP, trip_id: "t-2" }));
    {
      await using program = await TachoProgram.serve("start", { env });
      await run_verb(["replay", "--to", "log", "own.ndjson"], { env, folder: checkout.path });
      const { trips } = await get_json(`${program.url}api/v1/trips`) as { trips: unknown[] };
      assert.equal(trips.length, 1);
      assert.equal(await program.term(), 0);
    }
    await assert_serves_without_brokers({ env }, 1);
  },
});

tacho_test({
  name:
    "what the reader names is read wherever it lies: mappings, .pgpass and certificates; what cannot be read is named in a sentence",
  needs: ["postgres"],
  async fn() {
    const folder = new GuardedFolder("named");
    await using _ = { [Symbol.asyncDispose]: () => folder.dispose() };
    const file = (name: string, text: string, mode = 0o600): string => {
      Deno.writeTextFileSync(`${folder.path}/${name}`, text);
      Deno.chmodSync(`${folder.path}/${name}`, mode);
      return `${folder.path}/${name}`;
    };
    const hba = file(
      "hba.conf",
      "host all postgres 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 scram-sha-256\n",
      0o644,
    );
    await using server = await start_postgres({ fsync: false, settings: { hba_file: hba } });
    const { url } = await server.create_database();
    const superuser = await open_database({ url: server.superuser_url, data_dir: null, connections: 1 });
    await superuser.script("alter role tacho password 'only in the file'").finally(() => superuser.close());
    const passwords = file("passwords", `127.0.0.1:*:*:tacho:only in the file\n`);
    const mapping = file("own.json", (await run_verb(["mapping", "show", "ride_sharing"])).stdout);
    const env = { DATABASE_URL: url, PGPASSFILE: passwords };
    {
      await using program = await TachoProgram.serve("start", {
        env: { ...env, KAFKA_BROKERS: "127.0.0.1:1", TACHO_MAPPINGS: `trips=${mapping}` },
      });
      assert.equal(await program.term(), 0);
    }
    const certificate = file("ca.pem", "");
    const told = async (settings: Record<string, string>, sentence: RegExp) => {
      const { code, stderr } = await run_tacho(["verify"], { env: { ...env, ...settings } });
      assert.deepEqual([code, sentence.test(stderr)], [2, true], stderr);
    };
    const secure = (name: string) => ({ DATABASE_URL: `${url}?sslmode=verify-full&sslrootcert=${name}` });
    await told(secure(certificate), /The server does not support SSL connections/);
    await told(
      secure("/nowhere.pem"),
      /^tacho: use the database: a file that its URL names cannot be read: ENOENT.*\n$/,
    );
    // With fewer rights than the tasks have, the cause is named.
    const less = task_command("tacho").map((word) => word === "--allow-read" ? "--allow-read=." : word);
    const { code, stderr } = await run_tacho([], {
      command: [...less, "verify"],
      env: { ...env, ...secure(certificate) },
    });
    assert.equal(code, 2);
    assert.match(
      stderr,
      /^tacho: Requires read access to ".*ca\.pem".*\n {2}the tasks of deno\.json let the program read every file/,
    );
  },
});

tacho_test({
  name: "an older Deno is told in one sentence which it takes, before anything is loaded that it cannot read",
  async fn() {
    const folder = new GuardedFolder("older");
    await using _ = { [Symbol.asyncDispose]: () => folder.dispose() };
    const run = (version: string) => {
      const preload = `${folder.path}/${version}.ts`;
      Deno.writeTextFileSync(
        preload,
        `Object.defineProperty(Deno, "version", { value: { ...Deno.version, deno: "${version}" } });`,
      );
      return run_tacho([], {
        command: ["run", `--preload=${preload}`, ...task_command("tacho").slice(1), "--version"],
      });
    };
    for (const version of ["2.5.6", "2.8.3", "1.46.0"]) {
      const { code, stdout, stderr } = await run(version);
      assert.deepEqual([code, stdout], [2, ""]);
      const told = `tacho: needs Deno 2.9.0 or newer, this is ${version}; \`npx -y deno@2.9.0 task …\` runs it\n`;
      assert.equal(stderr, told);
    }
    for (const version of ["2.9.0", "2.10.0", "3.0.0-rc.1", Deno.version.deno]) {
      assert.equal((await run(version)).code, 0, version);
    }
    const readme = Deno.readTextFileSync(new URL("../../README.md", import.meta.url));
    assert.match(readme, /Deno 2\.9\.0 or newer/);
  },
});

tacho_test({
  name: "migrate: brings a database up to date once, however many ask at the same time",
  needs: ["postgres"],
  async fn() {
    const { url } = await (await shared_postgres()).create_database();
    const env = { DATABASE_URL: url };
    const all = await Promise.all([1, 2, 3].map(() => run_verb(["migrate"], { env })));
    assert.equal(all.filter(({ stderr }) => /migrated version=1 /.test(stderr)).length, 1);
    assert.match((await run_verb(["migrate"], { env })).stderr, /up to date/);
  },
});

tacho_test({
  name: "a database that cannot be worked with ends every verb at once with one sentence",
  needs: ["postgres"],
  async fn() {
    const { url, name, superuser_url } = await (await shared_postgres()).create_database();
    const superuser = await open_database({ url: superuser_url, data_dir: null, connections: 1 });
    const told = async (pattern: RegExp, DATABASE_URL = url) => {
      const { code, stderr } = await run_tacho(["verify"], { env: { DATABASE_URL } });
      assert.deepEqual([code, pattern.test(stderr)], [2, true], stderr);
    };
    try {
      await superuser.script("revoke all on schema public from public; alter schema public owner to postgres;");
      await told(/^tacho: (?:.*\n.*permission denied for schema public|use the database: none of the schemas.*)\n$/);
      await superuser.script("grant usage on schema public to tacho");
      await told(/^tacho: migrate: apply migration 1 .*\n {2}because: permission denied for schema public\n$/);
      await superuser.script(`alter database ${name} set session_replication_role = 'replica'`);
      await told(/^tacho: use the database: session_replication_role is "replica".*\n$/);
      await told(/^tacho: database "nowhere" does not exist\n$/, url.replace(name, "nowhere"));
    } finally {
      await superuser.close();
    }
  },
});
