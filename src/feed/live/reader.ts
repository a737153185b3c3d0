import { took_too_long } from "../../database/mod.ts";
import { Paced, type Runtime } from "../../runtime/mod.ts";
import { type FeedSource, read_boards, type Reading, type Watched } from "../figures/mod.ts";
import type { DatabaseHealth } from "./frame.ts";

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
/** So long after it began a reading is still shown to who comes when nobody watched, until the next one: a page that is loaded anew has figures at once. */
const KEPT_MS = 3_000;
/** A reading that takes longer counts as slow. Whether the database is there at all is for who asks it less to say. */
const SLOW_MS = 5_000;

type Found = ReadonlyMap<string, Watched>;

/** What the feed's work through time shares. */
export type FeedRuntime = Pick<Runtime, "clock" | "random" | "logger">;

/** Reads boards, one reading at a time, at a bounded pace, and knows how the database does. It never throws; what fails is in `health`. */
export class BoardReader {
  readonly #pace: Paced;
  #last: Reading | null = null;
  #hinted = false;
  /** The last reading was a look in the quiet that found nothing: it holds up nothing, the first change after it is read at once. */
  #found_nothing = false;
  /** What failed last took too long: the database is there. */
  #slow = false;

  constructor(private readonly source: FeedSource, private readonly runtime: FeedRuntime) {
    const rest = { times: REST, free_ms: TURNS_MS };
    this.#pace = new Paced(runtime, { gap_ms: LEAST_GAP_MS, rest, first_ms: LEAST_GAP_MS, cap_ms: 5_000 });
  }

  /** The newest reading; null before the first, and when `resume` found it too old. */
  get last(): Reading | null {
    return this.#last;
  }

  /** There may be something new. */
  hint(): void {
    this.#hinted = true;
  }

  get #wait_ms(): number {
    return this.#found_nothing ? 0 : this.#pace.wait_ms;
  }

  /** Whether a reading may begin now. */
  get due(): boolean {
    if (this.#pace.unanswered_since_ms !== null || this.#wait_ms > 0) return false;
    return this.#hinted || this.runtime.clock.now_ms() - this.#pace.began_ms >= IDLE_GAP_MS;
  }

  /** How long until something new, of which there was a hint, may be read, milliseconds; null when nothing waits, or when a reading is under way. */
  get due_in_ms(): number | null {
    return !this.#hinted || this.#pace.unanswered_since_ms !== null ? null : this.#wait_ms;
  }

  /** For who comes when nobody watched: drops the newest reading unless it is new enough to be shown; the rest that it earned is not waited for. */
  resume(): void {
    if (this.runtime.clock.now_ms() - this.#pace.began_ms >= KEPT_MS) this.#last = null;
    this.#pace.forgo_rest();
  }

  /** Reads what the watched views need, which is found first; gives null when the database failed. */
  async read(
    watched: () => Found | Promise<Found>,
    resumed: readonly number[],
  ): Promise<Reading | null> {
    const hinted = this.#hinted, before = this.#last;
    this.#hinted = this.#found_nothing = false;
    this.#pace.begin();
    try {
      const found = watched();
      this.#last = await read_boards(this.source, found instanceof Promise ? await found : found, resumed, before);
    } catch (error) {
      this.#hinted = true;
      this.#slow = took_too_long(error);
      if (this.#pace.failed(error).attempt === 1) {
        this.runtime.logger.log("warn", "feed cannot read the database", { error });
      }
      return null;
    }
    this.#found_nothing = !hinted && this.#last === before;
    if (this.#pace.succeeded() !== null) this.runtime.logger.log("info", "feed reads the database again");
    return this.#last;
  }

  /** How the database does, by what the program knows otherwise and what is seen from here. */
  judge(database: DatabaseHealth, now_ms: number): DatabaseHealth {
    const failing = this.#pace.trouble, reading_since_ms = this.#pace.unanswered_since_ms;
    if (failing !== null && !this.#slow) {
      const { since_ms, reason } = failing;
      return !database.ok && database.since_ms <= since_ms ? database : { ok: false, since_ms, reason };
    }
    const late = reading_since_ms !== null && now_ms - reading_since_ms >= SLOW_MS;
    const slow_since_ms = failing?.since_ms ?? (late ? reading_since_ms : null);
    return slow_since_ms === null || !database.ok ? database : { ...database, slow_since_ms };
  }
}
