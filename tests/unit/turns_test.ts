import assert from "node:assert/strict";
import { setTimeout as after } from "node:timers";
import { turns_every } from "../../src/runtime/mod.ts";

/** Keeps the thread busy, milliseconds. */
function work(ms: number): void {
  for (const from = performance.now(); performance.now() - from < ms;);
}

Deno.test("long work lets those who are ready have a turn once its stretch is over, and not before", async () => {
  const turn = turns_every(20);
  let ready = 0;
  const timer = () => after(() => ready++, 0);
  timer();
  await turn();
  assert.equal(ready, 0, "no stretch is over");
  // A timer of Node's is ready after a millisecond.
  work(25);
  await turn();
  assert.equal(ready, 1);
  timer();
  await turn();
  assert.equal(ready, 1, "a new stretch has begun");
  work(25);
  await turn();
  assert.equal(ready, 2);
});
