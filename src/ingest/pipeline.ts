import { type Database, type Transaction } from "../database/mod.ts";
import type { Domain } from "../domains/mod.ts";
import {
  append,
  type Appended,
  type Batch,
  content_hash,
  type CursorAdvance,
  event_line,
  read_at,
  type RecordedEvent,
  type StreamState,
  StreamStates,
} from "../event_log/mod.ts";
import { type Days, format_time } from "../kpi/mod.ts";
import { type EncodedReadModels, ReadModels } from "../projection/mod.ts";
import { decode_batches, type Decoded, type DecodeLimits } from "./decode.ts";
import type { TopicMappings } from "./mapped.ts";
import type { SourceBatch } from "./message_source.ts";
import { type Plan, plan } from "./plan.ts";
import { StreamCache } from "./stream_cache.ts";
import { survey } from "./survey.ts";

/** What the pipeline needs to know. */
export interface PipelineOptions<Payload, State> {
  readonly database: Database;
  readonly domain: Domain<Payload, State>;
  readonly days: Days;
  readonly limits: DecodeLimits;
  readonly mappings?: TopicMappings;
  readonly code_version: string;
  /** Streams kept in memory; more than two batches hold. */
  readonly cache_streams: number;
  readonly now_ms: () => number;
}

/** A batch that is planned and not yet committed. */
export interface PlannedBatch<State> {
  readonly batches: readonly SourceBatch[];
  readonly plan: Plan<State>;
  readonly batch: Batch;
  readonly read_models: EncodedReadModels;
  /** For how long decoding and planning kept the process busy, milliseconds. */
  readonly busy_ms: number;
}

/**
 * From source messages to a committed transaction, in two stages that may overlap: while the database works on one batch, the
 * next is planned on top of what that one will have written (the stream cache). That is sound only while every commit
 * succeeds in order: after a failure, call `forget` and plan again from what is committed.
 */
export class Pipeline<Payload, State> {
  readonly #options: PipelineOptions<Payload, State>;
  readonly #streams: StreamStates<State>;
  readonly #read_models: ReadModels;
  readonly #cache: StreamCache<State>;
  /** The log's, as it was last told. */
  #watermark_us: number | null = null;
  /** The greatest event times of what is planned and not committed, in that order. */
  #planned_us: (number | null)[] = [];
  #appending: Promise<unknown> = Promise.resolve();

  constructor(options: PipelineOptions<Payload, State>) {
    this.#options = options;
    this.#streams = new StreamStates(options.domain);
    this.#read_models = new ReadModels(options.domain, options.days);
    this.#cache = new StreamCache(options.cache_streams);
  }

  /** Drops everything that is not committed; `watermark_us` is the log's. */
  forget(watermark_us: number | null): void {
    this.#cache.clear();
    this.#watermark_us = watermark_us;
    this.#planned_us = [];
  }

  /** Decodes, each message by the mapping of its topic where that has one. */
  decode(batches: readonly SourceBatch[]): Decoded<Payload>[] {
    const { domain, limits, mappings, now_ms } = this.#options;
    return decode_batches(domain, { ...limits, read_ms: now_ms() }, batches, mappings);
  }

  /**
   * Decodes, unless that is done, and plans. Reads streams and events that are not in memory.
   * @param given the batches, decoded
   */
  async plan(
    batches: readonly SourceBatch[],
    cursors: readonly CursorAdvance[],
    cluster_id: string,
    given?: readonly Decoded<Payload>[],
  ): Promise<PlannedBatch<State>> {
    const { domain, days, now_ms, code_version } = this.#options;
    const began_ms = now_ms();
    const decoded = given ?? this.decode(batches);
    const decoded_ms = now_ms();
    const streams = await this.#load(decoded);
    const stored = await this.#load_events(decoded, streams);
    const loaded_ms = now_ms();
    const planned = plan(domain, { decoded, streams, stored, days, watermark_us: this.#reached_us() });
    this.#cache.take(planned.streams, streams);
    this.#planned_us.push(planned.newest_us);
    const { messages_read, duplicates, tombstones, skipped, late, quarantined, newest_us } = planned;
    const recorded_at_us = now_ms() * 1000;
    const recorded_at = format_time(recorded_at_us);
    const lines = planned.events.map((event) => event_line(event, recorded_at));
    const batch = {
      cluster_id,
      cursors,
      messages_read,
      duplicates,
      tombstones,
      skipped,
      late,
      lines,
      content: content_hash(lines),
      streams: this.#streams.encode(planned.streams),
      quarantined,
      newest_us,
      code_version,
      recorded_at_us,
    };
    const read_models = this.#read_models.encode(planned.changes);
    return { batches, plan: planned, batch, read_models, busy_ms: decoded_ms - began_ms + now_ms() - loaded_ms };
  }

  /** How far event time has come with all that is planned; null when no event is. */
  #reached_us(): number | null {
    return [this.#watermark_us, ...this.#planned_us].reduce((greatest, us) =>
      us !== null && (greatest === null || us > greatest) ? us : greatest
    );
  }

  async #load(decoded: readonly Decoded<Payload>[]): Promise<Map<string, StreamState<State>>> {
    const streams = new Map<string, StreamState<State>>();
    const missing = new Set<string>();
    for (const { outcome } of decoded) {
      if (!("event" in outcome)) continue;
      const { stream_id } = outcome.event;
      if (streams.has(stream_id) || missing.has(stream_id)) continue;
      const stream = this.#cache.get(stream_id);
      if (stream === undefined) missing.add(stream_id);
      else streams.set(stream_id, stream);
    }
    if (missing.size > 0) {
      for (const [id, stream] of await this.#streams.load(this.#options.database, [...missing])) {
        streams.set(id, stream);
      }
    }
    return streams;
  }

  async #load_events(
    decoded: readonly Decoded<Payload>[],
    streams: Map<string, StreamState<State>>,
  ): Promise<Map<number, RecordedEvent>> {
    let { positions, unsettled } = survey(decoded, streams);
    if (unsettled) {
      // An event of the batch that is being appended is needed: its position is known once that is through.
      await this.#appending;
      for (const id of streams.keys()) streams.set(id, this.#cache.get(id) ?? streams.get(id)!);
      ({ positions, unsettled } = survey(decoded, streams));
      if (unsettled) throw new Error("plan: an event that is needed has no position after its batch was appended");
    }
    if (positions.length === 0) return new Map();
    const events = await read_at(this.#options.database, positions);
    return new Map(events.map((event) => [event.position, event]));
  }

  /** Commits a planned batch; batches are committed in the order they were planned. May be called again after an outage. */
  append(planned: PlannedBatch<State>): Promise<Appended> {
    const project = (tx: Transaction, before_first: number) =>
      this.#read_models.write(tx, planned.read_models, before_first);
    const appended = append(this.#options.database, this.#streams, planned.batch, project).then((result) => {
      this.#cache.settle(planned.plan.streams, result.before_first);
      // Told by the head and not worked out here: other instances append too, and somebody may have set it back.
      this.#watermark_us = result.watermark_us;
      this.#planned_us.shift();
      return result;
    });
    return appended;
  }

  /** Lets plans that need events of the batch being appended wait for it; `done` settles when it is through, however often it was tried. */
  appending(done: Promise<unknown>): void {
    this.#appending = done;
  }
}
