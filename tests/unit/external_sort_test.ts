import assert from "node:assert/strict";
import fc from "fast-check";
import { compare_points, REPLAY_ORDER, type ReplayEvent } from "../../src/replay/mod.ts";
import { ExternalSort, type Folder, with_scratch } from "../../src/sort/mod.ts";

/** The external merge sort: whatever the order of what comes in and wherever it exceeds memory, one order comes out. */

async function in_folder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = await Deno.makeTempDir({ prefix: "tacho_sort_" });
  try {
    return await work(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const at = (folder: string) => () => Promise.resolve(folder);

/** Events of rows in the order of their files, with times from a small range, so that many are equal. */
const events_at = (times: readonly number[]): ReplayEvent[] =>
  times.map((at_us, i) => ({
    at_us,
    turn: i % 3 === 0 ? 1 : 0,
    file: Math.floor(i / 7),
    line: i % 7,
    nth: 0,
    key: `k${i}`,
    value: `{"n":${i},"text":"a\\nb\u2028é"}`,
    kind: `k${i % 2}`,
    fault: i % 5 === 0 ? '{"reason":"x"}' : null,
  }));

Deno.test("what goes in comes out once, in order of time, file and line, however many runs it takes", async () => {
  const times = fc.array(fc.integer({ min: -3, max: 12 }), { maxLength: 80 });
  const bound = fc.record({
    items: fc.integer({ min: 1, max: 30 }),
    characters: fc.integer({ min: 1, max: 2_000 }),
    runs: fc.integer({ min: 2, max: 4 }),
  });
  await fc.assert(
    fc.asyncProperty(times, bound, (times, bound) =>
      in_folder(async (folder) => {
        const events = events_at(times);
        const sort = new ExternalSort(at(`${folder}/runs`), REPLAY_ORDER, bound);
        for (let at = 0; at < events.length; at += 9) await sort.put(events.slice(at, at + 9));
        assert.deepEqual((await Array.fromAsync(sort.sorted())).flat(), events.toSorted(compare_points));
      })),
    { numRuns: 60 },
  );
});

Deno.test("what fits stays in memory; what does not goes into few files, however much it is", async () => {
  await in_folder(async (folder) => {
    const events = events_at(Array.from({ length: 2_000 }, (_, i) => (i * 7_919) % 1_000));
    const small = new ExternalSort(at(`${folder}/small`), REPLAY_ORDER, { items: 2_001, characters: 1e9, runs: 4 });
    await small.put(events);
    assert.equal(small.runs, 0);
    await assert.rejects(Deno.stat(`${folder}/small`), Deno.errors.NotFound);

    const large = new ExternalSort(at(`${folder}/large`), REPLAY_ORDER, { items: 10, characters: 1e9, runs: 4 });
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

Deno.test("a folder for runs is one process's own, made when it is needed, goes with its work, and what a killed process left goes with the next", async () => {
  await in_folder(async (data_dir) => {
    await Deno.mkdir(`${data_dir}/check-left/runs`, { recursive: true });
    await Deno.mkdir(`${data_dir}/other-left/runs`, { recursive: true });
    const names = () => [...Deno.readDirSync(data_dir)].map(({ name }) => name).sort();
    await with_scratch(data_dir, "check", () => Promise.resolve());
    assert.deepEqual(names(), ["check-left", "other-left"]);
    await with_scratch(data_dir, "check", async (outer) => {
      await Deno.mkdir(await outer());
      assert.equal(await outer(), await outer());
      await with_scratch(data_dir, "check", async (inner) => {
        assert.notEqual(await inner(), await outer());
        assert.ok((await Deno.stat(await outer())).isDirectory);
        assert.equal(names().length, 3);
      });
      const failing = async (folder: Folder) => {
        await folder();
        throw new Error("full");
      };
      await assert.rejects(with_scratch(data_dir, "check", failing), /full/);
      assert.equal(names().length, 2);
    });
    assert.deepEqual(names(), ["other-left"]);
  });
});

Deno.test("a merge of runs ends with the signal", async () => {
  await in_folder(async (folder) => {
    const stop = new AbortController();
    const bound = { items: 2, characters: 1e9, runs: 3 };
    const sort = new ExternalSort(at(`${folder}/runs`), REPLAY_ORDER, bound, stop.signal);
    await sort.put(events_at([1, 2, 3, 4]));
    stop.abort(new Error("stopped"));
    await assert.rejects(sort.put(events_at([5, 6])), /^Error: stopped$/);
  });
});
