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

Deno.test("what a page names is kept by browsers for good, under an address that no other build has; what another build's page asks for is not", async () => {
  const get = (serve: Awaited<ReturnType<typeof make_static_files>>, path: string) =>
    serve(new Request(`http://localhost/static/${path}`), path);
  const page_of = async (files: Readonly<Record<string, string>>) => {
    const serve = await make_static_files(files, { "": trips_board });
    const html = await get(serve, "index.html").text();
    const named = [...html.matchAll(/(?:src|href)="\/static\/([^"]+)"/g)].map(([, path]) => path!);
    return { serve, named, caching: (path: string) => get(serve, path).headers.get("cache-control") };
  };
  const own = await page_of(ASSETS), other = await page_of({ ...ASSETS, "cards.js": `${ASSETS["cards.js"]}\n` });
  assert(own.named.length > 3 && own.named.every((path, i) => path !== other.named[i]));
  for (const path of own.named) {
    const [version, name] = [path.split("/")[0]!, path.split("/").slice(1).join("/")];
    assert.match(version, /^@[\w-]{22}$/);
    assert.equal(own.caching(path), "max-age=31536000, immutable", path);
    assert.equal(await get(own.serve, path).text(), ASSETS[name]);
    // What a module imports lies beside it, and so has the version too.
    assert.equal(own.caching(`${version}/cards.js`), "max-age=31536000, immutable");
    // The page of another build, still open or before another server: it gets what there is, and keeps nothing of it.
    assert.equal(other.caching(path), "no-cache", path);
    assert.equal(await get(other.serve, `${version}/cards.js`).text(), `${ASSETS["cards.js"]}\n`);
    assert.equal(own.caching(name), "no-cache");
  }
  for (const path of ["index.html", "login/index.html", "stream/index.html"]) {
    assert.equal(own.caching(path), "no-cache", path);
    assert.equal(own.caching(`@any/${path}`), "no-cache", path);
  }
  for (const path of ["@", "@/", "@x", "@x/none.js", "@x/@y/app.js", "@x/../app.js", "x@/app.js"]) {
    assert.equal(get(own.serve, path).status, 404, path);
  }
});
