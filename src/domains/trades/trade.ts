import type { Dimension, Grain, Measure } from "../../kpi/mod.ts";
import { type FactForm, ONE, product, value } from "../facts.ts";
import { AMOUNT, type Fields, one_of, QUANTITY, type StateOf, TEXT, TIME } from "../fields.ts";
import { type Derived, made } from "../rules.ts";

/** The trade event types, in the order a trade usually sees them. */
export const EVENT_TYPES = ["trade.executed", "trade.corrected", "trade.busted"] as const;

const EXECUTION = ["trade.executed"];
const CORRECTION = ["trade.corrected"];

/** The fields of a trade: one execution on a market, its latest correction, and whether it was taken back. */
export const TRADE_FIELDS = {
  executed_us: { type: TIME, time_of: "trade.executed" },
  executed_event_id: { type: TEXT, id_of: "trade.executed", hidden: true },
  busted_us: { type: TIME, time_of: "trade.busted" },
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
type Trade = StateOf<typeof TRADE_FIELDS>;

const STATUSES = ["executed", "busted", "waiting"] as const;

const NOT_BUSTED = { field: "busted_us", unknown: true } as const;
const EXECUTED = { field: "executed_us", known: true } as const;

/** Busted wins over all; what was corrected and not executed waits. */
const STATUS = made<Trade, typeof STATUSES[number]>({
  cases: [
    [[{ field: "busted_us", known: true }], { text: "busted" }],
    [[EXECUTED], { text: "executed" }],
  ],
  otherwise: { text: "waiting" },
});

/** What counts of a trade that was executed and stands; null else. */
const standing = (...fields: readonly string[]) =>
  made<Trade>({ cases: [[[NOT_BUSTED, EXECUTED], { first_known: fields }]] });

/** What a trade's row has beside its fields. */
export const DERIVED = {
  status: {
    type: one_of(...STATUSES),
    ...STATUS,
    always: true,
    says: "Whether it counts, as of its newest event",
  },
  price_micros: {
    type: AMOUNT,
    ...standing("corrected_price_micros", "executed_price_micros"),
    says:
      "The price that counts: of an executed trade its latest correction, else its execution's; null: there is none",
  },
  volume: {
    type: QUANTITY,
    ...standing("corrected_volume", "executed_volume"),
    says:
      "The volume that counts: of an executed trade its latest correction, else its execution's; null: there is none",
  },
} satisfies Readonly<Record<string, Derived<Trade>>>;

const GRAINS: readonly Grain[] = ["1m", "5m", "1h", "1d", "all"];

/** What trades are counted by, and at which grains. */
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
