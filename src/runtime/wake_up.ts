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
