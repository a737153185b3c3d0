import { Random } from "../../src/domains/generator/mod.ts";
import { DomainOracle, TRADES_CONTRACT } from "../support/oracle/mod.ts";
import type { ChaosDomain } from "./domains.ts";
import { type Made, type Messages, START_US, TIME_ZONE } from "./load.ts";

const TICKERS = ["AAPL", "MSFT", "GOOGL", "AMZN", "TSLA", "META", "NVDA"];
/** Trades whose corrections and busts may still come. */
const MOST_OPEN = 500;

/** Executions with corrections, busts and executions that are told again, half of them as CloudEvents; a correction may come before its execution. */
export function trade_messages(seed: number): Messages {
  const random = new Random(seed, 79);
  const open: { trade: string; at_us: number }[] = [];
  const due: Made[] = [];
  let at_us = START_US, number = 0;

  function message(trade: string, type: string, time_us: number, data: Record<string, unknown>): Made {
    const id = `${type}-${++number}`, time = new Date(time_us / 1_000).toISOString();
    const value = random.chance(0.5)
      ? { specversion: "1.0", id, source: "/venues/xnas", type: `trade.${type}`, subject: trade, time, data }
      : { event_id: id, trade_id: trade, type: `trade.${type}`, occurred_at: time, ...data };
    return { key: trade, value: JSON.stringify(value), deliver_us: time_us };
  }
  const price = () => {
    const micros = 1 + random.whole(0, 900_000_000), whole = Math.floor(micros / 1e6);
    // As text and as number, with two decimals or six.
    if (random.chance(0.3)) return `${whole}.${String(micros % 1e6).padStart(6, "0")}`;
    return random.chance(0.5) ? Math.floor(micros / 1e4) / 100 : (micros / 1e6).toFixed(2);
  };
  const volume = () => random.chance(0.02) ? 1_000_000_000 : 1 + random.whole(0, 5_000);
  const executed = (trade: string, time_us: number) =>
    message(trade, "executed", time_us, {
      ticker: random.pick(TICKERS),
      price: price(),
      volume: volume(),
      ...random.chance(0.9) ? { side: random.pick(["buy", "sell"]) } : {},
      ...random.pick([{ venue: "XNAS" }, { venue: "" }, { venue: null }, {}, { venue: "ARCX" }]),
    });

  function take(): Made {
    const next = due.shift();
    if (next !== undefined) return next;
    at_us += random.whole(1, 30_000_000);
    if (random.chance(0.3) && open.length > 0) {
      const { trade, at_us: executed_us } = random.pick(open);
      const time_us = random.chance(0.2) ? executed_us : at_us;
      const what = random.fraction();
      if (what < 0.6) {
        const named = { price: price(), volume: volume() };
        return message(trade, "corrected", time_us, random.chance(0.5) ? named : { price: named.price });
      }
      if (what < 0.9) return message(trade, "busted", time_us, random.chance(0.5) ? { reason: "erroneous" } : {});
      return executed(trade, time_us);
    }
    const trade = `X-${seed}-${number}`;
    if (open.length < MOST_OPEN) open.push({ trade, at_us });
    else open[random.whole(0, MOST_OPEN)] = { trade, at_us };
    const first = executed(trade, at_us);
    if (!random.chance(0.05)) return first;
    due.push(first);
    return message(trade, "corrected", at_us + 1_000_000, { volume: volume() });
  }
  return { take, refused: { side: "borrow" }, malformed };
}

/** Ways to break a good message: each makes of it one of which there is no event. */
const BREAKAGES: readonly ((message: Record<string, unknown>) => unknown)[] = [
  () => ({ hello: "world" }),
  (message) => [message],
  (message) => ({ ...message, type: "trade.imagined" }),
  (message) => ({ ...message, time: "2026-03-01T10:00:00", occurred_at: "2026-03-01T10:00:00" }),
  (message) => ({ ...message, time: "2250-01-01T00:00:00Z", occurred_at: "2250-01-01T00:00:00Z" }),
  ...[
    { price: "-1" },
    { price: "1.1234567" },
    { price: "1e3" },
    { price: [] },
    { volume: 0 },
    { volume: 1.5 },
    { volume: 1e10 },
    { ticker: 5.5 },
  ].map((faults) => (message: Record<string, unknown>) => {
    // A bust names none of these.
    const of_execution = { type: "trade.executed", ticker: "AAPL", price: 1, volume: 1, ...faults };
    const { type, ...data } = of_execution;
    return message.data === undefined ? { ...message, ...of_execution } : { ...message, type, data };
  }),
];

function malformed(message: Record<string, unknown>, word: number): string {
  const cut = word % (BREAKAGES.length + 1);
  if (cut === BREAKAGES.length) return JSON.stringify(message).slice(0, 1 + (word >>> 8) % 40);
  return JSON.stringify(BREAKAGES[cut]!(message));
}

export const TRADES: ChaosDomain = {
  name: "trades",
  schema: "trades",
  topics_variable: "TACHO_TRADES_TOPICS",
  group_of: (group) => `${group}-trades`,
  tables: ["source_cursors", "trades", "trade_cells", "batches"],
  foreign: [
    { name: "log_head locked", statement: "select 1 from log_head for update", brief: true },
    { name: "trades locked", statement: "lock table trades in access exclusive mode", brief: true },
    { name: "cells locked", statement: "lock table trade_cells in exclusive mode", brief: true },
    { name: "cursors locked", statement: "select 1 from source_cursors for update", brief: true },
  ],
  messages: trade_messages,
  rolled_back: (id, occurred_at) => ({
    event_id: id,
    trade_id: id,
    type: "trade.executed",
    occurred_at,
    ticker: "GONE",
    price: "1000.00",
    volume: 1,
  }),
  start_truth: () => new DomainOracle(TRADES_CONTRACT, TIME_ZONE, Date.now()),
};
