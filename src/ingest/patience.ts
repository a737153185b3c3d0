import { is_outage } from "../database/mod.ts";
import { backoff_ms, type Logger, wait } from "../runtime/mod.ts";

/** What is waited for, and since when, milliseconds since the Unix epoch. */
export interface Trouble {
  readonly reason: string;
  readonly since_ms: number;
}

/**
 * Tries work on the database again for ever while the database is in trouble, with capped, jittered backoff, and knows what waits.
 * Several pieces of work may wait at once: there is trouble until none does.
 */
export class Patience {
  readonly #waiting = new Map<symbol, Trouble>();

  /** @param random in [0, 1): jitters the waits */
  constructor(
    private readonly logger: Logger,
    private readonly now_ms: () => number,
    private readonly random: () => number,
  ) {}

  /** What waits longest; null while nothing does. */
  trouble(): Trouble | null {
    return this.#waiting.values().next().value ?? null;
  }

  /** Gives the work's result; rejects with any failure that is no outage, and with the outage when the signal is aborted. */
  async work<T>(action: string, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    const piece = Symbol(action);
    try {
      for (let attempt = 1;; attempt++) {
        try {
          const result = await work();
          const trouble = this.#waiting.get(piece);
          if (trouble !== undefined) this.#log("info", `${action}: the database is back`, trouble, { attempt });
          return result;
        } catch (error) {
          if (!is_outage(error) || signal.aborted) throw error;
          const reason = `${action}: ${error instanceof Error ? error.message : String(error)}`;
          const since_ms = this.#waiting.get(piece)?.since_ms ?? this.now_ms();
          this.#waiting.set(piece, { reason, since_ms });
          const ms = backoff_ms(attempt, this.random());
          this.#log("warn", "the database is in trouble; waiting", { since_ms }, { reason, attempt, next_try_ms: ms });
          await wait(ms, signal);
        }
      }
    } finally {
      this.#waiting.delete(piece);
    }
  }

  #log(
    level: "info" | "warn",
    message: string,
    { since_ms }: Pick<Trouble, "since_ms">,
    fields: Readonly<Record<string, unknown>>,
  ): void {
    this.logger.log(level, message, { since: new Date(since_ms).toISOString(), ...fields });
  }
}
