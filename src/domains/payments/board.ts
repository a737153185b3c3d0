import type { BoardDeclaration, EntitiesDeclaration } from "../board.ts";
import { PAYMENT_WORDS } from "./words.ts";

const MICROS = 1_000_000;

const count = (measure: string) => ({ kind: "total", unit: "count", measure, per: 1 } as const);
const money = (measure: string) => ({ kind: "total", unit: "money", measure, per: MICROS } as const);
const share = (measure: string, ...count: string[]) =>
  ({ kind: "mean", unit: "percent", measure, count, per: 0.01 }) as const;
const amount = (q: number) => ({ kind: "quantile", unit: "money", sketch: "amount_micros", q, per: MICROS }) as const;
const shown = (name: string) => ({ name, figure: name });

const ENTITIES: EntitiesDeclaration = {
  counted: "captured payments",
  of: [
    { name: "payer", dimension: "payer", id_name: "payer_id" },
    { name: "merchant", dimension: "merchant", id_name: "merchant" },
  ],
  figures: [
    { name: "payment_count", figure: "captured", decimals: 0, says: "Captured payments" },
    {
      name: "average_value",
      figure: "average_value",
      decimals: 2,
      says: "Of those whose amount is known; null: of none",
    },
    { name: "total_value", figure: "value", decimals: 2 },
    { name: "refund_count", figure: "refunds", decimals: 0 },
    { name: "total_refunds", figure: "refunds_value", decimals: 2 },
  ],
  example: {
    payer_id: "C-17",
    payment_count: 3,
    average_value: 24.5,
    total_value: 73.5,
    refund_count: 1,
    total_refunds: 10,
  },
};

/** The board of payments: what the page and the API show of `transactions` and `transaction_cells`. */
export const PAYMENT_BOARD: BoardDeclaration = {
  words: PAYMENT_WORDS,
  whole: { dimension: "none", key: "all" },
  figures: {
    transactions: count("payments"),
    authorized: count("authorized"),
    authorized_value: money("authorized_sum_micros"),
    captured: count("captured"),
    amount_count: count("amount_count"),
    value: money("captured_sum_micros"),
    average_value: {
      kind: "mean",
      unit: "money",
      measure: "captured_sum_micros",
      count: "amount_count",
      per: MICROS,
    },
    value_p50: amount(0.5),
    value_p95: amount(0.95),
    declined: count("declined"),
    conversion_rate: share("captured", "captured", "declined"),
    discount: money("discount_sum_micros"),
    flagged: count("flagged"),
    flagged_share: share("flagged", "captured"),
    conflicts: count("conflicts"),
    refunds: count("refunds"),
    refunds_value: money("refunds_sum_micros"),
    refunds_waiting: count("refunds_waiting"),
    charged_back: count("charged_back"),
  },
  series: [
    "transactions",
    "authorized",
    "captured",
    "amount_count",
    "declined",
    "value",
    "discount",
    "flagged",
    "refunds",
    "refunds_value",
    "charged_back",
    "conversion_rate",
  ],
  compared_series: ["captured", "value"],
  cards: [
    shown("transactions"),
    shown("authorized"),
    shown("authorized_value"),
    shown("captured"),
    shown("amount_count"),
    shown("value"),
    shown("average_value"),
    shown("value_p50"),
    shown("value_p95"),
    shown("declined"),
    shown("conversion_rate"),
    shown("discount"),
    shown("flagged"),
    shown("flagged_share"),
    shown("conflicts"),
    shown("refunds"),
    shown("refunds_value"),
    shown("refunds_waiting"),
    shown("charged_back"),
  ],
  now: { dimension: "status", measure: "payments" },
  breakdowns: ["merchant", "category", "city", "location", "payment_method", "status", "risk_flag"].map((
    dimension,
  ) => ({
    dimension,
    count: "payments",
  })),
  states_breakdowns: [],
  default_count: "payments",
  breakdown_row: { count: "transactions", amount: "value" },
  lines: {
    event: "payment",
    list: "payments",
    fields: [
      "payment_id",
      "status",
      "at_ms",
      "merchant",
      "category",
      "city",
      "location",
      "payment_method",
      "risk_flag",
      "currency",
      "discount",
      "amount",
    ],
  },
  entities: ENTITIES,
  daily: {
    says: "Payments captured on one day of the business time zone, and the refunds of that day",
    count: { name: "payment_count", figure: "captured", decimals: 0, says: "Captured payments" },
    metrics: [
      { name: "total_value", figure: "value", decimals: 2 },
      { name: "average_value", figure: "average_value", decimals: 2, says: "Of those whose amount is known" },
      { name: "total_discount", figure: "discount", decimals: 2 },
      { name: "count_declined", figure: "declined", decimals: 0, says: "Declined, without a capture" },
      { name: "conversion_rate", figure: "conversion_rate", decimals: 1, says: "Captured of captured and declined, %" },
      { name: "count_refunds", figure: "refunds", decimals: 0 },
      { name: "total_refunds", figure: "refunds_value", decimals: 2 },
    ],
    example: {
      date: "2026-03-01",
      metrics: {
        total_value: 120_400.5,
        average_value: 48.16,
        total_discount: 310.2,
        count_declined: 214,
        conversion_rate: 92.1,
        count_refunds: 31,
        total_refunds: 1_204.1,
      },
      generated_at: "2026-03-02T00:00:04.120Z",
      payment_count: 2_500,
    },
  },
};
