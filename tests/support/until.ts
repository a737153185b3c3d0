type Absent = null | undefined | false;

/**
 * Waits until a condition holds and gives what it gave. A test waits on a condition, never on time: the short pause
 * between two looks is no part of what is proved.
 * @param what the condition in words, for the error
 * @param look gives a value once the condition holds; null, undefined or false while it does not. What it throws counts as "not yet" and is the error's cause.
 * @param timeout_ms how long to wait at most, milliseconds; unless given long enough for a machine that three tests share with a cluster
 */
export async function until<T>(
  what: string,
  look: () => T | Absent | Promise<T | Absent>,
  timeout_ms = 60_000,
): Promise<T> {
  const deadline = performance.now() + timeout_ms;
  let cause: unknown;
  for (;;) {
    try {
      const seen = await look();
      if (seen !== null && seen !== undefined && seen !== false) return seen;
      cause = `last seen: ${String(seen)}`;
    } catch (error) {
      cause = error;
    }
    if (performance.now() > deadline) throw new Error(`wait until ${what}: not within ${timeout_ms} ms`, { cause });
    await new Promise((resume) => setTimeout(resume, 25));
  }
}
