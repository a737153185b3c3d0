import assert from "node:assert/strict";
import { tacho_test } from "../support/available.ts";
import { BoardPage } from "../support/board_page.ts";
import { FakeServer } from "../support/fake_server.ts";
import { shared_postgres } from "../support/postgres.ts";
import { is_ready, TachoProgram } from "../support/tacho_program.ts";
import { until, until_holds } from "../support/until.ts";

/** What makes the page whole: a beginning that says how, colours that the reader's system forces, contrast, a title that tells, fingers. */

const TOKEN = "a token of sixteen characters";

tacho_test({
  name:
    "page: an empty board of every domain says how a first event is sent, which is then taken, and title and icon tell trouble",
  needs: ["chromium", "postgres"],
  limit_ms: 180_000,
  async fn() {
    const { url: DATABASE_URL } = await (await shared_postgres()).create_database();
    const program = await TachoProgram.serve("start", {
      env: { DATABASE_URL, TACHO_DOMAINS: "trips,payments,trades", TACHO_TOKEN: TOKEN },
    });
    try {
      await until("all domains are open", () => is_ready(program.url), 60_000);
      await using board = await BoardPage.open(program.url);
      const { page } = board;
      await page.fill("input", TOKEN);
      await page.keyboard.press("Enter");
      await until("it is let in", () => page.locator("#cards").isVisible());
      for (const base of ["", "payments/", "trades/"]) {
        await page.goto(program.url + base);
        const code = page.locator(".blank code");
        await until("it says how", () => code.isVisible());
        await board.picture(`finish_empty_${base.replace("/", "") || "trips"}`, false);
        const command = await code.innerText();
        const [, url = "", body = ""] = /^curl (\S+) .* -d '(.*)'$/.exec(command) ?? [];
        assert.equal(url, `${program.url}${base}api/v1/events`);
        const answer = await fetch(url, {
          method: "POST",
          headers: { "content-type": "application/json", authorization: `Bearer ${TOKEN}` },
          body,
        });
        const text = await answer.text();
        assert.deepEqual([answer.status, /"admitted"/.test(text)], [200, true], text);
        await until("it is counted", async () => await board.phase() === "ready");
        await until("its title tells of nothing", async () => await page.title() === "tacho");
      }
      const icon = () => page.evaluate<string>("document.querySelector('link[rel=icon]').href");
      await until("nor does its icon", async () => /stroke='%230b8080'/.test(await icon()));
      await board.has_all();
      await program.kill_nine();
      await until("the title tells that the server is gone", async () => await page.title() === "! tacho");
      await until("so does the icon", async () => /stroke='%23b26a00'/.test(await icon()));
    } finally {
      await program[Symbol.asyncDispose]();
    }
  },
});

tacho_test({
  name: "page: where the system forces colours or wants contrast what is pressed and what is measured is still seen",
  needs: ["chromium"],
  limit_ms: 90_000,
  async fn() {
    await using server = await FakeServer.start();
    await using board = await BoardPage.open(`${server.url}?range=6h`);
    const { page } = board;
    await until("it is drawn", async () => await board.phase() === "ready");
    const style = (selector: string, of: string) =>
      page.evaluate<string>(`getComputedStyle(document.querySelector(${JSON.stringify(selector)})).${of}`);
    await until(
      "its parts are there",
      () => page.evaluate<boolean>("[...document.styleSheets].some(({ href }) => href?.endsWith('/parts.css'))"),
    );
    await page.emulateMedia({ forcedColors: "active" });
    await until_holds("what is pressed and what is measured is seen", async () => {
      assert.match(await style(".ranges [aria-pressed=true]", "outlineStyle"), /solid/);
      assert.notEqual(await style(".bar > i", "backgroundColor"), await style(".panel", "backgroundColor"), "bars");
    });
    for (const colorScheme of ["light", "dark"] as const) {
      await page.emulateMedia({ forcedColors: "active", colorScheme });
      await board.picture(`finish_forced_${colorScheme}`);
    }
    await page.emulateMedia({ forcedColors: "none", contrast: "more" });
    await until_holds("nothing is pale", async () => {
      assert.equal(await style(".sub", "color"), await style("body", "color"));
    });
    await board.picture("finish_contrast");
    assert.deepEqual(board.complaints, []);
  },
});

tacho_test({
  name: "page: no dialog is seen before its style is there, unless that does not come",
  needs: ["chromium"],
  limit_ms: 90_000,
  async fn() {
    await using server = await FakeServer.start();
    for (const answers of [true, false]) {
      await using board = await BoardPage.open("about:blank");
      const { page } = board, held = Promise.withResolvers<void>();
      await page.route("**/static/parts.css", async (route) => {
        await held.promise;
        await route.continue();
      });
      await page.goto(`${server.url}?range=6h`, { waitUntil: "commit" });
      await until("it is drawn", async () => await board.phase() === "ready");
      await page.evaluate(`window.opened = []; new MutationObserver((records) => {
        for (const { addedNodes } of records) {
          for (const node of addedNodes) if (node.nodeName === "DIALOG") opened.push(getComputedStyle(node).opacity);
        }
      }).observe(document.body, { childList: true })`);
      await page.keyboard.press("?");
      await page.waitForSelector("dialog");
      assert.deepEqual(await page.evaluate("opened"), ["0"]);
      if (answers) held.resolve();
      await until(
        "it is seen",
        () => page.evaluate<boolean>("getComputedStyle(document.querySelector('dialog')).opacity === '1'"),
      );
      held.resolve();
    }
  },
});

tacho_test({
  name: "page: fingers read out, move and widen a chart",
  needs: ["chromium"],
  limit_ms: 90_000,
  async fn() {
    await using server = await FakeServer.start();
    await using board = await BoardPage.open(`${server.url}?range=6h`, {
      viewport: { width: 390, height: 844 },
      hasTouch: true,
    });
    const { page } = board;
    await until(
      "it is drawn",
      async () => await board.phase() === "ready" && await page.locator(".u-over").count() >= 2,
    );
    const place = page.locator(".u-over").first();
    await place.scrollIntoViewIfNeeded();
    const { x, y, width, height } = (await place.boundingBox())!;
    const cdp = await page.context().newCDPSession(page), middle = y + height / 2;
    const touch = (type: string, ...at: number[]) =>
      cdp.send("Input.dispatchTouchEvent", {
        type: type as "touchStart",
        touchPoints: at.map((px, id) => ({ x: x + px, y: middle, id })),
      });
    // At once, as fingers are: where there is a pause the finger stays, and reads out.
    const swipe = (from: readonly number[], ...to: readonly number[][]) =>
      Promise.all([touch("touchStart", ...from), ...to.map((at) => touch("touchMove", ...at)), touch("touchEnd")]);
    // The first touch brings what follows fingers, which then hears of the focus, too.
    await touch("touchStart", 20);
    await touch("touchEnd");
    await until("it is there", () => page.evaluate<boolean>("document.querySelector('.plot > div').onblur !== null"));
    await touch("touchStart", width / 2);
    await until("a finger that stays reads out", () => page.locator(".tip").first().isVisible());
    await touch("touchEnd");
    assert.equal(new URL(page.url()).searchParams.get("range"), "6h", "and moves nothing");
    await swipe([40], [60], [90], [40 + width / 2]);
    await until("sideways it moves the stretch", () => new URL(page.url()).searchParams.has("from"));
    const length = () => {
      const { searchParams } = new URL(page.url());
      return (Date.parse(searchParams.get("to")!) - Date.parse(searchParams.get("from")!)) / 3_600_000;
    };
    assert.ok(
      Math.abs(length() - 6) < 0.01 &&
        Date.parse(new URL(page.url()).searchParams.get("to")!) < server.now_ms - 3_600_000,
    );
    const moved = page.url();
    await until("it is drawn anew", async () => await board.phase() === "ready");
    const around = (px: number) => [width / 2 - px, width / 2 + px];
    await swipe(around(30), ...[45, 70, 90].map(around));
    await until("two look closer", () => page.url() !== moved);
    assert.ok(length() < 3, `${length()}`);
    await until(
      "the chart stands where it stood",
      async () => await page.evaluate("document.querySelector('canvas').style.transform") === "",
    );
    assert.deepEqual(board.complaints, []);
  },
});
