import assert from "node:assert/strict";
import { TRADES, trades_domain } from "../../src/domains/trades/mod.ts";
import { TRIPS } from "../../src/domains/trips/mod.ts";
import { decode_batches } from "../../src/ingest/mod.ts";
import { BuiltinMapping, with_message } from "../../src/mapping/mod.ts";
import { message, placed, READ_MS, TERMS } from "../support/trip_pipeline.ts";

/** The time of a message in the place of one that its producer made up: by a mapping, and by the built-in one for trades. */

const CONTEXT = { business_zone: "UTC" };
const mapping_of = (json: unknown, named: ConstructorParameters<typeof BuiltinMapping>[1]) => {
  const made = new BuiltinMapping(json, named).mapping(CONTEXT);
  assert.ok(made.ok);
  return made.value;
};
const BY_ARRIVAL = TRADES.mappings.find((each) => (each as { name: string }).name === "executions_by_arrival");
const NONSENSE = {
  trade_id: "e-1",
  ticker: "AAPL",
  price: 123.45,
  volume: 500,
  side: "buy",
  timestamp: "1987-03-04T05:06:07",
};

/** What executions at offsets, with their messages' times, are decoded to. */
const decode = (...executions: readonly (readonly [offset: number, value: unknown, timestamp_ms: number])[]) => {
  const messages = executions.map(([offset, value, ms]) => ({ ...message(offset, value, ms), topic: "orders" }));
  const batch = placed({ topic: "orders", partition: 0, from_offset: 0, next_offset: 99, messages });
  const mappings = new Map([["orders", mapping_of(BY_ARRIVAL, TRADES)]]);
  return decode_batches(trades_domain({ currency: "USD" }), TERMS, [batch], mappings).map(({ outcome }) => outcome);
};

Deno.test("trades by arrival: an execution is at the time of its message, whatever its own says, and is the same when it comes again", () => {
  const at_ms = READ_MS - 5_000;
  const outcomes = decode([7, NONSENSE, at_ms], [7, NONSENSE, at_ms], [9, NONSENSE, at_ms + 30_000]);
  const events = outcomes.map((outcome) => {
    assert.ok("event" in outcome, JSON.stringify(outcome));
    return outcome.event;
  });
  assert.deepEqual(events[0], events[1], "the same offset is the same event at the same time");
  // Sent twice by its producer: another offset and time, the same event.
  assert.deepEqual([events[2]!.event_id, events[2]!.stream_id], [events[0]!.event_id, "e-1"]);
  assert.deepEqual(events.map(({ occurred_at_us }) => occurred_at_us - at_ms * 1_000), [0, 0, 30_000_000]);
  assert.match(String(events[0]!.data), /"source":\{"timestamp":"1987-03-04T05:06:07"\}/);
  for (const timestamp of ["yesterday", null, "2090-01-01T00:00:00"]) {
    assert.ok("event" in decode([1, { ...NONSENSE, timestamp }, at_ms])[0]!, `its own time is ${timestamp}`);
  }
});

Deno.test("trades by arrival: a message without a time, of a clock that is ahead, and a row of a file are refused with what to do", () => {
  const [none, ahead] = decode([0, NONSENSE, -1], [1, NONSENSE, READ_MS + 2 * 3_600_000]);
  assert.ok("fault" in none! && "fault" in ahead!);
  assert.deepEqual([none.fault.reason, none.fault.path], ["invalid_record", "$timestamp"]);
  assert.equal(ahead.fault.reason, "time_in_future");
  const of_file = mapping_of(BY_ARRIVAL, TRADES).map(NONSENSE);
  assert.ok(!of_file.ok);
  assert.equal(
    of_file.fault.detail,
    "expected what the time of trade.executed is made from in $timestamp, got nothing; messages of a topic have one, and those that " +
      "come by HTTP; a file's rows have none, and need a mapping that reads a time of their own",
  );
});

Deno.test("the time of a message needs no format, stands in where a record's own is blank, and is no reason for a zone", () => {
  const definition = {
    name: "own",
    trip_id: "id",
    events: [{ type: "trip.completed", at: ["at", "$timestamp"], data: {} }],
  };
  const of = mapping_of(definition, TRIPS);
  const parts = { topic: "t", key: null, headers: {}, timestamp_ms: Date.UTC(2026, 2, 1, 9) };
  const at = (record: Record<string, unknown>) => {
    const mapped = of.map(with_message({ id: "T", ...record }, parts));
    assert.ok(mapped.ok, mapped.ok ? "" : mapped.fault.detail);
    return mapped.value[0]!.occurred_at;
  };
  assert.equal(at({ at: "2026-03-01T08:00:00Z" }), "2026-03-01T08:00:00.000000Z");
  assert.equal(at({ at: " " }), "2026-03-01T09:00:00.000000Z");
  assert.equal(at({}), "2026-03-01T09:00:00.000000Z");
  const only = {
    ...definition,
    zone: "Europe/Berlin",
    events: [{ type: "trip.completed", at: "$timestamp", data: {} }],
  };
  assert.throws(() => new BuiltinMapping(only, TRIPS), /zone: expected a time that the zone is for, got epochs alone/);
});
