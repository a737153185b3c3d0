import assert from "node:assert/strict";
import { migrate, migrations_of, open_database } from "../../src/database/mod.ts";
import { days_in } from "../../src/kpi/mod.ts";
import { type Logger, read_config, system_clock } from "../../src/runtime/mod.ts";
import { kafka_source } from "../../src/verbs/open.ts";
import { serve } from "../../src/verbs/serve.ts";
import { tacho_test } from "../support/available.ts";
import { BoardPage } from "../support/board_page.ts";
import { make_deployment } from "../support/deployment.ts";
import { unique_name } from "../support/kafka.ts";
import { PARCELS } from "../support/parcels/domain.ts";
import tables from "../support/parcels/tables.sql" with { type: "text" };
import { send_placed } from "../support/topic_writer.ts";
import { until, until_holds } from "../support/until.ts";
import { verified } from "../support/verified_log.ts";

/** A domain is a folder: what no part of the program knows is read from Kafka by its mapping, folded, counted, served and drawn, from its declaration alone. */

const FOLDER = new URL("../support/parcels/", import.meta.url);
const CARRIERS = ["Swift & Sons", "Tortoise", "Ümit <b>"];
const WIDTHS = [[390, 844], [1280, 800], [1920, 1080]] as const;

/** Records as scanners send them, in the minutes up to now: sixty parcels, of which each third is delivered and each tenth lost. */
function records(now_ms: number): Record<string, unknown>[] {
  return Array.from({ length: 60 }, (_, i) => {
    const parcel = `P ${i}`, at = (minutes_ago: number) => new Date(now_ms - minutes_ago * 60_000).toISOString();
    const accepted = {
      parcel,
      scan: "accepted",
      at: at(13 - i / 6),
      carrier: CARRIERS[i % 3],
      depot: 7,
      from: "Ada",
      to: i % 4 === 0 ? "" : "Bob",
      service: i % 2 === 0 ? "fast" : "slow",
      grams: 100 + 10 * i,
      postage: "2.50",
    };
    if (i % 3 === 0) return [accepted, { parcel, scan: "delivered", at: at(12.5 - i / 6), to: "Eve" }];
    return i % 10 === 1 ? [accepted, { parcel, scan: "lost", at: at(12.5 - i / 6) }] : [accepted];
  }).flat();
}

/** Files and lines that the domain has. */
function cost(): { readonly files: number; readonly lines: number } {
  const files = [...Deno.readDirSync(FOLDER)].map(({ name }) => Deno.readTextFileSync(new URL(name, FOLDER)));
  return { files: files.length, lines: files.reduce((sum, text) => sum + text.split("\n").length - 1, 0) };
}

tacho_test({
  name:
    "a domain that no part of the program knows is served, read from Kafka and drawn: board, filter, range, stream, dark",
  needs: ["chromium", "postgres", "kafka"],
  limit_ms: 120_000,
  async fn() {
    const { files, lines } = cost();
    console.log(`parcels: ${files} files, ${lines} lines`);
    assert.ok(files === 4 && lines < 400, `${files} files, ${lines} lines`);
    const deployment = await make_deployment("parcels");
    const topic = unique_name("scans");
    const database = await open_database({ url: deployment.DATABASE_URL, data_dir: null, schema: "parcels" });
    await migrate(database, migrations_of("parcels"));
    await database.script(tables);

    const shared = read_config({ ...deployment, PORT: "0" });
    const config = { ...shared, topics: [topic], mappings: [{ topic, mapping: "scans" }] };
    const stop = new AbortController();
    const lines_logged: unknown[] = [];
    const logger: Logger = { log: (...line) => void lines_logged.push(line) };
    const opened = Promise.withResolvers<string>();
    const shell = {
      clock: system_clock,
      random: Math.random,
      logger,
      signal: stop.signal,
      shared,
      config,
      domain: PARCELS,
    };
    const serving = serve([shell], {
      feeding: (shell, { log_id }, failed) => ({ name: "kafka", source: kafka_source(shell, log_id, failed) }),
      ready: opened.resolve,
    });
    serving.catch(opened.reject);
    try {
      const url = `${await opened.promise}parcels/`;
      const send = (values: readonly unknown[]) => {
        const message = (value: unknown) => ({
          partition: 0,
          key: "k",
          value: JSON.stringify(value),
          timestamp_ms: Date.now(),
        });
        return send_placed(deployment.KAFKA_BROKERS, topic, values.map(message));
      };
      await until(
        "the topic is there",
        async () => (await fetch(new URL("/readyz", url)).then((a) => a.body?.cancel().then(() => a.status))) === 200,
      );
      const all = records(Date.now());
      // One twice, and one that nobody can read.
      await send([...all, all[0], { parcel: "P 9", scan: "accepted", at: "yesterday" }]);
      const answered = async (path: string) => (await fetch(`${url}api/v1/${path}`)).json();
      // No range that they would leave while the test runs.
      await until("all are counted", async () => (await answered("board?range=1h")).cards.parcels === 60);
      const { cards } = await answered("board?range=1h");
      const delivered = Array.from({ length: 20 }, (_, i) => 100 + 30 * i);
      assert.deepEqual(
        [cards.delivered, cards.lost, cards.postage, cards.weight],
        [20, 4, 50, delivered.reduce((a, b) => a + b)],
      );
      const filtered = (await answered("board?range=1h&carrier=Tortoise&state=delivered")).cards;
      assert.deepEqual([filtered.parcels, filtered.delivered], [0, 0]);

      await using board = await BoardPage.open(url, { viewport: { width: 1280, height: 800 } });
      const { page } = board;
      const texts = (selector: string) => page.locator(selector).allInnerTexts();
      await until("the board is drawn", async () => await board.phase() === "ready");
      await until_holds("its cards are there", async () => {
        assert.deepEqual(await texts("#cards h2 button"), ["Parcels", "Delivered", "Postage", "Weight", "Busiest"]);
        assert.deepEqual((await texts("#cards .figure")).slice(0, 4), ["60", "20", "50.00", "7,700"]);
      });
      assert.deepEqual(await texts(".charts h2"), ["Parcels", "Postage"]);
      await until("charts are drawn", async () => await page.locator(".uplot canvas").count() === 2);
      assert.deepEqual(await texts("#breakdowns h2"), ["By carrier", "By state"]);
      assert.deepEqual(await texts("thead th"), ["time", "carrier", "grams", "postage"]);
      assert.match((await texts("#parcels tr"))[0]!, /Swift|Tortoise|Ümit/);

      // An event that comes now is on the board without a reload.
      await send([{
        parcel: "P new",
        scan: "accepted",
        at: new Date().toISOString(),
        carrier: "Tortoise",
        grams: 1,
        postage: "1.00",
      }]);
      await until("it is counted", async () => (await texts("#cards .figure"))[0] === "61");
      await until(
        "it is listed",
        async () => /P%20new$/.test(await page.locator("#parcels a").first().getAttribute("href") ?? ""),
      );

      await page.locator('[data-breakdown=carrier] .bar[data-key="Tortoise"]').click();
      await until("the board is of one carrier", async () => (await texts("#cards .figure"))[0] === "21");
      await board.address(/carrier=Tortoise/);
      await page.goBack();
      await until("and of all again", async () => (await texts("#cards .figure"))[0] === "61");
      await page.keyboard.press("3");
      await until(
        "6 hours are in sight",
        async () => new URL(page.url()).searchParams.get("range") === "6h" && await board.phase() === "ready",
      );
      await page.goBack();

      await page.goto(`${url}parcels/P%203`);
      await until("the stream's page is drawn", async () => await board.phase() === "ready");
      const said = async (selector: string) => (await page.innerText(selector)).replace(/\s+/g, " ").trim();
      assert.equal(await page.title(), "Parcel P 3 · tacho");
      assert.match(await said(".lead"), /Delivered .* to Eve by Swift & Sons/);
      await until(
        "its events are told",
        async () => /Accepted .*Delivered|Delivered .*Accepted/.test(await said("#events")),
      );
      const whole = await page.evaluate<string>("document.body.innerText");
      assert.doesNotMatch(whole, /trip|fare|pickup|driver|trade/i, "nothing of another domain is on the page");
      assert.deepEqual(board.unexpected(), []);
      for (const scale of [1, 2]) {
        await using seen = await BoardPage.open(`${url}?range=6h`, { deviceScaleFactor: scale });
        for (const path of ["?range=6h", "parcels/P%203"]) {
          await seen.page.goto(url + path);
          await until("it is drawn", async () => await seen.phase() === "ready");
          for (const [width, height] of WIDTHS) {
            await seen.page.setViewportSize({ width, height });
            await until(`nothing is wider than ${width} pixels`, async () => await seen.overflow() <= 0);
            const name = `toy_${path.startsWith("?") ? "board" : "stream"}_${width}_${scale}x`;
            await seen.picture(name);
          }
        }
        await seen.page.goto(`${url}?range=6h`);
        await seen.page.emulateMedia({ colorScheme: "dark" });
        await until("it is drawn", async () => await seen.phase() === "ready");
        await seen.picture(`toy_board_dark_${scale}x`);
        assert.deepEqual(seen.unexpected(), []);
      }
    } finally {
      stop.abort(new Error("the test is over"));
      await serving.catch((error) => {
        if (error !== stop.signal.reason) throw error;
      });
    }
    try {
      const audit = { domain: PARCELS.make({ currency: "USD" }), days: days_in("UTC") };
      assert.deepEqual((await verified(database, {}, audit)).faults, []);
      const [head] = await database.query("select duplicates, held from log_head");
      assert.deepEqual(head, { duplicates: "1", held: "1" });
    } finally {
      await database.close();
    }
  },
});
