import assert from "node:assert/strict";
import fc from "fast-check";
import { bytes_array, copy_text, CopyLines, plain_array, text_array } from "../../src/database/mod.ts";
import { tacho_test } from "../support/available.ts";
import { open_embedded_copy } from "../support/embedded.ts";

/** Text that PostgreSQL can store, with much of what its text forms treat specially. */
const text = fc.string({
  unit: fc.oneof(
    fc.constantFrom(..."\\\"'{},\t\n\r\b\f\v N.", "\\N", "\\.", "NULL", "\u0001", "\u007f", "\u2028", "ü", "🚗"),
    fc.string({ unit: "grapheme", maxLength: 1 }).map((one) => one.replaceAll("\0", "")),
  ),
  maxLength: 12,
});
const nullable = fc.option(text, { freq: 8 });
const whole = fc.option(fc.oneof(fc.maxSafeInteger(), fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })));

tacho_test({
  name: "arrays and COPY lines carry any text, number, bytes and null to the database and back",
  async fn() {
    const database = await open_embedded_copy();
    try {
      await database.script("create table copied (n integer, t text)");
      const property = fc.asyncProperty(
        fc.array(nullable, { maxLength: 60 }),
        fc.array(whole, { maxLength: 20 }),
        fc.array(fc.option(fc.uint8Array({ maxLength: 8 })), { maxLength: 10 }),
        async (texts, numbers, bytes) => {
          const [row] = await database.query("select $1::text[] as texts, $2::bigint[]::text[] as numbers", [
            text_array(texts),
            plain_array(numbers),
          ]);
          assert.deepEqual(row, { texts, numbers: numbers.map((each) => each === null ? null : String(each)) });
          const rows_of_bytes = await database.query("select b from unnest($1::bytea[]) as b", [bytes_array(bytes)]);
          assert.deepEqual(rows_of_bytes.map(({ b }) => b), bytes);
          const lines = new CopyLines();
          for (const [n, each] of texts.entries()) {
            lines.plain(`${n}`);
            (each === null ? lines.plain("\\N") : lines.text(each)).end_line();
          }
          await database.transaction(async (tx) => {
            await tx.execute("delete from copied");
            assert.equal(await tx.copy("copied", ["n", "t"], [lines.bytes]), texts.length);
          });
          const rows = await database.query("select t from copied order by n");
          assert.deepEqual(rows.map((each) => each.t), texts);
        },
      );
      await fc.assert(property, { numRuns: 60 });
    } finally {
      await database.close();
    }
  },
});

Deno.test("the text forms are as PostgreSQL's documentation has them", () => {
  assert.equal(copy_text("plain ü🚗"), "plain ü🚗");
  assert.equal(copy_text("a\tb\nc\rd\\e"), "a\\tb\\nc\\rd\\\\e");
  assert.equal(text_array([]), "{}");
  assert.equal(text_array(['a"b\\c', null, "", "NULL"]), '{"a\\"b\\\\c",NULL,"","NULL"}');
  assert.equal(bytes_array([new Uint8Array([0, 255]), null, new Uint8Array()]), '{"\\\\x00ff",NULL,"\\\\x"}');
  assert.equal(plain_array([1, -2n, null, "x"]), "{1,-2,NULL,x}");
});

Deno.test("COPY lines written field by field are those written as text, however long", () => {
  const long = fc.string({ unit: fc.constantFrom("a", "ü", "\\", "\t"), minLength: 20_000, maxLength: 90_000 });
  const rows = fc.array(
    fc.array(fc.oneof({ weight: 6, arbitrary: text }, { weight: 1, arbitrary: long }), { minLength: 1 }),
    {
      maxLength: 8,
    },
  );
  fc.assert(
    fc.property(rows, (rows) => {
      const lines = new CopyLines();
      for (const row of rows) {
        for (const field of row) lines.text(field);
        lines.end_line();
      }
      const wanted = rows.map((row) => `${row.map(copy_text).join("\t")}\n`);
      assert.equal(lines.count, rows.length);
      assert.equal(new TextDecoder().decode(lines.bytes), wanted.join(""));
      lines.clear();
      assert.deepEqual([lines.count, lines.bytes.length], [0, 0]);
    }),
    { numRuns: 50 },
  );
});
