import { blames_no_data, type Database, sqlstate, type Transaction } from "../database/mod.ts";
import { type Domain, type Lacks, NOTHING } from "../domains/mod.ts";
import {
  append,
  type Appended,
  type Batch,
  type CursorAdvance,
  DeploymentMismatch,
  EventRows,
  type Head,
  Overtaken,
  read_kept,
  resettled,
  type StreamState,
  StreamStates,
} from "../event_log/mod.ts";
import { ALL_KEPT, type Days, type Kept } from "../kpi/mod.ts";
import { type EncodedReadModels, ReadModels } from "../projection/mod.ts";
import { turns_every } from "../runtime/mod.ts";
import { Aliases } from "./aliases.ts";
import { decode_batches, type Decoded, type DecodeLimits, type TopicMappings } from "./decode/mod.ts";
import type { SourceBatch } from "./message_source.ts";
import { type Plan, Planning } from "./plan.ts";
import { type StoredEvent, StreamCache } from "./working_stream.ts";

/** Planning works for as long at a stretch: the append of the batch before, heartbeats to Kafka, the page and probes wait meanwhile. */
const TURN_MS = 4;
/**
 * Other domains' batches have some ten answers of the database to wait for, each from one stretch to the next: beside them a pipeline works for
 * shorter ones and lets go by a timer. Beside a backlog of 200,000 messages, on two quiet cores, events of the other domain were on the board after
 * 0.3 to 0.5 s (p50) and 1.0 to 1.9 s (p99); the backlog was read as fast as without.
 */
const BESIDE_OTHERS_MS = 2;
const by_timer = (go_on: () => void) => setTimeout(go_on, 0);

/** What the pipeline needs to know. */
export interface PipelineOptions {
  readonly database: Database;
  readonly domain: Domain;
  readonly days: Days;
  readonly limits: DecodeLimits;
  readonly mappings?: TopicMappings | undefined;
  /** What messages come to, where they are no messages of producers; absent: what decoding makes of them. */
  readonly decode?: (batches: readonly SourceBatch[]) => Decoded[];
  readonly code_version: string;
  /** Streams kept in memory; more than two batches hold. */
  readonly cache_streams: number;
  readonly now_ms: () => number;
  /** As of how many changes of the log's settings domain and days are; absent: as of those that there were. */
  readonly resettled?: number;
  /** Whether other domains work on this thread; absent: none does. */
  readonly beside_others?: boolean;
  /** What the log lacks as long as no other read model than this one was switched in; absent: nothing. */
  readonly lacking?: { readonly lacks: Lacks; readonly read_model: number } | undefined;
}

/** A batch that is planned and not yet committed. */
export interface PlannedBatch {
  readonly batches: readonly SourceBatch[];
  /** Without its changes of cells, which are written out: they are most of its memory. */
  readonly plan: Omit<Plan, "changes">;
  /** How many cells, of the finest grains, and bins of sketches it changes. */
  readonly cells: number;
  readonly batch: Batch;
  readonly read_models: EncodedReadModels;
}

/**
 * From source messages to a committed transaction, in two stages that may overlap: while the database works on one batch, the
 * next is planned on top of what that one will have written (the stream cache). That is sound only while every commit
 * succeeds in order: after a failure, call `forget` and plan again from what is committed.
 */
export class Pipeline {
  readonly #options: PipelineOptions;
  readonly #streams: StreamStates;
  #read_models: ReadModels;
  readonly #cache: StreamCache;
  /** The log's, as it was last told. */
  #watermark_us: number | null = null;
  /** The greatest event times of what is planned and not committed, in that order. */
  #planned_us: (number | null)[] = [];
  #appending: Promise<unknown> = Promise.resolve();
  readonly #aliases: Aliases;
  /** As of how many forgotten persons they are; null: the log has ids. */
  #forgotten: number | null = null;
  #kept: Kept = ALL_KEPT;
  #read_model = 0;
  readonly #turn: () => Promise<void>;

  constructor(options: PipelineOptions) {
    this.#options = options;
    this.#turn = options.beside_others === true ? turns_every(BESIDE_OTHERS_MS, by_timer) : turns_every(TURN_MS);
    this.#streams = new StreamStates(options.domain);
    this.#read_models = this.#models_of(this.#read_model);
    this.#cache = new StreamCache(options.cache_streams);
    this.#aliases = new Aliases(options.domain, Math.max(options.cache_streams, 10 * BLOCK_MESSAGES), options.now_ms);
  }

  /** Drops everything that is not committed, to go on from the log's head. Throws DeploymentMismatch where its settings are others by now. */
  forget(
    { watermark_us, forgotten, kept = ALL_KEPT, read_model = 0, resettled: by_now }:
      & Pick<Head, "watermark_us" | "forgotten">
      & Partial<Pick<Head, "kept" | "read_model" | "resettled">>,
  ): void {
    if (by_now !== undefined && by_now !== (this.#options.resettled ?? by_now)) throw resettled();
    this.#cache.clear();
    this.#watermark_us = watermark_us;
    this.#planned_us = [];
    this.#forgotten = forgotten;
    this.#kept = kept;
    if (read_model !== this.#read_model) this.#read_models = this.#models_of(read_model);
    this.#read_model = read_model;
    this.#aliases.clear();
  }

  /**
   * What writes a read model. One that lacks something is not written what it lacks, one that is switched in lacks nothing. A batch is appended to
   * the read model that it was planned for, or not at all (`Batch.read_model`): so what it changes is counted in the one that is live by then, as
   * that counts, and in the one that is made beside it by the events of the log, once each.
   */
  #models_of(read_model: number): ReadModels {
    const { domain, days, lacking } = this.#options;
    return new ReadModels(domain, days, lacking?.read_model === read_model ? lacking.lacks : NOTHING);
  }

  /**
   * Decodes and plans, in slices between which others have a turn. Reads streams and events that are not in memory.
   * @param failure what the messages are quarantined for, whatever they hold; undefined: nothing
   */
  async plan(
    batches: readonly SourceBatch[],
    cursors: readonly CursorAdvance[],
    cluster_id: string,
    failure?: unknown,
  ): Promise<PlannedBatch> {
    const { domain, days, now_ms, code_version } = this.#options;
    const recorded_at_us = now_ms() * 1000;
    const written = new EventRows(recorded_at_us);
    const planning = new Planning(
      domain,
      days,
      this.#reached_us(),
      (event, revision, metadata) => written.add(event, revision, metadata),
    );
    const streams = new Map<string, StreamState>();
    const aliases = this.#forgotten === null ? null : this.#aliases;
    aliases?.begin();
    for (const block of parts_of(batches, BLOCK_MESSAGES)) {
      const decoded: Decoded[][] = [];
      for (const slice of parts_of(block, SLICE_MESSAGES)) {
        decoded.push(failure === undefined ? this.#decode(slice) : accuse(slice, failure));
        await this.#turn();
      }
      const slices = aliases === null ? decoded : await aliases.replace(this.#options.database, decoded);
      await this.#load(slices, streams);
      for (const slice of slices) {
        const { stored, archived } = await this.#load_events(planning, slice, streams);
        planning.add(slice, streams, stored, archived);
        await this.#turn();
      }
    }
    const { changes, ...planned } = planning.finish();
    this.#cache.take(planned.streams, streams);
    this.#planned_us.push(planned.newest_us);
    const { messages_read, duplicates, tombstones, skipped, late, quarantined, newest_us, newest_of } = planned;
    const read_models = this.#read_models.encode(changes, this.#kept);
    await this.#turn();
    const batch = {
      cluster_id,
      cursors: newest_of.length === 0
        ? cursors
        : cursors.map((cursor) => ({ ...cursor, ...newest_at(newest_of, cursor) })),
      messages_read,
      duplicates,
      tombstones,
      skipped,
      late,
      persons: aliases?.take(planned.events) ?? [],
      forgotten: this.#forgotten,
      kept: this.#kept,
      read_model: this.#read_model,
      rows: written.rows,
      content: written.digest(),
      streams: this.#streams.encode(planned.streams),
      quarantined,
      newest_us,
      code_version,
      recorded_at_us,
    };
    return { batches, plan: planned, cells: changes.size, batch, read_models };
  }

  /** Decodes, each message by the mapping of its topic where that has one. */
  #decode(batches: readonly SourceBatch[]): Decoded[] {
    const { domain, limits, mappings, decode, now_ms } = this.#options;
    if (decode !== undefined) return decode(batches);
    return decode_batches(domain, { ...limits, read_ms: now_ms() }, batches, mappings);
  }

  /** How far event time has come with all that is planned; null when no event is. */
  #reached_us(): number | null {
    return [this.#watermark_us, ...this.#planned_us].reduce((greatest, us) =>
      us !== null && (greatest === null || us > greatest) ? us : greatest
    );
  }

  /** Completes the streams of a batch by those of some slices. */
  async #load(
    slices: readonly (readonly Decoded[])[],
    streams: Map<string, StreamState>,
  ): Promise<void> {
    const missing = new Set<string>();
    for (const { outcome } of slices.flat()) {
      if (!("event" in outcome)) continue;
      const { stream_id } = outcome.event;
      if (streams.has(stream_id) || missing.has(stream_id)) continue;
      const stream = this.#cache.get(stream_id);
      if (stream === undefined) missing.add(stream_id);
      else streams.set(stream_id, stream);
    }
    if (missing.size === 0) return;
    for (const [id, stream] of await this.#streams.load(this.#options.database, [...missing])) streams.set(id, stream);
  }

  async #load_events(
    planning: Planning,
    decoded: readonly Decoded[],
    streams: ReadonlyMap<string, StreamState>,
  ): Promise<{ readonly stored: ReadonlyMap<number, StoredEvent>; readonly archived: number }> {
    let { positions, unsettled } = planning.survey(decoded, streams);
    if (unsettled) {
      // An event of the batch that is being appended is needed: its position is known, in the streams that are held here, once that is through.
      await this.#appending;
      ({ positions, unsettled } = planning.survey(decoded, streams));
      if (unsettled) throw new Error("plan: an event that is needed has no position after its batch was appended");
    }
    if (positions.length === 0) return { stored: NO_EVENTS, archived: 0 };
    const { database } = this.#options, { events, archived } = await read_kept(database, positions);
    let known: readonly StoredEvent[] = events;
    if (this.#forgotten !== null) {
      const again = new Set(decoded.flatMap(({ outcome }) => "event" in outcome ? [outcome.event.event_id] : []));
      known = await this.#aliases.stored(database, events, again);
    }
    return { stored: new Map(known.map((event) => [event.position, event])), archived };
  }

  /**
   * Commits a planned batch; batches are committed in the order they were planned. May be called again after an outage.
   * @param after the position that it has to follow; absent: any. Where the log has gone on, Overtaken is thrown and nothing is written
   */
  append(planned: PlannedBatch, after?: number): Promise<Appended> {
    const project = (tx: Transaction, before_first: number) => {
      if (after !== undefined && before_first !== after) {
        throw new Overtaken(`append after position ${after}: the log is at ${before_first}`);
      }
      return this.#read_models.write(tx, planned.read_models, before_first);
    };
    return append(this.#options.database, this.#streams, planned.batch, project).then((result) => {
      this.#cache.settle(planned.plan.streams, result.before_first);
      // Told by the head and not worked out here: other instances append too, and somebody may have set it back.
      this.#watermark_us = result.watermark_us;
      this.#planned_us.shift();
      return result;
    });
  }

  /** Lets plans that need events of the batch being appended wait for it; `done` settles when it is through, however often it was tried. */
  appending(done: Promise<unknown>): void {
    this.#appending = done;
  }
}

const NO_EVENTS: ReadonlyMap<number, StoredEvent> = new Map();

/** What a batch admits from a cursor's partition, as far as event time goes. */
function newest_at(
  newest_of: Plan["newest_of"],
  { topic, partition }: CursorAdvance,
): Pick<CursorAdvance, "newest_us"> {
  const own = newest_of.find((each) => each.partition === partition && each.topic === topic);
  return own === undefined ? {} : { newest_us: own.newest_us };
}

/** Messages whose streams are read together. */
const BLOCK_MESSAGES = 2_000;
/** Messages that are worked on without a turn for others: a millisecond or two. */
const SLICE_MESSAGES = 100;

/** Cuts batches into parts of at most so many messages. */
function* parts_of(batches: readonly SourceBatch[], most: number): Generator<SourceBatch[]> {
  let part: SourceBatch[] = [], room = most;
  for (const batch of batches) {
    for (let from = 0; from < batch.messages.length;) {
      const messages = batch.messages.slice(from, from + room);
      part.push({ ...batch, messages });
      from += messages.length;
      room -= messages.length;
      if (room > 0) continue;
      yield part;
      part = [];
      room = most;
    }
  }
  if (part.length > 0) yield part;
}

/** Every message of the batches as a fault that the failure explains. */
export function accuse(batches: readonly SourceBatch[], failure: unknown): Decoded[] {
  const state = sqlstate(failure);
  const detail = failure instanceof Error ? failure.message : String(failure);
  const fault = { reason: state === null ? "unknown_failure" : `sqlstate_${state}`, path: null, detail };
  return batches.flatMap(({ messages }) =>
    messages.map((message) => ({ message, outcome: { fault, stage: "append" as const } }))
  );
}

/**
 * What came of an attempt to commit: it is done; another process was faster, so that what it was planned from has to be read anew; or it failed
 * for a reason that nobody foresaw, and something in it is to blame. Where nothing in it is to blame (an outage, another schema, other settings) it throws.
 */
export type Attempt<Result> =
  | { readonly outcome: "done"; readonly result: Result }
  | { readonly outcome: "overtaken"; readonly reason: string }
  | { readonly outcome: "failed"; readonly error: unknown };

/** What came of work, which throws where it is not done. */
export async function attempted<Result>(work: () => Promise<Result>): Promise<Attempt<Result>> {
  try {
    return { outcome: "done", result: await work() };
  } catch (error) {
    if (error instanceof Overtaken) return { outcome: "overtaken", reason: error.message };
    if (blames_no_data(error) || error instanceof DeploymentMismatch) throw error;
    return { outcome: "failed", error };
  }
}

/**
 * Commits items, all at once if that works. If it fails they are worked off in halves, one after the other, until the culprit is alone: that one
 * is attempted once more with the failure it is blamed for, which sets it aside. Throws the failure of that, and what an attempt throws.
 * @param attempt commits its items, in one transaction; `blamed` undefined: they go the normal way
 * @returns what came of each part, in order; or that a part was overtaken: then what comes after it was not attempted
 */
export async function commit_in_halves<Item, Result>(
  items: readonly Item[],
  attempt: (items: readonly Item[], blamed: unknown) => Promise<Attempt<Result>>,
): Promise<Exclude<Attempt<readonly Result[]>, { outcome: "failed" }>> {
  const results: Result[] = [];
  const waiting: (readonly Item[])[] = [items];
  for (let part = waiting.pop(); part !== undefined; part = waiting.pop()) {
    let came = await attempt(part, undefined);
    if (came.outcome === "failed" && part.length > 1) {
      const middle = part.length >> 1;
      waiting.push(part.slice(middle), part.slice(0, middle));
      continue;
    }
    if (came.outcome === "failed") came = await attempt(part, came.error);
    if (came.outcome === "failed") throw came.error;
    if (came.outcome === "overtaken") return came;
    results.push(came.result);
  }
  return { outcome: "done", result: results };
}
