import assert from "node:assert/strict";
import { tacho_test } from "../support/available.ts";
import { BoardPage } from "../support/board_page.ts";
import { shared_postgres } from "../support/postgres.ts";
import { get_json, is_ready, run_verb, TachoProgram } from "../support/tacho_program.ts";
import { until, until_holds } from "../support/until.ts";

/** Alerts on the page: rules made and silenced there, and what fires in its banner, title and icon. */

tacho_test({
  name:
    "page: a rule is made in the dialog, fires in banner, title and icon, is silenced and removed; a limit becomes one",
  needs: ["chromium", "postgres"],
  limit_ms: 240_000,
  async fn() {
    const { url: database_url } = await (await shared_postgres()).create_database();
    const env = { DATABASE_URL: database_url };
    await using server = await TachoProgram.serve("start", { env });
    await until("it is ready", () => is_ready(server.url), 60_000);
    const minute = Math.floor(Date.now() / 60_000) * 60_000 - 180_000;
    const folder = await Deno.makeTempDir({ prefix: "tacho_page_alerts_" }), path = `${folder}/events.ndjson`;
    const events = [10, 11, 12, 13, 14, 150].map((s) => ({
      event_id: `e-${s}`,
      trip_id: `T-${s}`,
      type: "trip.completed",
      occurred_at: new Date(minute + s * 1_000).toISOString(),
      fare: "10.00",
    }));
    try {
      await Deno.writeTextFile(path, events.map((each) => JSON.stringify(each)).join("\n"));
      await run_verb(["replay", "--to", "log", path], { env });
      await using board = await BoardPage.open(`${server.url}?limit=canceled%3E20`, {
        viewport: { width: 1440, height: 1000 },
        deviceScaleFactor: 2,
      });
      const { page } = board;
      // The reader's clock is behind, and no worker has another one: how long silence lasts goes by the server's.
      await page.addInitScript("const own = Date.now; Date.now = () => own() - 7_200_000; delete self.SharedWorker;");
      await page.reload();
      await until("figures are there", async () => (await board.cards()).completed === 6, 60_000);
      await page.keyboard.press("w");
      const dialog = page.locator("dialog.alerts");
      await dialog.getByText("No rules yet").waitFor();
      const field = (name: string) =>
        dialog.locator("label", { has: page.getByText(name, { exact: true }) }).locator("input, select");
      await dialog.getByRole("button", { name: "Make rule" }).click();
      assert.equal(
        (await get_json(`${server.url}api/v1/alerts`) as { rules: unknown[] }).rules.length,
        0,
        "fields are wanted first",
      );
      await field("Figure").selectOption("completed");
      assert.equal(await field("Name").inputValue(), "completed-above");
      await field("Than").fill("2");
      await field("In windows of").selectOption("1m");
      await field("Your name, kept with each change").fill("Ada");
      await dialog.getByRole("button", { name: "Make rule" }).click();
      await dialog.getByText("completed above 2").first().waitFor();
      assert.match(
        await board.warned("alerts"),
        /^An alert fires: completed-above since .+\. See and silence it with w, or by/,
      );
      await until("the title says so", async () => /^\(1\) /.test(await page.title()));
      const is_red = async () => /c62828/.test(await page.getAttribute("link[rel=icon]", "href") ?? "");
      await until("so does the icon", is_red);
      await board.picture("alerts_banner", false);
      await dialog.getByText(/firing since/).waitFor();
      for (
        const [name, width, height, scheme] of [
          ["alerts_1440", 1440, 1000, "light"],
          ["alerts_1440_dark", 1440, 1000, "dark"],
          ["alerts_390", 390, 844, "light"],
          ["alerts_2560", 2560, 1440, "dark"],
        ] as const
      ) {
        await page.setViewportSize({ width, height });
        await page.emulateMedia({ colorScheme: scheme });
        await board.picture(name, false);
        await until(`nothing is wider than the page: ${name}`, async () => await board.overflow() <= 0);
      }
      await page.setViewportSize({ width: 1440, height: 1000 });
      await dialog.getByRole("button", { name: "Silence 1 h: completed-above" }).press("Enter");
      await dialog.getByRole("button", { name: "End silence: completed-above" }).waitFor();
      await until_holds("the focus goes on where it was", async () => {
        assert.equal(await page.evaluate("document.activeElement.ariaLabel"), "End silence: completed-above");
      });
      await until(
        "the banner goes",
        async () => (await board.banners()).every(({ warning }) => warning !== "alerts"),
        60_000,
      );
      await until("the title is as it was", async () => !/^\(/.test(await page.title()));
      await until("so is the icon", async () => !await is_red());
      await dialog.getByRole("button", { name: /^Make it an alert: canceled above 20/ }).click();
      await dialog.getByRole("button", { name: "Remove: canceled-above" }).waitFor();
      await dialog.getByRole("button", { name: "Remove: completed-above" }).click();
      await until(
        "it is gone",
        async () => await dialog.getByRole("button", { name: "Remove: completed-above" }).count() === 0,
      );
      const { rules } = await get_json(`${server.url}api/v1/alerts`) as { rules: Record<string, unknown>[] };
      assert.deepEqual(rules.map(({ words, changed_by }) => [words, changed_by]), [["canceled above 20", "Ada"]]);
      // A name that a rule took meanwhile is told, and that rule stays.
      await field("Than").fill("3");
      await field("Name").fill("canceled-above");
      await dialog.getByRole("button", { name: "Make rule" }).click();
      await dialog.getByText(/there is a rule "canceled-above": take another name/).waitFor();
      // A name that is wrong is told, and nothing is lost.
      await page.evaluate("document.querySelector('dialog.alerts input[pattern]').removeAttribute('pattern')");
      await field("Name").fill("No Name");
      await dialog.getByRole("button", { name: "Make rule" }).click();
      await dialog.getByText(/name: expected a name of at most 64 small letters/).waitFor();
      assert.equal(await field("Than").inputValue(), "3");
      assert.equal(new URL(page.url()).searchParams.get("limit"), "canceled>20", "the limit stays");
      assert.deepEqual(board.unexpected().filter((text) => !/status of 4(?:00|09)/.test(text)), []);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});
