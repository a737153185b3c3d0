import assert from "node:assert/strict";
import type { CDPSession, Page } from "playwright-core";
import { tacho_test } from "../support/available.ts";
import { BoardPage } from "../support/board_page.ts";
import { busy_hello_of } from "../support/busy_frames.ts";
import { FrameServer } from "../support/frame_server.ts";
import { until } from "../support/until.ts";

/** The page on screens of all sizes and densities: what is written in charts can be read, what is laid out stays where it is. */

const NOW_S = Date.UTC(2026, 10, 20, 19, 37, 20) / 1000;
const TO_S = Date.UTC(2026, 10, 20, 19, 40) / 1000;
const HELLO = busy_hello_of({ from_s: TO_S - 21_600, to_s: TO_S, step_s: 300, now_s: NOW_S });

/** Notes the font of every word that is written on a canvas of the page, dots of the screen. */
const NOTE_FONTS = `window.fonts = [];
  const write = CanvasRenderingContext2D.prototype.fillText;
  CanvasRenderingContext2D.prototype.fillText = function (...words) {
    if (this.canvas.isConnected) window.fonts.push([this.canvas.closest("[id^=chart_]")?.id, parseFloat(/[\\d.]+px/.exec(this.font))]);
    return write.apply(this, words);
  };`;

/** Gives the page another screen, as when its window is moved there. */
async function set_screen(cdp: CDPSession, width: number, height: number, ratio: number): Promise<void> {
  await cdp.send("Emulation.setDeviceMetricsOverride", { width, height, deviceScaleFactor: ratio, mobile: false });
}

/** The sizes of type that were written in a chart since the page was last moved, pixels of the page. */
async function sizes_of(page: Page, chart: string): Promise<number[]> {
  return await page.evaluate(`[...new Set(window.fonts.filter(([id]) => id === ${JSON.stringify(chart)})
    .map(([, dots]) => dots / devicePixelRatio))]`);
}

tacho_test({
  name:
    "screens: what is written in charts has one size at every density, also when the window moves to another screen",
  needs: ["chromium"],
  limit_ms: 60_000,
  async fn() {
    await using server = await FrameServer.start(() => HELLO);
    await using board = await BoardPage.open("about:blank");
    const { page } = board;
    await page.addInitScript(NOTE_FONTS);
    const cdp = await page.context().newCDPSession(page);
    const written = async (ratio: number) => {
      for (const chart of ["chart_trips", "chart_revenue"]) {
        const sizes = await until(`${chart} is drawn at ${ratio}`, async () => {
          const found = await sizes_of(page, chart);
          return found.length > 0 && found;
        });
        // Of 11 pixels whole dots are made: 13.75 are 14.
        for (const size of sizes) assert.ok(Math.abs(size - 11) <= 0.5 / ratio + 0.01, `${chart}: ${size} at ${ratio}`);
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
