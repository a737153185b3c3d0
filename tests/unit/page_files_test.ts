import assert from "node:assert/strict";
import { createHash } from "node:crypto";

/** What holds for the page's files as a whole: weight, size of modules, content security policy, pinned uPlot. */

const STATIC = new URL("../../static/", import.meta.url);
const WEIGHT_LIMIT = 120 * 1024;

const names = [...Deno.readDirSync(STATIC)].filter((entry) => entry.isFile).map((entry) => entry.name);
const text_of = (name: string) => Deno.readTextFileSync(new URL(name, STATIC));
const html = text_of("index.html");

Deno.test("the page weighs at most 120 KB, uncompressed and with uPlot", () => {
  const loaded = [...names, "vendor/uPlot.iife.min.js", "vendor/uPlot.min.css"];
  const weight = loaded.reduce((sum, name) => sum + Deno.statSync(new URL(name, STATIC)).size, 0);
  assert.ok(weight <= WEIGHT_LIMIT, `${weight} bytes of ${WEIGHT_LIMIT}`);
});

Deno.test("nobody needs to read a file over 300 lines", () => {
  for (const name of names) assert.ok(text_of(name).split("\n").length <= 300, name);
});

Deno.test("every file that the page names is there, and every module is used", () => {
  const used = new Set(["index.html", "app.js"]);
  for (const [, path] of html.matchAll(/(?:src|href)="\/static\/([^"]+)"/g)) {
    if (path !== undefined) used.add(path) && Deno.statSync(new URL(path, STATIC));
  }
  for (const name of names.filter((each) => each.endsWith(".js"))) {
    for (const [, path] of text_of(name).matchAll(/from "\.\/([^"]+)"/g)) if (path !== undefined) used.add(path);
  }
  assert.deepEqual(names.filter((name) => !used.has(name)), []);
  for (const name of used) Deno.statSync(new URL(name, STATIC));
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
  for (const name of names.filter((each) => each.endsWith(".js"))) {
    for (const [, id] of text_of(name).matchAll(/by_id\("(\w+)"\)/g)) {
      assert.ok(html.includes(`id="${id}"`), `${name} asks for ${JSON.stringify(id)}`);
    }
  }
});

Deno.test("uPlot is 1.6.32 as published", () => {
  const digest = (name: string) => createHash("sha256").update(text_of(name)).digest("hex");
  assert.equal(digest("vendor/uPlot.iife.min.js"), "19c8d4c6ad88929a79f4ae49d6f7161566dfd0ba3d15cc495e974f787eb78f1f");
  assert.equal(digest("vendor/uPlot.min.css"), "df630c6a8d6f8eeaff264b50f73ce5b114f646ffd9a0bb74f049b0a00135fa04");
});
