import { took_too_long } from "../../database/mod.ts";
import { type Pace, Paced } from "../../runtime/mod.ts";
import {
  type Compared,
  comparisons_of,
  type FeedSource,
  is_whole,
  LANE_TIMEOUT_MS,
  type LaneBoard,
  type LaneState,
  reached_ms,
  read_compared,
  read_lane_board,
  type Watched,
} from "../figures/mod.ts";
import type { LogPosition } from "./frame.ts";
import { type FeedRuntime, LEAST_GAP_MS as READER_GAP_MS } from "./reader.ts";

/** After a reading the lane rests this many times as long as the reading took: a fifth of one connection's time at most. */
const REST = 4;
/** A view's figures are read anew at most this often: the newest events', which are few; what else is computed from states; what beside cells. */
const LEAST_GAP_MS = { last: READER_GAP_MS, counted: 1_000, whole: 10_000 } as const;
/** Comparisons are read anew when a minute (or a bucket) has turned; for events that come late to them at most this often. */
const LATE_GAP_MS = 15_000;
/** After a failure: these waits double. */
const BACKOFF = { first_ms: 2_000, cap_ms: 60_000 } as const;

/** One of the two things that are read of a view, each with its own pace and its own failures. */
interface Part<T> {
  value: T | null;
  /** What `value` is of, besides the position. */
  of: string;
  /** Why the last try gave nothing; null when it did, and before the first. */
  failed: string | null;
  readonly pace: Paced;
}

interface Entry {
  watched: Watched;
  readonly figures: Part<LaneBoard>;
  readonly compared: Part<Compared>;
  version: number;
  compared_version: number;
}

/** A reading that may begin, and when the one before it began. */
interface Due {
  readonly began_ms: number;
  readonly read: () => Promise<boolean>;
}

const new_part = <T>(runtime: FeedRuntime, pace: Pace): Part<T> => ({
  value: null,
  of: "",
  failed: null,
  pace: new Paced(runtime, { ...BACKOFF, ...pace }),
});

/** What of a part subscribers are told: of comparisons not where in the log they were read. */
const told_of = ({ value, failed }: Part<LaneBoard | Compared>): string => {
  const position = value !== null && "read_ms" in value ? value.position : 0;
  return JSON.stringify([value === null ? null : { ...value, position, read_ms: 0 }, failed]);
};

/**
 * The slow lane: reads what is too dear to be read four times a second, one thing of one view at a time, beside the boards
 * and never in their way. Each statement is bounded in time, and the lane rests four times as long as a reading took. What
 * was never read goes first, then what was read longest ago. A failure keeps the last good figures, is told, and is tried
 * again with backoff. It never throws.
 */
export class Lane {
  readonly #entries = new Map<string, Entry>();
  readonly #pace: Paced;

  constructor(private readonly source: FeedSource, private readonly runtime: FeedRuntime) {
    this.#pace = new Paced(runtime, { rest: { times: REST, free_ms: 0 } });
  }

  /** Says which views are watched now; what was known of others is forgotten. */
  watch(watched: ReadonlyMap<string, Watched>): void {
    for (const key of [...this.#entries.keys()]) if (!watched.has(key)) this.#entries.delete(key);
    for (const [key, each] of watched) {
      const entry = this.#entries.get(key);
      if (entry !== undefined) entry.watched = each;
      else {
        this.#entries.set(key, {
          watched: each,
          figures: new_part(this.runtime, {
            gap_ms: LEAST_GAP_MS[each.view.range === "last" ? "last" : is_whole(each.view) ? "whole" : "counted"],
          }),
          compared: new_part(this.runtime, {}),
          version: 0,
          compared_version: 0,
        });
      }
    }
  }

  /** What is known of a view; null when it is not watched. */
  state(key: string): LaneState | null {
    const entry = this.#entries.get(key);
    if (entry === undefined) return null;
    const { figures, compared, version, compared_version } = entry;
    return {
      board: figures.value,
      compared: compared.value,
      tried: figures.value !== null || figures.failed !== null,
      failed: figures.failed ?? compared.failed,
      version,
      compared_version,
    };
  }

  /**
   * Does one reading, if one is due and none is under way.
   * @param position the newest known position of the log
   * @param newest_event_ms the newest event time in it
   * @param log_id by what its figures are known
   * @returns whether anything changed by it
   */
  async work(position: number, newest_event_ms: number | null, log_id: string): Promise<boolean> {
    const now_ms = this.runtime.clock.now_ms();
    if (!this.#pace.due) return false;
    const due = this.#due({ position, log_id }, now_ms, reached_ms(now_ms, newest_event_ms));
    if (due === null) return false;
    this.#pace.begin();
    const changed = await due();
    this.#pace.succeeded();
    return changed;
  }

  /** The reading that has waited longest, of those that are due. */
  #due(place: LogPosition, now_ms: number, until_ms: number): (() => Promise<boolean>) | null {
    let found: Due | null = null;
    for (const entry of this.#entries.values()) {
      const { figures, compared, watched } = entry;
      const due: Due[] = [];
      if (figures.pace.due && this.#figures_stale(entry, place)) {
        due.push({ began_ms: figures.pace.began_ms, read: () => this.#read_figures(entry) });
      }
      const of = this.#stretches(watched, until_ms), by_arrival = watched.view.order !== undefined;
      const late = compared.value !== null && compared.value.position < place.position &&
        now_ms >= compared.pace.began_ms + LATE_GAP_MS;
      if (!by_arrival && compared.pace.due && (compared.value?.log_id !== place.log_id || compared.of !== of || late)) {
        due.push({ began_ms: compared.pace.began_ms, read: () => this.#read_compared(entry, of, until_ms) });
      }
      // Without a filter comparisons are cheap and more looked at than what else is read here.
      if (is_whole(watched.view)) due.reverse();
      for (const each of due) if (found === null || each.began_ms < found.began_ms) found = each;
    }
    return found?.read ?? null;
  }

  #figures_stale({ figures: { value, of }, watched }: Entry, { position, log_id }: LogPosition): boolean {
    return value === null || value.position < position || value.log_id !== log_id ||
      of !== JSON.stringify(watched.window);
  }

  /** What comparisons are of: they stay the same while it does, but for events that come late. */
  #stretches({ window }: Watched, until_ms: number): string {
    const { previous, weekday } = comparisons_of(window, until_ms, this.source.days);
    return JSON.stringify([previous.stretch, weekday.stretch, weekday.window]);
  }

  #read_figures(entry: Entry): Promise<boolean> {
    const { figures, watched } = entry;
    const read = () => read_lane_board(this.source, watched, figures.value, this.runtime.clock.now_ms());
    return this.#read(entry, figures, JSON.stringify(watched.window), read);
  }

  async #read_compared(entry: Entry, of: string, until_ms: number): Promise<boolean> {
    const read = () => read_compared(this.source, entry.watched, until_ms);
    const told = () => JSON.stringify([entry.compared.value?.series, entry.compared.value?.keys]);
    const before = told();
    const changed = await this.#read(entry, entry.compared, of, read);
    if (told() !== before) entry.compared_version++;
    return changed;
  }

  async #read<T extends LaneBoard | Compared>(
    entry: Entry,
    part: Part<T>,
    of: string,
    read: () => Promise<T>,
  ): Promise<boolean> {
    const before = told_of(part);
    part.pace.begin();
    try {
      part.value = await read();
      part.of = of;
      part.failed = null;
      part.pace.succeeded();
    } catch (error) {
      part.failed = this.#words_of(error);
      if (part.pace.failed(error).attempt === 1) {
        this.runtime.logger.log("warn", "feed cannot compute a view", { error });
      }
    }
    if (told_of(part) === before) return false;
    entry.version++;
    return true;
  }

  #words_of(error: unknown): string {
    if (took_too_long(error)) {
      return `took longer than ${(this.source.lane_timeout_ms ?? LANE_TIMEOUT_MS) / 1000} s; take a shorter range`;
    }
    return error instanceof Error ? error.message : String(error);
  }
}
