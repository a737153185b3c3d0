import assert from "node:assert/strict";
import fc from "fast-check";
import { compare_points, EventSort, type ReplayEvent } from "../../src/replay/mod.ts";

/** The external merge sort: whatever the order of what comes in and wherever it exceeds memory, one order comes out. */

async function in_folder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = await Deno.makeTempDir({ prefix: "tacho_sort_" });
  try {
    return await work(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Events of rows in the order of their files, with times from a small range, so that many are equal. */
const events_at = (times: readonly number[]): ReplayEvent[] =>
  times.map((at_us, i) => ({
    at_us,
    file: Math.floor(i / 7),
    line: i % 7,
    nth: 0,
    key: `k${i}`,
    value: `{"n":${i},"text":"a\\nb\u2028é"}`,
    fault: i % 5 === 0 ? '{"reason":"x"}' : null,
  }));

Deno.test("what goes in comes out once, in order of time, file and line, however many runs it takes", async () => {
  const times = fc.array(fc.integer({ min: -3, max: 12 }), { maxLength: 80 });
  const bound = fc.record({
    events: fc.integer({ min: 1, max: 30 }),
    characters: fc.integer({ min: 1, max: 2_000 }),
    runs: fc.integer({ min: 2, max: 4 }),
  });
  await fc.assert(
    fc.asyncProperty(times, bound, (times, bound) =>
      in_folder(async (folder) => {
        const events = events_at(times);
        const sort = new EventSort(`${folder}/runs`, bound);
        for (let at = 0; at < events.length; at += 9) await sort.put(events.slice(at, at + 9));
        assert.deepEqual((await Array.fromAsync(sort.sorted())).flat(), events.toSorted(compare_points));
      })),
    { numRuns: 60 },
  );
});

Deno.test("what fits stays in memory; what does not goes into few files, however much it is", async () => {
  await in_folder(async (folder) => {
    const events = events_at(Array.from({ length: 2_000 }, (_, i) => (i * 7_919) % 1_000));
    const small = new EventSort(`${folder}/small`, { events: 2_001, characters: 1e9, runs: 4 });
    await small.put(events);
    assert.equal(small.runs, 0);
    await assert.rejects(Deno.stat(`${folder}/small`), Deno.errors.NotFound);

    const large = new EventSort(`${folder}/large`, { events: 10, characters: 1e9, runs: 4 });
    let most = 0;
    for (const event of events) {
      await large.put([event]);
      if (large.runs > 0) most = Math.max(most, [...Deno.readDirSync(`${folder}/large`)].length);
    }
    // Two hundred runs by four: at most three of each of the four levels stay, and one is added.
    assert.ok(most <= 13, `${most} files`);
    assert.equal((await Array.fromAsync(large.sorted())).flat().length, events.length);
  });
});
