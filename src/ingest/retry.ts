import type { Database } from "../database/mod.ts";
import { canonical_json, type DomainEvent } from "../domains/mod.ts";
import {
  filter_note,
  hash_event_id,
  type HeldMessage,
  type QuarantineFilter,
  read_head,
  read_held,
} from "../event_log/mod.ts";
import { Paced, type Runtime } from "../runtime/mod.ts";
import { type MessageOutcome, outcomes_of } from "./plan.ts";
import type { SourceBatch } from "./message_source.ts";
import { type Attempt, attempted, commit_in_halves, type Pipeline } from "./pipeline.ts";

/** What a retry is made of. */
export interface RetryOptions {
  readonly database: Database;
  /** One of its own: no other batches go through it. */
  readonly pipeline: Pipeline;
  readonly filter: QuarantineFilter;
  /** Ids above this one are none of it: what ingest sets aside meanwhile would keep it running for ever. */
  readonly newest_id: number;
  readonly limit: number;
  /** The most of one transaction. */
  readonly page: { readonly messages: number; readonly bytes: number };
  /** Plans and counts, and commits nothing. */
  readonly dry_run: boolean;
  /** Hears how many messages are through. */
  readonly progress: (messages: number) => void;
}

/** What became of the messages, or in a dry run would. */
export interface RetryCounts {
  admitted: number;
  duplicates: number;
  /** Messages without a value, which versions before took for faults. */
  tombstones: number;
  /** Messages whose mapping skips them, as it did not when they were read. */
  skipped: number;
  /** Still held, by reason. */
  readonly held: Map<string, number>;
}

/**
 * Sends held messages through the pipeline again, with their original coordinates and times, in order of topic, partition and offset.
 *
 * A page is one transaction: events, streams, cells and what became of each message commit together, so ending it anywhere, by any
 * means, leaves nothing half. Beside it ingest and other retries may run: the head's lock orders them, and whoever was overtaken
 * (a stream changed, a message was settled) reads anew and tries again. A message that fails for a reason nobody foresaw is found
 * by halving and stays held with what the failure said. An outage is thrown: run again, the rest is still held.
 */
export class Retry {
  readonly counts: RetryCounts = { admitted: 0, duplicates: 0, tombstones: 0, skipped: 0, held: new Map() };
  readonly #runtime: Pick<Runtime, "clock" | "random">;
  readonly #options: RetryOptions;
  readonly #rehearsal: Rehearsal | null;

  constructor(runtime: Pick<Runtime, "clock" | "random">, options: RetryOptions) {
    this.#runtime = runtime;
    this.#options = options;
    this.#rehearsal = options.dry_run ? new Rehearsal() : null;
  }

  /** Runs until all are through, or the signal: then the transaction under way is finished and no other begun. */
  async run(signal: AbortSignal): Promise<void> {
    const { database, filter, newest_id, limit, page, progress } = this.#options;
    let after: HeldMessage | null = null;
    for (let left = limit; left > 0 && !signal.aborted;) {
      const most = { messages: Math.min(page.messages, left), bytes: page.bytes };
      const messages = await read_held(database, filter, { after, newest_id, most });
      if (messages.length === 0) break;
      await commit_in_halves(messages, (part, blamed) => this.#attempt(part, blamed, signal));
      after = messages.at(-1)!;
      left -= messages.length;
      progress(messages.length);
    }
  }

  /** Attempts it again and again while rivals are faster, each time with what is still held; begins nothing after the signal. */
  async #attempt(messages: readonly HeldMessage[], blamed: unknown, signal: AbortSignal): Promise<Attempt<void>> {
    const rivals = new Paced(this.#runtime);
    let rest = messages;
    while (rest.length > 0 && !signal.aborted) {
      const attempt = await attempted(() => this.#commit(rest, blamed));
      if (attempt.outcome !== "overtaken") return attempt;
      rivals.failed(attempt.reason);
      await rivals.pause(signal);
      rest = await this.#still_held(rest);
    }
    return { outcome: "done", result: undefined };
  }

  #still_held(messages: readonly HeldMessage[]): Promise<HeldMessage[]> {
    const { database, newest_id, page: { bytes } } = this.#options;
    const ids = messages.map(({ quarantine_id }) => quarantine_id);
    return read_held(database, { ids }, { after: null, newest_id, most: { messages: ids.length, bytes } });
  }

  /** @param blamed what is known to keep the messages out; undefined: nothing */
  async #commit(messages: readonly HeldMessage[], blamed: unknown): Promise<void> {
    const { database, pipeline, filter } = this.#options;
    pipeline.forget(await read_head(database));
    const batches = batches_of(messages);
    const planned = await pipeline.plan(batches, [], "", blamed);
    const became = outcomes_of(messages, planned.plan);
    if (this.#rehearsal === null) {
      const note = canonical_json({ count: messages.length, filter: filter_note(filter) });
      const settlements = became.map(({ message: { quarantine_id, attempts }, status, fault }) => ({
        quarantine_id,
        attempts,
        status,
        fault,
      }));
      await pipeline.append({ ...planned, batch: { ...planned.batch, retried: { settlements, note } } });
    }
    for (const each of became) this.#count(each);
  }

  #count({ status, fault, events }: MessageOutcome<HeldMessage>): void {
    const hold = (reason: string) => this.counts.held.set(reason, (this.counts.held.get(reason) ?? 0) + 1);
    const met = events.map((event) => this.#rehearsal?.meet(event) ?? "new");
    if (fault !== null) hold(fault.reason);
    else if (status === "tombstone") this.counts.tombstones++;
    else if (status === "skipped") this.counts.skipped++;
    else if (met.includes("conflict")) hold("identity_conflict");
    else if (status === "admitted" && met.includes("new")) this.counts.admitted++;
    else this.counts.duplicates++;
  }
}

/** The messages as a source would deliver them; neighbours of one partition together. */
function batches_of(messages: readonly HeldMessage[]): SourceBatch[] {
  const batches: (SourceBatch & { next_offset: number; readonly messages: HeldMessage[] })[] = [];
  for (const message of messages) {
    const { topic, partition, offset } = message;
    const last = batches.at(-1);
    if (last?.topic === topic && last.partition === partition) {
      last.messages.push(message);
      last.next_offset = offset + 1;
    } else batches.push({ topic, partition, from_offset: offset, next_offset: offset + 1, messages: [message] });
  }
  return batches;
}

/**
 * The events that plans would admit which are not committed, so that a later plan's event is met as it would be if they were.
 * Keeps two numbers an event.
 */
class Rehearsal {
  readonly #contents = new Map<number, number>();

  /** What would become of an event that its plan admits. */
  meet(event: DomainEvent): "new" | "again" | "conflict" {
    const { stream_id, event_id, type, schema_version, occurred_at_us, data } = event;
    const id = hash_event_id(JSON.stringify([stream_id, event_id]));
    const content = hash_event_id(JSON.stringify([type, schema_version, occurred_at_us, data]));
    const earlier = this.#contents.get(id);
    if (earlier === undefined) this.#contents.set(id, content);
    return earlier === undefined ? "new" : earlier === content ? "again" : "conflict";
  }
}
