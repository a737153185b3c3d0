import assert from "node:assert/strict";
import fc from "fast-check";
import { text_array } from "../../src/database/mod.ts";
import { canonical_json, ExactNumber, JsonFault, parse_json, parse_record_json } from "../../src/domains/mod.ts";
import { tacho_test } from "../support/available.ts";
import { open_embedded_copy } from "../support/embedded.ts";

const canonical = (text: string): string => canonical_json(parse_json(text));
const fault_of = (text: string): string => {
  try {
    canonical(text);
  } catch (error) {
    if (error instanceof JsonFault) return error.reason;
    throw error;
  }
  return "none";
};

const digits = fc.string({ unit: fc.constantFrom(..."0123456789"), minLength: 1, maxLength: 24 });
/** Numbers as JSON text: doubles of all sizes, and long digits with and without exponent. */
const number = fc.oneof(
  fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => String(Object.is(value, -0) ? "-0.0" : value)),
  fc.maxSafeInteger().map(String),
  fc.bigInt({ min: -(10n ** 40n), max: 10n ** 40n }).map(String),
  fc.tuple(fc.constantFrom("", "-"), digits, digits, fc.option(fc.integer({ min: -280, max: 250 }))).map(
    ([sign, whole, fraction, exponent]) =>
      `${sign}${whole.replace(/^0+(?=\d)/, "")}.${fraction}${exponent === null ? "" : `e${exponent}`}`,
  ),
  fc.constantFrom(
    "0.1",
    "1e22",
    "1E+2",
    "5e-324",
    "1e-400",
    "1.7976931348623157e308",
    "-0",
    "0e999",
    "100000000000000000000000",
  ),
);
/** Text that PostgreSQL can store, as JSON writes it, sometimes escaped where it need not be. */
const text = fc.string({ unit: "grapheme", maxLength: 8 }).map((value) => value.replaceAll("\0", "")).map((value) =>
  JSON.stringify(value)
);
const name = fc.oneof(
  text,
  fc.constantFrom('"__proto__"', '"constructor"', '"10"', '"9"', '"\\u0061"', '"é"', '"🚗"', '"\\ud83d\\ude97"', '""'),
);
const { value } = fc.letrec<{ value: string }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    number,
    text,
    fc.constantFrom("true", "false", "null", "[]", "{}"),
    fc.array(tie("value"), { maxLength: 4 }).map((items) => `[ ${items.join(", ")}]`),
    fc.array(fc.tuple(name, tie("value")), { maxLength: 4 }).map((members) =>
      `{${members.map(([k, v]) => `${k} :${v}`).join(",")}}`
    ),
  ),
}));

tacho_test({
  name: "canonical JSON comes back from jsonb as it was, and no digit is lost",
  async fn() {
    const database = await open_embedded_copy();
    try {
      const property = fc.asyncProperty(
        fc.array(value, { minLength: 400, maxLength: 400 }),
        fc.array(number, { minLength: 400, maxLength: 400 }),
        async (texts, numbers) => {
          const written = texts.map(canonical);
          const stored = await database.query<{ text: string }>(
            "select v::jsonb::text as text from unnest($1::text[]) v",
            [text_array(written)],
          );
          assert.deepEqual(stored.map((row) => canonical(row.text)), written);
          // What is too small for a double's full precision is kept as the double.
          const exact = numbers.filter((each) =>
            Number(each) === 0 ? /^[-0.]*(e|$)/i.test(each) : Math.abs(Number(each)) > 1e-300
          );
          const finite = exact.filter((each) => Number.isFinite(Number(each)));
          const changed = await database.query(
            "select a, b from unnest($1::text[], $2::text[]) u(a, b) where a::numeric <> b::numeric",
            [
              text_array(finite),
              text_array(
                finite.map((each) =>
                  canonical(`{"n":${each},"long":1.00000000000000000000001}`).replace(/^.*"n":|}$/g, "")
                ),
              ),
            ],
          );
          assert.deepEqual(changed, []);
        },
      );
      await fc.assert(property, { numRuns: 8 });
    } finally {
      await database.close();
    }
  },
});

Deno.test("canonical JSON: sorted names, no white space, the shortest numbers, whatever the text looked like", () => {
  const cases: [string, string][] = [
    [' { "b" : 1 , "a" : [ 1.0 , 1e2, -0, 0.10 ] } ', '{"a":[1,100,0,0.1],"b":1}'],
    ['{"a":1,"a":2}', '{"a":2}'],
    ['{"10":1,"9":2,"":3}', '{"":3,"10":1,"9":2}'],
    ['{"\\u0061":"\\u00e9\\/\\ud83d\\ude97"}', '{"a":"é/🚗"}'],
    ['{"__proto__":{"x":1},"constructor":2}', '{"__proto__":{"x":1},"constructor":2}'],
    ["12345678901234567890", "12345678901234567890"],
    ["0.1234567890123456789000", "0.1234567890123456789"],
    ["1234567890123456789e-10", "123456789.0123456789"],
    ["0.30000000000000004", "0.30000000000000004"],
    ["1.00000000000000000000", "1"],
    ["9007199254740993", "9007199254740993"],
    ["1e308", "1e+308"],
    [`0.${"7".repeat(16_383)}000`, `0.${"7".repeat(16_383)}`],
    [`1.${"0".repeat(1_000_000)}`, "1"],
  ];
  for (const [given, wanted] of cases) assert.equal(canonical(given), wanted);
});

Deno.test("a name that PostgreSQL sorts otherwise, and members in any order, give one text", () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.tuple(fc.string({ unit: "grapheme" }), fc.nat()), { selector: ([key]) => key }),
      (members) => {
        const written = (pairs: typeof members) =>
          canonical(`{${pairs.map(([key, n]) => `${JSON.stringify(key)}:${n}`).join(",")}}`);
        fc.pre(members.every(([key]) => !key.includes("\0")));
        assert.equal(written(members.toReversed()), written(members));
      },
    ),
  );
});

Deno.test("what the log cannot hold is refused by name, next to long digits too", () => {
  const nested = (depth: number) => "[".repeat(depth) + "]".repeat(depth);
  const refused: [string, string][] = [
    ["1e400", "number_out_of_range"],
    ["-1e309", "number_out_of_range"],
    ["[1e400,12345678901234567890]", "number_out_of_range"],
    [`1${"0".repeat(400)}`, "number_out_of_range"],
    [`0.${"7".repeat(16_384)}`, "number_out_of_range"],
    [`1.${"0".repeat(1_000_000)}1`, "number_out_of_range"],
    ['"\\u0000"', "text_not_storable"],
    ['{"a\\u0000":1}', "text_not_storable"],
    ['["\\ud83d"]', "text_not_storable"],
    ['{"\\ude97":1}', "text_not_storable"],
    [nested(65), "too_deep"],
    [nested(200_000), "malformed_json"],
    ["", "malformed_json"],
    ["{", "malformed_json"],
    ["{'a':1}", "malformed_json"],
    ["[1,]", "malformed_json"],
    ["NaN", "malformed_json"],
    ["01", "malformed_json"],
    ['"\n"', "malformed_json"],
  ];
  for (const [given, reason] of refused) {
    const found = fault_of(given);
    // How deep the engine's own reader goes is not ours to say.
    if (given.startsWith("[[") && given.length > 100_000) assert.ok(found === "too_deep" || found === "malformed_json");
    else assert.equal(found, reason, given.slice(0, 40));
  }
  for (
    const legal of [
      nested(64),
      '"\\\\u0000"',
      '"\\\\ud83d"',
      '"\\ud83d\\ude97"',
      "1e-400",
      "[0e500,12345678901234567890]",
    ]
  ) {
    assert.equal(fault_of(legal), "none", legal.slice(0, 40));
  }
});

Deno.test("a number that no double holds is refused as it is written, however few its digits", () => {
  for (const given of ["1e400", "-1E+309", "18.6e0000000308", `2${"0".repeat(308)}`]) {
    const told = `expected a number below 1e308 in size, got ${given.slice(0, 40)}`;
    for (
      const [text, where] of [
        [given, ""],
        [`{"a":{"b":[${given}]}}`, ""],
        [`{"id":1234567890.12345678901,"a":${given}}`, ' in "a"'],
        [`{"a":{"\\u0000":${given}}}`, ' in "\\u0000"'],
      ] as const
    ) {
      const message = told + where;
      assert.throws(() => parse_json(text), { name: "JsonFault", reason: "number_out_of_range", message }, text);
      assert.throws(() => parse_record_json(text), { message }, text);
    }
  }
  for (const given of ["1e308", "1e-400", '"1e400"', '"7d1e400f"', "0e500"]) {
    const value = parse_json(given);
    assert.ok(typeof value === "string" || Number.isFinite(value), given);
  }
});

Deno.test("levels above count: the data of a message lies deeper than the message", () => {
  const nested = parse_json("[".repeat(63) + "]".repeat(63));
  assert.equal(canonical_json(nested, 1).length, 126);
  assert.throws(() => canonical_json(nested, 2), JsonFault);
});

Deno.test("a number reads the same whatever stands beside it", () => {
  fc.assert(
    fc.property(number, (each) => {
      fc.pre(Number.isFinite(Number(each)));
      const alone = canonical(`[${each}]`).slice(1, -1);
      const beside = canonical(`[${each},1234567890.12345678901]`).split(",")[0]!.slice(1);
      assert.equal(beside, alone);
    }),
    { numRuns: 2000 },
  );
});

Deno.test("of records NaN and Infinity are null where no string has them, and a text full of quotes takes no time", () => {
  const cases: readonly (readonly [string, unknown])[] = [
    ['{"a":NaN,"b":[-Infinity,1,Infinity],"c":"NaN"}', { a: null, b: [null, 1, null], c: "NaN" }],
    ['{"NaN":"a\\"NaN\\\\","b":NaN}', { NaN: 'a"NaN\\', b: null }],
    ['{"a":12345678901234567890,"b":NaN}', { a: new ExactNumber("12345678901234567890"), b: null }],
    ["NaN", null],
  ];
  for (const [text, wanted] of cases) assert.deepEqual(parse_record_json(text), wanted, text);
  for (const text of ['{"a":NaNa}', '{"a":"NaN}', '{"a":NaN', '{"a":+NaN}', '"NaN\\', '{a:1,"b":NaN}']) {
    assert.throws(() => parse_record_json(text), { reason: "malformed_json" }, text);
  }
  const began_ms = performance.now();
  for (
    const long of ['{"a":NaN,"b":"' + '\\"'.repeat(500_000), '{"a":NaN' + '"'.repeat(500_001), "NaN ".repeat(500_000)]
  ) {
    assert.throws(() => parse_record_json(long), { reason: "malformed_json" });
  }
  assert.ok(performance.now() - began_ms < 20_000, "it was gone over again and again");
});

Deno.test("names with escapes are read as they are written, whatever objects were read before", () => {
  // Names that begin alike, as they are written: what was read for one of them must not be taken for another.
  const sign = fc.constantFrom("\\", "\\\\", ".", "n", "u", '"', "\n", "é", "a");
  const name = fc.array(sign, { maxLength: 4 }).map((signs) => signs.join(""));
  const written = (text: string) => JSON.stringify(text).replaceAll("é", "\\u00e9");
  const members = fc.uniqueArray(fc.tuple(name, fc.constantFrom("1", '"\\\\:"', "[1, {}]", "null")), {
    selector: ([name]) => name,
    maxLength: 4,
  });
  fc.assert(
    fc.property(fc.array(members, { minLength: 2, maxLength: 6 }), (objects) => {
      for (const each of objects) {
        const named = [["x", "1"], ...each] as const;
        const text = `{ ${named.map(([name, value]) => `${written(name)} : ${value}`).join(" , ")} }`;
        const read = parse_json(`{"a":[${text}],"b":{"a":${text}}}`) as { a: unknown[]; b: { a: unknown } };
        const expected = named.map(([name, value]) => [name, JSON.parse(value)]);
        for (const object of [read.a[0], read.b.a]) assert.deepEqual(Object.entries(object as object), expected);
      }
    }),
    { numRuns: 2_000, seed: 11 },
  );
  assert.deepEqual(
    Object.entries(parse_json('{"\\u005f_proto__":1,"a\\n":12345678901234567890}') as object).flat().map(String),
    [
      "__proto__",
      "1",
      "a\n",
      "12345678901234567890",
    ],
  );
  assert.throws(() => parse_json('{"a\\n":1'), JsonFault);
  // No worse than its length: a message full of quotes and of backslashes.
  const started = performance.now();
  assert.equal(typeof parse_json(JSON.stringify({ "\\": '\\"'.repeat(400_000) })), "object");
  assert.ok(performance.now() - started < 5_000);
});
