import { QueueSource } from "../ingest/mod.ts";
import { system_clock, wait } from "../runtime/mod.ts";
import { base_of, DOMAINS } from "./domains.ts";
import { as_bytes, continue_messages, foreign_stream, generator_of, run_generator, type Sink } from "./produce.ts";
import { kafka_source, type Opened, with_producer } from "./open.ts";
import { no_feeding, type Reading } from "./parts/mod.ts";
import { serve } from "./serve.ts";
import { type Shell, shells_of, UsageError } from "./shell.ts";

const HISTORY_HOURS = 6;
const LOOK_MS = 100;
const TOLD_MS = 10_000;
/** Few messages a transaction, so that the page fills from the first second on while the past is caught up with. */
const QUEUED = 2_000;

/** Options of `tacho dev`. */
export interface DevOptions {
  /** Whether the generators may write to the servers of the configuration. */
  readonly generate: boolean;
  /** Names of domains, comma-separated, or all; absent: the shell's alone. */
  readonly domains?: string;
  /** Whether one domain was named for the program. */
  readonly alone: boolean;
}

/**
 * `tacho dev`: everything in one program, fed by generators; with KAFKA_BROKERS their events take the way through topics. Invented
 * streams go only where nobody else's are: to a server on the word of `--generate`, and never into a log or topic that holds others.
 */
export async function dev_verb(shell: Shell, { generate, domains, alone }: DevOptions): Promise<void> {
  if (domains !== undefined && alone) {
    throw new UsageError("dev: --domain names one domain, --domains several; give one of the two");
  }
  const { config } = shell, shells = domains === undefined ? [shell] as const : shells_of(shell, names_of(domains));
  const servers = [
    ...(config.database_url === null ? [] : ["DATABASE_URL"]),
    ...(config.kafka_brokers === null ? [] : ["KAFKA_BROKERS"]),
  ];
  if (servers.length > 0 && !generate && config.rate > 0) {
    throw new UsageError(
      `dev: ${servers.join(" and ")} ${
        servers.length === 1 ? "is" : "are"
      } set (in the environment or .env), and dev ` +
        `would write generated ${shells.map(({ domain: { name } }) => name).join(" and ")} there: ` +
        "`tacho serve` serves your own, `tacho dev --generate` lets the generator write",
    );
  }
  const instead = new Map<string, string>();
  await serve(shells, {
    feeding: async (shell, opened, refused) => {
      const { domain: { name, noun }, config: { kafka_brokers, rate } } = shell;
      const foreign = await foreign_stream(opened.database, opened.domain, generator_of(shell.domain));
      if (foreign !== null && generate) throw holds_others(shell, "the log", foreign);
      if (kafka_brokers !== null) {
        const source = kafka_source(shell, opened.log_id, refused);
        if (rate === 0) return { name: "kafka", source };
        return { name: "kafka", source, beside: (signal, reading) => into_topic(shell, opened, reading, signal) };
      }
      if (foreign !== null) {
        const why = `the log holds other ${name}`;
        shell.logger.log("warn", "nothing is generated", {
          why,
          [noun]: foreign,
          advice: "set another TACHO_DATA_DIR",
        });
        instead.set(
          name,
          `${OF_THE_LOG}: ${why}, such as ${JSON.stringify(foreign)}; TACHO_DATA_DIR=other has room for generated ones`,
        );
      }
      if (foreign !== null || rate === 0) return no_feeding();
      const queue = new QueueSource({
        topic: "generator",
        cluster_id: "embedded",
        bound: { messages: QUEUED, bytes: 16 << 20 },
        clock: system_clock,
      });
      return { name: "generator", source: queue, beside: (signal) => into_queue(shell, opened, queue, signal) };
    },
    ready: (url) => console.log(welcome(shells, url, instead)),
  });
}

/** The domains that an option names. Throws UsageError where one is not known or named twice. */
function names_of(option: string): readonly string[] {
  const known = DOMAINS.map(({ name }) => name);
  const names = option === "all" ? known : option.split(",").map((name) => name.trim());
  if (names.some((name) => !known.includes(name)) || new Set(names).size < names.length) {
    throw new UsageError(`dev --domains: expected all, or some of ${known.join(",")}; got ${JSON.stringify(option)}`);
  }
  return names;
}

const holds_others = ({ domain: { name } }: Shell, where: string, foreign: string) =>
  new UsageError(
    `dev: ${where} holds other ${name} than the generator's, such as ${
      JSON.stringify(foreign)
    }; nothing is generated there: \`tacho serve\` serves them; ` +
      `for generated ${name} name another database and topic (DATABASE_URL, TACHO_TOPICS)`,
  );

async function generate(shell: Shell, { database, domain }: Opened, sink: Sink, signal: AbortSignal): Promise<void> {
  const { seed, rate, currency, time_zone } = shell.config, generator = generator_of(shell.domain);
  const options = { seed, rate: rate * generator.per_rate, currency, time_zone, history_hours: HISTORY_HOURS };
  await run_generator(await continue_messages(database, domain, generator, options), sink, signal);
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

const OF_THE_LOG = "those of the log; nothing is generated";

/** Where a domain's streams come from, when nothing is in the way. */
function streams_of({ config: { kafka_brokers, topics, rate }, domain: { name } }: Shell): string {
  if (kafka_brokers !== null) {
    const by = rate === 0 ? "those of" : `generated ${name} through`;
    return `${by} Kafka at ${kafka_brokers.join(", ")}, topic ${topics[0]}`;
  }
  return rate === 0 ? OF_THE_LOG : `generated ${name} through an in-process queue (set KAFKA_BROKERS for Kafka)`;
}

/** What `dev` says when the pages can be opened. `instead` has, by domain, where its streams come from other than planned. */
function welcome(shells: readonly [Shell, ...Shell[]], url: string, instead: ReadonlyMap<string, string>): string {
  const [{ config, domain: first }, ...others] = shells;
  const database = config.database_url === null
    ? `embedded PostgreSQL in ${config.data_dir}/ (set DATABASE_URL for a server)`
    : "the server of DATABASE_URL";
  const page = (domain: Shell["domain"]) => `${url.slice(0, -1)}${base_of(domain)}/`;
  const streams = shells.map((shell) => {
    const { domain } = shell, from = instead.get(domain.name) ?? streams_of(shell);
    return `  ${domain.name.padEnd(22)}${others.length === 0 ? "" : `${page(domain)}  `}${from}`;
  });
  return [
    "",
    `  tacho is live at ${page(first)}`,
    "",
    `  log and read models   ${database}`,
    ...streams,
    "  real servers          DATABASE_URL=postgres://… KAFKA_BROKERS=host:9092 deno task start",
    "  stop                  Ctrl-C; the next start goes on where this one ends",
    "",
  ].join("\n");
}
