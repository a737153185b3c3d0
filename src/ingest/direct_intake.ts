import { blames_no_data, type Database, sqlstate } from "../database/mod.ts";
import { type Appended, type QuarantinedMessage, read_cursors, read_head } from "../event_log/mod.ts";
import { Paced, type Runtime } from "../runtime/mod.ts";
import { outcomes_of } from "./plan.ts";
import type { Message } from "./message_source.ts";
import { type Attempt, attempted, commit_in_halves, type Pipeline } from "./pipeline.ts";
import type { Place } from "./working_stream.ts";
import { type IngestCounts, new_counts, take_batch } from "./loop.ts";

/** What is handed in directly is logged under this topic; the configuration refuses a topic of Kafka's that has its name. */
export const DIRECT_TOPIC = "http";
const PARTITION = 0;
const CLUSTER_ID = "http";

/** The topic of records that a mapping of that name takes: by it a retry finds the mapping. Kafka allows no such name. */
export const mapped_topic = (mapping: string): string => `${DIRECT_TOPIC}:${mapping}`;

/** What became of one message. */
interface DirectResult {
  readonly status: "admitted" | "duplicate" | "quarantined" | "tombstone" | "skipped";
  readonly offset: number;
  /** Of its events in the log: those admitted, and of duplicates the earlier event. */
  readonly positions: readonly number[];
  /** Why it is in quarantine; null when it is not. */
  readonly fault: Pick<QuarantinedMessage, "reason" | "path" | "detail"> | null;
  /** Its row there, and how often its content was posted or retried by now. */
  readonly quarantine: { readonly id: number; readonly attempts: number } | null;
}

/** Of each message, in their order; or why they have to be handed in again. Then some may be in the log, which does no harm. */
export type DirectAnswer =
  | { readonly ok: true; readonly results: readonly DirectResult[] }
  | { readonly ok: false; readonly reason: "line_is_full" | "overtaken" | "closing" };

/** What direct intake is made of. */
interface DirectIntakeOptions {
  readonly database: Database;
  /** One of its own: no other batches go through it. */
  readonly pipeline: Pipeline;
  /** Hears of every committed batch, and how many seconds after its planning that was: a hint for the feed. */
  readonly committed: (seconds: number) => void;
}

/** Requests in the line, the one being worked on included. */
const LONGEST_LINE = 64;
/** Rivals that were faster so often in a row are not fought any longer: at most some four seconds. */
const MOST_ATTEMPTS = 10;
const RIVALS = { first_ms: 20, cap_ms: 1_000 };

/**
 * Takes messages that nobody keeps for us: what is handed in is in the log or in quarantine when it is answered, or it is refused.
 *
 * The messages handed in together are one transaction, under offsets of a cursor of their own, planned from what is committed. One is worked
 * on at a time, the others wait in a bounded line. A rival (ingest, another instance) that was faster is met by planning anew; messages that
 * fail for a reason nobody foresaw are worked off in halves until the culprit is alone, and that one is quarantined. An outage is thrown, for
 * all who wait in the line: nobody here may wait for ever.
 */
export class DirectIntake {
  readonly counts: IngestCounts = new_counts();
  /** Messages of this process that were set aside and were there already: the same content under the same topic. */
  repeated = 0;
  readonly #runtime: Runtime;
  readonly #options: DirectIntakeOptions;
  #line = 0;
  #last: Promise<unknown> = Promise.resolve();
  #outages = 0;
  #outage: unknown = null;

  /** @param runtime its signal ends waits; what is in the line then is refused */
  constructor(runtime: Runtime, options: DirectIntakeOptions) {
    this.#runtime = runtime;
    this.#options = options;
  }

  /** Appends the messages, at least one, under a topic. Rejects on an outage, and when not even the quarantine takes a message. */
  async submit(topic: string, messages: readonly Message[]): Promise<DirectAnswer> {
    const { signal } = this.#runtime;
    if (signal.aborted) return { ok: false, reason: "closing" };
    if (this.#line >= LONGEST_LINE) return { ok: false, reason: "line_is_full" };
    this.#line++;
    const outages = this.#outages;
    const turn = this.#last.then(() => {
      if (this.#outages > outages) throw this.#outage;
      return this.#work_off(topic, messages);
    });
    // Who handed it in meets the failure; the next one only waits for the end.
    this.#last = turn.catch(() => {});
    try {
      const results = await turn;
      return results === null ? { ok: false, reason: "overtaken" } : { ok: true, results };
    } catch (error) {
      if (signal.aborted && error === signal.reason) return { ok: false, reason: "closing" };
      throw error;
    } finally {
      this.#line--;
    }
  }

  /** Null when rivals were faster every time. */
  async #work_off(topic: string, messages: readonly Message[]): Promise<DirectResult[] | null> {
    try {
      const came = await commit_in_halves(messages, (part, blamed) => this.#attempt(topic, part, blamed));
      return came.outcome === "overtaken" ? null : came.result.flat();
    } catch (error) {
      if (blames_no_data(error)) {
        this.#outages++;
        this.#outage = error;
      }
      throw error;
    }
  }

  /** Attempts it again and again while rivals are faster. */
  async #attempt(topic: string, messages: readonly Message[], blamed: unknown): Promise<Attempt<DirectResult[]>> {
    const { logger, signal } = this.#runtime;
    if (blamed !== undefined) {
      logger.log("error", "quarantine a message that could not be appended", { reason: blamed });
    }
    const rivals = new Paced(this.#runtime, RIVALS);
    for (;;) {
      const attempt = await attempted(() => this.#append(topic, messages, blamed));
      if (attempt.outcome === "failed" && messages.length > 1) {
        logger.log("error", "appending failed", { reason: attempt.error, sqlstate: sqlstate(attempt.error) });
      }
      if (attempt.outcome !== "overtaken" || rivals.failed(attempt.reason).attempt === MOST_ATTEMPTS) return attempt;
      await rivals.pause(signal);
    }
  }

  /** @param blamed what is known to keep the message out; undefined: nothing */
  async #append(topic: string, handed_in: readonly Message[], blamed: unknown): Promise<DirectResult[]> {
    const { database, pipeline, committed } = this.#options;
    const [head, cursors] = await Promise.all([read_head(database), read_cursors(database)]);
    pipeline.forget(head);
    const from = cursors.find((cursor) => cursor.topic === topic && cursor.partition === PARTITION)?.next_offset ??
      null;
    const from_offset = from ?? 0, next_offset = from_offset + handed_in.length;
    const place = { topic, partition: PARTITION };
    const messages = handed_in.map((message, i) => ({ ...message, ...place, offset: from_offset + i }));
    const batches = [{ ...place, from_offset, next_offset, messages }];
    const advance = { ...place, from, to: next_offset };
    const planned = await pipeline.plan(batches, [advance], CLUSTER_ID, blamed);
    const appended = await pipeline.append({ ...planned, batch: { ...planned.batch, posted: true } });
    this.repeated += repeated_of(appended);
    take_batch(this.counts, planned.batch);
    committed((this.#runtime.clock.now_ms() - planned.batch.recorded_at_us / 1000) / 1000);
    let held = 0;
    return outcomes_of(messages, planned.plan).map(({ message, status, fault, places }) => {
      const aside = status === "held" ? appended.set_aside[held++]! : null;
      return {
        status: status === "held" ? "quarantined" : status,
        offset: message.offset,
        positions: places.map((place) => position_of(place, appended)),
        fault,
        quarantine: aside === null ? null : { id: aside.written[0], attempts: aside.attempts },
      };
    });
  }
}

/** How many messages of a batch were in quarantine before: of each row all, but the one that made it. */
function repeated_of({ set_aside }: Appended): number {
  let repeated = 0;
  for (const same of Map.groupBy(set_aside, ({ written }) => written[0]).values()) {
    repeated += same[0]!.attempts === same.length ? same.length - 1 : same.length;
  }
  return repeated;
}

const position_of = (place: Place, { before_first }: Appended): number =>
  "position" in place ? place.position : before_first + place.ordinal;
