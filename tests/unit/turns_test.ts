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

/** A database that holds nothing: all that planning asks it for are streams. */
const EMPTY = { query: () => Promise.resolve([]) } as unknown as Database;

/** Plans a large batch; gives how many rounds of the event loop others had meanwhile, and how long it took, milliseconds. */
async function plan_a_large_batch(beside_others: boolean): Promise<{ rounds: number; took_ms: number }> {
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
  const began_ms = performance.now();
  const batch = { topic: "trips", partition: 0, from_offset: 0, next_offset: messages.length, messages };
  const { plan } = await pipeline.plan([batch], [], "test");
  planning = false;
  assert.equal(plan.events.length, messages.length);
  return { rounds, took_ms: performance.now() - began_ms };
}

Deno.test("planning a large batch lets others have turns all along: heartbeats, the page, the append of the batch before", async () => {
  const { rounds, took_ms } = await plan_a_large_batch(false);
  // A stretch is 2 ms and what a slice of messages takes beyond; what is written out at the end is longer.
  const longest_ms = 10;
  assert.ok(rounds >= took_ms / longest_ms / 2, `${rounds} turns in ${Math.round(took_ms)} ms`);
});

Deno.test("beside other domains planning lets many rounds of the event loop go by after each stretch: an answer of the database needs some", async () => {
  const alone = await plan_a_large_batch(false), beside = await plan_a_large_batch(true);
  assert.ok(beside.rounds >= 10 * alone.rounds, `${beside.rounds} rounds beside others, ${alone.rounds} alone`);
});
