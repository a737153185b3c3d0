import assert from "node:assert/strict";
import fc from "fast-check";
import { PAYMENTS, payments_domain } from "../../src/domains/payments/mod.ts";
import type { DomainEvent } from "../../src/domains/mod.ts";
import { type ArrivedEvent, fold_arrivals } from "../../src/event_log/mod.ts";
import { decode_batches } from "../../src/ingest/mod.ts";
import { CellChanges, column_measures, days_in, filled_bins } from "../../src/kpi/mod.ts";
import { BuiltinMapping } from "../../src/mapping/mod.ts";
import { message, placed, TERMS } from "../support/trip_pipeline.ts";

const DOMAIN = payments_domain({ currency: "USD" });

/** What a record of a card transaction comes to: type, event id, time and data of each event, or the field and the words of the fault. */
function mapped(record: Readonly<Record<string, unknown>>, business_zone = "UTC"): unknown {
  const made = new BuiltinMapping(PAYMENTS.mappings[0], PAYMENTS).mapping({ business_zone, currency: "USD" });
  assert.ok(made.ok);
  const messages = [message(0, record)];
  const batch = placed({ topic: "orders_json", partition: 0, from_offset: 0, next_offset: 1, messages });
  const decoded = decode_batches(DOMAIN, TERMS, [batch], new Map([["orders_json", made.value]]));
  return decoded.map(({ outcome }) => {
    if ("fault" in outcome) return { path: outcome.fault.path, detail: outcome.fault.detail };
    assert.ok("event" in outcome);
    const { type, event_id, stream_id, occurred_at_us, payload } = outcome.event;
    return { type, event_id, stream_id, at: new Date(occurred_at_us / 1000).toISOString(), payload };
  });
}

const RECORD = { transaction_id: "T-1", merchant: "Kiosk", amount: 12.5, timestamp: "2026-02-01T10:00:00Z" };
const AT = "2026-02-01T10:00:00.000Z";
const event = (kind: string, event_id: string, payload: Record<string, unknown>) => ({
  ...{ type: `payment.${kind}`, event_id, stream_id: "T-1", at: AT, payload },
});
const PAID = { captured_micros: 12_500_000, merchant: "Kiosk" };

Deno.test("records of card transactions: each word of the status is the event that it means, and is in its id", () => {
  const words = {
    captured: ["approved", "completed", "success", "settled", "captured", "Completed", " APPROVED "],
    declined: ["declined", "failed", "rejected", "canceled", "cancelled", "Failed"],
    authorized: ["pending", "authorized", "processing"],
  };
  for (const [kind, statuses] of Object.entries(words)) {
    for (const status of statuses) {
      const payload = { [`${kind}_micros`]: 12_500_000, merchant: "Kiosk" };
      assert.deepEqual(mapped({ ...RECORD, status }), [event(kind, `T-1:${status}`, payload)], status);
    }
  }
});

Deno.test("records of card transactions: one that is refunded was captured, and is refunded in full", () => {
  assert.deepEqual(mapped({ ...RECORD, status: "refunded", discount: "1" }), [
    event("captured", "T-1:refunded", { ...PAID, discount_micros: 1_000_000 }),
    event("refunded", "T-1:refunded:in_full", { refund_micros: 12_500_000 }),
  ]);
  // Without an amount its refund is none, and nothing of it is taken in.
  const faults = mapped({ ...RECORD, amount: null, status: "refunded" }) as { path: string; detail: string }[];
  assert.equal(faults.length, 1);
  assert.match(faults[0]!.detail, /amount/);
});

Deno.test("records of card transactions: another status, or none, is set aside and named", () => {
  for (
    const [status, told] of [["teapot", '"teapot"'], [null, "null"], ["", '""'], [undefined, "nothing"]] as const
  ) {
    const [fault, ...others] = mapped({ ...RECORD, status }) as { path: string; detail: string }[];
    assert.deepEqual(others, []);
    assert.equal(fault!.path, "status");
    assert.match(fault!.detail, new RegExp(`in status, got ${told}`));
  }
});

Deno.test("records of card transactions: both spellings of id and amount, blanks, numbers as text, flags and times of any form", () => {
  const { amount: _, transaction_id: __, ...bare } = { ...RECORD, status: "settled" };
  const of = (record: Readonly<Record<string, unknown>>, zone?: string) =>
    (mapped({ ...RECORD, status: "settled", ...record }, zone) as ReturnType<typeof event>[])[0]!;
  // amount or value
  assert.deepEqual(mapped({ ...bare, transaction_id: "T-1", value: "12.50" }), [
    event("captured", "T-1:settled", PAID),
  ]);
  assert.deepEqual(of({ amount: "", value: 3 }).payload, { captured_micros: 3_000_000, merchant: "Kiosk" });
  assert.deepEqual(of({ amount: "$1,250.10" }).payload, { captured_micros: 1_250_100_000, merchant: "Kiosk" });
  // both ids
  assert.deepEqual(of({ transaction_id: undefined, order_id: "T-1" }), event("captured", "T-1:settled", PAID));
  assert.deepEqual(of({ order_id: "O-9" }), event("captured", "T-1:settled", PAID));
  assert.equal(of({ transaction_id: 17 }).event_id, "17:settled");
  const [nameless] = mapped({ ...bare, amount: 1 }) as { path: string }[];
  assert.equal(nameless!.path, "transaction_id");
  // blank optional fields are unknown
  const blank = { category: "", city: null, location: "  ", payment_method: "", discount: "", risk_flag: null };
  assert.deepEqual(of(blank).payload, PAID);
  // whole records
  const whole = {
    category: "food",
    city: "Wien",
    location: 12,
    payment_method: "card",
    discount: "0.25",
    risk_flag: true,
  };
  assert.deepEqual(of(whole).payload, {
    ...PAID,
    ...{ category: "food", city: "Wien", location: "12", payment_method: "card", discount_micros: 250_000 },
    risk_flag: "yes",
  });
  const flags = [[false, "no"], ["TRUE", "yes"], [1, "yes"], [0, "no"], ["high", "yes"], ["Low", "no"], [
    "medium",
    "medium",
  ]];
  for (const [told, kept] of flags) {
    assert.equal((of({ risk_flag: told }).payload as { risk_flag: unknown }).risk_flag, kept);
  }
  // times without zone are of the business time zone
  assert.equal(of({ timestamp: "2026-02-01 10:00:00.250" }).at, "2026-02-01T10:00:00.250Z");
  assert.equal(of({ timestamp: "2026-02-01T10:00:00" }, "America/New_York").at, "2026-02-01T15:00:00.000Z");
  assert.equal(of({ timestamp: "2026-02-01T10:00:00+02:00" }, "America/New_York").at, "2026-02-01T08:00:00.000Z");
  const [timeless] = mapped({ ...RECORD, status: "settled", timestamp: "" }) as { path: string }[];
  assert.equal(timeless!.path, "timestamp");
});

Deno.test("a payment's own events may say flags as true or false and currencies in small letters; what is required has to be there", () => {
  const parsed = DOMAIN.parse("payment.authorized", 1, { amount: "5", risk_flag: false, currency: "eur" });
  assert.deepEqual(parsed, {
    ok: true,
    value: { authorized_micros: 5_000_000, named_currency: "EUR", risk_flag: "no" },
  });
  const faults: readonly [string, Record<string, unknown>, RegExp][] = [
    ["payment.authorized", { merchant: "Kiosk" }, /expected amount, which payment.authorized requires/],
    ["payment.refunded", { amount: "" }, /expected an amount/],
    ["payment.captured", { amount: -1 }, /expected an amount from 0/],
    ["payment.captured", { currency: "euro" }, /expected a currency's code of three letters such as EUR, got "euro"/],
    ["payment.captured", { merchant: true }, /expected text of at most 200 characters, got true/],
    ["payment.voided", {}, /expected one of payment.authorized, /],
  ];
  for (const [type, data, why] of faults) {
    const refused = DOMAIN.parse(type, 1, data);
    assert.ok(!refused.ok && why.test(refused.fault.detail), `${type} ${JSON.stringify(refused)}`);
  }
});

const DAYS = days_in("UTC");
const amount = fc.oneof(fc.nat(20), fc.bigInt({ min: 2n ** 53n, max: 10n ** 18n })).map((n) =>
  typeof n === "number" ? n * 500_000 : n
);
const some_events = fc.uniqueArray(
  fc.record({
    event_id: fc.nat(30).map(String),
    // Few times: several refunds at one are told apart by their ids.
    occurred_at_us: fc.nat(3).map((n) => n * 60e6),
    told: fc.oneof(
      fc.record({ type: fc.constant("payment.refunded"), payload: fc.record({ refund_micros: amount }) }),
      fc.record({
        type: fc.constant("payment.captured"),
        payload: fc.record({ captured_micros: amount }, { requiredKeys: [] }),
      }),
      fc.record({
        type: fc.constant("payment.authorized"),
        payload: fc.record({ authorized_micros: amount, named_currency: fc.constantFrom("EUR", "USD") }),
      }),
      fc.record({ type: fc.constantFrom("payment.declined", "payment.charged_back"), payload: fc.constant({}) }),
    ),
  }),
  { minLength: 1, maxLength: 9, selector: ({ event_id }) => event_id },
);

Deno.test("payments: any order of arrival ends in the same state, and its steps add up to the same cells", () => {
  fc.assert(
    fc.property(some_events, fc.infiniteStream(fc.nat()), (events, draws) => {
      const arrive = (order: typeof events) => {
        const arrived = order.map(({ told, ...rest }, i): ArrivedEvent => ({
          ...{ stream_id: "P", position: i + 1 },
          ...rest,
          ...told,
        }));
        const { states } = fold_arrivals(DOMAIN, arrived);
        const changes = new CellChanges(DOMAIN, DAYS);
        states.forEach((state, i) => {
          const before = i === 0 ? null : DOMAIN.contribution(states[i - 1]);
          changes.replace(before, DOMAIN.contribution(state), i + 1);
        });
        const cells = [...changes.cells()].flatMap(({ change, grain, bucket_us, dimension, key }) => {
          const sums = column_measures(DOMAIN.measures).map((_, m) => String(change.sum(m)));
          const bins = change.sketches?.flatMap((bins) => bins === null ? [] : filled_bins(bins)) ?? [];
          return sums.some((sum) => Number(sum) !== 0) || bins.length > 0
            ? [`${grain} ${bucket_us} ${dimension} ${key}: ${sums.join()} ${bins.join(" ")}`]
            : [];
        });
        return { state: states.at(-1), cells: cells.sort() };
      };
      const shuffled = events.toSorted(() => draws.next().value! % 2 === 0 ? 1 : -1);
      assert.deepEqual(arrive(shuffled), arrive(events));
    }),
    { numRuns: Number(Deno.env.get("TACHO_TEST_RUNS") ?? 300) },
  );
});

const MICROS = 1_000_000;
const folded = (...events: readonly (readonly [kind: string, minute: number, payload?: object])[]) =>
  events.toSorted(([, a], [, b]) => a - b).reduce<unknown>(
    (state, [kind, minute, payload = {}], i) =>
      DOMAIN.fold(state, {
        ...{ stream_id: "P", event_id: String(i), type: `payment.${kind}`, occurred_at_us: minute * 60e6 },
        payload,
      } as DomainEvent),
    DOMAIN.initial,
  );
/** What a payment adds: value and minute by measure; of refunds a list. */
const added = (state: unknown): Record<string, string> => {
  const all: Record<string, string> = {};
  for (const fact of DOMAIN.contribution(state).facts) {
    fact?.measures.forEach((m, i) => {
      const { name } = DOMAIN.measures[m]!, said = `${fact.values[i]} at ${fact.at_us / 60e6}`;
      all[name] = name in all ? `${all[name]}, ${said}` : said;
    });
  }
  return all;
};
const status = (state: unknown) => DOMAIN.columns.find(({ name }) => name === "status")!.get(state);

Deno.test("payments: statuses and figures of each course are those of the rules", () => {
  const paid = ["captured", 2, { captured_micros: 10 * MICROS }] as const;
  const refund = (minute: number, amount: number) => ["refunded", minute, { refund_micros: amount * MICROS }] as const;
  const partly = folded(paid, refund(5, 3), refund(9, 4));
  assert.equal(status(partly), "partially_refunded");
  const { refunds, refunds_sum_micros } = added(partly);
  assert.deepEqual([refunds, refunds_sum_micros], ["1 at 5, 1 at 9", "3000000 at 5, 4000000 at 9"]);
  assert.equal(status(folded(paid, refund(5, 3), refund(9, 7))), "refunded");
  assert.equal(status(folded(paid, refund(5, 30))), "refunded");
  const waiting = folded(refund(1, 3));
  assert.deepEqual([status(waiting), added(waiting)], ["waiting", { refunds_waiting: "1 at 1" }]);
  // The capture has come: what waited counts where it happened, before it.
  assert.equal(added(folded(refund(1, 3), paid)).refunds, "1 at 1");
  const conflict = folded(["declined", 1], paid);
  assert.deepEqual([status(conflict), added(conflict).conflicts, added(conflict).declined], [
    "captured",
    "1 at 2",
    undefined,
  ]);
  const authorized = ["authorized", 1, { authorized_micros: 8 * MICROS }] as const;
  assert.deepEqual(added(folded(["declined", 4], authorized)), {
    ...{ payments: "1 at 1", authorized: "1 at 1", authorized_sum_micros: "8000000 at 1", declined: "1 at 4" },
  });
  // A capture without an amount has that of the authorization; where nobody told one it is in no value.
  const { captured_sum_micros, amount_count, amount_micros } = added(folded(authorized, ["captured", 2]));
  assert.deepEqual([captured_sum_micros, amount_count, amount_micros], ["8000000 at 2", "1 at 2", "8000000 at 2"]);
  const unknown = added(folded(["captured", 2]));
  assert.equal(unknown.captured, "1 at 2");
  for (const name of ["amount_count", "captured_sum_micros", "amount_micros"]) assert.ok(!(name in unknown), name);
  assert.equal(status(folded(paid, refund(5, 10), ["charged_back", 9])), "charged_back");
});
