import assert from "node:assert/strict";
import { city_for, make_city, TRIP_GENERATOR, TripStream } from "../../src/domains/trips/generator/mod.ts";
import { event_clock, generated_id, prefix_of, run_prefix } from "../../src/verbs/generate.ts";

Deno.test("event time passes so many times as fast as the clock until it has caught up, then with it", () => {
  let now_ms = 1_000_000;
  const start_us = (now_ms - 60_000) * 1_000;
  const sixty = event_clock(start_us, 60, () => now_ms);
  const half = event_clock(start_us, 0.5, () => now_ms);
  const at_once = event_clock(start_us, Infinity, () => now_ms);
  assert.deepEqual([sixty(), half(), at_once()], [start_us, start_us, now_ms * 1_000]);
  now_ms += 500;
  assert.deepEqual([sixty(), half(), at_once()], [start_us + 30_000_000, start_us + 250_000, now_ms * 1_000]);
  now_ms += 600;
  assert.equal(sixty(), now_ms * 1_000);
});

Deno.test("the city's rush hours are those of the business time zone", () => {
  const offset_min = (time_zone: string, day: string): number =>
    city_for({ seed: 1, rate: 0.01, start_us: Date.parse(day) * 1_000 }, { time_zone }).utc_offset_us / 60_000_000;
  assert.equal(offset_min("America/New_York", "2026-01-15T03:00:00Z"), -300);
  assert.equal(offset_min("America/New_York", "2026-07-15T03:00:00Z"), -240);
  assert.equal(offset_min("Asia/Kolkata", "2026-07-15T23:59:59.999Z"), 330);
  assert.equal(offset_min("UTC", "2026-07-15T00:00:00Z"), 0);

  const requests = (utc_offset_min: number, hour: number): number => {
    const start_us = Date.UTC(2026, 2, 3, hour) * 1_000;
    return new TripStream(make_city({ seed: 7, passengers: 100, utc_offset_min }), { seed: 7, start_us, rate: 0.3 })
      .take_due(start_us + 3_600_000_000).filter(({ value }) => value.includes("trip.requested")).length;
  };
  assert.ok(requests(-300, 23) > 3 * requests(-300, 9), "18:00 in New York is 23:00 in UTC");
});

Deno.test("generated trips are told from others by their ids", async () => {
  const generated = new RegExp(generated_id(TRIP_GENERATOR));
  for (const year of [2024, 2026, 2030, 2038, 2045]) {
    const prefix = run_prefix(TRIP_GENERATOR, Date.UTC(year, 5, 1, 12, 34, 56));
    assert.match(`${prefix}1`, generated);
  }
  for (let seed = 0; seed < 200; seed++) {
    const prefix = await prefix_of(TRIP_GENERATOR, { seed, rate: 1, start_us: 0, time_zone: "UTC" });
    if (/[A-Z]/.test(prefix.slice(1))) assert.match(`${prefix}${seed}`, generated);
  }
  for (
    const id of [
      "T-1042",
      "t-1",
      "T20240101-15",
      "TAXI001-7",
      "1f0c2a9b",
      "T-TGBXX2-1",
      "TGBXX2-",
      "TGBXX2-1a",
      "",
      "T1-1",
    ]
  ) assert.doesNotMatch(id, generated);
});
