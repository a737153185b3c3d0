import assert from "node:assert/strict";
import { open_kafka_producer } from "../../src/ingest/kafka/mod.ts";
import { tacho_test } from "../support/available.ts";
import { make_deployment } from "../support/deployment.ts";
import { unique_name } from "../support/kafka.ts";
import { options_of } from "../support/kafka_topic.ts";
import { get_json, run_verb, TachoProgram } from "../support/tacho_program.ts";
import { until } from "../support/until.ts";

/** Payments through the program as it runs: records of card transactions and payments' own events from Kafka, the API and the page. */

/** Card transactions as their producer sends them: one twice, one of another status. */
const RECORDS = [
  ["T-1", "completed", { amount: 100, discount: 5, risk_flag: true, merchant: "Kiosk" }],
  ["T-2", "approved", { amount: "50.00", discount: "", risk_flag: false, merchant: "Kiosk" }],
  ["T-3", "declined", { amount: 20, merchant: "Bäcker" }],
  ["T-4", "refunded", { amount: 30, merchant: "Bäcker" }],
  ["T-5", "pending", { amount: 40, merchant: "Kiosk" }],
  ["T-6", "teapot", { amount: 1, merchant: "Kiosk" }],
  ["T-1", "completed", { amount: 100, discount: 5, risk_flag: true, merchant: "Kiosk" }],
].map(([transaction_id, status, named]) => ({
  ...{ transaction_id, status, timestamp: "2026-03-01 10:00:00" },
  ...{ category: "food", city: "Wien", location: "12", payment_method: "card" },
  ...named as object,
}));
const ORDER = {
  order_id: "O-7",
  status: "failed",
  value: "12.50",
  merchant: "Kiosk",
  timestamp: "2026-03-01 10:05:00",
};

const refund = (event_id: string, at: string, amount: string) => ({
  ...{ event_id, payment_id: "T-1", type: "payment.refunded", occurred_at: `2026-03-01T${at}Z`, amount },
});

tacho_test({
  name:
    "payments from Kafka: records by the built-in mapping, refunds of their own, the board, a payment with its proof, and verify",
  needs: ["postgres", "kafka"],
  async fn() {
    const { TACHO_TOPICS: _, ...deployment } = await make_deployment("payments");
    const orders = unique_name("orders_json"), events = unique_name("payments");
    const env = {
      ...deployment,
      TACHO_DOMAINS: "payments",
      TACHO_PAYMENTS_TOPICS: `${events},${orders}`,
      TACHO_PAYMENTS_MAPPINGS: `${orders}=card_transactions`,
    };
    await using program = await TachoProgram.serve("start", { env });
    const { url } = program, api = `${url}payments/api/v1/`;
    const encoder = new TextEncoder();
    const send = async (topic: string, values: readonly object[]) => {
      const producer = await open_kafka_producer(options_of(env.KAFKA_BROKERS, topic));
      const messages = values.map((value) => ({
        ...{ key: encoder.encode("k"), value: encoder.encode(JSON.stringify(value)), timestamp_ms: Date.now() },
      }));
      await producer.send(topic, messages).finally(() => producer.close());
    };
    const position = async (wanted: number) =>
      await until(`position ${wanted}`, async () => {
        const text = await (await fetch(`${url}metrics`)).text();
        return new RegExp(`^tacho_log_position(?:{.*})? ${wanted}$`, "m").test(text);
      }, 60_000);
    await send(orders, [...RECORDS, ORDER]);
    await position(7);
    await send(events, [
      refund("r2", "10:20:00", "15"),
      refund("r1", "10:10:00", "10.00"),
      refund("r1", "10:10:00", "10.00"),
    ]);
    await position(9);

    const range = "from=2026-03-01T10:00:00Z&to=2026-03-01T11:00:00Z";
    const board = await get_json(`${api}board?${range}`) as {
      cards: Record<string, number>;
      breakdowns: { dimension: string; rows: Record<string, unknown>[] }[];
      payments: Record<string, unknown>[];
    };
    const { cards } = board;
    assert.deepEqual(
      [cards.transactions, cards.captured, cards.value, cards.average_value, cards.declined, cards.authorized],
      [6, 3, 180, 60, 2, 1],
    );
    const percentiles = ({ value_p50, value_p95 }: Record<string, number>, p50: number, p95: number) => {
      for (const [told, value] of [[value_p50, p50], [value_p95, p95]] as const) {
        assert.ok(Math.abs(told! - value) <= 0.02 * value, `${told} is not within 2 % of ${value}`);
      }
    };
    percentiles(cards, 50, 100);
    assert.deepEqual([cards.conversion_rate, cards.discount, cards.flagged_share], [60, 5, 33.333333]);
    assert.deepEqual([cards.refunds, cards.refunds_value, cards.refunds_waiting], [3, 55, 0]);
    const merchants = board.breakdowns.find(({ dimension }) => dimension === "merchant")!.rows;
    assert.deepEqual(merchants, [
      { key: "Kiosk", transactions: 4, value: 150 },
      { key: "Bäcker", transactions: 2, value: 30 },
    ]);
    assert.deepEqual(
      board.payments.map(({ payment_id, status, amount }) => [payment_id, status, amount]).slice(0, 2),
      [["T-1", "partially_refunded", 100], ["O-7", "declined", 12.5]],
    );
    // Two filters cross the cells, and a past board has no refund that came later.
    const crossed = await get_json(`${api}board?${range}&merchant=Kiosk&city=Wien`) as {
      cards: Record<string, number>;
    };
    assert.deepEqual([crossed.cards.refunds_value, crossed.cards.conversion_rate, crossed.cards.value], [25, 100, 150]);
    percentiles(crossed.cards, 50, 100);
    const past = await get_json(`${api}board?${range}&as_of_position=8`) as { cards: Record<string, number> };
    assert.deepEqual([past.cards.refunds, past.cards.refunds_value, past.cards.value], [2, 45, 180]);
    // A window that has nothing but a refund of what was captured long before.
    const alone = await get_json(
      `${api}board?from=2026-03-01T10:15:00Z&to=2026-03-01T10:30:00Z&city=Wien&merchant=Kiosk`,
    );
    assert.equal((alone as { cards: Record<string, number> }).cards.refunds_value, 15);

    const paid = await get_json(`${api}payments/T-1`) as {
      status: string;
      refunds: string[];
      refunded_ats: string[];
      changes: { status: object; fields: Record<string, unknown>[]; cells: Record<string, unknown>[] }[];
    };
    assert.deepEqual([paid.status, paid.refunds], ["partially_refunded", ["10.00", "15.00"]]);
    assert.deepEqual(paid.refunded_ats, ["2026-03-01T10:10:00.000000Z", "2026-03-01T10:20:00.000000Z"]);
    const [first, second, third] = paid.changes;
    assert.ok(first!.fields.every(({ name }) => name !== "refunds"), "nothing is said of what there is none of");
    assert.deepEqual(second!.fields.find(({ name }) => name === "refunds"), {
      ...{ name: "refunds", before: [], after: ["15.00"] },
    });
    // The earlier refund came later: it stands before the other, whose cells stay as they were.
    assert.deepEqual(third!.fields.find(({ name }) => name === "refunds"), {
      ...{ name: "refunds", before: ["15.00"], after: ["10.00", "15.00"] },
    });
    const moved = third!.cells.filter(({ dimension }) => dimension === "none");
    assert.deepEqual(moved.map(({ bucket, measures }) => [bucket, measures]), [
      ["2026-03-01T10:10:00.000000Z", { refunds: 1, refunds_sum_micros: 10_000_000 }],
    ]);
    const list = await get_json(`${api}payments?status=refunded`) as { payments: Record<string, unknown>[] };
    assert.deepEqual(list.payments.map(({ payment_id, refunds, currency }) => [payment_id, refunds, currency]), [
      ["T-4", ["30.00"], "USD"],
    ]);
    const of_kiosk = await get_json(`${url}payments/metrics/merchant/Kiosk`);
    assert.deepEqual(of_kiosk, {
      ...{ merchant: "Kiosk", currency: "USD", payment_count: 2, average_value: 75, total_value: 150 },
      ...{ refund_count: 2, total_refunds: 25 },
    });
    const day = await get_json(`${api}kpis/daily?date=2026-03-01`) as { metrics: Record<string, number> };
    assert.deepEqual([day.metrics.total_value, day.metrics.conversion_rate, day.metrics.total_refunds], [180, 60, 55]);
    for (const path of ["payments/", "payments/payments/T-1"]) assert.equal((await fetch(url + path)).status, 200);

    assert.match((await run_verb(["verify", "--domain", "payments"], { env })).stdout, /^consistent: 9 events in /);
    const held = await run_verb(["quarantine", "list", "--domain", "payments"], { env });
    assert.match(held.stdout, /teapot/);
    assert.equal(await program.term(), 0);
  },
});
