import { type FeedSource, read_boards, type Reading, type Watched } from "../figures/mod.ts";
import type { DatabaseHealth } from "./frame.ts";
import { took_too_long } from "../../database/mod.ts";
import { backoff_ms, type Clock, type Logger } from "../../runtime/mod.ts";

/** The log is asked at most this often. */
export const LEAST_GAP_MS = 250;
/** Without a hint it is asked this often: hints get lost, and another process may append. */
const IDLE_GAP_MS = 500;
/**
 * After a reading the database rests this many times as long as the reading took beyond a tenth of a second: so long a dozen answers wait for their
 * turn in a program that is busy with a thousand events a second, whatever they cost the database.
 */
const REST = 5;
const TURNS_MS = 100;
/** A reading that takes longer counts as slow. Whether the database is there at all is for who asks it less to say. */
const SLOW_MS = 5_000;

/**
 * Reads boards, one reading at a time, at a bounded pace, and knows how the database does:
 * `idle` → (due) `reading` → `idle`, or after an error `idle` with backoff. It never throws; what fails is in `health`.
 */
export class BoardReader {
  #last: Reading | null = null;
  #reading_since_ms: number | null = null;
  #next_ms = 0;
  #last_started_ms = Number.NEGATIVE_INFINITY;
  #hinted = false;
  #failures = 0;
  #failing: { readonly since_ms: number; readonly reason: string; readonly slow: boolean } | null = null;

  constructor(
    private readonly source: FeedSource,
    private readonly clock: Clock,
    private readonly logger: Logger,
    private readonly random: () => number,
  ) {}

  /** The newest reading; null before the first and after `forget`. */
  get last(): Reading | null {
    return this.#last;
  }

  /** There may be something new. */
  hint(): void {
    this.#hinted = true;
  }

  /** Whether a reading may begin now. */
  due(now_ms: number): boolean {
    if (this.#reading_since_ms !== null || now_ms < this.#next_ms) return false;
    return this.#hinted || now_ms - this.#last_started_ms >= IDLE_GAP_MS;
  }

  /** How long until something new, of which there was a hint, may be read, milliseconds; null when nothing waits, or when a reading is under way. */
  due_in_ms(now_ms: number): number | null {
    return !this.#hinted || this.#reading_since_ms !== null ? null : Math.max(0, this.#next_ms - now_ms);
  }

  /** Drops the newest reading: nobody watches, it would grow stale. Who comes next does not wait for the rest that it earned. */
  forget(): void {
    this.#last = null;
    if (this.#failures === 0) this.#next_ms = Math.min(this.#next_ms, this.#last_started_ms + LEAST_GAP_MS);
  }

  /** Reads what the watched views need; gives null when the database failed. */
  async read(watched: ReadonlyMap<string, Watched>, resumed: readonly number[]): Promise<Reading | null> {
    const started_ms = this.clock.now_ms();
    this.#reading_since_ms = started_ms;
    this.#last_started_ms = started_ms;
    const hinted = this.#hinted, before = this.#last;
    this.#hinted = false;
    try {
      this.#last = await read_boards(this.source, watched, resumed, before);
      const ended_ms = this.clock.now_ms();
      const rest_ms = REST * Math.max(0, ended_ms - started_ms - TURNS_MS);
      this.#next_ms = Math.max(started_ms + LEAST_GAP_MS, ended_ms + rest_ms);
      // A look in the quiet that found nothing holds up nothing: the first change after it is read at once.
      if (!hinted && this.#last === before) this.#next_ms = ended_ms;
      if (this.#failing !== null) this.logger.log("info", "feed reads the database again");
      this.#failures = 0;
      this.#failing = null;
      return this.#last;
    } catch (error) {
      const now_ms = this.clock.now_ms();
      this.#failures++;
      this.#next_ms = now_ms + backoff_ms(this.#failures, this.random(), LEAST_GAP_MS, 5_000);
      this.#hinted = true;
      if (this.#failing === null) this.logger.log("warn", "feed cannot read the database", { error });
      const reason = error instanceof Error ? error.message : String(error);
      this.#failing = { since_ms: this.#failing?.since_ms ?? now_ms, reason, slow: took_too_long(error) };
      return null;
    } finally {
      this.#reading_since_ms = null;
    }
  }

  /** How the database does, by what the program knows otherwise and what is seen from here. */
  judge(database: DatabaseHealth, now_ms: number): DatabaseHealth {
    const failing = this.#failing, reading_since_ms = this.#reading_since_ms;
    if (failing !== null && !failing.slow) {
      const { since_ms, reason } = failing;
      return !database.ok && database.since_ms <= since_ms ? database : { ok: false, since_ms, reason };
    }
    const late = reading_since_ms !== null && now_ms - reading_since_ms >= SLOW_MS;
    const slow_since_ms = failing?.since_ms ?? (late ? reading_since_ms : null);
    return slow_since_ms === null || !database.ok ? database : { ...database, slow_since_ms };
  }
}
