import type { Generator, GeneratorPlan, GeneratorRun } from "../../declared.ts";
import {
  amount_text,
  type Breakable,
  check_options,
  type Course,
  cumulate,
  EventStream,
  hash_text,
  type Invention,
  type JsonObject,
  planted_between,
  Random,
  Staging,
  STEPS_PER_STREAM,
  utc_offset_us,
} from "../../generator/mod.ts";
import { crowd_at, extra_demand, is_out, planted_in, type Staged, staged_in } from "./anomalies.ts";
import { CURRENCIES, DEMAND, MERCHANTS, METHODS } from "./market.ts";

const minute_us = 60_000_000;
const bare_share = 0.1;

/** A plan of payments, with what can be wished of them. */
interface PaymentPlan extends GeneratorPlan {
  /** 0: evenly spaced. 1 (default): shopping hours, with gusts and random gaps. */
  readonly variability?: number;
  /** Shares (0 to 1) of captured payments of which something is refunded within days, and that are charged back weeks later. */
  readonly refunds?: number;
  readonly charge_backs?: number;
  /** Spikes, outages of a payment method, stolen cards. Default false. */
  readonly anomalies?: boolean;
}

/** One payment as planned: all that its messages say. */
interface Payment extends Course {
  readonly cents: number;
  /** What a capture names; null: it is that of the authorization. */
  readonly captured_cents: number | null;
  readonly refunded_cents: readonly number[];
  readonly told: JsonObject;
  readonly decline_reason: string;
}

const CAPTURED = "payment.captured", REFUNDED = "payment.refunded";
const decline_reasons = ["insufficient_funds", "expired_card", "do_not_honor", "suspected_fraud"] as const;
const refund_reasons = ["returned", "damaged", "duplicate", undefined] as const;

const BREAKABLE: Breakable = {
  noun: "payment",
  stream_column: "payment_id",
  // Each names a fault for every type of event, whichever field that type has.
  faults: [
    { amount: "12,50", reason: ["because"] },
    { amount: "-4.20", reason: { code: 7 } },
    { amount: {}, merchant: ["somewhere"], reason: 1.5 },
  ],
};

/** Plans payments: to whom, how much, and what becomes of them. */
class Shoppers implements Invention<Payment> {
  readonly #plan: Required<PaymentPlan>;
  readonly #prefix: string;
  readonly #staging: Staging<Staged>;
  readonly #random: Random;
  readonly #id_key: number;
  /** How often each merchant is paid in the minute `#minute`, added up. */
  #merchants = CALM;
  #minute = -1;
  #number = 1;

  constructor(plan: Required<PaymentPlan>, { prefix, time_zone }: Pick<GeneratorRun, "prefix" | "time_zone">) {
    const { seed, start_us, anomalies } = plan;
    this.#plan = plan;
    this.#prefix = prefix;
    this.#random = new Random(seed, start_us, 61);
    this.#id_key = new Random(seed, hash_text(prefix)).whole(0, 0x1_0000_0000);
    this.#staging = new Staging(
      {
        ...plan,
        demand: DEMAND,
        utc_offset_us: utc_offset_us(start_us, time_zone),
        ...anomalies ? { extra: (at_us: number) => extra_demand(seed, at_us) } : {},
      },
      anomalies ? (at_us) => staged_in(seed, at_us) : null,
    );
  }

  next_us(): number {
    return this.#staging.next_us();
  }

  next(): Payment {
    const { at_us, staged } = this.#staging.next();
    return this.#payment(this.#number++, at_us, staged);
  }

  data(payment: Payment, step: number): JsonObject {
    const { cents, told, steps } = payment;
    switch (steps[step]) {
      case "payment.authorized":
        return { amount: amount_text(cents), ...told };
      case CAPTURED:
        return payment.captured_cents === null ? {} : { amount: amount_text(payment.captured_cents) };
      case "payment.declined":
        return { amount: amount_text(cents), reason: payment.decline_reason, ...told };
      case REFUNDED: {
        const nth = steps.slice(0, step).filter((type) => type === REFUNDED).length;
        return {
          amount: amount_text(payment.refunded_cents[nth]!),
          reason: refund_reasons[nth % refund_reasons.length],
        };
      }
      case "payment.charged_back":
        return { reason: "not_recognised" };
      default:
        throw new Error(
          `writing a message of payment "${payment.stream_id}": expected a step below ${steps.length}, got "${step}"`,
        );
    }
  }

  #payment(number: number, at_us: number, staged: Staged | null): Payment {
    const random = this.#random, { seed, currency, anomalies } = this.#plan;
    this.#settle(at_us);
    const drawn = random.weighted(this.#merchants);
    const { name, category, city, location, cents: usual } = MERCHANTS[staged?.merchant ?? drawn]!;
    const method = random.weighted(ALL_METHODS);
    const cents = staged?.cents ?? Math.max(50, Math.round(usual * Math.exp(0.7 * random.bell())));
    const other = random.fraction(), is_flagged = random.chance(staged === null ? 0.015 : 0.5);
    const discount = random.chance(0.18) ? Math.round(cents * random.between(0.05, 0.3)) : 0;
    const is_declined = staged?.is_declined ??
      (random.chance(0.055) || (anomalies && is_out(seed, method, at_us)));
    return {
      stream_id: `${this.#prefix}${number}`,
      id_key: this.#id_key,
      id_counter: number * STEPS_PER_STREAM,
      source: `/acquirer/${city.toLowerCase()}`,
      bare: random.chance(bare_share),
      base_us: at_us,
      not_before_us: 0,
      cents,
      told: {
        currency: currency_of(other, currency),
        merchant: name,
        category,
        city,
        location,
        payment_method: METHODS[method]!.name,
        payer_id: `C${random.whole(1, 20_000)}`,
        discount: discount === 0 ? undefined : amount_text(discount),
        risk_flag: is_flagged ? "high" : random.chance(0.03) ? undefined : "low",
      },
      ...this.#course(cents, is_declined),
    };
  }

  /** What becomes of a payment. */
  #course(
    cents: number,
    is_declined: boolean,
  ): Pick<Payment, "steps" | "after_ms" | "captured_cents" | "refunded_cents" | "decline_reason"> {
    const random = this.#random, { refunds, charge_backs } = this.#plan;
    const decline_reason = random.pick(decline_reasons);
    // Seconds to half a day later, sooner more often.
    const captured_ms = Math.round(2_000 * 20_000 ** random.fraction());
    // Of some less is captured than was authorized.
    const captured_cents = random.chance(0.06) ? Math.max(50, Math.round(cents * random.between(0.5, 0.99))) : null;
    const is_refunded = random.chance(refunds), is_charged_back = random.chance(charge_backs);
    const times = random.chance(0.3) ? random.whole(2, 4) : 1;
    const in_all = Math.round((captured_cents ?? cents) * (random.chance(0.55) ? 1 : random.between(0.1, 0.9)));
    const later = (days: number) => captured_ms + Math.round(random.between(0.02, days) * 86_400_000);
    const refund_ms = Array.from({ length: times }, () => later(6)).sort((a, b) => a - b);
    const charged_back_ms = later(20);
    if (is_declined) {
      const steps = ["payment.declined"];
      return { steps, after_ms: [0], captured_cents: null, refunded_cents: [], decline_reason };
    }
    // The last one is of what is left, so that all of them come to the whole.
    const part = Math.floor(in_all / times), last = in_all - part * (times - 1);
    const refunded_cents = is_refunded ? refund_ms.map((_, i) => i === times - 1 ? last : part) : [];
    const steps = ["payment.authorized", CAPTURED, ...refunded_cents.map(() => REFUNDED)];
    const after_ms = [0, captured_ms, ...is_refunded ? refund_ms : []];
    if (is_charged_back && !is_refunded) {
      steps.push("payment.charged_back");
      after_ms.push(charged_back_ms);
    }
    return { steps, after_ms, captured_cents, refunded_cents, decline_reason };
  }

  /** Settles how often each merchant is paid at a moment: what is planted begins and ends with a minute. */
  #settle(at_us: number): void {
    const minute = Math.floor(at_us / minute_us), { seed, anomalies } = this.#plan;
    if (!anomalies || minute === this.#minute) return;
    this.#minute = minute;
    this.#merchants = cumulate(MERCHANTS.map(({ share }, i) => share * crowd_at(seed, i, at_us)));
  }
}

const CALM = cumulate(MERCHANTS.map(({ share }) => share));
const ALL_METHODS = cumulate(METHODS.map(({ share }) => share));

/** The currency that a payment names: mostly none, which is the deployment's. */
function currency_of(fraction: number, own: string): string | undefined {
  let from = 0;
  for (const { code, share } of CURRENCIES) {
    if (fraction < (from += share)) return code;
  }
  return fraction < 0.6 ? own : undefined;
}

/** The messages of payments, without end, in order of delivery. Throws when an option is out of its range. */
function payment_stream(given: PaymentPlan, run: GeneratorRun): EventStream<Payment> {
  const plan = { variability: 1, refunds: 0.035, charge_backs: 0.002, anomalies: false, ...given };
  const { late = 0, duplicates = 0, malformed = 0 } = run;
  const mishaps = { late, duplicates, malformed };
  check_options("payment", { ...plan, ...mishaps }, ["seed", "start_us"], [
    "variability",
    "late",
    "duplicates",
    "malformed",
    "refunds",
    "charge_backs",
  ]);
  return new EventStream(BREAKABLE, new Shoppers(plan, run), new Random(plan.seed, plan.start_us, 71), mishaps);
}

/** How payments are invented. */
export const PAYMENT_GENERATOR: Generator = {
  letter: "Y",
  per_rate: 3,
  // What was paid, its first message says.
  open: "false",
  // What is asked for alone is named: ids follow from it.
  plan: ({ rate, seed, currency, start_us }, wishes) => ({ rate, seed, currency, start_us, ...wished(wishes) }),
  messages: payment_stream,
  planted: ({ seed, start_us, anomalies = false }: PaymentPlan, until_us) =>
    anomalies ? planted_between(start_us, until_us, (at_us) => planted_in(seed, at_us)) : [],
};

/** What `tacho produce` can be asked for of payments. */
function wished(
  { variability, corrections, voids, anomalies }: Readonly<Record<string, unknown>>,
): Partial<PaymentPlan> {
  const asked = { variability, refunds: corrections, charge_backs: voids, anomalies };
  return Object.fromEntries(Object.entries(asked).filter(([, value]) => value !== undefined));
}
