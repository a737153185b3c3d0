import assert from "node:assert/strict";
import { trips_domain } from "../../src/domains/trips/mod.ts";
import { decode_batches, plan, type SourceBatch, type SourceMessage } from "../../src/ingest/mod.ts";
import { days_in } from "../../src/kpi/mod.ts";
import { builtin, mapping_with } from "../support/trip_mapping.ts";
import { LIMITS, message, TERMS } from "../support/trip_pipeline.ts";

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
  return { topic, partition: 3, from_offset: 0, next_offset: messages.length, messages };
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
  const { messages_read, events, duplicates, quarantined, late } = planned;
  assert.equal(messages_read, events.length + duplicates + quarantined.length);
  return { messages_read, admitted: events.length, duplicates, quarantined, late };
};

Deno.test("mapped messages: one message becomes several events with its coordinates; a topic without a mapping stays as it is", () => {
  const decoded = decode("rides", RIDE, { ...RIDE, fare_usd: 20 });
  assert.deepEqual(
    decoded.map(({ topic, partition, message: { offset }, outcome }) => {
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
    assert.deepEqual([end.outcome.event.stream_id, end.outcome.event.payload.distance_m], ["c66ce556bc", 161]);
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
  assert.equal(fault_of("rides", "x".repeat(LIMITS.max_message_bytes + 1)).reason, "too_large");
});

Deno.test("mapped messages: a fault in any event is one fault of the message, told by the record's field", () => {
  const cases: readonly (readonly [Record<string, unknown>, string, string, RegExp])[] = [
    [{ fare_usd: -1 }, "invalid_field", "fare_usd", /^expected an amount .*, got "-1\.000000"; fare_usd is -1$/],
    [{ fare_usd: "" }, "invalid_field", "fare_usd", /fare/],
    [{ fare_usd: undefined }, "missing_field", "fare_usd", /^expected fare, which trip\.completed requires/],
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
