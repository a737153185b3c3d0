import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { gzipSync } from "node:zlib";
import { FileError, open_record_file } from "../../src/files/mod.ts";

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

Deno.test("CSV: a quote that nobody closes is an error with its line, not all memory", async () => {
  await assert.rejects(
    rows_of("a.csv", `a,b\n1,2\n3,"${"x\n".repeat(5_000_000)}`),
    (error: unknown) =>
      error instanceof FileError && /row that begins on line 3 .* is a quote not closed/.test(error.message),
  );
  await assert.rejects(rows_of("a.csv", "a,b,a\n1,2,3\n"), /expected different columns in line 1, got "a" twice/);
});

Deno.test("NDJSON: digits stay, blank lines go, and what is no object comes with its fault", async () => {
  const text = '{"id":9007199254740993,"deep":{"n":[12345678901234567890]},"fare":1.5}\r\n\n[1]\n{"a":\n{"id":2}';
  const { file, rows, lines } = await rows_of("a.jsonl", text);
  assert.equal(file.format, "ndjson");
  assert.deepEqual(lines, [1, 3, 4, 5]);
  assert.deepEqual(rows[0]!.record, { id: "9007199254740993", deep: { n: ["12345678901234567890"] }, fare: 1.5 });
  assert.deepEqual(rows.map((row) => row.record === null ? row.fault.reason : null), [
    null,
    "not_an_object",
    "malformed_json",
    null,
  ]);
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
