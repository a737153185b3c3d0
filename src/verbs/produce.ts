import type { GeneratedMessage, Generator } from "../domains/mod.ts";
import { DOMAINS } from "./domains.ts";
import { system_clock } from "../runtime/mod.ts";
import { as_bytes, event_clock, generator_of, prefix_of, run_generator } from "./generate.ts";
import { with_producer } from "./open.ts";
import { ProgressLine } from "./terminal.ts";
import { type Shell, UsageError } from "./shell.ts";

/** Options of `tacho produce`, as the command line gives them; those that are not named here are wishes of the domain's generator. */
export interface ProduceOptions extends Readonly<Record<string, unknown>> {
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
