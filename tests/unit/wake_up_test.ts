import assert from "node:assert/strict";
import { WakeUp } from "../../src/runtime/paced.ts";

Deno.test("a ring wakes everyone who waits, once", async () => {
  const bell = new WakeUp();
  const both = Promise.all([bell.next(null), bell.next(null, 60_000)]);
  bell.ring();
  await both;
  let woken = false;
  const later = bell.next(null).then(() => woken = true);
  await Promise.resolve();
  assert.equal(woken, false);
  bell.ring();
  await later;
});

Deno.test("the time limit and the abort wake too", async () => {
  const bell = new WakeUp();
  await bell.next(null, 1);
  const controller = new AbortController();
  const waiting = bell.next(controller.signal);
  controller.abort();
  await waiting;
  await bell.next(controller.signal);
});
