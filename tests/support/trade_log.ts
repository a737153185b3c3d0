import type { Database } from "../../src/database/mod.ts";
import { trades_domain } from "../../src/domains/trades/mod.ts";
import { Cursors, Pipeline } from "../../src/ingest/mod.ts";
import { days_in } from "../../src/kpi/mod.ts";
import { with_domain_log } from "./domain_log.ts";
import { feed, LIMITS, message } from "./trip_pipeline.ts";

/** A log of trades that a test fills, without a source. */

export const TRADES_DOMAIN = trades_domain({ currency: "USD" });

/** An event of a trade, as it is sent. */
export type ToldTrade = Readonly<Record<string, unknown>>;
/** Tells the log of some, in one batch. */
export type TellTrades = (...events: readonly ToldTrade[]) => Promise<void>;

let ids = 0;
/** An execution with ids of its own. */
export function executed(
  occurred_at: string,
  ticker: string,
  price: string,
  volume: number,
  more: ToldTrade = {},
): ToldTrade {
  const id = `T${++ids}`;
  return { trade_id: id, event_id: id, type: "trade.executed", occurred_at, ticker, price, volume, ...more };
}

/** Lends a log of trades in a schema of its own, and what fills it. */
export async function with_trade_log(
  work: (database: Database, tell: TellTrades, url: string) => Promise<void>,
  now_ms: () => number,
): Promise<void> {
  await with_domain_log("trades", async (database, url) => {
    const pipeline = new Pipeline({
      database,
      domain: TRADES_DOMAIN,
      days: days_in("UTC"),
      limits: LIMITS,
      mappings: new Map(),
      code_version: "test",
      cache_streams: 100,
      now_ms,
    });
    const cursors = new Cursors();
    let offset = 0;
    const tell: TellTrades = async (...events) => {
      const messages = events.map((each, i) => message(offset + i, each, now_ms()));
      const next_offset = offset + events.length;
      await feed(pipeline, [{ topic: "told", partition: 0, from_offset: offset, next_offset, messages }], cursors);
      offset = next_offset;
    };
    await work(database, tell, url!);
  });
}

const TICKERS = [
  ["AAPL", 190, 6],
  ["AMZN", 182, 4],
  ["GOOG", 171, 4],
  ["IBM", 243, 2],
  ["META", 305, 3],
  ["MSFT", 402, 5],
  ["NFLX", 233, 1],
  ["NVDA", 131, 7],
  ["ORCL", 166, 1],
  ["TSLA", 251, 4],
  ["UBER", 72, 1],
] as const;

/** Trades of eleven tickers over so many minutes up to a time: prices walk, the rare ones are not traded every minute. The same ones every time. */
export function walked_trades(to_ms: number, minutes: number): ToldTrade[] {
  let state = 11;
  const draw = () => (state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0) / 2 ** 32;
  const prices = TICKERS.map(([, price]) => price as number);
  const trades: ToldTrade[] = [];
  for (let minute = minutes; minute > 0; minute--) {
    TICKERS.forEach(([ticker, , busy], i) => {
      for (let n = Math.floor(draw() * busy + 0.4); n > 0; n--) {
        prices[i] = prices[i]! * (1 + (draw() - 0.5) * 0.006);
        const at = new Date(to_ms - minute * 60_000 + Math.floor(draw() * 59_000)).toISOString();
        const side = draw() < 0.5 ? "buy" : "sell";
        trades.push(executed(at, ticker, prices[i]!.toFixed(2), 1 + Math.floor(draw() * 400), { side, venue: "XNAS" }));
      }
    });
  }
  return trades;
}
