import assert from "node:assert/strict";
import fc from "fast-check";
import { ExactNumber } from "../../src/domains/mod.ts";
import type { MappingContext } from "../../src/mapping/mod.ts";
import { mapping_with } from "../support/trip_mapping.ts";

/** Numbers and amounts, however a file writes them. */

const AT = "2026-03-01T10:00:00Z";
type Decimal = "." | "," | undefined;

/** What a reading makes of a value: what it is, or why it is refused. */
function reader(form: Record<string, unknown>, decimal?: Decimal, context: Partial<MappingContext> = {}) {
  const changes = decimal === undefined ? {} : { decimal };
  const mapping = mapping_with({ x: { from: "v", ...form } }, changes, { business_zone: "UTC", ...context });
  return (v: unknown): unknown => {
    const mapped = mapping.map({ id: "T", at: AT, v });
    return mapped.ok ? mapped.value[0]!.x : mapped.fault.detail;
  };
}
const MONEY = { as: "money" };
const USD = { currency: "USD" };

/** Six decimals of micros. */
function text_of_micros(micros: bigint): string {
  const digits = String(micros < 0n ? -micros : micros).padStart(7, "0");
  return `${micros < 0n ? "-" : ""}${digits.slice(0, -6)}.${digits.slice(-6)}`;
}

const style = fc.record({
  decimal: fc.constantFrom(".", ","),
  thousands: fc.constantFrom("", " ", "'", "\u2019", "\u00a0", "\u202f", "other"),
  indian: fc.boolean(),
  currency: fc.constantFrom("", "$", "US$", "USD ", " USD", " $"),
  negative: fc.constantFrom("-", "\u2212", "behind", "parentheses", "in front of all"),
  zeros: fc.boolean(),
});

Deno.test("mapping numbers: an amount written in any style is read to the same micros", () => {
  const read = { ".": reader(MONEY, ".", USD), ",": reader(MONEY, ",", USD) };
  const number = { ".": reader({ as: "number" }, "."), ",": reader({ as: "number" }, ",") };
  fc.assert(
    fc.property(fc.bigInt({ min: -(10n ** 18n), max: 10n ** 18n }), style, (micros, how) => {
      const decimal = how.decimal as "." | ",";
      const wanted = text_of_micros(micros);
      const [whole = "", fraction = ""] = wanted.replace("-", "").split(".");
      const indian = how.indian && how.thousands === "other";
      const mark = how.thousands === "other" ? decimal === "." ? "," : "." : how.thousands;
      const groups = indian ? /\B(?=(?:\d{2})*\d{3}$)/g : /\B(?=(?:\d{3})+$)/g;
      const decimals = how.zeros ? fraction : fraction.replace(/0+$/, "");
      const digits = whole.replace(groups, mark) + (decimals === "" ? "" : decimal + decimals);
      const marked = how.currency.startsWith(" ") ? digits + how.currency : how.currency + digits;
      const signed = micros >= 0n
        ? marked
        : how.negative === "behind"
        ? `${marked}-`
        : how.negative === "parentheses"
        ? `(${marked})`
        : how.negative === "in front of all"
        ? `-${marked}`
        : how.currency.startsWith(" ")
        ? `${how.negative}${digits}${how.currency}`
        : `${how.currency}${how.negative}${digits}`;
      // Of two and one digits the Indian groups are no groups at all, and no other way to write it is tried.
      assert.equal(read[decimal](signed), wanted, signed);
      if (how.currency === "") assert.equal(number[decimal](signed), Number(wanted), signed);
    }),
    { numRuns: 2000 },
  );
});

Deno.test("mapping numbers: what is a number already has a point, whatever texts have; it is rounded by its digits", () => {
  for (const decimal of [undefined, ".", ","] as const) {
    const money = reader(MONEY, decimal), cents = reader({ as: "money", per: 100 }, decimal);
    const cases: readonly (readonly [unknown, string, string])[] = [
      [18.6, "18.600000", "0.186000"],
      [Math.fround(18.6), "18.600000", "0.186000"],
      [0.1 + 0.2, "0.300000", "0.003000"],
      [new ExactNumber("0.30000000000000004"), "0.300000", "0.003000"],
      [new ExactNumber("12345678901.2345675"), "12345678901.234568", "123456789.012346"],
      [1860n, "1860.000000", "18.600000"],
      [5e-7, "0.000001", "0.000000"],
      [-1e-7, "0.000000", "0.000000"],
      [1e20, "100000000000000000000.000000", "1000000000000000000.000000"],
    ];
    for (const [value, whole, hundredth] of cases) {
      assert.equal(money(value), whole, String(value));
      assert.equal(cents(value), hundredth, String(value));
    }
    assert.equal(reader({ as: "distance", unit: "km" }, decimal)(1.5), 1.5);
  }
  fc.assert(
    fc.property(
      fc.bigInt({ min: 0n, max: 10n ** 15n }),
      fc.constantFrom("", "4999", "49999999999", "5", "50000000001", "9"),
      (micros, more) => {
        const up = more.startsWith("5") || more.startsWith("9") ? 1n : 0n;
        const text = text_of_micros(micros) + more;
        assert.equal(reader(MONEY)(text), text_of_micros(micros + up), text);
        assert.equal(
          reader({ as: "money", per: 100 })(text),
          text_of_micros((micros * 10n ** 11n + BigInt(more.padEnd(11, "0")) + 5n * 10n ** 12n) / 10n ** 13n),
        );
      },
    ),
    { numRuns: 500 },
  );
  const money = reader(MONEY), eighths = reader({ as: "money", per: 8 });
  assert.equal(money("0.30000000000000004"), "0.300000");
  assert.equal(money("999999999999.9999994"), "999999999999.999999");
  assert.equal(money("1.5e2"), "150.000000");
  assert.equal(money("1e22"), 'expected an amount of at most 1e12 in v, got "1e22"');
  assert.equal(eighths(3), "0.375000");
});

Deno.test("mapping numbers: a decimal comma is read in all numbers where it is stated, best by the command line", () => {
  const read = (form: Record<string, unknown>, value: unknown) => reader(form, ",")(value);
  assert.equal(read({ as: "number" }, "1.035,5"), 1035.5);
  assert.equal(read({ as: "distance", unit: "km" }, "1,5"), 1.5);
  assert.equal(read({ as: "duration", unit: "h" }, "0,5"), 30);
  assert.equal(read({ as: "money", per: 100 }, "1.860,5"), "18.605000");
  assert.equal(read({ as: "code" }, "5,0"), "5");
  assert.equal(read({ as: "time", format: "epoch_s" }, "1772359200,5"), "2026-03-01T10:00:00.500000Z");
  assert.equal(read({ as: "time", plus: { from: "v", unit: "s" }, from: "at" }, "1,5"), "2026-03-01T10:00:01.500000Z");
  assert.equal(reader(MONEY, ",", { decimal: "." })("12.50"), "12.500000");
  assert.equal(reader(MONEY, undefined, { decimal: "," })("12,50"), "12.500000");
  const trip_id = { hash: [{ from: "v", as: "number" }] };
  const ids = [["1.035,5", ","], [1035.5, ","], ["1,035.50", "."], ["1035.5", undefined]].map(([v, decimal]) => {
    const mapped = mapping_with({}, { trip_id, ...(decimal === undefined ? {} : { decimal }) }).map({ at: AT, v });
    return mapped.ok ? mapped.value[0]!.trip_id : mapped.fault.detail;
  });
  assert.equal(new Set(ids).size, 1, ids.join(", "));
});

Deno.test("mapping numbers: a dash in the place of decimals is no minus, whatever stands around", () => {
  const euros = reader(MONEY, ",", { currency: "EUR" }), dollars = reader(MONEY, undefined, USD);
  for (const dash of ["-", "--", "\u2013", "\u2014", "\u2212"]) {
    for (const [before, after] of [["", ""], ["€ ", ""], ["", " €"], ["EUR", ""]]) {
      assert.equal(euros(`${before}1.012,${dash}${after}`), "1012.000000", dash);
      assert.equal(euros(`-${before}12,${dash}${after}`), "-12.000000", dash);
    }
    assert.equal(dollars(`$12.${dash}`), "12.000000");
    assert.equal(reader({ as: "number" })(`12.${dash}`), 12);
  }
  // A minus behind the number is one still.
  for (const v of ["12.50-", "12-", "$12-"]) assert.match(String(dollars(v)), /^-12\.[05]00000$/);
  assert.match(String(dollars("12,-")), /it looks like a decimal comma/);
  assert.match(String(dollars(".-")), /^expected an amount in v, got/);
});

Deno.test("mapping numbers: what could be two numbers is refused with what would read it", () => {
  const comma = (v: string) =>
    `expected an amount in v, got ${
      JSON.stringify(v)
    }; it looks like a decimal comma: "decimal": "," or --decimal comma reads it`;
  for (const v of ["11,50", "0,123", "1.035,25", "1 035,25", "12,5 $", "-,5"]) {
    assert.equal(reader(MONEY, undefined, USD)(v), comma(v));
    assert.equal(reader(MONEY, ".", USD)(v), comma(v));
  }
  const point =
    'expected a number in v, got "12.5"; it looks like a decimal point: "decimal": "." or --decimal point reads it';
  assert.equal(reader({ as: "number" }, ",")("12.5"), point);
  const either = (v: string) =>
    `expected an amount in v, got "${v}"; its comma may be one of thousands ("decimal": "." or --decimal point) or of decimals ("decimal": "," or --decimal comma)`;
  for (const v of ["1,035", "-12,000"]) assert.equal(reader(MONEY)(v), either(v));
  assert.equal(reader(MONEY, ".")("1,035"), "1035.000000");
  assert.equal(reader(MONEY, ",")("1,035"), "1.035000");
  assert.equal(reader(MONEY)("1,035,000"), "1035000.000000");
  assert.equal(reader(MONEY)("$1,035"), "1035.000000", "no amount has three decimals");
});

Deno.test("mapping numbers: an amount has the deployment's currency or none, other numbers have no word beside them", () => {
  const dollars = reader(MONEY, undefined, USD);
  for (const v of ["$1,035.25", "US$1,035.25", "1 035.25 usd", "USD1035.25", " $ 1,035.25 "]) {
    assert.equal(dollars(v), "1035.250000", v);
  }
  for (const v of ["€12", "CA$5", "5 km", "EUR 5", "5 cents"]) {
    const hint = v === "5 cents" ? "" : "; amounts of this deployment are in USD";
    assert.equal(dollars(v), `expected an amount in v, got "${v}"${hint}`);
  }
  for (const v of ["NaN", "NA", "nil", "EUR"]) assert.equal(dollars(v), `expected an amount in v, got "${v}"`);
  assert.equal(reader(MONEY, ",", { currency: "EUR" })("12,50 €"), "12.500000");
  assert.equal(reader(MONEY, ",", { currency: "PLN" })("12,50 zł"), "12.500000");
  assert.equal(reader(MONEY, undefined, { currency: "CAD" })("$5"), "5.000000");
  for (const form of [{ as: "number" }, { as: "distance", unit: "km" }, { as: "duration", unit: "min" }]) {
    for (const v of ["5 km", "$5", "3 mi"]) assert.equal(reader(form)(v), `expected a number in v, got "${v}"`);
    assert.match(String(reader(form)("1,035.5")), /^\d+(?:\.\d+)?$/);
  }
});

Deno.test("mapping numbers: what is no number is refused, and hostile text takes no time", () => {
  const hostile = [
    "(",
    ")",
    "()",
    "-",
    "--5",
    "-(5)",
    "(-5)",
    "$$5",
    "$",
    "1,,000",
    "1, 000",
    "1,000 000",
    "1.2.3",
    "½",
    "٣",
    "+-5",
  ];
  const long = [" ".repeat(1e5) + "5x", "1,".repeat(1e5), "-".repeat(1e5), "$".repeat(1e5), `${"1".repeat(1e5)}.x`];
  const began_ms = performance.now();
  for (const decimal of [undefined, ".", ","] as const) {
    const money = reader(MONEY, decimal, USD);
    for (const v of [...hostile, ...long]) {
      assert.match(String(money(v)), /^expected an amount in v, got /, v.slice(0, 20));
    }
  }
  assert.ok(performance.now() - began_ms < 20_000, "a regular expression went over a long text again and again");
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom(..."0123456789.,'() -+$€eEkmUSD\u202f\u2212") }), (v) => {
      const read = reader(MONEY, undefined, USD)(v);
      assert.match(String(read), /^(?:-?\d+\.\d{6}|expected an amount .*|undefined|null)$/s);
    }),
    { numRuns: 1000 },
  );
});
