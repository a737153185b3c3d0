import { type Database, sqlstate } from "../database/mod.ts";
import { type Batch, type CursorAdvance, read_cursors, read_head } from "../event_log/mod.ts";
import { backoff_ms, type Logger, wait } from "../runtime/mod.ts";
import { Cursors } from "./cursors.ts";
import { BeginAnew, HalveBatch, StopIngest, throw_unless_unknown } from "./failure.ts";
import { Halving } from "./halving.ts";
import type { MessageSource, SourceBatch } from "./message_source.ts";
import { Patience } from "./patience.ts";
import type { Pipeline, PlannedBatch } from "./pipeline.ts";
import { type IngestCounts, type IngestStatus, new_counts, SlidingSum, take_batch } from "./status.ts";

/** What the loop is made of. */
export interface IngestOptions<Payload, State> {
  readonly database: Database;
  readonly pipeline: Pipeline<Payload, State>;
  readonly cursors: Cursors;
  readonly source: MessageSource;
  readonly logger: Logger;
  /** The most of one batch. */
  readonly batch_limit: { readonly messages: number; readonly bytes: number };
  readonly quarantine_per_minute: number;
  readonly now_ms: () => number;
  /** In [0, 1): jitters waits. */
  readonly random: () => number;
  /** Hears of every committed batch, when it is counted, and how many seconds after its planning that was: a hint for the feed. */
  readonly committed: (seconds: number, batch: Batch) => void;
}

/**
 * So many messages are planned while another batch is being appended; fewer wait for its end. A transaction costs the same few milliseconds whatever
 * it holds, and to plan so many takes about as long as to append them.
 */
const WORTH_MESSAGES = 2_000;

/**
 * Cells and bins that a batch should not change many more of: all are held at once, and written out in a dozen arrays. Dense events change two
 * each, those of real files, minutes apart and all over a town, twenty.
 */
const MOST_CELLS = 60_000;
/** Messages of the first batch, of which nobody knows yet. */
const FIRST_MESSAGES = 8_000;
/** Fewer messages say little of the next ones, and are not worth a transaction of their own. */
const LEAST_MESSAGES = 500;

/**
 * How many messages to take at once, after a batch of so many that changed so many cells: as many as will change `MOST_CELLS`, at most twice as
 * many as before.
 * @param before how many might be taken before
 */
export function messages_after(before: number, messages: number, cells: number): number {
  if (messages < LEAST_MESSAGES) return before;
  const fit = Math.floor(messages * MOST_CELLS / Math.max(cells, 1));
  return Math.max(LEAST_MESSAGES, Math.min(fit, 2 * before));
}

/**
 * The ingest loop: takes what the source has, plans it while the batch before is being appended, appends.
 *
 * - Outage of the database: the batch waits and is tried again for ever, with capped, jittered backoff. Nothing is quarantined.
 * - Another process moved a cursor or a stream: roll back, forget, begin anew from the database.
 * - Unknown failure of a batch: halve it until the culprit is alone, quarantine that, go on.
 */
export class Ingest<Payload, State> {
  readonly #options: IngestOptions<Payload, State>;
  readonly counts: IngestCounts = new_counts();
  readonly #admitted = new SlidingSum(10);
  readonly #quarantined = new SlidingSum(60);
  /** How many messages are taken at once, if that many may be. */
  #messages = FIRST_MESSAGES;
  readonly #patience: Patience;
  readonly #halving: Halving<Payload, State>;
  #status: IngestStatus;

  constructor(options: IngestOptions<Payload, State>) {
    const { logger, now_ms, random } = options;
    this.#options = options;
    this.#patience = new Patience(logger, now_ms, random);
    this.#halving = new Halving({
      ...options,
      patience: this.#patience,
      committed: (planned) => this.#account(planned),
    });
    this.#status = { state: "starting", reason: null, since_ms: now_ms() };
  }

  /** What ingest is doing now; trouble of the database shows as paused, trouble of the source as paused or stopped. */
  status(): IngestStatus {
    const source = this.#options.source.state();
    if (this.#status.state === "running" || this.#status.state === "starting") {
      const trouble = this.#patience.trouble();
      if (trouble !== null) return { state: "paused", ...trouble };
      if (source.state === "starting") return { state: "starting", reason: null, since_ms: source.since_ms };
      if (source.state === "waiting") return { state: "paused", reason: source.reason, since_ms: source.since_ms };
      if (source.state === "gap" || source.state === "failed") {
        const { reason, since_ms } = source;
        return { state: "stopped", reason, since_ms, ...(source.state === "gap" ? { advice: source.advice } : {}) };
      }
      const remarks = this.#options.source.remarks();
      if (remarks.length > 0) return { ...this.#status, reason: remarks.map(({ text }) => text).join("; ") };
    }
    return this.#status;
  }

  /** Events admitted a second, over the last ten seconds. */
  events_per_s(): number {
    return this.#admitted.sum(this.#options.now_ms()) / 10;
  }

  /** At a gap: asks the database whether somebody accepted it, and goes on then. True when it did. */
  async resume_after_gap(): Promise<boolean> {
    const { source, cursors } = this.#options;
    const state = source.state();
    if (state.state !== "gap" || !await cursors.moved_across(state.gap)) return false;
    const { kind, topic, partition, cursor } = state.gap;
    this.#options.logger.log("warn", "the gap was accepted; going on", { kind, topic, partition, cursor });
    source.rewind();
    return true;
  }

  /** Runs until the signal: then the transaction under way is finished and nothing new begun. Rejects when ingest has to stop for good. */
  async run(signal: AbortSignal): Promise<void> {
    const { logger, source } = this.#options;
    try {
      await this.#begin(signal);
      await source.open(this.#options.cursors, signal);
      // Nothing new to read is no reason not to be running.
      this.#change("running", null);
      for (let in_vain = 0, batches = 0; !signal.aborted;) {
        try {
          await this.#run_in_order(signal);
        } catch (error) {
          if (signal.aborted) return;
          const failure = error instanceof HalveBatch ? await this.#work_off(error, signal) : error;
          if (!(failure instanceof BeginAnew)) throw failure;
          // Once is a rival being faster; again and again without a batch between, and the wait grows.
          in_vain = this.counts.batches === batches ? in_vain + 1 : 1;
          batches = this.counts.batches;
          logger.log("warn", "begin anew from the committed cursors", { reason: failure.message, in_vain });
          if (in_vain > 1) await wait(backoff_ms(in_vain - 1, this.#options.random()), signal);
          await this.#begin(signal);
          source.rewind();
        }
      }
    } catch (error) {
      if (signal.aborted && !(error instanceof StopIngest)) return;
      this.#change("stopped", error instanceof Error ? error.message : String(error));
      logger.log("error", "ingest stopped", { reason: error });
      throw error;
    }
  }

  /** Halves a batch; what was planned after it is to begin anew, and so is all of it when a rival was faster meanwhile. */
  async #work_off({ batches, cursors, message }: HalveBatch, signal: AbortSignal): Promise<BeginAnew> {
    try {
      await this.#halving.work_off(batches, cursors, signal);
      return new BeginAnew(message);
    } catch (error) {
      if (error instanceof BeginAnew) return error;
      throw error;
    }
  }

  #change(state: IngestStatus["state"], reason: string | null): void {
    if (this.#status.state === state && this.#status.reason === reason) return;
    const since_ms = this.#status.state === state ? this.#status.since_ms : this.#options.now_ms();
    this.#status = { state, reason, since_ms };
  }

  /** Reads cursors and watermark, and forgets whatever was planned. */
  async #begin(signal: AbortSignal): Promise<void> {
    const { database, cursors, pipeline } = this.#options;
    const [known, head] = await this.#patience.work(
      "read cursors",
      signal,
      () => Promise.all([read_cursors(database), read_head(database)]),
    );
    cursors.reset(known);
    pipeline.forget(head.watermark_us);
  }

  /** Plans one batch while the one before is being appended. */
  async #run_in_order(signal: AbortSignal): Promise<void> {
    let appending: Promise<void> = Promise.resolve();
    const failed = new AbortController();
    const taking = AbortSignal.any([signal, failed.signal]);
    try {
      while (!taking.aborted) {
        const claimed = await this.#take(taking, appending);
        if (claimed === null) continue;
        const { fresh, advances } = claimed;
        const planned = await this.#plan(fresh, advances, signal);
        await appending;
        if (signal.aborted) return;
        appending = this.#append(planned, signal);
        this.#options.pipeline.appending(appending);
        // Met at once where nothing more comes in; else at the next await.
        appending.catch(() => failed.abort());
      }
    } finally {
      await appending;
    }
  }

  /** Takes what waits. During an append few messages are left to become more: they could not be appended before its end anyway. */
  async #take(
    signal: AbortSignal,
    appending: Promise<void>,
  ): Promise<{ fresh: SourceBatch[]; advances: CursorAdvance[] } | null> {
    const { source, cursors, batch_limit } = this.#options;
    const worth = { messages: WORTH_MESSAGES, until: appending };
    const limit = { ...batch_limit, messages: Math.min(batch_limit.messages, this.#messages) };
    const batches = await source.take(limit, signal, worth);
    if (batches.length === 0) return null;
    const claimed = cursors.claim(batches);
    if (claimed === null) throw new BeginAnew("the source delivered from above the cursor");
    return claimed.advances.length === 0 ? null : claimed;
  }

  async #plan(fresh: SourceBatch[], advances: CursorAdvance[], signal: AbortSignal): Promise<PlannedBatch<State>> {
    const { pipeline, source, logger } = this.#options;
    const action = "plan a batch";
    try {
      const plan = () => pipeline.plan(fresh, advances, source.cluster_id);
      const planned = await this.#patience.work(action, signal, plan);
      const most = Math.min(this.#messages, this.#options.batch_limit.messages);
      this.#messages = messages_after(most, planned.batch.messages_read, planned.cells);
      return planned;
    } catch (error) {
      throw_unless_unknown(error, signal);
      logger.log("error", "planning failed", { reason: error });
      throw new HalveBatch(fresh, advances, error);
    }
  }

  async #append(planned: PlannedBatch<State>, signal: AbortSignal): Promise<void> {
    const { pipeline, logger } = this.#options;
    try {
      await this.#patience.work("append a batch", signal, () => pipeline.append(planned));
    } catch (error) {
      throw_unless_unknown(error, signal);
      logger.log("error", "appending failed", { reason: error, sqlstate: sqlstate(error) });
      throw new HalveBatch(planned.batches, planned.batch.cursors, error);
    }
    this.#account(planned);
  }

  #account({ batch }: PlannedBatch<State>): void {
    const { source, cursors, now_ms, committed, quarantine_per_minute } = this.#options;
    cursors.commit(batch.cursors);
    source.committed(batch.cursors.map(({ topic, partition, to }) => ({ topic, partition, next_offset: to })));
    take_batch(this.counts, batch);
    this.#admitted.add(now_ms(), batch.lines.count);
    this.#quarantined.add(now_ms(), batch.quarantined.length);
    this.#change("running", null);
    committed((now_ms() - batch.recorded_at_us / 1000) / 1000, batch);
    const in_a_minute = this.#quarantined.sum(now_ms());
    if (in_a_minute > quarantine_per_minute) {
      throw new StopIngest(
        `${in_a_minute} messages were quarantined within a minute, the limit is ${quarantine_per_minute} (TACHO_QUARANTINE_PER_MINUTE); look at \`tacho quarantine\`, then start again`,
      );
    }
  }
}
