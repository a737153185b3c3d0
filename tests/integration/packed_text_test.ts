import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { constants, gzipSync, zstdCompressSync } from "node:zlib";
import fc from "fast-check";
import { FolderPlace } from "../../src/export/mod.ts";
import { write_table } from "../../src/export/table.ts";
import { FileError, open_record_file } from "../../src/files/mod.ts";
import { unpacked } from "../../src/files/unpacked.ts";
import { tacho_test } from "../support/available.ts";
import { run_python } from "../support/pyarrow.ts";

/** Packed text: all of it is read, whatever it is made of, or it is said where it cannot be; what is exported is read by others. */

/** A frame of zstd; in one piece, since Deno puts an empty one behind it where it fills its pieces. */
function frame(text: string, params: Readonly<Record<number, number>> = {}): Uint8Array {
  return zstdCompressSync(text, { chunkSize: 1 << 20, params: { [constants.ZSTD_c_checksumFlag]: 1, ...params } });
}

/** What every reader of zstd passes over. */
function skipped(bytes: number, digit = 0): Uint8Array {
  const packed = new Uint8Array(8 + bytes).fill(0x28), view = new DataView(packed.buffer);
  view.setUint32(0, 0x184d2a50 + digit, true);
  view.setUint32(4, bytes, true);
  return packed;
}

/** The blocks that a file may come in. */
async function* blocks_of(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

/** The text that some bytes unpack to; a text that says why where they do not. */
async function text_of(bytes: Uint8Array, size = 1 << 18): Promise<string> {
  const pieces: Uint8Array[] = [];
  try {
    for await (const piece of unpacked(blocks_of(bytes, size), "zstd")) pieces.push(piece);
  } catch (error) {
    assert.ok(error instanceof Error);
    return `fault: ${error.message}`;
  }
  return Buffer.concat(pieces).toString();
}

async function with_file<T>(name: string, content: Uint8Array, work: (path: string) => Promise<T>): Promise<T> {
  const folder = await Deno.makeTempDir({ prefix: "tacho_packed_" });
  try {
    await Deno.writeFile(`${folder}/${name}`, content);
    return await work(`${folder}/${name}`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const rows_of = (name: string, content: Uint8Array) =>
  with_file(name, content, async (path) => {
    const file = await open_record_file(path);
    return { file, rows: (await Array.fromAsync(file.rows())).flatMap(({ rows }) => rows) };
  });

Deno.test("zstd: of several frames all are read, and what is to be skipped is; it is told by its bytes", async () => {
  const parts = [
    ...[skipped(0), frame("id,n\n1,a\n2,"), skipped(3, 15), frame("b\n3,"), frame(""), frame("c\n"), skipped(300_000)],
    ...[frame("4,d\n", { [constants.ZSTD_c_contentSizeFlag]: 0, [constants.ZSTD_c_checksumFlag]: 0 })],
  ];
  for (const name of ["a.csv.zst", "a.CSV.ZST", "a", "a.zst", "a.csv"]) {
    const { file, rows } = await rows_of(name, Buffer.concat(parts));
    assert.deepEqual([file.format, file.packing], ["csv", "zstd"], name);
    assert.equal(rows.map(({ record }) => record!.n).join(""), "abcd", name);
  }
  const { rows: [row] } = await rows_of("a.ndjson.zst", frame('{"a":1}'));
  assert.deepEqual(row!.record, { a: 1 });
});

Deno.test("zstd: a name that states another packing, and Parquet in it, are refused", async () => {
  const packed = frame("a,b\n1,2\n");
  const refused = (name: string, content: Uint8Array, why: RegExp) =>
    assert.rejects(rows_of(name, content), (error) => error instanceof FileError && why.test(error.message));
  await refused("a.csv.zst", Buffer.from("a,b\n1,2\n"), /expected zstd, got other bytes/);
  await refused("a.csv.zst", new Uint8Array(), /expected zstd, got other bytes/);
  await refused("a.csv.zst", gzipSync("a,b\n1,2\n"), /expected zstd, got gzip/);
  await refused("a.csv.gz", packed, /expected gzip, got zstd/);
  await refused("a.parquet.zst", packed, /Parquet is not read in reading order; unpack it first/);
});

Deno.test("zstd that is cut off or damaged is an error of its file that says in which frame, or at which byte", async () => {
  const first = frame("a,b\n1,2\n"), second = frame(`3,${"x".repeat(300_000)}\n`);
  const whole = Buffer.concat([first, second]);
  const fault = async (content: Uint8Array): Promise<string> => {
    const error = await rows_of("a.csv.zst", content).then(() => null, (error) => error);
    assert.ok(error instanceof FileError && error.cause instanceof Error, String(error));
    assert.match(error.message, /^read ".*a\.csv\.zst" \(zstd\)$/);
    return error.cause.message;
  };
  assert.equal(
    await fault(whole.subarray(0, -1)),
    `frame 2, which begins at byte ${first.length}: expected it to go on, it is cut off at byte ${whole.length - 1}`,
  );
  assert.equal(
    await fault(Buffer.concat([whole, Buffer.from("tail")])),
    `frame 3, which begins at byte ${whole.length}: expected a frame of zstd, got the bytes 7461696c`,
  );
  const damaged = Buffer.from(whole);
  damaged[whole.length - 1]! ^= 1;
  assert.match(await fault(damaged), new RegExp(`^what ends at byte ${whole.length}: .*checksum`));
});

Deno.test("zstd that wants more memory than is held, or a dictionary, is refused before any is taken", async () => {
  const empty_block = [1, 0, 0];
  const fault = (header: number[]) =>
    text_of(Uint8Array.from([0x28, 0xb5, 0x2f, 0xfd, ...header, ...empty_block])).then((text) =>
      text.replace("fault: frame 1, which begins at byte 0: ", "")
    );
  const MOST = 128 << 20;
  assert.equal(await fault([0, 17 << 3]), "", "128 MiB are read");
  assert.equal(
    await fault([0, 17 << 3 | 1]),
    `it refers back by up to ${MOST * 1.125} bytes, at most ${MOST} are held`,
  );
  assert.equal(await fault([0, 0xff]), `it refers back by up to ${2 ** 41 * 1.875} bytes, at most ${MOST} are held`);
  // Of one segment, as long as it says.
  assert.match(await fault([0xa0, 1, 0, 0, 8]), /refers back by up to 134217729 bytes/);
  assert.match(await fault([0xe0, 0, 0, 0, 0, 0, 0, 0, 0x80]), /refers back by up to 9223372036854776000 bytes/);
  assert.equal(await fault([1, 0, 7]), "it needs the dictionary 7, and none are read");
  assert.equal(await fault([0x23, 1, 2, 3, 4, 5]), `it needs the dictionary ${0x04030201 + 0}, and none are read`);
  assert.match(await text_of(Uint8Array.from([0x28, 0xb5, 0x2f, 0xfd, 0, 0, 7, 0, 0])), /a block of an unknown kind/);
});

/** Short texts, long ones of one letter, and what cannot be packed, of several blocks too. */
const a_text = fc.oneof(
  fc.string({ maxLength: 30 }),
  fc.record({ letter: fc.constant("0"), length: fc.nat(400_000) }),
  fc.record({ seed: fc.nat(), length: fc.nat(150_000) }),
);
type Text = typeof a_text extends fc.Arbitrary<infer T> ? T : never;
const written = (text: Text): string =>
  typeof text === "string" ? text : "seed" in text ? noise(text.seed, text.length) : text.letter.repeat(text.length);

const a_frame = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      text: a_text,
      checksum: fc.nat(1),
      sized: fc.nat(1),
      window: fc.constantFrom(10, 17, 27),
    }),
  },
  { weight: 1, arbitrary: fc.record({ skipped: fc.nat(40), digit: fc.nat(15) }) },
);
type Frame = typeof a_frame extends fc.Arbitrary<infer T> ? T : never;
const packed_of = (of: Frame): { readonly text: string; readonly packed: Uint8Array } => {
  if ("skipped" in of) return { text: "", packed: skipped(of.skipped, of.digit) };
  const text = written(of.text);
  return {
    text,
    packed: frame(text, {
      [constants.ZSTD_c_checksumFlag]: of.checksum,
      [constants.ZSTD_c_contentSizeFlag]: of.sized,
      [constants.ZSTD_c_windowLog]: of.window,
    }),
  };
};

/** Text without any order, the same for the same seed. */
function noise(seed: number, length: number): string {
  let text = "", state = seed >>> 0;
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    text += String.fromCharCode(33 + (state >>> 16) % 94);
  }
  return text;
}

Deno.test("zstd: any frames in any blocks of reading come whole; cut anywhere but where one ends, they are a fault, never less", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(a_frame, { minLength: 1, maxLength: 5 }),
      fc.oneof(fc.integer({ min: 1, max: 40 }), fc.constantFrom(1 << 10, 1 << 16, 1 << 18)),
      fc.double({ min: 0, max: 1, noNaN: true }),
      async (told, size, share) => {
        const frames = told.map(packed_of);
        const packed = new Uint8Array(Buffer.concat(frames.map(({ packed }) => packed)));
        // Many small blocks of a long file take long, and are no other case.
        const step = Math.max(size, packed.length >> 11);
        assert.ok(await text_of(packed, step) === frames.map(({ text }) => text).join(""), "all of it");
        const cut = Math.floor(share * packed.length), got = await text_of(packed.subarray(0, cut), step);
        let end = 0, text = "";
        for (const frame of frames) {
          if (end + frame.packed.length > cut) break;
          end += frame.packed.length;
          text += frame.text;
        }
        if (end === cut) assert.ok(got === text, "all frames before the cut");
        else {assert.match(
            got,
            new RegExp(`^fault: frame \\d, which begins at byte ${end}: .* cut off at byte ${cut}$`),
          );}
      },
    ),
    { numRuns: 150 },
  );
});

Deno.test("zstd with checksums: a byte that is another one is a fault, or makes no difference", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(a_text, { minLength: 1, maxLength: 3 }),
      fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }),
      fc.integer({ min: 1, max: 255 }),
      async (told, share, change) => {
        const texts = told.map(written);
        const packed = new Uint8Array(Buffer.concat(texts.map((text) => frame(text))));
        packed[Math.floor(share * packed.length)]! ^= change;
        const got = await text_of(packed);
        assert.ok(got.startsWith("fault: ") || got === texts.join(""), "a fault, or all of it");
      },
    ),
    { numRuns: 300 },
  );
});

const COLUMNS = [{ name: "id", kind: "whole", nullable: false }, {
  name: "note",
  kind: "text",
  nullable: true,
}] as const;
const ROWS = 30_000;
const note = (id: number): string | null => id % 7 === 0 ? null : `${id} "${noise(id, 80)}", é\n`;

async function* table() {
  for (let id = 0; id < ROWS; id += 1_000) {
    yield Array.from({ length: 1_000 }, (_, i) => [id + i, note(id + i)]);
  }
}

for (const packing of ["gzip", "zstd"] as const) {
  tacho_test({
    name: `a table that is packed by ${packing} in several pieces is one file to Arrow and to the program`,
    needs: ["pyarrow"],
    async fn() {
      const folder = await Deno.makeTempDir({ prefix: "tacho_packed_" });
      try {
        const place = new FolderPlace(folder, Date.now);
        for (const format of ["csv", "ndjson"] as const) {
          const name = `t.${format}.${packing === "gzip" ? "gz" : "zst"}`;
          const { rows, bytes } = await write_table(
            place,
            { format, packing },
            { name, columns: COLUMNS, about: {} },
            table(),
          );
          assert.deepEqual([rows, bytes], [ROWS, Deno.statSync(`${folder}/${name}`).size]);
          assert.ok(bytes > 1 << 20, `${bytes} bytes: several pieces`);
          const notes: unknown[] = [];
          for await (const some of (await open_record_file(`${folder}/${name}`)).rows()) {
            for (const { record } of some.rows) notes.push(record!.note);
          }
          assert.deepEqual(
            notes.map((each) => each === "" ? null : each),
            Array.from({ length: ROWS }, (_, i) => note(i)),
          );
        }
        const sums = await run_python(
          `
import json, sys
import pyarrow as pa, pyarrow.csv as csv, pyarrow.json as pj
folder, ending, packing = sys.argv[1:]
options = csv.ParseOptions(newlines_in_values=True), csv.ConvertOptions(strings_can_be_null=True, quoted_strings_can_be_null=False)
def opened(name): return pa.input_stream(folder + "/t." + name + "." + ending, compression=packing)
tables = [csv.read_csv(opened("csv"), parse_options=options[0], convert_options=options[1]), pj.read_json(opened("ndjson"))]
print(json.dumps([[t.num_rows, sum(t["id"].to_pylist()), t["note"].null_count, sum(len(n) for n in t["note"].drop_null().to_pylist())] for t in tables]))`,
          folder,
          packing === "gzip" ? "gz" : "zst",
          packing,
        );
        const all = Array.from({ length: ROWS }, (_, id) => note(id)).filter((each) => each !== null);
        const wanted = [
          ROWS,
          ROWS * (ROWS - 1) / 2,
          ROWS - all.length,
          all.reduce((sum, each) => sum + each.length, 0),
        ];
        assert.deepEqual(sums, [wanted, wanted]);
      } finally {
        await Deno.remove(folder, { recursive: true });
      }
    },
  });
}

tacho_test({
  name: "what Arrow packs by zstd is read",
  needs: ["pyarrow"],
  async fn() {
    const text = `id,n\n${
      Array.from({ length: 50_000 }, (_, i) => `${i},${noise(i, 20).replaceAll(/[",]/g, "x")}`).join("\n")
    }\n`;
    await with_file("a.csv", new TextEncoder().encode(text), async (path) => {
      await run_python(
        `
import json, sys
import pyarrow as pa
with open(sys.argv[1], "rb") as f: text = f.read()
with pa.output_stream(sys.argv[1] + ".zst", compression="zstd") as out:
    for i in range(0, len(text), 100000): out.write(text[i:i + 100000])
print(json.dumps(None))`,
        path,
      );
      const file = await open_record_file(`${path}.zst`);
      const rows = (await Array.fromAsync(file.rows())).flatMap(({ rows }) => rows);
      assert.equal(`id,n\n${rows.map(({ record }) => `${record!.id},${record!.n}`).join("\n")}\n`, text);
    });
  },
});
