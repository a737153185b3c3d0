import assert from "node:assert/strict";
import { Gate } from "../../src/http/gate.ts";

/** Work that ends when it is told to. */
function held() {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { work: () => promise.then(() => "done"), end: resolve };
}

Deno.test("a gate lets so much work in at a time; who waits comes in, in order, as others leave", async () => {
  const gate = new Gate({ most: 2, waiting: 2, wait_ms: 60_000 });
  const [a, b, c, d] = [held(), held(), held(), held()];
  const started: string[] = [];
  const enter = (name: string, { work }: ReturnType<typeof held>) =>
    gate.run(() => {
      started.push(name);
      return work();
    });
  const entered = [enter("a", a!), enter("b", b!), enter("c", c!), enter("d", d!)];
  assert.deepEqual(started, ["a", "b"]);
  assert.equal(await enter("too many wait", held()), null);
  b!.end();
  await entered[1];
  // Whoever comes when a place is handed over finds none free.
  assert.equal(gate.run(() => Promise.resolve("late")) instanceof Promise, true);
  a!.end();
  await entered[0];
  assert.deepEqual(started, ["a", "b", "c", "d"]);
  c!.end();
  d!.end();
  assert.deepEqual(await Promise.all(entered), ["done", "done", "done", "done"]);
  assert.equal(await enter("after", { work: () => Promise.resolve("done"), end: () => {} }), "done");
});

Deno.test("who waits too long for a gate is turned away, and work that fails leaves its place", async () => {
  const gate = new Gate({ most: 1, waiting: 5, wait_ms: 10 });
  const inside = held();
  const first = gate.run(inside.work);
  assert.equal(await gate.run(() => Promise.resolve("never")), null);
  inside.end();
  assert.equal(await first, "done");
  await assert.rejects(gate.run(() => Promise.reject(new Error("it failed"))), /it failed/);
  assert.equal(await gate.run(() => Promise.resolve("next")), "next");
});
