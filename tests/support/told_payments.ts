import type { OpenedDatabase } from "../../src/database/mod.ts";
import { payments_domain } from "../../src/domains/payments/mod.ts";
import { DEPLOYMENT, with_domain_log } from "./domain_log.ts";
import { message } from "./trip_pipeline.ts";

export const PAYMENTS_DOMAIN = payments_domain(DEPLOYMENT);

/** What was told of payments, in words of the tests' own: amounts in cents. */
export interface Told {
  readonly payment: string;
  readonly id: string;
  readonly minute: number;
  readonly kind: "authorized" | "captured" | "declined" | "refunded" | "charged_back";
  readonly cents: number | null;
  readonly named: Readonly<Partial<Record<(typeof NAMES)[number], string | null>>>;
  readonly discount: number | null;
}
export const NAMES = [
  "merchant",
  "category",
  "city",
  "location",
  "payment_method",
  "risk_flag",
  "payer_id",
  "currency",
] as const;

/** The same pseudo-random numbers every time (a linear congruential generator). */
function numbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor(state / 2 ** 32 * below);
  };
}

/** Payments of any course: refunds of equal times, before the capture, without one, of more than was captured; declines beside captures. */
export function some_payments(seed: number, payments: number): Told[] {
  const draw = numbers(seed);
  const told: Told[] = [];
  const one = <T>(...of: readonly T[]): T => of[draw(of.length)]!;
  for (let p = 0; p < payments; p++) {
    const payment = `P-${p}`, start = draw(150);
    const add = (id: string, kind: Told["kind"], minute: number, cents: number | null) => {
      const whole = kind !== "refunded" && kind !== "charged_back";
      const named = whole
        ? {
          merchant: one("Bäcker", "USD", "Kiosk", null),
          category: one("food", "toys", null),
          city: one("Chicago", "Wien", null),
          location: draw(3) === 0 ? "12" : null,
          payment_method: one("card", "wallet", null),
          risk_flag: one("no", "yes", "medium", null),
          payer_id: `C-${draw(9)}`,
          currency: one(null, "USD", "EUR", "JPY"),
        }
        : {};
      told.push({ payment, id, kind, minute, cents, named, discount: whole && draw(2) === 0 ? draw(900) : null });
    };
    const cents = 1 + draw(50_000);
    if (draw(4) > 0) add("a1", "authorized", start, cents);
    if (draw(9) === 0) add("a2", "authorized", start + draw(20), cents + 7);
    if (draw(5) > 1) add("c1", "captured", start + draw(20), draw(3) === 0 ? null : cents);
    if (draw(9) === 0) add("c2", "captured", start + draw(40), draw(2) === 0 ? null : cents + 11);
    if (draw(4) === 0) add("d1", "declined", start + draw(20), draw(2) === 0 ? null : cents);
    // Refunds of one minute are told apart by their ids.
    for (let r = draw(6) - 1; r > 0; r--) {
      add(`r${r}`, "refunded", start + 10 * draw(4), one(cents, 1, 0, Math.floor(cents / 2)));
    }
    if (draw(8) === 0) add("z", "charged_back", start + draw(60), null);
  }
  for (let i = told.length - 1; i > 0; i--) {
    const j = draw(i + 1);
    [told[i], told[j]] = [told[j]!, told[i]!];
  }
  return told;
}

const START_MS = Date.UTC(2026, 2, 1, 6);
export const at = (minute: number) => new Date(START_MS + minute * 60_000).toISOString();
const money = (cents: number | null) => cents === null ? null : (cents / 100).toFixed(2);
export const as_message = ({ payment, id, minute, kind, cents, named, discount }: Told) =>
  message(0, {
    payment_id: payment,
    event_id: id,
    type: `payment.${kind}`,
    occurred_at: at(minute),
    ...named,
    ...kind === "charged_back" ? {} : { amount: money(cents) },
    discount: money(discount),
  });

/** Lends a log of payments in a schema of its own. */
export const with_payments = (work: (database: OpenedDatabase) => Promise<void>): Promise<void> =>
  with_domain_log("payments", work);
