import assert from "node:assert/strict";
import axe, { type AxeResults } from "axe-core";
import { DOMAINS } from "../../src/verbs/mod.ts";
import { tacho_test } from "../support/available.ts";
import { BoardPage } from "../support/board_page.ts";
import { invented, log_template, make_log } from "../support/generated_log.ts";
import { shared_postgres } from "../support/postgres.ts";
import { is_ready, TachoProgram } from "../support/tacho_program.ts";
import { until, until_holds } from "../support/until.ts";

/** What a screen reader, a keyboard and poor eyes need of the page, by axe-core's rules: nothing is found wrong on any page, in any dialog. */

/** What is invented, and is looked at. */
const STRETCH = "from=2026-03-02T11:00:00Z&to=2026-03-02T12:00:00Z";
const LOOKS = (["light", "dark"] as const).flatMap((colours) =>
  ([[390, 844], [1440, 900]] as const).map(([width, height]) => ({ colours, width, height }))
);
/** Small and light, wide and dark: the page is one for all domains. */
const FEWER = [LOOKS[0]!, LOOKS[3]!];
/** The dialogs by the keys that open them. */
const DIALOGS = {
  "?": "keys",
  f: "filter",
  r: "range",
  a: "time travel",
  h: "how figures are counted",
  e: "export",
  m: "limits",
  n: "notes",
  s: "views",
  z: "zone",
  "/": "the command field",
};
/** Lists, by what opens them. */
const LISTS = { "#breakdowns [data-keys]": "keys of a panel", ".figure[data-items]": "items of a figure" };

for (const [i, domain] of DOMAINS.entries()) {
  tacho_test({
    name:
      `axe finds nothing on the board, the dialogs, the table and a stream of ${domain.name}, light and dark, small and wide`,
    needs: ["chromium", "postgres"],
    limit_ms: 240_000,
    async fn() {
      const { url: DATABASE_URL } = await (await shared_postgres()).create_database(log_template(domain));
      await (await make_log(DATABASE_URL, domain, invented(domain, 1), 500)).close();
      await using server = await TachoProgram.serve("start", { env: { DATABASE_URL, TACHO_DOMAINS: domain.name } });
      await until("the log is open", () => is_ready(server.url), 60_000);
      const base = i === 0 ? server.url : `${server.url}${domain.name}/`;
      await using board = await BoardPage.open(`${base}?${STRETCH}`);
      const { page } = board;
      await until("the board is drawn", async () => await board.phase() === "ready");
      await assert_looks(board, "board", i === 0 ? LOOKS : FEWER);
      for (const [nth, [key, what]] of Object.entries(DIALOGS).entries()) {
        await page.keyboard.press(key);
        await page.locator("dialog[open]").waitFor().catch((cause) => {
          throw new Error(`press ${key}: no dialog of ${what}; ${board.complaints.join("; ")}`, { cause });
        });
        // What one domain shows small another one shows wide.
        await assert_looks(board, what, [FEWER[(nth + i) % 2]!], "dialog[open]");
        await page.keyboard.press("Escape");
        await page.locator("dialog").waitFor({ state: "detached" });
      }
      for (const [nth, [opens, what]] of Object.entries(LISTS).entries()) {
        await page.locator(opens).first().click();
        await page.locator("dialog[open] tbody tr").first().waitFor();
        await assert_looks(board, what, [FEWER[(nth + i) % 2]!], "dialog[open]");
        await page.keyboard.press("Escape");
        await page.locator("dialog").waitFor({ state: "detached" });
      }
      const { segments } = domain.make({ currency: "USD", h3_resolution: null }).board;
      if (segments !== undefined) {
        await page.goto(`${base}?${STRETCH}&segments=${segments.of[0]}&find=best`);
        await page.locator("dialog[open] .segments tbody tr").first().waitFor();
        await assert_looks(board, "segments", FEWER, "dialog[open]");
        await page.keyboard.press("Escape");
        await page.locator("dialog").waitFor({ state: "detached" });
      }
      await page.goto(`${base}?${STRETCH}&items=unusual`);
      await page.locator("dialog[open] .rows table").waitFor();
      await assert_looks(board, "unusual items", FEWER, "dialog[open]");
      await page.keyboard.press("Escape");
      await page.locator("dialog").waitFor({ state: "detached" });
      await page.keyboard.press("d");
      await page.locator("caption").first().waitFor();
      await assert_looks(board, "table", FEWER);
      const stream = await page.locator("tbody a[href]").first().getAttribute("href");
      await page.goto(new URL(stream!, base).href);
      await until("the stream is drawn", async () => await board.phase() === "ready");
      await assert_looks(board, "stream", FEWER);
      assert.deepEqual(board.unexpected(), []);
    },
  });
}

/** Runs all of axe's rules on what is in sight, or a part of it, as all would see it. */
async function assert_looks({ page }: BoardPage, what: string, looks: typeof LOOKS, part = "html"): Promise<void> {
  if (await page.evaluate("globalThis.axe === undefined")) await page.evaluate(axe.source);
  // What was found right is counted there: to bring it here takes longer than to find it.
  const look = `axe.run(${JSON.stringify(part)}, { resultTypes: ["violations"] })
    .then(({ violations, passes }) => ({ violations, kept: passes.length }))`;
  for (const { colours, width, height } of looks) {
    await page.emulateMedia({ colorScheme: colours, reducedMotion: "reduce" });
    await page.setViewportSize({ width, height });
    // What is still on its way, such as a style sheet, is looked at again.
    await until_holds(`axe finds nothing in ${what}, ${colours}, ${width} px`, async () => {
      const { violations, kept } = await page.evaluate<Pick<AxeResults, "violations"> & { kept: number }>(look);
      const found = violations.flatMap(({ id, help, nodes }) =>
        nodes.map(({ target, failureSummary }) => `${id}: ${help}: ${target.join(" ")}: ${failureSummary}`)
      );
      assert.ok(kept >= 5, `axe saw ${kept} of its rules kept`);
      assert.deepEqual(found, []);
    }, 5_000);
  }
}
