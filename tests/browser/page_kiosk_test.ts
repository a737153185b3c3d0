import assert from "node:assert/strict";
import { tacho_test } from "../support/available.ts";
import { BoardPage } from "../support/board_page.ts";
import { make_checkout } from "../support/checkout.ts";
import { free_port } from "../support/free_port.ts";
import { shared_postgres } from "../support/postgres.ts";
import { shell } from "../support/shell.ts";
import { TachoProgram } from "../support/tacho_program.ts";
import { until, until_holds } from "../support/until.ts";

/** A wall that nobody touches: it outlives its server, and is on the next build by itself. */

tacho_test({
  name:
    "kiosk: the server goes away and comes back with another build: the page reloads itself once and shows its figures",
  needs: ["chromium", "postgres"],
  limit_ms: 120_000,
  async fn() {
    const { url } = await (await shared_postgres()).create_database();
    const env = { DATABASE_URL: url, PORT: String(free_port()), TACHO_RATE: "0.3" };
    const next = await make_checkout();
    try {
      await shell(
        "make the next version",
        `sed -i 's/"version": "[^"]*"/"version": "99.0.0"/' "$1/deno.json" && ln -s "$2" "$1/node_modules"`,
        next.path,
        new URL("../../node_modules", import.meta.url).pathname,
      );
      await using server = await TachoProgram.serve("dev", { env, args: ["--generate"] });
      await using board = await BoardPage.open(`${server.url}?kiosk=1&theme=dark`, {
        viewport: { width: 1920, height: 1080 },
      });
      const { page } = board;
      // Chance spreads walls over seconds; a test need not wait for that.
      await page.addInitScript("Math.random = () => 0");
      await page.evaluate("Math.random = () => 0");
      await until("figures are on the wall", async () => (await board.cards()).completed > 0);
      await until_holds("there is nothing to press, and all is in one sight", async () => {
        for (const control of [".seg", ".tools", "#chart_tools", "#hold"]) {
          assert.equal(await page.locator(control).first().isVisible(), false, control);
        }
        assert.ok(await page.locator("#link").isVisible() && await page.locator("#window").isVisible());
        assert.equal(await page.evaluate("getComputedStyle(document.querySelector('#chart_trips')).cursor"), "none");
        assert.ok(await page.evaluate("document.documentElement.scrollHeight <= innerHeight"), "all in one sight");
      });
      await board.picture("page_kiosk", false);

      await server.kill_nine();
      await until("the wall says that the link is lost", async () => await board.link() === "reconnecting");
      await board.warned("link");
      await until_holds("its banner is under the bar, and all still in one sight", async () => {
        const warned = await page.locator(".banner[data-warning=link]").boundingBox();
        assert.ok(warned !== null && warned.y > 0 && warned.y + warned.height < 200, JSON.stringify(warned));
        assert.ok(
          await page.evaluate(
            "document.documentElement.scrollHeight <= innerHeight && document.documentElement.scrollWidth <= innerWidth",
          ),
        );
      });
      await board.picture("page_kiosk_link_lost", false);
      assert.equal(await board.is_unloaded(), false, "without a server it does not reload");
      await using again = await TachoProgram.serve("dev", { env, folder: next.path, args: ["--generate"] });
      assert.equal(again.url, server.url);
      await again.brings(
        until("it reloads itself", () => board.is_unloaded()),
      );
      await until(
        "figures are on the wall again",
        async () => (await board.cards()).completed > 0 && await board.link() === "connected",
      );
      await until("it is a wall again", async () => !await page.locator("#chart_tools").isVisible());
      const kept = new URL(page.url()).searchParams;
      assert.deepEqual([kept.get("kiosk"), kept.get("theme")], ["1", "dark"], "where it was");
      assert.equal(await page.evaluate('sessionStorage.getItem("tacho-kiosk-builds")'), '["99.0.0"]');
      await page.evaluate("window.tacho_test_mark = true");
      await page.keyboard.press("Escape");
      await until("Escape ends it", () => page.locator("#chart_tools").isVisible());
      const asked = Promise.withResolvers<void>(), struck = Promise.withResolvers<void>();
      await page.route(/\/kiosk\.js/, async (route) => {
        asked.resolve();
        await struck.promise;
        await route.continue();
      });
      await page.goto(`${server.url}?kiosk=1`);
      await asked.promise;
      await page.keyboard.press("Escape");
      struck.resolve();
      await until("Escape ends one whose module is not there yet", () => page.locator("#chart_tools").isVisible());
      await page.unroute(/\/kiosk\.js/);
      await page.evaluate("window.tacho_test_mark = true");
      await page.keyboard.press("k");
      await until("k brings it", async () => !await page.locator("#chart_tools").isVisible());
      assert.equal(await board.is_unloaded(), false, "it reloads once a build");
      assert.deepEqual(board.unexpected(), []);
    } finally {
      await next.dispose();
    }
  },
});
