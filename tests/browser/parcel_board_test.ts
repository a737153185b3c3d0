import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { tacho_test } from "../support/available.ts";
import { BoardPage } from "../support/board_page.ts";
import { FrameServer } from "../support/frame_server.ts";
import { parcel_answer, parcels_board, parcels_hello } from "../support/parcel_board.ts";
import { until, until_holds } from "../support/until.ts";

/** The page knows no domain: it draws the board that is declared. */

tacho_test({
  name: "page: a board that no part of it knows is drawn from its declaration, filtered, explained and exported",
  needs: ["chromium"],
  limit_ms: 120_000,
  async fn() {
    await using server = await FrameServer.start(parcels_hello, parcels_board, "/post");
    await using board = await BoardPage.open(`${server.url}?range=15m`);
    const { page } = board;
    await until("the board is drawn", async () => await board.phase() === "ready");
    const texts = (selector: string) => page.locator(selector).allInnerTexts();
    await until_holds("its cards are there", async () => {
      assert.deepEqual(await texts("#cards h2 button"), ["Delivered", "Lost", "Postage", "Busiest"]);
      assert.deepEqual(await texts("#cards .figure"), ["15", "5", "75.00", "Depot 7"]);
      assert.deepEqual(await texts("#cards small:visible"), ["5 lost", "25.0 %", "EUR", "15", "Swift & Sons 9"]);
    });
    // A change comes with what knows whether it misleads.
    await until(
      "changes are told",
      async () => (await texts("#cards .changes b")).join() === "+50 %,−8.3 pt,±0.0 %,",
    );
    await until("three charts are drawn", async () => await page.locator(".uplot canvas").count() === 3);
    assert.deepEqual(await texts(".charts h2"), ["Parcels delivered", "Postage", "Weight"]);
    assert.deepEqual(await texts(".charts .sub:visible"), ["per minute", "EUR per minute", "kg per minute"]);
    assert.deepEqual(await texts("#legend button"), ["delivered", "lost", "same weekday"]);
    assert.deepEqual(await texts("#breakdowns h2"), ["By carrier", "By depot"]);
    assert.deepEqual(await texts("thead th"), ["time", "carrier", "kg", "postage"]);
    const cells = (row: number) => page.locator("#parcels tr").nth(row).locator("td").allInnerTexts();
    assert.deepEqual((await cells(0)).slice(1), ["Swift & Sons", "2.5", "5.00"]);
    assert.deepEqual((await cells(1)).slice(1), ["Tortoise", "on its way", "on its way"].with(1, ""));
    assert.equal(await page.locator("#parcels a").first().getAttribute("href"), "/post/parcels/P%200");
    await board.picture("page_parcels");

    server.send("parcel", {
      position: 101,
      parcels: [{ ...parcels_hello().parcels[0], parcel_id: "P new", position: 101 }],
    });
    await until(
      "a new one is listed",
      async () => await page.locator("#parcels a").first().getAttribute("href") === "/post/parcels/P%20new",
    );

    // What is asked before modules are there.
    await page.goto(server.url);
    await until(
      "the plain board is drawn",
      async () => await board.phase() === "ready" && server.asked.at(-1) === "?range=1h",
    );
    await page.goto(`${server.url}?range=15m`);
    await until("the board is drawn again", async () => await board.phase() === "ready");
    await page.click("[data-shows=lost]");
    await until("a line is shown", () => new URL(page.url()).searchParams.get("lines") === "delivered,lost,compared");
    await page.locator('[data-breakdown=carrier] .bar[data-key="Swift & Sons"]').click();
    await until("the feed is asked for one carrier", () => server.asked.at(-1) === "?range=15m&carrier=Swift+%26+Sons");
    await until(
      "a chip says so",
      async () => (await texts(".chip")).join().replace(/\s+/g, " ") === "carrier is Swift & Sons ×",
    );
    await page.keyboard.press("h");
    await until_holds("it says how it counts", async () => {
      assert.match(
        await page.locator("dialog").innerText(),
        /Delivered\s+At the signature\.[^]*Computed from parcels/,
      );
    });
    await page.keyboard.press("Escape");
    await page.keyboard.press("e");
    const [download] = await Promise.all([page.waitForEvent("download"), page.click("[data-export=parcels]")]);
    assert.match((await readFile(await download.path())).toString(), /^\ufefftime,parcel_id,state,carrier,depot/);
    await page.keyboard.press("Escape");
    const said = await page.evaluate<string>(
      "document.body.innerText + document.body.outerHTML.replace(/<template[^]*?<\\/template>/, '')",
    );
    assert.doesNotMatch(said, /trip|fare|pickup|driver/i, "nothing of another domain is on the page");
    assert.deepEqual(board.complaints, []);
  },
});

tacho_test({
  name: "page: a stream that no part of it knows has a page of its own, drawn from its declaration",
  needs: ["chromium"],
  async fn() {
    await using server = await FrameServer.start(parcels_hello, parcels_board, "/post");
    server.stream = parcel_answer();
    await using board = await BoardPage.open(`${server.url}parcels/P%200`);
    const { page } = board;
    await until("the page is drawn", async () => await board.phase() === "ready");
    const said = async (selector: string) => (await page.innerText(selector)).replace(/\s+/g, " ").trim();
    assert.equal(await page.title(), "Parcel P 0 · tacho");
    assert.match(
      await said(".lead"),
      /^Parcel P 0 Delivered Sun 1 Mar( 2026)?, 16:20:05 to Bob Board around its delivery$/,
    );
    assert.equal(await said("#figures"), "postage 5.00 EUR 2.00 a kilo");
    assert.match(
      await said("#facts"),
      /^What is known state delivered .*carrier Tortoise sender unknown receiver Bob weight 2\.5 postage 5\.00 EUR$/,
    );
    assert.match(
      await page.locator("text=Tortoise").first().getAttribute("href") ?? "",
      /^\/post\/\?.*carrier=Tortoise$/,
    );
    assert.match(
      await said("#events"),
      /Delivered .* carrier Tortoise Figures it moved 16:20 \+1 delivered · \+5\.00 EUR postage sum/,
    );
    await page.click(".moved summary");
    await until("so is what it moved", async () => /carrier Tortoise/.test(await said(".groups")));
    assert.doesNotMatch(await page.evaluate<string>("document.body.innerText"), /trip|fare|pickup|driver/i);
    await board.picture("page_parcel");
    await page.keyboard.press("Escape");
    await until("the way back leads to its board", () => page.url() === server.url);
    assert.deepEqual(board.complaints, []);
  },
});
