import {
  amount,
  type DomainContract,
  type Folded,
  one_of,
  quantity,
  required,
  text,
  type Told,
  UNKNOWN,
  type Value,
} from "./domain_oracle.ts";
import type { Grain } from "./cells.ts";

const GRAINS: readonly Grain[] = ["1m", "5m", "1h", "1d", "all"];

/** The latest that names it. */
const latest = (events: readonly Told[], type: string, name: string): Value | null =>
  events.findLast((event) => event.type === type && event.named[name] !== undefined)?.named[name] ?? null;

const time_of = (events: readonly Told[], type: string): number | null =>
  events.findLast((event) => event.type === type)?.time_us ?? null;

function fold(events: readonly Told[]): Folded {
  const executed_at = time_of(events, "trade.executed"), busted_at = time_of(events, "trade.busted");
  const status = busted_at !== null ? "busted" : executed_at !== null ? "executed" : "waiting";
  const of = (type: string, name: string) => latest(events, `trade.${type}`, name);
  const [ticker, side, venue] = ["ticker", "side", "venue"].map((name) => of("executed", name));
  const counts = (name: string) => status === "executed" ? of("corrected", name) ?? of("executed", name) : null;
  const price = counts("price") as bigint | null, volume = counts("volume") as bigint | null;
  const keys = {
    none: "all",
    status,
    ticker: String(ticker ?? UNKNOWN),
    side: String(side ?? UNKNOWN),
    venue: String(venue ?? UNKNOWN),
  };
  const last = events.at(-1)!;
  return {
    row: {
      executed_at,
      busted_at,
      ticker: ticker!,
      side: side!,
      venue: venue!,
      executed_price_micros: of("executed", "price"),
      corrected_price_micros: of("corrected", "price"),
      executed_volume: of("executed", "volume"),
      corrected_volume: of("corrected", "volume"),
      bust_reason: of("busted", "reason"),
      status,
      price_micros: price,
      volume,
      last_occurred_at: last.time_us,
      last_event_id: last.event_id,
    },
    counted: status === "busted"
      ? [{ at_us: busted_at!, keys, adds: { busted: 1n } }]
      : price === null || volume === null
      ? []
      : [{
        at_us: executed_at!,
        keys,
        adds: { trades: 1n, volume, notional_micros: price * volume, price_sum_micros: price },
        least: { price_min_micros: price },
        most: { price_max_micros: price },
      }],
  };
}

/** Trades: executions, their corrections and busts. */
export const TRADES_CONTRACT: DomainContract = {
  stream: "trade_id",
  states: "trades",
  cells: "trade_cells",
  types: {
    "trade.executed": {
      ticker: required(text),
      price: required(amount),
      volume: required(quantity),
      side: one_of("buy", "sell"),
      venue: text,
    },
    "trade.corrected": { price: amount, volume: quantity },
    "trade.busted": { reason: text },
  },
  fold,
  measures: [
    "trades",
    "volume",
    "notional_micros",
    "price_sum_micros",
    "price_min_micros",
    "price_max_micros",
    "busted",
  ],
  dimensions: { none: GRAINS, status: GRAINS, ticker: GRAINS, side: GRAINS, venue: GRAINS },
};
