import assert from "node:assert/strict";
import fc from "fast-check";
import { trips_domain } from "../../src/domains/trips/mod.ts";
import { decode_message, decode_thoroughly, type SourceMessage } from "../../src/ingest/mod.ts";
import { PlainEvents } from "../../src/ingest/decode/plain_event.ts";
import { legal_fields } from "../fuzz/legal_fields.ts";
import { BORDER_VALUES } from "../support/border_values.ts";
import { BROKER_MS, fuzzed_message } from "../support/message_fuzz.ts";

const TERMS = { future_limit_ms: 3_600_000, max_message_bytes: 1_048_576, read_ms: BROKER_MS };
const LATEST_US = (BROKER_MS + TERMS.future_limit_ms) * 1000;
const DOMAIN = trips_domain({ currency: "USD" });
const RUNS = Number(Deno.env.get("TACHO_TEST_RUNS") ?? 4000);
const encoder = new TextEncoder();
const bytes_of = (text: string) => encoder.encode(text);
const PLACE = { topic: "trips", partition: 3, offset: 7 };
const message = (value: Uint8Array): SourceMessage => ({
  ...PLACE,
  key: null,
  value,
  headers: {},
  timestamp_ms: BROKER_MS,
});

/**
 * Reads a value in both ways and holds them to be the same, to the order of the payload's fields.
 * @returns whether it was plain
 */
function same(plain: PlainEvents, value: Uint8Array): boolean {
  const read = plain.read(PLACE, value, LATEST_US);
  if (read === null) return false;
  const thorough = decode_thoroughly(DOMAIN, TERMS, message(value));
  assert.deepEqual(read, thorough, new TextDecoder().decode(value));
  assert.ok("event" in thorough);
  assert.deepEqual(Object.keys(read.event.payload as object), Object.keys(thorough.event.payload as object));
  return true;
}
const is_admitted = (value: Uint8Array) => "event" in decode_thoroughly(DOMAIN, TERMS, message(value));

const STRUCTURED =
  '{"specversion":"1.0","id":"0f6c","source":"/fleet/chicago","type":"trip.completed","subject":"T-1042","time":"2026-03-01T09:31:02.250Z",' +
  '"datacontenttype":"application/json","data":{"fare":"18.60","tip":2.50,"currency":"USD","distance_km":12.4,"duration_min":31.0,' +
  '"payment_method":"card","dropoff_zone":161,"passenger_count":2,"dropoff_lat":-41.8781136,"note":true,"city":"São Paulo","rate_code":null}}';
const BARE =
  '{"event_id": 17, "type": "trip.started", "trip_id": "T-1042", "occurred_at": "2026-03-01 09:31:02+01:00", "driver_id": "0b6a4c3e-1111-4a5b",' +
  ' "estimated_fare": 1e1, "schema_version": 1, "correlation_id": "ü", "pickup_lat": 41.87811360000123}';
const EXTENDED =
  '{"tenant":"x","specversion":"1.0","data":{},"id":9,"time":"2026-03-01T09:31:02Z","traceparent":null,"source":"/f","type":"trip.canceled",' +
  '"schemaversion":1,"sampled":false,"subject":"Tж","dataschema":"https://x/y"}';

Deno.test("messages as producers write them are plain: structured and bare, with any white space, order, extensions and language", () => {
  const plain = new PlainEvents(DOMAIN);
  const messages = [
    STRUCTURED,
    EXTENDED,
    BARE.replace("1e1", "10"),
    STRUCTURED.replaceAll('":', '": ').replaceAll(',"', ', "'),
    JSON.stringify(JSON.parse(STRUCTURED), null, 2),
    JSON.stringify(Object.fromEntries(Object.entries(JSON.parse(STRUCTURED)).reverse())),
    STRUCTURED.replaceAll(/,"data":.*/g, "}"),
  ];
  for (const text of messages) assert.ok(same(plain, bytes_of(text)), text);
});

Deno.test("what is not plain is left to the long way, which admits some of it", () => {
  const plain = new PlainEvents(DOMAIN);
  const cases: [from: string, to: string, admitted: boolean][] = [
    ['"card"', '"c\\u0061rd"', true],
    ["31.0", "3.1e1", true],
    ["31.0", "-0.0", true],
    ["true", "0.0000001", true],
    ["true", "12345678901234567890", true],
    ["true", '{"a":[1]}', true],
    ["161", '161,"note":3', true],
    ["São", "S\\ud800o", false],
    ['"18.60"', '"-1"', false],
    ["USD", "EUR", false],
    ["T-1042", " ", false],
    ["/fleet", "/fle et", false],
    ["2026-03-01", "2027-03-01", false],
    ['"1.0"', '"0.3"', false],
    ["application/json", "text/xml", false],
    ["}}", "}}}", false],
    ["}}", ",}}", false],
    ["{", "{,", false],
    ["161", "0161", false],
    ["161", "161.", false],
    ["T-1042", "x".repeat(201), false],
    ["0f6c", "x".repeat(500), false],
    ["true", JSON.stringify("x".repeat(4_096)), true],
  ];
  for (const [from, to, admitted] of cases) {
    const value = bytes_of(STRUCTURED.replace(from, to));
    assert.equal(plain.read(PLACE, value, LATEST_US), null, to);
    assert.equal(is_admitted(value), admitted, to);
    assert.equal("event" in decode_message(DOMAIN, TERMS, message(value)), admitted, to);
  }
});

Deno.test("hurt at any byte, a plain message is read as the long way reads it or is left to it", () => {
  const put = [...[0, 9, 0x1f, 0x20, 0x7f, 0x80, 0xc3, 0xed, 0xf0, 0xff], ...bytes_of('"\\{}[],:-.019eE')];
  for (const text of [STRUCTURED, BARE.replace("1e1", "10"), EXTENDED]) {
    const plain = new PlainEvents(DOMAIN);
    const whole = bytes_of(text);
    let read = 0;
    for (let at = 0; at < whole.length; at++) {
      const head = whole.subarray(0, at), tail = whole.subarray(at + 1);
      for (const byte of put) {
        read += Number(same(plain, whole.with(at, byte)));
        read += Number(same(plain, Uint8Array.of(...head, byte, ...whole.subarray(at))));
      }
      same(plain, head);
      same(plain, Uint8Array.of(...head, ...tail));
    }
    assert.ok(read > whole.length, `${read} were plain`);
  }
});

Deno.test("any fuzzed message that is plain is read as the long way reads it", () => {
  const plain = new PlainEvents(DOMAIN);
  let read = 0;
  const property = fc.property(fuzzed_message, ({ value }) => {
    if (value !== null && same(plain, value)) read++;
  });
  fc.assert(property, { numRuns: 2 * RUNS });
  assert.ok(read > RUNS / 20, `${read} were plain`);
});

const raw = fc.oneof(...BORDER_VALUES.map((values) => fc.constantFrom(...values)));
const digits = (most: number) =>
  fc.string({ unit: fc.constantFrom(..."0001234567899"), minLength: 1, maxLength: most });
const number = fc.oneof(
  fc.tuple(fc.constantFrom("", "-"), digits(9), fc.constantFrom("", "."), digits(10)).map((
    [sign, whole, point, rest],
  ) => `${sign}${whole.replace(/^0+(?=\d)/, "")}${point}${point === "" ? "" : rest}`),
  fc.tuple(fc.constantFrom("", "-", "0", "-0."), digits(20), fc.constantFrom("", "0", ".0", ".5", "e3", "E-9", "."))
    .map((
      parts,
    ) => parts.join("")),
  fc.double({ noNaN: true, noDefaultInfinity: true }).map(String),
  fc.double({ noNaN: true, min: -200, max: 200 }).map(String),
);
const text = fc.oneof(
  fc.string({ unit: "grapheme", maxLength: 30 }).map((value) => JSON.stringify(value)),
  fc.string({ unit: "binary", maxLength: 6 }).map((value) => `"${value}"`),
);
const scalar = fc.oneof({ weight: 2, arbitrary: number }, { weight: 2, arbitrary: text }, {
  weight: 3,
  arbitrary: raw,
});
const name = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.constantFrom(
      "fare",
      "tip",
      "city",
      "distance_km",
      "passenger_count",
      "pickup_lat",
      "currency",
      "reason",
    ),
  },
  {
    weight: 2,
    arbitrary: fc.constantFrom(
      "note",
      "data",
      "10",
      "9",
      "__proto__",
      "constructor",
      "",
      "é",
      "東",
      "schemaversion",
      "tenant",
    ),
  },
  { weight: 1, arbitrary: fc.string({ unit: "grapheme", maxLength: 5 }) },
);
const space = fc.oneof(
  { weight: 60, arbitrary: fc.constant("") },
  { weight: 6, arbitrary: fc.constantFrom(" ", "\n", "\t\r\n ") },
  { weight: 1, arbitrary: fc.constantFrom("\u00a0", "\v", "\ufeff") },
);
type Named = readonly [name: string, value: string];
const others = fc.oneof(
  { weight: 2, arbitrary: legal_fields.map((fields) => fields.map(({ name, value }): Named => [name, value!])) },
  { weight: 1, arbitrary: fc.array(fc.tuple(name, scalar), { maxLength: 3 }) },
);
const type = fc.constantFrom(
  "trip.requested",
  "trip.started",
  "trip.completed",
  "trip.canceled",
  "trip.fare_adjusted",
  "trip.voided",
);
const id = fc.oneof(
  { weight: 9, arbitrary: fc.constantFrom('"T-1"', "7", '"Té"', '"0b6a4c3e-1111-4a5b-8c8d-1234567890ab"') },
  { weight: 1, arbitrary: scalar },
);
const time = fc.oneof(
  { weight: 9, arbitrary: fc.constant('"2026-03-01T09:31:02.250Z"') },
  { weight: 1, arbitrary: scalar },
);

/** An object with these members in any order, spaced at will; some may be named twice. */
const object_of = (members: fc.Arbitrary<readonly Named[]>) =>
  fc.tuple(members, fc.infiniteStream(fc.nat(1_000_000)), fc.boolean(), fc.infiniteStream(space)).map(
    ([all, order, in_order, spaces]) => {
      const next = () => spaces.next().value;
      const placed = all.map((member) => [in_order ? 0 : order.next().value, member] as const).sort(([a], [b]) =>
        a - b
      );
      const written = placed.map(([, [name, value]]) =>
        `${next()}${JSON.stringify(name)}${next()}:${next()}${value}${next()}`
      );
      return `${next()}{${written.join(",")}}${next()}`;
    },
  );
const structured = fc.tuple(type, id, id, time, object_of(others), others, fc.boolean()).chain(
  ([type, id, subject, time, data, more, extended]) =>
    object_of(fc.constant([
      ["specversion", '"1.0"'],
      ["id", id],
      ["source", '"/fleet"'],
      ["type", `"${type}"`],
      ["subject", subject],
      ["time", time],
      ["data", data],
      ...extended ? more : [],
    ])),
);
const bare = fc.tuple(type, id, id, time, others).chain(([type, event_id, trip_id, time, data]) =>
  object_of(fc.constant([
    ["event_id", event_id],
    ["type", `"${type}"`],
    ["trip_id", trip_id],
    ["occurred_at", time],
    ...data,
  ]))
);

Deno.test("fields of any order, spacing, number form and language are read as the long way reads them", () => {
  const plain = new PlainEvents(DOMAIN);
  let read = 0, admitted = 0;
  const property = fc.property(fc.oneof(structured, bare), (text) => {
    const value = bytes_of(text);
    if (same(plain, value)) read++;
    if (is_admitted(value)) admitted++;
  });
  fc.assert(property, { numRuns: 2 * RUNS });
  assert.ok(read > admitted / 3, `${read} of ${admitted} that were admitted were plain`);
});

Deno.test("names that are never the same are forgotten, and messages between them stay plain", () => {
  const plain = new PlainEvents(DOMAIN);
  let read = 0, others = 0;
  for (let i = 0; i < 6_000; i++) {
    const value = bytes_of(STRUCTURED.replace('"note"', `"note${i}","x${i}"`.replace(",", ":1,")));
    if (same(plain, value)) others++;
    if (i % 100 === 0 && same(plain, bytes_of(BARE.replace("1e1", "10")))) read++;
  }
  assert.ok(read >= 58, `${read} of 60`);
  assert.ok(others > 4_500, `${others} of 6000`);
});
