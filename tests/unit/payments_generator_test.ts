import assert from "node:assert/strict";
import type { GeneratorPlan } from "../../src/domains/mod.ts";
import { MERCHANTS, PAYMENT_GENERATOR } from "../../src/domains/payments/generator.ts";
import { generated_event, type GeneratedEvent } from "../support/generated_event.ts";

const hour_us = 3_600_000_000;
/** A Monday, midnight UTC. */
const monday_us = Date.UTC(2026, 2, 2) * 1_000;
const PLAN: GeneratorPlan = { seed: 7, rate: 0.5, currency: "USD", start_us: monday_us };

function seen(hours: number, plan: Partial<GeneratorPlan> = {}, wishes = {}): GeneratedEvent[] {
  const made = PAYMENT_GENERATOR.plan({ ...PLAN, ...plan }, wishes);
  const messages = PAYMENT_GENERATOR.messages(made, { time_zone: "UTC", prefix: "YTGBXX2-" });
  return messages.take_due(monday_us + hours * hour_us).map(generated_event);
}
const begun = (events: readonly GeneratedEvent[]) =>
  events.filter(({ type }) => type === "payment.authorized" || type === "payment.declined");
const cents = (value: unknown): number => Math.round(Number(value) * 100);

Deno.test("payments: merchants by Zipf, several currencies, a few declined; refunds come to no more than was captured", () => {
  const events = seen(24 * 9, { rate: 0.04 }, { corrections: 0.3 }), first = begun(events);
  const share = (of: (each: GeneratedEvent) => boolean) => first.filter(of).length / first.length;
  for (const { name, share: expected } of MERCHANTS.slice(0, 5)) {
    assert.ok(Math.abs(share(({ data }) => data.merchant === name) - expected) < 0.02, name);
  }
  const codes = new Set(first.map(({ data }) => data.currency));
  assert.deepEqual([...codes].map(String).sort(), ["EUR", "GBP", "USD", "undefined"]);
  assert.ok(Math.abs(share(({ type }) => type === "payment.declined") - 0.055) < 0.01);
  let refunded = 0, partly = 0, several = 0;
  for (const of_payment of Map.groupBy(events, ({ stream }) => stream).values()) {
    of_payment.forEach(({ at_us }, i) => assert.ok(i === 0 || at_us > of_payment[i - 1]!.at_us));
    const capture = of_payment.find(({ type }) => type === "payment.captured");
    const refunds = of_payment.filter(({ type }) => type === "payment.refunded");
    if (capture === undefined) assert.equal(refunds.length, 0);
    else {
      const captured = cents(capture.data.amount ?? of_payment[0]!.data.amount);
      const back = refunds.reduce((sum, { data }) => sum + cents(data.amount), 0);
      assert.ok(back <= captured, `${back} of ${captured}`);
      if (refunds.length > 0) back === captured ? refunded++ : partly++;
      if (refunds.length > 1) several++;
    }
  }
  assert.ok(
    refunded > 50 && partly > 50 && several > 50,
    `${refunded} in full, ${partly} in part, ${several} in several`,
  );
});

Deno.test("every anomaly that the plan says is in the stream: spikes, outages of a method, stolen cards; without them none is", () => {
  const hours = 48, plan = { rate: 0.6 }, until_us = monday_us + hours * hour_us;
  const events = begun(seen(hours + 1, plan, { anomalies: true })), calm = begun(seen(hours + 1, plan));
  const planted = PAYMENT_GENERATOR.planted(
    PAYMENT_GENERATOR.plan({ ...PLAN, ...plan }, { anomalies: true }),
    until_us,
  );
  const of_kind = Map.groupBy(planted, ({ kind }) => kind);
  assert.deepEqual([...of_kind.keys()].sort(), ["card_testing", "merchant_spike", "method_outage"]);
  const during = (of: readonly GeneratedEvent[], { from_us, until_us, keys }: (typeof planted)[number]) =>
    of.filter(({ at_us, data }) =>
      at_us >= from_us && at_us < until_us && Object.entries(keys).every(([dimension, key]) => data[dimension] === key)
    );
  const sum = (of: readonly GeneratedEvent[], spans: typeof planted) =>
    spans.reduce((all, span) => all + during(of, span).length, 0);
  const spikes = of_kind.get("merchant_spike")!;
  assert.ok(sum(events, spikes) > 3 * sum(calm, spikes), `${sum(events, spikes)} for ${sum(calm, spikes)}`);
  for (const outage of of_kind.get("method_outage")!) {
    // Who tries stolen cards pays by any method, and is let through.
    const tried = during(events, outage).filter(({ data }) => Number(data.amount) > 5);
    assert.deepEqual(tried.filter(({ type }) => type !== "payment.declined"), []);
  }
  for (const fraud of of_kind.get("card_testing")!) {
    const small = during(events, fraud).filter(({ data }) => Number(data.amount) <= 5);
    const declined = small.filter(({ type }) => type === "payment.declined").length;
    assert.ok(
      small.length >= 30 && declined > small.length / 2 && declined < small.length,
      `${declined} of ${small.length}`,
    );
    assert.ok(during(calm, fraud).filter(({ data }) => Number(data.amount) <= 5).length < small.length / 3);
  }
});
