import assert from "node:assert/strict";
import { person_fields } from "../../src/domains/mod.ts";
import { TRIPS } from "../../src/domains/trips/mod.ts";
import type { SourceMessage } from "../../src/ingest/mod.ts";
import { names_person } from "../../src/verbs/forget.ts";
import { builtin } from "../support/trip_mapping.ts";

/** Whether a faulty message names a person. */

const encoder = new TextEncoder();
const bytes = (text: string) => encoder.encode(text);
const message = (value: Uint8Array | string | null, more: Partial<SourceMessage> = {}): SourceMessage => ({
  topic: "trips",
  partition: 0,
  offset: 0,
  key: null,
  headers: {},
  timestamp_ms: 0,
  ...more,
  value: typeof value === "string" ? bytes(value) : value,
});
const passengers = person_fields(TRIPS.fields).filter(({ dimension }) => dimension === "passenger");
const mappings = new Map([["rides", builtin("ride_sharing")], ["ends", builtin("trip_end")]]);
const naming = (id: string) => names_person(TRIPS, passengers, id, mappings);

Deno.test("a message names a person wherever its id stands as a word, also in what is broken or wrapped", () => {
  const names = naming("P-17");
  const inner = JSON.stringify({ passenger_id: "P-17" });
  const named: readonly SourceMessage[] = [
    message(inner),
    message('{"passenger_id":"P-17","fare":'),
    message('{"passenger_id":"P\\u002d17","fare":'),
    message('{"passenger_id":"P\\u002d17"}'),
    message(JSON.stringify({ deep: [{ user: "P-17" }], note: "of P-17, again" })),
    message(JSON.stringify({ payload: inner })),
    message(JSON.stringify({ data_base64: btoa(inner) })),
    message("a,P-17,b"),
    message(new Uint8Array([0, 8, ...bytes("P-17"), 255])),
    message(null, { key: bytes("P-17") }),
    message("x", { headers: { "ce-passenger": bytes("P-17") } }),
  ];
  for (const [i, each] of named.entries()) assert.ok(names(each), `${i}`);
  const others = ["P-170", "XP-17", "P-17-2", "P_17", "17", "P-1"].map((id) => JSON.stringify({ passenger_id: id }));
  for (const value of [...others, "P-170,P-171", "", '{"passenger_id":"P-171"']) {
    assert.ok(!names(message(value)), value);
  }
});

Deno.test("an id of digits alone is looked for under the names that events and mappings have for the person", () => {
  const names = naming("17");
  for (
    const value of [
      '{"passenger_id":17}',
      '{"passenger_id":"17"}',
      '{"x":{"passenger_id":17}}',
      "a,17,b",
      '{"passenger_id":17,',
    ]
  ) assert.ok(names(message(value)), value);
  for (const value of ['{"duration_min":17}', '{"passenger_id":170}', '{"trip_id":"17"}', '{"driver_id":17}', "170"]) {
    assert.ok(!names(message(value)), value);
  }
  const ride = { trip_id: "1f", fare_usd: 1, timestamp: "yesterday", passenger_id: "17" };
  assert.ok(names(message(JSON.stringify(ride), { topic: "rides" })));
  assert.ok(!names(message(JSON.stringify({ ...ride, passenger_id: "18", fare_usd: 17 }), { topic: "rides" })));
});
