import assert from "node:assert/strict";
import type { Page } from "playwright-core";
import { tacho_test } from "../support/available.ts";
import { BoardPage } from "../support/board_page.ts";
import { FakeServer } from "../support/fake_server.ts";
import { until, until_holds } from "../support/until.ts";

/**
 * Every state of the board, on screens of every kind: pictures in tests/output, to be looked at, and in none of them is anything wider than
 * its window or pressed out of it. With TACHO_TEST_ALL_SCREENS=1 all screens, of one and two dots a pixel, else some.
 */

interface Look {
  readonly width: number;
  readonly height: number;
  readonly ratio: 1 | 2;
  readonly colours: "light" | "dark" | "forced";
}

const SIZES = [[390, 844], [1280, 800], [1440, 900], [1920, 1080], [2560, 1440], [3840, 2160]] as const;
const ALL: readonly Look[] = SIZES.flatMap(([width, height]) =>
  ([1, 2] as const).flatMap((ratio) =>
    (["light", "dark", "forced"] as const).map((colours) => ({ width, height, ratio, colours }))
  )
);
const is_all = Deno.env.get("TACHO_TEST_ALL_SCREENS") === "1";
const SOME: readonly Look[] = [
  { width: 390, height: 844, ratio: 2, colours: "dark" },
  { width: 1280, height: 800, ratio: 1, colours: "forced" },
  { width: 1920, height: 1080, ratio: 1, colours: "light" },
];
const LOOKS = is_all ? ALL : SOME;

const key = (pressed: string, part: string) => async (page: Page) => {
  await page.keyboard.press(pressed);
  await page.locator(part).first().waitFor();
};

interface State {
  readonly search?: string;
  /** What it shows in the end. */
  readonly phase?: string;
  readonly enter?: (page: Page, server: FakeServer) => Promise<unknown>;
}

/** By name, what is done to come to it. */
const STATES: Readonly<Record<string, State>> = {
  board: {},
  day: { search: "range=24h&compare=previous" },
  filtered: { search: "range=6h&city=Queens&not_payment_method=cash" },
  marks: {
    search: "range=6h&limit=completed>4&limit=revenue<900&note=2026-06-17T14:00:00Z~Rain%20begins",
    enter: (page) => page.locator(".limits_state").waitFor(),
  },
  paused: { search: "paused=1" },
  nothing_in_range: { search: "from=2020-01-01T00:00:00Z&to=2020-01-01T06:00:00Z", phase: "empty_range" },
  past: { search: "range=6h&as_of_position=900", enter: (page) => page.locator("#ribbon").waitFor() },
  table: { search: "range=1h", enter: key("d", "caption") },
  map: { search: "range=6h", enter: key("p", ".plane canvas") },
  keys: { enter: key("?", "dialog[open]") },
  filter: { enter: key("f", "dialog[open]") },
  range: { enter: key("r", "dialog[open]") },
  time_travel: { enter: key("a", "dialog[open]") },
  counted: { enter: key("h", "dialog[open]") },
  export: { enter: key("e", "dialog[open]") },
  limits: { enter: key("m", "dialog[open]") },
  notes: { enter: key("n", "dialog[open]") },
  zone: { enter: key("z", "dialog[open]") },
  command: { enter: key("/", "dialog[open]") },
  troubles: {
    enter: async (page, server) => {
      server.health = {
        lag: 250_000,
        quarantined: 12,
        database: { ok: true, slow_since_ms: server.now_ms - 60_000 },
        ingest: { state: "stopped", since_ms: server.now_ms - 120_000, reason: "the topic has other partitions" },
      };
      server.tell();
      await page.locator(".banner[data-warning=stopped]").waitFor();
    },
  },
  filling: {
    enter: async (page, server) => {
      server.health = { rebuilding: { name: "fill42", percent: 12, fault: null, fills: ["Average waiting"] } };
      server.tell();
      await page.locator(".banner[data-warning=rebuilding]", { hasText: "Average waiting" }).waitFor();
    },
  },
  kiosk: { search: "range=6h&kiosk=1" },
  link_lost: {
    enter: async (page, server) => {
      server.refusal = "gone";
      server.cut();
      await page.locator(".banner[data-warning=link]").waitFor();
    },
  },
};

tacho_test({
  name: "page: every state on screens of every kind is in its window, and has its picture",
  needs: ["chromium"],
  limit_ms: is_all ? 3_600_000 : 240_000,
  async fn() {
    for (const ratio of [...new Set(LOOKS.map(({ ratio }) => ratio))]) {
      const looks = LOOKS.filter((look) => look.ratio === ratio);
      await using server = await FakeServer.start(3);
      await using board = await BoardPage.open("about:blank", { deviceScaleFactor: ratio });
      const { page } = board;
      for (const [name, { search = "", phase = "ready", enter }] of Object.entries(STATES)) {
        await page.setViewportSize({ width: looks[0]!.width, height: looks[0]!.height });
        await page.goto(`${server.url}${search === "" ? "" : `?${search}`}`);
        await until(`${name} is there`, async () => await board.phase() === phase);
        await enter?.(page, server);
        for (const { width, height, colours } of looks) {
          await page.emulateMedia(
            colours === "forced"
              ? { forcedColors: "active", colorScheme: "dark" }
              : { forcedColors: "none", colorScheme: colours },
          );
          await page.setViewportSize({ width, height });
          await until(`${name}: nothing is wider than ${width}`, async () => await board.overflow() <= 0);
          await until_holds(`${name}: nothing is outside at ${width}`, async () => {
            assert.deepEqual(await outside(page), []);
          });
          await board.picture(`states_${name}_${width}_${ratio}_${colours}`, false);
        }
        [server.refusal, server.health] = [null, {}];
      }
      assert.deepEqual(board.unexpected().filter((text) => !text.includes("400 (Bad Request)")), []);
    }
  },
});

/** What can be pressed and has a part to the left or right of the window, or of the dialog that it is in, though nothing scrolls there. */
async function outside(page: Page): Promise<string[]> {
  return await page.evaluate(`[...document.querySelectorAll("button, a, input, select")].filter((each) => {
    if (!each.checkVisibility() || each.closest("table, .scroll, .found, .list, .unseen, .picks")) return false;
    const { left, right, width } = each.getBoundingClientRect();
    const { left: from, right: to } = (each.closest("dialog") ?? document.documentElement).getBoundingClientRect();
    return width > 0 && (left < from - 1 || right > to + 1);
  }).map((each) => each.outerHTML.slice(0, 100))`);
}
