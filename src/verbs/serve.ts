import { is_other_schema, type OpenedDatabase } from "../database/mod.ts";
import { FEED_LIMITS, FeedHub, type Health, interval_ticker, past_states } from "../feed/mod.ts";
import {
  ASSETS,
  type Handler,
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
import { system_clock } from "../runtime/mod.ts";
import { base_of } from "./domains.ts";
import { export_of, keep_exported } from "./exports/mod.ts";
import { HealthWatch, ingest_elsewhere, readiness_of, watch_gap, with_others } from "./health_watch.ts";
import { builtin_mappings, topic_mappings, type TopicsMapped } from "./records/mod.ts";
import { kafka_source, make_direct_intake, make_ingest, open_log, open_to_read, type Opened } from "./open.ts";
import { type Shell, shells_of, UsageError, VERSION } from "./shell.ts";

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
  readonly feeding: (shell: Shell, opened: Opened, failed: (reason: string) => void) => Feeding | Promise<Feeding>;
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

/** A domain at work: its log is open, its ingest can run, and it can be served. */
interface Part {
  readonly served: ServedDomain;
  readonly database: OpenedDatabase;
  readonly figures: () => MetricsReading;
  readonly health: () => Health;
  /** Runs ingest until the signal. When it stops for good the domain is served on, and says so. */
  run(): Promise<void>;
  /** Viewers hear bye; nothing more is asked of the database. */
  quiet(): void;
  close(): Promise<void>;
}

/** What reads the records of a domain's topics. Where nothing is taken in, files of mappings and tables need not be there. */
const mapped_topics = ({ domain, config }: Shell, { read_only = false }: ServeOptions): Promise<TopicsMapped> =>
  topic_mappings(domain, read_only ? { ...config, mappings: null, lookups: null } : config);

/** Opens the log of the shell's domain and what works on it. */
async function open_part(
  shell: Shell,
  { mappings, tables }: TopicsMapped,
  { feeding: choose, read_only = false }: ServeOptions,
  { observe, failed, embedded, others }: {
    /** Adds which other domains are not as they should be. */
    readonly others: (own: Health) => Health;
    /** Hears of each batch, how many seconds after its planning it was committed. */
    readonly observe: (domain: string, seconds: number) => void;
    /** Hears what has to end the program: a source that refuses us, a database that was migrated past what it can write for. */
    readonly failed: (error: unknown) => void;
    /** The embedded database, where another domain has opened it. */
    readonly embedded: OpenedDatabase | undefined;
  },
): Promise<Part> {
  const { config, logger, signal } = shell;
  const opened = await (read_only ? open_to_read : open_log)(shell, embedded === undefined ? {} : { embedded });
  const { database, domain, days, deployment: { time_zone, currency } } = opened;
  const feeding = await Promise.resolve(choose(shell, opened, (reason) => failed(new Error(reason)))).catch(
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
    observe(domain.name, seconds);
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
    health: () => others(health.now()),
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
      table_reloads: tables.reloads,
      stale_tables: tables.stale,
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
    time_zone,
    currency,
    appended: () => appended,
    history: (events) => stream_history(domain, days, events),
    past: past_states(domain),
    // What is known, not asked anew: a database that hangs must not hang the probe.
    readiness: () => [...readiness_of(health.now()), ...tables.checks()],
  };
  await health.ask();
  return {
    served,
    database,
    figures,
    health: () => health.now(),
    async run() {
      if (!read_only) {
        void tables.watch(signal, logger);
        void watch_gap(shell, () => ingest.resume_after_gap());
      }
      void keep_exported({ ...shell, signal }, base_of(domain), { database: probe, board, days });
      const reading = { lag: () => source.lag(), read: () => ingest.counts.messages_read };
      const beside = feeding.beside?.(signal, reading).catch((error) => {
        if (!signal.aborted || error !== signal.reason) failed(error);
      });
      // What ingest could not survive is on the page and in the log; the page stays until a signal. A program that is too old shall be replaced.
      const running = read_only
        ? ended(signal)
        : ingest.run(signal).catch((error) => is_other_schema(error) ? failed(error) : ended(signal));
      await Promise.all([running, beside]);
    },
    quiet() {
      hub.close();
      health.close();
    },
    async close() {
      await source.close();
      for (const each of [readers, probe, database]) await each.close();
    },
  };
}

/**
 * Runs ingest and the pages of domains until a signal: then fetching stops, the transaction under way is finished, viewers hear bye, and
 * everything is closed. Of several domains each is served from when its log is open on, whatever the others do, and answered 503 before; one whose
 * log cannot be opened ends a program that serves no other, or that was used wrongly, else it is said on `/readyz` and in the log. When ingest stops for good the page stays up and says so; a source that
 * refuses us ends the program, and so does a database that was migrated past what it can write for.
 * @param shells one for each domain
 */
export async function serve(shells: readonly [Shell, ...Shell[]], options: ServeOptions): Promise<void> {
  const [{ config, logger, signal: wish }] = shells;
  const failure = new AbortController();
  const signal = AbortSignal.any([wish, failure.signal]);
  const failed = (error: unknown) => failure.abort(error);
  const parts = new Map<string, Part>();
  const unopened = new Map<string, string>(shells.map(({ domain }) => [domain.name, "its log is being opened"]));
  const metrics = make_metrics(
    Object.fromEntries(shells.map(({ domain: { name } }) => [name, () => parts.get(name)?.figures() ?? null])),
  );
  const app_of = async (): Promise<Handler> => {
    const opened = shells.flatMap(({ domain }) => parts.get(domain.name) ?? []).map(({ served }) => served);
    const shared: SharedDeps = {
      logger,
      metrics,
      clock: system_clock,
      token: config.token,
      allowed_hosts: config.allowed_hosts,
      build: VERSION,
      version: VERSION,
      static_files: await make_static_files(
        ASSETS,
        Object.fromEntries(opened.map(({ base, board }) => [base, board])),
        shells.map(({ domain }) => ({ name: domain.name, base: base_of(domain) })),
      ),
      unopened: shells.flatMap(({ domain }) => {
        const reason = unopened.get(domain.name);
        const readiness = () => [{ name: "log", ok: false, reason: reason ?? null }];
        return reason === undefined ? [] : [{ name: domain.name, base: base_of(domain), readiness }];
      }),
    };
    return make_app(shared, opened);
  };
  let handler = await app_of(), newest = 0;
  /** What is served follows what is open; of two that are made at once the later one counts. */
  const follow = async () => {
    const mine = ++newest, made = await app_of();
    if (mine === newest) handler = made;
  };
  // What is wrong with the configuration of any domain ends the program, before anything is opened.
  const mapped = new Map<Shell, TopicsMapped>();
  for (const shell of shells) {
    export_of(shell.config, "");
    mapped.set(shell, await mapped_topics(shell, options));
  }
  const open = async (shell: Shell, embedded?: OpenedDatabase): Promise<Part> => {
    const observe = (domain: string, seconds: number) => metrics.observe_batch_s(domain, seconds);
    const beside = shells.filter((each) => each !== shell).map(({ domain }) => domain.name);
    const others = (own: Health) =>
      with_others(own, beside.map((name) => [name, parts.get(name)?.health() ?? null]), system_clock.now_ms());
    const given = { observe, failed, embedded, others };
    const part = await open_part({ ...shell, signal }, mapped.get(shell)!, options, given);
    parts.set(shell.domain.name, part);
    unopened.delete(shell.domain.name);
    await follow();
    return part;
  };
  let served: Served | null = null;
  const serve_now = (): void => {
    served = serve_on_free_port(
      options.more_ports ?? 0,
      config.port,
      (port) => serve_http((request, bindings) => handler(request, bindings), { host: config.host, port }),
    );
    options.ready(`http://${config.host.includes(":") ? `[${config.host}]` : config.host}:${served.port}/`);
  };
  /** Opens a domain and runs it; one that cannot be opened is said, and the others go on. */
  const work = async (shell: Shell, embedded?: OpenedDatabase, opened: (part: Part | null) => void = () => {}) => {
    let part: Part;
    try {
      part = await open(shell, embedded);
    } catch (error) {
      if (error instanceof UsageError) failed(error);
      opened(null);
      if (signal.aborted) return;
      const { name } = shell.domain;
      unopened.set(name, error instanceof Error ? error.message : String(error));
      await follow();
      logger.log("error", "the log of a domain cannot be opened; the others go on", { domain: name, reason: error });
      return;
    }
    opened(part);
    await part.run();
  };
  const [first, ...others] = shells;
  const only = others.length === 0 ? await open(first) : null;
  serve_now();
  try {
    if (only !== null) {
      await only.run();
    } else if (config.database_url !== null) {
      await Promise.all(shells.map((shell) => work(shell)));
    } else {
      // An embedded database has one connection, which the first opens and the others share.
      const opened = Promise.withResolvers<Part | null>();
      const running = work(first, undefined, opened.resolve);
      const database = (await opened.promise)?.database;
      signal.throwIfAborted();
      if (database === undefined) throw new Error(`open the embedded database: ${unopened.get(first.domain.name)}`);
      await Promise.all([running, ...others.map((shell) => work(shell, database))]);
    }
    if (!signal.aborted) await ended(signal);
  } finally {
    logger.log("info", "stopping");
    for (const part of parts.values()) part.quiet();
    await (served as Served | null)?.shutdown();
    // The first one last: an embedded database is the others' too.
    for (const part of [...parts.values()].reverse()) await part.close();
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

/** Resolves when the signal is aborted. */
function ended(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

/**
 * `tacho serve`: the logs and pages of the domains of TACHO_DOMAINS; with KAFKA_BROKERS their topics are read, without it files and HTTP feed
 * the logs.
 * @param options read_only: the pages and the API alone, over logs that another program writes; alone: the shell's domain, no others
 */
export async function serve_verb(
  shell: Shell,
  { read_only, alone }: { readonly read_only: boolean; readonly alone: boolean },
): Promise<void> {
  const { config, logger } = shell;
  const { kafka_brokers, token } = config;
  const names = alone ? [shell.domain.name] : config.domains;
  const shells = shells_of(shell, names);
  if (read_only) {
    const ready = (page: string) =>
      logger.log("info", "serving", { page, reads_only: "another program writes the log" });
    return await serve(shells, { feeding: no_feeding, read_only, ready });
  }
  await serve(shells, {
    feeding: (of_domain, { log_id }, failed) =>
      kafka_brokers === null ? no_feeding() : { name: "kafka", source: kafka_source(of_domain, log_id, failed) },
    ready: (page) => {
      const topics = shells.flatMap(({ config }) => config.topics).join(",");
      const group = shells.map(({ config }) => config.group).join(",");
      if (kafka_brokers !== null) return logger.log("info", "serving", { page, topics, group });
      const by = token === null ? "files; by HTTP too when TACHO_TOKEN is set" : "files and HTTP";
      logger.log("info", "serving", { page, topics: "none, as KAFKA_BROKERS is not set", fed_by: by });
    },
  });
}
