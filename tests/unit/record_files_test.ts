import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import process from "node:process";
import { gzipSync, zstdCompressSync } from "node:zlib";
import fc from "fast-check";
import { bytes_of_text, FileError, type FileOptions, open_record_file } from "../../src/files/mod.ts";
import { json_rows } from "../../src/files/json_rows.ts";
import { bytes_as_text } from "../../src/files/text_pieces.ts";

/** Rows of CSV and NDJSON files: formats, lines, faults, bounds. */

async function rows_of(name: string, content: string | Uint8Array, options: FileOptions = {}) {
  const folder = await Deno.makeTempDir({ prefix: "tacho_files_" });
  try {
    const path = `${folder}/${name}`;
    await Deno.writeFile(path, typeof content === "string" ? new TextEncoder().encode(content) : content);
    const file = await open_record_file(path, options);
    const rows = (await Array.fromAsync(file.rows())).flatMap(({ rows }) => rows);
    return { file, rows, lines: rows.map(({ line }) => line), records: rows.map(({ record }) => record) };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("CSV: quoted fields span lines, and each row knows the line it begins on", async () => {
  const text = '\ufeffid, note ,fare\r\n1,"two\r\nlines",5\r\n\r\n2,"say ""hi"", twice",6\r\n3,plain,7';
  const { file, lines, records } = await rows_of("a.csv", text);
  assert.deepEqual([file.format, file.packing, file.told_by], ["csv", null, "name"]);
  assert.deepEqual(lines, [2, 5, 6]);
  assert.deepEqual(records, [
    { id: "1", note: "two\r\nlines", fare: "5" },
    { id: "2", note: 'say "hi", twice', fare: "6" },
    { id: "3", note: "plain", fare: "7" },
  ]);
  assert.equal(file.text_of(records[1]!), '2,"say ""hi"", twice",6');
});

Deno.test("CSV: rows longer than a portion of reading, and many of them, come whole and once", async () => {
  const note = `"${"x\n".repeat(200_000)}"`;
  const rows = Array.from({ length: 40_000 }, (_, i) => i === 20_000 ? `${i},${note}` : `${i},"a\nb"`);
  const { lines, records } = await rows_of("a.csv", `id,note\n${rows.join("\n")}\n`);
  assert.deepEqual(records.map((record) => Number(record!.id)), rows.map((_, i) => i));
  assert.equal((records[20_000]!.note as string).length, 400_000);
  assert.deepEqual([lines[0], lines[20_000], lines[20_001]], [2, 40_002, 240_003]);
});

Deno.test("CSV: a row that is none comes with its line, its fault and its text, and the rows after it still come", async () => {
  const bytes = Buffer.concat([
    Buffer.from("a,b\n1\n1,2,3\n1,"),
    Buffer.from([0xe9]),
    Buffer.from(`\n"x"y",2\n${"3,4\n".repeat(9)}`),
  ]);
  const { rows } = await rows_of("a.csv", bytes);
  assert.deepEqual(rows.slice(0, 5).map(({ line, record }) => [line, record === null]), [
    [2, true],
    [3, true],
    [4, true],
    [5, true],
    [
      6,
      false,
    ],
  ]);
  const faults = rows.map((row) => row.record === null ? [row.fault.reason, row.fault.detail, row.text] : []);
  assert.deepEqual(faults[0], ["malformed_csv", "expected 2 values as in the header, got 1", "1"]);
  assert.deepEqual(faults[1], ["malformed_csv", "expected 2 values as in the header, got 3", "1,2,3"]);
  assert.equal(faults[2]![0], "invalid_utf8");
  assert.deepEqual(rows.map((row) => row.record === null ? row.fault.path : "").filter((path) => path !== ""), [
    ...[null, null, "b", null],
  ]);
  assert.match(faults[3]![1]!, /Trailing quote/);
});

Deno.test("CSV: a quote that nobody closes costs its line alone, however much comes after it", async () => {
  // The second has more behind the quote than a row may have.
  for (const [lines, b] of [[3, "x"], [9_000, "x".repeat(1_000)]] as const) {
    const after = Array.from({ length: lines }, (_, i) => `${i},${b}`).join("\n");
    const { rows } = await rows_of("a.csv", `a,b\n1,2\n3,"x\n${after}`);
    assert.equal(rows.length, lines + 2);
    const [, faulty, next] = rows;
    assert.ok(faulty!.record === null);
    assert.deepEqual([faulty!.line, faulty!.text, faulty!.fault.reason], [3, '3,"x', "malformed_csv"]);
    assert.deepEqual(next, { line: 4, record: { a: "0", b } });
  }
  await assert.rejects(
    rows_of("a.csv", 'a,"b\n1,2\n'),
    /read ".*": line 1, the names of columns: expected a row of CSV/,
  );
});

Deno.test("CSV: a stray quote does not take the rows below for its own", async () => {
  const { rows } = await rows_of("a.csv", 'a,b\n1,"two\n2,x\n3,"three"\n4,"long\nnote"\n5,"p"q\n6,"x""\n7,y\n');
  assert.deepEqual(rows.map(({ line, record }) => [line, record === null ? null : record.b]), [
    [2, null],
    [3, "x"],
    [4, "three"],
    [5, "long\nnote"],
    [7, null],
    [8, null],
    [9, "y"],
  ]);
});

Deno.test("CSV: lines end as each likes; empty values behind the last column, names that are missing or twice do no harm", async () => {
  const end = (text: string) =>
    rows_of("a.csv", text).then(({ records, lines }) => [lines, records.map((each) => each?.b)]);
  assert.deepEqual(await end("a,b\r\n1,x\n2,y\n3,z"), [[2, 3, 4], ["x", "y", "z"]]);
  assert.deepEqual(await end('a,b\r\n1,x\n2,"y"\r\n3,z\r\n'), [[2, 3, 4], ["x", "y", "z"]]);
  assert.deepEqual(await end("a,b\n1,x\r\n2,y\r\n"), [[2, 3], ["x", "y"]]);
  assert.deepEqual(await end("a,b\r1,x\r2,y"), [[2, 3], ["x", "y"]]);
  assert.deepEqual(await end("sep=;\r\na;b\r\n1;x,y\r\n"), [[3], ["x,y"]]);
  // Two columns and few rows, as a lookup may have, tell the delimiter too.
  for (const d of [",", ";", "\t", "|"]) {
    assert.deepEqual(await end(`a${d}b\n1${d}x\n2${d}y\n`), [[2, 3], ["x", "y"]], d);
  }
  assert.deepEqual(await end('a, b\n1, x \n2,\t y\n3," z "\n4, "p, q" \n'), [[2, 3, 4, 5], ["x", "y", " z ", "p, q"]]);
  assert.deepEqual(await end('a,b\r\r\n1,x\r\r\n2,"y"\r\r\n'), [[2, 3], ["x", "y"]]);
  assert.deepEqual(await end('a,b\r1,"x\ny"\r2,z\r'), [[2, 3], ["x\ny", "z"]]);
  assert.deepEqual(await end('"sep=;"\na;b\n1;x\n'), [[3], ["x"]]);
  assert.deepEqual(await end("sep=|\ra|b\r1|x\r"), [[3], ["x"]]);
  assert.deepEqual(await end("\nsep= ;\r\na;b\r\n1;x\r\n"), [[4], ["x"]]);
  assert.deepEqual(await end("sep=;;;\na;b\n1;x\n"), [[3], ["x"]]);
  assert.deepEqual(await end('"sep=\t"\t\t\na\tb\n1\tx\n'), [[3], ["x"]]);
  // Lines without any value are blank; files put together have the names again.
  assert.deepEqual(await end('\na,b\n,\n1,x\n"",""\n\n2,y\n,,,\n'), [[4, 7], ["x", "y"]]);
  assert.deepEqual(await end("\ufeffa,b\n1,x\n\ufeffa,b\n2,y\n"), [[2, 4], ["x", "y"]]);
  // MySQL and Spark put a backslash before a quote.
  assert.deepEqual(await end('a,b\n1,"say \\"hi, you\\""\n2,"\\\\"\n3,"x\\"y\\\\"\n4,"C:\\"\n5,"p\\"q\n6,r\n'), [
    [2, 3, 4, 5, 6, 7],
    ['say "hi, you"', "\\\\", 'x"y\\', "C:\\", undefined, "r"],
  ]);
  const wide = await rows_of("a.csv", "a,b\n1,x,,\n2,y, ,z\n3\n");
  assert.deepEqual(wide.rows.map((row) => row.record ?? row.fault.detail), [
    { a: "1", b: "x" },
    "expected 2 values as in the header, got 4",
    "expected 2 values as in the header, got 1",
  ]);
  const short = await rows_of("a.csv", "a,b,,\n1,x\n2,y,\n3,z,,\n4\n");
  assert.deepEqual(short.rows.map((row) => row.record ?? row.fault.detail), [
    { a: "1", b: "x", "": "", "column (4)": "" },
    { a: "2", b: "y", "": "", "column (4)": "" },
    { a: "3", b: "z", "": "", "column (4)": "" },
    "expected 4 values as in the header, got 1",
  ]);
  const named = await rows_of("a.csv", "a,note,note,,\n1,x,y,,\n");
  assert.deepEqual(named.records, [{ a: "1", note: "x", "note (3)": "y", "": "", "column (5)": "" }]);
});

Deno.test("CSV: a line with the names again names what follows, in whatever order, capitals and company; values are none", async () => {
  const read = (text: string) => rows_of("a.csv", text).then(({ rows }) => rows.map((row) => row.record));
  const first = "id,City,fare\nT1,Rome,1\n", begun = { id: "T1", City: "Rome", fare: "1" };
  for (
    const [header, row, second] of [
      ["id,City,fare", "T2,Bari,2", { id: "T2", City: "Bari", fare: "2" }],
      ["ID,CITY,FARE", "T2,Bari,2", { id: "T2", City: "Bari", fare: "2" }],
      ["\ufeffcity,Fare,id", "Bari,2,T2", { City: "Bari", fare: "2", id: "T2" }],
      ['"fare", "id" ,City', "2,T2,Bari", { fare: "2", id: "T2", City: "Bari" }],
      ['\ufeff"id","City","fare"', '"T2","Ba,ri",2', { id: "T2", City: "Ba,ri", fare: "2" }],
      ['\ufeff"fare","id","City"\r', '2,"T2","Ba""ri"\r', { fare: "2", id: "T2", City: 'Ba"ri' }],
      ["note,id,City,fare", "x,T2,Bari,2", { note: "x", id: "T2", City: "Bari", fare: "2" }],
      ["id,fare,Tip", "T2,2,3", { id: "T2", fare: "2", Tip: "3" }],
      ["id,City,fare,,", "T2,Bari,2,,", { id: "T2", City: "Bari", fare: "2", "": "", "column (5)": "" }],
      ["id,fare,City,fare", "T2,2,Bari,3", { id: "T2", fare: "2", City: "Bari", "fare (4)": "3" }],
    ] as const
  ) {
    assert.deepEqual(await read(`${first}${header}\n${row}\n`), [begun, second], header);
    const thrice = `${first}${header}\n${row}\nid,City,fare\nT3,Pisa,3\n`;
    assert.deepEqual((await read(thrice)).at(-1), { id: "T3", City: "Pisa", fare: "3" }, header);
  }
  // What only has words in common with the names is a row like any other.
  for (const row of ["id,City,7.5", "id,Rome,Bari", "City,City,City", "id,,fare"]) {
    const [id, City, fare] = row.split(",");
    assert.deepEqual(await read(`${first}${row}\nT2,Bari,2\n`), [begun, { id, City, fare }, {
      ...{ id: "T2", City: "Bari", fare: "2" },
    }], row);
  }
  assert.deepEqual(await read('"a","b"\n1,2\n\ufeff"a","b"\n3,4\n'), [{ a: "1", b: "2" }, { a: "3", b: "4" }]);
  for (const row of ["b,a", "A,B", "A,b", "a,B"]) {
    const [a, b] = row.split(",");
    assert.deepEqual(await read(`a,b\n${row}\n1,2\n`), [{ a, b }, { a: "1", b: "2" }], row);
  }
});

Deno.test("CSV: any line may end with a line feed, a carriage return or both, whatever the others end with", async () => {
  const value = fc.constantFrom("x", "", "two words", '"quoted, twice"', '"say ""so"""', "12.5");
  const row = fc.tuple(fc.constantFrom("1", "2"), value, value);
  const ends = fc.constantFrom("\n", "\r\n", "\r");
  const read = (written: string) => written.replace(/^"(.*)"$/s, "$1").replaceAll('""', '"');
  await fc.assert(
    fc.asyncProperty(fc.array(fc.tuple(row, ends), { minLength: 1, maxLength: 12 }), ends, async (rows, end) => {
      const text = `a,b,c${end}${rows.map(([values, end]) => values.join(",") + end).join("")}`;
      const { records } = await rows_of("a.csv", text);
      assert.deepEqual(records, rows.map(([[a, b, c]]) => ({ a, b: read(b), c: read(c) })), JSON.stringify(text));
    }),
    { numRuns: 300 },
  );
  // A line that cannot be cut into rows is one row that is faulty.
  const { rows } = await rows_of("a.csv", "a,b\n1,x\n2,y\r3,z,5\n4\r5,v,w\n6,w\n");
  assert.deepEqual(rows.map(({ line, record }) => [line, record?.b]), [
    [2, "x"],
    [3, undefined],
    [4, undefined],
    [5, "w"],
  ]);
  // A hundred thousand rows in one line are read once over.
  const many = Array.from({ length: 100_000 }, (_, i) => `${i},x`);
  const flood = await rows_of("a.csv", `a,b\n"${"\r".repeat(1_000_000)}"${"\r".repeat(1_000_000)}\n1,x\n`);
  assert.deepEqual(flood.records, [null, { a: "1", b: "x" }]);
  const long = await rows_of("a.csv", `a,b\n${"0,y\n".repeat(20_000)}${many.join("\r")}\n`);
  assert.deepEqual([long.rows.length, long.records.at(-1)], [120_000, { a: "99999", b: "x" }]);
});

Deno.test("CSV: a first line that names no columns is told in one sentence", async () => {
  const refused = async (text: string, why: RegExp) =>
    await assert.rejects(
      rows_of("a.csv", text),
      (error: Error) => error instanceof FileError && why.test(error.message),
    );
  await refused(
    "1,2024-05-25 10:00:00,5.5\n",
    /line 1, the names of columns: expected names, got values: 1, 2024-05-25/,
  );
  await refused("T1,card,2024-05-25T10:00:00Z,Chicago\n", /expected names, got values/);
  await refused("1,2,3,card,zone\n", /expected names, got values/);
  assert.deepEqual((await rows_of("a.csv", "zone,2023,2024,note\n1,2,3,4\n")).records.length, 1);
  await refused("T1;25.05.2024;11,50\n", /expected names, got values/);
  await refused(
    "Trips of May\n\nid,fare,tip\n1,2,3\n",
    /line 1, the names of columns: expected names of 3 columns, as the row below has, got Trips of May/,
  );
  await refused(`${"x".repeat(9 << 20)},b\n1,2\n`, /a longer line than rows may have/);
  const wide = Array.from({ length: 20_000 }, (_, i) => `column_${i}`);
  const { records } = await rows_of("a.csv", `${wide.join()}\n${wide.keys().toArray().join()}\n`);
  assert.equal(records[0]!.column_19999, "19999");
});

Deno.test("text: U+FFFD is a character; bytes that are no UTF-8 are told with their byte and stay what they were", async () => {
  const bytes = Buffer.concat([
    Buffer.from("a,b\n1,\ufffd\n2,caf"),
    Buffer.from([0xe9]),
    Buffer.from("\n3,\u{1f695}\n4,"),
    Buffer.from([0xed, 0xa0, 0x80, 0xc0, 0xaf, 0xf5]),
    Buffer.from("\n5,é".repeat(20)),
  ]);
  const { rows } = await rows_of("a.csv", bytes);
  assert.deepEqual(rows.slice(0, 5).map(({ record }) => record?.b ?? null), ["\ufffd", null, "\u{1f695}", null, "é"]);
  const [, latin, , broken] = rows;
  assert.ok(latin!.record === null && broken!.record === null);
  assert.equal(
    latin!.fault.detail,
    'expected UTF-8 text, got the byte 0xe9 (in Windows-1252 "é"); --encoding windows-1252 reads it as that',
  );
  assert.deepEqual([...bytes_of_text(latin!.text)], [...Buffer.from("2,caf"), 0xe9]);
  assert.deepEqual([...bytes_of_text(broken!.text)], [...Buffer.from("4,"), 0xed, 0xa0, 0x80, 0xc0, 0xaf, 0xf5]);
  const lines = await rows_of(
    "a.ndjson",
    Buffer.concat([
      Buffer.from('{"a":"\ufffd"}\n{"a":"'),
      Buffer.from([0xff, 34, 125]),
      Buffer.from('\n{"a":1}'.repeat(9)),
    ]),
  );
  assert.deepEqual(
    lines.rows.slice(0, 2).map((row) => row.record?.a ?? (row.record === null ? row.fault.reason : null)),
    [
      "\ufffd",
      "invalid_utf8",
    ],
  );
});

Deno.test("text: whatever the bytes, and wherever blocks end, they are what they were, and well-formed where they are UTF-8", () => {
  const character = fc.constantFrom("a", "é", "\ufffd", "\ufeff", "€", "\u{1f695}").map((
    text,
  ) => [...Buffer.from(text)]);
  const byte = fc.integer({ min: 0x80, max: 0xff }).map((byte) => [byte]);
  fc.assert(
    fc.property(fc.array(fc.oneof(character, byte), { maxLength: 40 }).map((parts) => parts.flat()), (bytes) => {
      const given = Uint8Array.from(bytes);
      const text = bytes_as_text(given);
      assert.deepEqual([...bytes_of_text(text)], bytes);
      let is_utf8 = true;
      try {
        new TextDecoder("utf-8", { fatal: true }).decode(given);
      } catch {
        is_utf8 = false;
      }
      assert.equal(text.isWellFormed(), is_utf8);
    }),
    { numRuns: 1_000 },
  );
});

Deno.test("text: characters that blocks of reading divide are whole; UTF-16 is read where its mark says so", async () => {
  for (const shift of [0, 1, 2, 3]) {
    const text = `a,b\n${"x".repeat(shift)},${"€\u{1f695}é".repeat(60_000)}\n`;
    const { records } = await rows_of("a.csv", text);
    assert.equal(records[0]!.b, text.slice(5 + shift, -1));
  }
  const utf16 = Buffer.concat([Buffer.from([0xff, 0xfe]), Buffer.from("a,b\r\n1,\u{1f695}é\r\n", "utf16le")]);
  assert.deepEqual((await rows_of("a.csv", utf16)).records, [{ a: "1", b: "\u{1f695}é" }]);
});

/** Text in an encoding of Unicode, with its byte order mark or without. */
function encoded(text: string, encoding: string, mark: boolean): Uint8Array {
  const [, bits, order] = /^utf-(\d+)(.*)$/.exec(encoding)!;
  const written = mark ? `\ufeff${text}` : text;
  if (bits === "8") return Buffer.from(written);
  const width = Number(bits) / 8;
  const units = width === 4
    ? Array.from(written, (character) => character.codePointAt(0)!)
    : Array.from({ length: written.length }, (_, i) => written.charCodeAt(i));
  const bytes = new Uint8Array(units.length * width);
  const view = new DataView(bytes.buffer);
  for (const [i, unit] of units.entries()) {
    if (width === 4) view.setUint32(i * 4, unit, order === "le");
    else view.setUint16(i * 2, unit, order === "le");
  }
  return bytes;
}

const UNICODE = ["utf-8", "utf-16le", "utf-16be", "utf-32le", "utf-32be"];

Deno.test("text: every encoding of Unicode is told by its mark or by its zeros, packed or not, however short the file", async () => {
  const text = `a,b\r\n1,${"\u{1f695}é".repeat(50_000)}\r\n`;
  for (const encoding of UNICODE) {
    for (const mark of [true, false]) {
      const bytes = encoded(text, encoding, mark);
      for (const [name, content] of [["a.csv", bytes], ["a.csv.gz", gzipSync(bytes)], ["a", bytes]] as const) {
        const { records } = await rows_of(name, content);
        assert.deepEqual(records, [{ a: "1", b: "\u{1f695}é".repeat(50_000) }], `${encoding} ${mark} ${name}`);
      }
      assert.deepEqual((await rows_of("a.json", encoded('[{"a":1}]', encoding, mark))).records, [{ a: 1 }]);
      assert.deepEqual((await rows_of("a.csv", encoded("a", encoding, mark))).records, []);
      assert.deepEqual((await rows_of("a.csv", encoded("", encoding, mark))).records, []);
    }
  }
  const cut = encoded("a,b\n1,x\n2,y", "utf-16le", true);
  const { rows } = await rows_of("a.csv", cut.subarray(0, cut.length - 1));
  assert.deepEqual([rows[0]!.record, rows[1]!.record], [{ a: "1", b: "x" }, null]);
  const half = await rows_of("a.csv", encoded("a,b\n1,\ud83d\n2,y\n", "utf-16le", false));
  assert.deepEqual(half.rows.map((row) => row.record ?? row.fault.detail), [
    "expected whole characters, got half of one",
    { a: "2", b: "y" },
  ]);
});

Deno.test("text: other encodings are read by their names; without one the sentence says which it looks like", async () => {
  const rows = Array.from({ length: 30 }, (_, i) => `${i},São José €`);
  const latin = Buffer.concat([`a,b`, ...rows].map((line) => Buffer.from(`${line.replace("€", "\x80")}\n`, "latin1")));
  await assert.rejects(
    rows_of("a.csv", latin),
    /^FileError: read ".*a\.csv": line 2: expected UTF-8 text, got the bytes 53e36f; in Windows-1252 it says "São": --encoding windows-1252 reads it$/,
  );
  for (const encoding of ["windows-1252", "latin1", "CP1252", "iso-8859-1"]) {
    for (const [name, content] of [["a.csv", latin], ["a.csv.gz", gzipSync(latin)]] as const) {
      const { records } = await rows_of(name, content, { encoding });
      assert.deepEqual(records[29], { a: "29", b: "São José €" });
    }
  }
  const bytes_of = { "windows-1251": [0xcc, 0xee, 0xf1, 0xea, 0xe2, 0xe0], "shift_jis": [0x93, 0x8c, 0x8b, 0x9e] };
  const words = { "windows-1251": "Москва", "shift_jis": "東京" };
  for (const encoding of ["windows-1251", "shift_jis"] as const) {
    const content = Buffer.concat([Buffer.from("a,b\n1,"), Buffer.from(bytes_of[encoding]), Buffer.from("\n")]);
    assert.equal((await rows_of("a.csv", content, { encoding })).records[0]!.b, words[encoding]);
    await assert.rejects(rows_of("a.csv", content), /line 2: .*; name its encoding, such as --encoding windows-1251/);
  }
  await assert.rejects(
    rows_of("a.csv", Buffer.from([97, 10, 0xff, 10]), { encoding: "shift_jis" }),
    (error: Error) => /expected text in shift_jis, got bytes that are none between 0 and 4/.test(String(error.cause)),
  );
  // A long word in front of the odd byte is looked at once.
  const long = Buffer.concat([Buffer.from(`a,b\n${"x".repeat(400_000)},`), Buffer.from([0xe9, 0x74, 0xe9, 10])]);
  const before = process.cpuUsage();
  await assert.rejects(rows_of("a.csv", long), /line 2: .*in Windows-1252 it says "été"/);
  assert.ok(process.cpuUsage(before).user / 1e6 < 10);
  // A mark says more than the command line; a few odd bytes in a file cost their rows alone.
  assert.deepEqual((await rows_of("a.csv", "\ufeffa\né\n", { encoding: "latin1" })).records, [{ a: "é" }]);
  const few = Buffer.concat([Buffer.from(`a,b\n${"1,x\n".repeat(30)}2,`), Buffer.from([0xe9, 10])]);
  assert.equal((await rows_of("a.csv", few)).records.filter((record) => record === null).length, 1);
  await assert.rejects(rows_of("a.csv", "a\n", { encoding: "utf-9" }), /expected an encoding such as .*, got "utf-9"/);
});

Deno.test("whatever is written in every format, encoding and line end comes back", async () => {
  const word = fc.string({
    unit: fc.constantFrom("a", "é", "ł", "\u{1f695}", '"', ",", ";", "{", "[", "'", "0"),
    maxLength: 5,
  });
  const table = fc.array(fc.record({ id: fc.nat().map(String), note: word, last: word }, { noNullPrototype: true }), {
    minLength: 1,
    maxLength: 6,
  });
  const quoted = (text: string) => `"${text.replaceAll('"', '""')}"`;
  const csv = (delimiter: string) => (rows: { id: string; note: string; last: string }[], end: string) =>
    ["id,note,last".replaceAll(",", delimiter), ...rows.map((row) => Object.values(row).map(quoted).join(delimiter))]
      .join(end);
  const formats = fc.constantFrom(
    ["a.csv", csv(",")] as const,
    ["a.csv", csv(";")] as const,
    ["a.tsv", csv("\t")] as const,
    ["a", csv("|")] as const,
    ["a.ndjson", (rows: unknown[], end: string) => rows.map((row) => JSON.stringify(row)).join(end)] as const,
    ["a.json", (rows: unknown[], end: string) => JSON.stringify(rows, null, 2).replaceAll("\n", end)] as const,
    [
      "a",
      (rows: unknown[], end: string) => rows.map((row) => JSON.stringify(row, null, 1).replaceAll("\n", end)).join(end),
    ] as const,
    ["a.json", (items: unknown[]) => JSON.stringify({ data: { items } })] as const,
  );
  const encoding = fc.constantFrom(...UNICODE);
  await fc.assert(
    fc.asyncProperty(
      table,
      formats,
      encoding,
      fc.boolean(),
      fc.constantFrom("\n", "\r\n"),
      fc.boolean(),
      async (rows, [name, write], encoding, mark, end, packed) => {
        const bytes = encoded(write(rows, end), encoding, mark);
        const { records } = await rows_of(packed ? `${name}.gz` : name, packed ? gzipSync(bytes) : bytes);
        assert.deepEqual(records, rows);
      },
    ),
    { numRuns: 300 },
  );
});

Deno.test("a line without end is one row with its length and its beginning, in little memory; the rows after it still come", async () => {
  const most = 8 << 20;
  const sizes = [most - 2, most, most + 1, 40_000_000];
  for (const size of sizes) {
    const csv = await rows_of("a.csv.gz", gzipSync(`a,b\n1,x\n2,${"0".repeat(size - 2)}\n3,z\n`));
    assert.deepEqual(csv.rows.map(({ line, record }) => [line, record?.a ?? null]), [
      [2, "1"],
      [3, size > most ? null : "2"],
      [4, "3"],
    ]);
    const long = csv.rows[1]!;
    if (long.record !== null) continue;
    assert.deepEqual([long.fault.reason, long.text], ["too_large", `2,${"0".repeat(998)}`]);
    assert.match(long.fault.detail, new RegExp(`at most ${most} characters, got ${size}; `));
  }
  for (const size of sizes) {
    const text = `{"a":1}\n{"a":"${"0".repeat(size - 8)}"}\r\n{"a":3}`;
    const { rows } = await rows_of("a.ndjson.gz", gzipSync(text));
    assert.deepEqual(rows.map(({ line, record }) => [line, record !== null]), [[1, true], [2, size <= most], [
      3,
      true,
    ]]);
  }
  const last = await rows_of("a.csv", `a,b\n1,${"x".repeat(most)}`);
  assert.deepEqual(last.rows.map(({ line, record }) => [line, record]), [[2, null]]);
});

Deno.test("CSV: whatever rows are written, in whatever dialect, come back", async () => {
  const value = fc.string({ unit: fc.constantFrom("a", "b", " ", '"', ",", ";", "\n", "é", "'"), maxLength: 6 });
  const table = fc.array(fc.tuple(value, value, value), { minLength: 1, maxLength: 8 });
  await fc.assert(
    fc.asyncProperty(table, fc.constantFrom("\n", "\r\n"), fc.boolean(), async (rows, end, ended) => {
      const written = rows.map((fields) => fields.map((field) => `"${field.replaceAll('"', '""')}"`).join(","));
      const { records } = await rows_of("a.csv", `x,y,z${end}${written.join(end)}${ended ? end : ""}`);
      // A row without any value is a blank line.
      const told = rows.filter((fields) => fields.some((field) => field !== ""));
      assert.deepEqual(records.map((record) => [record!.x, record!.y, record!.z]), told);
    }),
    { numRuns: 100 },
  );
});

Deno.test("NDJSON: digits stay, blank lines go, and what is no object comes with its fault", async () => {
  const text =
    '{"id":9007199254740993,"deep":{"n":[12345678901234567890]},"fare":1.5}\r\n\n[1]\n{"a":\n{"id":2}\n12345678901234567890\n' +
    `{"a":${"[".repeat(100_000)}${"]".repeat(100_000)}}`;
  const { file, rows, lines } = await rows_of("a.jsonl", text);
  assert.equal(file.format, "json");
  assert.deepEqual(lines, [1, 3, 4, 5, 6, 7]);
  assert.equal(file.text_of(rows[0]!.record!), text.slice(0, text.indexOf("\r")));
  assert.deepEqual(rows.map((row) => row.record === null ? row.fault.reason : null), [
    null,
    "not_an_object",
    "malformed_json",
    null,
    "not_an_object",
    "too_deep",
  ]);
});

Deno.test("JSON: an object a line, arrays and documents, however they are laid out, give the same records", async () => {
  const a = { id: 1, note: 'a "}{][" \\ é', deep: { legs: [{ km: 1 }, { km: 2 }], none: [] } };
  const records = [a, { id: 2 }, { id: 3, note: "" }];
  const lines = records.map((each) => JSON.stringify(each));
  const pretty = records.map((each) => JSON.stringify(each, null, 2));
  const flat = JSON.stringify(records, null, 1).replaceAll(/^ +/gm, "");
  const layouts: Record<string, readonly [string, readonly number[]]> = {
    "lines": [lines.join("\r\n"), [1, 2, 3]],
    "array on a line": [JSON.stringify(records), [1, 1, 1]],
    "array, an element a line": [`[\n${lines.join(",\n")}\n]\n`, [2, 3, 4]],
    "array, commas first": [`[${lines.join("\n,")}\n]`, [1, 2, 3]],
    "documents on a line": [lines.join(""), [1, 1, 1]],
    "documents with spaces": [lines.join("   "), [1, 1, 1]],
    "text sequence": [lines.map((each) => `\x1e${each}\n`).join(""), [1, 2, 3]],
    "arrays one behind the other": [`\ufeff[${lines[0]}]\n\ufeff[${lines[1]},\n${lines[2]}]\n[]`, [1, 2, 3]],
    "text of objects, one a line": [lines.map((each) => JSON.stringify(each)).join("\n"), [1, 2, 3]],
    "array of text of objects": [JSON.stringify(lines, null, 1), [2, 3, 4]],
    "pretty documents": [pretty.join("\n"), [1, 16, 19]],
    "pretty array": [JSON.stringify(records, null, 2), [2, 17, 20]],
    "pretty array without indentation": [flat, [2, 17, 20]],
    "pretty array, CRLF": [JSON.stringify(records, null, "\t").replaceAll("\n", "\r\n"), [2, 17, 20]],
  };
  for (const [layout, [text, at]] of Object.entries(layouts)) {
    for (const [name, content] of [["a.json", text], ["a", text], ["a.json.gz", gzipSync(text)]] as const) {
      const read = await rows_of(name, content);
      assert.deepEqual(read.records, records, `${layout} in ${name}`);
      assert.deepEqual(read.lines, at, layout);
      assert.equal(read.file.format, "json");
    }
  }
});

Deno.test("JSON: records lie under the path that is given, or under the one usual name that the document has them at", async () => {
  const list = '[{"id":1,"legs":[{"id":8}]},{"id":2}]';
  const at = async (text: string, records?: string) => {
    const { file, rows } = await rows_of("a.json", text, { records, lists: ["trips"] });
    return [file.records, rows.map((row) => row.record?.id ?? (row.record === null ? row.fault.detail : row.record))];
  };
  assert.deepEqual(await at(`{"version":"1.0","data":{"n":2,"trips":${list}},"links":{}}`), ["data.trips", [1, 2]]);
  assert.deepEqual((await rows_of("a.json", `{"trips":${list}}`)).file.records, null, "a domain's own name for lists");
  assert.deepEqual(await at(`{\n "results": ${list},\n "paging": [{"next": null}]\n}`), ["results", [1, 2]]);
  assert.deepEqual(await at(`{"trips":${list}}\n{"trips":[{"id":3}],"last":"}"}`), ["trips", [1, 2, 3]]);
  assert.deepEqual(await at(`[{"page":1,"deep":{"list":${list}}},{"deep":{"list":null}}]`, "deep.list"), ["deep.list", [
    1,
    2,
  ]]);
  assert.deepEqual(await at('{"trip":{"id":5}}\n{"trip":{"id":6}}', "trip"), ["trip", [5, 6]]);
  // What has an id of its own is a record with a list in it, and so is what has lists of any other name.
  assert.deepEqual(await at('{"id":7,"data":[{"km":1}]}'), [null, [7]]);
  assert.deepEqual(await at('{"specversion":"1.0","data":{"events":[{"a":1}]}}'), [
    null,
    [{ specversion: "1.0", data: { events: [{ a: 1 }] } }],
  ]);
  const other = await rows_of("a.json", '{"n":1,"legs":[{"km":1}],"deep":{"more":[{}]}}');
  assert.deepEqual([other.records.length, other.file.other_lists], [1, ["legs", "deep.more"]]);
  assert.deepEqual(await at('{"trips":[{"id":1}]}\n{"error":"no"}', "trips"), [
    "trips",
    [1, "expected records at trips of each document, got one with error"],
  ]);
  assert.deepEqual(await at('{"trips":{"id":1}}\n"none"', "trips.list"), [
    "trips.list",
    [
      "expected records at trips.list of each document, got one with trips, id",
      'expected a JSON object, got "\\"none\\""',
    ],
  ]);
});

Deno.test("JSON: what is faulty costs its element alone, told with its line; what is cut off says so", async () => {
  const good = (id: number) => `{"id":${id},"legs":[{"km":1}]}`;
  const read = async (text: string) => {
    const { rows } = await rows_of("a.json", text);
    return rows.map((row) => row.record === null ? `${row.line} ${row.fault.reason} ${row.text}` : row.record.id);
  };
  const faulty = [
    '{"id":2,}',
    '{"id":}',
    "{'id':2}",
    '{"id":2]}',
    '{"id":2 "b":3}',
    '{"id":"two}',
    '{"id":"two, "b":[{"c":1}]}',
    '{"id":[2,{"b":1}}',
    '{"id":2,"b":[1,2,"c":3}',
    "2",
    '"two"',
    "[2]",
    "nul",
    '{"id":1e999999999999999999}',
    '{"a":"\\x"}',
  ];
  for (const bad of faulty) {
    const line = `${bad.startsWith("[") ? "not_an_object" : "\\w+"} ${RegExp.escape(bad)}`;
    for (
      const [before, between, after, line_of] of [["[", ",", "]", 1], ["[\n", ",\n", "\n]", 3], [
        "",
        "\n",
        "",
        2,
      ]] as const
    ) {
      if (bad === "[2]" && before === "") continue;
      const rows = await read(`${before}${good(1)}${between}${bad}${between}${good(3)}${between}${good(4)}${after}`);
      assert.deepEqual([rows[0], ...rows.slice(2)], [1, 3, 4], `${bad} ${JSON.stringify(between)}`);
      assert.match(String(rows[1]), new RegExp(`^${line_of} ${line}$`));
    }
  }
  // An element that nothing closes, on one line and on many.
  for (const end of ["", "\n"]) {
    const rows = await read(`[${good(1)},${end}{"id":2,"legs":[{"km":1}]${end},${end}${good(3)}${end},${good(4)}]`);
    assert.deepEqual([rows.length, rows[0], rows[2], rows[3]], [4, 1, 3, 4], end);
  }
  assert.deepEqual(await read(`[\n${good(1)},\n{"id":[2,\n${good(3)},\n${good(4)}\n]`), [
    1,
    '3 malformed_json {"id":[2,',
    3,
    4,
  ]);
  assert.deepEqual(await read(`[\n${good(1)},\n{"id":2,"te`), [1, '3 truncated {"id":2,"te']);
  assert.deepEqual(await read(`[\n${good(1)},\n`), [1, "3 truncated "]);
  const { rows } = await rows_of("a.json", `{"items":[\n${good(1)}\n`);
  assert.equal(
    rows[1]!.record === null && rows[1]!.fault.detail,
    "expected the array that begins on line 1 to end, the file ends: it is cut off",
  );
});

Deno.test("JSON: the words that Python has for what is no number are null; in text they are text", async () => {
  const { records } = await rows_of("a.json", '[{"a":NaN,"b":[-Infinity,1],"c":"NaN, Infinity"},{"a": Infinity}]');
  assert.deepEqual(records, [{ a: null, b: [null, 1], c: "NaN, Infinity" }, { a: null }]);
  assert.deepEqual((await rows_of("a.ndjson", '{"a":NaN}\n{"a":NaNa}')).records, [{ a: null }, null]);
});

Deno.test("JSON: whatever is written, wherever blocks of reading end, comes back as parsing the whole gives it", async () => {
  const value = fc.letrec((tie) => ({
    any: fc.oneof(
      { maxDepth: 3 },
      fc.string({ unit: fc.constantFrom("a", '"', "\\", "{", "}", "[", "]", ",", ":", "\n", "é", "\u{1f695}") }),
      fc.constantFrom(null, true, 0, -1.5, 1e21),
      fc.array(tie("any"), { maxLength: 3 }),
      fc.dictionary(fc.string({ maxLength: 3 }).filter((name) => name !== "__proto__"), tie("any"), { maxKeys: 3 }),
    ),
  })).any;
  const record = fc.record({ id: fc.nat(), any: value });
  const layout = fc.constantFrom<(records: unknown[]) => string>(
    (records) => JSON.stringify(records),
    (records) => JSON.stringify(records, null, 1),
    (records) => records.map((each) => JSON.stringify(each)).join("\n"),
    (records) => records.map((each) => JSON.stringify(each, null, 3)).join(""),
    (records) => JSON.stringify({ meta: { list: [{ id: 0 }] }, here: { records } }),
    (records) => JSON.stringify([{ here: { records } }, { here: { records: [], other: "}" } }], null, 2),
  );
  await fc.assert(
    fc.asyncProperty(
      fc.array(record, { maxLength: 6 }),
      layout,
      fc.integer({ min: 1, max: 40 }),
      async (records, write, size) => {
        const text = write(records);
        const pieces = async function* () {
          for (let at = 0; at < text.length; at += size) yield { text: text.slice(at, at + size), share: 0 };
        };
        const path = text.includes('"here"') ? ["here", "records"] : [];
        const rows = (await Array.fromAsync(json_rows(pieces(), path))).flatMap((batch) => batch.rows);
        assert.deepEqual(rows.map(({ record }) => record), JSON.parse(JSON.stringify(records)));
      },
    ),
    { numRuns: 500 },
  );
});

Deno.test("JSON: brackets and quotes in hundreds of thousands are read once over", async () => {
  const many = 300_000;
  const hostile: Record<string, readonly [string, number]> = {
    "brackets of the other kind": [`[${"[".repeat(many)}${"}".repeat(many)}]\n{"a":1}`, 1],
    "an array without end in a line": [`{"a":1}\n{"a":${"[".repeat(many)}\n{"a":2}`, 2],
    "a long text between records": [`["${"x".repeat(5 << 20)}",{"a":1}]`, 1],
    "a longer text than rows may be": [`["${"x".repeat(12 << 20)}",{"a":1}]`, 1],
    "a name of escaped quotes that nothing closes": [`{"${'\\"'.repeat(many)}`, 0],
    "a text of escaped quotes": [`["${'\\"'.repeat(many)}",{"a":1}]`, 1],
    "records that nothing closes": [Array(20_000).fill('{"a":[').join("\n"), 0],
    "commas": [`[${",".repeat(many)}{"a":1}]`, 1],
  };
  for (const [what, [text, sound]] of Object.entries(hostile)) {
    const before = process.cpuUsage();
    const { records } = await rows_of("a.json", text);
    const { user, system } = process.cpuUsage(before);
    assert.equal(records.filter((record) => record !== null).length, sound, what);
    assert.ok((user + system) / 1e6 < 20, `${what}: ${(user + system) / 1e6} s of processor time`);
  }
});

Deno.test("JSON: brackets without end take no memory; what is within brackets by the thousand is one faulty record, and the next one comes", async () => {
  const nested = (depth: number) => `{"a":${"[".repeat(depth)}${"]".repeat(depth)}}`;
  for (const depth of [999, 9_999, 10_000, 10_001, 30_000]) {
    const { rows } = await rows_of("a.json", `[${nested(depth)},{"b":1}]`);
    const told = rows.map((row) => row.record === null ? row.fault.reason : Object.keys(row.record)[0]);
    assert.deepEqual(told, [depth < 1_000 ? "a" : "too_deep", "b"], `${depth}`);
  }
  const most = 300 << 20;
  for (const path of [[], ["data"]]) {
    const before = process.memoryUsage().heapUsed;
    let least = Infinity;
    const pieces = async function* () {
      for (let at = 0; at < 64; at++) {
        yield { text: "[".repeat(1 << 20), share: 0 };
        // What is let go of and not yet collected counts as well: the least of the last ones is what is held.
        least = at < 56 ? Infinity : Math.min(least, process.memoryUsage().heapUsed);
      }
    };
    const rows = (await Array.fromAsync(json_rows(pieces(), path))).flatMap(({ rows }) => rows);
    assert.equal(rows.filter(({ record }) => record !== null).length, 0);
    assert.ok(least - before < most, `${path}: ${(least - before) >> 20} MiB are held`);
  }
});

Deno.test("gzip: of several members all are read; one that is cut off is an error", async () => {
  const packed = Buffer.concat([gzipSync("id,n\n1,a\n2,"), gzipSync("b\n3,c\n")]);
  const { file, records } = await rows_of("a.csv.gz", packed);
  assert.deepEqual([file.packing, records.map((record) => record!.n).join("")], ["gzip", "abc"]);
  const many = gzipSync(`id,n\n${Array.from({ length: 50_000 }, (_, i) => `${i},x`).join("\n")}`);
  await assert.rejects(
    rows_of("a.csv.gz", many.subarray(0, many.length - 1_000)),
    (error: unknown) => error instanceof FileError && /read ".*a\.csv\.gz" \(gzip\)/.test(error.message),
  );
  await assert.rejects(rows_of("a.csv.gz", "id\n1\n"), /expected gzip, got other bytes/);
});

Deno.test("what is no text of records is told for what it is, packed or not, before anything is read of it", async () => {
  const rows = '{"id":1}\n{"id":2}\n';
  /** One file in a tar archive: a block of 512 bytes that names it, and what it holds. */
  const tar = (name: string, magic: string) =>
    `${name.padEnd(257, "\0")}${magic.padEnd(255, "\0")}${rows.padEnd(512, "\0")}${"\0".repeat(1024)}`;
  const bytes = (text: string) => new Uint8Array(Buffer.from(text, "latin1"));
  const zip = bytes("PK\x03\x04\x14\0\x08\xe1a.csv");
  const cases: readonly (readonly [string, Uint8Array, RegExp])[] = [
    ["a.tar", bytes(tar("a.csv", "ustar")), /got a tar archive; unpack it$/],
    ["a.ndjson", bytes(tar("a.ndjson", "ustar")), /got a tar archive/],
    ["a.tar.gz", gzipSync(tar("a.csv", "ustar")), /got a tar archive/],
    ["a.csv", bytes(tar("a.csv", "")), /got zeros in the first line: no text/],
    ["a", bytes("\0".repeat(5_000)), /got zeros in the first line/],
    ["a.csv.gz", gzipSync(gzipSync(rows)), /got what is packed twice; unpack it once$/],
    ["a.csv.gz", gzipSync(zstdCompressSync(rows)), /got what is packed twice/],
    ["a.csv.zst", zstdCompressSync(gzipSync(rows)), /got what is packed twice/],
    ["a.csv.gz", gzipSync(zip), /got a ZIP archive or spreadsheet/],
    ["a.csv.gz", gzipSync(bytes("PAR1\x15\x04")), /got Parquet in a packed file; unpack it first$/],
    ["a.csv", bytes("\n \n<!DOCTYPE html><html>"), /got HTML or XML; was an error downloaded\?$/],
    ["a.csv", bytes("\xef\xbb\xbf<?xml version='1.0'?>"), /got HTML or XML/],
    ["a.json", new Uint8Array(Buffer.from("\ufeff<html>", "utf16le")), /got HTML or XML/],
    ["a.csv.gz", gzipSync("<html>"), /got HTML or XML/],
    ["a.csv", bytes("Rar!\x1a\x07\x01\0"), /got a RAR archive/],
    ["a.csv", bytes("%PDF-1.7\n"), /got a PDF/],
    ["a.csv", bytes("\x04\x22\x4d\x18abc"), /got what lz4 packed/],
  ];
  for (const [name, content, why] of cases) {
    await assert.rejects(
      rows_of(name, content),
      (error: unknown) => error instanceof FileError && why.test(error.message),
      `${name} ${why}`,
    );
  }
  // What begins like something else and is none.
  for (const text of ["PAR,b\n1,2\n", "PK,b\n1,2\n", "id<,b\n1,2\n", "a,b\n\0,2\n"]) {
    assert.equal((await rows_of("a.csv", text)).rows.length, 1, text);
  }
  assert.equal((await rows_of("a.csv", "ustar,b\n".repeat(40) + "1,2\n")).rows.length, 1);
});

Deno.test("a name that states no format leaves it to the content; one that states a wrong one is an error", async () => {
  const told = async (name: string, content: string | Uint8Array) => {
    const { file: { format, told_by }, rows } = await rows_of(name, content);
    return [format, told_by, rows.length];
  };
  assert.deepEqual(await told("a.txt", "a;b\n1;2\n"), ["csv", "content", 1]);
  assert.deepEqual(await told("a", '\n {"a":1}\n'), ["json", "content", 1]);
  assert.deepEqual(await told("a.gz", gzipSync('{"a":1}\n')), ["json", "content", 1]);
  assert.deepEqual(await told("empty.csv", ""), ["csv", "name", 0]);
  await assert.rejects(rows_of("a.parquet", "a,b\n"), /expected Parquet, which begins with PAR1/);
  await assert.rejects(rows_of("a.csv", '[{"a":1}]'), /expected CSV, as its name says, got JSON, which begins with/);
  await assert.rejects(
    rows_of("a.json", "a,b\n1,2\n"),
    /expected JSON, as its name says, which begins with { or \[, got "a,b/,
  );
  await assert.rejects(rows_of("a.csv", "PAR1"), /expected csv, as its name says, got Parquet/);
  await assert.rejects(rows_of("a.zip", "PK\x03\x04"), /got a ZIP archive or spreadsheet; unpack it/);
  await assert.rejects(rows_of("a.csv", "<!DOCTYPE html>"), /got HTML or XML/);
  await assert.rejects(open_record_file("tests"), /expected a file, got a folder/);
  await assert.rejects(open_record_file("-"), /expected a file, got -, for standard input; files are read twice/);
  await assert.rejects(open_record_file("/dev/null"), /expected a file, got a pipe or device/);
});
