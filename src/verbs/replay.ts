import { createHash } from "node:crypto";
import Papa from "papaparse";
import { RECORD_COLUMNS, record_event, type RecordShape, shape_of } from "../domains/trips/mod.ts";
import { type QueueMessage, QueueSource } from "../ingest/mod.ts";
import { format_time, local_time } from "../kpi/mod.ts";
import { system_clock } from "../runtime/mod.ts";
import { make_ingest, open_log, with_producer } from "./open.ts";
import { ProgressLine } from "./progress_line.ts";
import { type Shell, UsageError } from "./shell.ts";

/** Options of `tacho replay`, as the command line gives them. */
export interface ReplayOptions {
  readonly to: "kafka" | "log";
  readonly first?: number;
  readonly zone?: string;
}

const SLICE = 1_000;
const encoder = new TextEncoder();

/** Puts messages where they go; resolves when there is room for more. */
type Sink = (messages: readonly QueueMessage[]) => Promise<void>;

/**
 * `tacho replay`: sends the records of CSV files, one file after the other, as trip events: to the topic, or through the ingest loop
 * into the log. Sending a file again is harmless: the same record is the same event.
 */
export async function replay_verb(shell: Shell, files: readonly string[], options: ReplayOptions): Promise<void> {
  const zone = options.zone ?? shell.config.time_zone;
  const send = async (sink: Sink) => {
    for (const file of files) await replay_file(shell, file, zone, options.first ?? Infinity, sink);
  };
  await (options.to === "kafka" ? into_topic(shell, send) : into_log(shell, send));
}

async function replay_file(shell: Shell, file: string, zone: string, first: number, sink: Sink): Promise<void> {
  const progress = new ProgressLine(`replay ${file}`, null, system_clock.now_ms);
  let slice: QueueMessage[] = [];
  let line = 1, sent = 0;
  try {
    for await (const { shape, record } of records_of(file)) {
      line++;
      if (sent >= first || shell.signal.aborted) break;
      slice.push(message_of(shape, record, file, line, zone));
      sent++;
      if (slice.length < SLICE) continue;
      await sink(slice);
      progress.add(slice.length);
      slice = [];
    }
    await sink(slice);
    progress.add(slice.length);
  } finally {
    progress.end();
  }
  if (shell.signal.aborted) throw shell.signal.reason;
}

/** The records of a CSV file, as they are read; the file is never in memory as a whole. */
async function* records_of(file: string): AsyncGenerator<{ shape: RecordShape; record: Record<string, string> }> {
  let text: ReadableStream<string>;
  try {
    text = (await Deno.open(file, { read: true })).readable.pipeThrough(new TextDecoderStream());
  } catch (error) {
    throw new UsageError(`replay: cannot open ${JSON.stringify(file)}`, { cause: error });
  }
  let header: string[] | null = null;
  let shape: RecordShape | null = null;
  let rest = "";
  const rows_of = (part: string): string[][] => Papa.parse<string[]>(part, { skipEmptyLines: true }).data;
  for await (const part of text) {
    rest += part;
    const end = rest.lastIndexOf("\n");
    if (end < 0) continue;
    const rows = rows_of(rest.slice(0, end));
    rest = rest.slice(end + 1);
    for (const row of rows) {
      if (header === null) {
        header = row;
        shape = known_shape(file, row);
      } else yield { shape: shape!, record: named(header, row) };
    }
  }
  for (const row of rest.trim() === "" ? [] : rows_of(rest)) {
    if (header === null) known_shape(file, row);
    else yield { shape: shape!, record: named(header, row) };
  }
}

function known_shape(file: string, header: readonly string[]): RecordShape {
  const shape = shape_of(header);
  if (shape !== null) return shape;
  const known = Object.entries(RECORD_COLUMNS).map(([name, columns]) => `  ${name}: ${columns.join(",")}`).join("\n");
  throw new UsageError(`replay: ${JSON.stringify(file)} has the columns ${header.join(",")}; known are\n${known}`);
}

const named = (header: readonly string[], row: readonly string[]): Record<string, string> =>
  Object.fromEntries(header.map((column, i) => [column, row[i] ?? ""]));

/** A record as a source message; one that is none goes as it stands, with what is wrong in its headers, and ends in quarantine. */
function message_of(
  shape: RecordShape,
  record: Record<string, string>,
  file: string,
  line: number,
  zone: string,
): QueueMessage {
  const identity = RECORD_COLUMNS[shape].map((column) => record[column] ?? "").join("\u001f");
  const event_id = `${shape}-${createHash("sha256").update(identity).digest("hex").slice(0, 24)}`;
  const event = record_event(shape, record, event_id, (local) => {
    const us = local_time(local, zone);
    return us === null ? null : format_time(us);
  });
  const headers = { "tacho-file": encoder.encode(`${file}:${line}`) };
  return {
    key: encoder.encode(record.trip_id ?? ""),
    value: encoder.encode(
      event.ok ? JSON.stringify(event.value) : RECORD_COLUMNS[shape].map((column) => record[column] ?? "").join(","),
    ),
    headers: event.ok ? headers : { ...headers, "tacho-fault": encoder.encode(event.fault.detail) },
    timestamp_ms: system_clock.now_ms(),
  };
}

async function into_topic(shell: Shell, send: (sink: Sink) => Promise<void>): Promise<void> {
  if (shell.config.kafka_brokers === null) {
    throw new UsageError("replay: KAFKA_BROKERS is not set; name the brokers, or use --to log");
  }
  await with_producer(shell, shell.config.topics[0]!, send);
}

/** Through the ingest loop into the log, as the topic `replay`; waits until the last record is committed. */
async function into_log(shell: Shell, send: (sink: Sink) => Promise<void>): Promise<void> {
  const opened = await open_log(shell);
  const queue = new QueueSource({
    topic: "replay",
    cluster_id: "embedded",
    bound: { messages: 40_000, bytes: 32 << 20 },
    clock: system_clock,
  });
  const stop = new AbortController();
  const through = Promise.withResolvers<void>();
  let offered: number | null = null;
  const account = () => {
    const { messages_read } = ingest.counts;
    if (offered !== null && messages_read >= offered) through.resolve();
  };
  const ingest = make_ingest(shell, opened, queue, account);
  const running = ingest.run(AbortSignal.any([stop.signal, shell.signal])).then(
    () => through.reject(shell.signal.reason),
    (error) => through.reject(error),
  );
  try {
    let count = 0;
    await Promise.race([
      send(async (messages) => void (count += await queue.offer(messages, shell.signal))),
      through.promise,
    ]);
    offered = count;
    account();
    await through.promise;
    const { admitted, duplicates, quarantined } = ingest.counts;
    shell.logger.log("info", "replayed into the log", { messages: count, admitted, duplicates, quarantined });
  } finally {
    stop.abort();
    await running;
    await queue.close();
    await opened.database.close();
  }
}
