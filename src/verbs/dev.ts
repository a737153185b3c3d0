import { QueueSource } from "../ingest/mod.ts";
import { system_clock, wait } from "../runtime/mod.ts";
import { as_bytes, continue_messages, foreign_stream, generator_of, run_generator, type Sink } from "./generate.ts";
import { kafka_source, type Opened, with_producer } from "./open.ts";
import { no_feeding, type Reading, serve } from "./serve.ts";
import { type Shell, UsageError } from "./shell.ts";

const HISTORY_HOURS = 6;
const LOOK_MS = 100;
const TOLD_MS = 10_000;
/** Few messages a transaction, so that the page fills from the first second on while the past is caught up with. */
const QUEUED = 2_000;

/** Options of `tacho dev`. */
export interface DevOptions {
  /** Whether the generator may write to the servers of the configuration. */
  readonly generate: boolean;
}

/**
 * `tacho dev`: everything in one program, fed by the generator; with KAFKA_BROKERS its events take the way through the topic. Invented
 * streams go only where nobody else's are: to a server on the word of `--generate`, and never into a log or topic that holds others.
 */
export async function dev_verb(shell: Shell, options: DevOptions): Promise<void> {
  const { config, domain: { name, noun } } = shell, generator = generator_of(shell.domain);
  const servers = [
    ...(config.database_url === null ? [] : ["DATABASE_URL"]),
    ...(config.kafka_brokers === null ? [] : ["KAFKA_BROKERS"]),
  ];
  if (servers.length > 0 && !options.generate && config.rate > 0) {
    throw new UsageError(
      `dev: ${servers.join(" and ")} ${
        servers.length === 1 ? "is" : "are"
      } set (in the environment or .env), and dev ` +
        `would write generated ${name} there: \`tacho serve\` serves your own, \`tacho dev --generate\` lets the generator write`,
    );
  }
  let streams = "";
  await serve([shell], {
    feeding: async (shell, opened, failed) => {
      const foreign = await foreign_stream(opened.database, opened.domain, generator);
      if (foreign !== null && options.generate) throw holds_others(shell, "the log", foreign);
      if (config.kafka_brokers !== null) {
        const { brokers, topic } = { brokers: config.kafka_brokers.join(", "), topic: config.topics[0] };
        const source = kafka_source(shell, opened.log_id, failed);
        streams = `${config.rate === 0 ? "those of" : `generated ${name} through`} Kafka at ${brokers}, topic ${topic}`;
        if (config.rate === 0) return { name: "kafka", source };
        return { name: "kafka", source, beside: (signal, reading) => into_topic(shell, opened, reading, signal) };
      }
      if (foreign !== null || config.rate === 0) {
        streams = "those of the log; nothing is generated";
        if (foreign !== null) {
          const why = `the log holds other ${name}`;
          shell.logger.log("warn", "nothing is generated", {
            why,
            [noun]: foreign,
            advice: "set another TACHO_DATA_DIR",
          });
          streams += `: ${why}, such as ${JSON.stringify(foreign)}; TACHO_DATA_DIR=other has room for generated ones`;
        }
        return no_feeding();
      }
      const queue = new QueueSource({
        topic: "generator",
        cluster_id: "embedded",
        bound: { messages: QUEUED, bytes: 16 << 20 },
        clock: system_clock,
      });
      streams = `generated ${name} through an in-process queue (set KAFKA_BROKERS for Kafka)`;
      return { name: "generator", source: queue, beside: (signal) => into_queue(shell, opened, queue, signal) };
    },
    ready: (url) => console.log(welcome(shell, url, streams)),
  });
}

const holds_others = ({ domain: { name } }: Shell, where: string, foreign: string) =>
  new UsageError(
    `dev: ${where} holds other ${name} than the generator's, such as ${
      JSON.stringify(foreign)
    }; nothing is generated there: \`tacho serve\` serves them; ` +
      `for generated ${name} name another database and topic (DATABASE_URL, TACHO_TOPICS)`,
  );

async function generate(shell: Shell, { database, domain }: Opened, sink: Sink, signal: AbortSignal): Promise<void> {
  const { seed, rate, currency, time_zone } = shell.config;
  const options = { seed, rate, currency, time_zone, history_hours: HISTORY_HOURS };
  await run_generator(await continue_messages(database, domain, generator_of(shell.domain), options), sink, signal);
}

function into_queue(shell: Shell, opened: Opened, queue: QueueSource, signal: AbortSignal): Promise<void> {
  return generate(shell, opened, async (messages) => {
    await queue.offer(as_bytes(messages).map((message) => ({ ...message, headers: {} })), signal);
  }, signal);
}

/** Sends to the topic, once all that it held at the start is in the log and none of it is somebody else's. */
async function into_topic(shell: Shell, opened: Opened, { lag, read }: Reading, signal: AbortSignal): Promise<void> {
  const topic = shell.config.topics[0]!;
  let until: number | null = null;
  for (let looks = 1; lag() !== 0 && !(until !== null && read() >= until); looks++) {
    until ??= lag() === null ? null : read() + lag()!;
    if (looks * LOOK_MS === TOLD_MS) {
      const why = "what the topic holds is read first, to see whether it is the generator's";
      shell.logger.log("info", "nothing is generated yet", { why, topic, lag: lag() });
    }
    await wait(LOOK_MS, signal);
  }
  const foreign = await foreign_stream(opened.database, opened.domain, generator_of(shell.domain), topic);
  if (foreign !== null) throw holds_others(shell, `the topic ${JSON.stringify(topic)}`, foreign);
  await with_producer(
    shell,
    topic,
    (send) => generate(shell, opened, (messages) => send(as_bytes(messages)), signal),
  );
}

/** What `dev` says when the page can be opened. */
function welcome({ config, domain }: Shell, url: string, streams: string): string {
  const database = config.database_url === null
    ? `embedded PostgreSQL in ${config.data_dir}/ (set DATABASE_URL for a server)`
    : "the server of DATABASE_URL";
  return [
    "",
    `  tacho is live at ${url}`,
    "",
    `  log and read models   ${database}`,
    `  ${domain.name.padEnd(22)}${streams}`,
    "  real servers          DATABASE_URL=postgres://… KAFKA_BROKERS=host:9092 deno task start",
    "  stop                  Ctrl-C; the next start goes on where this one ends",
    "",
  ].join("\n");
}
