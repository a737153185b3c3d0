type Absent = null | undefined | false;

/**
 * How many times what they say limits of time wait in tests. What they say is ample for two cores that three tests share with a cluster; a
 * slower machine, or an unlucky one, may take so much longer. A limit bites only where a test fails, so that patience costs nothing.
 */
export const PATIENCE = 5;

/** The pause between two looks, milliseconds: short at first. A look that is dear, or one of many, leaves the machine to what is waited for. */
const PAUSE = { least_ms: 25, most_ms: 250, of_waited: 1 / 40 };

/**
 * Waits until a condition holds and gives what it gave. A test waits on a condition, never on time: the short pause
 * between two looks is no part of what is proved.
 * @param what the condition in words, for the error
 * @param look gives a value once the condition holds; null, undefined or false while it does not. What it throws counts as "not yet" and is the error's cause.
 * @param timeout_ms how long it may take where it is fast, milliseconds: it is waited for `PATIENCE` times as long. What has to be fast says so by what it took.
 */
export async function until<T>(
  what: string,
  look: () => T | Absent | Promise<T | Absent>,
  timeout_ms = 60_000,
): Promise<T> {
  const most_ms = PATIENCE * timeout_ms, began = performance.now(), deadline = began + most_ms;
  let cause: unknown;
  for (;;) {
    const looked = performance.now();
    try {
      const seen = await look();
      if (seen !== null && seen !== undefined && seen !== false) return seen;
      cause = `last seen: ${String(seen)}`;
    } catch (error) {
      cause = error;
    }
    const now = performance.now(), wished_ms = Math.max(now - looked, (now - began) * PAUSE.of_waited);
    if (now > deadline) throw new Error(`wait until ${what}: not within ${most_ms} ms`, { cause });
    const pause_ms = Math.min(Math.max(wished_ms, PAUSE.least_ms), PAUSE.most_ms);
    await new Promise((resume) => setTimeout(resume, pause_ms));
  }
}

/** Waits until assertions hold: a page is still loaded, laid out or told anew while it is looked at. The last one that failed is the error's cause. */
export async function until_holds(
  what: string,
  assertions: () => void | Promise<void>,
  timeout_ms?: number,
): Promise<void> {
  await until(
    what,
    async () => {
      await assertions();
      return true;
    },
    timeout_ms,
  );
}
