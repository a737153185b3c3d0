import assert from "node:assert/strict";
import { open_database } from "../../src/database/mod.ts";
import { DOMAINS } from "../../src/verbs/domains.ts";
import { tacho_test } from "../support/available.ts";
import { launch_chromium } from "../support/chromium.ts";
import { upsert_as_flink } from "../support/flink_tables.ts";
import { shared_kafka, unique_name } from "../support/kafka.ts";
import { shared_postgres } from "../support/postgres.ts";
import { run_verb, TachoProgram } from "../support/tacho_program.ts";
import { send_placed } from "../support/topic_writer.ts";
import { until_holds } from "../support/until.ts";

/** The pages over tables that a Flink job writes. */

const ZONES = {
  type: "FeatureCollection",
  features: [{
    type: "Feature",
    properties: { key: "8", name: "Downtown" },
    geometry: { type: "Polygon", coordinates: [[[-87.64, 41.87], [-87.62, 41.87], [-87.62, 41.89], [-87.64, 41.87]]] },
  }],
};

tacho_test({
  name:
    "a stream whose events are in no log here is shown as it stands, and followed; the board says that the job is not known to run",
  needs: ["postgres", "chromium"],
  async fn() {
    const { url } = await (await shared_postgres()).create_database();
    const env = { DATABASE_URL: url, TACHO_READ_MODEL: "flink", TACHO_FLINK_JOBMANAGER: "http://127.0.0.1:9" };
    await run_verb(["migrate"], { env });
    const { tables: { states }, stream_column } = DOMAINS[0].make({ currency: "USD" });
    const database = await open_database({ url, data_dir: null, connections: 1 });
    const write = (status: string, second: number) =>
      upsert_as_flink(
        database,
        states,
        JSON.stringify([{
          [stream_column]: "T-1",
          status,
          last_event_id: `e${second}`,
          last_occurred_at: `2026-03-02T12:00:0${second}Z`,
        }]),
      );
    try {
      await write("requested", 1);
      await using program = await TachoProgram.serve("start", { env });
      await using browser = await launch_chromium();
      const page = await browser.context.newPage(), faults: string[] = [];
      page.on("pageerror", ({ message }) => faults.push(message));
      await page.goto(`${program.url}${DOMAINS[0].name}/T-1`);
      await page.waitForSelector("body[data-phase=ready]");
      await page.getByText("no event is in this database: a Flink job writes its tables").waitFor();
      assert.equal(await page.locator("#events_count").textContent(), "none is here");
      await page.getByText("Requested").first().waitFor();
      await write("completed", 2);
      await page.getByText("Completed").first().waitFor();
      await page.locator("#doubt").waitFor({ state: "hidden" });
      await page.goto(program.url);
      await page.getByText("Flink's JobManager cannot be asked how the job does").waitFor();
      // Why there is no map is said where it would be, by its key as by its button.
      const reason = page.locator("#map p");
      await page.keyboard.press("p");
      await reason.waitFor();
      assert.match(
        await reason.innerText(),
        /^No hexagons here: a Flink job writes this database, and SQL cannot make H3 cells\. Zones are shown where TACHO_ZONES/,
      );
      assert.equal(await page.getAttribute("[data-tool=map]", "aria-expanded"), "true");
      await page.keyboard.press("p");
      await reason.waitFor({ state: "detached" });
      // An address that asks for one is read all the same.
      await page.goto(`${program.url}?map=pickup_h3`);
      await page.getByText("Flink's JobManager cannot be asked how the job does").waitFor();
      assert.deepEqual(faults, []);
    } finally {
      await database.close();
    }
  },
});

tacho_test({
  name:
    "a stream's events are read out of the topics: the page shows them, what each changed, and whether they make the row; and what is not there",
  needs: ["postgres", "chromium", "kafka"],
  async fn() {
    const { url } = await (await shared_postgres()).create_database(), { brokers } = await shared_kafka();
    const topic = unique_name("flink_page"), zones = Deno.makeTempFileSync({ suffix: ".geojson" });
    Deno.writeTextFileSync(zones, JSON.stringify(ZONES));
    const env = {
      ...{ DATABASE_URL: url, TACHO_READ_MODEL: "flink", KAFKA_BROKERS: brokers, TACHO_TOPICS: topic },
      TACHO_ZONES: zones,
    };
    await run_verb(["migrate"], { env });
    await run_verb(["produce", "--count", "1", "--topic", topic], { env });
    const at = (minute: number) => `2026-03-02T12:0${minute}:00Z`;
    const send = (type: string, minute: number, more: Record<string, unknown> = {}) =>
      send_placed(brokers, topic, [{
        ...{ partition: 0, key: "T-1", timestamp_ms: Date.parse(at(minute)) },
        value: JSON.stringify({ event_id: `e${minute}`, type, trip_id: "T-1", occurred_at: at(minute), ...more }),
      }]);
    const database = await open_database({ url, data_dir: null, connections: 1 });
    const write = (revision: number, more: Record<string, unknown>) =>
      upsert_as_flink(database, "trips", JSON.stringify([{ trip_id: "T-1", revision, ...more }]));
    try {
      await send("trip.requested", 1, { city: "Chicago" });
      const requested = { requested_at: at(1), city: "Chicago" };
      await write(1, { ...requested, status: "requested", last_event_id: "e1", last_occurred_at: at(1) });
      await using program = await TachoProgram.serve("start", { env });
      await using browser = await launch_chromium();
      const page = await browser.context.newPage(), faults: string[] = [];
      page.on("pageerror", ({ message }) => faults.push(message));
      await page.goto(`${program.url}trips/T-1`);
      const said = page.locator("#events_said"), events = page.locator("#events > li");
      await page.getByText("1 event, in the order").waitFor();
      await until_holds("they make the row", async () => {
        assert.match(
          await said.innerText(),
          /^Out of the topics: all 1 events that the job counted.* make the row that the job wrote\.$/,
        );
      });
      assert.equal(await said.getAttribute("class") ?? "", "");
      assert.match(await events.first().innerText(), /sent .*\n[\s\S]*revision 1 · flink_page_\w+\/0@\d/);
      assert.doesNotMatch(await events.first().innerText(), /position/);
      await send("trip.started", 3);
      const started = { ...requested, started_at: at(3), waiting_ms: 120_000, status: "in_progress" };
      await write(2, { ...started, last_event_id: "e3", last_occurred_at: at(3) });
      await page.getByText("2 events, in the order").waitFor();
      // The job has counted one that is not there.
      await write(3, { ...started, last_event_id: "e4", last_occurred_at: at(4) });
      await page.getByText("2 of the 3 events that the job counted, among all").waitFor();
      assert.equal(await said.getAttribute("class"), "amber");
      assert.equal(await events.count(), 2);
      await page.getByText("What each event changed cannot be told: not all of its events were found").waitFor();
      // With zones there is a map, which says what it lacks.
      await page.goto(`${program.url}?map`);
      await page.waitForSelector("#map .plane");
      await page.getByText("No hexagons here: a Flink job writes this database, and SQL cannot make H3 cells.", {
        exact: true,
      })
        .waitFor();
      assert.deepEqual(faults, []);
    } finally {
      await database.close();
      Deno.removeSync(zones);
    }
  },
});
