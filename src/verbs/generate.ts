import type {
  DeclaredDomain,
  Domain,
  GeneratedMessage,
  GeneratedMessages,
  Generator,
  GeneratorPlan,
  GeneratorRun,
} from "../domains/mod.ts";
import { base_of, DOMAINS } from "./domains.ts";
import { system_clock, wait } from "../runtime/mod.ts";
import { kafka_source, type Opened, with_producer } from "./open.ts";
import { ProgressLine, type Shell, shells_of, UsageError } from "./shell.ts";
import type { Database } from "../database/mod.ts";
import { read_head, StreamStates } from "../event_log/mod.ts";
import { QueueSource } from "../ingest/mod.ts";
import { no_feeding, type Reading } from "./parts/mod.ts";
import { serve } from "./serve.ts";

/**
 * Generated events: how a generator runs by the clock and goes on where a log ends, `tacho produce`, which sends them to a topic, and `tacho dev`,
 * which serves with them.
 */

/** Where generated messages go, in order; resolves when there is room for more. */
type Sink = (messages: readonly GeneratedMessage[]) => Promise<void>;

const encoder = new TextEncoder();

/** Generated messages as bytes, with the time they are sent as the broker's. */
export const as_bytes = (messages: readonly GeneratedMessage[]) =>
  messages.map(({ key, value, deliver_us }) => ({
    key: encoder.encode(key),
    value: encoder.encode(value),
    timestamp_ms: Math.floor(deliver_us / 1000),
  }));

const SLICE = 1_000;
const TICK_MS = 100;

/**
 * The clock that a generator follows, microseconds: from `start_us` on `speed` times as fast as the real one until it has reached that, then with it.
 * Never ahead of it: brokers and tacho refuse what is far in the future. With infinite speed it is the real one.
 */
export function event_clock(start_us: number, speed: number, now_ms: () => number): () => number {
  const began_ms = now_ms();
  return () => {
    const now = now_ms();
    const passed_us = speed === Infinity ? Infinity : (now - began_ms) * 1_000 * speed;
    return Math.min(now * 1_000, start_us + passed_us);
  };
}

/**
 * Lets a generator go on: what is due by the clock goes to the sink, what is due already as fast as the sink takes it.
 * @param options.limit messages after which it ends
 * @param options.now_us the clock it follows; the real one unless given
 * @returns how many were sent
 */
async function run_generator(
  stream: GeneratedMessages,
  sink: Sink,
  signal: AbortSignal,
  { limit = Infinity, now_us = () => system_clock.now_ms() * 1_000 }: {
    readonly limit?: number;
    readonly now_us?: () => number;
  } = {},
): Promise<number> {
  let sent = 0;
  while (!signal.aborted && sent < limit) {
    const due = stream.take_due(now_us(), Math.min(SLICE, limit - sent));
    if (due.length > 0) await sink(due);
    sent += due.length;
    if (due.length < SLICE && sent < limit) await wait(TICK_MS, signal).catch(() => {});
  }
  return sent;
}

/** The generator of a domain. Throws UsageError where it has none. */
export function generator_of({ name, generator }: DeclaredDomain): Generator {
  if (generator === null) throw new UsageError(`no generator of ${name} comes with the program`);
  return generator;
}

/**
 * The ids of generated streams, as a regular expression of both JavaScript and PostgreSQL: a run's prefix, which is a time of 2024 or later
 * (`run_prefix`) or a hash (`prefix_of`), in base 36 and with a letter, and the stream's number.
 */
export const generated_id = ({ letter }: Pick<Generator, "letter">): string =>
  `^${letter}(?=[0-9]*[A-Z])([S-Z][0-9A-Z]{5}|1[0-9A-Z]{6}|[0-9A-Z]{8})-[0-9]+$`;

/**
 * A stream of the log that no generator made; null when there is none. Reads all ids where all are generated.
 * @param topic what is in quarantine of this topic counts too: the generator's messages never get there
 */
async function foreign_stream(
  database: Database,
  { tables: { states }, stream_column }: Pick<Domain, "tables" | "stream_column">,
  generator: Pick<Generator, "letter">,
  topic: string | null = null,
): Promise<string | null> {
  const [row] = await database.query(
    `(select ${stream_column} as id from ${states} where ${stream_column} !~ $1 limit 1) union all
    (select coalesce(encode(substring(message_key from 1 for 100), 'escape'), 'a message without key') from quarantine
      where topic = $2 and (message_key is null or encode(message_key, 'escape') !~ $1) limit 1) limit 1`,
    [generated_id(generator), topic],
  );
  return row === undefined ? null : String(row.id);
}

/** A prefix for ids of streams that no earlier run used: the time of its start. */
export const run_prefix = ({ letter }: Pick<Generator, "letter">, now_ms: number): string =>
  `${letter}${Math.floor(now_ms / 1000).toString(36).toUpperCase()}-`;

/**
 * A prefix for ids of streams that follows from everything its streams follow from, and from nothing else: the same run again sends the same
 * events, another one shares no stream with it. Late, duplicate and malformed messages are laid over the same streams.
 */
export async function prefix_of(
  { letter }: Pick<Generator, "letter">,
  plan: Partial<GeneratorPlan> & Pick<GeneratorRun, "time_zone">,
): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(JSON.stringify(plan)));
  return `${letter}${new DataView(digest).getBigUint64(0).toString(36).toUpperCase().slice(-8).padStart(8, "0")}-`;
}

/**
 * The messages that go on where the log ends: open streams are finished, the time since then (at most `history_hours`) is filled.
 */
async function continue_messages(
  database: Database,
  domain: Domain,
  generator: Generator,
  options: Omit<GeneratorPlan, "start_us"> & { readonly time_zone: string; readonly history_hours: number },
): Promise<GeneratedMessages> {
  const now_ms = system_clock.now_ms();
  const { seed, rate, currency, time_zone, history_hours } = options;
  const earliest_us = (now_ms - history_hours * 3_600_000) * 1000;
  const { watermark_us } = await read_head(database);
  const start_us = Math.floor(Math.max(earliest_us, Math.min(watermark_us ?? earliest_us, now_ms * 1000)));
  return generator.messages({ seed, rate, currency, start_us }, {
    time_zone,
    prefix: run_prefix(generator, now_ms),
    open: await open_streams(database, domain, generator),
    late: 0.01,
    duplicates: 0.005,
  });
}

const MOST_OPEN = 10_000;

/** The streams that go on, those with the newest events first. */
async function open_streams(
  database: Database,
  domain: Domain,
  { open }: Pick<Generator, "open">,
): Promise<NonNullable<GeneratorRun["open"]>> {
  const { tables: { states }, stream_column } = domain;
  const rows = await database.query(
    `select ${stream_column} as id from ${states} where ${open} order by last_occurred_at desc limit ${MOST_OPEN}`,
  );
  const ids = rows.map(({ id }) => String(id));
  const streams = await new StreamStates(domain).load(database, ids);
  return ids.flatMap((stream_id) => {
    const stream = streams.get(stream_id);
    return stream === undefined ? [] : [{ stream_id, state: stream.state }];
  });
}

/** Options of `tacho produce`, as the command line gives them; those that are not named here are wishes of the domain's generator. */
interface ProduceOptions extends Readonly<Record<string, unknown>> {
  readonly rate: number;
  readonly seed: number;
  readonly late: number;
  readonly duplicates: number;
  readonly malformed: number;
  /** How long ago it begins, microseconds. */
  readonly history?: number;
  /** When it begins, microseconds since the epoch. */
  readonly start?: number;
  /** How many times as fast as the clock the past goes by. */
  readonly speed: number;
  readonly count?: number;
  readonly topic?: string;
}

/** The wishes of the domains' generators that are theirs alone. */
export const own_shares = (): NonNullable<Generator["own_shares"]> =>
  DOMAINS.flatMap(({ generator }) => generator?.own_shares ?? []);

/** `tacho produce`: generated events to the topic, the past first, then by the clock, until a signal or `--count` messages. */
export async function produce_verb(shell: Shell, options: ProduceOptions): Promise<void> {
  const { config, signal } = shell;
  if (config.kafka_brokers === null) {
    throw new UsageError("produce: KAFKA_BROKERS is not set; name the brokers to send to");
  }
  const now_us = system_clock.now_ms() * 1_000;
  const start_us = options.start ?? Math.floor(now_us - (options.history ?? 0));
  if (start_us > now_us) {
    throw new UsageError(`produce: --start "${new Date(start_us / 1_000).toISOString()}" is in the future`);
  }
  const generator = generator_of(shell.domain);
  const { rate, seed, late, duplicates, malformed } = options, { currency, time_zone } = config;
  const plan = generator.plan({ rate, seed, currency, start_us }, options);
  const prefix = await prefix_of(generator, { ...plan, time_zone });
  const stream = generator.messages(plan, { time_zone, prefix, late, duplicates, malformed });
  await with_producer(shell, options.topic ?? config.topics[0]!, async (send) => {
    const progress = new ProgressLine("produce", options.count ?? null, system_clock.now_ms);
    const sink = async (messages: readonly GeneratedMessage[]) => {
      await send(as_bytes(messages));
      progress.add(messages.length);
    };
    const pace = { now_us: event_clock(start_us, options.speed, system_clock.now_ms) };
    const limit = options.count === undefined ? {} : { limit: options.count };
    await run_generator(stream, sink, signal, { ...pace, ...limit }).finally(() => progress.end());
  }, start_us / 1_000);
}

const HISTORY_HOURS = 6;
const LOOK_MS = 100;
const TOLD_MS = 10_000;
/** Few messages a transaction, so that the page fills from the first second on while the past is caught up with. */
const QUEUED = 2_000;

/** Options of `tacho dev`. */
interface DevOptions {
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
