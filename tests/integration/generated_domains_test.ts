import assert from "node:assert/strict";
import type { Database } from "../../src/database/mod.ts";
import type { DeclaredDomain, GeneratedMessage, GeneratorPlan } from "../../src/domains/mod.ts";
import { TRADES } from "../../src/domains/trades/mod.ts";
import { days_in } from "../../src/kpi/mod.ts";
import { generator_of, run_prefix } from "../../src/verbs/generate.ts";
import { tacho_test } from "../support/available.ts";
import { DEPLOYMENT, with_domain_log } from "../support/domain_log.ts";
import { generated_event } from "../support/generated_event.ts";
import { start_ingest } from "../support/ingest_harness.ts";
import { MemorySource } from "../support/memory_source.ts";
import { message } from "../support/trip_pipeline.ts";
import { verified } from "../support/verified_log.ts";

/** What domains invent, through the real pipeline: the figures are those that counting the messages gives. */

const hour_us = 3_600_000_000;
const START_US = Date.UTC(2026, 2, 2, 11) * 1_000;
const HOURS = 8;
const PLAN: GeneratorPlan = { seed: 7, rate: 0.3, currency: "USD", start_us: START_US };

/** Invents messages with mishaps and anomalies, and tells the good ones from the broken: those that the same plan sends without mishaps are good. */
function invented(domain: DeclaredDomain) {
  const generator = generator_of(domain),
    plan = generator.plan(PLAN, { corrections: 0.1, voids: 0.05, anomalies: true });
  const run = { time_zone: "UTC", prefix: run_prefix(generator, START_US / 1_000) };
  const until_us = START_US + HOURS * hour_us;
  const clean = new Set(generator.messages(plan, run).take_due(until_us).map(({ value }) => value));
  const messages = generator.messages(plan, { ...run, late: 0.05, duplicates: 0.05, malformed: 0.05 }).take_due(
    until_us,
  );
  const good = messages.filter(({ value }) => clean.has(value));
  const distinct = [...new Map(good.map((each) => [each.value, each])).values()];
  return {
    messages,
    events: distinct.map(generated_event),
    counts: {
      position: String(distinct.length),
      duplicates: String(good.length - distinct.length),
      held: String(messages.length - good.length),
    },
  };
}

/** Lends the log of a domain in a schema of its own, with these messages in it. */
async function with_log(
  declared: DeclaredDomain,
  messages: readonly GeneratedMessage[],
  work: (database: Database) => Promise<void>,
): Promise<void> {
  const domain = declared.make(DEPLOYMENT);
  await with_domain_log(declared.name, async (database) => {
    const source = new MemorySource(declared.name, [messages.map(({ value }, i) => message(i, value))]);
    const now_ms = () => START_US / 1_000 + 24 * 3_600_000;
    const running = start_ingest(database, source, { domain, time_zone: "UTC", batch_messages: 500, now_ms });
    try {
      await running.caught_up();
    } finally {
      await running.stop();
    }
    await work(database);
    assert.deepEqual((await verified(database, {}, { domain, days: days_in("UTC") })).faults, []);
  });
}

const hour_of = (at_us: number): string => new Date(Math.floor(at_us / hour_us) * 3_600_000).toISOString();
const micros = (amount: unknown): bigint => BigInt(Math.round(Number(amount) * 100)) * 10_000n;

/** Adds figures up by name. */
class Sums {
  readonly #sums = new Map<string, Record<string, bigint>>();
  add(name: string, figures: Record<string, bigint>): void {
    const before = this.#sums.get(name) ?? {};
    const names = [...new Set([...Object.keys(before), ...Object.keys(figures)])];
    this.#sums.set(name, Object.fromEntries(names.map((each) => [each, (before[each] ?? 0n) + (figures[each] ?? 0n)])));
  }
  rows(measures: readonly string[]): Map<string, bigint[]> {
    const rows = [...this.#sums].map(([name, sums]) => [name, measures.map((each) => sums[each] ?? 0n)] as const);
    return new Map(rows.filter(([, row]) => row.some((each) => each !== 0n)).sort());
  }
}

/** The same of the cells of an hour. */
async function cells(
  database: Database,
  table: string,
  dimensions: readonly string[],
  measures: readonly string[],
): Promise<Map<string, bigint[]>> {
  const rows = await database.query<Record<string, string>>(
    `select dimension, key, to_char(bucket at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS".000Z"') as bucket, ${
      measures.map((each) => `${each}::text as ${each}`).join(", ")
    } from ${table} where grain = '1h' and dimension in (${dimensions.map((each) => `'${each}'`)})`,
  );
  const read = rows.map((row) =>
    [`${row.dimension} ${row.key} ${row.bucket}`, measures.map((each) => BigInt(row[each]!))] as const
  );
  return new Map(read.filter(([, row]) => row.some((each) => each !== 0n)).sort());
}

const key = (value: unknown): string => typeof value === "string" && value !== "" ? value : "unknown";

tacho_test({
  name:
    "generated trades, late, repeated, broken and planted ones among them: hour by hour the cells are what counting the messages gives",
  needs: ["postgres"],
  fn() {
    const { messages, events, counts } = invented(TRADES);
    assert.ok(messages.length > 5_000, `${messages.length} messages`);
    return with_log(TRADES, messages, async (database) => {
      const [head] = await database.query("select position, duplicates, held from log_head");
      assert.deepEqual(head, counts);
      const sums = new Sums(), measures = ["trades", "volume", "notional_micros", "busted"];
      for (const of_trade of Map.groupBy(events, ({ stream }) => stream).values()) {
        const of_type = (type: string) => of_trade.find((each) => each.type === type);
        const executed = of_type("trade.executed"),
          corrected = of_type("trade.corrected"),
          busted = of_type("trade.busted");
        const dated = busted ?? executed;
        if (dated === undefined) continue;
        const { ticker, side, venue, price, volume } = executed?.data ?? {};
        const shares = BigInt(Number(corrected?.data.volume ?? volume));
        const figures = busted === undefined
          ? { trades: 1n, volume: shares, notional_micros: shares * micros(corrected?.data.price ?? price) }
          : { busted: 1n };
        const keys = { none: "all", ticker: key(ticker), side: key(side), venue: key(venue) };
        for (const [dimension, of] of Object.entries(keys)) {
          sums.add(`${dimension} ${of} ${hour_of(dated.at_us)}`, figures);
        }
      }
      const found = await cells(database, "trade_cells", ["none", "ticker", "side", "venue"], measures);
      assert.ok(found.size > 100);
      assert.deepEqual(found, sums.rows(measures));
    });
  },
});
