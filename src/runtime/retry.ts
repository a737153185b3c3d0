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
 * Capped exponential backoff with full jitter: the wait before try `attempt` (1 is the first retry).
 * @param random in [0, 1)
 */
export function backoff_ms(attempt: number, random: number, first_ms = 100, cap_ms = 10_000): number {
  const ceiling = Math.min(cap_ms, first_ms * 2 ** Math.min(attempt - 1, 30));
  return Math.round(ceiling * (0.5 + random / 2));
}
