import assert from "node:assert/strict";
import { decode_message } from "../support/oracle/decode.ts";
import { example_event, example_message, EXAMPLE_OPTIONS } from "../support/oracle/example_messages.ts";
import { Fault } from "../support/oracle/json.ts";

const at = (text: string) => Date.parse(text) * 1000;
const started = example_event("e", "started", "10:00:00");
const completed = example_event("e", "completed", "10:00:00", { fare: "1" });
const cloud_event = {
  specversion: "1.0",
  id: "0f6c",
  source: "/fleet/chicago",
  type: "trip.started",
  subject: "T-1042",
  time: "2026-03-01T09:31:02.250Z",
  data: { city: "Chicago" },
};
const binary_headers = {
  ce_specversion: "1.0",
  ce_id: "0f6c",
  ce_source: "/fleet/chicago",
  ce_type: "trip.started",
  ce_subject: "T-1042",
  ce_time: "2026-03-01T09:31:02.250Z",
};

function decode(value: unknown, headers: Record<string, string | Uint8Array> = {}) {
  return decode_message(example_message(0, value, headers), EXAMPLE_OPTIONS);
}

function nested(depth: number): string {
  return "[".repeat(depth) + "]".repeat(depth);
}

/** A bare start as JSON text, with one more field that JSON.stringify would not write. */
function with_raw_field(name: string, raw: string): string {
  return JSON.stringify(started).replace(/}$/, `,"${name}":${raw}}`);
}

Deno.test("the three shapes of one event say the same", () => {
  const same = {
    trip_id: "T-1042",
    event_id: "/fleet/chicago 0f6c",
    type: "trip.started",
    time_us: at("2026-03-01T09:31:02.250Z"),
    data_text: '{"city":"Chicago"}',
  };
  assert.deepEqual(decode(cloud_event), same);
  assert.deepEqual(decode({ city: "Chicago" }, binary_headers), same);
  const { id, type, subject, time, data } = cloud_event;
  const bare = {
    event_id: id,
    type,
    trip_id: subject,
    occurred_at: time,
    schema_version: 1,
    causation_id: "x",
    ...data,
  };
  assert.deepEqual(decode(bare), { ...same, event_id: "0f6c" });
});

const admitted: Record<string, [unknown, Record<string, string>?]> = {
  "no data": [{ ...cloud_event, data: undefined }],
  "null data": [{ ...cloud_event, data: null }],
  "binary without a value": [null, binary_headers],
  "binary JSON content": [{}, { ...binary_headers, "content-type": "application/vnd.x+json; charset=utf-8" }],
  "binary schema version": [{}, { ...binary_headers, ce_schemaversion: "1" }],
  "integer ids": [{ ...started, event_id: 7, trip_id: -42 }],
  "unknown extra fields of any type": [{ ...started, fare: -1, extra: [{ a: null }] }],
  "foreign fields": [{ ...example_event("e", "canceled", "10:00:00"), city: 1.5, fare: "x" }],
  "a byte order mark": ["\ufeff" + JSON.stringify(started)],
  "64 levels": [with_raw_field("x", nested(63))],
  "200 characters": [{ ...started, trip_id: "x".repeat(200), city: "x".repeat(200), event_id: "x".repeat(500) }],
  "one hour in the future": [{ ...started, occurred_at: "2026-03-01T13:00:00Z" }],
  "a space between date and time": [{ ...started, occurred_at: "2026-03-01 10:00:00+00:00" }],
  "the greatest amount": [{ ...completed, fare: "1000000000000.000000", tip: 1e12 }],
  "the smallest amount": [{ ...completed, fare: 0.000001, tip: -0 }],
  "extremes": [{
    ...completed,
    distance_km: 1e9,
    duration_min: 0,
    passenger_count: 1e6,
    pickup_lat: -90,
    pickup_lon: 180,
  }],
  "the configured currency": [{ ...completed, currency: "USD" }],
  "a blank currency": [{ ...completed, currency: "" }],
  "one MiB": [with_raw_field("x", `"${"x".repeat(1_048_576 - JSON.stringify(started).length - 7)}"`)],
};

for (const [name, [value, headers]] of Object.entries(admitted)) {
  Deno.test(`admitted: ${name}`, () => {
    const result = decode(value, headers);
    assert.ok(!(result instanceof Fault), result instanceof Fault ? result.reason : "");
  });
}

const quarantined: Record<string, [RegExp, unknown, Record<string, string | Uint8Array>?]> = {
  "empty value": [/malformed/, ""],
  "malformed JSON": [/malformed/, '{"event_id":'],
  "NaN": [/malformed/, with_raw_field("x", "NaN")],
  "an array": [/not an object/, [started]],
  "a text": [/not an object/, '"x"'],
  "invalid UTF-8": [/UTF-8/, new Uint8Array([0x7b, 0xff, 0x7d])],
  "NUL in an ignored field": [/NUL/, { ...started, extra: ["a\0"] }],
  "NUL in a name": [/NUL/, { ...started, "a\0": 1 }],
  "a lone surrogate": [/surrogate/, with_raw_field("x", '"\\ud800"')],
  "a number that overflows": [/overflows/, with_raw_field("x", "[1e400]")],
  "65 levels": [/deeper/, with_raw_field("x", nested(64))],
  "more than one MiB": [
    /too large/,
    with_raw_field("x", `"${"x".repeat(1_048_576 - JSON.stringify(started).length - 6)}"`),
  ],
  "no event id": [/no event id/, { ...started, event_id: " " }],
  "event id of another type": [/event id/, { ...started, event_id: 1.5 }],
  "long event id": [/longer/, { ...started, event_id: "x".repeat(501) }],
  "no trip id": [/no trip id/, { ...started, trip_id: undefined }],
  "long trip id": [/longer/, { ...started, trip_id: "x".repeat(201) }],
  "unsafe integer as trip id": [/trip id/, with_raw_field("trip_id", "1e16")],
  "no type": [/no event type/, { ...started, type: null }],
  "unknown type": [/unknown event type/, { ...started, type: "trip.paused" }],
  "schema version 2": [/schema version/, { ...started, schema_version: 2 }],
  "no time": [/event time/, { ...started, occurred_at: undefined }],
  "time without zone": [/event time/, { ...started, occurred_at: "2026-03-01T10:00:00" }],
  "time in the future": [/future/, { ...started, occurred_at: "2026-03-01T13:00:00.000001Z" }],
  "February 29 of a common year": [/does not exist/, { ...started, occurred_at: "2025-02-29T10:00:00Z" }],
  "second 60": [/does not exist/, { ...started, occurred_at: "2016-12-31T23:59:60Z" }],
  "hour 24": [/does not exist/, { ...started, occurred_at: "2025-02-28T24:00:00Z" }],
  "zone of 24 hours": [/does not exist/, { ...started, occurred_at: "2025-02-28T10:00:00+24:00" }],
  "year 1899": [/1900/, { ...started, occurred_at: "1899-12-31T23:59:59Z" }],
  "other specversion": [/specversion/, { ...cloud_event, specversion: "0.3" }],
  "no source": [/no source/, { ...cloud_event, source: "" }],
  "source with a space": [/whitespace/, { ...cloud_event, source: "/a b" }],
  "source with a control character": [/control/, { ...cloud_event, source: "/a\u0085" }],
  "source and id too long": [/longer/, { ...cloud_event, id: "x".repeat(486) }],
  "no subject": [/no trip id/, { ...cloud_event, subject: undefined }],
  "data that is a text": [/JSON/, { ...cloud_event, data: "x" }],
  "data_base64": [/data_base64/, { ...cloud_event, data_base64: "e30=" }],
  "other content": [/not JSON/, { ...cloud_event, datacontenttype: "text/xml" }],
  "binary with other content": [/not JSON/, {}, { ...binary_headers, "content-type": "application/avro" }],
  "binary with an array": [/not an object/, [], binary_headers],
  "binary with an invalid header": [/UTF-8/, {}, { ...binary_headers, ce_subject: new Uint8Array([0xff]) }],
  "binary with schema version 2": [/schema version/, {}, { ...binary_headers, ce_schemaversion: "2" }],
  "correction without fare": [/without fare/, example_event("e", "fare_adjusted", "10:00:00")],
  "negative fare": [/amount/, { ...completed, fare: -0.01 }],
  "fare with 7 decimals": [/amount/, { ...completed, fare: "1.0000001" }],
  "fare too small for 6 decimals": [/amount/, { ...completed, fare: 1e-7 }],
  "fare above 1e12": [/above/, { ...completed, fare: "1000000000000.000001" }],
  "fare with an exponent": [/amount/, { ...completed, fare: "1e3" }],
  "fare of another type": [/fare/, { ...completed, fare: true }],
  "other currency": [/currency/, { ...completed, currency: "usd" }],
  "other currency of an estimate": [/currency/, { ...started, currency: "EUR" }],
  "distance as text": [/distance_km/, { ...completed, distance_km: "12.4" }],
  "distance out of range": [/distance_km/, { ...completed, distance_km: 1e9 + 1 }],
  "negative duration": [/duration_min/, { ...completed, duration_min: -1 }],
  "half a passenger": [/passenger_count/, { ...completed, passenger_count: 1.5 }],
  "latitude out of range": [/pickup_lat/, { ...started, pickup_lat: 90.5 }],
  "longitude as text": [/pickup_lon/, { ...started, pickup_lon: "8" }],
  "text of another type": [/city/, { ...started, city: ["Chicago"] }],
  "fraction as zone": [/pickup_zone/, { ...started, pickup_zone: 1.5 }],
  "long text": [/longer/, { ...started, city: "x".repeat(201) }],
  "estimated time without zone": [/estimated/, { ...started, estimated_dropoff_at: "2026-03-01T10:00:00" }],
  "canceled by a stranger": [/canceled_by/, example_event("e", "canceled", "10:00:00", { canceled_by: "rain" })],
};

for (const [name, [reason, value, headers]] of Object.entries(quarantined)) {
  Deno.test(`quarantined: ${name}`, () => {
    const result = decode(value, headers);
    assert.ok(result instanceof Fault, "was admitted");
    assert.match(result.reason, reason);
  });
}

Deno.test("times are exact to the microsecond, in any zone, further digits cut off", () => {
  const times: Record<string, number> = {
    "2026-03-01T09:31:02.250999999Z": at("2026-03-01T09:31:02.250Z") + 999,
    "2026-03-01t09:31:02.1+05:30": at("2026-03-01T04:01:02.100Z"),
    "1969-12-31T23:59:59.999999Z": -1,
    "1900-01-01T00:00:00Z": -2_208_988_800_000_000,
    "2024-02-29T00:00:00-00:00": at("2024-02-29T00:00:00Z"),
  };
  for (const [occurred_at, time_us] of Object.entries(times)) {
    const result = decode({ ...started, occurred_at });
    assert.equal(result instanceof Fault ? result.reason : result.time_us, time_us, occurred_at);
  }
  const far = example_message(0, { ...started, occurred_at: "2254-12-31T23:59:59.999999-23:59" });
  const result = decode_message(far, { ...EXAMPLE_OPTIONS, read_ms: 9e12 });
  assert.equal(result instanceof Fault ? result.reason : result.time_us, at("2255-01-01T23:58:59Z") + 999_999);
});
