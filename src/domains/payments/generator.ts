import type { Generator, GeneratorPlan, GeneratorRun, Planted } from "../declared.ts";
import {
  amount_text,
  type Breakable,
  checked_mishaps,
  type Course,
  cumulate,
  evened,
  EventStream,
  given_options,
  hash_text,
  type Invention,
  type JsonObject,
  planted_between,
  Random,
  Staging,
  STEPS_PER_STREAM,
  told,
  type Trouble,
  trouble_at,
  trouble_in,
  type TroubleKind,
  utc_offset_us,
  weekly_demand,
} from "../generator/mod.ts";

/** Who is paid: by how many beside the others, for what, how much at a time, in cents, and where. */
interface Merchant {
  readonly name: string;
  readonly category: string;
  readonly city: string;
  readonly location: string;
  readonly cents: number;
  readonly share: number;
}

const CATEGORIES = [
  { name: "groceries", cents: 3_400, words: ["Market", "Foods", "Corner"] },
  { name: "restaurants", cents: 2_600, words: ["Kitchen", "Grill", "Noodles"] },
  { name: "fuel", cents: 4_800, words: ["Fuel", "Station"] },
  { name: "electronics", cents: 14_500, words: ["Electric", "Phones"] },
  { name: "clothing", cents: 6_900, words: ["Outfit", "Shoes"] },
  { name: "travel", cents: 31_000, words: ["Travel", "Stay"] },
  { name: "pharmacy", cents: 1_900, words: ["Pharmacy", "Care"] },
  { name: "online", cents: 5_200, words: ["Store", "Goods", "Deals"] },
] as const;
const CITIES = ["Chicago", "Boston", "Austin", "Seattle", "Denver"] as const;
const FIRST = ["North", "River", "Golden", "City", "Old Mill"] as const;
const COUNT = 40;

/** Forty of them; the n-th is paid about 1/n as often as the first (Zipf). */
export const MERCHANTS: readonly Merchant[] = Array.from({ length: COUNT }, (_, i) => {
  const category = CATEGORIES[i % CATEGORIES.length]!, city = CITIES[(i * 3) % CITIES.length]!;
  const word = category.words[Math.floor(i / CATEGORIES.length) % category.words.length]!;
  const harmonic = Array.from({ length: COUNT }, (_, n) => 1 / (n + 1)).reduce((sum, each) => sum + each);
  return {
    name: `${FIRST[Math.floor(i / CATEGORIES.length)]!} ${word}`,
    category: category.name,
    city,
    location: category.name === "online" ? "web" : `${city} ${["center", "north", "airport"][i % 3]!}`,
    cents: category.cents,
    share: 1 / (i + 1) / harmonic,
  };
});

/** By what it is paid, and how often. */
const METHODS: readonly { readonly name: string; readonly share: number }[] = [
  { name: "credit_card", share: 0.46 },
  { name: "debit_card", share: 0.31 },
  { name: "wallet", share: 0.17 },
  { name: "bank_transfer", share: 0.06 },
];

/** Other currencies than the deployment's, and the share of payments that are in each. */
const CURRENCIES: readonly { readonly code: string; readonly share: number }[] = [
  { code: "EUR", share: 0.09 },
  { code: "USD", share: 0.06 },
  { code: "GBP", share: 0.04 },
];

/** Most at noon and in the evening, little at night; more at the weekend. */
const DEMAND: Float64Array = evened(weekly_demand({
  base: 0.25,
  workdays: [[12.3, 1.8, 1.3], [18.2, 2.6, 1.7]],
  weekend: [[13.5, 3.2, 1.9], [19, 2.8, 1.5]],
}));

/**
 * What goes wrong with payments on purpose where a plan asks for anomalies. All of it follows from the seed and the hour, so that `planted` can say
 * where it is: whoever looks for anomalies in the figures can be held to that.
 */

/** About every sixth hour some merchant sells several times as much. */
const SPIKE: TroubleKind = { kind: 61, one_in: 240, least_min: 10, most_min: 25 };
/** About every eighth hour some payment method is declined, whoever pays by it. */
const OUTAGE: TroubleKind = { kind: 62, one_in: 32, least_min: 5, most_min: 20 };
/** In one hour of ten stolen cards are tried at a merchant: small captures, one after the other, then declines. */
const FRAUD: TroubleKind = { kind: 63, one_in: 10, least_min: 6, most_min: 15 };

/** How many times as often a merchant is paid at a moment: 1 but in a spike. */
const crowd_at = (seed: number, merchant: number, at_us: number): number => {
  const trouble = trouble_at(seed, SPIKE, merchant, at_us);
  return trouble === null ? 1 : 8 + ((trouble.word >>> 4) % 6);
};

/** What spikes add at a moment, as a share of the usual demand. */
const extra_demand = (seed: number, at_us: number): number =>
  MERCHANTS.reduce((sum, { share }, merchant) => sum + share * (crowd_at(seed, merchant, at_us) - 1), 0);

/** Whether a payment method is declined at a moment, whoever pays by it. */
const is_out = (seed: number, method: number, at_us: number): boolean =>
  trouble_at(seed, OUTAGE, method, at_us) !== null;

/** Where stolen cards are tried in the hour of a moment, or null. */
const fraud_in = (seed: number, at_us: number): Trouble & { readonly merchant: number } | null => {
  const trouble = trouble_in(seed, FRAUD, 0, at_us);
  return trouble === null ? null : { ...trouble, merchant: (trouble.word >>> 3) % MERCHANTS.length };
};

/** A payment that is tried on purpose. */
interface Staged {
  readonly at_us: number;
  readonly merchant: number;
  readonly cents: number;
  readonly is_declined: boolean;
}

/** The payments that are tried on purpose in the hour of a moment, in order: every ten seconds one, of which the last two thirds are declined. */
function staged_in(seed: number, at_us: number): Staged[] {
  const fraud = fraud_in(seed, at_us);
  if (fraud === null) return [];
  const { from_us, until_us, word, merchant } = fraud;
  const count = Math.floor((until_us - from_us) / 10_000_000);
  return Array.from({ length: count }, (_, i) => ({
    at_us: from_us + i * 10_000_000,
    merchant,
    cents: 100 + ((word >>> (i % 16)) % 400),
    is_declined: i >= count / 3,
  }));
}

/** What is planted in the hour of a moment. */
const planted_in = (seed: number, at_us: number): (Planted | null)[] => [
  ...MERCHANTS.map(({ name }, i) =>
    told("merchant_spike", trouble_in(seed, SPIKE, i, at_us), () => ({ merchant: name }))
  ),
  ...METHODS.map(({ name }, i) =>
    told("method_outage", trouble_in(seed, OUTAGE, i, at_us), () => ({ payment_method: name }))
  ),
  told("card_testing", fraud_in(seed, at_us), ({ merchant }) => ({ merchant: MERCHANTS[merchant]!.name })),
];

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
  const mishaps = checked_mishaps("payment", plan, run, ["refunds", "charge_backs"]);
  return new EventStream(BREAKABLE, new Shoppers(plan, run), new Random(plan.seed, plan.start_us, 71), mishaps);
}

/** How payments are invented. */
export const PAYMENT_GENERATOR: Generator = {
  letter: "Y",
  per_rate: 3,
  // What was paid, its first message says.
  open: "false",
  plan: ({ rate, seed, currency, start_us }, { variability, corrections, voids, anomalies }) => {
    const asked = { variability, refunds: corrections, charge_backs: voids, anomalies };
    return { rate, seed, currency, start_us, ...given_options(asked) };
  },
  messages: payment_stream,
  planted: ({ seed, start_us, anomalies = false }: PaymentPlan, until_us) =>
    anomalies ? planted_between(start_us, until_us, (at_us) => planted_in(seed, at_us)) : [],
};
