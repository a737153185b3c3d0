import assert from "node:assert/strict";
import type { GeneratedMessage, GeneratorPlan, GeneratorRun } from "../../src/domains/mod.ts";
import { decode_message } from "../../src/ingest/mod.ts";
import { DOMAINS } from "../../src/verbs/domains.ts";
import { generated_id, generator_of, run_prefix } from "../../src/verbs/generate.ts";
import { message } from "../support/trip_pipeline.ts";

/** What holds of the generator of every domain. */

const hour_us = 3_600_000_000;
/** A Monday, midnight UTC. */
const monday_us = Date.UTC(2026, 2, 2) * 1_000;
const PLAN: GeneratorPlan = { seed: 7, rate: 0.5, currency: "USD", start_us: monday_us };
const TROUBLE = { late: 0.05, duplicates: 0.05, malformed: 0.05 };

/** The event of a message, as the domain's ingest decodes it; null where it refuses it. */
function reader(domain: (typeof DOMAINS)[number]) {
  const made = domain.make({ currency: "USD" });
  const terms = { future_limit_ms: 0, max_message_bytes: 1_000_000, read_ms: Date.UTC(2030, 0, 1) };
  return ({ value }: GeneratedMessage) => {
    const outcome = decode_message(made, terms, message(0, value));
    return "event" in outcome ? outcome.event : null;
  };
}

for (const domain of DOMAINS) {
  const { name } = domain, generator = generator_of(domain);
  const run: GeneratorRun = { time_zone: "UTC", prefix: run_prefix(generator, Date.UTC(2026, 2, 2)) };
  const take = (plan: Partial<GeneratorPlan>, more: Partial<GeneratorRun>, until_us: number, wishes = {}) =>
    generator.messages(generator.plan({ ...PLAN, ...plan }, wishes), { ...run, ...more }).take_due(until_us);

  Deno.test(`${name}: the same plan gives the same bytes in any slices, and mishaps are laid over the same streams`, () => {
    const until_us = monday_us + 3 * hour_us, plan = generator.plan(PLAN, { anomalies: true });
    const at_once = generator.messages(plan, { ...run, ...TROUBLE }).take_due(until_us);
    assert.ok(at_once.length > 1_000, `${at_once.length} messages`);
    const live = generator.messages(plan, { ...run, ...TROUBLE }), by_the_clock: GeneratedMessage[] = [];
    for (let now_us = monday_us - hour_us; now_us < until_us; now_us += 7_300_000) {
      by_the_clock.push(...live.take_due(now_us, 3));
    }
    by_the_clock.push(...live.take_due(until_us));
    assert.deepEqual(by_the_clock, at_once);
    assert.notDeepEqual(take({ seed: 8 }, TROUBLE, until_us, { anomalies: true }), at_once);
    const troubled = new Set(at_once.map(({ value }) => value));
    const clean = generator.messages(plan, run).take_due(until_us - hour_us);
    assert.deepEqual(clean.filter(({ value }) => !troubled.has(value)), []);
  });

  Deno.test(`${name}: a week has as many streams as the rate says, more by day than by night; without variability they come evenly`, () => {
    const begun = (messages: readonly GeneratedMessage[], from_us: number, until_us: number): number => {
      const read = reader(domain), first = new Map<string, number>();
      for (const each of messages) {
        const { stream_id, occurred_at_us } = read(each)!;
        first.set(stream_id, Math.min(first.get(stream_id) ?? Infinity, occurred_at_us));
      }
      return [...first.values()].filter((at_us) => at_us >= from_us && at_us < until_us).length;
    };
    const week_us = 7 * 24 * hour_us, rate = 0.02;
    const week = take({ rate }, {}, monday_us + week_us);
    const all = begun(week, monday_us, monday_us + week_us), expected = rate * week_us / 1e6;
    assert.ok(Math.abs(all - expected) < 0.05 * expected, `${all} streams of ${expected}`);
    const hours = (from: number, until: number) => begun(week, monday_us + from * hour_us, monday_us + until * hour_us);
    assert.ok(hours(33, 41) > 1.5 * hours(24, 32), "a Tuesday from 9 to 17 has more than from 0 to 8");
    const even = take({ rate: 0.1 }, {}, monday_us + 4 * hour_us, { variability: 0 });
    assert.ok(Math.abs(begun(even, monday_us, monday_us + 3 * hour_us) - 1_080) <= 2);
  });

  Deno.test(`${name}: every message is an event of the domain, soon after its time, but for the malformed, late and repeated ones in their shares`, () => {
    const read = reader(domain), until_us = monday_us + 6 * hour_us;
    for (const each of take({}, {}, until_us)) {
      const event = read(each);
      assert.ok(event !== null, each.value);
      assert.equal(event.stream_id, each.key);
      const delay_ms = (each.deliver_us - event.occurred_at_us) / 1_000;
      assert.ok(delay_ms > 0 && delay_ms < 1_000, `delivered ${delay_ms} ms after its time`);
    }
    const seen = new Set<string>();
    let refused = 0, repeated = 0, late = 0, last_us = 0;
    for (const each of take({}, TROUBLE, until_us)) {
      const event = read(each);
      assert.ok(each.deliver_us >= last_us, "delivery goes forward");
      last_us = each.deliver_us;
      if (event === null) refused++;
      else if (seen.has(each.value)) repeated++;
      else if (each.deliver_us - event.occurred_at_us > 60_000_000) late++;
      if (event !== null) seen.add(each.value);
    }
    for (const [what, count] of Object.entries({ refused, repeated, late })) {
      assert.ok(Math.abs(count / seen.size - 0.05) < 0.012, `${what}: ${count} of ${seen.size}`);
    }
    const broken = take({}, { malformed: 1 }, monday_us + hour_us);
    assert.equal(broken.filter((each) => read(each) === null).length, broken.length / 2, "all of the broken copies");
  });

  Deno.test(`${name}: no stream and no event id of one run comes in another, and all ids are told as generated`, () => {
    const read = reader(domain), until_us = monday_us + 6 * hour_us;
    const told = (plan: Partial<GeneratorPlan>, now_ms: number) =>
      take(plan, { prefix: run_prefix(generator, now_ms) }, until_us).map((each) => read(each)!);
    const runs = [told({}, 1.77e12), told({}, 1.77e12 + 1_000), told({ start_us: monday_us + 1 }, 1.77e12 + 2_000)];
    const events = runs.flatMap((each) => each.map(({ event_id }) => event_id));
    assert.equal(new Set(events).size, events.length);
    const streams = runs.map((each) => new Set(each.map(({ stream_id }) => stream_id)));
    assert.equal(new Set(streams.flatMap((each) => [...each])).size, streams.reduce((sum, { size }) => sum + size, 0));
    const generated = new RegExp(generated_id(generator));
    for (const id of streams.flatMap((each) => [...each])) assert.match(id, generated);
    for (const other of DOMAINS.filter((each) => each !== domain)) {
      assert.doesNotMatch([...streams[0]!][0]!, new RegExp(generated_id(generator_of(other))));
    }
  });

  Deno.test(`${name}: what is planted is known of any plan with anomalies, the same however far one looks, and nothing of one without`, () => {
    const plan = generator.plan(PLAN, { anomalies: true }), day_us = 24 * hour_us;
    const week = generator.planted(plan, monday_us + 7 * day_us);
    assert.ok(week.length > 10);
    for (const { from_us, until_us } of week) {
      assert.ok(from_us >= monday_us && until_us > from_us && until_us <= monday_us + 7 * day_us);
    }
    assert.deepEqual(
      generator.planted(plan, monday_us + day_us),
      week.filter((each) => each.until_us <= monday_us + day_us),
    );
    assert.deepEqual(generator.planted(generator.plan(PLAN, {}), monday_us + 7 * day_us), []);
  });

  Deno.test(`${name}: options out of range are refused, with the value`, () => {
    const at = (plan: Partial<GeneratorPlan>, more: Partial<GeneratorRun> = {}) => () => take(plan, more, monday_us);
    assert.throws(at({ rate: 0 }), /starting the \w+ generator: expected a number above 0.* as rate, got "0"/);
    assert.throws(at({}, { late: 1.5 }), /from 0 to 1 as late, got "1.5"/);
    assert.throws(at({ seed: 0.5 }), /whole number as seed, got "0.5"/);
  });
}
