import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { type ExportPlace, FolderPlace, PlaceUnusable, S3Place } from "../../src/export/mod.ts";
import { tacho_test } from "../support/available.ts";
import { GuardedFolder } from "../support/guarded_folder.ts";
import { start_s3_server } from "../support/s3_server.ts";

/** What every place that exports go to has in common: a folder, and S3 as a real server speaks it. */

const KEYS = { access_key_id: "AK", secret_access_key: "secret", session_token: null, region: "eu-central-1" };

async function meets_the_contract(place: ExportPlace): Promise<void> {
  assert.equal(await place.read("daily/2026-03-01/metrics.json"), null);
  const texts = ["", '{"a":1}', "é€𝄞\n", "x".repeat(300_000)];
  for (const text of texts) {
    await place.write("daily/2026-03-01/metrics.json", text);
    assert.equal(await place.read("daily/2026-03-01/metrics.json"), text);
  }
  assert.equal(await place.read("daily/2026-03-02/metrics.json"), null);
  await place.write("odd name/é+%.json", "odd");
  assert.equal(await place.read("odd name/é+%.json"), "odd");
  // Names of a folder, not of those below it.
  await place.write("odd name/below/b", "");
  for (const name of ["c d", "a&b<'\"+"]) await place.write(`odd name/${name}`, "");
  assert.deepEqual(await place.list("odd name"), ["odd name/a&b<'\"+", "odd name/c d", "odd name/é+%.json"]);
  assert.deepEqual(await place.list("odd name/below"), ["odd name/below/b"]);
  assert.deepEqual(await place.list("odd"), []);
  // What is written piece by piece: nothing is there before it is finished, or when it is given up.
  assert.equal(await place.size("long/a"), null);
  for (const sizes of [[], [3], [1, 20 << 20, 7], [9 << 20, 9 << 20, 16 << 20]]) {
    for (const end of ["abandon", "finish"] as const) {
      const before = await place.size("long/a"), file = await place.begin("long/a");
      for (const [i, size] of sizes.entries()) await file.write(new Uint8Array(size).fill(i + 1));
      assert.equal(await place.size("long/a"), before);
      await file[end]();
      const size = sizes.reduce((sum, each) => sum + each, 0);
      assert.equal(await place.size("long/a"), end === "finish" ? size : before);
    }
  }
  const pieces = await place.begin("long/b");
  for (const text of ["ab", "", "é"]) await pieces.write(new TextEncoder().encode(text));
  await pieces.finish();
  assert.equal(await place.read("long/b"), "abé");
  // As a file of this machine, in place of a longer one.
  await using copies = new_copies();
  const path = `${copies.path}/copy`, { signal } = new AbortController();
  for (const sizes of [[], [5], [16 << 20], [9 << 20, 9 << 20, 3]]) {
    const file = await place.begin("long/c");
    for (const [i, size] of sizes.entries()) await file.write(new Uint8Array(size).fill(i + 1));
    await file.finish();
    Deno.writeFileSync(path, new Uint8Array(20 << 20).fill(9));
    assert.equal(await place.copy("long/c", path, signal), true);
    const expected = Buffer.concat(sizes.map((size, i) => new Uint8Array(size).fill(i + 1)));
    assert.equal(Buffer.compare(Deno.readFileSync(path), expected), 0);
  }
  assert.equal(await place.copy("long/none", path, signal), false);
  const ended = new Error("ended");
  await assert.rejects(place.copy("long/c", path, AbortSignal.abort(ended)), (error) => error === ended);
  await assert.rejects(place.copy("long/c", `${copies.path}/absent/copy`, signal));
}

function new_copies(): { readonly path: string } & AsyncDisposable {
  const folder = new GuardedFolder("copies");
  return { path: folder.path, [Symbol.asyncDispose]: () => folder.dispose() };
}

tacho_test({
  name: "a folder is a place for exports, and holds nothing else afterwards",
  async fn() {
    const folder = new GuardedFolder("export");
    try {
      await meets_the_contract(new FolderPlace(`${folder.path}/new/below/`, Date.now));
      const place = new FolderPlace(folder.path, Date.now),
        many = Array.from({ length: 20 }, (_, i) => `${i % 10}`.repeat(50_000));
      let ended = false;
      const writing = Promise.all(many.map((text) => place.write("at/once.json", text))).finally(() => ended = true);
      // Whoever reads meanwhile sees one of them whole.
      while (!ended) assert.match(await place.read("at/once.json") ?? "", /^(?:(\d)\1{49999})?$/);
      await writing;
      assert.deepEqual([...Deno.readDirSync(`${folder.path}/at`)].map(({ name }) => name), ["once.json"]);
      const names = [...Deno.readDirSync(`${folder.path}/new/below/daily/2026-03-01`)].map(({ name }) => name);
      assert.deepEqual(names, ["metrics.json"]);
    } finally {
      await folder.dispose();
    }
  },
});

tacho_test({
  name: "a bucket of S3 is a place for exports, with a prefix and without",
  needs: ["s3"],
  async fn() {
    await using server = await start_s3_server("figures");
    for (const place of ["s3://figures/", "s3://figures/of chicago/2026/"]) {
      await meets_the_contract(new S3Place(place, { ...KEYS, endpoint: server.endpoint }));
    }
    // More than an answer of S3 has.
    const many = new S3Place("s3://figures/many", { ...KEYS, endpoint: server.endpoint });
    const names = Array.from({ length: 1_003 }, (_, i) => `x/${String(i).padStart(4, "0")}`);
    for (let from = 0; from < names.length; from += 50) {
      await Promise.all(names.slice(from, from + 50).map((name) => many.write(name, "")));
    }
    assert.deepEqual(await many.list("x"), names);
    const nowhere = new S3Place("s3://absent/x", { ...KEYS, endpoint: server.endpoint });
    const refused = {
      name: "PlaceUnusable",
      message: /s3:\/\/absent\/x\/a\.json: expected 200, got 404 \(NoSuchBucket\)/,
    };
    await assert.rejects(nowhere.write("a.json", "{}"), refused);
    await assert.rejects(nowhere.read("a.json"), refused);
  },
});

tacho_test({
  name: "a place that is no folder and no bucket, or has no keys, is refused with what was expected",
  fn() {
    const made = (place: string, access = {}) => new S3Place(place, { ...KEYS, endpoint: null, ...access });
    for (const place of ["s3://", "s3://UPPER", "gs://figures", "s3:///x", "s3://a"]) {
      assert.throws(() => made(place), {
        name: "PlaceUnusable",
        message: /expected a folder, or s3:\/\/bucket\/prefix, got /,
      });
    }
    assert.throws(
      () => made("s3://figures", { secret_access_key: null }),
      /AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY/,
    );
    assert.equal(made("s3://figures/x").shown, "s3://figures/x");
  },
});

tacho_test({
  name: "an object of S3 that is another one in the middle of its copy, or ends too early, is an error",
  async fn() {
    const bytes = new Uint8Array(20 << 20);
    let tag = '"a"', cut = 0, parts = 0;
    const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, (request) => {
      if (request.method === "HEAD") {
        return new Response(null, { headers: { "content-length": "20971520", etag: tag } });
      }
      if (request.headers.get("if-match") !== tag) {
        return new Response("<Error><Code>PreconditionFailed</Code></Error>", { status: 412 });
      }
      const [, from, to] = /bytes=(\d+)-(\d+)/.exec(request.headers.get("range")!)!;
      if (++parts === 1 && cut === 0) tag = '"b"';
      return new Response(bytes.subarray(Number(from), Number(to) + 1 - cut), { status: 206 });
    });
    await using copies = new_copies();
    const place = new S3Place("s3://figures", { ...KEYS, endpoint: `http://127.0.0.1:${server.addr.port}` });
    const copy = () => place.copy("a", `${copies.path}/a`, new AbortController().signal);
    await assert.rejects(copy(), { name: "PlaceUnusable", message: /read .*\/a: expected 200, got 412/ });
    cut = 7;
    await assert.rejects(copy(), { message: /from byte 0 on: expected 16777216 bytes, got 16777209$/ });
    await server.shutdown();
  },
});

tacho_test({
  name: "an S3 server that is away or troubled is an outage, one that refuses is not",
  async fn() {
    let status = 503;
    const server = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen() {} },
      () => new Response("<Error><Code>SaidSo</Code></Error>", { status }),
    );
    const endpoint = `http://127.0.0.1:${server.addr.port}`;
    const place = new S3Place("s3://figures", { ...KEYS, endpoint });
    for (status of [500, 503, 429, 408]) {
      await assert.rejects(
        place.write("a", "b"),
        (error) => error instanceof Error && !(error instanceof PlaceUnusable),
      );
    }
    for (status of [301, 400, 403]) await assert.rejects(place.write("a", "b"), PlaceUnusable);
    await server.shutdown();
    await assert.rejects(place.write("a", "b"), (error) => !(error instanceof PlaceUnusable));
  },
});

tacho_test({
  name:
    "a folder that cannot be written leaves nothing behind; parts of killed writers go, those of others at work stay",
  async fn() {
    const folder = new GuardedFolder("export");
    try {
      const id = crypto.randomUUID();
      Deno.mkdirSync(`${folder.path}/daily/a`, { recursive: true });
      const part = (name: string) => `${folder.path}/daily/a/${name}.${id}.part`;
      Deno.writeTextFileSync(part("old"), "half");
      Deno.writeTextFileSync(part("new"), "half");
      Deno.utimeSync(part("old"), 1, 1);
      const place = new FolderPlace(folder.path, Date.now);
      await place.write("daily/a/metrics.json", "whole");
      const names = () => [...Deno.readDirSync(`${folder.path}/daily/a`)].map(({ name }) => name).sort();
      assert.deepEqual(names(), ["metrics.json", `new.${id}.part`]);
      // A folder stands where the file should.
      Deno.mkdirSync(`${folder.path}/daily/a/taken/full`, { recursive: true });
      await assert.rejects(place.write("daily/a/taken", "x"), /^Error: write ".*\/daily\/a\/taken": /);
      assert.deepEqual(names(), ["metrics.json", `new.${id}.part`, "taken"]);
      Deno.writeTextFileSync(`${folder.path}/file`, "");
      await assert.rejects(place.write("file/metrics.json", "x"), /write ".*\/file\/metrics\.json": /);
    } finally {
      await folder.dispose();
    }
  },
});
