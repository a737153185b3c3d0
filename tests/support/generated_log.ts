import assert from "node:assert/strict";
import { type Database, migrate, migrations_of, open_database } from "../../src/database/mod.ts";
import { type DeclaredDomain, model_tables } from "../../src/domains/mod.ts";
import { settle_deployment } from "../../src/event_log/mod.ts";
import type { SourceMessage, TopicMappings } from "../../src/ingest/mod.ts";
import { generator_of, run_prefix } from "../../src/verbs/generate.ts";
import { schema_of } from "../../src/verbs/domains.ts";
import { start_ingest } from "./ingest_harness.ts";
import { MemorySource } from "./memory_source.ts";
import type { Template } from "./postgres.ts";
import { message } from "./trip_pipeline.ts";

/** Logs of generated events, and all that stands in them, so that two can be held against each other. */

const TERMS = { time_zone: "UTC", currency: "USD" };
const START_US = Date.UTC(2026, 2, 2, 11) * 1_000;

/** What a domain invents in so many hours, of which a log that is made of it takes the first 24: late, repeated, broken and taken back ones among them. */
export function invented(domain: DeclaredDomain, hours: number, rate = 0.3): string[] {
  const generator = generator_of(domain);
  const terms = { seed: 11, rate, currency: "USD", start_us: START_US };
  const plan = generator.plan(terms, { corrections: 0.2, voids: 0.1, anomalies: true });
  const run = { time_zone: "UTC", prefix: run_prefix(generator, START_US / 1_000) };
  const mishaps = { late: 0.1, duplicates: 0.05, malformed: 0.03 };
  return generator.messages(plan, { ...run, ...mishaps }).take_due(START_US + hours * 3_600e6).map(({ value }) =>
    value
  );
}

/** Cuts the first positions of an empty log into small partitions; the last of them is as long as usual. */
export async function make_partitions(database: Database, positions: number, count = 20): Promise<void> {
  const bounds = [...Array.from({ length: count }, (_, i) => i * positions), 20_000_000];
  await database.script(`drop table events_p000000, events_p000001; ${
    bounds.slice(0, -1).map((from, i) => {
      const name = `events_p${String(i).padStart(6, "0")}`;
      return `create table ${name} partition of events for values from (${from}) to (${bounds[i + 1]});
        create trigger events_refuse_truncate before truncate on ${name} for each statement execute function refuse_change_of_the_log()`;
    }).join(";\n")
  }`);
}

/** Databases that are cloned from this one hold the empty log of a domain: `make_log` need not begin it there. All have the id of one log: none publishes, or reads from brokers. */
export const log_template = (declared: DeclaredDomain): Template => ({
  name: `begun_${declared.name}`,
  prepare: async (url) => await (await begin_log(url, declared)).database.close(),
});

/** The empty log of a domain, as the program settles it. */
async function begin_log(url: string, declared: DeclaredDomain) {
  const database = await open_database({ url, data_dir: null, connections: 3, schema: schema_of(declared) });
  await migrate(database, migrations_of(declared.name));
  const h3_resolution = schema_of(declared) === null ? null : "off";
  return { database, deployment: await settle_deployment(database, { ...TERMS, h3_resolution }) };
}

/** Makes the log of a domain, and takes messages in, so many a batch. Each batch has a time of recording of its own. */
export async function make_log(
  url: string,
  declared: DeclaredDomain,
  values: readonly string[],
  batch_messages: number,
  positions_of_partition?: number,
): Promise<Database> {
  const { database, deployment } = await begin_log(url, declared);
  if (positions_of_partition !== undefined) await make_partitions(database, positions_of_partition);
  await take_in(
    database,
    declared.make(deployment),
    declared.name,
    values.map((value, i) => message(i, value)),
    batch_messages,
  );
  return database;
}

/** Takes in what a topic holds by now. */
export async function take_in(
  database: Database,
  domain: ReturnType<DeclaredDomain["make"]>,
  topic: string,
  messages: readonly SourceMessage[],
  batch_messages: number,
  mappings?: TopicMappings,
): Promise<void> {
  let now_ms = START_US / 1_000 + 24 * 3_600_000;
  const running = start_ingest(database, new MemorySource(topic, [messages]), {
    domain,
    time_zone: "UTC",
    batch_messages,
    now_ms: () => now_ms += 7,
    ...mappings === undefined ? {} : { mappings },
  });
  try {
    await running.caught_up();
  } finally {
    await running.stop();
  }
}

/** All that a log holds of its events and all that is made of them: a hash of each table's rows, and of each batch with events what the chain hashes. */
export async function contents_of(database: Database, declared: DeclaredDomain): Promise<Record<string, unknown>> {
  const { board, tables: { states } } = declared.make(TERMS);
  const contents: Record<string, unknown> = {};
  for (const table of new Set(["events", states, ...model_tables(board)])) {
    const [row] = await database.query(
      `select count(*)::text as rows, md5(string_agg(t::text, e'\\n' order by t::text collate "C")) as hash from ${table} t`,
    );
    contents[table] = row;
  }
  contents.batches = await database.query(
    "select first_position, last_position, content_hash, watermark::text, recorded_at::text from batches where admitted > 0 order by batch",
  );
  contents.head = await database.query("select position, watermark::text, late from log_head");
  return contents;
}

/** Two logs hold the very same, beside what their batches say of messages that came to nothing. */
export async function assert_same_log(a: Database, b: Database, declared: DeclaredDomain): Promise<void> {
  const [of_a, of_b] = [await contents_of(a, declared), await contents_of(b, declared)];
  assert.ok((of_a.batches as unknown[]).length > 3);
  assert.deepEqual(of_b, of_a);
}
