import assert from "node:assert/strict";
import fc from "fast-check";
import { type TripPayload, trips_domain } from "../../src/domains/trips/mod.ts";
import { decode_message, type SourceMessage } from "../../src/ingest/mod.ts";
import { format_time } from "../../src/kpi/mod.ts";
import { no_utf8 } from "../../src/ingest/mod.ts";
import { BROKER_MS, fuzzed_message } from "../support/message_fuzz.ts";
import { decode_message as judge, is_tombstone } from "../support/oracle/decode.ts";
import { canonical_text, Fault } from "../support/oracle/json.ts";

const LIMITS = { future_limit_ms: 3_600_000, max_message_bytes: 1_048_576, read_ms: BROKER_MS };
const ORACLE = { currency: "USD", time_zone: "UTC", ...LIMITS };
const DOMAIN = trips_domain({ currency: "USD" });
const encoder = new TextEncoder();

function source_message(value: unknown, headers: Record<string, string | Uint8Array> = {}): SourceMessage {
  const bytes = value === null || value instanceof Uint8Array
    ? value
    : encoder.encode(typeof value === "string" ? value : JSON.stringify(value));
  const encoded = Object.entries(headers).map(([name, text]) => [
    name,
    typeof text === "string" ? encoder.encode(text) : text,
  ]);
  return {
    topic: "trips",
    partition: 3,
    offset: 7,
    key: null,
    value: bytes,
    headers: Object.fromEntries(encoded),
    timestamp_ms: BROKER_MS,
  };
}
const decode = (message: SourceMessage) => decode_message(DOMAIN, LIMITS, message);
const event_of = (value: unknown, headers?: Record<string, string>) => {
  const outcome = decode(source_message(value, headers));
  assert.ok("event" in outcome, "fault" in outcome ? outcome.fault.detail : "");
  return outcome;
};
const fault_of = (value: unknown, headers?: Record<string, string | Uint8Array>) => {
  const outcome = decode(source_message(value, headers));
  assert.ok("fault" in outcome, "it was admitted");
  return outcome.fault;
};

const DATA = { fare: "18.60", city: "Chicago", extra: { deep: [1, null] } };
const CLOUD = {
  specversion: "1.0",
  id: "0f6c",
  source: "/fleet/chicago",
  type: "trip.completed",
  subject: "T-1042",
  time: "2026-03-01T09:31:02.250Z",
  datacontenttype: "application/json",
};
const BARE = { event_id: "0f6c", type: "trip.completed", trip_id: "T-1042", occurred_at: CLOUD.time, ...DATA };
const HEADERS = Object.fromEntries(Object.entries(CLOUD).map(([name, text]) => [`ce_${name}`, text]));

Deno.test("structured, binary and bare say the same event; extra fields are kept in its data", () => {
  const { event, metadata } = event_of({ ...CLOUD, data: DATA });
  const { payload, ...rest } = event;
  assert.deepEqual(rest, {
    stream_id: "T-1042",
    event_id: "/fleet/chicago 0f6c",
    type: "trip.completed",
    schema_version: 1,
    occurred_at_us: Date.parse(CLOUD.time) * 1000,
    data: '{"city":"Chicago","extra":{"deep":[1,null]},"fare":"18.60"}',
    attributes: null,
  });
  assert.deepEqual(payload, { completion_fare_micros: 18_600_000, city: "Chicago" });
  assert.equal(metadata, '{"offset":7,"partition":3,"topic":"trips"}');
  assert.deepEqual(event_of(DATA, HEADERS).event, event);
  assert.deepEqual(event_of(BARE).event, { ...event, event_id: "0f6c" });
});

Deno.test("whole numbers as ids keep all their digits, however many; the sentence about others shows no inner object", () => {
  const digits = [
    "7",
    "9007199254740991",
    "9007199254740992",
    "9007199254740993",
    "1795292668348461056",
    "1795292668348461000",
  ];
  for (const text of digits) {
    const raw = JSON.stringify({ ...BARE, event_id: 1, trip_id: 2, driver_id: 3 })
      .replace(/(id":)\d/g, `$1${text}`);
    const { event } = event_of(raw);
    assert.deepEqual([event.event_id, event.stream_id, (event.payload as TripPayload).driver_id], [text, text, text]);
    assert.ok(event.data.includes(`"driver_id":${text}`), event.data);
  }
  for (const text of ["1e16", "179529266834846105.5", `1${"0".repeat(200)}`]) {
    const { reason, detail } = fault_of(JSON.stringify({ ...BARE, trip_id: 2 }).replace(":2,", `:${text},`));
    assert.equal(reason, "invalid_trip_id");
    assert.ok(!detail.includes("{"), detail);
  }
});

Deno.test("a number is no name of a source or a type, however many digits it has", () => {
  for (const text of ["7", "9007199254740992", "12345678901234567890"]) {
    for (const name of ["source", "type"]) {
      const raw = JSON.stringify({ ...CLOUD, [name]: "@", data: DATA }).replace('"@"', text);
      assert.match(fault_of(raw).detail, new RegExp(`expected ${name} to be text, got ${text}$`));
    }
  }
});

Deno.test("a byte order mark in a header is a character of the id: without it two ids would be one", () => {
  const { event } = event_of(DATA, { ...HEADERS, ce_subject: "\ufeffT-1042", ce_id: "\ufeff0f6c" });
  assert.deepEqual([event.stream_id, event.event_id], ["\ufeffT-1042", "/fleet/chicago \ufeff0f6c"]);
});

Deno.test("JSON nested a hundred thousand levels deep is refused as such, wherever it stands", () => {
  const deep = "[".repeat(100_000) + "]".repeat(100_000);
  for (const name of ["trip_id", "event_id", "occurred_at", "city", "fare", "other"]) {
    const text = JSON.stringify({ ...BARE, [name]: "@" }).replace('"@"', deep);
    assert.equal(fault_of(text).reason, "too_deep");
    assert.equal(fault_of(text.replace("0f6c", "1234567890123456789")).reason, "too_deep");
  }
  assert.equal(fault_of(deep).reason, "too_deep");
  // Brackets in text are text.
  const text = `${"[".repeat(3_000)}\\"`;
  assert.equal(event_of({ ...BARE, note: text }).event.stream_id, "T-1042");
});

Deno.test("extensions, correlation and causation are kept beside the event, whatever their name", () => {
  const extended = `{"__proto__":{"a":1},"tenant":"x",${JSON.stringify({ ...CLOUD, data: DATA }).slice(1)}`;
  const { metadata } = event_of(extended);
  assert.equal(metadata, '{"attributes":{"__proto__":{"a":1},"tenant":"x"},"offset":7,"partition":3,"topic":"trips"}');
  assert.match(event_of(DATA, { ...HEADERS, ce_tenant: "x" }).metadata, /^\{"attributes":\{"tenant":"x"\},/);
  const bare = event_of({ ...BARE, correlation_id: "c", causation_id: 5 });
  assert.match(bare.metadata, /^\{"attributes":\{"causation_id":5,"correlation_id":"c"\},/);
  assert.doesNotMatch(bare.event.data, /correlation/);
  assert.match(event_of(`{"__proto__":7,${JSON.stringify(BARE).slice(1)}`).event.data, /^\{"__proto__":7,/);
});

const nested = (depth: number) => "[".repeat(depth) + "]".repeat(depth);
const with_raw = (name: string, raw: string, whole: object = BARE) =>
  JSON.stringify(whole).replace(/}$/, `,"${name}":${raw}}`);

/** Bad input: reason, path, and what the sentence has to say of what was expected and what came. */
const BAD: Record<string, [unknown, string, string | null, RegExp, Record<string, string | Uint8Array>?]> = {
  "malformed JSON": ['{"event_id":', "malformed_json", null, /expected JSON, got ".*event_id/],
  "no JSON at all": ["hello", "malformed_json", null, /got "hello"/],
  "NaN": [with_raw("tip", "NaN"), "malformed_json", null, /expected JSON/],
  "an empty value": ["", "empty_value", null, /expected a trip event/],
  "an array": ["[]", "not_an_object", null, /to be a JSON object, got an array/],
  "a text": ['"x"', "not_an_object", null, /got a string/],
  "null": ["null", "not_an_object", null, /got null/],
  "invalid UTF-8": [
    new Uint8Array([0x7b, 0xff, 0x7d]),
    "malformed_utf8",
    null,
    /^expected UTF-8 text, got the byte 0xff in place 2 of 3, behind "{"$/,
  ],
  "10 MB": [`{"x":"${"a".repeat(10_000_000)}"}`, "too_large", null, /at most 1048576 bytes, got 10000008/],
  "an overflowing number": [
    with_raw("x", "1e400"),
    "number_out_of_range",
    null,
    /below 1e308 in size, got 1e400 in "x"$/,
  ],
  "an overflowing number beside long digits": [
    with_raw("y", "[1e400,1234567890.1234567890]"),
    "number_out_of_range",
    null,
    /below 1e308 in size, got 1e400/,
  ],
  "65 levels": [with_raw("x", nested(64)), "too_deep", null, /at most 64 levels/],
  "an absurdly deep message": [nested(100_000), "", null, /expected/],
  "an absurdly deep trip id": [with_raw("trip_id", nested(100_000)), "", null, /expected/],
  "an absurdly deep fare": [with_raw("fare", nested(100_000)), "", null, /expected/],
  "NUL": [with_raw("x", '[{"y":"\\u0000"}]'), "text_not_storable", null, /^expected text without NUL and .* in x$/],
  "NUL in a CloudEvent's data": [{ ...CLOUD, data: { x: "\0" } }, "text_not_storable", null, /without NUL .* in x$/],
  "NUL in an attribute": [{ ...CLOUD, mine: "\0" }, "text_not_storable", null, /without NUL .* in mine$/],
  "NUL in an id": [with_raw("trip_id", '"\\u0000"'), "text_not_storable", null, /expected trip_id .*got "\\u0000"$/],
  "NUL in an event id": [
    with_raw("event_id", '"a\\u0000"'),
    "text_not_storable",
    null,
    /expected event_id without NUL/,
  ],
  "a lone surrogate in a name": [with_raw("\\ud800", "1"), "text_not_storable", null, /surrogates in \\ud800$/],
  "no trip id": [{ ...BARE, trip_id: undefined }, "missing_trip_id", "trip_id", /expected trip_id.*got nothing/],
  "a blank trip id": [{ ...BARE, trip_id: " " }, "missing_trip_id", "trip_id", /got " "/],
  "no subject": [
    { ...CLOUD, subject: null },
    "missing_trip_id",
    "subject",
    /expected subject, partitionkey or the message.s key.*got subject null/,
  ],
  "a long trip id": [{ ...BARE, trip_id: "x".repeat(201) }, "invalid_trip_id", "trip_id", /at most 200 .*got 201/],
  "a fraction as trip id": [{ ...BARE, trip_id: 1.5 }, "invalid_trip_id", "trip_id", /to be text, got 1.5/],
  "no event id": [{ ...BARE, event_id: null }, "missing_event_id", "event_id", /expected event_id/],
  "no source": [{ ...CLOUD, source: undefined }, "missing_event_source", "source", /expected source/],
  "a source with a space": [{ ...CLOUD, source: "a b" }, "invalid_event_source", "source", /without white space/],
  "no type": [{ ...BARE, type: undefined }, "missing_type", "type", /expected type/],
  "an unknown type": [{ ...BARE, type: "trip.paused" }, "unknown_type", "type", /one of trip.*got "trip.paused"/],
  "no time": [{ ...BARE, occurred_at: undefined }, "missing_time", "occurred_at", /with zone; got nothing/],
  "a time without zone": [
    { ...BARE, occurred_at: "2026-03-01T09:31:02" },
    "time_without_zone",
    "time",
    /with zone, got "2026-03-01T09:31:02"/,
  ],
  "a number as time": [{ ...BARE, occurred_at: 1772359862 }, "malformed_time", "occurred_at", /got 1772359862/],
  "an impossible date": [{ ...BARE, occurred_at: "2026-02-30T00:00:00Z" }, "malformed_time", "time", /2026-02-30/],
  ...Object.fromEntries(["0001-01-01T00:00:00Z", "1899-12-31T23:59:59.999Z", "2255-01-01T00:00:00+14:00"].map((at) => [
    `a time of ${at}`,
    [{ ...BARE, occurred_at: at }, "malformed_time", "time", /with zone, in the years 1900 to 2254, got "\d{4}-/],
  ])),
  "a second 60": [
    { ...BARE, occurred_at: "2016-12-31T23:59:60Z" },
    "malformed_time",
    "time",
    /^expected an RFC 3339 time with zone, without a second 60, got "2016-12-31T23:59:60Z"$/,
  ],
  "a time in the future": [
    { ...BARE, occurred_at: "2026-03-01T13:00:00.000001Z" },
    "time_in_future",
    "time",
    /at most 60 min after 2026-03-01T12:00:00.000000Z, when it was read; got "2026-03-01T13/,
  ],
  "another version": [{ ...BARE, schema_version: 2 }, "unknown_version", "schema_version", /version 1 .*got 2/],
  "no version": [{ ...BARE, schema_version: "x" }, "unknown_version", "schema_version", /a whole number, got "x"/],
  "CloudEvents 0.3": [{ ...CLOUD, specversion: "0.3" }, "unknown_version", "specversion", /"1.0", got "0.3"/],
  "data as text of text": [
    { ...CLOUD, data: '"{}"' },
    "not_an_object",
    "data",
    /expected data to be a JSON object, got a string/,
  ],
  "data and data in base64": [
    { ...CLOUD, data: DATA, data_base64: "e30=" },
    "unsupported_content",
    "data_base64",
    /either data or data_base64, got both/,
  ],
  "data in something like base64": [
    { ...CLOUD, data_base64: "e3" + "?" },
    "unsupported_content",
    "data_base64",
    /base64/,
  ],
  "a list in base64": [{ ...CLOUD, data_base64: btoa("[1]") }, "not_an_object", "data_base64", /got an array/],
  "data that is text": [{ ...CLOUD, data: "hello" }, "malformed_json", null, /hello/],
  "a list as text": [{ ...CLOUD, data: "[1]" }, "not_an_object", "data", /got an array/],
  "schema-registry framing": [
    Uint8Array.from([0, 0, 0, 0, 7, ...encoder.encode("{}")]),
    "unsupported_framing",
    null,
    /^expected JSON in UTF-8, got schema-registry framing \(magic byte 0, schema id 7\) around JSON: a mapping with "framing": "schema_registry"/,
  ],
  "Avro behind a schema registry's framing": [
    Uint8Array.from([0, 0, 0, 0, 7, 2, 4]),
    "unsupported_framing",
    null,
    /schema id 7\) around what is no JSON, such as Avro or Protobuf: have it written as JSON/,
  ],
  "a magic byte and no more": [Uint8Array.from([0, 0, 0, 7]), "malformed_json", null, /expected JSON/],
  "Avro with a fingerprint": [Uint8Array.from([0xc3, 1, 5, 6]), "unsupported_framing", null, /got Avro with/],
  "CloudEvents in a batch": [
    [{ ...CLOUD, data: DATA }],
    "unsupported_content",
    "content-type",
    /expected one CloudEvent a message.* got "application\/cloudevents-batch\+json"/,
    { "Content-Type": "application/cloudevents-batch+json" },
  ],
  "a CloudEvent in Avro": [
    "\u0001",
    "unsupported_content",
    "content-type",
    /as application\/cloudevents\+json; got/,
    { ...HEADERS, "content-type": "application/cloudevents+avro" },
  ],
  "a Kafka Connect envelope": [
    { schema: { type: "struct" }, payload: BARE },
    "unsupported_framing",
    null,
    /got a Kafka Connect envelope \(schema, payload\): .*"framing": "connect"/,
  ],
  "gzip": [Uint8Array.from([0x1f, 0x8b, 8, 0]), "unsupported_framing", null, /got gzip/],
  "zstd": [Uint8Array.from([0x28, 0xb5, 0x2f, 0xfd, 0]), "unsupported_framing", null, /got zstd/],
  "UTF-16": [Uint8Array.from([0xff, 0xfe, 0x7b, 0]), "unsupported_framing", null, /got UTF-16 text/],
  "UTF-16 without a mark": [Uint8Array.from([0x7b, 0, 0x22, 0]), "unsupported_framing", null, /got UTF-16 text/],
  "UTF-16 without a mark, the other way round": [
    Uint8Array.from([0, 0x7b, 0, 0x22, 0, 0x65]),
    "unsupported_framing",
    null,
    /got UTF-16 text/,
  ],
  "another content": [
    { ...CLOUD, datacontenttype: "text/xml" },
    "unsupported_content",
    "datacontenttype",
    /"text\/xml"/,
  ],
  "another content type": [DATA, "unsupported_content", "content-type", /JSON/, { ...HEADERS, "content-type": "a/b" }],
  "a header that is not UTF-8": [DATA, "malformed_utf8", "ce_id", /byte 0xff in place 1 of 1, behind ""/, {
    ...HEADERS,
    ce_id: new Uint8Array([0xff]),
  }],
  "a wrong type": [{ ...BARE, distance_km: "12" }, "invalid_field", "distance_km", /from 0 to 1e9, got "12"/],
  "an absurd number": [{ ...BARE, distance_km: 1e300 }, "invalid_field", "distance_km", /from 0 to 1e9, got 1e\+300/],
  "a negative fare": [{ ...BARE, fare: "-1.00" }, "invalid_field", "fare", /from 0 to 1e12.*got "-1.00"/],
  "no fare": [
    { ...BARE, type: "trip.fare_adjusted", fare: undefined },
    "missing_field",
    "fare",
    /fare, which trip.fare_adjusted/,
  ],
  "another currency": [{ ...BARE, currency: "EUR" }, "other_currency", "currency", /, USD, got "EUR"/],
};

for (const [name, [value, reason, path, sentence, headers]] of Object.entries(BAD)) {
  Deno.test(`refused with a sentence that says why: ${name}`, () => {
    const fault = fault_of(value, headers);
    if (reason !== "") assert.deepEqual([fault.reason, fault.path], [reason, path]);
    assert.match(fault.detail, sentence);
    assert.ok(fault.detail.length < 500, "the sentence is short");
  });
}

Deno.test("a CloudEvent without a subject is about the trip that its partitionkey names, else its message's key", () => {
  const trip_of = (value: unknown, key: string | null, headers: Record<string, string> = {}) => {
    const outcome = decode({ ...source_message(value, headers), key: key === null ? null : encoder.encode(key) });
    return "event" in outcome ? outcome.event.stream_id : "fault" in outcome ? outcome.fault.reason : "";
  };
  const { subject: _subject, ...anonymous } = CLOUD;
  const { ce_subject: _ce_subject, ...headers } = HEADERS;
  for (const [value, given] of [[{ ...anonymous, data: DATA }, {}], [DATA, headers]] as const) {
    assert.equal(trip_of(value, "K", given), "K");
    assert.equal(trip_of(value, null, given), "missing_trip_id");
    assert.equal(trip_of(value, "  ", given), "missing_trip_id");
    assert.equal(trip_of(value, "\0\0\0\x01", given), "text_not_storable");
  }
  assert.equal(trip_of(DATA, "K", { ...headers, ce_subject: "", ce_partitionkey: " " }), "K");
  assert.equal(trip_of({ ...CLOUD, data: DATA }, "K"), "T-1042");
  assert.equal(trip_of({ ...CLOUD, subject: null, data: DATA }, "K"), "K");
  assert.equal(trip_of({ ...anonymous, partitionkey: "P", data: DATA }, "K"), "P");
  assert.equal(trip_of(DATA, "K", { ...headers, ce_partitionkey: "P" }), "P");
  assert.equal(trip_of({ ...BARE, trip_id: undefined }, "K"), "missing_trip_id");
});

Deno.test("data may be JSON in base64 or as text, and header names are read in any spelling", () => {
  const wanted = event_of({ ...CLOUD, data: DATA }).event.data;
  const json = JSON.stringify(DATA);
  assert.equal(event_of({ ...CLOUD, data_base64: btoa(json) }).event.data, wanted);
  assert.equal(event_of({ ...CLOUD, data: json }).event.data, wanted);
  const spelled = (spell: (name: string) => string) =>
    Object.fromEntries(Object.entries(HEADERS).map(([name, text]) => [spell(name), text]));
  for (const spell of [(name: string) => name.toUpperCase(), (name: string) => name.replace("ce_", "ce-")]) {
    assert.equal(event_of(DATA, spelled(spell)).event.stream_id, "T-1042");
  }
  const both = { CE_ID: "other", ...HEADERS, "ce-id": "other" };
  assert.equal(event_of(DATA, both).event.event_id, "/fleet/chicago 0f6c");
  assert.equal(fault_of(DATA, { ...HEADERS, "Content-Type": "text/plain" }).reason, "unsupported_content");
});

Deno.test("a whole CloudEvent in the value goes before attributes that stand in headers as well, with whatever mark and case", () => {
  const wanted = event_of({ ...CLOUD, data: DATA }).event;
  for (const type of ["application/cloudevents+json", "Application/CloudEvents+JSON; charset=UTF-8"]) {
    const headers = { ...HEADERS, ce_id: "a copy for filters", "Content-Type": type };
    assert.deepEqual(event_of(`\ufeff${JSON.stringify({ ...CLOUD, data: DATA })}`, headers).event, wanted);
  }
  assert.deepEqual(decode(source_message(null, { ...HEADERS, "content-type": "application/cloudevents+json" })), {
    no_event: "tombstone",
  });
});

Deno.test("data of a CloudEvent in headers: of any JSON type, as text within JSON, or an empty value; a percent sign is one", () => {
  const wanted = event_of(DATA, HEADERS).event;
  for (const type of ["application/json;charset=utf-8", "application/vnd.trip+json", "text/json"]) {
    assert.deepEqual(event_of(DATA, { ...HEADERS, "content-type": type }).event, wanted);
  }
  assert.deepEqual(event_of(JSON.stringify(JSON.stringify(DATA)), HEADERS).event, wanted);
  assert.equal(fault_of('"[1]"', HEADERS).reason, "not_an_object");
  assert.equal(event_of("", { ...HEADERS, ce_type: "trip.canceled" }).event.data, "{}");
  assert.equal(event_of(DATA, { ...HEADERS, ce_subject: "T%2D1" }).event.stream_id, "T%2D1");
});

Deno.test("a message that was made JSON text twice is what it says; three times it is a text", () => {
  const twice = (value: unknown) => JSON.stringify(JSON.stringify(value));
  assert.deepEqual(event_of(twice(BARE)).event, event_of(BARE).event);
  assert.deepEqual(event_of(twice({ ...CLOUD, data: DATA })).event, event_of({ ...CLOUD, data: DATA }).event);
  const large = twice({ ...BARE, trip_id: 1 }).replace(":1,", ":1795292668348461057,");
  assert.equal(event_of(large).event.stream_id, "1795292668348461057");
  assert.equal(fault_of(JSON.stringify(twice(BARE))).reason, "not_an_object");
  assert.equal(fault_of('"{"').reason, "malformed_json");
});

Deno.test("a message without a value is a tombstone, unless it is a CloudEvent in headers or states a fault", () => {
  assert.deepEqual(decode(source_message(null)), { no_event: "tombstone" });
  assert.deepEqual(decode(source_message(null, { a: "b" })), { no_event: "tombstone" });
  assert.deepEqual(event_of(null, { ...HEADERS, ce_type: "trip.canceled" }).event.data, "{}");
  assert.equal(fault_of(null, { "tacho-fault": "bad" }).reason, "faulty_at_source");
  assert.equal(fault_of("").reason, "empty_value");
});

Deno.test("the limits are what is configured: bytes and the future", () => {
  const message = source_message(BARE);
  const exactly = { ...LIMITS, max_message_bytes: message.value!.length };
  assert.ok("event" in decode_message(DOMAIN, exactly, message));
  const below = { ...LIMITS, max_message_bytes: message.value!.length - 1 };
  assert.ok("fault" in decode_message(DOMAIN, below, message));
  const future = source_message({ ...BARE, occurred_at: "2026-03-01T12:00:00.001Z" });
  assert.ok("fault" in decode_message(DOMAIN, { ...LIMITS, future_limit_ms: 0 }, future));
  assert.ok("event" in decode_message(DOMAIN, { ...LIMITS, future_limit_ms: 1 }, future));
});

Deno.test("the future is judged by the clock of reading; a record's own time counts where the broker set it, and then only a later one", () => {
  const hour_us = LIMITS.future_limit_ms * 1000;
  const at = (us: number) => source_message({ ...BARE, occurred_at: format_time(BROKER_MS * 1000 + us) });
  const admitted = (us: number, timestamp_ms: number, timestamp_is_brokers?: boolean) => {
    const message = { ...at(us), timestamp_ms, ...timestamp_is_brokers === undefined ? {} : { timestamp_is_brokers } };
    const outcome = decode(message);
    const wanted = judge(message, ORACLE);
    assert.equal("event" in outcome, !(wanted instanceof Fault));
    return "event" in outcome;
  };
  // None, 1970, seconds, microseconds, days, before 1970, far ahead, more than a date can be.
  for (const ms of [-1, 0, BROKER_MS / 1000, BROKER_MS * 1000, BROKER_MS - 9 * 86_400_000, -8.64e15, 3.8e12, 1e18]) {
    for (const is_brokers of [undefined, false]) {
      assert.equal(admitted(hour_us, ms, is_brokers), true, `${ms}`);
      assert.equal(admitted(hour_us + 1, ms, is_brokers), false, `${ms}`);
    }
  }
  const ahead_ms = BROKER_MS + 1_800_000;
  assert.equal(admitted(1_800e6 + hour_us, ahead_ms, true), true);
  assert.equal(admitted(1_800e6 + hour_us + 1, ahead_ms, true), false);
  assert.equal(admitted(hour_us, BROKER_MS - 1, true), true, "a topic may be read long after it was written");
  const day_ms = 86_400_000;
  assert.equal(admitted(day_ms * 1_000 + hour_us, BROKER_MS + day_ms, true), true);
  assert.equal(admitted(hour_us + 1, BROKER_MS + day_ms + 1, true), false, "so wrong a clock is nobody's to believe");
  const refused = decode({ ...at(1_800e6 + hour_us + 1), timestamp_ms: ahead_ms, timestamp_is_brokers: true });
  assert.ok("fault" in refused);
  assert.match(
    refused.fault.detail,
    /^expected a time at most 60 min after 2026-03-01T12:30:00.000000Z, when the broker took it; got /,
  );
});

Deno.test("any message is decoded or refused as the independent oracle does, with the same identity, time and data", () => {
  let admitted = 0, refused = 0;
  const property = fc.property(fuzzed_message, (message) => {
    const outcome = decode(message);
    if (is_tombstone(message)) return assert.ok("no_event" in outcome);
    const wanted = judge(message, ORACLE);
    if (wanted instanceof Fault) {
      refused++;
      assert.ok("fault" in outcome, `admitted, and the oracle says: ${wanted.reason}`);
      return;
    }
    admitted++;
    assert.ok("event" in outcome, "fault" in outcome ? `refused: ${outcome.fault.detail}` : "a tombstone");
    const { stream_id: trip_id, event_id, type, occurred_at_us: time_us, data } = outcome.event;
    const judged = { ...wanted, data_text: canonical_text(JSON.parse(wanted.data_text)) };
    assert.deepEqual({ trip_id, event_id, type, time_us, data_text: canonical_text(JSON.parse(data)) }, judged);
  });
  fc.assert(property, { numRuns: Number(Deno.env.get("TACHO_TEST_RUNS") ?? 6000) });
  assert.ok(admitted > 100 && refused > 100, `${admitted} admitted, ${refused} refused: both sides were met`);
});

Deno.test("the first byte that is no UTF-8 is told with its place: all before it is whole characters", () => {
  const strict = new TextDecoder("utf-8", { fatal: true });
  const is_text = (bytes: Uint8Array): boolean => {
    try {
      strict.decode(bytes);
      return true;
    } catch {
      return false;
    }
  };
  const piece = fc.oneof(
    fc.string({ unit: "grapheme", maxLength: 4 }).map((text) => encoder.encode(text)),
    fc.constantFrom("\ufffd", "\ufffd\ufffd", "\ufeff", "\0").map((text) => encoder.encode(text)),
    fc.uint8Array({ maxLength: 3 }),
    fc.constantFrom([0xef], [0xef, 0xbf], [0xf0, 0x9f], [0xc0, 0x80], [0xed, 0xa0, 0x80]).map((all) =>
      Uint8Array.from(all)
    ),
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 8 }), (pieces) => {
      const bytes = Uint8Array.from(pieces.flatMap((each) => [...each]));
      if (is_text(bytes)) return;
      let whole = bytes.length;
      while (!is_text(bytes.subarray(0, whole))) whole--;
      const [, byte, place, of] = /^the byte 0x(..) in place (\d+) of (\d+), behind "/.exec(no_utf8(bytes)) ?? [];
      assert.deepEqual([place, of], [`${whole + 1}`, `${bytes.length}`]);
      assert.equal(parseInt(byte!, 16), bytes[whole]);
    }),
    { numRuns: 2_000 },
  );
});
