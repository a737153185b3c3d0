import process from "node:process";
import { city_for, TripStream } from "../../src/domains/trips/generator/mod.ts";
import { as_bytes } from "../../src/verbs/generate.ts";

/**
 * Measures how many messages the generator of `tacho produce` makes, as bytes, a second of processor time (what other programs take of the machine
 * is not in it). Takes the number of messages a round; the last line is one line of JSON, the median over the rounds.
 */

const COUNT = Number(Deno.args[0] ?? 200_000);
const ROUNDS = 5;
const start_us = Date.UTC(2026, 2, 2) * 1_000;
const rate = 20;

const trouble = { late: 0.01, duplicates: 0.005, malformed: 0.001, anomalies: true };
const city = city_for({ seed: 1, rate, start_us }, { time_zone: "UTC" });
const stream = new TripStream(city, { seed: 1, rate, start_us, ...trouble });
const rates: number[] = [];
for (let round = 0; round <= ROUNDS; round++) {
  const before = process.cpuUsage();
  for (let made = 0; made < COUNT; made += 1_000) as_bytes(stream.take_due(Infinity, 1_000));
  const { user, system } = process.cpuUsage(before);
  const events_per_s = Math.round((COUNT * 1e6) / (user + system));
  console.error(`round ${round}: ${events_per_s}/s${round === 0 ? " (warm-up, not counted)" : ""}`);
  if (round > 0) rates.push(events_per_s);
}
console.log(JSON.stringify({ generated_events_per_s: rates.toSorted((a, b) => a - b)[ROUNDS >> 1] }));
