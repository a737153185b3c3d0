import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { crc32, gzipSync, zstdCompressSync } from "node:zlib";
import fc from "fast-check";
import { read_fetch_answer } from "../../src/ingest/kafka/records/fetch_answer.ts";
import { FIRST_BYTES, pack_lz4_frame, pack_snappy } from "../../src/ingest/kafka/records/codecs.ts";
import { read_records } from "../../src/ingest/kafka/records/record_batch.ts";
import type { SourceMessage } from "../../src/ingest/message_source.ts";
import { stated_fault } from "../../src/ingest/decode/decode.ts";
import {
  int,
  joined,
  LOG_APPEND_TIME,
  varint,
  write_answer,
  write_batch,
  write_record,
  write_records,
  type WrittenBatch,
  type WrittenRecord,
} from "../support/record_batches.ts";

const text = (value: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(value);
const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

const MOST = 10_000;

async function read_all(batch: Uint8Array, from_offset = 0, most_bytes = MOST, between = () => {}) {
  const [found] = read_fetch_answer(11, write_answer(11, [{ batches: [batch] }])).topics[0]!.partitions;
  const messages: SourceMessage[] = [];
  for (const packed of found!.batches) {
    const limits = { most_bytes, between: () => Promise.resolve(between()) };
    for await (const run of read_records(packed, from_offset, limits)) messages.push(...run);
  }
  return messages;
}

const read = (batch: WrittenBatch, from_offset = 0) => read_all(write_batch(batch), from_offset);

/** Packs records by Kafka's numbers. */
const PACKS: readonly ((records: Uint8Array) => Uint8Array | Promise<Uint8Array>)[] = [
  (records) => records,
  (records) => gzipSync(records),
  pack_snappy,
  pack_lz4_frame,
  (records) => zstdCompressSync(records),
];

const shown = (bytes: Uint8Array | null | undefined) => bytes == null ? null : Buffer.from(bytes).toString("latin1");

Deno.test("records are read as they were written, whatever they hold and however they are packed", async () => {
  const bytes = fc.option(fc.uint8Array({ maxLength: 300 }), { nil: null });
  const record: fc.Arbitrary<WrittenRecord> = fc.record({
    key: bytes,
    value: bytes,
    headers: fc.array(fc.tuple(fc.string({ maxLength: 9 }), bytes), { maxLength: 3 }),
    time_delta: fc.integer({ min: -(2 ** 40), max: 2 ** 40 }),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(record, { maxLength: 30 }), fc.nat(4), fc.nat(9), async (records, codec, from) => {
      const packed = await PACKS[codec]!(write_records(records));
      const base_offset = 2 ** 40;
      const batch = { base_offset, codec, packed, count: records.length, base_timestamp_ms: 1_700_000_000_000 };
      const found = await read(batch, base_offset + from);
      assert.deepEqual(
        found.map(({ offset, key, value, headers, timestamp_ms }) => [
          offset,
          shown(key),
          shown(value),
          Object.entries(headers).map(([name, header]) => [name, shown(header)]).toSorted(),
          timestamp_ms,
        ]),
        records.map(({ key, value, headers, time_delta }, at) => [
          base_offset + at,
          shown(key),
          shown(value),
          Object.entries(Object.fromEntries(headers!.filter(([, header]) => header !== null)))
            .map(([name, header]) => [name, shown(header)]).toSorted(),
          1_700_000_000_000 + time_delta!,
        ]).slice(from),
      );
    }),
    { numRuns: 200 },
  );
});

Deno.test("headers: the last value of a repeated one, none without value, any name", async () => {
  const headers = [["a", text("1")], ["a", text("2")], ["b", null], ["", text("c")], ["__proto__", text("p")]] as const;
  const [message] = await read({ base_offset: 0, records: [{ headers }] });
  const found = Object.entries(message!.headers).map(([name, value]) => [name, shown(value)]);
  assert.deepEqual(found, [["a", "2"], ["", "c"], ["__proto__", "p"]]);
});

Deno.test("the broker's time is told from the producer's; what no database stores is taken for the nearest it does", async () => {
  const records = [{ time_delta: 5 }, { time_delta: -5 }];
  const times = async (batch: Partial<WrittenBatch>) =>
    (await read({ base_offset: 0, records, ...batch })).map(({ timestamp_ms, timestamp_is_brokers }) => [
      timestamp_ms,
      timestamp_is_brokers,
    ]);
  assert.deepEqual(await times({ base_timestamp_ms: 100 }), [[105, false], [95, false]]);
  const brokers = { attributes: LOG_APPEND_TIME, base_timestamp_ms: 100, max_timestamp_ms: 900 };
  assert.deepEqual(await times(brokers), [[900, true], [900, true]]);
  assert.deepEqual(await times({ base_timestamp_ms: 9.1e18 }), [[8.64e15, false], [8.64e15, false]]);
  assert.deepEqual(await times({ base_timestamp_ms: -9.1e18 }), [[-8.64e15, false], [-8.64e15, false]]);
});

Deno.test("a batch without records, and one that compaction thinned out", async () => {
  assert.deepEqual(await read({ base_offset: 3, last_offset_delta: 6 }), []);
  const records = [{ offset_delta: 2 }, { offset_delta: 7 }];
  const found = await read({ base_offset: 10, records, last_offset_delta: 9 }, 13);
  assert.deepEqual(found.map(({ offset }) => offset), [17]);
});

/** Records around one that is too long. */
const around = (long: WrittenRecord): WrittenRecord[] => [{ value: text("before") }, long, { value: text("after") }];

/** Checks that the records around were read, and gives what stands for the long one. */
async function cut_of(long: WrittenRecord, codec: number, most = MOST, between = () => {}): Promise<SourceMessage> {
  const packed = await PACKS[codec]!(write_records(around(long)));
  const found = await read_all(write_batch({ base_offset: 5, codec, packed, count: 3 }), 0, most, between);
  assert.deepEqual(found.map(({ offset }) => offset), [5, 6, 7]);
  assert.deepEqual([shown(found[0]!.value), shown(found[2]!.value)], ["before", "after"]);
  return found[1]!;
}

Deno.test("a record is held whole up to the limit, and one byte more is cut", async () => {
  // Beside key and value it has one byte each for attributes, time, offset, the key's length and the number of headers, and 3 for the value's length.
  const whole = text("k".repeat(10) + "v".repeat(MOST - 10 - 8));
  for (let codec = 0; codec < PACKS.length; codec++) {
    const [key, value] = [whole.subarray(0, 10), whole.subarray(10)];
    assert.deepEqual(await cut_of({ key, value }, codec).then(({ value }) => value!.length), value.length);
    const longer = joined(value, text("!"));
    const cut = await cut_of({ key, value: longer, headers: [] }, codec);
    assert.equal(shown(cut.value), shown(longer.subarray(0, FIRST_BYTES)));
    assert.equal(shown(cut.key), shown(key));
    const fault = stated_fault(cut)!;
    assert.equal(fault.reason, "too_large");
    assert.match(fault.detail, /at most 10000 bytes .* got a record of 10001 bytes \(key 10, value 9983, headers 0\)/);
    assert.ok(fault.detail.endsWith(sha256(longer)), fault.detail);
  }
});

Deno.test("long keys, headers and values are cut in every codec, and what is around them is read", async () => {
  const long = new Uint8Array(3_000_000).map((_, at) => at * 31 >> 3);
  const cases: readonly [WrittenRecord, string][] = [
    [{ value: long }, "key 0, value 3000000, headers 0"],
    [{ key: long, value: null }, "key 3000000, value 0, headers 0"],
    [{ key: text("k"), value: text("v"), headers: [["a", long], ["b", null]] }, "key 1, value 1, headers 3000002"],
    [{ key: long, value: long, headers: [["a", long]] }, "key 3000000, value 3000000, headers 3000001"],
  ];
  for (let codec = 0; codec < PACKS.length; codec++) {
    for (const [record, parts] of cases) {
      const cut = await cut_of(record, codec);
      const fault = stated_fault(cut)!;
      assert.ok(fault.detail.includes(`(${parts})`), `codec ${codec}: ${fault.detail}`);
      assert.ok(fault.detail.endsWith(sha256(record.value ?? new Uint8Array())), fault.detail);
      assert.equal(shown(cut.value), record.value == null ? null : shown(record.value.subarray(0, FIRST_BYTES)));
      assert.equal(shown(cut.key), record.key == null ? null : shown(record.key.subarray(0, FIRST_BYTES)));
      assert.deepEqual(Object.keys(cut.headers), ["tacho-fault"]);
    }
  }
});

Deno.test("what cannot be unpacked or read is one message at the first offset that could not, and no more", async () => {
  const good = [{ value: text("a") }, { value: text("b") }];
  const two = write_records(good);
  const short = write_record({ value: text("x") }, 2);
  const cases: readonly [string, Partial<WrittenBatch>, readonly number[], RegExp][] = [
    ["no gzip", { codec: 1, packed: text("no gzip"), count: 3 }, [7], /offsets 7 to 9 .* cannot unpack gzip/],
    ["no snappy", { codec: 2, packed: text("no snappy"), count: 3 }, [7], /cannot unpack snappy/],
    ["no lz4", { codec: 3, packed: text("this is no lz4"), count: 3 }, [7], /cannot unpack lz4: not an lz4 frame/],
    ["no zstd", { codec: 4, packed: text("no zstd at all"), count: 3 }, [7], /cannot unpack zstd/],
    ["empty zstd", { codec: 4, packed: new Uint8Array(), count: 3 }, [7], /cut off/],
    ["cut off", { packed: two, count: 3 }, [7, 8, 9], /offsets 9 to 9 .*: the records are cut off/],
    ["cut in a record", { packed: joined(two, short.subarray(0, 3)), count: 3 }, [7, 8, 9], /cut off/],
    ["gzip cut off", { codec: 1, packed: gzipSync(two).subarray(0, -9), count: 3 }, [7], /unpack gzip/],
    ["a negative length", { packed: joined(two, varint(-5)), count: 3 }, [7, 8, 9], /a record of -5 bytes/],
    ["no end of a length", { packed: joined(two, new Uint8Array(9).fill(255)), count: 3 }, [7, 8, 9], /no end/],
    [
      "no end of a time",
      { packed: joined(two, varint(12), new Uint8Array(12).fill(255)), count: 3 },
      [7, 8, 9],
      /no end/,
    ],
    ["no end of a number", { packed: joined(two, varint(9), int(16, 0), new Uint8Array(7).fill(255)), count: 3 }, [
      7,
      8,
      9,
    ], /no end/],
    [
      "a field outside",
      { packed: joined(two, varint(5), Uint8Array.of(0, 0, 4, 40, 40)), count: 3 },
      [7, 8, 9],
      /a field of 20 bytes in 1/,
    ],
    [
      "fewer bytes than said",
      {
        packed: joined(two, varint(8), Uint8Array.of(0, 0, 4, 1, 1, 0, 0, 0)),
        count: 3,
      },
      [7, 8, 9],
      /ends 2 bytes before/,
    ],
    [
      "negative headers",
      { packed: joined(two, varint(6), Uint8Array.of(0, 0, 4, 1, 1, 1)), count: 3 },
      [7, 8, 9],
      /-1 headers/,
    ],
    [
      "an offset twice",
      { records: [...good, { offset_delta: 1 }], last_offset_delta: 2 },
      [7, 8, 9],
      /from 9 to 9, got 8/,
    ],
    [
      "an offset beyond",
      { records: [...good, { offset_delta: 3 }], last_offset_delta: 2 },
      [7, 8, 9],
      /from 9 to 9, got 10/,
    ],
  ];
  for (const [name, changes, offsets, why] of cases) {
    const found = await read({ base_offset: 7, ...changes });
    assert.deepEqual(found.map(({ offset }) => offset), offsets, name);
    const fault = stated_fault(found.at(-1)!)!;
    assert.equal(fault.reason, "unreadable_batch", name);
    assert.match(fault.detail, why, name);
    for (const message of found.slice(0, -1)) assert.equal(stated_fault(message), null);
  }
  // All offsets were read: more records than these cannot be there.
  assert.equal((await read({ base_offset: 7, packed: two, count: 3, last_offset_delta: 1 })).length, 2);
  // What lies below where reading begins is no message, readable or not.
  const found = await read({ base_offset: 7, codec: 1, packed: text("no gzip"), count: 3 }, 9);
  assert.deepEqual(found.map(({ offset }) => offset), [9]);
});

Deno.test("a long record that is no record ends its batch, in bounded steps", async () => {
  const hostile: readonly [string, Uint8Array][] = [
    ["a key longer than the record", joined(int(8, 0), varint(0), varint(0), varint(90_000))],
    ["a negative value", joined(int(8, 0), varint(0), varint(0), varint(-1), varint(-7))],
    ["headers without end", joined(int(8, 0), varint(0), varint(0), varint(-1), varint(-1), varint(2 ** 30))],
    ["fewer bytes than said", joined(int(8, 0), varint(0), varint(0), varint(-1), varint(-1), varint(0))],
    ["a number without end", joined(int(8, 0), new Uint8Array(11).fill(255))],
  ];
  for (const [name, begin] of hostile) {
    const body = joined(begin, new Uint8Array(20_000 - begin.length).fill(1));
    const found = await read({ base_offset: 7, packed: joined(varint(20_000), body), count: 1 });
    assert.deepEqual(found.map((message) => stated_fault(message)?.reason), ["unreadable_batch"], name);
  }
});

Deno.test("any bytes for records, and any byte changed, give faults or messages, never an error", async () => {
  const bytes = fc.uint8Array({ maxLength: 400 });
  const records = write_records(
    Array.from({ length: 9 }, (_, at) => ({ key: text(`k${at}`), value: text("value ".repeat(at)) })),
  );
  await fc.assert(
    fc.asyncProperty(bytes, fc.nat(4), fc.nat(), fc.nat(255), fc.boolean(), async (noise, codec, at, byte, changed) => {
      const packed = changed ? (await PACKS[codec]!(records)).slice() : noise;
      if (changed) packed[at % packed.length] = byte;
      const found = await read_all(write_batch({ base_offset: 3, codec, packed, count: 9 }), 0, 30);
      for (let i = 1; i < found.length; i++) assert.ok(found[i]!.offset > found[i - 1]!.offset);
      assert.ok(found.every(({ offset }) => offset >= 3 && offset <= 11));
    }),
    { numRuns: 1_500 },
  );
});

/** A message of before Kafka 0.11. */
const old_message = (offset: number, value: Uint8Array, { magic = 1, attributes = 0, timestamp = 17 } = {}) => {
  const time = magic === 1 ? [int(64, timestamp)] : [];
  const body = joined(int(8, magic), int(8, attributes), ...time, int(32, -1), int(32, value.length), value);
  return joined(int(64, offset), int(32, 4 + body.length), int(32, crc32(body) | 0), body);
};

Deno.test("messages of before Kafka 0.11 are read, packed and not, old and new ones in one answer", async () => {
  for (const magic of [0, 1]) {
    // In format 1 packed messages count from 0, and the packing one has the last offset.
    const inner = (offset: number) => old_message(magic === 0 ? offset : offset - 20, text(String(offset)), { magic });
    const set = joined(
      old_message(3, text("3"), { magic }),
      old_message(21, gzipSync(joined(inner(20), inner(21))), { magic, attributes: 1 }),
      write_batch({ base_offset: 22, records: [{ value: text("22") }] }),
    );
    const found = await read_all(set, 3);
    assert.deepEqual(found.map(({ offset, value }) => [offset, shown(value)]), [[3, "3"], [20, "20"], [21, "21"], [
      22,
      "22",
    ]]);
    assert.deepEqual(found.map(({ timestamp_ms }) => timestamp_ms), magic === 0 ? [-1, -1, -1, 0] : [17, 17, 17, 0]);
    assert.deepEqual((await read_all(set, 21)).map(({ offset }) => offset), [21, 22]);
  }
  const brokers = old_message(4, gzipSync(old_message(0, text("x"), { timestamp: 1 })), {
    attributes: 9,
    timestamp: 99,
  });
  const [message] = await read_all(brokers);
  assert.deepEqual([message!.timestamp_ms, message!.timestamp_is_brokers], [99, true]);
  const [faulty] = await read_all(old_message(4, text("no gzip"), { attributes: 1 }));
  assert.equal(stated_fault(faulty!)?.reason, "unreadable_batch");
  const [cut] = await read_all(
    old_message(4, gzipSync(old_message(0, text("cut")).subarray(0, 20)), { attributes: 1 }),
  );
  assert.equal(stated_fault(cut!)?.reason, "unreadable_batch");
});
