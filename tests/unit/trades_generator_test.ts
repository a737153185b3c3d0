import assert from "node:assert/strict";
import type { GeneratorPlan, Planted } from "../../src/domains/mod.ts";
import { TRADE_GENERATOR } from "../../src/domains/trades/generator.ts";
import { prices, TICKERS } from "../../src/domains/trades/market.ts";
import { generated_event, type GeneratedEvent } from "../support/generated_event.ts";

const hour_us = 3_600_000_000, minute_us = 60_000_000;
/** A Monday, midnight UTC. */
const monday_us = Date.UTC(2026, 2, 2) * 1_000;
const PLAN: GeneratorPlan = { seed: 7, rate: 0.5, currency: "USD", start_us: monday_us };

function seen(hours: number, plan: Partial<GeneratorPlan> = {}, wishes = {}): GeneratedEvent[] {
  const made = TRADE_GENERATOR.plan({ ...PLAN, ...plan }, wishes);
  const messages = TRADE_GENERATOR.messages(made, { time_zone: "UTC", prefix: "XTGBXX2-" });
  return messages.take_due(monday_us + hours * hour_us).map(generated_event);
}
const executions = (events: readonly GeneratedEvent[]) => events.filter(({ type }) => type === "trade.executed");
const cents = ({ data }: GeneratedEvent): number => Math.round(Number(data.price) * 100);
const during = (events: readonly GeneratedEvent[], from_us: number, until_us: number) =>
  events.filter(({ at_us }) => at_us >= from_us && at_us < until_us);
const of_keys = (events: readonly GeneratedEvent[], keys: Planted["keys"]) =>
  events.filter(({ data }) => Object.entries(keys).every(([dimension, key]) => data[dimension] === key));

Deno.test("prices walk: about as far in a time as its root, near the usual ones, one cent now and a dollar over days", () => {
  const price = prices(7), other = prices(8);
  TICKERS.forEach(({ name, cents: usual }, ticker) => {
    /** The mean of squared steps of the logarithm over so many seconds. */
    const moved = (seconds: number): number => {
      let sum = 0;
      for (let i = 0; i < 2_000; i++) {
        const at_us = monday_us + i * 977 * 1e6;
        sum += Math.log(price(ticker, at_us + seconds * 1e6) / price(ticker, at_us)) ** 2;
      }
      return Math.sqrt(sum / 2_000);
    };
    const steps = [10, 1_000, 100_000].map(moved);
    for (const [i, step] of steps.entries()) {
      if (i > 0) assert.ok(step > 6 * steps[i - 1]! && step < 16 * steps[i - 1]!, `${name}: ${steps}`);
    }
    assert.ok(steps[0]! < 0.0012 && steps[2]! > 0.01, `${name}: ${steps}`);
    for (let day = 0; day < 400; day++) {
      const ratio = price(ticker, monday_us + day * 24 * hour_us) / usual;
      assert.ok(ratio > 0.4 && ratio < 2.5, `${name} on day ${day}: ${ratio}`);
    }
    assert.notEqual(price(ticker, monday_us), other(ticker, monday_us));
  });
});

Deno.test("a run goes on with the prices that an earlier one ended with", () => {
  const first = executions(seen(2)), second = executions(seen(3, { start_us: monday_us + 2 * hour_us }));
  for (const { name } of TICKERS) {
    const last = of_keys(first, { ticker: name }).at(-1)!, next = of_keys(second, { ticker: name })[0]!;
    assert.ok(Math.abs(cents(next) / cents(last) - 1) < 0.02, `${name}: ${cents(last)}, then ${cents(next)}`);
  }
});

Deno.test("trades: shares of tickers, sides and venues; a few are corrected and taken back later, what is not said is rare", () => {
  const events = seen(34),
    executed = executions(events),
    by_id = Map.groupBy(events, ({ stream }) => stream);
  for (const { name, share } of TICKERS) {
    const got = of_keys(executed, { ticker: name }).length / executed.length;
    assert.ok(Math.abs(got - share) < 0.02, `${name}: ${got}`);
  }
  const share = (of: (each: GeneratedEvent) => boolean) => executed.filter(of).length / executed.length;
  assert.ok(Math.abs(share(({ data }) => data.side === "buy") - 0.495) < 0.02);
  const unsaid = share(({ data }) => data.side === null || data.side === "" || data.side === undefined);
  assert.ok(unsaid > 0.008 && unsaid < 0.025, `${unsaid} say no side`);
  const volumes = executed.map(({ data }) => Number(data.volume)).toSorted((a, b) => a - b);
  assert.ok(
    volumes[0]! >= 1 && volumes.every(Number.isInteger) && volumes.at(-1)! > 10 * volumes[volumes.length >> 1]!,
  );
  // Six hours and a half are enough for all that comes later.
  const old = executed.filter(({ at_us }) => at_us < monday_us + 27 * hour_us);
  const later = (type: string) =>
    old.filter(({ stream }) => by_id.get(stream)!.some((each) => each.type === type)).length;
  assert.ok(Math.abs(later("trade.corrected") / old.length - 0.008) < 0.003);
  assert.ok(later("trade.busted") > 0 && later("trade.busted") / old.length < 0.005);
  for (const of_trade of by_id.values()) {
    assert.equal(of_trade[0]!.type, "trade.executed");
    of_trade.forEach(({ at_us }, i) => assert.ok(i === 0 || at_us > of_trade[i - 1]!.at_us));
  }
  const none = seen(10, {}, { corrections: 0, voids: 0 });
  assert.ok(none.every(({ type }) => type === "trade.executed"));
  const all = seen(10, {}, { corrections: 1, voids: 1 });
  assert.ok(all.filter(({ type }) => type === "trade.busted").length > 100);
});

const HOURS = 36;

Deno.test("every anomaly that the plan says is in the stream: spikes, slips, outages and washes; without them none is", () => {
  const events = seen(HOURS + 1, { rate: 0.8 }, { anomalies: true }), executed = executions(events);
  const calm = executions(seen(HOURS + 1, { rate: 0.8 }));
  const plan = TRADE_GENERATOR.plan({ ...PLAN, rate: 0.8 }, { anomalies: true });
  const planted = TRADE_GENERATOR.planted(plan, monday_us + HOURS * hour_us);
  const of_kind = Map.groupBy(planted, ({ kind }) => kind);
  assert.deepEqual([...of_kind.keys()].sort(), ["fat_finger", "venue_outage", "volume_spike", "wash_trading"]);
  const volume = (of: readonly GeneratedEvent[]) => of.reduce((sum, { data }) => sum + Number(data.volume), 0);

  for (const { from_us, until_us, keys } of of_kind.get("volume_spike")!) {
    const got = volume(of_keys(during(executed, from_us, until_us), keys));
    const usual = volume(of_keys(during(calm, from_us, until_us), keys));
    assert.ok(got > 3 * usual, `${keys.ticker}: ${got} instead of ${usual}`);
  }
  const price = prices(PLAN.seed);
  const off = (each: GeneratedEvent) => {
    const ticker = TICKERS.findIndex(({ name }) => name === each.data.ticker);
    const ratio = cents(each) / price(ticker, each.at_us);
    return ratio > 5 || ratio < 0.2;
  };
  const slips = executed.filter(off).filter(({ at_us }) => at_us < monday_us + HOURS * hour_us);
  const told = of_kind.get("fat_finger")!;
  assert.deepEqual(
    slips.map(({ at_us, data }) => [at_us, data.ticker]),
    told.map(({ from_us, keys }) => [from_us, keys.ticker]),
  );
  const taken_back = slips.filter(({ stream }) =>
    events.some((each) => each.stream === stream && each.type === "trade.busted")
  );
  assert.ok(taken_back.length > 0 && taken_back.length < slips.length, "some are taken back within the hour");
  assert.deepEqual(calm.filter(off), []);

  for (const { from_us, until_us, keys } of of_kind.get("venue_outage")!) {
    assert.equal(of_keys(during(executed, from_us, until_us), keys).length, 0, `${keys.venue} trades nothing`);
    const beside = of_keys(during(executed, from_us - 30 * minute_us, until_us + 30 * minute_us), keys);
    assert.ok(beside.length > 0, `${keys.venue} trades before and after`);
  }
  for (const { from_us, until_us, keys } of of_kind.get("wash_trading")!) {
    const there = of_keys(during(executed, from_us, until_us), keys).toSorted((a, b) => a.at_us - b.at_us);
    const pairs = there.flatMap((sold) => {
      const bought = there.find((each) => each.at_us === sold.at_us + 3_000_000 && each.data.side === "buy");
      const same = bought?.data.price === sold.data.price && bought?.data.volume === sold.data.volume;
      return same && sold.data.side === "sell" ? [sold] : [];
    });
    assert.ok(pairs.length >= Math.floor((until_us - from_us) / 20_000_000), `${pairs.length} pairs`);
    assert.equal(new Set(pairs.map(({ data }) => data.volume)).size, 1);
  }
});
