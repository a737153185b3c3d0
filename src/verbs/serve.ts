import { is_other_schema } from "../database/mod.ts";
import { FEED_LIMITS, FeedHub, interval_ticker, past_states } from "../feed/mod.ts";
import {
  ASSETS,
  make_app,
  make_metrics,
  make_static_files,
  type MetricsReading,
  serve_http,
  type Served,
  type ServedDomain,
  type SharedDeps,
} from "../http/mod.ts";
import { type IngestCounts, type MessageSource, QueueSource, type SourceRemark } from "../ingest/mod.ts";
import { stream_history } from "../projection/mod.ts";
import { Paced, type Runtime, system_clock } from "../runtime/mod.ts";
import { HealthWatch, ingest_elsewhere, readiness_of } from "./health_watch.ts";
import { builtin_mappings, topic_mappings } from "./mappings.ts";
import { kafka_source, make_direct_intake, make_ingest, open_log, open_to_read, type Opened } from "./open.ts";
import { type Shell, VERSION } from "./shell.ts";

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
   * @param failed hears when the source refuses for good; the program then has to end
   */
  readonly feeding: (opened: Opened, failed: (reason: string) => void) => Feeding | Promise<Feeding>;
  /** Another program writes the log: this one only reads it, and takes nothing in. */
  readonly read_only?: boolean;
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

/**
 * Runs ingest and the page until a signal: then fetching stops, the transaction under way is finished, viewers hear bye, and
 * everything is closed. When ingest stops for good the page stays up and says so; a source that refuses us ends the program, and so does
 * a database that was migrated past what it can write for.
 */
export async function serve(shell: Shell, options: ServeOptions): Promise<void> {
  const { config, logger } = shell;
  const { read_only = false } = options;
  // Where nothing is taken in, files of mappings and tables need not be there.
  const { mappings, tables } = await topic_mappings(read_only ? { ...config, mappings: null, lookups: null } : config);
  const opened = await (read_only ? open_to_read : open_log)(shell);
  const { database, domain, days, deployment: { time_zone, currency } } = opened;
  const failure = new AbortController();
  const signal = AbortSignal.any([shell.signal, failure.signal]);
  const failed = (error: unknown) => failure.abort(error);
  const feeding = await Promise.resolve(options.feeding(opened, (reason) => failed(new Error(reason)))).catch(
    async (error) => {
      await database.close();
      throw error;
    },
  );
  const { source } = feeding;
  const readers = database.beside({ connections: READER_CONNECTIONS });
  const probe = database.beside({ connections: 2 });
  const { board } = domain;

  let appended = 0;
  const wake = (seconds: number) => {
    metrics.observe_batch_s(domain.name, seconds);
    health.hint();
    hub.wake();
  };
  const ingest = make_ingest(shell, opened, source, wake, mappings);
  const direct = make_direct_intake(shell, opened, (seconds) => {
    appended++;
    wake(seconds);
  }, mappings);
  const health = new HealthWatch(
    probe,
    read_only ? ingest_elsewhere(system_clock.now_ms()) : {
      status: () => ingest.status(),
      lag: () => source.lag(),
      events_per_s: () => ingest.events_per_s(),
      source: feeding.name,
    },
    system_clock,
    failed,
  );
  const hub = new FeedHub({
    database: readers,
    days,
    board,
    clock: system_clock,
    logger,
    random: Math.random,
    ticker: interval_ticker,
    health: () => health.now(),
    settings: { build: VERSION, time_zone, currency },
    limits: { ...FEED_LIMITS, subscribers_per_address: config.feed_per_address },
  });
  const read_figures = (): MetricsReading => {
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
      table_reloads: tables.reloads,
      stale_tables: tables.stale,
      ...feed,
    };
  };
  const metrics = make_metrics({ [domain.name]: read_figures });
  const served_domain: ServedDomain = {
    name: domain.name,
    base: "",
    database: readers,
    days,
    hub,
    intake: read_only ? null : {
      submit: (topic, messages) => direct.submit(topic, messages),
      mappings: builtin_mappings().map(({ name }) => name),
    },
    board,
    time_zone,
    currency,
    appended: () => appended,
    history: (events) => stream_history(domain, days, events),
    past: past_states(domain),
    // What is known, not asked anew: a database that hangs must not hang the probe.
    readiness: () => [...readiness_of(health.now()), ...tables.checks()],
  };
  const shared: SharedDeps = {
    logger,
    metrics,
    clock: system_clock,
    token: config.token,
    allowed_hosts: config.allowed_hosts,
    build: VERSION,
    version: VERSION,
    static_files: await make_static_files(ASSETS, { "": board }),
  };
  const app = make_app(shared, [served_domain]);
  const cut = new AbortController();
  const served = serve_on_free_port(
    options.more_ports ?? 0,
    config.port,
    (port) => serve_http(app, { host: config.host, port, signal: cut.signal }),
  );
  try {
    if (!read_only) {
      void tables.watch(signal, logger);
      void watch_gap({ ...shell, signal }, () => ingest.resume_after_gap());
    }
    await health.ask();
    options.ready(`http://${config.host.includes(":") ? `[${config.host}]` : config.host}:${served.port}/`);
    const reading = { lag: () => source.lag(), read: () => ingest.counts.messages_read };
    const beside = feeding.beside?.(signal, reading).catch((error) => {
      if (!signal.aborted || error !== signal.reason) failed(error);
    });
    // What ingest could not survive is on the page and in the log; the page stays until a signal. A program that is too old shall be replaced.
    const running = read_only
      ? ended(signal)
      : ingest.run(signal).catch((error) => is_other_schema(error) ? failed(error) : ended(signal));
    await Promise.all([running, beside]);
    if (!signal.aborted) await ended(signal);
  } finally {
    logger.log("info", "stopping");
    hub.close();
    health.close();
    await served.shutdown();
    await source.close();
    for (const each of [readers, probe, database]) await each.close();
  }
  if (failure.signal.aborted) throw failure.signal.reason;
}

/** Serves on the first port that is free, of so many after the wanted one. Throws what binding the last one throws. */
function serve_on_free_port(more: number, wanted: number, serve_at: (port: number) => Served): Served {
  for (let port = wanted;; port++) {
    try {
      return serve_at(port);
    } catch (error) {
      if (!(error instanceof Deno.errors.AddrInUse) || port >= Math.min(wanted + more, 65_535)) throw error;
    }
  }
}

const GAP_WATCH_MS = 2_000;

/** Looks every few seconds whether a gap was accepted, until the signal; less often while the database does not answer. Never rejects. */
async function watch_gap(runtime: Runtime, resume: () => Promise<boolean>): Promise<void> {
  const { signal, logger } = runtime;
  const pace = new Paced(runtime, { gap_ms: GAP_WATCH_MS, first_ms: 2 * GAP_WATCH_MS, cap_ms: 60_000 });
  while (!signal.aborted) {
    pace.begin();
    try {
      await resume();
      pace.succeeded();
    } catch (error) {
      if (signal.aborted) return;
      const { attempt } = pace.failed(error);
      logger.log("warn", "cannot look whether the gap was accepted", { reason: error, attempt });
    }
    await pace.pause(signal).catch(() => {});
  }
}

/** Resolves when the signal is aborted. */
function ended(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

/**
 * `tacho serve`: the log and the page; with KAFKA_BROKERS its topics are read, without it files and HTTP feed the log.
 * @param options read_only: the page and the API alone, over a log that another program writes
 */
export async function serve_verb(shell: Shell, { read_only }: { readonly read_only: boolean }): Promise<void> {
  const { config, logger } = shell;
  const { kafka_brokers, topics, group, token } = config;
  if (read_only) {
    const ready = (page: string) =>
      logger.log("info", "serving", { page, reads_only: "another program writes the log" });
    return await serve(shell, { feeding: no_feeding, read_only, ready });
  }
  await serve(shell, {
    feeding: ({ log_id }, failed) =>
      kafka_brokers === null ? no_feeding() : { name: "kafka", source: kafka_source(shell, log_id, failed) },
    ready: (page) => {
      if (kafka_brokers !== null) return logger.log("info", "serving", { page, topics: topics.join(","), group });
      const by = token === null ? "files; by HTTP too when TACHO_TOKEN is set" : "files and HTTP";
      logger.log("info", "serving", { page, topics: "none, as KAFKA_BROKERS is not set", fed_by: by });
    },
  });
}
