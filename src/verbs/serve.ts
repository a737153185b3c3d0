import type { OpenedDatabase } from "../database/mod.ts";
import type { GivenZones } from "../domains/mod.ts";
import type { Health } from "../feed/mod.ts";
import {
  ASSETS,
  type Handler,
  make_app,
  make_metrics,
  make_static_files,
  serve_http,
  type Served,
  type SharedDeps,
} from "../http/mod.ts";
import { Paced, system_clock, told_trouble, type Trouble } from "../runtime/mod.ts";
import { alerting_of } from "./alerting.ts";
import { base_of } from "./domains.ts";
import { FilledIn } from "./filling.ts";
import { export_of, published_topics } from "./exports.ts";
import { kafka_source } from "./open.ts";
import {
  ended,
  mapped_topics,
  no_feeding,
  open_part,
  type Part,
  reporting_of,
  type ServeOptions,
  with_others,
  zones_of,
} from "./parts/mod.ts";
import { checkpointing_of, warn_of_open_key } from "./proof/mod.ts";
import type { TopicsMapped } from "./records/mod.ts";
import { REFUSED_WAITS, type Shell, shells_of, UsageError, VERSION, wants_another_start } from "./shell.ts";

/**
 * Runs ingest and the pages of domains until a signal: then fetching stops, the transaction under way is finished, viewers hear bye, and
 * everything is closed. When ingest stops for good the page stays up and says so; a source that refuses us ends the program, and so does a
 * log that cannot be opened, or one that was migrated past what the program can write for.
 *
 * Of several domains each is served from when its log is open on, whatever the others do, and answered 503 before. A log that cannot be opened is
 * tried again with growing waits and said meanwhile, as is one that was migrated past the program while it ran; a source that refuses one domain
 * stops that alone, and is asked again in the same way. When all are refused so the program ends; what was used wrongly ends it, too.
 * @param shells one for each domain
 */
export async function serve(shells: readonly [Shell, ...Shell[]], options: ServeOptions): Promise<void> {
  const [{ config, logger, signal: wish }] = shells;
  const failure = new AbortController();
  const signal = AbortSignal.any([wish, failure.signal]);
  const failed = (error: unknown) => failure.abort(error);
  const parts = new Map<string, Part>();
  /** What keeps logs from being opened, by domain. */
  const unopened = new Map<string, Trouble>();
  const metrics = make_metrics(
    Object.fromEntries(shells.map(({ domain: { name } }) => [name, () => parts.get(name)?.figures() ?? null])),
  );
  const readiness_before = (name: string) => () => {
    const trouble = unopened.get(name);
    const reason = trouble === undefined
      ? "its log is being opened"
      : `cannot be opened since ${new Date(trouble.since_ms).toISOString()}: ${trouble.reason}`;
    return [{ name: "log", ok: false, reason }];
  };
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
        config.embed_in ?? [],
      ),
      unopened: shells.filter(({ domain }) => !parts.has(domain.name)).map(({ domain }) => (
        { name: domain.name, base: base_of(domain), readiness: readiness_before(domain.name) }
      )),
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
  const mapped = new Map<Shell, TopicsMapped>(), zones = new Map<Shell, GivenZones | null>();
  for (const shell of shells) {
    export_of(shell.config, "");
    published_topics(shell);
    mapped.set(shell, await mapped_topics(shell, options));
    zones.set(shell, await zones_of(shell.config));
  }
  const checkpointing = options.read_only === true ? null : await checkpointing_of(config);
  const alerting = await alerting_of(config), reporting = await reporting_of(config);
  if (checkpointing !== null) await warn_of_open_key(config, logger);
  /** Domains whose source refuses, or whose log is one of a later version. */
  const refused = new Set<string>();
  const refuse = ({ domain, logger }: Shell, what: string, error: unknown): void => {
    if (refused.add(domain.name).size === shells.length) return failed(error);
    logger.log("error", `${what}; the other domains go on`, { reason: error });
  };
  const open = async (shell: Shell, embedded?: OpenedDatabase): Promise<Part> => {
    const { name } = shell.domain;
    const observe = (domain: string, seconds: number) => metrics.observe_batch_s(domain, seconds);
    const beside = shells.filter((each) => each !== shell).map(({ domain }) => domain.name);
    const others = (own: Health) =>
      with_others(own, beside.map((each) => [each, parts.get(each)?.health() ?? null]), system_clock.now_ms());
    const source_refused = (reason: string | null) => {
      if (reason === null) refused.delete(name);
      else refuse(shell, "a source refuses", new Error(reason));
    };
    const given = {
      observe,
      source_refused,
      embedded,
      others,
      checkpointing,
      alerting,
      reporting,
      zones: zones.get(shell) ?? null,
      renew: () => open(shell).then(follow),
    };
    const part = await open_part({ ...shell, signal }, mapped.get(shell)!, options, given);
    parts.set(name, part);
    unopened.delete(name);
    refused.delete(name);
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
  const cannot_open = (shell: Shell, trouble: Trouble) => {
    unopened.set(shell.domain.name, trouble);
    shell.logger.log("error", "the log of a domain cannot be opened; the others go on", told_trouble(trouble));
  };
  /**
   * Runs a domain. One whose log lacks nothing any more was opened anew by then: who watches the old one goes over.
   * @throws what it could not go on for, of the part that runs by then
   */
  const run = async (shell: Shell, part: Part): Promise<void> => {
    await part.run().catch((error) => {
      if (!(error instanceof FilledIn)) throw error;
      shell.logger.log("info", "filled in: all figures are known");
    });
    const next = parts.get(shell.domain.name);
    if (next === undefined || next === part) return;
    part.quiet();
    await part.close();
    await run(shell, next);
  };
  /** Opens a domain, however often it has to be tried, and runs it; anew where its log was migrated past this program meanwhile. */
  const work = async (shell: Shell, embedded?: OpenedDatabase): Promise<void> => {
    try {
      while (!signal.aborted) {
        const part = await new Paced(shell, REFUSED_WAITS).until_done(signal, () => open(shell, embedded), {
          passes: (error) => !(error instanceof UsageError),
          waiting: (trouble) => cannot_open(shell, trouble),
          over: ({ attempt }) => shell.logger.log("info", "the log of a domain is open", { attempt: attempt + 1 }),
        });
        await follow();
        await run(shell, part).catch((error) => shut(shell, parts.get(shell.domain.name) ?? part, error));
      }
    } catch (error) {
      if (!signal.aborted) failed(error);
    }
  };
  /** Closes a domain whose log was migrated past what this program can write for, or has other settings. Throws whatever else it could not go on for. */
  const shut = async (shell: Shell, part: Part, error: unknown): Promise<void> => {
    if (!wants_another_start(error)) throw error;
    refuse(shell, "a log is one of a later version, or of other settings", error);
    parts.delete(shell.domain.name);
    part.quiet();
    await follow();
    await part.close();
  };
  /** Of an embedded database one domain has the connection, which the others share: the first of those that can be opened. */
  const work_embedded = async (): Promise<void> => {
    let owner: Part | null = null, first_error: unknown = null;
    for (const shell of shells) {
      try {
        owner = await open(shell);
        break;
      } catch (error) {
        if (signal.aborted || error instanceof UsageError) throw error;
        first_error ??= error;
        cannot_open(shell, new Paced(shell, REFUSED_WAITS).failed(error));
      }
    }
    if (owner === null) throw first_error;
    await follow();
    const { database } = owner;
    await Promise.all(shells.map((shell) => parts.get(shell.domain.name)?.run() ?? work(shell, database)));
  };
  const only = shells.length === 1 ? await open(shells[0]) : null;
  if (only !== null) await follow();
  serve_now();
  try {
    if (only !== null) await run(shells[0], only);
    else if (config.database_url !== null) await Promise.all(shells.map((shell) => work(shell)));
    else await work_embedded();
    if (!signal.aborted) await ended(signal);
  } finally {
    logger.log("info", "stopping");
    for (const part of parts.values()) part.quiet();
    await (served as Served | null)?.shutdown();
    // The first that was opened last: an embedded database is the others' too.
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

/**
 * `tacho serve`: the logs and pages of the domains of TACHO_DOMAINS; with KAFKA_BROKERS their topics are read, without it files and HTTP feed
 * the logs.
 * @param options read_only: the pages and the API alone, over logs that another program writes; read_model: who writes, as TACHO_READ_MODEL
 * says unless given; alone: the shell's domain, no others
 */
export async function serve_verb(
  shell: Shell,
  { read_only, read_model, alone }: {
    readonly read_only: boolean;
    readonly read_model?: "log" | "flink";
    readonly alone: boolean;
  },
): Promise<void> {
  const { config, logger } = shell;
  const { kafka_brokers, token } = config;
  const names = alone ? [shell.domain.name] : config.domains;
  const shells = shells_of(shell, names);
  const by_flink = (read_model ?? config.read_model) === "flink";
  if (read_only || by_flink) {
    const reads_only = by_flink ? "a Flink job writes the tables" : "another program writes the log";
    const ready = (page: string) => logger.log("info", "serving", { page, reads_only });
    return await serve(shells, { feeding: no_feeding, read_only: true, by_flink, ready });
  }
  await serve(shells, {
    feeding: (of_domain, { log_id }, refused) =>
      kafka_brokers === null ? no_feeding() : { name: "kafka", source: kafka_source(of_domain, log_id, refused) },
    ready: (page) => {
      const topics = shells.flatMap(({ config }) => config.topics).join(",");
      const group = shells.map(({ config }) => config.group).join(",");
      if (kafka_brokers !== null) return logger.log("info", "serving", { page, topics, group });
      const by = token === null ? "files; by HTTP too when TACHO_TOKEN is set" : "files and HTTP";
      logger.log("info", "serving", { page, topics: "none, as KAFKA_BROKERS is not set", fed_by: by });
    },
  });
}
