import type { Dimension, Grain, Measure } from "../../kpi/mod.ts";
import { type FactForm, known, ONE, value } from "../facts.ts";
import {
  AMOUNT,
  AMOUNTS,
  CURRENCY,
  type Fields,
  type FieldType,
  one_of,
  type StateOf,
  TEXT,
  TIME,
  TIMES,
} from "../fields.ts";
import { type Derived, type Made, made } from "../rules.ts";

/** The payment event types, in the order a payment usually sees them. */
export const EVENT_TYPES = [
  "payment.authorized",
  "payment.captured",
  "payment.declined",
  "payment.refunded",
  "payment.charged_back",
] as const;

const AUTHORIZATION = ["payment.authorized"];
const CAPTURE = ["payment.captured"];
const DECLINE = ["payment.declined"];
const REFUND = ["payment.refunded"];
/** Any of these may tell what was paid, to whom and how: some producers send whole records. */
const TOLD = [...AUTHORIZATION, ...CAPTURE, ...DECLINE];

/** What producers call yes and no of a risk; whatever else they say is kept as it is said. */
const RISK_WORDS: Readonly<Record<string, string>> = Object.fromEntries([
  ...["yes", "y", "true", "t", "1", "high", "flagged", "suspicious", "fraud"].map((word) => [word, "yes"]),
  ...["no", "n", "false", "f", "0", "low", "none", "normal", "clear", "ok"].map((word) => [word, "no"]),
]);
/** What a producer says of a risk: yes or no however it is written, else its own words. */
export const RISK: FieldType<string> = {
  ...TEXT,
  what: "true or false, yes or no, 1 or 0, or text of at most 200 characters",
  accepts: [...TEXT.accepts, { type: "boolean" }],
  or_boolean: true,
  words: RISK_WORDS,
  read(value) {
    const text = TEXT.read(typeof value === "boolean" ? String(value) : value);
    return text === null ? null : RISK_WORDS[text.trim().toLowerCase()] ?? text;
  },
};

/** The fields of a payment: how it went, what it was for, and each of its refunds. */
export const PAYMENT_FIELDS = {
  authorized_us: { type: TIME, time_of: "payment.authorized" },
  captured_us: { type: TIME, time_of: "payment.captured" },
  declined_us: { type: TIME, time_of: "payment.declined" },
  charged_back_us: { type: TIME, time_of: "payment.charged_back" },
  refunded_us: { type: TIMES, time_of: "payment.refunded", says: "When each refund happened, in order of time" },
  refund_micros: {
    type: AMOUNTS,
    in: REFUND,
    as: "amount",
    required: true,
    says: "The amount of each refund, in the same order",
  },
  authorized_micros: {
    type: AMOUNT,
    in: AUTHORIZATION,
    as: "amount",
    required: true,
    says: "The amount that was authorized",
  },
  captured_micros: { type: AMOUNT, in: CAPTURE, as: "amount", says: "The amount that the capture named" },
  declined_micros: { type: AMOUNT, in: DECLINE, as: "amount", says: "The amount that was declined" },
  discount_micros: { type: AMOUNT, in: TOLD },
  named_currency: { type: CURRENCY, in: TOLD, as: "currency", hidden: true },
  merchant: { type: TEXT, in: TOLD },
  category: { type: TEXT, in: TOLD },
  city: { type: TEXT, in: TOLD },
  location: { type: TEXT, in: TOLD },
  payment_method: { type: TEXT, in: TOLD },
  payer_id: { type: TEXT, in: TOLD, person: "payer" },
  risk_flag: { type: RISK, in: TOLD, says: "yes, no, or what else its producer says of its risk; null: unknown" },
  decline_reason: { type: TEXT, in: DECLINE, as: "reason" },
  refund_reason: { type: TEXT, in: REFUND, as: "reason", says: "The reason of the latest refund that named one" },
  charge_back_reason: { type: TEXT, in: ["payment.charged_back"], as: "reason" },
} as const satisfies Fields;

/** The state of a payment: null is unknown. */
type Payment = StateOf<typeof PAYMENT_FIELDS>;

/** What may have become of a payment. */
export const STATUSES = [
  "charged_back",
  "refunded",
  "partially_refunded",
  "captured",
  "declined",
  "authorized",
  "waiting",
] as const;

const IS_CAPTURED = { field: "captured_us", known: true } as const;

/** The amount that counts: of a captured payment that of its capture, else of its authorization; of any other what was authorized, else declined. */
const AMOUNT_MADE: Made = {
  cases: [[[IS_CAPTURED], { first_known: ["captured_micros", "authorized_micros"] }]],
  otherwise: { first_known: ["authorized_micros", "declined_micros"] },
};

/** Charged back wins over all; a capture over a decline, whatever came first. Refunds, of which there is no capture, wait. */
const STATUS = made<Payment, typeof STATUSES[number]>({
  cases: [
    [[{ field: "charged_back_us", known: true }], { text: "charged_back" }],
    [[IS_CAPTURED, { field: "refund_micros", unknown: true }], { text: "captured" }],
    [[IS_CAPTURED, { sum_of: "refund_micros", reaches: AMOUNT_MADE }], { text: "refunded" }],
    [[IS_CAPTURED], { text: "partially_refunded" }],
    [[{ field: "declined_us", known: true }], { text: "declined" }],
    [[{ field: "authorized_us", known: true }], { text: "authorized" }],
  ],
  otherwise: { text: "waiting" },
});

/**
 * What a payment's row has beside its fields.
 * @param currency of a payment that names none
 */
export const derived_by = (currency: string) =>
  ({
    status: {
      type: one_of(...STATUSES),
      ...STATUS,
      always: true,
      says: "What became of it, as of its newest event",
    },
    currency: {
      type: CURRENCY,
      ...made<Payment>({
        cases: [[[{ field: "named_currency", known: true }], { field: "named_currency" }]],
        otherwise: { text: currency },
      }),
      always: true,
      says: "The currency of its amounts; the deployment's where no event named one",
    },
    amount_micros: {
      type: AMOUNT,
      ...made<Payment>(AMOUNT_MADE),
      before: "authorized_micros",
      says: "The amount that counts: captured, else authorized, of what was not captured else declined; null: unknown",
    },
  }) satisfies Readonly<Record<string, Derived<Payment>>>;

const GRAINS: readonly Grain[] = ["1m", "5m", "1h", "1d", "all"];
/** Percentiles are kept of the grains that ranges are covered with; of dimensions that boards are filtered by most. */
const SKETCHED: readonly Grain[] = ["1m", "5m", "1h", "1d"];

/** Payers are many, each of few payments: of them totals are kept, as of drivers. */
const OF_PAYERS: readonly string[] = [
  "captured",
  "amount_count",
  "captured_sum_micros",
  "declined",
  "refunds",
  "refunds_sum_micros",
  "charged_back",
];

/** What payments are counted by, and at which grains. */
export const PAYMENT_DIMENSIONS: readonly Dimension[] = [
  { name: "none", column: null, grains: GRAINS, sketches: SKETCHED },
  { name: "status", column: "status", grains: GRAINS },
  { name: "merchant", column: "merchant", grains: GRAINS, sketches: SKETCHED },
  { name: "category", column: "category", grains: GRAINS, sketches: SKETCHED },
  { name: "city", column: "city", grains: GRAINS, sketches: SKETCHED },
  { name: "location", column: "location", grains: GRAINS },
  { name: "payment_method", column: "payment_method", grains: GRAINS, sketches: SKETCHED },
  { name: "risk_flag", column: "risk_flag", grains: GRAINS },
  { name: "payer", column: "payer_id", grains: ["all"], totals: OF_PAYERS },
];

export const PAYMENT_MEASURES: readonly Measure[] = [
  { name: "payments", kind: "count" },
  { name: "authorized", kind: "count" },
  { name: "authorized_sum_micros", kind: "sum" },
  { name: "captured", kind: "count" },
  { name: "amount_count", kind: "count" },
  { name: "captured_sum_micros", kind: "sum" },
  { name: "discount_sum_micros", kind: "sum" },
  { name: "flagged", kind: "count" },
  { name: "conflicts", kind: "count" },
  { name: "declined", kind: "count" },
  { name: "refunds", kind: "count" },
  { name: "refunds_sum_micros", kind: "sum" },
  { name: "refunds_waiting", kind: "count" },
  { name: "charged_back", kind: "count" },
  { name: "amount_micros", kind: "sketch" },
];

const NOT_CAPTURED = { field: "captured_us", unknown: true } as const;

/**
 * What a payment adds to the cells: itself once, in the bucket of the earliest it is known from; each part of its life in that of its time.
 * Discount and flag count with the capture. A capture of which nobody named the amount is in no value: averages divide by `amount_count`.
 */
export const PAYMENT_FACTS: readonly FactForm[] = [
  { at: ["authorized_us", "captured_us", "declined_us"], adds: { payments: ONE } },
  { at: ["authorized_us"], adds: { authorized: ONE, authorized_sum_micros: value("authorized_micros") } },
  {
    at: ["captured_us"],
    adds: {
      captured: ONE,
      amount_count: known("amount_micros"),
      captured_sum_micros: value("amount_micros"),
      amount_micros: value("amount_micros"),
      discount_sum_micros: value("discount_micros"),
      conflicts: known("declined_us"),
    },
  },
  { at: ["captured_us"], when: { field: "risk_flag", is: "yes" }, adds: { flagged: ONE } },
  // One that was captured, too, counts as captured alone.
  { at: ["declined_us"], when: NOT_CAPTURED, adds: { declined: ONE } },
  { at: ["refunded_us"], when: IS_CAPTURED, adds: { refunds: ONE, refunds_sum_micros: value("refund_micros") } },
  { at: ["refunded_us"], when: NOT_CAPTURED, adds: { refunds_waiting: ONE } },
  { at: ["charged_back_us"], adds: { charged_back: ONE } },
];
