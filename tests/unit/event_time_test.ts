import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import fc from "fast-check";
import { comes_after, date_of_day, date_text, format_time, parse_time } from "../../src/kpi/mod.ts";

const FIRST = Date.UTC(1900, 0, 1) * 1000, LAST = Date.UTC(2255, 0, 1) * 1000 - 1;
const any_time = fc.oneof(
  fc.integer({ min: FIRST, max: LAST }),
  fc.integer({ min: -2_000_000, max: 2_000_000 }),
  // Around the ends of months, leap days among them.
  fc.tuple(fc.integer({ min: 1900, max: 2254 }), fc.nat(11), fc.integer({ min: -1, max: 1 })).map(([year, month, us]) =>
    Math.min(LAST, Math.max(FIRST, Date.UTC(year, month + 1, 1) * 1000 + us))
  ),
);
const us_of = (text: string): number => {
  const parsed = parse_time(text);
  assert.ok(parsed.ok, text);
  return parsed.us;
};
const why = (text: string): string => {
  const parsed = parse_time(text);
  return parsed.ok ? "ok" : parsed.why;
};

Deno.test("what is written is read again as the same microsecond", () => {
  fc.assert(fc.property(any_time, (us) => assert.equal(us_of(format_time(us)), us)), { numRuns: 3000 });
});

Deno.test("times are written and read as Temporal does", () => {
  fc.assert(
    fc.property(any_time, fc.integer({ min: -1439, max: 1439 }), (us, minutes) => {
      const instant = Temporal.Instant.fromEpochNanoseconds(BigInt(us) * 1000n);
      assert.equal(format_time(us), instant.toString({ smallestUnit: "microsecond" }));
      const sign = minutes < 0 ? "-" : "+";
      const size = Math.abs(minutes);
      const zone = `${sign}${String(Math.floor(size / 60)).padStart(2, "0")}:${String(size % 60).padStart(2, "0")}`;
      const text = instant.toZonedDateTimeISO(zone).toString({ timeZoneName: "never" });
      const year = Number(text.slice(0, 4));
      if (year >= 1900 && year <= 2254) assert.equal(us_of(text), us, text);
      else assert.equal(why(text), "malformed", text);
    }),
    { numRuns: 3000 },
  );
});

Deno.test("dates of days, in whatever order they are asked for", () => {
  fc.assert(
    fc.property(fc.integer({ min: -25_567, max: 104_000 }), (day) => {
      assert.equal(date_of_day(day), new Date(day * 86_400_000).toISOString().slice(0, 10));
    }),
    { numRuns: 2000 },
  );
});

Deno.test("digits past microseconds are cut off, before 1970 too; fewer are filled up", () => {
  const cases: [string, string][] = [
    ["2026-03-01T10:00:00.1234569Z", "2026-03-01T10:00:00.123456Z"],
    ["2026-03-01T10:00:00.9999999999Z", "2026-03-01T10:00:00.999999Z"],
    ["1969-12-31T23:59:59.9999999Z", "1969-12-31T23:59:59.999999Z"],
    ["1969-12-31T23:59:59.5Z", "1969-12-31T23:59:59.500000Z"],
    ["2026-03-01T10:00:00.000001Z", "2026-03-01T10:00:00.000001Z"],
    ["2026-03-01T10:00:00Z", "2026-03-01T10:00:00.000000Z"],
  ];
  for (const [given, written] of cases) assert.equal(format_time(us_of(given)), written);
  assert.equal(us_of("1969-12-31T23:59:59.999999Z"), -1);
});

Deno.test("RFC 3339's ways of writing: T, t or a space, Z, z or an offset", () => {
  const wanted = us_of("2026-03-01T10:00:00Z");
  for (
    const text of [
      "2026-03-01t10:00:00z",
      "2026-03-01 10:00:00Z",
      "2026-03-01T10:00:00+00:00",
      "2026-03-01T10:00:00-00:00",
      "2026-03-01T15:45:00+05:45",
      "2026-02-28T22:30:00-11:30",
    ]
  ) {
    assert.equal(us_of(text), wanted, text);
  }
});

Deno.test("leap days: every fourth year, not every hundredth, but every four hundredth", () => {
  for (const year of ["1904", "2000", "2024", "2248"]) assert.equal(why(`${year}-02-29T00:00:00Z`), "ok", year);
  for (const year of ["1900", "1901", "2026", "2100", "2200"]) {
    assert.equal(why(`${year}-02-29T00:00:00Z`), "malformed", year);
  }
});

Deno.test("what is no time is refused, and a time without zone is told apart", () => {
  const malformed = [
    "",
    " ",
    "x",
    "2026-03-01",
    "10:00:00Z",
    "2026-03-01T10:00Z",
    "2026-3-1T10:00:00Z",
    "2026-00-01T10:00:00Z",
    "2026-13-01T10:00:00Z",
    "2026-04-31T10:00:00Z",
    "2026-01-00T10:00:00Z",
    "2026-01-32T10:00:00Z",
    "2026-03-01T24:00:00Z",
    "2026-03-01T23:60:00Z",
    "2026-06-30T23:59:60Z",
    "1899-12-31T23:59:59Z",
    "2255-01-01T00:00:00Z",
    "2026-03-01T10:00:00.Z",
    "2026-03-01T10:00:00,5Z",
    "2026-03-01T10:00:00+01",
    "2026-03-01T10:00:00+0100",
    "2026-03-01T10:00:00+24:00",
    "2026-03-01T10:00:00+01:60",
    "2026-03-01T10:00:00 Z",
    " 2026-03-01T10:00:00Z",
    "2026-03-01T10:00:00Z ",
    "2026-03-01T10:00:00Z\n",
    "2026-03-01  10:00:00Z",
    "+2026-03-01T10:00:00Z",
    "2026-03-01T10:00:00Z[Europe/Berlin]",
    "２０２６-03-01T10:00:00Z",
    "1772359862",
    "2026-02-30T10:00:00",
    "20260301T100000Z",
  ];
  for (const text of malformed) assert.equal(why(text), "malformed", JSON.stringify(text));
  for (const text of ["2026-03-01T10:00:00", "2026-03-01 10:00:00.5", "2025-11-17T10:30:45.123456"]) {
    assert.equal(why(text), "without_zone", text);
  }
});

Deno.test("every month ends where the calendar says, in leap years and others; every part of a time ends at its border", () => {
  const two = (n: number) => String(n).padStart(2, "0");
  for (const year of [1900, 1999, 2000, 2024, 2026, 2100, 2254]) {
    for (let month = 1; month <= 12; month++) {
      const last = new Date(Date.UTC(year, month, 0)).getUTCDate();
      const at = (day: number) => `${year}-${two(month)}-${two(day)}T00:00:00Z`;
      assert.equal(why(at(last)), "ok", at(last));
      assert.equal(why(at(last + 1)), "malformed", at(last + 1));
      assert.equal(why(at(0)), "malformed", at(0));
    }
  }
  const fits = [
    "1900-01-01T00:00:00Z",
    "2254-12-31T23:59:59Z",
    "2026-01-01T00:00:00+23:59",
    "2026-01-01T00:00:00-23:59",
  ];
  const beyond = [
    ...["1899-12-31T23:59:59Z", "2255-01-01T00:00:00Z", "2026-00-01T00:00:00Z", "2026-13-01T00:00:00Z"],
    ...["2026-01-01T24:00:00Z", "2026-01-01T00:60:00Z", "2026-01-01T00:00:60Z"],
    ...["2026-01-01T00:00:00+24:00", "2026-01-01T00:00:00+00:60", "2026-01-01T00:00:00+0000", "2026-01-01T00:00:00ZZ"],
    ...["2026-01-01T00:00:0/Z", "2026-01-01T00:00:0:Z", "2026-01-01T00:00:00+00:000", "2026-01-01T00:00:00.Z"],
  ];
  for (const text of fits) assert.equal(why(text), "ok", text);
  for (const text of beyond) assert.equal(why(text), "malformed", text);
});

Deno.test("events are in the order of time and of the UTF-8 bytes of their ids, which that of the texts of their dates is, too", () => {
  // Few characters, so that beginnings are shared: on both sides of the halves of what lies above U+FFFF.
  const id = fc.array(
    fc.constantFrom("a", "b", "\u00e9", "\ud7ff", "\ue000", "\uffff", "\u{10000}", "\u{1f600}", "\u{10ffff}"),
    {
      maxLength: 4,
    },
  ).map((parts) => parts.join(""));
  const us = fc.oneof(any_time, fc.constantFrom(0, 1));
  const bytes = (text: string) => Buffer.from(text);
  fc.assert(
    fc.property(us, id, us, id, (us, id, other_us, other_id) => {
      const by_hand = us > other_us || (us === other_us && Buffer.compare(bytes(id), bytes(other_id)) > 0);
      assert.equal(comes_after(us, id, other_us, other_id), by_hand);
      const [date, other] = [{ at_us: us, by: id }, { at_us: other_us, by: other_id }].map(date_text);
      assert.equal(Buffer.compare(bytes(date!), bytes(other!)) > 0, by_hand);
    }),
    { numRuns: 3000 },
  );
});
