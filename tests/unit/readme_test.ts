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

/** The files of a folder by their paths from the root, all the way down. */
function paths_in(folder: string): string[] {
  return [...Deno.readDirSync(new URL(`../../${folder}`, import.meta.url))].flatMap(({ name, isDirectory }) =>
    isDirectory ? paths_in(`${folder}/${name}`) : [`${folder}/${name}`]
  );
}

Deno.test("what the README runs by `deno task test` is there: every filter names a test file, or a folder of some", () => {
  const tests = paths_in("tests").filter((path) => path.endsWith("_test.ts"));
  const commands = [...readme.matchAll(/`(?:[A-Z_]+=\S+ )*deno task test ([^`]+)`/g)].map(([, filters]) => filters!);
  assert.ok(commands.length >= 20);
  for (const filters of commands) {
    for (const filter of filters.split(" ").filter((word) => !word.startsWith("-"))) {
      assert.ok(tests.some((path) => path.includes(filter)), `no test file has ${filter} in its path`);
    }
  }
});

Deno.test("every source file that a comment names is there", () => {
  const paths = ["src", "tests", "static", "migrations", "tools"].flatMap(paths_in);
  const names = new Set(["main.ts", ...paths.map((path) => path.slice(path.lastIndexOf("/") + 1))]);
  const named: string[] = [];
  for (const path of paths.filter((path) => path.endsWith(".ts"))) {
    const comments = Deno.readTextFileSync(new URL(`../../${path}`, import.meta.url)).matchAll(
      /^\s*(?:\/?\*|\/\/).*$/gm,
    );
    for (const [comment] of comments) {
      for (const [, name] of comment.matchAll(/`(?:[a-z_]+\/)*([a-z0-9_]+\.(?:ts|sql))`/g)) named.push(name!);
    }
  }
  assert.ok(named.length >= 15);
  assert.deepEqual(named.filter((name) => !names.has(name)), []);
});

Deno.test("every file and folder that docs/architecture.md names is there, and every room of src has its line", () => {
  const text = Deno.readTextFileSync(new URL("../../docs/architecture.md", import.meta.url));
  const paths = ["src", "tests", "static", "migrations", "docs"].flatMap(paths_in);
  const there = new Set([
    "main.ts",
    ...paths.flatMap((path) => {
      const parts = path.split("/");
      return parts.flatMap((_, to) => parts.slice(0, to + 1).map((_, from) => parts.slice(from, to + 1).join("/")));
    }),
  ]);
  const named = [...text.matchAll(/`([a-z_0-9./]+(?:\.(?:ts|js|sql|md)|\/)|(?:src|tests|docs|static)\/[a-z_0-9/]+)`/g)];
  assert.ok(named.length >= 60);
  assert.deepEqual(named.map(([, name]) => name!.replace(/\/$/, "")).filter((name) => !there.has(name)), []);
  const rooms = [...Deno.readDirSync(new URL("../../src", import.meta.url))].map(({ name }) => name);
  assert.deepEqual(rooms.filter((room) => !new RegExp(`^\\|.* \`${room}/`, "m").test(text)), []);
});
