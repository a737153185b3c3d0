import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { bytes_of_text, FileError, open_record_file } from "../../src/files/mod.ts";
import { bytes_as_text } from "../../src/files/text_pieces.ts";

/** Rows of CSV and NDJSON files: formats, lines, faults, bounds. */

async function rows_of(name: string, content: string | Uint8Array) {
  const folder = await Deno.makeTempDir({ prefix: "tacho_files_" });
  try {
    const path = `${folder}/${name}`;
    await Deno.writeFile(path, typeof content === "string" ? new TextEncoder().encode(content) : content);
    const file = await open_record_file(path);
    const rows = (await Array.fromAsync(file.rows())).flatMap(({ rows }) => rows);
    return { file, rows, lines: rows.map(({ line }) => line), records: rows.map(({ record }) => record) };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("CSV: quoted fields span lines, and each row knows the line it begins on", async () => {
  const text = '\ufeffid, note ,fare\r\n1,"two\r\nlines",5\r\n\r\n2,"say ""hi"", twice",6\r\n3,plain,7';
  const { file, lines, records } = await rows_of("a.csv", text);
  assert.deepEqual([file.format, file.gzip, file.told_by], ["csv", false, "name"]);
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
  const bytes = Buffer.concat([Buffer.from("a,b\n1\n1,2,3\n1,"), Buffer.from([0xe9]), Buffer.from('\n"x"y",2\n3,4\n')]);
  const { rows } = await rows_of("a.csv", bytes);
  assert.deepEqual(rows.map(({ line, record }) => [line, record === null]), [
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
  assert.deepEqual(await end('a, b\n1, x \n2,\t y\n3," z "\n'), [[2, 3, 4], ["x", "y", " z "]]);
  const wide = await rows_of("a.csv", "a,b\n1,x,,\n2,y, ,z\n3\n");
  assert.deepEqual(wide.rows.map((row) => row.record ?? row.fault.detail), [
    { a: "1", b: "x" },
    "expected 2 values as in the header, got 4",
    "expected 2 values as in the header, got 1",
  ]);
  const named = await rows_of("a.csv", "a,note,note,,\n1,x,y,,\n");
  assert.deepEqual(named.records, [{ a: "1", note: "x", "note (3)": "y", "": "", "column (5)": "" }]);
});

Deno.test("text: U+FFFD is a character; bytes that are no UTF-8 are told with their byte and stay what they were", async () => {
  const bytes = Buffer.concat([
    Buffer.from("a,b\n1,\ufffd\n2,caf"),
    Buffer.from([0xe9]),
    Buffer.from("\n3,\u{1f695}\n4,"),
    Buffer.from([0xed, 0xa0, 0x80, 0xc0, 0xaf, 0xf5]),
    Buffer.from("\n"),
  ]);
  const { rows } = await rows_of("a.csv", bytes);
  assert.deepEqual(rows.map(({ record }) => record?.b ?? null), ["\ufffd", null, "\u{1f695}", null]);
  const [, latin, , broken] = rows;
  assert.ok(latin!.record === null && broken!.record === null);
  assert.equal(latin!.fault.detail, 'expected UTF-8 text, got the byte 0xe9 (in Windows-1252 "é")');
  assert.deepEqual([...bytes_of_text(latin!.text)], [...Buffer.from("2,caf"), 0xe9]);
  assert.deepEqual([...bytes_of_text(broken!.text)], [...Buffer.from("4,"), 0xed, 0xa0, 0x80, 0xc0, 0xaf, 0xf5]);
  const lines = await rows_of(
    "a.ndjson",
    Buffer.concat([Buffer.from('{"a":"\ufffd"}\n{"a":"'), Buffer.from([0xff, 34, 125])]),
  );
  assert.deepEqual(lines.rows.map((row) => row.record?.a ?? (row.record === null ? row.fault.reason : null)), [
    "\ufffd",
    "invalid_utf8",
  ]);
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
    assert.deepEqual(rows.map(({ line, record }) => [line, record !== null]), [[1, true], [2, size < most], [3, true]]);
  }
  const last = await rows_of("a.csv", `a,b\n1,${"x".repeat(most)}`);
  assert.deepEqual(last.rows.map(({ line, record }) => [line, record]), [[2, null]]);
});

Deno.test("gzip that unpacks to hundreds of megabytes of one line is read through in little memory", async () => {
  const folder = await Deno.makeTempDir({ prefix: "tacho_files_" });
  try {
    // Members one behind the other: 600 MB of zeros from 600 kB.
    const member = gzipSync(new Uint8Array(100_000_000));
    const path = `${folder}/a.csv.gz`;
    await Deno.writeFile(path, gzipSync("a,b\n1,x\n"));
    for (let i = 0; i < 6; i++) await Deno.writeFile(path, member, { append: true });
    await Deno.writeFile(path, gzipSync("\n2,y\n"), { append: true });
    const before = Deno.memoryUsage().rss;
    let most = 0;
    const rows = [];
    for await (const batch of (await open_record_file(path)).rows()) {
      rows.push(...batch.rows);
      most = Math.max(most, Deno.memoryUsage().rss - before);
    }
    assert.deepEqual(rows.map(({ line, record }) => [line, record?.a ?? null]), [[2, "1"], [3, null], [4, "2"]]);
    assert.ok(most < 300_000_000, `${most} bytes of memory`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("CSV: whatever rows are written, in whatever dialect, come back", async () => {
  const value = fc.string({ unit: fc.constantFrom("a", "b", " ", '"', ",", ";", "\n", "é", "'"), maxLength: 6 });
  const table = fc.array(fc.tuple(value, value, value), { minLength: 1, maxLength: 8 });
  await fc.assert(
    fc.asyncProperty(table, fc.constantFrom("\n", "\r\n"), fc.boolean(), async (rows, end, ended) => {
      const written = rows.map((fields) => fields.map((field) => `"${field.replaceAll('"', '""')}"`).join(","));
      const { records } = await rows_of("a.csv", `x,y,z${end}${written.join(end)}${ended ? end : ""}`);
      assert.deepEqual(records.map((record) => [record!.x, record!.y, record!.z]), rows);
    }),
    { numRuns: 100 },
  );
});

Deno.test("NDJSON: digits stay, blank lines go, and what is no object comes with its fault", async () => {
  const text =
    '{"id":9007199254740993,"deep":{"n":[12345678901234567890]},"fare":1.5}\r\n\n[1]\n{"a":\n{"id":2}\n12345678901234567890\n' +
    `{"a":${"[".repeat(100_000)}${"]".repeat(100_000)}}`;
  const { file, rows, lines } = await rows_of("a.jsonl", text);
  assert.equal(file.format, "ndjson");
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

Deno.test("JSON that is one document, not lines, is refused in one sentence instead of row by row", async () => {
  for (const text of ['[{"a":1},{"a":2}]', '\n[\n{"a":1},\n{"a":2}]\n', "[", '{\n "a": 1\n}\n']) {
    for (const name of ["a.json", "a"]) {
      await assert.rejects(rows_of(name, text), (error: unknown) => {
        assert.ok(error instanceof FileError);
        assert.match(
          error.message,
          /expected a JSON object on each line, got .* on line [12]; jq -c .* makes lines of it$/,
        );
        return true;
      });
    }
  }
});

Deno.test("gzip: of several members all are read; one that is cut off is an error", async () => {
  const packed = Buffer.concat([gzipSync("id,n\n1,a\n2,"), gzipSync("b\n3,c\n")]);
  const { file, records } = await rows_of("a.csv.gz", packed);
  assert.deepEqual([file.gzip, records.map((record) => record!.n).join("")], [true, "abc"]);
  const many = gzipSync(`id,n\n${Array.from({ length: 50_000 }, (_, i) => `${i},x`).join("\n")}`);
  await assert.rejects(
    rows_of("a.csv.gz", many.subarray(0, many.length - 1_000)),
    (error: unknown) => error instanceof FileError && /read ".*a\.csv\.gz" \(gzip\)/.test(error.message),
  );
  await assert.rejects(rows_of("a.csv.gz", "id\n1\n"), /expected gzip, got other bytes/);
});

Deno.test("a name that states no format leaves it to the content; one that states a wrong one is an error", async () => {
  const told = async (name: string, content: string | Uint8Array) => {
    const { file: { format, told_by }, rows } = await rows_of(name, content);
    return [format, told_by, rows.length];
  };
  assert.deepEqual(await told("a.txt", "a;b\n1;2\n"), ["csv", "content", 1]);
  assert.deepEqual(await told("a", '\n {"a":1}\n'), ["ndjson", "content", 1]);
  assert.deepEqual(await told("a.gz", gzipSync('{"a":1}\n')), ["ndjson", "content", 1]);
  assert.deepEqual(await told("empty.csv", ""), ["csv", "name", 0]);
  await assert.rejects(rows_of("a.parquet", "a,b\n"), /expected Parquet, which begins with PAR1/);
});
