import assert from "node:assert/strict";
import { environment } from "../../src/runtime/mod.ts";

Deno.test("a file adds what the environment does not say; an absent one is no fault, an unreadable one is", async () => {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${folder}/.env`, "TACHO_TEST_FROM_FILE=file\nTACHO_TEST_BOTH=file\n# comment\n");
    Deno.env.set("TACHO_TEST_BOTH", "environment");
    const variables = environment(`${folder}/.env`);
    assert.deepEqual([variables.TACHO_TEST_FROM_FILE, variables.TACHO_TEST_BOTH], ["file", "environment"]);
    assert.equal(environment(`${folder}/absent`).TACHO_TEST_BOTH, "environment");
    assert.equal(environment().TACHO_TEST_FROM_FILE, undefined);
    assert.throws(() => environment(folder), /read configuration: cannot read/);
  } finally {
    Deno.env.delete("TACHO_TEST_BOTH");
    await Deno.remove(folder, { recursive: true });
  }
});
