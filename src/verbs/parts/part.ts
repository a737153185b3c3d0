import type { OpenedDatabase } from "../../database/mod.ts";
import { type GivenZones, lacking as board_lacking } from "../../domains/mod.ts";
import { FEED_LIMITS, FeedHub, type Health, interval_ticker, past_states } from "../../feed/mod.ts";
import type { MetricsReading, ServedDomain } from "../../http/mod.ts";
import { type IngestCounts, type MessageSource, QueueSource, type SourceRemark } from "../../ingest/mod.ts";
import { as_settled } from "../../event_log/mod.ts";
import { find_door, LIVE, stream_history } from "../../projection/mod.ts";
import { lasting, system_clock, WakeUp } from "../../runtime/mod.ts";
import type { ReportsFile } from "../../reports/mod.ts";
import { base_of, left_to_logs } from "../domains.ts";
import { halted_job, job_prefix } from "../../flink/mod.ts";
import { type KafkaAdmin, open_kafka_admin } from "../../ingest/kafka/mod.ts";
import { type Alerting, domain_alerts } from "../alerting.ts";
import { keep_exported, make_publisher } from "../exports.ts";
import { CellRemoval } from "../keeping/mod.ts";
import { fill_in, FilledIn } from "../filling.ts";
import { checkpoint_keeper, type Checkpointing } from "../proof/mod.ts";
import { kafka_connection, make_direct_intake, make_ingest, open_log, open_to_read, type Opened } from "../open.ts";
import { builtin_mappings, topic_mappings, type TopicsMapped } from "../records/mod.ts";
import { type Shell, UsageError, VERSION, wants_another_start } from "../shell.ts";
import { FlinkWatch } from "./flink_watch.ts";
import { domain_reports } from "./reporting.ts";
import { topic_events } from "./topic_events.ts";
import { UnusualWatch } from "../../unusual/mod.ts";
import {
  filling_check,
  HealthWatch,
  ingest_elsewhere,
  publishing_check,
  readiness_of,
  watch_gap,
  with_alerts,
} from "./health_watch.ts";

/** What the log of a program that serves is fed by, besides what is posted to it. */
export interface Feeding {
  /** What the page calls it; none: no messages come by themselves. */
  readonly name: "generator" | "kafka" | "none";
  readonly source: MessageSource;
  /** Work that runs as long as the program does, such as feeding the generator's messages in; a failure ends the program. */
  readonly beside?: (signal: AbortSignal, reading: Reading) => Promise<void>;
}

/** How far the source is read. */
export interface Reading {
  /** Messages that wait there; null while unknown. */
  readonly lag: () => number | null;
  /** Messages read since the start. */
  readonly read: () => number;
}

/** What a verb that serves decides. */
export interface ServeOptions {
  /**
   * Chooses what feeds the log, before anything is served; what it throws ends the program.
   * @param refused hears why the source refuses for good, and null when it no longer does
   */
  readonly feeding: (
    shell: Shell,
    opened: Opened,
    refused: (reason: string | null) => void,
  ) => Feeding | Promise<Feeding>;
  /** Another program writes the log: this one only reads it, and takes nothing in. */
  readonly read_only?: boolean;
  /** It is a Flink job that writes: a database with a log of its own is refused. */
  readonly by_flink?: boolean;
  /** How many ports after the configured one are tried where that is taken. */
  readonly more_ports?: number;
  /** Hears when the page can be opened. */
  readonly ready: (url: string) => void;
}

/** No source: files and HTTP feed the log. */
export const no_feeding = (): Feeding => ({
  name: "none",
  source: new QueueSource({
    topic: "none",
    cluster_id: "embedded",
    bound: { messages: 0, bytes: 0 },
    clock: system_clock,
  }),
});

/** Connections of the feed and the API: the API's gate lets fewer in, the feed takes what is left. */
const READER_CONNECTIONS = 8;

/** A domain at work: its log is open, its ingest can run, and it can be served. */
export interface Part {
  readonly served: ServedDomain;
  readonly database: OpenedDatabase;
  readonly figures: () => MetricsReading;
  readonly health: () => Health;
  /**
   * Runs ingest until the signal. When it stops for good the domain is served on, and says so. Rejects when the log was migrated past what this
   * program can write for, when work beside ingest fails, and with FilledIn when a log that lacked something does no more: nothing of the domain
   * works then but what only reads, `quiet` and `close`.
   */
  run(): Promise<void>;
  /** Viewers hear bye; nothing more is asked of the database. */
  quiet(): void;
  close(): Promise<void>;
}

/** What reads the records of a domain's topics. Where nothing is taken in, files of mappings and tables need not be there. */
export const mapped_topics = ({ domain, config }: Shell, { read_only = false }: ServeOptions): Promise<TopicsMapped> =>
  topic_mappings(domain, read_only ? { ...config, mappings: null, lookups: null } : config);

/** Opens the log of the shell's domain and what works on it. */
export async function open_part(
  of_program: Shell,
  { mappings, tables }: TopicsMapped,
  { feeding: choose, read_only = false, by_flink: wants_flink = false }: ServeOptions,
  { observe, source_refused, embedded, others, checkpointing, alerting, reporting, zones, renew }: {
    /** Adds which other domains are not as they should be. */
    readonly others: (own: Health) => Health;
    /** Hears of each batch, how many seconds after its planning it was committed. */
    readonly observe: (domain: string, seconds: number) => void;
    /** Hears why the source refuses for good, and null when it no longer does. */
    readonly source_refused: (reason: string | null) => void;
    /** The embedded database, where another domain has opened it. */
    readonly embedded: OpenedDatabase | undefined;
    /** What signs the log; null: it is not signed. */
    readonly checkpointing: Checkpointing | null;
    /** Who is told of alerts, and the rules of the configuration. */
    readonly alerting: Alerting;
    /** The reports of the configuration; null: it names no file. */
    readonly reporting: ReportsFile | null;
    /** What the deployment gives for zones. */
    readonly zones: GivenZones | null;
    /** Opens the log of the domain anew and serves that: this one lacked something, and lacks it no more. */
    readonly renew: () => Promise<void>;
  },
): Promise<Part> {
  const failure = new AbortController(), failed = (error: unknown) => failure.abort(error);
  const signal = AbortSignal.any([of_program.signal, failure.signal]);
  const shell = { ...of_program, signal }, { config, logger } = shell;
  // The embedded database is filled in before it is served: it has one connection.
  const complete = of_program.config.database_url === null;
  const opening = { without_log: true, complete, ...embedded === undefined ? {} : { embedded } };
  const whole = await (read_only ? open_to_read : open_log)(shell, opening), { lacking } = whole;
  // What is published is told by the log, all else by tables.
  const domain = lacking === null
    ? whole.domain
    : { ...whole.domain, board: board_lacking(whole.domain.board, lacking.lacks) };
  const opened = { ...whole, domain };
  const { database, days, deployment: { time_zone, currency, by_flink, resettled } } = opened;
  if (wants_flink && !by_flink) {
    await database.close();
    throw new UsageError(
      `serve --read-model flink: this database has a log of its own, no Flink job writes it; \`TACHO_READ_MODEL=flink tacho migrate\` prepares an empty one`,
    );
  }
  const left = by_flink ? left_to_logs(shell.domain, opened.deployment) : null;
  if (left !== null) logger.log("info", left, { written_by: "a Flink job" });
  const closing = async (error: unknown): Promise<never> => {
    await database.close();
    throw error;
  };
  const feeding = await Promise.resolve(choose(shell, opened, source_refused)).catch(closing);
  const { source } = feeding;
  const told = as_settled(database, resettled), ruled = told.beside({ connections: 4 });
  const refused = async (error: unknown): Promise<never> => {
    await ruled.close();
    return await closing(error);
  };
  const alerts = await domain_alerts(shell, opened, alerting, ruled, read_only).catch(refused);
  const reports = await domain_reports(shell, opened, reporting, ruled, read_only).catch(refused);
  const readers = told.beside({ connections: READER_CONNECTIONS });
  const probe = database.beside({ connections: 2 });
  const filler = lacking === null || read_only ? null : database.beside({ connections: 3 });
  const board = zones === null ? domain.board : { ...domain.board, zones };
  const keeper = read_only || checkpointing === null
    ? null
    : checkpoint_keeper(shell, { database: probe, domain: domain.name }, checkpointing);

  let appended = 0;
  const changes = { appended: new WakeUp(), ending: signal };
  const wake = (seconds: number) => {
    observe(domain.name, seconds);
    changes.appended.ring();
    health.hint();
    hub.wake();
  };
  const ingest = make_ingest(shell, opened, source, wake, mappings);
  const direct = make_direct_intake(shell, opened, (seconds) => {
    appended++;
    wake(seconds);
  }, mappings);
  const flink = by_flink ? flink_watch(shell, { ...opened, database: probe }, () => void health.ask(false)) : null;
  let filling_fault: string | null = null;
  let runs = false, renewing: Promise<void> | null = null;
  /** Before it runs nobody goes over from it; the watch says it again. */
  const filled_in = () => {
    if (runs) renewing ??= renew().then(() => failed(new FilledIn("the log lacks nothing any more")), failed);
  };
  const health = new HealthWatch(
    probe,
    flink?.watch ?? (read_only ? ingest_elsewhere(system_clock.now_ms()) : {
      status: () => ingest.status(),
      lag: () => source.lag(),
      events_per_s: () => ingest.events_per_s(),
      source: feeding.name,
    }),
    system_clock,
    (error) => error instanceof FilledIn ? filled_in() : failed(error),
    { resettled, ...lacking === null ? {} : { lacking: { ...lacking, fault: () => filling_fault } } },
  );
  const unusual = new UnusualWatch(shell, ruled, { board: domain.board, days });
  const told_health = (): Health => {
    const many = unusual.many_now();
    return { ...with_alerts(others(health.now()), alerts.standing()), ...many === 0 ? {} : { unusual: many } };
  };
  const publisher = read_only ? null : make_publisher(shell, whole, changes.appended);
  const removal = read_only || Object.keys(config.keep_cells).length === 0
    ? null
    : new CellRemoval(shell, { database: probe, domain, days }, config.keep_cells);
  const hub = new FeedHub({
    database: readers,
    days,
    board,
    clock: system_clock,
    logger,
    random: Math.random,
    ticker: interval_ticker,
    health: () => told_health(),
    settings: { build: VERSION, time_zone, currency, base: base_of(domain) },
    limits: { ...FEED_LIMITS, subscribers_per_address: config.feed_per_address },
  });
  const figures = (): MetricsReading => {
    const both = (name: keyof IngestCounts): number => ingest.counts[name] + direct.counts[name];
    const remarked = (wanted: SourceRemark["kind"]): number =>
      source.remarks().reduce((sum, { kind, partitions }) => sum + (kind === wanted ? partitions : 0), 0);
    const { subscribers, frames, encodes, skipped } = hub.counts();
    const feed = { subscribers, feed_frames: frames, feed_encodes: encodes, feed_skipped: skipped };
    return {
      position: health.head()?.position ?? 0,
      read: both("messages_read"),
      admitted: both("admitted"),
      duplicates: both("duplicates"),
      quarantined: both("quarantined"),
      tombstones: both("tombstones"),
      skipped: both("skipped"),
      late: both("late"),
      lag: health.now().lag,
      held_partitions: remarked("open_transaction"),
      foreign_partitions: remarked("read_by_others"),
      open_gaps: health.open_gaps(),
      ...health.watermarks(),
      repeated: direct.repeated,
      table_reloads: tables.reloads,
      stale_tables: tables.stale,
      ...publisher === null ? {} : { publishing: publisher.state(health.head()?.position) },
      alerts: alerts.standing(),
      ...reports === null ? {} : { reports: reports.standing() },
      ...removal === null ? {} : { removal: removal.state() },
      filling: health.filling(),
      ...feed,
    };
  };
  const served: ServedDomain = {
    name: domain.name,
    base: base_of(domain),
    database: readers,
    days,
    hub,
    intake: read_only ? null : {
      submit: (topic, messages) => direct.submit(topic, messages),
      mappings: builtin_mappings(shell.domain).map(({ name }) => name),
    },
    board,
    alerts: { ...alerts, database: read_only ? null : ruled },
    saved: read_only ? null : ruled,
    unusual: () => unusual.now(),
    time_zone,
    currency,
    appended: () => appended,
    event_types: domain.event_types,
    changes,
    history: (events) => stream_history(domain, days, events),
    ...by_flink && config.kafka_brokers !== null ? { look_in_topics: topic_events(shell, opened) } : {},
    past: past_states(domain),
    // What is known, not asked anew: a database that hangs must not hang the probe.
    standing: () => ({ health: told_health(), ...health.watermarks() }),
    readiness: () => [
      ...readiness_of(health.now()),
      ...filling_check(health.filling()),
      ...tables.checks(),
      ...publisher === null ? [] : [publishing_check(publisher.state(health.head()?.position))],
    ],
  };
  await health.ask();
  return {
    served,
    database,
    figures,
    health: () => health.now(),
    async run() {
      runs = true;
      if (!read_only) {
        void tables.watch(signal, logger);
        void watch_gap(shell, () => ingest.resume_after_gap());
      }
      void keeper?.run();
      void lasting(shell, "the unusual is not looked for any more", unusual.run());
      // Documents are written when all that they say is known.
      if (lacking === null) {
        void keep_exported(shell, base_of(domain), { database: as_settled(probe, resettled), board, days });
      }
      // Not waited for: what others hold may keep it from ending, and nothing is lost with it.
      if (filler !== null) {
        const trouble = (reason: string | null) => void (filling_fault = reason);
        void fill_in(shell, { database: filler, domain, days }, { beside: true, trouble })
          .then(filled_in, (error) => signal.aborted ? undefined : failed(error));
      }
      const reading = { lag: () => source.lag(), read: () => ingest.counts.messages_read };
      const beside = feeding.beside?.(signal, reading).catch((error) => {
        if (!signal.aborted || error !== signal.reason) failed(error);
      });
      // What ingest could not survive is on the page and in the log; the page stays until a signal. A program that is too old, or has settings from before, shall be replaced.
      const running = read_only
        ? ended(signal)
        : ingest.run(signal).catch((error) => wants_another_start(error) ? failed(error) : ended(signal));
      await Promise.all([
        running,
        beside,
        publisher?.run(),
        alerts.run(),
        reports?.run(),
        removal?.run(),
        flink?.watch.run(),
      ]);
      if (failure.signal.aborted && !of_program.signal.aborted) throw failure.signal.reason;
    },
    quiet() {
      hub.close();
      health.close();
    },
    async close() {
      // Nothing is appended any more: what was posted is answered, and ingest has ended.
      await keeper?.finish();
      await source.close();
      await flink?.close();
      void filler?.close();
      for (const each of [readers, probe, ruled, database]) await each.close();
    },
  };
}

/** Watches the Flink job that writes the tables of a domain. @param changed hears that another state of it has come */
function flink_watch(shell: Shell, { database, log_id }: Pick<Opened, "database" | "log_id">, changed: () => void) {
  const { kafka_brokers, topics } = shell.config;
  let admin: Promise<KafkaAdmin> | null = null;
  const ends = kafka_brokers === null ? null : async () => {
    admin ??= open_kafka_admin(kafka_connection(shell));
    try {
      return await (await admin).watermarks(topics);
    } catch (error) {
      await close();
      throw error;
    }
  };
  const close = async () => {
    const open = admin;
    admin = null;
    await open?.then((each) => each.close()).catch(() => {});
  };
  const { flink_job_manager: url } = shell.config, { signal } = shell, prefix = job_prefix(shell.domain.name, log_id);
  const job = url === null ? null : async () => {
    const door = await find_door(database, LIVE);
    return await halted_job({ url, name: "JobManager", signal }, prefix, [null, door?.number ?? null]);
  };
  return { watch: new FlinkWatch(shell, { database, ends, job, changed }), close };
}

/** Resolves when the signal is aborted. */
export function ended(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
