import assert from "node:assert/strict";
import { setImmediate, setTimeout as after } from "node:timers";
import type { Database } from "../../src/database/mod.ts";
import { turns_every } from "../../src/runtime/mod.ts";
import { message, trip_pipeline } from "../support/trip_pipeline.ts";

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

Deno.test("planning a large batch lets others have turns all along: heartbeats, the page, the append of the batch before", async () => {
  const messages = Array.from({ length: 10_000 }, (_, offset) =>
    message(offset, {
      event_id: `e${offset}`,
      type: "trip.requested",
      trip_id: `T${offset}`,
      occurred_at: "2026-03-01T10:00:00Z",
    }));
  const pipeline = trip_pipeline(EMPTY);
  let turns = 0, planning = true;
  const take_turns = () => {
    turns++;
    if (planning) setImmediate(take_turns);
  };
  setImmediate(take_turns);
  const began_ms = performance.now();
  const batch = { topic: "trips", partition: 0, from_offset: 0, next_offset: messages.length, messages };
  const { plan } = await pipeline.plan([batch], [], "test");
  planning = false;
  const took_ms = performance.now() - began_ms;
  assert.equal(plan.events.length, messages.length);
  // A stretch is 2 ms and what a slice of messages takes beyond; what is written out at the end is longer.
  const longest_ms = 10;
  assert.ok(turns >= took_ms / longest_ms / 2, `${turns} turns in ${Math.round(took_ms)} ms`);
});
