import assert from "node:assert/strict";
import { ASSETS, make_static_files } from "../../src/http/mod.ts";
import { tacho_test } from "../support/available.ts";
import { BoardPage } from "../support/board_page.ts";
import { FakeServer } from "../support/fake_server.ts";
import { trips_board } from "../support/trip_board.ts";
import { until, until_holds } from "../support/until.ts";

/** Parts of a board in frames of other pages: of those that may, which move, say how old they are, and lead to the board. */

const PARTS = ["cards", "trips", "list", "city"] as const;
/** What is the board whole, or the page of a trip. */
const WHOLE = [["whole", "?range=6h"], ["nothing", "?embed="], ["unknown", "?embed=all&embed=cards"], [
  "trip",
  "trips/T-1?embed=cards",
]] as const;

tacho_test({
  name:
    "page: each part of a board stands alone in a frame of a page that may, moves, and opens the board; no other page may",
  needs: ["chromium"],
  limit_ms: 120_000,
  async fn() {
    let html = "";
    const serve_host = () => new Response(html, { headers: { "content-type": "text/html" } });
    await using host = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, serve_host);
    await using foreign = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, serve_host);
    const at = ({ addr }: Deno.HttpServer<Deno.NetAddr>) => `http://127.0.0.1:${addr.port}`;
    const serve = await make_static_files(ASSETS, { "": trips_board }, [], [at(host)]);
    await using server = await FakeServer.start(3, { files: serve });
    html = PARTS.map((part) =>
      `<iframe id="${part}" src="${server.url}?range=6h&embed=${part}" style="width:640px;height:360px"></iframe>`
    ).join("") + WHOLE.map(([id, search]) =>
      `<iframe id="${id}" src="${server.url}${search}"></iframe>`
    ).join("");
    await using board = await BoardPage.open(at(host), { viewport: { width: 1400, height: 900 } });
    const { page } = board;
    for (const part of PARTS) {
      const frame = page.frameLocator(`#${part}`);
      await frame.locator("body[data-phase=ready]").waitFor();
      await frame.locator(".embed_foot").getByText("Connected").waitFor();
      const shown = async () =>
        await frame.locator("body").evaluate(
          `[...document.querySelectorAll("#cards, .charts > div, .latest, [data-breakdown], .top, footer")]
          .filter((each) => each.checkVisibility()).map((each) => each.id || each.dataset.breakdown || each.querySelector("[id^=chart_]")?.id || each.className)`,
        ) as string[];
      const wanted = { cards: "cards", trips: "chart_trips", list: "panel latest embedded", city: "city" }[part];
      await until_holds(`${part} is alone`, async () => assert.deepEqual(await shown(), [wanted]));
      const room = async () =>
        await frame.locator("html").evaluate(
          "(({ scrollWidth, clientWidth, scrollHeight, clientHeight }) => [scrollWidth - clientWidth, scrollHeight - clientHeight])(document.documentElement)",
        ) as number[];
      await until_holds(`${part} is in its frame`, async () => {
        const [wide, high] = await room();
        assert.ok(wide! <= 0 && (part === "cards" || high! <= 0), `${wide}, ${high}`);
      });
    }
    await board.picture("embed", false);
    server.add(2);
    const position = String(server.trips.at(-1)?.position);
    for (const part of PARTS) {
      await page.frameLocator(`#${part}`).locator(`body[data-position="${position}"]`).waitFor();
    }
    // A press, on what would filter, opens the board of that view.
    const [whole] = await Promise.all([
      page.context().waitForEvent("page"),
      page.frameLocator("#city").locator(".embedded .bar").first().click(),
    ]);
    await until("it is the board", () => new URL(whole.url()).search === "?range=6h");
    await whole.locator("#cards").waitFor();
    await whole.close();
    await page.frameLocator("#cards").locator("body").press("f");
    assert.equal(
      await page.frameLocator("#cards").locator("dialog").count(),
      0,
      "keys are those of the page around it",
    );
    // What is lost is said in the frame.
    server.refusal = "gone";
    server.cut();
    await page.frameLocator("#trips").locator(".banner[data-warning=link]").waitFor();
    server.refusal = null;

    const blocked = (id: string) =>
      until(
        `${id} is shown to nobody`,
        () => page.frames().some((each) => each.name() === id && /^chrome-error:/.test(each.url())),
      );
    html = html.replaceAll('id="', 'name="');
    await page.goto(at(host));
    for (const [id] of WHOLE) await blocked(id);
    await page.goto(at(foreign));
    for (const id of [...PARTS, ...WHOLE.map(([id]) => id)]) await blocked(id);
  },
});
