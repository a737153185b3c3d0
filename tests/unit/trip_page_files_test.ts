import assert from "node:assert/strict";

/** What holds for the files of the trip page as a whole: weight, size, content security policy, ids. */

const FOLDER = new URL("../../static/stream/", import.meta.url);
const WEIGHT_LIMIT = 70_000;

const names = [...Deno.readDirSync(FOLDER)].map(({ name }) => name).sort();
const modules = names.filter((name) => name.endsWith(".js"));
const text_of = (name: string) => Deno.readTextFileSync(new URL(name, FOLDER));
const html = text_of("index.html");

Deno.test("the trip page weighs little, the files it shares with the board included", () => {
  const shared = ["style.css", "early.js", "page.js", "format.js"].map((name) => `../${name}`);
  const weight = [...names, ...shared].reduce((sum, name) => sum + Deno.statSync(new URL(name, FOLDER)).size, 0);
  assert.ok(weight <= WEIGHT_LIMIT, `${weight} bytes of ${WEIGHT_LIMIT}`);
});

Deno.test("its entry names every module, so that all load side by side, and the board none of them", () => {
  const named = [...text_of("stream.js").matchAll(/"\.\/([^"]+)"/g)].map(([, name]) => name).sort();
  assert.deepEqual(named, modules.filter((name) => name !== "stream.js"));
  for (const { name, isFile } of Deno.readDirSync(new URL("..", FOLDER))) {
    if (isFile) assert.doesNotMatch(text_of(`../${name}`), /stream\/\w+\.(js|css)/, name);
  }
});

Deno.test("it needs no inline script or style, and no file of it is long", () => {
  assert.doesNotMatch(html, /<style|\sstyle=|\son\w+=|javascript:|<script(?![^>]*src=)/i);
  for (const name of modules) {
    assert.doesNotMatch(
      text_of(name),
      /innerHTML|insertAdjacentHTML|outerHTML|setAttribute\("style"|\beval\(|cssText/,
      name,
    );
  }
  for (const name of names) assert.ok(text_of(name).split("\n").length <= 300, name);
});

Deno.test("every element that its modules ask for by id is in it", () => {
  for (const name of modules) {
    for (const [, id] of text_of(name).matchAll(/by_id\("(\w+)"\)/g)) {
      assert.ok(html.includes(`id="${id}"`), `${name} asks for ${JSON.stringify(id)}`);
    }
  }
});
