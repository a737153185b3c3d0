import type { BoardDeclaration, EntitiesDeclaration } from "../board.ts";
import type { BoardWords } from "../board_words.ts";

const MICROS = 1_000_000;

const count = (measure: string) => ({ kind: "total", unit: "count", measure, per: 1 } as const);
const money = (measure: string) => ({ kind: "total", unit: "money", measure, per: MICROS } as const);
const shown = (name: string) => ({ name, figure: name });

const WORDS: BoardWords = {
  many: "trades",
  path: "/trades/",
  cards: [
    {
      name: "trades",
      label: "Trades",
      main: true,
      better: 0,
      base: "trades",
      spark: ["trades"],
      beneath: ["{busted?} busted"],
      how: "Executions, at their time. Busted ones are trades that were taken back: they count in nothing else.",
    },
    {
      name: "volume",
      label: "Volume",
      better: 0,
      base: "trades",
      spark: ["volume"],
      beneath: ["tickers: {tickers?}"],
      how:
        "Shares, units or lots that changed hands, after the latest correction of each trade; and of how many tickers, exact.",
    },
    {
      name: "turnover",
      label: "Turnover",
      digits: 0,
      better: 0,
      base: "trades",
      spark: ["turnover"],
      beside: ["{currency}"],
      how: "Price times volume of each trade, added up.",
    },
    {
      name: "weighted_price",
      label: "Price by volume",
      better: 0,
      base: "trades",
      spark: ["turnover", "volume"],
      beside: ["{currency}"],
      how: "The volume-weighted price: turnover over volume.",
    },
    {
      name: "average_price",
      label: "Average price",
      better: 0,
      base: "trades",
      spark: ["prices", "trades"],
      beside: ["{currency}"],
      beneath: ["{min_price} to {max_price?}"],
      greatest: {
        measure: "max_price",
        title: "The trade with the highest price",
        none: "Nothing was traded in this range.",
      },
      how: "Over trades, whatever their volume. Beneath it the lowest and the highest price, exact.",
    },
    {
      name: "last_price",
      label: "Last price",
      better: 0,
      base: "trades",
      beside: ["{currency}"],
      how:
        "The price of the latest execution of the range, after its latest correction, of whichever ticker the filter leaves.",
    },
    {
      name: "most_active",
      label: "Most active",
      top: ["ticker", "venue"],
      how: "The ticker and the venue with the greatest volume in the range.",
    },
  ],
  charts: [
    {
      name: "price",
      title: "Price by ticker",
      sub: "{currency}, last per {step}",
      kind: "lines",
      by: "ticker",
      figure: "last_price",
      top: 8,
      candles: { open: "first_price", high: "max_price", low: "min_price", close: "last_price", volume: "volume" },
      least: 0,
    },
    {
      name: "ticker_volume",
      title: "Volume by ticker",
      sub: "per {step}",
      kind: "lines",
      by: "ticker",
      figure: "volume",
      top: 8,
      others: true,
      least: 10,
    },
    {
      name: "volume",
      title: "Volume",
      sub: "per {step}, by execution time",
      kind: "bars",
      lines: [{ name: "volume", colour: 1 }],
      compared: "volume",
      least: 10,
    },
    {
      name: "turnover",
      title: "Turnover",
      sub: "{currency} per {step}",
      picture_sub: "{currency} per {step}, by execution time",
      kind: "bars",
      lines: [{ name: "turnover", colour: 2 }],
      compared: "turnover",
      least: 10,
    },
  ],
  panels: ["ticker", "side", "venue"],
  dimensions: {
    status: { label: "status", keys: ["executed", "busted", "waiting"] },
    side: { label: "side", keys: ["buy", "sell"] },
  },
  first_filter: "ticker",
  list: {
    title: "Latest trades",
    time: "at_ms",
    mark: "status",
    marks: { busted: "cross", waiting: "ring" },
    over: "executed",
    columns: [
      { label: "ticker", key: "ticker" },
      { label: "side", key: "side", minor: true },
      { label: "volume", number: "volume", digits: 0 },
      { label: "price", number: "price", digits: 2, or_mark: true },
    ],
  },
  breakdowns_how:
    "Volume and turnover of executed trades. What no message named is “unknown”; “all others” are the keys that are not listed.",
  computed_how:
    "Most figures are kept ready. With two filters and more they are computed from the trades, and say how old they are.",
};

/** What is told of each ticker, side and venue: sums and means of sums, which windows in topics can be corrected by. */
const ENTITIES: EntitiesDeclaration = {
  counted: "executed trades",
  of: [
    { name: "ticker", dimension: "ticker", id_name: "ticker" },
    { name: "side", dimension: "side", id_name: "side" },
    { name: "venue", dimension: "venue", id_name: "venue" },
  ],
  figures: [
    { name: "trade_count", figure: "trades", decimals: 0 },
    { name: "total_volume", figure: "volume", decimals: 0 },
    { name: "total_turnover", figure: "turnover", decimals: 2 },
    { name: "weighted_price", figure: "weighted_price", decimals: 6, says: "Turnover over volume; null: of none" },
    {
      name: "avg_price",
      figure: "average_price",
      decimals: 6,
      says: "Over trades, whatever their volume; null: of none",
    },
  ],
  example: {
    ticker: "AAPL",
    trade_count: 3,
    total_volume: 600,
    total_turnover: 73_725,
    weighted_price: 122.875,
    avg_price: 122.15,
  },
};

/** The board of trades: what the page and the API show of `trades` and `trade_cells`. */
export const TRADE_BOARD: BoardDeclaration = {
  words: WORDS,
  whole: { dimension: "none", key: "all" },
  figures: {
    trades: count("trades"),
    busted: count("busted"),
    volume: count("volume"),
    turnover: money("notional_micros"),
    prices: money("price_sum_micros"),
    weighted_price: { kind: "mean", unit: "money", measure: "notional_micros", count: "volume", per: MICROS },
    average_price: { kind: "mean", unit: "money", measure: "price_sum_micros", count: "trades", per: MICROS },
    min_price: money("price_min_micros"),
    max_price: money("price_max_micros"),
    first_price: money("price_first_micros"),
    last_price: money("price_last_micros"),
    tickers: { kind: "distinct", unit: "count", dimension: "ticker", count: "trades" },
  },
  series: [
    "trades",
    "busted",
    "volume",
    "turnover",
    "prices",
    "first_price",
    "max_price",
    "min_price",
    "last_price",
  ],
  compared_series: ["volume", "turnover"],
  cards: [
    shown("trades"),
    shown("busted"),
    shown("volume"),
    shown("turnover"),
    shown("weighted_price"),
    shown("average_price"),
    shown("min_price"),
    shown("max_price"),
    shown("last_price"),
    shown("tickers"),
  ],
  now: { dimension: "status", measure: "trades" },
  breakdowns: [
    { dimension: "ticker", count: "volume" },
    { dimension: "side", count: "volume" },
    { dimension: "venue", count: "volume" },
  ],
  states_breakdowns: [],
  default_count: "volume",
  breakdown_row: { count: "volume", amount: "turnover" },
  entities: ENTITIES,
  lines: {
    event: "trade",
    list: "trades",
    fields: ["trade_id", "status", "at_ms", "ticker", "side", "venue", "volume", "price"],
  },
};
