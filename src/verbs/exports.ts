import { in_currency } from "../domains/mod.ts";
import { moment_at_time, read_head } from "../event_log/mod.ts";
import {
  type DailyExport,
  dates_between,
  days_changed,
  export_events,
  export_table,
  type ExportPlace,
  FolderPlace,
  type MadeOfTheLog,
  PlaceUnusable,
  S3Place,
  type TableForm,
  type TableFormat,
  write_day,
  yesterday,
} from "../export/mod.ts";
import {
  type Config,
  ConfigError,
  lasting,
  Paced,
  type Runtime,
  system_clock,
  told_once,
  WakeUp,
} from "../runtime/mod.ts";
import { kafka_connection, open_log, open_to_read, type Opened } from "./open.ts";
import { type Condition, ProgressLine, type Shell, UsageError } from "./shell.ts";
import { open_kafka_publisher } from "../ingest/kafka/mod.ts";
import { publication_of, type PublishedTopic, Publisher, topics_of } from "../publish/mod.ts";
import { DOMAINS, topic_prefix_of } from "./domains.ts";

/** A position of the log, or a time, microseconds. */
type LogPoint = { readonly position: number } | { readonly at_us: number };

/** Options of `tacho export parquet`, `ndjson` and `csv`, as the command line gives them. */
interface TableExportOptions {
  readonly what: "events" | MadeOfTheLog;
  readonly out: string;
  readonly gzip?: boolean;
  readonly zstd?: boolean;
  /** The first and the last event, or bucket of cells; all that there are unless given. */
  readonly from?: LogPoint;
  readonly to?: LogPoint;
  /** Types of events; all unless given. */
  readonly type: readonly string[];
  /** Any unless given. */
  readonly filter: readonly Condition[];
  /** Of cells; all unless given. */
  readonly grain?: string;
}

/**
 * `tacho export parquet`, `ndjson` and `csv`: the events up to the head as it is at the start, in files of a million positions; or the states,
 * cells or totals of one moment, in a file. Of events the next run goes on where one was stopped or killed, and adds what came since; of
 * the others it writes the file anew.
 */
export async function table_export_verb(shell: Shell, format: TableFormat, options: TableExportOptions): Promise<void> {
  const { gzip, zstd } = options;
  const form = { format, packing: gzip ? "gzip" : zstd ? "zstd" : null } as const;
  const opened = await open_to_read(shell, {
    without_log: options.what !== "events",
    complete: options.what !== "events",
  });
  try {
    console.log(
      options.what === "events"
        ? await events(shell, opened, form, options)
        : await made_of_the_log(shell, opened, form, { ...options, what: options.what }),
    );
  } finally {
    await opened.database.close();
  }
}

/** Wants options not to be given that another table has. Throws UsageError. */
function refuse(what: string, given: Readonly<Record<string, boolean>>): void {
  const [name] = Object.entries(given).find(([, is_given]) => is_given) ?? [];
  if (name !== undefined) throw new UsageError(`export: ${what} have no ${name}; leave it out`);
}

/** Positions of a file of events: at 400 bytes each, some 400 MB of text. */
const POSITIONS_OF_FILE = 1_000_000;

async function events(shell: Shell, opened: Opened, form: TableForm, options: TableExportOptions): Promise<string> {
  const { signal, domain, config } = shell, { type, filter, grain } = options;
  refuse("events", { "--filter": filter.length > 0, "--grain": grain !== undefined });
  const unknown = type.find((each) => !domain.event_types.includes(each));
  if (unknown !== undefined) {
    throw new UsageError(`export: expected --type ${domain.event_types.join(", ")}, got ${JSON.stringify(unknown)}`);
  }
  const place = place_of(options.out, config), { database, log_id } = opened;
  const { from, through } = await stretch_of(opened, options);
  const line = new ProgressLine(`export events of ${domain.name}`, through - from + 1, system_clock.now_ms);
  try {
    const { files, there_before, events } = await export_events({
      database,
      place,
      form,
      domain: domain.name,
      log_id,
      from,
      through,
      types: type.length === 0 ? null : [...new Set(type)].sort(),
      positions_of_file: POSITIONS_OF_FILE,
      signal,
      progress: (positions) => line.add(positions),
    });
    return `${events} events, positions ${from} to ${through}, in ${files} files, ${there_before} of them there before, in ${place.shown}`;
  } finally {
    line.end();
  }
}

/** The positions that are asked for: a time means when events were recorded. Throws UsageError where the log has none of them. */
async function stretch_of(
  { database }: Pick<Opened, "database">,
  { from, to }: Pick<TableExportOptions, "from" | "to">,
): Promise<{ readonly from: number; readonly through: number }> {
  const { position: head } = await read_head(database);
  const last = async (at_us: number) => (await moment_at_time(database, at_us)).position;
  const first = from === undefined ? 1 : "position" in from ? from.position : await last(from.at_us - 1) + 1;
  const through = to === undefined ? head : "position" in to ? to.position : await last(to.at_us);
  if (through > head) throw new UsageError(`export: expected --to up to ${head}, the log's head, got ${through}`);
  if (first > through && (first > 1 || through > 0)) {
    throw new UsageError(`export: expected events from --from to --to, got positions ${first} to ${through}`);
  }
  return { from: first, through };
}

async function made_of_the_log(
  { signal, config }: Shell,
  { database, domain, log_id }: Opened,
  form: TableForm,
  options: TableExportOptions & { readonly what: MadeOfTheLog },
): Promise<string> {
  const { what, from, to, type, filter, grain } = options, { tables, dimensions, name: domain_name } = domain;
  if (tables[what] === null) throw new UsageError(`export: ${domain_name} keep no ${what}`);
  refuse(what, {
    "--type": type.length > 0,
    "--grain": what !== "cells" && grain !== undefined,
    "--from and --to": what !== "cells" && (from ?? to) !== undefined,
  });
  if (what !== "states" && filter.length > 1) {
    throw new UsageError(
      `export: expected one --filter at most, as each row of ${what} is of one dimension, got ${filter.length}`,
    );
  }
  const names = dimensions.filter(({ column }) => column !== null).map(({ name }) => name);
  for (const { dimension, key } of filter) {
    if (names.includes(dimension)) continue;
    const got = JSON.stringify(`${dimension}=${key}`);
    throw new UsageError(`export: expected --filter dimension=value with one of ${names.join(", ")}, got ${got}`);
  }
  const time = (name: string, point: LogPoint | undefined) => {
    if (point === undefined) return null;
    if ("at_us" in point) return point.at_us;
    throw new UsageError(`export: of cells ${name} is a time, such as 2026-03-01T00:00:00Z, got ${point.position}`);
  };
  const place = place_of(options.out, config),
    line = new ProgressLine(`export ${what} of ${domain_name}`, null, system_clock.now_ms);
  try {
    const { name, rows, position } = await export_table({
      ...{ database, place, form, domain, log_id, what, filters: filter, grain: grain ?? null, signal },
      from_us: time("--from", from),
      to_us: time("--to", to),
      progress: (rows) => line.add(rows),
    });
    return `${rows} rows as of position ${position}, in ${place.shown}/${name}`;
  } finally {
    line.end();
  }
}

/** The place that a text says: a folder, or `s3://bucket/prefix`, with the S3 access of the configuration. Throws PlaceUnusable. */
export function place_of(text: string, config: Config): ExportPlace {
  if (!/^[a-z0-9]+:\/\//i.test(text)) return new FolderPlace(text, system_clock.now_ms);
  return new S3Place(text, {
    access_key_id: config.s3_access_key_id,
    secret_access_key: config.s3_secret_access_key,
    session_token: config.s3_session_token,
    region: config.s3_region,
    endpoint: config.s3_endpoint,
  });
}

/** The place that a variable of the configuration names. Throws ConfigError. */
export function configured_place(variable: string, text: string, config: Config): ExportPlace {
  try {
    return place_of(text, config);
  } catch (error) {
    throw error instanceof PlaceUnusable ? new ConfigError([`${variable}: ${error.message}`]) : error;
  }
}

/** How often it is looked whether something changed. */
const LOOK_MS = 1_000;

/**
 * Keeps the documents of all whole days up to date, until the signal: those of days that anything lies in at once, then those that a late event
 * changed, and each day when it has ended. A place or a database that is away is waited for; ingest never is. Rejects with the signal's
 * reason, or PlaceUnusable where that would stay so however often it is tried.
 * @param heard hears of each day that was looked at
 */
export async function follow_days(
  runtime: Runtime,
  source: DailyExport,
  heard: (date: string, outcome: "written" | "unchanged") => void,
): Promise<never> {
  const { signal, logger } = runtime;
  let since: Parameters<typeof days_changed>[1] = { position: 0, ended_ms: -Infinity };
  const pace = new Paced(runtime, { gap_ms: LOOK_MS, first_ms: LOOK_MS, cap_ms: 60_000 });
  for (;;) {
    await pace.pause(signal);
    since = await pace.until_done(signal, async () => {
      const looked_ms = source.now_ms();
      const { dates, position, figures_id } = await days_changed(source, since);
      for (const date of dates) {
        signal.throwIfAborted();
        heard(date, await write_day(source, date));
      }
      return { position, figures_id, ended_ms: looked_ms };
    }, {
      passes: (error) => !(error instanceof PlaceUnusable),
      ...told_once(logger, "days cannot be exported", "days are exported again"),
    });
  }
}

/** Where the documents of a domain's days are kept while it is served; null: nowhere. @param base the path of the domain; throws ConfigError */
export function export_of(config: Config, base: string): ExportPlace | null {
  const { export_daily } = config;
  return export_daily === null
    ? null
    : configured_place("TACHO_EXPORT_DAILY", `${export_daily.replace(/\/+$/, "")}${base}`, config);
}

/** Keeps the days of a served domain exported where the configuration asks for it, until the signal. Pages and ingest go on without it: that it ended is said. */
export async function keep_exported(
  runtime: Runtime & { readonly config: Config },
  base: string,
  source: Omit<DailyExport, "place" | "now_ms">,
): Promise<void> {
  const place = export_of(runtime.config, base);
  if (place === null || source.board.daily === undefined) return;
  const following = follow_days(runtime, { ...source, place, now_ms: system_clock.now_ms }, () => {});
  await lasting(runtime, "days are not exported any more", following);
}

/** Options of `tacho export daily`, as the command line gives them. */
interface DailyExportOptions {
  readonly out: string;
  /** The first and the last day; yesterday unless given. */
  readonly from?: string;
  readonly to?: string;
  readonly all: boolean;
  readonly follow: boolean;
  /** Whose amounts, of a domain that has several; the deployment's unless given. */
  readonly currency?: string;
}

/**
 * `tacho export daily`: writes a document a day; what says the same already is left as it is. Stopped or killed, the next run goes on: it only
 * writes what lacks.
 */
export async function daily_export_verb(shell: Shell, options: DailyExportOptions): Promise<void> {
  const { signal, domain, config } = shell, { from, to, all, follow, currency } = options;
  if (all && (from ?? to) !== undefined) throw new UsageError("export daily: expected --all or a range, got both");
  if (follow && (from ?? to) !== undefined) {
    throw new UsageError("export daily: --follow keeps all whole days; leave --from and --to out");
  }
  if (from !== undefined && to !== undefined && from > to) {
    throw new UsageError(`export daily: expected --to on or after --from, got ${from} to ${to}`);
  }
  const place = place_of(options.out, config);
  const { database, domain: { board: own }, days } = await open_to_read(shell, { without_log: true, complete: true });
  try {
    if (own.daily === undefined) {
      throw new UsageError(`export daily: of ${domain.name} no daily figures are declared`);
    }
    if (currency !== undefined && own.by_currency === undefined) {
      throw new UsageError(`export daily: amounts of ${domain.name} are of one currency; leave --currency out`);
    }
    const board = in_currency(own, currency);
    const source: DailyExport = { database, board, days, place, now_ms: system_clock.now_ms };
    const counts = { written: 0, unchanged: 0 };
    if (follow) {
      const line = new ProgressLine("export days", null, system_clock.now_ms);
      try {
        return await follow_days(shell, source, (_, outcome) => {
          counts[outcome]++;
          line.add(1);
        });
      } finally {
        line.end();
      }
    }
    const last = yesterday(source, system_clock.now_ms());
    const dates = all
      ? (await days_changed(source, { position: 0, ended_ms: -Infinity })).dates
      : dates_between(from ?? to ?? last, to ?? last, source);
    const line = dates.length > 1 ? new ProgressLine("export days", dates.length, system_clock.now_ms) : null;
    try {
      for (const date of dates) {
        signal.throwIfAborted();
        counts[await write_day(source, date)]++;
        line?.add(1);
      }
    } finally {
      line?.end();
    }
    console.log(`${counts.written} days written, ${counts.unchanged} left as they were, in ${place.shown}`);
  } finally {
    await database.close();
  }
}

/**
 * The topics that the configuration has a domain published in; none where it says nothing. Throws ConfigError where it names a topic that no
 * domain has, or no brokers.
 */
export function published_topics({ config: { publish, kafka_brokers }, domain }: Shell): readonly string[] {
  if (publish === null) return [];
  if (kafka_brokers === null) throw new ConfigError(["TACHO_PUBLISH: needs KAFKA_BROKERS as well"]);
  // Of any deployment: which of them there are in this one is seen when its log is open.
  const names_of = (declared: Shell["domain"]) =>
    topics_of(declared.make({ currency: "USD", h3_resolution: 0 }), topic_prefix_of(declared)).map(({ name }) => name);
  const all = DOMAINS.flatMap(names_of);
  const unknown = publish === "all" ? undefined : publish.find((name) => !all.includes(name));
  if (unknown !== undefined) {
    throw new ConfigError([
      `TACHO_PUBLISH: expected all, or some of ${all.join(", ")}, got ${JSON.stringify(unknown)}`,
    ]);
  }
  return names_of(domain).filter((name) => publish === "all" || publish.includes(name));
}

/**
 * What publishes an opened log; null where the configuration asks for nothing of it.
 * @param appended rings when this program has appended something
 */
export function make_publisher(
  shell: Shell,
  opened: Opened,
  appended: WakeUp,
): Pick<Publisher, "run" | "state"> | null {
  const wanted = published_topics(shell), { config } = shell, { domain, days, log_id, database } = opened;
  const topics = topics_of(domain, topic_prefix_of(domain)).filter(({ name }) => wanted.includes(name));
  if (topics.length === 0) return null;
  const names = topics.map(({ name }: PublishedTopic) => name);
  const { partitions, replication } = config;
  const own = database.beside({ connections: 2 });
  const publisher = new Publisher(shell, {
    database: own,
    domain,
    days,
    log_id,
    publication: publication_of(domain, topics, opened.deployment.resettled),
    open_writer: () =>
      open_kafka_publisher(kafka_connection(shell), `tacho-publish-${log_id}`, names, {
        partitions,
        replication,
        compacted: true,
      }),
    appended,
    holder: crypto.randomUUID(),
    lease_s: config.session_seconds,
  });
  return {
    run: () => publisher.run().finally(() => own.close()),
    state: (position) => publisher.state(position),
  };
}

/** `tacho publish`: publishes the domain's log in the topics of TACHO_PUBLISH until a signal, beside whatever writes the log. */
export async function publish_verb(shell: Shell): Promise<void> {
  if (published_topics(shell).length === 0) {
    throw new UsageError(`publish: TACHO_PUBLISH names no topic of ${shell.domain.name}`);
  }
  const opened = await open_log(shell);
  try {
    const publisher = make_publisher(shell, opened, new WakeUp());
    if (publisher === null) throw new UsageError(`publish: this log of ${shell.domain.name} has none of these topics`);
    shell.logger.log("info", "publishing", { topics: published_topics(shell).join(",") });
    await publisher.run();
    const { ended } = publisher.state();
    if (ended !== null) throw new Error(`publish ${shell.domain.name}: ${ended}`);
  } finally {
    await opened.database.close();
  }
}
