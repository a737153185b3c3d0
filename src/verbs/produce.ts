import { type TripMessage, TripStream } from "../domains/trips/generator/mod.ts";
import { system_clock } from "../runtime/mod.ts";
import { as_bytes, city_for, run_generator, run_prefix } from "./generate.ts";
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
  readonly anomalies: boolean;
  readonly historyHours: number;
  readonly count?: number;
  readonly topic?: string;
}

/** `tacho produce`: generated trips to the topic, by the clock, until a signal or `--count` messages. */
export async function produce_verb(shell: Shell, options: ProduceOptions): Promise<void> {
  const { config, signal } = shell;
  if (config.kafka_brokers === null) {
    throw new UsageError("produce: KAFKA_BROKERS is not set; name the brokers to send to");
  }
  const topic = options.topic ?? config.topics[0]!;
  const now_ms = system_clock.now_ms();
  const { rate, seed, variability, late, duplicates, malformed, anomalies } = options;
  const stream = new TripStream(city_for({ seed, rate }), {
    rate,
    seed,
    variability,
    late,
    duplicates,
    malformed,
    anomalies,
    currency: config.currency,
    start_us: Math.floor((now_ms - options.historyHours * 3_600_000) * 1000),
    trip_prefix: run_prefix(now_ms),
  });
  await with_producer(shell, topic, async (send) => {
    const progress = new ProgressLine("produce", options.count ?? null, system_clock.now_ms);
    const sink = async (messages: readonly TripMessage[]) => {
      await send(as_bytes(messages));
      progress.add(messages.length);
    };
    await run_generator(stream, sink, signal, options.count).finally(() => progress.end());
  });
}
