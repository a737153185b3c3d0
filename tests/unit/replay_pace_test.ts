import assert from "node:assert/strict";
import { InFlight, Pace } from "../../src/replay/mod.ts";

/** When events are released, and how many are on their way. */

const MINUTE_US = 60e6;

Deno.test("event time runs so many times faster than the clock, from the first step on", () => {
  const pace = new Pace({ speed: 60, step_us: 5 * MINUTE_US });
  const start = 1_000 * 5 * MINUTE_US;
  assert.equal(pace.step_of(start + 4.9 * MINUTE_US), start);
  assert.equal(pace.step_of(-1), -5 * MINUTE_US);
  assert.equal(pace.due_in_ms(start, 77_000), 0);
  assert.equal(pace.due_in_ms(start + 10 * MINUTE_US, 77_000), 10_000);
  assert.equal(pace.due_in_ms(start + 10 * MINUTE_US, 88_000), -1_000);
  pace.held(4_000);
  assert.equal(pace.due_in_ms(start + 10 * MINUTE_US, 88_000), 3_000);
});

Deno.test("without steps, what is due within a tick goes together; at full speed everything does and nothing waits", () => {
  const paced = new Pace({ speed: 100, step_us: null });
  assert.equal(paced.step_of(1_999_999), 0);
  assert.equal(paced.step_of(2_000_000), 2_000_000);
  const steps = new Pace({ speed: Infinity, step_us: MINUTE_US });
  assert.equal(steps.step_of(2.5 * MINUTE_US), 2 * MINUTE_US);
  assert.equal(steps.due_in_ms(2 * MINUTE_US, 0), 0);
  const full = new Pace({ speed: Infinity, step_us: null });
  assert.equal(full.step_of(-1), full.step_of(1e15));
});

Deno.test("slices on their way are bounded, arrivals are told in order, and none behind one that failed", async () => {
  const calls: PromiseWithResolvers<void>[] = [];
  const arrived: number[] = [];
  const send = () => {
    const call = Promise.withResolvers<void>();
    calls.push(call);
    return call.promise;
  };
  const flight = new InFlight<number>(3, send, (slice) => void arrived.push(slice));
  await flight.put(1);
  await flight.put(2);
  let room = false;
  const third = flight.put(3).then(() => room = true);
  calls[1]!.resolve();
  await Promise.resolve();
  assert.deepEqual([calls.length, arrived, room], [3, [], false]);
  calls[0]!.resolve();
  await third;
  assert.deepEqual(arrived.slice(0, 2), [1, 2].slice(0, arrived.length));
  await flight.put(4).catch(() => {});
  calls[2]!.reject(new Error("refused"));
  calls[3]!.resolve();
  await assert.rejects(flight.drain(), /refused/);
  assert.deepEqual(arrived, [1, 2]);
});
