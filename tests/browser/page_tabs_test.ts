import assert from "node:assert/strict";
import type { Page } from "playwright-core";
import { tacho_test } from "../support/available.ts";
import { BoardPage } from "../support/board_page.ts";
import { FakeServer } from "../support/fake_server.ts";
import { make_deployment, send_known_trips } from "../support/deployment.ts";
import { run_verb, TachoProgram } from "../support/tacho_program.ts";
import { PATIENCE, until, until_holds } from "../support/until.ts";

/** More tabs than a browser has connections to a server: each shows figures, says honestly how it hears of them, and can ask the server. */

const TABS = 10;

const completed = async (page: Page) => Number(await page.getAttribute("[data-card=completed]", "data-value"));

/** What the server answers a question of this tab with; a tab without a connection of its own would wait for ever. */
async function asks(page: Page, path: string): Promise<number> {
  return await page.evaluate(
    `fetch(${JSON.stringify(path)}, { cache: "no-store", signal: AbortSignal.timeout(${PATIENCE * 60_000}) })
    .then(async (answer) => (await answer.arrayBuffer(), answer.status))`,
  );
}

tacho_test({
  name: "tabs: ten of one view share one connection, follow together, and say together that it is lost",
  needs: ["chromium"],
  limit_ms: 120_000,
  async fn() {
    await using server = await FakeServer.start(2);
    await using board = await BoardPage.open(server.url);
    const { context } = board.browser;
    const pages = [board.page];
    while (pages.length < TABS) {
      const page = await context.newPage();
      pages.push(page);
      await page.goto(server.url);
      await until(`tab ${pages.length} shows figures`, async () => await completed(page) > 0);
    }
    // Each took its first figures by itself, if they came before the shared ones; one that waits for seconds connects anew.
    await until("one connection is left", () => server.viewers === 1);
    const asked = server.feeds.asked.length;
    assert.ok(asked <= 2 * TABS, `${asked} were asked for`);
    server.add(3);
    const position = String(server.trips.at(-1)?.position);
    for (const page of pages) {
      await until(
        "every tab has the newest figures",
        async () => await page.getAttribute("body", "data-position") === position,
      );
      await until_holds("it says how it hears of them, and how old they are", async () => {
        assert.equal(await page.innerText("#link"), "Connected");
        assert.match(await page.innerText("#age"), /^\d+(\.\d)? (s|min)$/);
      });
      assert.equal(await asks(page, "/static/page.js"), 200);
    }
    // The tab that asked first goes: the others go on.
    await pages.shift()?.close();
    server.add(1);
    const next = String(server.trips.at(-1)?.position);
    for (const page of pages) {
      await until("the others go on", async () => await page.getAttribute("body", "data-position") === next);
    }
    assert.equal(server.feeds.asked.length, asked, "nothing was asked anew");
    server.refusal = "gone";
    server.cut();
    for (const page of pages) {
      await until("every tab says that the link is lost", async () => await page.innerText("#link") === "Reconnecting");
    }
    server.refusal = null;
    for (const page of pages) {
      await until("and that it is back", async () => await page.innerText("#link") === "Connected");
    }
  },
});

tacho_test({
  name: "tabs: ten of ten views and pages of trips beside them all show figures, and the server answers each of them",
  needs: ["chromium", "postgres", "kafka"],
  limit_ms: 180_000,
  async fn() {
    const env = await make_deployment("tabs", "UTC");
    await run_verb(["migrate"], { env });
    await using server = await TachoProgram.serve("start", { env });
    await send_known_trips(env, 12, "known");
    await using board = await BoardPage.open(server.url);
    await until("the trips are there", async () => (await board.cards()).completed === 12, 30_000);
    const { context } = board.browser;
    // None that the trips leave while tabs are opened.
    const views = ["?range=30d", "?range=6h", "?range=24h", "?range=7d", "?compare=previous"].concat(
      ["a", "b", "c", "d"].map((city) => `?not_city=${city}`),
    );
    const pages = [board.page];
    for (const view of views) {
      const page = await context.newPage();
      pages.push(page);
      await page.goto(server.url + view);
      await until(`${view} shows figures`, async () => await completed(page) === 12);
    }
    const trip = await board.page.locator("#trips a").first().getAttribute("href");
    for (let i = 0; i < 3; i++) {
      const page = await context.newPage();
      await page.goto(new URL(trip ?? "", server.url).href);
      await until("the page of a trip is there", async () => await page.getAttribute("body", "data-phase") === "ready");
    }
    await until_holds("two are connected, the others ask", async () => {
      const links = (await Promise.all(pages.map((page) => page.innerText("#link")))).toSorted();
      assert.deepEqual(links, ["Connected", "Connected", ...Array(TABS - 2).fill("Every 10 s")]);
    });
    for (const page of pages) {
      assert.equal(await asks(page, "/api/v1/trips?limit=1"), 200);
      await until_holds("it says how old they are", async () => {
        assert.match(await page.innerText("#age_line"), /^data .+ old$/);
      });
    }
    await send_known_trips(env, 5, "more");
    for (const page of pages) {
      await until("every tab hears of new trips", async () => await completed(page) === 17, 40_000);
    }
    assert.deepEqual(board.unexpected(), []);
    assert.equal(await server.term(), 0);
  },
});
