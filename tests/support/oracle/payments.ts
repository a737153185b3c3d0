import type { Grain } from "./cells.ts";
import {
  amount,
  type Counted,
  type DomainContract,
  type Folded,
  type Named,
  required,
  text,
  type Told,
  UNKNOWN,
  type Value,
} from "./domain_oracle.ts";
import { Fault } from "./json.ts";

const GRAINS: readonly Grain[] = ["1m", "5m", "1h", "1d", "all"];

const currency: Named = {
  read: (raw) => typeof raw === "string" && /^[A-Za-z]{3}$/.test(raw) ? raw.toUpperCase() : new Fault("no currency"),
};
/** true and yes are one word, and so are false and no; other texts stand as they are. */
const risk: Named = {
  read(raw) {
    const word = typeof raw === "boolean" || raw === 1 || raw === 0 ? String(raw) : raw;
    if (typeof word !== "string") return text.read(raw);
    switch (word.trim().toLowerCase()) {
      case "yes":
      case "true":
      case "1":
      case "high":
        return "yes";
      case "no":
      case "false":
      case "0":
      case "low":
        return "no";
      default:
        return text.read(word);
    }
  },
};
/** What an authorization, a capture or a decline may tell. */
const WHAT_FOR = {
  currency,
  merchant: text,
  category: text,
  city: text,
  location: text,
  payment_method: text,
  payer_id: text,
  discount: amount,
  risk_flag: risk,
};

function fold(events: readonly Told[], deployed: string): Folded {
  const of = (kind: string) => events.filter(({ type }) => type === `payment.${kind}`);
  const time = (kind: string): number | null => of(kind).at(-1)?.time_us ?? null;
  const named = (name: string, kinds: readonly string[]): Value | null =>
    kinds.flatMap(of).length === 0
      ? null
      : events.findLast(({ type, named }) =>
        kinds.some((kind) => type === `payment.${kind}`) && named[name] !== undefined
      )
        ?.named[name] ?? null;
  const what = (name: string) => named(name, ["authorized", "captured", "declined"]);
  const authorized_at = time("authorized"), captured_at = time("captured"), declined_at = time("declined");
  const charged_back_at = time("charged_back");
  const [authorized, captured, declined] = ["authorized", "captured", "declined"].map((kind) =>
    named("amount", [kind]) as bigint | null
  );
  const refunds = of("refunded").map(({ time_us, named }) => ({ at_us: time_us, back: named.amount as bigint }));
  const counts = captured_at !== null ? captured ?? authorized! : authorized ?? declined!;
  const back = refunds.reduce((sum, refund) => sum + refund.back, 0n);
  const status = charged_back_at !== null
    ? "charged_back"
    : captured_at !== null
    ? refunds.length === 0 ? "captured" : counts !== null && back >= counts ? "refunded" : "partially_refunded"
    : declined_at !== null
    ? "declined"
    : authorized_at !== null
    ? "authorized"
    : "waiting";
  const of_currency = String(what("currency") ?? deployed);
  const columns = ["merchant", "category", "city", "location", "payment_method", "risk_flag"];
  const keys = {
    none: "all",
    status,
    payer: String(what("payer_id") ?? UNKNOWN),
    ...Object.fromEntries(columns.map((name) => [name, String(what(name) ?? UNKNOWN)])),
  };
  const counted: Counted[] = [];
  const count = (at_us: number | null, adds: Counted["adds"], binned: Counted["binned"] = {}) => {
    if (at_us !== null) counted.push({ at_us, keys, currency: of_currency, adds, binned });
  };
  const known = [authorized_at, captured_at, declined_at].filter((at) => at !== null);
  count(known.length === 0 ? null : Math.min(...known), { payments: 1n });
  count(authorized_at, { authorized: 1n, authorized_sum_micros: authorized ?? 0n });
  count(captured_at, {
    captured: 1n,
    amount_count: counts === null ? 0n : 1n,
    captured_sum_micros: counts ?? 0n,
    discount_sum_micros: (what("discount") ?? 0n) as bigint,
    flagged: what("risk_flag") === "yes" ? 1n : 0n,
    conflicts: declined_at === null ? 0n : 1n,
  }, counts === null ? {} : { amount_micros: counts });
  if (captured_at === null) count(declined_at, { declined: 1n });
  for (const { at_us, back } of refunds) {
    count(at_us, captured_at === null ? { refunds_waiting: 1n } : { refunds: 1n, refunds_sum_micros: back });
  }
  count(charged_back_at, { charged_back: 1n });
  const last = events.at(-1)!;
  return {
    row: {
      authorized_at,
      captured_at,
      declined_at,
      charged_back_at,
      refunded_ats: refunds.length === 0 ? null : refunds.map(({ at_us }) => at_us).join(","),
      refund_micros: refunds.length === 0 ? null : refunds.map((refund) => refund.back).join(","),
      authorized_micros: authorized!,
      captured_micros: captured!,
      declined_micros: declined!,
      discount_micros: what("discount"),
      named_currency: what("currency"),
      ...Object.fromEntries([...columns, "payer_id"].map((name) => [name, what(name)])),
      decline_reason: named("reason", ["declined"]),
      refund_reason: named("reason", ["refunded"]),
      charge_back_reason: named("reason", ["charged_back"]),
      status,
      currency: of_currency,
      amount_micros: counts,
      last_occurred_at: last.time_us,
      last_event_id: last.event_id,
    },
    counted,
  };
}

/** Payments: authorizations, captures, declines, refunds that add up, charge-backs; each currency is counted by itself. */
export const payments_contract = (deployed: string): DomainContract => ({
  stream: "payment_id",
  states: "transactions",
  cells: "transaction_cells",
  types: {
    "payment.authorized": { ...WHAT_FOR, amount: required(amount) },
    "payment.captured": { ...WHAT_FOR, amount },
    "payment.declined": { ...WHAT_FOR, amount, reason: text },
    "payment.refunded": { amount: required(amount), reason: text },
    "payment.charged_back": { reason: text },
  },
  fold: (events) => fold(events, deployed),
  measures: [
    "payments",
    "authorized",
    "authorized_sum_micros",
    "captured",
    "amount_count",
    "captured_sum_micros",
    "discount_sum_micros",
    "flagged",
    "conflicts",
    "declined",
    "refunds",
    "refunds_sum_micros",
    "refunds_waiting",
    "charged_back",
  ],
  dimensions: {
    none: GRAINS,
    status: GRAINS,
    merchant: GRAINS,
    category: GRAINS,
    city: GRAINS,
    location: GRAINS,
    payment_method: GRAINS,
    risk_flag: GRAINS,
  },
  by_currency: true,
  sketches: {
    table: "transaction_sketches",
    dimensions: ["none", "merchant", "category", "city", "payment_method"],
  },
  lists: ["refunded_ats", "refund_micros"],
  totals: {
    table: "transaction_totals",
    dimensions: ["payer"],
    measures: [
      "captured",
      "amount_count",
      "captured_sum_micros",
      "declined",
      "refunds",
      "refunds_sum_micros",
      "charged_back",
    ],
  },
});
