import assert from "node:assert/strict";
import { setImmediate, setTimeout as after } from "node:timers";
import type { Database } from "../../src/database/mod.ts";
import { Pipeline } from "../../src/ingest/mod.ts";
import { days_in } from "../../src/kpi/mod.ts";
import { turns_every } from "../../src/runtime/mod.ts";
import { LIMITS, message, READ_MS, TEST_DOMAIN } from "../support/trip_pipeline.ts";

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

Deno.test("long work hears what came in over a socket after a stretch, not after sixty", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr as Deno.NetAddr;
  const [sending, receiving] = await Promise.all([Deno.connect({ hostname: "127.0.0.1", port }), listener.accept()]);
  using sender = sending, receiver = receiving;
  const turn = turns_every(2);
  let heard = false, stretches = 0;
  const reading = receiver.read(new Uint8Array(1)).then(() => heard = true);
  // Whoever awaits the writing has nothing else to do, and hears at once.
  const writing = sender.write(new Uint8Array(1));
  for (; !heard && stretches < 100; stretches++) {
    work(3);
    await turn();
  }
  await Promise.all([reading, writing]);
  assert.ok(stretches <= 4, `heard after ${stretches} stretches`);
});

/** A database that holds nothing: all that planning asks it for are streams. */
const EMPTY = { query: () => Promise.resolve([]) } as unknown as Database;

/** Plans a large batch; gives how many rounds of the event loop others had meanwhile. */
async function plan_a_large_batch(beside_others: boolean): Promise<{ rounds: number }> {
  const messages = Array.from({ length: 10_000 }, (_, offset) =>
    message(offset, {
      event_id: `e${offset}`,
      type: "trip.requested",
      trip_id: `T${offset}`,
      occurred_at: "2026-03-01T10:00:00Z",
    }));
  const pipeline = new Pipeline({
    database: EMPTY,
    domain: TEST_DOMAIN,
    days: days_in("UTC"),
    limits: LIMITS,
    code_version: "test",
    beside_others,
    cache_streams: 50_000,
    now_ms: () => READ_MS,
  });
  let rounds = 0, planning = true;
  const take_turns = () => {
    rounds++;
    if (planning) setImmediate(take_turns);
  };
  setImmediate(take_turns);
  const batch = { topic: "trips", partition: 0, from_offset: 0, next_offset: messages.length, messages };
  const { plan } = await pipeline.plan([batch], [], "test");
  planning = false;
  assert.equal(plan.events.length, messages.length);
  return { rounds };
}

Deno.test("planning a large batch lets others have turns all along: heartbeats, the page, the append of the batch before", async () => {
  const { rounds } = await plan_a_large_batch(false);
  // 10,000 messages are some forty stretches of 4 ms; sockets are looked at every 61 rounds. By the clock nothing is told: a busy machine takes whole
  // stretches away.
  assert.ok(rounds >= 8 * 61, `${rounds} rounds`);
});

Deno.test("beside other domains planning lets many rounds of the event loop go by after each stretch: an answer of the database needs some", async () => {
  const alone = await plan_a_large_batch(false), beside = await plan_a_large_batch(true);
  assert.ok(beside.rounds >= 3 * alone.rounds, `${beside.rounds} rounds beside others, ${alone.rounds} alone`);
});
