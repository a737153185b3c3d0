import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { declaration_of } from "../../src/domains/mod.ts";
import { tacho_test } from "../support/available.ts";
import { BoardPage } from "../support/board_page.ts";
import { FrameServer } from "../support/frame_server.ts";
import { parcels_board, parcels_hello } from "../support/parcel_board.ts";
import { TachoProgram } from "../support/tacho_program.ts";
import { walked_trades, with_trade_log } from "../support/trade_log.ts";
import { until, until_holds } from "../support/until.ts";

/** Lines by key, candles and the switch between domains, on the page of trades over the real program; pictures in tests/output, to be looked at. */

const SCREENS = [
  ["phone", 390, 844, 2],
  ["desk", 1280, 900, 1],
  ["wide", 1920, 1080, 2],
  ["wall", 2560, 1440, 1],
] as const;
const THEMES = ["light", "dark"] as const;

/** What a reader without eyes or a pointer lacks: names of what can be pressed, room for it, order of what is pressed. */
const LACKS = `(() => {
  const seen = (each) => each.getClientRects().length > 0;
  const name = (each) => (each.ariaLabel ?? each.textContent ?? "").trim() || each.title;
  const pressed = [...document.querySelectorAll("button, a[href], [role=slider]")].filter(seen);
  return [
    ...pressed.filter((each) => !name(each)).map((each) => "no name: " + each.outerHTML.slice(0, 90)),
    ...[...document.querySelectorAll(".domains a, .entry button")].filter(seen)
      .filter((each) => Math.min(each.clientWidth, each.clientHeight) < 18 && each.getBoundingClientRect().height < 18)
      .map((each) => "too small: " + each.outerHTML.slice(0, 90)),
    ...[...document.querySelectorAll("[tabindex]")].filter((each) => each.tabIndex > 0).map(() => "a tabindex of its own"),
    ...[...document.querySelectorAll("[id]")].filter((each, _, all) => all.some((other) => other !== each && other.id === each.id))
      .map((each) => "an id twice: " + each.id),
  ];
})()`;

tacho_test({
  name:
    "page: trades have a line for each ticker, candles of one, and a way to the other domains, on every screen in both themes",
  needs: ["chromium", "postgres"],
  limit_ms: 300_000,
  fn: () =>
    with_trade_log(async (_database, tell, url) => {
      const trades = walked_trades(Date.now(), 70);
      for (let i = 0; i < trades.length; i += 500) await tell(...trades.slice(i, i + 500));
      const env = { DATABASE_URL: url, TACHO_DOMAINS: "trips,payments,trades" };
      await using program = await TachoProgram.serve("start", { env });
      const address = `${program.url}trades/`;
      const opened = async () => {
        const answer = await fetch(address);
        await answer.body?.cancel();
        return answer.ok;
      };
      await until("trades are open", opened, 60_000);
      for (const [screen, width, height, deviceScaleFactor] of SCREENS) {
        for (const colorScheme of THEMES) {
          await using board = await BoardPage.open(address, {
            viewport: { width, height },
            deviceScaleFactor,
            colorScheme,
          });
          await drawn(board);
          const where = `${screen}, ${colorScheme}`;
          await until(`nothing is wider than the screen: ${where}`, async () => await board.overflow() <= 0);
          await nothing_of(board, LACKS, where);
          await nothing_of(board, HOLES, where);
          await board.picture(`lines_${screen}_${colorScheme}`);
          assert.deepEqual(board.unexpected(), [], where);
        }
      }
      await using board = await BoardPage.open(address, { viewport: { width: 1280, height: 900 } });
      await drawn(board);
      await assert_lines(board);
      await assert_wall(board, address);
      assert.deepEqual(board.unexpected(), []);
      assert.equal(await program.term(), 0);
    }, Date.now),
});

/** Waits until nothing is found of what is looked for in a page: what is still loaded, or laid out anew, may have some on its way. */
async function nothing_of({ page }: BoardPage, look: string, where: string): Promise<void> {
  await until_holds(`nothing is wrong: ${where}`, async () => {
    assert.deepEqual(await page.evaluate(look), []);
  });
}

/** On a wall nothing is beyond the screen. */
async function assert_wall(board: BoardPage, address: string): Promise<void> {
  await board.page.setViewportSize({ width: 1920, height: 1080 });
  await board.page.goto(`${address}?kiosk=1&theme=dark`);
  await drawn(board);
  const seen =
    "document.documentElement.scrollHeight <= innerHeight && document.documentElement.scrollWidth <= innerWidth";
  await board.picture("lines_kiosk", false);
  // Nobody sends: a banner takes its room too.
  await board.warned("stale", 90_000);
  await until("each chart has its part of the wall", async () => {
    const shares = await board.page.evaluate<number[]>(
      "[...document.querySelectorAll('.plot')].map(({ clientHeight }) => clientHeight / innerHeight)",
    );
    return shares.every((share) => share > 0.08);
  });
  await until("nothing is beyond it", () => board.page.evaluate<boolean>(seen));
}

async function drawn(board: BoardPage): Promise<void> {
  const { page } = board;
  await until("the board is ready", async () => await board.phase() === "ready");
  await until("four charts are drawn", async () => await page.locator(".uplot canvas").count() === 4);
  await until("the tickers are named", async () => await page.locator(".entry").count() === 9);
}

async function assert_lines(board: BoardPage): Promise<void> {
  const { page } = board;
  const texts = (selector: string) => page.locator(selector).allInnerTexts();
  const hidden = () => new URL(page.url()).searchParams.getAll("hide");
  const names = ["AAPL", "AMZN", "GOOG", "IBM", "META", "MSFT", "NVDA", "TSLA", "3 others"];
  await until_holds("the greatest are named, in the order of their names", async () => {
    assert.deepEqual((await texts(".entry")).map((text) => text.trim()), names);
  });
  const header = () =>
    page.locator(".domains a").evaluateAll((links) =>
      links.map((link) => [link.textContent, link.getAttribute("aria-current")])
    );
  assert.deepEqual(await header(), [["trips", null], ["payments", null], ["trades", "page"]]);

  // A name hides its line and shows it again; pressed twice it is alone. The address keeps it.
  const entry = (name: string) => page.locator(`[data-hides="ticker=${name}"]`);
  await entry("AAPL").click();
  await until(
    "a line is hidden",
    async () => hidden().join() === "ticker=AAPL" && await entry("AAPL").getAttribute("aria-pressed") === "false",
  );
  await page.goBack();
  await until(
    "it is shown again",
    async () => hidden().length === 0 && await entry("AAPL").getAttribute("aria-pressed") === "true",
  );
  await entry("NVDA").focus();
  await page.keyboard.press("i");
  await until("one line is alone", () => hidden().length === 8);
  assert.equal(await page.evaluate("document.activeElement.dataset.hides"), "ticker=NVDA", "the focus stays");
  await page.reload();
  await drawn(board);
  await until(
    "it is alone again",
    async () => await page.locator(".entry [data-hides][aria-pressed=true]").count() === 1,
  );
  await page.keyboard.press("d");
  await until("its table is there", async () => (await texts(".scroll thead th")).length > 0);
  assert.deepEqual((await texts(".scroll thead th")).slice(0, 3), [
    "from – to",
    "Price by ticker: NVDA, USD",
    "Volume by ticker: NVDA",
  ]);
  await page.keyboard.press("d");
  await entry("NVDA").focus();
  await page.keyboard.press("i");
  await until("all are shown", () => hidden().length === 0);

  // The readout, by keys.
  const place = page.locator("#chart_price");
  await place.focus();
  await page.keyboard.press("End");
  await until(
    "a bucket is read",
    async () => /AAPL (–|\d)/.test(await place.evaluate((each) => each.ariaValueText ?? "")),
  );
  await page.keyboard.press("Escape");

  // What is exported.
  await page.keyboard.press("e");
  const [csv] = await Promise.all([page.waitForEvent("download"), page.click("[data-export=series]")]);
  const [head = ""] = (await readFile(await csv.path())).toString().split("\r\n");
  for (const name of ["price AAPL", "ticker_volume TSLA", "ticker_volume 3 others"]) {
    assert.ok(head.includes(name), head);
  }
  const [png] = await Promise.all([page.waitForEvent("download"), page.click("[data-export=price]")]);
  const bytes = await readFile(await png.path());
  assert.ok(bytes.length > 20_000);
  await Deno.writeFile(new URL("../output/lines_export.png", import.meta.url), bytes);
  await page.keyboard.press("Escape");

  // The funnel filters.
  await page.locator('.entry .only[data-key="MSFT"]').click();
  await until("one ticker is left", async () => (await texts(".entry")).join().trim() === "MSFT");
  await until("its price has candles", async () => (await texts(".charts h2"))[0] === "Price of MSFT");
  await place.focus();
  await page.keyboard.press("End");
  const read = async () => await place.evaluate((each) => each.ariaValueText ?? "");
  await until(
    "a candle is read",
    async () => /open [\d.–]+, high [\d.–]+, low [\d.–]+, close [\d.–]+, volume/.test(await read()),
  );
  await board.picture("lines_candles_light", false);
  await page.keyboard.press("Escape");
  await page.emulateMedia({ colorScheme: "dark" });
  await board.picture("lines_candles_dark", false);
  await until(
    "it is said which",
    async () => (await texts(".chip")).join().replace(/\s+/g, " ") === "ticker is MSFT ×",
  );
}

/** Rows of cards and panels that end before their strip does. */
const HOLES = `["#cards", "#breakdowns"].flatMap((name) => {
  const strip = document.querySelector(name);
  const { right } = strip.getBoundingClientRect();
  const rows = Map.groupBy([...strip.children], (each) => Math.round(each.getBoundingClientRect().top));
  return [...rows.values()].map((row) => Math.max(...row.map((each) => each.getBoundingClientRect().right)))
    .filter((end) => right - end > 3).map((end) => name + " ends " + Math.round(right - end) + " before");
})`;

tacho_test({
  name: "page: cards from three to eight and panels from one to twelve fill their rows at every width",
  needs: ["chromium"],
  limit_ms: 120_000,
  async fn() {
    const { words } = parcels_board;
    await using page = await BoardPage.open("about:blank");
    for (let n = 3; n <= 12; n++) {
      const of = <T>(list: readonly T[]): T[] => Array.from({ length: n }, (_, i) => list[i % list.length]!);
      const cards = of(words.cards).slice(0, 8).map(({ main: _, ...card }, i) => ({
        figure: card.name,
        ...card,
        name: `${card.name}_${i}`,
        ...i === 0 ? { main: true as const } : {},
      }));
      const board = {
        ...parcels_board,
        words: { ...words, cards, panels: of(words.panels).slice(0, n === 3 ? 1 : n) },
      };
      const hello = () => ({ ...parcels_hello(), declared: declaration_of(board) });
      await using server = await FrameServer.start(hello, board);
      await page.page.goto(`${server.url}?range=15m`);
      await until("the board is drawn", async () => await page.phase() === "ready");
      for (const width of [390, 768, 1024, 1280, 1440, 1920, 2560]) {
        await page.page.setViewportSize({ width, height: 900 });
        await nothing_of(page, HOLES, `${n} at ${width}`);
      }
    }
  },
});
