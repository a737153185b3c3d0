import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { constants, gzipSync, zstdCompressSync } from "node:zlib";
import fc from "fast-check";
import {
  pack_lz4_frame,
  pack_snappy,
  pack_zstd,
  SNAPPY_JAVA_HEAD,
  unpack,
  unpack_snappy,
  UnreadableRecords,
} from "../../src/ingest/kafka/records/codecs.ts";
import { pack_lz4, unpack_lz4 } from "../../src/ingest/kafka/records/lz4.ts";

const text = (value: string): Uint8Array => new TextEncoder().encode(value);
const samples: Record<string, Uint8Array> = {
  empty: new Uint8Array(),
  short: text("a"),
  run: new Uint8Array(300_000).fill(7),
  words: text(Array.from({ length: 9_000 }, (_, n) => `{"trip_id":"T-${n}","city":"Chicago"}`).join("\n")),
  noise: crypto.getRandomValues(new Uint8Array(60_000)),
};

const CODECS = {
  gzip: { number: 1, pack: (records: Uint8Array) => Promise.resolve(gzipSync(records)) },
  snappy: { number: 2, pack: pack_snappy },
  lz4: { number: 3, pack: pack_lz4_frame },
  zstd: { number: 4, pack: pack_zstd },
};

async function unpack_all(codec: number, packed: Uint8Array): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of unpack(codec, packed)) pieces.push(piece);
  return Buffer.concat(pieces);
}

for (const [name, { number, pack }] of Object.entries(CODECS)) {
  Deno.test(`${name} gives back what it packed, in pieces`, async () => {
    for (const [sample, bytes] of Object.entries(samples)) {
      assert.ok(Buffer.from(bytes).equals(await unpack_all(number, await pack(bytes))), sample);
    }
    const words = samples["words"]!;
    const packed = await pack(words);
    assert.ok(packed.length < words.length / 2);
    for await (const piece of unpack(number, packed)) assert.ok(piece.length <= 256 << 10, `${piece.length} bytes`);
  });

  Deno.test(`${name} refuses what it cannot have packed`, async () => {
    await assert.rejects(() => unpack_all(number, text("this is no packed record")), (error) => {
      assert.ok(error instanceof UnreadableRecords);
      assert.match(error.message, new RegExp(`^cannot unpack ${name}: `));
      return true;
    });
  });
}

Deno.test("what was cut off is refused, whatever packed it", async () => {
  for (const { number, pack } of Object.values(CODECS)) {
    const packed = await pack(samples["words"]!);
    for (const length of [packed.length >> 1, packed.length - 1]) {
      await assert.rejects(() => unpack_all(number, packed.subarray(0, length)), UnreadableRecords);
    }
  }
});

Deno.test("zstd of several frames gives all of them; a fault far behind its beginning is a refusal like any other", async () => {
  const checked = (bytes: Uint8Array) => zstdCompressSync(bytes, { params: { [constants.ZSTD_c_checksumFlag]: 1 } });
  const long = Buffer.concat([samples["words"]!, samples["run"]!, samples["noise"]!, samples["words"]!]);
  const packed = Buffer.concat([checked(text("first")), checked(long)]);
  assert.ok((await unpack_all(4, packed)).equals(Buffer.concat([text("first"), long])));
  for (const back of [1, 4, 1_000, 20_000, 40_000]) {
    const damaged = Buffer.from(packed);
    damaged[packed.length - back]! ^= 1;
    await assert.rejects(() => unpack_all(4, damaged), UnreadableRecords, `${back} bytes before its end`);
  }
});

/** Bytes with other ones around them: who reads or writes outside of them is found out. */
function surrounded(bytes: Uint8Array): Uint8Array {
  const around = new Uint8Array(bytes.length + 512).fill(0xaa);
  around.set(bytes, 256);
  return around.subarray(256, 256 + bytes.length);
}

/** What a frame of one block unpacks to; null where it is refused. */
function lz4_of(block: readonly number[] | Uint8Array, flags = 0x60, kind = 0x40): Buffer | null {
  const head = Buffer.alloc(4);
  head.writeUInt32LE(block.length);
  const frame = [0x04, 0x22, 0x4d, 0x18, flags, kind, 0, ...head, ...block, 0, 0, 0, 0];
  try {
    return Buffer.concat([...unpack_lz4(surrounded(Uint8Array.from(frame)))]);
  } catch (error) {
    assert.match(String(error), /lz4/);
    return null;
  }
}

/** LZ4 as its specification has it, byte by byte: what a block unpacks to, null where it is none. */
function lz4_by_the_book(block: Uint8Array, most: number): number[] | null {
  const output: number[] = [];
  const bytes = [...block];
  while (bytes.length > 0) {
    const token = bytes.shift()!;
    const counts = [token >> 4, token & 15];
    const extend = (which: 0 | 1): boolean => {
      for (let more = 255; counts[which] !== undefined && more === 255;) {
        if (bytes.length === 0) return false;
        more = bytes.shift()!;
        counts[which] += more;
      }
      return true;
    };
    if (counts[0] === 15 && !extend(0)) return null;
    if (counts[0]! > bytes.length) return null;
    output.push(...bytes.splice(0, counts[0]));
    if (output.length > most) return null;
    if (bytes.length === 0) return output;
    if (bytes.length < 2) return null;
    const distance = bytes.shift()! + 256 * bytes.shift()!;
    if (counts[1] === 15 && !extend(1)) return null;
    if (distance === 0 || distance > output.length || output.length + counts[1]! + 4 > most) return null;
    for (let left = counts[1]! + 4; left > 0; left--) output.push(output.at(-distance)!);
  }
  return null;
}

Deno.test("lz4 gives back whatever bytes it is given", () => {
  const repetitive = fc.array(fc.constantFrom(...text("ab{}0")), { maxLength: 400 });
  fc.assert(
    fc.property(fc.array(repetitive, { maxLength: 20 }), (parts) => {
      const bytes = Uint8Array.from(parts.flat());
      assert.ok(Buffer.from(bytes).equals(Buffer.concat([...unpack_lz4(pack_lz4(bytes))])));
    }),
  );
});

Deno.test("lz4 packs and unpacks literals and matches of every length around 15 + 255 k", () => {
  const noise = crypto.getRandomValues(new Uint8Array(2_000));
  for (let k = 0; k <= 4; k++) {
    for (let off = -3; off <= 3; off++) {
      const length = Math.max(1, 15 + 255 * k + off);
      const literals = noise.subarray(0, length);
      const match = new Uint8Array(length + 4).fill(1);
      // So many literals, then a match of that length and of four more; then the end.
      const bytes = Buffer.concat([literals, match, noise.subarray(1_500, 1_540)]);
      const packed = pack_lz4(bytes);
      assert.ok(Buffer.concat([...unpack_lz4(packed)]).equals(bytes), `length ${length}`);
      const block = packed.subarray(11, packed.length - 4);
      if (packed.readUInt32LE(7) < 0x80000000) assert.deepEqual(lz4_by_the_book(block, 65_536), [...bytes]);
      const [rest, extra] = [length - 15, [] as number[]];
      if (rest >= 0) extra.push(...new Array(Math.floor(rest / 255)).fill(255), rest % 255);
      const nibble = Math.min(length, 15);
      // Literals of exactly that length, alone in a block; and a match of exactly that length (and 4), and its end.
      assert.deepEqual([...lz4_of([nibble << 4, ...extra, ...literals])!], [...literals]);
      assert.equal(lz4_of([nibble << 4, ...extra, ...literals.subarray(1)]), null);
      const matched = lz4_of([0x10 | nibble, 65, 1, 0, ...extra, 0x10, 66])!;
      assert.equal(matched.toString(), "A".repeat(1 + length + 4) + "B");
    }
  }
});

Deno.test("lz4 blocks that we pack end as the format wants, which Java insists on", () => {
  // The last 5 bytes are literals, and no match begins in the last 12.
  for (let length = 1; length < 80; length++) {
    const packed = pack_lz4(new Uint8Array(length).fill(7));
    if (packed.readUInt32LE(7) >= 0x80000000) continue;
    const block = packed.subarray(11, packed.length - 4);
    let at = 0, made = 0, last_match = 0, last_literals = 0;
    while (at < block.length) {
      const token = block[at++]!;
      const count = (nibble: number) => {
        let sum = nibble;
        for (let more = nibble === 15 ? 255 : 0; more === 255;) sum += more = block[at++]!;
        return sum;
      };
      last_literals = count(token >> 4);
      at += last_literals;
      made += last_literals;
      if (at === block.length) break;
      at += 2;
      last_match = made;
      made += count(token & 15) + 4;
    }
    assert.equal(made, length);
    assert.ok(last_literals >= 5 && last_match <= length - 12, `${length}: ${last_literals} at ${last_match}`);
  }
});

Deno.test("lz4 holds every bound: one byte less, one further, one more is refused", () => {
  assert.equal(lz4_of([0x10, 65])!.toString(), "A");
  assert.equal(lz4_of([0x00])!.length, 0);
  assert.equal(lz4_of([0x20, 65]), null);
  assert.equal(lz4_of([0xf0]), null);
  assert.equal(lz4_of([0xf0, 255]), null);
  // A match without a place, with half a place, at distance 0, 1 and 2 behind one byte; and one that nothing follows.
  assert.equal(lz4_of([0x10, 65, 1]), null);
  assert.equal(lz4_of([0x10, 65, 0, 0, 0x10, 66]), null);
  assert.equal(lz4_of([0x10, 65, 1, 0, 0x10, 66])!.toString(), "AAAAAB");
  assert.equal(lz4_of([0x10, 65, 2, 0, 0x10, 66]), null);
  assert.equal(lz4_of([0x10, 65, 1, 0]), null);
  assert.equal(lz4_of([0x1f, 65, 1, 0]), null);
  // As much as a block of 64 KiB may have, and a byte more: of a match, and of literals.
  const full = (length: number) => {
    const rest = length - 1 - 4 - 15 - 1;
    return [0x1f, 65, 1, 0, ...new Array(Math.floor(rest / 255)).fill(255), rest % 255, 0x10, 66];
  };
  assert.equal(lz4_of(full(65_536))!.length, 65_536);
  assert.equal(lz4_of(full(65_537)), null);
  const match = full(65_536).slice(0, -2);
  assert.equal(lz4_of([...match, 0x20, 66, 67]), null);
  assert.equal(lz4_of([...match, 0x10, 66, 1, 0, 0x00]), null);
  // Larger blocks where the frame says so, none smaller than 64 KiB.
  assert.equal(lz4_of(full(65_537), 0x60, 0x50)!.length, 65_537);
  assert.equal(lz4_of([0x10, 65], 0x60, 0x30), null);
});

Deno.test("lz4 unpacks to what the format says, or refuses, whatever it is told to unpack", () => {
  const small = fc.array(fc.constantFrom(0x00, 0x10, 0x11, 0x1f, 0x2f, 0xf0, 0xff, 1, 2, 3, 65, 255), {
    maxLength: 40,
  });
  fc.assert(
    fc.property(fc.oneof(small.map((bytes) => Uint8Array.from(bytes)), fc.uint8Array({ maxLength: 200 })), (block) => {
      if (block.length === 0) return;
      const expected = lz4_by_the_book(block, 65_536);
      const found = lz4_of(block);
      assert.deepEqual(found === null ? null : [...found], expected);
    }),
    { numRuns: 5_000 },
  );
});

Deno.test("lz4 reads frames with content size, content checksum, block checksums and linked blocks", () => {
  // "abcdefgh" stored, then a linked block: 4 literals and a match that reaches back 12 bytes into the first block, and an end.
  const blocks = [
    [0x08, 0, 0, 0x80, ...text("abcdefgh"), 9, 9, 9, 9],
    [0x09, 0, 0, 0, 0x40, ...text("wxyz"), 12, 0, 0x10, 33, 1, 1, 1, 1],
  ];
  const frame = (flags: number) => {
    const head = [0x04, 0x22, 0x4d, 0x18, flags, 0x40, 16, 0, 0, 0, 0, 0, 0, 0, 0];
    return Uint8Array.from([...head, ...blocks.flat(), 0, 0, 0, 0, 9, 9, 9, 9]);
  };
  const linked = 0x40 | 0x10 | 0x08 | 0x04;
  assert.equal(Buffer.concat([...unpack_lz4(frame(linked))]).toString(), "abcdefghwxyzabcd!");
  assert.throws(() => [...unpack_lz4(frame(linked | 0x20))], /points outside/);
});

Deno.test("linked lz4 blocks reach back 64 KiB, over as many blocks as that takes", () => {
  const stored = (bytes: Uint8Array) =>
    Buffer.concat([Buffer.from([bytes.length & 255, bytes.length >> 8, 0, 0x80]), bytes]);
  const head = Buffer.from([0x04, 0x22, 0x4d, 0x18, 0x40, 0x40, 0]);
  const first = stored(text("needle"));
  const frame = (between: number, distance: number) => {
    // A match of 6 and the end.
    const block = Buffer.from([5, 0, 0, 0, 0x02, distance & 255, distance >> 8, 0x10, 33]);
    return Buffer.concat([head, first, stored(new Uint8Array(between)), block, Buffer.alloc(4)]);
  };
  assert.ok(Buffer.concat([...unpack_lz4(frame(1_000, 1_006))]).subarray(-7).equals(Buffer.from("needle!")));
  assert.ok(Buffer.concat([...unpack_lz4(frame(65_529, 65_535))]).subarray(-7).equals(Buffer.from("needle!")));
  assert.throws(() => [...unpack_lz4(frame(1_000, 1_007))], /points outside/);
});

Deno.test("a stored lz4 block is as large as the frame says, and no larger", () => {
  const frame = (length: number) => {
    const sizes = Buffer.alloc(4);
    sizes.writeUInt32LE(0x80000000 + length);
    return Buffer.concat([
      Buffer.from([0x04, 0x22, 0x4d, 0x18, 0x60, 0x40, 0]),
      sizes,
      Buffer.alloc(length),
      Buffer.alloc(4),
    ]);
  };
  assert.equal(Buffer.concat([...unpack_lz4(frame(65_536))]).length, 65_536);
  assert.throws(() => [...unpack_lz4(frame(65_537))], /an lz4 block of 65537 bytes/);
});

const snappy_of = (block: readonly number[], most = 1 << 20): string | null => {
  try {
    return Buffer.concat([...unpack_snappy(surrounded(Uint8Array.from(block)), most)]).toString();
  } catch (error) {
    assert.match(String(error), /snappy/);
    return null;
  }
};

Deno.test("snappy reads literals and copies of every kind", () => {
  assert.equal(snappy_of([3, 2 << 2, ...text("abc")]), "abc");
  const long = "x".repeat(100) + "y".repeat(200);
  assert.equal(
    snappy_of([172, 2, 60 << 2, 99, ...text(long.slice(0, 100)), 60 << 2, 199, ...text(long.slice(100))]),
    long,
  );
  assert.equal(snappy_of([172, 2, 61 << 2, 43, 1, ...text(long)]), long);
  assert.equal(snappy_of([172, 2, 62 << 2, 43, 1, 0, ...text(long)]), long);
  assert.equal(snappy_of([172, 2, 63 << 2, 43, 1, 0, 0, ...text(long)]), long);
  assert.equal(snappy_of([7, 2 << 2, ...text("abc"), 0 << 2 | 1, 3]), "abcabca");
  assert.equal(snappy_of([5, 2 << 2, ...text("abc"), 1 << 2 | 2, 2, 0]), "abcbc");
  assert.equal(snappy_of([5, 2 << 2, ...text("abc"), 1 << 2 | 3, 1, 0, 0, 0]), "abccc");
  assert.equal(snappy_of([0]), "");
});

Deno.test("snappy holds every bound: one byte less, one further, one more is refused", () => {
  const blocks: readonly (readonly number[])[] = [
    [],
    [128],
    [255, 255, 255, 255, 255, 255],
    // A literal that is cut off, or longer than was stated, or shorter.
    [3, 2 << 2, ...text("ab")],
    [2, 2 << 2, ...text("abc")],
    [4, 2 << 2, ...text("abc")],
    [3, 60 << 2],
    [3, 61 << 2, 2],
    // A copy without a place, from nowhere, from before the begin, and longer than was stated.
    [7, 2 << 2, ...text("abc"), 1],
    [5, 2 << 2, ...text("abc"), 1 << 2 | 2, 2],
    [5, 2 << 2, ...text("abc"), 1 << 2 | 3, 1, 0, 0],
    [7, 2 << 2, ...text("abc"), 1, 0],
    [7, 2 << 2, ...text("abc"), 1, 4],
    [6, 2 << 2, ...text("abc"), 1, 3],
    [5, 2 << 2, ...text("abc"), 1 << 2 | 3, 1, 0, 0, 128],
  ];
  for (const block of blocks) assert.equal(snappy_of(block), null, block.join(" "));
  assert.equal(snappy_of([3, 2 << 2, ...text("abc")], 3), "abc");
  assert.equal(snappy_of([3, 2 << 2, ...text("abc")], 2), null);
  // Nothing is made room for that cannot come of it.
  assert.throws(
    () => [...unpack_snappy(Uint8Array.of(255, 255, 255, 31, 0, 65), 1 << 30)],
    /states 67108863 bytes, packed in 6/,
  );
  const java = (...blocks: number[]) => snappy_of([...SNAPPY_JAVA_HEAD, ...blocks]);
  assert.equal(java(0, 0, 0, 5, 3, 2 << 2, ...text("abc"), 0, 0, 0, 3, 1, 0, 68), "abcD");
  assert.equal(java(), "");
  assert.equal(java(0, 0, 0), null);
  assert.equal(java(0, 0, 0, 6, 3, 2 << 2, ...text("abc")), null);
});
