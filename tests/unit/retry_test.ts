import assert from "node:assert/strict";
import { backoff_ms, wait } from "../../src/runtime/mod.ts";

Deno.test("waits double up to the cap, jittered between half and the whole", () => {
  const least = [1, 2, 3, 4, 20, 1000].map((attempt) => backoff_ms(attempt, 0));
  assert.deepEqual(least, [50, 100, 200, 400, 5000, 5000]);
  const most = [1, 2, 3, 4, 20, 1e9].map((attempt) => backoff_ms(attempt, 1 - Number.EPSILON));
  assert.deepEqual(most, [100, 200, 400, 800, 10_000, 10_000]);
  assert.equal(backoff_ms(3, 0.5, 10, 25), 19);
});

Deno.test("a wait ends by its time, or at once by the signal, with its reason, and leaves no timer", async () => {
  await wait(1, new AbortController().signal);
  const abort = new AbortController();
  const reason = new Error("stop");
  const waiting = assert.rejects(wait(1_000_000, abort.signal), (error) => error === reason);
  abort.abort(reason);
  await waiting;
  await assert.rejects(wait(1_000_000, abort.signal), (error) => error === reason);
});
