import assert from "node:assert/strict";
import { tacho_test } from "../support/available.ts";
import { BoardPage } from "../support/board_page.ts";
import { shared_postgres } from "../support/postgres.ts";
import { TachoProgram } from "../support/tacho_program.ts";
import { until, until_holds } from "../support/until.ts";

const TOKEN = "a token of sixteen characters";
const KNOWN = { authorization: `Bearer ${TOKEN}` };

/** Payments in several currencies through the program as it runs: each answer and each board is of one, and the page leads from one to another. */

tacho_test({
  name:
    "page: payments in several currencies are told apart, by the API and on the page, which leads to each and keeps it in its address",
  needs: ["chromium", "postgres"],
  limit_ms: 120_000,
  async fn() {
    const { url: DATABASE_URL } = await (await shared_postgres()).create_database();
    await using program = await TachoProgram.serve("start", {
      env: { DATABASE_URL, TACHO_DOMAINS: "payments", TACHO_TOKEN: TOKEN },
    });
    const site = `${program.url}payments/`, api = `${site}api/v1/`;
    const now_ms = Date.now();
    const captured = (payment_id: string, amount: string, currency?: string) => ({
      ...{ event_id: "c", payment_id, type: "payment.captured", amount, currency, merchant: "Kiosk" },
      occurred_at: new Date(now_ms - 120_000).toISOString(),
    });
    const post = async (...events: readonly object[]) => {
      const body = events.map((event) => JSON.stringify(event)).join("\n");
      const headers = { "content-type": "application/x-ndjson", ...KNOWN };
      const answer = await fetch(`${api}events`, { method: "POST", headers, body });
      assert.equal(answer.status, 200, await answer.text());
    };
    const told = async (currency: string) => {
      const answer = await fetch(`${api}board?range=15m&currency=${currency}`, { headers: KNOWN });
      const { cards, ...board } = await answer.json() as {
        cards: { transactions: number; value: number };
        currencies: unknown;
        payments: { payment_id: string }[];
      };
      return [cards.transactions, cards.value, board.payments.map(({ payment_id }) => payment_id).sort()];
    };
    await post(captured("1", "10"), captured("2", "20.50", "USD"));

    await using board = await BoardPage.open(`${site}?range=15m`);
    const { page } = board;
    await page.fill("input", TOKEN);
    await page.keyboard.press("Enter");
    const value = () => page.locator('[data-card="value"]').getAttribute("data-value");
    await until("dollars are shown", async () => await value() === "30.5");
    assert.equal(await page.locator("#currency").count(), 0, "where there is one nothing is chosen");

    await post(captured("3", "7", "EUR"), captured("4", "900", "JPY"), captured("5", "1", "EUR"));
    assert.deepEqual(await told("USD"), [2, 30.5, ["1", "2"]]);
    assert.deepEqual(await told("EUR"), [2, 8, ["3", "5"]]);
    assert.deepEqual(await told("JPY"), [1, 900, ["4"]]);

    const options = () => page.locator("#currency option").allInnerTexts();
    await until_holds("the others appear", async () => {
      assert.deepEqual(await options(), ["EUR · 2", "USD · 2", "JPY · 1"]);
      assert.equal(await page.locator("#currency").inputValue(), "USD");
      assert.equal(await page.innerText(".currency .sub"), "without EUR, JPY");
    });
    assert.equal(await page.getByLabel("Currency of all figures").count(), 1);
    await board.picture("page_currency");

    // By the keyboard, as any choice.
    await page.focus("#currency");
    await page.keyboard.press("E");
    await until("euros are shown", async () => await value() === "8");
    await board.address(/currency=EUR/);
    await until_holds("all of the page says so", async () => {
      assert.equal(await page.innerText(".currency .sub"), "without USD, JPY");
      assert.match(await page.innerText('[data-card="value"]'), /EUR/);
      assert.equal(await page.evaluate("document.activeElement.id"), "currency");
    });

    // A correction moves one of them: both boards hear of it.
    await post({ ...captured("5", "1", "JPY"), event_id: "d", occurred_at: new Date(now_ms - 60_000).toISOString() });
    await until("it is gone from here", async () => await value() === "7");
    assert.deepEqual(await told("JPY"), [2, 901, ["4", "5"]]);

    await page.goBack();
    await until("dollars are shown again", async () => await value() === "30.5");
    await page.goto(`${site}?range=15m&currency=JPY`);
    await until("an address leads to one", async () => await value() === "901");
    await page.locator("#currency").selectOption("USD");
    await until("the usual one needs no name", () => !new URL(page.url()).searchParams.has("currency"));
    await page.goto(`${site}?range=15m&currency=CHF`);
    await until(
      "what nobody paid in is empty, and said",
      async () => (await page.locator(".blank").allInnerTexts()).join() === "No payments in CHF yet",
    );
    await page.goto(`${site}payments/5`);
    await until(
      "a payment tells what it moved",
      async () => /−1\.00 EUR.*\+1\.00 JPY/s.test(await page.innerText("#events")),
    );
    await page.getByRole("link", { name: "Board around its capture" }).click();
    await until("its board is that of its currency", async () => await value() === "901");
    assert.deepEqual(board.unexpected(), []);
  },
});
