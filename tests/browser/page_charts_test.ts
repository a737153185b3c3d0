import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import Papa from "papaparse";
import { tacho_test } from "../support/available.ts";
import { BoardPage } from "../support/board_page.ts";
import { busy_hello_of, busy_series } from "../support/busy_frames.ts";
import { FrameServer } from "../support/frame_server.ts";
import { until, until_holds } from "../support/until.ts";

/** The charts in a real browser, over frames that are known to the bucket: what can be seen of them is in the DOM, or in a picture to look at. */

const NOW_S = Date.UTC(2026, 10, 20, 19, 37, 20) / 1000;
const TO_S = Date.UTC(2026, 10, 20, 19, 40) / 1000;
const WINDOW = { from_s: TO_S - 21_600, to_s: TO_S, step_s: 300, now_s: NOW_S };
/** It does not go on with the clock: its newest bucket still runs, however long a test takes. */
const HELLO = busy_hello_of(WINDOW, { following: false });
const { completed, canceled, revenue } = busy_series(WINDOW.from_s, TO_S, 300, NOW_S);

const open = async (server: FrameServer, query = "", options = {}) => {
  const board = await BoardPage.open(`${server.url}?range=6h${query}`, options);
  await until("the board is drawn", async () => await board.phase() === "ready");
  return board;
};
const param = (board: BoardPage, name: string) => new URL(board.page.url()).searchParams.get(name);

/** The readout of the upper chart, as it is read aloud. */
const told = (board: BoardPage) => board.page.getAttribute("#chart_trips", "aria-valuetext");

tacho_test({
  name: "charts: the first key that reads figures counts, also while what reads them is still loaded",
  needs: ["chromium"],
  async fn() {
    await using server = await FrameServer.start(() => HELLO);
    await using board = await open(server);
    const { page } = board;
    const asked = Promise.withResolvers<void>(), held = Promise.withResolvers<void>();
    await page.route("**/readout.js", async (route) => {
      asked.resolve();
      await held.promise;
      await route.continue();
    });
    await page.focus("#chart_trips");
    await page.keyboard.press("End");
    await asked.promise;
    assert.equal(await told(board), "arrow keys read the figures");
    held.resolve();
    await until("the last bucket is read", async () => (await told(board))?.startsWith("14:35 – 14:40 · so far"));
    assert.deepEqual(board.complaints, []);
  },
});

tacho_test({
  name:
    "charts: the legend hides and leaves alone, keys move one cursor over both charts, a stretch is looked at closer",
  needs: ["chromium"],
  async fn() {
    await using server = await FrameServer.start(() => HELLO);
    await using board = await open(server);
    const { page } = board;
    const pressed = () =>
      page.locator("#legend button").evaluateAll((buttons) =>
        buttons.flatMap((button) => button.ariaPressed === "true" ? [button.textContent] : [])
      );
    assert.deepEqual(await pressed(), ["completed", "same weekday"]);
    await page.click("[data-shows=started]");
    await until("the address names three lines", () => param(board, "lines") === "completed,started,compared");
    await page.click("[data-shows=canceled]", { modifiers: ["Alt"] });
    await until("one line is alone", async () => (await pressed()).join() === "canceled");
    await page.focus("[data-shows=canceled]");
    await page.keyboard.press("i");
    await until("the default is back", async () => param(board, "lines") === null && (await pressed()).length === 2);
    await page.goBack();
    await until("back shows the line alone again", async () => (await pressed()).join() === "canceled");
    await page.dblclick("[data-shows=completed]");
    await until("a double click leaves a line alone", () => param(board, "lines") === "completed");
    await page.dblclick("[data-shows=completed]");
    await until("and again shows the default", () => param(board, "lines") === null);

    // What is of another unit has a scale of its own; where nothing of it is known there is a gap.
    await page.click("[data-shows=average_waiting_min]");
    await until("how long was waited is shown", async () => (await pressed()).includes("waiting"));
    await page.focus("#chart_trips");
    await page.keyboard.press("Home");
    await until("it is read out", async () => /, waiting 3\.0 min, same weekday/.test(await told(board) ?? ""));
    for (let i = 0; i < 7; i++) await page.keyboard.press("ArrowRight");
    await until("so is that it is not known", async () => /, waiting –, /.test(await told(board) ?? ""));
    await board.picture("charts_waiting", false);
    await page.click("[data-shows=average_waiting_min]");
    await until("it is hidden again", () => param(board, "lines") === null);

    await page.focus("#chart_trips");
    await page.keyboard.press("End");
    await until(
      "the cursor stands at the running bucket",
      async () => (await told(board))?.startsWith("14:35 – 14:40 · so far, completed 14, same weekday "),
    );
    for (let i = 0; i < 6; i++) await page.keyboard.press("PageUp");
    for (let i = 0; i < 2; i++) await page.keyboard.press("ArrowLeft");
    await until_holds("an earlier one is read out, in each chart", async () => {
      assert.match(await told(board) ?? "", /^09:25 – 09:30, completed \d+, same weekday \d+, corrected 09:46$/);
      assert.ok((await told(board))?.includes(`completed ${completed[9]},`));
      assert.match(
        await page.getAttribute("#chart_revenue", "aria-valuetext") ?? "",
        new RegExp(`^09:25 – 09:30, USD ${revenue[9]?.toFixed(2)}`),
      );
      assert.equal(await page.locator(".tip:visible b").count(), 4, "a readout in each chart");
    });
    await board.picture("charts_readout", false);
    assert.equal(param(board, "to"), null, "arrows on a chart do not move the range");
    for (let i = 0; i < 3; i++) await page.keyboard.press("Shift+ArrowRight");
    await page.keyboard.press("Enter");
    await until("the stretch is in the address", () => param(board, "from") === "2026-11-20T14:25:00Z");
    assert.equal(param(board, "to"), "2026-11-20T14:45:00Z");
    assert.deepEqual(board.complaints, []);
  },
});

tacho_test({
  name: "charts: limits, notes and the table: by keys, in the address, told calmly",
  needs: ["chromium"],
  async fn() {
    await using server = await FrameServer.start(() => HELLO);
    await using board = await open(server);
    const { page } = board;
    const press = (key: string) => page.keyboard.press(key);
    await press("m");
    await page.selectOption("dialog select >> nth=0", "canceled");
    await page.fill("dialog input", "2");
    await press("Enter");
    await until("the limit and its line are in the address", () => param(board, "limit") === "canceled>2");
    assert.equal(param(board, "lines"), "completed,canceled,compared");
    await press("Escape");
    const state = page.locator(".limits_state");
    await until("the limit is told", async () => await state.isVisible());
    const since = canceled.findLastIndex((count) => count <= 2);
    await until_holds("it says since when", async () => {
      assert.equal(await state.innerText(), "canceled above 2 per 5 minutes since before 08:45");
    });
    assert.equal(since, canceled.length - 1, "only the running bucket is below");
    assert.equal(await state.getAttribute("role"), "status");
    await press("n");
    await page.fill("dialog [type=datetime-local]", "2026-11-20T11:20");
    await page.fill("dialog [type=text]", "Rain begins");
    await press("Enter");
    await until("the note is in the address", () => param(board, "note") === "2026-11-20T16:20:00Z~Rain begins");
    await press("Escape");
    await until(
      "the note is listed",
      async () => await page.locator(".notes li").innerText().then((text) => text.startsWith("11:20")),
    );
    await press("d");
    const table = page.locator(".scroll table");
    await until("the table is open", () => table.isVisible());
    await until_holds("it has the lines in sight", async () => {
      assert.deepEqual(
        await table.locator("thead th").allInnerTexts(),
        [
          "from – to",
          "completed",
          "canceled",
          "revenue, USD",
          "completed, same weekday",
          "revenue, same weekday",
          "remark",
        ],
      );
    });
    const row = (i: number) =>
      table.locator("tbody tr").nth(completed.length - 1 - i).locator("th, td").allInnerTexts();
    assert.equal((await row(completed.length - 1)).at(-1), "so far");
    const noted = await row(32);
    assert.deepEqual([noted[0], noted[1], noted.at(-1)], [
      "Fri 20 Nov, 11:20 – 11:25",
      String(completed[32]),
      "Rain begins",
    ]);
    assert.match((await row(10)).at(-1) ?? "", /^corrected 09:51:00$/);
    await board.picture("charts_marks");
    await page.emulateMedia({ colorScheme: "dark" });
    await board.picture("charts_marks_dark", false);
    await page.click(".notes .remove");
    await until("the note is gone", () => param(board, "note") === null);
    await press("m");
    await page.click("dialog .set button");
    await until("the limit is gone", async () => param(board, "limit") === null && !await state.isVisible());
    assert.deepEqual(board.complaints, []);
  },
});

tacho_test({
  name: "charts: what is shown is what is exported, paused too, and without a server",
  needs: ["chromium"],
  async fn() {
    await using server = await FrameServer.start(() => HELLO);
    await using board = await open(server, "&tz=UTC&paused=1&note=2026-11-20T16:20:00Z~=Rain");
    const { page } = board;
    await page.keyboard.press("e");
    await page.waitForSelector("[data-export]");
    await board.has_all();
    await page.context().setOffline(true);
    const saved = async (what: string) => {
      const [download] = await Promise.all([page.waitForEvent("download"), page.click(`[data-export=${what}]`)]);
      return { name: download.suggestedFilename(), bytes: await readFile(await download.path()) };
    };
    const figures = await saved("series");
    assert.equal(figures.name, "tacho_series_2026-11-20T1340_to_2026-11-20T1940.csv");
    const rows: Record<string, string>[] =
      Papa.parse(figures.bytes.toString(), { header: true, skipEmptyLines: true }).data;
    assert.deepEqual(rows.map((row) => Number(row.completed)), completed);
    assert.equal(rows[0]?.time, "2026-11-20T13:40:00Z");
    assert.equal(rows[0]?.business_zone, "America/New_York");
    assert.match((await saved("trips")).bytes.toString(), /^\ufefftime,trip_id,status/);
    assert.match((await saved("breakdowns")).bytes.toString(), /\r\ncity,Manhattan,false,/);
    const [width, height] = await page.locator("#chart_trips").evaluate((
      place,
    ) => [place.clientWidth, place.clientHeight]);
    const picture = await saved("completed");
    assert.match(picture.name, /^tacho_completed_.*\.png$/);
    const size = new DataView(picture.bytes.buffer, picture.bytes.byteOffset);
    // 20 pixels on each side, 88 above and below, at two dots a pixel.
    assert.deepEqual([size.getUint32(16), size.getUint32(20)], [2 * (width! + 40), 2 * (height! + 88)]);
    await Deno.writeFile(new URL("../output/charts_export.png", import.meta.url), picture.bytes);
    assert.deepEqual(board.unexpected(), []);
  },
});

/** Days on which clocks change or are odd: the window, its zone, and what the page must say of it. */
const DAYS = [
  {
    day: "clocks go forward",
    zone: "America/New_York",
    from_s: Date.UTC(2026, 2, 8, 5) / 1000,
    axis: ["8 Mar", "01:00", "03:00", "04:00", "05:00", "06:00"],
    buckets: { 1: "01:00 – 03:00", 2: "03:00 – 04:00" },
  },
  {
    day: "clocks go back",
    zone: "America/New_York",
    from_s: Date.UTC(2026, 10, 1, 4) / 1000,
    axis: ["1 Nov", "01:00", "02:00", "03:00", "04:00"],
    buckets: { 1: "01:00 – 01:00 (UTC−04:00)", 2: "01:00 – 02:00 (UTC−05:00)", 3: "02:00 – 03:00" },
  },
  {
    day: "clocks go back by half an hour",
    zone: "Australia/Lord_Howe",
    from_s: Date.UTC(2026, 3, 4, 13) / 1000,
    axis: ["5 Apr", "01:00", "02:00", "03:00", "04:00", "05:00"],
    buckets: { 1: "01:00 – 01:30", 2: "01:30 – 02:30 (UTC+10:30)" },
  },
  {
    day: "a zone of 5:45 hours",
    zone: "Asia/Kathmandu",
    from_s: Date.UTC(2026, 5, 1, 18) / 1000,
    axis: ["2 Jun", "01:00", "02:00", "03:00", "04:00", "05:00"],
    buckets: { 0: "23:45 – 00:45" },
  },
] as const;

tacho_test({
  name:
    "charts: on the days when clocks change, in a browser of another zone, axis, readout and table tell the chart's times",
  needs: ["chromium"],
  async fn() {
    let hello = HELLO;
    await using server = await FrameServer.start(() => hello);
    await using board = await open(server, "", { timezoneId: "Pacific/Auckland" });
    const { page } = board;
    assert.equal(await page.evaluate("new Date(1767225600000).getHours()"), 13, "the browser is in Auckland");
    for (const { day, zone, from_s, axis, buckets } of DAYS) {
      const to_s = from_s + 6 * 3_600;
      const fields = { following: false, time_zone: "Europe/Berlin", range: "custom" };
      hello = busy_hello_of({ from_s, to_s, step_s: 3_600, now_s: to_s }, fields);
      await page.goto(
        `${server.url}?from=${new Date(from_s * 1000).toISOString()}&to=${
          new Date(to_s * 1000).toISOString()
        }&tz=${zone}`,
      );
      await until("the board is drawn", async () => await board.phase() === "ready");
      const labels = await page.evaluate(
        `import("/static/series.js").then(({ time_splits, time_labels }) =>
          time_labels(time_splits(${from_s}, ${to_s - 60}, ${JSON.stringify(zone)}, 8), ${JSON.stringify(zone)}))`,
      );
      assert.deepEqual(labels, axis, day);
      await page.keyboard.press("d");
      await page.waitForSelector(".scroll tbody tr");
      const names = (await page.locator(".scroll tbody th").allInnerTexts()).reverse();
      for (const [i, name] of Object.entries(buckets)) assert.equal(names[Number(i)]?.replace(/^.*?, /, ""), name, day);
      await page.focus("#chart_trips");
      await until("the readout has come", async () => {
        await page.keyboard.press("Home");
        return (await told(board))?.includes(names[0]?.replace(/^.*?, /, "") ?? "?");
      });
    }
    await page.click("#zone");
    await until(
      "it says of which days",
      async () => /midnight in Europe\/Berlin/.test(await page.innerText("dialog .sub")),
    );
    await page.fill("dialog [type=text]", "America/Sao_Paulo");
    await page.keyboard.press("Enter");
    await until("another zone is told", async () => await page.innerText("#zone") === "UTC−03:00 Sao Paulo");
    await until("the address says so", () => param(board, "tz") === "America/Sao_Paulo");
    assert.deepEqual(board.complaints, []);
  },
});

tacho_test({
  name: "charts: a window that slides is chosen by dialog and words, is drawn and read out, and says why it is not",
  needs: ["chromium"],
  async fn() {
    await using server = await FrameServer.start(() => HELLO);
    // What is typed is looked for, where it takes long enough until it is done.
    server.stream = { stream: null, keys: [], near: [] };
    await using board = await open(server);
    const { page } = board;
    const asked: URL[] = [];
    let refusal: string | null = null;
    await page.route("**/api/v1/kpis/series?*", async (route) => {
      const url = new URL(route.request().url());
      asked.push(url);
      if (refusal !== null) {
        const json = { title: "x", status: 400, errors: [{ path: "to", detail: refusal }] };
        return await route.fulfill({ status: 400, contentType: "application/problem+json", json });
      }
      // Of each bucket with a value of its own: what the hour has is told by the server.
      const points = completed.flatMap((_, i) =>
        i === 3 ? [] : [{ at: new Date((WINDOW.from_s + i * 300) * 1_000).toISOString(), value: 1_000 + i }]
      );
      await route.fulfill({ json: { points } });
    });
    const line = page.locator(".rolling"), sub = page.locator("#per_trips");
    await page.keyboard.press("r");
    await page.getByLabel("What each point of the charts is of").selectOption("1h");
    await until("it is in the address", () => param(board, "rolling") === "1h");
    await until("it is drawn", async () => (await sub.innerText()).startsWith("per hour, rolling"));
    assert.match(await line.innerText(), /^Each point is the last hour up to it, without a comparison\. Per bucket$/);
    assert.deepEqual(
      asked.map(({ searchParams }) =>
        ["measure", "grain", "rolling", "from", "to"].map((name) => searchParams.get(name))
      ),
      ["completed", "started", "canceled", "average_waiting_min", "revenue"].map((measure) => [
        ...[measure, "5m", "1h"],
        ...[WINDOW.from_s, WINDOW.to_s].map((s) => new Date(s * 1_000).toISOString()),
      ]),
    );
    await page.focus("#chart_trips");
    await page.keyboard.press("Home");
    await until(
      "it is read out",
      async () => (await told(board)) === "hour, rolling, to 08:45, completed 1,000, same weekday –",
    );
    for (let i = 0; i < 3; i++) await page.keyboard.press("ArrowRight");
    await until_holds("a window that has none is of none", async () => {
      assert.equal(await told(board), "hour, rolling, to 09:00, completed 0, same weekday –");
    });
    await board.picture("charts_rolling", false);
    await page.keyboard.press("Escape");
    await page.keyboard.press("d");
    await until(
      "the table is per bucket",
      async () => (await page.locator("caption").innerText()).includes("per 5 minutes"),
    );
    await page.keyboard.press("d");
    refusal = "expected a shorter range";
    await page.keyboard.press("/");
    await page.locator("#command").fill("rolling 24 hours");
    await page.keyboard.press("Enter");
    await until(
      "it says why not",
      async () => /^The last 24 hours up to each point: .*expected a shorter range/.test(await line.innerText()),
    );
    await until("and the charts are per bucket", async () => /^per 5 minutes/.test(await sub.innerText()));
    await line.getByRole("button", { name: "Per bucket" }).click();
    await until("it is over", async () => param(board, "rolling") === null && await line.count() === 0);
    await page.goBack();
    await until("back rolls again", () => param(board, "rolling") === "24h");
    assert.deepEqual(board.unexpected().filter((text) => !text.includes("400 (Bad Request)")), []);
  },
});
