import assert from "node:assert/strict";
import { gzipSync, zstdCompressSync } from "node:zlib";
import fc from "fast-check";
import type { SchemaElement } from "hyparquet";
import { parquetWriteBuffer } from "hyparquet-writer";
import { FileError, open_record_file } from "../../src/files/mod.ts";

/** Rows of Parquet files: codecs, row groups, and values as mappings read them. */

async function rows_of(content: ArrayBuffer) {
  const path = await Deno.makeTempFile({ prefix: "tacho_files_", suffix: ".parquet" });
  try {
    await Deno.writeFile(path, new Uint8Array(content));
    return (await Array.fromAsync((await open_record_file(path)).rows())).flatMap(({ rows }) => rows);
  } finally {
    await Deno.remove(path);
  }
}

Deno.test("Parquet: every row once, in order, whatever the codec and wherever groups and slices end", async () => {
  const count = 80_000;
  const numbers = Array.from({ length: count }, (_, i) => i);
  const names = numbers.map((i) => i % 7 === 0 ? null : `name ${i % 100}`);
  const compressors = {
    GZIP: (bytes: Uint8Array) => new Uint8Array(gzipSync(bytes, { level: 1 })),
    ZSTD: (bytes: Uint8Array) => new Uint8Array(zstdCompressSync(bytes)),
  };
  for (const codec of ["UNCOMPRESSED", "SNAPPY", "GZIP", "ZSTD"] as const) {
    const columnData = [
      { name: "n", data: numbers, type: "INT32" as const },
      { name: "name", data: names, type: "STRING" as const },
    ];
    const options = { columnData, codec, compressors, rowGroupSize: 70_000, pageSize: 50_000 };
    const rows = await rows_of(parquetWriteBuffer(options));
    assert.equal(rows.length, count, codec);
    for (const [i, { line, record }] of rows.entries()) {
      if (line !== i + 1 || record?.n !== i || record.name !== names[i]) {
        assert.deepEqual([line, record], [i + 1, { n: i, name: names[i] }], codec);
      }
    }
  }
});

Deno.test("Parquet: decimals, times and large numbers keep every digit", async () => {
  const us = 1_716_643_140_123_456n;
  const fields = [
    { name: "fare", type: "INT64", converted_type: "DECIMAL", precision: 10, scale: 2 },
    { name: "tip", type: "FIXED_LEN_BYTE_ARRAY", type_length: 16, converted_type: "DECIMAL", precision: 38, scale: 3 },
    { name: "local", type: "INT64", logical_type: { type: "TIMESTAMP", isAdjustedToUTC: false, unit: "MICROS" } },
    { name: "instant", type: "INT64", logical_type: { type: "TIMESTAMP", isAdjustedToUTC: true, unit: "NANOS" } },
    { name: "old", type: "INT64", converted_type: "TIMESTAMP_MILLIS" },
    { name: "day", type: "INT32", converted_type: "DATE" },
    { name: "id", type: "INT64" },
    { name: "text", type: "BYTE_ARRAY", converted_type: "UTF8" },
  ] as const;
  const values = {
    fare: [435n, -5n, null],
    tip: [12_345_678_901_234_567_890n, -1n, null],
    local: [us, -1n, null],
    instant: [us * 1000n + 999n, 0n, null],
    old: [1_716_643_140_123n, -1n, null],
    day: [19_868, -1, null],
    id: [9_007_199_254_740_993n, 42n, null],
    text: ["café", "", null],
  };
  const schema = [
    { name: "root", num_children: fields.length },
    ...fields.map((field) => ({ ...field, repetition_type: "OPTIONAL" as const })),
  ];
  const columnData = fields.map(({ name }) => ({ name, data: values[name] as unknown[] }));
  const rows = await rows_of(parquetWriteBuffer({ schema, columnData }));
  assert.deepEqual(rows.map(({ record }) => record), [
    {
      fare: "4.35",
      tip: "12345678901234567.890",
      local: "2024-05-25T13:19:00.123456",
      instant: "2024-05-25T13:19:00.123456Z",
      old: "2024-05-25T13:19:00.123000Z",
      day: "2024-05-25",
      id: "9007199254740993",
      text: "café",
    },
    {
      fare: "-0.05",
      tip: "-0.001",
      local: "1969-12-31T23:59:59.999999",
      instant: "1970-01-01T00:00:00.000000Z",
      old: "1969-12-31T23:59:59.999000Z",
      day: "1969-12-31",
      id: 42,
      text: "",
    },
    { fare: null, tip: null, local: null, instant: null, old: null, day: null, id: null, text: null },
  ]);
});

Deno.test("Parquet: what lies in structs, lists and maps keeps every digit, and its times their zone or none", async () => {
  const amount = { type: "INT64", converted_type: "DECIMAL", precision: 10, scale: 2, repetition_type: "OPTIONAL" };
  const stamp = (unit: string, isAdjustedToUTC: boolean) => ({
    type: "INT64",
    logical_type: { type: "TIMESTAMP", isAdjustedToUTC, unit },
    repetition_type: "OPTIONAL",
  });
  const schema = [
    { name: "root", num_children: 4 },
    { name: "data", repetition_type: "OPTIONAL", num_children: 5 },
    { name: "fare", ...amount },
    { name: "local", ...stamp("MICROS", false) },
    { name: "instant", ...stamp("NANOS", true) },
    { name: "float", type: "FLOAT", repetition_type: "OPTIONAL" },
    { name: "day", type: "INT32", converted_type: "DATE", repetition_type: "OPTIONAL" },
    { name: "stops", repetition_type: "OPTIONAL", num_children: 1, converted_type: "LIST" },
    { name: "list", repetition_type: "REPEATED", num_children: 1 },
    { name: "element", repetition_type: "OPTIONAL", num_children: 2 },
    { name: "amount", ...amount },
    { name: "id", type: "INT64", repetition_type: "OPTIONAL" },
    { name: "tags", repetition_type: "OPTIONAL", num_children: 1, converted_type: "MAP" },
    { name: "key_value", repetition_type: "REPEATED", num_children: 2 },
    { name: "key", type: "BYTE_ARRAY", converted_type: "UTF8", repetition_type: "REQUIRED" },
    { name: "value", ...amount },
    {
      name: "clock",
      type: "INT64",
      logical_type: { type: "TIME", isAdjustedToUTC: false, unit: "MICROS" },
      repetition_type: "OPTIONAL",
    },
  ] as SchemaElement[];
  const us = 1_716_643_140_123_456n;
  const columnData = [
    { name: "data", data: [{ fare: 435n, local: us, instant: us * 1000n + 789n, float: 18.6, day: 19_868 }, null] },
    { name: "stops", data: [[{ amount: 435n, id: 1_795_292_668_348_461_056n }, { amount: null, id: 5n }], null] },
    { name: "tags", data: [[{ key: "a", value: 110n }, { key: "b", value: null }], null] },
    { name: "clock", data: [36_000_000_005n, null] },
  ];
  const rows = await rows_of(parquetWriteBuffer({ schema, columnData }));
  assert.deepEqual(rows.map(({ record }) => record), [
    {
      data: {
        fare: "4.35",
        local: "2024-05-25T13:19:00.123456",
        instant: "2024-05-25T13:19:00.123456Z",
        float: 18.6,
        day: "2024-05-25",
      },
      stops: [{ amount: "4.35", id: "1795292668348461056" }, { amount: null, id: 5 }],
      tags: { a: "1.10", b: null },
      clock: "10:00:00.000005",
    },
    { data: null, stops: null, tags: null, clock: null },
  ]);
});

Deno.test("Parquet: bytes that nothing says are text are hexadecimal, so that no two are one; UUIDs, enumerations and JSON are what they are", async () => {
  const uuid = (last: number) => Uint8Array.from([0xff, 0xfe, ...Array.from({ length: 13 }, (_, i) => i), last]);
  const text = (value: string) => new TextEncoder().encode(value);
  const fields = [
    { name: "bytes", type: "BYTE_ARRAY" },
    { name: "fixed", type: "FIXED_LEN_BYTE_ARRAY", type_length: 16 },
    { name: "uuid", type: "FIXED_LEN_BYTE_ARRAY", type_length: 16, logical_type: { type: "UUID" } },
    { name: "kind", type: "BYTE_ARRAY", converted_type: "ENUM" },
    { name: "json", type: "BYTE_ARRAY", logical_type: { type: "JSON" } },
    { name: "float", type: "FLOAT" },
  ] as const;
  const values = {
    bytes: [Uint8Array.of(0xff, 0x61), Uint8Array.of(0xfe, 0x61), text("ff61"), null],
    fixed: [uuid(1), uuid(2), uuid(3), null],
    uuid: [uuid(1), uuid(2), uuid(3), null],
    kind: [text("card"), text("é"), text(""), null],
    json: [text('{"id":9007199254740993}'), text("[1]"), text("no JSON"), null],
    float: [18.6, -0.1, 16_777_216, null],
  };
  const schema = [
    { name: "root", num_children: fields.length },
    ...fields.map((field) => ({ ...field, repetition_type: "OPTIONAL" as const })),
  ] as SchemaElement[];
  const columnData = fields.map(({ name }) => ({ name, data: values[name] as unknown[] }));
  const rows = await rows_of(parquetWriteBuffer({ schema, columnData }));
  const column = (name: string) => rows.map(({ record }) => record![name]);
  assert.deepEqual(column("bytes"), ["ff61", "fe61", "66663631", null]);
  assert.deepEqual(column("fixed").slice(0, 2), [
    "fffe000102030405060708090a0b0c01",
    "fffe000102030405060708090a0b0c02",
  ]);
  assert.deepEqual(column("uuid").slice(0, 2), [
    "fffe0001-0203-0405-0607-08090a0b0c01",
    "fffe0001-0203-0405-0607-08090a0b0c02",
  ]);
  assert.deepEqual(column("kind"), ["card", "é", "", null]);
  assert.equal(JSON.stringify(column("json")), '[{"id":9007199254740993},[1],"no JSON",null]');
  assert.deepEqual(column("float"), [18.6, -0.1, 16_777_216, null]);
});

Deno.test("Parquet: text that is no UTF-8 is a faulty row, the replacement character is not", async () => {
  const data = ["a", "b", "c"];
  const file = new Uint8Array(
    parquetWriteBuffer({
      columnData: [{ name: "city", data: ["a\ufffd", "caf\u00e9", "c"], type: "STRING" }],
      codec: "UNCOMPRESSED",
    }),
  );
  // The two bytes of é become two that are none.
  const at = file.findIndex((byte, i) => byte === 0xc3 && file[i + 1] === 0xa9);
  file.set([0xe9, 0x20], at);
  const rows = await rows_of(file.buffer);
  assert.equal(rows.length, data.length);
  assert.deepEqual(rows.map((row) => row.record?.city ?? (row.record === null ? row.fault.reason : null)), [
    "a\ufffd",
    "invalid_utf8",
    "c",
  ]);
  assert.deepEqual(rows.map((row) => row.record === null ? row.fault.path : null), [null, "city", null]);
});

Deno.test("Parquet: NaN and Infinity are blank, wherever they lie, as in JSON", async () => {
  const data = [NaN, Infinity, -Infinity, 18.6, null];
  const columnData = [
    { name: "double", data },
    { name: "float", data },
    { name: "list", data: data.map((each) => each === null ? null : [each, 1.5]) },
    { name: "struct", data: data.map((each) => ({ each })) },
  ];
  const field = { repetition_type: "OPTIONAL" as const };
  const rows = await rows_of(parquetWriteBuffer({
    columnData,
    schema: [
      { name: "root", num_children: 4 },
      { name: "double", type: "DOUBLE", ...field },
      { name: "float", type: "FLOAT", ...field },
      { name: "list", num_children: 1, converted_type: "LIST", ...field },
      { name: "list", num_children: 1, repetition_type: "REPEATED" },
      { name: "element", type: "DOUBLE", ...field },
      { name: "struct", num_children: 1, ...field },
      { name: "each", type: "FLOAT", ...field },
    ],
  }));
  const blank = { double: null, float: null, list: [null, 1.5], struct: { each: null } };
  const known = { double: 18.6, float: 18.6, list: [18.6, 1.5], struct: { each: 18.6 } };
  assert.deepEqual(rows.map(({ record }) => record), [blank, blank, blank, known, { ...blank, list: null }]);
});

Deno.test("Parquet: a page that says it unpacks to two gigabytes is refused before it is unpacked, with the file and the column", async () => {
  const codec = "SNAPPY" as const;
  const data = Array.from({ length: 20_000 }, (_, i) => i * 7_919);
  const file = new Uint8Array(
    parquetWriteBuffer({ columnData: [{ name: "n", data, type: "INT32" }], codec, pageSize: 1e9 }),
  );
  // The header begins with the page's type and what it unpacks to, in a number of as many bytes.
  assert.deepEqual([...file.subarray(4, 7)].map((byte) => byte & 0xf0), [0x10, 0, 0x10]);
  const end = file.findIndex((byte, at) => at >= 7 && byte < 128);
  assert.ok(end - 7 <= 3, "room for a large number");
  file.set([...new Array(end - 7).fill(0xff), 0x7f], 7);
  await assert.rejects(rows_of(file.buffer), (error: unknown) => {
    assert.ok(error instanceof FileError);
    assert.match(error.message, /read row group 1 of ".*\.parquet" \(Parquet\)/);
    return true;
  });
});

Deno.test("Parquet: a file that is cut off is an error that names it", async () => {
  const whole = parquetWriteBuffer({ columnData: [{ name: "n", data: [1, 2, 3], type: "INT32" }] });
  await assert.rejects(
    rows_of(whole.slice(0, whole.byteLength - 10)),
    (error: unknown) => error instanceof FileError && /read the footer of ".*\.parquet"/.test(error.message),
  );
});

Deno.test("Parquet: files put together one behind another are refused, whatever their sizes: none is left out, no row is taken for another", async () => {
  const file = (n: number, rows: number) => {
    const city = Array.from({ length: rows }, (_, i) => `city ${n} ${i % 7}`);
    const columnData = [
      { name: "n", data: Array.from({ length: rows }, (_, i) => n * 1_000 + i), type: "INT32" as const },
      { name: "city", data: city, type: "STRING" as const, columnIndex: true, offsetIndex: true },
    ];
    return new Uint8Array(parquetWriteBuffer({ columnData, rowGroupSize: 40 }));
  };
  const together = (...files: Uint8Array[]) => {
    const bytes = new Uint8Array(files.reduce((sum, { length }) => sum + length, 0));
    files.reduce((at, each) => (bytes.set(each, at), at + each.length), 0);
    return bytes.buffer;
  };
  const sizes = fc.array(fc.nat(200), { minLength: 2, maxLength: 4 });
  await fc.assert(
    fc.asyncProperty(sizes, async (rows) => {
      const files = rows.map((count, n) => file(n, count));
      for (const [n, alone] of files.entries()) assert.equal((await rows_of(alone.slice().buffer)).length, rows[n]);
      await assert.rejects(rows_of(together(...files)), (error: unknown) => {
        assert.ok(error instanceof FileError);
        assert.match(String(error.cause), /expected one Parquet file, got several one behind another/);
        return true;
      });
    }),
    { numRuns: 60, examples: [[[50, 50]], [[0, 0]], [[1, 200]], [[200, 1]]] },
  );
});

Deno.test("Parquet: whatever bytes are changed or cut off, the rest is read or refused in a sentence, and nothing is left running", async () => {
  const count = 50;
  const whole = new Uint8Array(parquetWriteBuffer({
    columnData: [
      { name: "id", data: Array.from({ length: count }, (_, i) => i), type: "INT32" },
      { name: "fare", data: Array.from({ length: count }, (_, i) => i / 7), type: "DOUBLE" },
      { name: "city", data: Array.from({ length: count }, (_, i) => `city ${i % 5}`), type: "STRING" },
    ],
    rowGroupSize: 20,
    codec: "SNAPPY",
  }));
  const change = fc.tuple(fc.nat(whole.length - 1), fc.nat(255));
  await fc.assert(
    fc.asyncProperty(
      fc.array(change, { maxLength: 4 }),
      fc.nat(whole.length),
      fc.boolean(),
      async (changes, end, cut) => {
        const bytes = whole.slice(0, cut ? end : whole.length);
        for (const [at, byte] of changes) if (at < bytes.length) bytes[at] = byte;
        const read = await rows_of(bytes.buffer).catch((error) => {
          assert.ok(error instanceof FileError, String(error));
          return null;
        });
        if (cut && end < whole.length) assert.equal(read, null);
        else if (changes.every(([at, byte]) => whole[at] === byte)) assert.equal(read?.length, count);
      },
    ),
    { numRuns: 400 },
  );
});
