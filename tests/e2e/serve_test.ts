import assert from "node:assert/strict";
import { open_kafka_admin } from "../../src/ingest/kafka/mod.ts";
import { open_database } from "../../src/database/mod.ts";
import { tacho_test } from "../support/available.ts";
import { make_deployment } from "../support/deployment.ts";
import { options_of } from "../support/kafka_topic.ts";
import { shared_postgres } from "../support/postgres.ts";
import { run_tacho, run_verb, TachoProgram } from "../support/tacho_program.ts";
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

    const no_broker = await run_tacho(["serve"], { env: { DATABASE_URL: "postgres://127.0.0.1:1/x" } });
    assert.equal(no_broker.code, 2);
    assert.match(no_broker.stderr, /KAFKA_BROKERS is not set/);
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
