import assert from "node:assert/strict";
import { make_city, TripStream } from "../../src/domains/trips/generator/mod.ts";
import type { GeneratedMessage } from "../../src/domains/mod.ts";
import type { TripStreamOptions } from "../../src/domains/trips/generator/mod.ts";
import { events_by_trip, validate } from "../support/trip_contract.ts";
import type { SeenEvent } from "../support/trip_contract.ts";

const hour_us = 3_600_000_000;
const monday_us = Date.UTC(2026, 2, 2) * 1_000;
const city = make_city({ seed: 7, passengers: 2_000 });

function stream(options: Partial<TripStreamOptions> = {}): TripStream {
  return new TripStream(city, { seed: 7, start_us: monday_us, rate: 0.5, ...options });
}

function is_good(message: GeneratedMessage): boolean {
  try {
    validate(message.value);
    return true;
  } catch {
    return false;
  }
}

/** The most requests that one zone had in ten minutes. */
function busiest_zone(trips: readonly (readonly SeenEvent[])[]): number {
  const counts = new Map<string, number>();
  for (const [requested] of trips) {
    const place = `${requested?.data["pickup_zone"]} ${Math.floor((requested?.at_ms ?? 0) / 600_000)}`;
    counts.set(place, (counts.get(place) ?? 0) + 1);
  }
  return Math.max(...counts.values());
}

/** How many times as many requests ten minutes had as the ten before them, at most. */
function steepest_rise(trips: readonly (readonly SeenEvent[])[]): number {
  const counts: number[] = [];
  for (const [requested] of trips) {
    const span = Math.floor(((requested?.at_ms ?? 0) - monday_us / 1_000) / 600_000);
    counts[span] = (counts[span] ?? 0) + 1;
  }
  return Math.max(...counts.map((count, span) => count / (counts[span - 1] ?? count)));
}

function about(actual: number, expected: number, tolerance: number): void {
  assert.ok(Math.abs(actual - expected) <= tolerance, `expected about ${expected} (±${tolerance}), got ${actual}`);
}

Deno.test("late, duplicate and malformed messages come in their shares, over the same trips", () => {
  const until_us = monday_us + 12 * hour_us;
  const clean = stream({ start_us: monday_us }).take_due(until_us);
  const messy = stream({ start_us: monday_us, late: 0.1, duplicates: 0.05, malformed: 0.03 }).take_due(until_us);
  const good = messy.filter(is_good);
  about((messy.length - good.length) / good.length, 0.03, 0.006);

  // However a message is broken, it breaks the contract: here each good one follows a broken copy.
  const broken = stream({ malformed: 1 }).take_due(monday_us + hour_us);
  assert.equal(broken.filter(is_good).length, broken.length / 2);

  const seen = new Set<string>();
  let duplicates = 0;
  let late = 0;
  let overtaken = 0;
  const newest = new Map<string, number>();
  for (const { value, deliver_us, key } of good) {
    if (seen.has(value)) {
      duplicates++;
      continue;
    }
    seen.add(value);
    const { at_ms } = validate(value);
    if (deliver_us / 1_000 - at_ms > 60_000) late++;
    if (at_ms < (newest.get(key) ?? 0)) overtaken++;
    newest.set(key, Math.max(at_ms, newest.get(key) ?? 0));
  }
  about(duplicates / seen.size, 0.05, 0.008);
  about(late / seen.size, 0.1, 0.01);
  assert.ok(overtaken > late / 10, `${overtaken} late messages came after a later event of their trip`);
  // Whatever the clean stream had sent an hour before the end has come in the messy one too, with the same bytes.
  for (const { value, deliver_us } of clean) {
    if (deliver_us < until_us - hour_us) assert.ok(seen.has(value), value);
  }
});

Deno.test("anomalies: spikes, held-back messages, completions after cancellations, and fraud", () => {
  const messages = stream({ anomalies: true }).take_due(monday_us + 18 * hour_us);
  const held = messages.filter(({ value, deliver_us }) => deliver_us / 1_000 - validate(value).at_ms > 60_000);
  assert.ok(held.length > 100, "an outage holds messages back");
  const trips = [...events_by_trip(messages).values()];
  const conflicts = trips.filter((events) => /canceled.*completed/.test(events.map(({ type }) => type).join(" ")));
  assert.ok(conflicts.length > 20, "some trips are completed after a cancellation");
  const fraud = messages.map(({ value }) => validate(value).data).filter((data) =>
    Number(data["fare"]) >= 60 && Number(data["distance_km"]) <= 0.5
  );
  about(fraud.length / trips.length, 0.004, 0.002);
  const calm = [...events_by_trip(stream().take_due(monday_us + 18 * hour_us)).values()];
  assert.ok(busiest_zone(trips) > 2 * busiest_zone(calm), "a spike fills one zone");

  // What a page shows minute by minute: the curve jumps in a spike, and in an outage requests are turned away.
  assert.ok(steepest_rise(trips) > 1.6 && steepest_rise(calm) < 1.5, "a spike stands out of the city's curve");
  const unserved = (all: typeof trips): number =>
    all.filter((events) => events.some(({ data }) => data["reason"] === "dispatch_unavailable")).length;
  assert.ok(unserved(trips) > 50, `${unserved(trips)} requests found no dispatcher`);
  assert.equal(unserved(calm), 0);
});
