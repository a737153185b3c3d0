import assert from "node:assert/strict";
import fc from "fast-check";
import { LIMIT_MS, limited } from "../support/available.ts";

/** What keeps a hanging test and a failing property from saying nothing. */

Deno.test("a test that hangs fails by its name; one that ends, or throws, does so as it would", async () => {
  await assert.rejects(
    limited(10, "it hangs", () => new Promise(() => {})),
    /^Error: run "it hangs": not done within 10 ms$/,
  );
  await limited(60_000, "it ends", () => Promise.resolve());
  await limited(60_000, "it ends at once", () => {});
  const mine = new Error("mine");
  await assert.rejects(limited(60_000, "it throws", () => Promise.reject(mine)), (error) => error === mine);
  await assert.rejects(
    limited(60_000, "it throws at once", () => {
      throw mine;
    }),
    (error) => error === mine,
  );
});

Deno.test("a property that fails shows what it failed with, however slow its shrinking", async () => {
  const { interruptAfterTimeLimit, markInterruptAsFailure } = fc.readConfigureGlobal();
  assert.ok(interruptAfterTimeLimit !== undefined && interruptAfterTimeLimit < LIMIT_MS, "the limits are loaded");
  assert.equal(markInterruptAsFailure, true, "a property that was cut short has not held");
  const slow = fc.asyncProperty(fc.array(fc.nat(), { minLength: 5 }), async (numbers) => {
    await new Promise((resolve) => setTimeout(resolve, 50));
    assert.equal(numbers.length, 0);
  });
  await assert.rejects(fc.assert(slow, { interruptAfterTimeLimit: 1_000 }), /Counterexample: \[\[[\d,]+\]\]/);
  const passing = fc.asyncProperty(fc.nat(), () => new Promise<void>((resolve) => setTimeout(resolve, 50)));
  await assert.rejects(fc.assert(passing, { interruptAfterTimeLimit: 500 }), /interrupted/i);
});
