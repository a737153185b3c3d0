import { numbers, type Traffic } from "./executions.ts";

/**
 * Card transactions as a shop's producer sends them, one message each, under either of two spellings: `{transaction_id, amount, …}` and
 * `{order_id, value, …}`; and what its page would show of them, computed from the messages alone.
 */

const CAPTURED = ["approved", "completed", "success", "settled", "captured"];
const DECLINED = ["declined", "failed", "rejected", "canceled", "cancelled"];
const AUTHORIZED = ["pending", "authorized", "processing"];
const STATUSES = [...CAPTURED, ...CAPTURED, ...DECLINED, ...AUTHORIZED, "refunded"];
const MERCHANTS = ["Kiosk", "Bäcker", "Amazon", "Uber Eats", "Shell"];
/** How their producers say that there is a risk, and that there is none. */
const RISKS = [[true, 1, "high"], [false, 0, "low"]] as const;

/** Messages that are none of these: of other shapes, or of a status that nobody knows. All of them have to be set aside. */
const FOREIGN: readonly (string | Uint8Array)[] = [
  "not json",
  "[]",
  "17",
  '{"trade_id": "e", "ticker": "AAPL", "price": 1, "volume": 5, "side": "buy", "timestamp": "2020-01-01T00:00:00"}',
  '{"transaction_id": "f-1", "merchant": "Kiosk", "amount": 5, "status": "teapot", "timestamp": "2026-03-01T10:00:00"}',
  '{"transaction_id": "f-2", "merchant": "Kiosk", "amount": 5, "timestamp": "2026-03-01T10:00:00"}',
  '{"transaction_id": "f-3", "merchant": "Kiosk", "amount": "much", "status": "approved", "timestamp": "2026-03-01T10:00:00"}',
  '{"transaction_id": "f-4", "merchant": "Kiosk", "amount": 5, "status": "approved", "timestamp": "yesterday"}',
  '{"merchant": "Kiosk", "amount": 5, "status": "approved", "timestamp": "2026-03-01T10:00:00"}',
  new Uint8Array([0xc3, 0x28]),
];

/** Makes messages of the last week from a seed. @param count how many transactions, each once */
export function make_card_traffic(seed: number, count: number, now_ms: number): Traffic {
  const draw = numbers(seed);
  const one = <T>(of: readonly T[]): T => of[draw(of.length)]!;
  const values: (string | Uint8Array)[] = [];
  let foreign = 0, repeats = 0;
  for (let i = 0; i < count; i++) {
    const id = `${seed}-${i}`, amount = (100 + draw(100_000)) / 100;
    const at = new Date(now_ms - 60_000 - draw(7 * 86_400) * 1_000).toISOString().slice(0, 19);
    const value = JSON.stringify({
      ...draw(2) === 0
        ? { transaction_id: id, amount }
        : { order_id: id, value: draw(2) === 0 ? amount : amount.toFixed(2) },
      merchant: one(MERCHANTS),
      location: `loc ${draw(9)}`,
      timestamp: one([at, `${at}.123456`, at.replace("T", " ")]),
      risk_flag: one(RISKS[draw(10) === 0 ? 0 : 1]),
      status: one(STATUSES),
      category: one(["food", "fuel", "travel"]),
      city: one(["Wien", "Chicago"]),
      payment_method: one(["card", "cash"]),
      discount: one([null, "", 0, 1.25, "2.50"]),
    });
    values.push(value);
    if (draw(20) === 0) {
      values.push(value);
      repeats++;
    }
    if (draw(10) === 0) {
      values.push(one(FOREIGN));
      foreign++;
    }
  }
  return { values, foreign, repeats };
}

/** What a merchant's transactions come to: money in cents. */
export interface CardFigures {
  payments: number;
  authorized: number;
  captured: number;
  captured_cents: number;
  discount_cents: number;
  flagged: number;
  declined: number;
  refunds: number;
  refunded_cents: number;
}

const NOTHING: CardFigures = {
  payments: 0,
  authorized: 0,
  captured: 0,
  captured_cents: 0,
  discount_cents: 0,
  flagged: 0,
  declined: 0,
  refunds: 0,
  refunded_cents: 0,
};

/** Figures by merchant of the transactions among messages, each once by its id; what is none is passed over. */
export function card_figures(values: readonly string[]): Map<string, CardFigures> {
  const by_merchant = new Map<string, CardFigures>();
  const seen = new Set<string>();
  const cents = (value: unknown): number => Math.round(Number(value ?? 0) * 100);
  for (const text of values) {
    // deno-lint-ignore no-explicit-any -- whatever came
    let record: any;
    try {
      record = JSON.parse(text);
    } catch (error) {
      if (error instanceof SyntaxError) continue;
      throw error;
    }
    const id = record?.transaction_id ?? record?.order_id;
    const amount = cents(record?.amount ?? record?.value), status = record?.status;
    if (id === undefined || seen.has(id) || !STATUSES.includes(status) || Number.isNaN(amount)) continue;
    if (Number.isNaN(Date.parse(`${record.timestamp.replace(" ", "T")}Z`))) continue;
    seen.add(id);
    const of = by_merchant.get(record.merchant) ?? { ...NOTHING };
    by_merchant.set(record.merchant, of);
    of.payments++;
    if (AUTHORIZED.includes(status)) of.authorized++;
    else if (DECLINED.includes(status)) of.declined++;
    else {
      of.captured++;
      of.captured_cents += amount;
      of.discount_cents += cents(record.discount);
      if ((RISKS[0] as readonly unknown[]).includes(record.risk_flag)) of.flagged++;
      if (status === "refunded") {
        of.refunds++;
        of.refunded_cents += amount;
      }
    }
  }
  return by_merchant;
}
