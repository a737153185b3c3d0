import assert from "node:assert/strict";
import { tacho_test } from "../support/available.ts";
import { BoardPage } from "../support/board_page.ts";
import { busy_hello_of } from "../support/busy_frames.ts";
import { FakeServer } from "../support/fake_server.ts";
import { FrameServer } from "../support/frame_server.ts";
import { free_port } from "../support/free_port.ts";
import { until, until_holds } from "../support/until.ts";

/** The page where data or server are not as they should be: one value dwarfs all others, everything was corrected, parts are asked for without a server. */

const NOW_S = Date.UTC(2026, 10, 20, 19, 37, 20) / 1000;
const TO_S = Date.UTC(2026, 10, 20, 19, 40) / 1000;
const HELLO = busy_hello_of({ from_s: TO_S - 21_600, to_s: TO_S, step_s: 300, now_s: NOW_S });

/** Notes what is written on the charts, and where carets are: what is filled of a path that the page itself draws. */
const NOTE_DRAWING = `window.words = []; window.carets = [];
  const { fill, fillText, moveTo } = CanvasRenderingContext2D.prototype;
  Object.assign(CanvasRenderingContext2D.prototype, {
    fillText(...all) { window.words.push(all[0]); return fillText.apply(this, all); },
    moveTo(...all) { this.begun = all[0]; return moveTo.apply(this, all); },
    fill(...all) { if (all.length === 0) window.carets.push(this.begun); return fill.apply(this, all); },
  });`;

tacho_test({
  name: "truth: one giant fare leaves the axis to the others and is told, marks of corrections keep their distance",
  needs: ["chromium"],
  async fn() {
    const { series } = HELLO as unknown as { series: Record<string, number[]> };
    const revenue = series.revenue!.map((value, i) => i === 20 ? 1e12 : value);
    const revised_ms = series.t!.map((t) => t * 1000 + 900_000);
    await using server = await FrameServer.start(() => ({ ...HELLO, series: { ...series, revenue, revised_ms } }));
    await using board = await BoardPage.open("about:blank");
    const { page } = board;
    await page.addInitScript(NOTE_DRAWING);
    await page.goto(`${server.url}?range=6h`);
    const words = () => page.evaluate<string[]>("window.words");
    await until("the giant is told", async () => (await words()).includes("↑ 1T"));
    await page.evaluate("window.words = []; window.carets = []");
    await page.keyboard.press("t");
    await until("the charts are drawn anew", async () => (await words()).includes("↑ 1T"));
    await until_holds("the axis serves the others, and marks keep their distance", async () => {
      assert.ok((await words()).includes("500"), (await words()).join(" "));
      const carets = await page.evaluate<number[]>("window.carets");
      const gaps = carets.slice(1).map((x, i) => x - carets[i]!).filter((gap) => gap > 0);
      assert.ok(gaps.length > 10 && gaps.every((gap) => gap > 15), `${gaps}`);
    });
    await board.picture("charts_giant", false);
    assert.deepEqual(board.complaints, []);
  },
});

tacho_test({
  name: "truth: figures whose age nobody told yet are doubtful, too, when the link is lost; an empty log has no age",
  needs: ["chromium"],
  async fn() {
    const { health } = HELLO as unknown as { health: object };
    const unsampled = { ...HELLO, health: { ...health, recorded_ms: null } };
    for (const hello of [unsampled, { ...unsampled, newest_event_ms: null }]) {
      await using server = await FrameServer.start(() => hello);
      await using board = await BoardPage.open(`${server.url}?range=6h`);
      const { page } = board;
      await until("it is connected", async () => await board.link() === "connected");
      const told = hello === unsampled;
      await until_holds("the age", async () => {
        assert.equal(await page.locator("#age_line").isVisible(), told);
        if (told) assert.match(await page.innerText("#age_line"), /^data – old$/);
      });
      assert.equal(await board.is_amber(), false);
      await server[Symbol.asyncDispose]();
      await until("the link is lost", async () => await board.link() === "reconnecting");
      await until_holds("it is doubtful", async () => assert.equal(await board.is_amber(), told));
    }
  },
});

tacho_test({
  name:
    "truth: what a reader who was there may open opens without the server; what was not loaded says so until it can be",
  needs: ["chromium"],
  limit_ms: 90_000,
  async fn() {
    const port = free_port();
    const start = () => FakeServer.start(2, { port });
    let server = await start();
    try {
      await using board = await BoardPage.open(server.url);
      const { page } = board;
      await until("the board is ready", async () => await board.phase() === "ready");
      const loaded = (name: string) =>
        page.evaluate<boolean>(
          `performance.getEntriesByType("resource").some(({ name }) => name.endsWith(${JSON.stringify(name)}))`,
        );
      assert.equal(await loaded("/ranges.js"), false, "nothing is loaded before there is a reader");
      await server[Symbol.asyncDispose]();
      await page.keyboard.press("e");
      await board.warned("module");
      server = await start();
      const has_all = async () => (await board.banners()).every(({ warning }) => warning !== "module");
      await until("the warning goes when the server is back", has_all, 20_000);
      await board.has_all();
      const rules = "document.querySelector('link[href=\"/static/parts.css\"]').sheet?.cssRules.length > 0";
      await until("what failed with it is there, too", () => page.evaluate<boolean>(rules));
      await server[Symbol.asyncDispose]();
      for (const key of ["e", "m", "n", "z", "f", "r", "a", "h", "?"]) {
        await page.keyboard.press(key);
        await page.locator("dialog").waitFor();
        await page.keyboard.press("Escape");
        await page.locator("dialog").waitFor({ state: "detached" });
      }
      assert.ok(await has_all());
      server = await start();
    } finally {
      await server[Symbol.asyncDispose]();
    }
  },
});

tacho_test({
  name:
    "truth: what is pressed before it can come comes as soon as it can: with the first figures, or with its module and what was typed meanwhile; never two at once",
  needs: ["chromium"],
  async fn() {
    await using server = await FrameServer.start(() => null);
    // What is typed is looked for, where it takes long enough to be typed.
    server.stream = { stream: null, keys: [], near: [] };
    await using board = await BoardPage.open(`${server.url}?range=6h`);
    const { page } = board;
    const open = () =>
      page.evaluate<string[]>("[...document.querySelectorAll('dialog')].map((each) => each.ariaLabel)");
    const held = new Map<string, () => Promise<void>>();
    await page.route(/static\/@[^/]+\/(command|help|ranges)\.js/, (route) => {
      held.set(/(\w+)\.js/.exec(route.request().url())![1]!, () => route.continue());
    });
    const release = async (name: string) => {
      await until(`${name} is asked for`, () => held.has(name));
      await held.get(name)!();
    };

    // A tool has nothing to show yet, the last that is asked for comes; to go back one needs to know from where.
    await page.keyboard.press("e");
    await page.keyboard.press("ArrowLeft");
    await page.keyboard.press("m");
    await board.heard(/first figures/);
    const limits = page.getByRole("dialog", { name: "Limits" });
    await until("it comes with the first figures", async () => {
      // A feed may be opened anew meanwhile.
      if (await board.phase() !== "ready") server.send("hello", HELLO);
      return await limits.isVisible();
    });
    assert.deepEqual(await open(), ["Limits"]);
    await page.keyboard.press("Escape");
    await board.address(/range=6h$/);

    // Two are asked for, and something is typed, before either is loaded.
    await page.keyboard.press("?");
    await page.click("[data-opens=command]");
    await page.keyboard.type("bost");
    await page.keyboard.press("Backspace");
    await release("help");
    await release("command");
    await until("what was typed is there", async () => await page.inputValue("dialog input") === "bos");
    assert.deepEqual(await open(), ["Find, or do"]);
    await page.keyboard.type("ton");
    assert.equal(await page.inputValue("dialog input"), "boston");
    await page.keyboard.press("Escape");
    await until("it is closed", async () => (await open()).length === 0);

    // Given up, it does not come.
    await page.keyboard.press("r");
    await page.keyboard.press("Escape");
    await release("ranges");
    await page.keyboard.press("?");
    await page.getByRole("dialog", { name: "Keys" }).waitFor();
    assert.deepEqual(await open(), ["Keys"]);
    assert.deepEqual(board.complaints, []);
  },
});
