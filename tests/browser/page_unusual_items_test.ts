import assert from "node:assert/strict";
import { tacho_test } from "../support/available.ts";
import { serve_with_token } from "../support/token_program.ts";
import { until, until_holds } from "../support/until.ts";

/** Single streams that lie far from their kind, on the page: which, why, and their own pages. */

const DAY_MS = 86_400_000;

/** Usual trips of three days ago, and of the last hours some with one that is far too dear and one far too cheap. */
function trips(now_ms: number): object[] {
  const one = (id: string, at_ms: number, fare: string) => ({
    event_id: "a",
    trip_id: id,
    type: "trip.completed",
    occurred_at: new Date(at_ms).toISOString(),
    fare,
    city: "Malmö \u202eevil",
    vehicle_type: "van",
  });
  const fare = (i: number) => `${10 + i % 11}.50`;
  return [
    ...Array.from({ length: 150 }, (_, i) => one(`W-${i}`, now_ms - 3 * DAY_MS - 60_000 * i, fare(i))),
    ...Array.from({ length: 30 }, (_, i) => one(`T-${i}`, now_ms - 600_000 - 60_000 * i, fare(i))),
    one("dear", now_ms - 1_200_000, "1412.00"),
    one("cheap", now_ms - 1_800_000, "0.10"),
  ];
}

tacho_test({
  name:
    "page: unusual trips are told with the reason in words, one press from any list of items, each leads to its page",
  needs: ["chromium", "postgres"],
  limit_ms: 240_000,
  async fn() {
    await using served = await serve_with_token();
    const { program } = served;
    await served.tell(trips(Date.now()));
    await using board = await served.open("?range=6h", { viewport: { width: 1440, height: 900 } });
    const { page } = board, dialog = page.locator("dialog.listing"), rows = dialog.locator(".rows tbody tr");
    const told = dialog.locator("[role=status]");
    await until("it is drawn", async () => await page.locator("#cards").isVisible() && await board.phase() === "ready");
    await page.goto(`${program.url}?range=6h&items=revenue`);
    await dialog.getByRole("button", { name: "Unusual trips" }).focus();
    await page.keyboard.press("Enter");
    await until("there are two", async () => await rows.count() === 2);
    await until_holds("it is said of what", async () => {
      assert.equal(await dialog.locator("h2").innerText(), "Unusual trips");
      assert.match(
        await told.innerText(),
        /^2 unusual, the most unusual first; of 32 values, .* the 28 days before\.$/,
      );
    });
    await board.address(/items=unusual$/);
    const whose = "of 150 trips, city Malmö \\u202eevil, vehicle type van";
    assert.deepEqual(await rows.locator("td bdi").allInnerTexts(), [
      `fare 1,412.00 USD; usually 10.50 to 20.50 (median 15.50) ${whose}`,
      `fare 0.10 USD; usually 10.50 to 20.50 (median 15.50) ${whose}`,
    ]);
    await dialog.getByText("1 – 2 of 2").waitFor();
    const file = await dialog.locator("a[download]").getAttribute("href");
    const csv = await page.evaluate<string>(`fetch(${JSON.stringify(file)}).then((answer) => answer.text())`);
    const [names, ...lines] = csv.trimEnd().split("\r\n");
    assert.match(names!, /^trip_id,at,figure,unit,value,city,vehicle_type,usual_low,/);
    assert.equal(lines.length, 2, "both");
    for (const [width, height, colorScheme] of [[390, 844, "dark"], [1440, 900, "light"]] as const) {
      await page.emulateMedia({ colorScheme });
      await page.setViewportSize({ width, height });
      await until(`nothing is wider than the page at ${width}`, async () => await board.overflow() <= 0);
      await board.picture(`unusual_items_${width}`, false);
    }
    await page.goto(`${program.url}?range=6h&vehicle_type=car&items=unusual`);
    await until(
      "of nothing it says so",
      async () => /^No unusual trips.*Nothing is looked at/.test(await told.innerText()),
    );
    await page.goto(`${program.url}?range=7d&items=unusual`);
    await until(
      "of too little before it, too",
      async () => /Nothing is called unusual: .* fewer than 100/.test(await told.innerText()),
    );
    await page.goto(`${program.url}?order=arrival&items=unusual`);
    await until("by arrival it says why not", async () => /what was usual before a range/.test(await told.innerText()));
    await page.keyboard.press("Escape");
    await until("it is closed", async () => await dialog.count() === 0);
    await page.goto(`${program.url}?range=6h`);
    await until("it is drawn again", async () => await board.phase() === "ready");
    await page.keyboard.press("/");
    await page.locator("#command").fill("unusual trips");
    await page.locator(".found [role=option]").first().click();
    await until("it is there", async () => await rows.count() === 2);
    await rows.locator("a", { hasText: "dear" }).click();
    await until("its page is opened", () => /\/trips\/dear/.test(page.url()));
    assert.deepEqual(board.unexpected().filter((text) => !text.includes("400 (Bad Request)")), []);
  },
});
