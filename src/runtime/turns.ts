import { setImmediate } from "node:timers";

/**
 * Long work on the program's only thread: others wait while it goes on, unless it lets them have a turn.
 * @param turn_ms for how long it works at a stretch, milliseconds
 * @returns to be awaited between pieces of the work: lets everybody who is ready have a turn, if it is time
 */
export function turns_every(turn_ms: number): () => Promise<void> {
  let turned_ms = performance.now();
  return async () => {
    if (performance.now() - turned_ms < turn_ms) return;
    await new Promise<void>((resolve) => setImmediate(resolve));
    turned_ms = performance.now();
  };
}
