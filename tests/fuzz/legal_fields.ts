import fc from "fast-check";
import type { Change } from "../support/message_fuzz.ts";

/** Legal values of every field, ordinary ones and such as a program may stumble over, as raw JSON: whatever is set to them can be admitted. */

const nested = (depth: number) => '{"a":'.repeat(depth) + "0" + "}".repeat(depth);

const STRANGE_TEXTS = [
  ...["__proto__", "constructor", "toString", "hasOwnProperty", "prototype", "null", "undefined", "NaN"],
  ...["unknown", "all", "none", "1", "-1", "|", "\\N", "\\.", "\t", "a\tb", "a\nb", "a\r\nb", 'a"b', "a\\b", "'; --"],
  ...[
    "東京",
    "München",
    "Mu\u0308nchen",
    "😀",
    "\u{10ffff}",
    "\ufeffx",
    "a\u2028b",
    "\u200b",
    "İ",
    "ß",
    "\u007f",
    "\ue000",
  ],
  ...["{}", "[]", "{a,b}", '{"a"}', "$1", "%s", "%I", " x ", "x".repeat(200), "東".repeat(200), "😀".repeat(100)],
].map((text) => JSON.stringify(text));
const TIMES = [
  "2026-03-01T09:31:02.250Z",
  "1900-01-01T00:00:00Z",
  "2254-12-31T23:59:59.999999Z",
  "2026-03-29 02:30:00+01:00",
];

const one_of = fc.constantFrom;
const number_up_to = (most: number, unit: number) => fc.nat(most).map((count) => String(count / unit));
const BLANK = one_of("null", '""', '" "', '"\\t"');

const text = fc.oneof(
  { weight: 8, arbitrary: fc.nat(260).map((zone) => `"${zone}"`) },
  { weight: 4, arbitrary: one_of(...STRANGE_TEXTS) },
  {
    weight: 1,
    arbitrary: one_of("0", "9007199254740991", "-9007199254740991", "60601", '"\\ud83d\\ude97"', '"\\u0041"'),
  },
  { weight: 1, arbitrary: BLANK },
);
const amount = fc.oneof(
  { weight: 5, arbitrary: fc.nat(99_999).map((cents) => `"${(cents / 100).toFixed(2)}"`) },
  { weight: 3, arbitrary: number_up_to(99_999, 100) },
  {
    weight: 2,
    arbitrary: one_of(
      "0",
      "-0",
      "1e12",
      '"1000000000000"',
      '"0.000001"',
      "0.000001",
      "1.0",
      '"00000000000.1"',
      "1E+2",
      "999999999999.99",
    ),
  },
);
const degrees = (most: number) =>
  fc.oneof(
    fc.integer({ min: -most * 1000, max: most * 1000 }).map((thousandths) => String(thousandths / 1000)),
    one_of(String(most), String(-most), "-0", "1e-7", "5e-324", "41.87811360000000123"),
  );
const quantity = fc.oneof(
  { weight: 4, arbitrary: number_up_to(100_000, 1000) },
  {
    weight: 1,
    arbitrary: one_of("0", "1e9", "0.0005", "0.00049999", "1e-300", "12.3456789012345678901", "999999999.9999"),
  },
);

const KINDS: readonly (readonly [names: readonly string[], value: fc.Arbitrary<string>])[] = [
  [["fare"], amount],
  [["tip", "estimated_fare"], fc.oneof({ weight: 6, arbitrary: amount }, { weight: 1, arbitrary: BLANK })],
  [["distance_km", "duration_min"], fc.oneof({ weight: 6, arbitrary: quantity }, { weight: 1, arbitrary: BLANK })],
  [["pickup_lat", "dropoff_lat"], degrees(90)],
  [["pickup_lon", "dropoff_lon"], degrees(180)],
  [["passenger_count"], one_of("0", "1", "4", "1000000", "2.0", "1e3", "null")],
  [["estimated_dropoff_at"], one_of(...TIMES.map((time) => JSON.stringify(time)), "null")],
  [["currency"], one_of('"USD"', "null", '""')],
  [["canceled_by"], one_of('"driver"', '"passenger"', '"system"', "null", '""')],
  [["city", "vehicle_type", "payment_method", "pickup_zone", "dropoff_zone", "driver_id", "passenger_id"], text],
  [["vendor_id", "rate_code", "trip_type", "reason"], text],
  [
    ["note", "__proto__", "constructor", "toString", "", "0", "10", "9", "Ünï", "data", "a\nb", "trip id"],
    fc.oneof(
      one_of(
        "1e300",
        "[]",
        "{}",
        '{"__proto__":{"x":1}}',
        '{"constructor":{"prototype":1}}',
        nested(50),
        '{"a":1,"a":[2]}',
      ),
      one_of(
        `[${"0,".repeat(2000)}0]`,
        "123456789012345678901234567890.5",
        '{"b":1,"10":2,"9":3,"":4}',
        "[1.10,2e2,-0]",
      ),
      text,
    ),
  ],
];

const field = fc.oneof(
  ...KINDS.map(([names, value]) => ({
    weight: names.length,
    arbitrary: fc.record({ name: one_of(...names), value }),
  })),
);

/** Up to six legal fields. */
export const legal_fields: fc.Arbitrary<readonly Change[]> = fc.array(field, { maxLength: 6 });
