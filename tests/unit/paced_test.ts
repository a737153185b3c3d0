import assert from "node:assert/strict";
import { type Pace, Paced, wait } from "../../src/runtime/mod.ts";

Deno.test("waits double up to the cap, jittered between half and the whole", () => {
  const waits = (random: number, pace?: Pace) => {
    const one = new Paced({ clock: { now_ms: () => 0 }, random: () => random }, pace);
    return Array.from({ length: 1_100 }, () => one.failed("no").next_try_ms);
  };
  const least = waits(0), most = waits(1 - Number.EPSILON);
  assert.deepEqual([...least.slice(0, 4), least[19], least[1_099]], [50, 100, 200, 400, 5_000, 5_000]);
  assert.deepEqual([...most.slice(0, 4), most[19], most[1_099]], [100, 200, 400, 800, 10_000, 10_000]);
  assert.equal(waits(0.5, { first_ms: 10, cap_ms: 25 })[2], 19);
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

/** Something paced, in a time that the test sets. */
function paced(pace: Pace) {
  const clock = { ms: 1_000 };
  const one = new Paced({ clock: { now_ms: () => clock.ms }, random: () => 1 }, pace);
  return { clock, one };
}

Deno.test("it may begin at once, then after its gap, and after a long time when it has rested", () => {
  const { clock, one } = paced({ gap_ms: 250, rest: { times: 5, free_ms: 100 } });
  assert.deepEqual([one.due, one.wait_ms], [true, 0]);
  one.begin();
  clock.ms += 100;
  assert.deepEqual([one.due, one.unanswered_since_ms], [false, 1_000], "one at a time");
  assert.equal(one.succeeded(), null);
  assert.deepEqual([one.due, one.wait_ms, one.unanswered_since_ms], [false, 150, null]);
  clock.ms += 150;
  assert.equal(one.due, true);
  one.begin();
  clock.ms += 300;
  one.succeeded();
  assert.equal(one.wait_ms, 1_000, "five times what went beyond a tenth of a second");
  one.forgo_rest();
  assert.equal(one.wait_ms, 0);
});

Deno.test("failures are waited out longer and longer, since the first of them, until a success ends the trouble", () => {
  const { clock, one } = paced({ gap_ms: 10, first_ms: 100, cap_ms: 300 });
  const waits = [1, 2, 3, 4].map((attempt) => {
    clock.ms += 1_000;
    one.begin();
    const trouble = one.failed(new Error(`no ${attempt}`));
    assert.deepEqual(trouble, {
      reason: `no ${attempt}`,
      since_ms: 2_000,
      attempt,
      next_try_ms: one.wait_ms,
    });
    assert.equal(one.trouble, trouble);
    one.forgo_rest();
    assert.equal(one.due, false, "a failure's wait is no rest");
    return one.wait_ms;
  });
  assert.deepEqual(waits, [100, 200, 300, 300]);
  one.begin();
  assert.equal(one.succeeded()?.attempt, 4);
  assert.deepEqual([one.trouble, one.failed("again").attempt], [null, 1]);
});

Deno.test("work is tried until it is done; what no other try can help rejects at once, and so does the end", async () => {
  const { one } = paced({ first_ms: 1, cap_ms: 1 });
  const never = new AbortController().signal;
  const told: number[] = [];
  let tries = 0;
  const passing = new Error("passes"), fatal = new Error("fatal");
  const until_done = (work: () => Promise<number>, signal = never) =>
    one.until_done(signal, work, { passes: (error) => error !== fatal, waiting: ({ attempt }) => told.push(attempt) });
  assert.equal(await until_done(() => ++tries < 4 ? Promise.reject(passing) : Promise.resolve(tries)), 4);
  assert.deepEqual([told, one.trouble], [[1, 2, 3], null]);
  await assert.rejects(until_done(() => Promise.reject(fatal)), (error) => error === fatal);
  const ended = AbortSignal.abort(new Error("stop"));
  await assert.rejects(until_done(() => Promise.reject(passing), ended), (error) => error === passing);
  assert.deepEqual(told, [1, 2, 3]);
});

Deno.test("a clock that is set back, at any moment, makes no wait longer; one that is set forward earns no long rest", () => {
  for (const at of ["before it begins", "while it is under way", "after it ended"]) {
    const { clock, one } = paced({ gap_ms: 250, rest: { times: 5, free_ms: 100 } });
    one.begin();
    one.succeeded();
    clock.ms += 250;
    assert.equal(one.due, true);
    if (at === "before it begins") clock.ms -= 3_600_000;
    one.begin();
    if (at === "while it is under way") clock.ms -= 3_600_000;
    one.succeeded();
    if (at === "after it ended") clock.ms -= 3_600_000;
    assert.ok(one.wait_ms <= 250, at);
    clock.ms += 250;
    assert.equal(one.due, true, at);
  }
  const { clock, one } = paced({ rest: { times: 5, free_ms: 100 } });
  one.begin();
  clock.ms += 3_600_000;
  one.succeeded();
  assert.equal(one.wait_ms, 60_000);
});
