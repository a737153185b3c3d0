import assert from "node:assert/strict";
import fc from "fast-check";
import { parse_amount } from "../../src/domains/mod.ts";

const LIMIT = 10n ** 18n;
const written = (micros: bigint): string =>
  `${micros / 1_000_000n}.${String(micros % 1_000_000n).padStart(6, "0")}`.replace(/0{1,4}$/, "");

Deno.test("an amount that is written is read again as the same micros, of any legal size", () => {
  fc.assert(
    fc.property(fc.oneof(fc.bigInt({ min: 0n, max: LIMIT }), fc.bigInt({ min: 0n, max: 2n ** 54n })), (micros) => {
      const read = parse_amount(written(micros));
      assert.equal(BigInt(read!), micros);
      assert.equal(typeof read, micros <= BigInt(Number.MAX_SAFE_INTEGER) ? "number" : "bigint");
    }),
    { numRuns: 3000 },
  );
});

Deno.test("amounts are read exactly", () => {
  const cases: [string, number | bigint][] = [
    ["0", 0],
    ["0.000001", 1],
    ["18.60", 18_600_000],
    ["18.6", 18_600_000],
    ["007", 7_000_000],
    ["999999999.999999", 999_999_999_999_999],
    ["9007199254.740991", 9_007_199_254_740_991],
    ["9007199254.740992", 9_007_199_254_740_992n],
    ["1000000000000", LIMIT],
    ["1000000000000.000000", LIMIT],
    ["0000000000001", 1_000_000],
  ];
  for (const [text, micros] of cases) assert.equal(parse_amount(text), micros, text);
});

Deno.test("what is no amount from 0 to 1e12 with at most 6 decimals is none", () => {
  const wrong = [
    "",
    " ",
    "-1",
    "+1",
    "1.",
    ".5",
    "1.1234567",
    "1e3",
    "1,5",
    " 1",
    "1 ",
    "1\n",
    "0x1",
    "NaN",
    "Infinity",
    "١",
    "1_000",
    "--1",
  ];
  for (const text of [...wrong, "1000000000000.000001", "9999999999999", "00000000000001"]) {
    assert.equal(parse_amount(text), null, JSON.stringify(text));
  }
});
