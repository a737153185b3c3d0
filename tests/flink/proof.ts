import { deepEqual } from "node:assert/strict";
import { type Database, migrate, migrations_of, open_database, text_array } from "../../src/database/mod.ts";
import type { DeclaredDomain, Domain } from "../../src/domains/mod.ts";
import { Random } from "../../src/domains/generator/mod.ts";
import { DEFAULT_H3_RESOLUTION, settle_deployment } from "../../src/event_log/mod.ts";
import { flink_sql } from "../../src/flink/mod.ts";
import { Cursors, Pipeline } from "../../src/ingest/mod.ts";
import { open_kafka_admin } from "../../src/ingest/kafka/mod.ts";
import { schema_of } from "../../src/verbs/domains.ts";
import { column_measures, date_column, days_in, is_dated } from "../../src/kpi/mod.ts";
import { LoadStream, type Messages, type Sent } from "../chaos/load.ts";
import type { FlinkCluster } from "../support/flink.ts";
import { type KafkaServer, unique_name } from "../support/kafka.ts";
import { options_of } from "../support/kafka_topic.ts";
import type { Postgres, PostgresServer } from "../support/postgres.ts";
import { feed } from "../support/trip_pipeline.ts";
import { is_file } from "../support/program.ts";
import { type PlacedMessage, send_placed } from "../support/topic_writer.ts";
import { until } from "../support/until.ts";

/**
 * The compiled job on a real cluster, held against tacho itself: the same messages, with every oddity of the chaos tests, through both, while
 * processes of Flink are killed, PostgreSQL and Kafka stopped; then every row of what they keep is compared.
 */

/** What is hit while the job works. */
export type Disturbance =
  | "kill -9 of the TaskManager"
  | "kill -9 of the JobManager"
  | "PostgreSQL is stopped and started"
  | "Kafka is stopped and started";

/** What is proved, and how hard. */
export interface Proof {
  readonly declared: DeclaredDomain;
  readonly messages: (seed: number) => Messages;
  readonly seed: number;
  readonly events: number;
  /** One after the other, each after another part of the messages. */
  readonly disturbances: readonly Disturbance[];
  /** With how many subtasks the job begins; after each kill of the JobManager with the other number. */
  readonly parallelism: 1 | 2;
  /** Further messages, sent after the others. */
  readonly hostile?: readonly Sent[];
  readonly say: (line: string) => void;
}

/** What it runs on. Who else uses the cluster or the broker has jobs and topics of other names. */
export interface ProofServers {
  readonly flink: FlinkCluster;
  readonly brokers: string;
  /** One of its own where PostgreSQL is stopped. */
  readonly postgres: Postgres | PostgresServer;
  /** The broker, one of its own, where Kafka is stopped. */
  readonly kafka?: KafkaServer;
}

/** What came of it. */
export interface Proved {
  readonly messages: number;
  readonly states: number;
  readonly cells: number;
  readonly totals: number;
  readonly quarantined: number;
  readonly built_in_per_s: number;
  readonly flink_per_s: number | null;
  readonly state_bytes_an_event: number;
  /** Of each kind of disturbance, how many seconds it was each time until the job had read of what was sent after it. */
  readonly went_on_s: Readonly<Partial<Record<Disturbance, readonly number[]>>>;
}

const PARTITIONS = 2;
const LIMITS = { future_limit_ms: 3_600_000, max_message_bytes: 1_048_576 };
export const TIME_ZONE = "Europe/Berlin";
const encoder = new TextEncoder();

/**
 * Runs the proof; throws where anything differs. Tacho has its default settings: what of them cannot be said in SQL (H3 cells) is in its tables
 * alone, and is not compared.
 */
export async function prove_flink(proof: Proof, servers: ProofServers): Promise<Proved> {
  const { flink, brokers, postgres } = servers;
  const { declared, seed, events, disturbances, say } = proof;
  await using opened = new AsyncDisposableStack();
  const stream = new LoadStream(seed, proof.messages(seed));
  const load = { messages: events, duplicates: 0.03, reordered: 0.2, late: 0.03, malformed: 0.02 };
  const sent = [...stream.take(0, load), ...proof.hostile ?? []].map((each) => stream.place(each, PARTITIONS));
  const topic = unique_name("flink_proof"), quarantine_topic = `${topic}.quarantine`;
  const admin = await open_kafka_admin(options_of(brokers, topic));
  for (const each of [topic, quarantine_topic]) {
    await admin.ensure_topic(each, { partitions: PARTITIONS, replication: 1 });
  }
  await admin.close();

  const own_domain = declared.make({ currency: "USD", h3_resolution: DEFAULT_H3_RESOLUTION });
  const domain = declared.make({ currency: "USD" });
  const own = await open_database_of(postgres, own_domain, opened),
    theirs = await open_database_of(postgres, domain, opened);
  const { states, cells, totals } = domain.tables;
  await theirs.database.query("select give_to_flink($1, $2::text[]::name[])", [
    states,
    text_array([cells, ...totals === null ? [] : [totals]]),
  ]);
  const began = performance.now();
  await feed_own(own.database, own_domain, topic, sent);
  const built_in_per_s = sent.length / ((performance.now() - began) / 1_000);
  say(`built-in: ${sent.length} messages, ${Math.round(built_in_per_s)} a second`);

  const { host } = new URL(theirs.url);
  const statements = flink_sql(domain, {
    ...LIMITS,
    ...{ brokers, topics: [topic], group: topic, quarantine_topic },
    database: { host, name: theirs.name, user: "tacho", password: "" },
    schema: schema_of(domain),
    time_zone: TIME_ZONE,
  });
  const job = new Job(flink, statements, proof.parallelism);
  await job.submit();
  say("submitted");
  opened.defer(() => job.cancel());
  const pieces = disturbances.length + 1, edge = (piece: number) => Math.floor(sent.length * piece / pieces);
  const started = performance.now(), random = new Random(seed, 6);
  const went_on_s: Partial<Record<Disturbance, number[]>> = {};
  let hit: { readonly kind: Disturbance; readonly at_ms: number } | null = null;
  for (let piece = 0; piece < pieces; piece++) {
    await send_placed(brokers, topic, sent.slice(edge(piece), edge(piece + 1)));
    if (hit !== null) {
      await job.wait_for_offset(theirs.database, edge(piece) + 1);
      const took_s = Math.round((performance.now() - hit.at_ms) / 100) / 10;
      (went_on_s[hit.kind] ??= []).push(took_s);
      say(`  it went on after ${took_s} s`);
    }
    const kind = disturbances[piece];
    if (kind === undefined) continue;
    // It is hit while it works on what was just sent.
    await job.wait_for_offset(theirs.database, edge(piece + random.between(0.1, 0.7)));
    say(`${piece + 1} of ${disturbances.length}: ${kind}`);
    hit = { kind, at_ms: performance.now() };
    await disturb(kind, job, servers);
  }
  await job.wait_for_offset(theirs.database, sent.length);
  say("read");
  await job.wait_until_written();
  say("written");
  const seconds = (performance.now() - started) / 1_000;
  const counts = await compare([own_domain, domain], own.database, theirs.database);
  const quarantined = await own.database.query<{ held: number }>("select count(*)::int as held from quarantine");
  return {
    messages: sent.length,
    ...counts,
    quarantined: quarantined[0]!.held,
    built_in_per_s: Math.round(built_in_per_s),
    flink_per_s: disturbances.length === 0 ? Math.round(sent.length / seconds) : null,
    state_bytes_an_event: Math.round(await job.state_bytes() / sent.length),
    went_on_s,
  };
}

async function disturb(kind: Disturbance, job: Job, { postgres, kafka }: ProofServers): Promise<void> {
  switch (kind) {
    case "kill -9 of the TaskManager":
      return await job.flink.kill_task_manager();
    case "kill -9 of the JobManager": {
      await job.checkpointed();
      await job.flink.kill_job_manager();
      return await job.submit(job.newest_kept());
    }
    case "PostgreSQL is stopped and started":
      if (!("restart" in postgres)) {
        throw new Error("disturb PostgreSQL: expected one of its own, got that of the whole run");
      }
      return await postgres.restart();
    case "Kafka is stopped and started":
      if (kafka === undefined) {
        throw new Error("disturb Kafka: expected a broker of its own, got that of the whole run");
      }
      return await kafka.restart();
  }
}

/** A job that is submitted anew where its JobManager forgot it. */
class Job {
  #id = "";
  #parallelism: number;

  constructor(readonly flink: FlinkCluster, readonly statements: readonly string[], parallelism: 1 | 2) {
    this.#parallelism = parallelism;
  }

  async submit(checkpoint: string | null = null): Promise<void> {
    const from = checkpoint === null ? [] : [`SET 'execution.state-recovery.path' = '${checkpoint}'`];
    const settings = [`SET 'parallelism.default' = '${this.#parallelism}'`, ...from];
    const jobs = await this.flink.execute([...settings, ...this.statements]);
    this.#parallelism = 3 - this.#parallelism;
    deepEqual(jobs.length, 1);
    this.#id = jobs[0]!;
  }

  #checkpoints(): Promise<Checkpoints> {
    return this.flink.ask(`/jobs/${this.#id}/checkpoints`) as Promise<unknown> as Promise<Checkpoints>;
  }

  /** Waits until there is a checkpoint to go on from. */
  checkpointed(): Promise<unknown> {
    return until("a checkpoint is complete", async () => (await this.#checkpoints()).latest.completed, 240_000);
  }

  /** The newest checkpoint that is kept, as a URL: asked for before a kill it might be gone after it. */
  newest_kept(): string {
    const folder = `${this.flink.checkpoints}/${this.#id}`, path = folder.slice("file://".length);
    const numbers = [...Deno.readDirSync(path)].map(({ name }) => name).filter((name) =>
      name.startsWith("chk-") && is_file(`${path}/${name}/_metadata`)
    ).map((name) => Number(name.slice("chk-".length)));
    return `${folder}/chk-${Math.max(...numbers)}`;
  }

  async state_bytes(): Promise<number> {
    return (await this.#checkpoints()).latest.completed!.state_size;
  }

  /** Waits until the job has read so many messages, of all partitions; a TaskManager that ended by itself is started anew. */
  async wait_for_offset(database: Database, least: number): Promise<void> {
    for (let read = -1; read < least;) {
      const found = await until(
        `Flink, which has read ${Math.max(read, 0)} of ${least} messages, goes on`,
        async () => {
          this.flink.revive();
          const [row] = await database.query<{ messages: number }>(
            "select coalesce(sum(next_offset), 0)::int as messages from flink_progress",
          );
          return row!.messages === read ? null : row!;
        },
        240_000,
      );
      read = found.messages;
    }
  }

  /** Waits for a checkpoint that begins now: what was read before has been written then. */
  async wait_until_written(): Promise<void> {
    const path = `/jobs/${this.#id}/checkpoints`;
    let request: unknown;
    await until("what was read is written", async () => {
      this.flink.revive();
      request ??= (await this.flink.ask(path, { checkpointType: "CONFIGURED" }))["request-id"];
      const { status, operation } = await this.flink.ask(`${path}/${request}`) as unknown as Triggered;
      if (status?.id === "IN_PROGRESS") return false;
      // One that was cut short by a failure of the job is asked for anew.
      request = undefined;
      return status?.id === "COMPLETED" && operation?.["failure-cause"] === undefined;
    }, 240_000);
  }

  /** Ends it, whatever state it is in. */
  async cancel(): Promise<void> {
    await this.flink.cancel(this.#id);
  }
}

/** What is told of a checkpoint that was asked for. */
interface Triggered {
  readonly status?: { readonly id: string };
  readonly operation?: { readonly "failure-cause"?: unknown };
}

interface Checkpoints {
  readonly latest: {
    readonly completed: { readonly id: number; readonly state_size: number } | null;
  };
}

/** A database of a domain with its tables, empty. */
async function open_database_of(postgres: Postgres, domain: Domain, opened: AsyncDisposableStack) {
  const { url, name } = await postgres.create_database();
  const database = await open_database({ url, data_dir: null, connections: 3, schema: schema_of(domain) });
  opened.defer(() => database.close());
  await migrate(database, migrations_of(domain.name));
  await settle_deployment(database, { time_zone: TIME_ZONE, currency: "USD" });
  return { url, name, database };
}

/** Takes the messages through tacho's own pipeline, each partition's in order, in batches as Kafka gives them. */
async function feed_own(
  database: Database,
  domain: Domain,
  topic: string,
  sent: readonly PlacedMessage[],
): Promise<void> {
  const pipeline = new Pipeline({
    ...{ database, domain, days: days_in(TIME_ZONE), limits: LIMITS, mappings: new Map() },
    ...{ code_version: "test", cache_streams: 50_000, now_ms: () => Date.now() },
  });
  const cursors = new Cursors(), offsets = Array.from({ length: PARTITIONS }, () => 0);
  for (let at = 0; at < sent.length; at += 5_000) {
    const part = sent.slice(at, at + 5_000);
    for (let partition = 0; partition < PARTITIONS; partition++) {
      const from_offset = offsets[partition]!;
      const messages = part.filter((each) => each.partition === partition).map(({ key, value, timestamp_ms }, i) => ({
        ...{ topic, partition, offset: from_offset + i, headers: {}, timestamp_ms },
        key: encoder.encode(key),
        value: typeof value === "string" ? encoder.encode(value) : value,
      }));
      if (messages.length === 0) continue;
      const next_offset = offsets[partition] = from_offset + messages.length;
      await feed(pipeline, [{ topic, partition, from_offset, next_offset, messages }], cursors);
    }
  }
}

/** Every row of states, cells and totals, as text; cells that nothing is in any more are none, and what one domain keeps alone is not looked at. */
async function compare([own_domain, domain]: readonly [Domain, Domain], own: Database, theirs: Database) {
  const { tables, columns, stream_column, dimensions } = domain;
  const told = dimensions.map(({ name }) => name);
  const alone = own_domain.dimensions.filter(({ name }) => !told.includes(name)).map(({ column }) => column);
  const of_both = `dimension in (${told.map((name) => `'${name}'`).join(", ")})`;
  const measures = column_measures(domain.measures);
  const names = measures.flatMap((measure) => [measure.name, ...is_dated(measure.kind) ? [date_column(measure)] : []]);
  const sums = measures.filter(({ kind }) => kind === "count" || kind === "sum").map(({ name }) => name);
  const kept = dimensions.find(({ totals }) => totals !== undefined)?.totals ?? [];
  const currency = domain.by_currency === undefined ? [] : ["currency"];
  const some = (of: readonly string[]) => of.map((name) => `${name} <> 0`).join(" or ");
  const state_names = [
    stream_column,
    "revision",
    ...columns.map(({ name }) => name).filter((name) => !alone.includes(name)),
    "last_occurred_at",
    "last_event_id",
  ];
  const rows = async (database: Database, table: string, of: readonly string[], where = "true") => {
    const found = await database.query<{ row: string }>(
      `select concat_ws(' | ', ${of.map((name) => `'${name}=' || coalesce(${name}::text, 'null')`).join(", ")}) as row
        from ${table} where ${where}`,
    );
    return found.map(({ row }) => row).sort();
  };
  const both = async (table: string, of: readonly string[], where?: string): Promise<number> => {
    const [expected, got] = await Promise.all([rows(own, table, of, where), rows(theirs, table, of, where)]);
    const all = new Set(expected), found = new Set(got);
    const lacking = expected.filter((row) => !found.has(row)), surplus = got.filter((row) => !all.has(row));
    const shown = (rows: readonly string[]) => rows.slice(0, 5).join("\n  ");
    if (lacking.length > 0 || surplus.length > 0) {
      throw new Error(
        `compare ${table}: ${lacking.length} rows of ${expected.length} are lacking\n  ${
          shown(lacking)
        }\n${surplus.length} should not be there\n  ${shown(surplus)}`,
      );
    }
    return got.length;
  };
  const key = ["dimension", ...currency, "key"];
  return {
    states: await both(tables.states, state_names),
    cells: await both(tables.cells, ["grain", "bucket", ...key, ...names], `${of_both} and (${some(sums)})`),
    totals: tables.totals === null ? 0 : await both(tables.totals, [...key, ...kept], some(kept)),
  };
}
