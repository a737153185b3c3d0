import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import fc from "fast-check";
import { binary_array, type BinaryType, type BinaryValue, CopyRows } from "../../src/database/mod.ts";
import { format_time } from "../../src/kpi/mod.ts";
import { tacho_test } from "../support/available.ts";
import { open_embedded_copy } from "../support/embedded.ts";

/** Text that PostgreSQL can store, of one and more bytes a letter. */
const text = fc.string({
  unit: fc.oneof(
    fc.constantFrom(..."\\\"'{},\t\n\r N.", "NULL", "\u0001", "\u007f", "\u0080", "\u2028", "ü", "🚗"),
    fc.string({ unit: "grapheme", maxLength: 1 }).map((one) => one.replaceAll("\0", "")),
  ),
  maxLength: 12,
});
const whole = (min: bigint, max: bigint) =>
  fc.oneof(
    fc.bigInt({ min, max }).map((n) => Number.isSafeInteger(Number(n)) ? Number(n) : n),
    fc.constantFrom(0, -0, 1, -1, 9_999, 10_000, 32_767, -32_768).filter((n) => BigInt(n) >= min && BigInt(n) <= max),
  );
const BIGINT = 2n ** 63n;
const small = fc.integer({ min: -32_768, max: 32_767 }), int = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
const time = fc.integer({ min: Date.UTC(1900, 0) * 1000, max: Date.UTC(2254, 0) * 1000 });
const big = fc.oneof(whole(-BIGINT, BIGINT - 1n), fc.maxSafeInteger());
const numeric = fc.oneof(whole(-(10n ** 38n) + 1n, 10n ** 38n - 1n), fc.maxSafeInteger(), big);

/** By type, values and how PostgreSQL writes them. */
const KINDS: Record<BinaryType, [fc.Arbitrary<Exclude<BinaryValue, null>>, (value: never) => string]> = {
  text: [text, (value: string) => value],
  smallint: [small, String],
  integer: [int, String],
  bigint: [big, (value: bigint | number) => String(value)],
  numeric: [numeric, (value: bigint | number) => String(value)],
  "double precision": [fc.double(), (value: number) => Object.is(value, -0) ? "-0" : String(value)],
  timestamptz: [time, (value: number) => format_time(value)],
};
const AS_TEXT: Partial<Record<BinaryType, string>> = {
  timestamptz: `to_char(v at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`,
};

tacho_test({
  name: "binary arrays carry any value of their type, and null, to the database",
  async fn() {
    const database = await open_embedded_copy();
    try {
      for (const [type, [value, said]] of Object.entries(KINDS)) {
        const property = fc.asyncProperty(
          fc.array(fc.option(value, { freq: 6 }), { maxLength: 40 }),
          async (values) => {
            const rows = await database.query<{ said: string | null; count: number }>(
              `select ${AS_TEXT[type as BinaryType] ?? "v::text"} as said from unnest($1::${type}[]) v`,
              [binary_array(type as BinaryType, values)],
            );
            const told = (each: string | null) =>
              each === null || type !== "double precision"
                ? each
                : Object.is(Number(each), -0)
                ? "-0"
                : String(Number(each));
            assert.deepEqual(
              rows.map((row) => told(row.said)),
              values.map((each) => each === null ? null : said(each as never)),
            );
          },
        );
        await fc.assert(property, { numRuns: 40 });
      }
    } finally {
      await database.close();
    }
  },
});

tacho_test({
  name: "rows of COPY carry any values, their positions counted from what is told when they are taken, again and again",
  async fn() {
    const database = await open_embedded_copy();
    try {
      await database.script(
        "create table copied (n bigint, t text, j jsonb, s smallint, at timestamptz, own bigint[], ns bigint[])",
      );
      const columns = ["n", "t", "j", "s", "at", "own", "ns"];
      const row = fc.record({
        t: fc.option(
          fc.oneof({ weight: 20, arbitrary: text }, {
            weight: 1,
            arbitrary: fc.nat(300_000).map((n) => "ab".repeat(n)),
          }),
        ),
        j: fc.array(fc.oneof(text, fc.integer())),
        s: small,
        at: time,
        own: fc.nat(3),
        ns: fc.array(big, { maxLength: 4 }),
      });
      const property = fc.asyncProperty(
        fc.array(row, { maxLength: 12 }),
        fc.constantFrom(0, 1, 2 ** 32 - 3, 2 ** 32, 2 ** 52),
        async (rows, before) => {
          const copied = new CopyRows();
          rows.forEach(({ t, j, s, at, own, ns }, i) => {
            copied.row(columns.length).position(i + 1).value("text", t).jsonb(JSON.stringify(j)).value("smallint", s)
              .value("timestamptz", at).positions(Array.from({ length: own }, (_, o) => i + 1 + o)).array("bigint", ns);
          });
          assert.equal(copied.count, rows.length);
          for (const from of [before, before + 7]) {
            await database.transaction(async (tx) => {
              await tx.execute("delete from copied");
              assert.equal(await tx.copy("copied", columns, copied.pieces(from), "binary"), rows.length);
            });
            const found = await database.query(
              `select n, t, j, s, (extract(epoch from at) * 1000000)::bigint as at, own::text[] as own, ns::text[] as ns
                from copied order by n`,
            );
            const wanted = rows.map(({ t, j, s, at, own, ns }, i) => ({
              n: String(from + i + 1),
              t,
              j,
              s,
              at: String(at),
              own: Array.from({ length: own }, (_, o) => String(from + i + 1 + o)),
              ns: ns.map(String),
            }));
            assert.deepEqual(found, wanted);
          }
        },
      );
      await fc.assert(property, { numRuns: 40 });
    } finally {
      await database.close();
    }
  },
});

Deno.test("pieces of rows are short, and cut no position", () => {
  const rows = new CopyRows();
  // Rows of 47 bytes: the end of a piece falls on every byte of them sooner or later.
  for (let i = 1; i <= 60_000; i++) rows.row(2).position(i).text("x".repeat(29));
  const pieces = [...rows.pieces(2 ** 33)];
  assert.ok(pieces.every(({ length }) => length <= 1 << 18) && pieces.length > 12);
  const all = Buffer.concat(pieces);
  assert.equal(all.length, 19 + 47 * 60_000 + 2);
  for (let i = 1; i <= 60_000; i++) {
    assert.equal(all.readBigInt64BE(19 + 47 * (i - 1) + 6), BigInt(2 ** 33 + i), `row ${i}`);
  }
});

Deno.test("what a type cannot hold is refused, and what was written before is not spoilt", () => {
  const refused: [BinaryType, BinaryValue][] = [
    ["smallint", 32_768],
    ["smallint", 1.5],
    ["integer", 2 ** 31],
    ["integer", Number.NaN],
    ["integer", 0.5],
    ["bigint", 2 ** 53],
    ["bigint", BIGINT],
    ["bigint", -BIGINT - 1n],
    ["bigint", 1.5],
    ["numeric", 0.1],
    ["numeric", Infinity],
    ["timestamptz", Infinity],
    ["timestamptz", 1.5],
  ];
  for (const [type, value] of refused) {
    assert.throws(() => binary_array(type, [1, value]), /^Error: write for the database: expected an? .+, got /, type);
    assert.equal(binary_array("integer", [7]).length, 28);
  }
});
