import assert from "node:assert/strict";
import type { Database } from "../../src/database/mod.ts";
import { Busy, Gate, gated } from "../../src/http/reading.ts";

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
  a!.end();
  await entered[0];
  assert.deepEqual(started, ["a", "b", "c", "d"]);
  c!.end();
  d!.end();
  assert.deepEqual(await Promise.all(entered), ["done", "done", "done", "done"]);
  assert.equal(await enter("after", { work: () => Promise.resolve("done"), end: () => {} }), "done");
});

Deno.test("no more than so many are inside, at whatever moment of a place being handed over others come", async () => {
  const gate = new Gate({ most: 2, waiting: 100, wait_ms: 60_000 });
  let inside = 0, most = 0;
  const counted = async (work: () => Promise<unknown>) => {
    most = Math.max(most, ++inside);
    await work();
    inside--;
  };
  const [first, second, third] = [held(), held(), held()];
  const entered = [first, second, third].map(({ work }) => gate.run(() => counted(work)));
  second.end();
  third.end();
  for (let moment = 0; moment < 30; moment++) {
    await Promise.resolve();
    entered.push(gate.run(() => counted(() => Promise.resolve())));
  }
  first.end();
  await Promise.all(entered);
  assert.deepEqual([most, inside, entered.length], [2, 0, 33]);
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

Deno.test("a place that is handed over is never free: whoever comes at any moment meanwhile, no more are inside, and all in order", async () => {
  for (const most of [1, 2, 3]) {
    const gate = new Gate({ most, waiting: 1_000, wait_ms: 60_000 });
    let inside = 0, peak = 0;
    const started: number[] = [];
    const work = (i: number) => async () => {
      started.push(i);
      peak = Math.max(peak, ++inside);
      // As long as a few turns of the queue in which a place is handed over.
      for (let turn = 0; turn < i % 7; turn++) await null;
      inside--;
    };
    const entered: Promise<unknown>[] = [];
    // One comes at each turn, so that some come at the very turn of every handing over.
    for (let i = 0; i < 200; i++) {
      entered.push(gate.run(work(i)));
      await null;
    }
    await Promise.all(entered);
    assert.equal(peak, most);
    assert.deepEqual(started, started.map((_, i) => i));
    assert.equal(started.length, 200);
    // All places are free again.
    const ends = Array.from({ length: most }, () => Promise.withResolvers<void>());
    const held = ends.map(({ promise }) => gate.run(() => promise));
    let late = false;
    const next = gate.run(() => Promise.resolve(late = true));
    await new Promise((resume) => setTimeout(resume));
    assert.equal(late, false);
    for (const { resolve } of ends) resolve();
    await Promise.all([...held, next]);
    assert.equal(late, true);
  }
});

Deno.test("a gated database gives each piece of work its turn, and throws Busy to who does not get it in time", async () => {
  const first = Promise.withResolvers<void>();
  const asked: string[] = [];
  const database = {
    kind: "server",
    query: async (text: string) => {
      asked.push(text);
      await first.promise;
      return [];
    },
  } as unknown as Database;
  const through = gated(database, new Gate({ most: 1, waiting: 1, wait_ms: 60_000 }));
  const answers = [through.query("first"), through.query("second")];
  await assert.rejects(through.query("third"), Busy);
  assert.deepEqual(asked, ["first"]);
  first.resolve();
  assert.deepEqual(await Promise.all(answers), [[], []]);
  assert.deepEqual(asked, ["first", "second"]);
});
