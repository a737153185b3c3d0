import type { Dimension, Grain, Integer, Measure } from "../../kpi/mod.ts";
import type { Derived, FoldedEvent } from "../domain.ts";
import { type FactForm, ONE, product, value } from "../facts.ts";
import { AMOUNT, type Fields, one_of, type PayloadOf, QUANTITY, type StateOf, TEXT, TIME } from "../fields.ts";

/** The trade event types, in the order a trade usually sees them. */
export const EVENT_TYPES = ["trade.executed", "trade.corrected", "trade.busted"] as const;

const EXECUTION = ["trade.executed"];
const CORRECTION = ["trade.corrected"];

/** The fields of a trade: one execution on a market, its latest correction, and whether it was taken back. */
export const TRADE_FIELDS = {
  executed_us: { type: TIME },
  executed_event_id: { type: TEXT, hidden: true },
  busted_us: { type: TIME },
  ticker: { type: TEXT, in: EXECUTION, required: true },
  side: { type: one_of("buy", "sell"), in: EXECUTION },
  venue: { type: TEXT, in: EXECUTION },
  executed_price_micros: {
    type: AMOUNT,
    in: EXECUTION,
    as: "price",
    required: true,
    says: "The price that the execution named",
  },
  corrected_price_micros: { type: AMOUNT, in: CORRECTION, as: "price", says: "The price of the latest correction" },
  executed_volume: {
    type: QUANTITY,
    in: EXECUTION,
    as: "volume",
    required: true,
    says: "The volume that the execution named",
  },
  corrected_volume: { type: QUANTITY, in: CORRECTION, as: "volume", says: "The volume of the latest correction" },
  bust_reason: { type: TEXT, in: ["trade.busted"], as: "reason" },
} as const satisfies Fields;

/** The state of a trade: null is unknown. */
export type Trade = StateOf<typeof TRADE_FIELDS>;
/** What one event names of it. */
export type TradePayload = PayloadOf<typeof TRADE_FIELDS>;

const STATUSES = ["executed", "busted", "waiting"] as const;

/** Busted wins over all; what was corrected and not executed waits. */
const status_of = (trade: Trade): typeof STATUSES[number] =>
  trade.busted_us !== null ? "busted" : trade.executed_us !== null ? "executed" : "waiting";

/** What counts of a trade that was executed and stands; null else. */
const price_of = (trade: Trade): Integer | null =>
  status_of(trade) === "executed" ? trade.corrected_price_micros ?? trade.executed_price_micros : null;
const volume_of = (trade: Trade): Integer | null =>
  status_of(trade) === "executed" ? trade.corrected_volume ?? trade.executed_volume : null;

/** What a trade's row has beside its fields. */
export const DERIVED = {
  status: {
    type: one_of(...STATUSES),
    get: status_of,
    always: true,
    says: "Whether it counts, as of its newest event",
  },
  price_micros: {
    type: AMOUNT,
    get: price_of,
    says:
      "The price that counts: of an executed trade its latest correction, else its execution's; null: there is none",
  },
  volume: {
    type: QUANTITY,
    get: volume_of,
    says:
      "The volume that counts: of an executed trade its latest correction, else its execution's; null: there is none",
  },
} satisfies Readonly<Record<string, Derived<Trade>>>;

/** Folds the next event, in order of (time, event id), into a trade: what it names wins over what was named before. */
export function fold(trade: Trade, event: FoldedEvent<TradePayload>): Trade {
  const at = event.occurred_at_us;
  switch (event.type) {
    case "trade.executed":
      return { ...trade, ...event.payload, executed_us: at, executed_event_id: event.event_id };
    case "trade.corrected":
      return { ...trade, ...event.payload };
    case "trade.busted":
      return { ...trade, ...event.payload, busted_us: at };
    default:
      throw new Error(
        `fold trade ${JSON.stringify(event.stream_id)}: no rule for event type ${JSON.stringify(event.type)}`,
      );
  }
}

const GRAINS: readonly Grain[] = ["1m", "5m", "1h", "1d", "all"];

export const TRADE_DIMENSIONS: readonly Dimension[] = [
  { name: "none", column: null, grains: GRAINS },
  { name: "status", column: "status", grains: GRAINS },
  { name: "ticker", column: "ticker", grains: GRAINS },
  { name: "side", column: "side", grains: GRAINS },
  { name: "venue", column: "venue", grains: GRAINS },
];

/** `notional` is price times volume, in micros of the currency. */
export const TRADE_MEASURES: readonly Measure[] = [
  { name: "trades", kind: "count" },
  { name: "volume", kind: "sum" },
  { name: "notional_micros", kind: "sum" },
  { name: "price_sum_micros", kind: "sum" },
  { name: "price_min_micros", kind: "min", column: "price_micros" },
  { name: "price_max_micros", kind: "max", column: "price_micros" },
  { name: "price_first_micros", kind: "first", column: "price_micros" },
  { name: "price_last_micros", kind: "last", column: "price_micros" },
  { name: "busted", kind: "count" },
];

/** What a trade adds to the cells: its price and volume at its execution, or its bust alone, whatever else it has. */
export const TRADE_FACTS: readonly FactForm[] = [
  {
    at: ["executed_us"],
    by: "executed_event_id",
    when: { field: "status", is: "executed" },
    adds: {
      trades: ONE,
      volume: value("volume"),
      notional_micros: product("price_micros", "volume"),
      price_sum_micros: value("price_micros"),
      price_min_micros: value("price_micros"),
      price_max_micros: value("price_micros"),
      price_first_micros: value("price_micros"),
      price_last_micros: value("price_micros"),
    },
  },
  { at: ["busted_us"], adds: { busted: ONE } },
];
