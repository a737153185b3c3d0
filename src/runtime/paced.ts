import { setImmediate } from "node:timers";
import type { Logger, Runtime } from "./runtime.ts";

/**
 * A wake-up: whoever waits for a change goes on when it rings, when the time is over, or when the signal aborts.
 * It is a hint and carries nothing: the waiter looks again at what it waits for. Nothing is remembered between rings,
 * so look first and wait second, without an await between.
 */
export class WakeUp {
  readonly #waiting = new Set<() => void>();

  /** Wakes everyone who waits now. */
  ring(): void {
    const woken = [...this.#waiting];
    this.#waiting.clear();
    for (const wake of woken) wake();
  }

  /**
   * Waits for the next ring. Never rejects: an abort wakes too.
   * @param most_ms the longest wait in milliseconds, null without a limit
   */
  next(signal: AbortSignal | null, most_ms: number | null = null): Promise<void> {
    if (signal?.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const wake = () => {
        this.#waiting.delete(wake);
        if (timer !== null) clearTimeout(timer);
        signal?.removeEventListener("abort", wake);
        resolve();
      };
      const timer = most_ms === null ? null : setTimeout(wake, most_ms);
      this.#waiting.add(wake);
      signal?.addEventListener("abort", wake, { once: true });
    });
  }
}

/**
 * Long work on the program's only thread: others wait while it goes on, unless it lets them have a turn.
 * @param turn_ms for how long it works at a stretch, milliseconds
 * @param let_go calls what it is given once others had their turn. By default the event loop goes round until what came in was looked for
 *   and handed on; who works beside much else lets go by a timer, which leaves others as long as they need
 * @returns to be awaited between pieces of the work: lets everybody who is ready have a turn, if it is time
 */
export function turns_every(
  turn_ms: number,
  let_go: (go_on: () => void) => unknown = go_round,
): () => Promise<void> {
  let turned_ms = performance.now();
  return async () => {
    if (performance.now() - turned_ms < turn_ms) return;
    await new Promise<void>((resolve) => let_go(resolve));
    turned_ms = performance.now();
  };
}

/**
 * Deno's runtime looks at its sockets when it has nothing else to do, and otherwise in every 61st round of the event loop (the event interval of
 * tokio). With one round after each stretch of 2 ms every answer of the database waited for 0.12 s: "select 1" and COPY of 5 MB, beside work that
 * never ends, took 1.1 to 2.3 s, with so many rounds 0.25 to 0.6. A round takes 5 µs.
 */
const ROUNDS = 64;

function go_round(go_on: () => void, rounds = ROUNDS): void {
  if (rounds === 0) go_on();
  else setImmediate(go_round, go_on, rounds - 1);
}

/** Waits, or rejects with the signal's reason when it is aborted first. */
export function wait(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason);
    const stop = () => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", stop);
      resolve();
    }, ms);
    signal.addEventListener("abort", stop, { once: true });
  });
}

/** What the work gives; rejects with the signal's reason as soon as it is aborted, whatever the work does then. */
export async function unless_aborted<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  const aborted = Promise.withResolvers<never>();
  const stop = () => aborted.reject(signal.reason);
  if (signal.aborted) stop();
  signal.addEventListener("abort", stop, { once: true });
  try {
    return await Promise.race([work, aborted.promise]);
  } finally {
    signal.removeEventListener("abort", stop);
  }
}

/**
 * Capped exponential backoff with jitter: the wait before try `attempt` (1 is the first retry).
 * @param random in [0, 1)
 */
export function backoff_ms(attempt: number, random: number, first_ms = 100, cap_ms = 10_000): number {
  const ceiling = Math.min(cap_ms, first_ms * 2 ** Math.min(attempt - 1, 30));
  return Math.round(ceiling * (0.5 + random / 2));
}

/** The longest rest that anything earns. */
const MOST_REST_MS = 60_000;

/** How often something is done, milliseconds. */
export interface Pace {
  /** From the beginning of one time to that of the next, at least. */
  readonly gap_ms?: number;
  /** After each time it rests so many times as long as that took beyond `free_ms`. */
  readonly rest?: { readonly times: number; readonly free_ms: number };
  /** No answer for so long is trouble, too. */
  readonly silent_ms?: number;
  /** The waits after failures, which double. */
  readonly first_ms?: number;
  readonly cap_ms?: number;
}

/** What keeps something from succeeding. */
export interface Trouble {
  readonly reason: string;
  /** When it first failed, or began and was not answered, milliseconds since the Unix epoch. */
  readonly since_ms: number;
  /** How often it failed; 0 while no answer is all that is known. */
  readonly attempt: number;
  readonly next_try_ms: number;
}

/** Trouble as the fields of a line of the log. */
export const told_trouble = ({ since_ms, reason, attempt, next_try_ms }: Trouble) => ({
  since: new Date(since_ms).toISOString(),
  reason,
  attempt,
  next_try_ms,
});

/** Work that goes on until the signal, which others go on without: that it ended by itself is said. Never rejects. */
export async function lasting(
  { signal, logger }: Pick<Runtime, "signal" | "logger">,
  ended: string,
  work: Promise<unknown>,
): Promise<void> {
  try {
    await work;
  } catch (error) {
    if (!signal.aborted) logger.log("error", ended, { reason: error });
  }
}

/** For `until_done`: says what cannot be done when that begins, and when it is over. */
export const told_once = (logger: Logger, cannot: string, again: string) => ({
  waiting(trouble: Trouble): void {
    if (trouble.attempt === 1) logger.log("warn", `${cannot}; trying again`, told_trouble(trouble));
  },
  over({ since_ms, attempt }: Trouble): void {
    logger.log("info", again, { since: new Date(since_ms).toISOString(), attempt });
  },
});

/**
 * The one way to wait with patience: the pace of something that is done again and again, one at a time. It keeps the least gap, rests after what
 * took long, backs off after failures with capped, jittered waits, and knows since when there is trouble and since when no answer has come.
 * Whoever does it says so: `begin`, then `succeeded` or `failed`; what these return is the moment for a line in the log.
 */
export class Paced {
  readonly #runtime: Pick<Runtime, "clock" | "random">;
  readonly #pace: Pace;
  #began_ms = Number.NEGATIVE_INFINITY;
  #under_way = false;
  #next_ms = Number.NEGATIVE_INFINITY;
  #seen_ms = Number.NEGATIVE_INFINITY;
  #trouble: Trouble | null = null;

  constructor(runtime: Pick<Runtime, "clock" | "random">, pace: Pace = {}) {
    this.#runtime = runtime;
    this.#pace = pace;
  }

  /** The time. Where the clock was set back, what was noted moves with it: no wait becomes longer by that. */
  #now_ms(): number {
    const now_ms = this.#runtime.clock.now_ms(), back_ms = this.#seen_ms - now_ms;
    if (back_ms > 0) {
      this.#began_ms -= back_ms;
      this.#next_ms -= back_ms;
    }
    return this.#seen_ms = now_ms;
  }

  /** What keeps it from succeeding; null when the last time succeeded. */
  get trouble(): Trouble | null {
    if (this.#trouble !== null || !this.#under_way) return this.#trouble;
    const { silent_ms = Infinity } = this.#pace;
    if (this.#now_ms() - this.#began_ms < silent_ms) return null;
    return { reason: "a question was asked and not answered", since_ms: this.#began_ms, attempt: 0, next_try_ms: 0 };
  }

  /** Since when it is under way, and no answer has come; null when it is not. */
  get unanswered_since_ms(): number | null {
    return this.#under_way ? this.#began_ms : null;
  }

  /** When it began last; minus infinity when it never did. */
  get began_ms(): number {
    return this.#began_ms;
  }

  /** How long until it may begin, 0 when it may now. While it is under way: as if it had ended already. */
  get wait_ms(): number {
    const now_ms = this.#now_ms();
    return Math.max(0, this.#next_ms - now_ms);
  }

  /** Whether it may begin. */
  get due(): boolean {
    return !this.#under_way && this.wait_ms === 0;
  }

  begin(): void {
    this.#began_ms = this.#now_ms();
    this.#under_way = true;
    this.#next_ms = this.#began_ms + (this.#pace.gap_ms ?? 0);
  }

  /** @returns the trouble that is over by it; null when there was none */
  succeeded(): Trouble | null {
    const { rest, gap_ms = 0 } = this.#pace;
    if (this.#under_way) {
      const ended_ms = this.#now_ms();
      const took_ms = Math.max(0, ended_ms - this.#began_ms - (rest?.free_ms ?? 0));
      // A clock that was set forward, or a machine that slept, is no reading that took so long.
      const rest_ms = rest === undefined ? 0 : Math.min(MOST_REST_MS, rest.times * took_ms);
      this.#next_ms = Math.max(this.#began_ms + gap_ms, ended_ms + rest_ms);
    }
    const over = this.trouble;
    this.#under_way = false;
    this.#trouble = null;
    return over;
  }

  /** @returns the trouble it is in by that; its `attempt` is 1 at the first failure after a success */
  failed(error: unknown): Trouble {
    const before = this.trouble;
    const attempt = (before?.attempt ?? 0) + 1;
    const next_try_ms = backoff_ms(attempt, this.#runtime.random(), this.#pace.first_ms, this.#pace.cap_ms);
    const now_ms = this.#now_ms();
    this.#under_way = false;
    this.#next_ms = now_ms + next_try_ms;
    const reason = error instanceof Error ? error.message : String(error);
    return this.#trouble = { reason, since_ms: before?.since_ms ?? now_ms, attempt, next_try_ms };
  }

  /** Forgoes the rest that the last time earned, not the gap, and no wait after a failure. */
  forgo_rest(): void {
    if (this.#trouble === null) this.#next_ms = Math.min(this.#next_ms, this.#began_ms + (this.#pace.gap_ms ?? 0));
  }

  /** Waits until it may begin; rejects with the signal's reason when it is aborted first. */
  async pause(signal: AbortSignal): Promise<void> {
    await wait(this.wait_ms, signal);
  }

  /**
   * Tries for ever until the work succeeds, and gives its result.
   * @param passes whether a failure is worth another try. Others reject, and so does any when the signal is aborted
   * @param waiting hears of each failure before the wait
   * @param over hears of the trouble that a success ends
   */
  async until_done<T>(
    signal: AbortSignal,
    work: () => Promise<T>,
    { passes, waiting, over }: {
      readonly passes: (error: unknown, trouble: Trouble) => boolean;
      readonly waiting?: (trouble: Trouble) => void;
      readonly over?: (trouble: Trouble) => void;
    },
  ): Promise<T> {
    for (;;) {
      this.begin();
      try {
        const result = await work();
        const trouble = this.succeeded();
        if (trouble !== null) over?.(trouble);
        return result;
      } catch (error) {
        const trouble = this.failed(error);
        if (signal.aborted || !passes(error, trouble)) throw error;
        waiting?.(trouble);
        await wait(trouble.next_try_ms, signal);
      }
    }
  }
}
