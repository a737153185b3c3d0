import { parse_json } from "../../domains/mod.ts";
import type { Batch, QuarantinedMessage } from "../../event_log/mod.ts";
import { bytes_of_text } from "../../files/mod.ts";
import { type IngestCounts, type Message, QueueSource } from "../../ingest/mod.ts";
import { format_time } from "../../kpi/mod.ts";
import type { SourceRecord } from "../../mapping/mod.ts";
import {
  BEFORE_ALL_US,
  compare_points,
  type EqualRows,
  InFlight,
  type Journal,
  Pace,
  reason_of,
  type RecordReading,
  type RefusedOnArrival,
  type ReplayEvent,
} from "../../replay/mod.ts";
import type { ExternalSort } from "../../sort/mod.ts";
import { system_clock, wait } from "../../runtime/mod.ts";
import { make_ingest, open_log, with_producer } from "../open.ts";
import { PauseKey, ProgressLine, type Shell, UsageError } from "../shell.ts";
import { checkpoint_at_end } from "../proof/mod.ts";

/** How `tacho replay` runs event time. */
export interface SendOptions {
  /** How many times faster than the clock event time runs; Infinity: as fast as possible. */
  readonly speed: number;
  /** Length of a step, microseconds of event time. */
  readonly step?: number;
}

/** What is sent at once: one request to Kafka, so that requests on their way at the same time keep the order. */
const SLICE = { events: 1_000, characters: 300_000 };

/** Sends what is sorted, paced by the clock, until all has arrived. */
export async function send_replay(
  { signal }: Shell,
  options: SendOptions,
  { sort, journal, equals }: {
    readonly sort: ExternalSort<ReplayEvent>;
    readonly journal: Journal;
    readonly equals: EqualRows;
  },
  sink: ReplaySink,
): Promise<void> {
  const { resumed_after } = journal;
  const progress = new ProgressLine("send", sort.count, system_clock.now_ms);
  const pace = new Pace({ speed: options.speed, step_us: options.step ?? null });
  using key = new PauseKey(system_clock.now_ms, (paused) => progress.remark(paused ? "paused; space goes on" : ""));
  const sent_before = journal.sent;
  let told = 0;
  let slice: ReplayEvent[] = [];
  let characters = 0;
  let step = Number.NaN, in_step = 0;

  const flush = async () => {
    if (slice.length === 0) return;
    pace.held(await key.passed(signal));
    signal.throwIfAborted();
    await sink.send(slice);
    slice = [];
    characters = 0;
    progress.add(journal.sent - sent_before - told);
    told = journal.sent - sent_before;
  };
  const leave = async () => {
    await flush();
    if (options.step !== undefined && in_step > 0) {
      progress.note(`step ${step === BEFORE_ALL_US ? "without time" : format_time(step)}: ${in_step} messages`);
    }
    in_step = 0;
  };
  const enter = async (next: number) => {
    step = next;
    for (;;) {
      const ms = pace.due_in_ms(step, system_clock.now_ms());
      if (ms > 0) await wait(Math.min(ms, 60_000), signal);
      const held_ms = await key.passed(signal);
      if (held_ms > 0) pace.held(held_ms);
      else if (ms <= 60_000) return;
    }
  };
  try {
    for await (const events of sort.sorted()) {
      for (const each of events) {
        const event = equals.numbered(each);
        // Of the instant where an earlier process stopped all is sorted again, so that equal rows have their numbers.
        if (resumed_after !== null && compare_points(event, resumed_after) <= 0) continue;
        const next = pace.step_of(event.at_us);
        if (next !== step) {
          await leave();
          await enter(next);
        }
        slice.push(event);
        in_step++;
        characters += event.key.length + event.value.length;
        if (slice.length >= SLICE.events || characters >= SLICE.characters) await flush();
      }
    }
    await leave();
    await sink.drain();
  } finally {
    progress.add(journal.sent - sent_before - told);
    progress.end();
  }
}

/** Where a replay sends, one slice after the other. */
interface ReplaySink {
  /** Resolves when there is room for more. */
  send(events: readonly ReplayEvent[]): Promise<void>;
  /** Resolves when all that was sent has arrived. */
  drain(): Promise<void>;
}

/** Requests that wait for the brokers at once: enough to keep them busy while the next is made. */
const REQUESTS = 4;
const encoder = new TextEncoder();

/** An event as a message; a bad row goes as it stands, and its headers say what is wrong with it. */
function message_of({ file, line, key, value, fault }: ReplayEvent, files: readonly SentFile[]): Message {
  const headers = { "tacho-file": encoder.encode(`${files[file]!.path}:${line}`) };
  return {
    key: encoder.encode(key),
    value: bytes_of_text(value),
    headers: fault === null ? headers : { ...headers, "tacho-fault": encoder.encode(fault) },
    timestamp_ms: system_clock.now_ms(),
  };
}

/** What a log made of what this process sent. */
export type LogCounts = Pick<IngestCounts, "admitted" | "duplicates" | "quarantined">;

/** A file as a sink knows it. */
interface SentFile {
  readonly path: string;
  readonly reading: RecordReading;
}

/** Lends a sink into the first topic; what was sent when `work` ends is waited for, however it ends. Nobody says what becomes of it there: null. */
export async function into_topic(
  shell: Shell,
  files: readonly SentFile[],
  journal: Journal,
  work: (sink: ReplaySink) => Promise<void>,
): Promise<null> {
  await with_producer(shell, shell.config.topics[0]!, async (send) => {
    const flight = new InFlight<readonly ReplayEvent[]>(
      REQUESTS,
      (events) => send(events.map((event) => message_of(event, files))),
      (events) => journal.arrived(events),
    );
    let warm = false;
    const sink: ReplaySink = {
      async send(events) {
        await flight.put(events);
        // While the client does not know the topic's leaders, a later request may overtake an earlier one.
        if (!warm) await flight.drain();
        warm = true;
      },
      drain: () => flight.drain(),
    };
    try {
      await work(sink);
    } catch (error) {
      // What was on its way counts if it arrives; why the work ended is what has to be said.
      await flight.drain().catch(() => {});
      throw error;
    }
  });
  return null;
}

/** The topic of records that go straight into the log. */
const LOG_TOPIC = "replay";

/** Wants a place in the configuration that takes events as they are. Throws UsageError. */
export function require_place({ config, domain }: Shell, to: "kafka" | "log"): void {
  if (to === "kafka" && config.kafka_brokers === null) {
    throw new UsageError("replay: KAFKA_BROKERS is not set; name the brokers, or use --to log");
  }
  const topic = to === "kafka" ? config.topics[0] : LOG_TOPIC;
  const mapped = config.mappings?.find((each) => each.topic === topic);
  if (mapped === undefined) return;
  throw new UsageError(
    `replay: expected a topic of ${domain.noun} events, got "${topic}", which TACHO_MAPPINGS reads as records of ${mapped.mapping}`,
  );
}

/** What an event was refused for that was sent as a sound one; nothing for a row of which it was known before. */
function refused_on_arrival(
  event: ReplayEvent,
  { reason, path, detail }: QuarantinedMessage,
  files: readonly SentFile[],
): RefusedOnArrival[] {
  if (event.fault !== null) return [];
  const { reading } = files[event.file]!;
  const amount_micros = path === null ? null : reading.amount_of(parse_json(event.value) as SourceRecord, path);
  return [{ event, reason: reason_of({ reason, path, detail }, amount_micros), amount_micros }];
}

/** Lends a sink through the ingest loop into the log, as a topic of its own. What arrived is what is committed; gives what the log made of it. */
export async function into_log(
  shell: Shell,
  files: readonly SentFile[],
  journal: Journal,
  work: (sink: ReplaySink) => Promise<void>,
): Promise<LogCounts> {
  const sign_end = await checkpoint_at_end(shell);
  const opened = await open_log(shell);
  const queue = new QueueSource({
    topic: LOG_TOPIC,
    cluster_id: "embedded",
    // One batch that is being appended, one that is being planned: each of these messages is held as bytes, and as an event until it is in the log.
    bound: { messages: 20_000, bytes: 16 << 20 },
    clock: system_clock,
  });
  const stop = new AbortController();
  const ended = Promise.withResolvers<never>();
  /** Slices on their way, each with the number of messages up to its end. */
  const waiting: { readonly end: number; readonly events: readonly ReplayEvent[] }[] = [];
  let offered = 0;
  /** What was set aside of slices on their way, each with its number among the messages. */
  let set_aside: { readonly nth: number; readonly message: QuarantinedMessage }[] = [];
  let arrived = Promise.withResolvers<void>();
  const account = (_seconds: number, { messages_read, quarantined, cursors }: Batch) => {
    const before = ingest.counts.messages_read - messages_read - (cursors[0]?.from ?? 0);
    for (const message of quarantined) set_aside.push({ nth: before + message.offset, message });
    while (waiting.length > 0 && waiting[0]!.end <= ingest.counts.messages_read) {
      const { end, events } = waiting.shift()!;
      const start = end - events.length;
      const refused = set_aside.filter(({ nth }) => nth < end)
        .flatMap(({ nth, message }) => refused_on_arrival(events[nth - start]!, message, files));
      set_aside = set_aside.filter(({ nth }) => nth >= end);
      journal.arrived(events, refused);
    }
    if (waiting.length > 0) return;
    arrived.resolve();
    arrived = Promise.withResolvers();
  };
  const ingest = make_ingest(shell, opened, queue, account);
  const running = ingest.run(AbortSignal.any([stop.signal, shell.signal])).then(
    () => ended.reject(shell.signal.reason),
    (error) => ended.reject(error),
  );
  // Heard in the races below; after the work is done nobody needs to hear it.
  ended.promise.catch(() => {});
  const sink: ReplaySink = {
    async send(events) {
      waiting.push({ end: offered += events.length, events });
      const messages = events.map((event) => message_of(event, files));
      await Promise.race([queue.offer(messages, shell.signal), ended.promise]);
      shell.signal.throwIfAborted();
    },
    async drain() {
      if (waiting.length > 0) await Promise.race([arrived.promise, ended.promise]);
    },
  };
  try {
    await work(sink);
    const { admitted, duplicates, quarantined } = ingest.counts;
    shell.logger.log("info", "replayed into the log", { messages: offered, admitted, duplicates, quarantined });
    return { admitted, duplicates, quarantined };
  } finally {
    stop.abort();
    await running;
    await queue.close();
    await sign_end(opened.database);
    await opened.database.close();
  }
}
