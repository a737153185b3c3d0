import { type Database, is_outage, sqlstate } from "../database/mod.ts";
import { type Batch, type CursorAdvance, read_cursors, read_head } from "../event_log/mod.ts";
import { Paced, type Runtime, told_trouble, type Trouble } from "../runtime/mod.ts";
import { advances_of, Cursors, one_by_one } from "./cursors.ts";
import type { MessageSource, SourceBatch, SourceGap } from "./message_source.ts";
import { type Attempt, attempted, commit_in_halves, type Pipeline, type PlannedBatch } from "./pipeline.ts";

/** What ingest is doing, for the page, /readyz and the log. `since_ms`: when it began to. */
export interface IngestStatus {
  readonly state: "starting" | "running" | "paused" | "stopped";
  /** Why; while it runs, what narrows the reading, null when nothing does. */
  readonly reason: string | null;
  readonly since_ms: number;
  /** What an operator can do, where ingest knows: a sentence without its full stop. */
  readonly advice?: string;
}

/** Counts of this process since it started. */
export interface IngestCounts {
  batches: number;
  messages_read: number;
  admitted: number;
  duplicates: number;
  quarantined: number;
  tombstones: number;
  skipped: number;
  late: number;
}

/** Counts of nothing. */
export const new_counts = (): IngestCounts => (
  { batches: 0, messages_read: 0, admitted: 0, duplicates: 0, quarantined: 0, tombstones: 0, skipped: 0, late: 0 }
);

/** Adds a committed batch to counts. */
export function take_batch(counts: IngestCounts, batch: Batch): void {
  counts.batches++;
  counts.messages_read += batch.messages_read;
  counts.admitted += batch.rows.count;
  counts.duplicates += batch.duplicates;
  counts.quarantined += batch.quarantined.length;
  counts.tombstones += batch.tombstones;
  counts.skipped += batch.skipped;
  counts.late += batch.late;
}

/** A sum over a sliding window of whole seconds, bounded. */
export class SlidingSum {
  readonly #seconds: { second: number; sum: number }[] = [];
  constructor(readonly window_s: number) {}

  add(now_ms: number, amount: number): void {
    const second = this.#now(now_ms);
    const last = this.#seconds.at(-1);
    if (last?.second === second) last.sum += amount;
    else this.#seconds.push({ second, sum: amount });
    this.#forget(second);
  }

  /** The second of a time. Of a clock that was set back the seconds so far lie in no future: they move with it. */
  #now(now_ms: number): number {
    const second = Math.floor(now_ms / 1000);
    const ahead = (this.#seconds.at(-1)?.second ?? second) - second;
    if (ahead > 0) { for (const each of this.#seconds) each.second -= ahead; }
    return second;
  }

  /** The sum over the window that ends now. */
  sum(now_ms: number): number {
    this.#forget(this.#now(now_ms));
    return this.#seconds.reduce((sum, each) => sum + each.sum, 0);
  }

  #forget(second: number): void {
    while (this.#seconds.length > 0 && this.#seconds[0]!.second <= second - this.window_s) this.#seconds.shift();
  }
}

/** What the loop is made of. */
interface IngestOptions {
  readonly database: Database;
  readonly pipeline: Pipeline;
  readonly cursors: Cursors;
  readonly source: MessageSource;
  /** The most of one batch. */
  readonly batch_limit: { readonly messages: number; readonly bytes: number };
  readonly quarantine_per_minute: number;
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

/** Why what is planned is dropped: another process was faster, or a batch failed for a reason that nobody foresaw. */
type Ended =
  | { readonly outcome: "overtaken"; readonly reason: string }
  | { readonly outcome: "failed"; readonly batches: readonly SourceBatch[] };

/** More messages were set aside within a minute than may be: somebody has to look first. */
class TooManyQuarantined extends Error {}

const FROM_ABOVE: Ended = { outcome: "overtaken", reason: "the source delivered from above the cursor" };

/**
 * The ingest loop: takes what the source has, plans it while the batch before is being appended, appends.
 *
 * - Outage of the database: the batch waits and is tried again for ever, with capped, jittered backoff. Nothing is quarantined.
 * - Another process moved a cursor or a stream: roll back, forget, begin anew from the database.
 * - Unknown failure of a batch: halve it until the culprit is alone, quarantine that, go on.
 */
export class Ingest {
  readonly #runtime: Omit<Runtime, "signal">;
  readonly #options: IngestOptions;
  readonly counts: IngestCounts = new_counts();
  readonly #admitted = new SlidingSum(10);
  readonly #quarantined = new SlidingSum(60);
  /** How many messages are taken at once, if that many may be. */
  #messages = FIRST_MESSAGES;
  /** What the database is in trouble for: work that waits for it, oldest first. */
  readonly #waiting = new Map<Paced, Trouble>();
  #status: IngestStatus;
  #kept_gap: SourceGap | null = null;

  constructor(runtime: Omit<Runtime, "signal">, options: IngestOptions) {
    this.#runtime = runtime;
    this.#options = options;
    this.#status = { state: "starting", reason: null, since_ms: runtime.clock.now_ms() };
  }

  /** What ingest is doing now; trouble of the database shows as paused, trouble of the source as paused or stopped. */
  status(): IngestStatus {
    const source = this.#options.source.state();
    if (this.#status.state === "running" || this.#status.state === "starting") {
      const [trouble] = this.#waiting.values();
      if (trouble !== undefined) return { state: "paused", reason: trouble.reason, since_ms: trouble.since_ms };
      if (source.state === "starting") return { state: "starting", reason: null, since_ms: source.since_ms };
      if (source.state === "waiting") return { state: "paused", reason: source.reason, since_ms: source.since_ms };
      if (source.state === "gap" || source.state === "failed") {
        const { since_ms } = source, again = source.state === "failed" && source.again === true;
        const reason = again ? `${source.reason}; it is tried again` : source.reason;
        return { state: "stopped", reason, since_ms, ...(source.state === "gap" ? { advice: source.advice } : {}) };
      }
      const remarks = this.#options.source.remarks();
      if (remarks.length > 0) return { ...this.#status, reason: remarks.map(({ text }) => text).join("; ") };
    }
    return this.#status;
  }

  /** Events admitted a second, over the last ten seconds. */
  events_per_s(): number {
    return this.#admitted.sum(this.#runtime.clock.now_ms()) / 10;
  }

  /** At a gap: keeps that it was noticed, asks the database whether somebody accepted it, and goes on then. True when it did. */
  async resume_after_gap(): Promise<boolean> {
    const { source, cursors } = this.#options;
    const state = source.state();
    if (state.state !== "gap") return false;
    if (!await cursors.moved_across(state.gap)) {
      // Of another cluster the cursors themselves say that they are.
      if (state.gap !== this.#kept_gap && state.gap.kind !== "other_cluster") {
        if (await cursors.keep(state.gap, source.cluster_id)) this.#kept_gap = state.gap;
      }
      return false;
    }
    const { kind, topic, partition, cursor } = state.gap;
    this.#runtime.logger.log("warn", "the gap was accepted; going on", { kind, topic, partition, cursor });
    source.rewind();
    return true;
  }

  /** Runs until the signal: then the transaction under way is finished and nothing new begun. Rejects when ingest has to stop for good. */
  async run(signal: AbortSignal): Promise<void> {
    const { source } = this.#options, { logger } = this.#runtime;
    const rivals = new Paced(this.#runtime, { first_ms: 50 });
    try {
      await this.#begin(signal);
      await source.open(this.#options.cursors, signal);
      // Nothing new to read is no reason not to be running.
      this.#change("running", null);
      for (let batches = 0; !signal.aborted;) {
        const ended = await this.#run_in_order(signal);
        if (ended === null || signal.aborted) return;
        const reason = ended.outcome === "overtaken" ? ended.reason : await this.#work_off(ended.batches, signal);
        if (this.counts.batches !== batches) rivals.succeeded();
        batches = this.counts.batches;
        const { attempt } = rivals.failed(reason);
        logger.log("warn", "begin anew from the committed cursors", { reason, in_vain: attempt });
        // Once is a rival being faster; again and again without a batch between, and the wait grows.
        if (attempt > 1) await rivals.pause(signal);
        await this.#begin(signal);
        source.rewind();
      }
    } catch (error) {
      // What the signal cut short is no news; why nothing could have gone on is, although it was to end.
      if (signal.aborted && !(error instanceof TooManyQuarantined)) return;
      this.#change("stopped", error instanceof Error ? error.message : String(error));
      logger.log("error", "ingest stopped", { reason: error });
      throw error;
    }
  }

  /** Tries work on the database for ever while that is in trouble, and says so. Rejects with any other failure, and with every one after the signal. */
  async #patiently<T>(action: string, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    const { logger } = this.#runtime;
    const pace = new Paced(this.#runtime);
    try {
      return await pace.until_done(signal, work, {
        passes: is_outage,
        waiting: (trouble) => {
          const told = { ...trouble, reason: `${action}: ${trouble.reason}` };
          this.#waiting.set(pace, told);
          logger.log("warn", "the database is in trouble; waiting", told_trouble(told));
        },
        over: ({ since_ms, attempt }) =>
          logger.log("info", `${action}: the database is back`, {
            since: new Date(since_ms).toISOString(),
            attempt: attempt + 1,
          }),
      });
    } finally {
      this.#waiting.delete(pace);
    }
  }

  #change(state: IngestStatus["state"], reason: string | null): void {
    if (this.#status.state === state && this.#status.reason === reason) return;
    const since_ms = this.#status.state === state ? this.#status.since_ms : this.#runtime.clock.now_ms();
    this.#status = { state, reason, since_ms };
  }

  /** Reads cursors and watermark, and forgets whatever was planned. */
  async #begin(signal: AbortSignal): Promise<void> {
    const { database, cursors, pipeline } = this.#options;
    const [known, head] = await this.#patiently(
      "read cursors",
      signal,
      () => Promise.all([read_cursors(database), read_head(database)]),
    );
    cursors.reset(known);
    pipeline.forget(head);
  }

  /** Plans one batch while the one before is being appended, until the signal (null) or until what is planned has to be dropped. */
  async #run_in_order(signal: AbortSignal): Promise<Ended | null> {
    const { cursors, pipeline } = this.#options;
    let appending: Promise<Ended | null> = Promise.resolve(null);
    const over = new AbortController();
    const taking = AbortSignal.any([signal, over.signal]);
    try {
      while (!taking.aborted) {
        const claimed = cursors.claim(await this.#take(taking, appending));
        if (claimed === null) return await appending ?? FROM_ABOVE;
        const { fresh, advances } = claimed;
        if (advances.length === 0) continue;
        const planned = await this.#plan(fresh, advances, signal);
        // What became of the batch before counts first: what is planned stands on it.
        const ended = await appending;
        if (ended !== null || signal.aborted) return ended;
        if (planned.outcome !== "done") return this.#ended("planning failed", planned, fresh);
        appending = this.#append(planned.result, signal);
        pipeline.appending(appending);
        // Met at once where nothing more comes in; else at the next await.
        const end = () => over.abort();
        appending.then((ended) => ended === null ? undefined : end(), end);
      }
      return await appending;
    } finally {
      await appending;
    }
  }

  /** Takes what waits. During an append few messages are left to become more: they could not be appended before its end anyway. */
  #take(signal: AbortSignal, appending: Promise<unknown>): Promise<SourceBatch[]> {
    const { source, batch_limit } = this.#options;
    const worth = { messages: WORTH_MESSAGES, until: appending };
    const limit = { ...batch_limit, messages: Math.min(batch_limit.messages, this.#messages) };
    return source.take(limit, signal, worth);
  }

  async #plan(
    fresh: readonly SourceBatch[],
    advances: readonly CursorAdvance[],
    signal: AbortSignal,
  ): Promise<Attempt<PlannedBatch>> {
    const { pipeline, source } = this.#options;
    const plan = () => pipeline.plan(fresh, advances, source.cluster_id);
    const planned = await attempted(() => this.#patiently("plan a batch", signal, plan));
    if (planned.outcome === "done") {
      const most = Math.min(this.#messages, this.#options.batch_limit.messages);
      this.#messages = messages_after(most, planned.result.batch.messages_read, planned.result.cells);
    }
    return planned;
  }

  /** Null when it is committed, or cut short by the signal. */
  async #append(planned: PlannedBatch, signal: AbortSignal): Promise<Ended | null> {
    const append = () => this.#options.pipeline.append(planned);
    const appended = await attempted(() => this.#patiently("append a batch", signal, append));
    if (appended.outcome !== "done") {
      return signal.aborted ? null : this.#ended("appending failed", appended, planned.batches);
    }
    this.#account(planned);
    return null;
  }

  #ended(what: string, attempt: Exclude<Attempt<never>, { outcome: "done" }>, batches: readonly SourceBatch[]): Ended {
    if (attempt.outcome === "overtaken") return attempt;
    const { error } = attempt;
    this.#runtime.logger.log("error", what, { reason: error, sqlstate: sqlstate(error) });
    return { outcome: "failed", batches };
  }

  /**
   * Commits batches of which one message fails, in halves and without overlap; the culprit is quarantined with what the failure said.
   * @returns why what was planned on top of them begins anew: that they were worked off so, or that a rival was faster
   */
  async #work_off(batches: readonly SourceBatch[], signal: AbortSignal): Promise<string> {
    const { database, pipeline, cursors, source } = this.#options;
    const came = await commit_in_halves(one_by_one(batches), async (part, blamed) => {
      const attempt = await attempted(async () => {
        // Planned from what is committed, whatever was planned before.
        const head = await this.#patiently("read head", signal, () => read_head(database));
        pipeline.forget(head);
        const plan = () => pipeline.plan(part, advances_of(part, cursors), source.cluster_id, blamed);
        const planned = await this.#patiently("plan a batch", signal, plan);
        const action = blamed === undefined ? "append a batch" : "quarantine a message";
        await this.#patiently(action, signal, () => pipeline.append(planned));
        return planned;
      });
      if (attempt.outcome === "failed") signal.throwIfAborted();
      if (attempt.outcome !== "done") return attempt;
      this.#account(attempt.result);
      if (blamed !== undefined) {
        this.#runtime.logger.log("error", "quarantined a message that could not be appended", { reason: blamed });
      }
      return attempt;
    });
    return came.outcome === "overtaken" ? came.reason : "a batch failed and is worked off in halves";
  }

  #account({ batch }: PlannedBatch): void {
    const { source, cursors, committed, quarantine_per_minute } = this.#options;
    const now_ms = this.#runtime.clock.now_ms();
    cursors.commit(batch.cursors);
    source.committed(batch.cursors.map(({ topic, partition, to }) => ({ topic, partition, next_offset: to })));
    take_batch(this.counts, batch);
    this.#admitted.add(now_ms, batch.rows.count);
    this.#quarantined.add(now_ms, batch.quarantined.length);
    this.#change("running", null);
    committed((now_ms - batch.recorded_at_us / 1000) / 1000, batch);
    const in_a_minute = this.#quarantined.sum(now_ms);
    if (in_a_minute > quarantine_per_minute) {
      throw new TooManyQuarantined(
        `${in_a_minute} messages were quarantined within a minute, the limit is ${quarantine_per_minute} (TACHO_QUARANTINE_PER_MINUTE); look at \`tacho quarantine\`, then start again`,
      );
    }
  }
}
