import assert from "node:assert/strict";
import fc from "fast-check";
import { format_time } from "../../src/kpi/mod.ts";
import { mapping_with } from "../support/trip_mapping.ts";

/** Times, however a file writes them. */

function reader(form: Record<string, unknown>, changes: Record<string, unknown> = { zone: "UTC" }) {
  const mapping = mapping_with({ x: { from: "v", as: "time", ...form } }, changes);
  return (v: unknown): string => {
    const mapped = mapping.map({ id: "T", at: "2026-03-01T10:00:00Z", v });
    return mapped.ok ? String(mapped.value[0]!.x).replace(".000000Z", "Z") : mapped.fault.detail;
  };
}
const refused = (text: string) => text.startsWith("expected ");

Deno.test("mapping times: iso reads what can mean one time only", () => {
  const iso = reader({});
  const cases: readonly (readonly [string, string])[] = [
    ["2016-07-11 11:51", "2016-07-11T11:51:00Z"],
    ["2026-11-28T09:00Z", "2026-11-28T09:00:00Z"],
    ["2026-11-28T09:00:00.000+0000", "2026-11-28T09:00:00Z"],
    ["2026-11-28T09:00:00+00", "2026-11-28T09:00:00Z"],
    ["2026-11-28T09:00:00-05", "2026-11-28T14:00:00Z"],
    ["2026-11-28T09:00:00.25+0530", "2026-11-28T03:30:00.250000Z"],
    ["2026-11-28 09:00:00 UTC", "2026-11-28T09:00:00Z"],
    ["2026-11-28 09:00:00.123456789 +0000 UTC", "2026-11-28T09:00:00.123456Z"],
    ["2026-11-28 09:00:00 -0500 EST", "2026-11-28T14:00:00Z"],
    ["2026-11-28T09:00:00\u221205:00", "2026-11-28T14:00:00Z"],
    ["20261128T090000Z", "2026-11-28T09:00:00Z"],
    ["20261128t090000.25+0100", "2026-11-28T08:00:00.250000Z"],
    ["20261128T0900", "2026-11-28T09:00:00Z"],
    ["20161231T235960Z", "2017-01-01T00:00:00Z"],
    ["2026-11-28 09:00 gmt", "2026-11-28T09:00:00Z"],
    ["2026-11-28 09:00:00 +01:00", "2026-11-28T08:00:00Z"],
    ["2026-11-28 09:00:00 GMT-0800", "2026-11-28T17:00:00Z"],
    ["2026-11-28T09:00:00+01:00[Europe/Berlin]", "2026-11-28T08:00:00Z"],
    ["2026-11-28  9:05", "2026-11-28T09:05:00Z"],
    ["2026-1-2 9:05:06", "2026-01-02T09:05:06Z"],
    ["2026/01/02 09:05:06.5", "2026-01-02T09:05:06.500000Z"],
    ["2026-01-02 09:05:06,123456789", "2026-01-02T09:05:06.123456Z"],
    ["2016-12-31T23:59:60Z", "2017-01-01T00:00:00Z"],
    ["2016-12-31 23:59:60.9", "2017-01-01T00:00:00Z"],
    ["2016-12-31 18:59:60-05", "2017-01-01T00:00:00Z"],
    ["2016-12-31 24:00", "2017-01-01T00:00:00Z"],
  ];
  for (const [text, wanted] of cases) {
    assert.equal(iso(text), wanted, text);
    assert.equal(iso(` ${text}\n`), wanted, text);
  }
  const none = [
    "2026-11-28",
    "2026-11-28T",
    "2026-11/28 09:00",
    "28-11-2026 09:00",
    "2026-02-30 09:00",
    "2026-11-28 25:00",
  ];
  const others = [
    "2026-11-28 24:01",
    "2026-11-28 09:60",
    "2026-11-28 09:00:61",
    "2026-11-28 09:00+24",
    "2026-11-28 09:00+0160",
  ];
  const more = [
    "20261128T09Z",
    "20261128 090000",
    "20260230T090000Z",
    "2026-11-28 09:00:00 EST",
    "2026-11-28 09:00:00 UTC EST",
    "2026-11-28 09:00:00 +0000 PM",
    "2026-11-28 9",
    "1767258000",
    "2026-11-28 09:00 PM",
    "2026-11-28 09:00[UTC]",
  ];
  for (const text of [...none, ...others, ...more]) {
    assert.ok(iso(text).startsWith(`expected a time such as 2024-05-25 13:19:00 in v, got ${JSON.stringify(text)}; `));
  }
  const zoneless = reader({}, {});
  assert.equal(zoneless("2016-07-11 11:51Z"), "2016-07-11T11:51:00Z");
  assert.match(zoneless("2016-07-11 11:51"), /^expected a time with zone, since the mapping states none, in v/);
  assert.equal(reader({ zone: "Asia/Kolkata" })("2016-07-11 11:51"), "2016-07-11T06:21:00Z");
});

Deno.test("mapping times: us reads years of two digits, seconds or none, and half days in any spelling", () => {
  const us = reader({ format: "us" });
  const cases: readonly (readonly [string, string])[] = [
    ["8/31/15 23:26", "2015-08-31T23:26:00Z"],
    ["8/31/69 23:26", "2069-08-31T23:26:00Z"],
    ["8/31/70 23:26", "1970-08-31T23:26:00Z"],
    ["8/31/15 1:26 PM", "2015-08-31T13:26:00Z"],
    ["08/31/2015 12:26:30.5 a.m.", "2015-08-31T00:26:30.500000Z"],
    ["8/31/2015, 1:26:00\u202fPM", "2015-08-31T13:26:00Z"],
    ["8/31/2015 11:59:60 pm", "2015-09-01T00:00:00Z"],
    ["8/31/2015 13:26 -0500", "2015-08-31T18:26:00Z"],
  ];
  for (const [text, wanted] of cases) assert.equal(us(text), wanted, text);
  for (
    const text of ["8/31/15", "31/8/15 23:26", "8/31/15 13:26 PM", "8/31/15 0:26 AM", "8/31/115 23:26", "8-31-15 23:26"]
  ) {
    assert.ok(us(text).startsWith(`expected a time such as 5/25/2024 1:19:00 PM in v, got "${text}"; `), us(text));
  }
});

Deno.test("mapping times: a number since 1970 is an instant, unless its own zone says that it is a local clock", () => {
  const local = 1400269500; // 2014-05-16T19:45:00 on a clock of Chicago
  assert.equal(reader({ format: "epoch_s" })(local), "2014-05-16T19:45:00Z");
  const of_mapping = { zone: "America/Chicago" };
  assert.equal(reader({ format: "epoch_s" }, of_mapping)(local), "2014-05-16T19:45:00Z", "of the mapping");
  // Where the mapping has no other times, whoever wrote the zone thinks that it moves these.
  const epochs = { events: [{ type: "trip.completed", at: { from: "at", format: "epoch_s" }, data: {} }] };
  for (const zone of ["America/Chicago", "business"]) {
    assert.throws(
      () => mapping_with({}, { ...epochs, zone }),
      /^Error: zone: expected a time that the zone is for, got epochs alone, which are instants/,
    );
  }
  mapping_with({}, { ...epochs, zone: "UTC" });
  const own = { zone: "America/Chicago" };
  assert.equal(reader({ format: "epoch_s", ...own })(local), "2014-05-17T00:45:00Z");
  assert.equal(reader({ format: "epoch_ms", ...own })(`${local}250`), "2014-05-17T00:45:00.250000Z");
  assert.equal(reader({ format: "epoch_us", zone: "business" })(1400269500000001), "2014-05-16T23:45:00.000001Z");
  // The clocks jump over half past two, and show half past one twice.
  assert.equal(reader({ format: "epoch_s", ...own })(Date.UTC(2014, 2, 9, 2, 30) / 1000), "2014-03-09T08:30:00Z");
  assert.equal(reader({ format: "epoch_s", ...own })(Date.UTC(2014, 10, 2, 1, 30) / 1000), "2014-11-02T06:30:00Z");
  const shift = { from: "v", format: "epoch_s", ...own, plus: { from: "v", unit: "ms" } };
  assert.equal(reader(shift)(local), "2014-06-02T05:42:49.500000Z");
  for (const zone of [{}, own]) {
    assert.equal(reader({ format: "epoch_s", ...zone })("soon"), 'expected seconds since 1970 in v, got "soon"');
    assert.match(reader({ format: "epoch_s", ...zone })(1e15), /^expected a time in the years 1900 to 2254 in v/);
  }
});

Deno.test("mapping times: patterns read what they say, and nothing else", () => {
  const cases: readonly (readonly [string, string, string])[] = [
    ["DD.MM.YYYY HH:mm:ss", "31.08.2015 23:26:05", "2015-08-31T23:26:05Z"],
    ["D.M.YY H:mm", "1.9.15 7:05", "2015-09-01T07:05:00Z"],
    ["DD/MM/YYYY hh:mm a", "31/08/2015 12:26 am", "2015-08-31T00:26:00Z"],
    ["YYYY-MM-DDTHH:mm:ss.SSSZ", "2015-08-31T23:26:05.123456+02:00", "2015-08-31T21:26:05.123456Z"],
    ["YYYYMMDDHHmmssS", "20150831232605123", "2015-08-31T23:26:05.123000Z"],
    ["YYYYMMDD", "20150831", "2015-08-31T00:00:00Z"],
    ["DD-MMM-YY", "31-AUG-15", "2015-08-31T00:00:00Z"],
    ["MMM D, YYYY h:mm:ss a", "September 1, 2015  1:26:05 p.m.", "2015-09-01T13:26:05Z"],
    ["YYYY-MM-DD 'at' HH 'o''clock'", "2015-08-31 AT 23 o'clock", "2015-08-31T23:00:00Z"],
    ["YYYY年M月D日 HH:mm", "2015年8月31日 23:26", "2015-08-31T23:26:00Z"],
    ["DD.MM.YYYY HH:mm Z", "31.08.2015 23:26 UTC", "2015-08-31T23:26:00Z"],
    ["YYYY.MM.DD (HH)", "2015.08.31 (24)", "2015-09-01T00:00:00Z"],
  ];
  for (const [format, text, wanted] of cases) {
    assert.equal(reader({ format })(text), wanted, format);
    for (const other of [`${text}x`, `x${text}`, "", "31", text.replace(/\d/, "x")].filter((each) => each !== "")) {
      const fault = `expected a time as ${format} in v, got ${JSON.stringify(other)}`;
      assert.ok(reader({ format })(other).startsWith(fault), reader({ format })(other));
    }
  }
  assert.equal(reader({ format: "YYYYMMDD" })(20150831), "2015-08-31T00:00:00Z", "a number has digits too");
  for (const text of ["31.02.2015 10:00", "1.09.2015 10:00", "31.08.2015 7:00", "31.08.2015 25:00"]) {
    assert.ok(refused(reader({ format: "DD.MM.YYYY HH:mm" })(text)), text);
  }
  assert.ok(refused(reader({ format: "DD.MM.YYYY HH:mm" })(" ".repeat(1e6) + "1".repeat(1e6))));
});

Deno.test("mapping times: what would read a time is said where it is refused, and reads it", () => {
  const cases: readonly (readonly [string, string, string | null])[] = [
    ["iso", "8/31/15 23:26", '"format": "us" reads it, month first'],
    ["us", "2015-08-31 23:26", '"format": "iso" reads it'],
    ["iso", "0001-01-01 00:00:00", "times are in the years 1900 to 2254"],
    ["iso", "9999/12/31", "times are in the years 1900 to 2254"],
    ["us", "1899-12-31T23:59:59Z", "times are in the years 1900 to 2254"],
    ["iso", "1440972000", '"format": "epoch_s" reads it'],
    ["iso", "1440972000.123456", '"format": "epoch_s" reads it'],
    ["us", "1440972000123", '"format": "epoch_ms" reads it'],
    ["iso", "1440972000123456", '"format": "epoch_us" reads it'],
    ["iso", "31.08.2015 23:26", 'a "format" such as "DD.MM.YYYY HH:mm" says how it is written'],
    ["iso", "soon", null],
  ];
  for (const [format, text, wanted] of cases) {
    const [, hint = null] = reader({ format })(text).split("; ");
    assert.equal(hint, wanted, text);
    const named = /"format": "(\w+)"|such as "([^"]+)"/.exec(hint ?? "");
    if (named !== null) assert.match(reader({ format: named[1] ?? named[2] })(text), /^2015-08-3[01]T/, text);
  }
});

Deno.test("mapping times: of several formats the first that fits, of separate columns one time", () => {
  const read = reader({ format: ["iso", "DD.MM.YYYY", "epoch_s"], zone: "Europe/Berlin" });
  assert.equal(read("2015-08-31T00:00Z"), "2015-08-31T00:00:00Z");
  assert.equal(read("31.08.2015"), "2015-08-30T22:00:00Z");
  assert.equal(read(1440972000), "2015-08-30T20:00:00Z");
  assert.equal(
    read("soon"),
    'expected a time such as 2024-05-25 13:19:00 or a time as DD.MM.YYYY or seconds since 1970 in v, got "soon"',
  );
  const from = { join: ["day", "hour"] };
  const mapping = mapping_with({}, {
    zone: "America/Kentucky/Louisville",
    events: [{ type: "trip.started", at: { from }, data: {} }],
  });
  const started = mapping.map({ id: "T", day: "2019-08-01", hour: "00:15" });
  assert.ok(started.ok);
  assert.equal(started.value[0]!.occurred_at, "2019-08-01T04:15:00.000000Z");
  const unknown = mapping.map({ id: "T", day: "2019-08-01", hour: "" });
  assert.ok(!unknown.ok);
  assert.equal(unknown.fault.path, "day and hour");
});

Deno.test("mapping times: a pattern that could not be read for sure is refused with its place", () => {
  const cases: readonly (readonly [string, string])[] = [
    ["yyyy-MM-dd", 'expected YYYY at character 1, got "yyyy"'],
    ["YYYY-MM-dd", 'expected DD at character 9, got "dd"'],
    [
      "YYYY-MM-DD HH:mm:ss X",
      "expected one of YYYY YY MMM MM M DD D HH H hh h mm ss S a Z, or text in '…' at character 21, got \"X\"",
    ],
    ["%Y-%m-%d", 'at character 2, got "Y"'],
    ["excel", 'at character 1, got "e"'],
    ["", "expected the year in it"],
    ["MM/DD", "expected the year in it"],
    ["YYYY-MM", "expected the day in it"],
    ["YYYY-DD HH:mm", "expected the month in it"],
    ["YYYY-YY-MM-DD", "expected the year once, got YYYY and YY"],
    ["YYYY-MM-DD mm", "expected the hour beside mm"],
    ["YYYY-MM-DD HH:ss", "expected the minute beside ss"],
    ["YYYY-MM-DD HH:mm.S", "expected the second beside S"],
    ["YYYY-MM-DD a", "expected the hour beside a"],
    ["YYYY-MM-DD hh:mm", 'expected "h" and "a" together, or "H" alone'],
    ["YYYY-MM-DD HH:mm a", 'expected "h" and "a" together, or "H" alone'],
    ["YYYYMDD", "expected something between M and DD: where one ends nobody could tell"],
    ["YYYY-MM-D0", "expected something between D and 0: where one ends nobody could tell"],
    ["YYYY-MM-DD HH:mmZss", "expected something between Z and ss: where one ends nobody could tell"],
    ["YYYY-MM-DD 'at HH", "expected an apostrophe behind that at character 12"],
    ["Y".repeat(200), "expected a pattern of at most 100 characters"],
  ];
  for (const [format, wanted] of cases) {
    assert.throws(() => reader({ format }), (error: Error) => {
      assert.match(error.message, /^events\[0\]\.data\.x\.format: expected iso, us, epoch_s, .* or a pattern/);
      assert.ok(error.message.endsWith(wanted), error.message);
      return true;
    });
  }
  assert.throws(() => reader({ format: ["iso", "dd.MM.YYYY"] }), /data\.x\.format\[1\]: .*expected DD at character 1/);
  assert.throws(() => reader({ format: [] }), /data\.x\.format: expected at least one format/);
});

const MONTHS = [
  "January",
  "February",
  "March",
  "April",
  "May",
  "June",
  "July",
  "August",
  "September",
  "October",
  "November",
  "December",
];
const pad = (number: number) => String(number).padStart(2, "0");

/** What a clock writes for each token. */
const written: Readonly<Record<string, (time: Temporal.ZonedDateTime) => string>> = {
  YYYY: ({ year }) => String(year),
  YY: ({ year }) => pad(year % 100),
  MMM: ({ month }) => MONTHS[month - 1]!.slice(0, 3).toUpperCase(),
  MM: ({ month }) => pad(month),
  M: ({ month }) => String(month),
  DD: ({ day }) => pad(day),
  D: ({ day }) => String(day),
  HH: ({ hour }) => pad(hour),
  H: ({ hour }) => String(hour),
  "hh a": ({ hour }) => `${pad((hour + 11) % 12 + 1)} ${hour < 12 ? "AM" : "pm"}`,
  "a h": ({ hour }) => `${hour < 12 ? "a.m." : "PM"} ${(hour + 11) % 12 + 1}`,
  mm: ({ minute }) => pad(minute),
  ss: ({ second }) => pad(second),
  SSS: ({ millisecond, microsecond }) =>
    `${String(millisecond).padStart(3, "0")}${String(microsecond).padStart(3, "0")}`,
  Z: ({ offset }) => offset,
};
const pattern = fc.record({
  date: fc.shuffledSubarray(["year", "month", "day"], { minLength: 3 }),
  year: fc.constantFrom("YYYY", "YY"),
  month: fc.constantFrom("MMM", "MM", "M"),
  day: fc.constantFrom("DD", "D"),
  hour: fc.constantFrom("HH", "H", "hh a", "a h"),
  divider: fc.constantFrom(".", "/", "-", " ", ", ", "'T'", "年"),
  with_zone: fc.boolean(),
  zone: fc.constantFrom("UTC", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "Europe/Berlin"),
  // From the second day on: before, years of two digits are 1969 on some clocks.
  us: fc.integer({ min: 86_400e6, max: Date.UTC(2069, 11, 30) * 1000 }),
});

Deno.test("mapping times: a pattern reads back any time of any zone that a clock wrote by it", () => {
  const readers = new Map<string, ReturnType<typeof reader>>();
  fc.assert(
    fc.property(pattern, ({ date, divider, hour, with_zone, zone, us, ...tokens }) => {
      const pieces = [...date.map((part) => tokens[part as "year" | "month" | "day"]), hour, "mm", "ss", "SSS"];
      if (with_zone) pieces.push("Z");
      const format = pieces.join(divider);
      const time = Temporal.Instant.fromEpochNanoseconds(BigInt(us) * 1000n).toZonedDateTimeISO(zone);
      const text = pieces.map((token) => written[token]!(time)).join(divider.replaceAll("'", ""));
      const key = `${format} ${zone}`;
      let read = readers.get(key);
      if (read === undefined) readers.set(key, read = reader({ format, zone }));
      // What a clock shows twice is the first of the two, unless the text says how far it was ahead.
      const wanted = with_zone ? time : time.toPlainDateTime().toZonedDateTime(zone);
      const wanted_us = Number(wanted.epochNanoseconds / 1000n);
      assert.equal(read(text), format_time(wanted_us).replace(".000000Z", "Z"), `${text} by ${key}`);
    }),
    { numRuns: 1500 },
  );
});
