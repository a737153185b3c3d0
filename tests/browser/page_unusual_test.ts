import assert from "node:assert/strict";
import axe, { type AxeResults } from "axe-core";
import { tacho_test } from "../support/available.ts";
import { BoardPage } from "../support/board_page.ts";
import { shared_postgres } from "../support/postgres.ts";
import { get_json, is_ready, run_verb, TachoProgram } from "../support/tacho_program.ts";
import { until, until_holds } from "../support/until.ts";

/** What is unusual now, on the page: above the figures, by key, and nothing where nothing is. */

const MINUTE = 60_000, WEEK = 7 * 86_400_000;

/** Keeps what is written on canvases. */
const NOTE_WORDS = `window.words = new Set();
  const write = CanvasRenderingContext2D.prototype.fillText;
  CanvasRenderingContext2D.prototype.fillText = function (text, ...more) {
    window.words.add(text);
    return write.call(this, text, ...more);
  };`;

/** Four requests a minute in each of two cities at this time of six weeks, and for the last ten minutes of now twenty in one of them. */
function requests(now_ms: number): string {
  const made: string[] = [];
  for (let week = 6; week >= 0; week--) {
    for (let minute = -80; minute < 0; minute++) {
      for (const city of ["Chicago", "Denver"]) {
        const many = week === 0 && minute >= -10 && city === "Denver" ? 20 : 4;
        for (let i = 0; i < many; i++) {
          const at = now_ms - week * WEEK + minute * MINUTE + i * 2_500;
          made.push(JSON.stringify({
            event_id: `e-${made.length}`,
            trip_id: `T-${made.length}`,
            type: "trip.requested",
            occurred_at: new Date(at).toISOString(),
            city,
          }));
        }
      }
    }
  }
  return made.join("\n");
}

tacho_test({
  name:
    "page: what is unusual stands above the figures with its reason, filters by its key when pressed, and is not told of the past",
  needs: ["chromium", "postgres"],
  limit_ms: 240_000,
  async fn() {
    const { url: DATABASE_URL } = await (await shared_postgres()).create_database();
    const env = { DATABASE_URL }, folder = await Deno.makeTempDir({ prefix: "tacho_page_unusual_" });
    try {
      {
        await using first = await TachoProgram.serve("start", { env });
        await until("the log is made", () => is_ready(first.url), 60_000);
      }
      await Deno.writeTextFile(`${folder}/events.ndjson`, requests(Date.now()));
      await run_verb(["replay", "--to", "log", `${folder}/events.ndjson`], { env });
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
    await using server = await TachoProgram.serve("start", { env });
    await until("it is ready", () => is_ready(server.url), 60_000);
    const told = async () =>
      await get_json(`${server.url}api/v1/unusual`) as { against: string; items: { key: string }[] };
    await until("it has looked", async () => (await told()).items.length > 0, 60_000);
    await until_holds("it has found one, against weeks", async () => {
      const { against, items } = await told();
      assert.deepEqual([against, items.map(({ key }) => key)], ["weeks", ["Denver"]]);
    });
    await using board = await BoardPage.open(server.url, { viewport: { width: 1440, height: 900 } });
    const { page } = board,
      strip = page.getByRole("region", { name: "Unusual now" }),
      button = strip.locator("li button");
    await button.waitFor();
    await until_holds("it says what, and why", async () => {
      assert.match(await button.innerText(), /^Trips begun, city Denver [\d,]+ since \d\d:\d\d, usually [\d,]+$/);
      assert.match(await button.getAttribute("title") ?? "", /^(9\d|100) % of what is more in all$/);
    });
    await board.heard(/^Unusual now: Trips begun, city Denver$/);
    await page.evaluate(axe.source);
    for (const colours of ["light", "dark"] as const) {
      for (const [width, height] of [[390, 844], [1440, 900], [3840, 2160]] as const) {
        await page.emulateMedia({ colorScheme: colours });
        await page.setViewportSize({ width, height });
        await until_holds(`nothing is wrong, and nothing cut at ${width}`, async () => {
          const { violations } = await page.evaluate("axe.run('.unusual')") as AxeResults;
          assert.deepEqual(violations.map(({ id, help }) => `${id}: ${help}`), []);
          const cut = await strip.evaluate((element: { scrollWidth: number; clientWidth: number }) =>
            element.scrollWidth - element.clientWidth
          );
          assert.ok(cut <= 0, `${cut} pixels`);
        });
        await page.screenshot({ path: `tests/output/unusual_${width}_${colours}.png` });
      }
    }
    await page.setViewportSize({ width: 1440, height: 900 });
    await page.addInitScript(NOTE_WORDS);
    await page.reload();
    await button.waitFor();
    await until(
      "a chart says since when",
      async () => await page.evaluate("window.words.has('▴ city Denver')"),
    );
    await board.picture("unusual_marks", false);
    await strip.getByRole("button", { name: "Unusual trips" }).focus();
    await page.keyboard.press("Enter");
    await page.locator("dialog[open] h2").getByText("Unusual trips").waitFor();
    await page.keyboard.press("Escape");
    await page.locator("dialog").waitFor({ state: "detached" });
    await button.focus();
    await page.keyboard.press("Enter");
    await until("it filters", () => page.url().includes("city=Denver"));
    await strip.waitFor();
    await page.goto(`${server.url}?city=Chicago`);
    await strip.waitFor();
    await until("the board is there", async () => await board.phase() === "ready");
    await until("the charts are drawn", async () => await page.evaluate("window.words.size > 3"));
    assert.equal(await page.evaluate("window.words.has('▴ city Denver')"), false, "it is in no chart of others");
    await page.goto(`${server.url}?as_of=${new Date().toISOString()}`);
    await page.locator(".past").waitFor();
    await until("the board is there", async () => await board.phase() === "ready");
    assert.equal(await strip.count(), 0, "of the past nothing is unusual now");
    assert.deepEqual(board.unexpected(), []);
  },
});
