import assert from "node:assert/strict";
import { tacho_test } from "../support/available.ts";
import { BoardPage } from "../support/board_page.ts";
import { make_deployment } from "../support/deployment.ts";
import { shell } from "../support/shell.ts";
import { run_verb, TachoProgram } from "../support/tacho_program.ts";
import { until } from "../support/until.ts";

/**
 * Pictures of the page in tests/output, to be looked at, and what can be measured of its looks. With TACHO_TEST_WRITE_DOCS=1 a
 * view of 6 hours becomes docs/page.png, two dots a pixel, which the README shows.
 */

const DOCS = Deno.env.get("TACHO_TEST_WRITE_DOCS") === "1";
/** For the README a week more, so that there is a same weekday to hold the figures against. */
const FLOW = DOCS ? ["--rate", "0.15", "--history", "8d"] : ["--rate", "1", "--history", "5h"];
const WINDOWS = [["small", 360, 800], ["phone", 390, 844], ["tablet", 768, 1024], ["wide", 2560, 1440]] as const;

tacho_test({
  name: "page: light, dark, small and wide, with hours of trips: nothing sticks out, keys work, nothing on the console",
  needs: ["chromium", "postgres", "kafka"],
  limit_ms: DOCS ? 900_000 : 180_000,
  async fn() {
    // One partition: a backlog that is read from several at once counts as late.
    const env = { ...await make_deployment("look", "America/Chicago"), TACHO_PARTITIONS: "1" };
    await run_verb(["migrate"], { env });
    const trouble = ["--late", "0.01", "--duplicates", "0.002"];
    const flow = [...FLOW, "--seed", "5", ...trouble];
    await using producer = TachoProgram.spawn("tacho", { env, args: ["produce", ...flow] });
    await using server = await TachoProgram.serve("start", { env });
    await using board = await BoardPage.open(server.url, { deviceScaleFactor: DOCS ? 2 : 1 });
    const { page } = board;
    await until("the backlog is read", async () => {
      const newest = /event time up to (\d\d:\d\d:\d\d)/.exec(await page.innerText("#health"))?.[1];
      const age_s = newest === undefined ? NaN : seconds_since(newest, env.TACHO_TIME_ZONE);
      return age_s < 30;
    }, DOCS ? 600_000 : 60_000);

    await until("all is at rest", async () => (await board.banners()).length === 0 && await board.phase() === "ready");
    if (DOCS) {
      await page.keyboard.press("3");
      await until("6 hours are in sight", async () => page.url().endsWith("6h") && await board.phase() === "ready");
      await until("all drivers are read", () => page.locator("[data-breakdown=driver] .bar").first().isVisible());
      const light = await board.picture("page_docs", false);
      const docs = new URL("../../docs", import.meta.url).pathname;
      await shell("keep the picture for the README", 'mkdir -p "$2" && cp "$1" "$2/page.png"', light, docs);
      await page.goBack();
      await until("the hour is back", async () => await board.phase() === "ready");
    }
    await board.picture("page_light", false);
    await board.picture("page_light_full");
    await page.emulateMedia({ colorScheme: "dark" });
    await board.picture("page_dark");
    await page.emulateMedia({ colorScheme: "light" });
    await assert_keys(board);
    for (const [name, width, height] of WINDOWS) {
      await page.setViewportSize({ width, height });
      await until(`nothing is wider than ${width} pixels`, async () => await board.overflow() <= 0);
      await board.picture(`page_${name}`);
    }
    assert.deepEqual(board.unexpected(), []);
    assert.equal(await producer.term("SIGINT"), 0);
    assert.equal(await server.term(), 0);
  },
});

/** Seconds from a time of today (or of yesterday, shortly after midnight) in a zone until now. */
function seconds_since(clock: string, zone: string): number {
  const now = new Intl.DateTimeFormat("en-GB", { timeZone: zone, timeStyle: "medium" }).format(Date.now());
  const seconds = (text: string) => text.split(":").reduce((sum, part) => sum * 60 + Number(part), 0);
  return (seconds(now) - seconds(clock) + 86_400) % 86_400;
}

/** Keys do what the dialog of keys says; the range is in the address, and the browser's back button brings the one before. */
async function assert_keys(board: BoardPage): Promise<void> {
  const { page } = board;
  const range = () => new URL(page.url()).searchParams.get("range");
  await page.keyboard.press("?");
  const keys = page.locator("dialog", { hasText: "Keys" });
  await keys.waitFor();
  await page.keyboard.press("Escape");
  await keys.waitFor({ state: "hidden" });
  await page.keyboard.press("3");
  await until("6 hours are in sight", async () => range() === "6h" && await board.phase() === "ready");
  await board.picture("page_6h");
  await page.goBack();
  await until("the hour is back", async () => range() === null && await board.phase() === "ready");
  await page.keyboard.press(" ");
  await until("the page is paused", async () => await board.link() === "paused");
  await page.keyboard.press("l");
  await until("the page is live again", async () => await board.link() === "connected");
}
