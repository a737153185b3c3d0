import assert from "node:assert/strict";
import { tacho_test } from "../support/available.ts";
import type { BoardPage } from "../support/board_page.ts";
import { serve_with_token } from "../support/token_program.ts";
import { until, until_holds } from "../support/until.ts";

tacho_test({
  name:
    "page: the command field leads to a trip, a key, a day and a command, by keyboard alone, and says what it does not find",
  needs: ["chromium", "postgres"],
  limit_ms: 180_000,
  async fn() {
    await using served = await serve_with_token();
    const { program } = served;
    const events = Array.from({ length: 20 }, (_, i) => ({
      ...{
        event_id: "a",
        trip_id: `T-${i}`,
        type: "trip.completed",
        fare: "10.00",
        city: i % 2 === 0 ? "Chicago" : "<b>\u202eBoston",
      },
      occurred_at: new Date(Date.now() - 60_000 * (i + 1)).toISOString(),
    }));
    await served.tell(events);
    await using board = await served.open();
    const { page } = board;
    await until("figures are there", async () => await board.phase() === "ready");
    const dialog = page.locator("dialog.command"),
      field = dialog.getByRole("combobox"),
      options = dialog.getByRole("option");
    const chosen = () => dialog.locator("[aria-selected=true]").innerText();
    const ask = async (words: string) => {
      await page.keyboard.press("/");
      await until("it is open", () => field.isVisible());
      await field.fill(words);
    };
    // A key filters.
    await ask("chic");
    await until("the key is found", async () => /^city Chicago/.test(await chosen()));
    await until_holds("and chosen", async () => {
      assert.equal(await field.getAttribute("aria-activedescendant"), "command_0");
    });
    await board.picture("command_key", false);
    await field.press("Enter");
    await until("it is filtered by it", () => page.url().includes("city=Chicago"));
    await until("and closed", async () => await dialog.count() === 0);
    // What is not there is like something.
    await ask("Chigaco");
    await until(
      "it is said",
      async () => /No such key; did you mean Chicago\?/.test(await dialog.locator(".sub").innerText()),
    );
    await board.picture("command_near", false);
    await page.keyboard.press("Escape");
    await until("Escape closes it", async () => await dialog.count() === 0);
    await ask("nothing of the kind");
    await until("or to nothing", async () => /^No trip, key or command/.test(await dialog.locator(".sub").innerText()));
    await until("nothing is found", async () => await options.count() === 0);
    await page.keyboard.press("Escape");
    await until("it is closed", async () => await dialog.count() === 0);
    // A command, by arrow keys.
    const late = Promise.withResolvers<void>(), searches = "**/api/v1/search?*";
    await page.route(searches, async (route) => {
      await late.promise;
      await route.fulfill({ json: { stream: "vs", keys: [], near: [] } });
    });
    await ask("vs ");
    await until("both are found", async () => await options.count() === 2);
    await field.press("ArrowDown");
    await until("the second is chosen", async () => /period before/.test(await chosen()));
    // What is found later stands before it, and does not take its place.
    late.resolve();
    await until("a trip is found", async () => await options.first().innerText().then((text) => /^trip vs/.test(text)));
    await page.unroute(searches);
    await until("it is chosen still", async () => /period before/.test(await chosen()));
    await field.press("Enter");
    await until("it is done", () => page.url().includes("compare=previous"));
    // A day.
    await ask("2026-03-01");
    await until("a day is found", async () => /1 Mar 2026|Sun 1 Mar/.test(await chosen()));
    await field.press("Enter");
    await until("it is shown", () => page.url().includes("from=2026-03-01T00:00:00Z"));
    // Whose name turns writing around is told with its signs seen, and is no markup.
    await ask("boston");
    await until("it is found", async () => (await chosen()).startsWith("city <b>\\u202eBoston"));
    await page.keyboard.press("Escape");
    await until("it is closed", async () => await dialog.count() === 0);
    await views_and_notes_are_for_all(board, program.url);
    // A trip.
    await ask("T-7");
    await until("the trip is found", async () => /^trip T-7/.test(await chosen()));
    await field.press("Enter");
    await until("its page is there", () => /\/trips\/T-7/.test(page.url()));
    assert.deepEqual(board.unexpected().filter((text) => !text.includes("409 (Conflict)")), []);
  },
});

/** Saves a view and a note in one tab, finds both in another one, and takes them away there. */
async function views_and_notes_are_for_all({ page, browser }: BoardPage, url: string): Promise<void> {
  await page.goto(`${url}?range=6h&city=Chicago&theme=dark`);
  await page.locator("body[data-phase=ready]").waitFor();
  await page.keyboard.press("s");
  const views = page.getByRole("dialog", { name: "Views" });
  await views.getByText("No views of trips saved yet").waitFor();
  await views.getByLabel("Name", { exact: true }).fill("Evening in Chicago");
  await views.getByLabel("Your name, kept with each change").fill("Ada");
  await views.getByRole("button", { name: "Save this view" }).click();
  await views.getByText("by Ada").waitFor();
  // One of that name is not replaced without a word.
  await views.getByLabel("Name", { exact: true }).fill("Evening in Chicago");
  await page.keyboard.press("Enter");
  await views.getByText('there is a view "Evening in Chicago"').waitFor();
  await page.screenshot({ path: "tests/output/saved_views.png" });
  await page.keyboard.press("Escape");
  await page.keyboard.press("n");
  const notes = page.getByRole("dialog", { name: "Notes" });
  await notes.getByRole("combobox").selectOption("for all who look");
  await notes.getByLabel("Note", { exact: true }).fill("Rain <b>begins");
  await page.keyboard.press("Enter");
  const note = page.locator("ul.notes").getByText("Rain <b>begins");
  await note.waitFor();
  await page.keyboard.press("Escape");
  assert.ok(!page.url().includes("note="), "it is in no address");

  const other = await browser.context.newPage();
  await other.goto(`${url}?range=24h`);
  await other.locator("ul.notes").getByText("Rain <b>begins").waitFor();
  await other.locator("body[data-phase=ready]").waitFor();
  // Views that are read late are found all the same.
  const read = Promise.withResolvers<void>();
  await other.route("**/api/v1/views", async (route) => {
    await read.promise;
    await route.continue();
  });
  await other.keyboard.press("/");
  await other.locator("dialog.command").getByRole("combobox").fill("evening");
  await other.getByText("No trip, key or command").waitFor();
  read.resolve();
  const found = other.getByRole("option", { name: "view Evening in Chicago" });
  await found.waitFor();
  await found.click();
  await until("it is that view", () => new URL(other.url()).search === "?range=6h&city=Chicago");
  await until("its filter is shown", () => other.locator(".chip").getByText("Chicago").isVisible());
  await other.goBack();
  await until("back is what it was", () => new URL(other.url()).search === "?range=24h");
  await other.keyboard.press("n");
  await other.getByRole("button", { name: /^Remove: .*Rain/ }).click();
  await until("the note is gone", async () => await other.locator("ul.notes").getByText("Rain").count() === 0);
  await other.keyboard.press("Escape");
  await other.keyboard.press("s");
  await other.getByRole("button", { name: "Remove the view Evening in Chicago" }).click();
  await other.getByText("No views of trips saved yet").waitFor();
  await other.close();
}
