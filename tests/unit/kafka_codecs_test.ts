import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import fc from "fast-check";
import { lz4_codec, snappy_codec, zstd_codec } from "../../src/ingest/kafka/kafka_codecs.ts";
import { pack_lz4, unpack_lz4 } from "../../src/ingest/kafka/lz4.ts";

const text = (value: string): Uint8Array => new TextEncoder().encode(value);
const samples: Record<string, Uint8Array> = {
  empty: new Uint8Array(),
  short: text("a"),
  run: new Uint8Array(300_000).fill(7),
  words: text(Array.from({ length: 9_000 }, (_, n) => `{"trip_id":"T-${n}","city":"Chicago"}`).join("\n")),
  noise: crypto.getRandomValues(new Uint8Array(60_000)),
};

for (const [name, codec] of Object.entries({ snappy: snappy_codec, lz4: lz4_codec, zstd: zstd_codec })) {
  Deno.test(`${name} gives back what it packed`, async () => {
    for (const [sample, bytes] of Object.entries(samples)) {
      const packed = await codec.compress(bytes);
      assert.ok(Buffer.from(bytes).equals(await codec.decompress(packed)), sample);
    }
    assert.ok((await codec.compress(samples["words"]!)).length < samples["words"]!.length / 2);
  });

  Deno.test(`${name} refuses what it cannot have packed`, async () => {
    await assert.rejects(() => codec.decompress(text("this is no packed record")));
  });
}

Deno.test("snappy and lz4 refuse what was cut off", async () => {
  for (const codec of [snappy_codec, lz4_codec]) {
    const packed = await codec.compress(samples["words"]!);
    await assert.rejects(() => codec.decompress(packed.subarray(0, packed.length >> 1)));
  }
});

Deno.test("lz4 gives back whatever bytes it is given", () => {
  const repetitive = fc.array(fc.constantFrom(...text("ab{}0")), { maxLength: 400 });
  fc.assert(
    fc.property(fc.array(repetitive, { maxLength: 20 }), (parts) => {
      const bytes = Uint8Array.from(parts.flat());
      assert.ok(Buffer.from(bytes).equals(unpack_lz4(pack_lz4(bytes), bytes.length + (64 << 10))));
    }),
  );
});

Deno.test("lz4 never reads or writes outside, whatever it is told to unpack", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (noise) => {
      const head = Buffer.alloc(4);
      head.writeUInt32LE(noise.length);
      const frame = Buffer.concat([pack_lz4(new Uint8Array()).subarray(0, 7), head, noise, Buffer.alloc(4)]);
      try {
        assert.ok(unpack_lz4(frame, 1 << 20).length <= 64 << 10);
      } catch (error) {
        assert.match(String(error), /cannot unpack lz4/);
      }
    }),
    { numRuns: 2_000 },
  );
});

Deno.test("lz4 reads frames with content size, content checksum, block checksums and linked blocks", () => {
  // "abcdefgh" stored, then a linked block: 4 literals and a match that reaches back 12 bytes into the first block.
  const blocks = [
    [0x08, 0, 0, 0x80, ...text("abcdefgh"), 9, 9, 9, 9],
    [0x07, 0, 0, 0, 0x40, ...text("wxyz"), 12, 0, 1, 1, 1, 1],
  ];
  const flags = 0x40 | 0x10 | 0x08 | 0x04;
  const frame = [
    0x04,
    0x22,
    0x4d,
    0x18,
    flags,
    0x40,
    16,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    ...blocks.flat(),
    0,
    0,
    0,
    0,
    9,
    9,
    9,
    9,
  ];
  assert.equal(unpack_lz4(Uint8Array.from(frame), 1 << 20).toString(), "abcdefghwxyzabcd");
});

Deno.test("lz4 refuses to grow beyond the limit", () => {
  assert.throws(() => unpack_lz4(pack_lz4(samples["run"]!), 1_000), /at most 1000/);
});
