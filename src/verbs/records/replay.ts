import { type FileOptions, open_record_file, type RecordFile } from "../../files/mod.ts";
import {
  changed_since,
  EqualRows,
  EventTimes,
  FileAccount,
  input_files,
  Journal,
  type RecordReading,
  REPLAY_ORDER,
  type ReplayEvent,
  type ReplayState,
  RowEvents,
  type WaitingVoids,
  Workspace,
} from "../../replay/mod.ts";
import { days_in } from "../../kpi/mod.ts";
import { system_clock, write_stderr } from "../../runtime/mod.ts";
import { ExternalSort } from "../../sort/mod.ts";
import { decode_limits } from "../open.ts";
import { base_of, schema_of } from "../domains.ts";
import { ProgressLine, type Shell, UsageError, VERSION } from "../shell.ts";
import { lookup_of } from "./lookups.ts";
import { exported_files, replay_log } from "./replay_log.ts";
import { choose_readings, is_builtin, type ReadingOptions } from "./replay_mapping.ts";
import { into_log, into_topic, type LogCounts, require_place, send_replay, type SendOptions } from "./replay_send.ts";
import { page_window, replay_words, type ReplaySummary, throw_if_refused } from "./replay_summary.ts";

/** Options of `tacho replay`, as the command line gives them. */
export interface ReplayOptions extends SendOptions, FileOptions, ReadingOptions {
  readonly to: "kafka" | "log";
  readonly first?: number;
  readonly resume: boolean;
  /** Of a file's records, the percentage that may be refused without the replay having failed. */
  readonly mostRefused: number;
}

/** A file with how its records become events. */
interface MappedFile {
  readonly index: number;
  readonly file: RecordFile;
  readonly reading: RecordReading;
}

/** `tacho replay`: replays, says what came of it, and fails when too much of a file was refused. Nothing is undone by that. */
export async function replay_verb(shell: Shell, paths: readonly string[], options: ReplayOptions): Promise<void> {
  const exported = await exported_files(paths, options);
  if (exported !== null) return await replay_log(shell, exported, options);
  const summary = await replay(shell, paths, options);
  write_stderr(`${replay_words(summary, shell.config, base_of(shell.domain))}\n`);
  throw_if_refused("replay", summary.files, options.mostRefused);
}

/**
 * Sends the records of files as events, in the order of their event time across all files: to the topic, or through the ingest loop
 * into the log. Sending a file again is harmless: the same record is the same event.
 * @returns what came of each file, of all that was sent, and when its events happened
 */
export async function replay(shell: Shell, paths: readonly string[], options: ReplayOptions): Promise<ReplaySummary> {
  require_place(shell, options.to);
  const files = await mapped_files(shell, paths, options);
  const numbered = new Set(files.filter(({ reading }) => reading.number_equal_rows).map(({ index }) => index));
  const inputs = await input_files([...paths, ...read_beside(shell, options)]);
  const workspace = await Workspace.open(shell.config.data_dir, { what: identity(shell, options), inputs });
  const accounts = paths.map((path) => new FileAccount(path));
  const times = new EventTimes((system_clock.now_ms() + decode_limits(shell.config).future_limit_ms) * 1_000);
  let through = false;
  try {
    const before = await workspace.state();
    const stopped = options.resume ? before : null;
    if (options.resume) must_go_on(before, inputs);
    const journal = new Journal(workspace, VERSION, inputs, stopped, system_clock.now_ms);
    if (stopped !== null) shell.logger.log("info", "resuming", { sent: stopped.sent });
    else if (before !== null) {
      shell.logger.log("info", "beginning anew, as --resume is not given", { stopped_after: before.sent });
    }
    const equals = new EqualRows(numbered, shell.domain);
    let log: LogCounts | null = null;
    try {
      const sort = new ExternalSort(() => Promise.resolve(workspace.runs), REPLAY_ORDER);
      await read_files(shell, files, options, stopped, { sort, accounts, times });
      const into = options.to === "kafka" ? into_topic : into_log;
      const sent_files = files.map(({ file: { path }, reading }) => ({ path, reading }));
      log = await into(
        shell,
        sent_files,
        journal,
        (sink) => send_replay(shell, options, { sort, journal, equals }, sink),
      );
      through = true;
    } finally {
      // On a full disk there is room for how far it came only after the runs are gone.
      if (!through) await workspace.remove_runs();
      journal.save();
      const { sent } = journal;
      const equal_rows = numbered.size > 0 ? journal.equal_rows : null;
      const how = through ? null : "the same command with --resume goes on there";
      shell.logger.log("info", through ? "replayed" : "replay stopped", { sent, equal_rows, how });
    }
    return {
      to: options.to,
      files: accounts.map((account, index) => account.counts(journal.refused.filter(([file]) => file === index))),
      sent: journal.sent,
      equal_rows: numbered.size > 0 ? journal.equal_rows : null,
      voids: voids_of(equals, paths),
      log,
      resumed: stopped !== null,
      times: times.covered,
      window: page_window(times, days_in(shell.config.time_zone)),
    };
  } finally {
    await workspace.close(through);
  }
}

/** The zone that the mappings of all files name; null where they name none, or several. */
export async function zone_of_files(
  shell: Shell,
  paths: readonly string[],
  options: ReplayOptions,
): Promise<string | null> {
  const files = await mapped_files({ ...shell, logger: { log: () => {} } }, paths, options);
  const zones = new Set(files.map(({ reading }) => reading.zone ?? null));
  return zones.size === 1 ? [...zones][0]! : null;
}

/** What is read besides the files themselves. */
export const read_beside = (
  { domain }: Shell,
  { lookup, mapping }: Pick<ReplayOptions, "lookup" | "mapping">,
): string[] => [
  ...lookup.map((each) => lookup_of(each).file),
  ...(mapping === undefined || is_builtin(domain, mapping) ? [] : [mapping]),
];

/** What takes back what is not there, in all files. */
function voids_of(equals: EqualRows, paths: readonly string[]): WaitingVoids {
  const waiting = paths.map((_, file) => equals.waiting_voids(file));
  return {
    count: waiting.reduce((sum, { count }) => sum + count, 0),
    sum_micros: waiting.reduce((sum, { sum_micros }) => sum + sum_micros, 0n),
  };
}

/** Opens the files, tells their formats and chooses their mappings, and says so. */
async function mapped_files(shell: Shell, paths: readonly string[], options: ReplayOptions): Promise<MappedFile[]> {
  const { logger } = shell;
  const reading_of = await choose_readings(shell, options);
  const files: MappedFile[] = [];
  for (const [index, path] of paths.entries()) {
    const file = await open_record_file(path, { ...options, lists: shell.domain.record_lists });
    const { format, packing, told_by, records } = file;
    const { reading } = await reading_of(file);
    const chosen_by = options.mapping === undefined ? "columns" : "--mapping";
    const told = { path, format, told_by, packing, records, mapping: reading.name, chosen_by };
    logger.log("info", "file", told);
    files.push({ index, file, reading });
  }
  return files;
}

/** All that decides which events a replay sends and where to, files aside. */
function identity({ config, domain }: Shell, options: ReplayOptions): string {
  const { to, first, zone, mapping, lookup, records, encoding, decimal } = options;
  const { kafka_brokers, topics, database_url, time_zone } = config;
  const where = to === "kafka"
    ? [kafka_brokers, topics[0]]
    : schema_of(domain) === null
    ? database_url
    : [database_url, schema_of(domain)];
  return JSON.stringify([
    to,
    where,
    first ?? null,
    zone ?? time_zone,
    mapping ?? null,
    lookup,
    records ?? null,
    encoding ?? null,
    decimal ?? null,
  ]);
}

function must_go_on(before: ReplayState | null, inputs: Parameters<typeof changed_since>[2]): void {
  if (before === null) {
    throw new UsageError(
      "replay: nothing to resume: no replay of these files with these options to this place was stopped",
    );
  }
  const changed = changed_since(before, VERSION, inputs);
  if (changed !== null) {
    throw new UsageError(
      `replay: cannot resume: ${changed}. Without --resume it begins anew; what was sent counts once`,
    );
  }
}

/** Reads all files into the sort, without what lies before the instant where an earlier process stopped. */
async function read_files(
  { signal, logger }: Shell,
  files: readonly MappedFile[],
  { to, first = Infinity }: ReplayOptions,
  stopped: ReplayState | null,
  { sort, accounts, times }: {
    readonly sort: ExternalSort<ReplayEvent>;
    readonly accounts: readonly FileAccount[];
    readonly times: EventTimes;
  },
): Promise<void> {
  const point = stopped?.point ?? null;
  for (const { index, file, reading } of files) {
    const progress = new ProgressLine(`read ${file.path}`, null, system_clock.now_ms);
    const events = new RowEvents(index, reading, file.text_of, { account: accounts[index]!, times }, to === "kafka");
    let left = first;
    try {
      for await (const { rows, share } of file.rows()) {
        signal.throwIfAborted();
        const taken = rows.length > left ? rows.slice(0, left) : rows;
        for (const row of taken) {
          const made = events.of(row);
          await sort.put(point === null ? made : made.filter(({ at_us }) => at_us >= point.at_us));
        }
        progress.add(taken.length, share);
        left -= taken.length;
        if (left === 0) break;
      }
    } finally {
      progress.end();
    }
  }
  // Before a log is made for it: that takes seconds, and cannot be ended in the middle.
  signal.throwIfAborted();
  if (sort.runs > 0) logger.log("info", "sorted on disk", { runs: sort.runs, bytes: sort.disk.most });
}
