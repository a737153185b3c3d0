import assert from "node:assert/strict";
import type { Page } from "puppeteer-core";
import { tacho_test } from "../support/available.ts";
import { FakeServer } from "../support/fake_server.ts";
import { launch_firefox } from "../support/firefox.ts";
import { free_port } from "../support/free_port.ts";
import { serve_with_token, TOKEN } from "../support/token_program.ts";
import { until } from "../support/until.ts";

/** The page in another browser than the one that all other tests look at it with: what its readers do most, once through. */

const TABS = 8;

const trip = (i: number, minutes_ago: number) => ({
  ...{ event_id: "a", trip_id: `T-${i}`, type: "trip.completed", fare: "10.50", distance_km: 4.2 },
  ...{
    city: i % 2 === 0 ? "Chicago" : "Boston",
    pickup_lat: 41.8 + i / 200,
    pickup_lon: -87.6,
    payment_method: "card",
  },
  occurred_at: new Date(Date.now() - 60_000 * minutes_ago).toISOString(),
});

const shown = (page: Page, expression: string) => page.evaluate(`String(${expression})`) as Promise<string>;
const attribute = (page: Page, selector: string, name: string) =>
  shown(page, `document.querySelector(${JSON.stringify(selector)})?.getAttribute(${JSON.stringify(name)}) ?? ""`);
const text = (page: Page, selector: string) =>
  shown(page, `document.querySelector(${JSON.stringify(selector)})?.innerText ?? ""`);
const completed = async (page: Page) => Number(await attribute(page, "[data-card=completed]", "data-value"));
const until_ready = (page: Page) =>
  until("the board is ready", async () => await attribute(page, "body", "data-phase") === "ready");
const until_address = (page: Page, pattern: RegExp) =>
  until(`the address matches ${pattern}`, () => pattern.test(decodeURIComponent(page.url())) && page.url());
/** A page that the browser kept comes back without being loaded, which puppeteer's own way would wait for. */
const go_back = (page: Page) => page.evaluate("history.back()");
const overflow = async (page: Page) =>
  Number(await shown(page, "document.documentElement.scrollWidth - document.documentElement.clientWidth"));

/** Presses a key and waits for the dialog that it opens; closes it with Escape. */
async function look_into(page: Page, key: string, heading: RegExp): Promise<void> {
  await page.keyboard.press(key as "a");
  await until(`${key} opens its dialog`, async () => heading.test(await text(page, "dialog")));
  await page.keyboard.press("Escape");
  await until("no dialog is open", async () => await shown(page, "document.querySelector('dialog')") === "null");
}

tacho_test({
  name:
    "firefox: figures move, and ranges, filters, dialogs, charts, map, list, time travel and a trip's page do what they say",
  needs: ["firefox", "postgres"],
  limit_ms: 180_000,
  async fn() {
    await using served = await serve_with_token();
    await served.tell(Array.from({ length: 30 }, (_, i) => trip(i, i + 1)));
    await using firefox = await launch_firefox();
    const page = await firefox.open(`${served.program.url}?range=6h`);
    await page.type("input", TOKEN);
    await page.keyboard.press("Enter");
    await until("it is let in, and counts", async () => await completed(page) === 30);
    await served.tell([trip(30, 1)]);
    await until("what came is counted", async () => await completed(page) === 31);
    assert.equal(await text(page, "#link"), "Connected");

    await page.keyboard.press("2");
    await until_address(page, /\/$/);
    await go_back(page);
    await until_address(page, /range=6h$/);
    await until_ready(page);
    await page.click("[data-breakdown=city] [data-key=Chicago]");
    await until_address(page, /city=Chicago/);
    await until("Chicago's trips are counted", async () => await completed(page) === 16);
    await page.keyboard.down("Shift");
    await page.keyboard.press("f");
    await page.keyboard.up("Shift");
    await until("all are counted", async () => await completed(page) === 31);

    for (
      const [key, heading] of [
        ["?", /Keys/],
        ["h", /How each figure is counted/],
        ["r", /From[\s\S]*To/],
        ["e", /Chart figures/],
        ["s", /view/i],
        ["w", /rule/i],
        ["a", /a day ago/],
      ] as const
    ) await look_into(page, key, heading);

    // A chart reads out where the pointer is, and a stretch that is dragged over is looked at closer.
    await page.evaluate("scrollTo(0, 0)");
    const plot = (await (await page.$(".plot"))!.boundingBox())!;
    const at = (share: number) => [plot.x + plot.width * share, plot.y + plot.height / 2] as const;
    await page.mouse.move(...at(0.5));
    await until("it is read out", async () => {
      await page.mouse.move(...at(0.6));
      await page.mouse.move(...at(0.5));
      return await text(page, ".plot .tip:not([hidden])") !== "";
    });
    await page.mouse.down();
    await page.mouse.move(...at(0.6));
    await page.mouse.move(...at(0.7));
    await page.mouse.up();
    await until_address(page, /from=.+&to=/);
    await page.keyboard.press("l");
    await until_address(page, /range=6h$/);
    await until_ready(page);

    await page.keyboard.press("p");
    await until("the map is drawn", async () => Number(await attribute(page, "#map .plane canvas", "width")) > 300);
    await page.keyboard.press("p");
    await until("it is put away", async () => await shown(page, "document.querySelector('#map')") === "null");

    // What a figure is made of, one of its trips, and the proof.
    await page.keyboard.press("/");
    await until("a field is there", async () => await shown(page, "document.activeElement.role") === "combobox");
    await page.keyboard.type("T-7");
    await until("the trip is found", async () => /T-7/.test(await text(page, "dialog [aria-selected=true]")));
    await page.keyboard.press("Enter");
    await until_address(page, /trips\/T-7/);
    await until("its page says what came", async () => /10\.50/.test(await text(page, "main")));
    await go_back(page);
    await until("the board is back", async () => await completed(page) === 31);
    assert.deepEqual(firefox.complaints, []);
  },
});

tacho_test({
  name:
    "firefox: tabs share one connection, say when it is lost and follow again; on no screen is anything wider than it",
  needs: ["firefox"],
  limit_ms: 180_000,
  async fn() {
    const port = free_port();
    const start = () => FakeServer.start(2, { port });
    let server = await start();
    try {
      await using firefox = await launch_firefox();
      const pages: Page[] = [];
      while (pages.length < TABS) {
        const page = await firefox.open(server.url);
        await until(`tab ${pages.push(page)} shows figures`, async () => await completed(page) > 0);
      }
      await until("one connection is left", () => server.viewers === 1);
      server.add(3);
      const position = String(server.trips.at(-1)?.position);
      // A tab behind others draws nothing until it is looked at.
      for (const page of pages) {
        await page.bringToFront();
        await until("each has the newest", async () => await attribute(page, "body", "data-position") === position);
      }
      const page = pages.at(-1)!;
      for (const [width, height] of [[390, 844], [820, 1180], [1280, 720], [1920, 1080], [2560, 1440]] as const) {
        await page.setViewport({ width, height });
        await until(`nothing is wider than ${width}`, async () => await overflow(page) <= 0);
        await Deno.writeFile(`tests/output/firefox_${width}.png`, await page.screenshot());
      }
      await server[Symbol.asyncDispose]();
      await until("the loss is told", async () => await attribute(page, ".banner", "data-warning") === "link");
      server = await start();
      await until("it is connected again", async () => await text(page, "#link") === "Connected");
      await until(
        "and says nothing of it any more",
        async () => await attribute(page, ".banner", "data-warning") === "",
      );
      assert.deepEqual(firefox.complaints.filter((each) => !/connection|NetworkError/i.test(each)), []);
    } finally {
      await server[Symbol.asyncDispose]();
    }
  },
});
