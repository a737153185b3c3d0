import assert from "node:assert/strict";
import type { CDPSession, Page } from "playwright-core";
import { tacho_test } from "../support/available.ts";
import { BoardPage } from "../support/board_page.ts";
import { busy_hello_of } from "../support/busy_frames.ts";
import { ASSETS, make_static_files } from "../../src/http/mod.ts";
import { FakeServer } from "../support/fake_server.ts";
import { FrameServer } from "../support/frame_server.ts";
import { parcels_board, parcels_hello } from "../support/parcel_board.ts";
import { until, until_holds } from "../support/until.ts";
import { trips_board } from "../support/trip_board.ts";

/** The page on screens of all sizes and densities: what is written in charts can be read, what is laid out stays where it is. */

const NOW_S = Date.UTC(2026, 10, 20, 19, 37, 20) / 1000;
const TO_S = Date.UTC(2026, 10, 20, 19, 40) / 1000;
const HELLO = busy_hello_of({ from_s: TO_S - 21_600, to_s: TO_S, step_s: 300, now_s: NOW_S });

/** Notes the font of every word that is written on a canvas of the page, pixels of the page as its screen was then. */
const NOTE_FONTS = `window.fonts = [];
  const write = CanvasRenderingContext2D.prototype.fillText;
  CanvasRenderingContext2D.prototype.fillText = function (...words) {
    if (this.canvas.isConnected) window.fonts.push([this.canvas.closest("[id^=chart_]")?.id, parseFloat(/[\\d.]+px/.exec(this.font)) / devicePixelRatio]);
    return write.apply(this, words);
  };`;

/** Gives the page another screen, as when its window is moved there. */
async function set_screen(cdp: CDPSession, width: number, height: number, ratio: number): Promise<void> {
  await cdp.send("Emulation.setDeviceMetricsOverride", { width, height, deviceScaleFactor: ratio, mobile: false });
}

/** The sizes of type that were written in a chart since the page was last moved, pixels of the page. */
async function sizes_of(page: Page, chart: string): Promise<number[]> {
  return await page.evaluate(`[...new Set(window.fonts.filter(([id]) => id === ${JSON.stringify(chart)})
    .map(([, size]) => size))]`);
}

tacho_test({
  name:
    "screens: what is written in charts has one size at every density, also when the window moves to another screen",
  needs: ["chromium"],
  limit_ms: 120_000,
  async fn() {
    await using server = await FrameServer.start(() => HELLO);
    await using board = await BoardPage.open("about:blank");
    const { page } = board;
    await page.addInitScript(NOTE_FONTS);
    const cdp = await page.context().newCDPSession(page);
    let position = 10;
    // Of 11 pixels whole dots are made: 13.75 are 14.
    const fits = (size: number, ratio: number) => Math.abs(size - 11) <= 0.5 / ratio + 0.01;
    const written = async (ratio: number) => {
      for (const chart of ["chart_trips", "chart_revenue"]) {
        let found: number[] = [];
        await until(`${chart} is drawn at ${ratio}`, async () => {
          found = await sizes_of(page, chart);
          if (found.length > 0 && found.every((size) => fits(size, ratio))) return true;
          // What was drawn as the window was on its way is drawn anew.
          await page.evaluate("window.fonts = []");
          server.send("kpi", { ...HELLO, position: ++position });
          return false;
        }).catch((cause) => {
          throw new Error(`${chart}: ${found} at ${ratio}`, { cause });
        });
      }
    };
    for (const ratio of [1, 1.25, 1.5, 2, 3]) {
      await set_screen(cdp, 1280, 900, ratio);
      await page.goto(`${server.url}?range=6h`);
      await written(ratio);
      const moved = ratio === 2 ? 1 : 2;
      await page.evaluate("window.fonts = []");
      await set_screen(cdp, 1270, 900, moved);
      await written(moved);
    }
    assert.deepEqual(board.complaints, []);
  },
});

/** Screens as they stand about: a desk, a telephone, and walls, of which a television at 150 % has 1280 pixels. */
const KIOSKS = [[1280, 720, 1], [1280, 720, 2], [1920, 1080, 1], [1920, 1080, 2], [2560, 1440, 1], [
  3840,
  2160,
  1,
]] as const;
const SCREENS = [[1440, 900, ""], [1920, 1080, ""], [390, 844, ""], [820, 1180, ""]] as const;

/** Notes every shift of what is in sight, with what moved. */
const NOTE_SHIFTS = (buffered: boolean) =>
  `window.shifts = []; new PerformanceObserver((list) => {
  for (const { value, sources } of list.getEntries()) {
    window.shifts.push([value, ...sources.map(({ node, previousRect: { x, y, height }, currentRect: to }) =>
      [node?.outerHTML?.slice(0, 120) ?? String(node?.data), x, y, height, "to", to.x, to.y, to.height].join(" "))]);
  }
}).observe({ type: "layout-shift", buffered: ${buffered} });`;

const shifts_of = async (page: Page): Promise<[number, ...string[]][]> => await page.evaluate("window.shifts");

tacho_test({
  name:
    "screens: from its first painted frame on nothing moves until the figures are there, and a kiosk is one from then on",
  needs: ["chromium"],
  limit_ms: 90_000,
  async fn() {
    let held = Promise.withResolvers<void>();
    const serve = await make_static_files(ASSETS, { "": trips_board });
    await using server = await FakeServer.start(2, {
      async files(request, path) {
        // A test that fails waits for no answer to end.
        if (path === "app.js") await Promise.race([held.promise, new Promise((done) => setTimeout(done, 20_000))]);
        return serve(request, path);
      },
    });
    await using board = await BoardPage.open("about:blank");
    const { page } = board;
    await page.addInitScript(NOTE_SHIFTS(true));
    const kiosks = KIOSKS.map(([width, height]) => [width, height, "?kiosk=1"] as const);
    for (const [width, height, query] of [...SCREENS, ...kiosks]) {
      held = Promise.withResolvers();
      await page.setViewportSize({ width, height });
      await page.goto(server.url + query, { waitUntil: "commit" });
      await until(
        "the bare page is painted",
        async () => await page.evaluate("performance.getEntriesByName('first-contentful-paint').length") === 1,
      );
      const bare = await page.evaluate(
        "[document.documentElement.dataset.kiosk ?? null, !!document.querySelector('.seg').offsetParent]",
      );
      assert.deepEqual(bare, query === "" ? [null, true] : ["1", false], "what it is it is before the first figures");
      held.resolve();
      await until("the charts are drawn", async () => await page.locator(".uplot canvas").count() === 2);
      await until("its figures are there", async () => await board.phase() === "ready");
      const shifts = await shifts_of(page);
      const sum = shifts.reduce((total, [value]) => total + value, 0);
      assert.ok(sum <= 0.02, `${width} × ${height}${query}: ${sum} ${JSON.stringify(shifts)}`);
    }
    assert.deepEqual(board.complaints, []);
  },
});

tacho_test({
  name: "screens: a wall whose first figures are late says so, and nothing moves then or when they come",
  needs: ["chromium"],
  limit_ms: 120_000,
  async fn() {
    await using server = await FakeServer.start(2);
    // One is of another day, as after midnight: its time is longer.
    server.changes = ({ trips }) => ({
      trips: (trips as { at_ms: number }[]).map((trip, i) =>
        i === 1 ? { ...trip, at_ms: trip.at_ms - 86_400_000 } : trip
      ),
    });
    await using board = await BoardPage.open("about:blank");
    const { page } = board;
    await page.addInitScript(NOTE_SHIFTS(true));
    for (const [width, height] of [[1280, 720], [1920, 1080], [3840, 2160]] as const) {
      const held = Promise.withResolvers<void>();
      server.held = held.promise;
      await page.setViewportSize({ width, height });
      await page.goto(`${server.url}?kiosk=1`, { waitUntil: "commit" });
      try {
        await board.warned("link");
      } finally {
        held.resolve();
      }
      await until("its figures are there", async () => await board.phase() === "ready");
      await until("the warning is gone", async () => (await board.banners()).length === 0);
      // The word for the link changes its width, that is all.
      const shifts = await shifts_of(page);
      const sum = shifts.reduce((total, [value]) => total + value, 0);
      assert.ok(sum <= 0.0005, `${width} × ${height}: ${sum} ${JSON.stringify(shifts)}`);
    }
    assert.deepEqual(board.complaints, []);
  },
});

tacho_test({
  name: "screens: figures come and go by digits, and nothing beside them moves",
  needs: ["chromium"],
  limit_ms: 120_000,
  async fn() {
    await using server = await FakeServer.start(2);
    await using board = await BoardPage.open(server.url);
    const { page } = board;
    await until("the board is ready", async () => await board.phase() === "ready");
    await until("the charts are drawn", async () => await page.locator(".uplot canvas").count() === 2);
    await page.evaluate(NOTE_SHIFTS(false));
    for (const n of [0, 9, 10, 99.9, 100, 999, 1_000, 99_999, 1_234_567, 9]) {
      server.changes = ({ cards }) => ({
        cards: Object.fromEntries(Object.keys(cards as object).map((name) => [name, n])),
      });
      server.health = { lag: n, late: n, duplicates: n, events_per_s: n };
      server.add(1);
      await until("the page moves on", async () => await board.position() === server.trips.at(-1)?.position);
    }
    assert.deepEqual(await shifts_of(page), []);
  },
});

tacho_test({
  name:
    "screens: on a wall of any size all is in one sight, and figures, charts and type have their share of the screen",
  needs: ["chromium"],
  limit_ms: 120_000,
  async fn() {
    await using server = await FrameServer.start(() => HELLO);
    await using board = await BoardPage.open("about:blank");
    const { page } = board;
    await page.addInitScript(NOTE_FONTS);
    const cdp = await page.context().newCDPSession(page);
    let position = 10;
    for (const [width, height, ratio] of KIOSKS) {
      const where = `${width} × ${height} at ${ratio}`;
      await set_screen(cdp, width, height, ratio);
      await page.goto(`${server.url}?range=6h&kiosk=1&theme=dark`);
      await until("the charts are drawn", async () => (await sizes_of(page, "chart_revenue")).length > 0);
      await until_holds(`${where}: type has its share`, async () => {
        const sizes = await sizes_of(page, "chart_trips");
        // What was drawn before the wall's style sheet was there is drawn anew.
        await page.evaluate("window.fonts = []");
        server.send("kpi", { ...HELLO, position: ++position });
        assert.ok(
          sizes.length > 0 && sizes.every((size) => size / height > 0.012 && size / height < 0.016),
          `${sizes}`,
        );
        const figure = await page.evaluate<number>(
          "parseFloat(getComputedStyle(document.querySelector('.figure')).fontSize)",
        );
        assert.ok(figure / height > 0.035, `figures of ${figure}`);
      });
      const look = async (): Promise<{ seen: boolean; clipped: string[]; charts: number[] }> =>
        await page.evaluate(`({
        seen: document.documentElement.scrollHeight <= innerHeight && document.documentElement.scrollWidth <= innerWidth &&
          document.querySelector("footer").getBoundingClientRect().bottom <= innerHeight,
        clipped: [...document.querySelectorAll(".figure, .changes span, .changes small, .card h2, .panel h2, #health span, #window")]
          .filter((each) => each.offsetParent !== null && each.scrollWidth > each.clientWidth + 1 && each.clientWidth > 0)
          .map((each) => each.textContent),
        charts: [...document.querySelectorAll(".plot")].map((each) => each.clientHeight / innerHeight),
      })`);
      await until_holds(`${where}: all is in one sight`, async () => {
        const found = await look();
        assert.deepEqual([found.seen, found.clipped], [true, []]);
        assert.ok(found.charts.every((share) => share > 0.1), `${found.charts}`);
      });
      if (ratio === 1) await board.picture(`kiosk_${width}`, false);
    }
  },
});

tacho_test({
  name: "screens: a phone has all cards and the first chart on its first screen, light and dark",
  needs: ["chromium"],
  limit_ms: 120_000,
  async fn() {
    await using server = await FrameServer.start(() => HELLO);
    const phone = { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, hasTouch: true, isMobile: true };
    await using board = await BoardPage.open("about:blank", phone);
    const { page } = board;
    for (const theme of ["light", "dark"]) {
      await page.goto(`${server.url}?range=6h&theme=${theme}`);
      await until("the charts are drawn", async () => await page.locator(".uplot canvas").count() === 2);
      await until("changes are told", async () => await page.locator(".changes b:not(:empty)").count() > 2);
      await until_holds("all of it is in sight", async () => {
        const ends = await page.evaluate<number[]>(
          `[...document.querySelectorAll(".card"), document.querySelector(".plot")]
          .map((each) => each.getBoundingClientRect().bottom)`,
        );
        assert.ok(ends.length === 9 && Math.max(...ends) <= 844, `they end at ${ends.join(" ")}`);
        const tools = await page.evaluate<number>(
          `new Set([...document.querySelectorAll("#chart_tools button")].map((each) => each.getBoundingClientRect().top)).size`,
        );
        assert.ok(tools <= 2, `the tools of the charts take ${tools} lines`);
        assert.ok(await board.overflow() <= 0);
      });
      await board.picture(`screens_phone_${theme}`, false);
    }
  },
});

tacho_test({
  name: "screens: a reader's larger type enlarges the page and its charts, also while it is open",
  needs: ["chromium"],
  async fn() {
    await using server = await FrameServer.start(() => HELLO);
    await using board = await BoardPage.open("about:blank");
    const { page } = board;
    await page.addInitScript(NOTE_FONTS);
    await page.goto(`${server.url}?range=6h`);
    await until("the charts are drawn", async () => (await sizes_of(page, "chart_trips")).length > 0);
    const size = await page.evaluate("getComputedStyle(document.body).fontSize");
    assert.equal(size, "13px");
    // What a browser's setting does to the root.
    await page.evaluate("document.documentElement.style.fontSize = '15px'; window.fonts = []");
    server.send("kpi", { ...HELLO, position: 11 });
    await until("the charts are drawn anew", async () => (await sizes_of(page, "chart_trips")).includes(17));
    assert.equal(await page.evaluate("getComputedStyle(document.body).fontSize"), "19.5px");
  },
});

tacho_test({
  name: "screens: the time of a trip of another year is told whole, with room before what stands beside it",
  needs: ["chromium"],
  limit_ms: 120_000,
  async fn() {
    const trips = HELLO.trips.map((trip) => ({
      ...trip as Record<string, unknown>,
      at_ms: Date.UTC(2019, 2, 28, 18, 25),
      pickup_zone: "Chicago 117",
    }));
    await using server = await FrameServer.start(() => ({ ...HELLO, trips }));
    await using board = await BoardPage.open("about:blank");
    const { page } = board;
    for (const width of [390, 820, 1280, 1920]) {
      await page.setViewportSize({ width, height: 900 });
      await page.goto(`${server.url}?range=6h`);
      await until("the list is there", async () => await page.locator("#trips .other").count() > 0);
      await until_holds(`there is room at ${width}`, async () => {
        const room = await page.evaluate<number>(`(() => {
          const link = document.querySelector("#trips .other");
          return link.closest("td").getBoundingClientRect().right - link.getBoundingClientRect().right;
        })()`);
        assert.ok(room >= 6, `${room} pixels`);
        if (width >= 1280) return;
        const names = await page.evaluate<string[]>(`[...document.querySelectorAll("#trips td:nth-child(2) button")]
          .filter((each) => each.scrollWidth > each.clientWidth).map((each) => each.textContent)`);
        assert.deepEqual(names, [], "names that are cut");
      });
    }
    assert.deepEqual(board.complaints, []);
  },
});

tacho_test({
  name:
    "screens: figures of seven digits and names of 40 letters stand whole in their cards, from a phone to a television",
  needs: ["chromium"],
  limit_ms: 90_000,
  async fn() {
    // Where decimals are told still they make figures as wide as those of more digits.
    const figures = [9_876.54, 98_765.43, 987_654.32, 1_234_567.89];
    // A change from few is told by the figure of then.
    const all_shown = figures.flatMap((figure) => [{ figure, least_base: 0 }, { figure, least_base: 1e9 }]);
    type Shown = (typeof all_shown)[number];
    const figures_of = (cards: object, figure: number) =>
      Object.fromEntries(Object.keys(cards).map((name) => [name, figure]));
    const parcels = parcels_hello();
    const week_ago_s = Math.floor(parcels.now_ms / 1_000) - 604_800;
    const then = { ...parcels.compared.weekday, from_s: week_ago_s - 900, to_s: week_ago_s };
    const named = {
      ...parcels,
      breakdowns: parcels.breakdowns.map((breakdown) => ({
        ...breakdown,
        rows: breakdown.rows.map((row) => ({ ...row, key: row.key && "Wholesale depot of the northern districts" })),
      })),
    };
    const compared_to = (cards: object, { figure, least_base }: Shown) => ({
      weekday: least_base === 0 ? then : { ...then, least_base, cards: figures_of(cards, figure) },
    });
    const hello_of = <Hello extends { readonly cards: object }>(hello: Hello, shown: Shown) => ({
      ...hello,
      cards: figures_of(hello.cards, shown.figure),
      compared: compared_to(hello.cards, shown),
    });
    const trips_hello = (shown: Shown) => hello_of(HELLO, shown), post_hello = (shown: Shown) => hello_of(named, shown);
    let first = all_shown[0]!;
    await using trips = await FrameServer.start(() => trips_hello(first));
    await using post = await FrameServer.start(() => post_hello(first), parcels_board, "/post");
    await using board = await BoardPage.open("about:blank");
    const { page } = board;
    const cdp = await page.context().newCDPSession(page);
    const boards = [[trips, trips_hello, "range=6h"], [post, post_hello, "range=15m"]] as const;
    const sizes = [[390, 844], [1280, 800], [1440, 900], [1920, 1080], [2560, 1440], [3840, 2160]] as const;
    for (const [i, [width, height]] of sizes.entries()) {
      await set_screen(cdp, width, height, 1);
      for (const [server, hello, query] of boards) {
        // Each is now the first that a page shows, now one that comes to it.
        const turn = i % all_shown.length;
        first = all_shown[turn]!;
        await page.goto(`${server.url}?${query}`);
        await until("changes are told", async () => await page.locator(".changes b:not(:empty)").count() > 2);
        for (const shown of [...all_shown.slice(turn), ...all_shown.slice(0, turn)]) {
          const { figure, least_base } = shown;
          if (shown !== first) server.send("kpi", { ...hello(shown), position: 1_000 + figure + least_base });
          await page.locator(`[data-card][data-value="${figure}"]`).nth(2).waitFor();
          await page.locator(".changes b", { hasText: least_base === 0 ? /./ : /^[\d,.]+[KM]?$/ }).nth(2).waitFor();
          await until_holds(
            `nothing of ${figure}${least_base === 0 ? "" : ", as before,"} is cut at ${width} on ${server.url}`,
            async () => assert.deepEqual(await board.cut_in_cards(), []),
          );
        }
      }
    }
  },
});
