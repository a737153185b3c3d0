import assert from "node:assert/strict";
import { changed_since, input_files, ReplayRunning, Workspace } from "../../src/replay/mod.ts";

/** The folder of a replay: one process at a time, state that stays, runs that do not. */

async function with_input(work: (data_dir: string, identity: Parameters<typeof Workspace.open>[1]) => Promise<void>) {
  const data_dir = await Deno.makeTempDir({ prefix: "tacho_work_" });
  try {
    await Deno.writeTextFile(`${data_dir}/a.csv`, "id\n1\n");
    await work(data_dir, { what: "log", inputs: await input_files([`${data_dir}/a.csv`]) });
  } finally {
    await Deno.remove(data_dir, { recursive: true });
  }
}

const STATE = { version: "1", point: { at_us: 5, turn: 0, file: 0, line: 2, nth: 0 }, sent: 1 };

Deno.test("the same replay runs once at a time, and the next finds what the one before left", async () => {
  await with_input(async (data_dir, identity) => {
    const first = await Workspace.open(data_dir, identity);
    await assert.rejects(Workspace.open(data_dir, identity), ReplayRunning);
    assert.equal(await first.state(), null);
    first.save({ ...STATE, inputs: identity.inputs });
    await first.close(false);
    const second = await Workspace.open(data_dir, identity);
    assert.deepEqual(await second.state(), { ...STATE, inputs: identity.inputs });
    await second.close(true);
    const third = await Workspace.open(data_dir, identity);
    assert.equal(await third.state(), null);
    await third.close(true);
    assert.deepEqual([...Deno.readDirSync(data_dir)].map(({ name }) => name), ["a.csv"]);
  });
});

Deno.test("runs of processes that are gone are removed, runs of one that works are not", async () => {
  await with_input(async (data_dir, identity) => {
    const gone = `${data_dir}/replay-gone`;
    await Deno.mkdir(`${gone}/runs`, { recursive: true });
    await Deno.writeTextFile(`${gone}/runs/run-1.ndjson`, "x");
    await Deno.writeTextFile(`${gone}/state.json`, "{}");
    const works = await Workspace.open(data_dir, { ...identity, what: "another" });
    await Deno.mkdir(works.runs);
    const workspace = await Workspace.open(data_dir, identity);
    assert.deepEqual([...Deno.readDirSync(gone)].map(({ name }) => name).sort(), ["lock", "state.json"]);
    assert.ok((await Deno.stat(works.runs)).isDirectory);
    await works.close(true);
    await workspace.close(true);
  });
});

Deno.test("a file that changed, or another version of the program, is told in words", async () => {
  await with_input(async (data_dir, { inputs }) => {
    assert.equal(changed_since({ ...STATE, inputs }, "1", inputs), null);
    assert.match(changed_since({ ...STATE, inputs }, "2", inputs)!, /begun by tacho 1, this is 2/);
    await Deno.writeTextFile(`${data_dir}/a.csv`, "id\n1\n2\n");
    const now = await input_files([`${data_dir}/a.csv`]);
    assert.match(changed_since({ ...STATE, inputs }, "1", now)!, /a\.csv" changed: expected 5 bytes .*, got 7 bytes/);
  });
});
