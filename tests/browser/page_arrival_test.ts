import assert from "node:assert/strict";
import { tacho_test } from "../support/available.ts";
import { BoardPage } from "../support/board_page.ts";
import { shared_postgres } from "../support/postgres.ts";
import { TachoProgram } from "../support/tacho_program.ts";
import { until, until_holds } from "../support/until.ts";

const TOKEN = "a token of sixteen characters";
const TICKERS = ["AAPL", "MSFT", "NVDA"];

/** A started program of one domain: its site, and what posts events to it. */
async function started(domain: string) {
  const { url: DATABASE_URL } = await (await shared_postgres()).create_database();
  const program = await TachoProgram.serve("start", {
    env: { DATABASE_URL, TACHO_DOMAINS: domain, TACHO_TOKEN: TOKEN },
  });
  const site = `${program.url}${domain}/`;
  const headers = { "content-type": "application/x-ndjson", authorization: `Bearer ${TOKEN}` };
  const post = async (...events: readonly object[]) => {
    const body = events.map((event) => JSON.stringify(event)).join("\n");
    const answer = await fetch(`${site}api/v1/events`, { method: "POST", headers, body });
    assert.equal(answer.status, 200, await answer.text());
  };
  return { program, site, post };
}

/** A trade of a producer that makes its times up: any since 1970. */
const trade = (i: number) => ({
  ...{ trade_id: `T-${i}`, event_id: "a", type: "trade.executed", ticker: TICKERS[i % 3] },
  ...{ price: (100 + i % 7).toFixed(2), volume: 10 + i % 5, side: i % 2 === 0 ? "buy" : "sell" },
  occurred_at: new Date((i * 7_919_993_211) % Date.UTC(2026, 0, 1)).toISOString(),
});

tacho_test({
  name:
    "page: by arrival the board is of the last to come, whatever their times; it moves, and its address, keys and back button know it",
  needs: ["chromium", "postgres"],
  limit_ms: 180_000,
  async fn() {
    const { program, site, post: post_events } = await started("trades");
    await using _program = program;
    let sent = 0;
    const post = (count: number) => post_events(...Array.from({ length: count }, () => trade(sent++)));
    await post(57);

    await using board = await BoardPage.open(`${site}?range=15m`);
    const { page } = board;
    await page.fill("input", TOKEN);
    await page.keyboard.press("Enter");
    await until("by event time nothing is in sight", async () => await board.phase() === "empty_range");
    const card = (name: string) => page.locator(`[data-card="${name}"]`).getAttribute("data-value");
    const query = () => new URL(page.url()).searchParams;
    const note = () => page.locator("#by_arrival").innerText();
    const toggle = page.getByRole("button", { name: "By arrival", exact: true });
    assert.equal(await toggle.count(), 1);

    // By the keyboard: the control stands beside the range.
    await toggle.focus();
    await page.keyboard.press("Enter");
    await until("what came is in sight", async () => await card("trades") === "57");
    await until("and what it is of is said", async () => /^By arrival: all 57 events there are\. /.test(await note()));
    await until_holds("all of the page says so", async () => {
      assert.equal(query().toString(), "last=200&order=arrival");
      assert.match(await note(), /Figures are of the trades whose newest event is among them/);
      assert.equal(await page.innerText("#arrival"), "By event time");
      assert.equal(await page.getByRole("button", { name: "Last 200", pressed: true }).count(), 1);
      assert.equal(await page.locator(".ranges [aria-pressed=true]").count(), 1, "no range besides");
      assert.equal(await page.evaluate("document.activeElement.id"), "arrival");
      assert.equal(await page.locator("#earlier").isDisabled(), true);
    });
    await board.heard(/^By arrival: the last 200 events$/);
    const subs = async () => (await page.locator(".charts .sub").allInnerTexts()).join();
    await until("charts say by which time", async () => /by arrival/.test(await subs()) && !/ time/.test(await subs()));
    await board.picture("page_arrival_few");

    // It moves, live, and never tells of more than there may be.
    await post(180);
    await until("the last 200 are in sight", async () => await card("trades") === "200");
    await until("and said", async () => /^By arrival: the 200 newest events\. /.test(await note()));
    const newest = () => page.locator("#trades a").first().getAttribute("href");
    await until("the last to come is listed first", async () => (await newest() ?? "").endsWith(`/T-${sent - 1}`));
    await post(1);
    await until("one more", async () => (await newest() ?? "").endsWith(`/T-${sent - 1}`));
    await until_holds("there are no more", async () => assert.equal(await card("trades"), "200"));
    // Nothing is compared: neither in the cards nor in the legend, the table or the readout.
    await until_holds("nothing is compared", async () => {
      assert.equal(await page.locator(".changes span").first().isVisible(), false);
      const beneath = "getComputedStyle(document.querySelector('.changes small')).visibility";
      assert.equal(await page.evaluate(beneath), "visible", "what is beneath is no comparison");
      assert.equal(await page.locator("[data-shows=compared]").isVisible(), false);
    });
    await page.keyboard.press("d");
    await until("the table is there", async () => await page.locator(".scroll th").count() > 2);
    assert.doesNotMatch(await page.innerText(".scroll thead"), /weekday/);
    await page.keyboard.press("d");

    // A range of recorded time, by its button; the newest again; the browser's way back.
    await page.keyboard.press("1");
    await until("all came within 15 minutes", async () => await card("trades") === String(sent));
    await until_holds("it is said of which range", async () => {
      assert.equal(query().toString(), "range=15m&order=arrival");
      assert.match(await note(), new RegExp(`what was recorded in this range, ${sent} events`));
    });
    await board.picture("page_arrival_range");
    await page.goBack();
    await until("back at the last 200", async () => await card("trades") === "200");
    await page.locator('[data-breakdown="ticker"] .bar[data-key="AAPL"]').click();
    await until("of one ticker", async () => Number(await card("trades")) < 70 && await board.phase() === "ready");
    await board.address(/last=200.*ticker=AAPL|ticker=AAPL.*last=200/);
    await page.keyboard.press("F");

    // Of then.
    await page.goto(`${site}?last=20&order=arrival&as_of_position=57`);
    await until("the last 20 of then", async () => await card("trades") === "20");
    await until("it is said of when", async () => /^By arrival: the 20 newest events of then/.test(await note()));
    await page.goto(`${site}?order=arrival&from=2020-01-01T00:00:00Z&to=2020-01-02T00:00:00Z`);
    await until(
      "nothing came then",
      async () => /arrived in this range/.test((await page.locator(".blank").allInnerTexts()).join()),
    );
    await page.getByRole("button", { name: "Show the last to arrive" }).click();
    await until("the last to come", async () => await card("trades") === "200");
    await page.keyboard.press("o");
    await until("by event time again", async () => await board.phase() === "empty_range");
    await until("nothing says more", async () => await page.locator("#by_arrival, #last_events").count() === 0);
    await until("charts say so", async () => /by execution time/.test(await subs()) && !/arrival/.test(await subs()));
    await until("nor does the address", () => !query().has("order") && !query().has("last"));
    await board.heard(/^By event time$/);
    assert.deepEqual(board.unexpected(), []);

    for (
      const [width, height, deviceScaleFactor, colorScheme] of [
        [390, 844, 2, "light"],
        [1280, 800, 1, "dark"],
        [1280, 800, 2, "light"],
        [1920, 1080, 1, "light"],
      ] as const
    ) {
      await using seen = await BoardPage.open(`${site}?order=arrival`, {
        viewport: { width, height },
        deviceScaleFactor,
        colorScheme,
      });
      await seen.page.fill("input", TOKEN);
      await seen.page.keyboard.press("Enter");
      await until(
        "it is drawn",
        async () => await seen.phase() === "ready" && await seen.page.locator("#by_arrival").isVisible(),
      );
      const high = async (selector: string) => (await seen.page.locator(selector).boundingBox())?.height ?? 0;
      if (width === 390) {
        for (const selector of ["#arrival", "#last_events"]) {
          await until(`a finger hits ${selector}`, async () => await high(selector) >= 44);
        }
      }
      await until(`nothing is wider than ${width} pixels`, async () => await seen.overflow() <= 0);
      await seen.picture(`page_arrival_${width}_${deviceScaleFactor}x_${colorScheme}`);
      assert.deepEqual(seen.unexpected(), []);
    }
  },
});

/** A payment that was captured when its producer says: years ago. */
const captured = (payment_id: string, amount: string, currency: string, merchant = "Kiosk", event_id = "c") => ({
  ...{ event_id, payment_id, type: "payment.captured", amount, currency, merchant },
  occurred_at: `2019-0${1 + Number(payment_id) % 9}-01T10:00:00Z`,
});

tacho_test({
  name:
    "page: by arrival payments are of one currency, under filters, as of then, in the list, the export, and after the server has gone",
  needs: ["chromium", "postgres"],
  limit_ms: 180_000,
  async fn() {
    const { program, site, post } = await started("payments");
    await using _program = program;
    await post(captured("1", "10", "USD"), captured("2", "20.50", "USD", "Amazon"), captured("3", "7", "EUR"));

    await using board = await BoardPage.open(`${site}?order=arrival&last=4&lines=captured,declined`, {
      colorScheme: "dark",
    });
    const { page } = board;
    await page.fill("input", TOKEN);
    await page.keyboard.press("Enter");
    const value = () => page.locator('[data-card="value"]').getAttribute("data-value");
    const note = () => page.locator("#by_arrival").innerText();
    const query = () => new URL(page.url()).searchParams;
    const listed = () =>
      page.$$eval(
        "#payments tr:not([hidden]) a",
        (links) => links.map((a) => `${a.getAttribute("href")}`.split(/[/?]/)[3]),
      );
    const lists = (ids: readonly string[]) =>
      until(`${ids} are listed`, async () => (await listed()).join() === ids.join());
    await until("dollars are shown", async () => await value() === "30.5");
    await until("of all events", async () => /^By arrival: all 3 events there are\. /.test(await note()));
    await until_holds("the other currency is offered", async () => {
      assert.deepEqual(await page.locator("#currency option").allInnerTexts(), ["USD · 2", "EUR · 1"]);
    });
    await lists(["2", "1"]);
    const sub = () => page.locator(".charts .sub").allInnerTexts();
    await until("charts say by which time", async () => (await sub()).includes("per minute, by arrival"));

    await page.locator("#currency").selectOption("EUR");
    await until("euros, of the same events", async () => await value() === "7");
    await until_holds("the address says so", () => {
      assert.equal(query().toString(), "last=4&currency=EUR&order=arrival&lines=captured%2Cdeclined");
    });
    await lists(["3"]);
    // More come: the last four are of both.
    await post(captured("4", "5", "EUR", "Amazon"), captured("5", "1", "USD"), captured("6", "2", "EUR"));
    await until("three of the last four", async () => await value() === "14");
    await until("and the note counts them", async () => /^By arrival: the 4 newest events\. /.test(await note()));
    await lists(["6", "4", "3"]);

    await page.locator('[data-breakdown="merchant"] .bar[data-key="Amazon"]').click();
    await until("of one merchant", async () => await value() === "5" && await board.phase() === "ready");
    await board.address(/merchant=Amazon/);
    await lists(["4"]);
    await page.keyboard.press("F");
    await until("of all again", async () => await value() === "14");

    // A payment that is told anew moves to its newest event, and counts once.
    await post(captured("3", "9", "EUR", "Kiosk", "d"));
    await until("it counts anew", async () => await value() === "16");
    await lists(["3", "6", "4"]);
    await page.goto(`${site}?order=arrival&last=4&currency=EUR&as_of_position=5`);
    await until("as of then", async () => await value() === "12");
    await until("it is said of when", async () => /^By arrival: the 4 newest events of then\. /.test(await note()));
    await page.goto(`${site}?order=arrival&range=15m&currency=EUR`);
    await until("of a range", async () => await value() === "16");

    // What is exported says by which time it is.
    await page.getByRole("button", { name: "Export" }).click();
    const [saved] = await Promise.all([
      page.waitForEvent("download"),
      page.getByRole("button", { name: /Chart figures/ }).click(),
    ]);
    const csv = await Deno.readTextFile(await saved.path());
    assert.match(csv, /none, by arrival/);
    await page.keyboard.press("Escape");

    // The server goes: the view can still be left and asked for, and the page says what it cannot do.
    const shown = await value();
    await board.has_all();
    await program.kill_nine();
    await page.keyboard.press("o");
    await board.warned("link");
    await until_holds("the view is left", async () => {
      assert.deepEqual([query().has("order"), await page.innerText("#arrival")], [false, "By arrival"]);
      assert.equal(await board.phase(), "changing");
    });
    await page.keyboard.press("o");
    await until("asked for again", async () => await page.innerText("#arrival") === "By event time");
    assert.equal(await value(), shown, "the old figures stay, dimmed");
    assert.deepEqual(board.unexpected(), []);
    await board.picture("page_arrival_gone");
  },
});
