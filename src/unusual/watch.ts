import { type Database, snapshot } from "../database/mod.ts";
import { model_tables } from "../domains/mod.ts";
import { read_head } from "../event_log/mod.ts";
import { bucket_start } from "../kpi/mod.ts";
import { Paced, type Runtime, told_once, turns_every } from "../runtime/mod.ts";
import { CELL_US, closed_end, type Lend, read_lines, read_usual, type UsualHour, type WatchedDomain } from "./read.ts";
import { CLOSED, type Finding, furthest, type Item, told_of } from "./score.ts";

/** Looks for what is unusual in a log while it is served, and knows what it saw last. */

/** Something unusual, by times instead of cells. */
export interface UnusualItem extends Omit<Item, "from" | "to"> {
  /** The stretch in which it shows most, microseconds; it may have begun before, where that is an hour. */
  readonly from_us: number;
  readonly to_us: number;
}

/** What was seen last. */
export interface Unusual {
  /** Up to when events were looked at that are closed, microseconds; null: the log has none, or nothing was looked at yet. */
  readonly closed_us: number | null;
  /** What it is held against: the same time of weeks before, the day before alone, or nothing: then nothing is known. */
  readonly against: "weeks" | "day" | "nothing";
  /** How many weeks before the log has. */
  readonly weeks: number;
  /** Keys that are looked at, and those that are not, for their dimension has too many. */
  readonly keys: number;
  readonly left_out: number;
  readonly items: readonly UnusualItem[];
}

const NOTHING: Unusual = { closed_us: null, against: "nothing", weeks: 0, keys: 0, left_out: 0, items: [] };
const LOOK_MS = 30_000;
/** Longest time that one statement may take. */
const STATEMENT_MS = 5_000;
/** What event time lies further behind the clock is of the past: a replay, or a log that is not fed. */
const FRESH_US = 900e6;
/** So long it computes at a stretch: ingest and viewers have their turns between. */
const TURN_MS = 5;

/**
 * Looks twice a minute. What is usual is read once an hour of event time: some 200 buckets of each dimension; what is seen is fourteen of them. Beside
 * that nothing is kept, and ingest knows nothing of it.
 */
export class UnusualWatch {
  readonly #runtime: Runtime;
  readonly #database: Database;
  readonly #domain: WatchedDomain;
  #usual: { readonly of: string; readonly hour: UsualHour } | null = null;
  #seen: { readonly position: number; readonly of: string } | null = null;
  #now: Unusual = NOTHING;

  constructor(runtime: Runtime, database: Database, domain: WatchedDomain) {
    this.#runtime = runtime;
    this.#database = database;
    this.#domain = domain;
  }

  /** What was seen last. */
  now(): Unusual {
    return this.#now;
  }

  /** How much is unusual now; 0 where event time is not of now. */
  many_now(): number {
    const { closed_us, items } = this.#now;
    return closed_us === null || this.#runtime.clock.now_ms() * 1_000 - closed_us > FRESH_US ? 0 : items.length;
  }

  /** Looks until the signal; a database that is away is waited for. Rejects with the signal's reason. */
  async run(): Promise<never> {
    const { signal, logger } = this.#runtime;
    const pace = new Paced(this.#runtime, {
      gap_ms: LOOK_MS,
      rest: { times: 9, free_ms: 50 },
      first_ms: LOOK_MS,
      cap_ms: 300_000,
    });
    for (;;) {
      await pace.until_done(signal, () => this.look(), {
        passes: () => true,
        ...told_once(logger, "the unusual cannot be looked for", "the unusual is looked for again"),
      });
      await pace.pause(signal);
    }
  }

  /** Looks once, where anything has changed. */
  async look(): Promise<void> {
    const { board, days } = this.#domain;
    if ((board.unusual ?? []).length === 0) return;
    const { watermark_us, position, figures_id, kept } = await read_head(this.#database);
    if (watermark_us === null) return;
    // A clock that is ahead would close what is not over, and make it too little.
    const reached_us = Math.min(watermark_us, this.#runtime.clock.now_ms() * 1_000);
    const end_us = closed_end(reached_us), hour_us = bucket_start("1h", end_us, days);
    const of = JSON.stringify([figures_id, hour_us, kept]);
    if (this.#seen?.position === position && this.#seen.of === of) return;
    const lend: Lend = (work) => snapshot(this.#database, work, model_tables(board), STATEMENT_MS);
    const usual = this.#usual?.of === of ? this.#usual.hour : await read_usual(lend, this.#domain, kept, end_us);
    this.#usual = { of, hour: usual };
    const lines = await read_lines(lend, board, usual, end_us), turn = turns_every(TURN_MS), findings: Finding[] = [];
    for (const line of lines) {
      const found = furthest(line);
      if (found !== null) findings.push(found);
      await turn();
    }
    this.#seen = { position, of };
    const first_us = end_us - CLOSED * CELL_US, { whole } = board;
    const known = lines.some(({ dimension, past }) => dimension === whole.dimension && past !== null);
    this.#now = {
      closed_us: end_us,
      against: !known ? "nothing" : usual.by_weeks ? "weeks" : "day",
      weeks: usual.weeks,
      keys: usual.dimensions.reduce((sum, { keys }) => sum + keys.length, 0),
      left_out: usual.dimensions.reduce((sum, { left_out }) => sum + left_out, 0),
      items: told_of(findings, lines, whole.dimension).map(({ from, to, ...item }) => (
        { ...item, from_us: first_us + from * CELL_US, to_us: first_us + to * CELL_US }
      )),
    };
  }
}
