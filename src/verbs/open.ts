import {
  may_pass,
  migrate,
  type Migrating,
  MigrationError,
  migrations_of,
  open_database,
  type OpenedDatabase,
  require_filled,
  require_schema,
} from "../database/mod.ts";
import { type Domain, person_fields, without_log } from "../domains/mod.ts";
import {
  type Batch,
  begin_at_end,
  type Deployment,
  keep_gap,
  log_elsewhere,
  Overtaken,
  read_cursors,
  read_deployment,
  read_head,
  settle_deployment,
} from "../event_log/mod.ts";
import {
  type KafkaAdmin,
  type KafkaConnectionOptions,
  KafkaSource,
  open_kafka_admin,
  open_kafka_producer,
  type OutgoingMessage,
  session_settings,
} from "../ingest/kafka/mod.ts";
import {
  type BeginTopics,
  Cursors,
  type DecodeLimits,
  DirectIntake,
  Ingest,
  type MessageSource,
  Pipeline,
  type PipelineOptions,
  type SourceState,
  type TopicMappings,
} from "../ingest/mod.ts";
import { type Days, days_in } from "../kpi/mod.ts";
import { type Config, Paced, system_clock, told_trouble, unless_aborted } from "../runtime/mod.ts";
import { left_to_logs, schema_of } from "./domains.ts";
import { fill_in, type Lacking, lacking_of } from "./filling.ts";
import { is_refused, ProgressLine, REFUSED_WAITS, type Shell, VERSION } from "./shell.ts";

/** The opened parts of the program that every verb with a database shares. */
export interface Opened {
  readonly database: OpenedDatabase;
  readonly domain: Domain;
  readonly days: Days;
  /** What the log's cells are made by. */
  readonly deployment: Deployment;
  readonly log_id: string;
  /** What it lacks; null: nothing. */
  readonly lacking: Lacking | null;
}

/** How the program migrates: what it does, and what it waits for, is said in the log. */
export function migrating_of({ logger, signal }: Shell): Migrating {
  const waited = new Set<string>();
  return {
    signal,
    applied: ({ version, name }) => logger.log("info", "migrated", { version, name }),
    waiting: (why, since_ms) => {
      if (waited.has(why)) return;
      waited.add(why);
      logger.log("info", `${why}; waiting`, { since: new Date(since_ms ?? system_clock.now_ms()).toISOString() });
    },
  };
}

/** Lends who hears of long work by a line of progress on stderr, which ends with the work. */
export async function with_progress<T>(
  name: string,
  work: (begun: (items: number) => (done: number) => void) => Promise<T>,
): Promise<T> {
  let line: ProgressLine | null = null;
  try {
    return await work((items) => {
      line?.end();
      const begun = line = new ProgressLine(name, items, system_clock.now_ms);
      return (done) => begun.add(done);
    });
  } finally {
    (line as ProgressLine | null)?.end();
  }
}

/**
 * Does work on the database that may be done again. Waits for a server that is away, as long as it takes; what would fail again is an error
 * at once: a server that refuses us (password, unknown database), a missing right, a migration that cannot be applied.
 */
export function with_patience<T>(shell: Shell, work: () => Promise<T>): Promise<T> {
  return new Paced(shell).until_done(shell.signal, work, {
    passes: (error) => may_pass(error) && !is_refused(error),
    waiting: (trouble) => shell.logger.log("warn", "the database does not answer; waiting", told_trouble(trouble)),
  });
}

/** How a database is opened. */
export interface Opening {
  /** The database then refuses every write. */
  readonly read_only?: boolean;
  /** Tables that a Flink job writes will do as well: nothing is asked of the log. */
  readonly without_log?: boolean;
  /** A log that lacks something is filled in before it is opened; one that is only read is refused. Absent: `Opened.lacking` says so. */
  readonly complete?: boolean;
  /** The embedded database where this program has it open already, for another domain. */
  readonly embedded?: OpenedDatabase;
}

/**
 * Opens the database of the configuration, and does what a verb begins with. Ends with the signal's reason as soon as it is aborted, also
 * while a server does not answer; a server's connections end with the process then, and what was not committed with them.
 * @param begin closes nothing; when it fails the database is closed
 */
export async function open_with<T>(
  { config, logger, signal, domain }: Shell,
  begin: (database: OpenedDatabase) => Promise<T>,
  { read_only = false, embedded }: Opening = {},
): Promise<T> {
  const schema = schema_of(domain);
  const database = embedded !== undefined && config.database_url === null
    ? embedded.beside({ schema })
    : await open_database(
      { url: config.database_url, data_dir: config.data_dir, read_only, schema },
      (error) => logger.log("warn", "an idle database connection broke", { reason: error }),
    );
  const beginning = begin(database);
  try {
    return await (database.kind === "server" ? unless_aborted(signal, beginning) : beginning);
  } catch (error) {
    const closing = database.close();
    if (database.kind === "embedded" || !signal.aborted) await closing;
    throw error;
  }
}

/** Opens and migrates the database, patiently, and settles what its cells are made by. */
export function open_log(shell: Shell, opening: Opening = {}): Promise<Opened> {
  const { config, logger } = shell;
  if (config.read_model === "flink") throw log_elsewhere();
  return open_with(shell, async (database) => {
    const { deployment, log_id } = await with_patience(shell, async () => {
      await migrate(database, migrations_of(shell.domain.name), migrating_of(shell));
      const forgettable = person_fields(shell.domain.fields).length > 0 ? config.forgettable : null;
      const deployment = await settle_deployment(database, { ...config, forgettable });
      return { deployment, log_id: (await read_head(database)).log_id };
    });
    if (deployment.by_flink) throw log_elsewhere();
    if (deployment.h3_resolution === null && config.h3_resolution === null) {
      const why = "this database was begun without H3 cells; a rebuild with TACHO_H3_RESOLUTION=8 makes them";
      logger.log("info", "places are not counted by H3 cell", { why, silenced_by: "TACHO_H3_RESOLUTION=off" });
    }
    if (opening.complete === true) await fill_in_first(shell, database);
    return await with_patience(shell, () => opened_log(shell, database, deployment, log_id));
  }, opening);
}

/** Fills a log in that lacks something, with a line of progress, and returns when that is done: whether there was anything. */
export async function fill_in_first(shell: Shell, database: OpenedDatabase): Promise<boolean> {
  const deployment = await read_deployment(database);
  if (deployment === null || deployment.by_flink) return false;
  const domain = shell.domain.make(deployment), days = days_in(deployment.time_zone);
  const lacking = await lacking_of(database, shell.domain, domain);
  if (lacking === null) return false;
  await with_progress(
    `fill in ${lacking.told.join(", ")}`,
    (begun) => fill_in(shell, { database, domain, days }, { beside: false, begun }),
  );
  return true;
}

async function opened_log(
  { config: { metrics_h3 }, domain: declared }: Shell,
  database: OpenedDatabase,
  deployment: Deployment,
  log_id: string,
): Promise<Opened> {
  const domain = declared.make({ ...deployment, metrics_h3 });
  const persons = deployment.names_persons ? domain.persons.map(({ dimension }) => dimension) : [];
  const left = left_to_logs(declared, deployment) !== null;
  const board = { ...deployment.by_flink ? without_log(domain.board, left) : domain.board, persons };
  const lacking = await lacking_of(database, declared, domain);
  return { database, domain: { ...domain, board }, days: days_in(deployment.time_zone), deployment, log_id, lacking };
}

/**
 * Opens a database that another program writes, patiently, for reading alone: nothing is migrated, settled or written, also by mistake.
 * Time zone, currency and H3 resolution are the log's. Throws MigrationError when it is at another schema.
 */
export function open_to_read(shell: Shell, opening: Opening = {}): Promise<Opened> {
  const begin = (database: OpenedDatabase) =>
    with_patience(shell, async () => {
      await require_schema(database);
      if (opening.complete === true) await require_filled(database);
      const deployment = await read_deployment(database);
      if (deployment === null) {
        throw new MigrationError("this log was never begun: start the program that writes it first");
      }
      if (deployment.by_flink && opening.without_log !== true) throw log_elsewhere();
      return await opened_log(shell, database, deployment, (await read_head(database)).log_id);
    });
  return open_with(shell, begin, { ...opening, read_only: true });
}
/** How to reach the brokers of the configuration. */
export function kafka_connection({ config, logger }: Shell): KafkaConnectionOptions {
  const { kafka_sasl, kafka_username, kafka_password } = config;
  return {
    brokers: config.kafka_brokers ?? [],
    client_id: "tacho",
    tls: config.kafka_tls,
    sasl: kafka_sasl === null || kafka_username === null || kafka_password === null
      ? null
      : { mechanism: kafka_sasl, username: kafka_username, password: kafka_password },
    log: (level, message, fields) => logger.log(level, message, fields),
  };
}

/**
 * Makes the topic where it is absent, and lends a producer to it.
 * @param work sends; the producer is closed when it ends, however it ends
 * @param oldest_ms the time of the oldest message to come: it is said when the topic does not keep messages for so long
 */
export async function with_producer(
  shell: Shell,
  topic: string,
  work: (send: (messages: readonly OutgoingMessage[]) => Promise<void>) => Promise<void>,
  oldest_ms = Infinity,
): Promise<void> {
  const connection = kafka_connection(shell);
  const admin = await open_kafka_admin(connection);
  try {
    await admin.ensure_topic(topic, shell.config);
    if (oldest_ms < Infinity) await tell_of_retention(shell, admin, topic, oldest_ms);
  } finally {
    await admin.close();
  }
  const producer = await open_kafka_producer(connection);
  try {
    await work((messages) => producer.send(topic, messages));
  } finally {
    await producer.close();
  }
}

/** Brokers delete by the time a message says it has, whether or not it was read. */
async function tell_of_retention(
  { logger }: Shell,
  admin: KafkaAdmin,
  topic: string,
  oldest_ms: number,
): Promise<void> {
  const keeps_ms = await admin.keeps_ms(topic);
  const age_ms = system_clock.now_ms() - oldest_ms;
  if (keeps_ms === null || age_ms <= keeps_ms) return;
  const hours = (ms: number) => `${(ms / 3_600_000).toFixed(1)} h`;
  logger.log("warn", "the brokers may delete the first messages before anyone has read them", {
    topic,
    why: `they are ${hours(age_ms)} old and retention.ms of the topic keeps ${hours(keeps_ms)}; -1 keeps all`,
  });
}

/**
 * The Kafka source of the configuration.
 * @param log_id by it a member of the consumer group is known as one that reads for the same database
 * @param refused hears why the brokers refuse for good; beside other domains they are asked again, and it hears null when they no longer do
 */
export function kafka_source(
  shell: Shell,
  log_id: string,
  refused: (reason: string | null) => void,
): MessageSource {
  const { config, beside_others = false } = shell;
  return new KafkaSource(
    {
      ...kafka_connection(shell),
      client_id: `tacho-${log_id}`,
      topics: config.topics,
      group: config.group,
      partitions: config.partitions,
      replication: config.replication,
      create_topic: true,
    },
    system_clock,
    {
      ...session_settings(config.session_seconds * 1_000),
      // What is too large is kept whole up to here, for a retry with a larger limit.
      most_record_bytes: 4 * config.max_message_bytes,
      refused: beside_others ? REFUSED_WAITS : null,
      on_state: (state: SourceState) => {
        if (state.state === "failed") refused(state.reason);
        else if (state.state === "running") refused(null);
      },
    },
  );
}

/** What decoding refuses, by the configuration. */
export const decode_limits = ({ future_limit_minutes, max_message_bytes }: Config): DecodeLimits => ({
  future_limit_ms: future_limit_minutes * 60_000,
  max_message_bytes,
});

/** A pipeline for a domain, with nothing in memory yet. */
export function make_pipeline(
  { config, beside_others = false }: Shell,
  { database, domain, days, deployment: { resettled }, lacking }: Opened,
  more: Pick<Partial<PipelineOptions>, "mappings" | "decode" | "now_ms"> = {},
) {
  return new Pipeline({
    database,
    ...{ domain, days, resettled, lacking: lacking ?? undefined },
    limits: decode_limits(config),
    code_version: VERSION,
    beside_others,
    cache_streams: 3 * Math.max(config.batch_messages, 20_000),
    now_ms: system_clock.now_ms,
    ...more,
  });
}

/**
 * The ingest on a source.
 * @param committed hears of every committed batch, when it is counted, and how many seconds after its planning that was
 * @param mappings of the source's topics that have one
 */
export function make_ingest(
  shell: Shell,
  opened: Opened,
  source: MessageSource,
  committed: (seconds: number, batch: Batch) => void,
  mappings?: TopicMappings,
) {
  const { config, logger } = shell;
  const { database } = opened;
  const begin: BeginTopics = async (ends, cluster_id) => {
    const partitions = ends.map(({ topic, partition, low, high }) => (
      { topic, partition, at: high, passed_over: high - low }
    ));
    try {
      const batch = await begin_at_end(database, { partitions, cluster_id }, system_clock.now_ms() * 1000);
      for (const [topic, own] of Map.groupBy(partitions, (each) => each.topic)) {
        const passed_over = own.reduce((sum, each) => sum + each.passed_over, 0);
        logger.log("warn", "begun at the end of a topic", { topic, partitions: own.length, passed_over, batch });
      }
    } catch (error) {
      // Another instance was faster: its cursors count.
      if (!(error instanceof Overtaken)) throw error;
    }
  };
  return new Ingest(shell, {
    database,
    pipeline: make_pipeline(shell, opened, { mappings }),
    cursors: new Cursors(
      () => read_cursors(database),
      config.start === "latest" ? begin : null,
      // A queue of this program's own begins where its cursor stands: nothing of it is lost.
      config.kafka_brokers === null
        ? undefined
        : (gap, at) => keep_gap(database, gap, at, system_clock.now_ms() * 1000),
    ),
    source,
    batch_limit: { messages: config.batch_messages, bytes: 8 << 20 },
    quarantine_per_minute: config.quarantine_per_minute,
    committed,
  });
}

/**
 * Takes in the events that are posted, until the signal.
 * @param committed hears of every committed batch, and how many seconds after its planning that was
 */
export function make_direct_intake(
  shell: Shell,
  opened: Opened,
  committed: (seconds: number) => void,
  mappings: TopicMappings,
) {
  return new DirectIntake(shell, {
    database: opened.database,
    pipeline: make_pipeline(shell, opened, { mappings }),
    committed,
  });
}
