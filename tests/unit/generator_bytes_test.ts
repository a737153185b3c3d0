import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import type { Generator, GeneratorPlan, GeneratorRun } from "../../src/domains/mod.ts";
import { PAYMENT_GENERATOR } from "../../src/domains/payments/generator.ts";
import { TRADE_GENERATOR } from "../../src/domains/trades/generator.ts";
import { TRIP_GENERATOR } from "../../src/domains/trips/generator/mod.ts";
import { bench_stream } from "../support/bench_stream.ts";
import { prefix_of } from "../../src/verbs/generate.ts";

/**
 * The bytes that fixed seeds give, as digests: whoever changes how streams are invented changes what `tacho produce` with the same options sent
 * before, and has to mean it.
 */

const hour_us = 3_600_000_000;
/** A Monday, six hours UTC. */
const start_us = Date.UTC(2026, 2, 2, 6) * 1_000;
const PLAN: GeneratorPlan = { seed: 7, rate: 0.2, currency: "USD", start_us };
const run: GeneratorRun = { time_zone: "America/New_York", prefix: "TGBXX2-" };
const TROUBLE = { late: 0.05, duplicates: 0.05, malformed: 0.05 };

/** A digest of the messages of some hours: when, under which key and what. */
function digest(generator: Generator, run: GeneratorRun, hours: number, plan: GeneratorPlan = PLAN): string {
  const hash = createHash("sha256");
  for (const message of generator.messages(plan, run).take_due(start_us + hours * hour_us)) {
    hash.update(`${message.deliver_us} ${message.key} ${message.value} ${JSON.stringify(message.headers)}\n`);
  }
  return hash.digest("hex").slice(0, 16);
}

/** A trip of an earlier run that has not ended, as far as it is known. */
const open_trip = (state: Readonly<Record<string, unknown>>) => ({ ...NOTHING_KNOWN, ...state });
const NOTHING_KNOWN = {
  requested_us: null,
  started_us: null,
  completed_us: null,
  canceled_us: null,
  voided_us: null,
  city: null,
  vehicle_type: null,
  driver_id: null,
  passenger_id: null,
  pickup_zone: null,
};
const OPEN = [
  { stream_id: "T-1", state: open_trip({ requested_us: start_us - 60_000_000, city: "Denver", pickup_zone: "40" }) },
  { stream_id: "T-2", state: open_trip({ started_us: start_us - 600_000_000 }) },
];

Deno.test("trips of a fixed seed are, byte for byte, what they always were", () => {
  const wishes = { variability: 1, corrections: 0.1, voids: 0.05, withoutFare: 0.05, anomalies: true };
  assert.deepEqual({
    plain: digest(TRIP_GENERATOR, run, 6),
    troubled: digest(TRIP_GENERATOR, { ...run, ...TROUBLE, open: OPEN }, 12, TRIP_GENERATOR.plan(PLAN, wishes)),
  }, { plain: "4748b624192714fe", troubled: "d29bee5629a0d911" });
  const hash = createHash("sha256");
  for (const { key, value } of bench_stream({ trips: 500, seed: 3, start_us, apart: 100 })) {
    hash.update(key).update(value);
  }
  assert.equal(hash.digest("hex").slice(0, 16), "d0483a514c55175e");
});

Deno.test("trades of a fixed seed are the same bytes every time", () => {
  const wishes = { corrections: 0.1, voids: 0.05, anomalies: true };
  assert.deepEqual({
    plain: digest(TRADE_GENERATOR, run, 6),
    troubled: digest(TRADE_GENERATOR, { ...run, ...TROUBLE }, 12, TRADE_GENERATOR.plan(PLAN, wishes)),
  }, { plain: "7d43fe78ee07eba5", troubled: "dc5bd0acf596f216" });
});

Deno.test("payments of a fixed seed are the same bytes every time", () => {
  const wishes = { corrections: 0.1, voids: 0.05, anomalies: true };
  assert.deepEqual({
    plain: digest(PAYMENT_GENERATOR, run, 6),
    troubled: digest(PAYMENT_GENERATOR, { ...run, ...TROUBLE }, 12, PAYMENT_GENERATOR.plan(PLAN, wishes)),
  }, { plain: "1a6d79cb70780a31", troubled: "5de811e1241d12ab" });
});

Deno.test("the ids of trips that `tacho produce` sends follow from its options as they always did", async () => {
  const wishes = { variability: 1, corrections: 0.012, anomalies: false };
  const plan = TRIP_GENERATOR.plan({ ...PLAN, rate: 10 }, wishes);
  assert.equal(await prefix_of(TRIP_GENERATOR, { ...plan, time_zone: "UTC" }), "TPOAEINNW-");
});
