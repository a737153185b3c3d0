import assert from "node:assert/strict";
import { crc32c } from "../../src/ingest/kafka/crc32c.ts";
import { check_fetch_answer, DamagedAnswer, UnknownCodec } from "../../src/ingest/kafka/fetch_answer.ts";

const text = (value: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(value);
const int = (bits: 8 | 16 | 32 | 64, value: number): Uint8Array<ArrayBuffer> => {
  const view = new DataView(new ArrayBuffer(bits / 8));
  if (bits === 64) view.setBigInt64(0, BigInt(value));
  else view[`setInt${bits}`](0, value);
  return new Uint8Array(view.buffer);
};
const joined = (...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> => {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
};

/** A record batch of format 2 whose records are some text. */
function batch(
  offset: number,
  { codec = 0, checksum = null as number | null, magic = 2 } = {},
): Uint8Array<ArrayBuffer> {
  const body = joined(int(16, codec), new Uint8Array(38), text("records of the batch"));
  const sum = checksum ?? crc32c(body);
  return joined(int(64, offset), int(32, 9 + body.length), int(32, 0), int(8, magic), int(32, sum | 0), body);
}

/** An answer to a fetch, as the versions from 4 on have it. */
function answer(version: number, partitions: readonly (readonly Uint8Array[])[]): Uint8Array<ArrayBuffer> {
  const each = partitions.map((batches, partition) => {
    const records = joined(...batches);
    return joined(
      int(32, partition),
      int(16, 0),
      int(64, 9),
      int(64, 9),
      version >= 5 ? int(64, 0) : int(64, 0).subarray(8),
      // One aborted transaction in partition 0.
      int(32, partition === 0 ? 1 : -1),
      new Uint8Array(partition === 0 ? 16 : 0),
      version >= 11 ? int(32, -1) : text(""),
      int(32, records.length),
      records,
    );
  });
  const head = version >= 7 ? joined(int(32, 0), int(16, 0), int(32, 0)) : int(32, 0);
  return joined(head, int(32, 1), int(16, 5), text("trips"), int(32, partitions.length), ...each);
}

const VERSIONS = [4, 5, 6, 7, 8, 9, 10, 11];

Deno.test("crc32c is the one of the books", () => {
  assert.equal(crc32c(text("123456789")), 0xe3069283);
  assert.equal(crc32c(new Uint8Array(32)), 0x8a9136aa);
  assert.equal(crc32c(new Uint8Array(32).fill(255)), 0x62a8ab43);
  assert.equal(crc32c(new Uint8Array()), 0);
});

Deno.test("an answer in order is let pass, in every version, with its last batch cut off or not", () => {
  for (const version of VERSIONS) {
    check_fetch_answer(version, answer(version, []));
    check_fetch_answer(version, answer(version, [[], []]));
    check_fetch_answer(version, answer(version, [[batch(0), batch(5, { codec: 4 })], [batch(7, { codec: 1 })]]));
    check_fetch_answer(version, answer(version, [[batch(0), batch(5).subarray(0, 70)], [batch(7).subarray(0, 30)]]));
  }
});

Deno.test("a wrong checksum is found in every batch of every partition, and named", () => {
  const damaged = { checksum: 1 };
  for (const version of VERSIONS) {
    for (
      const [partitions, place] of [
        [[[batch(3, damaged)]], "trips:0 offset 3"],
        [[[batch(0), batch(5, damaged)], [batch(7)]], "trips:0 offset 5"],
        [[[], [batch(0), batch(7), batch(9, damaged)]], "trips:1 offset 9"],
      ] as const
    ) {
      assert.throws(() => check_fetch_answer(version, answer(version, partitions)), (error) => {
        assert.ok(error instanceof DamagedAnswer);
        assert.ok(error.message.startsWith(`${place}: the record batch does not have the checksum`), error.message);
        return true;
      });
    }
  }
});

Deno.test("every flipped bit behind a batch's head is found", () => {
  const clean = answer(11, [[batch(3)]]);
  const from = clean.length - batch(3).length;
  // What stands before the checksum is not in it.
  for (let at = from + 17; at < clean.length; at++) {
    for (let bit = 1; bit < 256; bit <<= 1) {
      const flipped = clean.slice();
      flipped[at]! ^= bit;
      assert.throws(() => check_fetch_answer(11, flipped), DamagedAnswer);
    }
  }
});

Deno.test("codecs that nobody knows are named, and not tried again", () => {
  for (const codec of [5, 6, 7]) {
    assert.throws(() => check_fetch_answer(11, answer(11, [[batch(0)], [batch(4, { codec })]])), (error) => {
      assert.ok(error instanceof UnknownCodec);
      assert.equal(error.message, `trips:1 offset 4: the record batch is packed with codec ${codec}, known are 0 to 4`);
      assert.equal(error.retriable, false);
      return true;
    });
  }
});

Deno.test("an answer that ends in the middle, or without one whole batch, is damaged", () => {
  const whole = answer(11, [[batch(0)]]);
  for (let length = 11; length < whole.length; length++) {
    assert.throws(() => check_fetch_answer(11, whole.subarray(0, length)), DamagedAnswer, `${length} bytes`);
  }
  assert.throws(
    () => check_fetch_answer(11, answer(11, [[batch(0).subarray(0, 70)]])),
    /trips:0 .*one whole record batch/,
  );
  const short = batch(0);
  new DataView(short.buffer).setInt32(8, 20);
  assert.throws(() => check_fetch_answer(11, answer(11, [[short]])), /trips:0 offset 0: a record batch of 20 bytes/);
});

Deno.test("formats of before record batches carry another checksum and are let pass", () => {
  check_fetch_answer(3, new Uint8Array(2));
  check_fetch_answer(11, answer(11, [[batch(0, { magic: 1, checksum: 1 })]]));
});
