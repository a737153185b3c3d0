import assert from "node:assert/strict";
import { type TripPayload, trips_domain } from "../../src/domains/trips/mod.ts";
import { decode_batches, decode_record, type SourceBatch, type SourceMessage } from "../../src/ingest/mod.ts";
import { plan } from "../support/planning.ts";
import { days_in } from "../../src/kpi/mod.ts";
import { builtin, mapping_with } from "../support/trip_mapping.ts";
import { LIMITS, message, placed, TERMS } from "../support/trip_pipeline.ts";

const DOMAIN = trips_domain({ currency: "USD" });
const MAPPINGS = new Map([
  ["rides", builtin("ride_sharing")],
  ["ends", builtin("trip_end")],
  [
    "own",
    mapping_with({ fare: "fare" }, {
      events: [
        { type: "trip.started", at: "at", event_id: "start_id", data: { city: "city" } },
        { type: "trip.completed", at: "end", event_id: "end_id", data: { fare: "fare" } },
      ],
    }),
  ],
]);
const RIDE = { trip_id: "1f0c2a9b", duration_min: 31, fare_usd: 18.6, timestamp: "2026-03-01T10:30:00" };
const END = "2024-05-25 14:05:00,5.0,,0.1,40.5,0,,,c66ce556bc";

function batch(topic: string, messages: readonly SourceMessage[]): SourceBatch {
  return placed({ topic, partition: 3, from_offset: 0, next_offset: messages.length, messages });
}
const decode = (topic: string, ...values: unknown[]) =>
  decode_batches(DOMAIN, TERMS, [batch(topic, values.map((value, offset) => message(offset, value)))], MAPPINGS);
const fault_of = (topic: string, value: unknown) => {
  const [only, ...others] = decode(topic, value);
  assert.deepEqual(others, []);
  assert.ok(only !== undefined && "fault" in only.outcome, "it was admitted");
  return only.outcome.fault;
};
const plan_of = (decoded: ReturnType<typeof decode>) => {
  const planned = plan(DOMAIN, {
    decoded,
    streams: new Map(),
    stored: new Map(),
    days: days_in("UTC"),
    watermark_us: null,
  });
  const { messages_read, events, duplicates, quarantined, tombstones, skipped, late } = planned;
  assert.equal(messages_read, events.length + duplicates + quarantined.length + tombstones + skipped);
  return { messages_read, admitted: events.length, duplicates, quarantined, late };
};

Deno.test("mapped messages: one whose record the mapping skips is no event and no fault, and is planned among others", () => {
  const mappings = new Map([["own", mapping_with({ fare: "fare" }, { skip: { field: "fare", below: 0 } })]]);
  const at = "2026-03-01T10:30:00Z";
  const records = [{ fare: -1 }, { id: "T", at, fare: 1 }, { id: "T", at, fare: "-2" }, { at, fare: 1 }];
  const messages = records.map((record, offset) => message(offset, record));
  const decoded = decode_batches(DOMAIN, TERMS, [batch("own", messages)], mappings);
  assert.deepEqual(decoded[0]!.outcome, { no_event: "skipped" });
  const planned = plan(DOMAIN, {
    decoded,
    streams: new Map(),
    stored: new Map(),
    days: days_in("UTC"),
    watermark_us: null,
  });
  assert.deepEqual(planned.outcomes, ["skipped", "admitted", "skipped", "quarantined"]);
  assert.deepEqual([planned.messages_read, planned.skipped, planned.tombstones], [4, 2, 0]);
});

Deno.test("mapped messages: a NaN of Python's is a blank field; a bare event with one is no JSON", () => {
  const text = JSON.stringify({ ...RIDE, tip: 0 }).replace('"tip":0', '"tip":NaN,"x":-Infinity');
  assert.deepEqual(decode("rides", text).map(({ outcome }) => "event" in outcome), [true, true]);
  const ride = decode("rides", text.replace("18.6", "NaN"));
  assert.ok(ride.every(({ outcome }) => !("fault" in outcome) || outcome.fault.reason !== "malformed_json"));
  assert.equal(fault_of("bare", text).reason, "malformed_json");
});

Deno.test("mapped messages: one message becomes several events with its coordinates; a topic without a mapping stays as it is", () => {
  const decoded = decode("rides", RIDE, { ...RIDE, fare_usd: 20 });
  assert.deepEqual(
    decoded.map(({ message: { topic, partition, offset }, outcome }) => {
      assert.ok("event" in outcome);
      return [topic, partition, offset, outcome.event.type, outcome.metadata];
    }),
    [
      ["rides", 3, 0, "trip.started", '{"offset":0,"partition":3,"topic":"rides"}'],
      ["rides", 3, 0, "trip.completed", '{"offset":0,"partition":3,"topic":"rides"}'],
      ["rides", 3, 1, "trip.started", '{"offset":1,"partition":3,"topic":"rides"}'],
      ["rides", 3, 1, "trip.completed", '{"offset":1,"partition":3,"topic":"rides"}'],
    ],
  );
  const [other] = decode("trips", RIDE);
  assert.ok(other !== undefined && "fault" in other.outcome);
  assert.equal(other.outcome.fault.path, "event_id");
});

Deno.test("mapped messages: a CSV line where the mapping states its columns, or JSON", () => {
  for (const value of [END, `${END}\r\n`, END.replace("c66ce556bc", '"c66ce556bc"')]) {
    const [end] = decode("ends", value);
    assert.ok(end !== undefined && "event" in end.outcome);
    const { stream_id, payload } = end.outcome.event;
    assert.deepEqual([stream_id, (payload as TripPayload).distance_m], ["c66ce556bc", 161]);
  }
  const [json] = decode("ends", { trip_id: "x", dropoff_datetime: "2024-05-25 14:05:00", fare_amount: 1 });
  assert.ok(json !== undefined && "event" in json.outcome);
  assert.match(
    fault_of("ends", "a,b").detail,
    /^expected one CSV line with the 9 columns dropoff_datetime,.*, got 2 values$/,
  );
  assert.match(fault_of("ends", `${END}\n${END}`).detail, /got 2 lines$/);
  // With the quote it would be another trip, without it one that is there already.
  assert.match(fault_of("ends", END.replace("c66ce556bc", '"c66ce556bc')).detail, /got Quoted field unterminated$/);
  assert.match(fault_of("ends", END.replace("c66ce556bc", '"c66"ce"')).detail, /got Trailing quote on quoted field/);
  assert.equal(fault_of("rides", END).reason, "malformed_json");
  assert.equal(fault_of("rides", "[1]").reason, "not_an_object");
  const [twice] = decode("rides", JSON.stringify(JSON.stringify(RIDE)));
  assert.ok(twice !== undefined && "event" in twice.outcome);
  assert.equal(fault_of("rides", "x".repeat(LIMITS.max_message_bytes + 1)).reason, "too_large");
});

Deno.test("mapped messages: a fault in any event is one fault of the message, told by the record's field", () => {
  const cases: readonly (readonly [Record<string, unknown>, string, string, RegExp])[] = [
    [{ fare_usd: -1 }, "invalid_field", "fare_usd", /^expected an amount .*, got "-1\.000000"; fare_usd is -1$/],
    [{ city: { name: "Chicago" } }, "invalid_field", "city", /; city is an object$/],
    [
      { timestamp: "yesterday" },
      "invalid_record",
      "timestamp",
      /^expected a time such as .* in timestamp, got "yesterday"$/,
    ],
    [{ timestamp: "2030-01-01T00:00:00" }, "time_in_future", "timestamp", /; timestamp is "2030-01-01T00:00:00"$/],
    [{ trip_id: "x".repeat(300) }, "invalid_trip_id", "trip_id", /of at most 200 characters/],
    [{ driver_id: "\0" }, "text_not_storable", "driver_id", /without NUL/],
    // A path goes into the quarantine, which holds no more than the log.
    [{ 'a\0"b': 1 }, "text_not_storable", 'a\\u0000\\"b', /without NUL/],
    [{ "\ud800": 1 }, "text_not_storable", "\\ud800", /lone surrogates/],
    [{ 'a"b': "\0" }, "text_not_storable", 'a"b', /without NUL/],
  ];
  for (const [changes, reason, path, detail] of cases) {
    const fault = fault_of("rides", { ...RIDE, ...changes });
    assert.deepEqual([fault.reason, fault.path], [reason, path]);
    assert.match(fault.detail, detail);
  }
  const times = { at: "2026-03-01T09:00:00Z", end: "2026-03-01T10:00:00Z" };
  const unfit = fault_of("own", { id: "T", start_id: "s\0", end_id: "e", fare: 1, ...times });
  assert.deepEqual([unfit.reason, unfit.path], ["text_not_storable", "start_id"]);
});

Deno.test("mapped messages: one that comes again after a table changed is a duplicate; one that says something else is not", () => {
  const rows = new Map<string, Record<string, unknown>>([["D1", { vehicle_type: "van" }]]);
  const lookups = new Map([["drivers", rows]]);
  const context = { business_zone: "UTC", lookups };
  const data = { fare: "fare", vehicle_type: ["kind", { lookup: "drivers", key: "driver", take: "vehicle_type" }] };
  const again_after = (changes: Record<string, unknown>, said: Record<string, unknown>) => {
    rows.set("D1", { vehicle_type: "van" });
    const mapping = mapping_with(data, { lookups: { drivers: { key: "driver_id" } }, ...changes }, context);
    const topics = new Map([["hub", mapping]]);
    const record = { id: "T", e: "E", at: "2026-03-01T10:00:00Z", fare: 1, driver: "D1" };
    const first = decode_batches(DOMAIN, TERMS, [batch("hub", [message(0, record)])], topics);
    rows.set("D1", { vehicle_type: "suv" });
    const second = decode_batches(DOMAIN, TERMS, [batch("hub", [message(1, { ...record, ...said })])], topics);
    const decoded = [...first, ...second];
    const { admitted, duplicates, quarantined } = plan_of(decoded);
    assert.equal(new Set(decoded.map(({ outcome }) => "event" in outcome && outcome.event.stream_id)).size, 1);
    return [admitted, duplicates, quarantined.length];
  };
  const by_id = { events: [{ type: "trip.completed", at: "at", event_id: "e", data }] };
  assert.deepEqual(again_after({}, {}), [1, 1, 0], "its id is the hash of the record");
  assert.deepEqual(again_after(by_id, {}), [1, 1, 0]);
  assert.deepEqual(again_after(by_id, { fare: 2 }), [1, 0, 1]);
  assert.deepEqual(again_after(by_id, { at: "2026-03-01T10:00:01Z" }), [1, 0, 1]);
  const by_content = { events: [{ type: "trip.completed", at: "at", event_id: { hash: "event" }, data }] };
  assert.deepEqual(again_after(by_content, {}), [2, 0, 0], "a further event of the one trip");
  const without = { events: [{ type: "trip.completed", at: "at", event_id: "e", data: { fare: "fare", city: "c" } }] };
  assert.deepEqual(again_after(without, { c: "Rome" }), [1, 0, 1], "no table, no leniency");
});

Deno.test("mapped messages: each event has the future limit; the start of a trip that ends too late is not admitted alone", () => {
  const long = { ...RIDE, timestamp: "2026-03-01T13:30:00", duration_min: 300 };
  assert.equal(fault_of("rides", long).reason, "time_in_future");
});

Deno.test("mapped messages: what a message tells at once is late or in time as one, by its newest event", () => {
  const ride = (end: string, duration_min: number) => ({ ...RIDE, timestamp: `2026-03-01T${end}:00`, duration_min });
  const late = (...rides: unknown[]) => plan_of(decode("rides", ...rides)).late;
  // Each record comes when its trip is over, and tells the start then.
  assert.equal(late(ride("08:30", 30), ride("08:31", 60), ride("08:29", 55), ride("08:35", 5)), 0);
  const belated = ride("08:30", 10);
  assert.equal(late(ride("08:40", 30), belated, belated), 2, "both events of one, and of its repetition none");
});

/** Decodes one message of a topic by a mapping of the test's own. */
function decode_by(changes: Record<string, unknown>, data: Record<string, unknown>, given: Partial<SourceMessage>) {
  const mapping = mapping_with(data, { ...changes });
  const whole = { ...message(0, { at: "2026-03-01T10:00:00Z", fare: 1 }), ...given };
  const [only, ...others] = decode_batches(
    DOMAIN,
    TERMS,
    [batch("rides.berlin", [whole])],
    new Map([["rides.berlin", mapping]]),
  );
  assert.deepEqual(others, []);
  return only!.outcome;
}
const bytes = (text: string) => new TextEncoder().encode(text);
// deno-lint-ignore no-explicit-any -- ids, JSON, sentences
const told = (outcome: ReturnType<typeof decode_by>): any[] => {
  if ("event" in outcome) return [outcome.event.stream_id, JSON.parse(outcome.event.data)];
  return "fault" in outcome ? [outcome.fault.reason, outcome.fault.path, outcome.fault.detail] : [outcome.no_event];
};

Deno.test("mapped messages: key, headers, time and topic are fields of the record, as text or by a path into JSON", () => {
  const ids = (key: string | null, trip_id: unknown = "$key") =>
    told(decode_by({ trip_id }, { fare: "fare" }, { key: key === null ? null : bytes(key) }))[0];
  assert.equal(ids("T1"), "T1");
  assert.equal(ids('"T1"'), "T1", "what a JSON serializer makes of a text");
  assert.equal(ids("17"), "17");
  assert.equal(ids('{"trip":17952926683484610557}', "$key.trip"), "17952926683484610557");
  assert.equal(ids('{"a":[{"b":"T2"}]}', "$key.a[0].b"), "T2");
  assert.equal(ids('{"trip":"T3"}'), '{"trip":"T3"}');
  assert.equal(ids("T4", [{ join: ["$topic", "$key"], with: "/" }])?.slice(0, 15), "rides.berlin/T4");
  for (const [key, trip_id] of [[null, "$key"], ["T1", "$key.trip"], ["{", "$key.trip"], [" ", "$key"]] as const) {
    assert.equal(ids(key, trip_id), "invalid_record");
    assert.equal(ids(key, [trip_id, { constant: "else" }]), "else");
  }
  const headers = {
    city: bytes("Köln"),
    "trip.kind": bytes("vip"),
    meta: bytes('{"driver":{"id":"D1"}}'),
    paid: bytes('"Card"'),
    empty: bytes(""),
  };
  const data = {
    fare: "fare",
    city: "$header.city",
    trip_type: { from: "$header.trip.kind", table: { VIP: "V" } },
    driver_id: "$header.meta.driver.id",
    payment_method: "$header.paid",
    vendor_id: ["$header.empty", "$header.absent", "$header.__proto__", "$topic"],
  };
  const at = { from: "$timestamp", format: "epoch_ms" };
  const events = [{ type: "trip.completed", at, when: { field: "$header.paid", is: ["card"] }, data }];
  const timestamp_ms = Date.UTC(2026, 2, 1, 11, 30);
  const outcome = decode_by({ trip_id: "$key", events }, {}, { key: bytes("T5"), headers, timestamp_ms });
  assert.ok("event" in outcome);
  assert.equal(outcome.event.occurred_at_us, timestamp_ms * 1_000);
  assert.deepEqual(told(outcome), ["T5", {
    fare: 1,
    city: "Köln",
    trip_type: "V",
    driver_id: "D1",
    payment_method: "Card",
    vendor_id: "rides.berlin",
  }]);
  const [reason, path] = told(
    decode_by({ trip_id: "$key", events }, {}, { key: bytes("T5"), headers, timestamp_ms: -1 }),
  );
  assert.deepEqual([reason, path], ["invalid_record", "$timestamp"]);
});

Deno.test("mapped messages: hashes and what is kept are of the record alone, with or without fields of the message", () => {
  const value = { id: "T", at: "2026-03-01T10:00:00Z", fare: 1, note: "x" };
  const event_of = (trip_id: unknown, data: Record<string, unknown>) => {
    const events = [{ type: "trip.completed", at: "at", data, keep_rest: "source" }];
    const outcome = decode_by({ trip_id, events }, {}, { ...message(0, value), key: bytes("K") });
    assert.ok("event" in outcome);
    return outcome.event;
  };
  const without = event_of("id", { fare: "fare" }), by_key = event_of("$key", { fare: "fare", city: "$key" });
  assert.equal(by_key.event_id, without.event_id);
  assert.deepEqual(JSON.parse(without.data), { fare: 1, source: { note: "x" } });
  assert.deepEqual(JSON.parse(by_key.data), { city: "K", fare: 1, source: { id: "T", note: "x" } });
});

Deno.test("mapped messages: a key or header that is no text is a fault where it is read, and nothing where it is not", () => {
  const odd = [Uint8Array.of(0xff, 0xfe), Uint8Array.of(0, 0, 0, 1), new Uint8Array(1 << 20).fill(0xc0)];
  for (const key of odd) {
    const [reason, path, detail] = told(decode_by({ trip_id: "$key" }, { fare: "fare" }, { key }));
    assert.deepEqual([reason, path], ["invalid_record", "$key"]);
    assert.match(detail!, /^expected UTF-8 text without NUL in \$key, got "0x(fffe|00000001|(c0){25})"$/);
    assert.equal(told(decode_by({ trip_id: [{ constant: "T" }, "$key"] }, { fare: "fare" }, { key }))[0], "T");
    // Time is blank before the header is read; what is wrong with the event is told all the same.
    const events = [{
      type: "trip.completed",
      at: [{ from: "end", plus: { from: "$header.x", unit: "s" } }, "at"],
      data: { fare: "fare" },
    }];
    const late = message(0, { at: "2036-03-01T10:00:00Z", fare: 1 });
    const outcome = decode_by({ trip_id: [{ constant: "T" }], events }, {}, { ...late, headers: { x: key } });
    assert.ok("fault" in outcome);
    assert.deepEqual([outcome.fault.reason, outcome.fault.path], ["time_in_future", "$header.x"]);
  }
  const [reason] = told(decode_by({ trip_id: "$key" }, { fare: "fare" }, { key: bytes("k".repeat(1 << 20)) }));
  assert.equal(reason, "invalid_trip_id");
});

Deno.test("mapped messages: what a schema registry's serializer puts before JSON is passed over where the mapping says so", () => {
  const record = bytes(JSON.stringify({ id: "T", at: "2026-03-01T10:00:00Z", fare: 1 }));
  const framed = (...before: number[]) => Uint8Array.from([...before, ...record]);
  const confluent = [0, 0, 0, 1, 7], apicurio = [0, 0, 0, 0, 0, 0, 0, 0, 9], glue = [3, 0, ...Array(16).fill(0x7b)];
  const by = (value: Uint8Array, framing?: string, key: Uint8Array | null = null) =>
    told(
      decode_by({ ...framing === undefined ? {} : { framing }, trip_id: ["id", "$key"] }, { fare: "fare" }, {
        value,
        key,
      }),
    );
  for (const before of [confluent, apicurio, glue, []]) {
    assert.equal(by(framed(...before), "schema_registry")[0], "T");
    if (before.length === 0) continue;
    const [reason, path, detail] = by(framed(...before));
    assert.deepEqual([reason, path], ["unsupported_framing", null]);
    assert.match(detail!, /around JSON: a mapping with "framing": "schema_registry" reads it$/);
  }
  const keyed = Uint8Array.from([...confluent, ...bytes('{"at":"2026-03-01T10:00:00Z","fare":1}')]);
  assert.equal(by(keyed, "schema_registry", Uint8Array.from([...confluent, ...bytes('"K"')]))[0], "K");
  assert.equal(by(keyed, "schema_registry", bytes("K"))[0], "K");
  for (
    const [value, reason, detail] of [
      [Uint8Array.of(0, 0, 0, 0, 7), "unsupported_framing", /schema id 7\) around what is no JSON/],
      [Uint8Array.of(0, 0, 0, 0, 7, 2, 0x54), "unsupported_framing", /such as Avro or Protobuf/],
      [Uint8Array.of(0, 0, 0), "malformed_json", /expected JSON/],
      [framed(...confluent).subarray(0, 30), "malformed_json", /expected JSON/],
    ] as const
  ) {
    const outcome = by(value, "schema_registry");
    assert.equal(outcome[0], reason);
    assert.match(outcome[2]!, detail);
  }
});

Deno.test("mapped messages: Kafka Connect's envelope is taken off where the mapping says so; without a payload it is a tombstone", () => {
  const record = { id: "T", at: "2026-03-01T10:00:00Z", fare: 1 };
  const envelope = (payload: unknown) => message(0, { schema: { type: "struct" }, payload });
  const by = (framing: string | undefined, given: SourceMessage, trip_id: unknown = "id", data: unknown = "fare") =>
    told(decode_by({ ...framing === undefined ? {} : { framing }, trip_id }, { fare: data }, given));
  assert.equal((by("connect", envelope(record)))[0], "T");
  assert.equal((by("connect", message(0, record)))[0], "T");
  assert.deepEqual(by("connect", envelope(null)), ["tombstone"]);
  assert.equal((by("connect", envelope("x")))[0], "not_an_object");
  const keyed = (key: unknown, trip_id = "$key") =>
    by("connect", { ...envelope(record), key: bytes(typeof key === "string" ? key : JSON.stringify(key)) }, trip_id);
  assert.equal(keyed({ schema: { type: "string" }, payload: "K" })[0], "K");
  assert.equal(keyed({ schema: { type: "struct" }, payload: { trip: 7 } }, "$key.trip")[0], "7");
  assert.equal(keyed({ schema: null, payload: null })[0], "invalid_record");
  for (const plain of ["K", '{"trip":7}', '{"payload":']) assert.equal(keyed(plain)[0], plain);
  const of_file = { schema: {}, payload: record };
  const mapping = mapping_with({ fare: "fare" }, { framing: "connect" });
  assert.ok(decode_record(DOMAIN, TERMS, message(0, ""), mapping, of_file).ok);
  const [reason, , detail] = by(undefined, envelope(record));
  assert.equal(reason, "unsupported_framing");
  assert.match(detail!, /^expected a record for the mapping own, got a Kafka Connect envelope .*"framing": "connect"/);
  const data = { at: "payload.at", type: "trip.completed", data: { fare: "payload.fare" } };
  assert.equal(told(decode_by({ trip_id: "payload.id", events: [data] }, {}, envelope(record)))[0], "T");
});

Deno.test("mapped messages: a CloudEvent's data by path, however it is written; its attributes in headers too", () => {
  const cloud = { specversion: "1.0", subject: "T", time: "2026-03-01T10:00:00Z" };
  const data = JSON.stringify({ fare: 2, legs: [{ km: 3 }] });
  const events = [{
    type: "trip.completed",
    at: ["time", "$header.ce_time"],
    data: {
      fare: ["data.fare", "fare"],
      distance_km: ["data.legs[0].km", "legs[0].km"],
    },
  }];
  const by = (given: Partial<SourceMessage>) =>
    told(decode_by({ trip_id: ["subject", "$header.ce_subject"], events }, {}, given));
  const ways = [
    { data: JSON.parse(data) },
    { data },
    { data_base64: btoa(data) },
    { data: null, data_base64: btoa(data) },
  ];
  for (const way of ways) assert.deepEqual(by(message(0, { ...cloud, ...way })), ["T", { fare: 2, distance_km: 3 }]);
  // Also where its attributes are spelled otherwise than the mapping has them.
  for (const way of ways) {
    const { subject, ...others } = cloud;
    const changes = { trip_id: ["subject", "$header.ce_subject"], events, any_spelling: true };
    const outcome = decode_by(changes, {}, message(0, { ...others, Subject: subject, ...way }));
    assert.deepEqual(told(outcome), ["T", { fare: 2, distance_km: 3 }]);
  }
  const headers = Object.fromEntries(Object.entries(cloud).map(([name, text]) => [`ce_${name}`, bytes(text)]));
  assert.deepEqual(by({ value: bytes(data), headers }), ["T", { fare: 2, distance_km: 3 }]);
  assert.equal((by(message(0, { ...cloud, data_base64: "?" })))[0], "unsupported_content");
  const canceled = [{ type: "trip.canceled", at: "$header.ce_time", data: {} }];
  for (const value of [null, new Uint8Array()]) {
    assert.deepEqual(told(decode_by({ trip_id: "$header.ce_subject", events: canceled }, {}, { value, headers })), [
      "T",
      {},
    ]);
  }
  assert.deepEqual(by({ value: null }), ["tombstone"]);
});

Deno.test("mapped messages: read is what they were decoded into, admitted, duplicate or set aside", () => {
  const faulty = { ...RIDE, fare_usd: "x" };
  const { quarantined, late: _, ...counts } = plan_of(
    decode("rides", RIDE, faulty, RIDE, { ...RIDE, duration_min: "" }),
  );
  assert.deepEqual(counts, { messages_read: 6, admitted: 3, duplicates: 2 });
  assert.deepEqual(quarantined.map(({ offset, stage, path }) => [offset, stage, path]), [[1, "decode", "fare_usd"]]);
});

Deno.test("mapped messages: what the plan sets aside of one message is one row, for the first fault", () => {
  const own = (end_id: string, changes = {}) => ({
    id: "T",
    start_id: "s",
    end_id,
    at: "2026-03-01T09:00:00Z",
    end: "2026-03-01T10:00:00Z",
    fare: 1,
    ...changes,
  });
  const both = plan_of(
    decode("own", own("e"), own("e", { fare: 2, city: "Rome" }), own("e", { fare: 3, city: "Rome" })),
  );
  assert.deepEqual([both.messages_read, both.admitted], [4, 2]);
  assert.deepEqual(both.quarantined.map(({ offset, reason, detail }) => [offset, reason, detail.includes('"s"')]), [
    [1, "identity_conflict", true],
    [2, "identity_conflict", true],
  ]);
});

Deno.test("mapped messages: what the plan refuses one event of is set aside whole, and leaves the trip as it was", () => {
  const ride = (start_id: string, end_id: string, fare: number) => ({
    id: "T",
    start_id,
    end_id,
    at: "2026-03-01T09:00:00Z",
    end: "2026-03-01T10:00:00Z",
    fare,
  });
  // The start is new, the end is in the log with another fare; so the other way round; both have one id.
  for (const refused of [ride("s2", "e", 2), { ...ride("s", "e2", 1), city: "Rome" }, ride("x", "x", 1)]) {
    const { messages_read, admitted, duplicates, quarantined } = plan_of(decode("own", ride("s", "e", 1), refused));
    assert.deepEqual([messages_read, admitted, duplicates], [3, 2, 0]);
    assert.deepEqual(quarantined.map(({ offset, reason, stage }) => [offset, reason, stage]), [
      [1, "identity_conflict", "plan"],
    ]);
  }
  // An odd event comes first, so that there is room for one of the last two.
  const odd = { ...decode("own", ride("s", "e", 1))[0]!, message: message(1_000, {}) };
  const pairs = Array.from({ length: 500 }, (_, i) => ride(`s${i}`, `e${i}`, 1));
  const full = plan_of([odd, ...decode("own", ...pairs)]);
  assert.deepEqual([full.admitted, full.messages_read], [999, 1_000]);
  assert.deepEqual(full.quarantined.map(({ offset, reason }) => [offset, reason]), [[499, "stream_full"]]);
});
