import assert from "node:assert/strict";
import { ASSETS, make_static_files } from "../../src/http/mod.ts";

const FOLDER = new URL("../../static/", import.meta.url);

function files_below(folder: URL, prefix = ""): string[] {
  return [...Deno.readDirSync(folder)].flatMap(({ name, isDirectory }) =>
    isDirectory ? files_below(new URL(`${name}/`, folder), `${prefix}${name}/`) : [`${prefix}${name}`]
  );
}

Deno.test("every file of static is in the program, as it is on disk", () => {
  assert.deepEqual(Object.keys(ASSETS).sort(), files_below(FOLDER).sort());
  for (const [path, text] of Object.entries(ASSETS)) {
    assert.equal(text, Deno.readTextFileSync(new URL(path, FOLDER)), path);
  }
});

Deno.test("every path that the page and its modules name is served", async () => {
  const serve = await make_static_files(ASSETS);
  const named = new Set<string>();
  for (const [path, text] of Object.entries(ASSETS)) {
    if (path.startsWith("vendor/")) continue;
    for (const [, target = ""] of text.matchAll(/(?:href|src)="\/static\/([^"]+)"/g)) named.add(target);
    for (const [, target = ""] of text.matchAll(/^(?:import|export)\b[^"]*?"(\.\.?\/[^"]+)"/gm)) {
      named.add(new URL(target, `http://localhost/${path}`).pathname.slice(1));
    }
  }
  assert(named.size > 3);
  for (const path of named) {
    const response = serve(new Request(`http://localhost/static/${path}`), path);
    assert.equal(response.status, 200, path);
    await response.body?.cancel();
  }
});
