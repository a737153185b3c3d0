import assert from "node:assert/strict";
import { ASSETS, make_static_files } from "../../src/http/mod.ts";
import { assets_text } from "../../tools/assets.ts";
import { trips_board } from "../support/trip_board.ts";

Deno.test("every file of static is in the program, as it is on disk", () => {
  const assets = Deno.readTextFileSync(new URL("../../src/http/assets.ts", import.meta.url));
  assert.equal(assets, assets_text(), "run: deno task assets");
  for (const [path, text] of Object.entries(ASSETS)) {
    assert.equal(text, Deno.readTextFileSync(new URL(`../../static/${path}`, import.meta.url)), path);
  }
});

Deno.test("every path that the page and its modules name is served", async () => {
  const serve = await make_static_files(ASSETS, { "": trips_board });
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
