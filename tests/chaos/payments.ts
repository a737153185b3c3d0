import { Random } from "../../src/domains/generator/mod.ts";
import { DomainOracle, payments_contract } from "../support/oracle/mod.ts";
import type { ChaosDomain } from "./domains.ts";
import { type Made, type Messages, START_US, TIME_ZONE } from "./load.ts";

const MERCHANTS = ["Kiosk", "Bäcker", "Amazon", "Uber Eats", "Shell"];
/** Payments whose refunds, charge-backs and captures may still come. */
const MOST_OPEN = 500;

/**
 * Payments in several currencies, half of their events as CloudEvents: authorized, captured or declined, refunded in parts again and again, charged
 * back; what follows may come before what it follows, at the same time, and name another currency than was named before.
 */
export function payment_messages(seed: number): Messages {
  const random = new Random(seed, 80);
  const open: { payment: string; at_us: number }[] = [];
  const due: Made[] = [];
  let at_us = START_US, number = 0;

  function message(payment: string, type: string, time_us: number, data: Record<string, unknown>): Made {
    const id = `${type}-${++number}`, time = new Date(time_us / 1_000).toISOString();
    const value = random.chance(0.5)
      ? { specversion: "1.0", id, source: "/cards", type: `payment.${type}`, subject: payment, time, data }
      : { event_id: id, payment_id: payment, type: `payment.${type}`, occurred_at: time, ...data };
    return { key: payment, value: JSON.stringify(value), deliver_us: time_us };
  }
  const money = (most_cents: number) => {
    const cents = random.whole(0, most_cents);
    return random.chance(0.5) ? cents / 100 : (cents / 100).toFixed(random.chance(0.1) ? 6 : 2);
  };
  const what_for = () => ({
    merchant: random.pick(MERCHANTS),
    ...random.pick([{ currency: "USD" }, { currency: "EUR" }, { currency: "jpy" }, {}, { currency: null }]),
    ...random.pick([{ category: "food" }, { category: "" }, {}]),
    ...random.pick([{ city: "Wien", location: "12" }, { city: "Chicago" }, {}]),
    ...random.pick([{ payment_method: "card" }, { payment_method: "cash" }]),
    ...random.pick([{ payer_id: `payer-${random.whole(0, 40)}` }, {}]),
    ...random.pick([{ risk_flag: true }, { risk_flag: "no" }, { risk_flag: "odd" }, { risk_flag: false }, {}]),
    ...random.pick([{ discount: money(500) }, { discount: "" }, {}]),
  });
  const refunded = (payment: string, time_us: number) =>
    message(payment, "refunded", time_us, { amount: money(4_000), ...random.pick([{ reason: "returned" }, {}]) });
  const captured = (payment: string, time_us: number) =>
    message(payment, "captured", time_us, { ...what_for(), ...random.chance(0.7) ? { amount: money(20_000) } : {} });

  function take(): Made {
    const next = due.shift();
    if (next !== undefined) return next;
    at_us += random.whole(1, 30_000_000);
    if (random.chance(0.5) && open.length > 0) {
      const { payment, at_us: begun_us } = random.pick(open);
      const time_us = random.chance(0.2) ? begun_us : at_us, what = random.fraction();
      if (what < 0.5) {
        // Some are given back in many parts.
        for (let more = random.chance(0.2) ? random.whole(1, 4) : 0; more > 0; more--) {
          due.push(refunded(payment, time_us));
        }
        return refunded(payment, time_us);
      }
      if (what < 0.8) return captured(payment, time_us);
      if (what < 0.9) return message(payment, "charged_back", time_us, random.pick([{ reason: "fraud" }, {}]));
      return message(payment, "declined", time_us, { ...what_for(), ...random.pick([{ amount: money(20_000) }, {}]) });
    }
    const payment = `P-${seed}-${number}`;
    if (open.length < MOST_OPEN) open.push({ payment, at_us });
    else open[random.whole(0, MOST_OPEN)] = { payment, at_us };
    const first = message(payment, "authorized", at_us, { ...what_for(), amount: money(20_000) });
    if (!random.chance(0.05)) return first;
    due.push(first);
    return refunded(payment, at_us + 1_000_000);
  }
  return { take, refused: { currency: "EURO", amount: "much" }, malformed };
}

/** Ways to break a good message: each makes of it one of which there is no event. */
const BREAKAGES: readonly ((message: Record<string, unknown>) => unknown)[] = [
  () => ({ hello: "world" }),
  (message) => [message],
  (message) => ({ ...message, type: "payment.imagined" }),
  (message) => ({ ...message, time: "2026-03-01T10:00:00", occurred_at: "2026-03-01T10:00:00" }),
  (message) => ({ ...message, time: "2250-01-01T00:00:00Z", occurred_at: "2250-01-01T00:00:00Z" }),
  ...[
    { amount: "-1" },
    { amount: "1.1234567" },
    { amount: "1e3" },
    { amount: null },
    { currency: "EURO" },
    { merchant: 5.5 },
    { discount: [] },
  ].map((faults) => (message: Record<string, unknown>) => {
    // A charge-back names none of these.
    const { type, ...data } = { type: "payment.authorized", amount: 1, merchant: "Kiosk", ...faults };
    return message.data === undefined ? { ...message, type, ...data } : { ...message, type, data };
  }),
];

function malformed(message: Record<string, unknown>, word: number): string {
  const cut = word % (BREAKAGES.length + 1);
  if (cut === BREAKAGES.length) return JSON.stringify(message).slice(0, 1 + (word >>> 8) % 40);
  return JSON.stringify(BREAKAGES[cut]!(message));
}

export const PAYMENTS: ChaosDomain = {
  name: "payments",
  schema: "payments",
  topics_variable: "TACHO_PAYMENTS_TOPICS",
  group_of: (group) => `${group}-payments`,
  tables: ["source_cursors", "transactions", "transaction_cells", "transaction_totals", "batches"],
  foreign: [
    { name: "log_head locked", statement: "select 1 from log_head for update", brief: true },
    { name: "payments locked", statement: "lock table transactions in access exclusive mode", brief: true },
    { name: "cells locked", statement: "lock table transaction_cells in exclusive mode", brief: true },
    { name: "cursors locked", statement: "select 1 from source_cursors for update", brief: true },
  ],
  messages: payment_messages,
  rolled_back: (id, occurred_at) => ({
    event_id: id,
    payment_id: id,
    type: "payment.captured",
    occurred_at,
    merchant: "Gone",
    amount: "1000.00",
  }),
  start_truth: () => new DomainOracle(payments_contract("USD"), TIME_ZONE, Date.now()),
};
