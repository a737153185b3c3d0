import assert from "node:assert/strict";
import { ASSETS, make_static_files } from "../../src/http/mod.ts";
import { tacho_test } from "../support/available.ts";
import { BoardPage } from "../support/board_page.ts";
import { FakeServer } from "../support/fake_server.ts";
import { until } from "../support/until.ts";
import { DECLARED } from "../support/page_frames.ts";
import { trips_board } from "../support/trip_board.ts";

/** The order in which the page comes: the feed before the modules, figures before charts; one stream stays, of which nothing is lost. */

/** The page's own and that of its worker; one that waited for seconds connects anew. */
function assert_two_feeds({ feeds: { asked, late } }: FakeServer): void {
  assert.deepEqual([...new Set(asked)], ["feed range=1h"]);
  assert.ok(late ? asked.length >= 2 : asked.length === 2, `${asked.length} feeds were asked for`);
}

tacho_test({
  name: "page start: the feed runs before the modules are there, figures do not wait for uPlot, one stream stays",
  needs: ["chromium"],
  limit_ms: 120_000,
  async fn() {
    const held = new Map(["app.js", "vendor/uPlot.iife.min.js"].map((path) => [path, Promise.withResolvers<void>()]));
    const give = (path: string) => held.get(path)?.resolve();
    const serve = await make_static_files(ASSETS, { "": trips_board });
    await using server = await FakeServer.start(2, {
      async files(request, path) {
        await held.get(path)?.promise;
        return serve(request, path);
      },
    });
    await using board = await BoardPage.open("about:blank");
    const { page } = board;
    await page.goto(server.url, { waitUntil: "commit" });
    // The page's own, which ends with its first figures, and that of its worker.
    await until("both feeds are asked for", () => server.asked.length === 2);
    await until("one of them stays", () => server.viewers === 1);
    // What comes until the page takes the stream over is not lost.
    server.add(3);
    const position = server.trips.at(-1)?.position;
    give("app.js");
    await until("the newest figures are there", async () => await board.position() === position);
    await until("they are counted", async () => (await board.cards()).completed > 0);
    assert.equal(await page.locator(".uplot").count(), 0);
    give("vendor/uPlot.iife.min.js");
    await until("the charts are drawn", async () => await page.locator(".uplot canvas").count() === 2);
    server.add(1);
    await until("the stream goes on", async () => await board.position() === server.trips.at(-1)?.position);
    assert_two_feeds(server);

    const asked_at = async (search: string, feeds: number) => {
      server.asked.length = 0;
      await page.goto(server.url + search);
      await until(`${search} is shown`, async () => /^(ready|empty_range)$/.test(await board.phase()));
      await until("one stream is open", () => server.viewers === feeds);
      const { asked, late } = server.feeds;
      // The page before may have asked, too, for what it did not have yet.
      const told = feeds === 0
        ? server.asked.filter((query) => query.includes("as_of"))
        : late
        ? [...new Set(asked)]
        : asked;
      return told.map((query) => decodeURIComponent(query));
    };
    const own = "paused=1&theme=dark&lines=none&tz=UTC&limit=completed>4&note=2026-01-01T00:00:00Z~x&kiosk=1&utm=1";
    assert.deepEqual(await asked_at(`?city=Queens&${own}`, 1), ["feed range=1h&city=Queens"]);
    const all = DECLARED.dimensions.flatMap(({ name }, i) => `${i % 2 === 0 ? "" : "not_"}${name}=x`).join("&");
    const stretch = "from=2026-01-01T00:00:00Z&to=2026-01-01T02:00:00Z";
    assert.deepEqual(await asked_at(`?${stretch}&${all}&compare=previous`, 1), [
      `feed ${stretch}&${all}&compare=previous`,
    ]);
    // Addresses with parameters are asked for as the page understands them.
    const other = await asked_at("?city=Queens&range=6h", 1);
    assert.deepEqual(other, ["feed range=6h&city=Queens"]);
    assert.deepEqual(await asked_at("?as_of_position=9", 0), ["board range=1h&as_of_position=9"]);
    assert.deepEqual(board.complaints, []);
  },
});

tacho_test({
  name: "page start: the first figures do not wait for the worker that the tabs share, which then goes on from them",
  needs: ["chromium"],
  limit_ms: 120_000,
  async fn() {
    const held = Promise.withResolvers<void>();
    const serve = await make_static_files(ASSETS, { "": trips_board });
    await using server = await FakeServer.start(2, {
      async files(request, path) {
        if (path === "feed.js") await held.promise;
        return serve(request, path);
      },
    });
    try {
      await using board = await BoardPage.open(server.url);
      await until("figures are there", async () => await board.position() === server.trips.at(-1)?.position);
      await until("the first stream has ended", () => server.viewers === 0);
      server.add(1);
      held.resolve();
      await until("the worker's go on", async () => await board.position() === server.trips.at(-1)?.position);
      await until("one stream is left", () => server.viewers === 1);
      assert_two_feeds(server);
      await until("and it is connected", async () => await board.link() === "connected");
      assert.deepEqual(board.complaints, []);
    } finally {
      held.resolve();
    }
  },
});
