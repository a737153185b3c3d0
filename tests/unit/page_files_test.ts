import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { ASSETS, make_static_files } from "../../src/http/mod.ts";
import { eager_files, imports_of, page_files, weight_of, worker_files } from "../support/page_weight.ts";
import { DECLARED } from "../support/page_frames.ts";
import { trips_board } from "../support/trip_board.ts";

/** What holds for the page's files as a whole: weight, size of modules, content security policy, pinned uPlot. */

const STATIC = new URL("../../static/", import.meta.url);
/** Bytes, uncompressed, uPlot's 51,081 among them. */
const WEIGHT_LIMIT = 127_000;
/** Bytes of what is declared, which the HTML carries besides, and each hello. */
const DECLARED_LIMIT = 8_000;
/** Bytes of the worker that the tabs of a browser share. */
const WORKER_LIMIT = 10_000;

const names = page_files().filter((name) => !name.startsWith("vendor/"));
const text_of = (name: string) => Deno.readTextFileSync(new URL(name, STATIC));
const html = text_of("index.html");

Deno.test("before anything is pressed the page loads no more bytes than its limit", async () => {
  const eager = eager_files();
  const [first, worker, all] = [
    await weight_of(eager),
    await weight_of(worker_files()),
    await weight_of(page_files()),
  ];
  const text = ({ raw, gzip }: typeof first) => `${raw.toLocaleString("en")} bytes (${gzip.toLocaleString("en")} gzip)`;
  console.log(
    `page: ${text(first)} in ${eager.length} files before a press, ${text(worker)} for all tabs, all files ${
      text(all)
    }`,
  );
  assert.ok(first.raw <= WEIGHT_LIMIT, `${first.raw} bytes of ${WEIGHT_LIMIT}: ${eager.join(" ")}`);
  const declared = JSON.stringify(DECLARED).length;
  assert.ok(declared <= DECLARED_LIMIT, `${declared} bytes of ${DECLARED_LIMIT}`);
  assert.ok(worker.raw > 0 && worker.raw <= WORKER_LIMIT, `${worker.raw} bytes of ${WORKER_LIMIT}`);
});

Deno.test("every module that is loaded at once is named beside the page, so that all come side by side", async () => {
  const serve = await make_static_files(ASSETS, { "": trips_board });
  for (const start of ["index.html", "stream/index.html"]) {
    const links = serve(new Request("http://localhost/"), start).headers.get("link") ?? "";
    assert.match(
      links,
      /^<\/static\/(@[\w-]+)\/early\.js>; rel=preload; as=script, <\/static\/\1\/style\.css>; rel=preload; as=style/,
    );
    const named = [...links.matchAll(/<\/static\/@[\w-]+\/([^>]+)>; rel=modulepreload/g)].map(([, name]) => name);
    const classic = new Set([...text_of(start).matchAll(/<script src="\/static\/([^"]+)"/g)].map(([, name]) => name));
    const modules = eager_files(start).filter((name) =>
      name.endsWith(".js") && (name === "app.js" || !classic.has(name))
    );
    assert.deepEqual(named.sort(), modules);
  }
  assert.equal(serve(new Request("http://localhost/"), "style.css").headers.get("link"), null);
});

Deno.test("nobody needs to read a file over 300 lines", () => {
  for (const name of names) assert.ok(text_of(name).split("\n").length <= 300, name);
});

Deno.test("every file that the page or a module names is there, and every file is used", () => {
  const added = Deno.readTextFileSync(new URL("../../src/http/static_files.ts", import.meta.url));
  const used = new Set([
    ...eager_files(),
    ...[...added.matchAll(/stylesheet\("([\w.]+)"\)/g)].map(([, name = ""]) => name),
  ]);
  for (const name of used) {
    if (!name.endsWith(".js") || name.startsWith("vendor/")) continue;
    const { eager, lazy } = imports_of(name);
    // A set that grows while it is walked is walked to its new end.
    for (const path of [...eager, ...lazy]) used.add(path);
    for (const [, path = ""] of text_of(name).matchAll(/"\/static\/([^"]+)"/g)) used.add(path);
  }
  for (const name of used) Deno.statSync(new URL(name, STATIC));
  assert.deepEqual(page_files().filter((name) => !used.has(name) && !name.startsWith("stream/")), []);
});

Deno.test("the page needs no inline script or style", () => {
  assert.doesNotMatch(html, /<style|\sstyle=|\son\w+=|javascript:/i);
  assert.doesNotMatch(html, /<script(?![^>]*src=)/i);
  for (const name of names.filter((each) => each.endsWith(".js"))) {
    assert.doesNotMatch(
      text_of(name),
      /innerHTML|insertAdjacentHTML|outerHTML|setAttribute\("style"|\beval\(|cssText/,
      name,
    );
  }
});

Deno.test("every element that a module asks for by id is in the page", () => {
  for (const name of names.filter((each) => each.endsWith(".js") && !each.startsWith("stream/"))) {
    for (const [, id] of text_of(name).matchAll(/by_id\("(\w+)"\)/g)) {
      const made = names.some((each) => text_of(each).includes(`.id = "${id}"`));
      const page = name.startsWith("stream/") ? text_of("stream/index.html") : html;
      assert.ok(made || page.includes(`id="${id}"`), `${name} asks for ${JSON.stringify(id)}`);
    }
  }
});

Deno.test("uPlot is 1.6.32 as published", () => {
  const digest = (name: string) => createHash("sha256").update(text_of(name)).digest("hex");
  assert.equal(digest("vendor/uPlot.iife.min.js"), "19c8d4c6ad88929a79f4ae49d6f7161566dfd0ba3d15cc495e974f787eb78f1f");
});
