import assert from "node:assert/strict";
import {
  example_event as event,
  example_message,
  example_messages,
  EXAMPLE_OPTIONS,
} from "../support/oracle/example_messages.ts";
import { type Expectation, type Measures, oracle, type TripRow } from "../support/oracle/mod.ts";

const at = (text: string) => Date.parse(text) * 1000;
const of_the_day = (clock: string) => at(`2026-03-01T${clock}Z`);

function expect_of(...values: unknown[]): Expectation {
  return oracle(example_messages(...values), EXAMPLE_OPTIONS);
}

function trip_of(...values: unknown[]): TripRow {
  const row = expect_of(...values).trips.get("T");
  assert.ok(row);
  return row;
}

/** The measures of a cell that say something. */
function said_by(cells: Map<string, Measures>, name: string): Record<string, bigint> {
  const cell = cells.get(name);
  assert.ok(cell, `no cell ${name}`);
  return Object.fromEntries(Object.entries(cell).filter((pair): pair is [string, bigint] => Boolean(pair[1])));
}

Deno.test("a completion before its start is counted, and completed when the start arrives late", () => {
  const completed = event("e2", "completed", "10:31:00", { fare: "18.60", tip: 2, distance_km: 12.4 });
  const alone = expect_of(completed);
  assert.equal(alone.trips.get("T")?.duration_ms, null);
  assert.deepEqual(said_by(alone.cells, `1h|${of_the_day("10:00:00")}|city|unknown`), {
    trips: 1n,
    completed: 1n,
    fare_count: 1n,
    fare_sum_micros: 18_600_000n,
    fare_min_micros: 18_600_000n,
    fare_max_micros: 18_600_000n,
    tip_sum_micros: 2_000_000n,
    distance_sum_m: 12_400n,
    distance_count: 1n,
  });

  const both = expect_of(completed, event("e1", "started", "09:59:30.5", { city: "Chicago" }));
  assert.equal(both.trips.get("T")?.duration_ms, 1_889_500n);
  assert.equal(both.trips.get("T")?.last_event_id, "e2");
  assert.deepEqual(said_by(both.cells, `1h|${of_the_day("09:00:00")}|city|Chicago`), { trips: 1n, started: 1n });
  const at_ten = said_by(both.cells, `1h|${of_the_day("10:00:00")}|city|Chicago`);
  assert.equal(at_ten.trips, undefined);
  assert.equal(at_ten.completed, 1n);
  assert.equal(at_ten.duration_sum_ms, 1_889_500n);
  assert.ok(![...both.cells.keys()].some((name) => name.includes("city|unknown")));
});

Deno.test("a correction wins over the completion whenever it was made, and waits without one", () => {
  const adjusted = event("a1", "fare_adjusted", "08:00:00", { fare: "20.5", tip: 3, reason: "toll" });
  const waiting = expect_of(adjusted);
  const row = waiting.trips.get("T");
  assert.equal(row?.status, "requested");
  assert.equal(row?.fare_micros, null);
  assert.equal(row?.adjusted_fare_micros, 20_500_000n);
  assert.equal(waiting.cells.size, 0);

  const settled = trip_of(adjusted, event("e2", "completed", "10:00:00", { fare: 18.6, tip: 1 }));
  assert.equal(settled.fare_micros, 20_500_000n);
  assert.equal(settled.completion_fare_micros, 18_600_000n);
  assert.equal(settled.tip_micros, 1_000_000n);
  assert.equal(settled.adjustment_reason, "toll");
});

Deno.test("a later time wins over an earlier one, at equal times the larger event id", () => {
  const later = event("a", "completed", "10:00:01", { fare: 1, city: "Later" });
  const larger = event("b", "completed", "10:00:00", { fare: 2, city: "Larger", vehicle_type: "SUV" });
  const smaller = event("B", "completed", "10:00:00", { fare: 3, city: "Smaller", vehicle_type: "Van", rate_code: 5 });
  const row = trip_of(larger, later, smaller);
  assert.deepEqual([row.city, row.vehicle_type, row.rate_code], ["Later", "SUV", "5"]);
  assert.deepEqual([row.fare_micros, row.completed_at], [1_000_000n, of_the_day("10:00:01")]);
  assert.equal(trip_of(smaller, larger).city, "Larger");
  assert.equal(trip_of(larger, smaller).city, "Larger");
});

Deno.test("a blank field is not named and takes nothing back", () => {
  const row = trip_of(
    event("e1", "started", "09:00:00", { city: "Chicago", vendor_id: 7, pickup_lat: 41.5 }),
    event("e2", "completed", "10:00:00", {
      fare: "0",
      city: " ",
      vendor_id: null,
      pickup_lat: "",
      passenger_count: "",
    }),
  );
  assert.deepEqual([row.city, row.vendor_id, row.pickup_lat, row.passenger_count], ["Chicago", "7", 41.5, null]);
});

Deno.test("a completion after a cancellation wins and counts as a conflict", () => {
  const canceled = event("c", "canceled", "09:00:00", { reason: "no show", canceled_by: "driver", city: "ignored" });
  const only = expect_of(canceled);
  assert.deepEqual(said_by(only.cells, "all|0|status|canceled"), { trips: 1n, canceled: 1n });
  assert.equal(only.trips.get("T")?.cancel_reason, "no show");
  assert.equal(only.trips.get("T")?.city, null);

  const both = expect_of(canceled, event("d", "completed", "10:00:00", { fare: "5" }));
  assert.equal(both.trips.get("T")?.status, "completed");
  assert.equal(both.trips.get("T")?.canceled_at, of_the_day("09:00:00"));
  assert.deepEqual(said_by(both.cells, `5m|${of_the_day("09:00:00")}|status|completed`), { trips: 1n });
  assert.deepEqual(said_by(both.cells, `5m|${of_the_day("10:00:00")}|status|completed`), {
    completed: 1n,
    conflicts: 1n,
    fare_count: 1n,
    fare_sum_micros: 5_000_000n,
    fare_min_micros: 5_000_000n,
    fare_max_micros: 5_000_000n,
  });
  assert.ok(!both.cells.has("all|0|status|canceled"));
});

Deno.test("a completion without a fare is in no fare figure, until a correction gives it one", () => {
  const completed = event("d", "completed", "10:00:00", { fare: " ", tip: 1, distance_km: 2 });
  const alone = expect_of(completed);
  assert.equal(alone.trips.get("T")?.fare_micros, null);
  const counted = { trips: 1n, completed: 1n, tip_sum_micros: 1_000_000n, distance_sum_m: 2_000n, distance_count: 1n };
  assert.deepEqual(said_by(alone.cells, "all|0|none|all"), counted);
  const both = expect_of(completed, event("a", "fare_adjusted", "09:00:00", { fare: 4 }));
  assert.deepEqual(said_by(both.cells, "all|0|none|all"), {
    ...counted,
    fare_count: 1n,
    fare_sum_micros: 4_000_000n,
    fare_min_micros: 4_000_000n,
    fare_max_micros: 4_000_000n,
  });
});

Deno.test("a void takes the trip out of everything, whatever else comes and when", () => {
  const taken = event("v", "voided", "08:00:00", { reason: "mirror" });
  const waiting = expect_of(taken);
  assert.deepEqual(said_by(waiting.cells, "all|0|status|voided"), { voided: 1n, voids_waiting: 1n });
  assert.deepEqual([waiting.trips.get("T")?.status, waiting.trips.get("T")?.void_reason], ["voided", "mirror"]);
  const whole = [
    event("s", "started", "09:00:00", { city: "Chicago" }),
    event("d", "completed", "10:00:00", { fare: 5, distance_km: 1 }),
    event("c", "canceled", "11:00:00"),
    event("a", "fare_adjusted", "12:00:00", { fare: 6 }),
  ];
  for (const events of [[taken, ...whole], [...whole, taken]]) {
    const { cells, trips, sketches } = expect_of(...events);
    assert.deepEqual(said_by(cells, `5m|${of_the_day("08:00:00")}|city|Chicago`), { voided: 1n });
    assert.deepEqual([...cells.values()].filter((cell) => cell.voided !== 1n), []);
    assert.deepEqual([trips.get("T")?.fare_micros, sketches.size], [null, 0]);
  }
});

Deno.test("status: started is in progress, a cancellation ends it, nothing else is requested", () => {
  const requested = event("a", "requested", "09:00:00");
  const started = event("b", "started", "09:01:00");
  assert.equal(trip_of(requested).status, "requested");
  assert.equal(trip_of(started, requested).status, "in_progress");
  assert.equal(trip_of(event("c", "canceled", "08:00:00"), started, requested).status, "canceled");
});

Deno.test("a given duration wins over the times, and a start after the completion gives none", () => {
  const started = event("a", "started", "10:00:00");
  assert.equal(trip_of(started, event("b", "completed", "09:00:00", { fare: 1 })).duration_ms, null);
  assert.equal(trip_of(started, event("b", "completed", "10:00:00", { fare: 1 })).duration_ms, 0n);
  const half = trip_of(started, event("b", "completed", "10:00:00.0015", { fare: 1 }));
  assert.equal(half.duration_ms, 2n);
  const given = trip_of(started, event("b", "completed", "10:30:00", { fare: 1, duration_min: 31.000009 }));
  assert.deepEqual([given.duration_ms, given.given_duration_ms], [1_860_001n, 1_860_001n]);
});

Deno.test("cells exist in the grains of their dimension, with the measures that it keeps", () => {
  const { cells } = expect_of(
    event("a", "completed", "10:07:59.999999", { fare: 9, driver_id: "D|1", pickup_zone: 161 }),
    { ...event("b", "completed", "10:07:00", { fare: 4, driver_id: "D|1" }), trip_id: "U" },
  );
  assert.deepEqual(said_by(cells, "all|0|driver|D|1"), {
    completed: 2n,
    fare_count: 2n,
    fare_sum_micros: 13_000_000n,
  });
  assert.equal(said_by(cells, `1m|${of_the_day("10:07:00")}|none|all`).fare_min_micros, 4_000_000n);
  assert.equal(said_by(cells, `5m|${of_the_day("10:05:00")}|none|all`).fare_max_micros, 9_000_000n);
  assert.equal(said_by(cells, `5m|${of_the_day("10:05:00")}|pickup_zone|161`).fare_max_micros, 9_000_000n);
  const lines = new Map<string, string[]>();
  for (const name of cells.keys()) {
    const [grain = "", , dimension = ""] = name.split("|");
    lines.set(dimension, [...new Set([...lines.get(dimension) ?? [], grain])]);
  }
  const every = ["1m", "5m", "1h", "1d", "all"];
  for (const dimension of ["none", "status", "payment_method", "vehicle_type", "city"]) {
    assert.deepEqual(lines.get(dimension), every, dimension);
  }
  for (const dimension of ["pickup_zone", "dropoff_zone", "pickup_h3"]) {
    assert.deepEqual(lines.get(dimension), every.slice(1));
  }
  for (const dimension of ["driver", "passenger"]) assert.deepEqual(lines.get(dimension), ["all"]);
});

Deno.test("a pickup is counted by the H3 cell of its coordinates, by unknown while one is missing", () => {
  const lat = event("a", "requested", "10:00:00", { pickup_lat: 52.516262 });
  assert.equal(trip_of(lat).pickup_h3, null);
  assert.deepEqual(said_by(expect_of(lat).cells, "all|0|pickup_h3|unknown"), { trips: 1n, requested: 1n });
  const both = expect_of(lat, event("b", "started", "10:01:00", { pickup_lon: 13.377704 }));
  // The Brandenburg Gate, as Snowflake's documentation has it.
  assert.equal(both.trips.get("T")?.pickup_h3, "881f1d4887fffff");
  assert.deepEqual(said_by(both.cells, `5m|${of_the_day("10:00:00")}|pickup_h3|881f1d4887fffff`), {
    trips: 1n,
    requested: 1n,
    started: 1n,
    waiting_sum_ms: 60_000n,
    waiting_count: 1n,
  });
});

Deno.test("days are those of the business time zone, also when they have 23 or 25 hours", () => {
  // In Chicago clocks went forward on 2025-03-09 and back on 2025-11-02, at 2 in the night.
  const times = {
    "2025-03-09T05:59:59.999999Z": "2025-03-08T06:00:00Z",
    "2025-03-09T06:00:00Z": "2025-03-09T06:00:00Z",
    "2025-03-10T04:59:59Z": "2025-03-09T06:00:00Z",
    "2025-03-10T05:00:00Z": "2025-03-10T05:00:00Z",
    "2025-11-02T05:00:00Z": "2025-11-02T05:00:00Z",
    "2025-11-03T05:59:59Z": "2025-11-02T05:00:00Z",
    "2025-11-03T06:00:00Z": "2025-11-03T06:00:00Z",
    "1960-01-01T05:59:59.5Z": "1959-12-31T06:00:00Z",
  };
  for (const [occurred_at, start_of_day] of Object.entries(times)) {
    const completed = { ...event("e", "completed", "00:00:00", { fare: 1 }), occurred_at };
    const { cells, daily } = oracle(example_messages(completed), { ...EXAMPLE_OPTIONS, time_zone: "America/Chicago" });
    assert.ok(cells.has(`1d|${at(start_of_day)}|none|all`), occurred_at);
    assert.deepEqual([...daily.keys()], [start_of_day.slice(0, 10)]);
  }
});

Deno.test("days start right in zones off by seconds, and where clocks go back over midnight", () => {
  // Monrovia was 44 minutes 30 seconds behind UTC; St. John's clocks went from 00:01 of the 7th back to 23:01 of the 6th, and the 7th went on.
  const days: [string, string, string][] = [
    ["Africa/Monrovia", "1971-06-01T00:44:29Z", "1971-05-31T00:44:30Z"],
    ["Africa/Monrovia", "1971-06-01T00:44:30Z", "1971-06-01T00:44:30Z"],
    ["America/St_Johns", "2010-11-07T02:30:30Z", "2010-11-07T02:30:00Z"],
    ["America/St_Johns", "2010-11-07T02:29:59Z", "2010-11-06T02:30:00Z"],
    ["America/St_Johns", "2010-11-07T02:31:00Z", "2010-11-07T02:30:00Z"],
  ];
  for (const [time_zone, occurred_at, start_of_day] of days) {
    const requested = { ...event("e", "requested", ""), occurred_at };
    const { cells } = oracle(example_messages(requested), { ...EXAMPLE_OPTIONS, time_zone });
    assert.ok(cells.has(`1d|${at(start_of_day)}|none|all`), occurred_at);
  }
});

Deno.test("buckets before the epoch round down", () => {
  const { cells } = expect_of({ ...event("e", "requested", ""), occurred_at: "1969-12-31T23:59:59.999999Z" });
  assert.ok(cells.has("1m|-60000000|none|all"));
  assert.ok(cells.has("1d|-86400000000|none|all"));
});

Deno.test("daily figures are rounded from exact sums", () => {
  const fares = ["10.005", "0.00", "2.335"];
  const { daily } = expect_of(
    ...fares.map((fare, n) => ({ ...event("e", "completed", "10:00:00", { fare }), trip_id: `T${n}` })),
    { ...event("e", "canceled", "10:00:00"), trip_id: "T9" },
  );
  assert.deepEqual([...daily.values()], [{
    date: "2026-03-01",
    metrics: { total_fare: 12.34, count_trips: 3, average_fare: 4.11, max_fare: 10.01, min_fare: 0 },
    trip_count: 3,
  }]);
});

Deno.test("an equal event again is a duplicate, another one with its id is quarantined, in each trip by itself", () => {
  const first = event("e", "completed", "10:00:00", { fare: "18.60", note: { b: 1, a: [1.0] } });
  const result = expect_of(
    first,
    { note: { a: [1], b: 1 }, ...event("e", "completed", "10:00:00.000", { fare: "18.60" }) },
    { ...first, occurred_at: "2026-03-01T11:00:00+01:00", correlation_id: "other" },
    { ...first, fare: "18.6" },
    { ...first, occurred_at: "2026-03-01T10:00:00.000001Z" },
    { ...first, type: "trip.fare_adjusted" },
    { ...first, trip_id: "U" },
  );
  assert.deepEqual([result.messages_read, result.admitted_count, result.duplicates], [7, 2, 2]);
  assert.deepEqual(result.quarantined.map(({ offset }) => offset), [3n, 4n, 5n]);
  assert.equal(result.trips.get("T")?.revision, 1);
  assert.deepEqual(result.partition_ends, [{ topic: "trips", partition: 0, next_offset: 7n }]);
});

Deno.test("a trip takes 1,000 events; after that only repeats of them are not quarantined", () => {
  const events = Array.from({ length: 1001 }, (_, n) => event(`e${n}`, "requested", "10:00:00"));
  const result = expect_of(...events, events[999], events[1000]);
  assert.deepEqual([result.admitted_count, result.duplicates, result.trips.get("T")?.revision], [1000, 1, 1000]);
  assert.deepEqual(result.quarantined.map(({ offset }) => offset), [1000n, 1002n]);
});

Deno.test("messages of a partition that come out of order are refused", () => {
  const value = event("e", "requested", "10:00:00");
  const backwards = [example_message(5, value), example_message(5, value)];
  assert.throws(() => oracle(backwards, EXAMPLE_OPTIONS), /trips\/0\/5 refused: offset 6 or later/);
});
