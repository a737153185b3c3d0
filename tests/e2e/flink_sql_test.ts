import { deepEqual, equal, match, notDeepEqual } from "node:assert/strict";
import { is_held_by_others, open_database } from "../../src/database/mod.ts";
import { read_head } from "../../src/event_log/mod.ts";
import { job_prefix } from "../../src/flink/mod.ts";
import { begin_flink_model, find_door, LIVE, switch_flink_model } from "../../src/projection/mod.ts";
import { DOMAINS } from "../../src/verbs/domains.ts";
import { tacho_test } from "../support/available.ts";
import { FrameReader } from "../support/feed_client.ts";
import { copy_as_flink, RANGE, upsert_as_flink } from "../support/flink_tables.ts";
import { invented, make_log } from "../support/generated_log.ts";
import { shared_postgres } from "../support/postgres.ts";
import { get_json, run_tacho, run_verb, TachoProgram } from "../support/tacho_program.ts";
import { until } from "../support/until.ts";

tacho_test({
  name: "flink sql writes a domain's job out of the database's deployment, and says what it refuses",
  needs: ["postgres"],
  async fn() {
    const prepared = async (settings: Readonly<Record<string, string>>) => {
      const { url } = await (await shared_postgres()).create_database();
      const env = { DATABASE_URL: url, KAFKA_BROKERS: "kafka:9092", TACHO_READ_MODEL: "flink", ...settings };
      await run_verb(["migrate"], { env });
      return env;
    };
    const env = await prepared({ TACHO_TIME_ZONE: "Asia/Tokyo", TACHO_TOPICS: "a,b" });
    const job = await run_tacho(
      ["flink", "sql", "--database", "postgres://flink:a%20b@db:5433/t", "--quarantine", "aside"],
      { env },
    );
    equal(job.code, 0, job.stderr);
    const left_out = /nothing is counted by pickup_h3: SQL cannot make H3 cells/;
    match(job.stderr, left_out);
    match(job.stdout, left_out);
    match(job.stdout, /^(-- .*\n)+\nSET 'pipeline.name' = 'tacho trips';/);
    match(job.stdout, /'table.local-time-zone' = 'Asia\/Tokyo'/);
    match(job.stdout, /'topic' = 'a;b'[\s\S]*'topic' = 'aside'/);
    match(
      job.stdout,
      /'url' = 'jdbc:postgresql:\/\/db:5433\/t\?[^']*',\n {2}'table-name' = 'trip_cells',\n {2}'username' = 'flink',\n {2}'password' = 'a b'/,
    );
    match(job.stdout, /END;\n?$/);

    const refused = async (of: Readonly<Record<string, string>>, code: number, why: RegExp) => {
      const { stderr, stdout, code: got } = await run_tacho(["flink", "sql"], { env: of });
      deepEqual([got, stdout], [code, ""], stderr);
      match(stderr, why);
    };
    // What a configuration says of cells is none of a job's business: a database that began with them has none, either.
    const cells = await prepared({ TACHO_H3_RESOLUTION: "9", TACHO_TIME_ZONE: "Asia/Tokyo", TACHO_TOPICS: "a,b" });
    const own = await open_database({ url: cells.DATABASE_URL, data_dir: null, connections: 1 });
    try {
      for (const written of [null, 8]) {
        deepEqual(await own.query("select h3_resolution from log_head"), [{ h3_resolution: written }]);
        const places = ["--database", "postgres://flink:a%20b@db:5433/t", "--quarantine", "aside"];
        equal((await run_verb(["flink", "sql", ...places], { env: cells })).stdout, job.stdout);
        await own.script(
          `alter table log_head disable trigger log_head_keeps_its_deployment; update log_head set h3_resolution = 8;
          alter table log_head enable trigger log_head_keeps_its_deployment`,
        );
      }
    } finally {
      await own.close();
    }
    await refused({ ...env, TACHO_MAPPINGS: "a=taxis" }, 2, /got a, whose records a mapping reads/);
    const { url } = await (await shared_postgres()).create_database();
    const log = { DATABASE_URL: url, KAFKA_BROKERS: "kafka:9092" };
    await run_verb(["migrate"], { env: log });
    await refused(log, 2, /no Flink job writes this database/);
    const { KAFKA_BROKERS: _, ...without } = env;
    await refused(without, 2, /KAFKA_BROKERS: expected brokers/);
  },
});

/** What a board counts in its cards, its columns and its breakdowns: of one read model all of them. Percentiles may come later. */
function sums({ cards, series, breakdowns }: Record<string, unknown>) {
  const { completed, revenue } = cards as Record<string, unknown>;
  const by_bucket = (series as { completed: number[] }).completed;
  const [{ rows }] = breakdowns as [{ rows: unknown[] }];
  return { completed, revenue, in_columns: by_bucket.reduce((sum, each) => sum + each, 0), rows };
}

/** A JobManager that knows these jobs. */
async function with_jobs(work: (url: string, jobs: Record<string, string>[]) => Promise<void>): Promise<void> {
  const jobs: Record<string, string>[] = [];
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, () => Response.json({ jobs }));
  await work(`http://127.0.0.1:${server.addr.port}`, jobs).finally(() => server.shutdown());
}

tacho_test({
  name:
    "flink switch and its rollback wait for a job that is behind, or say by how much; who is served meanwhile sees all of one or all of the other",
  needs: ["postgres"],
  fn: () =>
    with_jobs(async (manager, jobs) => {
      const [TRIPS] = DOMAINS, postgres = await shared_postgres();
      const { url } = await postgres.create_database();
      const env = { DATABASE_URL: url, TACHO_READ_MODEL: "flink", TACHO_FLINK_JOBMANAGER: manager };
      await run_verb(["migrate"], { env });
      const database = await open_database({ url, data_dir: null, connections: 2 });
      const domain = TRIPS.make({ currency: "USD" }), { states, cells, totals } = domain.tables;
      const read_to = (table: string, offset: number, topic = "trips") =>
        upsert_as_flink(database, table, JSON.stringify([{ topic, partition: 0, next_offset: offset }]));
      try {
        await begin_flink_model({ database, domain }, "v2");
        // Two read models of the same topics, of other messages.
        for (const [into, hours] of [["", 1], ["_v2", 2]] as const) {
          const log = await make_log((await postgres.create_database()).url, TRIPS, invented(TRIPS, hours), 1_000);
          for (const table of [states, cells, totals!]) await copy_as_flink(log, database, table, `${table}${into}`);
          await log.close();
        }
        await read_to("flink_progress", 100);
        await read_to("flink_progress_v2", 60);
        const behind = async (rollback: string[], code: number, why: RegExp) => {
          const { code: got, stderr } = await run_tacho(["flink", "switch", "--as", "v2", ...rollback], { env });
          deepEqual([got, why.test(stderr)], [code, true], stderr);
        };
        await behind(
          [],
          1,
          /v2 is 40 messages behind what is live, and the JobManager knows no job of it; `tacho flink submit --as v2`/,
        );

        await using serving = await TachoProgram.serve("start", { env });
        const board = async () =>
          sums(await get_json(`${serving.url}api/v1/board?${RANGE}`) as Record<string, unknown>);
        const reader = new FrameReader((await fetch(`${serving.url}api/v1/feed?${RANGE}`)).body!);
        const hello = async () => sums((await reader.until("hello")).data);
        const one = await board();
        deepEqual(await hello(), one);
        const seen: unknown[] = [], looking = new AbortController();
        const looks = (async () => {
          while (!looking.signal.aborted) seen.push(await board());
        })();

        // Both ways it waits until the other job has read as much, however long that takes.
        const { number } = (await find_door(database, "v2"))!, { log_id } = await read_head(database);
        const { number: live } = (await find_door(database, LIVE))!;
        const job = (door: number) => ({
          jid: "0".repeat(32),
          name: `${job_prefix("trips", log_id)}abcd1234 ${door}`,
          state: "RUNNING",
        });
        const waits = async (rollback: string[], door: number, catch_up: () => Promise<void>) => {
          jobs.splice(0, jobs.length, job(door));
          await using program = TachoProgram.spawn("tacho", {
            env,
            args: ["flink", "switch", "--as", "v2", ...rollback],
          });
          await until(
            "it waits",
            () => /v2 is \d+ messages behind what is live; it is waited for/.test(program.stderr),
          );
          deepEqual(await board(), rollback.length === 0 ? one : other);
          await catch_up();
          equal(await program.ended, 0, program.stderr);
        };
        let other: Awaited<ReturnType<typeof board>> | null = null;
        await waits([], number, () => read_to("flink_progress_v2", 100));
        other = await board();
        notDeepEqual(other, one);
        deepEqual(await hello(), other);
        // A topic that only what is live reads is nothing that the other one could wait for.
        await read_to("flink_progress", 130);
        await read_to("flink_progress", 10, "more");
        jobs.splice(0, jobs.length, { ...job(live), state: "FAILED" });
        await behind(
          ["--rollback"],
          1,
          /v2 is 30 messages behind what is live, and its job 0{32} is FAILED; `tacho flink submit --as v2`/,
        );
        deepEqual(await board(), other);
        await waits(["--rollback"], live, () => read_to("flink_progress_v2", 130));
        deepEqual(await hello(), one);
        for (let exchanged = 0; exchanged < 20;) {
          try {
            await switch_flink_model({ database, domain }, "v2");
            exchanged++;
          } catch (error) {
            if (!is_held_by_others(error)) throw error;
          }
        }
        looking.abort();
        await looks;
        const [mine, theirs] = [one, other].map((each) => JSON.stringify(each));
        const told = new Set(seen.map((each) => JSON.stringify(each)));
        deepEqual(told, new Set([mine, theirs]), "no board was of both");
        await reader.cancel();
      } finally {
        await database.close();
      }
    }),
});
