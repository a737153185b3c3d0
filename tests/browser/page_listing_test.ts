import assert from "node:assert/strict";
import { tacho_test } from "../support/available.ts";
import { serve_with_token } from "../support/token_program.ts";
import { until } from "../support/until.ts";

/** Lists behind figures on the page: all keys of a panel, what a figure is made of, and what panels say of their rows. */

const SCREENS = [[390, 844, 2], [1280, 800, 1], [1440, 900, 2], [1920, 1080, 1], [2560, 1440, 1], [
  3840,
  2160,
  1,
]] as const;
const LONG = "Gesellschaft für feine Backwaren am Ufer";
const WEEK_MS = 7 * 86_400_000;

/** Trips of 60 cities in the last hours, and two thirds of them a week before. */
function trips(now_ms: number): object[] {
  const one = (i: number, at_ms: number, id: string) => ({
    event_id: "a",
    trip_id: id,
    type: "trip.completed",
    occurred_at: new Date(at_ms).toISOString(),
    fare: `${10 + i % 40}.${10 + i % 90}`,
    distance_km: 1 + i % 9,
    city: i % 3 === 0 ? LONG : `City ${String((i * 7) % 100).padStart(2, "0")}`,
    payment_method: i % 2 === 0 ? "card" : "cash",
    vehicle_type: ["yellow", "green", "for_hire"][i % 3],
    pickup_zone: `${(i * 7) % 120}`,
    dropoff_zone: `${(i * 11) % 90}`,
    driver_id: `D${i % 37}`,
  });
  return [
    ...Array.from({ length: 590 }, (_, i) => one(i, now_ms - 600_000 - 20_000 * i, `T-${i}`)),
    ...Array.from({ length: 400 }, (_, i) => one(i, now_ms - WEEK_MS - 600_000 - 30_000 * i, `W-${i}`)),
    one(1, now_ms - 8 * 86_400_000, "first"),
  ];
}

tacho_test({
  name:
    "page: panels say shares and changes, all keys and all items of a figure are one press away, and have an address",
  needs: ["chromium", "postgres"],
  limit_ms: 240_000,
  async fn() {
    await using served = await serve_with_token();
    const { program } = served;
    await served.tell(trips(Date.now()));
    await using board = await served.open("", { viewport: { width: 1920, height: 1080 } });
    const { page } = board;
    await until("it is let in", () => page.locator("#cards").isVisible());
    await page.goto(`${program.url}?range=6h`);
    const row = page.locator(`[data-breakdown=city] .bar[data-key="${LONG}"]`);
    const more = row.locator(".more > span");
    await until("a row says its share and its change", async () => {
      const [share = "", change = ""] = await more.allInnerTexts();
      return /^\d+\.\d %$/.test(share) && /^\+\d+(\.\d)? %$/.test(change);
    });
    const panel = page.locator("[data-breakdown=city]"), bars = panel.locator(".bar");
    const numbers = (of: string) => bars.locator(of).allInnerTexts();
    const sort_by = (by: string) => panel.getByLabel("What the rows by city are sorted by").selectOption(by);
    await until("a wide screen has sixteen rows and all others", async () => await bars.count() === 17);
    const by_count = await numbers(".key");
    await sort_by("revenue");
    await until("rows are sorted by amount", async () => {
      const amounts = (await numbers(".money")).slice(0, -1).map((text) => Number(text.replace(/\D/g, "")));
      return amounts.length === 16 && amounts.every((each, i) => i === 0 || each <= amounts[i - 1]!);
    });
    await board.address(/sorted=city=revenue$/);
    await sort_by("key");
    await until("rows are sorted by name", async () => (await numbers(".key"))[0] === "City 00");
    await until("all others are last", async () => (await numbers(".key")).at(-1) === "all others");
    await page.reload();
    await until("a link brings it again", async () => (await numbers(".key"))[0] === "City 00");
    await page.goBack();
    await until(
      "so does the way back",
      async () => (await numbers(".money"))[0] !== undefined && /revenue$/.test(page.url()),
    );
    await sort_by("trips");
    await until("by count it need not be said", () => page.url().endsWith("?range=6h"));
    await until("it is as it was", async () => (await numbers(".key")).join() === by_count.join());
    for (const [width, height, ratio] of SCREENS) {
      for (const colorScheme of ["light", "dark"] as const) {
        await page.emulateMedia({ colorScheme });
        await page.setViewportSize({ width, height });
        await until(`nothing is wider than the page at ${width}`, async () => await board.overflow() <= 0);
        const rows = width >= 1800 ? 17 : 9;
        await until(`it has ${rows} rows at ${width}`, async () => await bars.count() === rows);
        if (width >= 1920) {
          const cut = `[...document.querySelectorAll("#breakdowns .key")].filter((key) =>
            key.scrollWidth > key.clientWidth || key.scrollHeight > key.clientHeight + 1).map((key) => key.textContent).join()`;
          await until(`names are whole at ${width}`, async () => await page.evaluate(cut) === "");
        }
        await board.picture(`listing_panels_${width}_${ratio}_${colorScheme}`);
      }
    }
    await page.setViewportSize({ width: 1440, height: 900 });
    await page.emulateMedia({ colorScheme: "light" });

    // All keys of a panel.
    await page.locator("[data-breakdown=city] header [data-keys]").click();
    const dialog = page.locator("dialog.listing"), rows = dialog.locator("tbody tr");
    await until("the first page is there", async () => await rows.count() === 50);
    await board.address(/keys=city/);
    await board.picture("listing_keys", false);
    await dialog.getByRole("button", { name: "Next" }).click();
    await until("so is the next", async () => (await dialog.locator(".pages").innerText()).includes("51 – 100 of 101"));
    await board.address(/after=50/);
    await dialog.getByRole("button", { name: "change" }).press("Enter");
    await until(
      "it is sorted",
      async () => await dialog.locator("th[aria-sort=descending]").innerText() === "change ↓",
    );
    await until("the focus stays", async () => await page.evaluate("document.activeElement.innerText") === "change ↓");
    await board.address(/sort=-change/);
    await dialog.locator("input").fill("Citty 09");
    await page.keyboard.press("Enter");
    await until(
      "what is not there is like something",
      async () => /did you mean City 0\d/.test(await dialog.locator(".sub").first().innerText()),
    );
    await dialog.locator("input").fill("gesellschaft");
    await page.keyboard.press("Enter");
    await until("it is found", async () => await rows.count() === 1);
    const address = await board.address(/find=gesellschaft/);
    await page.reload();
    await until("a link brings it again", async () => await rows.count() === 1);
    await until("its address is the same", () => page.url() === address);

    // What one of its figures is made of.
    await rows.locator("td button").nth(1).click();
    await until(
      "its items are there",
      async () => (await dialog.locator("h2").innerText()).startsWith("Revenue, city"),
    );
    await until("with the sum", async () => /add up to/.test(await dialog.locator(".sub").first().innerText()));
    const told = await dialog.locator(".sub").first().innerText();
    const [, sum = "", items = ""] = /Revenue ([\d,.]+) is what (\d+) trips add up to/.exec(told) ?? [];
    await board.picture("listing_items", false);
    const answer = await page.request.get(
      new URL(await dialog.locator("a[download]").getAttribute("href") ?? "", page.url()).href,
    );
    const lines = (await answer.text()).trim().split("\r\n").slice(1);
    assert.equal(lines.length, Number(items));
    const cents = lines.reduce((sum, line) => sum + Math.round(Number(line.split(",")[2]) * 100), 0);
    assert.equal(cents, Math.round(Number(sum.replaceAll(",", "")) * 100), "the file adds up to what is shown");
    await page.goBack();
    await until("back is the list of keys", async () => (await dialog.locator("h2").innerText()) === "All by city");
    await dialog.getByRole("button", { name: "Close" }).click();
    await until("it is closed", async () => await dialog.count() === 0 && !page.url().includes("keys="));

    // From a card, to a trip and its proof.
    const figure = page.locator("[data-card=revenue] .figure"), shown = await figure.innerText();
    await figure.press("Enter");
    await until("its items are there", async () => await rows.count() === 50);
    const whole = await dialog.locator(".sub").first().innerText();
    const exact = Number(/^Revenue ([\d,.]+) is/.exec(whole)![1]!.replaceAll(",", ""));
    assert.equal(Math.round(exact).toLocaleString("en-US"), shown, whole);
    await page.locator("dialog.listing tbody a").first().click();
    await until("it is the page of that trip", () => /\/trips\/[TW]-\d+/.test(page.url()));
    await page.goBack();
    await until("and back", async () => await rows.count() === 50);
    await page.keyboard.press("Escape");

    // A figure that is none of items says why; a number of a row leads to its own.
    await page.goto(`${program.url}?range=6h&items=fare_p95`);
    await until("it is said", async () => /percentile/.test(await dialog.locator(".sub").first().innerText()));
    await page.keyboard.press("Escape");
    await until("it is closed", async () => await dialog.count() === 0);
    await row.press("i");
    await until("what its count is made of", () => page.url().includes(`items=completed&within=city`));
    await page.keyboard.press("Escape");

    // An order of one's own.
    await page.goto(`${program.url}?range=6h&keys=driver`);
    await dialog.getByRole("button", { name: "Panel earlier" }).click();
    await until(
      "the panel has moved",
      async () => await page.locator("#breakdowns > *").nth(5).getAttribute("data-breakdown") === "driver",
    );
    await board.address(/panels=status,payment_method,vehicle_type,city,pickup_zone,driver,dropoff_zone/);
    await page.keyboard.press("Escape");
    await page.goBack();
    await page.goBack();
    assert.deepEqual(board.unexpected().filter((text) => !text.includes("400 (Bad Request)")), []);
  },
});
