import { type TripMessage, TripStream } from "../domains/trips/generator/mod.ts";
import { system_clock } from "../runtime/mod.ts";
import { as_bytes, city_for, event_clock, prefix_of, run_generator } from "./generate.ts";
import { with_producer } from "./open.ts";
import { ProgressLine } from "./progress_line.ts";
import { type Shell, UsageError } from "./shell.ts";

/** Options of `tacho produce`, as the command line gives them. */
export interface ProduceOptions {
  readonly rate: number;
  readonly seed: number;
  readonly variability: number;
  readonly late: number;
  readonly duplicates: number;
  readonly malformed: number;
  readonly corrections: number;
  readonly voids: number;
  readonly withoutFare: number;
  readonly anomalies: boolean;
  /** How long ago it begins, microseconds. */
  readonly history?: number;
  /** When it begins, microseconds since the epoch. */
  readonly start?: number;
  /** How many times as fast as the clock the past goes by. */
  readonly speed: number;
  readonly count?: number;
  readonly topic?: string;
}

/** `tacho produce`: generated trips to the topic, the past first, then by the clock, until a signal or `--count` messages. */
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
  const { rate, seed, variability, late, duplicates, malformed, corrections, anomalies } = options;
  const { voids, withoutFare: without_fare } = options;
  // What is not asked for is not named: the ids of trips follow from this.
  const endings = { ...voids > 0 ? { voids } : {}, ...without_fare > 0 ? { without_fare } : {} };
  const trips = { rate, seed, variability, corrections, anomalies, currency: config.currency, start_us, ...endings };
  const stream = new TripStream(city_for({ seed, rate, time_zone: config.time_zone, start_us }), {
    ...trips,
    late,
    duplicates,
    malformed,
    trip_prefix: await prefix_of({ ...trips, time_zone: config.time_zone }),
  });
  await with_producer(shell, options.topic ?? config.topics[0]!, async (send) => {
    const progress = new ProgressLine("produce", options.count ?? null, system_clock.now_ms);
    const sink = async (messages: readonly TripMessage[]) => {
      await send(as_bytes(messages));
      progress.add(messages.length);
    };
    const pace = { now_us: event_clock(start_us, options.speed, system_clock.now_ms) };
    const limit = options.count === undefined ? {} : { limit: options.count };
    await run_generator(stream, sink, signal, { ...pace, ...limit }).finally(() => progress.end());
  });
}
