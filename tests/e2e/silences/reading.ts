import assert from "node:assert/strict";
import { type KafkaOptions, type KafkaSettings, KafkaSource } from "../../../src/ingest/kafka/mod.ts";
import { system_clock } from "../../../src/runtime/mod.ts";
import type { FaultProxy } from "../../support/fault_proxy.ts";
import type { FaultyKafka } from "../../support/faulty_kafka.ts";
import { unique_name } from "../../support/kafka.ts";
import { numbers, options_of, produce } from "../../support/kafka_topic.ts";
import { SourceReader, TestBook, text_of } from "../../support/read_source.ts";
import { until } from "../../support/until.ts";

/** What is promised: messages again, or an end with a reason, within this time. */
export const WITHIN_MS = 30_000;

/** One silence, on a broker that is shared and a way to it that is not. */
export type Silence = (kafka: FaultyKafka, proxy: FaultProxy) => Promise<void>;

const never = new AbortController().signal;

/** A source with the settings of production, by a way that can be disturbed. */
export class Reading implements AsyncDisposable {
  readonly topic = unique_name("silence");
  readonly book = new TestBook();
  /** The reasons it gave, and the states without one. */
  readonly told: string[] = [];
  readonly direct: KafkaOptions;
  readonly source: KafkaSource;
  readonly reader: SourceReader;
  #produced = 0;

  constructor(kafka: FaultyKafka, brokers: string, settings: Partial<KafkaSettings> = {}) {
    this.direct = options_of(kafka.server.brokers, this.topic);
    const on_state: KafkaSettings["on_state"] = ({ state, reason }) => this.told.push(reason ?? state);
    this.source = new KafkaSource({ ...this.direct, brokers: [brokers] }, system_clock, { ...settings, on_state });
    this.reader = new SourceReader(this.source, this.book);
  }

  /** Puts so many further messages on the topic. */
  async produce(count: number): Promise<void> {
    await produce_patiently(this.direct, numbers(this.#produced, this.#produced + count));
    this.#produced += count;
  }

  /** Puts some messages on the topic and reads them: it works. */
  async begin(): Promise<void> {
    await this.produce(10);
    await this.source.open(this.book, never);
    await this.reads_on(0);
  }

  /** The messages from `from` on come within the time, each once and in order. */
  async reads_on(from = 10): Promise<void> {
    const read = await this.reader.read(this.#produced - from);
    assert.deepEqual(read.map(text_of), numbers(from, this.#produced));
    await until("it says that it runs", () => this.source.state().state === "running");
  }

  /** Why it gave consumers up. That it waits for an answer for a while is no such reason. */
  get given_up(): string[] {
    return this.told.filter((reason) => reason !== "running" && !/^(?:the|broker) .* for \d+ s$/.test(reason));
  }

  /** It says that it waits, and why. */
  async waits(why: RegExp): Promise<void> {
    await until(`it waits: ${why}`, () => {
      const { state, reason } = this.source.state();
      if (state !== "waiting" || !why.test(reason)) throw new Error(`it is ${state}: ${reason}`);
      return true;
    }, WITHIN_MS);
  }

  /** It gave up for good, and says why. */
  async fails(why: RegExp): Promise<void> {
    await until(`it fails: ${why}`, () => {
      const { state, reason } = this.source.state();
      if (state !== "failed" || !why.test(reason)) throw new Error(`it is ${state}: ${reason}`);
      return true;
    }, WITHIN_MS);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.source.close();
  }
}

/** Makes the topic, then produces: a broker that makes many topics at once may deny one that it made a moment ago. */
export async function produce_patiently(options: KafkaOptions, values: readonly string[]): Promise<void> {
  await until("the topic is there", () => produce(options, []).then(() => true));
  await produce(options, values);
}
