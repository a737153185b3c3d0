import assert from "node:assert/strict";
import { tacho_test } from "../support/available.ts";
import { serve_with_token } from "../support/token_program.ts";
import { until, until_holds } from "../support/until.ts";

/** Keys in segments on the page: which there are, who is in one, of which range and filter. */

/** Trips of 37 drivers in the last hours, half of them by card. */
const trips = (now_ms: number): object[] =>
  Array.from({ length: 590 }, (_, i) => ({
    event_id: "a",
    trip_id: `T-${i}`,
    type: "trip.completed",
    occurred_at: new Date(now_ms - 600_000 - 20_000 * i).toISOString(),
    fare: `${10 + i % 40}.${10 + i % 90}`,
    payment_method: i % 2 === 0 ? "card" : "cash",
    driver_id: `D${i % 37 % (1 + i % 41)}`,
  }));

tacho_test({
  name:
    "page: drivers in segments are one press from their list, follow range and filter, and who is in one has an address",
  needs: ["chromium", "postgres"],
  limit_ms: 240_000,
  async fn() {
    await using served = await serve_with_token();
    const { program } = served;
    await served.tell(trips(Date.now()));
    await using board = await served.open("?range=6h", { viewport: { width: 1440, height: 900 } });
    const { page } = board, dialog = page.locator("dialog.listing");
    const segments = dialog.locator(".segments tbody tr"), rows = dialog.locator(".rows tbody tr");
    await until("it is let in", () => page.locator("#cards").isVisible());
    await until("it is drawn", async () => await board.phase() === "ready");
    await page.locator("[data-breakdown=driver] header [data-keys]").click();
    await dialog.getByRole("button", { name: "Segments" }).click();
    await until(
      "there are six, and all drivers",
      async () => await segments.count() === 6 && await rows.count() === 37,
    );
    await until("it says so", async () => await dialog.locator("h2").innerText() === "Segments by driver");
    await board.address(/segments=driver$/);
    const keys = async () => (await segments.locator("td:nth-child(2)").allInnerTexts()).map(Number);
    await until("each is in one", async () => (await keys()).reduce((sum, each) => sum + each, 0) === 37);
    await board.picture("segments", false);
    // With the keyboard.
    const best = dialog.getByRole("button", { name: "Best" });
    await best.focus();
    await page.keyboard.press("Enter");
    await until("those in one are listed", async () => await rows.count() === (await keys())[0]);
    await until("the focus stays where it was", async () => await best.getAttribute("aria-pressed") === "true");
    await until_holds("so does the keyboard", async () => {
      assert.equal(await page.evaluate("document.activeElement.dataset.segment"), "best");
    });
    await board.address(/segments=driver&find=best$/);
    await dialog.getByRole("button", { name: "last" }).click();
    await until(
      "they are sorted",
      async () => await dialog.locator("th[aria-sort=ascending]").innerText() === "last ↑",
    );
    const address = await board.address(/sort=last/);
    let names: string[] = [];
    await until("they are those in one", async () => {
      names = await rows.locator("th").allInnerTexts();
      return names.length === (await keys())[0];
    });
    await page.reload();
    await until(
      "a link brings it again",
      async () => (await rows.locator("th").allInnerTexts()).join() === names.join(),
    );
    await until("its address is the same", () => page.url() === address);
    const file = await page.request.get(
      new URL(await dialog.locator("a[download]").getAttribute("href") ?? "", address).href,
    );
    const lines = (await file.text()).trim().split("\r\n");
    assert.deepEqual(lines.slice(1).map((line) => line.split(",")[0]), names);
    await dialog.getByRole("button", { name: "7 d" }).click();
    await until("it is of another range", async () => /range=7d/.test(page.url()) && await segments.count() === 6);
    await until(
      "its button says so",
      async () => await dialog.getByRole("button", { name: "7 d" }).getAttribute("aria-pressed") === "true",
    );
    for (const [width, height, colorScheme] of [[390, 844, "dark"], [1440, 900, "light"]] as const) {
      await page.emulateMedia({ colorScheme, forcedColors: width === 390 ? "none" : "active" });
      await page.setViewportSize({ width, height });
      await until(`nothing is wider than the page at ${width}`, async () => await board.overflow() <= 0);
      await board.picture(`segments_${width}`, false);
    }
    await page.emulateMedia({ forcedColors: "none" });
    await rows.locator("th button").first().click();
    await until(
      "a press on one filters the board",
      async () => await dialog.count() === 0 && /[?&]driver=D\d+/.test(page.url()),
    );
    await page.goto(`${program.url}?range=6h&payment_method=card&segments=driver`);
    const counted = async () => (await segments.locator("td:nth-child(4)").allInnerTexts()).map(Number);
    await until("a filter is followed", async () => (await counted()).reduce((sum, each) => sum + each, 0) === 295);
    await page.goto(`${program.url}?from=2026-01-01T00:00:00Z&to=2026-01-02T00:00:00Z&segments=driver`);
    await until(
      "of nothing nothing is told",
      async () => /^None by driver, .* no fifths/.test(await dialog.locator(".sub").first().innerText()),
    );
    await until("no segment is shown", async () => !await segments.first().isVisible());
    await page.goto(`${program.url}?range=6h&segments=city`);
    await until(
      "what has no segments says so",
      async () => /driver, passenger/.test(await dialog.locator(".sub").first().innerText()),
    );
    // Closed by the first key, before there is what changes addresses: no picture of the board opens it again, and no key is lost.
    const asked = Promise.withResolvers<void>(), struck = Promise.withResolvers<void>();
    await page.route(/\/actions\.js/, async (route) => {
      asked.resolve();
      await struck.promise;
      await route.continue();
    });
    await page.goto(`${program.url}?range=6h&segments=city`);
    await until("it is there", async () => await dialog.count() === 1 && await board.phase() === "ready");
    await page.keyboard.press("Escape");
    await asked.promise;
    await until("it is closed", async () => await dialog.count() === 0);
    const drawn = await board.position();
    await served.tell(trips(Date.now()).slice(0, 1).map((trip) => ({ ...trip, trip_id: "one more" })));
    await until("it is drawn again", async () => await board.position() > drawn);
    assert.equal(await dialog.count(), 0, "it stays closed");
    await page.keyboard.press("/");
    struck.resolve();
    await page.locator("#command").fill("segments passenger");
    await page.locator(".found [role=option]").first().waitFor();
    assert.deepEqual(board.unexpected().filter((text) => !text.includes("400 (Bad Request)")), []);
  },
});
