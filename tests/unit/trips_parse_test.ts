import assert from "node:assert/strict";
import fc from "fast-check";
import { event_fields, event_schema, JsonFault, parse_json } from "../../src/domains/mod.ts";
import { TRIPS, trips_domain } from "../../src/domains/trips/mod.ts";
import { BORDER_VALUES } from "../support/border_values.ts";

const { parse, event_types } = trips_domain({ currency: "USD" });
type Data = Record<string, unknown>;

const read = (type: string, data: Data): Data => {
  const parsed = parse(`trip.${type}`, 1, data);
  assert.ok(parsed.ok, parsed.ok ? "" : parsed.fault.detail);
  return parsed.value as Data;
};
const refused = (type: string, data: Data, version = 1) => {
  const parsed = parse(type, version, data);
  assert.ok(!parsed.ok, `${type} ${JSON.stringify(data)} was admitted`);
  return parsed.fault;
};

const REQUESTED = { passenger_id: "P", city: "Chicago", vehicle_type: "suv", pickup_zone: "1", dropoff_zone: "2" };
const REQUESTED_AT = { pickup_lat: 41.9, pickup_lon: -87.6 };
const STARTED = { driver_id: "D", vendor_id: "V" };
const COMPLETED = { payment_method: "card", rate_code: "1", trip_type: "street" };
const ALL: Data = {
  ...REQUESTED,
  ...REQUESTED_AT,
  ...STARTED,
  estimated_fare: "10",
  estimated_dropoff_at: "2026-03-01T10:00:00+01:00",
  ...COMPLETED,
  dropoff_lat: -90,
  dropoff_lon: 180,
  passenger_count: 3,
  distance_km: 12.3456,
  duration_min: 0.00125,
  fare: "18.60",
  tip: 2.5,
  currency: "USD",
  reason: "r",
  canceled_by: "driver",
};
const ESTIMATES = {
  estimated_fare_micros: 10_000_000,
  estimated_dropoff_us: Date.parse("2026-03-01T09:00:00Z") * 1000,
};

Deno.test("each type reads its own fields in units of the state, and ignores all others", () => {
  assert.deepEqual(read("requested", ALL), { currency: "USD", ...REQUESTED, ...REQUESTED_AT });
  assert.deepEqual(read("started", ALL), { currency: "USD", ...REQUESTED, ...REQUESTED_AT, ...STARTED, ...ESTIMATES });
  assert.deepEqual(read("completed", ALL), {
    currency: "USD",
    ...REQUESTED,
    ...REQUESTED_AT,
    ...STARTED,
    ...ESTIMATES,
    ...COMPLETED,
    dropoff_lat: -90,
    dropoff_lon: 180,
    passenger_count: 3,
    distance_m: 12_346,
    given_duration_ms: 75,
    completion_fare_micros: 18_600_000,
    tip_micros: 2_500_000,
  });
  assert.deepEqual(read("canceled", ALL), { currency: "USD", cancel_reason: "r", canceled_by: "driver" });
  assert.deepEqual(read("fare_adjusted", ALL), {
    currency: "USD",
    adjusted_fare_micros: 18_600_000,
    tip_micros: 2_500_000,
    adjustment_reason: "r",
  });
});

Deno.test("a void names its reason and nothing else", () => {
  assert.deepEqual(read("voided", ALL), { currency: "USD", void_reason: "r" });
  assert.deepEqual(read("voided", {}), {});
  assert.equal(refused("trip.voided", { reason: 1.5 }).path, "reason");
});

Deno.test("blank is unknown, in every optional field: null, empty, white space however long", () => {
  const fields = Object.keys(ALL);
  for (const blank of [null, "", " ", "\t\n\u00a0", " ".repeat(300)]) {
    const data = Object.fromEntries(fields.map((name) => [name, blank]));
    assert.deepEqual(read("completed", data), {});
    assert.deepEqual(read("completed", { ...data, fare: 0 }), { completion_fare_micros: 0 });
    assert.deepEqual(read("canceled", data), {});
    assert.equal(refused("trip.fare_adjusted", { fare: blank }).path, "fare");
  }
});

Deno.test("text is kept as sent; safe integers are their decimal text", () => {
  const cases: [unknown, string][] = [[" x ", " x "], [5, "5"], [-7, "-7"], [9007199254740991, "9007199254740991"], [
    "x".repeat(200),
    "x".repeat(200),
  ]];
  for (const [given, kept] of cases) assert.deepEqual(read("requested", { city: given }), { city: kept });
});

Deno.test("numbers with more digits than a double holds: amounts keep them, measures are rounded", () => {
  const data = parse_json(
    '{"fare":999999999999.999999,"tip":12.30000000000000071054,"distance_km":1.50000000000000000001,"pickup_lat":41.87811360000000123}',
  );
  assert.deepEqual(read("completed", data as Data), {
    completion_fare_micros: 999_999_999_999_999_999n,
    tip_micros: 12_300_000,
    distance_m: 1500,
    pickup_lat: 41.8781136,
  });
});

/** Field, what is wrong with it, and how the sentence shows what was expected and what came. */
const TEXT = "text of at most 200 characters";
const AMOUNT = "an amount from 0 to 1e12 with at most 6 decimals, as text or number";
const WRONG: readonly (readonly [readonly string[], string, readonly unknown[]])[] = [
  [["city", "driver_id", "currency", "rate_code", "vendor_id"], TEXT, [true, {}, [], 1.5, 2 ** 53, "x".repeat(201)]],
  [["fare", "tip", "estimated_fare"], AMOUNT, [
    true,
    {},
    [],
    "-1",
    -1,
    "1.",
    "1e3",
    1e-7,
    1e13,
    NaN,
    Infinity,
    "1.1234567",
  ]],
  [["distance_km", "duration_min"], "a number from 0 to 1e9", ["1", true, {}, [], -0.1, 1e9 + 1, NaN, Infinity]],
  [["passenger_count"], "a whole number from 0 to 1e6", ["1", 1.5, -1, 1e6 + 1, true, {}]],
  [["pickup_lat", "dropoff_lat"], "degrees from -90 to 90", ["1", 90.1, -90.1, true, []]],
  [["pickup_lon", "dropoff_lon"], "degrees from -180 to 180", ["1", 180.1, -181, true, []]],
  [["estimated_dropoff_at"], "an RFC 3339 time with zone", [
    5,
    true,
    "2026-03-01",
    "2026-03-01T10:00:00",
    "2026-02-30T10:00:00Z",
  ]],
];

Deno.test("a wrong value is refused with its path and a sentence that names what was expected and what came", () => {
  const check = (type: string, data: Data, field: string, expected: string, value: unknown) => {
    const fault = refused(type, data);
    const shown = typeof value === "number" ? String(value) : JSON.stringify(value) ?? String(value);
    const short = shown.length > 60 ? `${shown.slice(0, 57)}…` : shown;
    assert.deepEqual(fault, { reason: "invalid_field", path: field, detail: `expected ${expected}, got ${short}` });
  };
  for (const [fields, expected, values] of WRONG) {
    for (const field of fields) {
      for (const value of values) check("trip.completed", { fare: "1", [field]: value }, field, expected, value);
    }
  }
  for (const value of ["nobody", "Driver", 5, true, {}]) {
    check("trip.canceled", { canceled_by: value }, "canceled_by", "driver, passenger or system", value);
  }
  check("trip.canceled", { reason: 1.5 }, "reason", TEXT, 1.5);
  check("trip.fare_adjusted", { fare: "x" }, "fare", AMOUNT, "x");
});

Deno.test("a fare is required of adjustments, and of nothing else", () => {
  assert.deepEqual(refused("trip.fare_adjusted", {}), {
    reason: "missing_field",
    path: "fare",
    detail: "expected fare, which trip.fare_adjusted requires; it is absent",
  });
  for (const type of ["requested", "started", "completed", "canceled"]) assert.deepEqual(read(type, {}), {});
});

Deno.test("amounts as number or text, from 0 to 1e12, are exact", () => {
  const cases: [unknown, number | bigint][] = [[0, 0], [-0, 0], ["0", 0], [12.5, 12_500_000], [1e-6, 1], [
    1e12,
    10n ** 18n,
  ], ["1000000000000", 10n ** 18n]];
  for (const [fare, micros] of cases) assert.deepEqual(read("completed", { fare }), { completion_fare_micros: micros });
});

Deno.test("another currency is refused wherever it stands, and compared exactly", () => {
  for (const type of event_types) {
    for (const currency of ["EUR", "usd", "USD ", 5]) {
      const fault = refused(type, { fare: "1", currency });
      assert.equal(fault.reason, "other_currency");
      assert.equal(
        fault.detail,
        `expected the currency of this deployment, USD, got ${JSON.stringify(String(currency))}`,
      );
    }
  }
});

Deno.test("unknown types and versions are refused; names of objects' own methods are no types", () => {
  for (const type of ["trip.paused", "", "Trip.Started", "constructor", "__proto__", "toString", "x".repeat(1000)]) {
    const fault = refused(type, {});
    assert.deepEqual([fault.reason, fault.path], ["unknown_type", "type"]);
    assert.match(fault.detail, /^expected one of trip\.requested, .*, got "/);
    assert.ok(fault.detail.length < 300);
  }
  assert.deepEqual(refused("trip.started", {}, 2), {
    reason: "unknown_version",
    path: "schema_version",
    detail: "expected schema version 1 of trip.started, got 2",
  });
});

Deno.test("extra fields of any type and name are no fault", () => {
  const data = parse_json('{"fare":1,"__proto__":{"city":"x"},"constructor":5,"note":[{}],"toString":null}') as Data;
  assert.deepEqual(read("completed", data), { completion_fare_micros: 1_000_000 });
});

/** What parses of the values on the border of legal, and lists of one value, which become its text where a text is made of them. */
const values = BORDER_VALUES.flat().flatMap((raw) => {
  try {
    return [parse_json(raw), parse_json(`[${raw}]`)];
  } catch (error) {
    if (error instanceof JsonFault) return [];
    throw error;
  }
});

Deno.test("data is read if its schema admits it, whatever its fields hold", () => {
  const { parse } = trips_domain({ currency: "x" });
  for (const type of event_types) {
    const required = type === "trip.fare_adjusted" ? { fare: 1 } : {};
    const fields = event_fields(TRIPS.fields, type), names = fields.map(({ name }) => name);
    const schema = event_schema(fields);
    const holds = (data: Data) => {
      const parsed = parse(type, 1, data);
      const admitted = parsed.ok || parsed.fault.reason === "other_currency";
      assert.equal(admitted, schema.safeParse(data).success, `${type} ${JSON.stringify(data)}`);
    };
    for (const name of names) {
      for (const value of values) holds({ ...required, [name]: value });
      holds({ ...required, [name]: undefined });
    }
    const data = fc.dictionary(fc.constantFrom(...names, "note"), fc.constantFrom(...values));
    fc.assert(fc.property(data, holds), { numRuns: 200 });
  }
});
