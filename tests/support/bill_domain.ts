import { AMOUNT, CURRENCY, define_domain, known, ONE, TEXT, TIME, value } from "../../src/domains/mod.ts";
import type { SourceMessage } from "../../src/ingest/mod.ts";
import type { Grain } from "../../src/kpi/mod.ts";
import { message } from "./trip_pipeline.ts";

/** Bills of several currencies, which nothing adds up: a domain by currency, of a deployment in dollars. */

const GRAINS: readonly Grain[] = ["1m", "5m", "1h", "1d", "all"];
const SKETCHED: readonly Grain[] = ["1m", "5m", "1h", "1d"];
const SENT = ["bill.sent"], CORRECTED = ["bill.corrected"];

const PERCENTILE = {
  kind: "quantile",
  unit: "money",
  sketch: "amount_micros",
  per: 1_000_000,
  within: { min: "amount_min_micros", max: "amount_max_micros" },
} as const;

export const bills = define_domain({
  name: "bills",
  noun: "bill",
  stream_column: "bill_id",
  tables: { states: "bills", cells: "bill_cells", totals: "bill_totals", sketches: "bill_sketches" },
  by_currency: "USD",
  event_types: ["bill.sent", "bill.corrected", "bill.withdrawn"],
  fields: {
    sent_us: { type: TIME },
    withdrawn_us: { type: TIME },
    named_currency: { type: CURRENCY, in: [...SENT, ...CORRECTED], as: "currency", hidden: true },
    amount_micros: { type: AMOUNT, in: [...SENT, ...CORRECTED] },
    shop: { type: TEXT, in: [...SENT, ...CORRECTED] },
    payer: { type: TEXT, in: SENT },
  },
  derived: {
    currency: { type: CURRENCY, get: ({ named_currency }) => named_currency ?? "USD", always: true },
    status: {
      type: TEXT,
      get: ({ sent_us, withdrawn_us }) => withdrawn_us !== null ? "withdrawn" : sent_us !== null ? "sent" : "waiting",
      always: true,
    },
  },
  fold: (state, { type, payload, occurred_at_us }) => ({
    ...state,
    ...payload,
    ...type === "bill.sent" ? { sent_us: occurred_at_us } : {},
    ...type === "bill.withdrawn" ? { withdrawn_us: occurred_at_us } : {},
  }),
  dimensions: [
    { name: "none", column: null, grains: GRAINS, sketches: SKETCHED },
    { name: "status", column: "status", grains: GRAINS },
    { name: "shop", column: "shop", grains: GRAINS, sketches: SKETCHED },
    { name: "payer", column: "payer", grains: ["all"], totals: ["bills", "amount_sum_micros"] },
  ],
  measures: [
    { name: "bills", kind: "count" },
    { name: "amount_count", kind: "count" },
    { name: "amount_sum_micros", kind: "sum" },
    { name: "amount_min_micros", kind: "min", column: "amount_micros" },
    { name: "amount_max_micros", kind: "max", column: "amount_micros" },
    { name: "amount_micros", kind: "sketch" },
    // After it: a declaration has its measures in any order.
    { name: "withdrawn", kind: "count" },
  ],
  facts: [
    {
      at: ["sent_us"],
      when: { field: "status", is: "sent" },
      adds: {
        bills: ONE,
        amount_count: known("amount_micros"),
        amount_sum_micros: value("amount_micros"),
        amount_min_micros: value("amount_micros"),
        amount_max_micros: value("amount_micros"),
        amount_micros: value("amount_micros"),
      },
    },
    { at: ["withdrawn_us"], adds: { withdrawn: ONE } },
  ],
  board: {
    words: {
      many: "bills",
      path: "/bills/",
      cards: [
        {
          name: "bills",
          label: "Bills",
          how: "That were sent.",
          main: true,
          better: 0,
          base: "bills",
          spark: ["bills"],
        },
        {
          name: "amount",
          label: "Amount",
          how: "Of bills that were sent.",
          better: 0,
          base: "bills",
          spark: ["amount"],
          beside: ["{currency}"],
        },
        { name: "greatest", label: "Greatest", how: "Of one bill.", beside: ["{currency}"] },
      ],
      charts: [
        {
          name: "amount",
          title: "Amount",
          sub: "{currency} per {step}",
          kind: "bars",
          lines: [{ name: "amount", colour: 2 }],
          compared: "amount",
          least: 10,
        },
      ],
      panels: ["shop", "status"],
      dimensions: {},
      first_event: { type: "bill.paid" },
      first_filter: "shop",
      list: {
        title: "Latest bills",
        time: "at_ms",
        mark: "status",
        marks: { withdrawn: "cross" },
        over: "sent",
        columns: [{ label: "shop", key: "shop" }, { label: "amount", number: "amount", digits: 2 }],
      },
      breakdowns_how: "Bills that were sent and their amount.",
      computed_how: "What is not kept ready is computed from the bills.",
    },
    whole: { dimension: "none", key: "all" },
    figures: {
      bills: { kind: "total", unit: "count", measure: "bills", per: 1 },
      amount: { kind: "total", unit: "money", measure: "amount_sum_micros", per: 1_000_000 },
      average: { kind: "mean", unit: "money", measure: "amount_sum_micros", count: "amount_count", per: 1_000_000 },
      least: { kind: "total", unit: "money", measure: "amount_min_micros", per: 1_000_000 },
      greatest: { kind: "total", unit: "money", measure: "amount_max_micros", per: 1_000_000 },
      withdrawn: { kind: "total", unit: "count", measure: "withdrawn", per: 1 },
      amount_p50: { ...PERCENTILE, q: 0.5 },
      amount_p90: { ...PERCENTILE, q: 0.9 },
      shops: { kind: "distinct", unit: "count", dimension: "shop", count: "bills" },
      payers: { kind: "distinct", unit: "count", dimension: "payer", count: "bills" },
    },
    series: ["bills", "amount", "withdrawn"],
    compared_series: ["amount"],
    cards: [
      ...["bills", "amount", "average", "least", "greatest", "amount_p50", "amount_p90", "withdrawn", "shops"],
      "payers",
    ].map((name) => ({ name, figure: name })),
    now: { dimension: "status", measure: "bills" },
    breakdowns: [{ dimension: "shop", count: "bills" }, { dimension: "status", count: "bills" }],
    states_breakdowns: [{ dimension: "payer", count: "bills" }],
    default_count: "bills",
    breakdown_row: { count: "bills", amount: "amount" },
    lines: { event: "bill", list: "bills", fields: ["bill_id", "status", "at_ms", "currency", "shop", "amount"] },
    entities: {
      counted: "bills",
      of: [{ name: "payer", dimension: "payer", id_name: "payer_id" }, {
        name: "shop",
        dimension: "shop",
        id_name: "shop",
      }],
      figures: [{ name: "bill_count", figure: "bills", decimals: 0 }, {
        name: "total_amount",
        figure: "amount",
        decimals: 2,
      }],
      example: { payer_id: "P-1", bill_count: 2, total_amount: 20.5 },
    },
    daily: {
      says: "The figures of a day",
      count: { name: "bill_count", figure: "bills", decimals: 0 },
      metrics: [{ name: "total_amount", figure: "amount", decimals: 2 }],
      example: { date: "2026-03-01", metrics: { total_amount: 20.5 }, generated_at: "…", bill_count: 2 },
    },
  },
});

const measures =
  `bills bigint not null default 0 check (bills >= 0), amount_count bigint not null default 0 check (amount_count >= 0),
  amount_sum_micros numeric not null default 0 check (amount_sum_micros >= 0), amount_min_micros bigint, amount_max_micros bigint,
  withdrawn bigint not null default 0 check (withdrawn >= 0)`;

/** Its migration. */
export const BILL_TABLES = `
  create table bills (
    bill_id text collate "C" primary key, revision integer not null, sent_at timestamptz, withdrawn_at timestamptz,
    named_currency text collate "C", amount_micros bigint, shop text collate "C", payer text collate "C",
    currency text collate "C" not null check (currency ~ '^[A-Z]{3}$'), status text collate "C" not null,
    last_occurred_at timestamptz not null, last_event_id text collate "C" not null, positions bigint[] not null,
    event_hashes bigint[] not null
  );
  create index bills_sent_at_idx on bills (sent_at) where sent_at is not null;
  create index bills_withdrawn_at_idx on bills (withdrawn_at) where withdrawn_at is not null;
  create table bill_cells (
    grain text collate "C" not null, bucket timestamptz not null, dimension text collate "C" not null,
    currency text collate "C" not null, key text collate "C" not null, ${measures},
    last_position bigint not null, first_position bigint,
    constraint bill_cells_pkey primary key (grain, dimension, currency, bucket, key)
  );
  create table bill_totals (
    dimension text collate "C" not null, currency text collate "C" not null, key text collate "C" not null,
    bills bigint not null default 0, amount_sum_micros numeric not null default 0, last_position bigint not null,
    constraint bill_totals_pkey primary key (dimension, currency, key)
  );
  create table bill_sketches (
    grain text collate "C" not null, bucket timestamptz not null, dimension text collate "C" not null,
    currency text collate "C" not null, key text collate "C" not null, sketch text collate "C" not null,
    bins smallint[] not null, counts integer[] not null check (0 < all (counts)),
    constraint bill_sketches_pkey primary key (grain, dimension, currency, bucket, key, sketch)
  );`;

/** An event of a bill: at a minute after ten of 2026-03-01, and what it names. Its place gives it its offset. */
export interface Billed {
  readonly bill: string;
  readonly id: string;
  readonly kind: "sent" | "corrected" | "withdrawn";
  readonly minute: number;
  readonly named: Readonly<Record<string, unknown>>;
}

const START_MS = Date.UTC(2026, 2, 1, 10);

/** When it happened, RFC 3339. */
export const billed_at = ({ minute }: Pick<Billed, "minute">): string =>
  new Date(START_MS + minute * 60_000).toISOString();

export const bill_events = (...billed: readonly Billed[]): SourceMessage[] =>
  billed.map((each) =>
    message(0, {
      bill_id: each.bill,
      event_id: each.id,
      type: `bill.${each.kind}`,
      occurred_at: billed_at(each),
      ...each.named,
    })
  );

/** What a bill says in the end, worked out by rules of this file's own: the later of its events wins, at one time the one of the greater id. */
export interface BillTruth {
  readonly bill: string;
  readonly currency: string;
  readonly sent: number | null;
  readonly withdrawn: number | null;
  readonly cents: number | null;
  readonly shop: string;
  readonly payer: string;
}

/** Of events in any order; amounts are told in cents. */
export function bill_truths(billed: readonly Billed[]): BillTruth[] {
  return [...Map.groupBy(billed, ({ bill }) => bill)].map(([bill, events]) => {
    const told = new Map<string, unknown>();
    let sent: number | null = null, withdrawn: number | null = null;
    const by_time = (a: Billed, b: Billed) => a.minute - b.minute || (a.id < b.id ? -1 : 1);
    for (const { kind, minute, named } of [...events].sort(by_time)) {
      for (const [name, value] of Object.entries(named)) if (value !== null) told.set(name, value);
      if (kind === "sent") sent = minute;
      if (kind === "withdrawn") withdrawn = minute;
    }
    const text = (name: string, fallback: string) => told.has(name) ? String(told.get(name)) : fallback;
    const amount = told.get("amount");
    return {
      bill,
      currency: text("currency", "USD"),
      sent,
      withdrawn,
      cents: amount === undefined ? null : Math.round(Number(amount) * 100),
      shop: text("shop", "unknown"),
      payer: text("payer", "unknown"),
    };
  });
}

/** The same pseudo-random numbers every time (a linear congruential generator). */
function numbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor(state / 2 ** 32 * below);
  };
}

/** Bills in three currencies and without any, corrected in amount, shop and currency, withdrawn; in any order of arrival. */
export function some_bills(seed: number, count: number): Billed[] {
  const draw = numbers(seed);
  const amount = () => (1 + draw(50_000)) / 100;
  const billed: Billed[] = [];
  for (let b = 0; b < count; b++) {
    const bill = `B-${b}`, minute = draw(110);
    const currency = [null, "USD", "EUR", "JPY", "EUR"][draw(5)]!, shop = ["North", "EUR", "Süd", null][draw(4)]!;
    if (draw(15) > 0) {
      const named = { amount: draw(12) === 0 ? null : amount(), currency, shop, payer: `P-${draw(7)}` };
      billed.push({ bill, id: "a", kind: "sent", minute, named });
    }
    for (let c = draw(3); c > 0; c--) {
      const named = [{ amount: amount() }, { currency: ["EUR", "JPY", "USD"][draw(3)] }, { shop: "East" }][draw(3)]!;
      billed.push({ bill, id: `c${c}`, kind: "corrected", minute: minute + draw(9), named });
    }
    if (draw(9) === 0) billed.push({ bill, id: "w", kind: "withdrawn", minute: minute + draw(9), named: {} });
  }
  for (let i = billed.length - 1; i > 0; i--) {
    const j = draw(i + 1);
    [billed[i], billed[j]] = [billed[j]!, billed[i]!];
  }
  return billed;
}
