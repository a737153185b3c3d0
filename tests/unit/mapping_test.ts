import assert from "node:assert/strict";
import fc from "fast-check";
import { ExactNumber, parse_json } from "../../src/domains/mod.ts";
import { type MappingContext, with_message } from "../../src/mapping/mod.ts";
import { TRIPS } from "../../src/domains/trips/mod.ts";
import { EventTimes, FileAccount, RowEvents } from "../../src/replay/mod.ts";
import { builtin, BUILTINS, index_lookup, mapping_with } from "../support/trip_mapping.ts";

const AT = "2026-03-01T10:00:00Z";

/** What one value form reads from a record. */
function read(form: unknown, record: Record<string, unknown>, changes = {}, context?: MappingContext): unknown {
  const mapped = mapping_with({ x: form }, changes, context).map({ id: "T", at: AT, ...record });
  return mapped.ok ? mapped.value[0]!.x : mapped.fault;
}
const fault = (path: string, detail: string) => ({ reason: "invalid_record", path, detail });

Deno.test("mapping: fields by name, path and alternatives; as they stand without a reading", () => {
  const record = { a: { b: [{ c: "deep" }] }, "a.x": "column", blank: " ", flag: false, n: 5 };
  assert.equal(read("a.b[0].c", record), "deep");
  assert.equal(read("a.x", record), "column");
  assert.equal(read("a.b[1].c", record), undefined);
  assert.equal(read("constructor.name", record), undefined);
  assert.equal(read({ from: ["none", "blank", "n"] }, record), 5);
  assert.equal(read("blank", record), " ");
  assert.equal(read(["blank", "none", { constant: "fallback" }], record), "fallback");
  assert.equal(read("flag", record), false);
  assert.equal(read({ from: "blank", as: "number" }, record), null);
  assert.equal(read({ from: "none", as: "number" }, record), undefined);
});

Deno.test("mapping: a place in a list counts from its end too, and only in a list", () => {
  const record = {
    legs: [{ km: 1 }, { km: 2 }, { km: 3 }],
    none: [],
    of: { "-1": "member" },
    text: "abc",
    "legs[-1]": 7,
  };
  assert.equal(read("legs[-1].km", record), 3);
  assert.equal(read("legs.-3.km", record), 1);
  assert.equal(read("legs[-1]", record), 7, "a column of that name goes first");
  assert.equal(read("of[-1]", record), "member");
  for (const path of ["legs[-4].km", "none[-1]", "text[-1]", "legs[-x]", "legs[--1]", "legs[-1.5]"]) {
    assert.equal(read(path, record), undefined, path);
  }
});

Deno.test("mapping: fields are joined wherever one may stand, unknown where any of them is", () => {
  const record = { date: " 2026-03-01 ", time: "10:05:00", hour: 7, blank: " ", list: [1], code: "card" };
  const joined = (...join: string[]) => ({ join });
  assert.equal(read({ from: joined("date", "time"), as: "text" }, record), "2026-03-01 10:05:00");
  assert.equal(read({ from: { join: ["code", "hour"], with: "-" } }, record), "card-7");
  assert.equal(read({ from: [joined("date", "blank"), joined("date", "gone"), "hour"] }, record), 7);
  assert.equal(read({ from: joined("date", "gone"), as: "text" }, record), undefined);
  assert.deepEqual(
    read({ from: joined("date", "list"), as: "text" }, record),
    fault("date and list", "expected text or a number in date and list, got a list"),
  );
  assert.equal(read({ from: joined("code", "hour"), table: { "card 7": "seven" } }, record), "seven");
  const at = { from: joined("date", "time") };
  const event = { type: "trip.completed", data: {}, keep_rest: "rest" };
  const changes = { zone: "UTC", trip_id: { from: { join: ["code", "hour"], with: "/" } } };
  const mapping = mapping_with({}, {
    ...changes,
    events: [{ ...event, at, when: { field: joined("code", "hour"), is: ["CARD 7"] } }],
  });
  const mapped = mapping.map(record);
  assert.ok(mapped.ok, JSON.stringify(mapped));
  const { event_id, ...said } = mapped.value[0]!;
  assert.deepEqual(said, {
    trip_id: "card/7",
    type: "trip.completed",
    occurred_at: "2026-03-01T10:05:00.000000Z",
    rest: { list: [1] },
  }, String(event_id));
  assert.deepEqual(mapping.source_of(record, "trip.completed", "occurred_at"), {
    field: "date and time",
    value: "2026-03-01 10:05:00",
  });
  const index = new Map([["card 7", { kind: "SUV" }]]);
  const lookup = { lookup: "drivers", key: joined("code", "hour"), take: "kind" };
  const context = { business_zone: "UTC", lookups: new Map([["drivers", index]]) };
  assert.equal(read(lookup, record, { lookups: { drivers: { key: "id" } } }, context), "SUV");
});

Deno.test("mapping: what only files have becomes JSON: dates, big integers, NaN", () => {
  assert.equal(read("d", { d: new Date(AT) }), "2026-03-01T10:00:00.000Z");
  assert.equal(read("d", { d: 7n }), 7);
  assert.deepEqual(read("d", { d: 2n ** 60n }), new ExactNumber("1152921504606846976"));
  assert.deepEqual(read("d", { d: { list: [1n, Number.NaN] } }), { list: [1, null] });
  assert.equal(read({ from: ["d", "e"] }, { d: Number.NaN, e: 1 }), 1);
  assert.equal(read({ from: "d", as: "number" }, { d: Number.NaN }), null);
});

Deno.test("mapping: numbers, money, codes, distances and durations", () => {
  const as = (form: Record<string, unknown>, value: unknown) => read({ from: "v", ...form }, { v: value });
  assert.equal(as({ as: "number" }, " -1.5e2 "), -150);
  assert.equal(as({ as: "code" }, "5.0"), "5");
  assert.equal(as({ as: "code" }, 10), "10");
  assert.equal(as({ as: "text" }, 10), "10");
  assert.equal(as({ as: "money" }, "18.60"), "18.600000");
  assert.equal(as({ as: "money" }, 40.09620692463166), "40.096207");
  assert.equal(as({ as: "money" }, "40.0962065"), "40.096207");
  assert.equal(as({ as: "money" }, "999999999999.123456"), "999999999999.123456");
  assert.equal(as({ as: "money", per: 100 }, 1999), "19.990000");
  assert.equal(as({ as: "money" }, "-3"), "-3.000000");
  assert.equal(as({ as: "distance", unit: "mi" }, "2"), 3.218688);
  assert.equal(as({ as: "distance", unit: "m" }, 1234), 1.234);
  assert.equal(as({ as: "distance", unit: "km" }, 1.6), 1.6);
  for (const [unit, minutes] of [["ms", 0.002], ["s", 2], ["min", 120], ["h", 7200]] as const) {
    assert.equal(as({ as: "duration", unit }, 120), minutes, unit);
  }
  assert.deepEqual(as({ as: "money" }, "0x10"), fault("v", 'expected an amount in v, got "0x10"'));
  assert.deepEqual(as({ as: "number" }, true), fault("v", "expected a number in v, got true"));
  assert.deepEqual(as({ as: "number" }, [1]), fault("v", "expected a number in v, got a list"));
});

Deno.test("mapping: tables keep, forget or refuse what they have not", () => {
  const table = { Card: "card", "5": "", cash: null };
  const through = (value: unknown, form = {}) => read({ from: "v", as: "code", table, ...form }, { v: value });
  assert.equal(through(" CARD "), "card");
  assert.equal(through("5.0"), "");
  assert.equal(through("cash"), null);
  assert.equal(through("Voucher"), "Voucher");
  assert.equal(through("Voucher", { else: "unknown" }), null);
  assert.deepEqual(
    through("Voucher", { else: "quarantine" }),
    fault("v", 'expected one of 5, Card, cash in v, got "Voucher"'),
  );
});

Deno.test("mapping: times with and without zone, in the formats that are stated", () => {
  const at = (value: unknown, form: Record<string, unknown> = {}, changes = {}) =>
    read({ from: "v", as: "time", ...form }, { v: value }, changes);
  assert.equal(at("2026-03-01 10:00:00.1234567+02:00"), "2026-03-01T08:00:00.123456Z");
  assert.deepEqual(
    at("2026-03-01 10:00:00"),
    fault("v", 'expected a time with zone, since the mapping states none, in v, got "2026-03-01 10:00:00"'),
  );
  assert.equal(at("2026-03-01 10:00:00", {}, { zone: "business" }), "2026-03-01T15:00:00.000000Z");
  assert.equal(at("2026-03-01 10:00:00", { zone: "Europe/Berlin" }, { zone: "UTC" }), "2026-03-01T09:00:00.000000Z");
  // The clocks jump over 2 o'clock, and show 1 o'clock twice.
  assert.equal(at("2026-03-08T02:30:00", { zone: "business" }), "2026-03-08T07:30:00.000000Z");
  assert.equal(at("2026-11-01T01:30:00", { zone: "business" }), "2026-11-01T05:30:00.000000Z");
  for (
    const [text, wanted] of [
      ["3/1/2026 1:05:06 PM", "2026-03-01T13:05:06.000000Z"],
      ["03/01/2026 12:05 am", "2026-03-01T00:05:00.000000Z"],
      ["3/1/2026, 23:05", "2026-03-01T23:05:00.000000Z"],
    ]
  ) assert.equal(at(text, { format: "us", zone: "UTC" }), wanted);
  for (const text of ["13/1/2026 1:05 PM", "3/1/2026 13:05 PM", "2026-03-01 10:00:00"]) {
    assert.equal((at(text, { format: "us", zone: "UTC" }) as { path: string }).path, "v", text);
  }
  assert.equal(at("1772359200", { format: "epoch_s" }), "2026-03-01T10:00:00.000000Z");
  assert.equal(at(1772359200123, { format: "epoch_ms" }), "2026-03-01T10:00:00.123000Z");
  assert.equal(at(1772359200123456, { format: "epoch_us" }), "2026-03-01T10:00:00.123456Z");
  assert.equal(at(AT, { plus: { from: "d", unit: "min" } }), null, "an unknown distance makes the time unknown");
  assert.deepEqual(
    at(1e15, { format: "epoch_s" }),
    fault("v", "expected a time in the years 1900 to 2254 in v, got 1000000000000000"),
  );
});

Deno.test("mapping: a lookup enriches; what it has not is unknown", () => {
  const lookups = new Map([[
    "drivers",
    index_lookup([{ driver_id: 7, kind: "SUV" }, { driver_id: " ", kind: "no" }], "driver_id"),
  ]]);
  const changes = { lookups: { drivers: { key: "driver_id" } } };
  const form = { lookup: "drivers", key: "driver", take: "kind", table: { suv: "suv" } };
  const context = { business_zone: "UTC", lookups };
  assert.equal(read(form, { driver: "7" }, changes, context), "suv");
  assert.equal(read(form, { driver: 7 }, changes, context), "suv");
  for (const driver of ["8", " ", undefined]) assert.equal(read(form, { driver }, changes, context), undefined);
  assert.equal(read(form, { driver: 7 }, changes), undefined, "without the table");
  const required = { lookups: { drivers: { key: "driver_id", required: true } } };
  assert.throws(
    () => read(form, {}, required),
    /lookups\.drivers: expected a table with the column driver_id, got none/,
  );
});

Deno.test("mapping: ids from fields, joined, or hashed; an equal record is the same event", () => {
  const event = (record: Record<string, unknown>, trip_id: unknown, event_id?: unknown) => {
    const events = [{ type: "trip.started", at: "at", data: {}, ...(event_id === undefined ? {} : { event_id }) }];
    const mapped = mapping_with({}, { trip_id, events }).map({ at: AT, ...record });
    return mapped.ok ? mapped.value[0]! : mapped.fault;
  };
  const id = (record: Record<string, unknown>, trip_id: unknown) =>
    (event(record, trip_id) as { trip_id: string }).trip_id;
  assert.equal(id({ a: 1, b: "x" }, { join: ["a", "b"], with: "/" }), "1/x");
  assert.equal(id({ b: "x" }, [{ join: ["a", "b"] }, { join: [{ constant: "only" }, "b"] }]), "only-x");
  assert.equal(
    id({ a: 1, b: 2 }, { hash: "all" }),
    id({ b: 2, a: 1 }, { hash: "all" }),
    "whatever the order of fields",
  );
  assert.notEqual(id({ a: 1, b: 2 }, { hash: "all" }), id({ a: 1, b: 3 }, { hash: "all" }));
  assert.equal(id({ a: 1, b: 2 }, { hash: ["a"] }), id({ a: "1", b: 3 }, { hash: ["a"] }));
  assert.notEqual(id({ a: new Date(1) }, { hash: "all" }), id({ a: new Date(2) }, { hash: "all" }));
  assert.notEqual(id({ a: 2n ** 60n }, { hash: "all" }), id({ a: 2n ** 61n }, { hash: "all" }));
  assert.match(id({ a: 1 }, { hash: "all", prefix: "taxi-" }), /^taxi-[0-9a-f]{24}$/);
  assert.deepEqual(event({ b: 1 }, "a"), fault("a", "expected what the trip id is made from in a, got nothing"));

  const twice = [event({ id: 1 }, "id"), event({ id: 1 }, "id"), event({ id: 1, more: 2 }, "id")] as {
    event_id: string;
  }[];
  assert.equal(twice[0]!.event_id, twice[1]!.event_id);
  assert.notEqual(twice[0]!.event_id, twice[2]!.event_id);
  assert.match(twice[0]!.event_id, /-trip\.started$/, "several events of one record have different ids");
  assert.equal((event({ id: 1, key: "k" }, "id", "key") as { event_id: string }).event_id, "k");
});

Deno.test("mapping: different fields never come to one id, wherever texts are put together", () => {
  const id = (trip_id: unknown, a: unknown, b: unknown) => {
    const mapped = mapping_with({}, { trip_id, events: [{ type: "trip.started", at: "at", data: {} }] })
      .map({ at: AT, a, b });
    assert.ok(mapped.ok, JSON.stringify(mapped));
    return mapped.value[0]!.trip_id as string;
  };
  const read = { hash: [{ from: "a", as: "text" }, { from: ["b", "c"], as: "text" }] };
  const joins = [
    { join: ["a", "b"] },
    { join: ["a", "b"], with: "" },
    { join: ["a", "b"], with: "--" },
    { join: ["a", { constant: "x" }, "b"] },
    { join: [{ from: "a" }, "b", { hash: ["a"] }] },
  ];
  for (const form of [{ hash: ["a", "b"] }, read, { join: [{ hash: ["a", "b"] }, "a"] }, ...joins]) {
    const texts = [
      "",
      "a",
      "b",
      "ab",
      "-",
      "a-",
      "-b",
      "--",
      "a--b",
      "a-b-c",
      "\u001f",
      "a\u001f",
      "\u001fb",
      '["a","b"]',
    ];
    const met = new Map<string, string>();
    for (const a of texts.slice("join" in form ? 1 : 0)) {
      for (const b of texts.slice("join" in form || form === read ? 1 : 0)) {
        const fields = JSON.stringify([a, b]);
        const made = id(form, a, b);
        assert.equal(met.get(made) ?? fields, fields, `both ${made} by ${JSON.stringify(form)}`);
        met.set(made, fields);
      }
    }
  }
  assert.notEqual(id({ hash: ["a", "b"] }, "ab", "c"), id({ hash: ["a", "b"] }, "a", "bc"));
  // What the divider tells apart by itself stays readable, as ids in logs are.
  assert.equal(id({ join: ["a", "b"] }, "ab", 7), "ab-7");
  assert.match(id({ join: ["a", "b"] }, "a-b", 7), /^a-b-7-[0-9a-f]{24}$/);
  assert.equal(id({ join: [{ constant: "t-" }, "a"], with: "" }, "a-b", 7), "t-a-b", "one field alone needs no help");
});

Deno.test("mapping: a hash of readings is one however files write the values; digits are kept", () => {
  const trip_id = {
    hash: [
      { from: ["when", "at"], as: "time" },
      { from: "code", as: "code" },
      { from: ["number", "Number"], as: "number" },
    ],
    prefix: "p-",
  };
  const mapping = mapping_with({}, { trip_id, zone: "UTC", events: [{ type: "trip.started", at: "at", data: {} }] });
  const id = (record: Record<string, unknown>) => {
    const mapped = mapping.map({ at: AT, ...record });
    assert.ok(mapped.ok, JSON.stringify(mapped));
    return mapped.value[0]!.trip_id;
  };
  const one = id({ when: "2024-03-05 09:00:00", code: "1.0", number: "1.60" });
  assert.match(String(one), /^p-[0-9a-f]{24}$/);
  for (
    const same of [
      { when: "2024-03-05T09:00:00.000000Z", code: 1, number: 1.6 },
      { when: "2024-03-05T10:00:00+01:00", code: "1", Number: "+1.6", number: "", more: 5 },
    ]
  ) assert.equal(id(same), one, JSON.stringify(same));
  const others = [
    { when: "2024-03-05 09:00:00.000001", code: 1, number: 1.6 },
    { when: "2024-03-05 09:00:00", code: "", number: 1.6 },
    { when: "2024-03-05 09:00:00", code: 1, number: 1.7 },
    { when: "2024-03-05 09:00:00", code: 1.6, number: 1 },
    { when: "2024-03-05 09:00:00", code: 1, number: "9007199254740993" },
    { when: "2024-03-05 09:00:00", code: 1, number: 9007199254740992n },
  ];
  assert.equal(new Set([one, ...others.map(id)]).size, others.length + 1);
  const refused = mapping.map({ at: AT, number: "many" });
  assert.ok(!refused.ok);
  assert.equal(refused.fault.path, "number");
});

Deno.test("mapping: an event known by what it says is the same whether numbers came as text; it is another with one field more", () => {
  const event = { type: "trip.completed", at: "at", event_id: { hash: "event", prefix: "e-" }, data: { fare: "fare" } };
  const mapping = mapping_with({}, { events: [{ ...event, keep_rest: "rest" }] });
  const of = (record: Record<string, unknown>) => {
    const mapped = mapping.map({ id: "T", at: AT, ...record });
    assert.ok(mapped.ok);
    return mapped.value[0]!;
  };
  const text = of({ fare: "5", toll: "6.50", flag: "N", code: "007", long: "1234567890.1234567890", none: "" });
  assert.deepEqual(text.rest, { toll: 6.5, flag: "N", code: "007", long: "1234567890.1234567890" });
  assert.deepEqual(of({ fare: "5", toll: 6.5, flag: "N", code: "007", long: "1234567890.1234567890" }), text);
  assert.match(String(text.event_id), /^e-[0-9a-f]{24}-trip\.completed$/);
  assert.notEqual(of({ fare: "6" }).event_id, of({ fare: "5" }).event_id);
  assert.notEqual(of({ fare: "5", more: 1 }).event_id, of({ fare: "5" }).event_id);
});

Deno.test("mapping: events by condition, in the order of their times; none is a fault", () => {
  const events = [
    { type: "trip.completed", at: "at", when: { field: "status", is: ["done", null] }, data: {} },
    {
      type: "trip.started",
      at: { from: "at", minus: { from: "s", unit: "s" } },
      when: { field: "s", known: true },
      data: {},
    },
    {
      type: "trip.canceled",
      at: "at",
      when: { all: [{ field: "status", is_not: ["done", null] }, { any: [{ field: "why", known: true }] }] },
      data: {},
    },
  ];
  const types = (record: Record<string, unknown>) => {
    const mapped = mapping_with({}, { events }).map({ id: "T", at: AT, ...record });
    return mapped.ok ? mapped.value.map(({ type, occurred_at }) => [type, occurred_at]) : mapped.fault;
  };
  assert.deepEqual(types({ status: "DONE ", s: 90 }), [
    ["trip.started", "2026-03-01T09:58:30.000000Z"],
    ["trip.completed", "2026-03-01T10:00:00.000000Z"],
  ]);
  assert.deepEqual(types({}), [["trip.completed", "2026-03-01T10:00:00.000000Z"]]);
  assert.deepEqual(types({ status: "x", why: "rain" }), [["trip.canceled", "2026-03-01T10:00:00.000000Z"]]);
  const no_event = 'expected a value that one of the mapping\'s events is made for in status, got "x"';
  assert.deepEqual(types({ status: "x" }), fault("status", no_event));
  assert.deepEqual(
    types({ at: "" }),
    fault("at", 'expected what the time of trip.completed is made from in at, got ""'),
  );
});

Deno.test("mapping: a condition compares numbers, however they are written; it holds for nothing that is no number", () => {
  const holds = (condition: Record<string, unknown>, n: unknown) => {
    const when = { field: ["none", "n"], ...condition };
    const mapping = mapping_with({}, { events: [{ type: "trip.completed", at: "at", when, data: {} }] });
    return mapping.map({ id: "T", at: AT, n }).ok;
  };
  const cases: readonly (readonly [Record<string, unknown>, readonly unknown[], readonly unknown[]])[] = [
    [{ below: 0 }, [-0.01, "-5.00", " -1e2 ", -3n, new ExactNumber("-12345678901234567890")], [0, "0.00", -0, 1n]],
    [{ above: 0 }, [0.01, "18.60", "+1", 5n], [0, "-0", -1]],
    [{ at_least: 10 }, [10, "10.0", 11], [9.99, "-11"]],
    [{ at_most: 10 }, [10, "1e1", -1], [10.01, "11"]],
    [{ at_least: 0, below: 10 }, [0, "0", 9.99], [-1, 10, "10"]],
    [{ above: 5, below: 5 }, [], [4, 5, 6]],
  ];
  for (const [n, is] of [["5", true], [5, true], ["5.0", false], [" 5 ", true]] as const) {
    assert.equal(holds({ is: [5] }, n), is, `${n} is 5`);
  }
  const no_numbers = ["", " ", null, undefined, NaN, Infinity, -Infinity, "many", "0x10", true, [1], {}, new Date(0)];
  for (const [condition, within, without] of cases) {
    for (const n of within) assert.ok(holds(condition, n), `${JSON.stringify(condition)} for ${String(n)}`);
    for (const n of [...without, ...no_numbers]) {
      assert.ok(!holds(condition, n), `${JSON.stringify(condition)} for ${String(n)}`);
    }
  }
  const turned = { not: { all: [{ field: "n", at_least: 0 }, { not: { field: "m", is: ["x"] } }] } };
  const made = (record: Record<string, unknown>) =>
    mapping_with({}, { events: [{ type: "trip.completed", at: "at", when: turned, data: {} }] })
      .map({ id: "T", at: AT, ...record }).ok;
  assert.deepEqual([{ n: 1 }, { n: -1 }, { n: "many" }, { n: 1, m: "x" }].map(made), [false, true, true, true]);
});

Deno.test("mapping: texts that a mapping says are blank are unknown in every reading; the rest of the record is as it was", () => {
  const changes = { blank: ["NA", "\\N"], zone: "UTC" };
  const record = { a: " na ", b: "\\N", c: "NASA", n: null, d: 5, deep: { a: "NA" } };
  for (const as of ["text", "code", "number", "money", "time"]) {
    assert.equal(read({ from: "a", as }, record, changes), null);
  }
  assert.equal(read({ from: ["a", "b", "c"] }, record, changes), "NASA");
  assert.equal(read({ from: "b", as: "distance", unit: "km" }, record, changes), null);
  assert.equal(read("deep.a", record, changes), "NA", "of columns and top members alone");
  assert.match(
    String((read({ from: "a", as: "money" }, record) as { detail: string }).detail),
    /^expected an amount in a/,
  );
  const event = {
    type: "trip.completed",
    at: ["a", "at"],
    when: { field: "a", is: [null] },
    data: {},
    keep_rest: "rest",
  };
  const mapped = mapping_with({}, { ...changes, trip_id: ["b", "id"], events: [event] }).map({
    id: "T",
    at: AT,
    ...record,
  });
  assert.ok(mapped.ok, JSON.stringify(mapped));
  assert.deepEqual([mapped.value[0]!.trip_id, mapped.value[0]!.rest], ["T", { c: "NASA", d: 5, deep: { a: "NA" } }]);
  const hostile = parse_json(`{"id":"T","at":"${AT}","a":"NA","__proto__":{"x":1}}`) as Record<string, unknown>;
  assert.deepEqual(mapping_with({ x: "x", a: "a" }, changes).map(hostile).ok, true);
  const of_topic = with_message({ id: "NA", at: AT }, {
    topic: "rides",
    key: new Uint8Array([75]),
    headers: {},
    timestamp_ms: 1,
  });
  const keyed = mapping_with({}, { ...changes, trip_id: ["id", "$key"] }).map(of_topic);
  assert.ok(keyed.ok, JSON.stringify(keyed));
  assert.equal(keyed.value[0]!.trip_id, "K");
});

Deno.test("mapping: records are skipped on purpose before anything else of them is read, and counted in files", () => {
  const skip = { any: [{ field: "state", is: ["test"] }, { field: "fare", below: 0 }] };
  const mapping = mapping_with({ fare: { from: "fare", as: "money" } }, { skip });
  assert.deepEqual(mapping.map({ state: "Test" }), { ok: true, value: [] }, "it has no id and no time");
  assert.deepEqual(mapping.map({ id: "T", at: AT, fare: "-1" }), { ok: true, value: [] });
  assert.equal(mapping.map({ state: "real" }).ok, false);
  const reading = {
    name: "own",
    domain: TRIPS,
    number_equal_rows: false,
    events_of: (record: object) => mapping.map({ ...record }),
    amount_of: () => null,
  };
  const account = new FileAccount("a.csv");
  const events = new RowEvents(0, reading, JSON.stringify, { account, times: new EventTimes() });
  const made = [{ state: "test" }, { id: "T", at: AT, fare: 1 }, {}, { id: "T", fare: -1 }]
    .flatMap((record, i) => events.of({ line: i + 1, record }).map(({ line, fault }) => [line, fault === null]));
  assert.deepEqual(made, [[2, true], [3, false]]);
  const { records, skipped, refused } = account.counts([]);
  assert.deepEqual([records, skipped, refused], [4, 2, 1]);
});

Deno.test("mapping: what it does not read is kept under one name, where it says so", () => {
  const record = { id: "T", at: AT, fare: 1, legs: [{ km: 1 }], toll: "2", blank: "", n: 3n };
  const when = { field: "toll", at_most: 9 };
  const event = { type: "trip.completed", at: "at", when, data: { fare: "fare", km: "legs[0].km" } };
  const kept = (keep_rest?: string) => {
    const events = [{ ...event, ...(keep_rest === undefined ? {} : { keep_rest }) }];
    const mapped = mapping_with({}, { events }).map(record);
    return mapped.ok ? mapped.value[0]!.source : mapped.fault;
  };
  assert.deepEqual(kept("source"), { toll: "2", n: 3 });
  assert.equal(kept(), undefined);
});

Deno.test("mapping: the field behind a field of the event, as far as there is one", () => {
  const mapping = mapping_with({ fare: ["a", { from: ["b", "c"], as: "money" }], currency: { constant: "USD" } });
  const record = { id: "T", at: AT, c: "1" };
  assert.deepEqual(mapping.source_of(record, "trip.completed", "fare"), { field: "c", value: "1" });
  assert.deepEqual(mapping.source_of({}, "trip.completed", "fare"), { field: "a", value: undefined });
  assert.deepEqual(mapping.source_of(record, "trip.completed", "occurred_at"), { field: "at", value: AT });
  assert.deepEqual(mapping.source_of(record, "trip.completed", "trip_id"), { field: "id", value: "T" });
  assert.equal(mapping.source_of(record, "trip.completed", "currency"), null);
  assert.equal(mapping.source_of(record, "trip.completed", "tip"), null);
});

/** Fields that some mapping reads, so that its readings are met. */
const FIELDS = [...new Set(JSON.stringify(BUILTINS.map(({ form }) => form)).match(/"[A-Za-z_]+"/g))].map((name) =>
  name.slice(1, -1)
);
const strange = fc.oneof(
  fc.constantFrom(
    "",
    " ",
    "5.0",
    "-1",
    "1e400",
    "NaN",
    "2026-03-01 10:00:00",
    "2026-03-08 02:30:00",
    "canceled",
    "\0",
    "\ud800",
    null,
  ),
  fc.jsonValue({ maxDepth: 3 }),
  fc.double(),
  fc.bigInt(),
  fc.date({ noInvalidDate: false }),
  fc.string({ unit: "binary" }),
);
const records = fc.dictionary(fc.oneof({ weight: 5, arbitrary: fc.constantFrom(...FIELDS) }, fc.string()), strange, {
  maxKeys: 20,
});

Deno.test("mapping: on any record every built-in gives equal events again or a fault that names a field, and never throws", () => {
  const mappings = BUILTINS.map(({ name }) => builtin(name));
  fc.assert(
    fc.property(records, (record) => {
      for (const mapping of mappings) {
        const first = mapping.map(record), second = mapping.map({ ...record });
        assert.deepEqual(second, first);
        if (!first.ok) assert.ok(first.fault.path !== null, JSON.stringify(first));
        else assert.ok(first.value.length > 0);
      }
    }),
    { numRuns: 100 },
  );
});

Deno.test("mapping: a record nested beyond the log's depth is a fault that names its field", () => {
  const deep = parse_json(`{"id":"T","at":"${AT}","x":${"[".repeat(100)}${"]".repeat(100)}}`) as Record<
    string,
    unknown
  >;
  const mapped = mapping_with({ x: "x" }).map(deep);
  assert.ok(!mapped.ok);
  assert.deepEqual([mapped.fault.reason, mapped.fault.path], ["too_deep", "x"]);
});
