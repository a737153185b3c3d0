import { QueueSource } from "../ingest/mod.ts";
import { system_clock } from "../runtime/mod.ts";
import { as_bytes, continue_stream, run_generator, type Sink } from "./generate.ts";
import { type Opened, with_producer } from "./open.ts";
import { serve } from "./serve.ts";
import type { Shell } from "./shell.ts";

const HISTORY_HOURS = 6;
/** Few messages a transaction, so that the page fills from the first second on while the past is caught up with. */
const QUEUED = 2_000;

/** `tacho dev`: everything in one program, fed by the generator; with KAFKA_BROKERS the trips take the way through the topic. */
export async function dev_verb(shell: Shell): Promise<void> {
  const { config } = shell;
  const brokers = config.kafka_brokers;
  const queue = brokers !== null ? null : new QueueSource({
    topic: "generator",
    cluster_id: "embedded",
    bound: { messages: QUEUED, bytes: 16 << 20 },
    clock: system_clock,
  });
  await serve(shell, {
    source_name: queue === null ? "kafka" : "generator",
    ...(queue === null ? {} : { source: () => queue }),
    ready: (url) => console.log(welcome(shell, url)),
    beside: (opened, signal) =>
      queue === null ? into_topic(shell, opened, signal) : into_queue(shell, opened, queue, signal),
  });
}

async function generator(shell: Shell, { database }: Opened, sink: Sink, signal: AbortSignal): Promise<void> {
  const { seed, rate, currency, time_zone } = shell.config;
  const stream = await continue_stream(database, { seed, rate, currency, time_zone, history_hours: HISTORY_HOURS });
  await run_generator(stream, sink, signal);
}

function into_queue(shell: Shell, opened: Opened, queue: QueueSource, signal: AbortSignal): Promise<void> {
  return generator(shell, opened, async (messages) => {
    await queue.offer(as_bytes(messages).map((message) => ({ ...message, headers: {} })), signal);
  }, signal);
}

function into_topic(shell: Shell, opened: Opened, signal: AbortSignal): Promise<void> {
  return with_producer(
    shell,
    shell.config.topics[0]!,
    (send) => generator(shell, opened, (messages) => send(as_bytes(messages)), signal),
  );
}

/** What `dev` says when the page can be opened. */
function welcome({ config }: Shell, url: string): string {
  const database = config.database_url === null
    ? `embedded PostgreSQL in ${config.data_dir}/ (set DATABASE_URL for a server)`
    : "the server of DATABASE_URL";
  const source = config.kafka_brokers === null
    ? "generated trips through an in-process queue (set KAFKA_BROKERS for Kafka)"
    : `generated trips through Kafka at ${config.kafka_brokers.join(", ")}, topic ${config.topics[0]}`;
  return [
    "",
    `  tacho is live at ${url}`,
    "",
    `  log and read models   ${database}`,
    `  trips                 ${source}`,
    "  real servers          DATABASE_URL=postgres://… KAFKA_BROKERS=host:9092 deno task start",
    "  stop                  Ctrl-C; the next start goes on where this one ends",
    "",
  ].join("\n");
}
