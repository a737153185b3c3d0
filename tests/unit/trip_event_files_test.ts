import assert from "node:assert/strict";
import { TRIPS } from "../../src/domains/trips/mod.ts";
import { ExactNumber } from "../../src/domains/mod.ts";
import { event_reading } from "../../src/verbs/records/replay_mapping.ts";

/** Trip events in files: what CSV, binary floats and columns of nested data make of them is read as what was meant. */

const reading = event_reading(TRIPS, { currency: "USD", zone: undefined });
const BARE = { event_id: "e1", trip_id: "T1", type: "trip.completed", occurred_at: "2024-05-25T10:00:00Z" };

function event_of(record: Record<string, unknown>, from = reading) {
  const read = from.events_of({ ...BARE, ...record }, 1);
  assert.ok(read.ok, read.ok ? "" : read.fault.detail);
  assert.equal(read.value.length, 1);
  return read.value[0] as Record<string, unknown>;
}

Deno.test("numbers that files have as text are numbers, amounts of floats have six decimals, all else stands", () => {
  for (
    const [field, given, wanted] of [
      ["distance_km", "12.4", 12.4],
      ["distance_km", " 1,234.5 ", 1234.5],
      ["duration_min", "31", 31],
      ["passenger_count", "2.0", 2],
      ["pickup_lat", "-41.5", -41.5],
      ["distance_km", "", ""],
      ["distance_km", 12.4, 12.4],
      ["distance_km", null, null],
      ["fare", "18.60", "18.60"],
      ["fare", " 18.60", "18.60"],
      ["fare", 18.6, 18.6],
      ["fare", 0.30000000000000004, "0.300000"],
      ["fare", new ExactNumber("0.30000000000000004441"), "0.300000"],
      ["fare", "18.600000381469727", "18.600000"],
      ["fare", "$1,018.60", "1018.600000"],
      ["tip", 1.0000005, "1.000001"],
      ["estimated_fare", "1e2", "100.000000"],
      ["fare", "", ""],
      ["fare", "-5", "-5.000000"],
      ["passenger_id", "007", "007"],
      ["note", "12.4", "12.4"],
    ] as const
  ) assert.deepEqual(event_of({ [field]: given })[field], wanted, `${field} ${String(given)}`);
});

Deno.test("what is no number is refused with its field; a decimal comma with the option that reads it", () => {
  for (
    const [field, given, detail] of [
      ["distance_km", "far", /expected a number in distance_km, got "far"/],
      ["fare", "11,50", /expected an amount in fare, got "11,50".*--decimal comma/],
      ["fare", "€ 11.50", /expected an amount in fare.*USD/],
      ["tip", true, /expected an amount in tip, got true/],
    ] as const
  ) {
    const read = reading.events_of({ ...BARE, [field]: given }, 1);
    assert.ok(!read.ok);
    assert.deepEqual([read.fault.reason, read.fault.path], ["invalid_field", field]);
    assert.match(read.fault.detail, detail);
  }
  const comma = event_reading(TRIPS, { currency: "USD", decimal: ",", zone: undefined });
  assert.deepEqual(event_of({ fare: "11,50", distance_km: "1.234,5" }, comma), {
    ...BARE,
    fare: "11.500000",
    distance_km: 1234.5,
  });
});

Deno.test("the data of CloudEvents is read the same, as an object, as text in a column, or as a column for each field", () => {
  const cloud = {
    specversion: "1.0",
    id: "e1",
    source: "/a",
    type: "trip.completed",
    subject: "T1",
    time: " 2024-05-25T10:00:00Z",
  };
  const wanted = { ...cloud, time: cloud.time.trim(), data: { fare: "18.60", distance_km: 12.4, driver_id: 5 } };
  for (
    const data of [
      { data: { fare: "18.60", distance_km: "12.4", driver_id: 5 } },
      { data: '{"fare":"18.60","distance_km":"12.4","driver_id":5}' },
      { "data.fare": "18.60", "data.distance_km": "12.4", "data.driver_id": 5 },
    ]
  ) assert.deepEqual(reading.events_of({ ...cloud, ...data }, 1), { ok: true, value: [wanted] });
  const ids = reading.events_of({ ...cloud, data: '{"driver_id":1795292668348461200,"fare":NaN}' }, 1);
  assert.ok(ids.ok);
  assert.match(JSON.stringify(ids.value[0]), /"driver_id":1795292668348461200,"fare":null/);
  const broken = reading.events_of({ ...cloud, data: '{"fare":' }, 1);
  assert.deepEqual(broken.ok ? null : [broken.fault.reason, broken.fault.path], ["malformed_json", "data"]);
});

Deno.test("times without zone are of the zone that the command line names, and else stand to be refused", () => {
  const local = { occurred_at: "2024-05-25 10:00:00", estimated_dropoff_at: "2024-01-25T10:00:00.123456" };
  assert.deepEqual(event_of(local), { ...BARE, ...local });
  const new_york = event_reading(TRIPS, { currency: "USD", zone: "America/New_York" });
  assert.deepEqual(event_of(local, new_york), {
    ...BARE,
    occurred_at: "2024-05-25T14:00:00.000000Z",
    estimated_dropoff_at: "2024-01-25T15:00:00.123456Z",
  });
  assert.deepEqual(
    event_of({ occurred_at: "2024-05-25T10:00:00+02:00" }, new_york).occurred_at,
    "2024-05-25T10:00:00+02:00",
  );
  for (
    const [written, wanted] of [
      ["2024-05-25T10:00:00.000+0000", "2024-05-25T10:00:00.000000Z"],
      ["2024-05-25T10:00:00+02", "2024-05-25T08:00:00.000000Z"],
      ["2024-05-25 10:00:00 UTC", "2024-05-25T10:00:00.000000Z"],
      ["2024-05-25T10:00Z", "2024-05-25T10:00:00.000000Z"],
      ["2016-12-31T23:59:60Z", "2017-01-01T00:00:00.000000Z"],
      ["2024-05-25T10:00:00Z ", "2024-05-25T10:00:00Z"],
      ["yesterday", "yesterday"],
    ] as const
  ) assert.equal(event_of({ occurred_at: written }).occurred_at, wanted);
});
