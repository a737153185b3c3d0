import type { Queryable } from "../../database/mod.ts";
import type { Domain } from "../../domains/mod.ts";
import {
  batches_between,
  type Head,
  Overtaken,
  read_head,
  recorded_payload,
  type RecordedBatch,
  type RecordedEvent,
  same_hash,
} from "../../event_log/mod.ts";
import { FileError, type FileOptions, open_record_file, type RecordFile } from "../../files/mod.ts";
import { type Decoded, type DecodedEvent, NO_HEADERS, type Pipeline, type SourceMessage } from "../../ingest/mod.ts";
import type { SourceRecord } from "../../mapping/mod.ts";
import { type ExportedBatch, ExportedLog, hash_of, is_exported_event } from "../../replay/mod.ts";
import { system_clock, write_stderr } from "../../runtime/mod.ts";
import { make_pipeline, open_log, type Opened } from "../open.ts";
import { ProgressLine, type Shell, UsageError } from "../shell.ts";
import { checkpoint_at_end } from "../proof/mod.ts";
import type { ReadingOptions } from "./replay_mapping.ts";
import type { SendOptions } from "./replay_send.ts";

/** Options of `tacho replay` that an exported log has to do with. */
interface LogReplayOptions extends SendOptions {
  readonly to: "kafka" | "log";
  readonly first?: number;
  readonly resume: boolean;
}

/** A file of an exported log, and the position that it begins with. */
interface ExportedFile {
  readonly file: RecordFile;
  readonly position: number;
}

/** The files as parts of an exported log, in its order; null where they are other records. Throws UsageError where only some are. */
export async function exported_files(
  paths: readonly string[],
  options: FileOptions & Pick<ReadingOptions, "mapping">,
): Promise<readonly ExportedFile[] | null> {
  if (options.mapping !== undefined) return null;
  const files: ExportedFile[] = [], others: string[] = [];
  for (const path of paths) {
    const file = await open_record_file(path, options), record = await first_record(file);
    if (record !== null && is_exported_event(record)) files.push({ file, position: Number(record.position) });
    else others.push(path);
  }
  if (files.length === 0) return null;
  if (others.length > 0) {
    throw new UsageError(
      `replay: expected files of an exported log alone, or none, got ${JSON.stringify(others[0])} beside ${
        JSON.stringify(files[0]!.file.path)
      }`,
    );
  }
  return files.sort((a, b) => a.position - b.position);
}

async function first_record(file: RecordFile): Promise<SourceRecord | null> {
  for await (const { rows } of file.rows()) {
    if (rows.length > 0) return rows[0]!.record;
  }
  return null;
}

/**
 * Puts an exported log into an empty one, as it was: the same events at the same positions, in the same batches, with their times of recording
 * and what is known of their messages, so that all that is made of them is the same, too. What the log has already has to be the beginning of what is
 * exported: stopped or killed, the same command goes on; a later export adds what came since.
 * @throws UsageError where the log holds something else, FileError where the files are no log
 */
export async function replay_log(
  shell: Shell,
  files: readonly ExportedFile[],
  options: LogReplayOptions,
): Promise<void> {
  if (options.to !== "log") {
    throw new UsageError("replay: an exported log goes into an empty log as it was: use --to log");
  }
  if (options.first !== undefined || options.step !== undefined || options.speed !== Infinity || options.resume) {
    throw new UsageError(
      "replay: an exported log goes in whole, and on where it was: leave --first, --step, --speed and --resume out",
    );
  }
  const sign_end = await checkpoint_at_end(shell);
  const opened = await open_log(shell), { database } = opened;
  try {
    const head = await read_head(database), there = new LogThere(database, head);
    const writer = new LogWriter(shell, opened, head);
    const exported = new ExportedLog();
    const take = async (batches: Iterable<ExportedBatch>) => {
      for (const batch of batches) {
        shell.signal.throwIfAborted();
        if (!(await there.has(batch))) await writer.put(batch);
      }
    };
    for (const { file } of files) {
      const line = new ProgressLine(`replay ${file.path}`, null, system_clock.now_ms);
      try {
        for await (const { rows, share } of file.rows()) {
          await take(exported.batches_of(file.path, rows));
          line.add(rows.length, share);
        }
      } finally {
        line.end();
      }
    }
    await take(exported.rest());
    await writer.end();
    write_stderr(
      `replayed: an exported log of ${
        there.events + writer.events
      } events: ${writer.events} admitted, ${there.events} there before; the log is at position ${
        (await read_head(database)).position
      }\n`,
    );
  } catch (error) {
    if (!(error instanceof Overtaken)) throw error;
    throw new UsageError(
      `replay: another program writes to this log; stop it, or take an empty one (${error.message})`,
    );
  } finally {
    await sign_end(database);
    await database.close();
  }
}

/** What the log had before: as far as the files tell of it, it has to be what they say. */
class LogThere {
  readonly #position: number;
  readonly #batches: AsyncGenerator<RecordedBatch>;
  #checked = 0;
  #goes_on = false;

  constructor(database: Queryable, { position, batch }: Head) {
    this.#position = position;
    this.#batches = batches_between(database, 0, batch);
  }

  /** Events of the files that were there. */
  get events(): number {
    return this.#checked;
  }

  /** Whether the log has a batch, told in their order. Throws UsageError where it has another one there, or lacks what comes before. */
  async has(batch: ExportedBatch): Promise<boolean> {
    const { events } = batch, first = events[0]!.position, last = events.at(-1)!.position;
    if (first > this.#position) {
      // Once it goes on where the log ends, the files go on without a gap.
      this.#goes_on ||= this.#checked > 0 || first === this.#position + 1;
      if (this.#goes_on) return false;
      throw new UsageError(
        `replay: expected an export that begins at position ${
          this.#position + 1
        }, where the log ends, got one at ${first}`,
      );
    }
    for (let at; (at = await this.#batches.next()).done !== true;) {
      const { header, content_hash } = at.value;
      if (header.admitted === 0 || header.last_position < first) continue;
      if (
        header.first_position !== first || header.last_position !== last || !same_hash(content_hash, hash_of(batch))
      ) {
        break;
      }
      this.#checked += events.length;
      return true;
    }
    throw new UsageError(
      `replay: expected an empty log, or the beginning of the exported one, got other events from position ${first} on`,
    );
  }
}

/** Writes exported batches, each in a transaction as it was, while the next one is planned. */
class LogWriter {
  readonly #pipeline: Pipeline;
  readonly #with_aliases: boolean;
  #planning: ExportedBatch | null = null;
  readonly #events_of = new Map<SourceMessage, readonly RecordedEvent[]>();
  #appending: Promise<unknown> = Promise.resolve();
  #events = 0;

  constructor(shell: Shell, opened: Opened, head: Head) {
    const { domain } = opened;
    this.#with_aliases = head.forgotten !== null;
    this.#pipeline = make_pipeline(shell, opened, {
      decode: (batches) =>
        batches.flatMap(({ messages }) =>
          messages.flatMap((message) =>
            this.#events_of.get(message)!.map((event): Decoded => ({ message, outcome: decoded(domain, event) }))
          )
        ),
      now_ms: () => this.#planning!.events[0]!.recorded_at_us / 1_000,
    });
    this.#pipeline.forget(head);
  }

  /** Events that are written, or under way. */
  get events(): number {
    return this.#events;
  }

  /** Plans a batch, and begins to write it when the one before is written. Throws FileError where it does not come to the very events. */
  async put(batch: ExportedBatch): Promise<void> {
    const { events } = batch, first = events[0]!.position;
    this.#planning = batch;
    this.#events_of.clear();
    // What one message told at once is not late against itself.
    for (const of_message of runs_by(events, ({ metadata }) => metadata)) {
      const offset = this.#events_of.size, timestamp_ms = 0;
      const message = {
        topic: "exported",
        partition: 0,
        offset,
        key: null,
        value: null,
        headers: NO_HEADERS,
        timestamp_ms,
      };
      this.#events_of.set(message, of_message);
    }
    const messages = [...this.#events_of.keys()];
    const batches = [{ topic: "exported", partition: 0, from_offset: 0, next_offset: messages.length, messages }];
    const planned = await this.#pipeline.plan(batches, [], "exported");
    const [refused] = planned.plan.quarantined;
    if (refused !== undefined || !same_hash(planned.batch.content, hash_of(batch))) {
      const why = refused?.detail ??
        `its events, as this log would have them, are not those that were exported${
          this.#with_aliases ? "; it has aliases for persons, where the export may have ids" : ""
        }`;
      throw new FileError(`replay: batch ${batch.batch}, from position ${first} on: ${why}`);
    }
    await this.#appending;
    this.#appending = this.#pipeline.append(planned, first - 1);
    // Met with the next batch, or at the end.
    this.#appending.catch(() => {});
    this.#pipeline.appending(this.#appending);
    this.#events += events.length;
  }

  /** Resolves when all is written. */
  async end(): Promise<void> {
    await this.#appending;
  }
}

/** What an event of the log comes to when it is read as if it came today. Throws FileError where the domain refuses it by now. */
function decoded(domain: Domain, event: RecordedEvent): DecodedEvent {
  const payload = recorded_payload(domain, event);
  if (!payload.ok) throw new FileError(`replay: event ${event.position} is refused: ${payload.fault.detail}`);
  return { event: { ...event, payload: payload.value, attributes: null }, metadata: event.metadata };
}

/** Cuts a list where a key changes. */
function runs_by<T>(items: readonly T[], key: (item: T) => string): T[][] {
  const runs: T[][] = [];
  for (const item of items) {
    const run = runs.at(-1);
    if (run !== undefined && key(run[0]!) === key(item)) run.push(item);
    else runs.push([item]);
  }
  return runs;
}
