import assert from "node:assert/strict";
import { make_city, TripStream } from "../../src/domains/trips/generator/mod.ts";
import type { GeneratedMessage } from "../../src/domains/mod.ts";
import type { OpenTrip, TripStreamOptions } from "../../src/domains/trips/generator/mod.ts";
import { events_by_trip, validate } from "../support/trip_contract.ts";

const hour_us = 3_600_000_000;
/** A Monday, midnight UTC. */
const monday_us = Date.UTC(2026, 2, 2) * 1_000;
const city = make_city({ seed: 7, passengers: 2_000 });

function stream(options: Partial<TripStreamOptions> = {}): TripStream {
  return new TripStream(city, { seed: 7, start_us: monday_us, rate: 0.5, ...options });
}

function about(actual: number, expected: number, tolerance: number): void {
  assert.ok(Math.abs(actual - expected) <= tolerance, `expected about ${expected} (±${tolerance}), got ${actual}`);
}

Deno.test("same seed gives the same bytes, however the stream is drained", () => {
  const options = { late: 0.05, duplicates: 0.05, malformed: 0.05, anomalies: true, rate: 1 };
  const until_us = monday_us + 3 * hour_us;
  const at_once = stream(options).take_due(until_us);
  assert.ok(at_once.length > 5_000);

  const by_the_clock: GeneratedMessage[] = [];
  const live = stream(options);
  for (let now_us = monday_us - hour_us; now_us < until_us; now_us += 7_300_000) {
    by_the_clock.push(...live.take_due(now_us, 3));
  }
  by_the_clock.push(...live.take_due(until_us));
  assert.deepEqual(by_the_clock, at_once);

  const iterated: GeneratedMessage[] = [];
  for (const message of stream(options)) {
    if (message.deliver_us > until_us) break;
    iterated.push(message);
  }
  assert.deepEqual(iterated, at_once);
  assert.deepEqual(
    new TripStream(make_city({ seed: 7, passengers: 2_000 }), { seed: 7, start_us: monday_us, ...options }).take_due(
      until_us,
    ),
    at_once,
  );
  assert.notDeepEqual(stream({ ...options, seed: 8 }).take_due(until_us), at_once);
});

Deno.test("every message keeps the contract and comes in order of delivery, soon after its event time", () => {
  const messages = stream({ anomalies: false }).take_due(monday_us + 12 * hour_us);
  let last_us = 0;
  for (const { deliver_us, value, headers } of messages) {
    assert.ok(deliver_us >= last_us, "delivery goes forward");
    last_us = deliver_us;
    const delay_ms = deliver_us / 1_000 - validate(value).at_ms;
    assert.ok(delay_ms > 0 && delay_ms < 1_000, `delivered ${delay_ms} ms after its time`);
    assert.deepEqual(headers, {});
  }
});

Deno.test("all events of a trip fit together", () => {
  const messages = stream().take_due(monday_us + 24 * hour_us);
  const ends = new Map<string, number>();
  const ids = new Set<string>();
  for (const [trip_id, events] of events_by_trip(messages)) {
    const types = events.map(({ type }) => type.replace("trip.", "")).join(" ");
    assert.match(types, /^requested( started)?( canceled)?$|^requested started completed( fare_adjusted)?$/, trip_id);
    ends.set(types, (ends.get(types) ?? 0) + 1);
    events.forEach(({ event_id, at_ms, bare }, index) => {
      assert.ok(!ids.has(event_id), `event id ${event_id} is unique`);
      ids.add(event_id);
      assert.equal(bare, events[0]?.bare);
      assert.ok(index === 0 || at_ms > (events[index - 1]?.at_ms ?? 0), `${trip_id}: ${types} in order of time`);
    });
    const [requested, started, completed] = events;
    if (started?.type === "trip.started" && requested !== undefined) {
      const wait_min = (started.at_ms - requested.at_ms) / 60_000;
      assert.ok(wait_min >= 2 && wait_min <= 8, `${trip_id} waited ${wait_min} min`);
      for (const field of ["passenger_id", "city", "pickup_zone", "pickup_lat", "vehicle_type"]) {
        assert.equal(started.data[field], requested.data[field]);
      }
      if (completed?.type !== "trip.completed") continue;
      about(Number(completed.data["duration_min"]), (completed.at_ms - started.at_ms) / 60_000, 0.06);
      assert.equal(completed.data["dropoff_zone"], started.data["dropoff_zone"]);
      assert.ok(Number(completed.data["distance_km"]) > 0.5 && Number(completed.data["distance_km"]) < 60);
      assert.ok(Number(completed.data["fare"]) >= 2 && Number(completed.data["fare"]) < 500);
    }
  }
  const completed = (ends.get("requested started completed") ?? 0) +
    (ends.get("requested started completed fare_adjusted") ?? 0);
  const canceled = (ends.get("requested canceled") ?? 0) + (ends.get("requested started canceled") ?? 0);
  about(canceled / (completed + canceled), 0.04, 0.006);
  about((ends.get("requested started completed fare_adjusted") ?? 0) / completed, 0.011, 0.004);
});

Deno.test("a free driver is taken while there is one, and drives one trip at a time", () => {
  const roomy = make_city({ seed: 7, drivers: 3_000, passengers: 2_000 });
  const messages = new TripStream(roomy, { seed: 7, start_us: monday_us, rate: 0.1 }).take_due(
    monday_us + 24 * hour_us,
  );
  const rides = new Map<unknown, [number, number][]>();
  for (const [, events] of events_by_trip(messages)) {
    const started = events.find(({ type }) => type === "trip.started");
    const end = events.find(({ type }) => type === "trip.completed" || type === "trip.canceled");
    if (started === undefined || end === undefined) continue;
    const driver = started.data["driver_id"];
    rides.set(driver, [...(rides.get(driver) ?? []), [started.at_ms, end.at_ms]]);
  }
  let overlaps = 0;
  for (const spans of rides.values()) {
    spans.sort(([one], [other]) => one - other);
    spans.forEach(([start_ms], index) => overlaps += start_ms < (spans[index - 1]?.[1] ?? 0) ? 1 : 0);
  }
  assert.ok(overlaps <= messages.length / 1_000, `${overlaps} rides of drivers who were still driving`);
});

Deno.test("a trip costs what a fleet takes at least, however it is corrected, and corrections come as often as asked", () => {
  const least: Record<string, number> = { economy: 5, comfort: 7, electric: 6, suv: 10, van: 12, scooter: 2 };
  const until_us = monday_us + 8 * hour_us;
  let settled = 0;
  let at_least = 0;
  for (const [trip_id, events] of events_by_trip(stream({ corrections: 1 }).take_due(until_us))) {
    const vehicle = String(events.find(({ type }) => type === "trip.started")?.data["vehicle_type"]);
    const fares = events.filter(({ type }) => type === "trip.completed" || type === "trip.fare_adjusted");
    for (const { type, data } of fares) {
      const fare = Number(data["fare"]);
      assert.ok(fare >= (least[vehicle] ?? 0), `${trip_id}: ${type} of a ${vehicle} costs ${fare}`);
      if (fare === least[vehicle]) at_least++;
    }
    const [completed] = fares;
    if (completed === undefined || completed.at_ms > until_us / 1_000 - 6.1 * 3_600_000) continue;
    settled++;
    assert.equal(fares.at(-1)?.type, "trip.fare_adjusted", `${trip_id} is corrected within six hours`);
  }
  assert.ok(settled > 1_000 && at_least > 20, `${settled} settled trips, ${at_least} fares are the least`);
  const untouched = stream({ corrections: 0 }).take_due(until_us).filter(({ value }) =>
    value.includes("fare_adjusted")
  );
  assert.equal(untouched.length, 0);
});

Deno.test("trips are taken back, and say no fare, only when asked, as often as asked, and nothing else of the others changes", () => {
  const until_us = monday_us + 4 * hour_us;
  const plain = stream({ rate: 0.1 }).take_due(until_us);
  assert.ok(plain.every(({ value }) => !value.includes("trip.voided")));
  assert.deepEqual(stream({ rate: 0.1, voids: 0, without_fare: 0 }).take_due(until_us), plain);
  const events = [
    ...events_by_trip(stream({ rate: 0.1, voids: 0.2, without_fare: 0.3 }).take_due(until_us + 26 * hour_us)).values(),
  ];
  const completed = events.filter((trip) => trip.some(({ type }) => type === "trip.completed"));
  const early = completed.filter(([first]) => first!.at_ms < until_us / 1_000);
  const share = (of: (trip: (typeof early)[number]) => boolean) => early.filter(of).length / early.length;
  about(share((trip) => trip.at(-1)?.type === "trip.voided"), 0.2, 0.03);
  about(share((trip) => trip.some(({ type, data }) => type === "trip.completed" && !("fare" in data))), 0.3, 0.03);
  const before = new Map(plain.map((message) => [message.value, message]));
  const asked = stream({ rate: 0.1, voids: 0.2, without_fare: 0.3 }).take_due(until_us);
  const same = asked.filter(({ value }) => before.has(value)).length;
  assert.ok(same > 0.85 * plain.length, `${same} of ${plain.length} messages are the same`);
});

Deno.test("demand follows the day and the week; without variability it is even", () => {
  const count = (options: Partial<TripStreamOptions>, day: number, hour: number): number => {
    const start_us = monday_us + (day * 24 + hour) * hour_us;
    const messages = stream({ ...options, rate: 2, start_us }).take_due(start_us + hour_us);
    return messages.filter(({ value }) => value.includes("trip.requested")).length;
  };
  const evening = count({}, 1, 18);
  assert.ok(evening > 3 * count({}, 1, 4), "a Tuesday has more trips at 18:00 than at 04:00");
  assert.ok(count({}, 5, 1) > 1.5 * count({}, 2, 1), "more people are out in the night to Saturday than to Wednesday");
  about(count({ variability: 0 }, 1, 18), 7_200, 2);
  about(count({ variability: 0 }, 1, 4), 7_200, 2);
  const week = stream({ rate: 0.05 }).take_due(monday_us + 7 * 24 * hour_us).filter(({ value }) =>
    value.includes("trip.requested")
  );
  about(week.length, 0.05 * 7 * 86_400, 0.04 * 0.05 * 7 * 86_400);
});

Deno.test("the payment mix is a mix, some say nothing, and cards tip more than cash", () => {
  const counts = new Map<string, number>();
  const tipped = new Map<string, number>();
  let trips = 0;
  for (const [, events] of events_by_trip(stream().take_due(monday_us + 14 * hour_us))) {
    const data = events.find(({ type }) => type === "trip.completed")?.data;
    if (data === undefined) continue;
    trips++;
    const method = String(data["payment_method"] ?? "").trim() || "blank";
    counts.set(method, (counts.get(method) ?? 0) + 1);
    if (Number(data["tip"] ?? 0) > 0) tipped.set(method, (tipped.get(method) ?? 0) + 1);
  }
  const share = (method: string): number => (counts.get(method) ?? 0) / trips;
  about(share("card"), 0.53, 0.04);
  about(share("cash"), 0.2, 0.04);
  about(share("wallet"), 0.2, 0.04);
  about(share("voucher"), 0.05, 0.02);
  about(share("blank"), 0.03, 0.01);
  const tips = (method: string): number => (tipped.get(method) ?? 0) / (counts.get(method) ?? 1);
  assert.ok(tips("card") > 2 * tips("cash"));
});

Deno.test("what waits in memory is one message for each open trip", () => {
  const live = stream();
  const messages: GeneratedMessage[] = [];
  const waiting: number[] = [];
  for (let hour = 0; hour < 24; hour++) {
    messages.push(...live.take_due(monday_us + hour * hour_us));
    waiting.push(live.waiting);
  }
  // Corrections come up to six hours after a trip: then all that was open has ended.
  messages.push(...live.take_due(monday_us + 32 * hour_us));
  const spans = new Map<string, { readonly first_us: number; last_us: number }>();
  for (const { key, deliver_us } of messages) {
    const span = spans.get(key);
    if (span === undefined) spans.set(key, { first_us: deliver_us, last_us: deliver_us });
    else span.last_us = deliver_us;
  }
  waiting.forEach((count, hour) => {
    const now_us = monday_us + hour * hour_us;
    const open = [...spans.values()].filter(({ first_us, last_us }) => first_us <= now_us && last_us > now_us).length;
    assert.ok(Math.abs(count - open) <= 5, `at ${hour}:00 ${count} messages were waiting for ${open} open trips`);
  });
  assert.ok(spans.size > 40_000 && Math.max(...waiting) > 500);
});

Deno.test("open trips of an earlier run are finished, and new ones go on counting", () => {
  const known = { city: "Denver", vehicle_type: "suv", driver_id: "D0300", passenger_id: "P01500", pickup_zone: "40" };
  const unknown = { city: null, vehicle_type: null, driver_id: null, passenger_id: null, pickup_zone: null };
  const minutes_ago = (minutes: number): number => monday_us - minutes * 60_000_000 + 123;
  const open: OpenTrip[] = [
    { trip_id: "T-1", status: "requested", requested_us: minutes_ago(3), started_us: null, ...known },
    { trip_id: "T-2", status: "requested", requested_us: minutes_ago(600), started_us: null, ...known },
    { trip_id: "T-3", status: "in_progress", requested_us: minutes_ago(30), started_us: minutes_ago(25), ...known },
    { trip_id: "other", status: "in_progress", requested_us: null, started_us: minutes_ago(4_000), ...unknown },
    { trip_id: "T-5", status: "requested", requested_us: null, started_us: null, ...unknown },
  ];
  const messages = stream({ open, first_trip_number: 6, duplicates: 0 }).take_due(monday_us + 3 * hour_us);
  const trips = events_by_trip(messages);
  const types = (trip_id: string): string[] => (trips.get(trip_id) ?? []).map(({ type }) => type);
  assert.deepEqual(open.map(({ trip_id }) => types(trip_id)), [
    ["trip.started", "trip.completed"],
    ["trip.canceled"],
    ["trip.completed"],
    ["trip.completed"],
    ["trip.started", "trip.completed"],
  ]);
  for (const { trip_id, requested_us, started_us } of open) {
    const first = trips.get(trip_id)?.[0];
    assert.ok(
      (first?.at_ms ?? 0) * 1_000 > (started_us ?? requested_us ?? 0),
      `${trip_id} goes on after what is known`,
    );
  }
  assert.equal(trips.get("T-1")?.[0]?.data["driver_id"], "D0300");
  assert.ok(messages.every(({ deliver_us }) => deliver_us >= monday_us));
  assert.ok(trips.has("T-6") && !trips.has("T-4"));
  const ids = [...trips.values()].flat().map(({ event_id }) => event_id);
  assert.equal(new Set(ids).size, ids.length);
});

Deno.test("options out of range are refused, with the value", () => {
  assert.throws(() => stream({ rate: 0 }), /starting the trip generator: expected a number above 0.* as rate, got "0"/);
  assert.throws(() => stream({ late: 1.5 }), /from 0 to 1 as late, got "1.5"/);
  assert.throws(() => stream({ seed: 0.5 }), /whole number as seed, got "0.5"/);
  assert.throws(() => make_city({ seed: 1, zones: 2 }), /at least 3 zones, one for each city, got "2"/);
  assert.throws(() => make_city({ seed: 1, cities: [] }), /at least one city name/);
});
