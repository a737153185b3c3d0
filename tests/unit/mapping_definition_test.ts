import assert from "node:assert/strict";
import fc from "fast-check";
import { BUILTINS, parse_mapping } from "../support/trip_mapping.ts";

const CONTEXT = { business_zone: "UTC" };
const EVENT = { type: "trip.completed", at: "at", data: { fare: "fare" } };
const SOUND = { name: "own", trip_id: "id", events: [EVENT] };

function faults_of(definition: unknown): string[] {
  const parsed = parse_mapping(typeof definition === "string" ? definition : JSON.stringify(definition), CONTEXT);
  return parsed.ok ? [] : parsed.fault.detail.split("\n");
}
const NEGATIVE = { field: "fare", below: 0 };
/** Rows of which one condition makes rides, another what takes them back. */
const with_taken_back = (taken_back: unknown, rides: unknown, type = "trip.voided") => ({
  ...SOUND,
  events: [
    { ...SOUND.events[0]!, when: rides },
    { type, at: "at", when: taken_back, data: {} },
  ],
});
const NUMBERED = { number_equal_rows: true, trip_id: { hash: [{ from: "at", as: "time" }, "id"] } };
const with_data = (data: unknown) => ({ ...SOUND, events: [EVENT, { ...EVENT, data }] });
const with_event = (changes: Record<string, unknown>) => ({ ...SOUND, events: [{ ...EVENT, ...changes }] });

Deno.test("mapping definition: each fault is told with its exact place", () => {
  assert.deepEqual(faults_of(SOUND), []);
  const cases: readonly (readonly [unknown, string])[] = [
    [{ ...SOUND, name: "My mapping" }, "name: "],
    [{ ...SOUND, nmae: "x" }, "mapping: Unrecognized key"],
    [{ ...SOUND, zone: "Mars" }, 'zone: expected "business" or an IANA time zone'],
    [{ ...SOUND, events: [] }, "events: expected at least one event"],
    [{ ...SOUND, trip_id: [] }, "trip_id: "],
    [{ ...SOUND, trip_id: { join: ["a", { hash: "some" }] } }, "trip_id.join[1].hash: "],
    [{ ...SOUND, columns: [""] }, "columns[0]: "],
    [{ ...SOUND, recognise: { fields: ["a", [" "]] } }, "recognise.fields[1][0]: "],
    [{ ...SOUND, lookups: { "my zones": {} } }, 'lookups["my zones"].key: '],
    [with_event({ type: "" }), "events[0].type: "],
    [with_event({ at: { from: "at", format: "excel" } }), "events[0].at.format: "],
    [with_event({ at: ["a", { from: "b", plus: { from: "s", unit: "d" } }] }), "events[0].at[1].plus.unit: "],
    [with_event({ when: { field: "a" } }), "events[0].when: expected an object with"],
    [with_event({ when: { all: [{ field: "a", is: [{}] }] } }), "events[0].when.all[0].is[0]: expected text, a number"],
    [with_event({ when: { field: "a", below: "0" } }), "events[0].when.below: "],
    [with_event({ when: { field: "a", below: 0, is: [1] } }), "events[0].when: Unrecognized key"],
    [with_event({ when: { at_most: 0 } }), "events[0].when.field: "],
    [{ ...SOUND, blank: ["NA", " "] }, "blank[1]: expected text"],
    [{ ...SOUND, blank: [] }, "blank: "],
    [{ ...SOUND, skip: [] }, "skip: expected an object with"],
    [{ ...SOUND, skip: { field: "a", is: [] } }, "skip.is: "],
    [with_event({ at: { from: { join: ["a"] } } }), "events[0].at.from.join: expected at least two fields"],
    [with_event({ at: { from: ["a", { join: ["a", { from: "b" }] }] } }), "events[0].at.from[1].join[1]: "],
    [with_data({ fare: { from: { join: ["a", "b"], by: "-" } } }), "events[1].data.fare.from: Unrecognized key"],
    [{ ...SOUND, recognise: { fields: [{ join: ["a", "b"] }] } }, "recognise.fields[0]: "],
    [
      { ...with_event({ at: { from: { join: ["at", "of"] } } }), ...NUMBERED },
      'events[0].at: expected "number_equal_rows" with a trip_id that has at and of among',
    ],
    [with_event({ event_id: 7 }), "events[0].event_id: expected a field or"],
    [with_event({ keep_rest: "fare" }), "events[0].keep_rest: expected a name that the event has not"],
    [with_event({ keep_rest: "type" }), "events[0].keep_rest: expected a name that the event has not"],
    [with_data({ fare: 5 }), "events[1].data.fare: expected a field, a list of values, or"],
    [with_data({ fare: {} }), "events[1].data.fare: expected a field, a list of values, or"],
    [with_data({ fare: { from: "a", as: "mony" } }), "events[1].data.fare.as: "],
    [with_data({ fare: ["a", { from: [] }] }), "events[1].data.fare[1].from: expected at least one field"],
    [with_data({ fare: { from: "a", as: "money", unit: "km" } }), "events[1].data.fare: Unrecognized key"],
    [with_data({ fare: { from: "a", as: "distance", unit: "yd" } }), "events[1].data.fare.unit: "],
    [with_data({ fare: { from: "a", table: { x: [] } } }), "events[1].data.fare.table.x: "],
    [with_data({ fare: { from: "a", table: {}, else: "drop" } }), "events[1].data.fare.else: "],
    [with_data({ fare: { constant: null } }), "events[1].data.fare.constant: "],
    [
      with_data({ x: ["a", { lookup: "t", key: "a", take: "b" }] }),
      "events[1].data.x[1].lookup: expected a table that",
    ],
    [with_data({ occurred_at: "x" }), "events[1].data.occurred_at: expected the name of a data field"],
    [with_event({ event_id: { hash: "event", of: "x" } }), "events[0].event_id: Unrecognized key"],
    [{ ...SOUND, trip_id: { hash: ["a", { from: "b", as: "money" }] } }, "trip_id.hash[1].as: "],
    [{ ...SOUND, trip_id: { hash: ["a", { from: "b", as: "code", table: {} }] } }, "trip_id.hash[1]: Unrecognized key"],
    [{ ...SOUND, number_equal_rows: true }, 'events[0].at: expected "number_equal_rows" with a trip_id that has at'],
    [
      { ...with_event({ at: { from: "at", plus: { from: "s", unit: "s" } } }), ...NUMBERED },
      "events[0].at: expected",
    ],
    [{ ...SOUND, ...NUMBERED, trip_id: [NUMBERED.trip_id, "id"] }, "trip_id: expected one way to the id"],
    [{ ...SOUND, framing: "avro" }, "framing: "],
    [{ ...SOUND, trip_id: "$headers.x" }, "trip_id: expected $key, $key.PATH, $header.NAME, $timestamp or $topic"],
    [{ ...SOUND, trip_id: "$header" }, "trip_id: expected $key"],
    [with_event({ when: { field: "$Key", is: [1] } }), "events[0].when.field: expected $key"],
    [5, "mapping: "],
  ];
  for (const trip_id of [NUMBERED.trip_id, { hash: "all" }, { join: ["at", "b"] }, { hash: ["at", "b"] }]) {
    assert.deepEqual(faults_of({ ...SOUND, number_equal_rows: true, trip_id }), []);
  }
  const at = { from: { join: ["day", "hour"] } };
  for (const trip_id of [{ hash: ["hour", "day"] }, { hash: [{ ...at, as: "time" }] }, at]) {
    assert.deepEqual(faults_of({ ...with_event({ at }), number_equal_rows: true, trip_id }), []);
  }
  const rides = { all: [{ not: NEGATIVE }, { field: "id", known: true }] };
  assert.deepEqual(faults_of({ ...with_taken_back(NEGATIVE, rides), ...NUMBERED }), []);
  assert.deepEqual(faults_of({ ...with_event({ when: NEGATIVE }), ...NUMBERED }), [], "other rows make nothing");
  const either = { any: [{ field: ["a", "b"], is: [1] }] };
  const unnumbered: [unknown, string[]][] = [
    [with_taken_back(either, { known: true, field: "at" }), ["events[1].when a or b"]],
    [with_taken_back(NEGATIVE, { not: { ...NEGATIVE, below: 1 } }), ["events[0].when fare", "events[1].when fare"]],
    [
      with_taken_back(NEGATIVE, { not: NEGATIVE }, "trip.completed"),
      ["events[0].when fare", "events[1].when fare"],
    ],
  ];
  for (const [definition, wanted] of unnumbered) {
    const said = faults_of({ ...definition as typeof SOUND, ...NUMBERED });
    const told = said.map((fault) => fault.replace(/: expected .* that has (.*) among its fields$/, " $1"));
    assert.deepEqual(told, wanted);
  }
  for (const [definition, wanted] of cases) {
    const faults = faults_of(definition);
    assert.equal(faults.length, 1, `${JSON.stringify(definition)}: ${faults.join("; ")}`);
    assert.ok(faults[0]!.startsWith(wanted), `${faults[0]} for ${wanted}`);
  }
});

Deno.test("mapping definition: all faults at once; the first is the path", () => {
  const parsed = parse_mapping(
    JSON.stringify({ ...with_data({ a: 1, b: { lookup: "t", key: "k", take: "x" } }), name: "A" }),
    CONTEXT,
  );
  assert.ok(!parsed.ok);
  assert.equal(parsed.fault.path, "name");
  assert.deepEqual(parsed.fault.detail.split("\n").map((line) => line.split(":")[0]), [
    "name",
    "events[1].data.a",
    "events[1].data.b.lookup",
  ]);
});

Deno.test("mapping definition: one that nests without end is refused in words", () => {
  for (const levels of [100, 100_000]) {
    const not = '{"not":'.repeat(levels) + "{}" + "}".repeat(levels);
    const list = "[".repeat(levels) + '"a"' + "]".repeat(levels);
    for (const [word, deep] of [["skip", not], ["trip_id", list]]) {
      assert.deepEqual(faults_of(`${JSON.stringify(SOUND).slice(0, -1)},"${word}":${deep}}`), [
        "mapping: expected at most 64 levels of nesting",
      ]);
    }
  }
});

Deno.test("mapping definition: whatever JSON it is, it is read or refused", () => {
  const condition = fc.letrec((tie) => ({
    any: fc.oneof(
      fc.record({
        field: fc.constantFrom("id", ["a", { join: ["id", "id"] }], 5),
        below: fc.oneof(fc.double(), fc.string()),
      }),
      fc.record({ field: fc.constant("id"), is: fc.array(fc.jsonValue({ maxDepth: 0 })) }),
      fc.record({ not: tie("any") }),
      fc.record({ all: fc.array(tie("any")) }),
    ),
  })).any;
  const time = fc.record({
    from: fc.constantFrom("id", { join: ["id", "id"] }, { join: [] }),
    format: fc.oneof(
      fc.constantFrom("iso", "us", "epoch_s", ["us", "epoch_ms"]),
      fc.string({ unit: fc.constantFrom(..."YMDHhmsSaZT'-. \\[(") }),
    ),
    zone: fc.constantFrom("UTC", "business", "Mars"),
  }, { requiredKeys: ["from"] });
  const given = fc.constantFrom("id", ["a"], { from: "a" }, { constant: 1 }, { hash: "all" });
  const part = fc.oneof(fc.jsonValue(), given, condition, time);
  const wild = fc.record({
    name: fc.constant("own"),
    trip_id: part,
    lookups: part,
    skip: part,
    blank: fc.oneof(part, fc.array(fc.string())),
    decimal: fc.constantFrom(".", ",", "comma"),
    zone: part,
    events: fc.array(
      fc.record({
        type: part,
        at: part,
        when: part,
        data: fc.oneof(part, fc.dictionary(fc.string(), part)),
        keep_rest: part,
      }, {
        requiredKeys: [],
      }),
      { maxLength: 2 },
    ),
  }, { requiredKeys: [] });
  fc.assert(
    fc.property(fc.oneof(wild, fc.jsonValue()), (definition) => {
      const parsed = parse_mapping(JSON.stringify(definition), CONTEXT);
      if (!parsed.ok) assert.match(parsed.fault.detail, /^[a-z].*: ./s);
      else for (const id of ["T", " -5,0 ", "2026-03-01 10:00", null, [{}]]) parsed.value.map({ id });
    }),
    { numRuns: 500 },
  );
});

Deno.test("mapping definition: the JSON of every built-in makes the same mapping again", () => {
  for (const { json, name } of BUILTINS) {
    const parsed = parse_mapping(json, CONTEXT);
    assert.ok(parsed.ok, name);
    assert.equal(parsed.value.name, name);
  }
});
