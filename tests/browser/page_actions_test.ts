import assert from "node:assert/strict";
import { tacho_test } from "../support/available.ts";
import { BoardPage } from "../support/board_page.ts";
import { FakeServer } from "../support/fake_server.ts";
import { until, until_holds } from "../support/until.ts";

/** What a reader does with the page, against a server of made trips: filters, back button, ranges, time travel, keys, several troubles at once. */

/** The last feed that was asked for: beside one that does not come for seconds a page asks for a board, too. */
const until_feed = (server: FakeServer, query: string) =>
  until_holds(`the feed is asked for ${query}`, () => {
    assert.equal(server.feeds.asked.at(-1), `feed ${query}`);
  });
const address = (board: BoardPage) => decodeURIComponent(new URL(board.page.url()).search);
const until_ready = (board: BoardPage) => until("the board is ready", async () => await board.phase() === "ready");
const until_address = (board: BoardPage, search: string) =>
  until(`the address is ${JSON.stringify(search)}`, () => address(board) === search).catch((cause) => {
    throw new Error(`the address is ${JSON.stringify(address(board))}`, { cause });
  });
const row = (board: BoardPage, dimension: string, key: string) =>
  board.page.locator(`[data-breakdown=${dimension}] .bar[data-key="${key}"]`);
const chips = (board: BoardPage) => board.page.locator(".chip").allInnerTexts();

tacho_test({
  name: "page: a press on a key filters all of it, the address says so, and the browser's back button takes it back",
  needs: ["chromium"],
  limit_ms: 120_000,
  async fn() {
    await using server = await FakeServer.start();
    await using board = await BoardPage.open(`${server.url}?range=6h`);
    const { page } = board;
    await until_ready(board);
    const all = await board.cards();

    await row(board, "city", "Queens").click();
    await until_address(board, "?range=6h&city=Queens");
    assert.equal(await page.evaluate("sessionStorage.getItem('tacho-board')"), "?range=6h&city=Queens");
    await until("fewer trips are counted", async () => (await board.cards()).completed < all.completed / 2);
    // Its module may come after the figures.
    await until("a chip says so", async () => (await chips(board)).join().replace(/\s+/g, " ") === "city is Queens ×");
    await until_feed(server, "range=6h&city=Queens");
    await until(
      "its row is pressed",
      async () => await row(board, "city", "Queens").getAttribute("aria-pressed") === "true",
    );
    await until("the other keys stay to be chosen", () => row(board, "city", "Bronx").isVisible());

    // By keys: Shift leaves the row's key out.
    await row(board, "payment_method", "cash").focus();
    await page.keyboard.press("Shift+Enter");
    await until_address(board, "?range=6h&not_payment_method=cash&city=Queens");
    await until(
      "it says where the figures come from",
      async () => /^computed from trips, .+ ago$/.test(await page.innerText("#computed")),
    );
    await board.picture("page_filtered", false);
    await until(
      "its age goes on without a frame",
      async () => /^computed from trips, (1\.[3-9]|[2-9]).* s ago$/.test(await page.innerText("#computed")),
    );
    server.changes = ({ computed }) => ({ computed: { ...computed as object, failed: "took longer than 2 s" } });
    server.tell();
    await until(
      "it says that they could not be computed, and from when these are",
      async () =>
        /^not computed: took longer than 2 s; these are from .+ s ago$/.test(
          await page.innerText("#computed.amber").catch(() => ""),
        ),
    );
    server.changes = () => ({ cards: null, breakdowns: [], series: { t: [] } });
    server.tell();
    await until(
      "a panel without figures says so",
      async () => /computed/.test(await page.innerText("[data-breakdown=city] .told")),
    );
    await until_holds("what is not known is no zero", async () => {
      assert.deepEqual([...new Set(await page.locator("#cards .figure").allInnerTexts())], ["–"]);
    });
    server.changes = () => ({});
    server.tell();
    await page.goBack();
    await until_address(board, "?range=6h&city=Queens");
    await until("one chip is left", async () => (await chips(board)).length === 1);
    const left_at = () => page.evaluate("sessionStorage.getItem('tacho-board')");
    await until("the page of a trip leads back to it", async () => await left_at() === "?range=6h&city=Queens");
    await page.goBack();
    await until_address(board, "?range=6h");
    await until("it is kept again where the board is", async () => await left_at() === "?range=6h");
    // The range goes on with the clock.
    await until("all trips are counted again", async () => (await board.cards()).completed > 0.8 * all.completed);

    // From the list of trips, then typed into the editor, then taken away by its ×.
    await page.locator("#trips tr:not([hidden]) [data-dimension=pickup_zone]").first().click();
    await until("a zone is filtered by", () => address(board).includes("pickup_zone="));
    await page.keyboard.press("f");
    await page.getByLabel("Dimension").selectOption("driver");
    await page.getByLabel("Which").selectOption("not");
    await page.getByLabel("Key", { exact: true }).fill("driver-0007");
    await page.keyboard.press("Enter");
    await page.keyboard.press("Enter");
    await until("the typed key is left out", () => address(board).endsWith("&not_driver=driver-0007"));
    await page.getByLabel(/^Take away: driver/).click();
    await until("the chip is gone", () => !address(board).includes("driver"));
    await until("the focus is not lost", async () => await page.evaluate("document.activeElement.id") === "add_filter");
    await page.keyboard.press("Shift+F");
    await until_address(board, "?range=6h");
    assert.deepEqual(board.complaints, []);
  },
});

tacho_test({
  name:
    "page: time travel shows the board of then, unmistakably, and steps by its range; a range of one's own is in the address",
  needs: ["chromium"],
  limit_ms: 120_000,
  async fn() {
    await using server = await FakeServer.start();
    await using board = await BoardPage.open(server.url);
    const { page } = board;
    await until_ready(board);
    const live = await board.position();
    await page.keyboard.press("a");
    await page.getByRole("button", { name: "a day ago" }).click();
    const ribbon = page.locator("#ribbon");
    await until(
      "the ribbon says of when it is",
      async () =>
        /^The board as it was known on .+ \(log position [\d,]+ of [\d,]+\): read only\./.test(
          await ribbon.innerText(),
        ),
    );
    await until("the figures are of then", async () => await board.position() < live);
    await until("it is not live", async () => await board.link() === "not live");
    // An age would pretend to be of now.
    await page.locator("#age_line").waitFor({ state: "hidden" });
    await board.picture("page_time_travel", false);
    const then = await until("its address is", () => address(board).includes("as_of=") && address(board));
    await page.keyboard.press("ArrowLeft");
    await until("one hour earlier", () => address(board) !== then);
    const as_of = (search: string) => Date.parse(new URLSearchParams(search).get("as_of") ?? "");
    assert.equal(as_of(then) - as_of(address(board)), 3_600_000);
    await page.goBack();
    await until_address(board, then);

    server.failure = { status: 503, title: "Took too long", detail: "the board took longer than 5 s" };
    await page.keyboard.press("ArrowRight");
    await until("the ribbon says why there is none", async () => /took longer than 5 s/.test(await ribbon.innerText()));
    server.failure = null;
    await page.getByRole("button", { name: "Try again" }).click();
    await until("it is read again", async () => await ribbon.getAttribute("data-state") === "ready");
    await page.getByRole("button", { name: "Back to live" }).last().click();
    await until_address(board, "");
    await until("it is live", async () => await board.link() === "connected" && !await ribbon.isVisible());

    await page.keyboard.press("r");
    await page.getByLabel("From", { exact: true }).fill("2026-01-01T10:00");
    await page.getByLabel("To", { exact: true }).fill("2026-01-01T09:00");
    await page.getByRole("button", { name: "Show" }).click();
    await until("it says why not", async () => /ends before it begins/.test(await page.innerText(".fault")));
    await page.getByLabel("To", { exact: true }).fill("2026-01-01T12:30");
    await page.keyboard.press("Enter");
    // The fields are on the clocks of New York.
    await until_address(board, "?from=2026-01-01T15:00:00Z&to=2026-01-01T17:30:00Z");
    await until("it says that nothing is there", async () => await board.phase() === "empty_range");
    await until(
      "and of when the newest is",
      async () => /No trips in this view; the newest of all is from/.test(await page.innerText(".blank")),
    );
    await page.keyboard.press("l");
    await until_address(board, "");
    // A 503 is written to the console by the browser itself.
    assert.deepEqual(board.complaints.filter((text) => !/503/.test(text)), []);
  },
});

tacho_test({
  name:
    "page: nothing shifts while data moves, all is reached by keys, several troubles are told at once, figures are there at once",
  needs: ["chromium"],
  limit_ms: 120_000,
  async fn() {
    await using server = await FakeServer.start(2);
    await using board = await BoardPage.open(server.url);
    const { page } = board;
    await until_ready(board);
    await page.addInitScript(`new MutationObserver((_changes, observer) => {
      observer.disconnect();
      performance.mark("first_figures");
    }).observe(document, { subtree: true, attributeFilter: ["data-position"] })`);
    const times: number[] = [];
    for (let i = 0; i < 3; i++) {
      await page.reload();
      await until_ready(board);
      times.push(await page.evaluate("performance.getEntriesByName('first_figures')[0].startTime"));
    }
    console.log(`first figures after ${times.map((ms) => Math.round(ms)).join(", ")} ms`);

    await page.evaluate(`window.shifts = []; new PerformanceObserver((list) => {
      for (const shift of list.getEntries()) window.shifts.push([shift.value, ...shift.sources.map(({ node }) => node?.outerHTML?.slice(0, 120) ?? String(node?.data))]);
    }).observe({ type: "layout-shift" })`);
    for (let i = 0; i < 8; i++) {
      const position = await board.position();
      server.add(3, i % 3 === 0 ? "canceled" : undefined);
      await until("the page moves on", async () => await board.position() > position);
    }
    assert.deepEqual(await page.evaluate("window.shifts"), []);

    // Labels say how they are counted; the focus comes back.
    await page.locator("[data-counted=canceled]").focus();
    await page.keyboard.press("Enter");
    const counted = page.locator("dialog", { hasText: "How each figure is counted" });
    await counted.waitFor();
    const focused = (of: string, wanted: string) =>
      until_holds(`the focus is at ${wanted}`, async () => {
        assert.equal(await page.evaluate(`document.activeElement.${of}`), wanted);
      });
    await focused("textContent", "Canceled");
    await page.keyboard.press("Escape");
    await counted.waitFor({ state: "hidden" });
    await focused("dataset.counted", "canceled");

    // A dialog that is closed has the focus until it is painted away; the next key is the page's already.
    await page.keyboard.press("f");
    await page.getByLabel("Key", { exact: true }).waitFor();
    await page.evaluate(`{
      const dialog = document.querySelector("dialog"), typed = dialog.querySelector("input");
      typed.focus();
      dialog.close();
      typed.dispatchEvent(new KeyboardEvent("keydown", { key: "?", bubbles: true, cancelable: true }));
    }`);
    await page.getByRole("dialog", { name: "Keys" }).waitFor();
    await page.keyboard.press("Escape");

    // Trips are told after the figures of which they are.
    const newest = server.trips.at(-1)!.id;
    await until(
      "the list has the newest",
      async () => (await page.locator("#trips a").first().getAttribute("href"))?.endsWith(`/${newest}`),
    );
    await page.click("#hold");
    await until("it is held", async () => await page.getAttribute("#hold", "aria-pressed") === "true");
    server.add(4);
    await until("the held list says what waits", async () => await page.innerText("#hold") === "Resume list: 4 new");

    const since_ms = server.now_ms - 20_000;
    server.health = {
      ingest: { state: "paused", reason: "no broker answers", since_ms, source: "kafka" },
      database: { ok: false, since_ms, reason: "refused" },
      quarantined: 7,
    };
    server.tell();
    await until_holds("three troubles are told", async () => {
      const told = await board.banners();
      assert.deepEqual(told.map(({ warning }) => warning), ["database", "ingest", "quarantine"]);
      assert.match(told[1]?.text ?? "", /Ingest is paused since .+ \(no broker answers\)/);
    });
    await board.picture("page_troubles", false);

    await page.goto(`${server.url}?range=2y&paused=maybe&city=&utm=1`);
    await until_ready(board);
    await until_address(board, "");
    server.refusal = "expected at most 31 days for two conditions, got 45 days";
    await page.goto(`${server.url}?range=30d&city=Queens`);
    assert.match(await board.warned("view"), /at most 31 days/);
    assert.deepEqual(board.complaints.filter((text) => !/\b400\b/.test(text)), []);
  },
});

tacho_test({
  name:
    "page: how wide buckets are is chosen by key and dialog, is in the address, and goes when it does not fit the range",
  needs: ["chromium"],
  limit_ms: 120_000,
  async fn() {
    await using server = await FakeServer.start();
    await using board = await BoardPage.open(`${server.url}?range=6h`);
    const { page } = board;
    await until_ready(board);
    const per = () => page.innerText("#per_trips");
    const until_per = (text: string) => until(`it says ${text}`, async () => (await per()).includes(`per ${text},`));
    await until_per("5 minutes");
    for (const [grain, step] of [["1m", "minute"], ["15m", "15 minutes"], ["1h", "hour"]]) {
      await page.keyboard.press("g");
      await until_address(board, `?range=6h&grain=${grain}`);
      await until_per(step!);
    }
    await until_feed(server, "range=6h&grain=1h");
    // An hour is too wide for a quarter of one.
    await page.click("[data-range='15m']");
    await until_address(board, "?range=15m");
    await until_per("minute");

    await page.keyboard.press("r");
    await page.getByLabel("How wide the buckets of the charts are").selectOption("5m");
    await until_address(board, "?range=15m&grain=5m");
    await until_per("5 minutes");
    // A step back before that day is in sight is as long as it, not as what was in sight before.
    const come = Promise.withResolvers<void>();
    server.held = come.promise;
    await page.keyboard.press("r");
    await page.getByRole("button", { name: "Today", exact: true }).click();
    await until_address(board, "?range=today&grain=5m");
    await page.keyboard.press("ArrowLeft");
    await board.heard(/first figures/);
    come.resolve();
    await until("the day before is a stretch of its own", () => {
      const [from, to] = ["from", "to"].map((name) => Date.parse(new URL(page.url()).searchParams.get(name) ?? ""));
      return to! - from! === 86_400_000;
    });
    server.held = null;
    await page.goBack();
    await until_address(board, "?range=today&grain=5m");
    await until_ready(board);
    await until("it is one of one's own", async () => await page.getAttribute("#custom", "aria-pressed") === "true");
    await until_feed(server, "range=today&grain=5m");
    await page.keyboard.press("ArrowLeft");
    await until("the day before is a stretch of its own", () => address(board).startsWith("?from="));
    await page.keyboard.press("7");
    await until_address(board, "?range=5m&grain=5m");
    await page.goBack();
    await until("back to the day before", () => address(board).startsWith("?from="));
    assert.deepEqual(board.unexpected(), []);
  },
});
