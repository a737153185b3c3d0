import assert from "node:assert/strict";
import { messages_behind } from "../../src/verbs/flink/models.ts";
import { standing_of, STILL_MS, waiting_messages } from "../../src/verbs/parts/flink_watch.ts";

const end = (partition: number, low: number, high: number) => ({ topic: "t", partition, low, high });

Deno.test("messages wait from where the job has read to; of a partition that it has not begun from its beginning on", () => {
  const read = new Map([["t/0", 90], ["t/1", 50]]);
  assert.equal(waiting_messages(read, [end(0, 10, 100), end(1, 0, 50), end(2, 40, 60)]), 30);
  assert.equal(waiting_messages(read, [end(0, 10, 90)]), 0);
  // A topic that was made anew lies before what was read.
  assert.equal(waiting_messages(read, [end(0, 0, 5)]), 0);
});

Deno.test("the mark at the end of a transaction is no message that waits", () => {
  assert.equal(waiting_messages(new Map([["t/0", 99]]), [end(0, 0, 100)]), 0);
});

Deno.test("where the job does not say how far it has read, only an empty topic is known to have nothing waiting", () => {
  assert.equal(waiting_messages(new Map(), [end(0, 0, 9)]), null);
  assert.equal(waiting_messages(new Map(), [end(0, 9, 9)]), 0);
});

Deno.test("a job is taken for one that does not run when it stands still while messages wait, or the JobManager says so", () => {
  const running = { state: "running", reason: null, since_ms: 7 };
  for (
    const seen of [
      { job: null, waiting: null, still_ms: null },
      { job: null, waiting: 0, still_ms: 10 * STILL_MS },
      { job: null, waiting: 50, still_ms: STILL_MS - 1 },
      { job: null, waiting: 0, still_ms: null },
    ]
  ) assert.deepEqual(standing_of(seen, 7), running);
  for (const still_ms of [STILL_MS, null]) {
    const { state, advice } = standing_of({ job: null, waiting: 1, still_ms }, 7);
    assert.deepEqual([state, advice], ["stopped", "`tacho flink status` says how it does"]);
  }
  for (const forever of [true, false]) {
    const reason = "it is restarting",
      { advice: _, ...told } = standing_of({ job: { forever, reason }, waiting: 0, still_ms: 0 }, 7);
    assert.deepEqual(told, { state: forever ? "stopped" : "paused", reason, since_ms: 7 });
  }
});

Deno.test("a job is behind in each partition of the topics that it reads: what it has read of others makes up for nothing", () => {
  const live = new Map([["t/0", 100], ["t/1", 50], ["a/b/0", 7]]);
  assert.equal(messages_behind(live, new Map([["t/0", 90], ["more/0", 500]]), []), 10 + 50);
  assert.equal(messages_behind(live, new Map([["t/0", 100], ["t/1", 60], ["more/0", 500]]), []), 0);
  // Where it has read nothing yet it is known by its configuration what it will.
  assert.equal(messages_behind(live, new Map(), ["t"]), 150);
  assert.equal(messages_behind(live, new Map([["t/0", 100], ["t/1", 50]]), ["a/b"]), 7);
});
