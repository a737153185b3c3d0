import assert from "node:assert/strict";
import { SETTINGS } from "../../src/runtime/mod.ts";
import tasks from "../../deno.json" with { type: "json" };
import readme from "../../README.md" with { type: "text" };

Deno.test("the README's configuration table is the configuration schema", () => {
  const rows = readme.split("\n").filter((line) => /^\| `(?:[A-Z0-9]+_)*[A-Z0-9]+`\s*\|/.test(line)).map((line) =>
    line.split("|").slice(1, -1).map((cell) => cell.trim())
  );
  const expected = Object.values(SETTINGS).map(({ variable, fallback, meaning }) => [
    `\`${variable}\``,
    fallback === null ? "" : `\`${fallback}\``,
    meaning,
  ]);
  assert.deepEqual(rows, expected);
});

Deno.test("the README's map names every folder of src, and no other", () => {
  const map = readme.slice(readme.indexOf("### The map"), readme.indexOf("## What producers send"));
  const named = [...map.matchAll(/`src\/([a-z_]+)`/g)].map(([, name]) => name!).sort();
  const folders = [...Deno.readDirSync(new URL("../../src", import.meta.url))].map(({ name }) => name).sort();
  assert.deepEqual([...new Set(named)].filter((name) => name !== "src"), folders);
});

Deno.test("every task and test file that the README names is there", () => {
  const named = new Set([...readme.matchAll(/(?:deno task|deno@[\d.]+ task) ([a-z]+)/g)].map(([, name]) => name!));
  assert.ok(named.size >= 5);
  for (const name of named) assert.ok(name in tasks.tasks, `deno.json has no task ${name}`);
  for (const [, path] of readme.matchAll(/`(tests\/[a-z_/]+\.ts)`/g)) {
    assert.ok(Deno.statSync(new URL(`../../${path}`, import.meta.url)).isFile, path);
  }
});
