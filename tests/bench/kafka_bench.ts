import { bench_stream } from "../support/bench_stream.ts";
import { type Database, open_database } from "../../src/database/mod.ts";
import { open_kafka_admin, open_kafka_producer, type OutgoingMessage } from "../../src/ingest/kafka/mod.ts";
import { start_kafka, unique_name } from "../support/kafka.ts";
import { options_of } from "../support/kafka_topic.ts";
import { start_postgres } from "../support/postgres.ts";
import { shell } from "../support/shell.ts";
import { type ServingProgram, TachoProgram } from "../support/tacho_program.ts";
import { until } from "../support/until.ts";
import { postmaster_of, processor, resident, used_between } from "./measures.ts";

/**
 * Measures how fast `serve` works off a backlog that lies in a real broker, as operators run it, from the moment that messages are read until the last
 * one is committed: the messages of `deno task bench`, by key in partitions.
 * Beside the clock: COPY of the same event rows in the same run, processor time an event, and the resident memory of the program, its peak, and
 * after ten quiet seconds.
 * Arguments: the number of messages (default 1,000,000; a topic of one partition gets a third), and --runs=1x1,1x4,2x4, instances by partitions.
 * The last line is one line of JSON.
 */

const MESSAGES = Number(Deno.args.find((arg) => /^\d+$/.test(arg)) ?? 1_000_000);
const RUNS = (Deno.args.find((arg) => arg.startsWith("--runs="))?.slice(7) ?? "1x1,1x4,2x4").split(",")
  .map((run) => run.split("x").map(Number) as [number, number]);
const START_US = Date.UTC(2026, 2, 1, 6) * 1_000;
const COPIED_ROWS = 200_000;
const QUIET_MS = 10_000;

const say = (line: string): void => console.error(line);

/** Puts the backlog on a topic. */
async function fill(brokers: string, topic: string, partitions: number, messages: number): Promise<void> {
  const options = options_of(brokers, topic, { partitions });
  const admin = await open_kafka_admin(options);
  await admin.ensure_topic(topic, options).finally(() => admin.close());
  const producer = await open_kafka_producer(options);
  let batch: OutgoingMessage[] = [];
  for (
    const { key, value } of bench_stream({ trips: messages / 2, seed: 1, start_us: START_US, trips_per_second: 20 })
  ) {
    batch.push({ key, value });
    if (batch.length < 2_000) continue;
    await producer.send(topic, batch);
    batch = [];
  }
  await producer.send(topic, batch);
  await producer.close();
}

/** Rows a second of a COPY of event rows into a table like theirs. */
async function copied_per_s(database: Database, url: string): Promise<number> {
  const of = `(select * from events where position <= ${COPIED_ROWS})`;
  const text = await shell("read the rows", `psql -XqAtc "copy ${of} to stdout" "$1"`, url);
  const columns = await database.query<{ name: string }>(
    "select column_name as name from information_schema.columns where table_name = 'events' and table_schema = 'public' order by ordinal_position",
  );
  await database.script(
    `create table copied (like events including all) partition by range (position);
     create table copied_p0 partition of copied for values from (0) to (10000000)`,
  );
  const from_ms = performance.now();
  const names = columns.map(({ name }) => name);
  const rows = await database.transaction((tx) => tx.copy("copied", names, `${text}\n`));
  return rows / (performance.now() - from_ms) * 1_000;
}

/** When a program began to read, milliseconds since the epoch: what it says itself. */
const reading_since = (program: TachoProgram): number =>
  Date.parse(/Kafka source running since=(\S+)/.exec(program.stderr)?.[1] ?? "");

await using kafka = await start_kafka();
await using postgres = await start_postgres();
const postmaster = postmaster_of(postgres.data);
const topics = new Map<number, { readonly topic: string; readonly messages: number }>();
const figures: Record<string, unknown>[] = [];
for (const [instances, partitions] of RUNS) {
  let filled = topics.get(partitions);
  if (filled === undefined) {
    const messages = partitions === 1 ? Math.round(MESSAGES / 6) * 2 : MESSAGES;
    filled = { topic: unique_name("backlog"), messages };
    await fill(kafka.brokers, filled.topic, partitions, messages);
    topics.set(partitions, filled);
  }
  const { topic, messages } = filled;
  const { url } = await postgres.create_database();
  const database = await open_database({ url, data_dir: null, connections: 1 });
  const programs: ServingProgram[] = [];
  try {
    const used_before = await processor(postmaster);
    const env = {
      DATABASE_URL: url,
      KAFKA_BROKERS: kafka.brokers,
      TACHO_TOPICS: topic,
      TACHO_GROUP: unique_name("group"),
    };
    // The first one has migrated by the time that its page can be opened.
    for (let i = 0; i < instances; i++) programs.push(await TachoProgram.serve("start", { env }));
    await until("all is committed", async () => {
      const ended = programs.find(({ running }) => !running);
      if (ended !== undefined) throw new Error(`an instance ended\n${ended.output.slice(-2_000)}`);
      const [head] = await database.query<{ position: string }>("select position from log_head");
      return Number(head!.position) >= messages;
    }, 1_200_000);
    const to_ms = Date.now();
    const pids = programs.map(({ pid }) => pid);
    const used = used_between(used_before, await processor(postmaster, ...pids));
    const from_ms = Math.min(...programs.map(reading_since));
    const per_s = messages / (to_ms - from_ms) * 1_000;
    await new Promise((resume) => setTimeout(resume, QUIET_MS));
    const memory = await Promise.all(pids.map(resident));
    const [read] = await database.query<{ late: string; batches: string }>(
      "select late, (select count(*) from batches) as batches from log_head",
    );
    for (const program of programs) await program.term();
    const copied = await copied_per_s(database, url);
    const us = (seconds: number) => Number((seconds * 1e6 / messages).toFixed(1));
    const found = {
      instances,
      partitions,
      messages,
      events_per_s: Math.round(per_s),
      copy_rows_per_s: Math.round(copied),
      per_copy: Number((per_s / copied).toFixed(3)),
      cpu_us_per_event: {
        program_main: us(used.program_main),
        program_other: us(used.program_other),
        postgres: us(used.postgres),
      },
      peak_mib: Math.max(...memory.map(({ peak }) => peak)),
      quiet_mib: Math.max(...memory.map(({ now }) => now)),
      batches: Number(read!.batches),
      late: Number(read!.late),
    };
    say(JSON.stringify(found));
    figures.push(found);
  } finally {
    for (const program of programs) await program[Symbol.asyncDispose]();
    await database.close();
  }
}
console.log(JSON.stringify(figures));
