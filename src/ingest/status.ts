import type { Batch } from "../event_log/mod.ts";

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
