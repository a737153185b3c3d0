import assert from "node:assert/strict";
import { type Database, open_database } from "../../src/database/mod.ts";
import { ProgressLine } from "../../src/verbs/shell.ts";
import { ALL_CELLS } from "../support/all_cells.ts";
import { make_deployment, oracle_options } from "../support/deployment.ts";
import { compare_with_database, start_oracle } from "../support/oracle/mod.ts";
import { stream_topic } from "../support/read_topic.ts";
import { get_json, run_verb, TachoProgram } from "../support/tacho_program.ts";
import { until } from "../support/until.ts";
import { make_fuzzed_topic, send_fuzzed } from "./fuzzed_topic.ts";
import { message_stream } from "./message_stream.ts";
import { type Memory, ProgramWatch } from "./program_watch.ts";

/** What a run is to be. */
export interface FuzzOptions {
  readonly messages: number;
  readonly seed: number;
  /** Messages of one transaction at most. */
  readonly batch_messages: number;
  /** The program may never have more in memory. */
  readonly most_mib: number;
}

/** What a run came to. */
export interface FuzzReport {
  readonly messages: number;
  readonly seed: number;
  readonly admitted: number;
  readonly duplicates: number;
  readonly quarantined: number;
  readonly batches: number;
  readonly trips: number;
  readonly cells: number;
  /** Messages in quarantine by "stage reason", most first. */
  readonly reasons: Readonly<Record<string, number>>;
  readonly memory: Memory;
  /** How many looks at the program, one with each sample of its memory, found ingest paused. */
  readonly paused: number;
  /** From the first message sent to the last one read. */
  readonly seconds: number;
  /** What `tacho verify` said. */
  readonly verified: string;
}

/**
 * Sends fuzzed messages through the real broker to the real program and its real database, watches the program meanwhile, and compares
 * in the end all that the topic holds with all that the database holds. Throws at the first thing that is not as it must be.
 */
export async function run_fuzz({ messages, seed, batch_messages, most_mib }: FuzzOptions): Promise<FuzzReport> {
  const deployment = await make_deployment("fuzz", "America/New_York");
  const env = {
    ...deployment,
    TACHO_BATCH_MESSAGES: String(batch_messages),
    TACHO_QUARANTINE_PER_MINUTE: "100000000",
  };
  const judged_by = oracle_options(deployment);
  await make_fuzzed_topic(deployment);
  await run_verb(["migrate"], { env });
  const database = await open_database({ url: env.DATABASE_URL, data_dir: null, connections: 2 });
  try {
    await using program = await TachoProgram.serve("start", { env });
    await until("it is ready", async () => (await get_json(`${program.url}readyz`)) !== null, 60_000);
    const started_ms = performance.now();
    await using watch = new ProgramWatch(program, () => read_count(database), 120_000);
    const sending = with_progress(
      "sent",
      messages,
      (add) => send_fuzzed(deployment, message_stream(messages, seed, judged_by.max_message_bytes), judged_by, add),
    );
    const reading = with_progress("read", messages, (add) => wait_until_read(database, messages, add));
    await watch.during(Promise.all([sending, reading]));
    const seconds = Math.round((performance.now() - started_ms) / 100) / 10;
    const memory = watch.memory();
    assert.ok(memory.peak_mib <= most_mib, `the program took ${memory.peak_mib} MiB, ${most_mib} are allowed`);
    await watch[Symbol.asyncDispose]();
    assert.equal(await program.term(), 0, "it ends as it should");
    assert.doesNotMatch(program.stderr, /^\S+ (?:error|warn +begin anew)/m, "it met nothing unforeseen");

    const verified = (await run_verb(["verify"], { env })).stdout.trim();
    assert.match(verified, /^consistent: /);
    const oracle = start_oracle(judged_by);
    await with_progress("judged", messages, (add) =>
      stream_topic(env.KAFKA_BROKERS, env.TACHO_TOPICS, (message) => {
        oracle.take(message);
        add(1);
      }));
    const expectation = oracle.conclude();
    assert.equal(expectation.messages_read, messages, "the topic holds what was sent");
    assert.deepEqual(await compare_with_database((sql) => database.query(sql), expectation), []);
    return { messages, seed, ...await figures_of(database), memory, paused: watch.paused, seconds, verified };
  } finally {
    await database.close();
  }
}

async function with_progress(
  name: string,
  total: number,
  work: (add: (messages: number) => void) => Promise<void>,
): Promise<void> {
  const progress = new ProgressLine(name, total, () => performance.now());
  await work((messages) => progress.add(messages)).finally(() => progress.end());
}

async function read_count(database: Database): Promise<number> {
  const [row] = await database.query("select messages_read from log_head");
  return Number(row?.messages_read);
}

/** Waits as long as the watch lets it. */
async function wait_until_read(database: Database, messages: number, add: (messages: number) => void): Promise<void> {
  let before = 0;
  await until(`all ${messages} messages are read`, async () => {
    const read = await read_count(database);
    add(read - before);
    before = read;
    return read >= messages;
  }, 86_400_000);
}

/** The counts that the log keeps, which were found to be true. */
async function figures_of(database: Database) {
  const [head] = await database.query(
    `select messages_read, position as admitted, duplicates, quarantined, tombstones, batch as batches,
      (select count(*) from trips) as trips, (select count(*) from ${ALL_CELLS} c) as cells from log_head`,
  );
  const count = (name: string) => Number(head?.[name]);
  const reasons = await database.query(
    "select stage || ' ' || reason as why, count(*)::int as messages from quarantine group by 1 order by 2 desc, 1",
  );
  assert.equal(
    count("messages_read"),
    count("admitted") + count("duplicates") + count("quarantined") + count("tombstones"),
  );
  return {
    admitted: count("admitted"),
    duplicates: count("duplicates"),
    quarantined: count("quarantined"),
    batches: count("batches"),
    trips: count("trips"),
    cells: count("cells"),
    reasons: Object.fromEntries(reasons.map(({ why, messages }) => [String(why), Number(messages)])),
  };
}
