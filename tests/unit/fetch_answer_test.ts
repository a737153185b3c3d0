import assert from "node:assert/strict";
import fc from "fast-check";
import { crc32c } from "../../src/ingest/kafka/records/record_batch.ts";
import { DamagedAnswer, read_fetch_answer } from "../../src/ingest/kafka/records/fetch_answer.ts";
import {
  CONTROL,
  int,
  joined,
  TRANSACTIONAL,
  write_answer,
  write_batch,
  write_marker,
  type WrittenPartition,
} from "../support/record_batches.ts";

const text = (value: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(value);

const batch = (base_offset: number, changes: Omit<Parameters<typeof write_batch>[0], "base_offset"> = {}) =>
  write_batch({ base_offset, records: [{ value: text("a") }, { value: text("b") }], ...changes });

const VERSIONS = [4, 5, 6, 7, 8, 9, 10, 11];

const read = (version: number, partitions: readonly WrittenPartition[]) =>
  read_fetch_answer(version, write_answer(version, partitions)).topics[0]!.partitions;

/** The first offsets of what is data in partition 0, and where it goes on. */
const data = (partition: WrittenPartition) => {
  const [{ batches, next_offset }] = read(11, [partition]) as [ReturnType<typeof read>[0]];
  return [batches.map(({ base_offset }) => base_offset), next_offset];
};

Deno.test("crc32c is the one of the books", () => {
  assert.equal(crc32c(text("123456789")), 0xe3069283);
  assert.equal(crc32c(new Uint8Array(32)), 0x8a9136aa);
  assert.equal(crc32c(new Uint8Array(32).fill(255)), 0x62a8ab43);
  assert.equal(crc32c(new Uint8Array()), 0);
});

Deno.test("an answer is read in every version, with its last batch cut off or not", () => {
  for (const version of VERSIONS) {
    assert.deepEqual(read(version, []), []);
    const found = read(version, [
      { batches: [batch(0), batch(5, { codec: 4 }), batch(7).subarray(0, 70)], aborted: [[7, 50]], high_watermark: 40 },
      { batches: [batch(7, { codec: 1 })], high_watermark: 41, last_stable_offset: 12, error_code: 6 },
      { batches: [batch(7).subarray(0, 12)] },
      { batches: [] },
    ]);
    assert.deepEqual(
      found.map(({ partition, error_code, high_watermark, last_stable_offset, batches, next_offset }) => [
        partition,
        error_code,
        high_watermark,
        last_stable_offset,
        batches.map(({ base_offset, last_offset, codec, count }) => [base_offset, last_offset, codec, count]),
        next_offset,
      ]),
      [
        [0, 0, 40, 40, [[0, 1, 0, 2], [5, 6, 4, 2]], 7],
        [1, 6, 41, 12, [[7, 8, 1, 2]], 9],
        [2, 0, 9, 9, [], null],
        [3, 0, 9, 9, [], null],
      ],
    );
  }
  assert.throws(() => read_fetch_answer(3, new Uint8Array(99)), /older than Kafka 0\.11/);
});

Deno.test("a wrong checksum is found in every batch of every partition, and named", () => {
  const damaged = { checksum: 1 };
  for (const version of VERSIONS) {
    for (
      const [partitions, place] of [
        [[[batch(3, damaged)]], "trips/0 offset 3"],
        [[[batch(0), batch(5, damaged)], [batch(7)]], "trips/0 offset 5"],
        [[[], [batch(0), batch(7), batch(9, damaged)]], "trips/1 offset 9"],
      ] as const
    ) {
      assert.throws(() => read(version, partitions.map((batches) => ({ batches }))), (error) => {
        assert.ok(error instanceof DamagedAnswer);
        assert.ok(error.message.startsWith(`${place}: the record batch does not have the checksum`), error.message);
        return true;
      });
    }
  }
});

Deno.test("every flipped bit behind a batch's head is found, that of its format too", () => {
  const clean = write_answer(11, [{ batches: [batch(3)] }]);
  const from = clean.length - batch(3).length;
  // What stands before is in no checksum; a batch of another format has another one.
  for (let at = from + 16; at < clean.length; at++) {
    for (let bit = 1; bit < 256; bit <<= 1) {
      const flipped = clean.slice();
      flipped[at]! ^= bit;
      assert.throws(() => read_fetch_answer(11, flipped), DamagedAnswer);
    }
  }
});

Deno.test("a partition is read up to the first batch whose codec nobody knows, the others are read on", () => {
  for (const codec of [5, 6, 7]) {
    const unknown = batch(4, { codec });
    const found = read(11, [
      { batches: [batch(0), unknown, batch(6)] },
      { batches: [unknown] },
      { batches: [batch(8)] },
      // What is no data is passed over, however it is packed.
      { batches: [batch(4, { codec, attributes: TRANSACTIONAL, producer_id: 7 }), batch(6)], aborted: [[7, 4]] },
      { batches: [batch(4, { codec, attributes: CONTROL | TRANSACTIONAL, producer_id: 9 }), batch(6)] },
    ]);
    const first = ({ batches, next_offset, unknown_codec }: typeof found[0]) => [
      batches.map(({ base_offset }) => base_offset),
      next_offset,
      unknown_codec,
    ];
    assert.deepEqual(found.map(first), [
      [[0], 2, { codec, next_offset: 6 }],
      [[], null, { codec, next_offset: 6 }],
      [[8], 10, null],
      [[6], 8, null],
      [[6], 8, null],
    ]);
    assert.deepEqual(first(read(11, [{ batches: [unknown] }])[0]!), [[], null, { codec, next_offset: 6 }], "alone");
  }
});

Deno.test("an answer that ends in the middle, or without one whole batch, is damaged", () => {
  const whole = write_answer(11, [{ batches: [batch(0)] }]);
  for (let length = 0; length < whole.length; length++) {
    assert.throws(() => read_fetch_answer(11, whole.subarray(0, length)), DamagedAnswer, `${length} bytes`);
  }
  assert.throws(() => read(11, [{ batches: [batch(0).subarray(0, 70)] }]), /trips\/0 .*one whole record batch/);
  const short = batch(0);
  new DataView(short.buffer).setInt32(8, 48);
  assert.throws(() => read(11, [{ batches: [short] }]), /trips\/0 offset 0: a record batch of 60 bytes/);
  assert.throws(() => read(11, [{ batches: [batch(5, { last_offset_delta: -1 })] }]), /that ends at offset 4/);
});

Deno.test("a record batch of 61 bytes, which compaction left without records, is read past", () => {
  const empty = write_batch({ base_offset: 3, last_offset_delta: 6 });
  assert.equal(empty.length, 61);
  assert.deepEqual(data({ batches: [empty] }), [[3], 10]);
});

Deno.test("a transaction's data is what was committed, whoever writes in between", () => {
  const of = (producer_id: number) => ({ producer_id, attributes: TRANSACTIONAL });
  // A begins, B begins; B aborts, A aborts; then A commits, and a producer of no transaction writes.
  const batches = [
    batch(0, of(1)),
    batch(2, of(2)),
    batch(4),
    batch(6, of(1)),
    write_marker(8, 2, "abort"),
    batch(9, of(2)),
    batch(11, of(1)),
    write_marker(13, 1, "abort"),
    batch(14, of(1)),
    batch(16, { producer_id: 1 }),
    write_marker(18, 1, "commit"),
    write_marker(19, 2, "commit"),
  ];
  assert.deepEqual(data({ batches, aborted: [[1, 0], [2, 2]] }), [[4, 9, 14, 16], 20]);
  assert.deepEqual(data({ batches, aborted: [[2, 2], [1, 0]] }), [[4, 9, 14, 16], 20]);
  // The fetch begins in the middle of both.
  assert.deepEqual(data({ batches: batches.slice(3), aborted: [[2, 2], [1, 0]] }), [[9, 14, 16], 20]);
  // The same producer aborts twice in one answer, and both of them begin before the first batch that is whole.
  const twice = [batch(0, of(1)), write_marker(2, 1, "abort"), batch(3, of(1)), write_marker(5, 1, "abort")];
  assert.deepEqual(data({ batches: [...twice, batch(6, of(1))], aborted: [[1, 3], [1, 0]] }), [[6], 8]);
  assert.deepEqual(data({ batches: twice.slice(1), aborted: [[1, 0], [1, 3]] }), [[], 6]);
});

Deno.test("a marker is told by the control flag, whatever keys there are", () => {
  const key = joined(int(16, 0), int(16, 0));
  const records = [{ key, value: text("a") }, { key: null, value: text("b") }];
  const of = { producer_id: 1, attributes: TRANSACTIONAL };
  const batches = [
    batch(0, of),
    batch(2, { ...of, records }),
    batch(4, of),
    write_marker(6, 1, "abort"),
    batch(7, { records }),
  ];
  assert.deepEqual(data({ batches, aborted: [[1, 0]] }), [[7], 9]);
  // What controls something else than a transaction is no data either.
  assert.deepEqual(data({ batches: [batch(0, { attributes: CONTROL, records }), batch(2)] }), [[2], 4]);
});

Deno.test("any interleaving of transactions gives what was committed, wherever a fetch begins and ends", () => {
  const step = fc.record({ producer: fc.nat(2), what: fc.constantFrom("send", "send", "plain", "abort", "commit") });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), fc.nat(60), fc.nat(60), (steps, from, length) => {
      const log: { offset: number; bytes: Uint8Array; fate: Set<string> }[] = [];
      const open = new Map<number, { first: number; fate: Set<string> }>();
      const ended: { producer: number; first: number; last: number }[] = [];
      const end = (producer: number, what: "abort" | "commit") => {
        const transaction = open.get(producer);
        if (transaction === undefined) return;
        open.delete(producer);
        transaction.fate.add(what);
        if (what === "abort") ended.push({ producer, first: transaction.first, last: log.length });
        log.push({ offset: log.length, bytes: write_marker(log.length, producer, what), fate: new Set(["marker"]) });
      };
      for (const { producer, what } of steps) {
        const offset = log.length;
        const records = [{ value: text("x") }];
        if (what === "abort" || what === "commit") end(producer, what);
        else if (what === "plain") {
          log.push({
            offset,
            bytes: write_batch({ base_offset: offset, records, producer_id: producer }),
            fate: new Set(["commit"]),
          });
        } else {
          const transaction = open.get(producer) ?? { first: offset, fate: new Set<string>() };
          open.set(producer, transaction);
          const bytes = write_batch({ base_offset: offset, records, producer_id: producer, attributes: TRANSACTIONAL });
          log.push({ offset, bytes, fate: transaction.fate });
        }
      }
      for (const producer of [...open.keys()]) end(producer, "commit");
      const part = log.slice(from, from + length);
      if (part.length === 0) return;
      // Brokers name what overlaps the part.
      const aborted = ended.filter(({ first, last }) => last >= from && first < from + length);
      const committed = part.filter(({ fate }) => fate.has("commit")).map(({ offset }) => offset);
      assert.deepEqual(
        data({
          batches: part.map(({ bytes }) => bytes),
          aborted: aborted.map(({ producer, first }) => [producer, first]),
        }),
        [committed, part.at(-1)!.offset + 1],
      );
    }),
    { numRuns: 300 },
  );
});
