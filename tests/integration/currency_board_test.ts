import assert from "node:assert/strict";
import type { OpenedDatabase, Queryable, Row, Statement, Value } from "../../src/database/mod.ts";
import { in_currency } from "../../src/domains/mod.ts";
import { figures_of_cells, past_states } from "../../src/feed/mod.ts";
import type { Question } from "../../src/feed/figures/mod.ts";
import type { ServedDomain } from "../../src/http/mod.ts";
import { bin_of, days_in, value_of } from "../../src/kpi/mod.ts";
import { stream_history } from "../../src/projection/mod.ts";
import {
  bill_events,
  BILL_TABLES,
  bill_truths,
  type Billed,
  billed_at,
  bills,
  type BillTruth,
  some_bills,
} from "../support/bill_domain.ts";
import { type Frame, FrameReader } from "../support/feed_client.ts";
import { make_http_side } from "../support/http_side.ts";
import { start_ingest } from "../support/ingest_harness.ts";
import { MemorySource } from "../support/memory_source.ts";
import { database_test, make_hub, ManualTime } from "../support/read_side.ts";
import { until } from "../support/until.ts";

const DAYS = days_in("UTC");
const SERVED: Partial<ServedDomain> = {
  name: "bills",
  board: bills.board,
  days: DAYS,
  history: (events) => stream_history(bills, DAYS, events),
  past: past_states(bills),
};
const CURRENCIES = ["USD", "EUR", "JPY"];

/** Lends a log of bills, and what takes more of them in. */
async function with_bills(
  database: OpenedDatabase,
  told: readonly Billed[],
  work: (take: (more: readonly Billed[]) => Promise<void>) => Promise<void>,
): Promise<void> {
  await database.script(BILL_TABLES);
  const source = new MemorySource("bills", [[]]);
  const running = start_ingest(database, source, { domain: bills, batch_messages: 25, time_zone: "UTC" });
  const take = async (more: readonly Billed[]) => {
    source.put(0, bill_events(...more));
    await running.caught_up();
  };
  try {
    await take(told);
    await work(take);
  } finally {
    await running.stop();
  }
}

/** Bills of a currency that were sent from one minute on and before another, and that are counted. */
const sent_in = (truths: readonly BillTruth[], currency: string, from = 0, to = 1_000) =>
  truths.filter((bill) =>
    bill.currency === currency && bill.withdrawn === null && bill.sent !== null && bill.sent >= from && bill.sent < to
  );

/** The value of nearest rank, as what stands for its bin: within 2 %, and never beyond the least and the greatest. */
function percentile(cents: readonly number[], p: number): number | null {
  const value = cents.toSorted((a, b) => a - b)[Math.max(Math.ceil(p * cents.length / 100), 1) - 1];
  if (value === undefined) return null;
  const told = Math.round(value_of(bin_of(value * 10_000))) / 1e6;
  assert.ok(Math.abs(told - value / 100) <= 0.02 * value / 100);
  return Math.min(Math.max(told, Math.min(...cents) / 100), Math.max(...cents) / 100);
}

/** What cards of some bills say. */
function cards_of(own: readonly BillTruth[]) {
  const cents = own.flatMap(({ cents }) => cents ?? []);
  const sum = cents.reduce((a, b) => a + b, 0);
  const keys = (key_of: (bill: BillTruth) => string) => new Set(own.map(key_of).filter((key) => key !== "unknown"));
  return {
    bills: own.length,
    amount: sum / 100,
    average: cents.length === 0 ? null : Math.round(sum / cents.length * 10_000) / 1e6,
    least: cents.length === 0 ? null : Math.min(...cents) / 100,
    greatest: cents.length === 0 ? null : Math.max(...cents) / 100,
    amount_p50: percentile(cents, 50),
    amount_p90: percentile(cents, 90),
    shops: keys(({ shop }) => shop).size,
    payers: keys(({ payer }) => payer).size,
  };
}

const time_of = (minute: number) => encodeURIComponent(billed_at({ minute }));

database_test("several currencies: every answer of the API is of one, and says of which", (database) => {
  const told = some_bills(11, 250);
  return with_bills(database, told, async () => {
    const { get } = await make_http_side(database, SERVED);
    // deno-lint-ignore no-explicit-any -- JSON that is looked into
    const json = async (path: string): Promise<any> => {
      const answer = await get(path);
      const text = await answer.text();
      assert.equal(answer.status, 200, `${path}: ${text}`);
      return JSON.parse(text);
    };
    const truths = bill_truths(told), whole = `from=${time_of(0)}&to=${time_of(150)}`;
    const counted = (currency: string) => sent_in(truths, currency).length;
    for (const currency of CURRENCIES) {
      const own = sent_in(truths, currency), asked = currency === "USD" ? "" : `&currency=${currency}`;
      assert.ok(own.length > 20);
      const board = await json(`/api/v1/board?${whole}${asked}`);
      const { withdrawn, ...cards } = board.cards;
      assert.deepEqual(cards, cards_of(own), currency);
      assert.equal(withdrawn, truths.filter((bill) => bill.currency === currency && bill.withdrawn !== null).length);
      assert.equal(board.currency, currency);
      assert.deepEqual(
        board.currencies,
        CURRENCIES.map((currency) => ({ currency, count: counted(currency) })).sort((a, b) => b.count - a.count),
      );
      const sum = board.series.amount.reduce((sum: number, value: number) => sum + Math.round(value * 100), 0);
      assert.equal(sum, own.reduce((sum, { cents }) => sum + (cents ?? 0), 0));
      const rows = (dimension: string) =>
        board.breakdowns.find((each: { dimension: string }) => each.dimension === dimension).rows
          .map((row: { key: string; bills: number; amount: number }) => [row.key, row.bills, row.amount]).sort();
      const by = (key_of: (bill: BillTruth) => string) =>
        [...Map.groupBy(own, key_of)].map(([key, bills]) => [key, bills.length, cards_of(bills).amount]).sort();
      assert.deepEqual(rows("shop"), by(({ shop }) => shop));
      // From states, and from totals.
      assert.deepEqual(rows("payer"), by(({ payer }) => payer));
      assert.equal(board.bills.length, Math.min(own.length, 40));
      assert.deepEqual([...new Set(board.bills.map((line: { currency: string }) => line.currency))], [currency]);

      // What crosses two dimensions is computed from states; a shop may be called as a currency is.
      const crossing = await json(`/api/v1/board?${whole}&shop=EUR&status=sent${asked}`);
      assert.equal(crossing.computed.cards, "bills");
      const { withdrawn: _, ...crossed } = crossing.cards;
      assert.deepEqual(crossed, cards_of(own.filter(({ shop }) => shop === "EUR")));
      assert.ok(
        crossing.bills.every((line: { currency: string; shop: string }) =>
          line.currency === currency && line.shop === "EUR"
        ),
      );

      const later = await json(
        `/api/v1/board?from=${time_of(60)}&to=${time_of(120)}&compare=previous${asked}`,
      );
      const then = later.compared.previous;
      const until_minute = (then.to_s * 1000 - Date.parse(billed_at({ minute: 0 }))) / 60_000;
      assert.ok(until_minute > 50);
      assert.equal(then.cards.amount, cards_of(sent_in(truths, currency, 0, until_minute)).amount);

      const series = await json(
        `/api/v1/kpis/series?measure=amount&grain=1h&${whole}&dimension=shop&key=North${asked}`,
      );
      assert.equal(series.currency, currency);
      const hours = Map.groupBy(own.filter(({ shop }) => shop === "North"), ({ sent }) => Math.floor(sent! / 60));
      assert.deepEqual(
        series.points.map(({ value }: { value: string }) => Number(value)).filter((value: number) => value > 0),
        [...hours].sort(([a], [b]) => a - b).map(([, bills]) => cards_of(bills).amount).filter((value) => value > 0),
      );

      const medians = await json(
        `/api/v1/kpis/series?measure=amount_p50&grain=1h&${whole}&dimension=shop&key=North${asked}`,
      );
      assert.equal(medians.currency, currency);
      assert.deepEqual(
        medians.points.flatMap(({ value }: { value: string | null }) => value === null ? [] : Number(value)),
        [...hours].sort(([a], [b]) => a - b).flatMap(([, bills]) => cards_of(bills).amount_p50 ?? []),
      );

      const breakdown = await json(`/api/v1/kpis/breakdown?dimension=payer&limit=100${asked}`);
      assert.equal(breakdown.currency, currency);
      assert.deepEqual(
        breakdown.rows.map((row: { key: string; bills: number; amount: string }) => [
          row.key,
          row.bills,
          Number(row.amount),
        ]).sort(),
        by(({ payer }) => payer),
      );
      const day = await json(`/api/v1/kpis/daily?date=2026-03-01${asked}`);
      assert.deepEqual([day.currency, day.metrics.total_amount, day.bill_count], [
        currency,
        cards_of(own).amount,
        own.length,
      ]);
      const greatest = await json(`/api/v1/kpis/greatest?measure=greatest&${whole}${asked}`);
      assert.equal(greatest.currency, currency);
      assert.equal(Number(greatest.value), cards_of(own).greatest);
      assert.equal(truths.find(({ bill }) => bill === greatest.id)!.currency, currency);

      const keys = await json(`/metrics/payer?limit=2${asked}`);
      assert.deepEqual([keys.currency, keys.count, keys.keys.length], [currency, by(({ payer }) => payer).length, 2]);
      for (const payer of ["P-0", "P-3"]) {
        const bills = own.filter((bill) => bill.payer === payer);
        const { total_amount, ...said } = await json(`/metrics/payer/${payer}?${asked.slice(1)}`);
        assert.deepEqual(said, { payer_id: payer, currency, bill_count: bills.length });
        assert.equal(total_amount, cards_of(bills).amount);
      }

      const listed: Record<string, string>[] = [];
      for (let cursor = ""; cursor !== null;) {
        const page = await json(`/api/v1/bills?limit=40${asked}${cursor === "" ? "" : `&cursor=${cursor}`}`);
        assert.equal(page.currency, currency);
        listed.push(...page.bills);
        cursor = page.next_cursor;
      }
      const of_currency = truths.filter((bill) => bill.currency === currency).map(({ bill }) => bill);
      assert.deepEqual(listed.map(({ bill_id }) => bill_id).sort(), of_currency.sort());
    }
  });
});

database_test("several currencies: a board as of a position is of what had its currency then", (database) => {
  const told = some_bills(13, 160);
  return with_bills(database, told, async () => {
    const { get } = await make_http_side(database, SERVED);
    for (const position of [40, 150, told.length]) {
      const truths = bill_truths(told.slice(0, position));
      for (const currency of CURRENCIES) {
        const path = `/api/v1/board?from=${time_of(0)}&to=${
          time_of(150)
        }&as_of_position=${position}&currency=${currency}`;
        const board = await (await get(path)).json();
        const { withdrawn: _, ...cards } = board.cards;
        assert.deepEqual(cards, cards_of(sent_in(truths, currency)), path);
        assert.deepEqual([board.currency, board.as_of.position], [currency, position]);
        assert.deepEqual(board.currencies.map(({ count }: { count: number | null }) => count), [null, null, null]);
        assert.ok(board.bills.every((line: { currency: string }) => line.currency === currency));
      }
    }
  });
});

/** A bill of one currency, and its correction into another. */
const sent = (bill: string, currency: string, minute = 60): Billed => ({
  bill,
  id: "a",
  kind: "sent",
  minute,
  named: { amount: 10, currency, shop: "North" },
});
const moved = (bill: string, currency: string): Billed => ({
  bill,
  id: "b",
  kind: "corrected",
  minute: 70,
  named: { currency },
});

database_test(
  "several currencies: a page of the list that is asked for later is as it stood, whatever was moved since",
  (database) =>
    with_bills(database, [sent("0", "USD"), ...["1", "2", "3", "4"].map((bill) => sent(bill, "EUR"))], async (take) => {
      const { get } = await make_http_side(database, SERVED);
      const page = async (more: string) => await (await get(`/api/v1/bills?limit=2&currency=EUR${more}`)).json();
      const ids = (of: { bills: { bill_id: string }[] }) => of.bills.map(({ bill_id }) => bill_id);
      const first = await page("");
      assert.deepEqual(ids(first), ["4", "3"]);
      await take([moved("2", "USD"), moved("0", "EUR"), sent("5", "USD"), moved("5", "EUR")]);
      const second = await page(`&cursor=${first.next_cursor}`);
      assert.deepEqual(ids(second), ["2", "1"]);
      assert.deepEqual([second.bills[0].currency, second.next_cursor], ["EUR", null]);
      assert.deepEqual(ids(await page("")), ["5", "0"]);
    }),
);

database_test(
  "several currencies: what asks for none that can be is refused, for an unknown one the board is empty",
  (database) =>
    with_bills(database, [sent("1", "EUR"), moved("1", "JPY")], async () => {
      const { get } = await make_http_side(database, SERVED);
      for (
        const path of ["/api/v1/board?", "/api/v1/feed?", "/api/v1/bills?", "/metrics/payer?", "/metrics/payer/P-1?"]
      ) {
        const answer = await get(`${path}currency=eur`);
        assert.equal(answer.status, 400, path);
        assert.deepEqual((await answer.json()).errors, [{
          path: "currency",
          detail: 'expected a currency\'s code of three upper-case letters such as EUR, got "eur"',
        }]);
      }
      assert.equal((await get("/api/v1/board?currency=EUR&currency=USD")).status, 400);
      const board = await (await get(`/api/v1/board?from=${time_of(0)}&to=${time_of(150)}&currency=CHF`)).json();
      assert.deepEqual(board.cards, { ...cards_of([]), withdrawn: 0 });
      assert.deepEqual([board.currency, board.currencies], ["CHF", [{ currency: "JPY", count: 1 }, {
        currency: "CHF",
        count: 0,
      }]]);
      assert.deepEqual([board.bills, board.series.t], [[], []]);

      const bill = await (await get("/api/v1/bills/1")).json();
      assert.deepEqual([bill.currency, bill.deployment.currency], ["JPY", "JPY"]);
      assert.deepEqual(
        bill.changes[1].cells.filter(({ dimension }: { dimension: string }) => dimension === "none")
          .map(({ currency, key, measures }: Record<string, unknown>) => [currency, key, measures]),
        [
          ["EUR", "all", { bills: -1, amount_count: -1, amount_sum_micros: -10_000_000 }],
          ["JPY", "all", { bills: 1, amount_count: 1, amount_sum_micros: 10_000_000 }],
        ],
      );
      const document = await (await get("/openapi.json")).json();
      assert.ok(document.components.schemas.Board.properties.currencies !== undefined);
      // A deployment whose amounts are of one knows no such parameter.
      const trips = await make_http_side(database);
      assert.equal((await trips.get("/api/v1/board?currency=USD")).status, 400);
    }),
);

database_test(
  "several currencies: who watches one is told of others as they appear, and of what moves between them",
  (database) =>
    with_bills(database, [sent("1", "EUR"), sent("2", "EUR"), sent("3", "USD")], async (take) => {
      const time = new ManualTime("2026-03-01T11:30:30Z");
      const hub = make_hub(database, time, { board: bills.board });
      const watch = (currency: string) => {
        const subscription = hub.subscribe(
          { range: "1h", to_s: null, filter: [], compare: "weekday", currency },
          null,
          "::1",
        );
        assert(subscription.ok);
        return new FrameReader(subscription.stream);
      };
      const seen = (frame: Frame) => [frame.data.cards?.amount, frame.data.currencies];
      const lines = ({ data }: Frame) => [data.replace, data.bills.map(({ bill_id }: { bill_id: string }) => bill_id)];
      try {
        const eur = watch("EUR"), usd = watch("USD");
        const both = [{ currency: "EUR", count: 2 }, { currency: "USD", count: 1 }];
        const [of_eur, of_usd] = await time.beat_until(
          "both are greeted",
          Promise.all([eur.until("hello"), usd.until("hello")]),
          1_000,
        );
        assert.deepEqual(seen(of_eur), [20, both]);
        assert.deepEqual([of_eur.data.currency, lines(of_eur)[1]], ["EUR", ["2", "1"]]);
        assert.deepEqual(seen(of_usd), [10, both]);
        assert.deepEqual([of_usd.data.currency, lines(of_usd)[1]], ["USD", ["3"]]);

        await take([moved("1", "USD"), sent("4", "CHF")]);
        const position = 5;
        const changed = async (reader: FrameReader) => {
          for (;;) {
            const frame = await reader.until("kpi");
            if (frame.data.position === position) return { frame, lines: await reader.until("bill") };
          }
        };
        const [from_eur, to_usd] = await time.beat_until(
          "both hear of it",
          Promise.all([changed(eur), changed(usd)]),
          1_000,
        );
        const three = [{ currency: "USD", count: 2 }, { currency: "CHF", count: 1 }, { currency: "EUR", count: 1 }];
        assert.deepEqual(seen(from_eur.frame), [10, three]);
        assert.deepEqual(seen(to_usd.frame), [20, three]);
        assert.deepEqual(lines(from_eur.lines), [true, ["2"]]);
        assert.deepEqual(lines(to_usd.lines), [true, ["1", "3"]]);
      } finally {
        hub.close();
      }
      await until("nobody watches", () => !time.ticking);
    }),
);

database_test(
  "several currencies: a board is read through the index of its cells, and who asks for many prepares nothing",
  (database) =>
    with_bills(database, [sent("1", "EUR"), sent("2", "USD")], async () => {
      await database.script(`
      insert into bill_cells (grain, bucket, dimension, currency, key, bills, last_position)
        select '1m', '2026-01-01T00:00:00Z'::timestamptz + m * interval '1 minute', 'none', c, 'all', 1, 1
        from generate_series(1, 20000) m, unnest(array['USD', 'EUR', 'JPY', 'GBP', 'CHF']) c;
      analyze bill_cells;`);
      const from_s = Date.UTC(2026, 0, 5) / 1000, to_s = from_s + 3_600;
      const asked = (currency: string): Question => ({
        board: in_currency(bills.board, currency),
        days: DAYS,
        filter: [],
        window: { from_s, to_s, step_s: 60, grain: "1m" },
        wants: {
          series: true,
          stretches: [{ from_s, to_s }],
          cards: bills.board.cards,
          breakdowns: bills.board.breakdowns,
        },
      });
      await database.transaction(async (tx) => {
        const statements: { text: string; values: readonly Value[] }[] = [];
        const watched: Queryable = {
          query<R extends Row>(statement: string | Statement, values: readonly Value[] = []) {
            statements.push({ text: typeof statement === "string" ? statement : statement.text, values });
            return tx.query<R>(statement, values);
          },
          execute: (statement, values) => tx.execute(statement, values),
        };
        for (const currency of ["EUR", "USD", "GBP"]) {
          const { buckets } = await figures_of_cells(watched, asked(currency));
          assert.equal(buckets.length, 60, currency);
        }
        assert.ok(statements.length >= 6);
        for (const { text, values } of statements) {
          const plan = (await tx.query(`explain ${text}`, values)).map((row) => Object.values(row)[0]).join("\n");
          assert.match(plan, /bill_(cells|sketches)_pkey/, plan);
          assert.match(plan, /Index Cond: .*currency = '(EUR|USD|GBP)'/, plan);
          assert.doesNotMatch(plan, /Seq Scan on bill_/, plan);
        }
        const prepared = await tx.query<{ statement: string }>(
          "select statement from pg_prepared_statements where name like 'feed_%'",
        );
        assert.ok(prepared.length > 0);
        assert.ok(prepared.every(({ statement }) => statement.includes("currency = 'USD'")));
      });
    }),
);
