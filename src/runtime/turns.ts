import { setImmediate } from "node:timers";

/**
 * Long work on the program's only thread: others wait while it goes on, unless it lets them have a turn.
 * @param turn_ms for how long it works at a stretch, milliseconds
 * @param let_go calls what it is given once others had their turn. By default that is one round of the event loop; a request needs some
 *   thirty, so who works at long stretches lets go by a timer (stretches of 20 ms: 400 requests in 4 s, 3 with one round after each)
 * @returns to be awaited between pieces of the work: lets everybody who is ready have a turn, if it is time
 */
export function turns_every(
  turn_ms: number,
  let_go: (go_on: () => void) => unknown = setImmediate,
): () => Promise<void> {
  let turned_ms = performance.now();
  return async () => {
    if (performance.now() - turned_ms < turn_ms) return;
    await new Promise<void>((resolve) => let_go(resolve));
    turned_ms = performance.now();
  };
}
