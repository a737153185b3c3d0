import assert from "node:assert/strict";
import { tacho_test } from "../support/available.ts";
import { serve_with_token } from "../support/token_program.ts";
import { until, until_holds } from "../support/until.ts";

const SCREENS = [[390, 844], [820, 1180], [1280, 800], [1440, 900], [1920, 1080], [2560, 1440]] as const;
/** The longest column of payments: it alone may be cut, and its title has it whole. */
const LONG = "Gesellschaft für feine Backwaren am Markt";
const SHORT = "Mercado del Sur";

/** Events of a domain. Half of them are of another day, so that the column of times is as wide as it gets; but for trips, whose list is narrow. */
const EVENTS: Record<string, (i: number) => object> = {
  trips: (i) => ({
    ...{ event_id: "a", trip_id: `T-${i}`, type: "trip.completed", fare: "118.60", distance_km: 12.4, city: "Chicago" },
    ...{ pickup_zone: `${i * 13 % 265}`, dropoff_zone: `${i * 7 % 265}`, payment_method: "card" },
  }),
  payments: (i) => ({
    ...{ event_id: "a", payment_id: `P-${i}`, type: i % 4 === 3 ? "payment.declined" : "payment.captured" },
    ...{ amount: "1284.90", discount: "112.50", merchant: i % 2 === 0 ? LONG : SHORT, category: "electronics" },
    ...{ city: "San Francisco", location: "Chicago airport", payment_method: "bank_transfer", risk_flag: false },
  }),
  trades: (i) => ({
    ...{ event_id: "a", trade_id: `E-${i}`, type: "trade.executed", ticker: ["GOOGL", "NVDA", "META"][i % 3] },
    ...{ price: "1412.50", volume: 24_500, side: i % 2 === 0 ? "buy" : "sell" },
  }),
};

/** Every cell in sight whose words do not fit, with its column and its title. */
const CUT = `[...document.querySelectorAll(".list :is(th, tr:not([hidden]) td)")]
  .filter((cell) => cell.clientWidth > 0 && cell.clientHeight > 0)
  .flatMap((cell) => [cell, ...cell.querySelectorAll("button")].filter((each) => each.clientWidth > 0)
    .filter((each) => each.scrollWidth > each.clientWidth)
    .map((each) => [cell.cellIndex, each.textContent, each.title].join("|")))`;

/** What is cut of the list's title and what stands beside it. */
const CUT_TITLE = `[...document.querySelectorAll(".latest header > :not(input)")]
  .filter((each) => each.scrollWidth > each.clientWidth && each.clientWidth > 0)
  .map((each) => each.textContent)`;

/** Notes how far what is in sight is moved until figures are there. */
const NOTE_SHIFTS = `window.shifts = []; new PerformanceObserver((list) => {
  for (const { value } of list.getEntries()) window.shifts.push(value);
}).observe({ type: "layout-shift", buffered: true });`;

tacho_test({
  name:
    "page: in the list and the cards of no domain a word is cut, on no screen in either theme, but the longest names, which their titles tell",
  needs: ["chromium", "postgres"],
  limit_ms: 240_000,
  async fn() {
    const domains = Object.keys(EVENTS);
    // Where it is about noon: times of another day are longer, and leave names of ten letters no room at 1280 pixels.
    const ahead = 12 - new Date().getUTCHours();
    const TACHO_TIME_ZONE = `Etc/GMT${ahead > 0 ? "-" : "+"}${Math.abs(ahead)}`;
    await using served = await serve_with_token(domains.join(), { TACHO_TIME_ZONE });
    const { program } = served;
    await using board = await served.open();
    const { page } = board;
    await page.addInitScript(NOTE_SHIFTS);
    await until("it is let in", () => page.locator("#cards").isVisible());
    for (const domain of domains) {
      const base = domain === "trips" ? "" : `${domain}/`;
      const now_ms = Date.now();
      const events = Array.from({ length: 24 }, (_, i) => ({
        ...EVENTS[domain]!(i),
        occurred_at: new Date(now_ms - 60_000 * (i + 1) - (i < 12 || domain === "trips" ? 0 : 200 * 86_400_000))
          .toISOString(),
      }));
      await served.tell(events, base);
      for (const colorScheme of ["light", "dark"] as const) {
        await page.emulateMedia({ colorScheme });
        await page.setViewportSize({ width: 1440, height: 900 });
        await page.goto(`${program.url}${base}?range=6h`);
        await until("it is drawn", async () => await board.phase() === "ready");
        await until("all are listed", async () => await page.locator(`#${domain} tr:not([hidden])`).count() >= 20);
        const shifts = await page.evaluate<number[]>("window.shifts");
        assert.ok(shifts.reduce((sum, each) => sum + each, 0) <= 0.02, `${domain}: ${shifts}`);
        for (const [width, height] of SCREENS) {
          const where = `${domain} at ${width}, ${colorScheme}`;
          await page.setViewportSize({ width, height });
          await until(`nothing is wider than the page: ${where}`, async () => await board.overflow() <= 0);
          await until_holds(`no word is cut: ${where}`, async () => {
            const cut = await page.evaluate<string[]>(CUT);
            const wrong = cut.filter((each) => !(domain === "payments" && each === `1|${LONG}|${LONG}`));
            assert.deepEqual([...new Set(wrong)], []);
            assert.deepEqual(await board.cut_in_cards(), [], "in cards");
            if (width >= 1280) assert.deepEqual(await page.evaluate<string[]>(CUT_TITLE), [], "in its title");
            const columns = await page.locator(".list th:visible").allInnerTexts();
            if (domain === "payments") {
              assert.equal(columns.length, width === 390 ? 3 : width === 820 ? 4 : 9);
              assert.equal(columns.includes("merchant") && columns.includes("amount"), true);
            }
          });
          await board.picture(`list_${domain}_${width}_${colorScheme}`);
        }
      }
    }
    assert.deepEqual(board.unexpected(), []);
  },
});
