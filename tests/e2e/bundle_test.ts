import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { tacho_test } from "../support/available.ts";
import { make_checkout } from "../support/checkout.ts";
import { make_deployment } from "../support/deployment.ts";
import { FrameReader } from "../support/feed_client.ts";
import { GuardedFolder } from "../support/guarded_folder.ts";
import { shell } from "../support/shell.ts";
import { type Ended, run_tacho, type ServingProgram, TachoProgram } from "../support/tacho_program.ts";
import { until } from "../support/until.ts";

/** The program in one file: from another folder, with no repository around it, and without Deno's cache of packages. */

// The checkout's folder goes when this process ends.
const checkout = await make_checkout();

/** Runs a task of deno.json in the checkout, without the line in which Deno repeats the task. */
const run_task = (name: string): Promise<Ended> =>
  run_tacho([], { command: ["task", "--quiet", name], folder: checkout.path });

// Known before the tests are registered: whether the standalone binary can be made decides which of them run.
const compiled = await run_task("compile");

const FLAGS = ["--no-npm", "--no-remote", "--allow-net", "--allow-env", "--allow-read=.", "--allow-write=.tacho"];

/** A folder that holds these files of dist/ and nothing else, and the way to run the bundle in it. */
async function place(...files: string[]) {
  const folder = new GuardedFolder("bundle");
  await shell(
    "copy the bundle",
    'from=$1 && to=$2 && shift 2 && cd "$from" && cp "$@" "$to"',
    `${checkout.path}/dist`,
    folder.path,
    ...files,
  );
  const env = { DENO_DIR: `${folder.path}/deno` };
  return {
    run: (args: readonly string[], more: Record<string, string> = {}) =>
      run_tacho([], { command: ["run", ...FLAGS, "tacho.js", ...args], folder: folder.path, env: { ...env, ...more } }),
    serve: (verb: string, more: Record<string, string> = {}) =>
      TachoProgram.serve("start", {
        command: ["run", ...FLAGS, "tacho.js", verb],
        folder: folder.path,
        env: { ...env, ...more },
      }),
    [Symbol.asyncDispose]: () => folder.dispose(),
  };
}

/** The page and its parts are served. */
async function assert_page({ url }: ServingProgram): Promise<void> {
  for (
    const [path, text] of [["", /<title>tacho<\/title>/], ["static/app.js", /make_feed/], [
      "static/style.css",
      /\{/,
    ]] as const
  ) {
    const response = await fetch(`${url}${path}`);
    assert.equal(response.status, 200);
    assert.match(await response.text(), text);
  }
}

async function position({ url }: ServingProgram): Promise<number> {
  const reader = new FrameReader((await fetch(`${url}api/v1/feed`)).body!);
  const { data } = await reader.until("hello");
  await reader.cancel();
  return Number(data.position);
}

const WHOLE = ["tacho.js", "pglite.data", "pglite.wasm", "initdb.wasm"];

tacho_test({
  name: "bundle: dev runs from a folder of its own, embedded database and page included",
  async fn() {
    await using folder = await place(...WHOLE);
    await using program = await folder.serve("dev");
    await assert_page(program);
    await until("events flow", async () => await position(program) > 0);
    assert.equal(await program.term("SIGINT"), 0);
  },
});

tacho_test({
  name: "bundle: with DATABASE_URL its one file is enough",
  needs: ["postgres", "kafka"],
  async fn() {
    const env = await make_deployment("bundle");
    await using folder = await place("tacho.js");
    const migrated = await folder.run(["migrate"], env);
    assert.equal(migrated.code, 0, migrated.stderr);
    assert.match(migrated.stderr, /migrated version=1 name=event_log/);
    await using program = await folder.serve("serve", env);
    await assert_page(program);
    assert.equal(await position(program), 0);
    const produced = await folder.run(["produce", "--count", "300", "--history", "1h"], env);
    assert.equal(produced.code, 0, produced.stderr);
    await until("300 messages arrive", async () => await position(program) === 300);
    assert.equal(await program.term(), 0);
  },
});

tacho_test({
  name: "bundle: dev without PGlite's files beside it says what to do",
  async fn() {
    await using folder = await place("tacho.js");
    const { code, stderr } = await folder.run(["dev"]);
    assert.equal(code, 1);
    assert.match(
      stderr,
      /^tacho: open embedded database: pglite\.data is not beside the program; keep all files .* together, or set DATABASE_URL/,
    );
  },
});

tacho_test({
  name: "compile: where Deno's runtime cannot be fetched the task fails with one line that says so",
  unless: compiled.code === 0 ? "the runtime can be fetched here" : null,
  fn() {
    assert.equal(compiled.code, 1);
    const { build: { target }, version: { deno } } = Deno;
    assert.match(compiled.stderr, /^compile: Deno's runtime for standalone binaries cannot be fetched; .*\n$/);
    assert.match(
      compiled.stderr,
      new RegExp(`a denort of Deno ${RegExp.escape(deno)} in DENORT_BIN, or put denort-${target}\\.zip `),
    );
    assert.match(compiled.stderr, new RegExp(` into dl/release/v${RegExp.escape(deno)}/ of Deno's cache`));
    assert.equal(compiled.stdout, "");
  },
});

tacho_test({
  name:
    "compile: takes the runtime that DENORT_BIN names, and puts the embedded database's three files beside the program",
  async fn() {
    // Deno itself stands in for its runtime: what comes out would not run the program, and holds all that is put in.
    const made = await run_tacho([], {
      command: ["task", "--quiet", "compile"],
      folder: checkout.path,
      env: { DENORT_BIN: Deno.execPath() },
    });
    assert.deepEqual([made.code, made.stdout], [0, "dist/tacho\n"], made.stderr);
    const dist = `${checkout.path}/dist`;
    const held = Buffer.from(Deno.readFileSync(`${dist}/tacho`).buffer);
    for (const file of ["pglite.data", "pglite.wasm", "initdb.wasm"]) {
      const bytes = Deno.readFileSync(`${dist}/${file}`);
      const middle = bytes.subarray(bytes.length >> 1, (bytes.length >> 1) + 200);
      assert.ok(held.includes(Buffer.from(middle)), file);
    }
  },
});

tacho_test({
  name: "compile: the standalone binary runs from a folder of its own",
  unless: compiled.code === 0 ? null : compiled.stderr.trim(),
  async fn() {
    const folder = new GuardedFolder("binary");
    try {
      await shell("copy the binary", 'cp "$1/dist/tacho" "$2"', checkout.path, folder.path);
      const help = await shell("ask the binary for help", 'cd "$1" && ./tacho --help', folder.path);
      assert.match(help, /Usage: tacho/);
    } finally {
      await folder.dispose();
    }
  },
});
